//! Listeners in files that NGF refuses, because of each other or by themselves. On a cluster their conditions say so.

use std::collections::BTreeMap;

use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Mark, Remedy, Severity},
        ngf::{Predicted, predict},
        words::{count, list},
    },
    model::object::ObjectRef,
};

/// Adds a finding for the listeners of an object that NGF refuses for the same reason.
pub(super) fn refused(context: &Context<'_>, findings: &mut Findings) {
    let mut alike: BTreeMap<(ObjectRef, String), Vec<(String, Predicted)>> = BTreeMap::new();
    for (owner, listener, condition) in predict::refused_listeners(context) {
        let key = (owner, condition.message.clone());
        alike.entry(key).or_default().push((listener, condition));
    }
    for ((owner, message), conflicting) in alike {
        let names = conflicting.iter().map(|(listener, _)| listener);
        let whom = match conflicting.len() {
            1 => format!("listener {}", list(names, 1)),
            many => format!("{} ({})", count(many, "listener"), list(names, 4)),
        };
        let conflict = conflicting
            .iter()
            .any(|(_, condition)| condition.kind == "Conflicted");
        let (why, remedy) = if conflict {
            (
                "they conflict on a port",
                "Give them ports of their own, or one protocol and host names that differ.",
            )
        } else {
            (&*message, "Correct what the message names.")
        };
        let title = format!("NGF refuses {whom} of {owner}: {why}");
        let mut finding = Finding::new(Code::S3, Severity::Error, &owner, title)
            .because("NGF leaves them out of the configuration of nginx.")
            .evidence("NGF says", &message, "predicted from the objects")
            .remedy(Remedy::say(remedy));
        finding.marks.clear();
        for (listener, _) in conflicting {
            finding = finding.mark(Mark::Listener {
                owner: owner.clone(),
                name: listener,
            });
        }
        findings.add(finding);
    }
}
