//! Causes before effects: which finding causes which, and in what order they are told.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    finding::{Finding, Severity, Verdict},
    registry::Rule,
};
use crate::model::object::ObjectRef;

/// Finds the cause of each finding and puts roots first, by severity, certainty and reach; effects
/// follow their cause.
pub(super) fn in_order(found: Vec<Finding>, rules: &[Rule]) -> Vec<Finding> {
    let links = Links::find(&found, rules);
    let mut roots: Vec<usize> = (0..found.len())
        .filter(|index| links.cause[*index].is_none())
        .collect();
    roots.sort_by_cached_key(|root| links.importance(*root, &found));
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

struct Links {
    cause: Vec<Option<usize>>,
    effects: Vec<Vec<usize>>,
}

impl Links {
    fn find(found: &[Finding], rules: &[Rule]) -> Self {
        let mut causes_of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for rule in rules {
            for effect in rule.causes {
                causes_of.entry(effect).or_default().insert(rule.code);
            }
        }
        let mut by_object: BTreeMap<&ObjectRef, Vec<usize>> = BTreeMap::new();
        let is_cause = |code: &str| causes_of.values().any(|causes| causes.contains(code));
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
            let Some(codes) = causes_of.get(finding.code) else {
                continue;
            };
            let objects: BTreeSet<&ObjectRef> = finding.objects().collect();
            let cause = objects
                .iter()
                .flat_map(|object| by_object.get(object).into_iter().flatten())
                .copied()
                .filter(|cause| *cause != index && codes.contains(found[*cause].code))
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

    /// Whether `index` is an effect of `above`, by way of others or not.
    fn is_below(&self, index: usize, above: usize) -> bool {
        std::iter::successors(Some(index), |index| self.cause[*index]).any(|at| at == above)
    }

    /// A cause is as bad as the worst that comes of it.
    fn importance(
        &self,
        root: usize,
        found: &[Finding],
    ) -> (Severity, Verdict, Reverse<usize>, &'static str, ObjectRef) {
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
    objects.contains(&cause.subject) || cause.objects().any(|object| *object == effect.subject)
}
