//! What was measured, beside what the objects say.

mod same;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use ngf_tls::{certificate::CertificateFacts, transcript::Transcript};

use super::{
    endpoint_matrix::EndpointMatrix,
    plan::{PlanKey, ProbePlan},
    probe_context::HowProbed,
};
use crate::{
    data_plane::data_plane,
    logs::PodLog,
    model::{
        kind::Kind,
        object::ObjectRef,
        snapshot::{KindState, Lookup, Snapshot},
    },
    nginx_config::InPod,
    overlay::DryRunAnswer,
    shared::SharedMap,
};

use same::MetAt;
pub(in crate::diagnosis) use same::Place;

/// What was measured: the last probe of each connection that nginx would open, from each data-plane pod,
/// what logs say, what the data plane's nginx is configured with, and what the API server said to manifests.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// By connection and the data-plane pod that the probe left from; empty for another place.
    probes: SharedMap<(PlanKey, String), Probed>,
    untested: SharedMap<PlanKey, String>,
    logs: SharedMap<(ObjectRef, String), Arc<PodLog>>,
    rendered: SharedMap<ObjectRef, Arc<InPod>>,
    said: SharedMap<ObjectRef, Arc<DryRunAnswer>>,
    meetings: SharedMap<Meeting, MetAt>,
    /// How the last probe of each connection went, and its context. No rule reads it.
    around: SharedMap<PlanKey, Arc<HowProbed>>,
    /// The last endpoint matrix of each Gateway. Its probes are in `probes`; no rule reads the matrix itself.
    matrices: SharedMap<ObjectRef, Arc<EndpointMatrix>>,
}

/// A handshake with a listener, as one of the Gateway's clients makes it: whose, and for which host name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Meeting {
    /// The Gateway.
    pub gateway: ObjectRef,
    /// The Gateway or ListenerSet that has the listener.
    pub owner: ObjectRef,
    /// The listener's name.
    pub listener: String,
    /// The name that the client asks for, by SNI, and expects in the certificate.
    pub server_name: String,
}

/// What a listener did in a handshake.
#[derive(Debug, Clone, Default)]
pub struct Met {
    /// How the bytes went.
    pub via: String,
    /// What it presented, leaf first.
    pub chain: Vec<CertificateFacts>,
    /// Whether a strict client accepts that; `None` where all depends on a CA that is not known here.
    pub accepted: Option<bool>,
    /// The same in a sentence.
    pub verdict: String,
    /// Why the handshake was not completed, in words; `None` where it was.
    pub failed: Option<String>,
}

/// A probe that ran.
#[derive(Debug, Clone)]
pub struct Probed {
    /// What was tried.
    pub plan: Arc<ProbePlan>,
    /// When it began.
    pub at: Timestamp,
    /// What came of it: a transcript, or why the probe itself could not be run (a denied Secret, a
    /// transport that failed), in a sentence.
    pub result: Result<Arc<Transcript>, String>,
}

impl Probed {
    /// The data-plane pod from whose network the probe left, by how its transcript names the way; `None` for
    /// ways from elsewhere, which prove nothing about what the network lets through.
    pub fn data_plane_pod(&self) -> Option<ObjectRef> {
        let via = &self.result.as_ref().ok()?.via;
        let ephemeral = || via.strip_prefix("ephemeral ")?.split_once(" in ");
        let name = via
            .strip_prefix("exec in ")
            .or_else(|| ephemeral().map(|(_, pod)| pod))?;
        let namespace = &self.plan.gateway.namespace;
        Some(ObjectRef::new(Kind::Pod, namespace, name))
    }
}

impl Evidence {
    /// Nothing was measured.
    pub fn none() -> Self {
        Self::default()
    }

    /// Keeps the result of a probe that left from no data-plane pod; the newest of each connection counts.
    pub fn record(&mut self, probed: Probed) {
        self.record_from(None, probed);
    }

