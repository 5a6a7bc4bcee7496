//! What a rule found.

use std::{cmp::Ordering, collections::HashSet, fmt::Write as _};

use serde::Serialize;
use serde_json::Value;

use crate::diagnosis::code::Code;
use crate::{
    command::{Command, names},
    model::{kind::Kind, object::ObjectRef},
};

/// How bad a finding is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Requests fail, or would.
    Error,
    /// Requests work and something is wrong all the same, or soon will be.
    Warning,
    /// Worth knowing.
    Info,
}

/// How sure it is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The evidence shows it.
    Fail,
    /// Evidence is missing: denied, not probed, not in the files. Never shown as healthy.
    Unknown,
}

/// One thing that is wrong, or that cannot be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable code: `NGF-T1`.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub verdict: Verdict,
    /// The object to look at first; where `input` is given, of no meaning.
    pub subject: ObjectRef,
    /// The file or document that it is about, where it is about no object.
    pub input: Option<String>,
    /// One sentence, with the names of this cluster.
    pub title: String,
    /// The reasoning, a sentence each.
    pub detail: Vec<String>,
    /// What shows it.
    pub evidence: Vec<EvidenceLine>,
    /// What to do.
    pub remedy: Option<Remedy>,
    /// What breaks because of it, a sentence each; findings that it causes point here with
    /// [`Finding::caused_by`] and are not repeated.
    pub effects: Vec<String>,
    /// The nodes of the tree that it makes unhealthy.
    pub marks: Vec<Mark>,
    /// Further objects that it is about; causes and effects meet in them.
    pub scope: Vec<ObjectRef>,
    /// Index of the finding that causes this one, in the list that both are in.
    pub caused_by: Option<usize>,
    /// Whether only a probe shows it: a probe does what the objects ask for, and nginx may run an older
    /// configuration.
    pub by_probe_alone: bool,
    /// The code of the finding to fix first: until then this one does not show, or its fix does harm.
    pub after: Option<Code>,
}

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct EvidenceLine {
    /// What it is: `condition ResolvedRefs`, `ca.crt`, `nginx would log`.
    pub what: String,
    /// Its value.
    pub value: String,
    /// Where it stands: `Gateway default/gateway status.conditions`, `probe of 10.0.3.7:8443`.
    #[serde(rename = "where")]
    pub place: String,
}

/// What to do about a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Remedy {
    /// In one sentence.
    pub summary: String,
    /// A command that does it.
    pub command: Option<String>,
    /// A patch or manifest, as YAML.
    pub yaml: Option<String>,
    /// The same as data, where it is a change of objects that needs nothing which the tool does
    /// not know; [`crate::fix`] shows and applies it. Empty where a person has to decide something.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ObjectChange>,
}

/// A change of one object. No value of a Secret is ever in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ObjectChange {
    /// The object is made; the manifest names its kind, namespace and name.
    Create(Value),
    /// The object is changed.
    Merge {
        /// Which.
        object: ObjectRef,
        /// JSON merge patch (RFC 7386).
        patch: Value,
    },
    /// The object is removed.
    Delete(ObjectRef),
}

/// A node of the tree, or several, that a finding is shown at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// Wherever the object stands.
    Object(ObjectRef),
    /// A listener of a Gateway or ListenerSet.
    Listener {
        /// The Gateway or ListenerSet.
        owner: ObjectRef,
        /// Its name.
        name: String,
    },
    /// A rule of a route.
    Rule {
        /// The route.
        route: ObjectRef,
        /// From 0.
        index: usize,
    },
    /// A Service's port, wherever a rule refers to it.
    Backend {
        /// The Service.
        service: ObjectRef,
        /// Its port; `None` for all.
        port: Option<u16>,
    },
    /// An endpoint of a Service's port.
    Endpoint {
        /// The Service.
        service: ObjectRef,
        /// The Service's port.
        port: u16,
        /// The endpoint's address.
        address: String,
        /// The endpoint's port.
        endpoint_port: u16,
    },
}

