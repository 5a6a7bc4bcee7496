//! Two scenarios of one base as one.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, LazyLock, Mutex},
};

use jiff::Timestamp;
use ngf_core::{
    diagnosis::Evidence,
    model::{
        decode::{self, Decoded, Incoming},
        kind::Kind,
        references::references,
        snapshot::{Lookup, Scope, Snapshot, Source},
    },
};
use serde_json::Value;

use super::{
    cluster::as_cluster,
    description::Description,
    evidence::{beyond_probes, seen},
    load::Scenario,
    names::{description, moment, root},
    objects::{collect, fill},
};
use crate::support::pki::{self, Minted, Wanted};

impl Scenario {
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
}

/// A scenario that others start from, with its certificates minted once for all of them.
pub(crate) struct Base {
    name: String,
    objects: Vec<Value>,
    wanted: BTreeMap<String, Wanted>,
    pub(super) minted: BTreeMap<String, Arc<Minted>>,
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
    pub(super) fn mint(
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
    pub(super) minted: BTreeMap<String, Arc<Minted>>,
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
