//! What a rule may look at: the snapshot, what was measured, and what NGF makes of it, worked out
//! once.

mod indexes;
mod listeners;
mod managed;
mod policies;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::Timestamp;

use super::{
    clock::Clock,
    elsewhere::{Elsewhere, REFERRING},
    evidence::{Evidence, Probed},
    finding::Mark,
    joined::{self, Joined},
    mounted::{self, Mounted, Selectable},
    ngf::{
        Answer, BackendDecision, ClientCertificate, Difference, PolicyDecision, RuleDecision,
        Running, Written, client_certificate, decide_policy, predict, refused,
    },
    rules::payload_processor,
};
use crate::model::{
    index::Index,
    kind::Kind,
    kinds::{BackendTLSPolicy, Gateway, ListenerSet, Route, RouteRule, Service},
    object::{Object, ObjectRef},
    references::references,
    snapshot::{Snapshot, Source},
    topology::{Group, NodeKind, Topology},
    versions::Versions,
};
use crate::nginx_config::InPod;

use indexes::writers;

pub use managed::is_ngf;

/// ListenerSets, each with its name.
type ListenerSets<'a> = Vec<(&'a ObjectRef, &'a Object<ListenerSet>)>;

/// What a rule may look at.
pub struct Context<'a> {
    /// The objects.
    pub snapshot: &'a Snapshot,
    /// What was measured.
    pub evidence: &'a Evidence,
    /// The moment that is judged.
    pub now: Clock,
    /// The release of NGF that decides.
    pub running: Running,
    /// All that is known, of which [`Context::snapshot`] may be a part.
    cluster: &'a Snapshot,
    /// Kinds of which a rule looked at all objects.
    wide: Mutex<BTreeSet<Kind>>,
    /// What rules ask of the rest of the cluster.
    elsewhere: &'a Elsewhere,
    /// Names of which a rule asked whether an object has them.
    names: Mutex<BTreeSet<ObjectRef>>,
    /// Whether one did.
    has_asked: AtomicBool,
    /// Whether a rule needs an object that the part does not hold.
    is_cut: AtomicBool,
    /// Look-ups.
    pub index: &'a Index<'a>,
    /// The tree.
    pub topology: &'a Topology,
    /// NGF's Gateways, each with the client certificate that its nginx presents.
    pub gateways: BTreeMap<&'a ObjectRef, (&'a Object<Gateway>, ClientCertificate)>,
    /// What NGF makes of each policy, were it used.
    pub policies: BTreeMap<&'a ObjectRef, (&'a Object<BackendTLSPolicy>, PolicyDecision)>,
    /// Every rule of every route that one of NGF's Gateways takes.
    pub rules: Vec<RuleInUse<'a>>,
    /// For each Gateway that takes a rule: its rules, as indices into [`Context::rules`].
    by_gateway: HashMap<&'a ObjectRef, Vec<usize>>,
    /// The CA bundles that NGF writes for each of its Gateways.
    written: HashMap<&'a ObjectRef, Written>,
    /// Objects whose status is another than NGF would write.
    pub differences: BTreeMap<ObjectRef, Vec<Difference>>,
    /// Probes of connections that nginx would still open as it was tried, but for those of
    /// [`Context::unfit`].
    pub probes: Vec<&'a Probed>,
    /// Probes from data-plane pods from which every handshake fails with endpoints that another place gets
    /// through to, each with the pod: what they show is that pod's fault, and not the endpoint's.
    pub unfit: Vec<(ObjectRef, &'a Probed)>,
    /// What logs say, joined to the connections that it is about.
    pub logs: Vec<Joined<'a>>,
    /// The versions of the objects, worked out once.
    versions: OnceLock<Versions>,
    /// What the pods of each Service mount, worked out once for each that is asked for.
    mounted: Mutex<HashMap<ObjectRef, Arc<[Mounted]>>>,
    /// The Secrets that backends with TLS mount, worked out once.
    secrets_of_backends: OnceLock<BTreeSet<(ObjectRef, ObjectRef)>>,
    /// The Secrets that may be a server's, by namespace and the Service that they are for, worked out once.
    pub serving: OnceLock<HashMap<(String, String), Vec<ObjectRef>>>,
    /// The Gateways whose nginx cannot load the CA file of a policy, worked out once.
    pub refusing: OnceLock<BTreeSet<ObjectRef>>,
    /// ListenerSets by the Gateway that they name.
    listener_sets: OnceLock<HashMap<ObjectRef, ListenerSets<'a>>>,
    /// Pods and workloads by namespace and label.
    selectable: OnceLock<Selectable<'a>>,
    /// For each Service that a rule refers to: the rules, as indices into [`Context::rules`].
    pub service_users: HashMap<ObjectRef, Vec<usize>>,
    /// The Services that rules refer to, by their bare name.
    pub services_by_name: HashMap<String, BTreeSet<ObjectRef>>,
    /// The policies that an older one wins against somewhere.
    pub losers: BTreeSet<&'a ObjectRef>,
    /// The policies in use by the Secret or ConfigMap that they trust.
    trusting: HashMap<ObjectRef, Vec<&'a Object<BackendTLSPolicy>>>,
    /// The cert-manager Certificates by the Secret that they write.
    writers: HashMap<ObjectRef, &'a ObjectRef>,
    /// For each policy that takes effect on a backend in use: the rules, as indices into
    /// [`Context::rules`], with the backend's index.
    pub policy_users: BTreeMap<&'a ObjectRef, Vec<(usize, usize)>>,
    /// The policies of [`Context::policies_in_use`].
    in_use: HashSet<&'a ObjectRef>,
    /// The policies for backends of PayloadProcessors, with the Gateways whose nginx connects to these.
    inspecting: BTreeMap<&'a ObjectRef, BTreeSet<&'a ObjectRef>>,
}

