//! Scenarios as data: objects, certificates, changes, what probes saw, and which findings are right.
//! CONTRIBUTING.md says how to write one.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex},
};

use jiff::Timestamp;
use ngf_core::{
    diagnosis::{
        Diagnosis, Evidence, Finding, Severity, Verdict,
        evidence::{Meeting, Met, Probed},
        plan::{ProbePlan, ProbeTarget, plan},
    },
    logs::{PodLog, Role, Tally},
    model::{
        decode::{self, Decoded, Incoming},
        kind::{KINDS, Kind},
        object::ObjectRef,
        references::references,
        snapshot::{KindState, Lookup, Loss, Lost, Scope, Snapshot, Source},
        versions::Versions,
    },
    nginx_config::{InPod, NginxConfig},
    overlay::said::{Outcome as Answer, Refusal, Said, Why},
};
use ngf_tls::{
    certificate::CertificateFacts,
    transcript::{
        ClientCertificate, Engine, HttpAnswer, NginxVerdict, Outcome, SCHEMA, TlsAgreed, Transcript,
    },
};
use ngf_tui::files;
use serde::Deserialize;
use serde_json::{Value, json};

use super::pki::{self, Minted, Wanted};

/// Sets that are broken in thirty ways.
pub(crate) const BROKEN: &[&str] = &[
    "g1-client-certificate-kind",
    "g2-client-certificate-group",
    "g3-client-certificate-missing",
    "g3-still-issuing",
    "g4-client-certificate-opaque",
    "g5-client-certificate-key-of-another",
    "g6-broken-ca-beside-good-pair",
    "g7-client-certificate-not-granted",
    "g9-client-certificate-expired",
    "g10-client-certificate-without-policy",
    "g12-client-key-too-weak",
    "p1-section-name-is-a-number",
    "p1-target-misspelt",
    "p2-hostname-with-port",
    "p3-no-ca-at-all",
    "p4-two-cas",
    "p5-ca-kind",
    "p6-ca-missing",
    "p6-config-map-with-another-key",
    "p7-opaque-ca",
    "p8-ca-secret-without-ca",
    "p9-garbage-in-ca",
    "p12-subject-alt-names",
    "p13-two-policies",
    "m6-only-an-intermediate",
    "r1-different-policies",
    "r3-service-missing",
    "r5-app-protocol",
    "r8-not-ready",
    "r16-host-names-do-not-meet",
    "d2-no-data-plane",
    "s7-controller-is-behind",
];

/// `scenario.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Description {
    /// What it is about, in a sentence.
    pub(crate) about: String,
    /// The scenario whose objects and certificates it starts from.
    pub(crate) base: Option<String>,
    /// Files of the directory that hold no Kubernetes object.
    #[serde(default)]
    pub(crate) data: Vec<String>,
    /// The objects come from files, so that what is missing may exist all the same.
    #[serde(default)]
    pub(crate) files: bool,
    /// The moment of the diagnosis.
    pub(crate) now: Option<Timestamp>,
    /// Certificates by name; `{{name.crt}}` and `{{name.key}}` in the objects mean them, and
    /// `{{name.line}}` is the certificate without the end of its last line.
    #[serde(default)]
    pub(crate) certificates: BTreeMap<String, Wanted>,
    /// Objects that are taken away, as `Kind/namespace/name`.
    #[serde(default)]
    pub(crate) without: Vec<String>,
    /// JSON merge patches by `Kind/namespace/name`.
    #[serde(default)]
    pub(crate) patch: BTreeMap<String, Value>,
    /// Objects that are added.
    #[serde(default)]
    pub(crate) add: Vec<Value>,
    /// Kinds that may not be read.
    #[serde(default)]
    pub(crate) denied: Vec<String>,
    /// Why the API server does not answer any more, after everything was read.
    pub(crate) silent: Option<String>,
    /// Kinds that the cluster does not have.
    #[serde(default)]
    pub(crate) not_served: Vec<String>,
    /// Versions in which the cluster serves kinds, where they are not the preferred ones.
    #[serde(default)]
    pub(crate) versions: BTreeMap<String, String>,
    /// What probes saw.
    #[serde(default)]
    pub(crate) probes: Vec<SeenByProbe>,
    /// What logs said: lines as the API server gives them, each with its time before it.
    #[serde(default)]
    pub(crate) logs: Vec<SeenInLog>,
    /// What nginx is using.
    #[serde(default)]
    pub(crate) rendered: Vec<SeenInPod>,
    /// What handshakes with listeners saw.
    #[serde(default)]
    pub(crate) listeners: Vec<SeenByClient>,
    /// What the API server said to manifests.
    #[serde(default)]
    pub(crate) dry_runs: Vec<SaidByServer>,
    /// Rules that narrowly do not fire here.
    #[serde(default)]
    pub(crate) near: Vec<String>,
    /// What NGF says: conditions as `Type Status/Reason message` by `Kind/namespace/name`, which take the
    /// place of those of their type, for every parent and ancestor.
    #[serde(default)]
    pub(crate) says: BTreeMap<String, Vec<String>>,
    /// What the text of findings says, by code.
    #[serde(default)]
    pub(crate) words: BTreeMap<String, Vec<String>>,
    /// The findings in order, as `CODE [warning|info] [unknown] [by CODE]`.
    pub(crate) expect: Vec<String>,
}

