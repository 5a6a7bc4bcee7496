//! cert-manager: issuers become ready, Certificates get their Secrets.
//!
//! One difference from the real one: a Certificate is issued once. A Secret that somebody deletes
//! stays away, so that one can look at what its absence does; and nothing is renewed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use openssl::error::ErrorStack;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Controllers;
use super::write::{Transition, condition, event, own, set_status};
use crate::kinds::{self, Kind};
use crate::metadata::{meta, timestamp};
use crate::pki::{CertificateRequest, Pair, other_ca};
use crate::scenarios::Flaw;
use crate::store::Object;

const CLUSTER_NAMESPACE: &str = "cert-manager";

/// Looks at every issuer and every Certificate.
pub(super) fn run(controllers: &Controllers) {
    for kind in [kinds::CLUSTER_ISSUER, kinds::ISSUER] {
        for issuer in controllers.store.list(kind, None).0 {
            issuer_status(controllers, kind, &issuer);
        }
    }
    for certificate in controllers.store.list(kinds::CERTIFICATE, None).0 {
        let issued = certificate.pointer("/status/revision").is_some();
        if issued || issue(controllers, &certificate) {
            certificate_status(controllers, &certificate);
        }
    }
}

/// Where an issuer's CA Secret is, if it is a CA issuer.
fn ca_secret(controllers: &Controllers, issuer: &Value) -> Option<(String, Option<Object>)> {
    let name = issuer.pointer("/spec/ca/secretName")?.as_str()?;
    let namespace = match meta(issuer, "namespace") {
        "" => CLUSTER_NAMESPACE,
        namespace => namespace,
    };
    Some((
        format!("{namespace}/{name}"),
        controllers.store.get(kinds::SECRET, namespace, name),
    ))
}

fn issuer_status(controllers: &Controllers, kind: &'static Kind, issuer: &Object) {
    let ready = match ca_secret(controllers, issuer) {
        None if issuer.pointer("/spec/selfSigned").is_some() => {
            condition("Ready", true, "IsReady", "")
        }
        None => condition(
            "Ready",
            false,
            "NotReady",
            "the embedded cluster has no such issuer",
        ),
        Some((_, Some(secret))) if read_pair(&secret).is_some() => {
            condition("Ready", true, "KeyPairVerified", "Signing CA verified")
        }
        Some((name, _)) => condition(
            "Ready",
            false,
            "ErrGetKeyPair",
            &format!("Error getting keypair for CA issuer: secrets \"{name}\" not found"),
        ),
    };
    set_status(
        &controllers.store,
        kind,
        issuer,
        json!({"conditions": [ready]}),
        Transition::EachItsOwn,
    );
}

fn decoded(secret: &Value, key: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = secret.get("data")?.get(key)?.as_str()?;
    STANDARD.decode(text).ok().map(Zeroizing::new)
}

/// The key pair in a TLS Secret.
fn read_pair(secret: &Value) -> Option<Pair> {
    Pair::from_pem(&decoded(secret, "tls.crt")?, &decoded(secret, "tls.key")?)
}

/// Who is to sign.
enum Signer {
    Itself,
    Ca(Pair),
}

impl Signer {
    fn ca(&self) -> Option<&Pair> {
        match self {
            Self::Itself => None,
            Self::Ca(pair) => Some(pair),
        }
    }
}

/// `None` while the issuer is not ready.
fn signer(controllers: &Controllers, certificate: &Value) -> Option<Signer> {
    let reference = certificate.pointer("/spec/issuerRef")?;
    let name = reference["name"].as_str()?;
    let issuer = if reference["kind"] == "ClusterIssuer" {
        controllers.store.get(kinds::CLUSTER_ISSUER, "", name)
    } else {
        controllers
            .store
            .get(kinds::ISSUER, meta(certificate, "namespace"), name)
    }?;
    if issuer.pointer("/spec/selfSigned").is_some() {
        return Some(Signer::Itself);
    }
    let (_, secret) = ca_secret(controllers, &issuer)?;
    read_pair(&*secret?).map(Signer::Ca)
}

fn texts(value: &Value, pointer: &str) -> Vec<String> {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|v| v.as_str().map(str::to_owned))
        .collect()
}

