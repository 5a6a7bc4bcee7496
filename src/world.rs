//! What the terminal interface and `probe` act on: files, a cluster, or the embedded cluster.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use ngf_probes::{
    ProbeError,
    dial::{Dial, Direct},
    probe, settle_demand,
    spec::{HttpSpec, ProbeSpec, TlsSpec, Trust},
    transcript::Transcript,
};
use tokio::sync::{Mutex, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{event::Stage as StageEvent, run::World},
    cluster::{
        Cluster,
        transport::{Transports, Via, WayTaken, Ways},
    },
    diagnosis::plan::{PlannedTls, ProbePlan, TrustSource},
    logs::PodLog,
    model::snapshot::Snapshot,
    sandbox::{SCENARIOS, Sandbox, Scenario, Stage},
};

/// Objects from files: nothing to connect to.
pub struct Files;

impl World for Files {
    fn probe<'a>(
        &'a self,
        _: &'a ProbePlan,
        _: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Transcript, String>> {
        let why = "a live probe needs a cluster, and these objects come from files";
        futures::future::ready(Err(why.to_owned())).boxed()
    }

    fn go_to_stage(&self, _: usize) -> BoxFuture<'_, Result<StageEvent, String>> {
        futures::future::ready(Err("only the demo has stages".to_owned())).boxed()
    }
}

/// A cluster.
pub struct Live {
    transports: Transports,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    via: Via,
    timeout: Duration,
}

impl Live {
    /// A cluster, of which `snapshots` holds the newest; `timeout` bounds each phase of a probe. Probes
    /// go this way, which must be one that writes nothing.
    pub fn new(
        cluster: Cluster,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        via: Via,
        timeout: Duration,
    ) -> Self {
        let snapshot = Arc::clone(&snapshots.borrow());
        Self {
            transports: Transports::new(cluster, snapshot),
            snapshots,
            via,
            timeout,
        }
    }

    async fn run(
        &self,
        plan: &ProbePlan,
        cancel: &CancellationToken,
    ) -> Result<Transcript, String> {
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let transports = self.transports.at(snapshot);
        let ways = transports.ways(plan, self.via, None).await?;
        let (spec, _) = spec_for(&transports, plan, &ways, self.timeout).await?;
        let spec = &spec;
        let (transcript, _) = run_over(&ways, |dial| async move {
            let mut transcript = probe(spec, &*dial, cancel).await?;
            settle_demand(&mut transcript, spec, &*dial, cancel).await;
            Ok(transcript)
        })
        .await?;
        Ok(transcript)
    }
}

impl World for Live {
    fn probe<'a>(
        &'a self,
        plan: &'a ProbePlan,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Transcript, String>> {
        self.run(plan, cancel).boxed()
    }

    fn go_to_stage(&self, _: usize) -> BoxFuture<'_, Result<StageEvent, String>> {
        futures::future::ready(Err("only the demo has stages".to_owned())).boxed()
    }

    fn logs(&self, cancel: &CancellationToken) -> Option<mpsc::Receiver<PodLog>> {
        let cluster = self.transports.cluster();
        Some(crate::logs::watch(cluster, self.snapshots.clone(), cancel))
    }
}

/// The embedded cluster.
pub struct Demo {
    /// As a client sees it.
    pub live: Live,
    /// The thing itself.
    pub sandbox: Arc<Mutex<Sandbox>>,
}

impl World for Demo {
    fn probe<'a>(
        &'a self,
        plan: &'a ProbePlan,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Transcript, String>> {
        self.live.probe(plan, cancel)
    }

    fn go_to_stage(&self, index: usize) -> BoxFuture<'_, Result<StageEvent, String>> {
        async move {
            let stage = *Stage::ALL.get(index).ok_or("there is no such stage")?;
            let sandbox = self.sandbox.lock().await;
            sandbox
                .set_stage(stage)
                .await
                .map_err(|error| error.to_string())?;
            Ok(stage_event(sandbox.scenario(), stage))
        }
        .boxed()
    }
}

/// A stage of the guide, as the terminal interface shows it; the last one of a scenario is what the
/// scenario is about.
pub fn stage_event(scenario: &Scenario, stage: Stage) -> StageEvent {
    let position = Stage::ALL.iter().position(|known| *known == stage);
    let is_guide = scenario.name == SCENARIOS[0].name;
    let (title, text) = if is_guide || stage != Stage::Policy {
        (stage.title().to_owned(), stage.text().to_owned())
    } else {
        let text = format!("{}. Shows: {}.", scenario.differs, scenario.shows);
        (scenario.title.to_owned(), text)
    };
    StageEvent {
        index: position.unwrap_or_default(),
        of: Stage::ALL.len(),
        walk: if is_guide {
            "guide".to_owned()
        } else {
            format!("scenario {}", scenario.name)
        },
        title,
        text,
    }
}

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
