//! The cloud's part of Services of type LoadBalancer: an address of this cluster's own network on
//! loopback, and a listener for each port that this machine lets it have.

use std::collections::{BTreeMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};

use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Controllers;
use super::write::{Transition, set_status};
use crate::addresses::Network;
use crate::kinds;
use crate::metadata::meta;
use crate::pods::Pods;
use crate::store::Object;

/// Last numbers of the addresses that Services get; the node has the one before.
const NUMBERS: std::ops::RangeInclusive<u8> = 2..=9;
/// An address for examples (RFC 5737), which leads nowhere: where loopback has no others.
const NOWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// Connections of one port at once.
const MAX_CONNECTIONS: usize = 256;

/// What was given to a Service.
#[derive(Debug)]
pub(crate) struct Balancer {
    number: u8,
    /// Ports that are listened on, or could not be.
    ports: BTreeMap<u16, CancellationToken>,
}

/// Balancers by the UID of their Service.
pub(crate) type Balancers = BTreeMap<String, Balancer>;

/// Looks at every Service.
pub(super) fn run(controllers: &Controllers, balancers: &mut Balancers) {
    let (services, _) = controllers.store.list(kinds::SERVICE, None);
    let wanted: Vec<_> = services
        .iter()
        .filter(|service| service["spec"]["type"] == "LoadBalancer")
        .collect();
    let present: HashSet<&str> = wanted.iter().map(|service| meta(service, "uid")).collect();
    balancers.retain(|uid, balancer| {
        let keep = present.contains(uid.as_str());
        if !keep {
            balancer.ports.values().for_each(CancellationToken::cancel);
        }
        keep
    });
    for service in wanted {
        let address = match controllers.network {
            Network::Shared => Some(NOWHERE),
            Network::Own(..) => give(controllers, service, balancers),
        };
        let ingress: Vec<_> = address
            .iter()
            .map(|ip| json!({"ip": ip.to_string(), "ipMode": "VIP"}))
            .collect();
        let status = json!({"loadBalancer": {"ingress": ingress}});
        let transition = Transition::EachItsOwn;
        set_status(
            &controllers.store,
            kinds::SERVICE,
            service,
            status,
            transition,
        );
    }
}

/// The address of a Service; its ports are listened on as far as this machine allows it.
fn give(
    controllers: &Controllers,
    service: &Object,
    balancers: &mut Balancers,
) -> Option<Ipv4Addr> {
    let uid = meta(service, "uid");
    if !balancers.contains_key(uid) {
        let taken: HashSet<u8> = balancers.values().map(|b| b.number).collect();
        let number = NUMBERS.clone().find(|number| !taken.contains(number))?;
        let ports = BTreeMap::new();
        balancers.insert(uid.to_owned(), Balancer { number, ports });
    }
    let balancer = balancers.get_mut(uid)?;
    let address = controllers.network.address(balancer.number);
    let ports = service["spec"]["ports"].as_array();
    let ports: HashSet<u16> = ports
        .into_iter()
        .flatten()
        .filter_map(|port| u16::try_from(port["port"].as_u64()?).ok())
        .collect();
    balancer.ports.retain(|port, stop| {
        let keep = ports.contains(port);
        if !keep {
            stop.cancel();
        }
        keep
    });
    for port in ports {
        if balancer.ports.contains_key(&port) {
            continue;
        }
        let stop = controllers.stop.child_token();
        balancer.ports.insert(port, stop.clone());
        let Some(cluster_ip) = service["spec"]["clusterIP"].as_str() else {
            continue;
        };
        let Ok(cluster_ip) = cluster_ip.parse() else {
            continue;
        };
        // Ports below 1024 may be root's; then the address answers to nobody, as one does that a
        // firewall hides.
        let listener = std::net::TcpListener::bind(SocketAddr::from((address, port)));
        let Ok(listener) = listener.and_then(|l| l.set_nonblocking(true).map(|()| l)) else {
            continue;
        };
        let _guard = controllers.runtime.enter();
        if let Ok(listener) = TcpListener::from_std(listener) {
            let pods = controllers.pods.clone();
            controllers
                .runtime
                .spawn(serve(pods, listener, (cluster_ip, port), stop));
        }
    }
    Some(address)
}

async fn serve(
    pods: std::sync::Arc<Pods>,
    listener: TcpListener,
    (address, port): (Ipv4Addr, u16),
    stop: CancellationToken,
) {
    let slots = std::sync::Arc::new(tokio::sync::Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (Ok((mut client, _)), Ok(slot)) = (accepted, slots.clone().acquire_owned().await)
        else {
            // Out of file descriptors, or the peer has gone: wait a little instead of spinning.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            continue;
        };
        let (pods, stop) = (pods.clone(), stop.clone());
        tokio::spawn(async move {
            let _slot = slot;
            let Ok(mut pod) = pods.dial(address, port, None).await else {
                return;
            };
            tokio::select! {
                () = stop.cancelled() => {}
                // However it ends, it has ended.
                _ = copy_bidirectional(&mut client, &mut pod) => {}
            }
        });
    }
}
