//! The embedded cluster behind `ngf-tui demo`: a Kubernetes API on loopback, the controllers that the
//! guide needs, and the guide's secure-app as a real mTLS server. Everything lives in this process, and
//! ends with it.
//!
//! ```no_run
//! # async fn run() -> Result<(), ngf_sandbox::SandboxError> {
//! use ngf_sandbox::{Sandbox, SandboxOptions, Scenario, Stage};
//!
//! let options = SandboxOptions::new(Scenario::find("wrong-ca")?, Stage::Policy);
//! let sandbox = Sandbox::start(options).await?;
//! println!("{}", sandbox.kubeconfig());
//! sandbox.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! It depends on no other crate of this workspace: whoever reads the cluster reads it as any other cluster.

mod admission;
mod api;
mod data_plane;
mod guide;
mod kinds;
mod logs;
mod metadata;
mod objects;
mod patch;
mod pki;
mod pods;
mod reconcile;
mod scenarios;
mod secure_app;
mod selectors;
mod store;

use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

pub use self::guide::{STEPS, Stage, Step};
pub use self::scenarios::{SCENARIOS, Scenario};

use self::api::listener::{Identity, Listener};
use self::api::{Api, Version};
use self::logs::Logs;
use self::pods::Pods;
use self::reconcile::{Network, World};
use self::store::Store;

/// How long open requests may take to end when the cluster stops.
const SHUTDOWN: Duration = Duration::from_secs(3);
/// Networks that are tried before ports are shared on 127.0.0.1.
const NETWORK_TRIES: usize = 16;

/// What to start.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SandboxOptions {
    /// What to play.
    pub scenario: &'static Scenario,
    /// Where in the guide to start.
    pub stage: Stage,
    /// The address of the API; the default is a free port of 127.0.0.1. Loopback only.
    pub address: SocketAddr,
    /// What the user of the kubeconfig may not do.
    pub denied: Vec<Denied>,
    /// What the user of the kubeconfig may do, if that is not everything.
    pub allowed: Option<Vec<Rule>>,
    /// Kubernetes 1.MINOR is what the cluster says it is, and does as it does: before 1.30 it speaks
    /// no `v5.channel.k8s.io`, and from 1.35 on exec and port-forward want the right to create.
    pub minor: u32,
    /// What makes it harder to work in its pods.
    pub quirks: Vec<Quirk>,
    /// Gives pods an address each (127.x.y.10, …) with the ports that they name, where the system
    /// allows it; without it they share 127.0.0.1 and take free ports.
    pub own_network: bool,
}

/// Something that the user may not do: requests get 403, access reviews say no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// `get`, `list`, `watch`, `create`, …; `*` for all.
    pub verb: String,
    /// `secrets`, `pods/log`, `backendtlspolicies.gateway.networking.k8s.io`.
    pub resource: String,
}

/// A rule of a Role or ClusterRole (`rbac.authorization.k8s.io/v1`, `PolicyRule`).
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    /// `""` for the core group, `*` for all.
    pub api_groups: Vec<String>,
    /// `pods`, `pods/exec`, `*`.
    pub resources: Vec<String>,
    /// `get`, `*`.
    pub verbs: Vec<String>,
    /// The namespace of the Role; none of a ClusterRole that is bound for all.
    #[serde(skip)]
    pub namespace: Option<String>,
}

impl Rule {
    /// The rules of all roles of a manifest; documents that are no roles have none.
    pub fn of_roles(manifest: &str) -> Vec<Self> {
        #[derive(Default, serde::Deserialize)]
        #[serde(default)]
        struct Role {
            rules: Vec<Rule>,
        }
        let roles = manifest.split("\n---\n");
        roles
            .filter_map(|role| serde_saphyr::from_str::<Role>(role).ok())
            .flat_map(|role| role.rules)
            .collect()
    }

