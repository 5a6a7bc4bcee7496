//! What logs prove: the codes of probes where nothing was probed, and what only logs tell.

mod agent;
mod later;
mod network;
mod process;
mod sentence;
mod stale;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

pub(super) use network::left_out;
pub(in crate::diagnosis) use network::{N1, N2, R14};
pub(in crate::diagnosis) use process::{D6, D7, K7};
pub(super) use process::{of_file, refused_by_backend, refused_configuration};
pub(super) use stale::stale_by_log;

use super::handshake::{Case, Claim, Connection, objects};
use crate::diagnosis::code::Code;
use crate::{
    command::Command,
    diagnosis::{
        context::Context,
        engine::Findings,
        fault::Fault,
        finding::{Finding, Mark, Severity},
        joined::Joined,
        plan::{ProbePlan, TrustSource},
        rules::nginx_config::tls_since,
        words,
    },
    logs::{Counted, Meaning, PodLog, Role},
    model::{kind::Kind, object::ObjectRef},
};
use ngf_text::host_and_port;

/// How to see what a log line tells of.
fn see_the_handshake(plan: &ProbePlan) -> String {
    let probe = Command::own()
        .namespace(&plan.service.namespace)
        .words(["probe"])
        .service_port(&plan.service, plan.port);
    match probe.text() {
        Ok(probe) => format!("The log says so; to see the handshake itself: {probe}"),
        Err(_) => "The log says so; a probe shows the handshake itself.".to_owned(),
    }
}

/// A line, the connection that it is about, and what it proves of it.
struct ProvenLine<'a, 'c> {
    joined: &'a Joined<'a>,
    plan: &'a ProbePlan,
    case: Case<'a, 'c>,
    /// What else it could mean, in a sentence.
    doubt: Option<String>,
}

/// How a line stands to what is known from after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    /// Nothing newer contradicts it.
    Current,
    /// nginx has loaded another configuration since.
    BeforeReload(Timestamp),
    /// The endpoint was probed since.
    BeforeProbe(Timestamp),
    /// A connection got further since: a request was answered, or failed at a later step.
    BeforeOther(Timestamp, &'static str),
}

/// Lines of the logs that mean `code`: added to the finding that probes make of the same, or a finding of
/// their own, for each Service port and Gateway.
pub(super) fn said(context: &Context<'_>, findings: &mut Findings, connection: &Connection) {
    let mut groups: BTreeMap<(&ObjectRef, &ObjectRef, u16), Vec<ProvenLine<'_, '_>>> =
        BTreeMap::new();
    for joined in &context.logs {
        for plan in &joined.plans {
            let Some(case) = Case::of_line(context, plan, joined) else {
                continue;
            };
            let doubt = match connection.claims_line(&case) {
                Claim::No => continue,
                Claim::Sure => None,
                Claim::Doubt(doubt) => Some(doubt),
            };
            let group = groups.entry((&plan.gateway, &plan.service, plan.port));
            group.or_default().push(ProvenLine {
                joined,
                plan,
                case,
                doubt,
            });
        }
    }
    for ((gateway, service, port), mut said) in groups {
        said.retain(|said| !is_of_older_file(context, findings, connection, said));
        if said.is_empty() {
            continue;
        }
        let is_of_it = |finding: &Finding| {
            let has = |object: &ObjectRef| finding.objects().any(|known| known == object);
            finding.code == connection.code
                && has(gateway)
                && has(service)
                && is_of_endpoints(context, finding, service, port, &said)
        };
        if let Some(finding) = findings.find_mut(is_of_it) {
            *finding = with_lines(context, finding.clone(), &said);
            let is_of_now =
                |said: &ProvenLine<'_, '_>| !matches!(said.age(context), Age::BeforeReload(_));
            finding.by_probe_alone &= !said.iter().any(is_of_now);
        } else if let Some(finding) = finding(context, connection, &mut said) {
            findings.add(finding);
        }
    }
}

/// Whether a finding is about a Service's port, or, where it is about one data-plane pod, about the pod of the lines.
fn is_of_endpoints(
    context: &Context<'_>,
    finding: &Finding,
    service: &ObjectRef,
    port: u16,
    said: &[ProvenLine<'_, '_>],
) -> bool {
    let ports: Vec<bool> = finding
        .marks
        .iter()
        .filter_map(|mark| match mark {
            Mark::Endpoint {
                service: of,
                port: number,
                ..
            } => Some(of == service && *number == port),
            _ => None,
        })
        .collect();
    let mut pods = finding.objects().filter(|object| object.kind == Kind::Pod);
    let pod = pods.next();
    ports.contains(&true)
        || ports.is_empty()
            && (pod.is_none() || said.iter().all(|said| said.data_plane_pod(context) == pod))
}

/// Verify codes that another CA than the right one gives: no path to a root that is trusted, a signature that does
/// not fit, a root that is none.
const OF_THE_CA: [i32; 6] = [2, 7, 18, 19, 20, 21];