    /// Keeps the result of a probe that left from this data-plane pod. It takes the place of what was seen
    /// from the same pod, and of what was seen from elsewhere than a data plane; what other data-plane
    /// pods saw stays.
    pub fn record_from(&mut self, pod: Option<&str>, probed: Probed) {
        let key = (probed.plan.key(), pod.unwrap_or_default().to_owned());
        if self
            .probes
            .get(&key)
            .is_some_and(|known| known.at > probed.at)
        {
            return;
        }
        if pod.is_some() {
            let elsewhere = (key.0.clone(), String::new());
            if self
                .probes
                .get(&elsewhere)
                .is_some_and(|known| known.at <= probed.at)
            {
                self.probes.remove(&elsewhere);
            }
        }
        self.untested.remove(&key.0);
        self.probes.insert(key, probed);
    }

    /// Keeps why a connection could not be tested.
    pub fn record_untested(&mut self, key: PlanKey, why: String) {
        self.untested.insert(key, why);
    }

    /// Why connections could not be tested.
    pub fn untested(&self) -> impl Iterator<Item = (&PlanKey, &str)> {
        self.untested.iter().map(|(key, why)| (key, why.as_str()))
    }

    /// All probes, in the order of their names.
    pub fn probes(&self) -> impl Iterator<Item = &Probed> {
        self.probes.values()
    }

    /// All probes, each with the data-plane pod that it left from.
    pub fn probes_from(&self) -> impl Iterator<Item = (Option<&str>, &Probed)> {
        self.probes
            .iter()
            .map(|((_, pod), probed)| (Some(pod.as_str()).filter(|pod| !pod.is_empty()), probed))
    }

    /// The last probe of that connection, from wherever.
    pub fn probe(&self, key: &PlanKey) -> Option<&Probed> {
        self.probes
            .range((key.clone(), String::new())..)
            .take_while(|((known, _), _)| known == key)
            .map(|(_, probed)| probed)
            .max_by_key(|probed| probed.at)
    }

    /// The last probe by a plan that would still do the same; one that was made under another
    /// policy, host or path proves nothing about now.
    pub fn current(&self, plan: &ProbePlan) -> Option<&Probed> {
        self.probe(&plan.key())
            .filter(|probed| probed.plan.same_connection(plan))
    }

    /// Replaces the transcript of a probe that began at this time by one that says more.
    pub fn complete(&mut self, key: &PlanKey, at: Timestamp, transcript: Arc<Transcript>) -> bool {
        let mut all = self
            .probes
            .range_mut((key.clone(), String::new())..)
            .take_while(|((known, _), _)| known == key);
        match all.find(|(_, probed)| probed.at == at) {
            Some((_, probed)) => {
                probed.result = Ok(transcript);
                true
            }
            None => false,
        }
    }

    /// Forgets what was seen from data-plane pods that are gone.
    pub fn forget_probes_of_others(&mut self, pods: &BTreeSet<&str>) {
        self.probes
            .retain(|(_, pod), _| pod.is_empty() || pods.contains(pod.as_str()));
    }

    /// Forgets what was seen of pods that are gone.
    pub fn forget_gone(&mut self, snapshot: &Snapshot) {
        if matches!(snapshot.kinds.get(&Kind::Pod), Some(KindState::Loading)) {
            return;
        }
        self.forget_logs_of_others(|pod| snapshot.pods.contains_key(pod));
        let probed_from: BTreeSet<&str> = self.probes.keys().map(|(_, pod)| pod.as_str()).collect();
        let names = snapshot.pods.keys().map(|pod| pod.name.as_str());
        let names = names.filter(|name| probed_from.contains(name)).collect();
        self.forget_probes_of_others(&names);
    }

