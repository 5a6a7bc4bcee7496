//! The controllers of the embedded cluster: what cert-manager, the built-in controllers, a kubelet and
//! NGF's control plane would do, as far as the guide and the scenarios need it.
//!
//! Each controller is a function that looks at the whole store and writes what should be different.
//! [`Controllers::settle`] runs them until none of them writes anything.

mod balancer;
mod cert_manager;
mod endpoints;
mod kubelet;
mod ngf;
mod workloads;
mod write;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::addresses::Network;
use super::logs::Logs;
use super::pods::Pods;
use super::scenarios::Scenario;
use super::store::Store;

/// Rounds after which [`Controllers::settle`] gives up on controllers that undo each other's work.
const MAX_ROUNDS: usize = 24;
/// How long changes are gathered before the controllers look at them.
const GATHER: Duration = Duration::from_millis(15);

/// The controllers, and what they act on.
#[derive(Debug)]
pub(crate) struct Controllers {
    pub(crate) store: Arc<Store>,
    pub(crate) logs: Arc<Logs>,
    pub(crate) scenario: &'static Scenario,
    pub(crate) network: Network,
    /// What runs in pods, and their network.
    pub(crate) pods: Arc<Pods>,
    pub(crate) stop: CancellationToken,
    /// NGF's control plane does nothing while this is set.
    pub(crate) is_ngf_away: AtomicBool,
    /// Where servers of pods are run.
    pub(crate) runtime: Handle,
    /// One settling at a time; also keeps the pods that run, by UID.
    pub(crate) running: Mutex<HashMap<String, kubelet::Running>>,
    /// Addresses of Services, and their listeners.
    pub(crate) balancers: Mutex<balancer::Balancers>,
}

impl Controllers {
    /// Runs the controllers until nothing changes any more.
    pub(crate) fn settle(&self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut balancers = self
            .balancers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for _ in 0..MAX_ROUNDS {
            let before = self.store.revision();
            cert_manager::run(self);
            if !self.is_ngf_away.load(Ordering::SeqCst) {
                ngf::run(self);
            }
            workloads::run(self);
            kubelet::run(self, &mut running);
            endpoints::run(self);
            balancer::run(self, &mut balancers);
            if self.store.revision() == before {
                return;
            }
        }
    }

    /// Settles whenever something has changed, until the cluster stops.
    pub(crate) async fn keep_settling(self: Arc<Self>) {
        let mut changed = self.store.subscribe();
        let mut ended = self.pods.subscribe();
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                woken = changed.changed() => if woken.is_err() { return },
                woken = ended.changed() => if woken.is_err() { return },
            }
            tokio::time::sleep(GATHER).await;
            changed.borrow_and_update();
            ended.borrow_and_update();
            let controllers = self.clone();
            // Minting keys takes long enough to hold up the API.
            let settled = tokio::task::spawn_blocking(move || controllers.settle()).await;
            // A panic is a bug of one round, about one change; later changes are looked at all the same.
            if settled.is_err_and(|error| error.is_cancelled()) {
                return;
            }
        }
    }
}
