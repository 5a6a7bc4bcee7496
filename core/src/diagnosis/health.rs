//! How each node of the tree is: from the findings, and from what is unknown.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::{
    evidence::{Evidence, Probed},
    finding::{Finding, Mark, Severity, Verdict},
    ngf::known::kind_is_known,
    registry::only_probes_show,
};
use crate::model::{
    kind::Kind,
    object::ObjectRef,
    snapshot::{Snapshot, Source},
    topology::{NodeIx, NodeKind, Topology, is_ngf_controller},
};

/// The findings at each node that has any, as indices.
pub(super) type AtNode = HashMap<NodeIx, Vec<usize>>;

/// What health and coverage are told by, beside the findings.
pub(super) struct Ground<'a> {
    /// The objects.
    pub(super) snapshot: &'a Snapshot,
    /// What was measured.
    pub(super) evidence: &'a Evidence,
    /// The tree.
    pub(super) topology: &'a Topology,
    /// NGF's Gateways.
    pub(super) gateways: &'a BTreeSet<ObjectRef>,
    /// Probes of connections that nginx would still open as it was tried.
    pub(super) probes: &'a [Probed],
}

impl Ground<'_> {
    /// Whether the snapshot comes from files.
    pub(super) fn is_files(&self) -> bool {
        matches!(self.snapshot.source, Source::Files { .. })
    }
}

/// How a node is. Orders from best to worst, so that the worst of several is their maximum.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Managed by another controller; nothing is said of it.
    NotOurs,
    /// Everything that can be known of it is in order.
    Ok,
    /// Unknown: not probed, not read, denied. Never shown as healthy.
    #[default]
    Unknown,
    /// It works, and something is wrong all the same or soon will be.
    Warning,
    /// It does not work.
    Broken,
}

impl Health {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotOurs => "another controller's",
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Broken => "broken",
        }
    }

    fn of_finding(finding: &Finding) -> Self {
        match (finding.verdict, finding.severity) {
            (Verdict::Fail, Severity::Error) => Self::Broken,
            (Verdict::Fail, Severity::Warning) => Self::Warning,
            (Verdict::Unknown, _) => Self::Unknown,
            (Verdict::Fail, Severity::Info) => Self::Ok,
        }
    }
}

/// For the nodes at which findings are shown: these, as indices, in their order.
pub(super) fn findings_by_node(topology: &Topology, findings: &[Finding]) -> AtNode {
    let mut at_node = AtNode::default();
    for (index, finding) in findings.iter().enumerate() {
        for mark in &finding.marks {
            for place in marked(topology, mark) {
                if is_of_gateway(topology, place, finding) {
                    let at = at_node.entry(place).or_default();
                    if at.last() != Some(&index) {
                        at.push(index);
                    }
                }
            }
        }
    }
    at_node
}

/// What a handshake of one Gateway showed is shown below that Gateway only: another one that shares the
/// backend may present another certificate.
fn is_of_gateway(topology: &Topology, place: NodeIx, finding: &Finding) -> bool {
    let is_shared = matches!(
        topology.node(place).what,
        NodeKind::Endpoint(_) | NodeKind::Backend(_)
    );
    if !is_shared || !only_probes_show(finding.code) {
        return true;
    }
    let gateway = topology.above(place, |node| match node.what {
        NodeKind::Gateway => node.object.as_ref(),
        _ => None,
    });
    let mut about = finding
        .objects()
        .filter(|object| object.kind == Kind::Gateway)
        .peekable();
    about.peek().is_none() || gateway.is_none_or(|gateway| about.any(|object| object == gateway))
}

/// The nodes that a mark means.
fn marked(topology: &Topology, mark: &Mark) -> Vec<NodeIx> {
    let mut places = topology.places(mark.object());
    let what = |place: &NodeIx| &topology.node(*place).what;
    match mark {
        Mark::Object(_) => places.retain(|place| {
            !matches!(
                what(place),
                NodeKind::Group(_) | NodeKind::Listener { .. } | NodeKind::Rule { .. }
            )
        }),
        Mark::Listener { name, .. } => places.retain(
            |place| matches!(what(place), NodeKind::Listener { name: known } if known == name),
        ),
        Mark::Rule { index, .. } => places
            .retain(|place| matches!(what(place), NodeKind::Rule { index: known } if known == index)),
        Mark::Backend { port, .. } => places.retain(|place| {
            matches!(what(place), NodeKind::Backend(backend) if port.is_none() || backend.port == *port)
        }),
        Mark::Endpoint {
            port,
            address,
            endpoint_port,
            ..
        } => {
            let is_meant = |place: &NodeIx| {
                matches!(what(place), NodeKind::Endpoint(endpoint)
                    if endpoint.address == *address && endpoint.port == *endpoint_port)
            };
            let backends = places.iter().filter(
                |place| matches!(what(place), NodeKind::Backend(backend) if backend.port == Some(*port)),
            );
            let below = backends.flat_map(|place| &topology.node(*place).children);
            return below.copied().filter(is_meant).collect();
        }
    }
    places
}

