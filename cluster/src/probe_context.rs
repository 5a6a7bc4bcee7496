//! The context of a probe, so that one screen holds it all: what the gateway's client gets by the
//! whole path, and what the application and the data plane logged at that moment.

mod client;
mod compare;
mod names;

use std::{borrow::Cow, collections::BTreeSet, net::IpAddr, time::Duration};

use futures::future::join_all;
use jiff::Timestamp;
use ngf_probes::spec::ClientIdentity;
use ngf_text::sanitize;
use ngf_tls::transcript::Transcript;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub use client::{as_met, client_view, meet};
pub use compare::compare;
pub use ngf_core::diagnosis::probe_context::{ClientView, LogLine, NameView, ProbeContext, Source};

use crate::{
    LogOptions,
    transport::{Exec, Transports},
};
use ngf_core::{
    data_plane::CONTAINER,
    diagnosis::plan::ProbePlan,
    logs::{self, Decoded, Meaning, Role},
    model::object::ObjectRef,
};
use ngf_text::{host_and_port, in_words};

/// With more probes than this at a time, logs are not read and the gateway is not asked beside each.
pub const MOST_PROBES: usize = 4;
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
                "no pod on this path can resolve {name}: use --via exec"
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
    match client_view(transports, plan, asked, transcript).await {
        Ok(view) => context.client = Some(view),
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
    /// The pod from which the connection originates, where it is one.
    pub exec: Option<&'a Exec>,
    /// Look up the Service's name, too.
    pub service_names: bool,
    /// The client certificate that is presented to the listener, where it asks for one.
    pub identity: Option<&'a ClientIdentity>,
    /// Bound on each phase of the client's request.
    pub timeout: Duration,
    /// Ends it.
    pub cancel: &'a CancellationToken,
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
            Source::DataPlane => line.contains(&upstream) || may_be_of_client(line),
        };
        if !belongs {
            return None;
        }
        let (step, means) = match (logs::decode(line), source) {
            (Some(decoded), Source::Application) if decoded.is_of_backend() => {
                (decoded.step(), decoded.means())
            }
            (Some(decoded), Source::DataPlane) if !decoded.is_of_backend() => {
                (decoded.step(), decoded.means())
            }
            // What a data plane writes of its own clients is about the listener, and explains no step of the probe.
            (Some(decoded), Source::DataPlane) if is_of_client(&decoded, &plan.host) => {
                (None, decoded.means_in(Role::DataPlane))
            }
            (None, Source::DataPlane) if is_closed_without_answer(line) => (
                None,
                "the listener closed a client's connection without an answer (444)".to_owned(),
            ),
            _ => return None,
        };
        Some(LogLine {
            source: *source,
            from: format!("{pod} ({container})"),
            line: sanitize::line(line, 400),
            step: step.map(Cow::Borrowed),
            means: Some(means),
        })
    });
    let mut found: Vec<_> = found.collect();
    found.drain(..found.len().saturating_sub(LINES));
    Ok(found)
}

/// Whether a line of the data plane may be about a client of the gateway and its certificate.
fn may_be_of_client(line: &str) -> bool {
    line.contains("SSL certificate") || is_closed_without_answer(line)
}

/// Whether nginx says that it did not accept a client's certificate, or its absence, for that host.
fn is_of_client(decoded: &Decoded, host: &str) -> bool {
    let about = &decoded.request;
    let is_refusal = matches!(
        decoded.what,
        Meaning::ClientRefused { .. } | Meaning::NoClientCertificate
    );
    is_refusal && about.upstream.is_none() && about.host.as_deref().is_none_or(|said| said == host)
}

/// A line of nginx's access log in its usual format with status 444.
fn is_closed_without_answer(line: &str) -> bool {
    line.contains("\" 444 ")
}