    fn allows(&self, verb: &str, group: &str, resource: &str) -> bool {
        let holds =
            |list: &[String], wanted: &str| list.iter().any(|one| one == "*" || one == wanted);
        holds(&self.api_groups, group)
            && holds(&self.resources, resource)
            && holds(&self.verbs, verb)
    }
}

/// What makes it harder to work in the pods of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Quirk {
    /// The agent of one data-plane pod is stuck: nginx there trusts a CA that was replaced.
    StaleDataPlane,
    /// Whatever relays in a container writes 1 MB of warnings to standard error once it is connected.
    NoisyRelay,
    /// A quota is used up: no pod can be made by hand.
    RefusesPods,
}

impl SandboxOptions {
    /// The scenario at a stage, on a free port, everything allowed.
    pub fn new(scenario: &'static Scenario, stage: Stage) -> Self {
        Self {
            scenario,
            stage,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            denied: Vec::new(),
            allowed: None,
            minor: 33,
            quirks: Vec::new(),
            own_network: true,
        }
    }
}

/// Why the embedded cluster cannot be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The API has to be on loopback.
    #[error(
        "the embedded cluster listens on loopback only, not on {0}: choose an address of 127.0.0.0/8 or [::1]"
    )]
    NotLoopback(SocketAddr),
    /// The API's address cannot be listened on.
    #[error(
        "cannot listen on {address} for the embedded cluster's API: choose another port or none"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// No randomness, or no memory.
    #[error("cannot make the token and the certificate of the embedded cluster's API")]
    Identity(#[from] openssl::error::ErrorStack),
    /// No scenario of this name.
    #[error("there is no scenario {0:?}; choose one of: {names}", names = scenario_names())]
    UnknownScenario(String),
    /// No stage of this name.
    #[error("there is no stage {0:?}; choose one of: before, client-certificate, policy")]
    UnknownStage(String),
    /// The cluster did not come up.
    #[error("the embedded cluster stopped while it was starting; this is a bug, please report it")]
    Stopped,
}

fn scenario_names() -> String {
    SCENARIOS
        .iter()
        .map(|scenario| scenario.name)
        .collect::<Vec<_>>()
        .join(", ")
}