/// Whether a line comes of an older CA or client certificate on the disk of one data-plane pod (NGF-D3): it proves
/// nothing of what the objects hold and of what the backend presents, and is shown there.
fn is_of_older_file(
    context: &Context<'_>,
    findings: &mut Findings,
    connection: &Connection,
    said: &ProvenLine<'_, '_>,
) -> bool {
    let counted = said.joined.counted;
    let tls = said.plan.tls.as_ref();
    let (what, object) = match &said.case.fault {
        // Dates, purposes and names of the backend's certificate are not the CA's.
        Fault::Verify {
            code: Some(code), ..
        } if OF_THE_CA.contains(code) => match tls.map(|tls| &tls.trust) {
            Some(TrustSource::Object { object, .. }) => ("The CA ", object),
            _ => return false,
        },
        _ if connection.refuses_client_certificate => {
            match tls.and_then(|tls| tls.client_certificate.as_ref()) {
                Some(secret) => ("The client certificate ", secret),
                None => return false,
            }
        }
        _ => return false,
    };
    let Some(pod) = said.data_plane_pod(context) else {
        return false;
    };
    let plan = said.plan;
    let is_it = |finding: &Finding| {
        let has = |object: &ObjectRef| finding.objects().any(|known| known == object);
        finding.code == Code::D3
            && finding.title.starts_with(what)
            && has(pod)
            && has(&plan.service)
            && has(object)
    };
    let Some(known) = findings.find_mut(is_it) else {
        return false;
    };
    if said.age(context) == Age::Current {
        known.severity = Severity::Error;
        let effect = format!("clients whose requests {pod} takes get an error");
        if known.effects.is_empty() {
            known.effects.push(effect);
        }
    }
    let place = said.joined.log.place();
    let text = &counted.last_line.text;
    let is_shown = known
        .evidence
        .iter()
        .any(|line| line.value == *text && line.place == place);
    if !is_shown {
        *known = line(context, known.clone(), said.joined.log, counted);
    }
    true
}

fn finding(
    context: &Context<'_>,
    connection: &Connection,
    said: &mut Vec<ProvenLine<'_, '_>>,
) -> Option<Finding> {
    let youngest = said.iter().map(|said| said.age(context)).min()?;
    said.retain(|said| said.age(context) == youngest);
    // Two reasons not to believe it are one too many.
    if said.first()?.doubt.is_some() && youngest != Age::Current {
        return None;
    }
    let failing: BTreeSet<String> = said.iter().map(ProvenLine::endpoint).collect();
    let all = endpoints(context, said.first()?.plan).max(failing.len());
    if youngest == Age::Current
        && let Some(first) = said.first_mut()
    {
        first.case.holds_now(failing.clone(), all);
    }
    let first = said.first()?;
    let (plan, code) = (first.plan, connection.code);
    let severity = match youngest {
        Age::Current if failing.len() < all || first.doubt.is_some() => Severity::Warning,
        Age::Current => Severity::Error,
        Age::BeforeReload(_) => Severity::Warning,
        Age::BeforeProbe(_) | Age::BeforeOther(..) => Severity::Info,
    };
    let mut finding = Finding::new(
        code,
        severity,
        connection.subject(plan),
        (connection.title)(&first.case),
    )
    .scope(objects(plan).iter());
    if severity == Severity::Info {
        finding.marks.clear();
    } else {
        finding.marks = said.iter().map(ProvenLine::mark).collect();
        finding.marks.dedup();
    }
    let last = said.iter().map(|said| said.joined.counted.last).max()?;
    let ago = |at: Timestamp| context.now.span(at.as_second());
    finding = match youngest {
        Age::Current => finding,
        Age::BeforeReload(at) => finding.unknown().because(format!(
            "It was last said {} ago, and nginx has loaded another configuration since, {} ago: only a probe shows whether it still holds.",
            ago(last),
            ago(at)
        )),
        Age::BeforeProbe(at) => finding.because(format!(
            "It was last said {} ago; a probe {} ago saw otherwise.",
            ago(last),
            ago(at)
        )),
        Age::BeforeOther(at, what) => finding.because(format!(
            "It was last said {} ago; {what} {} ago.",
            ago(last),
            ago(at)
        )),
    };
    if let Some(doubt) = &first.doubt {
        finding = finding.unknown().because(doubt.clone());
    }
    if youngest == Age::Current {
        let line = &first.joined.counted.last_line;
        finding = finding
            .breaks(sentence::effect(context, plan, line, failing.len(), all))
            .because(see_the_handshake(plan));
    }
    finding = (connection.explain)(&first.case, finding);
    if let Some(remedy) = (connection.remedy)(&first.case) {
        finding = finding.remedy(remedy);
    }
    Some(with_lines(context, finding, said))
}

/// The lines as evidence, each once, with how often and when.
fn with_lines(context: &Context<'_>, mut finding: Finding, said: &[ProvenLine<'_, '_>]) -> Finding {
    let mut seen = BTreeSet::new();
    let mut lines: Vec<&ProvenLine<'_, '_>> = said
        .iter()
        .filter(|said| seen.insert(std::ptr::from_ref::<Counted>(said.joined.counted)))
        .collect();
    lines.sort_by_key(|said| std::cmp::Reverse(said.joined.counted.last));
    for said in lines.into_iter().take(4) {
        finding = line(context, finding, said.joined.log, said.joined.counted);
    }
    finding
}

