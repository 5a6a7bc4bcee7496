//! What stands beside a probe, so that one screen holds it all: what the gateway's client gets by the
//! whole path, and what the application and the data plane logged at that moment.

mod compare;
mod names;

use std::{collections::BTreeSet, net::IpAddr, sync::Arc, time::Duration};

use futures::future::join_all;
use jiff::Timestamp;
use ngf_probes::{
    dial::{Dial, Direct},
    probe,
    spec::{HttpSpec, ProbeSpec, TlsSpec, Trust},
};
use ngf_text::sanitize;
use ngf_tls::{
    protocol::Protocol,
    transcript::{Outcome, Transcript},
};
use serde::Serialize;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub use compare::compare;
use compare::headline;
pub use names::NameView;

use crate::{
    LogOptions,
    transport::{Exec, PortForward, Transports, Via},
};
use ngf_core::{
    data_plane::CONTAINER,
    diagnosis::{
        ngf::{Running, frontend},
        plan::ProbePlan,
    },
    logs,
    model::{kind::Kind, kinds::Listener, object::ObjectRef},
};
use ngf_text::{host_and_port, in_words};

/// With more probes than this at a time, logs are not read and the gateway is not asked beside each.
pub const MOST_PROBES: usize = 4;
/// How long an address of the Gateway may take to answer before another way is tried: many are not
/// reachable from where people sit.
const CONNECT: Duration = Duration::from_secs(2);
/// How long a log may take to hold what was just written.
const FLUSH: [Duration; 3] = [
    Duration::from_millis(150),
    Duration::from_millis(350),
    Duration::from_secs(1),
];
/// Lines that are kept of each log.
const LINES: usize = 12;
/// Bytes that are read of each log; a debug log writes them by the thousand.
const LOG_BYTES: u32 = 512 << 10;
/// Data-plane pods whose logs are read: any of them may have served the client.
const DATA_PLANES: usize = 5;
/// Containers of a pod whose logs are read.
const CONTAINERS: usize = 4;

/// An address to ask the Gateway at instead of its status's: `--gateway-address HOST[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or IP address, without brackets.
    pub host: String,
    /// `None` for the listener's.
    pub port: Option<u16>,
}

/// What stands beside a probe.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ProbeContext {
    /// What the gateway's client gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientView>,
    /// Lines of that moment, of the application and of the data plane.
    pub log_lines: Vec<LogLine>,
    /// The backend's names, as the pod and as this machine resolves them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<NameView>,
    /// What could not be had, and why, a sentence each.
    pub missing: Vec<String>,
}

/// A request to the Gateway's listener, as one of its clients would send it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientView {
    /// Where it was sent: `http://10.96.3.4:80/`, Host as the route has it.
    pub request: String,
    /// How the bytes went.
    pub via: String,
    /// The status; `None` where no answer came.
    pub status: Option<u16>,
    /// The title of the answer, where it is HTML, or its first line; or what came instead.
    pub answer: String,
    /// The answer's first bytes.
    #[serde(skip)]
    pub body: String,
    /// How it stands to what the probe says, in a sentence.
    pub sentence: String,
}

/// Whose log a line is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The application's pod.
    Application,
    /// nginx's container of a data-plane pod.
    DataPlane,
}

/// A line of a log that belongs to a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// Whose log it is.
    pub source: Source,
    /// The pod and container: `Pod shop/app-1 (app)`.
    pub from: String,
    /// The line, cleaned of control characters.
    pub line: String,
    /// The step that it explains, by its name in the transcript.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<&'static str>,
    /// What it means, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub means: Option<String>,
}