/// What a probe of each endpoint of a target saw.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeenByProbe {
    /// `httproute/NAME`.
    pub(crate) target: String,
    /// Only the endpoint of this address.
    pub(crate) address: Option<String>,
    /// The way as transcripts name it, such as `exec in POD`; `direct` where left out.
    pub(crate) via: Option<String>,
    /// `ok`, `verify_error`, ….
    pub(crate) outcome: Outcome,
    /// OpenSSL's number.
    pub(crate) verify_code: Option<i32>,
    /// Alert number.
    pub(crate) alert: Option<u8>,
    /// The probe itself could not be run, for this reason.
    pub(crate) failed: Option<String>,
    /// What nginx would log.
    pub(crate) log: Option<String>,
    /// TLS version; TLS 1.3 where left out, none where the handshake never came about.
    pub(crate) version: Option<String>,
    /// Certificates that the server sent, by name.
    #[serde(default)]
    pub(crate) served: Vec<String>,
    /// The CA names in its CertificateRequest; left out where it sent none.
    pub(crate) asks: Option<Vec<String>>,
    /// HTTP status.
    pub(crate) status: Option<u16>,
    /// HTTP body.
    #[serde(default)]
    pub(crate) body: String,
    /// `Server` header.
    pub(crate) server: Option<String>,
    /// What the gateway's client would get.
    pub(crate) client_status: Option<u16>,
    /// Seconds before now that it ran.
    #[serde(default)]
    pub(crate) ago: i64,
}

/// What a handshake with a listener saw.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeenByClient {
    /// `Kind/namespace/name` of the Gateway.
    pub(crate) gateway: String,
    /// The listener's name.
    pub(crate) listener: String,
    /// The name that was asked for.
    pub(crate) server_name: String,
    /// Certificates that it presented, by name.
    #[serde(default)]
    pub(crate) presents: Vec<String>,
    /// Whether a strict client accepts them.
    pub(crate) accepted: Option<bool>,
    /// Why, in a sentence.
    #[serde(default)]
    pub(crate) verdict: String,
    /// Why the handshake was not completed.
    pub(crate) failed: Option<String>,
    /// Why there was none.
    pub(crate) untested: Option<String>,
}

/// The log of a container.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeenInLog {
    /// `data_plane`, `application` or `controller`; the first where left out.
    #[serde(default)]
    pub(crate) role: SeenRole,
    /// The pod, in namespace default.
    pub(crate) pod: String,
    /// Why it could not be read.
    pub(crate) failed: Option<String>,
    /// Its lines.
    #[serde(default)]
    pub(crate) lines: Vec<String>,
}

/// Whose log.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SeenRole {
    #[default]
    DataPlane,
    Application,
    Controller,
}

/// What the nginx of a data-plane pod is using.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeenInPod {
    /// The pod, in namespace default.
    pub(crate) pod: String,
    /// What `nginx -T` prints.
    #[serde(default)]
    pub(crate) configuration: String,
    /// Certificates by file: names of those that were minted.
    #[serde(default)]
    pub(crate) files: BTreeMap<String, Vec<String>>,
    /// Objects that have changed since it was read.
    #[serde(default)]
    pub(crate) changed_since: Vec<String>,
    /// Why it could not be read.
    pub(crate) failed: Option<String>,
}

/// What the API server said to a manifest that it was asked about by a dry run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SaidByServer {
    /// `Kind/namespace/name`.
    pub(crate) object: String,
    /// It refuses: its words.
    pub(crate) refused: Option<String>,
    /// The fields that it names, each with what is wrong with it.
    #[serde(default)]
    pub(crate) causes: BTreeMap<String, String>,
    /// It could not be asked, or could not say: why.
    pub(crate) unknown: Option<String>,
    /// Fields that it drops.
    #[serde(default)]
    pub(crate) dropped: Vec<String>,
    /// Fields that it stores with another value.
    #[serde(default)]
    pub(crate) altered: Vec<String>,
    /// Its warnings.
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
}

/// A scenario, ready to be diagnosed.
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) description: Description,
    pub(crate) now: Timestamp,
    pub(crate) snapshot: Snapshot,
    pub(crate) evidence: Evidence,
}

