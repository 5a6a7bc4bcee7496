//! Finds in a pod's configuration what NGF renders for a connection.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        finding::{Finding, Remedy, Severity},
        ngf::cluster_ip,
        plan::{Connection, ProbePlan, ProbeTarget, connections},
    },
    model::{kind::Kind, object::ObjectRef},
    nginx_config::{InPod, Location, NginxConfig},
};
use ngf_text::host_and_port;

/// The servers of an upstream, or of the first of its copies for session persistence; `None` where nginx has none,
/// or keeps them elsewhere.
pub(in crate::diagnosis) fn servers<'a>(
    rendered: &'a NginxConfig,
    upstream: &str,
) -> Option<&'a Vec<String>> {
    let own = rendered.upstreams.get(upstream);
    let copy = || {
        let mut all = rendered.upstreams.iter();
        let found = all.find(|(name, _)| is_persistent_copy(name, upstream));
        found.map(|(_, servers)| servers)
    };
    own.or_else(copy)?.as_ref()
}

/// The addresses that NGF would write; `None` where they are unknown.
pub(in crate::diagnosis) fn ready(
    context: &Context<'_>,
    connection: &Connection,
) -> Option<BTreeSet<String>> {
    let service = context.index.service(&connection.service)?;
    if service.spec.service_type == "ExternalName" {
        return None;
    }
    let gateway = context.snapshot.gateways.get(&connection.gateway)?;
    let release = context.running.release;
    if !cluster_ip::is_certain(context.snapshot, release) {
        return None;
    }
    let kind = connection.route.kind;
    let port = service
        .spec
        .ports
        .iter()
        .find(|port| port.port == connection.port)?;
    let single = cluster_ip::cluster_ip(context.snapshot, release, gateway, kind, service, port);
    if let Some(endpoint) = single {
        return Some([host_and_port(&endpoint.address, endpoint.port)].into());
    }
    crate::diagnosis::ngf::known::kind_is_known(context.snapshot, Kind::EndpointSlice).ok()?;
    let all = context.index.endpoints(service, port);
    // Until 2.6 NGF leaves out an endpoint without `conditions.ready` (`endpointReady`).
    let wants_it_said = !release.trusts_silent_endpoints();
    let ready = all
        .iter()
        .filter(|endpoint| endpoint.ready && (endpoint.says_ready || !wants_it_said));
    Some(
        ready
            .map(|endpoint| host_and_port(&endpoint.address, endpoint.port))
            .collect(),
    )
}

/// When every data-plane pod of a plan's Gateway that could be read was found to speak TLS to the plan's backend.
pub(in crate::diagnosis::rules) fn tls_since(
    context: &Context<'_>,
    plan: &ProbePlan,
) -> Option<Timestamp> {
    let mut since = None;
    for (in_pod, rendered) in found(context) {
        if in_pod.gateway != plan.gateway {
            continue;
        }
        let mut connections = of_gateway(context, &in_pod.gateway).into_iter();
        let connection = connections.find(|connection| {
            connection.route == plan.route
                && connection.service == plan.service
                && connection.port == plan.port
        })?;
        location(context, rendered, &connection).filter(|one| speaks_tls(one))?;
        since = since.max(Some(in_pod.at));
    }
    since
}

pub(in crate::diagnosis) fn speaks_tls(location: &Location) -> bool {
    location.pass.starts_with("https://") || location.pass.starts_with("grpcs://")
}

/// The location by which nginx passes requests of that host to that Service, alone or as one of several
/// backends behind a variable; `None` where it has none.
pub(in crate::diagnosis) fn location<'a>(
    context: &Context<'_>,
    rendered: &'a NginxConfig,
    connection: &Connection,
) -> Option<&'a Location> {
    let upstream = upstream(connection);
    let names = server_names(context, connection);
    rendered.locations.iter().find(|location| {
        let passes = location
            .pass
            .split_once("://")
            .map_or(&*location.pass, |(_, place)| place);
        let among = || {
            let group = rendered.groups.get(passes);
            group.is_some_and(|group| group.iter().any(|one| is_upstream(one, &upstream)))
        };
        (is_upstream(passes, &upstream) || among())
            && location
                .server_names
                .iter()
                .any(|name| names.contains(name))
    })
}

