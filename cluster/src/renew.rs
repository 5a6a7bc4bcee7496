//! One client for as long as the tool runs, whose credentials can be replaced beneath it: whoever holds
//! a clone sends with the newest. It also tells the [`Link`] what every answer says about the API server.

use std::{
    hash::RandomState,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{Request, Response, StatusCode, header::RETRY_AFTER};
use kube::{Client, client::Body};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::{
    ClusterOptions, config,
    link::Link,
    login::Login,
    plugin::Screen,
    short_lived::{Sensitive, ShortLived},
};

/// Bound on reading the kubeconfig again, its plugin included.
const RENEWAL: Duration = Duration::from_mins(1);
/// How soon a plugin is run again whose credentials are not accepted.
const PLUGIN: Duration = Duration::from_secs(30);
/// The longest pause between two runs of it: some open a browser.
const PLUGIN_MOST: Duration = Duration::from_mins(5);

/// A client whose credentials can be replaced.
pub(super) struct Renewable {
    current: RwLock<(Client, Arc<ShortLived>)>,
    options: ClusterOptions,
    context: String,
    server: String,
    screen: Arc<Screen>,
    key: RandomState,
    seen: Mutex<CredentialsSeen>,
    /// Whether the API server does not accept the credentials.
    refused: AtomicBool,
    replaced: Notify,
}

/// What was seen of the credentials.
struct CredentialsSeen {
    login: Login,
    fingerprint: u64,
    /// When the plugin may be run again, and the pause after that.
    plugin: (Instant, Duration),
}

impl Renewable {
    /// The credentials of a context that was just read; `options` says where from.
    pub(super) fn new(
        client: (Client, Arc<ShortLived>),
        options: &ClusterOptions,
        context: &str,
        server: &str,
        screen: &Arc<Screen>,
    ) -> Arc<Self> {
        let login = Login::of(options, context);
        let key = RandomState::new();
        let fingerprint = login.fingerprint(&key);
        // Whatever becomes the current context later, this is the cluster that is shown.
        let options = ClusterOptions {
            context: Some(context.to_owned()),
            ..options.clone()
        };
        Arc::new(Self {
            current: RwLock::new(client),
            options,
            context: context.to_owned(),
            server: server.to_owned(),
            screen: Arc::clone(screen),
            key,
            seen: Mutex::new(CredentialsSeen {
                login,
                fingerprint,
                plugin: (Instant::now() + PLUGIN, PLUGIN),
            }),
            refused: AtomicBool::new(false),
            replaced: Notify::new(),
        })
    }

    /// The client that sends with whatever credentials are the newest.
    pub(super) fn client(self: &Arc<Self>, namespace: &str, link: &Arc<Link>) -> Client {
        let (renewable, link) = (Arc::clone(self), Arc::clone(link));
        let service = tower::service_fn(move |request: Request<Body>| {
            let (client, short_lived) = renewable.now();
            let link = Arc::clone(&link);
            async move {
                let client = match request.extensions().get::<Sensitive>() {
                    Some(Sensitive) => short_lived.client().await?,
                    None => client,
                };
                let answer = client.send(request).await;
                match &answer {
                    Ok(answer) => note(&link, answer),
                    Err(_) => link.suspect(),
                }
                answer
            }
        });
        Client::new(service, namespace)
    }

    /// The user and plugin, in words; empty where they are not known.
    pub(super) fn who(&self) -> String {
        self.seen().login.who.clone()
    }

    /// Waits until the credentials are replaced.
    pub(super) async fn replaced(&self) {
        self.replaced.notified().await;
    }

    /// Reads the credentials again where their files changed, or, where they are not accepted, where a
    /// plugin may have others.
    pub(super) async fn renew(&self) {
        let refused = self.refused.load(Ordering::Relaxed);
        let now = Instant::now();
        let is_due = {
            let mut seen = self.seen();
            let fingerprint = seen.login.fingerprint(&self.key);
            let has_changed = std::mem::replace(&mut seen.fingerprint, fingerprint) != fingerprint;
            let (at, pause) = seen.plugin;
            let plugin_is_due = refused && seen.login.has_plugin && now >= at;
            if plugin_is_due {
                seen.plugin = (now + pause, (pause * 2).min(PLUGIN_MOST));
            }
            has_changed || plugin_is_due
        };
        if !is_due {
            return;
        }
        let read = timeout(RENEWAL, config::connection(&self.options, &self.screen)).await;
        let Ok(Ok(read)) = read else { return };
        if read.context != self.context || read.server != self.server {
            return;
        }
        let login = Login::of(&self.options, &self.context);
        let mut seen = self.seen();
        seen.fingerprint = login.fingerprint(&self.key);
        seen.login = login;
        drop(seen);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) =
            (read.client, read.short_lived);
        self.replaced.notify_one();
    }

    /// Says whether the API server accepts the credentials. Where it does not any more, a plugin is run
    /// soon.
    pub(super) fn accepted(&self, accepted: bool) {
        self.refused.store(!accepted, Ordering::Relaxed);
        if accepted {
            self.seen().plugin = (Instant::now(), PLUGIN);
        }
    }

    fn now(&self) -> (Client, Arc<ShortLived>) {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, CredentialsSeen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an answer says about the API server, whatever was asked.
fn note(link: &Link, answer: &Response<Body>) {
    let status = answer.status();
    if status == StatusCode::UNAUTHORIZED || is_a_proxys(status) {
        link.suspect();
    } else {
        link.heard();
    }
    if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
        let seconds = answer.headers().get(RETRY_AFTER);
        let seconds = seconds.and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
        if let Some(seconds) = seconds.filter(|seconds| *seconds > 0) {
            link.hold(Duration::from_secs(seconds));
        }
    }
}

/// Whether a proxy answers with it in place of an API server that does not answer.
pub(super) fn is_a_proxys(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    )
}
