//! What the context knows before any rule asks: indexes, each built once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ngf_tls::transcript::Outcome;

use super::super::{
    evidence::Probed,
    ngf::{PolicyDecision, Written, decide_rule},
    plan::{PlannedEndpoint, ProbeTarget, TrustSource, plan_all},
};
use crate::model::{
    kind::Kind,
    kinds::{BackendTLSPolicy, Gateway, Route},
    object::{Object, ObjectRef},
    snapshot::Snapshot,
    topology::NodeKind,
};

use super::{Context, RuleInUse};

/// The first Certificate, by its name, that writes each Secret.
pub(super) fn writers(snapshot: &Snapshot) -> HashMap<ObjectRef, &ObjectRef> {
    let mut found = HashMap::new();
    for (name, certificate) in &snapshot.certificates {
        let secret = &certificate.spec.secret_name;
        found
            .entry(ObjectRef::new(Kind::Secret, &name.namespace, secret))
            .or_insert(name);
    }
    found
}

impl<'a> Context<'a> {
    pub(super) fn rules_in_use(&self) -> Vec<RuleInUse<'a>> {
        let routes: Vec<&'a Object<Route>> = self
            .snapshot
            .routes
            .values()
            .map(|route| &**route)
            .collect();
        let rules = |route: &&'a Object<Route>| self.rules_of_route(route);
        let rules = self.snapshot.in_threads(&routes, rules);
        rules.into_iter().flatten().collect()
    }

    /// The rules of a route that one of NGF's Gateways takes.
    fn rules_of_route(&self, route: &'a Object<Route>) -> Vec<RuleInUse<'a>> {
        let gateways = self.gateways_of_route(&route.reference);
        if gateways.is_empty() {
            return Vec::new();
        }
        let (snapshot, release) = (self.snapshot, self.running.release);
        let rules = route.spec.rules.iter().enumerate();
        let rules = rules.map(|(index, rule)| RuleInUse {
            route,
            index,
            rule,
            decision: decide_rule(snapshot, self.index, release, route, index, rule),
            gateways: gateways.clone(),
        });
        rules.collect()
    }

    pub(super) fn written(&self) -> HashMap<&'a ObjectRef, Written> {
        let of = |(name, (gateway, _)): (&&'a ObjectRef, &(&'a Object<Gateway>, _))| {
            let decisions = self.rules_of(name).map(|rule| &rule.decision);
            (*name, Written::of(self.snapshot, gateway, decisions))
        };
        self.gateways.iter().map(of).collect()
    }

    /// The Gateways that take a route.
    pub fn gateways_of_route(&self, route: &ObjectRef) -> BTreeSet<&'a ObjectRef> {
        self.topology
            .places(route)
            .iter()
            .filter(|place| matches!(self.topology.node(**place).what, NodeKind::Route { .. }))
            .filter_map(|place| {
                self.topology.above(*place, |node| match node.what {
                    NodeKind::Gateway => node.object.as_ref(),
                    _ => None,
                })
            })
            .filter_map(|gateway| self.gateways.get_key_value(gateway).map(|(name, _)| *name))
            .collect()
    }

    pub(super) fn users(&self) -> BTreeMap<&'a ObjectRef, Vec<(usize, usize)>> {
        let mut users: BTreeMap<&'a ObjectRef, Vec<(usize, usize)>> = BTreeMap::new();
        for (rule_place, rule) in self.rules.iter().enumerate() {
            for (place, backend) in rule.decision.backends.iter().enumerate() {
                if let Some(policy) = backend.state.policy() {
                    let places = users.entry(&policy.reference).or_default();
                    places.push((rule_place, place));
                }
            }
        }
        users
    }

    pub(super) fn index_services(&mut self) {
        for (place, rule) in self.rules.iter().enumerate() {
            for backend in &rule.decision.backends {
                self.losers
                    .extend(backend.losers.iter().map(|policy| &policy.reference));
                let Some(service) = &backend.service else {
                    continue;
                };
                let users = self.service_users.entry(service.clone()).or_default();
                if users.last() != Some(&place) {
                    users.push(place);
                }
                let named = self
                    .services_by_name
                    .entry(service.name.clone())
                    .or_default();
                named.insert(service.clone());
            }
        }
    }

    pub(super) fn trusting(&self) -> HashMap<ObjectRef, Vec<&'a Object<BackendTLSPolicy>>> {
        let mut found: HashMap<ObjectRef, Vec<&'a Object<BackendTLSPolicy>>> = HashMap::new();
        for (policy, decision) in self.policies.values() {
            let trust = match decision {
                PolicyDecision::Valid(trust) => Some(trust),
                PolicyDecision::Unknown { trust, .. } => trust.as_ref(),
                PolicyDecision::Invalid(_) => None,
            };
            if let Some(TrustSource::Object { object, .. }) = trust
                && self.is_in_use(&policy.reference)
            {
                found.entry(object.clone()).or_default().push(policy);
            }
        }
        found
    }

    #[allow(clippy::type_complexity)] // the two fields that it fills
    pub(super) fn current_probes(&self) -> (Vec<&'a Probed>, Vec<(ObjectRef, &'a Probed)>) {
        let routes: BTreeSet<&ObjectRef> = self
            .evidence
            .probes()
            .map(|probed| &probed.plan.route)
            .collect();
        let mut plans = BTreeMap::new();
        for route in routes {
            let target = ProbeTarget::Route(route.clone());
            if let Ok(planning) = plan_all(self.snapshot, self.index, self.topology, &target) {
                plans.extend(planning.plans.into_iter().map(|plan| (plan.key(), plan)));
            }
        }
        let current = self.evidence.probes_from().filter(|(_, probed)| {
            plans
                .get(&probed.plan.key())
                .is_some_and(|plan| plan.same_connection(&probed.plan))
        });
        let mut by_place: BTreeMap<(&ObjectRef, Option<&str>), Vec<&'a Probed>> = BTreeMap::new();
        for (place, probed) in current {
            let at = (&probed.plan.gateway, place);
            by_place.entry(at).or_default().push(probed);
        }
        let outcome = |probed: &Probed| {
            let transcript = probed.result.as_ref().ok()?;
            Some(transcript.nginx.outcome)
        };
        let gets_through =
            |probed: &Probed| matches!(outcome(probed), Some(Outcome::Ok | Outcome::HttpError));
        let through: BTreeSet<(&ObjectRef, &PlannedEndpoint)> = by_place
            .values()
            .flatten()
            .filter(|probed| gets_through(probed))
            .map(|probed| (&probed.plan.gateway, &probed.plan.endpoint))
            .collect();
        let (mut fit, mut unfit) = (Vec::new(), Vec::new());
        for ((gateway, place), probes) in by_place {
            let fails = |probed: &&Probed| outcome(probed).is_some() && !gets_through(probed);
            let is_well_elsewhere =
                |probed: &&Probed| through.contains(&(&probed.plan.gateway, &probed.plan.endpoint));
            match place {
                Some(pod) if probes.iter().all(fails) && probes.iter().any(is_well_elsewhere) => {
                    let pod = ObjectRef::new(Kind::Pod, &gateway.namespace, pod);
                    unfit.extend(probes.into_iter().map(|probed| (pod.clone(), probed)));
                }
                _ => fit.extend(probes),
            }
        }
        fit.sort_by_cached_key(|probed| probed.plan.key());
        (fit, unfit)
    }
}
