//! Whether nginx opened the connection of which a backend's log tells. Others come from nginx's pod as well: the probes
//! and TLS scans of this tool, and whoever runs a client there. A request of the tool is marked; a handshake that fails
//! has no request, but where nginx opened the connection, nginx logs the failure, too.

use std::{collections::BTreeMap, net::IpAddr};

use jiff::Timestamp;

use crate::{
    diagnosis::{
        Evidence,
        ngf::{cluster_ip::text_of_proxy, known},
        plan::ProbePlan,
    },
    logs::{Counted, Meaning, Phase, PodLog, Role, Upstream},
    model::{kind::Kind, snapshot::Snapshot},
};

/// The levels of `error_log` at which nginx does not write of a connection that fails (`NGX_LOG_ERR` is below them).
const SILENT: [&str; 3] = ["crit", "alert", "emerg"];

/// The logs of data-plane pods, by the addresses of the pods.
pub(super) struct Clients<'a> {
    logs: BTreeMap<IpAddr, Vec<&'a PodLog>>,
}

impl<'a> Clients<'a> {
    pub(super) fn new(snapshot: &Snapshot, evidence: &'a Evidence) -> Self {
        let mut logs: BTreeMap<IpAddr, Vec<&PodLog>> = BTreeMap::new();
        // An NginxProxy that cannot be read may have set any level.
        if known::kind_is_known(snapshot, Kind::NginxProxy).is_err() {
            return Self { logs };
        }
        for log in evidence.logs() {
            let gateway = log.gateway.as_ref().filter(|_| log.role == Role::DataPlane);
            let gateway = gateway.and_then(|gateway| snapshot.gateways.get(gateway));
            let (Some(gateway), Some(pod)) = (gateway, snapshot.pods.get(&log.pod)) else {
                continue;
            };
            let level = text_of_proxy(snapshot, gateway, "/spec/logging/errorLevel");
            if level.is_some_and(|level| SILENT.contains(&level.as_str())) {
                continue;
            }
            for ip in pod.status.ips.iter().filter_map(|ip| ip.parse().ok()) {
                logs.entry(ip).or_default().push(log);
            }
        }
        Self { logs }
    }

    /// Whether the connection from this address to a plan's endpoint can be nginx's: false where nginx logs what fails,
    /// its log of that moment was read, and tells of no failure with this endpoint.
    pub(super) fn is_nginx(&self, client: IpAddr, counted: &Counted, plan: &ProbePlan) -> bool {
        let line = &counted.last_line;
        if line.request.request.is_some() || !ends_handshake(&line.what) {
            return true;
        }
        let Some(logs) = self.logs.get(&client) else {
            return true;
        };
        let mut of_gateway = logs
            .iter()
            .filter(|log| log.gateway.as_ref() == Some(&plan.gateway))
            .peekable();
        of_gateway.peek().is_none()
            || of_gateway.any(|log| !tells_of(log, counted.last) || fails_then(log, counted, plan))
    }
}

/// Faults with which nginx's handshake fails as well.
fn ends_handshake(what: &Meaning) -> bool {
    match what {
        Meaning::NotTls
        | Meaning::HandshakeRefused { .. }
        | Meaning::ClientAlert { .. }
        | Meaning::ProxyProtocol => true,
        Meaning::TlsFailed { phase, .. }
        | Meaning::Alert { phase, .. }
        | Meaning::TimedOut { phase }
        | Meaning::Closed { phase, .. } => matches!(phase, Phase::Connecting | Phase::Handshaking),
        _ => false,
    }
}

/// Whether all that nginx wrote at a moment was read. A log without a line that is understood shows nothing.
fn tells_of(log: &PodLog, at: Timestamp) -> bool {
    let tally = &log.tally;
    let begins = tally
        .said
        .values()
        .map(|said| said.first)
        .chain(tally.answered.values().copied())
        .chain(tally.reloaded)
        .min();
    log.failed.is_none() && tally.left_out == 0 && begins.is_some_and(|begins| begins <= at)
}

/// What nginx logs of a connection that the backend ended in the handshake, or at once after it (TLS 1.3). Where nginx
/// does not take the backend's certificate, the backend is content.
fn is_ended_by_backend(what: &Meaning) -> bool {
    ends_handshake(what)
        || matches!(
            what,
            Meaning::Alert { .. } | Meaning::TlsFailed { .. } | Meaning::Closed { .. }
        )
}

/// Whether nginx logged that the plan's endpoint ended connections, in a minute of these lines or in the next to one.
fn fails_then(log: &PodLog, counted: &Counted, plan: &ProbePlan) -> bool {
    let service = &plan.service;
    let name = format!("{}_{}_{}", service.namespace, service.name, plan.port);
    let is_endpoint = |upstream: &Upstream| match upstream {
        Upstream::Address { address, port } => {
            *port == plan.endpoint.port
                && plan.endpoint.address.parse::<IpAddr>().ok() == Some(*address)
        }
        Upstream::Name(known) => known.starts_with(&name),
        Upstream::Socket(_) => false,
    };
    let mut failures = log.tally.said.values().filter(|said| {
        let line = &said.last_line;
        is_ended_by_backend(&line.what) && line.request.upstream.as_ref().is_some_and(is_endpoint)
    });
    failures.any(|said| {
        let mut minutes = counted.per_minute.keys();
        minutes.any(|minute| {
            let near = minute - 1..=minute + 1;
            said.per_minute.range(near).next().is_some()
        })
    })
}
