//! Reads a cluster: the same client for every cluster, the embedded one included.
//!
//! [`connect`] finds the kubeconfig and asks the API server once, [`Cluster::watch`] keeps a
//! [`Snapshot`] up to date, [`Cluster::snapshot`] waits for one that is complete.
//!
//! What is read: every kind of [`KINDS`](ngf_core::model::kind::KINDS) that the cluster serves, each by
//! its own list and watch, so that one that fails or is denied stops no other; Secrets and ConfigMaps
//! one by one, only where [`references`](ngf_core::model::references) names them. Whoever may not read a
//! kind in all namespaces gets it for the context's namespace, and [`Snapshot::narrowed`] says so.
//! Every five minutes the tool checks for kinds that came or went, and every minute where Gateway API or NGF is missing.
//!
//! Besides its watches an idle tool sends this discovery, and the [`pulse`]; each loop has its [`pace`].
//!
//! Nothing here writes to the cluster but [`transport`], once somebody agreed; [`crate::fix`] writes with
//! the client of this room. A plugin of the kubeconfig that asks its user something
//! (`interactiveMode`) does so in `connect`. When its token ends it is run again; once the screen is
//! drawn ([`Cluster::screen_is_drawn`]) it can neither ask nor write to the terminal.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::Client;
use serde_json::Value;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::{Instant, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::{
    by_name::{Asked, Reach},
    delta::Delta,
    error::Failure,
    link::Link,
    pace::Lane,
    renew::Renewable,
    request::{fetch, no_answer},
    room::Room,
    store::Store,
    supervisor::{AT_MOST, Supervisor},
    watcher::Shared,
};
use ngf_core::model::{
    kind::Kind,
    object::ObjectRef,
    snapshot::{KindState, Lookup, Loss, Lost, Scope, Snapshot, Source},
};

mod address;
mod by_name;
mod config;
mod contexts;
mod credentials;
mod deadline;
mod delta;
mod discovery;
pub mod dry_run;
pub mod endpoint_matrix;
mod error;
mod events;
pub mod fix;
mod follow;
#[cfg(test)]
mod hostile;
mod limits;
mod link;
mod login;
pub mod logs;
mod named_file;
mod names;
pub mod nginx_config;
mod oidc;
mod overrides;
mod pace;
mod plugin;
pub mod probe_context;
pub mod prober;
mod pulse;
mod read;
mod renew;
pub mod reports;
mod request;
mod room;
mod short_lived;
mod socks;
mod store;
mod supervisor;
pub mod temporary;
pub mod transport;
mod watcher;

pub(crate) use config::IN_CLUSTER;
pub use contexts::{KubeContext, contexts};
pub use error::ClusterError;
pub use follow::{LogCursor, LogFollower, LogNews};
pub use names::{KubeconfigNames, kubeconfig_names};
pub use overrides::Overrides;
pub(crate) use pace::Pace;
pub use read::LogOptions;
pub(crate) use request::is_name;
pub use store::is_settled;

/// Deltas under way from the readers to the store.
const CHANNEL: usize = 256;
/// Lists and gets that run at once.
const LISTS: usize = 8;

/// Which cluster, and what of it.
#[derive(Debug, Clone, Default)]
pub struct ClusterOptions {
    /// `--kubeconfig`: this file and no other.
    pub kubeconfig: Option<PathBuf>,
    /// A kubeconfig that is in no file, before any other: the embedded cluster's.
    pub kubeconfig_text: Option<String>,
    /// `--context`.
    pub context: Option<String>,
    /// `-n`: this namespace only, and kinds that have none.
    pub namespace: Option<String>,
    /// `-A`: all namespaces, whatever `namespace` says. Without either, all are read too.
    pub all_namespaces: bool,
    /// `--timeout`: how long connecting may take, a credential plugin included.
    pub limit: Option<Duration>,
    /// What the command line changes of the kubeconfig.
    pub overrides: Overrides,
}

/// A cluster that answered once.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    link: Arc<Link>,
    renewable: Arc<Renewable>,
    room: Arc<Room>,
    asked: Arc<Asked>,
    context: String,
    server: String,
    version: Option<String>,
    namespace: String,
    scope: Scope,
    screen: Arc<plugin::Screen>,
    /// Since when `--timeout` counts.
    since: Instant,
}

