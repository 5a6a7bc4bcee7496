//! Writes what is seen as a bundle.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use ngf_tls::{certificate::CertificateFacts, transcript::Transcript};
use serde_json::Value;

use super::{
    BundleError, Document, SCHEMA,
    format::{
        Behind, Held, Judged, Key, Listener, Name, Pem, Probe, State, StoredMatrix, Untested,
    },
    redact,
};
use crate::{
    diagnosis::{
        Evidence,
        evidence::{Meeting, Met, Probed},
        plan::PlanKey,
        probe_context::HowProbed,
    },
    model::{
        kind::KINDS,
        kinds::{ByNgf, KeyState, PemFacts},
        object::ObjectRef,
        snapshot::{KindState, Lookup, Scope, Snapshot, Source},
        table::TableName,
        versions::Versions,
    },
};

/// A transcript as a bundle has it: without the body of the answer, unless it is nginx's own page about an error.
pub fn without_body(transcript: &Transcript) -> Transcript {
    redact::transcript(transcript)
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
pub(super) fn document(
    snapshot: &Snapshot,
    evidence: &Evidence,
    at: Timestamp,
    tool: &str,
) -> Document {
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
            .map(|(gateway, matrix)| StoredMatrix {
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

/// Every object but Secrets and ConfigMaps, redacted.
fn objects(snapshot: &Snapshot) -> Vec<Value> {
    let kinds = KINDS.iter().filter(|info| {
        let table = info.kind.table();
        !matches!(table, TableName::Secret | TableName::ConfigMap)
    });
    let names: BTreeSet<&ObjectRef> = kinds
        .flat_map(|info| snapshot.references_of(info.kind))
        .collect();
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
    let secrets = snapshot.secrets.iter().map(|(object, lookup)| {
        let known = known(object, lookup);
        let Lookup::Found(found) = lookup else {
            return known;
        };
        Held {
            object: redact::metadata_of(&found.raw, Some(&found.spec.secret_type)),
            keys: found.spec.keys.clone(),
            tls_crt: pem(&found.spec.certificate),
            ca_crt: pem(&found.spec.ca),
            key: key(&found.spec.key),
            pair_by_ngf: taken(&found.spec.pair_by_ngf),
            ca_by_ngf: taken(&found.spec.ca_by_ngf),
            ..known
        }
    });
    let maps = snapshot.config_maps.iter().map(|(object, lookup)| {
        let known = known(object, lookup);
        let Lookup::Found(found) = lookup else {
            return known;
        };
        Held {
            object: redact::metadata_of(&found.raw, None),
            keys: found.spec.keys.clone(),
            ca_crt: pem(&found.spec.ca),
            ca_by_ngf: taken(&found.spec.ca_by_ngf),
            ..known
        }
    });
    secrets.chain(maps).collect()
}

/// Whether an object is there, and nothing of what it holds.
fn known<T>(object: &ObjectRef, lookup: &Lookup<T>) -> Held {
    Held {
        name: name(object),
        unknown: match lookup {
            Lookup::Unknown(why) => Some(why.clone()),
            Lookup::Found(_) | Lookup::Absent => None,
        },
        absent: matches!(lookup, Lookup::Absent),
        object: Value::Null,
        keys: BTreeMap::new(),
        tls_crt: Pem::Missing,
        ca_crt: Pem::Missing,
        key: Key::Missing,
        pair_by_ngf: Judged::Unknown,
        ca_by_ngf: Judged::Unknown,
    }
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

fn taken(by_ngf: &ByNgf) -> Judged {
    match by_ngf {
        ByNgf::Unknown => Judged::Unknown,
        ByNgf::Taken => Judged::Taken,
        ByNgf::Refused { words, oddity } => Judged::Refused {
            words: words.clone(),
            oddity: oddity.clone(),
        },
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