/// How each of these nodes is by itself.
pub(super) fn own(
    ground: &Ground<'_>,
    findings: &[Finding],
    at_node: &AtNode,
    places: impl Iterator<Item = NodeIx>,
    own: &mut [Health],
) {
    let probed: BTreeSet<_> = ground
        .probes
        .iter()
        .filter(|probed| probed.result.is_ok())
        .map(|probed| {
            let plan = &probed.plan;
            let endpoint = &plan.endpoint;
            (
                &plan.gateway,
                &plan.service,
                plan.port,
                endpoint.address.as_str(),
                endpoint.port,
            )
        })
        .collect();
    for place in places {
        let found = at_node.get(&place).into_iter().flatten();
        let found = found
            .map(|index| Health::of_finding(&findings[*index]))
            .max();
        own[place.index()] = if is_anothers(ground, place) {
            found
                .filter(|found| *found > Health::Ok)
                .unwrap_or(Health::NotOurs)
        } else {
            let found = found.unwrap_or(Health::Ok);
            found.max(unknown_by_nature(ground, &probed, place))
        };
    }
}

/// Whether a node stands under a GatewayClass of another controller.
fn is_anothers(ground: &Ground<'_>, place: NodeIx) -> bool {
    let topology = ground.topology;
    let root = topology.ancestors(place).last().unwrap_or(place);
    let node = topology.node(root);
    let classes = &ground.snapshot.gateway_classes;
    matches!(node.what, NodeKind::Class)
        && node
            .object
            .as_ref()
            .and_then(|class| classes.get(class))
            .is_some_and(|class| !is_ngf_controller(&class.spec.controller_name))
}

/// An endpoint is unknown until a probe has tried it: no condition tests a backend's certificate, nor
/// whether the port speaks TLS where nginx speaks plain HTTP to it, and readiness says nothing of
/// either. So is a backend whose endpoints are unknown.
fn unknown_by_nature(
    ground: &Ground<'_>,
    probed: &BTreeSet<(&ObjectRef, &ObjectRef, u16, &str, u16)>,
    place: NodeIx,
) -> Health {
    let node = ground.topology.node(place);
    let unknown = match &node.what {
        NodeKind::Endpoint(endpoint) if endpoint.ready => {
            let backend = ground.topology.above(place, |node| match &node.what {
                NodeKind::Backend(backend) => Some(backend),
                _ => None,
            });
            let gateway = ground.topology.above(place, |node| match node.what {
                NodeKind::Gateway => node.object.as_ref(),
                _ => None,
            });
            backend
                .and_then(|backend| backend.service.as_ref().zip(backend.port))
                .is_some_and(|(service, port)| {
                    let at = (endpoint.address.as_str(), endpoint.port);
                    gateway.is_none_or(|gateway| {
                        !probed.contains(&(gateway, service, port, at.0, at.1))
                    })
                })
        }
        NodeKind::Backend(backend) => {
            let endpoints = node
                .children
                .iter()
                .any(|child| matches!(ground.topology.node(*child).what, NodeKind::Endpoint(_)));
            let known = kind_is_known(ground.snapshot, Kind::EndpointSlice).is_ok();
            !endpoints && !known && (backend.policy.is_some() || !ground.is_files())
        }
        _ => false,
    };
    match &node.what {
        _ if unknown => Health::Unknown,
        // nginx is not given it; one that is going away is nobody's worry.
        NodeKind::Endpoint(endpoint) if !endpoint.ready && !endpoint.terminating => Health::Warning,
        _ => Health::Ok,
    }
}

/// The worst of each node and everything below it.
pub(super) fn worst(topology: &Topology, own: &[Health]) -> Vec<Health> {
    let mut worst = own.to_vec();
    for (place, node) in topology.iter().rev() {
        if let Some(parent) = node.parent {
            worst[parent.index()] = worst[parent.index()].max(worst[place.index()]);
        }
    }
    worst
}

/// The same where only these branches, and what is above them, may be otherwise than before.
pub(super) fn worst_of(topology: &Topology, new: &[NodeIx], own: &[Health], worst: &mut [Health]) {
    for place in new.iter().chain(topology.roots()) {
        worst[place.index()] = own[place.index()];
    }
    for place in new.iter().rev() {
        if let Some(parent) = topology.node(*place).parent {
            worst[parent.index()] = worst[parent.index()].max(worst[place.index()]);
        }
    }
    for root in topology.roots() {
        let below = topology.node(*root).children.iter();
        let all = below.map(|child| worst[child.index()]);
        worst[root.index()] = all.fold(own[root.index()], Health::max);
    }
}
