//! Whether NGF takes a BackendTLSPolicy (`state/graph/backend_tls_policy.go`).

use super::{
    Predicted,
    frontend::{is_opaque, judges_first},
    release::Release,
    resolve::{Fault, Resolved, resolve_config_map, resolve_secret},
};
use crate::diagnosis::code::Code;
use crate::{
    diagnosis::plan::TrustSource,
    model::{
        kind::Kind,
        kinds::{BackendTLSPolicy, LocalRef},
        object::{NoteKind, Object, ObjectRef},
        snapshot::{Snapshot, Source},
    },
};

/// What NGF makes of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyDecision {
    /// It is valid; whether a route uses it is another matter.
    Valid(TrustSource),
    /// It is not, and a backend that it takes effect on is answered with 500.
    Invalid(PolicyFault),
    /// Unknown: why.
    Unknown {
        /// Where the CA would come from, if it is usable.
        trust: Option<TrustSource>,
        /// Why it is unknown.
        why: String,
    },
}

/// Why a policy is invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFault {
    /// The catalogue's code.
    pub code: Code,
    /// The first condition's message: what routes repeat.
    pub message: String,
    /// What NGF would write into each ancestor's conditions, if a route uses the policy.
    pub conditions: Vec<Predicted>,
    /// The CA Secret or ConfigMap that is to blame, with what is wrong with it.
    pub culprit: Option<(ObjectRef, Fault)>,
    /// What is wrong besides; NGF tells the routes of the first fault alone.
    pub further: Vec<PolicyFault>,
}

impl PolicyFault {
    /// This one and the further ones.
    pub fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.further)
    }
}

/// What NGF makes of a policy (`validateBackendTLSPolicy`).
pub fn decide_policy(
    snapshot: &Snapshot,
    release: Release,
    policy: &Object<BackendTLSPolicy>,
) -> PolicyDecision {
    let spec = &policy.spec;
    let trust = decide_trust(snapshot, release, policy);
    if let Some(why) = incomplete(snapshot, policy) {
        let trust = match trust {
            PolicyDecision::Valid(trust) => Some(trust),
            PolicyDecision::Unknown { trust, .. } => trust,
            PolicyDecision::Invalid(_) => None,
        };
        return PolicyDecision::Unknown { trust, why };
    }
    let Some(problem) = hostname_problem(&spec.hostname) else {
        return trust;
    };
    let mut fault = fault(
        Code::P2,
        format!(
            "Invalid hostname: {}: Invalid value: \"{}\": {}",
            release.hostname_field(),
            spec.hostname,
            in_kubernetes_words(&spec.hostname, problem)
        ),
    );
    if let PolicyDecision::Invalid(further) = trust {
        // Of two conditions of one type the later one counts.
        fault.conditions.retain(|condition| {
            let same = |other: &Predicted| other.kind == condition.kind;
            !further.conditions.iter().any(same)
        });
        fault.conditions.extend(further.conditions.iter().cloned());
        fault.further.push(further);
    }
    PolicyDecision::Invalid(fault)
}

/// Why a policy in files cannot be judged: a field that the API requires is not there, so that the API
/// server refuses the policy, or is not rendered yet. Other rules report both.
pub fn incomplete(snapshot: &Snapshot, policy: &Object<BackendTLSPolicy>) -> Option<String> {
    let name = &policy.reference;
    let is_files = matches!(snapshot.source, Source::Files { .. });
    let missing = policy.notes.iter().find(|note| {
        let is_needed = note.path == "spec" || note.path.starts_with("spec.validation");
        // What an API server stored it has not refused.
        let counts = is_files || note.message == "is missing";
        note.kind == NoteKind::Missing
            && counts
            && is_needed
            && !note.path.contains("subjectAltNames")
    });
    match missing {
        Some(note) => Some(format!("{} of {name} {}", note.path, note.message)),
        None => snapshot.unrendered(name, "spec.validation"),
    }
}

/// The policy's CA.
fn decide_trust(
    snapshot: &Snapshot,
    release: Release,
    policy: &Object<BackendTLSPolicy>,
) -> PolicyDecision {
    let spec = &policy.spec;
    let system = spec.well_known_ca_certificates.as_deref();
    match (spec.ca_certificate_refs.as_slice(), system) {
        ([_, ..], Some(_)) => invalid(
            Code::P3,
            "CACertificateRefs and WellKnownCACertificates are mutually exclusive",
        ),
        ([], None) => invalid(
            Code::P3,
            "Either CACertificateRefs or WellKnownCACertificates must be specified",
        ),
        ([], Some("System")) => PolicyDecision::Valid(TrustSource::System),
        ([], Some(other)) => invalid(
            Code::P3,
            format!("invalid WellKnownCACertificates: \"{other}\" is not supported"),
        ),
        ([reference], None) => ca_reference(snapshot, release, policy, reference),
        (several, None) => invalid(
            Code::P4,
            format!(
                "validation.caCertificateRefs: Too many: {}: must have at most 1 item",
                several.len()
            ),
        ),
    }
}

