//! From a backend in the tree to the connection that nginx would open.

mod endpoint;
mod protocol;
mod refused;
mod tls;

pub(in crate::diagnosis) use protocol::all_h2c;
use protocol::protocol;
use std::collections::{BTreeMap, BTreeSet};

use ngf_tls::protocol::Protocol;

use super::places::unattached;
use super::{PlanError, PlannedEndpoint, PlannedTls, ProbePlan};
use crate::diagnosis::code::Code;
use crate::{
    diagnosis::{
        context::is_ngf,
        ngf::{
            Answer, BackendDecision, ListenerDecisions, Release, RuleDecision, Running, Written,
            cluster_ip::cluster_ip, decide_listeners, decide_rule, known, refused::lacks_resolver,
        },
        rules::route::has_one_backend,
    },
    model::{
        index::{Endpoint, Index},
        kind::Kind,
        kinds::{Gateway, Listener, Route, Service, ServicePort},
        object::{Object, ObjectRef},
        snapshot::Snapshot,
        topology::{Backend, NodeIx, NodeKind, Topology, is_ngf_controller},
    },
};

pub use endpoint::NAMES_ONLY;
pub(super) use endpoint::{host, how_reached, with_endpoint};

/// How nginx would speak to a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The Gateway whose nginx it is.
    pub gateway: ObjectRef,
    /// The listener by which the route is reached: its Gateway or ListenerSet, and its name.
    pub listener: Option<(ObjectRef, String)>,
    /// Whether clients speak TLS to it.
    pub https: bool,
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
    /// What nginx speaks over it.
    pub protocol: Protocol,
    /// The Host header that nginx passes on.
    pub host: String,
    /// A path that the rule meets.
    pub path: String,
    /// Why it is so, a sentence each.
    pub because: Vec<String>,
}

impl Connection {
    /// The same to an address that nobody but a log names.
    pub fn to_address(&self, address: String, port: u16) -> ProbePlan {
        self.to(Endpoint {
            address,
            port,
            ready: true,
            says_ready: true,
            terminating: false,
            pod: None,
            node: None,
        })
    }

    fn to(&self, endpoint: Endpoint) -> ProbePlan {
        ProbePlan {
            gateway: self.gateway.clone(),
            listener: self.listener.clone(),
            https: self.https,
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
            protocol: self.protocol,
            host: self.host.clone(),
            path: self.path.clone(),
        }
    }
}

pub(super) struct Planner<'a> {
    snapshot: &'a Snapshot,
    index: &'a Index<'a>,
    topology: &'a Topology,
    release: Release,
    /// Endpoints that are not ready are planned, too.
    pub(super) unready_too: bool,
    /// The most endpoints of one backend that are planned.
    pub(super) most_endpoints: usize,
    rules: BTreeMap<(ObjectRef, usize), RuleDecision<'a>>,
    /// What NGF makes of the listeners of each Gateway that was asked for.
    listeners: BTreeMap<ObjectRef, ListenerDecisions>,
    /// The CA bundles that NGF writes for each Gateway that was asked for.
    written: BTreeMap<ObjectRef, Written>,
    seen: BTreeSet<super::PlanKey>,
}