/// All of it, after a probe that began at `began` and saw `transcript`.
pub async fn probe_context(
    transports: &Transports,
    plan: &ProbePlan,
    asked: &Asked<'_>,
    began: Timestamp,
    transcript: &Transcript,
) -> ProbeContext {
    let mut context = ProbeContext::default();
    let (lines, missing) = log_lines(transports, plan, &[], asked.seen_from, began).await;
    context.log_lines = lines;
    context.missing = missing;
    for name in names::names_of(plan, asked.service_names) {
        let looked_up = match asked.exec {
            Some(exec) => names::look_up(&name, exec, asked.timeout).await,
            None => Err(format!(
                "this way leads through no pod that could be asked what {name} is: use --via exec"
            )),
        };
        match looked_up {
            Ok(view) => context.names.push(view),
            Err(why) => context
                .missing
                .push(format!("what {name} is in the pod: {why}")),
        }
    }
    let began = Timestamp::now();
    match client_view(transports, plan, asked).await {
        Ok(mut view) => {
            view.sentence = match closes_without_answer(transports, plan) {
                Some(why) if view.status.is_none() => why,
                _ => compare(&view, transcript),
            };
            context.client = Some(view);
        }
        Err(why) => {
            let why = format!("what the gateway's client gets: {why}");
            context.missing.push(why);
            return context;
        }
    }
    // A fault is worth the time that it takes until it is logged.
    let went_well = |status: Option<u16>| status.is_some_and(|status| status < 500);
    if went_well(context.client.as_ref().and_then(|client| client.status)) {
        return context;
    }
    let pods = transports.data_plane_pods(&plan.gateway, None);
    let pods: Vec<_> = pods
        .unwrap_or_default()
        .into_iter()
        .take(DATA_PLANES)
        .map(|pod| pod.pod)
        .collect();
    if !pods.is_empty() {
        let (lines, missing) = log_lines(transports, plan, &pods, None, began).await;
        context.log_lines.extend(lines);
        context.missing.extend(missing);
    }
    context
}

/// How to ask.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Where the Gateway is, where its status does not say so.
    pub address: Option<&'a Address>,
    /// Why the address of the Gateway's status leads elsewhere, where it does: then the data plane is asked
    /// by port-forward.
    pub elsewhere: Option<&'static str>,
    /// The address that the application saw the probe come from.
    pub seen_from: Option<IpAddr>,
    /// What the bytes leave by, where that is a pod.
    pub exec: Option<&'a Exec>,
    /// Look up the Service's name, too.
    pub service_names: bool,
    /// Bound on each phase of the client's request.
    pub timeout: Duration,
    /// Ends it.
    pub cancel: &'a CancellationToken,
}

