//! Runs the rules and puts causes before effects.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    evidence::Evidence,
    finding::{Finding, Severity, Verdict},
    health::{self, Health},
    registry::{RULES, Rule},
};
use crate::model::{
    index::Index,
    object::ObjectRef,
    snapshot::Snapshot,
    topology::{NodeIx, Topology},
};

/// Everything that a rule may look at.
pub struct Context<'a> {
    /// The objects.
    pub snapshot: &'a Snapshot,
    /// What was measured.
    pub evidence: &'a Evidence,
    /// Now.
    pub now: Timestamp,
    /// Look-ups.
    pub index: &'a Index<'a>,
    /// The tree.
    pub topology: &'a Topology,
}

/// What the rules found so far.
#[derive(Debug, Default)]
pub struct Findings {
    list: Vec<Finding>,
    explained: BTreeSet<(ObjectRef, String)>,
}

impl Findings {
    /// Adds a finding.
    pub fn add(&mut self, finding: Finding) {
        self.list.push(finding);
    }

    /// Says that a condition of an object is the consequence of something that is reported, so that
    /// nobody reports it for its own sake. `condition` is its type, with the listener's name before
    /// it where it is a listener's: `http/Programmed`.
    pub fn explain(&mut self, object: &ObjectRef, condition: impl Into<String>) {
        self.explained.insert((object.clone(), condition.into()));
    }

    /// Whether a condition is explained already.
    pub fn is_explained(&self, object: &ObjectRef, condition: &str) -> bool {
        self.explained
            .contains(&(object.clone(), condition.to_owned()))
    }

    /// Whether there is a finding of this code about the object.
    pub fn has(&self, code: &str, object: &ObjectRef) -> bool {
        self.list
            .iter()
            .any(|finding| finding.code == code && finding.subject == *object)
    }

    /// What was found so far.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.list.iter()
    }
}

/// All that a snapshot and the evidence mean at one moment.
#[derive(Debug, Clone, Default)]
pub struct Diagnosis {
    /// The tree.
    pub topology: Topology,
    /// What is wrong: causes by importance, each followed by its effects.
    pub findings: Vec<Finding>,
    own: Vec<Health>,
    worst: Vec<Health>,
    at_node: Vec<Vec<usize>>,
}

impl Diagnosis {
    /// Asks every rule.
    pub fn of(snapshot: &Snapshot, evidence: &Evidence, now: Timestamp) -> Self {
        let index = Index::of(snapshot);
        let topology = Topology::with(snapshot, &index);
        let context = Context {
            snapshot,
            evidence,
            now,
            index: &index,
            topology: &topology,
        };
        let mut findings = Findings::default();
        for rule in RULES {
            (rule.check)(&context, &mut findings);
        }
        let findings = in_order(findings.list, RULES);
        let at_node = health::findings_by_node(&topology, &findings);
        let own = health::own(&context, &findings, &at_node);
        let worst = health::worst(&topology, &own);
        Self {
            topology,
            findings,
            own,
            worst,
            at_node,
        }
    }

    /// The health of a node together with everything below it.
    pub fn health(&self, node: NodeIx) -> Health {
        self.worst.get(node.index()).copied().unwrap_or_default()
    }

    /// The health of a node alone.
    pub fn own_health(&self, node: NodeIx) -> Health {
        self.own.get(node.index()).copied().unwrap_or_default()
    }

    /// The findings that are shown at a node, as indices into [`Diagnosis::findings`].
    pub fn findings_at(&self, node: NodeIx) -> &[usize] {
        self.at_node.get(node.index()).map_or(&[], Vec::as_slice)
    }

    /// Findings at a node or anywhere below it, each once, in order of importance.
    pub fn findings_below(&self, node: NodeIx) -> Vec<usize> {
        let below: BTreeSet<usize> = self
            .topology
            .subtree(node)
            .flat_map(|node| self.findings_at(node).iter().copied())
            .collect();
        below.into_iter().collect()
    }

