//! What a rule asks of the rest of a cluster where it judges a part: facts that are too few to tie all parts together.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{kind::Kind, object::ObjectRef};

/// The kinds whose objects may refer to Secrets and ConfigMaps.
pub(super) const REFERRING: &[Kind] = &[
    Kind::GatewayClass,
    Kind::Gateway,
    Kind::ListenerSet,
    Kind::HTTPRoute,
    Kind::GRPCRoute,
    Kind::TLSRoute,
    Kind::TCPRoute,
    Kind::UDPRoute,
    Kind::BackendTLSPolicy,
    Kind::Service,
    Kind::EndpointSlice,
    Kind::Pod,
    Kind::Deployment,
    Kind::DaemonSet,
    Kind::Certificate,
    Kind::Issuer,
    Kind::ClusterIssuer,
];

/// Facts of the parts of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// The Gateways that speak plain HTTP to a Service, by the Service's namespace.
    pub(super) plain: BTreeMap<String, BTreeSet<ObjectRef>>,
    /// The Services that want TLS and get none, as probes and logs show.
    pub(super) wanting: BTreeSet<ObjectRef>,
}

impl Elsewhere {
    /// Those of no part.
    pub(super) const NOTHING: &'static Self = &Self {
        plain: BTreeMap::new(),
        wanting: BTreeSet::new(),
    };

    /// The same without what is about these objects.
    pub(super) fn without(&self, is_of: impl Fn(&ObjectRef) -> bool) -> Self {
        let others = |all: &BTreeSet<ObjectRef>| -> BTreeSet<ObjectRef> {
            all.iter().filter(|one| !is_of(one)).cloned().collect()
        };
        let plain = self.plain.iter();
        Self {
            plain: plain
                .map(|(namespace, gateways)| (namespace.clone(), others(gateways)))
                .filter(|(_, gateways)| !gateways.is_empty())
                .collect(),
            wanting: others(&self.wanting),
        }
    }

    /// Adds those of another part.
    pub(super) fn add(&mut self, part: Self) {
        for (namespace, gateways) in part.plain {
            self.plain.entry(namespace).or_default().extend(gateways);
        }
        self.wanting.extend(part.wanting);
    }
}
