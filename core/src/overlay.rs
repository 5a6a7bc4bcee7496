//! Lays manifests over what a cluster holds: what there would be once they are applied.
//!
//! The API server itself says it where it can be asked: by a dry run it gives each object as it
//! would store it, with its defaults, without what it drops, and refuses what it would refuse. Where it
//! cannot be asked, the object is merged here, and [`DryRunAnswer`] says so. A changed object loses its status,
//! since what NGF will say of it is not known yet: rules then predict it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{
    decode::{self, Incoming},
    kind::{KINDS, Kind},
    object::ObjectRef,
    references::references,
    snapshot::{KindState, Lookup, Snapshot, Source},
};
use merge::{applied, is_so};

mod merge;
pub mod said;
mod sent;

pub use merge::{LAST_APPLIED, parts};
pub use said::{Answered, DryRunAnswer, READ_ONLY};
use said::{DryRunOutcome, ManifestRefusal, Why};
pub use sent::{Sent, sent};

/// What a manifest is to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Laid {
    /// The object will be created.
    New,
    /// The object would be changed.
    Changed,
    /// The object is so already.
    Same,
}

/// A cluster as it would be.
#[derive(Debug, Clone)]
pub struct Overlay {
    /// The objects.
    pub snapshot: Snapshot,
    /// The manifests' objects.
    pub laid: BTreeMap<ObjectRef, Laid>,
    /// What the API server said of them.
    pub said: Vec<DryRunAnswer>,
}

/// Lays `files` over `live`, as the API server answered; a manifest without an answer is merged here.
/// New objects are created at `now`.
pub fn overlay(
    live: &Snapshot,
    files: &Snapshot,
    answers: Vec<Answered>,
    now: Timestamp,
) -> Overlay {
    let mut overlay = Overlay {
        snapshot: live.clone(),
        laid: BTreeMap::new(),
        said: Vec::new(),
    };
    overlay.snapshot.problems.clone_from(&files.problems);
    let mut answers: BTreeMap<ObjectRef, Answered> = answers
        .into_iter()
        .map(|answered| (answered.said.object.clone(), answered))
        .collect();
    for object in objects(files) {
        let mut said = None;
        if let Some(answered) = answers.remove(&object) {
            let is_refused = matches!(answered.said.outcome, DryRunOutcome::Refused(_));
            if let Some((decoded, laid)) = answered.stored {
                overlay.laid.insert(object.clone(), laid);
                if laid != Laid::Same {
                    overlay.snapshot.put(decoded);
                }
            }
            if is_refused || overlay.laid.contains_key(&object) {
                overlay.said.push(answered.said);
                continue;
            }
            said = Some(answered.said);
        }
        if let Some(words) = not_served(live, files, &object) {
            let refusal = ManifestRefusal {
                words,
                causes: Vec::new(),
                why: Why::NotServed,
            };
            let place = said.map_or_else(String::new, |said| said.place);
            overlay.said.push(DryRunAnswer {
                object,
                place,
                outcome: DryRunOutcome::Refused(refusal),
                warnings: Vec::new(),
            });
            continue;
        }
        overlay.said.extend(said);
        let laid = overlay.lay(live, files, &object, now);
        overlay.laid.insert(object, laid);
    }
    overlay
}

impl Overlay {
    /// The Secrets and ConfigMaps that something refers to now, and that nobody has read.
    pub fn unread(&self) -> BTreeSet<ObjectRef> {
        references(&self.snapshot)
            .into_iter()
            .filter(|object| match object.kind {
                Kind::Secret => !self.snapshot.secrets.contains_key(object),
                _ => !self.snapshot.config_maps.contains_key(object),
            })
            .collect()
    }

    /// Says of each Secret that is not there and that a Certificate will write that it is unknown
    /// yet.
    pub fn expect_certificates(&mut self) {
        let written: Vec<(ObjectRef, ObjectRef)> = self
            .snapshot
            .certificates
            .values()
            .map(|certificate| {
                let name = &certificate.reference;
                let secret =
                    ObjectRef::new(Kind::Secret, &name.namespace, &certificate.spec.secret_name);
                (secret, name.clone())
            })
            .collect();
        let wanted = references(&self.snapshot);
        for (secret, certificate) in written {
            let there = matches!(self.snapshot.secrets.get(&secret), Some(Lookup::Found(_)));
            if wanted.contains(&secret) && !there {
                let why = format!("{secret} is not there yet, and {certificate} is to write it");
                self.snapshot.secrets.insert(secret, Lookup::Unknown(why));
            }
        }
    }

