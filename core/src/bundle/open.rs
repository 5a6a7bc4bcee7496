//! Opens a bundle, which comes from a stranger.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use ngf_text::sanitize;
use ngf_tls::certificate::CertificateFacts;
use serde_json::Value;

use super::{
    BundleError, Document, Opened, SCHEMA,
    format::{Held, Judged, Key, Listener, Name, Pem, Probe, State, StoredMatrix, Untested},
    recording::{self, Player, Recording},
};
use crate::{
    diagnosis::{
        Evidence,
        evidence::{Meeting, Met, Probed},
        plan::PlanKey,
        probe_context::HowProbed,
    },
    logs::PodLog,
    model::{
        decode::{self, Decoded, Incoming},
        kind::Kind,
        kinds::{ByNgf, KeyState, PemFacts},
        object::ObjectRef,
        snapshot::{KindState, Lookup, Scope, Snapshot, Source},
        versions::Versions,
    },
    nginx_config::InPod,
};

/// Characters of one text in a bundle that is opened.
const MAX_TEXT: usize = 1 << 20;
/// What stands in the place of the API server's address.
const SERVER: &str = "bundle";

/// Opens a bundle; of a recording, what was seen last.
///
/// # Errors
/// [`BundleError`], where it is none, or of another version.
pub fn open(text: &str) -> Result<Opened, BundleError> {
    if recording::is_one(text) {
        let recording = Arc::new(Recording::open(text.to_owned())?);
        let last = recording.moments().len().saturating_sub(1);
        return Player::new(recording).go_to(last);
    }
    let not_one =
        |error: serde_json::Error| BundleError::NotOne(sanitize::line(&error.to_string(), 200));
    // Not deeper than an object may be.
    let Incoming { mut value, .. } = serde_json::from_str(text).map_err(not_one)?;
    clean(&mut value);
    let found = value.get("schema").and_then(Value::as_str);
    match found {
        Some(SCHEMA) => {}
        Some(other) => {
            let found = sanitize::line(other, 60);
            return Err(BundleError::Version { found });
        }
        None => return Err(BundleError::NotOne("it has no field schema".to_owned())),
    }
    let document: Document = serde_json::from_value(value).map_err(not_one)?;
    Ok(opened(document))
}

/// Whether a text begins as what [`super::write()`] writes.
pub(super) fn is_bundle(text: &str) -> bool {
    let begin: String = text.chars().take(100).collect();
    begin
        .trim_start_matches(['{', '\n', ' '])
        .starts_with(&format!("\"schema\": \"{SCHEMA}\""))
}

/// Every text bounded, and without control characters but line feeds.
pub(super) fn clean(value: &mut Value) {
    match value {
        Value::String(text) => *text = sanitize::block(text, MAX_TEXT),
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Object(fields) => fields.values_mut().for_each(clean),
        _ => {}
    }
}