/// The `server_name`s by which clients can reach a connection's route: its host names, or its listener's where
/// these are narrower; `~^` where neither has any (`createServer`).
pub(super) fn server_names(context: &Context<'_>, connection: &Connection) -> BTreeSet<String> {
    let snapshot = context.snapshot;
    let route = snapshot.routes.get(&connection.route);
    let mut names: BTreeSet<String> = route
        .map(|route| route.spec.hostnames.iter().cloned().collect())
        .unwrap_or_default();
    if let Some((owner, name)) = &connection.listener {
        let of_gateway = snapshot
            .gateways
            .get(owner)
            .map(|found| &found.spec.listeners);
        let of_set = || {
            snapshot
                .listener_sets
                .get(owner)
                .map(|found| &found.spec.listeners)
        };
        let listeners = of_gateway.or_else(of_set).into_iter().flatten();
        let listener = listeners
            .into_iter()
            .find(|listener| listener.name == *name);
        names.extend(listener.and_then(|listener| listener.hostname.clone()));
    }
    if names.is_empty() {
        names.insert("~^".to_owned());
    }
    names
}

/// Whether a name is that of an upstream; with session persistence NGF adds the rule's number and more
/// (`ServicePortReference`).
fn is_upstream(name: &str, upstream: &str) -> bool {
    name == upstream || is_persistent_copy(name, upstream)
}

/// `shop_cart_443_cart_shop_0` of `shop_cart_443`. No other upstream begins so: the port's number ends its own
/// name, and namespaces and names have no underscore.
fn is_persistent_copy(name: &str, upstream: &str) -> bool {
    name.strip_prefix(upstream)
        .is_some_and(|rest| rest.starts_with('_') && rest.len() > 1)
}

/// `upstream` as NGF names it (`nginx/config/upstreams.go`).
pub(in crate::diagnosis) fn upstream(connection: &Connection) -> String {
    let service = &connection.service;
    format!("{}_{}_{}", service.namespace, service.name, connection.port)
}

pub(in crate::diagnosis::rules) fn found<'a>(
    context: &'a Context<'_>,
) -> impl Iterator<Item = (&'a InPod, &'a NginxConfig)> {
    context
        .evidence
        .rendered()
        .filter_map(|in_pod| Some((in_pod, in_pod.found.as_ref().ok()?)))
}

pub(in crate::diagnosis) fn of_gateway(
    context: &Context<'_>,
    gateway: &ObjectRef,
) -> Vec<Connection> {
    let target = ProbeTarget::Gateway(gateway.clone());
    connections(context.snapshot, context.index, context.topology, &target).unwrap_or_default()
}

/// A comparison that proves nothing: the reading is older than one of the objects.
pub(super) fn not_known_yet(
    context: &Context<'_>,
    code: Code,
    in_pod: &InPod,
    changed: &ObjectRef,
    title: String,
) -> Finding {
    let ago = context.now.span(in_pod.at.as_second());
    let mut finding = Finding::new(code, Severity::Info, &in_pod.gateway, title)
        .unknown()
        .because(format!(
            "nginx's configuration was read {ago} ago, and {changed} has changed since."
        ))
        .scope([changed])
        .remedy(Remedy::say(
            "Read nginx's configuration again: only a reading after the change shows whether nginx follows it.",
        ));
    finding.marks.clear();
    finding
}

pub(in crate::diagnosis::rules) fn read_at(context: &Context<'_>, in_pod: &InPod) -> String {
    format!(
        "It was read {} ago; right after a change the agent may still be at it.",
        context.now.span(in_pod.at.as_second())
    )
}
