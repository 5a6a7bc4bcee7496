//! Requests of clients to the embedded cluster's Gateway, so that its logs contain what happens to them.

use std::{sync::Arc, time::Duration};

use ngf_probes::{
    client::{ClientSpec, ClientTls, ask},
    dial::Dial,
    spec::{ClientIdentity, HttpSpec},
};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use ngf_cluster::{Cluster, transport::PortForward};
use ngf_core::{
    data_plane::data_plane,
    diagnosis::plan::{ProbePlan, ProbeTarget, plan},
    model::snapshot::Snapshot,
};

/// Requests at a time.
const REQUESTS: usize = 3;
/// Between such bursts.
const PAUSE: Duration = Duration::from_secs(10);
/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends a few requests through each data-plane pod. Where a listener demands a client certificate, the last
/// request comes from a client without one.
pub(super) async fn send(
    cluster: &Cluster,
    snapshot: &Snapshot,
    identity: Option<&ClientIdentity>,
) {
    let Ok(plans) = plan(snapshot, &ProbeTarget::Route(super::guide_route())) else {
        return;
    };
    let (Some(plan), cancel) = (plans.first(), CancellationToken::new()) else {
        return;
    };
    let pods = data_plane(snapshot, &plan.gateway).map_or_else(|_| Vec::new(), |found| found.pods);
    for pod in pods.iter().filter(|pod| pod.running && !pod.deleting) {
        let dial: Arc<dyn Dial> = Arc::new(PortForward::new(cluster, &pod.pod));
        for number in 1..=REQUESTS {
            let identity = identity.filter(|_| number < REQUESTS);
            // What comes of it stands in the logs.
            let _ = ask(&request(snapshot, plan, identity), &*dial, &cancel).await;
        }
    }
}

/// The same again and again, until it is dropped.
pub(super) async fn keep_sending(
    cluster: Cluster,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    identity: Option<ClientIdentity>,
) {
    loop {
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        send(&cluster, &snapshot, identity.as_ref()).await;
        let is_known = !snapshot.gateways.is_empty();
        sleep(if is_known { PAUSE } else { PAUSE / 20 }).await;
    }
}

/// As a client of the Gateway sends it: not marked as the tool's own.
fn request(snapshot: &Snapshot, plan: &ProbePlan, identity: Option<&ClientIdentity>) -> ClientSpec {
    let listener = plan.listener.as_ref().and_then(|(owner, name)| {
        let gateway = snapshot.gateways.get(owner)?;
        let mut listeners = gateway.spec.listeners.iter();
        listeners.find(|listener| listener.name == *name)
    });
    let speaks_tls = listener.is_some_and(|listener| listener.protocol == "HTTPS");
    ClientSpec {
        host: "localhost".to_owned(),
        port: listener.map_or(80, |listener| listener.port),
        tls: speaks_tls.then(|| ClientTls {
            server_name: plan.host.clone(),
            trust: Vec::new(),
            identity: identity.cloned(),
            alpn: vec!["http/1.1".to_owned()],
        }),
        request: Some(HttpSpec {
            method: "GET".to_owned(),
            host: plan.host.clone(),
            path: plan.path.clone(),
        }),
        timeout: TIMEOUT,
    }
}
