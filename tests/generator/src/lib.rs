//! Large clusters from a seed: Gateways, routes, Services, policies, Secrets and endpoints, a share of them
//! broken in a known way. The same size and seed give the same objects on every machine.
//!
//! Teams have a namespace each with a few Gateways. A Service has a policy with a CA of its own Secret, and
//! routes lead to it. Statuses are what NGF 2.6 writes for objects of generation 1.

mod objects;

use serde_json::Value;

/// How large, and how broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// HTTPRoutes; everything else follows from it.
    pub routes: usize,
    /// Of a thousand Services, so many are broken.
    pub broken_per_mille: usize,
    /// Which cluster of this size.
    pub seed: u64,
}

impl Size {
    /// So many routes, 2 % broken.
    pub fn routes(routes: usize) -> Self {
        Self {
            routes,
            broken_per_mille: 20,
            seed: 1,
        }
    }

    /// Gateways: one for 50 routes.
    pub fn gateways(self) -> usize {
        self.routes.div_ceil(50)
    }

    /// Services, each with a policy, a Secret and an EndpointSlice: three for ten routes.
    pub fn services(self) -> usize {
        (self.routes * 3).div_ceil(10)
    }

    /// Namespaces: one for ten Gateways.
    pub fn namespaces(self) -> usize {
        self.gateways().div_ceil(10)
    }

    /// Endpoints of a Service.
    pub const ENDPOINTS: usize = 10;
}

/// A fault that a Service has, and the rule that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The policy names the Service's port by its number.
    PolicyMissesPort,
    /// The Secret of the CA does not exist.
    SecretMissing,
    /// Neither the Service nor what belongs to it exists.
    ServiceMissing,
    /// No endpoint is ready.
    NotReady,
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 4] = [
        Self::PolicyMissesPort,
        Self::SecretMissing,
        Self::ServiceMissing,
        Self::NotReady,
    ];

    /// The code of the rule that finds it.
    pub fn code(self) -> &'static str {
        match self {
            Self::PolicyMissesPort => "NGF-P1",
            Self::SecretMissing => "NGF-P6",
            Self::ServiceMissing => "NGF-R3",
            Self::NotReady => "NGF-R8",
        }
    }
}

/// A Service that is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broken {
    /// How.
    pub fault: Fault,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub service: String,
}

/// A cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Its objects, namespaces first.
    pub objects: Vec<Value>,
    /// What is broken, in the order of the Services.
    pub broken: Vec<Broken>,
}

impl Cluster {
    /// The cluster of this size and seed.
    pub fn of(size: Size) -> Self {
        objects::all(size)
    }

    /// The objects as YAML documents, each in one line of JSON.
    pub fn manifests(&self) -> String {
        let lines = self.objects.iter().map(|object| format!("---\n{object}\n"));
        lines.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_gives_the_same_cluster_and_another_seed_another_one() {
        let size = Size::routes(500);
        let one = Cluster::of(size);
        assert_eq!(one.objects, Cluster::of(size).objects);
        let other = Cluster::of(Size { seed: 2, ..size });
        assert_ne!(one.broken, other.broken);
    }

    #[test]
    fn there_is_as_much_as_the_size_says_and_each_name_once() {
        let size = Size {
            routes: 1_000,
            broken_per_mille: 40,
            seed: 7,
        };
        let cluster = Cluster::of(size);
        let of = |kind: &str| {
            let objects = cluster.objects.iter();
            objects.filter(|object| object["kind"] == kind).count()
        };
        assert_eq!(of("HTTPRoute"), 1_000);
        assert_eq!(of("Gateway"), 20);
        assert_eq!(cluster.broken.len(), 12, "{:?}", cluster.broken);
        let faults: BTreeSet<Fault> = cluster.broken.iter().map(|broken| broken.fault).collect();
        assert_eq!(faults, BTreeSet::from(Fault::ALL));
        let missing = |fault| {
            cluster
                .broken
                .iter()
                .filter(|one| one.fault == fault)
                .count()
        };
        let services = 300 - missing(Fault::ServiceMissing);
        assert_eq!(of("Service"), services);
        assert_eq!(of("EndpointSlice"), services);
        assert_eq!(of("BackendTLSPolicy"), services);
        assert_eq!(of("Secret"), services - missing(Fault::SecretMissing));
        let names: BTreeSet<String> = cluster
            .objects
            .iter()
            .map(|object| format!("{} {}", object["kind"], object["metadata"]))
            .collect();
        assert_eq!(names.len(), cluster.objects.len());
    }
}
