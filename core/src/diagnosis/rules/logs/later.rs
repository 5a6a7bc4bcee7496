//! What a later line proves of an earlier one: a connection that got further, or a request that was
//! answered, ends what failed before.

use jiff::{SignedDuration, Timestamp};

use super::endpoints;
use crate::{
    diagnosis::{context::Context, plan::ProbePlan},
    logs::{ClientVerify, Counted, Meaning, Phase, PodLog, Role},
};

/// How far a connection got before it failed: TCP, the handshake, nginx's judgement of the certificate, the
/// request.
fn reached(what: &Meaning) -> Option<u8> {
    Some(match what {
        Meaning::ConnectRefused
        | Meaning::ConnectFailed { .. }
        | Meaning::TimedOut {
            phase: Phase::Connecting,
        } => 0,
        Meaning::TimedOut {
            phase: Phase::Handshaking,
        }
        | Meaning::Closed {
            phase: Phase::Handshaking,
            ..
        }
        | Meaning::Alert {
            phase: Phase::Connecting | Phase::Handshaking,
            ..
        }
        | Meaning::NotTls
        | Meaning::TlsFailed { .. }
        | Meaning::ProxyProtocol
        | Meaning::HandshakeRefused { .. } => 1,
        Meaning::VerifyError { .. } => 2,
        Meaning::NameMismatch { .. } => 3,
        Meaning::TimedOut { .. }
        | Meaning::Closed { .. }
        | Meaning::Alert { .. }
        | Meaning::NoClientCertificate
        | Meaning::ClientRefused { .. }
        | Meaning::Misdirected => 4,
        Meaning::ClientVerify {
            verify: ClientVerify::Success,
            ..
        } => 5,
        _ => return None,
    })
}

/// When a connection to the same endpoint got further than this line says, and what shows it.
pub(super) fn got_further(
    context: &Context<'_>,
    log: &PodLog,
    counted: &Counted,
    plan: &ProbePlan,
) -> Option<(Timestamp, &'static str)> {
    let step = reached(&counted.last_line.what)?;
    let same = |other: &ProbePlan| {
        other.gateway == plan.gateway
            && other.service == plan.service
            && other.endpoint == plan.endpoint
    };
    let failed_later = context
        .logs
        .iter()
        .filter(|joined| joined.counted.last > counted.last)
        .filter(|joined| reached(&joined.counted.last_line.what).is_some_and(|at| at > step))
        .filter(|joined| joined.plans.iter().any(|other| same(other)))
        .map(|joined| {
            (
                joined.counted.last,
                "a connection got further, and failed otherwise",
            )
        });
    failed_later
        .chain(answered(context, log, counted, plan, step))
        .max_by_key(|(at, _)| *at)
}

/// Requests that were answered since.
fn answered(
    context: &Context<'_>,
    log: &PodLog,
    counted: &Counted,
    plan: &ProbePlan,
    step: u8,
) -> Option<(Timestamp, &'static str)> {
    // The backend's own word about a client certificate of the gateway.
    let pod = plan.endpoint.pod.as_ref();
    let gateway_ips: Vec<std::net::IpAddr> = context
        .evidence
        .logs()
        .filter(|log| log.gateway.as_ref() == Some(&plan.gateway))
        .filter_map(|log| context.snapshot.pods.get(&log.pod))
        .flat_map(|pod| pod.status.ips.iter().filter_map(|ip| ip.parse().ok()))
        .collect();
    let accepted = context
        .evidence
        .logs()
        .filter(|log| log.role == Role::Application && Some(&log.pod) == pod)
        .flat_map(|log| log.tally.said.values())
        .filter(|said| reached(&said.last_line.what) == Some(5) && step < 5)
        .filter(|said| {
            let client = said.last_line.request.client;
            client.is_some_and(|client| gateway_ips.contains(&client))
        })
        .filter(|said| said.last > counted.last)
        .filter(|said| is_of_a_client(context, plan, said))
        .map(|said| said.last)
        .max();
    if let Some(at) = accepted {
        return Some((at, "the backend accepted a request of the gateway"));
    }
    // The same request, answered; where another endpoint can have done it, it proves nothing.
    let request = counted.last_line.request.request.as_ref()?;
    if log.role != Role::DataPlane || endpoints(context, plan) != 1 {
        return None;
    }
    let at = *log.tally.answered.get(request)?;
    // Another host's request may have the same line.
    let hosts: std::collections::BTreeSet<&str> = context
        .logs
        .iter()
        .filter(|joined| std::ptr::eq(joined.log, log))
        .flat_map(|joined| joined.plans.iter())
        .map(|plan| plan.host.as_str())
        .collect();
    let is_alone = services_of(context, plan) == 1 && hosts.len() <= 1;
    (is_alone && at > counted.last).then_some((at, "nginx answered the same request with success"))
}

/// How far apart the lines of nginx and of the backend about one request may be, for clocks and whole seconds.
const ONE_REQUEST: SignedDuration = SignedDuration::from_secs(2);

/// Whether a client's request was accepted, and not one of this tool's probes from nginx's own pod, which go on where
/// nginx stops. Their requests are marked, and their lines left out; a format without the request cannot show it, and
/// counts only where nginx answered a client at that time.
fn is_of_a_client(context: &Context<'_>, plan: &ProbePlan, said: &Counted) -> bool {
    if said.last_line.request.request.is_some() {
        return true;
    }
    let mut answered = context
        .evidence
        .logs()
        .filter(|log| log.gateway.as_ref() == Some(&plan.gateway) && log.role == Role::DataPlane)
        .flat_map(|log| log.tally.answered.values());
    answered.any(|at| at.duration_since(said.last).abs() <= ONE_REQUEST)
}

/// How many Services the routes of a Gateway use: an access log names none.
fn services_of(context: &Context<'_>, plan: &ProbePlan) -> usize {
    let services: std::collections::BTreeSet<_> = context
        .rules_of(&plan.gateway)
        .flat_map(|rule| &rule.decision.backends)
        .filter_map(|backend| backend.service.as_ref())
        .collect();
    services.len()
}
