//! From a target to the connections that nginx would open.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::{PlannedEndpoint, PlannedTls, ProbePlan, ProbeTarget, TrustSource};
use crate::{
    diagnosis::ngf::{
        self, BackendDecision, BackendState, ClientCertificate, RuleDecision, client_certificate,
        decide_rule, known,
    },
    model::{
        index::{Endpoint, Index, NoEndpoints},
        kind::Kind,
        kinds::{BackendTLSPolicy, Gateway, PemFacts, Route, Service, ServicePort},
        object::{Object, ObjectRef},
        snapshot::{Lookup, Snapshot},
        topology::{Backend, Group, NodeIx, Topology, What, host_and_port, is_ngf_controller},
    },
};

/// Why there is nothing to probe, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    /// The target does not exist.
    #[error("there is no {0}")]
    NoSuchObject(String),
    /// The target is not known.
    #[error("{0}")]
    NotKnown(String),
    /// The node is gone from the tree.
    #[error("{0} is no longer there")]
    NodeGone(String),
    /// No listener takes the route.
    #[error("no listener takes {route}: {why}; clients get 404")]
    NotAttached {
        /// The route.
        route: String,
        /// Why.
        why: String,
    },
    /// The target has no backend below it.
    #[error("{0} has no backends: there is nothing that nginx would connect to")]
    NoBackends(String),
    /// No route refers to the Service.
    #[error("no route refers to {0}: nginx never connects to it")]
    Unrouted(String),
    /// The Gateway is another controller's.
    #[error("{gateway} is not NGINX Gateway Fabric's: {why}")]
    NotNgf {
        /// The Gateway.
        gateway: String,
        /// Whose it is.
        why: String,
    },
    /// NGF answers for the backend.
    #[error("nginx would not connect to {service}: it answers 500, because {message} ({code})")]
    Refused {
        /// The Service and port.
        service: String,
        /// NGF's words.
        message: String,
        /// The finding's code.
        code: &'static str,
    },
    /// nginx cannot load the configuration.
    #[error("nginx never gets that far: {0}")]
    NeverLoaded(String),
    /// No endpoint.
    #[error("nginx has nowhere to connect to for {service}: {why}; clients get {status}")]
    NoEndpoints {
        /// The Service and port.
        service: String,
        /// Why.
        why: String,
        /// 503, or 502 where TLS is spoken.
        status: u16,
    },
    /// nginx does not speak to the backend in HTTP or TLS.
    #[error("{0}")]
    NotSpoken(String),
}

/// What there is to probe, and what there is not.
#[derive(Debug, Clone, Default)]
pub struct Planning {
    /// One for each endpoint of each backend, each connection once.
    pub plans: Vec<ProbePlan>,
    /// Backends for which there is none, and why.
    pub refused: Vec<(NodeIx, PlanError)>,
}

/// The connections that nginx would open for a target.
///
/// # Errors
/// One sentence, where there is none at all.
pub fn plan(snapshot: &Snapshot, target: &ProbeTarget) -> Result<Vec<ProbePlan>, PlanError> {
    let index = Index::of(snapshot);
    let topology = Topology::with(snapshot, &index);
    let planning = plan_all(snapshot, &index, &topology, target)?;
    match planning.refused.into_iter().next() {
        Some((_, why)) if planning.plans.is_empty() => Err(why),
        _ => Ok(planning.plans),
    }
}

/// The same, for one who has look-ups and tree already; says what was left out.
///
/// # Errors
/// One sentence, where the target does not exist or has no backends.
pub fn plan_all(
    snapshot: &Snapshot,
    index: &Index<'_>,
    topology: &Topology,
    target: &ProbeTarget,
) -> Result<Planning, PlanError> {
    planning(snapshot, index, topology, target, false)
}