/// The names of all scenarios.
pub(crate) fn all() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root())
        .expect("tests/scenarios")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.join("scenario.yaml").exists())
        .map(|path| {
            path.file_name()
                .expect("name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

/// The rules that narrowly do not fire in a scenario.
pub(crate) fn near(name: &str) -> Vec<String> {
    description(name).near
}

/// A scenario and those that it starts from.
pub(crate) fn bases(name: &str) -> Vec<String> {
    let mut all = vec![name.to_owned()];
    while let Some(base) = description(&all[all.len() - 1]).base {
        all.push(base);
    }
    all
}

/// The findings that a scenario names.
pub(crate) fn expected(name: &str) -> Vec<String> {
    description(name).expect
}

/// The moment of scenarios that name none.
pub(crate) fn moment() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().expect("a moment")
}

/// Where scenarios are.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

impl Scenario {
    pub(crate) fn load(name: &str) -> Self {
        let (mut scenario, minted) = Self::of_objects(name, |_| {});
        scenario
            .measure(&minted)
            .unwrap_or_else(|error| panic!("{error}"));
        scenario
    }

    /// A scenario whose objects are changed before they are read. Probes of what is no longer there are
    /// left out.
    pub(crate) fn load_changed(name: &str, change: impl FnOnce(&mut Vec<Value>)) -> Self {
        let (mut scenario, minted) = Self::of_objects(name, change);
        if scenario.measure(&minted).is_err() {
            scenario.description.probes.clear();
            scenario
                .measure(&minted)
                .unwrap_or_else(|error| panic!("{error}"));
        }
        scenario
    }

    fn measure(&mut self, minted: &BTreeMap<String, Arc<Minted>>) -> Result<(), String> {
        let minted: BTreeMap<String, &Minted> = minted
            .iter()
            .map(|(name, pair)| (name.clone(), &**pair))
            .collect();
        let mut evidence = Evidence::none();
        for probed in seen(&self.description, &self.snapshot, &minted, self.now)? {
            evidence.record(probed);
        }
        beyond_probes(
            &self.description,
            &minted,
            self.now,
            &self.snapshot,
            &mut evidence,
        );
        self.evidence = evidence;
        Ok(())
    }

    /// A scenario without its evidence, and the certificates in it.
    fn of_objects(
        name: &str,
        change: impl FnOnce(&mut Vec<Value>),
    ) -> (Self, BTreeMap<String, Arc<Minted>>) {
        let description = description(name);
        let now = description.now.unwrap_or_else(moment);
        let mut wanted = BTreeMap::new();
        let mut objects = Vec::new();
        collect(name, &mut wanted, &mut objects);
        change(&mut objects);
        let minted_for_all = match &description.base {
            Some(base) => Base::known(base, now).mint(&wanted, now),
            None => Base::known(name, now).minted.clone(),
        };
        let minted: BTreeMap<String, &Minted> = minted_for_all
            .iter()
            .map(|(name, pair)| (name.clone(), &**pair))
            .collect();
        let mut snapshot = read(name, &objects, &minted);
        if !description.files {
            as_cluster(&mut snapshot, &description.denied);
            for name in &description.not_served {
                let info = KINDS.iter().find(|info| info.name == name).expect("a kind");
                snapshot.kinds.insert(info.kind, KindState::NotServed);
            }
            for (name, version) in &description.versions {
                let info = KINDS.iter().find(|info| info.name == name).expect("a kind");
                let version = version.clone();
                snapshot
                    .kinds
                    .insert(info.kind, KindState::Live { version });
            }
            if let Some(why) = &description.silent {
                as_silent(&mut snapshot, why, now);
            }
        }
        snapshot.not_manifests.clone_from(&description.data);
        let scenario = Self {
            name: name.to_owned(),
            description,
            now,
            snapshot,
            evidence: Evidence::none(),
        };
        (scenario, minted_for_all)
    }

    /// Two scenarios of one base as one; `None` where they change the same thing, so that one would undo
    /// what the other broke.
    pub(crate) fn merged(a: &Part, b: &Part, known: &mut Decoder) -> Option<Self> {
        if !a.touched.is_disjoint(&b.touched)
            // Evidence is of one state of one set.
            || (a.measures() && b.measures())
            || a.needs_what_is_gone(b)
            || b.needs_what_is_gone(a)
        {
            return None;
        }
        let now = moment();
        let mut objects = a.base.objects.clone();
        for part in [a, b] {
            part.description.change(&part.name, &mut objects);
        }
        for part in [a, b] {
            part.description.put_words(&part.name, &mut objects);
        }
        // One may sign what the other changes.
        let both = !a.description.certificates.is_empty() && !b.description.certificates.is_empty();
        let both_written = if both {
            let mut wanted = a.wanted.clone();
            wanted.extend(b.description.certificates.clone());
            pki::mint_over(&a.minted, &a.wanted, &wanted, now)
        } else {
            BTreeMap::new()
        };
        let minted = match b.description.certificates.is_empty() {
            _ if both => &both_written,
            true => &a.minted,
            false => &b.minted,
        };
        let minted: BTreeMap<String, &Minted> = minted
            .iter()
            .map(|(name, pair)| (name.clone(), &**pair))
            .collect();
        let mut snapshot = known.snapshot(&objects, &minted);
        as_cluster(&mut snapshot, &[]);
        let mut evidence = Evidence::none();
        for part in [a, b] {
            for probed in seen(&part.description, &snapshot, &minted, now).ok()? {
                evidence.record(probed);
            }
            beyond_probes(&part.description, &minted, now, &snapshot, &mut evidence);
        }
        Some(Self {
            name: format!("{} and {}", a.name, b.name),
            description: a.description.clone(),
            now,
            snapshot,
            evidence,
        })
    }

    /// Several scenarios in one cluster, each in a namespace of its own named after it; what is no
    /// namespace's is taken from the first. Probes are left out.
    pub(crate) fn together(names: &[&str]) -> Self {
        let description = description(names[0]);
        let now: Timestamp = moment();
        let mut all: Vec<Value> = Vec::new();
        for name in names {
            let mut wanted = BTreeMap::new();
            let mut objects = Vec::new();
            collect(name, &mut wanted, &mut objects);
            let minted = pki::mint(&wanted, now);
            let minted: BTreeMap<String, &Minted> = minted
                .iter()
                .map(|(name, pair)| (name.clone(), pair))
                .collect();
            let text = filled(name, &objects, &minted)
                .replace(
                    "\"namespace\": \"default\"",
                    &format!("\"namespace\": \"{name}\""),
                )
                .replace("local-ca", &format!("{name}-ca"));
            let list: Value = serde_json::from_str(&text).expect("JSON");
            for object in list["items"].as_array().expect("a list") {
                let known = all.iter().any(|known| path_of(known) == path_of(object));
                if !known {
                    all.push(object.clone());
                }
            }
        }
        let mut snapshot = read("together", &all, &BTreeMap::new());
        as_cluster(&mut snapshot, &[]);
        Self {
            name: "together".to_owned(),
            description,
            now,
            snapshot,
            evidence: Evidence::none(),
        }
    }

    /// Lets the data plane's images be of another release of NGF.
    pub(crate) fn set_release(&mut self, version: &str) {
        for workload in self.snapshot.workloads.values_mut() {
            for container in &mut Arc::make_mut(workload).spec.template.containers {
                container.image = format!("ghcr.io/nginx/nginx-gateway-fabric/nginx:{version}");
            }
        }
    }

    pub(crate) fn diagnose(&self) -> Diagnosis {
        Diagnosis::of(&self.snapshot, &self.evidence, self.now)
    }
}

/// A scenario that others start from, with its certificates minted once for all of them.
pub(crate) struct Base {
    name: String,
    objects: Vec<Value>,
    wanted: BTreeMap<String, Wanted>,
    minted: BTreeMap<String, Arc<Minted>>,
}

impl Base {
    /// The same for all who ask at that moment.
    pub(crate) fn known(name: &str, now: Timestamp) -> Arc<Self> {
        type Known = HashMap<(String, Timestamp), Arc<Base>>;
        static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
        let mut known = KNOWN.lock().expect("no panic");
        let key = (name.to_owned(), now);
        Arc::clone(known.entry(key).or_insert_with(|| {
            let (mut wanted, mut objects) = (BTreeMap::new(), Vec::new());
            collect(name, &mut wanted, &mut objects);
            Arc::new(Self {
                name: name.to_owned(),
                minted: pki::mint_over(&BTreeMap::new(), &BTreeMap::new(), &wanted, now),
                wanted,
                objects,
            })
        }))
    }

    /// Only what is another than the base's, or signed by another, is minted again.
    fn mint(
        &self,
        wanted: &BTreeMap<String, Wanted>,
        now: Timestamp,
    ) -> BTreeMap<String, Arc<Minted>> {
        pki::mint_over(&self.minted, &self.wanted, wanted, now)
    }
}

/// Reads objects as files are read, each text once: most of what two scenarios of one base hold is the
/// same.
#[derive(Default)]
pub(crate) struct Decoder(HashMap<String, Decoded>);

impl Decoder {
    fn snapshot(&mut self, objects: &[Value], minted: &BTreeMap<String, &Minted>) -> Snapshot {
        let source = Source::Files { paths: Vec::new() };
        let mut snapshot = Snapshot::new(source, Scope::AllNamespaces);
        for object in objects {
            let mut text = object.to_string();
            if text.contains("{{") {
                text = fill(text, minted);
            }
            let decoded = self.0.entry(text).or_insert_with_key(|text| {
                let version = object["apiVersion"].as_str().expect("apiVersion");
                let kind = object["kind"].as_str().expect("kind");
                let kind = Kind::of(version, kind).expect("a kind that is known");
                let incoming: Incoming = serde_json::from_str(text).expect("JSON");
                decode::object(kind, incoming, "default").expect("an object")
            });
            snapshot.put(decoded.clone());
        }
        for reference in references(&snapshot) {
            let why = "not among the objects".to_owned();
            if reference.kind == Kind::Secret {
                let lookup = snapshot.secrets.entry(reference);
                lookup.or_insert(Lookup::Unknown(why));
            } else {
                let lookup = snapshot.config_maps.entry(reference);
                lookup.or_insert(Lookup::Unknown(why));
            }
        }
        snapshot
    }
}

/// A scenario that only changes objects and probes of its base.
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) description: Description,
    base: Arc<Base>,
    minted: BTreeMap<String, Arc<Minted>>,
    wanted: BTreeMap<String, Wanted>,
    /// Paths of fields, and certificates, that it changes.
    touched: BTreeSet<String>,
}

