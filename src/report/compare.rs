//! `check --over`: which findings a change brings, which it takes away, and which it leaves.

use std::collections::BTreeMap;

use ngf_core::{
    diagnosis::{Code, Diagnosis, Finding, Severity, Verdict, suppress::Filtered},
    model::object::ObjectRef,
    overlay::Laid,
};

use super::FailOn;

/// What a change does to the findings.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// The manifests' objects, and what each is to the cluster.
    pub laid: Vec<(ObjectRef, Laid)>,
    /// What the change brings, each cause before its effects.
    pub new: Vec<Finding>,
    /// What it takes away, as before.
    pub gone: Vec<Finding>,
    /// What is there before and after, as before.
    pub same: Vec<Finding>,
    /// What options and annotations leave out.
    pub filtered: Filtered,
}

/// Codes that say only that NGF has not answered yet, which it could not.
const WAITING: &[Code] = &[Code::S7, Code::S8];

impl Comparison {
    /// Compares the cluster as it is (`live`), the same by its objects alone (`before`), and as it
    /// would be by its objects alone (`after`). What only NGF's own words show in `live` is as it is:
    /// what NGF will report then is unknown.
    pub fn of(live: &Diagnosis, before: &Diagnosis, after: &Diagnosis) -> Self {
        let mut known = Counted::of(&live.findings).or_more(Counted::of(&before.findings));
        let mut left = Counted::of(&after.findings);
        let [mut new, mut gone, mut same, mut stays] = [const { Vec::new() }; 4];
        for (index, finding) in after.findings.iter().enumerate() {
            if WAITING.contains(&finding.code) {
                continue;
            }
            if known.take(finding) {
                same.push(index);
            } else {
                new.push(index);
            }
        }
        let mut by_objects = Counted::of(&before.findings);
        for (index, finding) in live.findings.iter().enumerate() {
            if left.take(finding) {
                continue;
            }
            if by_objects.take(finding) {
                gone.push(index);
            } else {
                stays.push(index);
            }
        }
        let mut same = taken(&after.findings, &same);
        let offset = same.len();
        same.extend(
            taken(&live.findings, &stays)
                .into_iter()
                .map(|mut finding| {
                    finding.caused_by = finding.caused_by.map(|cause| cause + offset);
                    finding
                }),
        );
        Self {
            laid: Vec::new(),
            new: taken(&after.findings, &new),
            gone: taken(&live.findings, &gone),
            same,
            filtered: Filtered::default(),
        }
    }

    /// 1 where the change brings what `fail_on` names, else 0. What is merely unknown does not fail.
    pub fn exit_code(&self, fail_on: FailOn) -> u8 {
        let limit = match fail_on {
            FailOn::Never => return 0,
            FailOn::Error => Severity::Error,
            FailOn::Warning | FailOn::Unknown => Severity::Warning,
        };
        let reached =
            |finding: &Finding| finding.verdict == Verdict::Fail && finding.severity <= limit;
        u8::from(self.new.iter().any(reached))
    }

    /// What the API server would refuse.
    pub fn refused(&self) -> impl Iterator<Item = &Finding> {
        self.new.iter().filter(|finding| finding.code == Code::A1)
    }

    /// Whether something new is proven to be wrong: it is no mere remark, and not unknown.
    pub fn breaks(&self) -> bool {
        self.new
            .iter()
            .any(|finding| finding.verdict == Verdict::Fail && finding.severity != Severity::Info)
    }

    /// Whether something new is not known.
    pub fn is_unsure(&self) -> bool {
        self.new
            .iter()
            .any(|finding| finding.verdict == Verdict::Unknown)
    }

    /// How many of the manifests' objects are so.
    pub fn count(&self, laid: Laid) -> usize {
        self.laid.iter().filter(|(_, how)| *how == laid).count()
    }
}

/// The findings of these indices, in their order; where a cause is not among them, the finding stands for
/// itself.
fn taken(all: &[Finding], indices: &[usize]) -> Vec<Finding> {
    let place: BTreeMap<usize, usize> = indices
        .iter()
        .enumerate()
        .map(|(place, index)| (*index, place))
        .collect();
    indices
        .iter()
        .filter_map(|index| all.get(*index))
        .map(|finding| Finding {
            caused_by: finding
                .caused_by
                .and_then(|cause| place.get(&cause).copied()),
            ..finding.clone()
        })
        .collect()
}

/// Findings by code and subject, with how many there are: titles change with what else is there.
struct Counted<'f>(BTreeMap<(Code, &'f ObjectRef, Option<&'f str>), usize>);

impl<'f> Counted<'f> {
    fn of(findings: impl IntoIterator<Item = &'f Finding>) -> Self {
        let mut counted = BTreeMap::new();
        for finding in findings {
            *counted.entry(key(finding)).or_default() += 1;
        }
        Self(counted)
    }

    /// A finding that both have counts as often as in the one that has more of it.
    fn or_more(mut self, other: Self) -> Self {
        for (key, count) in other.0 {
            let known = self.0.entry(key).or_default();
            *known = count.max(*known);
        }
        self
    }

    fn take(&mut self, finding: &'f Finding) -> bool {
        let Some(count) = self.0.get_mut(&key(finding)) else {
            return false;
        };
        let any = *count > 0;
        *count = count.saturating_sub(1);
        any
    }
}

fn key(finding: &Finding) -> (Code, &ObjectRef, Option<&str>) {
    (finding.code, &finding.subject, finding.input.as_deref())
}