pub(super) fn opened(document: Document) -> Opened {
    let source = Source::Cluster {
        context: document.context,
        server: SERVER.to_owned(),
        version: document.kubernetes,
    };
    let scope = document
        .namespace
        .map_or(Scope::AllNamespaces, Scope::Namespace);
    let mut snapshot = Snapshot::new(source, scope);
    let kinds = document.kinds.into_iter();
    snapshot.kinds = kinds
        .filter_map(|(name, state)| Some((Kind::named(&name)?, state.known())))
        .collect();
    let narrowed = document.narrowed.into_iter();
    snapshot.narrowed = narrowed
        .filter_map(|(name, space)| Some((Kind::named(&name)?, space)))
        .collect();
    snapshot.denied = document.denied.iter().filter_map(Name::object).collect();
    for value in document.objects {
        let text = |field: &str| {
            value
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let Some(kind) = Kind::of(&text("apiVersion"), &text("kind")) else {
            continue;
        };
        let incoming = Incoming { value, cut: false };
        match decode::object(kind, incoming, "default") {
            Ok(Decoded::Secret(_) | Decoded::ConfigMap(_)) => {}
            Ok(decoded) => {
                snapshot.put(decoded);
            }
            Err(problem) => snapshot.problems.push(*problem),
        }
    }
    for held in &document.held {
        take_held(&mut snapshot, held);
    }
    let mut nginx = document.nginx;
    if !nginx.is_empty() {
        let now = Versions::of(&snapshot);
        for in_pod in &mut nginx {
            let behind = document.behind.iter();
            let behind = behind.filter(|behind| behind.pod == in_pod.pod);
            let objects = behind.flat_map(|behind| behind.objects.iter().cloned());
            in_pod.versions = now.with_older(objects);
        }
    }
    let mut evidence = evidence(document.probes, document.untested, document.logs, nginx);
    for listener in document.listeners {
        listener.record(&mut evidence);
    }
    for StoredMatrix { gateway, matrix } in document.matrices {
        evidence.record_matrix(gateway, matrix.bounded());
    }
    Opened {
        snapshot,
        evidence,
        at: document.at,
    }
}

impl State {
    fn known(self) -> KindState {
        match self {
            Self::Live { version } => KindState::Live { version },
            Self::NotServed => KindState::NotServed,
            Self::UnknownVersions { versions } => KindState::UnknownVersions(versions),
            Self::Denied { why } => KindState::Denied(why),
            Self::Failed { why } => KindState::Failed(why),
        }
    }
}

impl Name {
    fn object(&self) -> Option<ObjectRef> {
        let kind = Kind::named(&self.kind)?;
        Some(ObjectRef::new(kind, &self.namespace, &self.name))
    }
}

/// A Secret or ConfigMap of which facts are known.
fn take_held(snapshot: &mut Snapshot, held: &Held) {
    let Some(object) = held.name.object() else {
        return;
    };
    let is_secret = object.kind == Kind::Secret;
    if !is_secret && object.kind != Kind::ConfigMap {
        return;
    }
    let without = match (held.absent, &held.unknown) {
        (true, _) => Some(None),
        (false, Some(why)) => Some(Some(why.clone())),
        (false, None) => None,
    };
    if let Some(why) = without {
        if is_secret {
            let lookup = why.map_or(Lookup::Absent, Lookup::Unknown);
            snapshot.secrets.insert(object, lookup);
        } else {
            let lookup = why.map_or(Lookup::Absent, Lookup::Unknown);
            snapshot.config_maps.insert(object, lookup);
        }
        return;
    }
    let incoming = Incoming {
        value: held.object.clone(),
        cut: false,
    };
    match decode::object(object.kind, incoming, &object.namespace) {
        Ok(Decoded::Secret(mut found)) => {
            found.spec.keys.clone_from(&held.keys);
            found.spec.certificate = held.tls_crt.facts();
            found.spec.ca = held.ca_crt.facts();
            found.spec.key = held.key.state();
            found.spec.pair_by_ngf = held.pair_by_ngf.by_ngf();
            found.spec.ca_by_ngf = held.ca_by_ngf.by_ngf();
            snapshot
                .secrets
                .insert(object, Lookup::Found(Arc::new(found)));
        }
        Ok(Decoded::ConfigMap(mut found)) => {
            found.spec.keys.clone_from(&held.keys);
            found.spec.ca = held.ca_crt.facts();
            found.spec.ca_by_ngf = held.ca_by_ngf.by_ngf();
            snapshot
                .config_maps
                .insert(object, Lookup::Found(Arc::new(found)));
        }
        Ok(_) => {}
        Err(problem) => snapshot.problems.push(*problem),
    }
}

impl Pem {
    fn facts(&self) -> PemFacts {
        match self {
            Self::Missing => PemFacts::Missing,
            Self::Empty => PemFacts::Empty,
            Self::Certificates {
                der,
                trailing,
                open_end,
            } => PemFacts::Certificates {
                certificates: facts_of(der).into(),
                trailing: trailing.clone(),
                open_end: *open_end,
            },
            Self::Broken { why } => PemFacts::Broken(why.clone()),
        }
    }
}

fn facts_of(ders: &[String]) -> Vec<CertificateFacts> {
    let all = ders.iter().filter_map(|text| STANDARD.decode(text).ok());
    all.map(|der| {
        CertificateFacts::from_der(&der)
            .unwrap_or_else(|why| CertificateFacts::unreadable(&der, &why))
    })
    .collect()
}

impl Judged {
    fn by_ngf(&self) -> ByNgf {
        match self {
            Self::Unknown => ByNgf::Unknown,
            Self::Taken => ByNgf::Taken,
            Self::Refused { words, oddity } => ByNgf::Refused {
                words: words.clone(),
                oddity: oddity.clone(),
            },
        }
    }
}

impl Key {
    fn state(&self) -> KeyState {
        match self {
            Self::Missing => KeyState::Missing,
            Self::Fits(kind) => KeyState::Fits(kind.clone()),
            Self::DoesNotFit(kind) => KeyState::DoesNotFit(kind.clone()),
            Self::Encrypted => KeyState::Encrypted,
            Self::Broken(why) => KeyState::Broken(why.clone()),
            Self::Unpaired(kind) => KeyState::Unpaired(kind.clone()),
        }
    }
}

impl Listener {
    fn record(self, evidence: &mut Evidence) {
        let meeting = Meeting {
            gateway: self.gateway,
            owner: self.owner,
            listener: self.listener,
            server_name: self.server_name,
        };
        let met = match self.failed {
            Some(why) => Err(why),
            None => Ok(Met {
                via: self.via,
                chain: facts_of(&self.chain),
                accepted: self.accepted,
                verdict: self.verdict,
                failed: self.broke_off,
            }),
        };
        evidence.record_meeting(meeting, self.at, met);
    }
}

impl Untested {
    pub(super) fn key(&self) -> PlanKey {
        PlanKey {
            gateway: self.gateway.clone(),
            route: self.route.clone(),
            rule: self.rule,
            service: self.service.clone(),
            port: self.port,
            address: self.address.clone(),
            endpoint_port: self.endpoint_port,
        }
    }
}

fn evidence(
    probes: Vec<Probe>,
    untested: Vec<Untested>,
    logs: Vec<PodLog>,
    nginx: Vec<InPod>,
) -> Evidence {
    let mut evidence = Evidence::none();
    for untested in untested {
        let Untested { why, .. } = &untested;
        evidence.record_untested(untested.key(), why.clone());
    }
    for probe in probes {
        if probe.way.is_some() || probe.context.is_some() {
            let around = HowProbed {
                at: probe.at,
                way: probe.way,
                context: probe.context,
            };
            evidence.record_around(probe.plan.key(), around);
        }
        let result = match (probe.transcript, probe.failed) {
            (Some(mut transcript), _) => {
                let chain = facts_of(&probe.chain);
                if chain.len() == transcript.server_chain.len() {
                    transcript.server_chain = chain;
                }
                Ok(Arc::new(transcript))
            }
            (None, why) => Err(why.unwrap_or_else(|| "the bundle does not tell".to_owned())),
        };
        let made = Probed {
            plan: Arc::new(probe.plan),
            at: probe.at,
            result,
        };
        evidence.record_from(probe.pod.as_deref(), made);
    }
    for log in logs {
        evidence.record_log(log);
    }
    for in_pod in nginx {
        evidence.record_nginx_config(in_pod);
    }
    evidence
}