/// Asks as a client of the Gateway would: at the address of its status, or at `address`, or, where
/// that cannot be reached, through port-forward to the data plane. `None` where a route has no
/// listener to ask.
pub async fn client_view(
    transports: &Transports,
    plan: &ProbePlan,
    asked: &Asked<'_>,
) -> Result<ClientView, String> {
    let Asked {
        address,
        elsewhere,
        timeout,
        cancel,
        ..
    } = *asked;
    if plan.route.kind == Kind::GRPCRoute {
        return Err(
            "not asked: a client of a GRPCRoute speaks HTTP/2, and an HTTP/1.1 request would prove nothing"
                .to_owned(),
        );
    }
    let listener = listener(transports, plan).ok_or("no listener of it is known")?;
    let tls = match listener.protocol.as_str() {
        "HTTP" => None,
        "HTTPS" => Some(TlsSpec {
            server_name: plan.host.clone(),
            // What a client thinks of the listener's certificate is not asked here.
            trust: Trust::System,
            client_identity: None,
            verify_depth: 4,
            at: None,
        }),
        other => return Err(format!("listener {} speaks {other}", listener.name)),
    };
    let place = place(transports, plan, listener, address);
    // Through the data plane it can be asked before it has an address.
    let has_address = place.is_some();
    let (host, port) = place.unwrap_or_else(|| ("localhost".to_owned(), listener.port));
    let spec = |timeout| ProbeSpec {
        host: host.clone(),
        port,
        tls: tls.clone(),
        http: HttpSpec {
            method: "GET".to_owned(),
            host: plan.host.clone(),
            // Not marked as a probe's: what nginx makes of it is evidence.
            path: plan.path.clone(),
        },
        protocol: Protocol::Http1,
        timeout,
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let request = sanitize::line(
        &format!("{scheme}://{}{}", host_and_port(&host, port), plan.path),
        300,
    );
    let ask = async |dial: Arc<dyn Dial>, timeout| match probe(&spec(timeout), &*dial, cancel).await
    {
        Ok(transcript) if reached(&transcript) => Ok(transcript),
        Ok(transcript) => Err(transcript.nginx.sentence),
        Err(error) => Err(in_words(&error)),
    };
    // An address that somebody names is meant; one of the status may be behind a firewall.
    let patience = if address.is_some() {
        timeout
    } else {
        timeout.min(CONNECT)
    };
    let direct = match elsewhere {
        Some(why) => Err(why.to_owned()),
        None if has_address => ask(Arc::new(Direct), patience).await,
        None => Err("the Gateway's status holds no address".to_owned()),
    };
    let (transcript, via) = match direct {
        Ok(transcript) => (transcript, "direct".to_owned()),
        Err(why) if address.is_some() => return Err(format!("{request}: {why}")),
        Err(why) => {
            let forward = forward(transports, plan).await;
            let forward = forward.map_err(|other| format!("{request}: {why}; {other}"))?;
            let via = forward.via().to_owned();
            match ask(Arc::new(forward), timeout).await {
                Ok(transcript) => (transcript, via),
                Err(other) => return Err(format!("{request}: {why}; by {via}: {other}")),
            }
        }
    };
    Ok(view(request, via, &transcript))
}

/// Something came from the other side.
fn reached(transcript: &Transcript) -> bool {
    match transcript.nginx.outcome {
        Outcome::ConnectError => false,
        Outcome::Timeout => transcript.address.is_some(),
        _ => true,
    }
}

fn view(request: String, via: String, transcript: &Transcript) -> ClientView {
    let answer = match &transcript.http {
        Some(http) => headline(&http.body),
        None => transcript.nginx.sentence.clone(),
    };
    ClientView {
        request,
        via,
        status: transcript.http.as_ref().map(|http| http.status),
        answer,
        body: transcript
            .http
            .as_ref()
            .map_or_else(String::new, |http| http.body.clone()),
        sentence: String::new(),
    }
}

/// Why a client without a certificate gets no answer from the listener: frontend TLS demands one, and NGF
/// renders `return 444` for clients that have none.
fn closes_without_answer(transports: &Transports, plan: &ProbePlan) -> Option<String> {
    let snapshot = transports.snapshot();
    let listener = listener(transports, plan).filter(|listener| listener.protocol == "HTTPS")?;
    let gateway = snapshot.gateways.get(&plan.gateway)?;
    let release = Running::of(snapshot).release;
    let demand = frontend::demand(snapshot, release, gateway, listener.port)?;
    (!demand.insecure).then(|| {
        let cas = demand.cas.iter().map(|ca| ca.label.as_str());
        format!(
            "listener {} demands a client certificate ({}), and this request has none: the gateway closes the connection without an answer (444), which says nothing about the backend",
            listener.name,
            cas.collect::<Vec<_>>().join(", ")
        )
    })
}

fn listener<'a>(transports: &'a Transports, plan: &ProbePlan) -> Option<&'a Listener> {
    let (owner, name) = plan.listener.as_ref()?;
    let snapshot = transports.snapshot();
    let gateways = snapshot.gateways.get(owner);
    let listeners = gateways
        .map(|gateway| &gateway.spec.listeners)
        .or_else(|| {
            snapshot
                .listener_sets
                .get(owner)
                .map(|set| &set.spec.listeners)
        })?;
    listeners.iter().find(|listener| listener.name == *name)
}