/// As [`plan_all`], with the endpoints that are not ready beside those that are: nginx is not given
/// them, and a probe may show why they are not ready.
///
/// # Errors
/// One sentence, where the target does not exist or has no backends.
pub fn plan_every(snapshot: &Snapshot, target: &ProbeTarget) -> Result<Planning, PlanError> {
    let index = Index::of(snapshot);
    let topology = Topology::with(snapshot, &index);
    planning(snapshot, &index, &topology, target, true)
}

fn planning(
    snapshot: &Snapshot,
    index: &Index<'_>,
    topology: &Topology,
    target: &ProbeTarget,
    unready_too: bool,
) -> Result<Planning, PlanError> {
    let places = backends_of(snapshot, topology, target)?;
    let mut planner = Planner::new(snapshot, index, topology);
    planner.unready_too = unready_too;
    let mut planning = Planning::default();
    for (place, endpoint) in places {
        match planner.backend(place, endpoint) {
            Ok(plans) => planning.plans.extend(plans),
            Err(why) => planning.refused.push((place, why)),
        }
    }
    Ok(planning)
}

/// How nginx would speak to each backend of a target, whether or not there is an endpoint to speak
/// to: what the picture of the chain is drawn from.
///
/// # Errors
/// One sentence, where there is no such connection at all.
pub fn connections(
    snapshot: &Snapshot,
    index: &Index<'_>,
    topology: &Topology,
    target: &ProbeTarget,
) -> Result<Vec<Connection>, PlanError> {
    let places = backends_of(snapshot, topology, target)?;
    let mut planner = Planner::new(snapshot, index, topology);
    let mut first_error = None;
    let mut found: Vec<Connection> = Vec::new();
    for (place, _) in places {
        match planner.connection(place) {
            Ok((connection, _, _)) => found.push(connection),
            Err(why) => first_error = first_error.or(Some(why)),
        }
    }
    match first_error {
        Some(why) if found.is_empty() => Err(why),
        _ => Ok(found),
    }
}

/// How nginx would speak to a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The Gateway whose nginx it is.
    pub gateway: ObjectRef,
    /// The listener by which the route is reached: its Gateway or ListenerSet, and its name.
    pub listener: Option<(ObjectRef, String)>,
    /// The route.
    pub route: ObjectRef,
    /// The rule, from 0.
    pub rule: usize,
    /// The Service.
    pub service: ObjectRef,
    /// The Service's port.
    pub port: u16,
    /// How it speaks TLS; `None` for plain HTTP.
    pub tls: Option<PlannedTls>,
    /// The Host header that nginx passes on.
    pub host: String,
    /// A path that the rule meets.
    pub path: String,
    /// Why it is so, a sentence each.
    pub because: Vec<String>,
}

impl Connection {
    fn to(&self, endpoint: Endpoint) -> ProbePlan {
        ProbePlan {
            gateway: self.gateway.clone(),
            listener: self.listener.clone(),
            route: self.route.clone(),
            rule: self.rule,
            service: self.service.clone(),
            port: self.port,
            because: with_endpoint(&self.because, &endpoint),
            endpoint: PlannedEndpoint {
                address: endpoint.address,
                port: endpoint.port,
                pod: endpoint.pod,
            },
            tls: self.tls.clone(),
            host: self.host.clone(),
            path: self.path.clone(),
        }
    }
}

