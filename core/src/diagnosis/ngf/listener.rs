//! Whether NGF takes the listeners of a Gateway, and of the ListenerSets on it
//! (`state/graph/gateway_listener.go`, `state/graph/listenerset.go`).

mod conflicts;
mod validate;

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Predicted, Release, known};
use crate::model::{
    attachment::takes_listener_set,
    kind::Kind,
    kinds::{Gateway, Listener, ListenerSet, LocalRef},
    object::{Object, ObjectRef},
    raw::Raw,
    snapshot::Snapshot,
    topology::gateway_of,
};

/// What NGF makes of a listener.
#[derive(Debug, Clone)]
pub struct ListenerDecision {
    /// `name`.
    pub name: String,
    /// `port`.
    pub port: u16,
    /// Whether nginx listens; `None` where something that decides is not known.
    pub valid: Option<bool>,
    /// Whether routes can attach, which they can to many an invalid listener.
    pub attachable: bool,
    /// What its status says, where that is known: one condition of a type, but for the defaults.
    conditions: Vec<Predicted>,
}

/// The listeners of a Gateway, and of the ListenerSets that it takes.
#[derive(Debug, Clone, Default)]
pub struct ListenerDecisions {
    /// The Gateway's own, in its order.
    pub own: Vec<ListenerDecision>,
    /// Those of each ListenerSet that the Gateway takes.
    pub sets: BTreeMap<ObjectRef, Vec<ListenerDecision>>,
}

/// What decides about the listeners of a Gateway.
struct Surroundings<'a> {
    snapshot: &'a Snapshot,
    release: Release,
    /// The namespace of the Gateway.
    namespace: &'a str,
    /// What NginxProxies the Gateway and its class name; `None` where one of them is not known.
    proxies: Option<Vec<&'a Raw>>,
    gateway: &'a Object<Gateway>,
}

/// A listener while it is decided on.
struct Draft<'a> {
    listener: &'a Listener,
    /// As the API server gave it.
    raw: &'a Value,
    /// The kind of the object that it is in, which a ReferenceGrant names, and its namespace.
    owner: (Kind, &'a str),
    valid: bool,
    known: bool,
    attachable: bool,
    conditions: Vec<Predicted>,
}

/// Decides on the listeners of a Gateway that is valid itself, then on those of the sets that it
/// takes, the oldest first: each sees those before it.
fn decide(
    surroundings: &Surroundings<'_>,
    gateway: &Object<Gateway>,
    sets: &[&Object<ListenerSet>],
) -> ListenerDecisions {
    let mut conflicts = conflicts::Conflicts::new(surroundings.release);
    let mut own = drafts(
        &gateway.spec.listeners,
        &gateway.raw,
        (Kind::Gateway, surroundings.namespace),
    );
    for index in 0..own.len() {
        validate::validate(surroundings, &mut own[index]);
        conflicts.resolve(&mut own, index, false);
        validate::references(surroundings, &mut own[index]);
    }
    let mut found = BTreeMap::new();
    let mut before = own;
    let count = before.len();
    for set in sets {
        let from = before.len();
        before.extend(drafts(
            &set.spec.listeners,
            &set.raw,
            (Kind::ListenerSet, &set.reference.namespace),
        ));
        for index in from..before.len() {
            validate::validate(surroundings, &mut before[index]);
            conflicts.resolve(&mut before, index, true);
            validate::references(surroundings, &mut before[index]);
        }
        found.insert(set.reference.clone(), from..before.len());
    }
    let decided: Vec<ListenerDecision> = before.iter().map(Draft::decide).collect();
    ListenerDecisions {
        own: decided[..count].to_vec(),
        sets: found
            .into_iter()
            .map(|(set, range)| (set, decided[range].to_vec()))
            .collect(),
    }
}

fn drafts<'a>(listeners: &'a [Listener], raw: &'a Raw, owner: (Kind, &'a str)) -> Vec<Draft<'a>> {
    const NONE: &Value = &Value::Null;
    let given = raw.pointer("/spec/listeners").and_then(Value::as_array);
    listeners
        .iter()
        .enumerate()
        .map(|(index, listener)| Draft {
            listener,
            raw: given.and_then(|given| given.get(index)).unwrap_or(NONE),
            owner,
            valid: true,
            known: true,
            attachable: true,
            conditions: Vec::new(),
        })
        .collect()
}

impl ListenerDecisions {
    /// Why NGF refuses a listener of the Gateway, or of a ListenerSet on it; `None` where it does not, or
    /// it is unknown.
    pub fn refusal(&self, owner: &ObjectRef, name: &str) -> Option<&str> {
        let listeners = match owner.kind {
            Kind::ListenerSet => self.sets.get(owner)?,
            _ => &self.own,
        };
        let found = listeners.iter().find(|found| found.name == name)?;
        let said = |kind: &str| found.conditions.iter().find(|said| said.kind == kind);
        let why = said("Accepted").or_else(|| said("ResolvedRefs"));
        why.filter(|_| found.valid == Some(false))
            .map(|said| said.message.as_str())
    }
}

