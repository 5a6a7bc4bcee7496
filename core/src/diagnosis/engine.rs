//! Runs the rules and puts causes before effects.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    context::{Asked, Context},
    coverage::{self, Coverage},
    elsewhere::Elsewhere,
    evidence::{Evidence, Probed},
    finding::{Finding, Remedy, Severity, Verdict},
    findings::Turns,
    health::{self, AtNode, Ground, Health},
    hidden::{self, Hidden},
    ngf::{BackendState, Difference, Running},
    order::in_order,
    registry::RULES,
    rules::handshake::wanting_tls,
    suppress::Filtered,
    unapplied,
};
use crate::model::{
    index::Index,
    object::ObjectRef,
    snapshot::Snapshot,
    topology::{NodeIx, Topology},
};
use crate::threads;

pub use super::findings::Findings;

/// What the rules say of a snapshot, or of a part of one, before effects are put behind their causes.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    /// What they found, in the order of the rules, of the objects and of the titles: that of no table.
    pub(super) findings: Vec<Finding>,
    /// The release of NGF that decides.
    pub(super) running: Running,
    /// Objects whose status is another than NGF would write.
    pub(super) differences: BTreeMap<ObjectRef, Vec<Difference>>,
    /// NGF's Gateways.
    pub(super) gateways: BTreeSet<ObjectRef>,
    /// Probes of connections that nginx would still open as it was tried.
    pub(super) probes: Vec<Probed>,
    /// What was asked beyond the objects that were judged.
    pub(super) asked: Asked,
    /// What others may ask of them.
    pub(super) facts: Elsewhere,
}

/// Asks every rule, in several threads where there is much to judge.
pub(super) fn judge(context: &Context<'_>) -> Judged {
    let turns = Turns::default();
    threads::run(context.snapshot.threads(), || {
        loop {
            let (turn, mut findings) = turns.begin();
            let Some(rule) = RULES.get(turn) else {
                return;
            };
            (rule.check)(context, &mut findings);
        }
    });
    let mut findings = turns.into_found().list;
    findings.sort_by(Finding::by_rule);
    Judged {
        findings,
        running: context.running.clone(),
        differences: context.differences.clone(),
        gateways: context.gateways.keys().copied().cloned().collect(),
        probes: context.probes.iter().copied().cloned().collect(),
        facts: facts(context),
        asked: context.asked(),
    }
}

/// Puts effects behind their causes.
pub(super) fn ordered(mut findings: Vec<Finding>) -> Vec<Finding> {
    unapplied::hold(&mut findings);
    let mut findings = in_order(findings, RULES);
    for finding in &mut findings {
        if finding.remedy.is_none() {
            finding.remedy = Some(Remedy::say(finding.code.rule().remedy));
        }
    }
    findings
}

/// What rules may ask of these objects where they judge others.
fn facts(context: &Context<'_>) -> Elsewhere {
    let mut plain: BTreeMap<String, BTreeSet<ObjectRef>> = BTreeMap::new();
    for rule in &context.rules {
        for backend in &rule.decision.backends {
            if let (BackendState::Plain, Some(service)) = (&backend.state, &backend.service) {
                let gateways = plain.entry(service.namespace.clone()).or_default();
                gateways.extend(rule.gateways.iter().copied().cloned());
            }
        }
    }
    Elsewhere {
        plain,
        wanting: wanting_tls(context).into_iter().cloned().collect(),
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
    /// How many kinds have not been listed yet, Events apart, which no rule reads. As long as there are any, no rule is
    /// asked: most of them would take what is not there yet for what does not exist.
    pub loading: usize,
    /// What the user's rights hide.
    pub hidden: Vec<Hidden>,
    /// What options and annotations left out of the findings.
    pub filtered: Filtered,
    pub(super) own: Vec<Health>,
    pub(super) worst: Vec<Health>,
    pub(super) at_node: AtNode,
}

impl Diagnosis {
    /// Asks every rule.
    pub fn of(snapshot: &Snapshot, evidence: &Evidence, now: Timestamp) -> Self {
        Self::judged(snapshot, evidence, now).0
    }

    /// The same, with what it was made of; `None` as long as a kind is loading.
    pub(super) fn judged(
        snapshot: &Snapshot,
        evidence: &Evidence,
        now: Timestamp,
    ) -> (Self, Option<Judged>) {
        let index = Index::of(snapshot);
        let topology = Topology::with(snapshot, &index);
        let loading = snapshot.loading();
        if loading > 0 {
            return (Self::while_loading(topology, loading), None);
        }
        let judged = judge(&Context::new(snapshot, evidence, now, &index, &topology));
        let diagnosis = Self::finish(snapshot, evidence, topology, &judged);
        (diagnosis, Some(judged))
    }

    /// Puts the findings in order and in their places.
    pub(super) fn finish(
        snapshot: &Snapshot,
        evidence: &Evidence,
        topology: Topology,
        judged: &Judged,
    ) -> Self {
        let findings = ordered(judged.findings.clone());
        let ground = Ground {
            snapshot,
            evidence,
            topology: &topology,
            gateways: &judged.gateways,
            probes: &judged.probes,
        };
        let at_node = health::findings_by_node(&topology, &findings);
        let mut own = vec![Health::Unknown; topology.bound()];
        let all = || topology.iter().map(|(place, _)| place);
        health::own(&ground, &findings, &at_node, all(), &mut own);
        let worst = health::worst(&topology, &own);
        let coverage = coverage::of(&ground, &own, all());
        Self {
            findings,
            running: judged.running.clone(),
            differences: judged.differences.clone(),
            coverage,
            loading: 0,
            hidden: hidden::of(snapshot, evidence),
            filtered: Filtered::default(),
            own,
            worst,
            at_node,
            topology,
        }
    }

    /// The tree alone: nothing is known of any node.
    fn while_loading(topology: Topology, loading: usize) -> Self {
        let nodes = topology.bound();
        Self {
            topology,
            loading,
            own: vec![Health::Unknown; nodes],
            worst: vec![Health::Unknown; nodes],
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
        self.at_node.get(&node).map_or(&[], Vec::as_slice)
    }

    /// The nodes at which findings are shown, in the order of the tree.
    pub fn marked(&self) -> Vec<NodeIx> {
        let mut nodes: Vec<NodeIx> = self.at_node.keys().copied().collect();
        self.topology.sort(&mut nodes);
        nodes
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

#[cfg(test)]
mod tests;
