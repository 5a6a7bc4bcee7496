//! What NGF decides from the objects alone, as pure functions: which policy takes effect, which
//! client certificate is presented, which backends are spoken to and how, which directives follow.
//! Facts come from NGF's source, named at each function by its path under `internal/controller/`.

pub mod backend;
pub mod cluster_ip;
pub mod directives;
pub mod frontend;
pub mod gateway;
pub mod known;
pub mod listener;
pub mod policy;
pub mod predict;
pub mod refused;
pub mod release;
pub mod resolve;
pub mod resolver;
pub mod snippets;

pub use backend::{BackendDecision, BackendState, Barred, RuleDecision, decide_rule};
pub use directives::directives;
pub use gateway::{ClientCertificate, client_certificate};
pub use listener::{ListenerDecision, ListenerDecisions, decide_listeners};
pub use policy::{PolicyDecision, PolicyFault, decide_policy, incomplete};
pub use predict::{Difference, PredictedCondition, predicted, predicted_all};
pub use refused::{Answer, Written};
pub use release::{Release, Running};
pub use resolve::{Resolved, resolve_config_map, resolve_secret};

/// The CA file that `wellKnownCACertificates: System` stands for (`AlpineSSLRootCAPath`).
pub const SYSTEM_CA_FILE: &str = "/etc/ssl/cert.pem";

/// Where NGF writes a trusted bundle. The kind is no part of the name, so a Secret and a ConfigMap
/// of one name share the file (`generateCertBundleID`).
pub fn bundle_file(namespace: &str, name: &str) -> String {
    format!("/etc/nginx/secrets/cert_bundle_{namespace}_{name}.crt")
}

/// Where NGF writes the certificate and key of a Secret (`generateSSLKeyPairID`).
pub fn key_pair_file(namespace: &str, name: &str) -> String {
    format!("/etc/nginx/secrets/ssl_keypair_{namespace}_{name}.pem")
}

/// A condition that NGF would set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicted {
    /// `type`.
    pub kind: &'static str,
    /// `True` or `False`.
    pub status: &'static str,
    /// `reason`.
    pub reason: &'static str,
    /// `message`.
    pub message: String,
}