impl Finding {
    /// A finding that is shown at its subject.
    pub fn new(
        code: Code,
        severity: Severity,
        subject: &ObjectRef,
        title: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity,
            verdict: Verdict::Fail,
            subject: subject.clone(),
            input: None,
            title: title.into(),
            detail: Vec::new(),
            evidence: Vec::new(),
            remedy: None,
            effects: Vec::new(),
            marks: vec![Mark::Object(subject.clone())],
            scope: Vec::new(),
            caused_by: None,
            by_probe_alone: false,
            after: None,
        }
    }

    /// The same, but evidence is missing.
    #[must_use]
    pub fn unknown(mut self) -> Self {
        self.verdict = Verdict::Unknown;
        self
    }

    /// Adds a sentence of reasoning.
    #[must_use]
    pub fn because(mut self, sentence: impl Into<String>) -> Self {
        self.detail.push(sentence.into());
        self
    }

    /// Adds a piece of evidence.
    #[must_use]
    pub fn evidence(
        mut self,
        what: impl Into<String>,
        value: impl Into<String>,
        place: impl Into<String>,
    ) -> Self {
        self.evidence.push(EvidenceLine {
            what: what.into(),
            value: value.into(),
            place: place.into(),
        });
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: Remedy) -> Self {
        self.remedy = Some(remedy);
        self
    }

    /// Adds a sentence that says what breaks.
    #[must_use]
    pub fn breaks(mut self, sentence: impl Into<String>) -> Self {
        self.effects.push(sentence.into());
        self
    }

    /// Shows it at a node of the tree, too.
    #[must_use]
    pub fn mark(mut self, mark: Mark) -> Self {
        self.marks.push(mark);
        self
    }

    /// Shows it wherever these objects stand, too.
    #[must_use]
    pub fn mark_objects<'a>(mut self, objects: impl IntoIterator<Item = &'a ObjectRef>) -> Self {
        for object in objects {
            self = self.mark(Mark::Object(object.clone()));
        }
        self
    }

    /// Adds objects that it is about.
    #[must_use]
    pub fn scope<'a>(mut self, objects: impl IntoIterator<Item = &'a ObjectRef>) -> Self {
        self.scope.extend(objects.into_iter().cloned());
        self
    }

    /// Marks it as shown by a probe alone.
    #[must_use]
    pub fn by_probe_alone(mut self) -> Self {
        self.by_probe_alone = true;
        self
    }

    /// Each mark and each object once, in the order in which they came.
    pub(super) fn deduplicate(&mut self) {
        let mut seen = HashSet::new();
        self.marks.retain(|mark| seen.insert(mark.clone()));
        let mut seen = HashSet::new();
        self.scope.retain(|object| seen.insert(object.clone()));
    }

    /// The order of the rules, of the objects and of the titles.
    pub(super) fn by_rule(&self, other: &Self) -> Ordering {
        let of = (self.code, &self.subject, &self.title);
        of.cmp(&(other.code, &other.subject, &other.title))
    }

    /// Every object that it is about: subject, marks and scope.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectRef> {
        let marked = self.marks.iter().map(Mark::object);
        std::iter::once(&self.subject)
            .chain(marked)
            .chain(&self.scope)
    }
}

impl Mark {
    /// The object of the marked node.
    pub fn object(&self) -> &ObjectRef {
        match self {
            Self::Object(object) => object,
            Self::Listener { owner, .. } => owner,
            Self::Rule { route, .. } => route,
            Self::Backend { service, .. } | Self::Endpoint { service, .. } => service,
        }
    }
}

impl Remedy {
    /// Something to do in words alone.
    pub fn say(summary: impl Into<String>) -> Self {
        Self {
            summary: summary.into(),
            command: None,
            yaml: None,
            changes: Vec::new(),
        }
    }

