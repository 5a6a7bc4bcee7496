//! Which paths from a Gateway to a backend were tested by a handshake, and which were not: what is not known
//! is counted and named.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Serialize;

use super::health::{Ground, Health};
use crate::command::Command;
use crate::model::{
    kind::Kind,
    object::ObjectRef,
    snapshot::Source,
    topology::{Backend, NodeIx, NodeKind, Topology},
};

/// A path: a backend of a route's rule, as nginx of one Gateway reaches it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct Path {
    /// The Gateway.
    pub gateway: ObjectRef,
    /// The route.
    pub route: ObjectRef,
    /// The rule, from 0.
    pub rule: usize,
    /// The Service.
    pub service: ObjectRef,
    /// Its port.
    pub port: u16,
}

/// The program's name in a command, until it is printed under the name by which it was called.
const PROGRAM: &str = "ngf-tui";

/// A path of which it is unknown whether it works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Untested {
    /// The path.
    #[serde(flatten)]
    pub path: Path,
    /// Why it was not tested, in a phrase.
    pub why: String,
    /// The arguments of the command that tests it: `check httproute/shop/cart`. There is no command for a
    /// name that cannot exist in Kubernetes.
    pub arguments: Option<String>,
}

/// How much of one path was tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Covered {
    /// The path.
    pub path: Path,
    /// Its ready endpoints.
    pub endpoints: usize,
    /// Those that were tested.
    pub tested_endpoints: usize,
    /// At least one handshake was made.
    pub is_tested: bool,
}

/// What is known of paths, in their order. Two diagnoses share what is the same of a Gateway's paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths<T> {
    of_gateways: BTreeMap<ObjectRef, Arc<Vec<T>>>,
    count: usize,
}

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self {
            of_gateways: BTreeMap::new(),
            count: 0,
        }
    }
}

impl<T> Paths<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.of_gateways.values().flat_map(|all| all.iter())
    }

    /// The first.
    pub fn first(&self) -> Option<&T> {
        self.iter().next()
    }

    /// Adds one behind the others. They come in the order of their Gateways.
    fn push(&mut self, gateway: &ObjectRef, one: T)
    where
        T: Clone,
    {
        let last = self.of_gateways.last_entry();
        match last.filter(|last| last.key() == gateway) {
            Some(mut last) => Arc::make_mut(last.get_mut()).push(one),
            None => {
                self.of_gateways
                    .insert(gateway.clone(), Arc::new(vec![one]));
            }
        }
        self.count += 1;
    }

    /// Puts what is known now of some Gateways in the place of what was known of them.
    fn replace(&mut self, part: Self, is_of_part: impl Fn(&ObjectRef) -> bool) {
        self.of_gateways.retain(|gateway, _| !is_of_part(gateway));
        self.of_gateways.extend(part.of_gateways);
        self.count = self.of_gateways.values().map(|all| all.len()).sum();
    }

    fn retain(&mut self, is_wanted: impl Fn(&T) -> bool)
    where
        T: Clone,
    {
        for all in self.of_gateways.values_mut() {
            if !all.iter().all(&is_wanted) {
                Arc::make_mut(all).retain(&is_wanted);
            }
        }
        self.of_gateways.retain(|_, all| !all.is_empty());
        self.count = self.of_gateways.values().map(|all| all.len()).sum();
    }
}

impl<'p, T> IntoIterator for &'p Paths<T> {
    type Item = &'p T;
    type IntoIter = Box<dyn Iterator<Item = &'p T> + 'p>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

/// How much was tested.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The paths that could be tested.
    pub paths: Paths<Covered>,
    /// The paths that were not tested, and that no finding proves to be broken.
    pub untested: Paths<Untested>,
}

impl Coverage {
    /// How many paths were tested.
    pub fn tested(&self) -> usize {
        self.paths
            .iter()
            .filter(|covered| covered.is_tested)
            .count()
    }

    /// How many ready endpoints the paths have.
    pub fn endpoints(&self) -> usize {
        self.paths.iter().map(|covered| covered.endpoints).sum()
    }

    /// How many endpoints were tested.
    pub fn tested_endpoints(&self) -> usize {
        self.paths
            .iter()
            .map(|covered| covered.tested_endpoints)
            .sum()
    }

    /// Puts what is known now of the paths of some Gateways in the place of what was known of them.
    pub(super) fn replace(&mut self, part: Self, is_of_part: impl Fn(&ObjectRef) -> bool) {
        self.paths.replace(part.paths, &is_of_part);
        self.untested.replace(part.untested, &is_of_part);
    }

    /// Forgets all paths but these.
    pub(super) fn retain(&mut self, keep: &BTreeSet<Path>) {
        self.paths.retain(|covered| keep.contains(&covered.path));
        self.untested
            .retain(|untested| keep.contains(&untested.path));
    }
}

/// What the tree holds of one path.
#[derive(Default)]
struct Found<'t> {
    endpoints: BTreeSet<(&'t str, u16)>,
    is_broken: bool,
}

