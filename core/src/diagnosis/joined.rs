//! Lines joined to the connections that nginx opens: by the upstream's address or name, the pod that wrote
//! them, the client's address, and the Host header where several routes share an endpoint.

mod client;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use super::{
    Evidence,
    plan::{Connection, ProbePlan, ProbeTarget, connections, plan_all},
};
use crate::{
    logs::{Counted, PodLog, Role, Upstream},
    model::{index::Index, object::ObjectRef, snapshot::Snapshot, topology::Topology},
};
use client::Clients;

/// Something that a log says about connections.
#[derive(Debug, Clone)]
pub struct Joined<'a> {
    /// Where it was written.
    pub log: &'a PodLog,
    /// What, and how often.
    pub counted: &'a Counted,
    /// The connections that it can be about. Several where routes share an endpoint and nothing tells
    /// them apart, or where it is about all endpoints; none where nothing of the cluster is known by
    /// that name or address now.
    pub plans: Vec<Arc<ProbePlan>>,
    /// The connections that nginx should open for this request, where it asked an address that none of
    /// them has, or NGF's own socket for backends that cannot be asked.
    pub instead: Vec<Arc<ProbePlan>>,
}

/// Joins all that was read.
pub fn join<'a>(
    snapshot: &Snapshot,
    index: &Index<'_>,
    topology: &Topology,
    evidence: &'a Evidence,
) -> Vec<Joined<'a>> {
    let mut all = Vec::new();
    if evidence.logs().next().is_none() {
        return all;
    }
    let known = Known::new(snapshot, index, topology, evidence);
    for log in evidence.logs() {
        for counted in log.tally.said.values() {
            if counted.last_line.is_fault() {
                let plans = known.plans(log, counted);
                let instead = match plans.as_slice() {
                    [] => known.instead(log, counted),
                    _ => Vec::new(),
                };
                all.push(Joined {
                    log,
                    counted,
                    plans,
                    instead,
                });
            }
        }
    }
    all
}

/// The connections of the Gateways whose logs were read, by what lines name them with.
struct Known<'a> {
    plans: Vec<Arc<ProbePlan>>,
    by_address: BTreeMap<(IpAddr, u16), Vec<usize>>,
    /// NGF's name of the upstream: `<namespace>_<service>_<port>`.
    by_upstream: BTreeMap<String, Vec<usize>>,
    by_pod: BTreeMap<ObjectRef, Vec<usize>>,
    /// The Gateways by the addresses of their data-plane pods.
    gateways: BTreeMap<IpAddr, BTreeSet<ObjectRef>>,
    /// Where a log is a file: every connection of the objects, whether or not an endpoint is known.
    connections: Vec<Connection>,
    clients: Clients<'a>,
}

impl<'a> Known<'a> {
    fn new(
        snapshot: &Snapshot,
        index: &Index<'_>,
        topology: &Topology,
        evidence: &'a Evidence,
    ) -> Self {
        let mut known = Self {
            plans: Vec::new(),
            by_address: BTreeMap::new(),
            by_upstream: BTreeMap::new(),
            by_pod: BTreeMap::new(),
            gateways: BTreeMap::new(),
            connections: Vec::new(),
            clients: Clients::new(snapshot, evidence),
        };
        for log in evidence.logs() {
            if let (Some(gateway), Some(pod)) = (&log.gateway, snapshot.pods.get(&log.pod)) {
                let ips = pod.status.ips.iter().filter_map(|ip| ip.parse().ok());
                for ip in ips {
                    let of = known.gateways.entry(ip).or_default();
                    of.insert(gateway.clone());
                }
            }
        }
        let gateways: BTreeSet<&ObjectRef> = evidence
            .logs()
            .filter_map(|log| log.gateway.as_ref())
            .collect();
        for gateway in gateways {
            let target = ProbeTarget::Gateway(gateway.clone());
            if let Ok(planning) = plan_all(snapshot, index, topology, &target) {
                known.plans.extend(planning.plans.into_iter().map(Arc::new));
            }
        }
        if evidence.logs().any(|log| log.file.is_some()) {
            for gateway in snapshot.gateways.keys() {
                let target = ProbeTarget::Gateway(gateway.clone());
                if let Ok(found) = connections(snapshot, index, topology, &target) {
                    known.connections.extend(found);
                }
            }
        }
        for (place, plan) in known.plans.iter().enumerate() {
            let endpoint = &plan.endpoint;
            if let Ok(address) = endpoint.address.parse() {
                let at = known.by_address.entry((address, endpoint.port));
                at.or_default().push(place);
            }
            let service = &plan.service;
            let upstream = format!("{}_{}_{}", service.namespace, service.name, plan.port);
            known.by_upstream.entry(upstream).or_default().push(place);
            if let Some(pod) = &endpoint.pod {
                known.by_pod.entry(pod.clone()).or_default().push(place);
            }
        }
        known
    }

