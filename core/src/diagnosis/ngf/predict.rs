//! The conditions that NGF would set, from the objects alone (`status/prepare_requests.go`,
//! `state/conditions/conditions.go`), and where the status of the cluster says something else: the
//! controller is down, is behind, or does not see what this tool sees.
//!
//! What depends on more than the objects tell is left out: a condition that is not predicted is no
//! claim that NGF would not set it.

mod attachment;
mod gateway;
mod listener_set;
mod policy;
mod route;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub(in crate::diagnosis) use self::policy::MOST_ANCESTORS;
use super::Predicted;
use crate::{
    diagnosis::{
        context::Context,
        evidence::Evidence,
        words::{condition, condition_text},
    },
    model::{
        attachment::parent_of,
        index::Index,
        kind::Kind,
        kinds::LocalRef,
        object::{Condition, ObjectRef},
        snapshot::Snapshot,
        status::{ListenerStatus, ParentStatus},
        topology::{Topology, is_ngf_controller},
    },
};

/// A condition that NGF would set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictedCondition {
    /// Of a route the parent, of a policy the ancestor that it is about; `None` of a Gateway or
    /// ListenerSet.
    pub parent: Option<ObjectRef>,
    /// `sectionName` of the parentRef in the route's status; of a Gateway or ListenerSet the listener.
    pub section: Option<String>,
    /// The condition.
    pub condition: Predicted,
}

/// A condition that is another than NGF would set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What NGF would set.
    pub predicted: PredictedCondition,
    /// What the object says; `None` where it has no condition of the type.
    pub reported: Option<Condition>,
}

impl std::fmt::Display for Predicted {
    /// `False/Invalid "The GatewayClass is invalid"`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} \"{}\"", self.status, self.reason, self.message)
    }
}

impl Difference {
    /// What the object says, as conditions are written here.
    pub fn reported_text(&self) -> String {
        self.reported
            .as_ref()
            .map_or_else(|| "no such condition".to_owned(), condition_text)
    }

    /// Whether the object says that all is well, or nothing, where NGF would complain.
    pub fn hides_a_fault(&self) -> bool {
        self.predicted.condition.status != "True"
            && self
                .reported
                .as_ref()
                .is_none_or(|reported| reported.status == "True")
    }
}

/// The conditions that NGF would set on a Gateway, route or BackendTLSPolicy; none for other kinds.
///
/// Works out the whole snapshot first: where a [`Diagnosis`](crate::diagnosis::Diagnosis) is at hand,
/// its differences cost nothing.
pub fn predicted(snapshot: &Snapshot, object: &ObjectRef) -> Vec<PredictedCondition> {
    with_predictor(snapshot, |predictor| predictor.of(object))
}

/// The conditions that NGF would set on every Gateway, ListenerSet, route and BackendTLSPolicy of a snapshot.
pub fn predicted_all(snapshot: &Snapshot) -> BTreeMap<ObjectRef, Vec<PredictedCondition>> {
    with_predictor(snapshot, |predictor| {
        predictor
            .objects()
            .map(|object| (object.clone(), predictor.of(object)))
            .collect()
    })
}

fn with_predictor<T>(snapshot: &Snapshot, run: impl FnOnce(&Predictor<'_, '_>) -> T) -> T {
    let index = Index::of(snapshot);
    let topology = Topology::with(snapshot, &index);
    let evidence = Evidence::none();
    let context = Context::new(
        snapshot,
        &evidence,
        Timestamp::UNIX_EPOCH,
        &index,
        &topology,
    );
    run(&Predictor::new(&context))
}

/// Every object whose status is another than NGF would write; none in files, where people write no
/// status.
pub(in crate::diagnosis) fn differences(
    context: &Context<'_>,
) -> BTreeMap<ObjectRef, Vec<Difference>> {
    if context.is_files() {
        return BTreeMap::new();
    }
    let predictor = Predictor::new(context);
    let objects: Vec<&ObjectRef> = predictor.objects().collect();
    let found = context.snapshot.in_threads(&objects, |object| {
        let predicted = predictor.of(object).into_iter();
        let differing = predicted.filter_map(|one| difference(context, object, one));
        differing.collect::<Vec<Difference>>()
    });
    let of_objects = objects.into_iter().cloned().zip(found);
    of_objects.filter(|(_, found)| !found.is_empty()).collect()
}

