//! The objects that arguments name, as kubectl reads them: `TYPE/NAME…`, `TYPE NAME…`, `TYPE`, `TYPE -l LABEL=VALUE`.

use super::args::Shard;
use ngf_core::{
    diagnosis::{
        ngf::known,
        plan::{ProbeTarget, TargetError},
    },
    model::{
        clean::clean_line,
        kind::Kind,
        object::ObjectRef,
        snapshot::{Scope, Snapshot, Source, Table},
        status::Spec,
    },
    selector::Selector,
};

/// The kinds that can be checked by themselves.
const KINDS: &[Kind] = &[
    Kind::Gateway,
    Kind::HTTPRoute,
    Kind::GRPCRoute,
    Kind::TLSRoute,
    Kind::TCPRoute,
    Kind::UDPRoute,
    Kind::Service,
    Kind::BackendTLSPolicy,
];

/// One object that is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) object: ObjectRef,
    /// Of a Service, the port.
    pub(super) port: Option<u16>,
}

impl Target {
    /// What to probe for it.
    pub(super) fn to_probe(&self) -> ProbeTarget {
        let object = self.object.clone();
        match self.object.kind {
            Kind::Gateway => ProbeTarget::Gateway(object),
            Kind::BackendTLSPolicy => ProbeTarget::Policy(object),
            Kind::Service => ProbeTarget::Service {
                service: object,
                port: self.port,
            },
            _ => ProbeTarget::Route(object),
        }
    }
}

/// The objects with their ports.
pub(super) fn pairs(targets: &[Target]) -> Vec<(ObjectRef, Option<u16>)> {
    let all = targets.iter();
    all.map(|target| (target.object.clone(), target.port))
        .collect()
}

/// The routes of one part of a sweep: of `targets`, or of all routes where there are none. Which part a route belongs to
/// depends on its name alone, so that the parts together hold each route once.
pub(super) fn part_of(targets: Vec<Target>, snapshot: &Snapshot, shard: Shard) -> Vec<Target> {
    let all = if targets.is_empty() {
        let routes = snapshot.routes.keys().cloned();
        routes.map(|object| Target { object, port: None }).collect()
    } else {
        targets
    };
    let is_mine = |target: &Target| shard.holds(&target.object.to_string());
    all.into_iter().filter(is_mine).collect()
}

/// `TYPE/NAME` for each object that the words name. A `TYPE` alone stays as it is.
///
/// # Errors
/// Both forms at once.
pub(super) fn joined(words: &[String]) -> Result<Vec<String>, String> {
    let Some((first, names)) = words.split_first() else {
        return Ok(Vec::new());
    };
    let is_path = |word: &String| word.contains('/');
    if words.iter().all(is_path) {
        return Ok(words.to_vec());
    }
    if words.iter().any(is_path) {
        return Err(format!(
            "\"{}\": write TYPE/NAME for each object, or one TYPE and then names",
            clean_line(&words.join(" "))
        ));
    }
    if names.is_empty() {
        return Ok(first.split(',').map(str::to_owned).collect());
    }
    Ok(names.iter().map(|name| format!("{first}/{name}")).collect())
}

/// The one object that the words name, as `TYPE/NAME`.
///
/// # Errors
/// A sentence, where it is none or several.
pub(super) fn only(words: &[String]) -> Result<Option<String>, String> {
    let mut all = joined(words)?;
    match (all.pop(), all.is_empty()) {
        (one, true) => Ok(one),
        (_, false) => Err("name one object; several are checked by check".to_owned()),
    }
}

/// The namespace of names that have none: the one that is read, or else the context's.
pub(super) fn namespace_of<'s>(snapshot: &'s Snapshot, contexts_own: &'s str) -> &'s str {
    match &snapshot.scope {
        Scope::AllNamespaces => contexts_own,
        Scope::Namespace(namespace) => namespace,
    }
}

/// The objects that the words and the selector mean; empty where they limit nothing.
///
/// # Errors
/// A sentence: what is not there, or cannot be checked.
pub(super) fn targets(
    words: &[String],
    selector: Option<&Selector>,
    snapshot: &Snapshot,
    namespace: &str,
) -> Result<Vec<Target>, String> {
    let namespace = namespace_of(snapshot, namespace);
    let mut all = joined(words)?;
    if all.is_empty() && selector.is_some() {
        all = KINDS.iter().map(|kind| kind.name().to_owned()).collect();
    }
    let mut found = Vec::new();
    for word in &all {
        if !word.contains('/') {
            found.extend(of_kind(word, selector, snapshot)?);
            continue;
        }
        if let Some(selector) = selector {
            return Err(format!(
                "-l {}: a name cannot be given together with a label selector",
                clean_line(selector.text())
            ));
        }
        found.push(named(word, snapshot, namespace)?);
    }
    found.dedup();
    if found.is_empty() && !all.is_empty() {
        let labels = selector.map_or_else(String::new, |selector| {
            format!(" with labels {}", clean_line(selector.text()))
        });
        let kinds = if words.is_empty() {
            "object".to_owned()
        } else {
            clean_line(&all.join(","))
        };
        return Err(format!("no {kinds}{labels} found"));
    }
    Ok(found)
}