/// What NGF makes of the listeners of a Gateway, if it takes the Gateway itself.
pub fn decide_listeners(
    snapshot: &Snapshot,
    release: Release,
    gateway: &Object<Gateway>,
) -> ListenerDecisions {
    let mut sets: Vec<&Object<ListenerSet>> = Vec::new();
    if release.knows_listener_sets() {
        sets = snapshot
            .listener_sets
            .values()
            .map(|set| &**set)
            .filter(|set| gateway_of(set) == gateway.reference)
            .filter(|set| takes_listener_set(gateway, &set.reference) == Some(true))
            .collect();
        sets.sort_by_key(|set| (set.meta.created, &set.reference));
    }
    let surroundings = Surroundings {
        snapshot,
        release,
        namespace: &gateway.reference.namespace,
        proxies: proxies(snapshot, gateway),
        gateway,
    };
    decide(&surroundings, gateway, &sets)
}

/// The NginxProxies that count; `None` where one of them is not known.
fn proxies<'a>(snapshot: &'a Snapshot, gateway: &Object<Gateway>) -> Option<Vec<&'a Raw>> {
    let class = ObjectRef::new(Kind::GatewayClass, "", &gateway.spec.class);
    let class = snapshot.gateway_classes.get(&class);
    let of_class = class.and_then(|class| class.spec.parameters_ref.as_ref());
    let mut all = Vec::new();
    for reference in gateway.spec.parameters_ref.iter().chain(of_class) {
        let name = proxy_name(gateway, reference);
        match snapshot.ngf.get(&name) {
            Some(proxy) => all.push(&*proxy.raw),
            None => known::absence_is_proven(snapshot, &name).ok()?,
        }
    }
    Some(all)
}

/// The NginxProxy that a reference of a Gateway or its class means.
pub(super) fn proxy_name(gateway: &Object<Gateway>, reference: &LocalRef) -> ObjectRef {
    let own = &gateway.reference.namespace;
    let namespace = reference.namespace.as_deref().unwrap_or(own);
    ObjectRef::new(Kind::NginxProxy, namespace, &reference.name)
}

impl Draft<'_> {
    fn say(
        &mut self,
        kind: &'static str,
        status: &'static str,
        reason: &'static str,
        message: &str,
    ) {
        self.conditions.push(Predicted {
            kind,
            status,
            reason,
            message: message.to_owned(),
        });
    }

    /// `NewListenerUnsupportedValue`.
    fn unsupported(&mut self, message: &str) {
        self.valid = false;
        self.say("Accepted", "False", "UnsupportedValue", message);
        self.say("Programmed", "False", "Invalid", message);
    }

    fn hostname(&self) -> Option<&str> {
        self.listener.hostname.as_deref()
    }

    fn refs(&self) -> &[LocalRef] {
        &self.listener.certificate_refs
    }

    fn decide(&self) -> ListenerDecision {
        let mut conditions = self.conditions.clone();
        // Of several of a type the last one counts.
        let mut index = 0;
        while index < conditions.len() {
            let kind = conditions[index].kind;
            if conditions[index + 1..]
                .iter()
                .any(|later| later.kind == kind)
            {
                conditions.remove(index);
            } else {
                index += 1;
            }
        }
        ListenerDecision {
            name: self.listener.name.clone(),
            port: self.listener.port,
            valid: self.known.then_some(self.valid),
            attachable: self.attachable,
            conditions,
        }
    }
}

impl ListenerDecision {
    /// What its status says (`NewDefaultListenerConditions` and what was found); empty where something
    /// that decides is not known.
    pub fn conditions(&self, release: Release) -> Vec<Predicted> {
        let Some(valid) = self.valid else {
            return Vec::new();
        };
        let mut all = self.conditions.clone();
        if !valid {
            return all;
        }
        let has = |all: &[Predicted], kind: &str| all.iter().any(|found| found.kind == kind);
        let default = |kind, status, reason, message: &str| Predicted {
            kind,
            status,
            reason,
            message: message.to_owned(),
        };
        all.push(default(
            "Accepted",
            "True",
            "Accepted",
            "The Listener is accepted",
        ));
        all.push(default(
            "Programmed",
            "True",
            "Programmed",
            "The Listener is programmed",
        ));
        if !(release.keeps_unresolved_listener_refs() && has(&all, "ResolvedRefs")) {
            all.retain(|found| found.kind != "ResolvedRefs");
            all.push(default(
                "ResolvedRefs",
                "True",
                "ResolvedRefs",
                "All references are resolved",
            ));
        }
        if !has(&all, "Conflicted") && !has(&all, "OverlappingTLSConfig") {
            all.push(default(
                "Conflicted",
                "False",
                "NoConflicts",
                "No conflicts",
            ));
        }
        all
    }
}