fn wish(certificate: &Value, flaw: Option<Flaw>, now: Timestamp) -> CertificateRequest {
    let spec = &certificate["spec"];
    let names = texts(certificate, "/spec/dnsNames");
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let common_name = spec["commonName"].as_str().unwrap_or_default();
    let mut wish = CertificateRequest::new(common_name, &names, spec["isCA"] == true, now);
    let duration = spec["duration"]
        .as_str()
        .and_then(|d| d.parse::<SignedDuration>().ok());
    if let Some(duration) = duration.filter(SignedDuration::is_positive) {
        wish.not_after = now.checked_add(duration).unwrap_or(wish.not_after);
    }
    if flaw == Some(Flaw::Expired) {
        let lifetime = wish.not_after.duration_since(wish.not_before);
        wish.not_after = now
            .checked_sub(SignedDuration::from_hours(24))
            .unwrap_or(now);
        wish.not_before = wish
            .not_after
            .checked_sub(lifetime)
            .unwrap_or(Timestamp::MIN);
    }
    wish
}

/// Issues a Certificate: Secret and CertificateRequest. False when it cannot be issued yet.
fn issue(controllers: &Controllers, certificate: &Object) -> bool {
    let Some(issuer) = signer(controllers, certificate) else {
        return false;
    };
    let secret_name = certificate["spec"]["secretName"]
        .as_str()
        .unwrap_or_default();
    let flaw = controllers.scenario.flaw(secret_name);
    let now = Timestamp::now();
    let wish = wish(certificate, flaw, now);
    let Ok(minted) = mint(&wish, issuer.ca(), flaw, now) else {
        return false;
    };
    event(
        &controllers.store,
        certificate,
        "Normal",
        "Issuing",
        "Issuing certificate as Secret does not exist",
        "cert-manager-certificates-trigger",
    );
    let Ok(secret) = secret(certificate, &minted, flaw) else {
        return false;
    };
    let secret = super::write::ensure(&controllers.store, kinds::SECRET, secret);
    if let Ok(request) = request(certificate, &minted, &wish)
        && let Ok(request) = controllers
            .store
            .create(kinds::CERTIFICATE_REQUEST, request, true)
    {
        let status = json!({
            "certificate": STANDARD.encode(&minted.certificate_pem),
            "ca": minted.ca_pem.as_ref().map(|ca| STANDARD.encode(ca)),
            "conditions": [
                condition("Approved", true, "cert-manager.io", "Certificate request has been approved by cert-manager.io"),
                condition("Ready", true, "Issued", "Certificate fetched from issuer successfully"),
            ],
        });
        let transition = Transition::EachItsOwn;
        set_status(
            &controllers.store,
            kinds::CERTIFICATE_REQUEST,
            &request,
            status,
            transition,
        );
    }
    event(
        &controllers.store,
        certificate,
        "Normal",
        "Issuing",
        "The certificate has been successfully issued",
        "cert-manager-certificates-issuing",
    );
    secret.is_some()
}

/// What goes into the Secret.
struct Minted {
    pair: Pair,
    certificate_pem: Vec<u8>,
    ca_pem: Option<Vec<u8>>,
}

fn mint(
    wish: &CertificateRequest,
    issuer: Option<&Pair>,
    flaw: Option<Flaw>,
    now: Timestamp,
) -> Result<Minted, ErrorStack> {
    let other = match flaw {
        Some(Flaw::OtherCa | Flaw::OtherCaCrt) => Some(other_ca(now)?),
        _ => None,
    };
    let signer = if flaw == Some(Flaw::OtherCa) {
        other.as_ref()
    } else {
        issuer
    };
    let pair = Pair::mint(wish, signer)?;
    let certificate_pem = pair.certificate_pem()?;
    let ca_pem = match (flaw, other.as_ref().or(issuer)) {
        (Some(Flaw::NoCaCrt), _) => None,
        (_, Some(ca)) => Some(ca.certificate_pem()?),
        // A self-signed certificate is its own CA.
        (_, None) => Some(certificate_pem.clone()),
    };
    Ok(Minted {
        pair,
        certificate_pem,
        ca_pem,
    })
}

