//! The one prober: from a planned connection to what was seen. The terminal interface, `check`, `probe`,
//! `fix` and the endpoint matrix all use it, so that they give one verdict from the same inputs.
//!
//! A probe goes through these steps: the transports that lead to the endpoint, what nginx is configured
//! with (the CA on its disk, where it can be read), the CA that the backend's pods mount, the handshake
//! and the request, and afterwards the context ([`Prober::context`]) and a second handshake that settles
//! whether the backend demands the client certificate ([`Prober::settle`]).

mod inputs;
pub mod listeners;
pub mod survey;

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use ngf_probes::{
    ProbeError,
    capture::Capture,
    dial::Dial,
    probe_with, settle_demand,
    spec::{BackendTrust, ClientIdentity, Options, ProbeSpec},
    tls_scan::{TlsScan, measure},
};
use ngf_tls::transcript::{Outcome, Step, Transcript};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use self::inputs::mounted_trust;
use self::inputs::{Inputs, Read};
use crate::{
    IN_CLUSTER,
    probe_context::{self, Address, Asked, ProbeContext},
    temporary::{Made, only},
    transport::{Exec, Transports, Via, Way, WayTaken, Ways},
};
use ngf_core::{
    data_plane::{NoDataPlane, data_plane},
    diagnosis::plan::ProbePlan,
    model::object::is_ambient,
};
use ngf_text::in_words;

/// How a cluster is probed.
#[derive(Debug, Clone)]
pub struct ProberOptions {
    /// The bound on each phase of a probe.
    pub timeout: Duration,
    /// Where the Gateway is, where its status does not say so.
    pub address: Option<Address>,
    /// Why the address of a Gateway's status leads elsewhere, where it does.
    pub elsewhere: Option<&'static str>,
    /// Look up the Service's name even where no pod can be asked, and say why it cannot.
    pub names: bool,
    /// The client certificate that the gateway's client presents, where the listener asks for one.
    pub identity: Option<ClientIdentity>,
}

impl ProberOptions {
    /// The defaults, with this bound on each phase of a probe.
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            address: None,
            elsewhere: None,
            names: false,
            identity: None,
        }
    }
}

/// Where a probe originates: the transport, and the temporary resources that were created for it.
#[derive(Clone, Default)]
pub struct By {
    /// The transport.
    pub via: Via,
    /// The data-plane pod of that name only.
    pub pod: Option<String>,
    /// The temporary resources.
    pub made: Made,
}

impl By {
    /// A transport that needs no temporary resources.
    pub fn via(via: Via) -> Self {
        Self {
            via,
            ..Self::default()
        }
    }
}

/// What a probe does in addition to what nginx does.
#[derive(Default)]
pub struct Extras {
    /// What the ClientHello offers, and whom the backend trusts, where somebody said so.
    pub options: Options,
    /// Judges validity at this moment instead of now.
    pub at: Option<Timestamp>,
    /// A capture of each probe, where they are asked for.
    pub captures: Option<Mutex<Vec<Capture>>>,
    /// Who is told of each step as it happens.
    pub steps: Option<mpsc::Sender<Step>>,
}

impl Extras {
    /// Whether a second handshake may complete what the first one shows: not where every byte is kept, or
    /// another moment is meant.
    pub fn may_ask_again(&self) -> bool {
        self.captures.is_none() && self.at.is_none()
    }

    /// Runs one probe with them. `trust` is whom the backend probably trusts, where objects show it.
    ///
    /// # Errors
    /// As [`ngf_probes::probe`].
    pub async fn run(
        &self,
        mut spec: ProbeSpec,
        trust: Option<BackendTrust>,
        dial: &dyn Dial,
        cancel: &CancellationToken,
    ) -> Result<Transcript, ProbeError> {
        if let (Some(tls), Some(at)) = (&mut spec.tls, self.at) {
            tls.at = Some(at);
        }
        let mut options = self.options.clone();
        options.steps.clone_from(&self.steps);
        options.backend_trust = options.backend_trust.or(trust);
        if let Some(captures) = &self.captures {
            let capture = Capture::new();
            options.capture = Some(capture.clone());
            captures
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(capture);
        }
        probe_with(&spec, &options, dial, cancel).await
    }
}

/// What a probe saw, and through which transport.
pub struct ProbeResult {
    /// What it saw.
    pub transcript: Arc<Transcript>,
    /// The transport that it used.
    pub way: WayTaken,
    /// The data-plane pod from whose own container it left.
    pub place: Option<String>,
    /// What differs from what the objects hold: a CA on nginx's disk that is not the Secret's.
    pub notes: Vec<String>,
    /// What the bytes left from, where that was a container.
    pub exec: Option<Exec>,
    /// How to ask again in the same way.
    pub again: Option<(ProbeSpec, Arc<dyn Dial>)>,
}

