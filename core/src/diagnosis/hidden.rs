//! What the user's rights (RBAC) hide, with the rules that would show it: said wherever a verdict is
//! given, so that nobody takes silence for health.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use super::{evidence::Evidence, rule::Need, words::count, words::list};
use crate::{
    logs::Role,
    model::{
        kind::{KINDS, Kind},
        object::ObjectRef,
        rights::FORBIDS,
        snapshot::{KindState, Lookup, Scope, Snapshot, Source},
    },
};

/// Names that a sentence holds.
const MOST_NAMES: usize = 6;

/// What is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HiddenKind {
    /// All objects of some kinds.
    Kinds,
    /// Secrets or ConfigMaps, by name.
    Objects,
    /// Some kinds in all namespaces but one.
    Namespaces,
    /// Logs of pods.
    Logs,
    /// What nginx is configured with, which a command in its pod says.
    Configuration,
}

/// A rule of a Role or ClusterRole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// The API groups; the core group is empty.
    pub api_groups: Vec<&'static str>,
    /// The resources.
    pub resources: Vec<&'static str>,
    /// What they allow.
    pub verbs: Vec<&'static str>,
}

/// Something that the user may not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// What.
    pub what: HiddenKind,
    /// The same with its names, in a phrase: `2 Secrets in namespace default (a and b)`.
    pub phrase: String,
    /// The kinds.
    pub kinds: Vec<Kind>,
    /// The objects, where they are known by name: Secrets, ConfigMaps, pods.
    pub objects: Vec<ObjectRef>,
    /// The namespaces in which the rules are missing; none where they are a ClusterRole's.
    pub namespaces: Vec<String>,
    /// The one namespace that is read, where the others are hidden.
    pub read_namespace: Option<String>,
    /// The API server's words for the first.
    pub why: Option<String>,
    /// The rules that would show it.
    pub rules: Vec<Rule>,
}

impl Hidden {
    /// Where the rules belong: `a Role in namespace default`.
    pub fn role(&self) -> String {
        match self.namespaces.as_slice() {
            [] => "a ClusterRole".to_owned(),
            [one] => format!("a Role in namespace {one}"),
            all => format!("a Role in each of the namespaces {}", list(all, MOST_NAMES)),
        }
    }

    /// `add to a Role in namespace default: {apiGroups: [""], resources: [secrets], verbs: [get, watch]}`.
    pub fn advice(&self) -> String {
        let rules: Vec<String> = self.rules.iter().map(Rule::in_line).collect();
        format!("add to {}: {}", self.role(), rules.join(", "))
    }

    /// Whether it is what pods say, and this of it: `the data plane's log`.
    pub(super) fn is_of_pods(&self, whose: &str) -> bool {
        matches!(self.what, HiddenKind::Logs | HiddenKind::Configuration)
            && self.phrase.starts_with(whose)
    }

    /// The rules as a manifest holds them.
    pub fn manifest(&self) -> Value {
        let rules = self.rules.iter();
        rules
            .map(|rule| {
                json!({
                    "apiGroups": rule.api_groups,
                    "resources": rule.resources,
                    "verbs": rule.verbs,
                })
            })
            .collect()
    }
}

impl Rule {
    fn in_line(&self) -> String {
        let groups = self.api_groups.iter();
        let groups: Vec<&str> = groups
            .map(|group| if group.is_empty() { "\"\"" } else { *group })
            .collect();
        format!(
            "{{apiGroups: [{}], resources: [{}], verbs: [{}]}}",
            groups.join(", "),
            self.resources.join(", "),
            self.verbs.join(", ")
        )
    }
}

/// All that is hidden from the user of a cluster; files hide nothing.
pub fn of(snapshot: &Snapshot, evidence: &Evidence) -> Vec<Hidden> {
    if !matches!(snapshot.source, Source::Cluster { .. }) {
        return Vec::new();
    }
    let mut all = Vec::new();
    all.extend(kinds(snapshot));
    all.extend(objects(snapshot));
    all.extend(namespaces(snapshot));
    all.extend(pods(evidence));
    all
}

