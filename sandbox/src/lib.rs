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
//! What NGF decides comes from `ngf_core`. Of everything else of this workspace it knows nothing: whoever reads
//! the cluster reads it as any other cluster.

mod addresses;
mod admission;
mod api;
mod data_plane;
mod dial;
mod error;
mod guide;
mod kinds;
mod logs;
mod metadata;
mod nginx;
mod objects;
mod options;
mod patch;
mod pem;
mod pki;
mod pods;
mod reconcile;
mod scenarios;
mod secure_app;
mod selectors;
mod store;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

pub use self::error::SandboxError;
pub use self::guide::{STEPS, Stage, Step};
pub use self::options::{Denied, Rule, SandboxOptions};
pub use self::scenarios::{Quirk, SCENARIOS, Scenario};

use self::addresses::Network;
use self::api::listener::{Identity, Listener};
use self::api::{Api, Version};
use self::logs::Logs;
use self::pods::Pods;
use self::reconcile::Controllers;
use self::store::Store;

/// How long open requests may take to end when the cluster stops.
const SHUTDOWN: Duration = Duration::from_secs(3);

/// A running embedded cluster. It stops when it is dropped; [`Sandbox::shutdown`] also waits for it.
pub struct Sandbox {
    address: SocketAddr,
    token: Zeroizing<String>,
    ca_pem: Vec<u8>,
    controllers: Arc<Controllers>,
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
            Network::own()
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
        let controllers = Arc::new(Controllers {
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
            controllers: controllers.clone(),
            api: api.clone(),
            stage: Mutex::new(options.stage),
            tasks: Vec::new(),
            stop,
        };
        objects::install(&controllers.store);
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
            .push(tokio::spawn(self.controllers.clone().keep_settling()));
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
        self.controllers.scenario
    }

    /// Where in the guide the cluster is.
    pub fn stage(&self) -> Stage {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes to another stage: applies the steps up to it, takes back the later ones. Returns when the
    /// controllers have done their part.
    pub async fn set_stage(&self, stage: Stage) -> Result<(), SandboxError> {
        let controllers = self.controllers.clone();
        let settled = tokio::task::spawn_blocking(move || {
            objects::apply_stage(&controllers.store, controllers.scenario, stage);
            controllers.settle();
        });
        settled.await.map_err(|_| SandboxError::Stopped)?;
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
        Ok(())
    }

    /// Stops NGF's control plane: it applies no later change and writes no status. What nginx is configured
    /// with stays.
    pub fn stop_ngf(&self) {
        self.controllers.is_ngf_away.store(true, Ordering::SeqCst);
    }

    /// Forgets all former versions, as etcd's compaction does: running watches that are behind, and
    /// lists that are being read in pages, get 410.
    pub fn compact(&self) {
        self.controllers.store.compact();
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
