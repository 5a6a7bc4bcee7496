//! Whether nginx would take the configuration that NGF makes for a Gateway. NGF judges the objects;
//! nginx judges the files, and a few sets of objects that NGF accepts make files that nginx does not.

use openssl::x509::X509;
use serde_json::Value;

use super::gateway::GatewayState;
use super::policies::PolicyState;
use super::references::{config_map_authority, secret_data};
use super::routes::RouteState;
use crate::kinds;
use crate::metadata::meta;
use crate::store::Store;

/// What NGF reports of the agent's answer, where nginx does not start with the new files.
pub(super) fn error(
    store: &Store,
    gateway: &GatewayState,
    policies: &[PolicyState],
    routes: &[RouteState],
) -> Option<String> {
    let name = gateway.name();
    let used = routes
        .iter()
        .filter(|r| r.attached_to(&name))
        .flat_map(|r| &r.policies);
    let mut emergency = gateway
        .client_secret
        .as_ref()
        .and_then(|(namespace, name)| {
            let secret = store.get(kinds::SECRET, namespace, name)?;
            weak_key(&secret_data(&secret, "tls.crt")?, namespace, name)
        });
    for index in used {
        let policy = &policies[*index];
        if emergency.is_none() && policy.gateways.contains(&name) {
            emergency = bundle_error(store, &policy.object);
        }
    }
    emergency.map(|line| {
        format!(
            "msg: Config apply failed, rolling back config; error: failed validating config NGINX \
             config test failed exit status 1: nginx: [emerg] {line}\nnginx: configuration file \
             /etc/nginx/nginx.conf test failed\n"
        )
    })
}

/// OpenSSL's security level 2 refuses RSA keys of less than 2048 bits.
fn weak_key(pem: &[u8], namespace: &str, name: &str) -> Option<String> {
    let key = X509::from_pem(pem).ok()?.public_key().ok()?;
    let weak = key.rsa().is_ok_and(|rsa| rsa.size() < 256);
    weak.then(|| {
        format!(
            "SSL_CTX_use_certificate(\"/etc/nginx/secrets/ssl_keypair_{namespace}_{name}.pem\") \
             failed (SSL: error:0A00018F:SSL routines::ee key too small)"
        )
    })
}

/// The CA bundle that a policy makes: empty where a TLS Secret has no `ca.crt`, and garbage after the
/// first certificate is not noticed before nginx reads it.
fn bundle_error(store: &Store, policy: &Value) -> Option<String> {
    let reference = policy.pointer("/spec/validation/caCertificateRefs/0")?;
    let (namespace, name) = (meta(policy, "namespace"), reference["name"].as_str()?);
    let bundle = if reference["kind"] == "Secret" {
        let secret = store.get(kinds::SECRET, namespace, name)?;
        secret_data(&secret, "ca.crt").map(|data| data.to_vec())
    } else {
        config_map_authority(&*store.get(kinds::CONFIG_MAP, namespace, name)?)
    };
    let bundle = bundle.unwrap_or_default();
    let file = format!("/etc/nginx/secrets/cert_bundle_{namespace}_{name}.crt");
    let failed = |why: &str| {
        Some(format!(
            "cannot load certificate \"{file}\": PEM_read_bio_X509_AUX() failed (SSL: {why})"
        ))
    };
    match X509::stack_from_pem(&bundle) {
        Ok(all) if all.is_empty() => {
            failed("error:0480006C:PEM routines::no start line:Expecting: TRUSTED CERTIFICATE")
        }
        Ok(_) => None,
        Err(stack) => {
            let error = stack.errors().first()?;
            let why = format!(
                "error:{:08X}:{}::{}",
                error.code(),
                error.library().unwrap_or_default(),
                error.reason().unwrap_or_default()
            );
            failed(&why)
        }
    }
}