/// The backends that a target means, each with the endpoint where only one is meant.
fn backends_of(
    snapshot: &Snapshot,
    topology: &Topology,
    target: &ProbeTarget,
) -> Result<Vec<(NodeIx, Option<NodeIx>)>, PlanError> {
    let starts: Vec<NodeIx> = match target {
        ProbeTarget::Node(id) => vec![
            topology
                .find(id)
                .ok_or_else(|| PlanError::NodeGone(id.to_string()))?,
        ],
        ProbeTarget::Route(object) | ProbeTarget::Gateway(object) => {
            let places = whole_objects(topology, object);
            if places.is_empty() {
                return Err(missing(snapshot, object));
            }
            places
        }
        ProbeTarget::Service { service, port } => {
            return service_places(snapshot, topology, service, *port);
        }
    };
    let mut found = Vec::new();
    for start in &starts {
        if let What::Endpoint(_) | What::Policy { .. } = topology.node(*start).what
            && let Some(above) = topology.node(*start).parent
            && let What::Backend(_) = topology.node(above).what
        {
            let endpoint = matches!(topology.node(*start).what, What::Endpoint(_));
            found.push((above, endpoint.then_some(*start)));
            continue;
        }
        found.extend(
            topology
                .subtree(*start)
                .filter(|place| matches!(topology.node(*place).what, What::Backend(_)))
                .map(|place| (place, None)),
        );
    }
    // A route hangs under the group of unattached ones only where no listener takes it.
    if let Some(why) = starts.iter().find_map(|place| unattached(topology, *place)) {
        return Err(why);
    }
    if found.is_empty() {
        let name = target
            .object()
            .map_or_else(|| target.to_string(), ToString::to_string);
        return Err(PlanError::NoBackends(name));
    }
    Ok(found)
}

/// Places of the object itself, not of its listeners or rules, which stand below.
fn whole_objects(topology: &Topology, object: &ObjectRef) -> Vec<NodeIx> {
    topology
        .places(object)
        .iter()
        .copied()
        .filter(|place| {
            matches!(
                topology.node(*place).what,
                What::Gateway | What::Route { .. }
            )
        })
        .collect()
}

fn service_places(
    snapshot: &Snapshot,
    topology: &Topology,
    service: &ObjectRef,
    port: Option<u16>,
) -> Result<Vec<(NodeIx, Option<NodeIx>)>, PlanError> {
    let places: Vec<_> = topology
        .places(service)
        .iter()
        .filter(|place| match &topology.node(**place).what {
            What::Backend(backend) => port.is_none() || backend.port == port,
            _ => false,
        })
        .filter(|place| unattached(topology, **place).is_none())
        .map(|place| (*place, None))
        .collect();
    if !places.is_empty() {
        return Ok(places);
    }
    if !snapshot.services.contains_key(service) && topology.places(service).is_empty() {
        return Err(missing(snapshot, service));
    }
    let name = match port {
        Some(port) => format!("port {port} of {service}"),
        None => service.to_string(),
    };
    Err(PlanError::Unrouted(name))
}

fn missing(snapshot: &Snapshot, object: &ObjectRef) -> PlanError {
    match known::absence_is_proven(snapshot, object) {
        Ok(()) => PlanError::NoSuchObject(object.to_string()),
        Err(why) => PlanError::NotKnown(why),
    }
}

fn unattached(topology: &Topology, place: NodeIx) -> Option<PlanError> {
    let mut route = None;
    for above in std::iter::once(place).chain(topology.ancestors(place)) {
        let node = topology.node(above);
        match node.what {
            What::Route { .. } => route = Some(node),
            What::Group(Group::UnattachedRoutes) => {
                let route = route?;
                return Some(PlanError::NotAttached {
                    route: route.object.as_ref()?.to_string(),
                    why: route.note.clone().unwrap_or_default(),
                });
            }
            _ => {}
        }
    }
    None
}

struct Planner<'a> {
    snapshot: &'a Snapshot,
    index: &'a Index<'a>,
    topology: &'a Topology,
    unready_too: bool,
    rules: BTreeMap<(ObjectRef, usize), RuleDecision<'a>>,
    seen: BTreeSet<super::PlanKey>,
}

/// Where a backend stands: what is above it in the tree.
struct Place<'a> {
    gateway: &'a Object<Gateway>,
    listener: Option<(ObjectRef, String)>,
    passthrough: bool,
    route: &'a Object<Route>,
    hostnames: &'a [String],
    rule: usize,
}

impl<'a> Planner<'a> {
    fn new(snapshot: &'a Snapshot, index: &'a Index<'a>, topology: &'a Topology) -> Self {
        Self {
            snapshot,
            index,
            topology,
            unready_too: false,
            rules: BTreeMap::new(),
            seen: BTreeSet::new(),
        }
    }