/// What a part of a cluster stands in.
pub(super) struct Surroundings<'a> {
    /// All that is known.
    pub(super) cluster: &'a Snapshot,
    /// What the other parts answer.
    pub(super) elsewhere: &'a Elsewhere,
    /// The release of NGF that decides.
    pub(super) running: Running,
}

/// What rules asked beyond the objects that they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// Kinds of which they looked at all objects.
    pub(super) wide: BTreeSet<Kind>,
    /// Names of which they asked whether an object has them.
    pub(super) names: BTreeSet<ObjectRef>,
    /// Whether they asked for [`Elsewhere`].
    pub(super) elsewhere: bool,
    /// Whether they needed an object that was not there.
    pub(super) is_cut: bool,
    /// From when on, in seconds since 1970, the answer may be another.
    pub(super) until: i64,
}

impl Asked {
    /// Adds what was asked elsewhere, too. Until when the one holds is not what the other says.
    pub(super) fn add(&mut self, other: &Self) {
        self.wide.extend(&other.wide);
        self.names.extend(other.names.iter().cloned());
        self.elsewhere |= other.elsewhere;
        self.is_cut = false;
    }
}

/// A rule that one of NGF's Gateways takes.
pub struct RuleInUse<'a> {
    /// Its route.
    pub route: &'a Object<Route>,
    /// From 0.
    pub index: usize,
    /// Itself.
    pub rule: &'a RouteRule,
    /// What NGF makes of its backends.
    pub decision: RuleDecision<'a>,
    /// The Gateways that take the route.
    pub gateways: BTreeSet<&'a ObjectRef>,
}

impl<'a> Context<'a> {
    /// Works out what NGF makes of a snapshot.
    pub fn new(
        snapshot: &'a Snapshot,
        evidence: &'a Evidence,
        now: Timestamp,
        index: &'a Index<'a>,
        topology: &'a Topology,
    ) -> Self {
        let whole = Surroundings {
            cluster: snapshot,
            elsewhere: Elsewhere::NOTHING,
            running: Running::of(snapshot),
        };
        Self::within(whole, snapshot, evidence, now, index, topology)
    }