/// A running embedded cluster. It stops when it is dropped; [`Sandbox::shutdown`] also waits for it.
pub struct Sandbox {
    address: SocketAddr,
    token: Zeroizing<String>,
    ca_pem: Vec<u8>,
    world: Arc<World>,
    api: Arc<Api>,
    stage: Mutex<Stage>,
    tasks: Vec<JoinHandle<()>>,
    stop: CancellationToken,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox")
            .field("server_url", &self.server_url())
            .field("scenario", &self.scenario().name)
            .field("stage", &self.stage())
            .finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Starts the cluster; when it returns, objects, statuses and secure-app are as the stage has them.
    pub async fn start(options: SandboxOptions) -> Result<Self, SandboxError> {
        if !options.address.ip().is_loopback() {
            return Err(SandboxError::NotLoopback(options.address));
        }
        let listener = TcpListener::bind(options.address)
            .await
            .and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) = listener.map_err(|source| SandboxError::Listen {
            address: options.address,
            source,
        })?;
        let token = token()?;
        let identity = Identity::mint(address.ip())?;
        let stop = CancellationToken::new();
        let store = Arc::new(Store::new());
        let logs = Arc::new(Logs::default());
        let network = if options.own_network {
            own_network()
        } else {
            Network::Shared
        };
        let mut quirks = options.quirks;
        quirks.extend(options.scenario.quirks());
        let pods = Arc::new(Pods::new(
            store.clone(),
            logs.clone(),
            network,
            quirks,
            stop.clone(),
        ));
        let world = Arc::new(World {
            store,
            logs,
            scenario: options.scenario,
            network,
            pods: pods.clone(),
            stop: stop.clone(),
            is_ngf_away: AtomicBool::new(false),
            runtime: Handle::current(),
            running: Mutex::default(),
            balancers: Mutex::default(),
        });
        let version = Version {
            minor: options.minor,
        };
        let api = Arc::new(Api::new(
            pods,
            version,
            token.clone(),
            options.denied,
            options.allowed,
        ));
        let sandbox = Self {
            address,
            token,
            ca_pem: identity.ca_pem.clone(),
            world: world.clone(),
            api: api.clone(),
            stage: Mutex::new(options.stage),
            tasks: Vec::new(),
            stop,
        };
        objects::install(&world.store);
        sandbox.set_stage(options.stage).await?;
        Ok(sandbox.serve(listener, identity))
    }

    fn serve(mut self, listener: TcpListener, identity: Identity) -> Self {
        let stop = self.stop.clone();
        let listener = Listener::start(listener, self.address, identity, stop.clone());
        let service = axum::serve(listener, api::router(self.api.clone()))
            .with_graceful_shutdown(async move { stop.cancelled().await });
        self.tasks.push(tokio::spawn(async move {
            // The listener is open; serving it does not end but by the signal above.
            service.await.unwrap_or_default();
        }));
        self.tasks
            .push(tokio::spawn(self.world.clone().keep_settling()));
        self
    }

    /// `https://127.0.0.1:PORT`. The same port also speaks plain HTTP.
    pub fn server_url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// A kubeconfig, as YAML. It holds the bearer token: whoever has it may do everything in this
    /// cluster.
    pub fn kubeconfig(&self) -> String {
        let server = self.server_url();
        let token = &*self.token;
        let ca = STANDARD.encode(&self.ca_pem);
        // Quoted: a token may look like a number.
        format!(
            r#"apiVersion: v1
kind: Config
clusters:
- name: ngf-demo
  cluster:
    server: {server}
    certificate-authority-data: {ca}
users:
- name: ngf-demo
  user:
    token: "{token}"
contexts:
- name: ngf-demo
  context:
    cluster: ngf-demo
    user: ngf-demo
    namespace: default
current-context: ngf-demo
"#
        )
    }

    /// What is being played.
    pub fn scenario(&self) -> &'static Scenario {
        self.world.scenario
    }

    /// Where in the guide the cluster is.
    pub fn stage(&self) -> Stage {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes to another stage: applies the steps up to it, takes back the later ones. Returns when the
    /// controllers have done their part.
    pub async fn set_stage(&self, stage: Stage) -> Result<(), SandboxError> {
        let world = self.world.clone();
        let settled = tokio::task::spawn_blocking(move || {
            objects::apply_stage(&world.store, world.scenario, stage);
            world.settle();
        });
        settled.await.map_err(|_| SandboxError::Stopped)?;
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
        Ok(())
    }

    /// Stops NGF's control plane: it applies no later change and writes no status. What nginx is configured
    /// with stays.
    pub fn stop_ngf(&self) {
        self.world.is_ngf_away.store(true, Ordering::SeqCst);
    }

    /// Forgets all former versions, as etcd's compaction does: running watches that are behind, and
    /// lists that are being read in pages, get 410.
    pub fn compact(&self) {
        self.world.store.compact();
        self.api.pages.expire();
    }

    /// Stops the API and every pod, and waits until they have stopped.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        for mut task in self.tasks.drain(..) {
            if tokio::time::timeout(SHUTDOWN, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// 32 random bytes in hexadecimal.
fn token() -> Result<Zeroizing<String>, openssl::error::ErrorStack> {
    let mut bytes = Zeroizing::new([0u8; 32]);
    openssl::rand::rand_bytes(&mut *bytes)?;
    Ok(Zeroizing::new(metadata::hex(&*bytes)))
}

/// A network of loopback addresses that no other embedded cluster on this machine uses.
fn own_network() -> Network {
    for _ in 0..NETWORK_TRIES {
        let [x, y] = metadata::random::<2>();
        // Three digits each, so that what is drawn of it is as wide in every run.
        let network = Network::Own(100 + x % 155, 100 + y % 155);
        // Every pod of the guide listens on this port.
        if StdListener::bind((network.address(10), 8443)).is_ok() {
            return network;
        }
    }
    Network::Shared
}
