//! How each node of the tree is: from the findings, and from what is unknown.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::{
    context::Context,
    finding::{Finding, Mark, Severity, Verdict},
    ngf::known::kind_is_known,
    registry::only_probes_show,
};
use crate::model::{
    kind::Kind,
    object::ObjectRef,
    topology::{Node, NodeIx, Topology, What, is_ngf_controller},
};

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

/// For each node the findings that are shown at it, as indices.
pub(super) fn findings_by_node(topology: &Topology, findings: &[Finding]) -> Vec<Vec<usize>> {
    let mut by_mark: HashMap<&Mark, Vec<usize>> = HashMap::new();
    for (index, finding) in findings.iter().enumerate() {
        for mark in &finding.marks {
            by_mark.entry(mark).or_default().push(index);
        }
    }
    if by_mark.is_empty() {
        return vec![Vec::new(); topology.len()];
    }
    topology
        .iter()
        .map(|(place, _)| {
            let mut at: Vec<usize> = marks_of(topology, place)
                .iter()
                .filter_map(|mark| by_mark.get(mark))
                .flatten()
                .copied()
                .filter(|index| is_of_gateway(topology, place, &findings[*index]))
                .collect();
            at.sort_unstable();
            at.dedup();
            at
        })
        .collect()
}

/// What a handshake of one Gateway showed is shown below that Gateway only: another one that shares the
/// backend may present another certificate.
fn is_of_gateway(topology: &Topology, place: NodeIx, finding: &Finding) -> bool {
    let is_shared = matches!(
        topology.node(place).what,
        What::Endpoint(_) | What::Backend(_)
    );
    if !is_shared || !only_probes_show(finding.code) {
        return true;
    }
    let gateway = topology.above(place, |node| match node.what {
        What::Gateway => node.object.as_ref(),
        _ => None,
    });
    let mut about = finding
        .objects()
        .filter(|object| object.kind == Kind::Gateway)
        .peekable();
    about.peek().is_none() || gateway.is_none_or(|gateway| about.any(|object| object == gateway))
}

/// The marks that mean this node.
fn marks_of(topology: &Topology, place: NodeIx) -> Vec<Mark> {
    let node = topology.node(place);
    let object = |node: &Node| node.object.clone();
    match &node.what {
        What::Group(_) => Vec::new(),
        What::Class
        | What::Gateway
        | What::ListenerSet
        | What::Route { .. }
        | What::Policy { .. } => object(node).map(Mark::Object).into_iter().collect(),
        What::Listener { name } => object(node)
            .map(|owner| Mark::Listener {
                owner,
                name: name.clone(),
            })
            .into_iter()
            .collect(),
        What::Rule { index } => object(node)
            .map(|route| Mark::Rule {
                route,
                index: *index,
            })
            .into_iter()
            .collect(),
        What::Backend(backend) => backend
            .service
            .iter()
            .flat_map(|service| {
                let mark = |port| Mark::Backend {
                    service: service.clone(),
                    port,
                };
                [
                    Mark::Object(service.clone()),
                    mark(None),
                    mark(backend.port),
                ]
            })
            .collect(),
        What::Endpoint(endpoint) => {
            let above = topology.above(place, |node| match &node.what {
                What::Backend(backend) => backend.service.clone().zip(backend.port),
                _ => None,
            });
            let mark = above.map(|(service, port)| Mark::Endpoint {
                service,
                port,
                address: endpoint.address.clone(),
                endpoint_port: endpoint.port,
            });
            let pod = node.object.clone().map(Mark::Object);
            mark.into_iter().chain(pod).collect()
        }
    }
}

/// How each node is by itself.
pub(super) fn own(
    context: &Context<'_>,
    findings: &[Finding],
    at_node: &[Vec<usize>],
) -> Vec<Health> {
    let probed: BTreeSet<_> = context
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
    context
        .topology
        .iter()
        .map(|(place, _)| {
            let found = at_node[place.index()]
                .iter()
                .map(|index| Health::of_finding(&findings[*index]))
                .max();
            if is_anothers(context, place) {
                return found
                    .filter(|found| *found > Health::Ok)
                    .unwrap_or(Health::NotOurs);
            }
            let found = found.unwrap_or(Health::Ok);
            found.max(unknown_by_nature(context, &probed, place))
        })
        .collect()
}

/// Whether a node stands under a GatewayClass of another controller.
fn is_anothers(context: &Context<'_>, place: NodeIx) -> bool {
    let topology = context.topology;
    let root = topology.ancestors(place).last().unwrap_or(place);
    let node = topology.node(root);
    let classes = &context.snapshot.gateway_classes;
    matches!(node.what, What::Class)
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
    context: &Context<'_>,
    probed: &BTreeSet<(&ObjectRef, &ObjectRef, u16, &str, u16)>,
    place: NodeIx,
) -> Health {
    let node = context.topology.node(place);
    let unknown = match &node.what {
        What::Endpoint(endpoint) if endpoint.ready => {
            let backend = context.topology.above(place, |node| match &node.what {
                What::Backend(backend) => Some(backend),
                _ => None,
            });
            let gateway = context.topology.above(place, |node| match node.what {
                What::Gateway => node.object.as_ref(),
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
        What::Backend(backend) => {
            let endpoints = node
                .children
                .iter()
                .any(|child| matches!(context.topology.node(*child).what, What::Endpoint(_)));
            let known = kind_is_known(context.snapshot, Kind::EndpointSlice).is_ok();
            !endpoints && !known && (backend.policy.is_some() || !context.is_files())
        }
        _ => false,
    };
    match &node.what {
        _ if unknown => Health::Unknown,
        // nginx is not given it; one that is going away is nobody's worry.
        What::Endpoint(endpoint) if !endpoint.ready && !endpoint.terminating => Health::Warning,
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
