//! What happens in the pods of the embedded cluster besides its servers: commands that somebody
//! starts there (`kubectl exec`), containers whose whole work is a command (`busybox sleep 300`), the
//! files that they see, and the network between pods.
//!
//! Nothing of it is a process of this machine: commands are functions of [`commands`], files are
//! made of objects of the cluster, and a connection leads to a pod of the cluster or nowhere.

mod commands;
mod data_plane_log;
mod dns;
mod exec;
mod files;
mod image;
mod io;
mod main_process;
mod network;
mod relay;

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub(crate) use self::exec::{Ends, Exit, pipes};
pub(crate) use self::image::{Entry, Image};
pub(crate) use self::main_process::{Ended, Main, words};

use super::addresses::Network;
use super::data_plane::{Configuration, Served as ServedByGateway};
use super::kinds;
use super::logs::Logs;
use super::metadata::meta;
use super::pki;
use super::scenarios::Quirk;
use super::store::{Object, Store};

/// Everything that runs, and what it runs by.
pub(crate) struct Pods {
    pub(crate) store: Arc<Store>,
    pub(crate) logs: Arc<Logs>,
    pub(crate) network: Network,
    pub(crate) quirks: Vec<Quirk>,
    pub(crate) stop: CancellationToken,
    live: Mutex<HashMap<String, Arc<Live>>>,
    /// What NGF's agent wrote last, by namespace and name of the data plane's Deployment.
    configurations: Mutex<HashMap<(String, String), Arc<Configuration>>>,
    /// What nginx in them did not take last, by the same.
    refused: Mutex<HashMap<(String, String), String>>,
    /// Wakes the controllers: a container has ended.
    changed: watch::Sender<u64>,
    /// The CA that a stale data plane still trusts.
    former_ca: OnceLock<Vec<u8>>,
}

impl std::fmt::Debug for Pods {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pods").finish_non_exhaustive()
    }
}

/// A pod that was started.
pub(crate) struct Live {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Its address; `None` where none was left.
    pub(crate) address: Option<Ipv4Addr>,
    /// Ends everything in it.
    pub(crate) stop: CancellationToken,
    /// What it serves on this machine's loopback.
    pub(crate) serves: Vec<Served>,
    /// Its agent is behind: see [`Pods::is_stale`].
    pub(crate) stale: bool,
    /// Since when it has lived as long as it may.
    expired: OnceLock<Timestamp>,
    /// Ports that commands listen at.
    listeners: Mutex<BTreeMap<u16, mpsc::Sender<DuplexStream>>>,
    /// Containers whose work is a command.
    mains: Mutex<BTreeMap<String, Arc<Main>>>,
}

/// A port of a container, and where it is really listened on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Served {
    /// `containerPort`.
    pub(crate) port: u16,
    /// The listener.
    pub(crate) at: SocketAddr,
}

impl Live {
    /// It has lived as long as it may.
    pub(crate) fn expire(&self) {
        self.expired.get_or_init(Timestamp::now);
    }

    /// Since when it has lived as long as it may; `None` where it may live on.
    pub(crate) fn expired(&self) -> Option<Timestamp> {
        self.expired.get().copied()
    }

    fn listeners(&self) -> MutexGuard<'_, BTreeMap<u16, mpsc::Sender<DuplexStream>>> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The containers whose work is a command, by name.
    pub(crate) fn mains(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Main>>> {
        self.mains.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A container in which something is started.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) pods: Arc<Pods>,
    pub(crate) live: Arc<Live>,
    /// The pod as it is stored.
    pub(crate) pod: Object,
    /// Its entry in the pod's spec.
    pub(crate) container: Value,
    pub(crate) image: Image,
}

impl Pods {
    pub(crate) fn new(
        store: Arc<Store>,
        logs: Arc<Logs>,
        network: Network,
        quirks: Vec<Quirk>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            store,
            logs,
            network,
            quirks,
            stop,
            live: Mutex::default(),
            configurations: Mutex::default(),
            refused: Mutex::default(),
            changed: watch::channel(0).0,
            former_ca: OnceLock::new(),
        }
    }

