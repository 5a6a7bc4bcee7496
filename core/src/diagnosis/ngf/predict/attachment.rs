//! Which listeners a route attaches to by a parentRef, and what NGF says where it does not
//! (`validateParentRef`, `findAttachableListeners`, `tryToAttachL7RouteToListeners`).

use super::{Predicted, Predictor};
use crate::{
    diagnosis::ngf::ListenerDecision,
    model::{
        attachment::{Restriction, accepted_hostnames, parent_of, takes_listener_set},
        kind::Kind,
        kinds::{Listener, LocalRef, Route},
        object::{Object, ObjectRef},
        topology::gateway_of,
    },
};

/// How NGF answers one parentRef.
pub(super) struct Attachment {
    /// The Gateway or ListenerSet.
    pub(super) parent: ObjectRef,
    /// Its Gateway.
    pub(super) gateway: ObjectRef,
    /// `sectionName` in the route's status, which is there for a parent with one listener even where
    /// the parentRef names none (`removeDuplicateIndexParentRefs`).
    pub(super) section: Option<String>,
    /// `None` where something that decides is not known.
    pub(super) outcome: Option<AttachmentOutcome>,
}

/// What comes of a parentRef.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttachmentOutcome {
    Attached,
    NoMatchingParent,
    NotAllowed,
    HostnamesDoNotMatch,
    /// No listener that it means is valid, whether or not the route attaches to one.
    InvalidListener {
        attached: bool,
    },
    InvalidListenerSet,
}

impl AttachmentOutcome {
    pub(super) fn condition(self) -> Predicted {
        let (reason, message) = match self {
            Self::Attached => ("Accepted", "The Route is accepted"),
            Self::NoMatchingParent => (
                "NoMatchingParent",
                "The Listener is not found for this parent ref",
            ),
            Self::NotAllowed => (
                "NotAllowedByListeners",
                "The Route is not allowed by any listener",
            ),
            Self::HostnamesDoNotMatch => (
                "NoMatchingListenerHostname",
                "The Listener hostname does not match the Route hostnames",
            ),
            Self::InvalidListener { .. } => (
                "InvalidListener",
                "The Listener is invalid for this parent ref",
            ),
            Self::InvalidListenerSet => ("InvalidListenerSet", "The ListenerSet is invalid"),
        };
        Predicted {
            kind: "Accepted",
            status: if self == Self::Attached {
                "True"
            } else {
                "False"
            },
            reason,
            message: message.to_owned(),
        }
    }
}

/// The listeners of a parent: as they are written, as NGF decided on them, and what they allow.
struct Parent<'p> {
    name: &'p ObjectRef,
    listeners: &'p [Listener],
    decisions: &'p [ListenerDecision],
    restrictions: &'p [Restriction],
}

/// How NGF answers a parentRef; `None` where it writes nothing, or what it writes is unknown.
pub(super) fn of(
    predictor: &Predictor<'_, '_>,
    route: &Object<Route>,
    reference: &LocalRef,
) -> Option<Attachment> {
    let context = predictor.context;
    let name = parent_of(reference, &route.reference.namespace)?;
    let is_set = name.kind == Kind::ListenerSet;
    let set = context.snapshot.listener_sets.get(&name).filter(|_| is_set);
    let gateway = if is_set {
        gateway_of(set?)
    } else {
        name.clone()
    };
    let (found, _) = context.gateways.get(&gateway)?;
    let decision = predictor.decisions.get(&gateway)?;
    if is_set && !context.running.release.knows_listener_sets() {
        return None;
    }
    decision.valid?;
    let (listeners, decisions): (&[Listener], &[ListenerDecision]) = match set {
        Some(set) => {
            takes_listener_set(found, &name)?;
            let decisions = decision
                .listeners
                .sets
                .get(&name)
                .map_or(&[][..], Vec::as_slice);
            (&set.spec.listeners, decisions)
        }
        None => (&found.spec.listeners, &decision.listeners.own),
    };
    let parent = Parent {
        name: &name,
        // A Gateway or ListenerSet that NGF does not take has no listeners.
        listeners: if decisions.is_empty() { &[] } else { listeners },
        decisions,
        restrictions: predictor
            .restrictions
            .get(&name)
            .map_or(&[][..], Vec::as_slice),
    };
    if is_layer4(route.reference.kind) && has_rival(predictor, route, &name) {
        return None;
    }
    let (section, outcome) = parent.answer(route, reference)?;
    Some(Attachment {
        parent: name.clone(),
        gateway,
        section,
        outcome,
    })
}