    /// How many findings are of that severity and proven.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.severity == severity && finding.verdict == Verdict::Fail)
            .count()
    }
}

/// What is wrong: causes by importance, each followed by its effects.
pub fn diagnose(snapshot: &Snapshot, evidence: &Evidence, now: Timestamp) -> Vec<Finding> {
    Diagnosis::of(snapshot, evidence, now).findings
}

/// Finds the cause of each finding and puts roots first, by severity, certainty and reach; effects
/// follow their cause.
fn in_order(found: Vec<Finding>, rules: &[Rule]) -> Vec<Finding> {
    let causes: Vec<Option<usize>> = (0..found.len())
        .map(|effect| cause_of(effect, &found, rules))
        .collect();
    let root_of = |mut index: usize| {
        // A cause is never its own effect, however long the chain: the list is finite.
        for _ in 0..found.len() {
            match causes[index] {
                Some(cause) => index = cause,
                None => break,
            }
        }
        index
    };
    let rank = |index: usize| {
        let finding = &found[index];
        let reach = found
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index && root_of(*other) == index)
            .count()
            + finding.marks.len();
        // A cause is as bad as the worst that comes of it.
        let severity = (0..found.len())
            .filter(|other| root_of(*other) == index)
            .map(|other| (found[other].severity, found[other].verdict))
            .min()
            .unwrap_or((finding.severity, finding.verdict));
        (
            severity.0,
            severity.1,
            std::cmp::Reverse(reach),
            finding.code,
            finding.subject.clone(),
        )
    };
    let mut roots: Vec<usize> = (0..found.len()).filter(|i| root_of(*i) == *i).collect();
    roots.sort_by_cached_key(|root| rank(*root));
    let mut order = Vec::with_capacity(found.len());
    for root in roots {
        push_with_effects(root, &causes, &found, &mut order);
    }
    let place_of: Vec<Option<usize>> = (0..found.len())
        .map(|index| order.iter().position(|placed| *placed == index))
        .collect();
    let mut by_index: Vec<Option<Finding>> = found.into_iter().map(Some).collect();
    order
        .iter()
        .filter_map(|index| {
            let mut finding = by_index[*index].take()?;
            finding.caused_by = causes[*index].and_then(|cause| place_of[cause]);
            Some(finding)
        })
        .collect()
}

fn push_with_effects(
    index: usize,
    causes: &[Option<usize>],
    found: &[Finding],
    order: &mut Vec<usize>,
) {
    order.push(index);
    let mut effects: Vec<usize> = (0..causes.len())
        .filter(|other| causes[*other] == Some(index) && !order.contains(other))
        .collect();
    effects.sort_by_key(|effect| {
        let finding = &found[*effect];
        (
            finding.severity,
            finding.verdict,
            finding.code,
            finding.subject.clone(),
        )
    });
    for effect in effects {
        if !order.contains(&effect) {
            push_with_effects(effect, causes, found, order);
        }
    }
}

/// The finding whose rule says that it causes findings of this code, and which is about an object
/// that this one is about, too. A proven cause before a supposed one; never one that is itself
/// (by way of others) an effect of this.
fn cause_of(effect: usize, found: &[Finding], rules: &[Rule]) -> Option<usize> {
    let finding = &found[effect];
    let objects: BTreeSet<&ObjectRef> = finding.objects().collect();
    found
        .iter()
        .enumerate()
        .filter(|(index, cause)| {
            *index != effect
                && may_cause(cause.code, finding.code, rules)
                && !may_cause(finding.code, cause.code, rules)
                && (objects.contains(&cause.subject)
                    || cause.objects().any(|object| *object == finding.subject))
        })
        .min_by_key(|(index, cause)| (cause.verdict, cause.severity, *index))
        .map(|(index, _)| index)
}

fn may_cause(cause: &str, effect: &str, rules: &[Rule]) -> bool {
    rules
        .iter()
        .any(|rule| rule.code == cause && rule.causes.contains(&effect))
}