/// The first of what is hidden without which a rule that finds nothing has not passed.
pub fn missed_by<'a>(hidden: &'a [Hidden], rule: &super::rule::Rule) -> Option<&'a Hidden> {
    hidden.iter().find(|hidden| {
        rule.needs.iter().any(|need| match hidden.what {
            HiddenKind::Logs => *need == Need::Logs,
            HiddenKind::Configuration => *need == Need::NginxConfig,
            HiddenKind::Kinds | HiddenKind::Objects | HiddenKind::Namespaces => {
                hidden.kinds.iter().any(|kind| need.kinds().contains(kind))
            }
        })
    })
}

/// What to do, so that an object that may not be read, or stands in a namespace that is not, is known.
/// `named` is what the user names on the command line.
pub fn advice_for(snapshot: &Snapshot, object: &ObjectRef, named: &ObjectRef) -> Option<String> {
    if !matches!(snapshot.source, Source::Cluster { .. }) {
        return None;
    }
    let (kind, namespace) = (object.kind, object.namespace.as_str());
    let is_denied = matches!(snapshot.kinds.get(&kind), Some(KindState::Denied(_)));
    let narrowed = snapshot.narrowed.get(&kind);
    if is_denied || narrowed.is_some_and(|only| only != namespace) {
        let role = match namespace {
            "" => "a ClusterRole".to_owned(),
            // What is given in one namespace alone is read with -n.
            namespace => {
                format!("a ClusterRole (or, with -n {namespace}, a Role in namespace {namespace})")
            }
        };
        let rules: Vec<String> = rules_for(&[kind], &["list", "watch"])
            .iter()
            .map(Rule::in_line)
            .collect();
        return Some(format!("add to {role}: {}", rules.join(", ")));
    }
    match &snapshot.scope {
        Scope::Namespace(only) if only != namespace && kind.info().namespaced => {
            let kind = named.kind.name().to_ascii_lowercase();
            Some(format!(
                "-n {only} limits what is read: leave it out, and name {kind}/{}/{}",
                named.namespace, named.name
            ))
        }
        _ => None,
    }
}

