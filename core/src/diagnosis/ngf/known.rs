//! Whether something that is not in the snapshot does not exist, or is merely not known.

use crate::model::{
    kind::Kind,
    kinds::{ConfigMapFacts, PemFacts, SecretFacts},
    object::{Object, ObjectRef},
    snapshot::{KindState, Lookup, Scope, Snapshot, Source},
};

/// Whether an object that is not in the snapshot's tables does not exist: an error says in a
/// sentence why it is unknown.
pub fn absence_is_proven(snapshot: &Snapshot, object: &ObjectRef) -> Result<(), String> {
    if let Source::Files { .. } = snapshot.source {
        return Err(format!("{object} is not in the files"));
    }
    if snapshot.holds_all(object.kind, &object.namespace) {
        return Ok(());
    }
    kind_is_known(snapshot, object.kind)?;
    Err(format!(
        "namespace {} is not read, so {object} is unknown",
        object.namespace
    ))
}

/// The namespace that alone is read of a kind, if so.
pub fn narrowed_to(snapshot: &Snapshot, kind: Kind) -> Option<&str> {
    match (snapshot.narrowed.get(&kind), &snapshot.scope) {
        (Some(only), _) | (None, Scope::Namespace(only)) => Some(only),
        (None, Scope::AllNamespaces) => None,
    }
}

/// Whether all objects of a kind were read: an error says in a sentence why not.
pub fn kind_is_known(snapshot: &Snapshot, kind: Kind) -> Result<(), String> {
    let plural = kind.info().plural;
    match snapshot.kinds.get(&kind) {
        Some(KindState::Live { .. } | KindState::Stale { .. } | KindState::NotServed) => Ok(()),
        Some(KindState::Loading) => Err(format!("{plural} are not read yet")),
        Some(KindState::UnknownVersions(versions)) => Err(format!(
            "the cluster serves {plural} only as {}, which this tool does not read",
            versions.join(", ")
        )),
        Some(KindState::Denied(why)) => Err(format!("{plural} may not be read: {why}")),
        Some(KindState::Failed(why)) => Err(format!("{plural} could not be read: {why}")),
        None if matches!(snapshot.source, Source::Files { .. }) => {
            Err(format!("the files hold no {plural}"))
        }
        None => Err(format!("{plural} were not asked for")),
    }
}

/// A Secret by name.
pub fn secret<'a>(snapshot: &'a Snapshot, name: &ObjectRef) -> Lookup<&'a Object<SecretFacts>> {
    match by_name(snapshot, name, snapshot.secrets.get(name).map(as_ref)) {
        Lookup::Found(secret) => match &secret.spec.unreadable {
            Some(key) => Lookup::Unknown(format!(
                "{key} in {name} is not base64, so that the API server refuses the Secret"
            )),
            None => Lookup::Found(secret),
        },
        other => other,
    }
}

/// A ConfigMap by name.
pub fn config_map<'a>(
    snapshot: &'a Snapshot,
    name: &ObjectRef,
) -> Lookup<&'a Object<ConfigMapFacts>> {
    by_name(snapshot, name, snapshot.config_maps.get(name).map(as_ref))
}

/// What a Secret or ConfigMap holds under ca.crt; `None` where it is not known.
pub fn ca<'a>(snapshot: &'a Snapshot, name: &ObjectRef) -> Option<&'a PemFacts> {
    if name.kind == Kind::Secret {
        let Lookup::Found(secret) = secret(snapshot, name) else {
            return None;
        };
        return Some(&secret.spec.ca);
    }
    match config_map(snapshot, name) {
        Lookup::Found(map) => Some(&map.spec.ca),
        _ => None,
    }
}

fn as_ref<T>(lookup: &Lookup<std::sync::Arc<T>>) -> Lookup<&T> {
    match lookup {
        Lookup::Found(object) => Lookup::Found(object),
        Lookup::Absent => Lookup::Absent,
        Lookup::Unknown(why) => Lookup::Unknown(why.clone()),
    }
}

fn by_name<T>(snapshot: &Snapshot, name: &ObjectRef, found: Option<Lookup<T>>) -> Lookup<T> {
    match found {
        Some(Lookup::Found(object)) => Lookup::Found(object),
        Some(Lookup::Unknown(why)) => Lookup::Unknown(why),
        _ if matches!(snapshot.source, Source::Files { .. }) => {
            Lookup::Unknown(format!("{name} is not in the files"))
        }
        Some(Lookup::Absent) => Lookup::Absent,
        None => Lookup::Unknown(format!("{name} was not read")),
    }
}
