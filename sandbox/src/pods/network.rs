//! The network between pods: addresses of pods and Services, names of the cluster's DNS. A connection
//! leads to something of the embedded cluster; there is no way out to this machine or beyond.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::io::{DuplexStream, duplex};
use tokio::net::TcpSocket;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Live, Place, Pods};
use crate::addresses::Network;
use crate::data_plane::Inside;
use crate::dial::{Dial, DialError, Stream};
use crate::kinds;
use crate::metadata::{meta, random};

/// Where the cluster's DNS answers, as kubeadm has it.
pub(crate) const DNS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);
/// The zone of the cluster.
pub(crate) const ZONE: &str = "cluster.local";
/// Bytes on their way to a server that has no socket.
const BUFFER: usize = 64 << 10;
/// Connections that wait for a command to take them.
const BACKLOG: usize = 16;
/// How long a connection on loopback may take.
const CONNECT: Duration = Duration::from_secs(5);

/// A port that a command in a pod listens at, until it is dropped.
pub(super) struct Listener {
    live: Arc<Live>,
    port: u16,
    connections: mpsc::Receiver<DuplexStream>,
}

impl Listener {
    /// The next connection.
    pub(super) async fn next(&mut self) -> Option<DuplexStream> {
        self.connections.recv().await
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.live.listeners().remove(&self.port);
    }
}

impl Live {
    /// Listens at a port; `None` where somebody does already.
    pub(super) fn listen(self: &Arc<Self>, port: u16) -> Option<Listener> {
        let mut listeners = self.listeners();
        if listeners.contains_key(&port) {
            return None;
        }
        let (sender, connections) = mpsc::channel(BACKLOG);
        listeners.insert(port, sender);
        Some(Listener {
            live: self.clone(),
            port,
            connections,
        })
    }

    fn knock(&self, port: u16) -> Option<mpsc::Sender<DuplexStream>> {
        self.listeners().get(&port).cloned()
    }
}

impl Dial for Place {
    fn dial<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, Result<(Ipv4Addr, Stream), DialError>> {
        async move {
            let address = self.address(host).ok_or(DialError::Name)?;
            let own = address == Ipv4Addr::LOCALHOST && self.pods.network != Network::Shared;
            let stream = if own {
                self.pods.dial_pod(&self.live, port, Some(address)).await
            } else {
                self.pods.dial(address, port, self.live.address).await
            };
            Ok((address, stream?))
        }
        .boxed()
    }
}

impl Place {
    /// What a name or address means here.
    pub(crate) fn address(&self, host: &str) -> Option<Ipv4Addr> {
        if let Ok(address) = host.parse() {
            return Some(address);
        }
        if host == "localhost" {
            return Some(Ipv4Addr::LOCALHOST);
        }
        if host == self.live.name {
            return self.live.address;
        }
        let found = self.pods.look_up_from(&self.live.namespace, host);
        found.into_iter().next()
    }
}