impl Part {
    /// `None` where it does more than change the objects and probes of its base.
    pub(crate) fn of(name: &str, base: &Arc<Base>) -> Option<Self> {
        let description = description(name);
        let plain = !description.files
            && description.now.is_none()
            && description.denied.is_empty()
            && description.not_served.is_empty()
            && description.silent.is_none()
            && description.versions.is_empty()
            && description.dry_runs.is_empty()
            && description.base.as_ref() == Some(&base.name)
            && !root().join(name).join("objects.yaml").exists();
        if !plain {
            return None;
        }
        let mut wanted = base.wanted.clone();
        wanted.extend(description.certificates.clone());
        Some(Self {
            base: Arc::clone(base),
            name: name.to_owned(),
            touched: description.touched(),
            minted: base.mint(&wanted, moment()),
            wanted,
            description,
        })
    }

    /// Whether it changes an object that the other one takes away.
    fn needs_what_is_gone(&self, other: &Self) -> bool {
        let description = &self.description;
        let mut changed = description.patch.keys().chain(description.says.keys());
        changed.any(|path| other.description.without.contains(path))
    }

    /// Whether it has evidence beyond objects.
    fn measures(&self) -> bool {
        let description = &self.description;
        !(description.probes.is_empty()
            && description.logs.is_empty()
            && description.listeners.is_empty()
            && description.rendered.is_empty())
    }
}

