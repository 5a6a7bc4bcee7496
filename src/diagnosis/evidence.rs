//! What was measured, beside what the objects say.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use ngf_probes::transcript::Transcript;

use super::plan::{PlanKey, ProbePlan};
use crate::{logs::PodLog, model::object::ObjectRef, over::Said, rendered::InPod};

/// What was measured: the last probe of each connection that nginx would open, what logs say, what
/// the data plane's nginx is configured with, and what the API server said to manifests.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    probes: BTreeMap<PlanKey, Probed>,
    logs: BTreeMap<(ObjectRef, String), Arc<PodLog>>,
    rendered: BTreeMap<ObjectRef, Arc<InPod>>,
    said: BTreeMap<ObjectRef, Arc<Said>>,
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

impl Evidence {
    /// Nothing was measured.
    pub fn none() -> Self {
        Self::default()
    }

    /// Keeps the result of a probe; the newest of each connection counts.
    pub fn record(&mut self, probed: Probed) {
        let key = probed.plan.key();
        if self
            .probes
            .get(&key)
            .is_none_or(|known| known.at <= probed.at)
        {
            self.probes.insert(key, probed);
        }
    }

    /// All probes, in the order of their names.
    pub fn probes(&self) -> impl Iterator<Item = &Probed> {
        self.probes.values()
    }

    /// The last probe of that connection.
    pub fn probe(&self, key: &PlanKey) -> Option<&Probed> {
        self.probes.get(key)
    }

    /// The last probe by a plan that would still do the same; one that was made under another
    /// policy, host or path proves nothing about now.
    pub fn current(&self, plan: &ProbePlan) -> Option<&Probed> {
        self.probes
            .get(&plan.key())
            .filter(|probed| probed.plan.same_connection(plan))
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
    pub fn record_rendered(&mut self, in_pod: InPod) {
        self.rendered.insert(in_pod.pod.clone(), Arc::new(in_pod));
    }

    /// What the nginx of each data-plane pod is configured with, by pod.
    pub fn rendered(&self) -> impl Iterator<Item = &InPod> {
        self.rendered.values().map(|in_pod| &**in_pod)
    }

    /// Keeps what the API server said to a manifest.
    pub fn record_said(&mut self, said: Said) {
        self.said.insert(said.object.clone(), Arc::new(said));
    }

    /// What the API server said to manifests, by object.
    pub fn said(&self) -> impl Iterator<Item = &Said> {
        self.said.values().map(|said| &**said)
    }

    /// What the API server said to the manifest of an object.
    pub fn said_of(&self, object: &ObjectRef) -> Option<&Said> {
        self.said.get(object).map(|said| &**said)
    }

    /// Forgets everything about connections that `keep` does not name.
    pub fn retain(&mut self, keep: impl Fn(&PlanKey) -> bool) {
        self.probes.retain(|key, _| keep(key));
    }
}
