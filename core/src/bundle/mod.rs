//! A bundle: what was seen of a cluster at one moment, for a support case. Objects, facts of Secrets, probes, logs and
//! nginx's configuration are in it; keys, tokens, values of environment variables and bodies of answers are not.
//! Redaction is part of the format: [`write()`] has no way around it.
//!
//! A bundle that is opened comes from a stranger: it is bounded, cleaned, and decoded as a cluster's answers are.

pub mod recording;
mod redact;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use ngf_text::sanitize;
use ngf_tls::{certificate::CertificateFacts, transcript::Transcript};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::recording::{Player, Recording};
use crate::{
    diagnosis::{
        Evidence,
        endpoint_matrix::EndpointMatrix,
        evidence::{Meeting, Met, Probed},
        plan::{PlanKey, ProbePlan},
        probe_context::{HowProbed, ProbeContext, WayTaken},
    },
    logs::PodLog,
    model::{
        decode::{self, Decoded, Incoming},
        kind::{KINDS, Kind},
        kinds::{KeyState, PemFacts},
        object::ObjectRef,
        snapshot::{KindState, Lookup, Scope, Snapshot, Source},
        versions::Versions,
    },
    nginx_config::InPod,
};

pub use redact::shown;

/// The `schema` of every bundle that this version writes.
pub const SCHEMA: &str = "ngf-tui/bundle/v1";
/// Bytes of a bundle that is opened.
pub const MAX_BYTES: u64 = 256 << 20;
/// Characters of one text in a bundle that is opened.
const MAX_TEXT: usize = 1 << 20;
/// What stands in the place of the API server's address.
const SERVER: &str = "bundle";

/// A transcript as a bundle has it: without the body of the answer, unless it is nginx's own page about an error.
pub fn without_body(transcript: &Transcript) -> Transcript {
    redact::transcript(transcript)
}

/// What was seen, and when.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The objects.
    pub snapshot: Snapshot,
    /// What was measured.
    pub evidence: Evidence,
    /// The moment at which it was seen.
    pub at: Timestamp,
}

/// A bundle that cannot be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It is not JSON, or has other fields.
    #[error("it is not a bundle of ngf-tui: {0}")]
    NotOne(String),
    /// Another version wrote it.
    #[error("it is a bundle of version {found:?}: this program reads {SCHEMA}")]
    Version {
        /// Its `schema`.
        found: String,
    },
    /// It is no recording.
    #[error("it is no recording of ngf-tui: {0}")]
    Recording(String),
    /// Another version wrote it, or it is something else.
    #[error(
        "it is {found:?}, and a recording is {:?}: --from opens a bundle",
        recording::SCHEMA
    )]
    OtherRecording {
        /// Its `schema`.
        found: String,
    },
    /// JSON cannot be written.
    #[error("it cannot be written as JSON: {0}")]
    Write(#[from] serde_json::Error),
}

/// The document.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    schema: String,
    /// The version of the program that wrote it.
    tool: String,
    /// The moment at which it was seen.
    at: Timestamp,
    /// The context of the kubeconfig. The API server's address is not in it.
    context: String,
    /// Of Kubernetes, as `major.minor`.
    kubernetes: Option<String>,
    /// The one namespace that was read; `null` for all.
    namespace: Option<String>,
    kinds: BTreeMap<String, State>,
    /// Kinds of which one namespace only may be read.
    narrowed: BTreeMap<String, String>,
    /// Secrets and ConfigMaps that may not be read.
    denied: Vec<Name>,
    /// Objects as the API server gave them, redacted.
    objects: Vec<Value>,
    /// Secrets and ConfigMaps, as facts.
    held: Vec<Held>,
    probes: Vec<Probe>,
    /// Handshakes with listeners.
    #[serde(default)]
    listeners: Vec<Listener>,
    /// The last endpoint matrix of each Gateway.
    #[serde(default)]
    matrices: Vec<Matrix>,
    untested: Vec<Untested>,
    logs: Vec<PodLog>,
    nginx: Vec<InPod>,
    /// Objects that changed after nginx's configuration was read.
    #[serde(default)]
    behind: Vec<Behind>,
}

/// Objects that changed after the configuration of this pod's nginx was read.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Behind {
    pod: ObjectRef,
    objects: Vec<ObjectRef>,
}

/// What is known of a kind.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
enum State {
    Live { version: String },
    NotServed,
    UnknownVersions { versions: Vec<String> },
    Denied { why: String },
    Failed { why: String },
}

/// An object by name.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[allow(clippy::struct_field_names)] // Kubernetes calls it so
struct Name {
    kind: String,
    namespace: String,
    name: String,
}

