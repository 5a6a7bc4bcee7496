//! What a rule is.

use super::{code::Code, context::Context, engine::Findings, finding::Severity};
use crate::model::kind::Kind;

/// A rule: what it is called, what it looks for, and how.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its code.
    pub code: Code,
    /// How bad it is where it fires; a single finding may say less.
    pub severity: Severity,
    /// What is wrong, in one sentence without names.
    pub title: &'static str,
    /// The background: what NGF and nginx do, and how it shows.
    pub explanation: &'static str,
    /// What to do about it, in general.
    pub remedy: &'static str,
    /// Codes of findings that are mere effects of this one where both are about one object.
    pub causes: &'static [Code],
    /// What it has to read to be able to say that nothing is wrong. Empty for a rule about what is not known, and about
    /// what the API server says: these say nothing of what is hidden.
    pub needs: &'static [Need],
    /// Looks for it.
    pub check: fn(&Context<'_>, &mut Findings),
}

/// Something that a rule has to read. Where the user's rights hide it, a rule that finds nothing has not passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// The objects of the paths: Gateways, routes, policies, Services, endpoints.
    Paths,
    /// Secrets and ConfigMaps.
    Certificates,
    /// The objects of cert-manager.
    CertManager,
    /// cert-manager's Orders and Challenges.
    Acme,
    /// The Bundles of trust-manager.
    TrustManager,
    /// NetworkPolicies.
    NetworkPolicies,
    /// Pods and what runs them.
    Pods,
    /// NGF's own settings.
    NginxProxies,
    /// Logs of pods, which nothing else stands in for.
    Logs,
    /// What nginx is configured with.
    NginxConfig,
    /// Handshakes: no object shows it.
    Handshake,
}

impl Need {
    /// Every need.
    pub const ALL: [Self; 11] = [
        Self::Paths,
        Self::Certificates,
        Self::CertManager,
        Self::Acme,
        Self::TrustManager,
        Self::NetworkPolicies,
        Self::Pods,
        Self::NginxProxies,
        Self::Logs,
        Self::NginxConfig,
        Self::Handshake,
    ];

    /// The kinds that have to be read.
    pub fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Paths => &[
                Kind::GatewayClass,
                Kind::Gateway,
                Kind::ListenerSet,
                Kind::HTTPRoute,
                Kind::GRPCRoute,
                Kind::TLSRoute,
                Kind::BackendTLSPolicy,
                Kind::ReferenceGrant,
                Kind::Service,
                Kind::EndpointSlice,
            ],
            Self::Certificates => &[Kind::Secret, Kind::ConfigMap],
            Self::CertManager => &[
                Kind::Certificate,
                Kind::CertificateRequest,
                Kind::Issuer,
                Kind::ClusterIssuer,
            ],
            Self::Acme => &[Kind::Order, Kind::Challenge],
            Self::TrustManager => &[Kind::Bundle, Kind::ClusterBundle],
            Self::NetworkPolicies => &[Kind::NetworkPolicy],
            Self::Pods => &[Kind::Deployment, Kind::DaemonSet, Kind::Pod],
            Self::NginxProxies => &[Kind::NginxProxy, Kind::NginxGateway],
            Self::Logs | Self::NginxConfig | Self::Handshake => &[],
        }
    }
}

impl Rule {
    /// Its code without `NGF-`: `T1`.
    pub fn bare_code(&self) -> &'static str {
        self.code.bare()
    }
}
