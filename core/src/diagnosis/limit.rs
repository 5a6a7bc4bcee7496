//! A diagnosis of one object: its part of the tree, and the findings that concern it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Diagnosis, coverage, health, health::Health};
use crate::model::{
    kind::Kind,
    object::ObjectRef,
    topology::{NodeIx, NodeKind, Topology},
};

/// The places of an object in the tree. A Service stands where a rule refers to it; `port` limits that to
/// one of its ports.
pub fn places(topology: &Topology, object: &ObjectRef, port: Option<u16>) -> Vec<NodeIx> {
    let is_whole = |place: &NodeIx| match (&topology.node(*place).what, object.kind) {
        (NodeKind::Backend(backend), Kind::Service) => port.is_none() || backend.port == port,
        (NodeKind::Gateway, Kind::Gateway)
        | (NodeKind::Route { .. }, _)
        | (NodeKind::Policy { .. }, Kind::BackendTLSPolicy) => true,
        _ => false,
    };
    let all = topology.places(object).into_iter();
    all.filter(is_whole).collect()
}

/// What stands above and below these objects in the tree.
pub(super) fn around(
    topology: &Topology,
    objects: &[(ObjectRef, Option<u16>)],
) -> BTreeSet<NodeIx> {
    let mut kept = BTreeSet::new();
    let all = objects.iter();
    for place in all.flat_map(|(object, port)| places(topology, object, *port)) {
        // The certificate that a policy is about is presented by the backend above it.
        let top = match topology.node(place).what {
            NodeKind::Policy { .. } => topology.node(place).parent.unwrap_or(place),
            _ => place,
        };
        kept.extend(topology.subtree(top));
        kept.extend(topology.ancestors(top));
    }
    kept
}

impl Diagnosis {
    /// Limits it to one object: what stands above and below it in the tree, and the findings there, with
    /// what causes them.
    #[must_use]
    pub fn limited_to(self, object: &ObjectRef, port: Option<u16>) -> Self {
        self.limited_to_all(&[(object.clone(), port)])
    }

    /// Limits it to these objects, each of a Service with the port that is meant: as [`Self::limited_to`].
    #[must_use]
    pub fn limited_to_all(mut self, objects: &[(ObjectRef, Option<u16>)]) -> Self {
        let topology = &self.topology;
        let kept = around(topology, objects);
        let mut wanted: BTreeSet<usize> = kept
            .iter()
            .flat_map(|place| self.findings_at(*place).iter().copied())
            .collect();
        for (index, finding) in self.findings.iter().enumerate() {
            let about = || {
                let is_wanted = |known: &ObjectRef| objects.iter().any(|(one, _)| one == known);
                finding.objects().any(is_wanted)
            };
            if finding.input.is_none() && about() {
                wanted.insert(index);
            }
        }
        for index in wanted.clone() {
            let above = |index: &usize| self.findings.get(*index)?.caused_by;
            wanted.extend(std::iter::successors(Some(index), above).take(self.findings.len()));
        }
        let paths = kept
            .iter()
            .filter_map(|place| coverage::path_at(topology, *place))
            .collect();
        self.coverage.retain(&paths);
        self.keep_findings(&wanted);
        let indices: BTreeSet<usize> = kept.iter().map(|place| place.index()).collect();
        for (index, own) in self.own.iter_mut().enumerate() {
            if !indices.contains(&index) {
                *own = Health::NotOurs;
            }
        }
        self.topology.keep(&kept);
        self.worst = health::worst(&self.topology, &self.own);
        self
    }

    pub(super) fn keep_findings(&mut self, wanted: &BTreeSet<usize>) {
        let new: BTreeMap<usize, usize> = wanted
            .iter()
            .enumerate()
            .map(|(new, old)| (*old, new))
            .collect();
        let all = std::mem::take(&mut self.findings);
        for (index, mut finding) in all.into_iter().enumerate() {
            if new.contains_key(&index) {
                finding.caused_by = finding.caused_by.and_then(|cause| new.get(&cause).copied());
                self.findings.push(finding);
            }
        }
        for at in self.at_node.values_mut() {
            *at = at.iter().filter_map(|old| new.get(old).copied()).collect();
        }
    }
}