/// The listeners in files that NGF will refuse, because of others on the same port or by themselves, with the object that
/// has each, and the condition; none of an object that has a status, which says it.
pub(in crate::diagnosis) fn refused_listeners(
    context: &Context<'_>,
) -> Vec<(ObjectRef, String, Predicted)> {
    if !context.is_files() {
        return Vec::new();
    }
    let release = context.running.release;
    let sets = &context.snapshot.listener_sets;
    let mut found = Vec::new();
    for (name, (gateway, certificate)) in &context.gateways {
        let decided = gateway::decide(context, gateway, certificate);
        // In files no class has a status: what is said of the listeners is true if NGF takes the Gateway.
        let listeners = match decided.valid {
            None => super::decide_listeners(context.snapshot, release, gateway),
            Some(_) => decided.listeners,
        };
        let own = Some((*name, listeners.own.as_slice()));
        let own = own.filter(|_| gateway.status.listeners.is_empty());
        let of_sets = listeners.sets.iter().filter(|(set, _)| {
            sets.get(*set)
                .is_some_and(|set| set.status.listeners.is_empty())
        });
        let of_sets = of_sets.map(|(set, listeners)| (set, listeners.as_slice()));
        for (owner, listeners) in own.into_iter().chain(of_sets) {
            for listener in listeners {
                let conditions = listener.conditions(release).into_iter();
                let conflicts = conditions.filter(|condition| {
                    let by_itself = condition.kind == "Accepted"
                        && condition.status == "False"
                        && (matches!(condition.reason, "UnsupportedValue" | "UnsupportedProtocol")
                            // Of what a reference leads to NGF-L7 tells.
                            || condition.message.starts_with("tls.certificateRefs: "));
                    condition.kind == "Conflicted" && condition.status == "True" || by_itself
                });
                found.extend(
                    conflicts.map(|condition| (owner.clone(), listener.name.clone(), condition)),
                );
            }
        }
    }
    found
}

/// Works out conditions; holds what several objects need.
struct Predictor<'c, 'a> {
    context: &'c Context<'a>,
    gateways_of_service: policy::GatewaysOfService<'a>,
    /// The policies that have no place in their status for a Gateway, by the Gateway.
    left_out: BTreeMap<&'a ObjectRef, Vec<&'a ObjectRef>>,
    /// The policies that an older one wins against somewhere.
    losers: std::collections::BTreeSet<&'a ObjectRef>,
    restrictions: BTreeMap<&'a ObjectRef, Vec<crate::model::attachment::Restriction>>,
    /// What NGF makes of each of its Gateways.
    decisions: BTreeMap<&'a ObjectRef, gateway::GatewayDecision>,
}

impl<'c, 'a> Predictor<'c, 'a> {
    fn new(context: &'c Context<'a>) -> Self {
        let decisions = context
            .gateways
            .iter()
            .map(|(name, (found, certificate))| {
                (*name, gateway::decide(context, found, certificate))
            })
            .collect();
        let gateways_of_service = policy::gateways_of_services(context, &decisions);
        Self {
            context,
            left_out: policy::left_out(context, &gateways_of_service),
            gateways_of_service,
            losers: policy::losers(context),
            restrictions: route::restrictions(context),
            decisions,
        }
    }

    /// What NGF writes a status of.
    fn objects(&self) -> impl Iterator<Item = &'a ObjectRef> + use<'a, '_, 'c> {
        let gateways = self.context.gateways.keys().copied();
        let sets = self.context.snapshot.listener_sets.keys();
        let routes = self.context.snapshot.routes.keys();
        let policies = self.context.policies.keys().copied();
        gateways.chain(sets).chain(routes).chain(policies)
    }

    fn of(&self, object: &ObjectRef) -> Vec<PredictedCondition> {
        match object.kind {
            Kind::Gateway => gateway::predict(self, object),
            Kind::ListenerSet => listener_set::predict(self, object),
            Kind::BackendTLSPolicy => policy::predict(self, object),
            _ => match self.context.snapshot.routes.get(object) {
                Some(found) => route::predict(self, found),
                None => Vec::new(),
            },
        }
    }
}

