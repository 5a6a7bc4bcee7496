//! A scenario, ready to be diagnosed.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use ngf_core::{
    diagnosis::{Diagnosis, Evidence},
    model::{
        kind::KINDS,
        snapshot::{KindState, Snapshot},
    },
};
use serde_json::Value;

use super::{
    change::path_of,
    cluster::{as_cluster, as_silent},
    description::Description,
    evidence::{beyond_probes, seen},
    names::{description, moment},
    objects::{collect, filled, read},
    pairs::Base,
};
use crate::support::pki::{self, Minted};

/// A scenario, ready to be diagnosed.
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) description: Description,
    pub(crate) now: Timestamp,
    pub(crate) snapshot: Snapshot,
    pub(crate) evidence: Evidence,
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
