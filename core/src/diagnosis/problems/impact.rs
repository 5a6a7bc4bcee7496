//! What clients notice of an entry.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Diagnosis, Finding, words};
use crate::model::{
    kind::Kind,
    object::ObjectRef,
    topology::{NodeIx, NodeKind},
};

/// What clients notice: for one cause, the sentences of its findings; for several, how many routes.
pub(super) fn of(diagnosis: &Diagnosis, heads: &[usize], all: &[usize]) -> Vec<String> {
    let findings = &diagnosis.findings;
    if heads.len() > 1 {
        return vec![of_many(diagnosis, all)];
    }
    let head = &findings[heads[0]];
    if !head.effects.is_empty() {
        return head.effects.clone();
    }
    let mut effects = all.iter().map(|index| &findings[*index].effects);
    match effects.find(|effects| !effects.is_empty()) {
        Some(effects) => effects.clone(),
        // An effect may be nothing but what clients get.
        None => all
            .iter()
            .map(|index| &findings[*index])
            .find(|finding| finding.caused_by.is_some() && status(&finding.title).is_some())
            .map(|finding| vec![finding.title.clone()])
            .unwrap_or_default(),
    }
}

/// `500 for 28 routes in 19 namespaces`.
fn of_many(diagnosis: &Diagnosis, all: &[usize]) -> String {
    let routes = routes(diagnosis, all);
    let namespaces: BTreeSet<&str> = routes.iter().map(|r| r.namespace.as_str()).collect();
    let found = all.iter().map(|index| &diagnosis.findings[*index]);
    let statuses: BTreeSet<&str> = found.flat_map(statuses_of).collect();
    let what = match (statuses.is_empty(), routes.is_empty()) {
        (_, true) => return "no route is affected".to_owned(),
        (true, false) => String::new(),
        (false, false) => format!("{} for ", words::list(&statuses, statuses.len())),
    };
    format!(
        "{what}{} in {}",
        words::count(routes.len(), "route"),
        words::count(namespaces.len(), "namespace")
    )
}

fn statuses_of(finding: &Finding) -> impl Iterator<Item = &str> {
    let sentences = finding
        .effects
        .iter()
        .chain(std::iter::once(&finding.title));
    sentences.filter_map(|sentence| status(sentence))
}

/// The status that clients get by a sentence of a rule: `clients of … get 502`.
fn status(sentence: &str) -> Option<&str> {
    let after = [" get ", " got "]
        .iter()
        .find_map(|word| sentence.split_once(word))?
        .1;
    let status = after.get(..3)?;
    let is_status = status.bytes().all(|byte| byte.is_ascii_digit())
        && !after[3..].starts_with(|c: char| c.is_ascii_alphanumeric());
    is_status.then_some(status)
}

/// The routes that the findings are about, or whose path they stand on.
fn routes(diagnosis: &Diagnosis, all: &[usize]) -> BTreeSet<ObjectRef> {
    let mut routes: BTreeSet<ObjectRef> = BTreeSet::new();
    let mut places: BTreeMap<usize, Vec<NodeIx>> = BTreeMap::new();
    let wanted: BTreeSet<usize> = all.iter().copied().collect();
    for place in diagnosis.marked() {
        for finding in diagnosis.findings_at(place) {
            if wanted.contains(finding) {
                places.entry(*finding).or_default().push(place);
            }
        }
    }
    for place in places.into_values().flatten() {
        let route = diagnosis.topology.above(place, |node| match node.what {
            NodeKind::Route { .. } => node.object.clone(),
            _ => None,
        });
        routes.extend(route);
    }
    for index in all {
        let about = diagnosis.findings[*index].objects();
        routes.extend(about.filter(|object| is_route(object)).cloned());
    }
    routes
}

fn is_route(object: &ObjectRef) -> bool {
    matches!(
        object.kind,
        Kind::HTTPRoute | Kind::GRPCRoute | Kind::TLSRoute | Kind::TCPRoute | Kind::UDPRoute
    )
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn the_status_is_read_from_the_words_of_the_rules() {
        for (sentence, expected) in [
            (
                "1 of 1 endpoints: clients of HTTPRoute default/secure-app get 502",
                Some("502"),
            ),
            (
                "28 of 40 endpoints: clients of HTTPRoute default/secure-app got 502",
                Some("502"),
            ),
            (
                "Clients of HTTPRoute a/b get 500, because BackendTLSPolicy a/c is invalid",
                Some("500"),
            ),
            ("clients get an answer from another endpoint", None),
            ("clients get 5023", None),
            ("they get 50", None),
            ("", None),
        ] {
            assert_eq!(status(sentence), expected, "{sentence}");
        }
    }
}