impl Description {
    /// What it changes of its base, but for what it puts into NGF's mouth.
    fn change(&self, name: &str, objects: &mut Vec<Value>) {
        for path in &self.without {
            let before = objects.len();
            objects.retain(|object| path_of(object) != *path);
            assert!(
                objects.len() < before,
                "{name}: there is no {path} to take away"
            );
        }
        for (path, patch) in &self.patch {
            let object = objects
                .iter_mut()
                .find(|object| path_of(object) == *path)
                .unwrap_or_else(|| panic!("{name}: there is no {path} to patch"));
            merge(object, patch);
        }
        objects.extend(self.add.iter().cloned());
    }

    fn put_words(&self, name: &str, objects: &mut [Value]) {
        for (path, conditions) in &self.says {
            let object = objects
                .iter_mut()
                .find(|object| path_of(object) == *path)
                .unwrap_or_else(|| panic!("{name}: there is no {path} to say something of"));
            for condition in conditions {
                say(object, condition);
            }
        }
    }

    /// Paths of the fields that it changes; of a status, of which NGF writes all, the whole.
    fn touched(&self) -> BTreeSet<String> {
        fn leaves(value: &Value, path: &str, into: &mut BTreeSet<String>) {
            match value {
                Value::Object(fields) if !path.ends_with("/status") => {
                    for (name, value) in fields {
                        leaves(value, &format!("{path}/{name}"), into);
                    }
                }
                _ => {
                    into.insert(path.to_owned());
                }
            }
        }
        let mut touched = BTreeSet::new();
        for (path, patch) in &self.patch {
            leaves(patch, path, &mut touched);
        }
        touched.extend(self.says.keys().map(|path| format!("{path}/status")));
        touched.extend(self.add.iter().map(path_of));
        touched.extend(
            self.certificates
                .keys()
                .map(|name| format!("certificate {name}")),
        );
        touched.extend(self.without.iter().cloned());
        touched
    }
}

/// What a test changes in a scenario's objects and certificates.
#[derive(Default)]
pub(crate) struct Change {
    /// Certificates, in place of those of the same name.
    pub(crate) certificates: BTreeMap<String, Wanted>,
    /// As in `scenario.yaml`.
    pub(crate) without: Vec<String>,
    /// As in `scenario.yaml`.
    pub(crate) patch: BTreeMap<String, Value>,
    /// As in `scenario.yaml`.
    pub(crate) add: Vec<Value>,
}

/// A scenario's objects as a cluster has them, changed, and the certificates that were minted for them.
pub(crate) fn changed(
    name: &str,
    change: Change,
    now: Timestamp,
) -> (Snapshot, BTreeMap<String, Minted>) {
    let mut wanted = BTreeMap::new();
    let mut objects = Vec::new();
    collect(name, &mut wanted, &mut objects);
    wanted.extend(change.certificates);
    objects.retain(|object| !change.without.contains(&path_of(object)));
    for (path, patch) in &change.patch {
        let object = objects.iter_mut().find(|object| path_of(object) == *path);
        merge(object.unwrap_or_else(|| panic!("no {path}")), patch);
    }
    objects.extend(change.add);
    let minted = pki::mint(&wanted, now);
    let by_name: BTreeMap<String, &Minted> = minted
        .iter()
        .map(|(name, pair)| (name.clone(), pair))
        .collect();
    let mut snapshot = read(name, &objects, &by_name);
    as_cluster(&mut snapshot, &[]);
    (snapshot, minted)
}

/// A scenario's objects, with certificates as their names: the same at every run.
pub(crate) fn objects_by_name(name: &str) -> Vec<Value> {
    let mut objects = Vec::new();
    collect(name, &mut BTreeMap::new(), &mut objects);
    objects
}

/// A scenario's objects as a cluster would give them.
pub(crate) fn objects(name: &str) -> Vec<Value> {
    let now = description(name)
        .now
        .unwrap_or_else(|| "2026-06-01T12:00:00Z".parse().expect("a moment"));
    let (mut wanted, mut objects) = (BTreeMap::new(), Vec::new());
    collect(name, &mut wanted, &mut objects);
    let minted = pki::mint(&wanted, now);
    let by_name: BTreeMap<String, &Minted> = minted
        .iter()
        .map(|(name, pair)| (name.clone(), pair))
        .collect();
    let list: Value = serde_json::from_str(&filled(name, &objects, &by_name)).expect("JSON");
    list["items"].as_array().expect("a list").clone()
}

