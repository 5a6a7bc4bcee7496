//! What the terminal interface and `probe` act on: files, a cluster, or the embedded cluster.

#[cfg(feature = "demo")]
mod demo;
mod live;
pub mod making;

use std::{sync::Arc, time::Duration};

use ngf_probes::{
    ProbeError,
    dial::{Dial, Direct},
    probe,
    spec::{HttpSpec, ProbeSpec, TlsSpec, Trust},
    transcript::Transcript,
};
use tokio_util::sync::CancellationToken;

#[cfg(feature = "demo")]
pub use demo::{Walk, stage_event};
pub use live::{Files, Live, LiveOptions, Stages};

use crate::{
    cluster::{
        Cluster,
        transport::{Transports, WayTaken, Ways},
    },
    diagnosis::plan::{PlannedTls, ProbePlan, TrustSource},
};

/// Runs the probe that a plan describes: reads the CA and the client certificate by name, and
/// connects directly.
pub async fn run_plan(
    cluster: &Cluster,
    plan: &ProbePlan,
    timeout: Duration,
    cancel: &CancellationToken,
) -> Result<Transcript, String> {
    let spec = probe_spec(cluster, plan, timeout).await?;
    probe(&spec, &Direct, cancel)
        .await
        .map_err(|error| in_words(&error))
}

/// The probe that a plan describes, with the CA and the client certificate that it names.
///
/// # Errors
/// A sentence, where one of them cannot be read.
pub async fn probe_spec(
    cluster: &Cluster,
    plan: &ProbePlan,
    timeout: Duration,
) -> Result<ProbeSpec, String> {
    let tls = match &plan.tls {
        Some(tls) => Some(tls_spec(cluster, tls).await?),
        None => None,
    };
    Ok(ProbeSpec {
        host: plan.endpoint.address.clone(),
        port: plan.endpoint.port,
        tls,
        http: HttpSpec {
            method: "GET".to_owned(),
            host: plan.host.clone(),
            path: plan.path.clone(),
        },
        timeout,
    })
}

/// The probe that a plan describes, for these ways: from the data plane's own container it trusts the
/// CA on that pod's disk, as nginx does, which the Secret may have left behind. Says so then.
///
/// # Errors
/// A sentence, where something that it names cannot be read.
pub async fn spec_for(
    transports: &Transports,
    plan: &ProbePlan,
    ways: &Ways,
    timeout: Duration,
) -> Result<(ProbeSpec, Option<String>), String> {
    let on_disk = async {
        let pod = ways.ways.first()?.data_plane.as_ref()?;
        match &plan.tls.as_ref()?.trust {
            // Where the file cannot be read, the Secret is the next best.
            TrustSource::Object { object, .. } => transports.bundle_on_disk(pod, object).await.ok(),
            TrustSource::System => None,
        }
    };
    let spec = probe_spec(transports.cluster(), plan, timeout);
    let (spec, on_disk) = futures::join!(spec, on_disk);
    let mut spec = spec?;
    let note = spec
        .tls
        .as_mut()
        .zip(on_disk)
        .and_then(|(tls, on_disk)| on_disk.replace(&mut tls.trust));
    Ok((spec, note))
}

/// Runs a probe by the first of these ways whose transport does not fail.
///
/// # Errors
/// A sentence, where all of them fail, or the probe itself could not be run.
pub async fn run_over<T, P>(
    ways: &Ways,
    run: impl Fn(Arc<dyn Dial>) -> P,
) -> Result<(T, WayTaken), String>
where
    P: Future<Output = Result<T, ProbeError>>,
{
    let mut not_taken = ways.not_taken.clone();
    for way in &ways.ways {
        match run(Arc::clone(&way.dial)).await {
            Ok(seen) => {
                let way = WayTaken {
                    via: way.via.to_string(),
                    because: way.because.clone(),
                    seen_from: way.seen_from,
                    not_taken,
                };
                return Ok((seen, way));
            }
            Err(error @ ProbeError::Transport(_)) => not_taken.push(in_words(&error)),
            Err(error) => return Err(in_words(&error)),
        }
    }
    Err(not_taken.join("; "))
}

async fn tls_spec(cluster: &Cluster, tls: &PlannedTls) -> Result<TlsSpec, String> {
    let trust = match &tls.trust {
        TrustSource::System => Trust::System,
        TrustSource::Object { object, key } => Trust::Bundle {
            pem: cluster
                .load_bundle(object, key)
                .await
                .map_err(|error| in_words(&error))?,
            origin: format!("{object}[{key}]"),
        },
    };
    let client_identity = match &tls.client_certificate {
        None => None,
        Some(secret) => Some(
            cluster
                .load_identity(secret)
                .await
                .map_err(|error| in_words(&error))?,
        ),
    };
    Ok(TlsSpec {
        server_name: tls.hostname.clone(),
        trust,
        client_identity,
        verify_depth: tls.verify_depth,
        at: None,
    })
}

/// An error with its causes, in one sentence.
pub fn in_words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Many errors repeat their cause in their own words.
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}