/// Finds the kubeconfig, makes a client and asks the API server for its version.
///
/// # Errors
/// Each of [`ClusterError`] but [`ClusterError::Object`].
pub async fn connect(options: &ClusterOptions) -> Result<Cluster, ClusterError> {
    let began = Instant::now();
    let screen = Arc::default();
    let config::Connection {
        client,
        short_lived,
        context,
        server,
        namespace,
        has_asked,
    } = config::connection(options, &screen).await?;
    let link = Arc::new(Link::default());
    let renewable = Renewable::new((client, short_lived), options, &context, &server, &screen);
    let client = renewable.client(&namespace, &link);
    // The time in which a person logs in is not the cluster's.
    let since = if has_asked { Instant::now() } else { began };
    let left = options
        .limit
        .map(|limit| limit.saturating_sub(since.elapsed()));
    let bound = left.map_or(config::CONNECT, |left| left.min(config::CONNECT));
    for name in options.namespace.iter().chain([&namespace]) {
        if !is_name(name) {
            let name = ngf_core::model::clean::clean_line(name);
            return Err(ClusterError::Namespace { name });
        }
    }
    let who = renewable.who();
    let refused = |failure| refused(&server, &context, &who, failure);
    let request = get("/version").map_err(refused)?;
    let answer = timeout(bound, fetch::<Value>(&client, request));
    let answer = answer.await.unwrap_or_else(|_| {
        // In full seconds of what was asked for, not of what was left of it.
        let whole = options.limit.unwrap_or(bound).min(config::CONNECT);
        Err(no_answer(whole))
    });
    let version = match answer {
        Ok(answer) => version(&answer),
        // it is there, and keeps its version to itself
        Err(Failure::Denied(_)) => None,
        Err(failure) => return Err(refused(failure)),
    };
    let scope = match &options.namespace {
        Some(namespace) if !options.all_namespaces => Scope::Namespace(namespace.clone()),
        _ => Scope::AllNamespaces,
    };
    tracing::info!(context, server, version, "connected");
    Ok(Cluster {
        client,
        link,
        renewable,
        room: Arc::default(),
        asked: Arc::default(),
        context,
        server,
        version,
        namespace,
        scope,
        screen,
        since,
    })
}

/// An error of the client in words for a person: cleaned, bounded, without credentials.
pub(crate) fn failure_in_words(error: kube::Error) -> String {
    Failure::from(error).words().to_owned()
}

fn get(path: &str) -> Result<http::Request<Vec<u8>>, Failure> {
    http::Request::get(path)
        .body(Vec::new())
        .map_err(|error| Failure::Other(error.to_string()))
}

/// `1.36`; some builds carry a `gitVersion` that is no version, so it is not looked at.
fn version(answer: &Value) -> Option<String> {
    let number = |key: &str| {
        let text = answer.get(key)?.as_str()?;
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        (!digits.is_empty()).then_some(digits)
    };
    Some(format!("{}.{}", number("major")?, number("minor")?))
}

fn refused(server: &str, context: &str, who: &str, failure: Failure) -> ClusterError {
    let server = server.to_owned();
    let context = context.to_owned();
    match failure {
        Failure::Unauthorized(why) => ClusterError::Unauthorized {
            server,
            context,
            who: if who.is_empty() {
                String::new()
            } else {
                format!(", {who}")
            },
            why,
        },
        Failure::Tls(why) => ClusterError::Tls {
            server,
            context,
            why,
        },
        Failure::NoAnswer(why) => ClusterError::Unreachable {
            server,
            context,
            why,
        },
        Failure::Credentials(why) => ClusterError::Credentials { context, why },
        failure => ClusterError::Unusable {
            server,
            context,
            why: failure.words().to_owned(),
        },
    }
}

impl Cluster {
    /// The pace of a loop that reads logs.
    pub(crate) fn pace_of_logs(&self) -> Pace {
        Pace::new(Arc::clone(&self.link), Lane::Logs, AT_MOST)
    }

    /// The client, for whatever this type does not do.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// What is left of `--timeout`: connecting counts, a person who logs in does not.
    pub fn left_of(&self, limit: Duration) -> Duration {
        limit.saturating_sub(self.since.elapsed())
    }

    /// From now on the screen is drawn: credential plugins neither write to it nor read from the
    /// terminal. Returns what they say instead, a sentence each.
    pub fn screen_is_drawn(&self) -> mpsc::Receiver<String> {
        self.screen.drawn()
    }

    /// Name of the context; `in-cluster` within a pod.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// Whether the namespace that is read exists, as far as the API server says.
    ///
    /// # Errors
    /// [`ClusterError::NoNamespace`], where it does not.
    pub async fn check_namespace(&self) -> Result<(), ClusterError> {
        let Scope::Namespace(namespace) = &self.scope else {
            return Ok(());
        };
        let Ok(request) = get(&format!("/api/v1/namespaces/{namespace}")) else {
            return Ok(());
        };
        let answer = timeout(config::CONNECT, fetch::<Value>(&self.client, request)).await;
        match answer {
            Ok(Err(Failure::NotFound(_))) => Err(ClusterError::NoNamespace {
                name: namespace.clone(),
            }),
            // Who may not read Namespaces may still read what is in one.
            _ => Ok(()),
        }
    }

    /// Scheme, host and port of the API server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Namespace of the context; `default` where it names none.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Reads a Secret or ConfigMap again soon that is not watched ([`Snapshot::unwatched`]): somebody looks at it.
    pub fn read_again(&self, object: &ObjectRef) {
        self.asked.ask(object.clone());
    }