    fn lay(
        &mut self,
        live: &Snapshot,
        files: &Snapshot,
        object: &ObjectRef,
        now: Timestamp,
    ) -> Laid {
        if object.kind == Kind::Secret {
            // Only facts of it are known; they replace the facts.
            if let Some(found) = files.secrets.get(object) {
                self.snapshot.secrets.insert(object.clone(), found.clone());
            }
            return match live.secrets.get(object) {
                Some(Lookup::Found(_)) => Laid::Changed,
                _ => Laid::New,
            };
        }
        let Some(manifest) = files.raw(object) else {
            return Laid::Same;
        };
        let (value, laid) = match live.raw(object) {
            Some(there) if is_so(&there, &manifest) => return Laid::Same,
            Some(there) => (applied(object.kind, &there, &manifest), Laid::Changed),
            None => {
                let mut value = (*manifest).clone();
                if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
                    metadata.insert("creationTimestamp".to_owned(), now.to_string().into());
                    metadata.insert("generation".to_owned(), 1.into());
                }
                (value, Laid::New)
            }
        };
        put(&mut self.snapshot, object, value);
        laid
    }
}

/// The same objects without what NGF said of them, so that rules tell what the objects alone mean.
#[must_use]
pub fn without_status(snapshot: &Snapshot) -> Snapshot {
    let mut bare = snapshot.clone();
    for object in objects(snapshot) {
        let stripped = matches!(
            object.kind,
            Kind::Gateway
                | Kind::ListenerSet
                | Kind::HTTPRoute
                | Kind::GRPCRoute
                | Kind::TLSRoute
                | Kind::TCPRoute
                | Kind::UDPRoute
                | Kind::BackendTLSPolicy
        );
        if let (true, Some(raw)) = (stripped, snapshot.raw(&object)) {
            let mut value = (*raw).clone();
            if let Value::Object(map) = &mut value
                && map.shift_remove("status").is_some()
            {
                put(&mut bare, &object, value);
            }
        }
    }
    bare
}

fn put(snapshot: &mut Snapshot, object: &ObjectRef, value: Value) {
    let incoming = Incoming { value, cut: false };
    // It was decoded before, so it has a name.
    if let Ok(decoded) = decode::object(object.kind, incoming, &object.namespace) {
        snapshot.put(decoded);
    }
}

/// The objects of a snapshot that were read, but for events.
fn objects(snapshot: &Snapshot) -> Vec<ObjectRef> {
    let found = |(object, lookup): (&ObjectRef, bool)| lookup.then(|| object.clone());
    let mut all: Vec<ObjectRef> = Vec::new();
    all.extend(snapshot.gateway_classes.keys().cloned());
    all.extend(snapshot.gateways.keys().cloned());
    all.extend(snapshot.listener_sets.keys().cloned());
    all.extend(snapshot.routes.keys().cloned());
    all.extend(snapshot.policies.keys().cloned());
    all.extend(snapshot.grants.keys().cloned());
    all.extend(snapshot.services.keys().cloned());
    all.extend(snapshot.endpoint_slices.keys().cloned());
    all.extend(snapshot.pods.keys().cloned());
    all.extend(snapshot.workloads.keys().cloned());
    all.extend(snapshot.ngf.keys().cloned());
    all.extend(snapshot.issuers.keys().cloned());
    all.extend(snapshot.certificates.keys().cloned());
    all.extend(snapshot.certificate_requests.keys().cloned());
    all.extend(snapshot.orders.keys().cloned());
    all.extend(snapshot.challenges.keys().cloned());
    all.extend(snapshot.trust_bundles.keys().cloned());
    let secrets = snapshot.secrets.iter();
    all.extend(
        secrets
            .map(|(object, lookup)| (object, matches!(lookup, Lookup::Found(_))))
            .filter_map(found),
    );
    let maps = snapshot.config_maps.iter();
    all.extend(
        maps.map(|(object, lookup)| (object, matches!(lookup, Lookup::Found(_))))
            .filter_map(found),
    );
    all
}

/// Why the API server would not take an object of this kind and version, as far as discovery tells.
fn not_served(live: &Snapshot, files: &Snapshot, object: &ObjectRef) -> Option<String> {
    if !matches!(live.source, Source::Cluster { .. }) {
        return None;
    }
    let written = files.raw(object)?;
    let written = written.get("apiVersion")?.as_str()?;
    let info = KINDS.get(object.kind as usize)?;
    match live.kinds.get(&object.kind)? {
        KindState::NotServed => Some(format!(
            "the cluster has no {} of group {}; install its CRDs first",
            info.name, info.group
        )),
        KindState::Live { version } if info.versions.len() > 1 => {
            let version_written = written.rsplit('/').next().unwrap_or_default();
            // Of several served versions the tool knows the one that it reads, its most preferred.
            let older = |name: &str| info.versions.iter().position(|known| *known == name);
            (older(version_written)? < older(version)?)
                .then(|| format!("the cluster does not serve {written}, only {version}"))
        }
        _ => None,
    }
}
