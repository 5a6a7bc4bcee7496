//! The guide's secure-app: a server that does with TLS and HTTP what nginx does with the
//! configuration and certificates that the pod mounts.
//!
//! The verdict on a client certificate is OpenSSL's, taken as nginx takes it: the verification never
//! ends the handshake, its result is looked at when the request has been read
//! (`ngx_http_process_request`).

mod connection;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openssl::ssl::SslContext;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::logs::Log;
use super::nginx::config::{self, Files, Server};
use super::nginx::{log, virtual_server};

/// Connections that one pod serves at once; one more is closed at once, as nginx does when its
/// `worker_connections` are used up.
const MAX_CONNECTIONS: usize = 512;

/// A running nginx: what it read at its start.
#[derive(Debug)]
pub(crate) struct Nginx {
    /// `server` blocks of the one port; the first one is the default.
    servers: Vec<Block>,
    port: u16,
    /// The context of connections until SNI has chosen a server; `None` where the port is plain.
    tls: Option<SslContext>,
    log: Arc<Log>,
    connections: AtomicU64,
    /// `client_header_timeout` and nginx's bound on a handshake.
    timeout: Duration,
    /// `keepalive_timeout`.
    idle: Duration,
}

struct Block {
    server: Server,
    context: Option<SslContext>,
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Block")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Nginx {
    /// Reads configuration and certificates. What nginx would refuse to start with is logged as its
    /// `[emerg]` line and returned.
    pub(crate) fn load(files: &Files, log: &Arc<Log>) -> Result<Arc<Self>, String> {
        Self::read(files, log.clone()).inspect_err(|message| {
            log.write(format!("nginx: [emerg] {message}"));
        })
    }

    fn read(files: &Files, log: Arc<Log>) -> Result<Arc<Self>, String> {
        let servers = config::servers(files).map_err(|e| e.to_string())?;
        let port = servers
            .iter()
            .filter_map(|s| s.listen.first())
            .map(|(port, _)| *port)
            .next()
            .ok_or("no \"listen\" directive in /etc/nginx/conf.d")?;
        let mut blocks = Vec::new();
        for server in servers {
            let on_port = server.listen.iter().find(|(p, _)| *p == port).copied();
            let Some((_, tls)) = on_port else { continue };
            let context = if tls {
                Some(tls::context(&server, files)?)
            } else {
                None
            };
            blocks.push(Block { server, context });
        }
        let tls =
            tls::front(&blocks).map_err(|error| format!("SSL_CTX_new() failed (SSL: {error})"))?;
        Ok(Arc::new(Self {
            servers: blocks,
            port,
            tls,
            log,
            connections: AtomicU64::new(0),
            timeout: Duration::from_mins(1),
            idle: Duration::from_secs(75),
        }))
    }

    /// The port that the configuration listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Serves until `stop` is cancelled; open connections end with it.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let local = listener
            .local_addr()
            .unwrap_or(SocketAddr::from(([0, 0, 0, 0], self.port)));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, peer)) = accepted else {
                // Out of file descriptors, or the peer has gone: wait a little instead of spinning.
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
            let Ok(slot) = slots.clone().try_acquire_owned() else {
                self.error(
                    "alert",
                    None,
                    &format!("{MAX_CONNECTIONS} worker_connections are not enough"),
                );
                continue;
            };
            let connection = connection::Connection::new(self.clone(), number, peer, local);
            let stop = stop.clone();
            tokio::spawn(async move {
                let _slot = slot;
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = connection.run(stream) => {}
                }
            });
        }
    }

    /// A line of the error log, in nginx's form.
    fn error(&self, level: &str, connection: Option<u64>, message: &str) {
        log::error(&self.log, level, connection, message);
    }

    /// The server block that serves this name. With a single block there are no virtual servers, and
    /// nothing is looked up.
    fn find(&self, host: &str) -> Option<usize> {
        let names: Vec<&[String]> = self
            .servers
            .iter()
            .map(|b| b.server.names.as_slice())
            .collect();
        find(&names, host)
    }
}

/// The virtual server for a name, by its place; with a single server there is none.
fn find(servers: &[&[String]], host: &str) -> Option<usize> {
    if servers.len() < 2 {
        return None;
    }
    let servers = servers.iter().enumerate();
    let names = servers.flat_map(|(index, names)| names.iter().map(move |n| (n.as_str(), index)));
    virtual_server(names, host)
}