/// The objects of a kind.
fn of_kind(
    word: &str,
    selector: Option<&Selector>,
    snapshot: &Snapshot,
) -> Result<Vec<Target>, String> {
    let unknown = || TargetError::UnknownKind(clean_line(word)).to_string();
    let kind = Kind::parse(word.split('.').next().unwrap_or(word))
        .filter(|kind| KINDS.contains(kind))
        .ok_or_else(unknown)?;
    let is_files = matches!(snapshot.source, Source::Files { .. });
    if is_files && !snapshot.kinds.contains_key(&kind) {
        return Ok(Vec::new());
    }
    // Objects that could not be read may have the labels.
    if let Err(why) = known::kind_is_known(snapshot, kind) {
        return Err(format!("cannot list {kind}: {why}"));
    }
    let all = match kind {
        Kind::Gateway => names(&snapshot.gateways),
        Kind::Service => names(&snapshot.services),
        Kind::BackendTLSPolicy => names(&snapshot.policies),
        _ => names(&snapshot.routes),
    };
    let of_kind = all.into_iter().filter(|object| object.kind == kind);
    let wanted = of_kind.filter(|object| {
        selector.is_none_or(|selector| {
            let raw = snapshot.raw(object);
            raw.is_some_and(|raw| selector.matches_object(&raw))
        })
    });
    Ok(wanted.map(|object| Target { object, port: None }).collect())
}

fn names<T: Spec>(table: &Table<T>) -> Vec<ObjectRef> {
    table.keys().cloned().collect()
}

/// An object by name; it has to exist, as far as that is known.
fn named(word: &str, snapshot: &Snapshot, namespace: &str) -> Result<Target, String> {
    let target = ProbeTarget::parse_in(word, namespace, snapshot).map_err(|why| why.to_string())?;
    let target = match target {
        ProbeTarget::Service { service, port } => Target {
            object: service,
            port,
        },
        ProbeTarget::Route(object) | ProbeTarget::Gateway(object) | ProbeTarget::Policy(object) => {
            Target { object, port: None }
        }
        ProbeTarget::Node(_) => return Err(format!("invalid object {word:?}")),
    };
    if snapshot.raw(&target.object).is_some() {
        return Ok(target);
    }
    Err(missing(&target.object, snapshot))
}

/// That an object is not among those that were read, in a sentence.
pub(super) fn missing(object: &ObjectRef, snapshot: &Snapshot) -> String {
    match known::absence_is_proven(snapshot, object) {
        Ok(()) => not_found(object),
        Err(why) => {
            let kind = object.kind.name().to_ascii_lowercase();
            format!("cannot check {kind} {:?}: {why}", object.name)
        }
    }
}

/// As kubectl reports it.
pub(super) fn not_found(object: &ObjectRef) -> String {
    format!(
        "{} {:?} not found in namespace {:?}",
        object.kind.name().to_ascii_lowercase(),
        clean_line(&object.name),
        clean_line(&object.namespace)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    const OBJECTS: &str = r"
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: shop, labels: {team: a}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: cart, namespace: shop, labels: {team: b}}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop, labels: {team: b}}
spec: {ports: [{name: https, port: 8443}]}
";

    fn found(text: &str, selector: Option<&str>) -> String {
        let snapshot = ngf_core::manifests::parse(OBJECTS, "shop");
        let selector = selector.map(|text| text.parse().expect("a selector"));
        match targets(&words(text), selector.as_ref(), &snapshot, "shop") {
            Ok(found) => {
                let shown = found.iter().map(|target| target.to_probe().to_string());
                shown.collect::<Vec<_>>().join(", ")
            }
            Err(why) => format!("error: {why}"),
        }
    }

    #[test]
    fn words_name_objects_as_for_kubectl() {
        for (text, expected) in [
            ("gateway/gw", "Gateway shop/gw"),
            ("gtw gw", "Gateway shop/gw"),
            ("svc cart:https", "Service shop/cart:8443"),
            (
                "gateway/gw svc/shop/cart:8443",
                "Gateway shop/gw, Service shop/cart:8443",
            ),
            (
                "httproutes.gateway.networking.k8s.io cart",
                "HTTPRoute shop/cart",
            ),
        ] {
            assert_eq!(found(text, None), expected, "{text}");
        }
        for text in [
            "gateway/gw cart",
            "gw",
            "pod x",
            "gateway/",
            "svc/cart:http",
        ] {
            assert!(
                found(text, None).starts_with("error: "),
                "{text}: {}",
                found(text, None)
            );
        }
    }

    #[test]
    fn a_name_and_a_selector_exclude_each_other() {
        assert_eq!(
            found("gateway/gw", Some("team=a")),
            "error: -l team=a: a name cannot be given together with a label selector"
        );
    }
}