/// Rules for kinds, one for each group.
fn rules_for(kinds: &[Kind], verbs: &[&'static str]) -> Vec<Rule> {
    let mut by_group: BTreeMap<&'static str, Vec<&'static str>> = BTreeMap::new();
    for kind in kinds {
        let info = kind.info();
        by_group.entry(info.group).or_default().push(info.plural);
    }
    by_group
        .into_iter()
        .map(|(group, resources)| Rule {
            api_groups: vec![group],
            resources,
            verbs: verbs.to_vec(),
        })
        .collect()
}

fn names_of(kinds: &[Kind]) -> String {
    list(kinds.iter().map(|kind| kind.name()), MOST_NAMES)
}

fn kinds(snapshot: &Snapshot) -> Option<Hidden> {
    let mut why = None;
    let mut kinds = Vec::new();
    for info in KINDS {
        if let Some(KindState::Denied(words)) = snapshot.kinds.get(&info.kind)
            && !matches!(info.kind, Kind::Secret | Kind::ConfigMap)
        {
            why.get_or_insert_with(|| words.clone());
            kinds.push(info.kind);
        }
    }
    let phrase = match kinds.as_slice() {
        [] => return None,
        [one] => format!("every {}", one.name()),
        _ => format!("{} kinds ({})", kinds.len(), names_of(&kinds)),
    };
    Some(Hidden {
        what: HiddenKind::Kinds,
        phrase,
        rules: rules_for(&kinds, &["get", "list", "watch"]),
        kinds,
        objects: Vec::new(),
        namespaces: Vec::new(),
        read_namespace: None,
        why,
    })
}

fn objects(snapshot: &Snapshot) -> Vec<Hidden> {
    let mut by_kind: BTreeMap<Kind, Vec<(&ObjectRef, &str)>> = BTreeMap::new();
    for object in &snapshot.denied {
        let why = match object.kind {
            Kind::Secret => snapshot.secrets.get(object).and_then(unknown),
            _ => snapshot.config_maps.get(object).and_then(unknown),
        };
        if let Some(why) = why {
            by_kind.entry(object.kind).or_default().push((object, why));
        }
    }
    by_kind
        .into_iter()
        .map(|(kind, found)| {
            let objects: Vec<ObjectRef> = found.iter().map(|(one, _)| (*one).clone()).collect();
            Hidden {
                what: HiddenKind::Objects,
                phrase: format!("{} {}", count(objects.len(), kind.name()), places(&objects)),
                kinds: vec![kind],
                why: found.first().map(|(_, why)| (*why).to_owned()),
                namespaces: namespaces_of(&objects),
                objects,
                read_namespace: None,
                rules: rules_for(&[kind], &["get", "watch"]),
            }
        })
        .collect()
}

/// `in namespace default (a and b)`, or `in 2 namespaces (default/a and shop/b)`.
pub(super) fn places(objects: &[ObjectRef]) -> String {
    match namespaces_of(objects).as_slice() {
        [one] => format!(
            "in namespace {one} ({})",
            list(objects.iter().map(|object| &object.name), MOST_NAMES)
        ),
        all => format!(
            "in {} ({})",
            count(all.len(), "namespace"),
            list(objects.iter().map(ObjectRef::path), MOST_NAMES)
        ),
    }
}

fn namespaces_of(objects: &[ObjectRef]) -> Vec<String> {
    let all: BTreeSet<&String> = objects.iter().map(|object| &object.namespace).collect();
    all.into_iter().cloned().collect()
}

fn unknown<T>(lookup: &Lookup<T>) -> Option<&str> {
    match lookup {
        Lookup::Unknown(why) => Some(why),
        Lookup::Found(_) | Lookup::Absent => None,
    }
}

fn namespaces(snapshot: &Snapshot) -> Vec<Hidden> {
    let mut by_namespace: BTreeMap<&str, Vec<Kind>> = BTreeMap::new();
    for (kind, namespace) in &snapshot.narrowed {
        // What may not be read at all is hidden in this namespace, too.
        if !matches!(snapshot.kinds.get(kind), Some(KindState::Denied(_))) {
            by_namespace.entry(namespace).or_default().push(*kind);
        }
    }
    by_namespace
        .into_iter()
        .map(|(namespace, kinds)| Hidden {
            what: HiddenKind::Namespaces,
            phrase: format!(
                "all namespaces but {namespace}, for {} ({})",
                count(kinds.len(), "kind"),
                names_of(&kinds)
            ),
            rules: rules_for(&kinds, &["list", "watch"]),
            kinds,
            objects: Vec::new(),
            namespaces: Vec::new(),
            read_namespace: Some(namespace.to_owned()),
            why: None,
        })
        .collect()
}

/// What the pods would say: their logs, and nginx's configuration in them.
fn pods(evidence: &Evidence) -> Vec<Hidden> {
    let mut found: BTreeMap<(HiddenKind, &'static str), (BTreeSet<&ObjectRef>, &str)> =
        BTreeMap::new();
    for log in evidence.logs() {
        let Some(why) = log.failed.as_deref().filter(|why| why.contains(FORBIDS)) else {
            continue;
        };
        let whose = match log.role {
            Role::DataPlane => "the data plane's log",
            Role::Application => "the application's log",
            Role::Controller => "the control plane's log",
        };
        let place = (HiddenKind::Logs, whose);
        let entry = found.entry(place).or_insert((BTreeSet::new(), why));
        entry.0.insert(&log.pod);
    }
    for in_pod in evidence.rendered() {
        let Err(why) = &in_pod.found else { continue };
        if why.contains(FORBIDS) {
            let place = (HiddenKind::Configuration, "nginx's configuration");
            let entry = found.entry(place).or_insert((BTreeSet::new(), why));
            entry.0.insert(&in_pod.pod);
        }
    }
    found
        .into_iter()
        .map(|((what, whose), (pods, why))| {
            let pods: Vec<ObjectRef> = pods.into_iter().cloned().collect();
            let (resource, verbs) = match what {
                HiddenKind::Configuration => ("pods/exec", vec!["get", "create"]),
                _ => ("pods/log", vec!["get"]),
            };
            Hidden {
                what,
                phrase: format!("{whose}, of {} {}", count(pods.len(), "pod"), places(&pods)),
                kinds: vec![Kind::Pod],
                namespaces: namespaces_of(&pods),
                objects: pods,
                read_namespace: None,
                why: Some(why.to_owned()),
                rules: vec![Rule {
                    api_groups: vec![""],
                    resources: vec![resource],
                    verbs,
                }],
            }
        })
        .collect()
}
