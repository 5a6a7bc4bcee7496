//! Which client certificate a Gateway's nginx presents (`state/graph/gateway.go`).

use super::{
    known,
    release::Release,
    resolve::{Fault, Resolved, resolve_secret},
};
use crate::diagnosis::code::Code;
use crate::model::{
    attachment::GATEWAY_API_GROUP,
    kind::Kind,
    kinds::{Gateway, LocalRef},
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
        code: Code,
        /// The Secret, where the reference names one.
        secret: Option<ObjectRef>,
        /// What is wrong with the Secret itself.
        fault: Option<Fault>,
        /// NGF's reason for `ResolvedRefs: False`.
        reason: &'static str,
        /// NGF's words.
        message: String,
    },
    /// Unknown.
    Unknown {
        /// The Secret.
        secret: ObjectRef,
        /// Why it is unknown.
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
        return unsupported("kind", kind, "\"Secret\"", Code::G1);
    }
    if let Some(group) = reference.group.as_deref()
        && looks_at_kind
        && !matches!(group, "" | "core")
    {
        return unsupported("group", group, "\"core\", \"\"", Code::G2);
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
            code: Code::G7,
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

fn code_of(fault: Fault) -> Code {
    match fault {
        Fault::DoesNotExist => Code::G3,
        Fault::WrongType => Code::G4,
        Fault::KeyPair => Code::G5,
        Fault::BrokenCa | Fault::NoCa => Code::G6,
    }
}

/// Whether a ReferenceGrant lets a Gateway API object of `namespace` refer to an object of another
/// one (`state/graph/reference_grant.go`); an error says why it is unknown.
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
    // Whoever gives a grant with the files that is nearly the right one gives the one that was meant.
    let is_files = matches!(snapshot.source, Source::Files { .. });
    if is_files && !near_grants(snapshot, from_kind, namespace, to).is_empty() {
        return Ok(false);
    }
    let anything = ObjectRef::new(Kind::ReferenceGrant, &to.namespace, "");
    match known::absence_is_proven(snapshot, &anything) {
        Ok(()) => Ok(false),
        Err(_) if is_files => Err(format!(
            "no ReferenceGrant in the files lets namespace {namespace} refer to {to}"
        )),
        Err(why) => Err(why),
    }
}

/// ReferenceGrants that were meant to permit a reference and do not, each with why not.
pub fn near_grants(
    snapshot: &Snapshot,
    from_kind: &str,
    namespace: &str,
    to: &ObjectRef,
) -> Vec<(ObjectRef, String)> {
    let mut near = Vec::new();
    for (name, grant) in &snapshot.grants {
        let here = name.namespace == to.namespace;
        // One of another namespace grants nothing of this one.
        if !here && name.namespace != namespace {
            continue;
        }
        let group = |of: &LocalRef| of.group.clone().unwrap_or_default();
        let is_from = |from: &&LocalRef| from.namespace.as_deref() == Some(namespace);
        let is_to = |target: &&LocalRef| {
            let is_kind = target.kind.as_deref() == Some(to.kind.name());
            is_kind && (target.name.is_empty() || target.name == to.name)
        };
        let from = grant.spec.from.iter().find(is_from);
        let target = grant.spec.to.iter().find(is_to);
        let why = match (from, target) {
            (Some(from), Some(_)) if from.kind.as_deref() != Some(from_kind) => format!(
                "permits references from kind {}, not from {from_kind}",
                from.kind.as_deref().unwrap_or_default()
            ),
            (Some(from), Some(_)) if group(from) != GATEWAY_API_GROUP => format!(
                "permits references from group {:?}, not from {GATEWAY_API_GROUP}",
                group(from)
            ),
            (Some(_), Some(_)) if !here => format!(
                "is in namespace {}, and counts only in that of the object, {}",
                name.namespace, to.namespace
            ),
            (Some(_), Some(target)) => format!(
                "permits references to group {:?}, not to {:?}",
                group(target),
                to.kind.info().group
            ),
            (Some(_), None) if here => match grant.spec.to.first() {
                Some(target) if target.kind.as_deref() != Some(to.kind.name()) => format!(
                    "permits references to kind {}, not to {}",
                    target.kind.as_deref().unwrap_or_default(),
                    to.kind
                ),
                Some(target) => {
                    format!("permits references to {}, not to {}", target.name, to.name)
                }
                None => continue,
            },
            (None, Some(target)) if here && !target.name.is_empty() => {
                match grant.spec.from.first() {
                    Some(from) => format!(
                        "permits references from namespace {}, not from {namespace}",
                        from.namespace.as_deref().unwrap_or_default()
                    ),
                    None => continue,
                }
            }
            _ => continue,
        };
        near.push((name.clone(), why));
    }
    near
}
