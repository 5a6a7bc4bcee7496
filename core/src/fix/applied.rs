//! Whether NGF has applied a change, judged by what it did: the status that it wrote, and what nginx is
//! configured with. What the objects predict does not count.

use std::collections::BTreeSet;

use super::{Change, FixPlan};
use crate::diagnosis::code::Code;
use crate::{
    diagnosis::{Diagnosis, Finding, ngf::predict},
    model::{
        object::{Condition, ObjectRef},
        snapshot::Snapshot,
        topology::is_ngf_controller,
    },
};

/// Findings that show that nginx runs with something older than the objects.
const OLDER_IN_NGINX: [Code; 2] = [Code::D3, Code::D5];

/// Why NGF has not applied a plan, as far as the status of the changed objects shows. Pure.
pub fn status_behind(plan: &FixPlan, snapshot: &Snapshot) -> Option<String> {
    plan.changes
        .iter()
        .find_map(|change| behind(change, snapshot))
}

fn behind(change: &Change, snapshot: &Snapshot) -> Option<String> {
    let object = change.object();
    let Some(raw) = snapshot.raw(object) else {
        // What is read by name only once something refers to it may stay unread.
        let is_listed = snapshot.holds_all(object.kind, &object.namespace);
        let is_expected = !matches!(change, Change::Delete { .. }) && is_listed;
        return is_expected.then(|| format!("{object} has not been read since the change"));
    };
    if let Some(before) = change.before()
        && version(before).is_some()
        && version(before) == version(&raw)
    {
        return Some(format!("{object} has not been read since the change"));
    }
    // NGF writes no status into an object that no Gateway of its own uses.
    if predict::predicted(snapshot, object).is_empty() {
        return None;
    }
    let (generation, conditions) = status(snapshot, object)?;
    if conditions.is_empty() {
        return Some(format!("it has written no status into {object}"));
    }
    let observed = conditions
        .iter()
        .filter_map(|condition| condition.observed_generation)
        .max()?;
    (observed < generation).then(|| {
        format!(
            "the status of {object} is about generation {observed}, and its generation is {generation}"
        )
    })
}

fn version(raw: &serde_json::Value) -> Option<&str> {
    raw.pointer("/metadata/resourceVersion")?.as_str()
}

/// The generation of an object, and the conditions that NGF wrote into it.
fn status<'s>(snapshot: &'s Snapshot, object: &ObjectRef) -> Option<(i64, Vec<&'s Condition>)> {
    if let Some(gateway) = snapshot.gateways.get(object) {
        let conditions = gateway.status.conditions.iter().collect();
        return Some((gateway.meta.generation, conditions));
    }
    let (generation, parents) = if let Some(route) = snapshot.routes.get(object) {
        (route.meta.generation, &route.status.parents)
    } else {
        let policy = snapshot.policies.get(object)?;
        (policy.meta.generation, &policy.status.ancestors)
    };
    let conditions = parents
        .iter()
        .filter(|parent| is_ngf_controller(&parent.controller_name))
        .flat_map(|parent| &parent.conditions);
    Some((generation, conditions.collect()))
}

/// Why NGF has not applied a plan that was made for `about`: the status of a changed object is behind, a
/// condition is still that of before, or nginx is still configured as before. Pure.
pub fn not_applied(
    plan: &FixPlan,
    about: &[&Finding],
    before: &Diagnosis,
    after: &Diagnosis,
    snapshot: &Snapshot,
) -> Option<String> {
    if let Some(why) = status_behind(plan, snapshot) {
        return Some(why);
    }
    let affected: BTreeSet<&ObjectRef> = about
        .iter()
        .flat_map(|finding| finding.objects())
        .chain(plan.changes.iter().map(Change::object))
        .collect();
    // What NGF would report has changed, and what it reports has not.
    for (object, differences) in &after.differences {
        let known = before.differences.get(object);
        let new = differences.iter().find(|difference| {
            let status = difference
                .reported
                .as_ref()
                .map(|reported| &reported.status);
            status.is_some_and(|status| *status != difference.predicted.condition.status)
                && !known.is_some_and(|known| known.contains(difference))
        });
        if let (true, Some(difference)) = (affected.contains(object), new) {
            return Some(format!(
                "condition {} of {object} is still {}",
                difference.predicted.condition.kind,
                difference.reported_text()
            ));
        }
    }
    let is_new = |finding: &&Finding| {
        let same = |known: &Finding| known.code == finding.code && known.title == finding.title;
        OLDER_IN_NGINX.contains(&finding.code) && !before.findings.iter().any(same)
    };
    let older = after.findings.iter().filter(is_new);
    let mut older = older.filter(|finding| finding.objects().any(|one| affected.contains(one)));
    older.next().map(|finding| finding.title.clone())
}