    /// Adds what was measured later.
    pub fn add(&mut self, later: Self) {
        for (key, why) in later.untested {
            self.untested.insert(key, why);
        }
        for ((_, pod), probed) in later.probes {
            self.record_from(Some(pod.as_str()).filter(|pod| !pod.is_empty()), probed);
        }
        self.meetings.extend(later.meetings);
        self.around.extend(later.around);
        self.matrices.extend(later.matrices);
        self.logs.extend(later.logs);
        self.rendered.extend(later.rendered);
        self.said.extend(later.said);
    }

    /// Keeps what a container's log says, instead of what was known of it.
    pub fn record_log(&mut self, log: PodLog) {
        let key = (log.pod.clone(), log.container.clone());
        self.logs.insert(key, Arc::new(log));
    }

    /// What logs say, by pod and container.
    pub fn logs(&self) -> impl Iterator<Item = &PodLog> {
        self.logs.values().map(|log| &**log)
    }

    /// Forgets the logs of pods that are gone: nothing can tell any more that what they say is over.
    pub fn forget_logs_of_others(&mut self, is_there: impl Fn(&ObjectRef) -> bool) {
        self.logs.retain(|(pod, _), _| is_there(pod));
    }

    /// Keeps what a data-plane pod's nginx is configured with.
    pub fn record_nginx_config(&mut self, in_pod: InPod) {
        self.rendered.insert(in_pod.pod.clone(), Arc::new(in_pod));
    }

    /// Forgets what the data plane's nginx is configured with.
    pub fn forget_configurations(&mut self) {
        self.rendered.clear();
    }

    /// What the nginx of each data-plane pod is configured with, by pod.
    pub fn rendered(&self) -> impl Iterator<Item = &InPod> {
        self.rendered.values().map(|in_pod| &**in_pod)
    }

    /// Keeps what came of a handshake with a listener, or why there was none.
    pub fn record_meeting(&mut self, meeting: Meeting, at: Timestamp, result: Result<Met, String>) {
        self.meetings.insert(meeting, (at, result.map(Arc::new)));
    }

    /// The last handshake with each listener, when it began, and what came of it.
    pub fn meetings(&self) -> impl Iterator<Item = (&Meeting, Timestamp, Result<&Met, &str>)> {
        self.meetings.iter().map(|(meeting, (at, result))| {
            let result = result.as_ref();
            (meeting, *at, result.map(|met| &**met).map_err(|why| &**why))
        })
    }

    /// Forgets handshakes with listeners whose Gateway, Secrets or data-plane pods are others than before: what they
    /// saw may be over.
    pub fn forget_listeners(&mut self, before: &Snapshot, now: &Snapshot) {
        if self.meetings.is_empty() {
            return;
        }
        let pods = |snapshot: &Snapshot, gateway: &ObjectRef| {
            let found = data_plane(snapshot, gateway).ok()?;
            let pods = found.usable().ok()?.into_iter();
            Some(pods.map(|pod| pod.uid.clone()).collect::<BTreeSet<_>>())
        };
        let mut of_gateway: BTreeMap<ObjectRef, bool> = BTreeMap::new();
        for meeting in self.meetings.keys() {
            if !of_gateway.contains_key(&meeting.gateway) {
                let is_same = pods(before, &meeting.gateway) == pods(now, &meeting.gateway);
                of_gateway.insert(meeting.gateway.clone(), is_same);
            }
        }
        self.meetings.retain(|meeting, _| {
            of_gateway.get(&meeting.gateway).copied().unwrap_or(false)
                && certificates_of(before, meeting) == certificates_of(now, meeting)
        });
    }

    /// Keeps how a probe went, and its context.
    pub fn record_around(&mut self, key: PlanKey, around: HowProbed) {
        self.around.insert(key, Arc::new(around));
    }

    /// How probes went, and their contexts, by connection.
    pub fn all_around(&self) -> impl Iterator<Item = (&PlanKey, &HowProbed)> {
        self.around.iter().map(|(key, around)| (key, &**around))
    }

