//! Findings by root cause, as a person reads them: one entry for each cause with its effects, and one entry
//! for several causes of one kind.

mod field;
mod impact;
mod since;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    Diagnosis, Evidence,
    finding::{EvidenceLine, Finding, Severity, Verdict},
    words,
};
use crate::diagnosis::code::Code;
use crate::model::{
    object::ObjectRef,
    snapshot::Snapshot,
    topology::{NodeId, NodeIx, NodeKind},
};

pub use field::{FieldAt, field_at_fault, field_of};
pub use since::conditions_of;

/// How many names an entry lists before it counts the rest.
const NAMES: usize = 3;

/// So many of one kind are told one by one; the others stay together.
const UNFOLDED: usize = 200;

/// One root cause with its effects, or several of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Names the entry from one diagnosis to the next.
    pub key: ProblemKey,
    /// The finding that the entry is headed by: the cause, or the worst effect of a cause that is less bad.
    pub head: usize,
    /// The root causes, as indices into [`Diagnosis::findings`].
    pub roots: Vec<usize>,
    /// All findings of the entry, each cause before its effects.
    pub findings: Vec<usize>,
    /// What is wrong, in a sentence.
    pub sentence: String,
    /// What clients notice, a sentence each.
    pub impact: Vec<String>,
    /// When it began, as far as anything tells.
    pub since: Option<Timestamp>,
    /// What shows or explains it.
    pub because: Option<String>,
    /// The finding whose fix applies: that of the cause, or of the first effect that has one.
    pub fix: Option<usize>,
    /// The finding whose advice is shown besides, or instead where no fix can be applied.
    pub advice: Option<usize>,
    /// Where it is nearest to the trouble in the tree.
    pub place: Option<NodeId>,
}

/// Names an entry from one diagnosis to the next.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProblemKey {
    /// The code of the cause.
    pub root: Code,
    /// The code of the finding at its head.
    pub head: Code,
    /// The object of the cause, where the entry is about one cause.
    pub subject: Option<ObjectRef>,
}

/// What tells when something began.
#[derive(Clone, Copy)]
pub struct Clues<'a> {
    /// The objects.
    pub snapshot: &'a Snapshot,
    /// What was measured.
    pub evidence: &'a Evidence,
    /// When an object was seen to change, where the finding was not there before.
    pub changed: &'a dyn Fn(&Finding, &ObjectRef) -> Option<Timestamp>,
    /// The present.
    pub now: Timestamp,
}

/// Groups the findings of a diagnosis. Kinds for which `is_unfolded` holds are told one by one.
pub fn problems(
    diagnosis: &Diagnosis,
    clues: &Clues<'_>,
    is_unfolded: impl Fn(&ProblemKey) -> bool,
) -> Vec<Problem> {
    let places = Places::of(diagnosis);
    let trees = trees(&diagnosis.findings);
    let mut groups: Vec<(ProblemKey, Vec<Vec<usize>>)> = Vec::new();
    let mut known: BTreeMap<ProblemKey, usize> = BTreeMap::new();
    for tree in trees {
        let key = ProblemKey {
            root: diagnosis.findings[tree[0]].code,
            head: diagnosis.findings[head_of(&diagnosis.findings, &tree)].code,
            subject: None,
        };
        match known.get(&key) {
            Some(group) => groups[*group].1.push(tree),
            None => {
                known.insert(key.clone(), groups.len());
                groups.push((key, vec![tree]));
            }
        }
    }
    let mut problems = Vec::new();
    for (key, trees) in groups {
        let alone = match trees.len() {
            1 => 1,
            many if is_unfolded(&key) => many.min(UNFOLDED),
            _ => 0,
        };
        let mut trees = trees.into_iter();
        for tree in trees.by_ref().take(alone) {
            let subject = diagnosis.findings[tree[0]].subject.clone();
            let key = ProblemKey {
                subject: Some(subject),
                ..key.clone()
            };
            problems.push(problem(diagnosis, clues, &places, key, vec![tree]));
        }
        let rest: Vec<Vec<usize>> = trees.collect();
        if !rest.is_empty() {
            problems.push(problem(diagnosis, clues, &places, key, rest));
        }
    }
    problems
}

/// Each root cause with everything that it causes; the findings come in this order already.
fn trees(findings: &[Finding]) -> Vec<Vec<usize>> {
    let mut trees: Vec<Vec<usize>> = Vec::new();
    for (index, finding) in findings.iter().enumerate() {
        match trees.last_mut() {
            Some(tree) if finding.caused_by.is_some() => tree.push(index),
            _ => trees.push(vec![index]),
        }
    }
    trees
}

/// What weighs most to a reader, the first before the others: what is proven hides behind nothing that is not.
fn weight(finding: &Finding) -> u8 {
    match (finding.verdict, finding.severity) {
        (Verdict::Fail, Severity::Error) => 0,
        (Verdict::Fail, Severity::Warning) => 1,
        (Verdict::Unknown, Severity::Error) => 2,
        (Verdict::Unknown, Severity::Warning) => 3,
        (Verdict::Fail, Severity::Info) => 4,
        (Verdict::Unknown, Severity::Info) => 5,
    }
}

/// The cause, or the first of the effects that weigh more.
fn head_of(findings: &[Finding], tree: &[usize]) -> usize {
    let heaviest = tree.iter().copied();
    let heaviest = heaviest.min_by_key(|index| (weight(&findings[*index]), *index));
    heaviest.unwrap_or(tree[0])
}