/// Lets NGF's controller be of a release, with or without experimental features.
pub(crate) fn set_controller(snapshot: &mut Snapshot, version: &str, experimental: bool) {
    let flag = experimental.then_some("--gateway-api-experimental-features");
    let args: Vec<&str> = ["controller"].into_iter().chain(flag).collect();
    let controller = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": "nginx-gateway", "name": "ngf-nginx-gateway-fabric"},
        "spec": {"template": {"spec": {"containers": [{
            "name": "nginx-gateway",
            "image": format!("ghcr.io/nginx/nginx-gateway-fabric:{version}"),
            "args": args,
        }]}}},
    });
    let alone = read("controller", &[controller], &BTreeMap::new());
    snapshot.workloads.retain(|_, workload| {
        let mut containers = workload.spec.template.containers.iter();
        !containers.any(|container| container.name == "nginx-gateway")
    });
    snapshot.workloads.extend(alone.workloads);
}

/// A cluster that holds these objects and no others.
pub(crate) fn cluster_of(objects: &[Value]) -> Snapshot {
    let mut snapshot = read("objects", objects, &BTreeMap::new());
    as_cluster(&mut snapshot, &[]);
    snapshot
}

/// A finding as scenarios write it.
pub(crate) fn line(finding: &Finding, all: &[Finding]) -> String {
    let mut words = vec![finding.code.to_string()];
    if finding.severity != Severity::Error {
        words.push(finding.severity.to_string());
    }
    if finding.verdict == Verdict::Unknown {
        words.push("unknown".to_owned());
    }
    if let Some(cause) = finding.caused_by {
        words.push(format!("by {}", all[cause].code));
    }
    words.join(" ")
}

fn description(name: &str) -> Description {
    static READ: LazyLock<Mutex<HashMap<String, Description>>> = LazyLock::new(Mutex::default);
    let mut read = READ.lock().expect("no panic");
    if let Some(known) = read.get(name) {
        return known.clone();
    }
    let path = root().join(name).join("scenario.yaml");
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let description: Description =
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    read.insert(name.to_owned(), description.clone());
    description
}

/// The objects of `objects.yaml`.
fn written(name: &str) -> Vec<Value> {
    static READ: LazyLock<Mutex<HashMap<String, Vec<Value>>>> = LazyLock::new(Mutex::default);
    let mut read = READ.lock().expect("no panic");
    if let Some(known) = read.get(name) {
        return known.clone();
    }
    let file = root().join(name).join("objects.yaml");
    let mut objects = Vec::new();
    if let Ok(text) = fs::read_to_string(&file) {
        for part in text.split("\n---") {
            let value: Option<Value> = serde_saphyr::from_str(part)
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            objects.extend(value.filter(|value| !value.is_null()));
        }
    }
    read.insert(name.to_owned(), objects.clone());
    objects
}

/// Objects and certificates of the base first, then what the scenario changes.
fn collect(name: &str, wanted: &mut BTreeMap<String, Wanted>, objects: &mut Vec<Value>) {
    let description = description(name);
    if let Some(base) = &description.base {
        collect(base, wanted, objects);
    }
    wanted.extend(description.certificates.clone());
    objects.extend(written(name));
    description.change(name, objects);
    description.put_words(name, objects);
}

/// Puts a condition where the object has those of its kind.
fn say(object: &mut Value, text: &str) {
    let mut words = text.splitn(3, ' ');
    let mut next = || words.next().unwrap_or_default().to_owned();
    let (kind, status, message) = (next(), next(), next());
    let (status, reason) = status.split_once('/').expect("Status/Reason");
    let generation = object.pointer("/metadata/generation").cloned();
    let condition = json!({
        "type": kind, "status": status, "reason": reason, "message": message,
        "observedGeneration": generation.unwrap_or(json!(0)),
    });
    let own = object.pointer("/status/conditions").is_some();
    let places: Vec<&mut Value> = if own {
        object
            .pointer_mut("/status/conditions")
            .into_iter()
            .collect()
    } else {
        let lists = object["status"]
            .as_object_mut()
            .expect("a status")
            .values_mut();
        lists
            .filter_map(Value::as_array_mut)
            .flatten()
            .filter_map(|parent| parent.pointer_mut("/conditions"))
            .collect()
    };
    assert!(!places.is_empty(), "there is no place for {text}");
    for place in places {
        let list = place.as_array_mut().expect("conditions");
        list.retain(|known| known["type"] != condition["type"]);
        list.push(condition.clone());
    }
}

fn path_of(object: &Value) -> String {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
    let kind = text("/kind").unwrap_or_default();
    let name = text("/metadata/name").unwrap_or_default();
    match text("/metadata/namespace") {
        Some(namespace) => format!("{kind}/{namespace}/{name}"),
        None => format!("{kind}/{name}"),
    }
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    match patch {
        Value::Object(fields) => {
            if !target.is_object() {
                *target = json!({});
            }
            let map = target.as_object_mut().expect("made an object above");
            for (name, value) in fields {
                if value.is_null() {
                    map.shift_remove(name);
                } else {
                    merge(map.entry(name.clone()).or_insert(Value::Null), value);
                }
            }
        }
        other => *target = other.clone(),
    }
}

fn read(name: &str, objects: &[Value], minted: &BTreeMap<String, &Minted>) -> Snapshot {
    let text = filled(name, objects, minted);
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("objects.json");
    fs::write(&path, text).expect("file");
    files::read(&[path], "default")
}

/// The objects as a list, with the certificates in place.
fn filled(name: &str, objects: &[Value], minted: &BTreeMap<String, &Minted>) -> String {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    let text = serde_json::to_string_pretty(&list).expect("JSON");
    let text = fill(text, minted);
    assert!(
        !text.contains("{{"),
        "{name}: a certificate is missing: {}",
        unfilled(&text)
    );
    text
}