fn is_layer4(kind: Kind) -> bool {
    matches!(kind, Kind::TLSRoute | Kind::TCPRoute | Kind::UDPRoute)
}

/// Whether another route may have taken the listener first (`bindToListenerL4`).
fn has_rival(predictor: &Predictor<'_, '_>, route: &Object<Route>, parent: &ObjectRef) -> bool {
    let mut others = predictor.context.snapshot.routes.values();
    others.any(|other| {
        other.reference != route.reference
            && is_layer4(other.reference.kind)
            && other.spec.parent_refs.iter().any(|reference| {
                parent_of(reference, &other.reference.namespace).as_ref() == Some(parent)
            })
    })
}

impl Parent<'_> {
    /// The status's `sectionName`, and what comes of it; `None` where NGF writes no status.
    fn answer(
        &self,
        route: &Object<Route>,
        reference: &LocalRef,
    ) -> Option<(Option<String>, Option<AttachmentOutcome>)> {
        if reference.section_name.is_some() || reference.port.is_some() {
            let outcome = self.outcome(route, reference.section_name.as_deref(), reference.port);
            return Some((reference.section_name.clone(), outcome));
        }
        let names: Vec<&str> = self
            .decisions
            .iter()
            .map(|found| found.name.as_str())
            .collect();
        let (first, others) = names.split_first()?;
        let outcomes: Vec<Option<AttachmentOutcome>> = names
            .iter()
            .map(|name| self.outcome(route, Some(name), None))
            .collect();
        let section = others.is_empty().then(|| (*first).to_owned());
        let attached = |outcome: &&Option<AttachmentOutcome>| {
            matches!(
                outcome,
                Some(
                    AttachmentOutcome::Attached
                        | AttachmentOutcome::InvalidListener { attached: true }
                )
            )
        };
        let outcome = if outcomes.contains(&None) {
            None
        } else {
            outcomes
                .iter()
                .rfind(attached)
                .copied()
                .unwrap_or(outcomes[0])
        };
        Some((section, outcome))
    }

    fn outcome(
        &self,
        route: &Object<Route>,
        section: Option<&str>,
        port: Option<u16>,
    ) -> Option<AttachmentOutcome> {
        let meant: Vec<usize> = match section {
            Some(section) => {
                let named = self
                    .decisions
                    .iter()
                    .position(|found| found.name == section);
                let named = named
                    .filter(|index| port.is_none_or(|port| self.decisions[*index].port == port));
                named.into_iter().collect()
            }
            None => (0..self.decisions.len())
                .filter(|index| Some(self.decisions[*index].port) == port)
                .collect(),
        };
        if meant.is_empty() {
            return Some(AttachmentOutcome::NoMatchingParent);
        }
        let is_set = self.name.kind == Kind::ListenerSet;
        if is_set
            && self
                .decisions
                .iter()
                .all(|found| found.valid == Some(false))
        {
            return Some(AttachmentOutcome::InvalidListenerSet);
        }
        let attachable: Vec<usize> = meant
            .into_iter()
            .filter(|index| self.decisions[*index].attachable)
            .collect();
        if attachable.is_empty() {
            return Some(AttachmentOutcome::InvalidListener { attached: false });
        }
        self.bind(route, &attachable)
    }

    fn bind(&self, route: &Object<Route>, attachable: &[usize]) -> Option<AttachmentOutcome> {
        let (mut allowed, mut attached) = (false, Vec::new());
        for &index in attachable {
            let listener = &self.listeners[index];
            let restriction = self.restrictions.get(index).cloned().unwrap_or_default();
            if !restriction.allows_namespace(
                listener,
                &route.reference.namespace,
                &self.name.namespace,
            )? || !restriction.allows_kind(listener, route.reference.kind)
            {
                continue;
            }
            allowed = true;
            let hosts = accepted_hostnames(listener.hostname.as_deref(), &route.spec.hostnames);
            if hosts.is_some() {
                attached.push(self.decisions[index].valid);
            }
        }
        Some(match (allowed, attached.as_slice()) {
            (false, _) => AttachmentOutcome::NotAllowed,
            (true, []) => AttachmentOutcome::HostnamesDoNotMatch,
            (true, valid) if valid.contains(&Some(true)) => AttachmentOutcome::Attached,
            (true, valid) if valid.contains(&None) => return None,
            (true, _) => AttachmentOutcome::InvalidListener { attached: true },
        })
    }
}