impl Pods {
    /// Connects to an address of the cluster; the connection comes from `from`.
    pub(crate) async fn dial(
        self: &Arc<Self>,
        address: Ipv4Addr,
        port: u16,
        from: Option<Ipv4Addr>,
    ) -> Result<Stream, DialError> {
        if address == DNS {
            return if port == 53 {
                let (near, far) = duplex(BUFFER);
                tokio::spawn(super::dns::serve(self.clone(), far));
                Ok(Box::new(near))
            } else {
                Err(DialError::Refused)
            };
        }
        let (address, port) = match self.through_service(address, port) {
            Some(endpoint) => endpoint?,
            None => (address, port),
        };
        let at: Vec<Arc<Live>> = {
            let live = self.live();
            live.values()
                .filter(|live| live.address == Some(address))
                .cloned()
                .collect()
        };
        if at.is_empty() {
            return Err(DialError::Unreachable);
        }
        // More than one where pods share an address: they differ in their ports.
        let mut last = DialError::Refused;
        for live in at {
            match self.dial_pod(&live, port, from).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Connects to a port of a pod, within it.
    pub(crate) async fn dial_pod(
        self: &Arc<Self>,
        live: &Arc<Live>,
        port: u16,
        from: Option<Ipv4Addr>,
    ) -> Result<Stream, DialError> {
        let served = live
            .serves
            .iter()
            .find(|served| served.port == port || served.at.port() == port);
        if let Some(served) = served {
            return connect(served.at, from)
                .await
                .map_err(|_| DialError::Refused);
        }
        if let Some(knock) = live.knock(port) {
            let (near, far) = duplex(BUFFER);
            knock.send(far).await.map_err(|_| DialError::Refused)?;
            return Ok(Box::new(near));
        }
        let pod = self.pod_of(live).ok_or(DialError::Unreachable)?;
        let gateway = self.gateway_at(&pod, port).ok_or(DialError::Refused)?;
        let place = self
            .place(&pod, crate::data_plane::CONTAINER)
            .map_err(|_| DialError::Refused)?;
        let (near, far) = duplex(BUFFER);
        let client = from.unwrap_or(Ipv4Addr::LOCALHOST);
        let inside = Inside {
            files: place.files(),
            log: self.logs.open(&live.namespace, &live.name, place.name()),
            stop: place.stop(),
            dial: Box::new(place),
        };
        tokio::spawn(gateway.serve(inside, far, client));
        Ok(Box::new(near))
    }

    /// An endpoint of the Service that has this address: `None` where none has, refused where it
    /// has no such port or no endpoint.
    fn through_service(
        &self,
        address: Ipv4Addr,
        port: u16,
    ) -> Option<Result<(Ipv4Addr, u16), DialError>> {
        let address = address.to_string();
        let (services, _) = self.store.list(kinds::SERVICE, None);
        let service = services
            .iter()
            .find(|service| service["spec"]["clusterIP"] == address.as_str())?;
        let ports = service["spec"]["ports"].as_array();
        let named = ports
            .into_iter()
            .flatten()
            .find(|p| p["port"] == port)
            .map(|p| p["name"].as_str().unwrap_or_default().to_owned());
        let Some(named) = named else {
            return Some(Err(DialError::Refused));
        };
        let endpoints: Vec<_> = self
            .endpoints(service, true)
            .into_iter()
            .filter(|(name, ..)| *name == named)
            .map(|(_, address, port)| (address, port))
            .collect();
        let [random] = random::<1>();
        let chosen = usize::from(random) % endpoints.len().max(1);
        Some(endpoints.get(chosen).copied().ok_or(DialError::Refused))
    }

    /// Name of the port, address and port of the endpoints of a Service.
    pub(crate) fn endpoints(&self, service: &Value, ready: bool) -> Vec<(String, Ipv4Addr, u16)> {
        let namespace = meta(service, "namespace");
        let (slices, _) = self.store.list(kinds::ENDPOINT_SLICE, Some(namespace));
        let label = "/metadata/labels/kubernetes.io~1service-name";
        let mut found = Vec::new();
        for slice in slices.iter().filter(|slice| {
            slice.pointer(label).and_then(Value::as_str) == Some(meta(service, "name"))
        }) {
            let endpoints = slice["endpoints"].as_array();
            for endpoint in endpoints
                .into_iter()
                .flatten()
                .filter(|e| !ready || e["conditions"]["ready"] == true)
            {
                let address = endpoint["addresses"][0].as_str();
                let Some(address) = address.and_then(|text| text.parse().ok()) else {
                    continue;
                };
                for port in slice["ports"].as_array().into_iter().flatten() {
                    let number = port["port"].as_u64().and_then(|n| u16::try_from(n).ok());
                    if let Some(number) = number {
                        let name = port["name"].as_str().unwrap_or_default().to_owned();
                        found.push((name, address, number));
                    }
                }
            }
        }
        found
    }

    /// A name as a pod of this namespace asks for it: by the search list of its `resolv.conf`.
    fn look_up_from(&self, namespace: &str, name: &str) -> Vec<Ipv4Addr> {
        let absolute = name.strip_suffix('.');
        let bare = absolute.unwrap_or(name).to_lowercase();
        let mut tried = Vec::new();
        if absolute.is_none() {
            let search = super::files::search(namespace);
            tried.extend(search.map(|suffix| format!("{bare}.{suffix}")));
        }
        tried.push(bare);
        tried
            .iter()
            .find_map(|name| self.look_up(name))
            .unwrap_or_default()
    }

    /// The addresses of a full name of the cluster's zone; `None` where there is no such name.
    pub(crate) fn look_up(&self, name: &str) -> Option<Vec<Ipv4Addr>> {
        let inner = name.strip_suffix(ZONE)?.strip_suffix(".svc.")?;
        let (service, namespace) = inner.rsplit_once('.')?;
        let service = self.store.get(kinds::SERVICE, namespace, service)?;
        let address = service["spec"]["clusterIP"].as_str().unwrap_or_default();
        Some(match address.parse() {
            Ok(address) => vec![address],
            // Headless: the pods themselves. An ExternalName leads out of the cluster, and nowhere.
            Err(_) => {
                let mut all: Vec<_> = self
                    .endpoints(&service, true)
                    .into_iter()
                    .map(|(_, address, _)| address)
                    .collect();
                all.sort_unstable();
                all.dedup();
                all
            }
        })
    }
}

/// To a listener on loopback that this process holds, from a pod's own address where there is one.
async fn connect(to: SocketAddr, from: Option<Ipv4Addr>) -> io::Result<Stream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(from) = from.filter(|from| from.is_loopback() && *from != Ipv4Addr::LOCALHOST) {
        socket.bind(SocketAddr::from((from, 0)))?;
    }
    let stream = timeout(CONNECT, socket.connect(to)).await??;
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}