    /// The same for a part of a cluster.
    pub(super) fn within(
        surroundings: Surroundings<'a>,
        snapshot: &'a Snapshot,
        evidence: &'a Evidence,
        now: Timestamp,
        index: &'a Index<'a>,
        topology: &'a Topology,
    ) -> Self {
        let Surroundings {
            cluster,
            elsewhere,
            running,
        } = surroundings;
        let release = running.release;
        let gateways: BTreeMap<_, _> = snapshot
            .gateways
            .iter()
            .filter(|(_, gateway)| is_ngf(snapshot, gateway))
            .map(|(name, gateway)| {
                (
                    name,
                    (&**gateway, client_certificate(snapshot, release, gateway)),
                )
            })
            .collect();
        let policies: Vec<(&ObjectRef, &Object<BackendTLSPolicy>)> = snapshot
            .policies
            .iter()
            .map(|(name, policy)| (name, &**policy))
            .collect();
        let decide = |(name, policy): &(&'a ObjectRef, &'a Object<BackendTLSPolicy>)| {
            (*name, (*policy, decide_policy(snapshot, release, policy)))
        };
        let policies = snapshot.in_threads(&policies, decide).into_iter().collect();
        let mut context = Self {
            snapshot,
            evidence,
            now: Clock::at(now),
            running,
            cluster,
            wide: Mutex::default(),
            names: Mutex::default(),
            elsewhere,
            has_asked: AtomicBool::new(false),
            is_cut: AtomicBool::new(false),
            index,
            topology,
            gateways,
            policies,
            rules: Vec::new(),
            by_gateway: HashMap::new(),
            written: HashMap::new(),
            policy_users: BTreeMap::new(),
            in_use: HashSet::new(),
            inspecting: BTreeMap::new(),
            service_users: HashMap::new(),
            services_by_name: HashMap::new(),
            losers: BTreeSet::new(),
            trusting: HashMap::new(),
            writers: writers(snapshot),
            probes: Vec::new(),
            unfit: Vec::new(),
            logs: joined::join(snapshot, index, topology, evidence),
            mounted: Mutex::default(),
            secrets_of_backends: OnceLock::new(),
            selectable: OnceLock::new(),
            listener_sets: OnceLock::new(),
            serving: OnceLock::new(),
            refusing: OnceLock::new(),
            versions: OnceLock::new(),
            differences: BTreeMap::new(),
        };
        (context.probes, context.unfit) = context.current_probes();
        context.rules = context.rules_in_use();
        for (place, rule) in context.rules.iter().enumerate() {
            for gateway in &rule.gateways {
                context.by_gateway.entry(*gateway).or_default().push(place);
            }
        }
        context.written = context.written();
        context.policy_users = context.users();
        context.inspecting = payload_processor::policies(&context);
        context.in_use = context.policies_in_use().collect();
        context.index_services();
        context.trusting = context.trusting();
        context.differences = predict::differences(&context);
        context
    }

    /// What clients of a Gateway get for the backends of a rule that NGF refuses.
    pub fn answer(&self, rule: &RuleInUse<'a>, gateway: &ObjectRef) -> Option<Answer> {
        let (found, _) = self.gateways.get(gateway)?;
        let written = self.written.get(gateway)?;
        let kind = rule.route.reference.kind;
        Some(refused::answer(found, kind, &rule.decision, written))
    }