    fn live(&self) -> MutexGuard<'_, HashMap<String, Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this cluster has a quirk.
    pub(crate) fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }

    /// Wakes when a container has ended.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(crate) fn wake(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// A pod was started.
    pub(crate) fn started(
        &self,
        pod: &Value,
        address: Option<u8>,
        stop: CancellationToken,
        serves: Vec<Served>,
    ) {
        let stale = self.is_stale(pod);
        let live = Live {
            namespace: meta(pod, "namespace").to_owned(),
            name: meta(pod, "name").to_owned(),
            address: address.map(|number| self.network.address(number)),
            stop,
            serves,
            stale,
            expired: OnceLock::new(),
            listeners: Mutex::default(),
            mains: Mutex::default(),
        };
        self.live()
            .insert(meta(pod, "uid").to_owned(), Arc::new(live));
        self.log_start(pod);
    }

    /// A pod is gone.
    pub(crate) fn ended(&self, uid: &str) {
        if let Some(live) = self.live().remove(uid) {
            live.stop.cancel();
        }
    }

    /// A pod that was started, by its UID.
    pub(crate) fn of(&self, pod: &Value) -> Option<Arc<Live>> {
        self.live().get(meta(pod, "uid")).cloned()
    }

    /// With [`Quirk::StaleDataPlane`] the agent of one data-plane pod does not write any more: the
    /// first one that was started.
    fn is_stale(&self, pod: &Value) -> bool {
        self.has(Quirk::StaleDataPlane)
            && files::data_plane_of(pod).is_some()
            && !self.live().values().any(|live| live.stale)
    }

    /// A CA of the same name as the guide's, and another key.
    pub(crate) fn former_ca(&self) -> &[u8] {
        self.former_ca.get_or_init(|| {
            let minted = pki::other_ca(Timestamp::now());
            minted
                .and_then(|ca| ca.certificate_pem())
                .unwrap_or_default()
        })
    }

    /// NGF's agent writes a configuration into every pod of a data plane.
    pub(crate) fn configure(&self, namespace: &str, name: &str, configuration: Configuration) {
        let key = (namespace.to_owned(), name.to_owned());
        self.refused().remove(&key);
        let mut all = self
            .configurations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if all.get(&key).is_none_or(|known| **known != configuration) {
            all.insert(key, Arc::new(configuration));
            drop(all);
            self.log_reload(namespace, name);
        }
    }

    fn refused(&self) -> MutexGuard<'_, HashMap<(String, String), String>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What nginx in this pod runs with, where it is a data plane's.
    pub(crate) fn configuration(&self, pod: &Value) -> Option<Arc<Configuration>> {
        let name = files::data_plane_of(pod)?;
        let key = (meta(pod, "namespace").to_owned(), name.to_owned());
        let all = self
            .configurations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.get(&key).cloned()
    }

    /// What the data plane in this pod answers at this port.
    fn gateway_at(&self, pod: &Value, port: u16) -> Option<ServedByGateway> {
        ServedByGateway::find(&self.configuration(pod)?, port)
    }

    /// The container of this name in a pod, where it runs; an error is the kubelet's sentence.
    pub(crate) fn place(self: &Arc<Self>, pod: &Object, name: &str) -> Result<Place, String> {
        let not_found = || format!("container not found (\"{name}\")");
        let container = ["containers", "ephemeralContainers", "initContainers"]
            .iter()
            .filter_map(|list| pod["spec"][*list].as_array())
            .flatten()
            .find(|container| container["name"] == name)
            .ok_or_else(not_found)?;
        let running = ["containerStatuses", "ephemeralContainerStatuses"]
            .iter()
            .filter_map(|list| pod["status"][*list].as_array())
            .flatten()
            .any(|status| status["name"] == name && status["state"]["running"].is_object());
        let live = self.of(pod).filter(|_| running).ok_or_else(not_found)?;
        Ok(Place {
            pods: self.clone(),
            live,
            pod: pod.clone(),
            container: container.clone(),
            image: Image::of(container["image"].as_str().unwrap_or_default()),
        })
    }

    /// The pod of this name, where it was started.
    fn pod_of(&self, live: &Live) -> Option<Object> {
        self.store.get(kinds::POD, &live.namespace, &live.name)
    }
}

impl Place {
    /// The container's name.
    pub(crate) fn name(&self) -> &str {
        self.container["name"].as_str().unwrap_or_default()
    }

    /// Ends what is started here: the container's own end, or the pod's.
    pub(crate) fn stop(&self) -> CancellationToken {
        match self.live.mains().get(self.name()) {
            Some(main) => main.stop.clone(),
            None => self.live.stop.clone(),
        }
    }
}