/// Certificates and keys in the place of their names.
fn fill(mut text: String, minted: &BTreeMap<String, &Minted>) -> String {
    for (certificate, pair) in minted {
        let escaped = |pem: String| {
            let quoted = serde_json::to_string(&pem).expect("JSON");
            quoted.trim_matches('"').to_owned()
        };
        let (of_certificate, of_key) = (
            format!("{{{{{certificate}.crt}}}}"),
            format!("{{{{{certificate}.key}}}}"),
        );
        let of_line = format!("{{{{{certificate}.line}}}}");
        if text.contains(&of_line) {
            let pem = pair.certificate_pem();
            text = text.replace(&of_line, &escaped(pem.trim_end().to_owned()));
        }
        if text.contains(&of_certificate) {
            text = text.replace(&of_certificate, &escaped(pair.certificate_pem()));
        }
        if text.contains(&of_key) {
            text = text.replace(&of_key, &escaped(pair.key_pem()));
        }
    }
    text
}

fn unfilled(text: &str) -> &str {
    text.split_once("{{")
        .map_or("", |(_, rest)| &rest[..rest.len().min(30)])
}

/// The API server has not answered for a minute.
fn as_silent(snapshot: &mut Snapshot, why: &str, now: Timestamp) {
    let since = now - jiff::SignedDuration::from_mins(1);
    for (kind, state) in &mut snapshot.kinds {
        *state = KindState::Stale {
            version: kind.info().versions[0].to_owned(),
            since,
            why: why.to_owned(),
        };
    }
    snapshot.lost = Some(Lost {
        since,
        why: why.to_owned(),
        loss: Loss::Silent,
    });
}

/// What was read is all that there is.
pub(crate) fn as_cluster(snapshot: &mut Snapshot, denied: &[String]) {
    snapshot.source = Source::Cluster {
        context: "test".to_owned(),
        server: "https://127.0.0.1:6443".to_owned(),
        version: Some("1.36".to_owned()),
    };
    snapshot.scope = Scope::AllNamespaces;
    // What a cluster holds is what it holds.
    snapshot.unrendered.clear();
    for info in KINDS {
        let state = if denied.iter().any(|kind| kind == info.name) {
            KindState::Denied(format!("{} is forbidden", info.plural))
        } else {
            KindState::Live {
                version: info.versions[0].to_owned(),
            }
        };
        snapshot.kinds.insert(info.kind, state);
    }
    let denied_secrets = denied.iter().any(|kind| kind == "Secret");
    for (object, lookup) in &mut snapshot.secrets {
        if denied_secrets {
            snapshot.denied.insert(object.clone());
            *lookup = Lookup::Unknown("secrets is forbidden".to_owned());
        } else if matches!(lookup, Lookup::Unknown(_)) {
            *lookup = Lookup::Absent;
        }
    }
    for lookup in snapshot.config_maps.values_mut() {
        if matches!(lookup, Lookup::Unknown(_)) {
            *lookup = Lookup::Absent;
        }
    }
    // On a cluster more is asked for by name: what is not there is known not to be.
    for object in references(snapshot) {
        if object.kind == Kind::Secret && !denied_secrets {
            snapshot.secrets.entry(object).or_insert(Lookup::Absent);
        }
    }
}

/// What probes saw; an error where nothing can be probed.
fn seen(
    description: &Description,
    snapshot: &Snapshot,
    minted: &BTreeMap<String, &Minted>,
    now: Timestamp,
) -> Result<Vec<Probed>, String> {
    let mut all = Vec::new();
    for seen in &description.probes {
        let target = ProbeTarget::parse(&seen.target, "default").expect("a target");
        let plans = plan(snapshot, &target).map_err(|error| format!("{}: {error}", seen.target))?;
        for plan in plans {
            let wanted = seen.address.as_ref();
            if wanted.is_none_or(|address| *address == plan.endpoint.address) {
                let result = match &seen.failed {
                    Some(why) => Err(why.clone()),
                    None => Ok(Arc::new(transcript(seen, &plan, minted, now))),
                };
                all.push(Probed {
                    plan: Arc::new(plan),
                    at: Timestamp::from_second(now.as_second() - seen.ago).expect("a moment"),
                    result,
                });
            }
        }
    }
    Ok(all)
}