    fn backend(
        &mut self,
        place: NodeIx,
        only: Option<NodeIx>,
    ) -> Result<Vec<ProbePlan>, PlanError> {
        let topology = self.topology;
        let (connection, service, port) = self.connection(place)?;
        if let Some(tls) = &connection.tls {
            self.loadable(tls)?;
        }
        let endpoints = match only.map(|place| &topology.node(place).what) {
            Some(What::Endpoint(endpoint)) => vec![endpoint.clone()],
            _ => self.ready_endpoints(service, port, connection.tls.is_some())?,
        };
        let plans: Vec<ProbePlan> = endpoints
            .into_iter()
            .map(|endpoint| connection.to(endpoint))
            .filter(|plan| self.seen.insert(plan.key()))
            .collect();
        Ok(plans)
    }

    fn connection(
        &mut self,
        place: NodeIx,
    ) -> Result<(Connection, &'a Object<Service>, &'a ServicePort), PlanError> {
        let node = self.topology.node(place);
        let What::Backend(backend) = &node.what else {
            return Err(PlanError::NoBackends(node.name.clone()));
        };
        let at = self.place(place)?;
        not_spoken(&at)?;
        let (decision, rule) = self.decision(&at, backend)?;
        let label = match (&decision.service, backend.port) {
            (Some(service), Some(port)) => format!("{service}:{port}"),
            _ => node.name.clone(),
        };
        let mut because = vec![how_reached(&at)];
        let tls = self.tls(&at, &decision, &rule, &label, &mut because)?;
        let Some((service, port)) = decision.port else {
            return Err(PlanError::NotSpoken(format!(
                "{label} is no Service: nginx speaks plain HTTP to it"
            )));
        };
        let (host, host_why) = host(&at, service, tls.as_ref());
        because.push(host_why);
        let path = at
            .route
            .spec
            .rules
            .get(at.rule)
            .map_or_else(|| "/".to_owned(), |rule| rule.path.clone());
        let connection = Connection {
            gateway: at.gateway.reference.clone(),
            listener: at.listener,
            route: at.route.reference.clone(),
            rule: at.rule,
            service: service.reference.clone(),
            port: port.port,
            tls,
            host,
            path,
            because,
        };
        Ok((connection, service, port))
    }

