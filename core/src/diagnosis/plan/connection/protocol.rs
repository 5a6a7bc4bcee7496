//! What nginx speaks to a backend: HTTP/1.1, HTTP/2, or what a stream's client sends.

use ngf_tls::protocol::Protocol;

use super::Place;
use crate::{
    diagnosis::ngf::{BackendDecision, BackendState, Release, RuleDecision},
    model::kind::Kind,
};

/// The protocol that NGF renders for a backend: `grpc_pass` for every GRPCRoute; `proxy_http_version 2`
/// for an HTTPRoute whose rule has backends with `appProtocol: kubernetes.io/h2c` only, since 2.7; a
/// stream server for a TLSRoute.
pub(super) fn protocol(
    at: &Place<'_>,
    release: Release,
    decision: &BackendDecision<'_>,
    rule: &RuleDecision<'_>,
    because: &mut Vec<String>,
) -> Protocol {
    let (protocol, why) = match at.route.reference.kind {
        Kind::GRPCRoute => (
            Protocol::Http2,
            "nginx speaks HTTP/2 to the backends of a GRPCRoute, and offers h2 by ALPN over TLS; the probe sends no request.",
        ),
        Kind::TLSRoute => (
            Protocol::Stream,
            "nginx passes on what the client sends: the probe shakes hands and sends nothing.",
        ),
        _ if release.proxies_http2() && all_h2c(decision, rule) => (
            Protocol::Http2,
            "nginx speaks HTTP/2 to it (appProtocol kubernetes.io/h2c), and offers h2 by ALPN over TLS; the probe sends no request.",
        ),
        _ if is_websocket(decision) => (
            Protocol::WebSocket,
            "The port is for WebSockets (appProtocol): the probe asks for an upgrade, which nginx passes on for clients that do.",
        ),
        _ => return Protocol::Http1,
    };
    because.push(why.to_owned());
    protocol
}

/// Whether the backend's port is for WebSockets. nginx passes on every client's Upgrade header, whatever the port is
/// for (`httpUpgradeHeader`).
fn is_websocket(decision: &BackendDecision<'_>) -> bool {
    let protocol = decision
        .port
        .and_then(|(_, port)| port.app_protocol.as_deref());
    !decision.filter && matches!(protocol, Some("kubernetes.io/ws" | "kubernetes.io/wss"))
}

/// Whether all backends that share the location are h2c, of those that NGF does not refuse: one other is enough for
/// HTTP/1.1 (`allValidBackendsAreH2C`).
pub(in crate::diagnosis) fn all_h2c(
    decision: &BackendDecision<'_>,
    rule: &RuleDecision<'_>,
) -> bool {
    let is_h2c = |backend: &BackendDecision<'_>| {
        backend
            .port
            .is_some_and(|(_, port)| port.app_protocol.as_deref() == Some("kubernetes.io/h2c"))
    };
    if decision.filter {
        return is_h2c(decision);
    }
    rule.backends
        .iter()
        .filter(|backend| !backend.filter && !matches!(backend.state, BackendState::Invalid(_)))
        .all(is_h2c)
}