fn problem(
    diagnosis: &Diagnosis,
    clues: &Clues<'_>,
    places: &Places,
    key: ProblemKey,
    trees: Vec<Vec<usize>>,
) -> Problem {
    let findings = &diagnosis.findings;
    let heads: Vec<usize> = trees.iter().map(|tree| head_of(findings, tree)).collect();
    let roots: Vec<usize> = trees.iter().map(|tree| tree[0]).collect();
    let all: Vec<usize> = trees.into_iter().flatten().collect();
    let head = heads[0];
    let is_fixable = |index: &usize| {
        let finding = &findings[*index];
        let remedy = finding.remedy.as_ref();
        finding.verdict == Verdict::Fail && remedy.is_some_and(|remedy| !remedy.changes.is_empty())
    };
    let fix = all.iter().copied().find(is_fixable);
    let has_remedy = |index: &usize| findings[*index].remedy.is_some();
    let advice = all
        .iter()
        .copied()
        .find(|index| Some(*index) != fix && has_remedy(index))
        // A second way matters where it is the cause's own; an effect's is another fix of the same.
        .filter(|index| fix.is_none() || roots.contains(index));
    Problem {
        sentence: sentence(findings, &heads),
        impact: impact::of(diagnosis, &heads, &all),
        since: since::of(findings, &all, clues),
        because: because(findings, &heads, &roots),
        fix,
        advice,
        place: places.best(diagnosis, &all),
        key,
        head,
        roots,
        findings: all,
    }
}

/// The sentence of the one finding, or of the kind with the names that it is about.
fn sentence(findings: &[Finding], heads: &[usize]) -> String {
    let first = &findings[heads[0]];
    if heads.len() == 1 {
        return first.title.clone();
    }
    let title = first.code.rule().title;
    let mut seen = BTreeSet::new();
    let subjects = heads.iter().map(|head| match &findings[*head].input {
        Some(input) => input.clone(),
        None => findings[*head].subject.to_string(),
    });
    let subjects: Vec<String> = subjects.filter(|name| seen.insert(name.clone())).collect();
    format!(
        "{} times: {title} ({})",
        heads.len(),
        words::list(subjects, NAMES)
    )
}

/// Evidence that tells by itself what is wrong.
const TELLING: &[&str] = &["valid", "condition ", "nginx would log", "answer", "spec."];

/// The cause, where the head is an effect; otherwise the piece of evidence that tells most.
fn because(findings: &[Finding], heads: &[usize], roots: &[usize]) -> Option<String> {
    let (head, root) = (heads[0], roots[0]);
    if head != root {
        let cause = &findings[root];
        let title = match heads.len() {
            1 => cause.title.as_str(),
            _ => cause.code.rule().title,
        };
        return Some(format!("{}: {title}", cause.code));
    }
    let evidence = &findings[head].evidence;
    let tells = |line: &&EvidenceLine| TELLING.iter().any(|what| line.what.starts_with(what));
    let line = evidence.iter().find(tells).or(evidence.first())?;
    Some(format!("{}: {} ({})", line.what, line.value, line.place))
}

/// For each finding the places in the tree where it is shown, the nearest to the trouble first.
struct Places(BTreeMap<usize, (u8, NodeIx)>);

impl Places {
    fn of(diagnosis: &Diagnosis) -> Self {
        let mut best: BTreeMap<usize, (u8, NodeIx)> = BTreeMap::new();
        for place in diagnosis.marked() {
            let near = nearness(&diagnosis.topology.node(place).what);
            for finding in diagnosis.findings_at(place) {
                match best.get(finding) {
                    Some((known, _)) if *known >= near => {}
                    _ => {
                        best.insert(*finding, (near, place));
                    }
                }
            }
        }
        Self(best)
    }

    /// The place of the worst finding that is on a path; or else a path that one of them is about; or else any.
    fn best(&self, diagnosis: &Diagnosis, findings: &[usize]) -> Option<NodeId> {
        let placed = findings
            .iter()
            .filter_map(|index| Some((*index, self.0.get(index)?)));
        let shown = placed.min_by_key(|(index, (near, _))| {
            let on_path = *near >= ON_PATH;
            let finding = &diagnosis.findings[*index];
            (!on_path, finding.severity, std::cmp::Reverse(*near), *index)
        });
        let topology = &diagnosis.topology;
        let place = match shown {
            Some((_, (near, place))) if *near >= ON_PATH => *place,
            _ => {
                // What logs alone tell is shown at the Gateway, and is about a Service behind it.
                let about = findings
                    .iter()
                    .flat_map(|index| diagnosis.findings[*index].objects());
                let all = about.flat_map(|object| topology.places(object));
                let mut on_path =
                    all.filter(|place| nearness(&topology.node(*place).what) >= ON_PATH);
                on_path.next().or(shown.map(|(_, (_, place))| *place))?
            }
        };
        Some(topology.node(place).id.clone())
    }
}

/// From this nearness on a node is part of a path from a Gateway to an endpoint.
const ON_PATH: u8 = 4;

/// How near to an endpoint a node is.
fn nearness(what: &NodeKind) -> u8 {
    match what {
        NodeKind::Group(_) => 0,
        NodeKind::Class => 1,
        NodeKind::Gateway => 2,
        NodeKind::ListenerSet | NodeKind::Listener { .. } => 3,
        NodeKind::Route { .. } => 4,
        NodeKind::Rule { .. } => 5,
        NodeKind::Policy { .. } => 6,
        NodeKind::Backend(_) => 7,
        NodeKind::Endpoint(_) => 8,
    }
}