    fn place(&self, place: NodeIx) -> Result<Place<'a>, PlanError> {
        if let Some(why) = unattached(self.topology, place) {
            return Err(why);
        }
        let (mut listener_name, mut owner, mut route, mut rule) = (None, None, None, 0);
        let mut hostnames: &[String] = &[];
        let mut gateway = None;
        for above in self.topology.ancestors(place) {
            let node = self.topology.node(above);
            match &node.what {
                What::Rule { index } => rule = *index,
                What::Route { hostnames: hosts } => {
                    route = node.object.as_ref();
                    hostnames = hosts;
                }
                What::Listener { name } => {
                    listener_name = Some(name.clone());
                    owner = node.object.as_ref();
                }
                What::Gateway => gateway = node.object.as_ref(),
                _ => {}
            }
        }
        let gone = || PlanError::NodeGone(self.topology.node(place).id.to_string());
        let gateway = gateway
            .and_then(|name| self.snapshot.gateways.get(name))
            .ok_or_else(gone)?;
        self.is_ngf(gateway)?;
        let route = route
            .and_then(|name| self.snapshot.routes.get(name))
            .ok_or_else(gone)?;
        Ok(Place {
            gateway,
            passthrough: self.passthrough(owner, listener_name.as_deref()),
            listener: owner.cloned().zip(listener_name),
            route,
            hostnames,
            rule,
        })
    }

    fn is_ngf(&self, gateway: &Object<Gateway>) -> Result<(), PlanError> {
        let class = ObjectRef::new(Kind::GatewayClass, "", &gateway.spec.class);
        let why = match self.snapshot.gateway_classes.get(&class) {
            Some(class) if is_ngf_controller(&class.spec.controller_name) => return Ok(()),
            Some(other) => format!("{class} is {}'s", other.spec.controller_name),
            None if known::absence_is_proven(self.snapshot, &class).is_err() => return Ok(()),
            None => format!("there is no {class}"),
        };
        Err(PlanError::NotNgf {
            gateway: gateway.reference.to_string(),
            why,
        })
    }

    fn passthrough(&self, owner: Option<&ObjectRef>, name: Option<&str>) -> bool {
        let listeners = owner.and_then(|owner| match owner.kind {
            Kind::Gateway => self
                .snapshot
                .gateways
                .get(owner)
                .map(|gateway| &gateway.spec.listeners),
            _ => self
                .snapshot
                .listener_sets
                .get(owner)
                .map(|set| &set.spec.listeners),
        });
        listeners.into_iter().flatten().any(|listener| {
            Some(listener.name.as_str()) == name
                && listener.tls_mode.as_deref() == Some("Passthrough")
        })
    }

    fn decision(
        &mut self,
        at: &Place<'a>,
        backend: &Backend,
    ) -> Result<(BackendDecision<'a>, RuleDecision<'a>), PlanError> {
        let key = (at.route.reference.clone(), at.rule);
        let gone = || PlanError::NodeGone(at.route.reference.to_string());
        if !self.rules.contains_key(&key) {
            let rule = at.route.spec.rules.get(at.rule).ok_or_else(gone)?;
            let decision = decide_rule(self.snapshot, self.index, at.route, at.rule, rule);
            self.rules.insert(key.clone(), decision);
        }
        let rule = self.rules.get(&key).ok_or_else(gone)?;
        let decision = rule
            .backends
            .iter()
            .find(|candidate| {
                candidate.service == backend.service
                    && candidate.reference.target.port == backend.port
                    && candidate.filter == backend.filter
            })
            .ok_or_else(gone)?;
        Ok((decision.clone(), rule.clone()))
    }

    fn tls(
        &self,
        at: &Place<'a>,
        decision: &BackendDecision<'a>,
        rule: &RuleDecision<'a>,
        label: &str,
        because: &mut Vec<String>,
    ) -> Result<Option<PlannedTls>, PlanError> {
        if rule.mismatch {
            return Err(PlanError::Refused {
                service: label.to_owned(),
                message: "the backends of the rule have different TLS policies".to_owned(),
                code: "NGF-R1",
            });
        }
        let spilled = || {
            rule.backends
                .iter()
                .filter(|backend| !backend.filter)
                .find_map(|backend| match &backend.state {
                    BackendState::Tls { policy, trust, .. } => Some((*policy, trust)),
                    _ => None,
                })
                .filter(|_| rule.spills && !decision.filter)
        };
        let (policy, trust) = match &decision.state {
            BackendState::Invalid(fault) => {
                return Err(PlanError::Refused {
                    service: label.to_owned(),
                    message: fault.message.clone(),
                    code: fault.code,
                });
            }
            BackendState::Unknown(why) => {
                return Err(PlanError::NotKnown(format!(
                    "how nginx speaks to {label} is not known: {why}"
                )));
            }
            BackendState::Plain => match spilled() {
                None => {
                    because.push(format!(
                        "nginx speaks plain HTTP to {label}: no BackendTLSPolicy takes effect on it."
                    ));
                    return Ok(None);
                }
                Some(tls) => {
                    because.push(format!(
                        "no BackendTLSPolicy takes effect on {label}, but {} does on another backend of this rule, and NGF renders one https:// for all of them (NGF-R2).",
                        tls.0.reference
                    ));
                    tls
                }
            },
            BackendState::Tls {
                policy,
                trust,
                doubt,
            } => {
                because.push(format!("{} takes effect on {label}.", policy.reference));
                if let Some(doubt) = doubt {
                    because.push(format!(
                        "Whether NGF takes the policy is not known: {doubt}."
                    ));
                }
                (*policy, trust)
            }
        };
        if limit_reached(at.gateway, policy) {
            because.push(format!(
                "{} has too many ancestors for {}: nginx speaks plain HTTP here (NGF-P14).",
                policy.reference, at.gateway.reference
            ));
            return Ok(None);
        }
        because.push(format!(
            "nginx checks the backend's certificate against {trust}, to a depth of {}, and its name against {}.",
            ngf::VERIFY_DEPTH, policy.spec.hostname
        ));
        Ok(Some(PlannedTls {
            hostname: policy.spec.hostname.clone(),
            policy: policy.reference.clone(),
            trust: trust.clone(),
            client_certificate: self.client_certificate(at, because),
        }))
    }

    /// P8: a TLS Secret without `ca.crt` passes NGF, and nginx cannot load the empty bundle.
    fn loadable(&self, tls: &PlannedTls) -> Result<(), PlanError> {
        let TrustSource::Object { object, .. } = &tls.trust else {
            return Ok(());
        };
        if object.kind == Kind::Secret
            && let Lookup::Found(secret) = known::secret(self.snapshot, object)
            && secret.spec.ca == PemFacts::Missing
        {
            return Err(PlanError::NeverLoaded(format!(
                "{object}, which {} names, has no ca.crt, and nginx refuses the empty bundle with the whole configuration (NGF-P8)",
                tls.policy
            )));
        }
        Ok(())
    }

    fn client_certificate(&self, at: &Place<'a>, because: &mut Vec<String>) -> Option<ObjectRef> {
        let gateway = &at.gateway.reference;
        if at.route.reference.kind == Kind::GRPCRoute {
            because.push(
                "nginx presents no client certificate: NGF renders none for GRPCRoutes (NGF-R9)."
                    .to_owned(),
            );
            return None;
        }
        let (sentence, secret) = match client_certificate(self.snapshot, at.gateway) {
            ClientCertificate::None => (
                format!("nginx presents no client certificate: {gateway} names none."),
                None,
            ),
            ClientCertificate::Presented(secret) => (
                format!("nginx presents the certificate of {secret}, as {gateway} says."),
                Some(secret),
            ),
            ClientCertificate::Refused { message, code, .. } => (
                format!(
                    "nginx presents no client certificate: NGF does not take the one of {gateway}: {message} ({code})."
                ),
                None,
            ),
            ClientCertificate::Unknown { secret, why } => (
                format!(
                    "{gateway} names {secret} as its client certificate; whether NGF takes it is not known: {why}."
                ),
                Some(secret),
            ),
        };
        because.push(sentence);
        secret
    }

    fn ready_endpoints(
        &self,
        service: &Object<Service>,
        port: &ServicePort,
        encrypted: bool,
    ) -> Result<Vec<Endpoint>, PlanError> {
        let ready: Vec<_> = self
            .index
            .endpoints(service, port)
            .into_iter()
            .filter(|endpoint| endpoint.ready || self.unready_too)
            .collect();
        if !ready.is_empty() {
            return Ok(ready);
        }
        let label = format!("{}:{}", service.reference, port.port);
        let why = self.index.why_none_ready(service, port);
        let slices = ObjectRef::new(Kind::EndpointSlice, &service.reference.namespace, "*");
        match known::absence_is_proven(self.snapshot, &slices) {
            Err(unknown) if why == NoEndpoints::NoSlices => Err(PlanError::NotKnown(format!(
                "the endpoints of {label} are not known: {}",
                known::kind_is_known(self.snapshot, Kind::EndpointSlice)
                    .err()
                    .unwrap_or(unknown)
            ))),
            _ => Err(PlanError::NoEndpoints {
                service: label,
                why: no_endpoints(&why, service),
                status: if encrypted { 502 } else { 503 },
            }),
        }
    }
}