/// Counts paths and what was tested of them. `own` is the health of each node by itself.
pub(super) fn of(
    ground: &Ground<'_>,
    own: &[Health],
    places: impl Iterator<Item = NodeIx>,
) -> Coverage {
    let topology = ground.topology;
    let mut paths: BTreeMap<Path, Found<'_>> = BTreeMap::new();
    for place in places {
        let node = topology.node(place);
        let NodeKind::Backend(backend) = &node.what else {
            continue;
        };
        let Some(path) = path_at(topology, place) else {
            continue;
        };
        if !ground.gateways.contains(&path.gateway) || !is_spoken(&path.route, backend) {
            continue;
        }
        let endpoints: Vec<(&str, u16)> = node
            .children
            .iter()
            .filter_map(|child| match &topology.node(*child).what {
                NodeKind::Endpoint(endpoint) if endpoint.ready => {
                    Some((endpoint.address.as_str(), endpoint.port))
                }
                _ => None,
            })
            .collect();
        // Without an endpoint there is nothing to test, unless it is unknown whether there is one.
        if endpoints.is_empty() && own[place.index()] != Health::Unknown {
            continue;
        }
        let found = paths.entry(path).or_default();
        found.endpoints.extend(endpoints);
        found.is_broken |= std::iter::once(place)
            .chain(topology.ancestors(place))
            .any(|above| own[above.index()] == Health::Broken);
    }
    count(ground, &paths)
}

fn count(ground: &Ground<'_>, paths: &BTreeMap<Path, Found<'_>>) -> Coverage {
    let mut tested: BTreeMap<Path, BTreeSet<(&str, u16)>> = BTreeMap::new();
    for probed in ground.probes.iter().filter(|probed| probed.result.is_ok()) {
        let plan = &probed.plan;
        let path = Path {
            gateway: plan.gateway.clone(),
            route: plan.route.clone(),
            rule: plan.rule,
            service: plan.service.clone(),
            port: plan.port,
        };
        let endpoint = (plan.endpoint.address.as_str(), plan.endpoint.port);
        tested.entry(path).or_default().insert(endpoint);
    }
    let mut tried: BTreeMap<Path, &str> = BTreeMap::new();
    for (key, why) in ground.evidence.untested() {
        let path = Path {
            gateway: key.gateway.clone(),
            route: key.route.clone(),
            rule: key.rule,
            service: key.service.clone(),
            port: key.port,
        };
        tried.entry(path).or_insert(why);
    }
    let mut coverage = Coverage::default();
    for (path, found) in paths {
        let known = tested.get(path);
        let covered = Covered {
            path: path.clone(),
            endpoints: found.endpoints.len(),
            tested_endpoints: known.map_or(0, |known| known.intersection(&found.endpoints).count()),
            is_tested: known.is_some(),
        };
        coverage.paths.push(&path.gateway, covered);
        if known.is_none() && !found.is_broken {
            let untested = untested(ground, path, &tried);
            coverage.untested.push(&path.gateway, untested);
        }
    }
    coverage
}

fn untested(ground: &Ground<'_>, path: &Path, tried: &BTreeMap<Path, &str>) -> Untested {
    let tried = tried.get(path).map(|why| (*why).to_owned());
    let check = Command::new(PROGRAM).words(["check"]).path(&path.route);
    let (why, command) = match (tried, &ground.snapshot.source) {
        (_, Source::Files { .. }) => ("files hold no endpoint to connect to".to_owned(), check),
        // What writes nothing did not get there.
        (Some(why), _) => {
            let probe = Command::new(PROGRAM).words(["probe"]).path(&path.route);
            (why, probe.words(["--via", "pod"]))
        }
        (None, _) => ("no handshake was made".to_owned(), check),
    };
    Untested {
        path: path.clone(),
        why,
        arguments: command.text().ok().and_then(|text| {
            let arguments = text.strip_prefix(PROGRAM)?;
            Some(arguments.trim_start().to_owned())
        }),
    }
}

/// Whether nginx itself speaks to the backend, in TLS or in HTTP (NGF-R11, NGF-R13).
fn is_spoken(route: &ObjectRef, backend: &Backend) -> bool {
    match route.kind {
        Kind::HTTPRoute | Kind::GRPCRoute => true,
        Kind::TLSRoute => backend.policy.is_some(),
        _ => false,
    }
}

/// The path that a backend in the tree stands for.
pub(super) fn path_at(topology: &Topology, place: NodeIx) -> Option<Path> {
    let NodeKind::Backend(backend) = &topology.node(place).what else {
        return None;
    };
    let (service, port) = backend.service.clone().zip(backend.port)?;
    let rule = topology.above(place, |node| match node.what {
        NodeKind::Rule { index } => Some(index),
        _ => None,
    })?;
    let object = |is: fn(&NodeKind) -> bool| {
        topology.above(place, |node| {
            is(&node.what).then(|| node.object.clone()).flatten()
        })
    };
    Some(Path {
        gateway: object(|what| matches!(what, NodeKind::Gateway))?,
        route: object(|what| matches!(what, NodeKind::Route { .. }))?,
        rule,
        service,
        port,
    })
}