    /// Starts to read, and keeps a snapshot up to date until `cancel` is cancelled or every receiver
    /// is dropped. In the first snapshot every kind is [`KindState::Loading`]. At most ten snapshots
    /// come in a second; objects that did not change are shared between them.
    pub fn watch(&self, cancel: &CancellationToken) -> watch::Receiver<Arc<Snapshot>> {
        self.read(cancel, true)
    }

    /// Reads everything, and watches it from then on where somebody `follows`.
    fn read(&self, cancel: &CancellationToken, follows: bool) -> watch::Receiver<Arc<Snapshot>> {
        let cancel = cancel.child_token();
        let (deltas, received) = mpsc::channel(CHANNEL);
        let (wanted, wanted_received) = watch::channel(Arc::new(BTreeSet::new()));
        let source = Source::Cluster {
            context: self.context.clone(),
            server: self.server.clone(),
            version: self.version.clone(),
        };
        let nothing = Snapshot::new(source, self.scope.clone());
        let (store, snapshots) = Store::new(nothing, wanted, Arc::clone(&self.asked));
        let shared = Shared {
            client: self.client.clone(),
            deltas,
            follows,
            lists: Arc::new(Semaphore::new(LISTS)),
            link: Arc::clone(&self.link),
            room: Arc::clone(&self.room),
            room_of_events: Arc::default(),
            missing: Arc::default(),
            asked: Arc::clone(&self.asked),
        };
        let supervisor = Supervisor::new(
            shared.clone(),
            self.scope.clone(),
            self.namespace.clone(),
            cancel.clone(),
        );
        spawn(&cancel, supervisor.run());
        spawn(
            &cancel,
            pulse::run(shared.clone(), Arc::clone(&self.renewable)),
        );
        spawn(&cancel, pulse::renew(Arc::clone(&self.renewable)));
        spawn(
            &cancel,
            by_name::run(shared, self.reach(), wanted_received, cancel.clone()),
        );
        let guard = cancel.clone().drop_guard();
        spawn(&cancel, keep(store, received, guard));
        snapshots
    }

    /// Where Secrets and ConfigMaps can be watched together.
    fn reach(&self) -> Reach {
        match &self.scope {
            Scope::Namespace(namespace) => Reach {
                namespace: Some(namespace.clone()),
                fallback: None,
            },
            Scope::AllNamespaces => Reach {
                namespace: None,
                fallback: Some(self.namespace.clone()),
            },
        }
    }

    /// Reads once: waits until each kind was read or is known not to be readable, and each Secret and
    /// ConfigMap that something refers to. What has no answer after `limit` says so.
    pub async fn snapshot(&self, limit: Duration) -> Snapshot {
        let cancel = CancellationToken::new();
        let _guard = cancel.clone().drop_guard();
        let mut snapshots = self.read(&cancel, false);
        Self::settled(&mut snapshots, limit).await
    }

    /// The same of a watch that continues.
    pub async fn settled(
        snapshots: &mut watch::Receiver<Arc<Snapshot>>,
        limit: Duration,
    ) -> Snapshot {
        let settled = timeout(limit, snapshots.wait_for(|snapshot| is_settled(snapshot))).await;
        let is_settled = matches!(settled, Ok(Ok(_)));
        drop(settled);
        let mut snapshot = Snapshot::clone(&snapshots.borrow());
        if !is_settled || snapshot.lost.is_some() {
            give_up(&mut snapshot, limit);
        }
        snapshot
    }
}

/// Says of everything that has no answer that it has none.
fn give_up(snapshot: &mut Snapshot, limit: Duration) {
    let why = match &snapshot.lost {
        Some(lost) => lost.why.clone(),
        None => format!("no answer within {} s", limit.as_secs()),
    };
    let (mut silent, mut answered) = (0, 0);
    for state in snapshot.kinds.values_mut() {
        if *state == KindState::Loading {
            *state = KindState::Failed(why.clone());
            silent += 1;
        } else if matches!(state, KindState::Live { .. }) {
            answered += 1;
        }
    }
    if silent > answered && snapshot.lost.is_none() {
        snapshot.lost = Some(Lost {
            since: Timestamp::now() - limit,
            why: why.clone(),
            loss: Loss::Failing,
        });
    }
    for reference in ngf_core::model::references::references(snapshot) {
        let unknown = why.clone();
        if reference.kind == Kind::Secret {
            let secrets = &mut snapshot.secrets;
            secrets.entry(reference).or_insert(Lookup::Unknown(unknown));
        } else {
            let config_maps = &mut snapshot.config_maps;
            config_maps
                .entry(reference)
                .or_insert(Lookup::Unknown(unknown));
        }
    }
}

fn spawn(cancel: &CancellationToken, task: impl Future<Output = ()> + Send + 'static) {
    let cancel = cancel.clone();
    tokio::spawn(async move { cancel.run_until_cancelled(task).await });
}

/// Runs the store; when it ends, because nobody looks any more, everything else ends with it.
async fn keep(store: Store, deltas: mpsc::Receiver<Delta>, _guard: DropGuard) {
    store.run(deltas).await;
}