    /// The rules whose location names a CA file that NGF does not write for the Gateway, so that nginx
    /// refuses the Gateway's configuration.
    pub fn unloadable(&self, gateway: &ObjectRef) -> impl Iterator<Item = &RuleInUse<'a>> {
        self.rules_of(gateway).filter(move |rule| {
            matches!(self.answer(rule, gateway), Some(Answer::NotLoaded { .. }))
        })
    }

    /// The rules that a Gateway takes.
    pub fn rules_of(&self, gateway: &ObjectRef) -> impl Iterator<Item = &RuleInUse<'a>> + Clone {
        let places = self.by_gateway.get(gateway).into_iter().flatten();
        places.map(|place| &self.rules[*place])
    }

    /// All that is known of the cluster, for a rule that looks at every object of these kinds, whether or not anything
    /// ties it to what is judged.
    pub fn cluster(&self, kinds: &[Kind]) -> &'a Snapshot {
        locked(&self.wide).extend(kinds);
        self.cluster
    }

    /// The Secrets and ConfigMaps that anything refers to.
    pub fn references(&self) -> BTreeSet<ObjectRef> {
        references(self.cluster(REFERRING))
    }

    /// Whether an object of the cluster has a name, or something refers to it that was looked up.
    pub fn is_taken(&self, object: &ObjectRef) -> bool {
        locked(&self.names).insert(object.clone());
        match object.kind {
            Kind::ConfigMap => self.cluster.config_maps.contains_key(object),
            Kind::Secret => self.cluster.secrets.contains_key(object),
            _ => self.cluster.contains(object),
        }
    }

    /// Says that a rule uses objects that it found in [`Context::cluster`].
    pub fn look_at(&self, objects: &[ObjectRef]) {
        let is_missing =
            |object: &ObjectRef| self.cluster.contains(object) && !self.snapshot.contains(object);
        if objects.iter().any(is_missing) {
            self.is_cut.store(true, Ordering::Relaxed);
        }
    }

    /// What rules ask of the rest of the cluster.
    pub fn elsewhere(&self) -> &'a Elsewhere {
        self.has_asked.store(true, Ordering::Relaxed);
        self.elsewhere
    }

    /// What became of it: what was asked beyond the part, and until when the answers hold.
    pub(super) fn asked(&self) -> Asked {
        Asked {
            wide: locked(&self.wide).clone(),
            names: locked(&self.names).clone(),
            elsewhere: self.has_asked.load(Ordering::Relaxed),
            is_cut: self.is_cut.load(Ordering::Relaxed),
            until: self.now.until(),
        }
    }

    /// The rules that refer to a Service.
    pub fn rules_using(&self, service: &ObjectRef) -> impl Iterator<Item = &RuleInUse<'a>> {
        let places = self.service_users.get(service).into_iter().flatten();
        places.map(|place| &self.rules[*place])
    }

    /// The cert-manager Certificate that writes a Secret.
    pub fn writer(&self, secret: &ObjectRef) -> Option<&'a ObjectRef> {
        self.writers.get(secret).copied()
    }

    /// The clients of a route, or those of them whose requests go to the Service, where the rule splits its
    /// requests among several backends.
    pub fn clients(&self, route: &ObjectRef, rule: usize, service: &ObjectRef) -> String {
        let mut rules = self.rules_using(service);
        let found = rules.find(|found| found.route.reference == *route && found.index == rule);
        let share = found.map_or(0, |found| {
            let backends = found.decision.backends.iter();
            backends.filter(|one| one.reference.weight != 0).count()
        });
        if share > 1 {
            format!("clients of {route} whose requests go to {service}")
        } else {
            format!("clients of {route}")
        }
    }

    /// What the pods of a Service mount.
    pub fn mounted(&self, service: &Object<Service>) -> Arc<[Mounted]> {
        if let Some(known) = locked(&self.mounted).get(&service.reference) {
            return Arc::clone(known);
        }
        let selectable = self
            .selectable
            .get_or_init(|| Selectable::of(self.snapshot));
        let mounted: Arc<[Mounted]> = selectable.mounted(service).into();
        let mut known = locked(&self.mounted);
        known.insert(service.reference.clone(), Arc::clone(&mounted));
        mounted
    }

    /// The Secrets that the pods of backends with TLS mount.
    pub fn secrets_of_backends(&self) -> &BTreeSet<(ObjectRef, ObjectRef)> {
        self.secrets_of_backends
            .get_or_init(|| mounted::secrets_of_backends(self))
    }

    /// Whether the snapshot comes from files: what is not in it may exist all the same, and what
    /// people write has no status.
    pub fn is_files(&self) -> bool {
        matches!(self.snapshot.source, Source::Files { .. })
    }

    /// The first of these objects that has changed since nginx's configuration was read from a pod.
    pub fn changed_since<'o>(
        &self,
        in_pod: &InPod,
        objects: impl Iterator<Item = &'o ObjectRef>,
    ) -> Option<&'o ObjectRef> {
        let now = self.versions.get_or_init(|| Versions::of(self.snapshot));
        in_pod.versions.first_changed(now, objects)
    }

    /// Whether an object is old enough for a controller to have looked at it.
    pub fn is_settled(&self, created: Option<Timestamp>) -> bool {
        created.is_none_or(|created| self.now.is_after(created.as_second() + SETTLE_SECONDS))
    }

    /// Routes that no listener takes, with the reason.
    pub fn unattached(&self) -> impl Iterator<Item = (&'a ObjectRef, &'a str)> {
        self.topology
            .roots()
            .iter()
            .map(|root| self.topology.node(*root))
            .filter(|node| matches!(node.what, NodeKind::Group(Group::UnattachedRoutes)))
            .flat_map(|node| &node.children)
            .map(|child| self.topology.node(*child))
            .filter_map(|node| Some((node.object.as_ref()?, node.note.as_deref()?)))
    }
}

/// What one thread after the other may change. A thread that panics has left nothing half done in these sets.
fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a controller may take to look at a new object, in seconds.
const SETTLE_SECONDS: i64 = 30;

impl RuleInUse<'_> {
    /// The mark of this rule.
    pub fn mark(&self) -> Mark {
        Mark::Rule {
            route: self.route.reference.clone(),
            index: self.index,
        }
    }
}

impl BackendDecision<'_> {
    /// The mark of this backend, where it is a Service.
    pub fn mark(&self) -> Option<Mark> {
        self.service.as_ref().map(|service| Mark::Backend {
            service: service.clone(),
            port: self.reference.target.port,
        })
    }

    /// `Service app/secure-app:8443`.
    pub fn label(&self) -> String {
        let port = self
            .reference
            .target
            .port
            .map_or_else(String::new, |port| format!(":{port}"));
        match &self.service {
            Some(service) => format!("{service}{port}"),
            None => format!("{}{port}", self.reference.target.name),
        }
    }
}
