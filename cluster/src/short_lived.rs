//! A client for Secrets, of connections that are closed as soon as nobody reads any more: the read buffer of a
//! connection that is kept would hold a key for as long. Thousands of Secrets share a few connections, where each would
//! else cost a TLS handshake.

use std::{fmt, sync::Arc, time::Duration};

use kube::Client;
use tokio::{
    sync::Mutex,
    task::spawn_blocking,
    time::{Instant, sleep},
};

/// How long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(1);
/// How long a connection is used, so that its buffer does not grow old where somebody reads all the time.
const LONGEST: Duration = Duration::from_secs(10);

/// Marks a request whose connection must not be kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sensitive;

/// Makes a client.
type Make = dyn Fn() -> kube::Result<Client> + Send + Sync;

/// The client, while it is used.
pub(super) struct ShortLived {
    make: Box<Make>,
    current: Mutex<Option<Current>>,
}

struct Current {
    client: Client,
    made: Instant,
    used: Instant,
}

impl Current {
    fn is_over(&self) -> bool {
        self.used.elapsed() >= IDLE || self.made.elapsed() >= LONGEST
    }
}

impl fmt::Debug for ShortLived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShortLived").finish_non_exhaustive()
    }
}

impl ShortLived {
    /// Clients that `make` makes.
    pub(super) fn new(
        make: impl Fn() -> kube::Result<Client> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            make: Box::new(make),
            current: Mutex::default(),
        })
    }

    /// The client whose connections are used at the moment, or a new one.
    ///
    /// # Errors
    /// Where none can be made, as when the system's CAs cannot be read any more.
    pub(super) async fn client(self: &Arc<Self>) -> kube::Result<Client> {
        let mut current = self.current.lock().await;
        let is_kept = |current: &&mut Current| current.made.elapsed() < LONGEST;
        if let Some(current) = current.as_mut().filter(is_kept) {
            current.used = Instant::now();
            return Ok(current.client.clone());
        }
        let me = Arc::clone(self);
        // Loading the system's CAs takes a while.
        let made = spawn_blocking(move || (me.make)()).await;
        let client = made.map_err(|error| kube::Error::Service(error.into()))??;
        let now = Instant::now();
        let before = current.replace(Current {
            client: client.clone(),
            made: now,
            used: now,
        });
        if before.is_none() {
            tokio::spawn(Arc::clone(self).closed_when_over());
        }
        Ok(client)
    }

    /// Drops the client, and with it the connections that nobody uses.
    async fn closed_when_over(self: Arc<Self>) {
        loop {
            sleep(IDLE).await;
            let mut current = self.current.lock().await;
            if current.as_ref().is_none_or(Current::is_over) {
                *current = None;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_is_kept_while_it_is_used_and_no_longer() {
        let made = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&made);
        let clients = ShortLived::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
            let nobody = tower::service_fn(|_: http::Request<kube::client::Body>| async {
                Ok::<_, std::convert::Infallible>(http::Response::new(kube::client::Body::empty()))
            });
            Ok(Client::new(nobody, "default"))
        });
        for _ in 0..10 {
            clients.client().await.expect("a client");
            sleep(IDLE / 2).await;
        }
        assert_eq!(made.load(Ordering::Relaxed), 1);
        sleep(3 * IDLE).await;
        assert!(clients.current.lock().await.is_none());
        for _ in 0..30 {
            clients.client().await.expect("a client");
            sleep(IDLE / 2).await;
        }
        assert_eq!(
            made.load(Ordering::Relaxed),
            3,
            "a second after ten seconds"
        );
    }
}