/// Where a backend stands: what is above it in the tree.
pub(super) struct Place<'a> {
    gateway: &'a Object<Gateway>,
    listener: Option<(ObjectRef, String)>,
    https: bool,
    passthrough: bool,
    route: &'a Object<Route>,
    hostnames: &'a [String],
    rule: usize,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        snapshot: &'a Snapshot,
        index: &'a Index<'a>,
        topology: &'a Topology,
    ) -> Self {
        Self {
            snapshot,
            index,
            topology,
            release: Running::of(snapshot).release,
            unready_too: false,
            most_endpoints: usize::MAX,
            rules: BTreeMap::new(),
            listeners: BTreeMap::new(),
            written: BTreeMap::new(),
            seen: BTreeSet::new(),
        }
    }

    pub(super) fn topology(&self) -> &'a Topology {
        self.topology
    }

    pub(super) fn backend(
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
            Some(NodeKind::Endpoint(endpoint)) => vec![Endpoint::clone(endpoint)],
            _ => match self.cluster_ip(&connection, service, port) {
                Some(endpoint) => vec![endpoint],
                None => {
                    let effect = match (connection.route.kind, &connection.tls) {
                        (Kind::TLSRoute, _) => "nginx closes the client's connection",
                        (_, Some(_)) => "clients get 502",
                        (_, None) => "clients get 503",
                    };
                    self.ready_endpoints(service, port, effect)?
                }
            },
        };
        let mut plans = Vec::new();
        for endpoint in endpoints {
            let plan = connection.to(endpoint);
            // One that is left out counts as seen, too: another route to it gains nothing by it.
            if self.seen.insert(plan.key()) && plans.len() < self.most_endpoints {
                plans.push(plan);
            }
        }
        Ok(plans)
    }

    pub(super) fn connection(
        &mut self,
        place: NodeIx,
    ) -> Result<(Connection, &'a Object<Service>, &'a ServicePort), PlanError> {
        let node = self.topology.node(place);
        let NodeKind::Backend(backend) = &node.what else {
            return Err(PlanError::NoBackends(node.name.to_string()));
        };
        let at = self.place(place)?;
        not_spoken(&at, self.release)?;
        self.not_read(&at)?;
        self.refused(&at)?;
        filter_refused(&at)?;
        let (decision, rule) = self.decision(&at, backend)?;
        let label = match (&decision.service, backend.port) {
            (Some(service), Some(port)) => format!("{service}:{port}"),
            _ => node.name.to_string(),
        };
        let mut because = vec![how_reached(&at)];
        let tls = self.tls(&at, &decision, &rule, &label, &mut because)?;
        let Some((service, port)) = decision.port else {
            return Err(PlanError::NotSpoken(format!(
                "{label} is not a Service: nginx speaks plain HTTP to it"
            )));
        };
        if lacks_resolver(self.snapshot, at.gateway, &decision) {
            let message = "the Service is an ExternalName, and the Gateway's NginxProxy names no DNS resolver";
            return Err(self.refuses(&at, &rule, &label, message, Code::R7));
        }
        let protocol = protocol(&at, self.release, &decision, &rule, &mut because);
        let (host, host_why) = host(&at, service, tls.as_ref());
        because.push(host_why);
        let path = at
            .route
            .spec
            .rules
            .get(at.rule)
            .map_or_else(|| "/".to_owned(), |rule| rule.path.clone());
        let kind = at.route.reference.kind;
        if cluster_ip(self.snapshot, self.release, at.gateway, kind, service, port).is_some() {
            because.push(
                "NGF gives nginx the Service's ClusterIP (useClusterIP): kube-proxy chooses the pod, and nginx does not retry another one."
                    .to_owned(),
            );
        }
        let connection = Connection {
            gateway: at.gateway.reference.clone(),
            listener: at.listener,
            https: at.https,
            route: at.route.reference.clone(),
            rule: at.rule,
            service: service.reference.clone(),
            port: port.port,
            tls,
            protocol,
            host,
            path,
            because,
        };
        Ok((connection, service, port))
    }

    /// Whether the route is reached through an object that this release does not read.
    fn not_read(&self, at: &Place<'_>) -> Result<(), PlanError> {
        let set = at.listener.as_ref().map(|(owner, _)| owner);
        match set.filter(|owner| owner.kind == Kind::ListenerSet) {
            Some(set) if !self.release.knows_listener_sets() => Err(PlanError::NotSpoken(format!(
                "NGF {} does not read {set}, so that nginx does not serve {} by it",
                self.release, at.route.reference
            ))),
            _ => Ok(()),
        }
    }

    /// Whether NGF refuses the listener by which the route is reached.
    fn refused(&mut self, at: &Place<'a>) -> Result<(), PlanError> {
        let Some((owner, name)) = &at.listener else {
            return Ok(());
        };
        let snapshot = self.snapshot;
        let gateway = at.gateway;
        let decided = self
            .listeners
            .entry(gateway.reference.clone())
            .or_insert_with(|| decide_listeners(snapshot, self.release, gateway));
        let Some(why) = decided.refusal(owner, name) else {
            return Ok(());
        };
        // What clients get depends on the other listeners of the port.
        Err(PlanError::NotSpoken(format!(
            "NGF refuses listener {name} of {owner}, so that nginx does not serve {} by it: {why}",
            at.route.reference
        )))
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
                NodeKind::Rule { index } => rule = *index,
                NodeKind::Route { hostnames: hosts } => {
                    route = node.object.as_ref();
                    hostnames = hosts;
                }
                NodeKind::Listener { name } => {
                    listener_name = Some(name.clone());
                    owner = node.object.as_ref();
                }
                NodeKind::Gateway => gateway = node.object.as_ref(),
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
        let listener = self.listener(owner, listener_name.as_deref());
        Ok(Place {
            gateway,
            passthrough: listener.is_some_and(|one| one.tls_mode.as_deref() == Some("Passthrough")),
            https: listener.is_some_and(|one| one.protocol == "HTTPS"),
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
            None if is_ngf(self.snapshot, gateway) => return Ok(()),
            None if known::absence_is_proven(self.snapshot, &class).is_err() => {
                format!(
                    "another controller has written the status of its routes, and {class} is not in the files"
                )
            }
            None => format!("there is no {class}"),
        };
        Err(PlanError::NotNgf {
            gateway: gateway.reference.to_string(),
            why,
        })
    }

    fn listener(&self, owner: Option<&ObjectRef>, name: Option<&str>) -> Option<&'a Listener> {
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
        listeners
            .into_iter()
            .flatten()
            .find(|listener| Some(listener.name.as_str()) == name)
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
            let decision = decide_rule(
                self.snapshot,
                self.index,
                self.release,
                at.route,
                at.rule,
                rule,
            );
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
}