    /// The connections that a line of a file can be about: by its upstream's name, or by its host, where
    /// there is one; a line without both is about the only backend that there is.
    fn of_file(&self, log: &PodLog, counted: &Counted) -> Vec<Arc<ProbePlan>> {
        let request = &counted.last_line.request;
        let host = request.host.as_deref().map(without_port);
        let name = |connection: &Connection| {
            let service = &connection.service;
            format!("{}_{}_{}", service.namespace, service.name, connection.port)
        };
        let mut meant: Vec<&Connection> = match (&request.upstream, log.role) {
            (_, Role::Controller) | (Some(Upstream::Socket(_)), _) => Vec::new(),
            (Some(Upstream::Name(upstream)), _) => {
                let all = self.connections.iter();
                all.filter(|connection| name(connection) == *upstream)
                    .collect()
            }
            _ => self.connections.iter().collect(),
        };
        let of_host: Vec<&Connection> = meant
            .iter()
            .filter(|connection| {
                host.is_some_and(|host| host.eq_ignore_ascii_case(&connection.host))
            })
            .copied()
            .collect();
        let is_named = matches!(request.upstream, Some(Upstream::Name(_)));
        if !of_host.is_empty() {
            meant = of_host;
        } else if host.is_some() && !is_named {
            // A host that no route has is another application's.
            return Vec::new();
        }
        let services: BTreeSet<_> = meant
            .iter()
            .map(|connection| (&connection.service, connection.port))
            .collect();
        // Nothing tells which of several it is.
        if services.len() > 1 {
            return Vec::new();
        }
        let (address, port) = match &request.upstream {
            Some(Upstream::Address { address, port }) => (address.to_string(), Some(*port)),
            _ => ("an endpoint".to_owned(), None),
        };
        meant
            .into_iter()
            .map(|connection| {
                let port = port.unwrap_or(connection.port);
                Arc::new(connection.to_address(address.clone(), port))
            })
            .collect()
    }

    fn plans(&self, log: &PodLog, counted: &Counted) -> Vec<Arc<ProbePlan>> {
        if log.file.is_some() {
            return self.of_file(log, counted);
        }
        let request = &counted.last_line.request;
        let places = match log.role {
            Role::Controller => None,
            Role::DataPlane => match &request.upstream {
                Some(Upstream::Address { address, port }) => {
                    self.by_address.get(&(*address, *port))
                }
                // With session persistence NGF adds the rule's number and more.
                Some(Upstream::Name(name)) => self.by_upstream.get(name).or_else(|| {
                    let mut all = self.by_upstream.iter();
                    let copy_of = |known: &str| {
                        let rest = name.strip_prefix(known);
                        rest.is_some_and(|rest| rest.starts_with('_'))
                    };
                    all.find(|(known, _)| copy_of(known))
                        .map(|(_, plans)| plans)
                }),
                Some(Upstream::Socket(_)) | None => None,
            },
            Role::Application => self.by_pod.get(&log.pod),
        };
        let all = places
            .into_iter()
            .flatten()
            .map(|place| &self.plans[*place]);
        let all = all.filter(|plan| match (&log.gateway, log.role) {
            (Some(gateway), Role::DataPlane) => plan.gateway == *gateway,
            // Another client than the gateway proves nothing about it.
            _ => request.client.is_some_and(|client| {
                let of = self.gateways.get(&client);
                of.is_some_and(|of| of.contains(&plan.gateway))
                    && self.clients.is_nginx(client, counted, plan)
            }),
        });
        let all: Vec<Arc<ProbePlan>> = all.cloned().collect();
        let host = request.host.as_deref().map(without_port);
        let by_host: Vec<Arc<ProbePlan>> = all
            .iter()
            .filter(|plan| host.is_some_and(|host| host.eq_ignore_ascii_case(&plan.host)))
            .cloned()
            .collect();
        if by_host.is_empty() { all } else { by_host }
    }
}

impl Known<'_> {
    /// For an address that no connection has, or a socket of NGF's: the connections of the same Gateway
    /// and Host, to the same port.
    fn instead(&self, log: &PodLog, counted: &Counted) -> Vec<Arc<ProbePlan>> {
        let request = &counted.last_line.request;
        let port = match &request.upstream {
            Some(Upstream::Address { port, .. }) => Some(*port),
            Some(Upstream::Socket(path)) if is_stub(path) => None,
            _ => return Vec::new(),
        };
        // An authentication service or a mirror may be anywhere.
        if log.role != Role::DataPlane || request.subrequest.is_some() {
            return Vec::new();
        }
        let Some(host) = request.host.as_deref().map(without_port) else {
            return Vec::new();
        };
        let meant = self.plans.iter().filter(|plan| {
            log.gateway.as_ref() == Some(&plan.gateway)
                && host.eq_ignore_ascii_case(&plan.host)
                && port.is_none_or(|port| port == plan.endpoint.port)
        });
        meant.cloned().collect()
    }
}

/// NGF's servers for backends without endpoints and for those that are not valid.
fn is_stub(path: &str) -> bool {
    path.ends_with("nginx-503-server.sock") || path.ends_with("nginx-500-server.sock")
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