fn secret(certificate: &Value, minted: &Minted, flaw: Option<Flaw>) -> Result<Value, ErrorStack> {
    let spec = &certificate["spec"];
    let issuer = &spec["issuerRef"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let key = minted.pair.key_pem()?;
    let mut data = json!({
        "tls.crt": STANDARD.encode(&minted.certificate_pem),
        "tls.key": STANDARD.encode(&*key),
    });
    if let Some(ca) = &minted.ca_pem {
        data["ca.crt"] = json!(STANDARD.encode(ca));
    }
    let kind = if flaw == Some(Flaw::Opaque) {
        "Opaque"
    } else {
        "kubernetes.io/tls"
    };
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": spec["secretName"],
            "namespace": certificate["metadata"]["namespace"],
            "labels": {"controller.cert-manager.io/fao": "true"},
            "annotations": {
                "cert-manager.io/alt-names": texts(certificate, "/spec/dnsNames").join(","),
                "cert-manager.io/certificate-name": meta(certificate, "name"),
                "cert-manager.io/common-name": text(&spec["commonName"]),
                "cert-manager.io/ip-sans": "",
                "cert-manager.io/issuer-group": text(&issuer["group"]),
                "cert-manager.io/issuer-kind": issuer["kind"].as_str().unwrap_or("Issuer"),
                "cert-manager.io/issuer-name": text(&issuer["name"]),
                "cert-manager.io/uri-sans": "",
            },
        },
        "type": kind,
        "data": data,
    }))
}

fn request(
    certificate: &Value,
    minted: &Minted,
    wish: &CertificateRequest,
) -> Result<Value, ErrorStack> {
    let name = meta(certificate, "name");
    let mut request = json!({
        "apiVersion": "cert-manager.io/v1",
        "kind": "CertificateRequest",
        "metadata": {
            "name": format!("{name}-1"),
            "namespace": certificate["metadata"]["namespace"],
            "annotations": {
                "cert-manager.io/certificate-name": name,
                "cert-manager.io/certificate-revision": "1",
            },
        },
        "spec": {
            "issuerRef": certificate["spec"]["issuerRef"],
            "request": STANDARD.encode(minted.pair.request_pem(wish)?),
            "username": "system:serviceaccount:cert-manager:cert-manager",
            "groups": [
                "system:serviceaccounts",
                "system:serviceaccounts:cert-manager",
                "system:authenticated",
            ],
        },
    });
    if wish.ca {
        request["spec"]["isCA"] = json!(true);
    }
    own(&mut request, certificate);
    Ok(request)
}

/// `Ready`, and the times that the Secret's certificate says.
fn certificate_status(controllers: &Controllers, certificate: &Object) {
    let namespace = meta(certificate, "namespace");
    let name = certificate["spec"]["secretName"]
        .as_str()
        .unwrap_or_default();
    let secret = controllers.store.get(kinds::SECRET, namespace, name);
    let times = secret
        .as_deref()
        .and_then(|s| decoded(s, "tls.crt"))
        .and_then(|pem| validity(&pem));
    let mut status = json!({"revision": 1});
    let ready = match (&secret, times) {
        (None, _) => condition(
            "Ready",
            false,
            "DoesNotExist",
            "Issuing certificate as Secret does not exist",
        ),
        (Some(_), None) => condition(
            "Ready",
            false,
            "InvalidCertificate",
            "Issuing certificate as Secret contains an invalid certificate",
        ),
        (Some(_), Some((from, until))) => {
            let third = until
                .duration_since(from)
                .checked_div(3)
                .unwrap_or_default();
            status["notBefore"] = json!(timestamp(from));
            status["notAfter"] = json!(timestamp(until));
            status["renewalTime"] = json!(timestamp(until.checked_sub(third).unwrap_or(until)));
            if until < Timestamp::now() {
                let text = format!(
                    "Certificate expired on {}",
                    until.strftime("%A, %d %b %Y %H:%M:%S UTC")
                );
                condition("Ready", false, "Expired", &text)
            } else {
                condition(
                    "Ready",
                    true,
                    "Ready",
                    "Certificate is up to date and has not expired",
                )
            }
        }
    };
    status["conditions"] = json!([ready]);
    // Read again: issuing has not changed the object, but somebody else may have.
    if let Some(certificate) =
        controllers
            .store
            .get(kinds::CERTIFICATE, namespace, meta(certificate, "name"))
    {
        let transition = Transition::EachItsOwn;
        set_status(
            &controllers.store,
            kinds::CERTIFICATE,
            &certificate,
            status,
            transition,
        );
    }
}

/// From when and until when the first certificate of a PEM text is valid.
fn validity(pem: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem).ok()?;
    let certificate = pem.parse_x509().ok()?;
    let validity = certificate.validity();
    let time = |t: x509_parser::time::ASN1Time| Timestamp::from_second(t.timestamp()).ok();
    Some((time(validity.not_before)?, time(validity.not_after)?))
}
