//! From a finding to the change that repairs it: what would change ([`plan`]), and whether NGF has applied it
//! ([`not_applied`]). `ngf-cluster` lets the API server try the change, and makes it once somebody agreed.
//!
//! Only what a rule says as data ([`Remedy::changes`](crate::diagnosis::finding::Remedy)) is
//! ever applied: a remedy that needs something which the tool cannot know, such as which CA is the
//! right one, has words and no change.

mod applied;
mod diff;

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use crate::diagnosis::Code;
use crate::{
    diagnosis::{
        Finding, Verdict,
        finding::{ObjectChange, Remedy},
    },
    json_merge::merged,
    model::{
        object::ObjectRef,
        raw::Raw,
        snapshot::{KindState, Snapshot, Source},
    },
};

pub use applied::{not_applied, status_behind};
pub use diff::without_servers_fields;
pub use diff::{DiffKind, DiffLine, of_texts};

/// How long NGF may take to apply a change.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What repairs a finding.
#[derive(Debug, Clone)]
pub struct FixPlan {
    /// The finding's code.
    pub code: Code,
    /// What it does, in one sentence.
    pub summary: String,
    /// The changes, in the order in which they are made.
    pub changes: Vec<Change>,
    /// What one should know before one agrees, a sentence each.
    pub notes: Vec<String>,
}

/// A change of one object, with the object as it was when the change was planned.
#[derive(Debug, Clone)]
pub enum Change {
    /// The object is made.
    Create {
        /// Which.
        object: ObjectRef,
        /// Its manifest, in the version that the cluster serves.
        manifest: Value,
    },
    /// The object is changed by a JSON merge patch (RFC 7386).
    Merge {
        /// Which.
        object: ObjectRef,
        /// As it was; of a Secret without values.
        before: Arc<Raw>,
        /// The patch.
        patch: Value,
    },
    /// The object is removed.
    Delete {
        /// Which.
        object: ObjectRef,
        /// As it was; of a Secret without values.
        before: Arc<Raw>,
    },
}

impl Change {
    /// The object.
    pub fn object(&self) -> &ObjectRef {
        match self {
            Self::Create { object, .. }
            | Self::Merge { object, .. }
            | Self::Delete { object, .. } => object,
        }
    }

    /// The verb of the API, which is RBAC's too: `create`, `patch`, `delete`.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Merge { .. } => "patch",
            Self::Delete { .. } => "delete",
        }
    }

    /// The object as it would be; `None` where it would be gone.
    pub fn after(&self) -> Option<Value> {
        match self {
            Self::Create { manifest, .. } => Some(manifest.clone()),
            Self::Merge { before, patch, .. } => Some(merged(before, patch)),
            Self::Delete { .. } => None,
        }
    }

    /// The difference that it makes, as `diff -u` shows it, without what the API server keeps for
    /// itself. A Secret's values are never in it.
    pub fn diff(&self) -> Vec<DiffLine> {
        diff::of(self)
    }

    /// The object as it was when the change was planned; `None` where it is made.
    pub fn before(&self) -> Option<&Raw> {
        match self {
            Self::Create { .. } => None,
            Self::Merge { before, .. } | Self::Delete { before, .. } => Some(before),
        }
    }
}

impl FixPlan {
    /// The plan as text: what it does, what one should know, and every difference.
    pub fn lines(&self) -> Vec<DiffLine> {
        self.changes.iter().flat_map(Change::diff).collect()
    }

    /// Whether another plan leaves the same objects behind.
    pub fn does_the_same(&self, other: &Self) -> bool {
        let key = |plan: &Self| {
            plan.changes
                .iter()
                .map(|change| (change.object().clone(), change.after()))
                .collect::<Vec<_>>()
        };
        key(self) == key(other)
    }
}

/// What would repair a finding. Pure.
///
/// # Errors
/// A sentence that says why there is nothing to apply, with what to do instead.
pub fn plan(finding: &Finding, snapshot: &Snapshot) -> Result<FixPlan, String> {
    let code = finding.code;
    let Some(remedy) = &finding.remedy else {
        return Err(format!("{code} names nothing to do"));
    };
    if finding.verdict == Verdict::Unknown {
        return Err(format!(
            "whether {code} holds is not known, so nothing is applied; {}",
            in_words(remedy)
        ));
    }
    if remedy.changes.is_empty() {
        return Err(format!("no automatic fix for {code}: {}", in_words(remedy)));
    }
    let changes = remedy
        .changes
        .iter()
        .map(|change| planned(code, change, snapshot))
        .collect::<Result<Vec<_>, _>>()?;
    let notes = changes.iter().filter_map(written_by).collect();
    Ok(FixPlan {
        code,
        summary: remedy.summary.clone(),
        changes,
        notes,
    })
}

/// The findings that have a plan, with it, in the findings' order.
pub fn plans<'f>(findings: &'f [Finding], snapshot: &Snapshot) -> Vec<(&'f Finding, FixPlan)> {
    findings
        .iter()
        .filter_map(|finding| Some((finding, plan(finding, snapshot).ok()?)))
        .collect()
}

