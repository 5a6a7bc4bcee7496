//! Starts and stops the readers of kinds.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    delta::Delta,
    discovery::{Discovered, Served, discover},
    error::Failure,
    get,
    pace::{Lane, Pace},
    pulse,
    request::{Resource, fetch},
    spawn,
    watcher::{Shared, Watcher},
};
use ngf_core::model::{
    kind::{KINDS, Kind, Reading},
    snapshot::{KindState, Problem, Scope},
};

/// How often the tool checks for kinds that came or went, where the cluster has all that it needs.
const REDISCOVER: Duration = Duration::from_mins(5);
/// How often it does where one is missing that somebody may be about to install.
const EXPECTED: Duration = Duration::from_mins(1);
/// How long a kind must be missing before its objects are dropped.
const VANISHED: Duration = Duration::from_secs(30);
/// The least time between two discoveries.
pub(super) const AT_MOST: Duration = Duration::from_secs(5);

/// Kinds of which a large cluster has thousands, in the order in which their lists begin. The small kinds come before
/// them, so that Gateways are on the screen first.
const LARGE: [Kind; 8] = [
    Kind::Service,
    Kind::HTTPRoute,
    Kind::GRPCRoute,
    Kind::EndpointSlice,
    Kind::Pod,
    Kind::CertificateRequest,
    Kind::Order,
    Kind::Event,
];

/// The place of a kind in the order in which lists begin.
fn turn(kind: Kind) -> usize {
    LARGE
        .iter()
        .position(|large| *large == kind)
        .map_or(0, |at| at + 1)
}

/// Whether the cluster lacks a kind that somebody may be about to install.
fn is_expected((kind, served): (&Kind, &Served)) -> bool {
    let is_needed = matches!(
        kind,
        Kind::GatewayClass
            | Kind::Gateway
            | Kind::HTTPRoute
            | Kind::BackendTLSPolicy
            | Kind::NginxProxy
    );
    is_needed && *served == Served::Nothing
}

/// Starts and stops the readers of kinds, as the cluster serves them.
pub(super) struct Supervisor {
    shared: Shared,
    scope: Scope,
    /// Namespace for kinds that may not be read in all.
    fallback: String,
    /// The version that is read of each kind, and what stops its reader.
    running: BTreeMap<Kind, (String, CancellationToken)>,
    /// Kinds that are read and that the last discovery did not name, and since when.
    vanished: BTreeMap<Kind, Instant>,
    cancel: CancellationToken,
}