/// R11, R13: nginx passes bytes on, and what is said in them is between the client and the backend.
pub(super) fn not_spoken(at: &Place<'_>, release: Release) -> Result<(), PlanError> {
    let route = &at.route.reference;
    match route.kind {
        Kind::TCPRoute | Kind::UDPRoute => Err(PlanError::NotSpoken(format!(
            "nginx passes the bytes of {route} on unread: it speaks neither HTTP nor TLS to the backend, and no BackendTLSPolicy is consulted"
        ))),
        Kind::TLSRoute if !has_one_backend(&at.route.spec) => Err(PlanError::NotSpoken(format!(
            "NGF accepts TLSRoutes with exactly one rule and one backend, and {route} has others: nginx closes the connections of its clients (NGF-R18)"
        ))),
        Kind::TLSRoute if at.passthrough => Err(PlanError::NotSpoken(format!(
            "{route} is on a Passthrough listener: the TLS is between the client and the backend, and nginx takes no part in it"
        ))),
        Kind::TLSRoute if !release.terminates_tls_routes() => Err(PlanError::NotSpoken(format!(
            "NGF {release} takes TLSRoutes on Passthrough listeners only, and {route} is on another"
        ))),
        _ => Ok(()),
    }
}

/// Whether NGF rejects a filter of the rule, as NGF reports itself: it renders 500 for the rule.
fn filter_refused(at: &Place<'_>) -> Result<(), PlanError> {
    let rule = format!("rules[{}].", at.rule);
    let mut conditions = at
        .route
        .status
        .parents
        .iter()
        .flat_map(|parent| &parent.conditions);
    let found = conditions.find(|condition| {
        condition.status == "False"
            && condition.reason == "InvalidFilter"
            && condition.message.contains(&rule)
    });
    found.map_or(Ok(()), |condition| {
        Err(PlanError::Refused {
            answer: Box::new(Answer::Status500),
            service: format!("the backends of {}", at.route.reference),
            message: condition.message.clone(),
            code: Code::S4,
        })
    })
}
