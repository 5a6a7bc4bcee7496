//! Manifests into a snapshot: YAML or JSON, many documents, `List` objects; what people write and what
//! `kubectl get -o yaml` prints. The text is given; reading files is the program's.
//!
//! Files are what somebody gave, not all that there is. So [`Snapshot::kinds`] names only the kinds
//! that were found, [`Snapshot::holds_all`] says no for every kind, and a Secret or ConfigMap that
//! something refers to and that is not there is [`Lookup::Unknown`], not [`Lookup::Absent`].
//! Kinds that the tool does not read are counted in [`Snapshot::ignored`].
//!
//! What cannot be read becomes a [`Problem`] that names file, document and line; the rest is read.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use serde_json::Value;

use crate::model::held::{self, Held};
use crate::model::{
    clean::clean_line,
    decode::Decoded,
    facts,
    kind::Kind,
    object::{Note, ObjectRef},
    placeholder,
    references::references,
    snapshot::{KindState, Lookup, Place, Problem, Scope, Snapshot, Source},
};
use documents::{Content, Document, Part, parts};
use item::{Item, Reading};
use items::List;
use threads::in_batches;

mod documents;
mod item;
mod items;
mod threads;

/// Problems that are listed one by one.
const MAX_PROBLEMS: usize = 200;
/// Documents or items of one file that are no Kubernetes objects and are listed one by one.
const MAX_OTHERS: usize = 3;
/// Apart from Kubernetes' own, kinds are named by whoever wrote the file.
const MAX_IGNORED: usize = 1_000;

/// Manifests as they are written, to send them to an API server.
#[derive(Debug, Default)]
pub struct Manifests {
    /// The objects of known kinds.
    pub objects: BTreeMap<ObjectRef, Manifest>,
    /// The names of the namespaces among the files.
    pub namespaces: BTreeSet<String>,
    /// The group and kind of each CRD among the files.
    pub crds: BTreeSet<(String, String)>,
}

/// One manifest. A Secret's values are in it, and are overwritten when it is dropped.
pub struct Manifest {
    /// As it is written.
    pub value: Value,
    /// File, document and line.
    pub place: String,
    is_secret: bool,
}

impl Drop for Manifest {
    fn drop(&mut self) {
        if self.is_secret {
            facts::wipe(&mut self.value);
        }
    }
}

impl std::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manifest")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl Manifests {
    /// Remembers what makes room for other objects: a namespace, a CRD.
    fn note(&mut self, kind: &str, value: &Value) {
        let text = |pointer: &str| value.pointer(pointer)?.as_str().map(clean_line);
        match kind {
            "Namespace" => self.namespaces.extend(text("/metadata/name")),
            "CustomResourceDefinition" => {
                let crd = text("/spec/group").zip(text("/spec/names/kind"));
                self.crds.extend(crd);
            }
            _ => {}
        }
    }
}

/// Takes manifests in, file by file.
pub struct Reader<'n> {
    snapshot: Snapshot,
    default_namespace: &'n str,
    /// Where each object stands.
    places: HashMap<ObjectRef, String>,
    /// The objects as they are written, where somebody wants them.
    manifests: Option<Manifests>,
    held: Held,
    /// Objects for which there is no room.
    left_out: usize,
    /// Problems that are only counted.
    more_problems: usize,
    /// Where the document that is being read begins.
    at: Option<Place>,
    /// Nobody said that the file that is being read is a manifest.
    is_found: bool,
    /// Documents of the file that is being read: objects, and those that are none.
    objects: usize,
    pending: Vec<Pending>,
    /// Documents of the file that is being read that are no Kubernetes objects; the first of them are pending.
    others: usize,
}

/// Something wrong with a document of the file that is being read.
struct Pending {
    place: String,
    message: String,
    notes: Vec<Note>,
    /// It is no Kubernetes object, and nothing shows that it was meant to be one.
    is_other: bool,
    /// It was meant to be one.
    is_like_manifest: bool,
}

/// Reads the text of manifests: YAML documents. An object that names no namespace is in `default_namespace`.
pub fn parse(text: &str, default_namespace: &str) -> Snapshot {
    let mut reader = Reader::new(vec!["text".to_owned()], default_namespace);
    reader.file("text", false, false, text);
    reader.finish().0
}

impl<'n> Reader<'n> {
    /// A reader of `paths`, as they are shown. An object that names no namespace is in `default_namespace`.
    pub fn new(paths: Vec<String>, default_namespace: &'n str) -> Self {
        Self {
            snapshot: Snapshot::new(Source::Files { paths }, Scope::AllNamespaces),
            default_namespace,
            places: HashMap::new(),
            manifests: None,
            held: Held::default(),
            left_out: 0,
            more_problems: 0,
            at: None,
            is_found: false,
            objects: 0,
            pending: Vec::new(),
            others: 0,
        }
    }

    /// The same, and keeps the manifests as they are written.
    #[must_use]
    pub fn keeping_manifests(mut self) -> Self {
        self.manifests = Some(Manifests::default());
        self
    }

