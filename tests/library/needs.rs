//! What rules say that they need is what they need: a finding that is gone where something is hidden names it.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::scenario::{self, Scenario};
use ngf_core::{
    diagnosis::{
        Code, Diagnosis, Evidence,
        registry::{Need, RULES},
    },
    model::{
        kind::Kind,
        object::ObjectRef,
        snapshot::{KindState, Lookup, Snapshot},
    },
};

/// The snapshot as one sees it who may not read these kinds.
fn without(snapshot: &Snapshot, kinds: &[Kind]) -> Snapshot {
    let why = "User \"viewer\" cannot list it";
    let mut hidden = snapshot.clone();
    for kind in kinds {
        let all: Vec<ObjectRef> = snapshot.references_of(*kind).cloned().collect();
        for object in all {
            let is_named = match kind {
                Kind::Secret => {
                    let lookup = Lookup::Unknown(why.to_owned());
                    hidden.secrets.insert(object.clone(), lookup).is_some()
                }
                Kind::ConfigMap => {
                    let lookup = Lookup::Unknown(why.to_owned());
                    hidden.config_maps.insert(object.clone(), lookup).is_some()
                }
                _ => false,
            };
            if !is_named {
                hidden.remove(&object);
            }
        }
        if let Some(state) = hidden.kinds.get_mut(kind) {
            *state = KindState::Denied(why.to_owned());
        }
    }
    hidden
}

/// The evidence without what a need stands for.
fn unmeasured(evidence: &Evidence, need: Need) -> Evidence {
    let mut left = evidence.clone();
    match need {
        Need::Logs => left.forget_logs_of_others(|_| false),
        Need::NginxConfig => left.forget_configurations(),
        _ => {}
    }
    left
}

fn codes(scenario: &Scenario, snapshot: &Snapshot, evidence: &Evidence) -> BTreeSet<Code> {
    let diagnosis = Diagnosis::of(snapshot, evidence, scenario.now);
    diagnosis.findings.iter().map(|one| one.code).collect()
}

#[test]
fn a_rule_that_falls_silent_where_something_is_hidden_needs_it() {
    let mut wrong: BTreeMap<(Code, Need), String> = BTreeMap::new();
    for name in scenario::all() {
        let scenario = Scenario::load(&name);
        let found = codes(&scenario, &scenario.snapshot, &scenario.evidence);
        for need in Need::ALL {
            let snapshot = without(&scenario.snapshot, need.kinds());
            let evidence = unmeasured(&scenario.evidence, need);
            let left = codes(&scenario, &snapshot, &evidence);
            for code in found.difference(&left) {
                let needs = code.rule().needs;
                // What a log says of a handshake, a probe says as well.
                let is_probed = need == Need::Logs && needs.contains(&Need::Handshake);
                if !needs.is_empty() && !needs.contains(&need) && !is_probed {
                    wrong.entry((*code, need)).or_insert(name.clone());
                }
            }
        }
    }
    let wrong: Vec<String> = wrong
        .iter()
        .map(|((code, need), name)| format!("{code} lacks Need::{need:?}, see {name}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_rules_about_what_is_not_known_need_nothing() {
    for rule in RULES {
        let is_of_unknown = matches!(rule.code.family(), 'A' | 'K');
        assert_eq!(rule.needs.is_empty(), is_of_unknown, "{}", rule.code);
        let all: BTreeSet<Need> = rule.needs.iter().copied().collect();
        assert_eq!(all.len(), rule.needs.len(), "{} names one twice", rule.code);
    }
}