/// What logs and data-plane pods said.
fn beyond_probes(
    description: &Description,
    minted: &BTreeMap<String, &Minted>,
    now: Timestamp,
    snapshot: &Snapshot,
    evidence: &mut Evidence,
) {
    let gateway = ObjectRef::new(Kind::Gateway, "default", "gateway");
    for seen in &description.logs {
        let role = match seen.role {
            SeenRole::DataPlane => Role::DataPlane,
            SeenRole::Application => Role::Application,
            SeenRole::Controller => Role::Controller,
        };
        let mut tally = Tally::default();
        tally.read(&seen.lines.join("\n"), now);
        evidence.record_log(PodLog {
            role,
            gateway: (role == Role::DataPlane).then(|| gateway.clone()),
            pod: ObjectRef::new(Kind::Pod, "default", &seen.pod),
            container: "nginx".to_owned(),
            since: now,
            failed: seen.failed.clone(),
            cut: false,
            file: None,
            until: None,
            tally,
        });
    }
    for seen in &description.listeners {
        let gateway = named(&seen.gateway);
        let facts = |name: &String| {
            let der = minted[name].certificate.to_der().expect("DER");
            CertificateFacts::from_der(&der).expect("a certificate")
        };
        let meeting = Meeting {
            owner: gateway.clone(),
            gateway,
            listener: seen.listener.clone(),
            server_name: seen.server_name.clone(),
        };
        let met = Met {
            via: "port-forward to gateway-nginx-1".to_owned(),
            chain: seen.presents.iter().map(facts).collect(),
            accepted: seen.accepted,
            verdict: seen.verdict.clone(),
            failed: seen.failed.clone(),
        };
        let result = seen.untested.clone().map_or(Ok(met), Err);
        evidence.record_meeting(meeting, now, result);
    }
    for said in &description.dry_runs {
        let [kind, namespace, name] = said.object.split('/').collect::<Vec<_>>()[..] else {
            panic!("{} is not Kind/namespace/name", said.object);
        };
        let outcome = match (&said.refused, &said.unknown) {
            (Some(words), _) => Answer::Refused(Refusal {
                words: words.clone(),
                causes: said.causes.clone().into_iter().collect(),
                why: Why::Invalid,
            }),
            (_, Some(why)) => Answer::Unknown(why.clone()),
            _ => Answer::Taken {
                dropped: said.dropped.clone(),
                altered: said.altered.clone(),
            },
        };
        evidence.record_said(Said {
            object: ObjectRef::new(Kind::parse(kind).expect("a kind"), namespace, name),
            place: "manifests/all.yaml, document 1, line 1".to_owned(),
            outcome,
            warnings: said.warnings.clone(),
        });
    }
    for seen in &description.rendered {
        let mut files = String::new();
        for (name, certificates) in &seen.files {
            files.extend([format!("FILE {} {name}\n", now.as_second() - 3_600)]);
            files.extend(
                certificates
                    .iter()
                    .map(|name| minted[name].certificate_pem()),
            );
        }
        let found = NginxConfig::parse(seen.configuration.as_bytes(), files.as_bytes());
        evidence.record_nginx_config(InPod {
            gateway: gateway.clone(),
            pod: ObjectRef::new(Kind::Pod, "default", &seen.pod),
            at: now,
            versions: match seen.changed_since.as_slice() {
                [] => Versions::default(),
                changed => {
                    Versions::of(snapshot).with_older(changed.iter().map(|name| named(name)))
                }
            },
            found: seen.failed.clone().map_or(found, Err),
        });
    }
}

/// An object by `Kind/namespace/name`.
fn named(text: &str) -> ObjectRef {
    let mut parts = text.splitn(3, '/');
    let mut part = || parts.next().expect("Kind/namespace/name");
    let kind = Kind::parse(part()).expect("a kind");
    ObjectRef::new(kind, part(), part())
}

fn transcript(
    seen: &SeenByProbe,
    plan: &ProbePlan,
    minted: &BTreeMap<String, &Minted>,
    now: Timestamp,
) -> Transcript {
    let chain = seen
        .served
        .iter()
        .map(|name| {
            let der = minted[name].certificate.to_der().expect("DER");
            CertificateFacts::from_der(&der).expect("facts")
        })
        .collect();
    let has_identity = plan
        .tls
        .as_ref()
        .is_some_and(|tls| tls.client_certificate.is_some());
    Transcript {
        schema: SCHEMA.to_owned(),
        started_at: now.to_string(),
        duration_us: 2_900,
        target: format!("{}:{}", plan.endpoint.address, plan.endpoint.port),
        address: Some(format!("{}:{}", plan.endpoint.address, plan.endpoint.port)),
        protocol: plan.protocol,
        via: seen.via.clone().unwrap_or_else(|| "direct".to_owned()),
        engine: Engine {
            name: "openssl".to_owned(),
            version: "OpenSSL 3.5.5".to_owned(),
        },
        nginx: NginxVerdict {
            outcome: seen.outcome,
            verify_code: seen.verify_code,
            verify_text: None,
            alert: seen.alert,
            client_status: seen.client_status.or(seen.status),
            log_line: seen.log.clone(),
            sentence: String::new(),
        },
        not_proven: Vec::new(),
        judged_at: None,
        expires_first: None,
        second_opinion: None,
        tls: (plan.tls.is_some() && seen.version.as_deref() != Some("none")).then(|| TlsAgreed {
            version: seen.version.clone().unwrap_or_else(|| "TLSv1.3".to_owned()),
            cipher: "TLS_AES_256_GCM_SHA384".to_owned(),
            group: None,
            alpn: None,
        }),
        verify_trace: Vec::new(),
        client_certificate: ClientCertificate {
            requested: seen.asks.is_some(),
            acceptable_cas: seen.asks.clone().unwrap_or_default(),
            sent: seen.asks.is_some() && has_identity,
            ..ClientCertificate::default()
        },
        server_chain: chain,
        steps: Vec::new(),
        records: Vec::new(),
        http: seen.status.map(|status| HttpAnswer {
            status,
            body: seen.body.clone(),
            server: seen.server.clone(),
        }),
    }
}
