//! How nginx speaks to each backend of a rule (`state/graph/backend_refs.go`,
//! `nginx/config/servers.go`).

mod protocols;

use super::{
    gateway::grant_allows,
    known,
    policy::{PolicyDecision, PolicyFault, decide_policy},
    release::Release,
};
use serde_json::Value;

use crate::diagnosis::code::Code;
use crate::{
    diagnosis::plan::TrustSource,
    model::{
        attachment::parent_of,
        index::{Index, service_port},
        kind::Kind,
        kinds::{BackendRef, BackendTLSPolicy, Route, RouteRule, Service, ServicePort},
        object::{Object, ObjectRef},
        snapshot::{Snapshot, Source},
        topology::service_of,
    },
};

use protocols::{app_protocol, policies_differ, spills};

/// What NGF makes of the backends of one rule.
#[derive(Debug, Clone)]
pub struct RuleDecision<'a> {
    /// Those of the rule, then those of its filters.
    pub backends: Vec<BackendDecision<'a>>,
    /// R1: the policies of the backends differ, so that NGF refuses all of them.
    pub mismatch: bool,
    /// R2: a backend without policy stands before one with, and is spoken TLS to all the same.
    pub spills: bool,
    /// R19: NGF refuses the whole rule for its external authentication, and renders `return 500` alone.
    pub barred: Option<Barred>,
}

/// Why NGF refuses a whole rule for its filter ExternalAuth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Barred {
    /// The release does not know the filter (`validateFilterType`).
    UnknownFilter,
    /// The filter's protocol is not HTTP (`validateFilterExternalAuth`).
    Protocol,
    /// NGF refuses the filter's backend (`invalidateRuleIfExternalAuthBackendUnresolved`).
    Backend,
}

impl Barred {
    /// Why, in a phrase.
    pub fn message(self) -> &'static str {
        match self {
            Self::UnknownFilter => "this release does not know the filter ExternalAuth of the rule",
            Self::Protocol => "NGF takes the protocol HTTP only for the rule's filter ExternalAuth",
            Self::Backend => "NGF cannot use the backend of the rule's filter ExternalAuth",
        }
    }
}

/// What NGF makes of one backend.
#[derive(Debug, Clone)]
pub struct BackendDecision<'a> {
    /// The reference.
    pub reference: &'a BackendRef,
    /// It comes from a filter.
    pub filter: bool,
    /// The Service; `None` for other kinds.
    pub service: Option<ObjectRef>,
    /// The Service and its port, where both exist.
    pub port: Option<(&'a Object<Service>, &'a ServicePort)>,
    /// How nginx speaks to it.
    pub state: BackendState<'a>,
    /// Policies that lose against the effective one.
    pub losers: Vec<&'a Object<BackendTLSPolicy>>,
}

/// How nginx speaks to a backend.
#[derive(Debug, Clone)]
pub enum BackendState<'a> {
    /// In plain text.
    Plain,
    /// With TLS, as this policy says.
    Tls {
        /// The effective policy.
        policy: &'a Object<BackendTLSPolicy>,
        /// The CA.
        trust: TrustSource,
        /// Why it is not certain that NGF takes the policy.
        doubt: Option<String>,
    },
    /// Not at all: NGF refuses it, and clients get an [`Answer`](super::Answer).
    Invalid(BackendFault<'a>),
    /// Unknown: why.
    Unknown(String),
}

/// Why NGF refuses a backend.
#[derive(Debug, Clone)]
pub struct BackendFault<'a> {
    /// The catalogue's code.
    pub code: Code,
    /// NGF's reason for `ResolvedRefs: False`.
    pub reason: &'static str,
    /// NGF's words.
    pub message: String,
    /// The policy that is invalid.
    pub policy: Option<(&'a Object<BackendTLSPolicy>, PolicyFault)>,
    /// The valid policy that NGF keeps on the backend although it refuses it, with its CA (R5).
    pub kept: Option<(&'a Object<BackendTLSPolicy>, TrustSource)>,
}

impl<'a> BackendState<'a> {
    /// The effective policy, valid or not.
    pub fn policy(&self) -> Option<&'a Object<BackendTLSPolicy>> {
        match self {
            Self::Tls { policy, .. } => Some(policy),
            Self::Invalid(fault) => fault.policy.as_ref().map(|(policy, _)| *policy),
            Self::Plain | Self::Unknown(_) => None,
        }
    }

    /// The same, or the policy that NGF keeps on a backend which it refuses for another reason.
    pub fn any_policy(&self) -> Option<&'a Object<BackendTLSPolicy>> {
        let kept = match self {
            Self::Invalid(fault) => fault.kept.as_ref().map(|(policy, _)| *policy),
            _ => None,
        };
        self.policy().or(kept)
    }
}