fn place(
    transports: &Transports,
    plan: &ProbePlan,
    listener: &Listener,
    address: Option<&Address>,
) -> Option<(String, u16)> {
    if let Some(address) = address {
        return Some((address.host.clone(), address.port.unwrap_or(listener.port)));
    }
    let gateway = transports.snapshot().gateways.get(&plan.gateway)?;
    let known = gateway.spec.addresses.first()?;
    Some((known.clone(), listener.port))
}

async fn forward(transports: &Transports, plan: &ProbePlan) -> Result<PortForward, String> {
    let pod = transports.data_plane_pod(&plan.gateway, None)?;
    let namespace = &plan.gateway.namespace;
    transports.allowed(Via::PortForward, namespace).await?;
    Ok(PortForward::new(transports.cluster(), &pod.pod))
}

/// Reads what the application's pod, or where `of_data_plane` names any the data plane's, logged since
/// `since`. `seen_from` is the address that the application saw, where it is known: lines of
/// other clients are left out then.
pub async fn log_lines(
    transports: &Transports,
    plan: &ProbePlan,
    of_data_plane: &[ObjectRef],
    seen_from: Option<IpAddr>,
    since: Timestamp,
) -> (Vec<LogLine>, Vec<String>) {
    let mut sources: Vec<(ObjectRef, String, Source)> = Vec::new();
    if of_data_plane.is_empty()
        && let Some(pod) = &plan.endpoint.pod
        && let Some(object) = transports.snapshot().pods.get(pod)
    {
        let containers = object.spec.containers.iter().take(CONTAINERS);
        sources.extend(containers.map(|c| (pod.clone(), c.name.clone(), Source::Application)));
    }
    for pod in of_data_plane {
        sources.push((pod.clone(), CONTAINER.to_owned(), Source::DataPlane));
    }
    let (mut lines, mut missing) = (Vec::new(), BTreeSet::new());
    for pause in FLUSH {
        sleep(pause).await;
        lines.clear();
        missing.clear();
        let read = sources
            .iter()
            .map(|source| read(transports, plan, source, seen_from, since));
        for result in join_all(read).await {
            match result {
                Ok(found) => lines.extend(found),
                Err(why) => {
                    missing.insert(why);
                }
            }
        }
        let said = |source: Source| {
            lines
                .iter()
                .any(|line: &LogLine| line.means.is_some() && line.source == source)
        };
        let all_said = sources.iter().all(|(_, _, source)| said(*source));
        if all_said || missing.len() == sources.len() {
            break;
        }
    }
    (lines, missing.into_iter().collect())
}

async fn read(
    transports: &Transports,
    plan: &ProbePlan,
    (pod, container, source): &(ObjectRef, String, Source),
    seen_from: Option<IpAddr>,
    since: Timestamp,
) -> Result<Vec<LogLine>, String> {
    let elapsed = Timestamp::now().duration_since(since).as_secs().max(0);
    let options = LogOptions {
        // By the node's clock, with a second to spare; its clock may differ from this one's.
        seconds: Some(u32::try_from(elapsed).unwrap_or(60) + 1),
        limit: Some(LOG_BYTES),
        ..LogOptions::default()
    };
    let log = transports
        .cluster()
        .pod_log(&pod.namespace, &pod.name, container, &options)
        .await
        .map_err(|error| in_words(&error))?;
    let upstream = host_and_port(&plan.endpoint.address, plan.endpoint.port);
    let found = log.lines().filter_map(|line| {
        let belongs = match source {
            Source::Application => {
                seen_from.is_none_or(|ip| logs::names_address(line, &ip.to_string()))
            }
            Source::DataPlane => line.contains(&upstream),
        };
        if !belongs {
            return None;
        }
        let decoded = logs::decode(line)?;
        if decoded.is_of_backend() != (*source == Source::Application) {
            return None;
        }
        Some(LogLine {
            source: *source,
            from: format!("{pod} ({container})"),
            line: sanitize::line(line, 400),
            step: decoded.step(),
            means: Some(decoded.means()),
        })
    });
    let mut found: Vec<_> = found.collect();
    found.drain(..found.len().saturating_sub(LINES));
    Ok(found)
}