    /// Takes a file in. `found` says that nobody named it: it was found in a directory.
    pub fn file(&mut self, place: &str, is_json: bool, found: bool, text: &str) {
        self.snapshot.files += 1;
        self.is_found = found;
        self.objects = 0;
        self.pending.clear();
        self.others = 0;
        let mut number = 0;
        let parts = parts(text, is_json);
        let reading = self.reading();
        let length = |part: &Part<'_>| part.text.len();
        in_batches(
            &parts,
            length,
            |part| part.read(reading),
            |document| {
                if let Some(document) = document {
                    number += 1;
                    self.document(place, number, document);
                }
            },
        );
        self.end_of_file(place);
        if number == 0 {
            self.problem(place, "holds no object".to_owned());
        }
    }

    /// Takes a document of `file` in, of this number.
    fn document(&mut self, file: &str, number: usize, document: Document<'_, '_>) {
        let Document { line, content } = document;
        self.at = Some(Place {
            file: file.to_owned(),
            line,
        });
        let place = format!("{file}, document {number}, line {line}");
        match content {
            Ok(Content::Item(item)) => self.take(&place, item),
            Ok(Content::Items(items)) => self.take_all(&place, items),
            Ok(Content::List(list)) => self.list(&place, list),
            Err(failed) if failed.is_template => self.template(&place),
            Err(failed) => self.pend(Pending {
                place,
                message: failed.message,
                notes: Vec::new(),
                is_other: false,
                is_like_manifest: failed.is_like_manifest,
            }),
        }
    }

    /// A file that could not be read, and why.
    pub fn unreadable(&mut self, place: &str, why: &str) {
        self.snapshot.files += 1;
        self.problem(place, format!("cannot be read: {why}"));
    }

    /// Reports what is wrong with a file. One that nobody named and that holds nothing like a manifest is
    /// data: it is only mentioned.
    fn end_of_file(&mut self, file: &str) {
        let pending = std::mem::take(&mut self.pending);
        let is_mistake = |pending: &Pending| pending.is_like_manifest;
        if self.is_found && self.objects == 0 && !pending.iter().any(is_mistake) {
            if !pending.is_empty() && self.snapshot.not_manifests.len() < MAX_IGNORED {
                self.snapshot.not_manifests.push(file.to_owned());
            }
            return;
        }
        let others = self.others;
        let mut told = 0;
        for pending in pending {
            told += usize::from(pending.is_other);
            let more = if pending.is_other && told == MAX_OTHERS && others > MAX_OTHERS {
                format!("; so are {} more of the file", others - MAX_OTHERS)
            } else {
                String::new()
            };
            self.problem(&pending.place, format!("{}{more}", pending.message));
            if let Some(last) = self.snapshot.problems.last_mut() {
                last.notes = pending.notes;
            }
        }
    }

    /// Keeps what is wrong with a document until the end of its file.
    fn pend(&mut self, pending: Pending) {
        if pending.is_other {
            self.others += 1;
            // A list of data is one mistake, not as many as it has items.
            if self.others > MAX_OTHERS {
                return;
            }
        } else if self.pending.len() >= MAX_PROBLEMS + MAX_OTHERS {
            self.more_problems += 1;
            return;
        }
        self.pending.push(pending);
    }

    fn template(&mut self, place: &str) {
        self.objects += 1;
        if self.snapshot.templates.len() < MAX_IGNORED {
            self.snapshot.templates.push(place.to_owned());
        }
    }