/// Reasons that a prediction of that type can come to; of others this tool knows nothing, and
/// claims nothing.
fn is_modelled(object: Kind, kind: &str, reason: &str) -> bool {
    let reasons: &[&str] = match (object, kind) {
        (Kind::Gateway | Kind::ListenerSet, "Accepted") => &[
            "Accepted",
            "Pending",
            "InvalidCertificateRef",
            "ListenersNotValid",
            "NotAllowed",
            "RefNotPermitted",
        ],
        (Kind::Gateway | Kind::ListenerSet, "Programmed") => &["Programmed", "Pending"],
        (Kind::Gateway, "ResolvedRefs") => &[
            "ResolvedRefs",
            "InvalidClientCertificateRef",
            "InvalidCertificateRef",
            "RefNotPermitted",
        ],
        (Kind::ListenerSet, "ResolvedRefs") => {
            &["ResolvedRefs", "InvalidCertificateRef", "RefNotPermitted"]
        }
        (Kind::BackendTLSPolicy, "Accepted") => {
            &["Accepted", "Invalid", "NoValidCACertificate", "Conflicted"]
        }
        (Kind::BackendTLSPolicy, "ResolvedRefs") => {
            &["ResolvedRefs", "InvalidCACertificateRef", "InvalidKind"]
        }
        (_, "Accepted") => &[
            "Accepted",
            "Pending",
            "NoMatchingParent",
            "NotAllowedByListeners",
            "NoMatchingListenerHostname",
            "InvalidListener",
        ],
        (_, "ResolvedRefs") => &[
            "ResolvedRefs",
            "Pending",
            "BackendNotFound",
            "RefNotPermitted",
            "InvalidKind",
            "UnsupportedValue",
            "UnsupportedProtocol",
        ],
        _ => &[],
    };
    reasons.contains(&reason)
}

fn difference(
    context: &Context<'_>,
    object: &ObjectRef,
    predicted: PredictedCondition,
) -> Option<Difference> {
    let reported = reported(context.snapshot, object, &predicted)?;
    let wanted = &predicted.condition;
    if !is_modelled(object.kind, wanted.kind, wanted.reason) {
        return None;
    }
    let reported = condition(reported, wanted.kind).cloned();
    if let Some(reported) = &reported {
        // The last of several faults of a route is the one that its condition names.
        let reasons_count = reported.status != "True" && wanted.kind != "ResolvedRefs";
        let same = reported.status == wanted.status
            && (!reasons_count || reported.reason == wanted.reason);
        if same || !is_modelled(object.kind, wanted.kind, &reported.reason) {
            return None;
        }
    }
    // Good news may be left out; not by a Gateway whose reference NGF is to look at.
    let of_gateway = object.kind == Kind::Gateway && predicted.section.is_none();
    if reported.is_none() && wanted.status == "True" && !of_gateway {
        return None;
    }
    Some(Difference {
        predicted,
        reported,
    })
}

/// What the object says where NGF would say this; `None` where NGF has written nothing there, which
/// S8 tells.
fn reported<'s>(
    snapshot: &'s Snapshot,
    object: &ObjectRef,
    predicted: &PredictedCondition,
) -> Option<&'s [Condition]> {
    let namespace = &object.namespace;
    let of_parent = |all: &'s [ParentStatus]| {
        all.iter()
            .filter(|status| is_ngf_controller(&status.controller_name))
            .find(|status| meets(&status.parent, namespace, predicted))
            .map(|status| status.conditions.as_slice())
    };
    let of_listener = |all: &'s [ListenerStatus]| {
        let found = all
            .iter()
            .find(|status| Some(&status.name) == predicted.section.as_ref());
        found.map(|status| status.conditions.as_slice())
    };
    let conditions = match object.kind {
        Kind::Gateway => {
            let gateway = &snapshot.gateways.get(object)?.status;
            match predicted.section {
                Some(_) => of_listener(&gateway.listeners),
                None => Some(gateway.conditions.as_slice()),
            }
        }
        Kind::ListenerSet => {
            let set = &snapshot.listener_sets.get(object)?.status;
            match predicted.section {
                Some(_) => of_listener(&set.listeners),
                None => Some(set.conditions.as_slice()),
            }
        }
        Kind::BackendTLSPolicy => of_parent(&snapshot.policies.get(object)?.status.ancestors),
        _ => of_parent(&snapshot.routes.get(object)?.status.parents),
    };
    conditions.filter(|conditions| !conditions.is_empty())
}

fn meets(reference: &LocalRef, namespace: &str, predicted: &PredictedCondition) -> bool {
    parent_of(reference, namespace) == predicted.parent
        && (reference.section_name == predicted.section
            // Other implementations of the same cluster's past, and releases to come, may leave it out.
            || reference.section_name.is_none())
}
