//! ListenerSets (`state/graph/listenerset.go`, `PrepareListenerSetRequests`).

use super::{Predicted, PredictedCondition, Predictor};
use crate::model::{attachment::takes_listener_set, object::ObjectRef, topology::gateway_of};

pub(super) fn predict(predictor: &Predictor<'_, '_>, name: &ObjectRef) -> Vec<PredictedCondition> {
    let context = predictor.context;
    let release = context.running.release;
    let Some(set) = context.snapshot.listener_sets.get(name) else {
        return Vec::new();
    };
    let parent = gateway_of(set);
    let (Some((gateway, _)), Some(decision)) = (
        context.gateways.get(&parent),
        predictor.decisions.get(&parent),
    ) else {
        return Vec::new();
    };
    if !release.knows_listener_sets() {
        return Vec::new();
    }
    let whole = |condition| PredictedCondition {
        parent: None,
        section: None,
        condition,
    };
    let refused = |reason, programmed, message: String| {
        [("Accepted", reason), ("Programmed", programmed)]
            .map(|(kind, reason)| {
                whole(Predicted {
                    kind,
                    status: "False",
                    reason,
                    message: message.clone(),
                })
            })
            .to_vec()
    };
    match decision.valid {
        None => return Vec::new(),
        Some(false) => {
            return refused(
                "ParentNotAccepted",
                "ParentNotProgrammed",
                format!("Parent Gateway {} is not accepted", parent.path()),
            );
        }
        Some(true) => {}
    }
    match takes_listener_set(gateway, name) {
        None => return Vec::new(),
        Some(false) => {
            return refused(
                "NotAllowed",
                "NotAllowed",
                format!(
                    "ListenerSet is not allowed by parent Gateway {} AllowedListeners configuration",
                    parent.path()
                ),
            );
        }
        Some(true) => {}
    }
    let listeners = decision
        .listeners
        .sets
        .get(name)
        .map_or(&[][..], Vec::as_slice);
    let mut all = Vec::new();
    if !listeners.iter().any(|listener| listener.valid.is_none()) {
        if listeners
            .iter()
            .any(|listener| listener.valid == Some(true))
        {
            for (kind, message) in [
                ("Accepted", "The ListenerSet is accepted"),
                ("Programmed", "The ListenerSet is programmed"),
            ] {
                all.push(whole(Predicted {
                    kind,
                    status: "True",
                    reason: kind,
                    message: message.to_owned(),
                }));
            }
        } else {
            all = refused(
                "ListenersNotValid",
                "ListenersNotValid",
                "All listeners are invalid".to_owned(),
            );
        }
    }
    for listener in listeners {
        all.extend(
            listener
                .conditions(release)
                .into_iter()
                .map(|condition| PredictedCondition {
                    parent: None,
                    section: Some(listener.name.clone()),
                    condition,
                }),
        );
    }
    all
}