/// Whether a line was written for the last time more than so many seconds before the log's end, or before now.
pub(in crate::diagnosis::rules) fn is_over(
    context: &Context<'_>,
    log: &PodLog,
    counted: &Counted,
    seconds: i64,
) -> bool {
    let last = counted.last.as_second().saturating_add(seconds);
    match log.until {
        Some(end) => end.as_second() > last,
        None => context.now.is_after(last),
    }
}

/// A counted line as evidence.
pub(in crate::diagnosis::rules) fn line(
    context: &Context<'_>,
    finding: Finding,
    log: &PodLog,
    counted: &Counted,
) -> Finding {
    let last = context.now.span(counted.last.as_second());
    let what = if counted.count == 1 {
        format!("logged once, {last} ago")
    } else {
        format!(
            "logged {} times in {}, last {last} ago",
            counted.count,
            words::span(counted.last.as_second() - counted.first.as_second())
        )
    };
    // Of a saved log the place tells no pod, and the endpoint may be in no EndpointSlice.
    let what = match (&log.file, &counted.last_line.request.upstream) {
        (Some(_), Some(upstream)) => format!("{what}, of {upstream}"),
        _ => what,
    };
    finding.evidence(what, counted.last_line.text.clone(), log.place())
}

/// How many endpoints a backend has, as far as connections are planned.
fn endpoints(context: &Context<'_>, plan: &ProbePlan) -> usize {
    let service = context.index.service(&plan.service);
    let port = service.and_then(|service| {
        let mut ports = service.spec.ports.iter();
        ports.find(|port| port.port == plan.port)
    });
    match (service, port) {
        (Some(service), Some(port)) => context
            .index
            .endpoints(service, port)
            .iter()
            .filter(|endpoint| endpoint.ready)
            .count(),
        _ => 0,
    }
}

impl ProvenLine<'_, '_> {
    fn endpoint(&self) -> String {
        host_and_port(&self.plan.endpoint.address, self.plan.endpoint.port)
    }

    fn mark(&self) -> Mark {
        mark(self.plan)
    }

    /// The data-plane pod whose nginx opened the connection: the log's own, or the client's in a backend's log.
    fn data_plane_pod<'c>(&'c self, context: &'c Context<'_>) -> Option<&'c ObjectRef> {
        let log = self.joined.log;
        if log.role == Role::DataPlane {
            return Some(&log.pod);
        }
        let client = self.joined.counted.last_line.request.client?.to_string();
        let mut pods = context.cluster(&[Kind::Pod]).pods.values();
        pods.find(|pod| pod.status.ips.contains(&client))
            .map(|pod| &pod.reference)
    }

    fn age(&self, context: &Context<'_>) -> Age {
        age(context, self.joined.log, self.joined.counted, self.plan)
    }
}

fn mark(plan: &ProbePlan) -> Mark {
    Mark::Endpoint {
        service: plan.service.clone(),
        port: plan.port,
        address: plan.endpoint.address.clone(),
        endpoint_port: plan.endpoint.port,
    }
}

fn age(context: &Context<'_>, log: &PodLog, counted: &Counted, plan: &ProbePlan) -> Age {
    let probed = context
        .probes
        .iter()
        .filter(|probed| probed.result.is_ok() && probed.plan.gateway == plan.gateway)
        .filter(|probed| {
            probed.plan.service == plan.service && probed.plan.endpoint == plan.endpoint
        })
        .map(|probed| probed.at)
        .max();
    let is_since = |at: &Timestamp| *at > counted.last;
    // A probe speaks TLS where a policy asks for it, and shows nothing of an nginx that does not.
    let is_of_older_nginx = plan.tls.is_some()
        && matches!(counted.last_line.what, Meaning::PlainToTls)
        && context
            .evidence
            .logs()
            .any(|log| log.gateway.as_ref() == Some(&plan.gateway) && log.failed.is_none());
    if is_of_older_nginx {
        if let Some(at) = tls_since(context, plan).filter(is_since) {
            return Age::BeforeOther(at, "nginx was found to be configured with TLS");
        }
    } else if let Some(at) = probed.filter(is_since) {
        return Age::BeforeProbe(at);
    }
    let reloaded = match log.role {
        Role::DataPlane => log.tally.reloaded,
        // Any pod of the data plane may have asked the backend.
        _ => {
            let of_gateway = context
                .evidence
                .logs()
                .filter(|other| other.gateway.as_ref() == Some(&plan.gateway));
            of_gateway.map(|other| other.tally.reloaded).min().flatten()
        }
    };
    if let Some(at) = reloaded.filter(|at| *at > counted.last) {
        return Age::BeforeReload(at);
    }
    match later::got_further(context, log, counted, plan) {
        Some((at, what)) => Age::BeforeOther(at, what),
        None => Age::Current,
    }
}
