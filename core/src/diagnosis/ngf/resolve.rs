//! What NGF's resolver says of a Secret or ConfigMap (`state/resolver/{secrets,configmaps}.go`,
//! `state/graph/shared/secrets/secrets.go`). Texts in double quotes are NGF's or Go's own.

use super::{known, release::Release};
use crate::model::{
    kinds::{ByNgf, KeyState, PemFacts, SecretFacts},
    object::ObjectRef,
    snapshot::{Lookup, Snapshot},
};

/// What the resolver says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// It can be used.
    Usable,
    /// It cannot: how, and NGF's words for it.
    Refused(Fault, String),
    /// Unknown: why.
    Unknown(String),
}

/// What is wrong with a Secret or ConfigMap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does not exist.
    DoesNotExist,
    /// A Secret of another type than `kubernetes.io/tls`.
    WrongType,
    /// `tls.crt` and `tls.key` are no pair, or cannot be read.
    KeyPair,
    /// `ca.crt` cannot be read.
    BrokenCa,
    /// A ConfigMap without `ca.crt`.
    NoCa,
}

/// Resolves a Secret as NGF does where no particular key is expected, that is for client
/// certificates and for CAs of BackendTLSPolicies: a TLS Secret without `ca.crt` passes.
pub fn resolve_secret(snapshot: &Snapshot, release: Release, name: &ObjectRef) -> Resolved {
    let secret = match known::secret(snapshot, name) {
        Lookup::Found(secret) => secret,
        Lookup::Absent => {
            return Resolved::Refused(Fault::DoesNotExist, release.no_such_secret(name));
        }
        Lookup::Unknown(why) => return Resolved::Unknown(why),
    };
    if secret.spec.secret_type != "kubernetes.io/tls" {
        return Resolved::Refused(
            Fault::WrongType,
            format!("unsupported secret type \"{}\"", secret.spec.secret_type),
        );
    }
    let ca_problem = ca_problem(&secret.spec.ca, &secret.spec.ca_by_ngf);
    let has_good_ca = secret.spec.ca != PemFacts::Missing && ca_problem.is_none();
    if let Some(problem) = key_pair_problem(&secret.spec)
        && !(has_good_ca && release.ca_hides_broken_pair())
    {
        return Resolved::Refused(Fault::KeyPair, format!("tls secret is invalid: {problem}"));
    }
    match &secret.spec.ca {
        PemFacts::Missing => Resolved::Usable,
        _ => ca_problem.map_or(Resolved::Usable, |problem| {
            Resolved::Refused(Fault::BrokenCa, problem)
        }),
    }
}

/// Resolves a Secret as NGF does for the clients of a listener, where it expects `ca.crt`: a TLS Secret must
/// have it, and an Opaque one needs nothing else (`validateOpaqueSecretKey`).
pub fn resolve_frontend_secret(
    snapshot: &Snapshot,
    release: Release,
    name: &ObjectRef,
) -> Resolved {
    let Lookup::Found(secret) = known::secret(snapshot, name) else {
        return resolve_secret(snapshot, release, name);
    };
    let ca = &secret.spec.ca;
    match (secret.spec.secret_type.as_str(), ca) {
        ("Opaque", PemFacts::Missing | PemFacts::Empty) => Resolved::Refused(
            Fault::NoCa,
            format!(
                "opaque secret {} does not contain the expected key \"ca.crt\"",
                name.path()
            ),
        ),
        ("Opaque", ca) => ca_problem(ca, &secret.spec.ca_by_ngf)
            .map_or(Resolved::Usable, |problem| {
                Resolved::Refused(Fault::BrokenCa, problem)
            }),
        ("kubernetes.io/tls", PemFacts::Missing) => Resolved::Refused(
            Fault::NoCa,
            format!("missing expected key \"ca.crt\" in secret {}", name.path()),
        ),
        _ => resolve_secret(snapshot, release, name),
    }
}

/// Resolves a ConfigMap as NGF does for the CA of a BackendTLSPolicy.
pub fn resolve_config_map(snapshot: &Snapshot, release: Release, name: &ObjectRef) -> Resolved {
    let config_map = match known::config_map(snapshot, name) {
        Lookup::Found(config_map) => config_map,
        Lookup::Absent => {
            return Resolved::Refused(Fault::DoesNotExist, release.no_such_config_map(name));
        }
        Lookup::Unknown(why) => return Resolved::Unknown(why),
    };
    match &config_map.spec.ca {
        // NGF caches only ConfigMaps that have the key, but says this one where it is empty.
        PemFacts::Missing | PemFacts::Empty => Resolved::Refused(
            Fault::NoCa,
            "ConfigMap does not have the data or binaryData field ca.crt".to_owned(),
        ),
        ca => ca_problem(ca, &config_map.spec.ca_by_ngf).map_or(Resolved::Usable, |problem| {
            Resolved::Refused(Fault::BrokenCa, problem)
        }),
    }
}

/// What Go's `tls.X509KeyPair` would say, as far as the facts carry it.
fn key_pair_problem(secret: &SecretFacts) -> Option<String> {
    match &secret.pair_by_ngf {
        ByNgf::Taken => return None,
        ByNgf::Refused { words, .. } => return Some(words.clone()),
        ByNgf::Unknown => {}
    }
    match &secret.certificate {
        PemFacts::Missing | PemFacts::Empty => {
            return Some("tls: failed to find any PEM data in certificate input".to_owned());
        }
        PemFacts::Broken(why) => return Some(format!("tls.crt: {why}")),
        PemFacts::Certificates { .. } => {}
    }
    match &secret.key {
        KeyState::Fits(_) => None,
        KeyState::Missing => Some("tls: failed to find any PEM data in key input".to_owned()),
        KeyState::DoesNotFit(_) => Some("tls: private key does not match public key".to_owned()),
        KeyState::Encrypted => {
            Some("tls: failed to parse private key (it is encrypted)".to_owned())
        }
        KeyState::Broken(why) => Some(format!("tls.key: {why}")),
        KeyState::Unpaired(_) => Some("tls.crt holds no certificate".to_owned()),
    }
}

/// What `ValidateCA` would say: only the first PEM block counts.
fn ca_problem(ca: &PemFacts, by_ngf: &ByNgf) -> Option<String> {
    match (by_ngf, ca) {
        (ByNgf::Taken, _) | (ByNgf::Unknown, PemFacts::Certificates { .. }) => None,
        (ByNgf::Refused { words, .. }, _) => Some(words.clone()),
        (ByNgf::Unknown, PemFacts::Missing | PemFacts::Empty | PemFacts::Broken(_)) => {
            Some("the data field \"ca.crt\" must hold a valid CERTIFICATE PEM block".to_owned())
        }
    }
}