fn ca_reference(
    snapshot: &Snapshot,
    release: Release,
    policy: &Object<BackendTLSPolicy>,
    reference: &LocalRef,
) -> PolicyDecision {
    let kind = reference.kind.as_deref().unwrap_or_default();
    let group = reference.group.as_deref().unwrap_or_default();
    let namespace = &policy.reference.namespace;
    let (object, resolved) = match kind {
        "Secret" | "ConfigMap" if !matches!(group, "" | "core") => {
            return unsupported("group", group, "\"\", \"core\"");
        }
        "Secret" => {
            let object = ObjectRef::new(Kind::Secret, namespace, &reference.name);
            let resolved = resolve_ca_secret(snapshot, release, &object);
            (object, resolved)
        }
        "ConfigMap" => {
            let object = ObjectRef::new(Kind::ConfigMap, namespace, &reference.name);
            let resolved = resolve_config_map(snapshot, release, &object);
            (object, resolved)
        }
        _ => return unsupported("kind", kind, "\"ConfigMap\", \"Secret\""),
    };
    let trust = TrustSource::Object {
        object: object.clone(),
        key: "ca.crt".to_owned(),
    };
    match resolved {
        Resolved::Usable => PolicyDecision::Valid(trust),
        Resolved::Unknown(why) => PolicyDecision::Unknown {
            trust: Some(trust),
            why,
        },
        Resolved::Refused(fault, text) => {
            let message = format!(
                "validation.caCertificateRefs[0]: Invalid value: {{\"group\":\"{group}\",\"kind\":\"{kind}\",\"name\":\"{}\"}}: {text}",
                reference.name
            );
            let code = match fault {
                Fault::WrongType => Code::P7,
                _ => Code::P6,
            };
            PolicyDecision::Invalid(PolicyFault {
                code,
                conditions: refused_ca("InvalidCACertificateRef", &message),
                message,
                culprit: Some((object, fault)),
                further: Vec::new(),
            })
        }
    }
}

/// Resolves the Secret of a policy. The resolver remembers an Opaque Secret that a listener has named as CA of its
/// clients: release 2.6 gives the same answer again (NGF-P7 says what follows), a later one looks for the key that the
/// policy names, which is none (`secretEntry.needsRevalidation`, `secretEntry.revalidate`).
fn resolve_ca_secret(snapshot: &Snapshot, release: Release, object: &ObjectRef) -> Resolved {
    match resolve_secret(snapshot, release, object) {
        Resolved::Refused(Fault::WrongType, _)
            if is_opaque(snapshot, object) && judges_first(snapshot, release, object) =>
        {
            if release.judges_secrets_once() {
                return Resolved::Usable;
            }
            let text = format!(
                "opaque secret {} does not contain the expected key \"\"",
                object.path()
            );
            Resolved::Refused(Fault::WrongType, text)
        }
        other => other,
    }
}

fn unsupported(field: &str, value: &str, supported: &str) -> PolicyDecision {
    let message = format!(
        "validation.caCertificateRefs[0].{field}: Unsupported value: \"{value}\": supported values: {supported}"
    );
    PolicyDecision::Invalid(PolicyFault {
        code: Code::P5,
        conditions: refused_ca("InvalidKind", &message),
        message,
        culprit: None,
        further: Vec::new(),
    })
}

fn refused_ca(reason: &'static str, message: &str) -> Vec<Predicted> {
    vec![
        Predicted {
            kind: "ResolvedRefs",
            status: "False",
            reason,
            message: message.to_owned(),
        },
        Predicted {
            kind: "Accepted",
            status: "False",
            reason: "NoValidCACertificate",
            message: "No valid CACertificateRef found".to_owned(),
        },
    ]
}

fn invalid(code: Code, message: impl Into<String>) -> PolicyDecision {
    PolicyDecision::Invalid(fault(code, message))
}

fn fault(code: Code, message: impl Into<String>) -> PolicyFault {
    let message = message.into();
    PolicyFault {
        code,
        conditions: vec![Predicted {
            kind: "Accepted",
            status: "False",
            reason: "Invalid",
            message: message.clone(),
        }],
        message,
        culprit: None,
        further: Vec::new(),
    }
}

/// What is wrong with a policy's host name: `validateHostname` takes an RFC 1123 subdomain, with
/// `*.` before it if need be.
pub fn hostname_problem(hostname: &str) -> Option<&'static str> {
    if hostname.is_empty() {
        return Some("cannot be empty string");
    }
    let rest = hostname.strip_prefix("*.").unwrap_or(hostname);
    let label = |label: &str| {
        let edge =
            |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        edge(label.chars().next())
            && edge(label.chars().next_back())
            && label
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    if hostname.len() > 253 {
        Some("must be no more than 253 characters")
    } else if !rest.split('.').all(label) {
        Some(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
        )
    } else {
        None
    }
}

/// The same, as `IsDNS1123Subdomain` and `IsWildcardDNS1123Subdomain` of Kubernetes put it.
fn in_kubernetes_words(hostname: &str, problem: &str) -> String {
    if hostname.starts_with("*.") {
        r"a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')".to_owned()
    } else if problem.starts_with("a lowercase") {
        format!(
            "{problem} (e.g. 'example.com', regex used for validation is '{}')",
            r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
        )
    } else {
        problem.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::hostname_problem;

    #[test]
    fn host_names_are_rfc_1123_subdomains_in_lower_case() {
        for good in ["a", "app.default.svc", "*.example.com", "10.0.0.1", "a-b.c"] {
            assert_eq!(hostname_problem(good), None, "{good}");
        }
        for bad in [
            "",
            "App",
            "a_b",
            "a.",
            "-a",
            "*",
            "a:443",
            "ä.example.com",
            "*.*.a",
        ] {
            assert!(hostname_problem(bad).is_some(), "{bad}");
        }
    }
}