/// What NGF makes of the backends of a rule.
pub fn decide_rule<'a>(
    snapshot: &'a Snapshot,
    index: &Index<'a>,
    release: Release,
    route: &Object<Route>,
    rule_index: usize,
    rule: &'a RouteRule,
) -> RuleDecision<'a> {
    let of = |(place, reference, filter): (usize, &'a BackendRef, bool)| {
        let path = match reference.filter {
            Some(filter) if is_authentication(route, rule_index, filter) => {
                format!("spec.rules[{rule_index}].filters[{filter}].externalAuth.backendRef")
            }
            Some(filter) => format!("spec.rules[{rule_index}].filters[{filter}].backendRef"),
            None => format!("spec.rules[{rule_index}].backendRefs[{place}]"),
        };
        decide_backend(snapshot, index, release, route, reference, filter, &path)
    };
    let plain = rule.backend_refs.iter().enumerate();
    // A release that does not know the filter reads no backend of it.
    let is_read = |reference: &BackendRef| {
        release.authenticates_externally()
            || !reference
                .filter
                .is_some_and(|filter| is_authentication(route, rule_index, filter))
    };
    let filters = rule.filter_backend_refs.iter().enumerate();
    let filters = filters.filter(|(_, reference)| is_read(reference));
    let backends: Vec<_> = plain
        .map(|(place, reference)| (place, reference, false))
        .chain(filters.map(|(place, reference)| (place, reference, true)))
        .map(of)
        .collect();
    let filter = filter_refused(release, route, rule_index);
    // NGF does not come to the backends of a rule whose filter it refuses (`addBackendRefsToRules`).
    let mismatch = filter.is_none() && policies_differ(&backends);
    let spills = filter.is_none() && !mismatch && spills(&backends);
    let mut authenticates = backends
        .iter()
        .filter(|backend| {
            let filter = backend.reference.filter;
            filter.is_some_and(|filter| is_authentication(route, rule_index, filter))
        })
        .peekable();
    let is_refused = |backend: &BackendDecision<'_>| {
        mismatch || matches!(backend.state, BackendState::Invalid(_))
    };
    let backend = (authenticates.peek().is_some() && authenticates.all(is_refused))
        .then_some(Barred::Backend);
    RuleDecision {
        backends,
        mismatch,
        spills,
        barred: filter.or(backend),
    }
}

/// Whether NGF refuses the filter ExternalAuth of a rule as it is written; it looks at the first one.
fn filter_refused(release: Release, route: &Object<Route>, rule: usize) -> Option<Barred> {
    let text = |filter: &Value, at: &str| {
        filter
            .pointer(at)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let mut filters = route.filters(rule).iter();
    let filter = filters.find(|filter| text(filter, "/type").as_deref() == Some("ExternalAuth"))?;
    if !release.authenticates_externally() {
        return Some(Barred::UnknownFilter);
    }
    let protocol = text(filter, "/externalAuth/protocol");
    protocol
        .is_some_and(|protocol| protocol != "HTTP")
        .then_some(Barred::Protocol)
}

/// Whether a filter of a rule is ExternalAuth, which NGF has since 2.7.
pub fn is_authentication(route: &Object<Route>, rule: usize, filter: usize) -> bool {
    let filter = route.filters(rule).get(filter);
    let kind = filter.and_then(|filter| filter.get("type"));
    kind.and_then(Value::as_str) == Some("ExternalAuth")
}

fn decide_backend<'a>(
    snapshot: &'a Snapshot,
    index: &Index<'a>,
    release: Release,
    route: &Object<Route>,
    reference: &'a BackendRef,
    filter: bool,
    path: &str,
) -> BackendDecision<'a> {
    let service = service_of(&reference.target, &route.reference.namespace);
    let mut decision = BackendDecision {
        reference,
        filter,
        service: service.clone(),
        port: None,
        state: BackendState::Plain,
        losers: Vec::new(),
    };
    decision.state = match &service {
        None => other_kind(route, reference, path),
        Some(service) => decide_service(
            snapshot,
            index,
            release,
            route,
            service,
            path,
            &mut decision,
        ),
    };
    decision
}

fn other_kind<'a>(route: &Object<Route>, reference: &BackendRef, path: &str) -> BackendState<'a> {
    let kind = reference.target.kind.as_deref().unwrap_or_default();
    if kind == "InferencePool" && route.reference.kind == Kind::HTTPRoute {
        // R10: `proxy_pass http://` is fixed for them.
        return BackendState::Plain;
    }
    // The group is looked at first; only an HTTPRoute can have a pool.
    let group = reference.target.group.as_deref().unwrap_or_default();
    let http = route.reference.kind == Kind::HTTPRoute;
    let (field, value, supported) = match group {
        "" | "core" if http => ("kind", kind, "\"Service\", \"InferencePool\""),
        "" | "core" => ("kind", kind, "\"Service\""),
        _ if http => (
            "group",
            group,
            "\"core\", \"\", \"inference.networking.k8s.io\"",
        ),
        _ => ("group", group, "\"core\", \"\""),
    };
    BackendState::Invalid(BackendFault {
        code: Code::R17,
        reason: "InvalidKind",
        message: format!(
            "{path}.{field}: Unsupported value: \"{value}\": supported values: {supported}"
        ),
        policy: None,
        kept: None,
    })
}

