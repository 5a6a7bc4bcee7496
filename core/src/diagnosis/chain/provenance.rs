//! Where certificates come from: cert-manager's Certificate, its issuer, the issuer's CA, and so on.

use std::fmt::Write as _;

use super::build::Subject;
use crate::{
    diagnosis::{
        plan::TrustSource,
        rules::cert_manager::{ca_secret, issuer_name},
    },
    model::{
        kind::Kind,
        kinds::Certificate,
        object::{Object, ObjectRef},
        snapshot::Snapshot,
    },
};

/// How many steps back a chain of issuers is followed.
const MOST_STEPS: usize = 8;

/// One sentence for each Secret of the picture that cert-manager writes.
pub(super) fn notes(subject: &Subject<'_>) -> Vec<String> {
    let mut secrets = Vec::new();
    if let Some(tls) = &subject.connection.tls {
        secrets.extend(tls.client_certificate.clone());
        secrets.extend(subject.mounted().into_iter().map(|mounted| mounted.source));
        if let TrustSource::Object { object, .. } = &tls.trust {
            secrets.push(object.clone());
        }
    }
    let mut seen = Vec::new();
    secrets.retain(|secret| {
        let new = secret.kind == Kind::Secret && !seen.contains(secret);
        seen.push(secret.clone());
        new
    });
    secrets
        .iter()
        .filter_map(|secret| note(subject.snapshot, secret))
        .collect()
}

/// `Secret default/app-tls-secret ← Certificate secure-app-cert ← ClusterIssuer local-ca-issuer …`.
fn note(snapshot: &Snapshot, secret: &ObjectRef) -> Option<String> {
    let mut words = secret.to_string();
    let mut at = secret.clone();
    let mut seen = Vec::new();
    for _ in 0..MOST_STEPS {
        let Some(certificate) = writer(snapshot, &at) else {
            break;
        };
        if seen.contains(&certificate.reference) {
            break;
        }
        seen.push(certificate.reference.clone());
        let _ = write!(words, " ← {}", certificate.reference);
        let Some(issuer) = issuer_name(certificate) else {
            break;
        };
        let _ = write!(words, " ← {issuer}");
        let Some(next) = snapshot
            .issuers
            .get(&issuer)
            .and_then(|issuer| ca_secret(issuer))
        else {
            break;
        };
        at = next;
    }
    (at != *secret || !seen.is_empty()).then_some(words)
}

fn writer<'a>(snapshot: &'a Snapshot, secret: &ObjectRef) -> Option<&'a Object<Certificate>> {
    snapshot
        .certificates
        .values()
        .find(|certificate| {
            certificate.reference.namespace == secret.namespace
                && certificate.spec.secret_name == secret.name
        })
        .map(|certificate| &**certificate)
}
