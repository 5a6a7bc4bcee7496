//! Which protocols NGF speaks with a backend, and where several backends of a rule differ.

use super::super::release::Release;

use crate::diagnosis::code::Code;
use crate::model::{
    kind::Kind,
    kinds::{BackendTLSPolicy, ServicePort},
    object::Object,
};

use super::{BackendDecision, BackendFault, BackendState};

/// `validateRouteBackendRefAppProtocol`: only the protocols of KEP-3726 matter, and `https` is none
/// of them.
pub(super) fn app_protocol<'a>(
    release: Release,
    kind: Kind,
    ends_tls: bool,
    port: &ServicePort,
    state: BackendState<'a>,
) -> BackendState<'a> {
    let Some(protocol) = port.app_protocol.as_deref() else {
        return state;
    };
    if matches!(state, BackendState::Invalid(_) | BackendState::Unknown(_)) {
        return state;
    }
    let route_type = match kind {
        Kind::HTTPRoute => "http",
        Kind::GRPCRoute => "grpc",
        _ => "tls",
    };
    let has_policy = state.policy().is_some();
    let (supported, suffix) = match (protocol, kind) {
        ("kubernetes.io/h2c", Kind::HTTPRoute) => (
            release.proxies_http2(),
            "; nginx does not support proxying to upstreams with http2 or h2c",
        ),
        ("kubernetes.io/h2c", Kind::GRPCRoute) | ("kubernetes.io/ws", Kind::HTTPRoute) => {
            (true, "")
        }
        ("kubernetes.io/wss", Kind::TLSRoute) if !ends_tls || has_policy => (true, ""),
        ("kubernetes.io/wss", Kind::HTTPRoute | Kind::TLSRoute) => {
            (has_policy, "; missing corresponding BackendTLSPolicy")
        }
        ("kubernetes.io/h2c" | "kubernetes.io/ws" | "kubernetes.io/wss", _) => (false, ""),
        _ => (true, ""),
    };
    if supported {
        return state;
    }
    let kept = match state {
        BackendState::Tls { policy, trust, .. } => Some((policy, trust)),
        _ => None,
    };
    BackendState::Invalid(BackendFault {
        code: Code::R5,
        reason: "UnsupportedProtocol",
        message: format!(
            "The Route type {route_type} does not support service port appProtocol {protocol}{suffix}"
        ),
        policy: None,
        kept,
    })
}

/// R1, `validateBackendTLSPolicyMatchingAllBackends`, with its order: a backend without policy
/// counts only after one with. Two `System` policies differ although they say the same, because NGF
/// compares pointers.
pub(super) fn policies_differ(backends: &[BackendDecision<'_>]) -> bool {
    let mut first: Option<&Object<BackendTLSPolicy>> = None;
    if backends.len() < 2 {
        return false;
    }
    for backend in backends {
        // Of the backends that NGF refused before, one with an unsupported appProtocol keeps its policy.
        let policy = match &backend.state {
            BackendState::Tls { policy, .. } => Some(*policy),
            BackendState::Invalid(fault) => fault.kept.as_ref().map(|(policy, _)| *policy),
            _ => None,
        };
        match (first, policy) {
            (Some(_), None) => return true,
            (None, _) => first = policy,
            (Some(first), Some(policy)) => {
                if first.reference != policy.reference && !same_validation(first, policy) {
                    return true;
                }
            }
        }
    }
    false
}

fn same_validation(a: &Object<BackendTLSPolicy>, b: &Object<BackendTLSPolicy>) -> bool {
    a.spec.ca_certificate_refs == b.spec.ca_certificate_refs
        && a.spec.well_known_ca_certificates.is_none()
        && b.spec.well_known_ca_certificates.is_none()
        && a.spec.hostname == b.spec.hostname
}

/// R2, `createProxyTLSFromBackends`: one backend with TLS makes the whole location `https`.
pub(super) fn spills(backends: &[BackendDecision<'_>]) -> bool {
    let mut own = backends.iter().filter(|backend| !backend.filter);
    own.clone()
        .any(|backend| matches!(backend.state, BackendState::Tls { .. }))
        // split_clients sends nothing to a weight of 0.
        && own.any(|backend| {
            matches!(backend.state, BackendState::Plain) && backend.reference.weight != 0
        })
}
