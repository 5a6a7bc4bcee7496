//! All backends of a suite, up and running, and NGINX's verdict on each.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::log::{self, GatewayLog};
use crate::nginx::{Builder, FakeTime, Nginx, Number};
use crate::peer;
use crate::s_server::Running;
use crate::vector::{Backend, PATIENCE, Vector};
use crate::verdict::Verdict;

/// How many vectors are tried at once.
pub(crate) const AT_ONCE: usize = 16;

/// A running suite. Everything in it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Rig {
    /// Where each vector's backend listens.
    pub(crate) addresses: Vec<SocketAddr>,
    nginx: Nginx,
    _openssl_servers: HashMap<String, Running>,
}

impl Rig {
    /// Starts the backends of all vectors, and the gateway before them.
    pub(crate) fn start(vectors: &[Vector], runtime: &Runtime) -> io::Result<Self> {
        Self::start_at(vectors, None, runtime)
    }

    /// The same, with NGINX's clock standing still.
    pub(crate) fn start_at(
        vectors: &[Vector],
        time: Option<&FakeTime>,
        runtime: &Runtime,
    ) -> io::Result<Self> {
        let mut builder = Builder::new()?;
        let mut openssl_servers: HashMap<String, Running> = HashMap::new();
        let mut addresses = Vec::with_capacity(vectors.len());
        for (number, vector) in vectors.iter().enumerate() {
            let address = match &vector.backend {
                Backend::Nginx(servers) => builder.backend(number, servers)?,
                Backend::Peer(peer) => runtime.block_on(peer::start(peer.clone()))?,
                Backend::Openssl(server) => {
                    if let Some(running) = openssl_servers.get(&server.name) {
                        running.address
                    } else {
                        let running = server.start(builder.directory())?;
                        openssl_servers
                            .entry(server.name.clone())
                            .or_insert(running)
                            .address
                    }
                }
            };
            builder.gateway(number, &vector.gateway, address)?;
            addresses.push(address);
        }
        let nginx = builder.start(time)?;
        Ok(Self {
            addresses,
            nginx,
            _openssl_servers: openssl_servers,
        })
    }

    /// Asks the gateway for every vector, and reads its log.
    pub(crate) fn ask_nginx(&self) -> io::Result<Vec<Verdict>> {
        let bodies = in_parallel(self.addresses.len(), |number| self.nginx.ask(number));
        let bodies: Vec<String> = bodies.into_iter().collect::<io::Result<_>>()?;
        let statuses = self.all_statuses()?;
        let log = GatewayLog::read(&self.nginx.gateway_log());
        Ok(bodies
            .iter()
            .enumerate()
            .map(|(number, body)| {
                let status = statuses.get(&number).copied().unwrap_or_default();
                log.verdict(number, status, body)
            })
            .collect())
    }

    /// What NGINX backends say of the client certificates that they were not content with.
    pub(crate) fn client_verify_codes(&self) -> HashMap<Number, i32> {
        log::client_verify_codes(&self.nginx.backend_log())
    }

    /// NGINX notes a status when it frees the request, which may be after its client has all of it.
    fn all_statuses(&self) -> io::Result<HashMap<Number, u16>> {
        let until = Instant::now() + PATIENCE;
        loop {
            let statuses = self.nginx.statuses();
            if statuses.len() == self.addresses.len() {
                return Ok(statuses);
            }
            if Instant::now() > until {
                return Err(io::Error::other(
                    "NGINX has not noted the status of every request",
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn in_parallel<T: Send>(count: usize, work: impl Fn(Number) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let mut done: Vec<(usize, T)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(|| {
                    let mut mine = Vec::new();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            return mine;
                        }
                        mine.push((number, work(number)));
                    }
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("a worker does not panic"))
            .collect()
    });
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}