fn decide_service<'a>(
    snapshot: &'a Snapshot,
    index: &Index<'a>,
    release: Release,
    route: &Object<Route>,
    service: &ObjectRef,
    path: &str,
    decision: &mut BackendDecision<'a>,
) -> BackendState<'a> {
    let kind = route.reference.kind;
    let namespace = &route.reference.namespace;
    if service.namespace != *namespace {
        match grant_allows(snapshot, kind.name(), namespace, service) {
            Ok(true) => {}
            Ok(false) => {
                return refused(
                    Code::R4,
                    "RefNotPermitted",
                    format!(
                        "{path}.namespace: Forbidden: Backend ref to Service {} not permitted by any ReferenceGrant",
                        service.path()
                    ),
                );
            }
            Err(why) => return BackendState::Unknown(why),
        }
    }
    let Some(number) = decision.reference.target.port else {
        if let Some(why) = snapshot.unrendered(&route.reference, path) {
            return BackendState::Unknown(why);
        }
        return refused(
            Code::R3,
            "UnsupportedValue",
            format!("{path}.port: Required value: port cannot be nil"),
        );
    };
    let Some(found) = index.service(service) else {
        return match known::absence_is_proven(snapshot, service) {
            Ok(()) => refused(
                Code::R3,
                "BackendNotFound",
                format!("{path}.name: Not found: \"{}\"", service.name),
            ),
            Err(why) => BackendState::Unknown(why),
        };
    };
    let Some(port) = service_port(&found.spec, number) else {
        return refused(
            Code::R3,
            "BackendNotFound",
            format!(
                "No matching port for Service {} and port {number}",
                service.name
            ),
        );
    };
    decision.port = Some((found, port));
    if !may_have_policy(kind, release) {
        return BackendState::Plain;
    }
    let mut policies = index.policies(service, &port.name).into_iter();
    let effective = policies.next();
    decision.losers = policies.collect();
    let state = match effective {
        None => without_policy(snapshot, service),
        Some(policy) => with_policy(snapshot, release, policy),
    };
    let ends_tls = kind == Kind::TLSRoute && ends_clients_tls(snapshot, route);
    app_protocol(release, kind, ends_tls, port, state)
}

/// Whether a parent of a TLSRoute has a listener that ends the clients' TLS (`hasTLSTerminateParent`).
fn ends_clients_tls(snapshot: &Snapshot, route: &Object<Route>) -> bool {
    route.spec.parent_refs.iter().any(|reference| {
        let Some(parent) = parent_of(reference, &route.reference.namespace) else {
            return false;
        };
        let of_gateway = snapshot
            .gateways
            .get(&parent)
            .map(|found| &found.spec.listeners);
        let of_set = || {
            snapshot
                .listener_sets
                .get(&parent)
                .map(|found| &found.spec.listeners)
        };
        let mut listeners = of_gateway.or_else(of_set).into_iter().flatten();
        listeners.any(|listener| {
            let section = reference.section_name.as_deref();
            listener.protocol == "TLS"
                && section.is_none_or(|section| section == listener.name)
                && listener.tls_mode.as_deref() != Some("Passthrough")
        })
    })
}

/// Whether NGF consults policies for routes of this kind (R13).
pub fn may_have_policy(kind: Kind, release: Release) -> bool {
    match kind {
        Kind::TCPRoute | Kind::UDPRoute => false,
        Kind::TLSRoute => release.terminates_tls_routes(),
        _ => true,
    }
}

/// Without a policy nginx speaks plain text; but policies that are not read may exist.
fn without_policy<'a>(snapshot: &Snapshot, service: &ObjectRef) -> BackendState<'a> {
    let any = ObjectRef::new(Kind::BackendTLSPolicy, &service.namespace, "");
    match known::absence_is_proven(snapshot, &any) {
        // In files a policy that is not there is not asked for.
        Err(why) if !matches!(snapshot.source, Source::Files { .. }) => BackendState::Unknown(why),
        _ => BackendState::Plain,
    }
}

fn with_policy<'a>(
    snapshot: &Snapshot,
    release: Release,
    policy: &'a Object<BackendTLSPolicy>,
) -> BackendState<'a> {
    match decide_policy(snapshot, release, policy) {
        PolicyDecision::Valid(trust) => BackendState::Tls {
            policy,
            trust,
            doubt: None,
        },
        PolicyDecision::Unknown {
            trust: Some(trust),
            why,
        } => BackendState::Tls {
            policy,
            trust,
            doubt: Some(why),
        },
        PolicyDecision::Unknown { trust: None, why } => BackendState::Unknown(why),
        PolicyDecision::Invalid(fault) => BackendState::Invalid(BackendFault {
            code: Code::P15,
            reason: "UnsupportedValue",
            message: format!("The BackendTLSPolicy is invalid: {}", fault.message),
            policy: Some((policy, fault)),
            kept: None,
        }),
    }
}

fn refused<'a>(code: Code, reason: &'static str, message: String) -> BackendState<'a> {
    BackendState::Invalid(BackendFault {
        code,
        reason,
        message,
        policy: None,
        kept: None,
    })
}
