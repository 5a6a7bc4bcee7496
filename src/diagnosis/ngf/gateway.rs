//! Which client certificate a Gateway's nginx presents (`state/graph/gateway.go`).

use super::{
    known,
    release::Release,
    resolve::{Fault, Resolved, resolve_secret},
};
use crate::model::{
    attachment::GATEWAY_API_GROUP,
    kind::Kind,
    kinds::Gateway,
    object::{Object, ObjectRef},
    snapshot::{Snapshot, Source},
};

/// The client certificate of a Gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientCertificate {
    /// The Gateway names none.
    None,
    /// nginx presents the one in this Secret to every backend that it speaks TLS to.
    Presented(ObjectRef),
    /// The Gateway names one, NGF does not take it, and nginx presents none.
    Refused {
        /// The catalogue's code.
        code: &'static str,
        /// The Secret, where the reference names one.
        secret: Option<ObjectRef>,
        /// What is wrong with the Secret itself.
        fault: Option<Fault>,
        /// NGF's reason for `ResolvedRefs: False`.
        reason: &'static str,
        /// NGF's words.
        message: String,
    },
    /// Nobody knows.
    Unknown {
        /// The Secret.
        secret: ObjectRef,
        /// Why nobody knows.
        why: String,
    },
}

/// Which client certificate a Gateway's nginx presents (`validateGatewayTLSBackend`): kind and group
/// first (which NGF 2.4 did not look at), then the Secret itself, then the ReferenceGrant.
pub fn client_certificate(
    snapshot: &Snapshot,
    release: Release,
    gateway: &Object<Gateway>,
) -> ClientCertificate {
    let Some(reference) = &gateway.spec.client_certificate_ref else {
        return ClientCertificate::None;
    };
    let unsupported = |field: &str, value: &str, supported: &str, code| {
        ClientCertificate::Refused {
            code,
            secret: None,
            fault: None,
            reason: "InvalidClientCertificateRef",
            message: format!(
                "Spec.tls.backend.clientCertificateRef.{field}: Unsupported value: \"{value}\": supported values: {supported}"
            ),
        }
    };
    let looks_at_kind = !release.client_certificate_is_experimental();
    if let Some(kind) = reference.kind.as_deref()
        && looks_at_kind
        && kind != "Secret"
    {
        return unsupported("kind", kind, "\"Secret\"", "NGF-G1");
    }
    if let Some(group) = reference.group.as_deref()
        && looks_at_kind
        && !matches!(group, "" | "core")
    {
        return unsupported("group", group, "\"core\", \"\"", "NGF-G2");
    }
    let own = &gateway.reference.namespace;
    let namespace = reference.namespace.as_deref().unwrap_or(own);
    let secret = ObjectRef::new(Kind::Secret, namespace, &reference.name);
    match resolve_secret(snapshot, release, &secret) {
        Resolved::Usable => {}
        Resolved::Unknown(why) => return ClientCertificate::Unknown { secret, why },
        Resolved::Refused(fault, text) => {
            return ClientCertificate::Refused {
                code: code_of(fault),
                fault: Some(fault),
                reason: "InvalidClientCertificateRef",
                message: format!(
                    "Spec.tls.backend.clientCertificateRef: Invalid value: {{\"Namespace\":\"{namespace}\",\"Name\":\"{}\"}}: {text}",
                    secret.name
                ),
                secret: Some(secret),
            };
        }
    }
    if namespace == own {
        return ClientCertificate::Presented(secret);
    }
    match grant_allows(snapshot, "Gateway", own, &secret) {
        Ok(true) => ClientCertificate::Presented(secret),
        Ok(false) => ClientCertificate::Refused {
            code: "NGF-G7",
            message: format!(
                "secret ref {} not permitted by any ReferenceGrant",
                secret.path()
            ),
            secret: Some(secret),
            fault: None,
            reason: "RefNotPermitted",
        },
        Err(why) => ClientCertificate::Unknown { secret, why },
    }
}

fn code_of(fault: Fault) -> &'static str {
    match fault {
        Fault::DoesNotExist => "NGF-G3",
        Fault::WrongType => "NGF-G4",
        Fault::KeyPair => "NGF-G5",
        Fault::BrokenCa | Fault::NoCa => "NGF-G6",
    }
}

/// Whether a ReferenceGrant lets a Gateway API object of `namespace` refer to an object of another
/// one (`state/graph/reference_grant.go`); an error says why nobody knows.
pub fn grant_allows(
    snapshot: &Snapshot,
    from_kind: &str,
    namespace: &str,
    to: &ObjectRef,
) -> Result<bool, String> {
    let allowed = snapshot.grants.values().any(|grant| {
        let from = grant.spec.from.iter().any(|from| {
            from.group.as_deref() == Some(GATEWAY_API_GROUP)
                && from.kind.as_deref() == Some(from_kind)
                && from.namespace.as_deref() == Some(namespace)
        });
        let target = grant.spec.to.iter().any(|target| {
            let group = target.group.as_deref().unwrap_or_default();
            (group == to.kind.info().group || group == "core" && to.kind.info().group.is_empty())
                && target.kind.as_deref() == Some(to.kind.name())
                && (target.name.is_empty() || target.name == to.name)
        });
        grant.reference.namespace == to.namespace && from && target
    });
    if allowed {
        return Ok(true);
    }
    let anything = ObjectRef::new(Kind::ReferenceGrant, &to.namespace, "");
    match known::absence_is_proven(snapshot, &anything) {
        Ok(()) => Ok(false),
        Err(_) if matches!(snapshot.source, Source::Files { .. }) => Err(format!(
            "no ReferenceGrant in the files lets namespace {namespace} refer to {to}"
        )),
        Err(why) => Err(why),
    }
}