impl Supervisor {
    pub(super) fn new(
        shared: Shared,
        scope: Scope,
        fallback: String,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            shared,
            scope,
            fallback,
            running: BTreeMap::new(),
            vanished: BTreeMap::new(),
            cancel,
        }
    }

    pub(super) async fn run(mut self) {
        self.check_namespace().await;
        let mut pace = Pace::new(Arc::clone(&self.shared.link), Lane::Kinds, AT_MOST);
        loop {
            pace.turn().await;
            match self.discovered().await {
                Ok(discovered) => {
                    let is_complete = !discovered.kinds.iter().any(is_expected);
                    let mut has_changed = false;
                    let mut kinds: Vec<(Kind, Served)> = discovered.kinds.into_iter().collect();
                    kinds.sort_by_key(|(kind, _)| turn(*kind));
                    for (kind, served) in kinds {
                        has_changed |= self.adjust(kind, served).await;
                    }
                    for problem in discovered.problems {
                        self.shared.tell(Delta::Problem(Box::new(problem))).await;
                    }
                    if has_changed {
                        pace.progressed();
                    } else {
                        pace.stalled();
                    }
                    let pause = match (self.vanished.is_empty(), is_complete) {
                        (false, _) => VANISHED / 3,
                        (true, false) => EXPECTED,
                        (true, true) => REDISCOVER,
                    };
                    tokio::select! {
                        () = sleep(pause) => {}
                        () = self.shared.missing.notified() => {}
                        () = self.shared.link.outage_over() => {}
                    }
                }
                Err(failure) => {
                    let why = failure.words().to_owned();
                    self.shared.tell(Delta::Undiscovered(why)).await;
                    pace.failed(&failure);
                }
            }
        }
    }

    /// What the cluster has. An API server that is starting does not know its CRDs yet: where one is
    /// missing, it has to be ready to be believed.
    async fn discovered(&self) -> Result<Discovered, Failure> {
        let discovered = discover(&self.shared.client).await?;
        if discovered.kinds.iter().any(is_expected) {
            pulse::is_ready(&self.shared.client).await?;
        }
        Ok(discovered)
    }

    /// A namespace that does not exist looks like an empty one.
    async fn check_namespace(&self) {
        let Scope::Namespace(namespace) = &self.scope else {
            return;
        };
        let Ok(request) = get(&format!("/api/v1/namespaces/{namespace}")) else {
            return;
        };
        if let Err(Failure::NotFound(_)) = fetch::<Value>(&self.shared.client, request).await {
            let problem = Problem {
                place: format!("namespace {namespace}"),
                message: "does not exist in this cluster; choose another with -n, or all with -A"
                    .to_owned(),
                notes: Vec::new(),
            };
            self.shared.tell(Delta::Problem(Box::new(problem))).await;
        }
    }

    /// Starts or stops the reader of a kind; returns whether anything changed.
    async fn adjust(&mut self, kind: Kind, served: Served) -> bool {
        if served != Served::Nothing {
            self.vanished.remove(&kind);
        } else if self.running.contains_key(&kind) {
            // After its start an API server may be ready and not know each CRD again.
            let since = *self.vanished.entry(kind).or_insert_with(Instant::now);
            if self.shared.link.is_young() || since.elapsed() < VANISHED {
                return false;
            }
            self.vanished.remove(&kind);
        }
        let before = self.running.get(&kind).map(|(version, _)| version.clone());
        self.follow(kind, served).await;
        before.as_ref() != self.running.get(&kind).map(|(version, _)| version)
    }

    async fn follow(&mut self, kind: Kind, served: Served) {
        match served {
            Served::Version(version) => {
                if self
                    .running
                    .get(&kind)
                    .is_none_or(|(now, _)| *now != version)
                {
                    self.start(kind, version).await;
                }
            }
            Served::Nothing => {
                self.stop(kind).await;
                let delta = Delta::State(kind, KindState::NotServed);
                self.shared.tell(delta).await;
            }
            Served::Unreadable(versions) => {
                self.stop(kind).await;
                let delta = Delta::State(kind, KindState::UnknownVersions(versions));
                self.shared.tell(delta).await;
            }
            Served::Unknown(why) => {
                if !self.running.contains_key(&kind) {
                    let delta = Delta::State(kind, KindState::Failed(why));
                    self.shared.tell(delta).await;
                }
            }
        }
    }

    async fn start(&mut self, kind: Kind, version: String) {
        let token = self.cancel.child_token();
        if let Some((_, before)) = self.running.insert(kind, (version.clone(), token.clone())) {
            before.cancel();
        }
        let info = &KINDS[kind as usize];
        if info.reading == Reading::ByName {
            let delta = Delta::State(kind, KindState::Live { version });
            return self.shared.tell(delta).await;
        }
        let (namespace, fallback) = match &self.scope {
            Scope::Namespace(namespace) => (Some(namespace.clone()), None),
            Scope::AllNamespaces => (None, Some(self.fallback.clone())),
        };
        let resource = Resource {
            info,
            version,
            namespace: namespace.filter(|_| info.namespaced),
        };
        let watcher = Watcher::new(self.shared.clone(), resource, fallback);
        spawn(&token, watcher.run());
    }

    async fn stop(&mut self, kind: Kind) {
        if let Some((_, token)) = self.running.remove(&kind) {
            token.cancel();
            self.shared.tell(Delta::Dropped(kind)).await;
        }
    }
}