/// Probes planned connections of one cluster, as it stands in one snapshot. What it reads of Secrets and
/// of nginx's disk is read once.
pub struct Prober {
    transports: Arc<Transports>,
    options: ProberOptions,
    inputs: Inputs,
}

impl Prober {
    /// Of this cluster and snapshot.
    pub fn new(transports: Arc<Transports>, options: ProberOptions) -> Self {
        Self {
            transports,
            options,
            inputs: Inputs::default(),
        }
    }

    /// The transports.
    pub fn transports(&self) -> &Arc<Transports> {
        &self.transports
    }

    /// The transports that lead to a planned connection, the most faithful one first.
    ///
    /// # Errors
    /// A sentence, where the one that was asked for cannot be used.
    pub async fn ways(&self, plan: &ProbePlan, by: &By) -> Result<Ways, String> {
        match by.made.get(&plan.gateway).and_then(|made| made.first()) {
            Some((_, way)) => Ok(only(way)),
            None => self.transports.ways(plan, by.via, by.pod.as_deref()).await,
        }
    }

    /// Probes a planned connection.
    ///
    /// # Errors
    /// A sentence, where it cannot be run.
    pub async fn probe(
        &self,
        plan: &ProbePlan,
        by: &By,
        extras: &Extras,
        cancel: &CancellationToken,
    ) -> Result<ProbeResult, String> {
        let ways = self.ways(plan, by).await?;
        let began = std::time::Instant::now();
        let seen = self.probe_over(plan, &ways, extras, cancel).await;
        let milliseconds = began.elapsed().as_millis();
        let (service, port) = (plan.service.to_string(), plan.port);
        match &seen {
            Ok(seen) => {
                let outcome = seen.transcript.nginx.outcome;
                tracing::info!(
                    service,
                    port,
                    via = seen.way.via,
                    ?outcome,
                    milliseconds,
                    "probe"
                );
            }
            Err(why) => tracing::warn!(service, port, why, milliseconds, "no probe"),
        }
        seen
    }

    /// Probes through the first of these transports that does not fail.
    ///
    /// # Errors
    /// A sentence, where all of them fail, or the probe itself cannot be run.
    pub async fn probe_over(
        &self,
        plan: &ProbePlan,
        ways: &Ways,
        extras: &Extras,
        cancel: &CancellationToken,
    ) -> Result<ProbeResult, String> {
        let trust = mounted_trust(self.transports.snapshot(), &plan.service);
        let choices = ways.ways.len() + ways.not_taken.len();
        let mut not_taken = ways.not_taken.clone();
        for way in &ways.ways {
            if let Some(why) = self.not_from_here(plan, way, choices) {
                not_taken.push(why);
                continue;
            }
            let read = self.read(plan, way).await?;
            let (spec, trust) = (read.spec.clone(), trust.clone());
            let transcript = match extras.run(spec, trust, &*way.dial, cancel).await {
                Ok(transcript) => transcript,
                Err(error @ ProbeError::Transport(_)) => {
                    not_taken.push(in_words(&error));
                    continue;
                }
                Err(error) => return Err(in_words(&error)),
            };
            if let Some(why) = not_reached(&transcript, way, choices) {
                not_taken.push(why);
                continue;
            }
            return Ok(self.seen(plan, way, read, transcript, not_taken));
        }
        Err(not_taken.join("; "))
    }

    fn seen(
        &self,
        plan: &ProbePlan,
        way: &Way,
        read: Read,
        mut transcript: Transcript,
        mut not_taken: Vec<String>,
    ) -> ProbeResult {
        read.qualify(&mut transcript);
        if let Some(why) = self.no_data_plane(plan) {
            transcript.nginx.client_status = None;
            transcript.not_proven.push(why);
        }
        if let Some(why) = self.wrapped_by_mesh(plan, way) {
            transcript.nginx.client_status = None;
            transcript.not_proven.push(why);
        }
        not_taken.extend(read.notes.iter().cloned());
        ProbeResult {
            transcript: Arc::new(transcript),
            way: WayTaken {
                via: way.via.to_string(),
                because: way.because.clone(),
                not_taken,
                seen_from: way.seen_from,
            },
            place: way.data_plane.as_ref().map(|pod| pod.pod.name.clone()),
            exec: way.exec.clone(),
            again: Some((read.spec, Arc::clone(&way.dial))),
            notes: read.notes,
        }
    }

    /// Why a connection from elsewhere than a data-plane pod proves nothing about nginx's: Istio's ambient mesh
    /// may take the connections of pods into tunnels of its own, by their identity.
    fn wrapped_by_mesh(&self, plan: &ProbePlan, way: &Way) -> Option<String> {
        if way.data_plane.is_some() {
            return None;
        }
        let pod = self
            .transports
            .snapshot()
            .pods
            .get(plan.endpoint.pod.as_ref()?)?;
        is_ambient(&pod.meta).then(|| {
            format!(
                "not proven: {} is in Istio's ambient mesh, which may treat nginx's connection otherwise than this one; --via exec connects as nginx does",
                pod.reference
            )
        })
    }