    fn reading(&self) -> Reading<'n> {
        Reading {
            default_namespace: self.default_namespace,
            keeps: self.manifests.is_some(),
        }
    }

    /// Takes in a list in JSON, item by item.
    fn list(&mut self, place: &str, list: &List<'_>) {
        if list.kind.ends_with("List") {
            self.objects += 1;
            let is_template = |text| placeholder::of(text).is_some();
            if is_template(&list.kind) || is_template(&list.api_version) {
                return self.template(place);
            }
        }
        let mut number = 0;
        list.each(self.reading(), |read| {
            number += 1;
            let place = format!("{place}, item {number}");
            match read {
                Ok(item) => self.take(&place, item),
                Err(message) => self.pend(Pending {
                    place,
                    message,
                    notes: Vec::new(),
                    is_other: false,
                    is_like_manifest: true,
                }),
            }
        });
    }

    /// Takes in what a value is.
    fn take(&mut self, place: &str, item: Item) {
        if !matches!(item, Item::None { .. }) {
            self.objects += 1;
        }
        match item {
            Item::Object(object) => self.object(place, *object),
            Item::List(items) => self.take_all(place, items),
            Item::Template => self.template(place),
            Item::Other { name, kind, value } => {
                if let (Some(manifests), Some(value)) = (&mut self.manifests, value) {
                    manifests.note(&kind, &value);
                }
                let ignored = &mut self.snapshot.ignored;
                if ignored.len() < MAX_IGNORED || ignored.contains_key(&name) {
                    *ignored.entry(name).or_default() += 1;
                }
            }
            Item::None {
                what,
                is_like_manifest,
            } => self.pend(Pending {
                place: place.to_owned(),
                message: format!("is not a Kubernetes object: it {what}"),
                notes: Vec::new(),
                is_other: !is_like_manifest,
                is_like_manifest,
            }),
            Item::Broken(problem) => self.pend(Pending {
                place: place.to_owned(),
                message: problem.message,
                notes: problem.notes,
                is_other: false,
                is_like_manifest: true,
            }),
        }
    }

    fn take_all(&mut self, place: &str, items: Vec<Item>) {
        for (index, item) in items.into_iter().enumerate() {
            self.take(&format!("{place}, item {}", index + 1), item);
        }
    }

    fn object(&mut self, place: &str, object: item::Object) {
        let item::Object {
            api_version,
            decoded,
            unrendered,
            written,
        } = object;
        if let (Some(manifests), Some(mut written)) = (&mut self.manifests, written) {
            place.clone_into(&mut written.place);
            manifests
                .objects
                .insert(decoded.reference().clone(), written);
        }
        self.put(place, &api_version, decoded, unrendered);
    }

    fn put(&mut self, place: &str, api_version: &str, decoded: Decoded, unrendered: Vec<String>) {
        let reference = decoded.reference().clone();
        let version = api_version.rsplit('/').next().unwrap_or_default();
        self.snapshot.kinds.insert(
            reference.kind,
            KindState::Live {
                version: clean_line(version),
            },
        );
        if !self.held.put(&mut self.snapshot, decoded) {
            // Said once, at the end.
            self.left_out += 1;
            return;
        }
        if unrendered.is_empty() {
            self.snapshot.unrendered.remove(&reference);
        } else {
            self.hide_unrendered(&reference, &unrendered);
            self.snapshot
                .unrendered
                .insert(reference.clone(), unrendered);
        }
        if let Some(at) = &self.at {
            let places = &mut self.snapshot.places;
            places.insert(reference.clone(), at.clone());
        }
        if let Some(before) = self.places.insert(reference.clone(), place.to_owned()) {
            self.problem(
                place,
                format!("{reference} is here again, after {before}; this one is used"),
            );
        }
    }

    /// A Secret or ConfigMap whose certificate, key or CA is a placeholder is there, and what it holds is
    /// unknown.
    fn hide_unrendered(&mut self, object: &ObjectRef, paths: &[String]) {
        let fields = ["data", "stringData", "binaryData", "type"];
        let Some(path) = paths
            .iter()
            .find(|path| fields.iter().any(|field| path.starts_with(field)))
        else {
            return;
        };
        let why = format!("{path} of {object} is unknown until it is rendered or decrypted");
        let Snapshot {
            secrets,
            config_maps,
            ..
        } = &mut self.snapshot;
        match object.kind {
            Kind::Secret => {
                secrets.insert(object.clone(), Lookup::Unknown(why));
            }
            Kind::ConfigMap => {
                config_maps.insert(object.clone(), Lookup::Unknown(why));
            }
            _ => {}
        }
    }

    /// Notes something that is wrong with the input.
    pub fn problem(&mut self, place: &str, message: String) {
        if self.snapshot.problems.len() < MAX_PROBLEMS {
            self.snapshot.problems.push(Problem {
                place: place.to_owned(),
                message,
                notes: Vec::new(),
            });
        } else {
            self.more_problems += 1;
        }
    }

    /// The objects, and the manifests as they are written where [`Self::keeping_manifests`] asked for them.
    pub fn finish(mut self) -> (Snapshot, Manifests) {
        let manifests = self.manifests.take().unwrap_or_default();
        if self.left_out > 0 {
            self.snapshot.problems.push(Problem {
                place: "all files".to_owned(),
                message: format!(
                    "{} objects are left out: {}; give smaller parts",
                    self.left_out,
                    held::FULL
                ),
                notes: Vec::new(),
            });
        }
        if self.more_problems > 0 {
            self.snapshot.problems.push(Problem {
                place: "all files".to_owned(),
                message: format!("{} more problems are not listed", self.more_problems),
                notes: Vec::new(),
            });
        }
        let snapshot = &self.snapshot;
        let is_other = !snapshot.not_manifests.is_empty() || !snapshot.templates.is_empty();
        if is_other
            && snapshot.problems.is_empty()
            && snapshot.kinds.is_empty()
            && snapshot.ignored.is_empty()
        {
            self.problem(
                "all files",
                "hold no Kubernetes object that can be read before it is rendered".to_owned(),
            );
        }
        let why = "not among the files";
        for reference in references(&self.snapshot) {
            let Snapshot {
                secrets,
                config_maps,
                ..
            } = &mut self.snapshot;
            if reference.kind == Kind::Secret {
                let lookup = secrets.entry(reference);
                lookup.or_insert_with(|| Lookup::Unknown(why.to_owned()));
            } else {
                let lookup = config_maps.entry(reference);
                lookup.or_insert_with(|| Lookup::Unknown(why.to_owned()));
            }
        }
        self.snapshot
            .events
            .sort_by_key(|event| Reverse(event.spec.last_seen));
        (self.snapshot, manifests)
    }
}