/// The Host header that nginx passes on (`createBaseProxySetHeaders`, `generateProxySetHeaders`),
/// and why it is that.
fn host(at: &Place<'_>, service: &Object<Service>, tls: Option<&PlannedTls>) -> (String, String) {
    let rule = at.route.spec.rules.get(at.rule);
    if let Some(host) = rule.and_then(|rule| rule.rewrite_hostname.as_ref()) {
        let why = format!("A URLRewrite filter sets the Host header to {host}.");
        return (host.clone(), why);
    }
    if let Some(name) = &service.spec.external_name
        && service.spec.service_type == "ExternalName"
    {
        let why = format!("The Host header is the ExternalName's own name, {name}.");
        return (name.clone(), why);
    }
    match at.hostnames.first() {
        Some(host) if host.starts_with("*.") => {
            let host = host.replacen('*', "any", 1);
            let why = format!(
                "nginx passes the client's Host header on; {host} stands for the route's wildcard."
            );
            (host, why)
        }
        Some(host) => (
            host.clone(),
            format!("nginx passes the client's Host header on: {host}."),
        ),
        None => {
            let host = tls.map_or_else(
                || format!("{}.{}", service.reference.name, service.reference.namespace),
                |tls| tls.hostname.trim_start_matches("*.").to_owned(),
            );
            let why = format!(
                "nginx passes the client's Host header on; the route takes any, so {host} stands for it."
            );
            (host, why)
        }
    }
}