/// A Secret or ConfigMap.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Held {
    #[serde(flatten)]
    name: Name,
    /// Why nothing is known of it; `null` where it exists or is known to be absent.
    unknown: Option<String>,
    absent: bool,
    /// The object without its values.
    object: Value,
    /// The names of its keys, with the length of each value.
    keys: BTreeMap<String, usize>,
    tls_crt: Pem,
    ca_crt: Pem,
    key: Key,
}

/// Certificates.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
enum Pem {
    #[default]
    Missing,
    Empty,
    /// DER in base64.
    Certificates {
        der: Vec<String>,
        trailing: Option<String>,
        /// The last line of the text is not ended.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        open_end: bool,
    },
    Broken {
        why: String,
    },
}

/// What is known of a private key.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", content = "is", rename_all = "snake_case")]
enum Key {
    #[default]
    Missing,
    Fits(String),
    DoesNotFit(String),
    Encrypted,
    Broken(String),
    Unpaired(String),
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Probe {
    plan: ProbePlan,
    /// The data-plane pod that it left from.
    pod: Option<String>,
    at: Timestamp,
    transcript: Option<Transcript>,
    /// The certificates that the backend sent: DER in base64.
    chain: Vec<String>,
    failed: Option<String>,
    /// The transport.
    #[serde(default)]
    way: Option<WayTaken>,
    /// What the gateway's client gets, what was logged at that moment, and how names resolve.
    #[serde(default)]
    context: Option<ProbeContext>,
}

/// A handshake with a listener, as one of the Gateway's clients makes it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[allow(clippy::struct_field_names)] // a listener has a name, and so has the one who has it
struct Listener {
    gateway: ObjectRef,
    /// The Gateway or ListenerSet that has the listener.
    owner: ObjectRef,
    /// The listener's name.
    listener: String,
    /// The name that the client asks for, by SNI.
    server_name: String,
    at: Timestamp,
    /// Why there was no handshake; `null` where there was one.
    failed: Option<String>,
    via: String,
    /// The certificates that the listener presented: DER in base64.
    chain: Vec<String>,
    /// Whether a strict client accepts them; `null` where that depends on a CA that is not known.
    accepted: Option<bool>,
    /// The same in a sentence.
    verdict: String,
    /// Why the handshake was not completed; `null` where it was.
    broke_off: Option<String>,
}

/// The endpoint matrix of a Gateway.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Matrix {
    gateway: ObjectRef,
    matrix: EndpointMatrix,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Untested {
    gateway: ObjectRef,
    route: ObjectRef,
    rule: usize,
    service: ObjectRef,
    port: u16,
    address: String,
    endpoint_port: u16,
    why: String,
}

/// The bundle of what was seen at `at`, as indented JSON with a line end.
///
/// # Errors
/// Never for the types at hand; serde wants it said.
pub fn write(
    snapshot: &Snapshot,
    evidence: &Evidence,
    at: Timestamp,
    tool: &str,
) -> Result<String, BundleError> {
    let document = document(snapshot, evidence, at, tool);
    let mut value = serde_json::to_value(&document)?;
    redact::texts(&mut value);
    Ok(serde_json::to_string_pretty(&value)? + "\n")
}

/// What a bundle has, but for the last gate: [`redact::texts`].
fn document(snapshot: &Snapshot, evidence: &Evidence, at: Timestamp, tool: &str) -> Document {
    let (context, kubernetes) = match &snapshot.source {
        Source::Cluster {
            context, version, ..
        } => (context.clone(), version.clone()),
        Source::Files { .. } => ("files".to_owned(), None),
    };
    Document {
        schema: SCHEMA.to_owned(),
        tool: tool.to_owned(),
        at,
        context,
        kubernetes,
        namespace: match &snapshot.scope {
            Scope::AllNamespaces => None,
            Scope::Namespace(namespace) => Some(namespace.clone()),
        },
        kinds: snapshot
            .kinds
            .iter()
            .map(|(kind, known)| (kind.name().to_owned(), state(known)))
            .collect(),
        narrowed: snapshot
            .narrowed
            .iter()
            .map(|(kind, namespace)| (kind.name().to_owned(), namespace.clone()))
            .collect(),
        denied: snapshot.denied.iter().map(name).collect(),
        objects: objects(snapshot),
        held: held(snapshot),
        probes: evidence
            .probes_from()
            .map(|(pod, probed)| probe(pod, probed, evidence.around(probed)))
            .collect(),
        listeners: evidence
            .meetings()
            .map(|(meeting, at, met)| listener(meeting, at, met))
            .collect(),
        matrices: evidence
            .matrices()
            .map(|(gateway, matrix)| Matrix {
                gateway: gateway.clone(),
                matrix: matrix.clone(),
            })
            .collect(),
        untested: evidence
            .untested()
            .map(|(key, why)| untested(key, why))
            .collect(),
        logs: evidence.logs().map(redact::log).collect(),
        nginx: evidence.rendered().cloned().collect(),
        behind: behind(snapshot, evidence),
    }
}

fn behind(snapshot: &Snapshot, evidence: &Evidence) -> Vec<Behind> {
    let mut read = evidence.rendered().peekable();
    if read.peek().is_none() {
        return Vec::new();
    }
    let now = Versions::of(snapshot);
    let all = read.map(|in_pod| Behind {
        pod: in_pod.pod.clone(),
        objects: in_pod.versions.changed(&now),
    });
    all.filter(|behind| !behind.objects.is_empty()).collect()
}

fn state(known: &KindState) -> State {
    match known {
        KindState::Live { version } | KindState::Stale { version, .. } => State::Live {
            version: version.clone(),
        },
        KindState::NotServed => State::NotServed,
        KindState::UnknownVersions(versions) => State::UnknownVersions {
            versions: versions.clone(),
        },
        KindState::Denied(why) => State::Denied { why: why.clone() },
        KindState::Loading => State::Failed {
            why: "it was not read yet".to_owned(),
        },
        KindState::Failed(why) => State::Failed { why: why.clone() },
    }
}

fn name(object: &ObjectRef) -> Name {
    Name {
        kind: object.kind.name().to_owned(),
        namespace: object.namespace.clone(),
        name: object.name.clone(),
    }
}

impl Name {
    fn object(&self) -> Option<ObjectRef> {
        let kind = Kind::named(&self.kind)?;
        Some(ObjectRef::new(kind, &self.namespace, &self.name))
    }
}

/// Every object but Secrets and ConfigMaps, redacted.
fn objects(snapshot: &Snapshot) -> Vec<Value> {
    let mut names: BTreeSet<ObjectRef> = BTreeSet::new();
    names.extend(snapshot.gateway_classes.keys().cloned());
    names.extend(snapshot.gateways.keys().cloned());
    names.extend(snapshot.listener_sets.keys().cloned());
    names.extend(snapshot.routes.keys().cloned());
    names.extend(snapshot.policies.keys().cloned());
    names.extend(snapshot.grants.keys().cloned());
    names.extend(snapshot.services.keys().cloned());
    names.extend(snapshot.endpoint_slices.keys().cloned());
    names.extend(snapshot.pods.keys().cloned());
    names.extend(snapshot.workloads.keys().cloned());
    names.extend(snapshot.network_policies.keys().cloned());
    names.extend(snapshot.ngf.keys().cloned());
    names.extend(snapshot.issuers.keys().cloned());
    names.extend(snapshot.certificates.keys().cloned());
    names.extend(snapshot.certificate_requests.keys().cloned());
    names.extend(snapshot.orders.keys().cloned());
    names.extend(snapshot.challenges.keys().cloned());
    names.extend(snapshot.trust_bundles.keys().cloned());
    names.extend(snapshot.events.iter().map(|event| event.reference.clone()));
    let raw = names
        .iter()
        .filter_map(|object| Some((object.kind, snapshot.raw(object)?)));
    raw.map(|(kind, raw)| {
        let mut value = Value::clone(&raw);
        if let Some(info) = KINDS.iter().find(|info| info.kind == kind) {
            let fields = value.as_object_mut();
            if let Some(fields) = fields
                && !fields.contains_key("kind")
            {
                fields.insert("kind".to_owned(), info.name.into());
            }
        }
        redact::object(kind, &mut value);
        value
    })
    .collect()
}

fn held(snapshot: &Snapshot) -> Vec<Held> {
    let empty = |object: &ObjectRef| Held {
        name: name(object),
        unknown: None,
        absent: false,
        object: Value::Null,
        keys: BTreeMap::new(),
        tls_crt: Pem::Missing,
        ca_crt: Pem::Missing,
        key: Key::Missing,
    };
    let secrets = snapshot.secrets.iter().map(|(object, found)| match found {
        Lookup::Found(found) => Held {
            object: redact::metadata_of(&found.raw, Some(&found.spec.secret_type)),
            keys: found.spec.keys.clone(),
            tls_crt: pem(&found.spec.certificate),
            ca_crt: pem(&found.spec.ca),
            key: key(&found.spec.key),
            ..empty(object)
        },
        Lookup::Absent => Held {
            absent: true,
            ..empty(object)
        },
        Lookup::Unknown(why) => Held {
            unknown: Some(why.clone()),
            ..empty(object)
        },
    });
    let maps = snapshot
        .config_maps
        .iter()
        .map(|(object, found)| match found {
            Lookup::Found(found) => Held {
                object: redact::metadata_of(&found.raw, None),
                keys: found.spec.keys.clone(),
                ca_crt: pem(&found.spec.ca),
                ..empty(object)
            },
            Lookup::Absent => Held {
                absent: true,
                ..empty(object)
            },
            Lookup::Unknown(why) => Held {
                unknown: Some(why.clone()),
                ..empty(object)
            },
        });
    secrets.chain(maps).collect()
}

fn pem(facts: &PemFacts) -> Pem {
    match facts {
        PemFacts::Missing => Pem::Missing,
        PemFacts::Empty => Pem::Empty,
        PemFacts::Certificates {
            certificates,
            trailing,
            open_end,
        } => Pem::Certificates {
            der: ders(certificates),
            trailing: trailing.clone(),
            open_end: *open_end,
        },
        PemFacts::Broken(why) => Pem::Broken { why: why.clone() },
    }
}

fn ders(certificates: &[CertificateFacts]) -> Vec<String> {
    let all = certificates.iter();
    all.map(|facts| STANDARD.encode(&facts.der)).collect()
}

fn facts_of(ders: &[String]) -> Vec<CertificateFacts> {
    let all = ders.iter().filter_map(|text| STANDARD.decode(text).ok());
    all.map(|der| {
        CertificateFacts::from_der(&der)
            .unwrap_or_else(|why| CertificateFacts::unreadable(&der, &why))
    })
    .collect()
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

fn key(state: &KeyState) -> Key {
    match state {
        KeyState::Missing => Key::Missing,
        KeyState::Fits(kind) => Key::Fits(kind.clone()),
        KeyState::DoesNotFit(kind) => Key::DoesNotFit(kind.clone()),
        KeyState::Encrypted => Key::Encrypted,
        KeyState::Broken(why) => Key::Broken(why.clone()),
        KeyState::Unpaired(kind) => Key::Unpaired(kind.clone()),
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

fn probe(pod: Option<&str>, probed: &Probed, around: Option<&HowProbed>) -> Probe {
    let transcript = probed.result.as_ref().ok();
    Probe {
        way: around.and_then(|around| around.way.clone()),
        context: around
            .and_then(|around| around.context.as_ref())
            .map(|context| redact::context(context, transcript.map(|transcript| &**transcript))),
        plan: (*probed.plan).clone(),
        pod: pod.map(str::to_owned),
        at: probed.at,
        chain: transcript.map_or_else(Vec::new, |transcript| ders(&transcript.server_chain)),
        transcript: transcript.map(|transcript| redact::transcript(transcript)),
        failed: probed.result.as_ref().err().cloned(),
    }
}

fn listener(meeting: &Meeting, at: Timestamp, met: Result<&Met, &str>) -> Listener {
    let Meeting {
        gateway,
        owner,
        listener,
        server_name,
    } = meeting.clone();
    let seen = met.ok();
    Listener {
        gateway,
        owner,
        listener,
        server_name,
        at,
        failed: met.err().map(str::to_owned),
        via: seen.map_or_else(String::new, |met| met.via.clone()),
        chain: seen.map_or_else(Vec::new, |met| ders(&met.chain)),
        accepted: seen.and_then(|met| met.accepted),
        verdict: seen.map_or_else(String::new, |met| met.verdict.clone()),
        broke_off: seen.and_then(|met| met.failed.clone()),
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
    fn key(&self) -> PlanKey {
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

fn untested(key: &PlanKey, why: &str) -> Untested {
    Untested {
        gateway: key.gateway.clone(),
        route: key.route.clone(),
        rule: key.rule,
        service: key.service.clone(),
        port: key.port,
        address: key.address.clone(),
        endpoint_port: key.endpoint_port,
        why: why.to_owned(),
    }
}

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

/// Whether a text begins as what [`write()`] writes.
fn is_bundle(text: &str) -> bool {
    let begin: String = text.chars().take(100).collect();
    begin
        .trim_start_matches(['{', '\n', ' '])
        .starts_with(&format!("\"schema\": \"{SCHEMA}\""))
}

/// Every text bounded, and without control characters but line feeds.
fn clean(value: &mut Value) {
    match value {
        Value::String(text) => *text = sanitize::block(text, MAX_TEXT),
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Object(fields) => fields.values_mut().for_each(clean),
        _ => {}
    }
}

fn opened(document: Document) -> Opened {
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
    for Matrix { gateway, matrix } in document.matrices {
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
            snapshot
                .secrets
                .insert(object, Lookup::Found(Arc::new(found)));
        }
        Ok(Decoded::ConfigMap(mut found)) => {
            found.spec.keys.clone_from(&held.keys);
            found.spec.ca = held.ca_crt.facts();
            snapshot
                .config_maps
                .insert(object, Lookup::Found(Arc::new(found)));
        }
        Ok(_) => {}
        Err(problem) => snapshot.problems.push(*problem),
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