    /// How a probe went, and its context.
    pub fn around(&self, probed: &Probed) -> Option<&HowProbed> {
        let around = self.around.get(&probed.plan.key())?;
        (around.at == probed.at).then_some(&**around)
    }

    /// Keeps the endpoint matrix of a Gateway.
    pub fn record_matrix(&mut self, gateway: ObjectRef, matrix: EndpointMatrix) {
        self.matrices.insert(gateway, Arc::new(matrix));
    }

    /// The last endpoint matrix of each Gateway.
    pub fn matrices(&self) -> impl Iterator<Item = (&ObjectRef, &EndpointMatrix)> {
        self.matrices
            .iter()
            .map(|(gateway, matrix)| (gateway, &**matrix))
    }

    /// Keeps what the API server said to a manifest.
    pub fn record_said(&mut self, said: DryRunAnswer) {
        self.said.insert(said.object.clone(), Arc::new(said));
    }

    /// What the API server said to manifests, by object.
    pub fn said(&self) -> impl Iterator<Item = &DryRunAnswer> {
        self.said.values().map(|said| &**said)
    }

    /// What the API server said to the manifest of an object.
    pub fn said_of(&self, object: &ObjectRef) -> Option<&DryRunAnswer> {
        self.said.get(object).map(|said| &**said)
    }

    /// The data-plane pods that it is from, each with its Gateways.
    pub(super) fn data_plane_pods(&self) -> BTreeMap<ObjectRef, BTreeSet<ObjectRef>> {
        let mut all: BTreeMap<ObjectRef, BTreeSet<ObjectRef>> = BTreeMap::new();
        for log in self.logs.values() {
            if let Some(gateway) = &log.gateway {
                let gateways = all.entry(log.pod.clone()).or_default();
                gateways.insert(gateway.clone());
            }
        }
        for in_pod in self.rendered.values() {
            let gateways = all.entry(in_pod.pod.clone()).or_default();
            gateways.insert(in_pod.gateway.clone());
        }
        let mut last = None;
        for ((key, pod), probed) in &self.probes {
            // Most probes of one Gateway are from one pod.
            if last == Some((&key.gateway, pod)) {
                continue;
            }
            last = Some((&key.gateway, pod));
            let by_name = ObjectRef::new(Kind::Pod, &key.gateway.namespace, pod);
            for pod in std::iter::once(by_name).chain(probed.data_plane_pod()) {
                all.entry(pod).or_default().insert(key.gateway.clone());
            }
        }
        all
    }

    /// Forgets everything about connections that `keep` does not name.
    pub fn retain(&mut self, keep: impl Fn(&PlanKey) -> bool) {
        self.probes.retain(|(key, _), _| keep(key));
        self.untested.retain(|key, _| keep(key));
        self.around.retain(|key, _| keep(key));
    }
}

/// The certificates that a listener is to present, by the objects: the Secrets and what each holds.
fn certificates_of(snapshot: &Snapshot, meeting: &Meeting) -> Option<Vec<(String, String)>> {
    let owner = &meeting.owner;
    let of_gateway = snapshot.gateways.get(owner);
    let listeners = of_gateway
        .map(|gateway| &gateway.spec.listeners)
        .or_else(|| Some(&snapshot.listener_sets.get(owner)?.spec.listeners))?;
    let listener = listeners.iter().find(|one| one.name == meeting.listener)?;
    let references = listener.certificate_refs.iter().map(|reference| {
        let namespace = reference.namespace.as_ref().unwrap_or(&owner.namespace);
        let secret = ObjectRef::new(Kind::Secret, namespace, &reference.name);
        let leaf = match snapshot.secrets.get(&secret) {
            Some(Lookup::Found(found)) => found.spec.certificate.certificates().first(),
            _ => None,
        };
        let leaf = leaf.map_or_else(String::new, |leaf| leaf.fingerprint_sha256.clone());
        (secret.to_string(), leaf)
    });
    Some(references.collect())
}