    /// A command that does it. Where a name cannot exist in Kubernetes there is none, and the summary
    /// says which name that is.
    pub fn command(summary: impl Into<String>, command: Command) -> Self {
        let mut remedy = Self::say(summary);
        match command.text() {
            Ok(text) => remedy.command = Some(text),
            Err(why) => remedy.add(&why),
        }
        remedy
    }

    /// A patch or manifest to fill in, without a value from an object.
    pub fn yaml(summary: impl Into<String>, yaml: &'static str) -> Self {
        Self {
            yaml: Some(yaml.to_owned()),
            ..Self::say(summary)
        }
    }

    /// A patch or manifest with values from objects: for a person to complete, never applied.
    pub fn manifest(summary: impl Into<String>, manifest: &Value) -> Self {
        let mut remedy = Self::say(summary);
        match manifest_text(manifest) {
            Ok(text) => remedy.yaml = Some(text),
            Err(why) => remedy.add(&why),
        }
        remedy
    }

    /// A JSON merge patch (RFC 7386) of one object: the command that is shown is the change that is
    /// applied.
    pub fn merge(summary: impl Into<String>, object: &ObjectRef, patch: Value) -> Self {
        let change = ObjectChange::Merge {
            object: object.clone(),
            patch,
        };
        Self::change(summary, change)
    }

    /// An object to make: the manifest that is shown is the one that is applied.
    pub fn create(summary: impl Into<String>, manifest: Value) -> Self {
        Self::change(summary, ObjectChange::Create(manifest))
    }

    /// An object to remove.
    pub fn delete(summary: impl Into<String>, object: &ObjectRef) -> Self {
        Self::change(summary, ObjectChange::Delete(object.clone()))
    }

    fn change(summary: impl Into<String>, change: ObjectChange) -> Self {
        let mut remedy = match &change {
            ObjectChange::Create(manifest) => Self::manifest(summary, manifest),
            ObjectChange::Merge { object, patch } => {
                let mut remedy = Self::command(
                    summary,
                    Command::kubectl(&object.namespace)
                        .words(["patch"])
                        .object(object)
                        .words(["--type=merge"])
                        .patch(patch),
                );
                if remedy.command.is_some()
                    && let Err(why) = names::in_manifest(patch)
                {
                    remedy.command = None;
                    remedy.add(&format!("{why}, so no command is shown"));
                }
                remedy
            }
            ObjectChange::Delete(object) => Self::command(
                summary,
                Command::kubectl(&object.namespace)
                    .words(["delete"])
                    .object(object),
            ),
        };
        // What cannot be shown is not applied.
        if remedy.command.is_some() || remedy.yaml.is_some() {
            remedy.changes.push(change);
        }
        remedy
    }

    /// Adds a sentence to the summary.
    fn add(&mut self, why: &str) {
        let _ = write!(self.summary, " {why}.");
    }
}

/// A manifest as YAML, or half a sentence that says why it is not shown.
fn manifest_text(manifest: &Value) -> Result<String, String> {
    names::in_manifest(manifest).map_err(|why| format!("{why}, so no manifest is shown"))?;
    serde_saphyr::to_string(manifest)
        .map_err(|error| format!("The manifest cannot be written as YAML: {error}"))
}

impl ObjectChange {
    /// The object; `None` where a manifest names none that the tool knows.
    pub fn object(&self) -> Option<ObjectRef> {
        match self {
            Self::Merge { object, .. } | Self::Delete(object) => Some(object.clone()),
            Self::Create(manifest) => {
                let text = |pointer: &str| manifest.pointer(pointer)?.as_str();
                let kind = Kind::of(text("/apiVersion")?, text("/kind")?)?;
                let namespace = text("/metadata/namespace").unwrap_or_default();
                Some(ObjectRef::new(kind, namespace, text("/metadata/name")?))
            }
        }
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        })
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        })
    }
}
