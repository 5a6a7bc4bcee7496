//! Causes before effects: which finding causes which, and in what order they are told.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    code::Code,
    finding::{Finding, Severity, Verdict},
    rule::Rule,
};
use crate::model::object::ObjectRef;

/// Finds the cause of each finding and puts roots first, by severity, certainty and reach; effects
/// follow their cause.
pub(super) fn in_order(found: Vec<Finding>, rules: &[Rule]) -> Vec<Finding> {
    let links = Links::find(&found, rules);
    let roots = links.roots(&found);
    let mut order = Vec::with_capacity(found.len());
    // Deepest first, so that a stack gives each cause and then its effects.
    let mut stack: Vec<usize> = roots.into_iter().rev().collect();
    while let Some(index) = stack.pop() {
        order.push(index);
        stack.extend(links.effects[index].iter().rev());
    }
    let mut place = vec![0; found.len()];
    for (position, index) in order.iter().enumerate() {
        place[*index] = position;
    }
    let mut by_index: Vec<Option<Finding>> = found.into_iter().map(Some).collect();
    order
        .iter()
        .filter_map(|index| {
            let mut finding = by_index[*index].take()?;
            finding.caused_by = links.cause[*index].map(|cause| place[cause]);
            Some(finding)
        })
        .collect()
}

/// By what roots are ordered: severity, certainty, reach, and names last.
type Importance = (Severity, Verdict, Reverse<usize>, Code, ObjectRef);

struct Links {
    cause: Vec<Option<usize>>,
    effects: Vec<Vec<usize>>,
}

impl Links {
    fn find(found: &[Finding], rules: &[Rule]) -> Self {
        let mut causes_of: BTreeMap<Code, BTreeSet<Code>> = BTreeMap::new();
        for rule in rules {
            for effect in rule.causes {
                causes_of.entry(*effect).or_default().insert(rule.code);
            }
        }
        let mut by_object: BTreeMap<&ObjectRef, Vec<usize>> = BTreeMap::new();
        let is_cause = |code: Code| causes_of.values().any(|causes| causes.contains(&code));
        for (index, finding) in found.iter().enumerate() {
            if is_cause(finding.code) {
                for object in finding.objects().collect::<BTreeSet<_>>() {
                    by_object.entry(object).or_default().push(index);
                }
            }
        }
        let mut links = Self {
            cause: vec![None; found.len()],
            effects: vec![Vec::new(); found.len()],
        };
        for (index, finding) in found.iter().enumerate() {
            let Some(codes) = causes_of.get(&finding.code) else {
                continue;
            };
            let objects: BTreeSet<&ObjectRef> = finding.objects().collect();
            let cause = objects
                .iter()
                .flat_map(|object| by_object.get(object).into_iter().flatten())
                .copied()
                .filter(|cause| *cause != index && codes.contains(&found[*cause].code))
                // What shows only after it is none of its effects.
                .filter(|cause| finding.after != Some(found[*cause].code))
                .filter(|cause| meet(&found[*cause], finding, &objects))
                .filter(|cause| !links.is_below(*cause, index))
                .min_by_key(|cause| {
                    let cause_finding = &found[*cause];
                    (cause_finding.verdict, cause_finding.severity, *cause)
                });
            if let Some(cause) = cause {
                links.cause[index] = Some(cause);
                links.effects[cause].push(index);
            }
        }
        for effects in &mut links.effects {
            effects.sort_by_key(|effect| {
                let finding = &found[*effect];
                (
                    finding.severity,
                    finding.verdict,
                    finding.code,
                    &finding.subject,
                )
            });
        }
        links
    }

    /// The findings without a cause, by importance. One with an effect that comes after another finding
    /// follows that finding's root, which is then as important as the most important of its followers.
    fn roots(&self, found: &[Finding]) -> Vec<usize> {
        let leaders = self.leaders(found);
        let roots = (0..found.len()).filter(|index| self.cause[*index].is_none());
        let own: BTreeMap<usize, Importance> = roots
            .map(|root| (root, self.importance(root, found)))
            .collect();
        let first = |root: &usize| leaders.get(root).copied().unwrap_or(*root);
        let mut worst: BTreeMap<usize, (Severity, Verdict)> = BTreeMap::new();
        for (root, (severity, verdict, ..)) in &own {
            let known = worst.entry(first(root)).or_insert((*severity, *verdict));
            *known = (*known).min((*severity, *verdict));
        }
        let mut order: Vec<usize> = own.keys().copied().collect();
        order.sort_by_cached_key(|root| {
            let leader = first(root);
            let of_leader = own.get(&leader);
            let reach = of_leader.map(|(_, _, reach, code, subject)| (*reach, *code, subject));
            let follows = leader != *root;
            (worst.get(&leader), reach, leader, follows, own.get(root))
        });
        order
    }

    /// For each root with something in its tree that comes after another finding: the root of that finding.
    /// A root that has itself to come after another leads nobody.
    fn leaders(&self, found: &[Finding]) -> BTreeMap<usize, usize> {
        let root_of = |index: usize| {
            std::iter::successors(Some(index), |index| self.cause[*index])
                .last()
                .unwrap_or(index)
        };
        let all = || found.iter().enumerate();
        let waiting: BTreeMap<usize, &Finding> = all()
            .rev()
            .filter(|(_, finding)| finding.after.is_some())
            .map(|(index, finding)| (root_of(index), finding))
            .collect();
        let awaited: BTreeSet<Code> = waiting.values().filter_map(|one| one.after).collect();
        let candidates: Vec<(usize, &Finding)> = all()
            .filter(|(index, finding)| {
                awaited.contains(&finding.code) && !waiting.contains_key(&root_of(*index))
            })
            .collect();
        let leader = |effect: &Finding| {
            let objects: BTreeSet<&ObjectRef> = effect.objects().collect();
            let mut of_code = candidates
                .iter()
                .filter(|(_, finding)| Some(finding.code) == effect.after);
            of_code
                .find(|(_, finding)| meet(finding, effect, &objects))
                .map(|(index, _)| root_of(*index))
        };
        waiting
            .into_iter()
            .filter_map(|(root, effect)| Some((root, leader(effect)?)))
            .collect()
    }

    /// Whether `index` is an effect of `above`, by way of others or not.
    fn is_below(&self, index: usize, above: usize) -> bool {
        std::iter::successors(Some(index), |index| self.cause[*index]).any(|at| at == above)
    }

    /// A cause is as bad as the worst that comes of it.
    fn importance(&self, root: usize, found: &[Finding]) -> Importance {
        let mut all = vec![root];
        let mut next = 0;
        while let Some(index) = all.get(next).copied() {
            all.extend(&self.effects[index]);
            next += 1;
        }
        let finding = &found[root];
        let (severity, verdict) = all
            .iter()
            .map(|index| (found[*index].severity, found[*index].verdict))
            .min()
            .unwrap_or((finding.severity, finding.verdict));
        let reach = all.iter().map(|index| found[*index].marks.len()).sum();
        (
            severity,
            verdict,
            Reverse(reach),
            finding.code,
            finding.subject.clone(),
        )
    }
}

/// Cause and effect meet where one's subject is among the other's objects.
fn meet(cause: &Finding, effect: &Finding, objects: &BTreeSet<&ObjectRef>) -> bool {
    // One finding for all objects that it is about, each as much as the first.
    let is_of_each = || matches!(cause.code, Code::C8 | Code::S7 | Code::S8);
    objects.contains(&cause.subject)
        || cause.objects().any(|object| *object == effect.subject)
        || is_of_each()
            && cause
                .marks
                .iter()
                .any(|mark| objects.contains(mark.object()))
}