/// The fixes to offer, one for each cause, in the findings' order: that of the cause, or, where it has none, of
/// the first of its effects that has one. Fixing both would repair one fault twice.
pub fn offered<'f>(findings: &'f [Finding], snapshot: &Snapshot) -> Vec<(&'f Finding, FixPlan)> {
    let mut offered: Vec<(&Finding, FixPlan)> = Vec::new();
    let mut is_covered = false;
    // A cause stands before its effects, and they before the next cause.
    for finding in findings {
        if finding.caused_by.is_none() {
            is_covered = false;
        }
        if is_covered {
            continue;
        }
        if let Ok(plan) = plan(finding, snapshot) {
            is_covered = true;
            // Several causes may have one repair.
            if !offered.iter().any(|(_, known)| known.does_the_same(&plan)) {
                offered.push((finding, plan));
            }
        }
    }
    offered
}

/// What repairs a finding at its root: the plan of the topmost of its causes that has one, or else its own.
///
/// # Errors
/// As [`plan`].
pub fn plan_of_cause(
    finding: &Finding,
    findings: &[Finding],
    snapshot: &Snapshot,
) -> Result<FixPlan, String> {
    let cause = |finding: &&Finding| findings.get(finding.caused_by?);
    let causes = std::iter::successors(Some(finding), cause)
        .skip(1)
        .take(findings.len());
    let planned = causes.filter_map(|cause| plan(cause, snapshot).ok());
    planned.last().map_or_else(|| plan(finding, snapshot), Ok)
}

fn in_words(remedy: &Remedy) -> String {
    match remedy.command.as_deref().or(remedy.yaml.as_deref()) {
        Some(how) if !how.contains('\n') => format!("{} ({how})", remedy.summary),
        _ => remedy.summary.clone(),
    }
}

fn planned(code: Code, change: &ObjectChange, snapshot: &Snapshot) -> Result<Change, String> {
    let object = change
        .object()
        .ok_or_else(|| format!("the change that {code} names is of no kind that the tool knows"))?;
    let before = snapshot.raw(&object);
    let read = |before: Option<Arc<Raw>>| {
        before.ok_or_else(|| format!("{object} was not read, so it cannot be changed for {code}"))
    };
    match change {
        ObjectChange::Create(manifest) => {
            if before.is_some() {
                return Err(format!(
                    "{object} is there already, and is not what {code} needs; change it by hand"
                ));
            }
            let mut manifest = manifest.clone();
            serve(&mut manifest, &object, snapshot)?;
            Ok(Change::Create { object, manifest })
        }
        ObjectChange::Merge { patch, .. } => {
            let before = read(before)?;
            if merged(&before, patch) == **before {
                return Err(format!("{object} is as {code} wants it already"));
            }
            Ok(Change::Merge {
                object,
                before,
                patch: patch.clone(),
            })
        }
        ObjectChange::Delete(_) => Ok(Change::Delete {
            before: read(before)?,
            object,
        }),
    }
}

/// Writes the version that the cluster serves into a manifest.
fn serve(manifest: &mut Value, object: &ObjectRef, snapshot: &Snapshot) -> Result<(), String> {
    let info = object.kind.info();
    let version = match snapshot.kinds.get(&object.kind) {
        Some(KindState::Live { version } | KindState::Stale { version, .. }) => version,
        Some(KindState::NotServed) => {
            return Err(format!(
                "{object} cannot be made: the cluster has no {}",
                info.name
            ));
        }
        _ if matches!(snapshot.source, Source::Files { .. }) => return Ok(()),
        _ => {
            return Err(format!(
                "{object} cannot be made: in which version the cluster serves {} is not known",
                info.name
            ));
        }
    };
    let api_version = match info.group {
        "" => version.clone(),
        group => format!("{group}/{version}"),
    };
    manifest["apiVersion"] = Value::from(api_version);
    Ok(())
}

/// Who writes an object from elsewhere, and would undo a change of it.
fn written_by(change: &Change) -> Option<String> {
    let before = change.before()?;
    let text = |field: &str, key: &str| before.get("metadata")?.get(field)?.get(key)?.as_str();
    let label = |key| text("labels", key);
    let annotation = |key| text("annotations", key);
    let writer = if let Some(release) = annotation("meta.helm.sh/release-name") {
        format!("Helm release {release}")
    } else if let Some(application) = annotation("argocd.argoproj.io/tracking-id") {
        let application = application.split(':').next().unwrap_or(application);
        format!("Argo CD application {application}")
    } else if let Some(application) = label("argocd.argoproj.io/instance") {
        format!("Argo CD application {application}")
    } else if let Some(name) = label("kustomize.toolkit.fluxcd.io/name") {
        format!("Flux Kustomization {name}")
    } else if let Some(name) = label("helm.toolkit.fluxcd.io/name") {
        format!("Flux HelmRelease {name}")
    } else {
        return None;
    };
    Some(format!(
        "{} belongs to {writer}: change it at its source too, or this is undone.",
        change.object()
    ))
}
