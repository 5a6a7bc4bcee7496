//! Reads what the nginx of data-plane pods is using.

use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use ngf_core::{
    data_plane::{DataPlanePod, data_plane},
    model::{object::ObjectRef, snapshot::Snapshot, versions::Versions},
    nginx_config::{CertificateFile, InPod, NginxConfig, parse_certificate_files},
};
use tokio::time::{Instant, timeout_at};

use crate::{
    Cluster,
    transport::{certificates_on_disk, configured},
};

/// Data-plane pods that are asked.
const PODS: usize = 16;

/// Reads what the nginx of each data-plane pod is using, with exec and within that time. Sentences say
/// whose is not read.
pub async fn read(
    cluster: &Cluster,
    snapshot: &Snapshot,
    gateways: &[ObjectRef],
    within: Duration,
) -> (Vec<InPod>, Vec<String>) {
    let until = Instant::now() + within;
    let (mut pods, mut missing) = (Vec::new(), Vec::new());
    for gateway in gateways {
        match data_plane(snapshot, gateway) {
            Ok(of) => {
                let running = of
                    .pods
                    .into_iter()
                    .filter(|pod| pod.running && !pod.deleting);
                pods.extend(running.take(PODS).map(|pod| (gateway.clone(), pod)));
            }
            Err(why) => missing.push(why.to_string()),
        }
    }
    // Taken before it is read: what changes meanwhile may be in it or not.
    let versions = Versions::of(snapshot);
    let mut found = Vec::new();
    for some in pods.chunks(4) {
        let reading = some
            .iter()
            .map(|(gateway, pod)| one(cluster, gateway, pod, &versions, until));
        found.extend(join_all(reading).await);
    }
    (found, missing)
}

/// Reads the certificates on the disk of a data-plane pod, using exec; no key leaves the pod.
///
/// # Errors
/// A sentence, where they cannot be read.
pub async fn certificate_files(
    cluster: &Cluster,
    pod: &DataPlanePod,
) -> Result<Vec<CertificateFile>, String> {
    let text = certificates_on_disk(cluster, pod).await?;
    Ok(parse_certificate_files(&text))
}

async fn one(
    cluster: &Cluster,
    gateway: &ObjectRef,
    pod: &DataPlanePod,
    versions: &Versions,
    until: Instant,
) -> InPod {
    let found = match timeout_at(until, configured(cluster, pod)).await {
        Ok(Ok((configuration, certificates))) => NginxConfig::parse(&configuration, &certificates),
        Ok(Err(why)) => Err(why),
        Err(_) => Err("nginx -T gave no answer in time".to_owned()),
    };
    InPod {
        gateway: gateway.clone(),
        pod: pod.pod.clone(),
        at: Timestamp::now(),
        versions: versions.clone(),
        found,
    }
}