fn how_reached(at: &Place<'_>) -> String {
    match &at.listener {
        Some((owner, name)) => format!(
            "{} takes {} by listener {name} of {owner}.",
            at.gateway.reference, at.route.reference
        ),
        None => format!("{} takes {}.", at.gateway.reference, at.route.reference),
    }
}

fn with_endpoint(because: &[String], endpoint: &Endpoint) -> Vec<String> {
    let mut because = because.to_vec();
    let address = host_and_port(&endpoint.address, endpoint.port);
    because.push(match (&endpoint.pod, endpoint.ready) {
        (_, false) => format!("{address} is not ready: nginx is not given it."),
        (Some(pod), true) => {
            format!("nginx connects to {address}, the address of {pod}, not to the Service's.")
        }
        (None, true) => format!("nginx connects to {address}."),
    });
    because
}

/// R11, R13: nginx passes bytes on, and what is said in them is between the client and the backend.
fn not_spoken(at: &Place<'_>) -> Result<(), PlanError> {
    let route = &at.route.reference;
    match route.kind {
        Kind::TCPRoute | Kind::UDPRoute => Err(PlanError::NotSpoken(format!(
            "nginx passes the bytes of {route} on unread: it speaks neither HTTP nor TLS to the backend, and no BackendTLSPolicy is consulted"
        ))),
        Kind::TLSRoute if at.passthrough => Err(PlanError::NotSpoken(format!(
            "{route} is on a Passthrough listener: the TLS is between the client and the backend, and nginx takes no part in it"
        ))),
        _ => Ok(()),
    }
}

/// P14: NGF says so in the Gateway's conditions, with the policies' names.
fn limit_reached(gateway: &Object<Gateway>, policy: &Object<BackendTLSPolicy>) -> bool {
    gateway.spec.conditions.iter().any(|condition| {
        condition.reason == "AncestorLimitReached"
            && condition
                .message
                .split([' ', ','])
                .any(|word| word == policy.reference.path())
    })
}

fn no_endpoints(why: &NoEndpoints, service: &Object<Service>) -> String {
    match why {
        NoEndpoints::NoSlices if service.spec.selector.is_empty() => {
            "the Service has no selector, and nobody wrote EndpointSlices for it".to_owned()
        }
        NoEndpoints::NoSlices => "there is no EndpointSlice for the Service".to_owned(),
        NoEndpoints::NoSuchPort { name, found } => format!(
            "its EndpointSlices have no port named {name:?} but {}: the Service's targetPort names no port of the pods",
            found.join(", ")
        ),
        NoEndpoints::NoneReady(1) => "its only endpoint is not ready".to_owned(),
        NoEndpoints::NoneReady(count) => format!("none of its {count} endpoints is ready"),
        NoEndpoints::NoAddresses => "no pod meets its selector".to_owned(),
    }
}
