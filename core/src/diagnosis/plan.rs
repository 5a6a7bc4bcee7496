//! What to probe for a route, a Service, a Gateway or a node of the tree: the connection that nginx
//! would open, from the objects alone.

mod connection;
mod error;
mod make;
mod places;
mod target;

use ngf_tls::protocol::Protocol;
use serde::Serialize;

use crate::model::object::ObjectRef;

pub(super) use connection::all_h2c;
pub use connection::{Connection, NAMES_ONLY};
pub use error::PlanError;
pub use make::{Planning, connections, plan, plan_all, plan_every, plan_some};
pub use target::{ProbeTarget, TargetError};

/// One connection that nginx would open, to be tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ProbePlan {
    /// The Gateway whose nginx it is.
    pub gateway: ObjectRef,
    /// The listener by which the route is reached: its Gateway or ListenerSet, and its name.
    pub listener: Option<(ObjectRef, String)>,
    /// Whether clients speak TLS to the listener: its protocol is HTTPS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub https: bool,
    /// The route.
    pub route: ObjectRef,
    /// The rule, from 0.
    pub rule: usize,
    /// The Service.
    pub service: ObjectRef,
    /// The Service's port.
    pub port: u16,
    /// Where nginx connects to.
    pub endpoint: PlannedEndpoint,
    /// How it speaks TLS; `None` for plain HTTP.
    pub tls: Option<PlannedTls>,
    /// What nginx speaks over it.
    #[serde(default, skip_serializing_if = "Protocol::is_default")]
    pub protocol: Protocol,
    /// The Host header that nginx passes on.
    pub host: String,
    /// A path that the rule meets.
    pub path: String,
    /// Why it is so, a sentence each.
    pub because: Vec<String>,
}

/// Where nginx connects to.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
pub struct PlannedEndpoint {
    /// IP address, or the host name of an ExternalName Service.
    pub address: String,
    /// Port.
    pub port: u16,
    /// The pod behind it.
    pub pod: Option<ObjectRef>,
}

/// TLS as nginx is told to speak it to a backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct PlannedTls {
    /// `proxy_ssl_name`: the policy's `validation.hostname`.
    pub hostname: String,
    /// The BackendTLSPolicy.
    pub policy: ObjectRef,
    /// `proxy_ssl_trusted_certificate`.
    pub trust: TrustSource,
    /// `proxy_ssl_verify_depth`, rendered or by default.
    pub verify_depth: u32,
    /// The Secret of `proxy_ssl_certificate`; `None` where nginx presents none.
    pub client_certificate: Option<ObjectRef>,
}

/// Where the trusted CA comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrustSource {
    /// A key of a Secret or ConfigMap.
    Object {
        /// The Secret or ConfigMap.
        object: ObjectRef,
        /// `ca.crt`.
        key: String,
    },
    /// `wellKnownCACertificates: System`: the CA file of the data plane's image.
    System,
}

/// Names a plan from one snapshot to the next, so that the last transcript can be found again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanKey {
    /// The Gateway whose nginx it is.
    pub gateway: ObjectRef,
    /// The route.
    pub route: ObjectRef,
    /// The rule, from 0.
    pub rule: usize,
    /// The Service.
    pub service: ObjectRef,
    /// The Service's port.
    pub port: u16,
    /// The endpoint's address.
    pub address: String,
    /// The endpoint's port.
    pub endpoint_port: u16,
}

impl ProbePlan {
    /// The name of this plan in [`Evidence`](super::Evidence).
    pub fn key(&self) -> PlanKey {
        PlanKey {
            gateway: self.gateway.clone(),
            route: self.route.clone(),
            rule: self.rule,
            service: self.service.clone(),
            port: self.port,
            address: self.endpoint.address.clone(),
            endpoint_port: self.endpoint.port,
        }
    }

    /// Whether nginx would do the same on the wire by another plan: to whom, how, and asking what.
    pub fn same_connection(&self, other: &Self) -> bool {
        self.key() == other.key()
            && self.tls == other.tls
            && self.protocol == other.protocol
            && self.host == other.host
            && self.path == other.path
    }
}

impl std::fmt::Display for TrustSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Object { object, key } => write!(f, "{object}[{key}]"),
            Self::System => f.write_str("the CA file of the data plane's image"),
        }
    }
}
