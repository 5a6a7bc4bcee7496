//! `check --over`: which findings a change brings, which it takes away, and which it leaves.

use std::collections::BTreeMap;

use crate::{
    diagnosis::{Diagnosis, Finding, Severity, Verdict},
    files::over::Laid,
    model::object::ObjectRef,
};

use super::FailOn;

/// What a change does to the findings.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// The manifests' objects, and what each is to the cluster.
    pub laid: Vec<(ObjectRef, Laid)>,
    /// What the API server would not take, a sentence each.
    pub refused: Vec<String>,
    /// What the change brings.
    pub new: Vec<Finding>,
    /// What it takes away.
    pub gone: Vec<Finding>,
    /// What is there before and after.
    pub same: Vec<Finding>,
}

/// Codes that say only that NGF has not answered yet, which it could not.
const WAITING: &[&str] = &["NGF-S7", "NGF-S8"];

impl Comparison {
    /// Compares the cluster as it is (`live`), the same by its objects alone (`before`), and as it
    /// would be by its objects alone (`after`). What only NGF's own words show in `live` is as it is:
    /// what NGF will say then nobody knows.
    pub fn of(live: &Diagnosis, before: &Diagnosis, after: &Diagnosis) -> Self {
        let mut known = Counted::of(&live.findings).or_more(Counted::of(&before.findings));
        let mut comparison = Self::default();
        let mut left = Counted::of(&after.findings);
        for finding in relevant(&after.findings) {
            if known.take(finding) {
                comparison.same.push(alone(finding));
            } else {
                comparison.new.push(alone(finding));
            }
        }
        let mut by_objects = Counted::of(&before.findings);
        for finding in &live.findings {
            if left.take(finding) {
                continue;
            }
            if by_objects.take(finding) {
                comparison.gone.push(alone(finding));
            } else {
                comparison.same.push(alone(finding));
            }
        }
        comparison
    }

    /// 1 where the change brings what `fail_on` names, or the API server would refuse it; else 0.
    pub fn exit_code(&self, fail_on: FailOn) -> u8 {
        let limit = match fail_on {
            FailOn::Never => return 0,
            FailOn::Error => Severity::Error,
            FailOn::Warning => Severity::Warning,
        };
        let reached =
            |finding: &Finding| finding.verdict == Verdict::Fail && finding.severity <= limit;
        u8::from(!self.refused.is_empty() || self.new.iter().any(reached))
    }

    /// How many of the manifests' objects are so.
    pub fn count(&self, laid: Laid) -> usize {
        self.laid.iter().filter(|(_, how)| *how == laid).count()
    }
}

fn relevant(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings
        .iter()
        .filter(|finding| !WAITING.contains(&finding.code))
}

/// A finding taken out of its list: the index of its cause means nothing elsewhere.
fn alone(finding: &Finding) -> Finding {
    Finding {
        caused_by: None,
        ..finding.clone()
    }
}

/// Findings by code and subject, with how many there are: titles change with what else is there.
struct Counted<'f>(BTreeMap<(&'f str, &'f ObjectRef, Option<&'f str>), usize>);

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

fn key(finding: &Finding) -> (&str, &ObjectRef, Option<&str>) {
    (finding.code, &finding.subject, finding.input.as_deref())
}
