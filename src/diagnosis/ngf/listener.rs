//! Whether NGF takes the listeners of a Gateway, and of the ListenerSets on it
//! (`state/graph/gateway_listener.go`, `state/graph/listenerset.go`).

mod conflicts;
mod validate;

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Predicted, Release};
use crate::model::{
    kind::Kind,
    kinds::{Gateway, Listener, ListenerSet, LocalRef},
    object::{Object, ObjectRef},
    raw::Raw,
    snapshot::Snapshot,
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
pub(super) struct Surroundings<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) release: Release,
    /// The namespace of the Gateway.
    pub(super) namespace: &'a str,
    /// What NginxProxies the Gateway and its class name; `None` where one of them is not known.
    pub(super) proxies: Option<Vec<&'a Raw>>,
    /// `spec.tls.frontend` is set.
    pub(super) frontend: bool,
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
pub(super) fn decide(
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