    /// Measures which TLS versions, cipher suites and groups a backend accepts.
    ///
    /// # Errors
    /// As [`Prober::probe`].
    pub async fn measure(
        &self,
        plan: &ProbePlan,
        by: &By,
        options: &Options,
        cancel: &CancellationToken,
    ) -> Result<TlsScan, String> {
        let ways = self.ways(plan, by).await?;
        let choices = ways.ways.len() + ways.not_taken.len();
        let mut not_taken = ways.not_taken;
        for way in &ways.ways {
            if let Some(why) = self.not_from_here(plan, way, choices) {
                not_taken.push(why);
                continue;
            }
            let read = self.read(plan, way).await?;
            match measure(&read.spec, options, &*way.dial, cancel).await {
                Ok(matrix) => return Ok(matrix),
                Err(error @ ProbeError::Transport(_)) => not_taken.push(in_words(&error)),
                Err(error) => return Err(in_words(&error)),
            }
        }
        Err(not_taken.join("; "))
    }

    /// What nginx is configured with where this transport leads.
    async fn read(&self, plan: &ProbePlan, way: &Way) -> Result<Read, String> {
        let timeout = self.options.timeout;
        self.inputs.read(&self.transports, plan, way, timeout).await
    }

    /// Why this machine does not stand in for the gateway: the address of a pod may be another machine's
    /// here, or a proxy may answer for it, and what it presents would be taken for the backend's. Within the
    /// cluster, and for the embedded one, it is the pod's; `--via direct` connects all the same.
    fn not_from_here(&self, plan: &ProbePlan, way: &Way, choices: usize) -> Option<String> {
        let is_fallback = way.via == Via::Direct && choices > 1;
        let address = plan.endpoint.address.parse::<IpAddr>();
        let is_here = address.is_ok_and(|address| address.is_loopback())
            || self.transports.cluster().context() == IN_CLUSTER;
        (is_fallback && !is_here).then(|| {
            format!(
                "not directly: from this machine {} may lead to another one; where it does not, use --via direct",
                plan.endpoint.address
            )
        })
    }

    /// Why no client of the Gateway gets an answer, whatever a backend would answer.
    fn no_data_plane(&self, plan: &ProbePlan) -> Option<String> {
        match data_plane(self.transports.snapshot(), &plan.gateway) {
            Err(why @ (NoDataPlane::NoWorkload(_) | NoDataPlane::NoPods { .. })) => {
                Some(format!("{why}: no client of the Gateway gets an answer"))
            }
            _ => None,
        }
    }

    /// What surrounds a probe that began at `began`: what the gateway's client gets, what both sides
    /// logged, how names are resolved.
    pub async fn context(
        &self,
        plan: &ProbePlan,
        seen: &ProbeResult,
        began: Timestamp,
        cancel: &CancellationToken,
    ) -> ProbeContext {
        let asked = Asked {
            address: self.options.address.as_ref(),
            elsewhere: self.options.elsewhere,
            seen_from: seen.way.seen_from,
            exec: seen.exec.as_ref(),
            service_names: self.options.names || seen.exec.is_some(),
            identity: self.options.identity.as_ref(),
            timeout: self.options.timeout,
            cancel,
        };
        probe_context::probe_context(&self.transports, plan, &asked, began, &seen.transcript).await
    }

    /// Where a probe leaves open whether the backend demands the client certificate that it accepted, asks
    /// again without one; the completed transcript, where it shows more then.
    pub async fn settle(
        &self,
        seen: &ProbeResult,
        cancel: &CancellationToken,
    ) -> Option<Transcript> {
        let (spec, dial) = seen.again.as_ref()?;
        if seen.transcript.client_certificate.not_proven.is_some() {
            return None;
        }
        let mut transcript = (*seen.transcript).clone();
        settle_demand(&mut transcript, spec, &**dial, cancel).await;
        (transcript.client_certificate.demand != seen.transcript.client_certificate.demand)
            .then_some(transcript)
    }
}

/// Why a connection that failed proves nothing about the gateway: it left from this machine, because no
/// better transport was allowed, and pod addresses are often not reachable from there.
fn not_reached(transcript: &Transcript, way: &Way, choices: usize) -> Option<String> {
    let is_fallback = way.via == Via::Direct && choices > 1;
    let never_connected = match transcript.nginx.outcome {
        Outcome::ConnectError => true,
        Outcome::Timeout => transcript.tls.is_none() && transcript.server_chain.is_empty(),
        _ => false,
    };
    (is_fallback && never_connected).then(|| {
        format!(
            "from this machine {} is not reachable, which proves nothing about the gateway",
            transcript.target
        )
    })
}
