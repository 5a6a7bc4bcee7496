//! Whether nginx would take the configuration that NGF makes for a Gateway. NGF judges the objects;
//! nginx judges the files, and a few sets of objects that NGF accepts make files that nginx does not.

use ngf_core::diagnosis::ngf::{BackendState, bundle_file, key_pair_file};
use ngf_core::diagnosis::plan::TrustSource;
use ngf_core::model::object::ObjectRef;
use openssl::x509::X509;

use super::gateway::GatewayState;
use super::render::{authority, data, taken};
use super::routes::RouteState;
use crate::kinds;
use crate::store::Store;

/// What NGF reports of the agent's answer, where nginx does not start with the new files.
pub(super) fn error(
    store: &Store,
    gateway: &GatewayState<'_>,
    routes: &[RouteState<'_>],
) -> Option<String> {
    let client = gateway.client_secret.as_ref().and_then(|name| {
        let secret = store.get(kinds::SECRET, &name.namespace, &name.name)?;
        weak_key(&data(&secret, "tls.crt")?, name)
    });
    let trusted = || {
        let used = routes
            .iter()
            .filter(|route| route.attached_to(&gateway.read.reference))
            .flat_map(|route| &route.rules)
            .flat_map(taken)
            .filter_map(|backend| match &backend.state {
                BackendState::Tls {
                    trust: TrustSource::Object { object, .. },
                    ..
                } => Some(object),
                _ => None,
            });
        used.into_iter()
            .find_map(|object| bundle_error(store, object))
    };
    client.or_else(trusted).map(|line| {
        format!(
            "msg: Config apply failed, rolling back config; error: failed validating config NGINX \
             config test failed exit status 1: nginx: [emerg] {line}\nnginx: configuration file \
             /etc/nginx/nginx.conf test failed\n"
        )
    })
}

/// OpenSSL's security level 2 refuses RSA keys of less than 2048 bits.
fn weak_key(pem: &[u8], secret: &ObjectRef) -> Option<String> {
    let key = X509::from_pem(pem).ok()?.public_key().ok()?;
    let weak = key.rsa().is_ok_and(|rsa| rsa.size() < 256);
    weak.then(|| {
        format!(
            "SSL_CTX_use_certificate(\"{}\") failed (SSL: error:0A00018F:SSL routines::ee key too small)",
            key_pair_file(&secret.namespace, &secret.name)
        )
    })
}

/// The CA bundle that a policy makes: empty where a TLS Secret has no `ca.crt`, and garbage after the
/// first certificate is not noticed before nginx reads it.
fn bundle_error(store: &Store, object: &ObjectRef) -> Option<String> {
    let bundle = authority(store, object).unwrap_or_default();
    let file = bundle_file(&object.namespace, &object.name);
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
