//! D4 by the log: nginx asks addresses that no EndpointSlice has, or NGF's own server for backends without
//! endpoints, so that its configuration is older than the objects.

use std::collections::{BTreeMap, BTreeSet};

use super::{is_over, line, process::newest_lines};
use crate::diagnosis::code::Code;
use crate::{
    command::Command,
    diagnosis::{
        context::Context,
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        joined::Joined,
        ngf::known,
        plan::ProbePlan,
        words::list,
    },
    logs::Upstream,
    model::{kind::Kind, object::ObjectRef},
};
use ngf_text::host_and_port;

/// A line, and a connection that nginx should have opened instead.
type Line<'a> = (&'a Joined<'a>, &'a ProbePlan);

/// How old the last line may be, in seconds: an update may have been on its way before.
const RECENT: i64 = 300;
/// Lines that are needed: one alone may be of the moment between a pod's end and NGF's update.
const ENOUGH: u64 = 2;

/// Adds what the logs say of endpoints that are gone.
pub(in crate::diagnosis::rules) fn stale_by_log(context: &Context<'_>, findings: &mut Findings) {
    if known::kind_is_known(context.snapshot, Kind::EndpointSlice).is_err() {
        return;
    }
    let mut by_service: BTreeMap<(&ObjectRef, &ObjectRef, u16), Vec<Line<'_>>> = BTreeMap::new();
    for joined in &context.logs {
        let counted = joined.counted;
        let reloaded = joined.log.tally.reloaded;
        let is_old = is_over(context, joined.log, counted, RECENT)
            || reloaded.is_some_and(|at| at > counted.last);
        if is_old || is_known(context, joined) {
            continue;
        }
        for plan in &joined.instead {
            let key = (&plan.gateway, &plan.service, plan.port);
            by_service.entry(key).or_default().push((joined, plan));
        }
    }
    for ((gateway, service, port), mut lines) in by_service {
        let mut seen = BTreeSet::new();
        lines.retain(|(joined, _)| seen.insert(std::ptr::from_ref(joined.counted)));
        let count: u64 = lines.iter().map(|(joined, _)| joined.counted.count).sum();
        if count < ENOUGH || findings.about(Code::D4, &[gateway, service]).is_some() {
            continue;
        }
        let Some(finding) = finding(context, gateway, service, port, &lines) else {
            continue;
        };
        findings.add(finding);
    }
}

/// Whether something of the cluster has the address after all: an endpoint that is not ready, a Service's
/// own address, or a name outside of the cluster that resolves to it.
fn is_known(context: &Context<'_>, joined: &Joined<'_>) -> bool {
    let Some(Upstream::Address { address, .. }) = &joined.counted.last_line.request.upstream else {
        return false;
    };
    let address = address.to_string();
    let cluster = context.cluster(&[Kind::EndpointSlice, Kind::Service]);
    let in_slices = cluster.endpoint_slices.values().any(|slice| {
        let mut endpoints = slice.spec.endpoints.iter();
        endpoints.any(|endpoint| endpoint.addresses.contains(&address))
    });
    let is_service = cluster
        .services
        .values()
        .any(|service| service.spec.cluster_ip.as_ref() == Some(&address));
    let is_external = joined.instead.iter().any(|plan| {
        let service = context.index.service(&plan.service);
        service.is_some_and(|service| service.spec.service_type == "ExternalName")
    });
    in_slices || is_service || is_external
}

fn finding(
    context: &Context<'_>,
    gateway: &ObjectRef,
    service: &ObjectRef,
    port: u16,
    lines: &[Line<'_>],
) -> Option<Finding> {
    let found = context.index.service(service)?;
    let at = found.spec.ports.iter().find(|own| own.port == port)?;
    let ready: BTreeSet<String> = context
        .index
        .endpoints(found, at)
        .into_iter()
        .filter(|endpoint| endpoint.ready)
        .map(|endpoint| host_and_port(&endpoint.address, endpoint.port))
        .collect();
    let (first, _) = lines.first()?;
    let mut gone = BTreeSet::new();
    let mut is_stub = false;
    for (joined, _) in lines {
        match &joined.counted.last_line.request.upstream {
            Some(Upstream::Address { address, port }) => {
                gone.insert(host_and_port(&address.to_string(), *port));
            }
            Some(Upstream::Socket(_)) => is_stub = true,
            _ => {}
        }
    }
    // Without a ready endpoint the socket is right (NGF-R8).
    if ready.is_empty() {
        return None;
    }
    let who = first.log.who();
    let title = if gone.is_empty() {
        format!(
            "nginx in {who} asks NGF's own server for backends without endpoints, although {service}:{port} has {}",
            list(&ready, 3)
        )
    } else {
        format!(
            "nginx in {who} asks {}, which {service}:{port} no longer has",
            list(&gone, 3)
        )
    };
    let mut finding = Finding::new(Code::D4, Severity::Error, gateway, title)
        .because("nginx runs an older configuration: an update of NGF did not arrive, or was refused.")
        .evidence("ready endpoints", list(&ready, 6), service.to_string())
        .scope([service])
        .scope(lines.iter().map(|(_, plan)| &plan.route))
        .breaks(if is_stub || !gone.is_empty() {
            format!("requests for {service}:{port} fail or wait, although its endpoints are ready")
        } else {
            String::new()
        })
        .remedy(Remedy::command(
            "See whether the agent is connected to NGF's control plane, and whether nginx refused the last configuration.",
            newest_lines(first)
                .pipe(Command::new("grep").words(["-E", "emerg|level=ERROR"])),
        ));
    for (joined, _) in lines.iter().take(4) {
        finding = line(context, finding, joined.log, joined.counted);
    }
    Some(finding)
}
