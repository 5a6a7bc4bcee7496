//! Runs the rules and puts causes before effects.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;

use super::{
    context::Context,
    coverage::{self, Coverage},
    evidence::Evidence,
    finding::{Finding, Remedy, Severity, Verdict},
    health::{self, Health},
    hidden::{self, Hidden},
    ngf::{Difference, Running},
    order::in_order,
    registry::RULES,
    suppress::Filtered,
    unapplied,
};
use crate::diagnosis::code::Code;
use crate::model::{
    index::Index,
    object::ObjectRef,
    snapshot::{KindState, Snapshot},
    topology::{NodeIx, Topology},
};

/// What the rules found so far.
#[derive(Debug, Default)]
pub struct Findings {
    list: Vec<Finding>,
    told: HashSet<(Code, ObjectRef)>,
    explained: BTreeSet<(ObjectRef, String)>,
}

impl Findings {
    /// Adds a finding.
    pub fn add(&mut self, mut finding: Finding) {
        finding.deduplicate();
        self.told.insert((finding.code, finding.subject.clone()));
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
    pub fn has(&self, code: Code, object: &ObjectRef) -> bool {
        self.told.contains(&(code, object.clone()))
    }

    /// The finding of this code that is about all of these objects, to add to it.
    pub fn about(&mut self, code: Code, objects: &[&ObjectRef]) -> Option<&mut Finding> {
        self.list.iter_mut().find(|finding| {
            let all = || {
                objects
                    .iter()
                    .all(|o| finding.objects().any(|known| known == *o))
            };
            finding.code == code && all()
        })
    }

    /// The first finding that is so, to add to it.
    pub fn find_mut(&mut self, is: impl Fn(&Finding) -> bool) -> Option<&mut Finding> {
        self.list.iter_mut().find(|finding| is(finding))
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
    /// The release of NGF that decided all of it.
    pub running: Running,
    /// Objects whose status is another than NGF would write.
    pub differences: BTreeMap<ObjectRef, Vec<Difference>>,
    /// Which paths were tested, and which were not.
    pub coverage: Coverage,
    /// How many kinds have not been listed yet. As long as there are any, no rule is asked: most of them
    /// would take what is not there yet for what does not exist.
    pub loading: usize,
    /// What the user's rights hide.
    pub hidden: Vec<Hidden>,
    /// What options and annotations left out of the findings.
    pub filtered: Filtered,
    pub(super) own: Vec<Health>,
    pub(super) worst: Vec<Health>,
    pub(super) at_node: Vec<Vec<usize>>,
}

impl Diagnosis {
    /// Asks every rule.
    pub fn of(snapshot: &Snapshot, evidence: &Evidence, now: Timestamp) -> Self {
        let index = Index::of(snapshot);
        let topology = Topology::with(snapshot, &index);
        let is_loading = |state: &&KindState| **state == KindState::Loading;
        let loading = snapshot.kinds.values().filter(is_loading).count();
        if loading > 0 {
            return Self::while_loading(topology, loading);
        }
        let context = Context::new(snapshot, evidence, now, &index, &topology);
        let mut findings = Findings::default();
        for rule in RULES {
            (rule.check)(&context, &mut findings);
        }
        unapplied::hold(&mut findings.list);
        let mut findings = in_order(findings.list, RULES);
        for finding in &mut findings {
            if finding.remedy.is_none() {
                finding.remedy = Some(Remedy::say(finding.code.rule().remedy));
            }
        }
        let at_node = health::findings_by_node(&topology, &findings);
        let own = health::own(&context, &findings, &at_node);
        let worst = health::worst(&topology, &own);
        let coverage = coverage::of(&context, &own);
        let (running, differences) = (context.running, context.differences);
        Self {
            topology,
            findings,
            running,
            differences,
            coverage,
            loading: 0,
            hidden: hidden::of(snapshot, evidence),
            filtered: Filtered::default(),
            own,
            worst,
            at_node,
        }
    }

    /// The tree alone: nothing is known of any node.
    fn while_loading(topology: Topology, loading: usize) -> Self {
        let nodes = topology.len();
        Self {
            topology,
            loading,
            own: vec![Health::Unknown; nodes],
            worst: vec![Health::Unknown; nodes],
            at_node: vec![Vec::new(); nodes],
            ..Self::default()
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
