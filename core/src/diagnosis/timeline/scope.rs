//! Which part of a cluster a timeline is about: everything, or what the traffic of some objects depends on.

use std::collections::BTreeSet;

use crate::{
    diagnosis::{context::Context, limit, plan::ProbeTarget},
    model::{kind::Kind, object::ObjectRef, topology::NodeKind},
};

/// Objects, each of a Service with the port that is meant.
pub type Objects = [(ObjectRef, Option<u16>)];

/// The part.
pub(super) struct Scope {
    /// What the connections that count belong to.
    pub(super) targets: Vec<ProbeTarget>,
    /// The Gateways and listeners that the traffic passes; `None` for all.
    passed: Option<Passed>,
}

struct Passed {
    gateways: BTreeSet<ObjectRef>,
    /// Each with the Gateway or ListenerSet that holds it.
    listeners: BTreeSet<(ObjectRef, String)>,
}

impl Scope {
    /// Everything, or what the traffic of these objects depends on.
    pub(super) fn of(context: &Context<'_>, only: Option<&Objects>) -> Self {
        let Some(objects) = only else {
            let gateways = context.gateways.keys();
            return Self {
                targets: gateways
                    .map(|name| ProbeTarget::Gateway((*name).clone()))
                    .collect(),
                passed: None,
            };
        };
        let mut passed = Passed {
            gateways: BTreeSet::new(),
            listeners: BTreeSet::new(),
        };
        for place in limit::around(context.topology, objects) {
            let node = context.topology.node(place);
            match (&node.what, &node.object) {
                (NodeKind::Gateway, Some(gateway)) => {
                    passed.gateways.insert(gateway.clone());
                }
                (NodeKind::Listener { name }, Some(owner)) => {
                    passed.listeners.insert((owner.clone(), name.clone()));
                }
                _ => {}
            }
        }
        let target = |(object, port): &(ObjectRef, Option<u16>)| match object.kind {
            Kind::Gateway => ProbeTarget::Gateway(object.clone()),
            Kind::BackendTLSPolicy => ProbeTarget::Policy(object.clone()),
            Kind::Service => ProbeTarget::Service {
                service: object.clone(),
                port: *port,
            },
            _ => ProbeTarget::Route(object.clone()),
        };
        Self {
            targets: objects.iter().map(target).collect(),
            passed: Some(passed),
        }
    }

    pub(super) fn has_gateway(&self, gateway: &ObjectRef) -> bool {
        let passed = self.passed.as_ref();
        passed.is_none_or(|passed| passed.gateways.contains(gateway))
    }

    pub(super) fn has_listener(&self, owner: &ObjectRef, name: &str) -> bool {
        let passed = self.passed.as_ref();
        let mine = (owner.clone(), name.to_owned());
        passed.is_none_or(|passed| passed.listeners.contains(&mine))
    }
}
