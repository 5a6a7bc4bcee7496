//! What logs prove: the codes of probes where nothing was probed, and what only logs tell.

mod agent;
mod later;
mod meaning;
mod network;
mod process;
mod sentence;
mod stale;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

pub(super) use network::left_out;
pub(in crate::diagnosis) use network::{N1, N2, R14};
pub(in crate::diagnosis) use process::{D6, D7, K7};
pub(super) use process::{refused_by_backend, refused_configuration};
pub(super) use stale::stale_by_log;

use super::{
    change,
    handshake::{
        Refusal, deeper, depth_text, incomplete_by_log, objects, subject, too_deep, untrusted,
    },
    shared::upper,
};
use crate::diagnosis::code::Code;
use crate::{
    command::Command,
    diagnosis::{
        context::Context,
        engine::Findings,
        finding::{Finding, Mark, Remedy, Severity},
        joined::Joined,
        mounted,
        plan::ProbePlan,
        rules::{condition::silence::controller_pods, nginx_config::tls_since},
        trust, words,
    },
    logs::{Counted, Phase, PodLog, Role, What},
    model::object::ObjectRef,
};
use meaning::Meaning;
use ngf_text::host_and_port;

/// How to see what a log line tells of.
fn see_the_handshake(plan: &ProbePlan) -> String {
    let probe = Command::new("ngf-tui")
        .namespace(&plan.service.namespace)
        .words(["probe"])
        .service_port(&plan.service, plan.port);
    match probe.text() {
        Ok(probe) => format!("The log says so; to see the handshake itself: {probe}"),
        Err(_) => "The log says so; a probe shows the handshake itself.".to_owned(),
    }
}

/// A line, the connection that it is about, and what it proves of it.
struct Said<'a> {
    joined: &'a Joined<'a>,
    plan: &'a ProbePlan,
    meaning: Meaning,
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
pub(super) fn said(context: &Context<'_>, findings: &mut Findings, code: Code) {
    let mut groups: BTreeMap<(&ObjectRef, &ObjectRef, u16), Vec<Said<'_>>> = BTreeMap::new();
    for joined in &context.logs {
        for plan in &joined.plans {
            let meaning = meaning::of(context, joined, plan);
            if let Some(meaning) = meaning.filter(|meaning| meaning.code == code) {
                let group = groups.entry((&plan.gateway, &plan.service, plan.port));
                group.or_default().push(Said {
                    joined,
                    plan,
                    meaning,
                });
            }
        }
    }
    for ((gateway, service, _), mut said) in groups {
        said.retain(|said| !is_of_older_file(context, findings, code, said));
        if said.is_empty() {
            continue;
        }
        if let Some(finding) = findings.about(code, &[gateway, service]) {
            *finding = with_lines(context, finding.clone(), &said);
            let is_of_now = |said: &Said<'_>| !matches!(said.age(context), Age::BeforeReload(_));
            finding.by_probe_alone &= !said.iter().any(is_of_now);
        } else if let Some(finding) = finding(context, code, &said) {
            findings.add(finding);
        }
    }
}

/// Whether a line comes of an older CA or client certificate on the disk of one data-plane pod (NGF-D3): it proves
/// nothing of what the objects hold and of what the backend presents, and is shown there.
fn is_of_older_file(
    context: &Context<'_>,
    findings: &mut Findings,
    code: Code,
    said: &Said<'_>,
) -> bool {
    let counted = said.joined.counted;
    let what = match (&counted.last_line.what, code) {
        (What::VerifyError { .. }, _) => "The CA ",
        (_, Code::B2 | Code::B3 | Code::B4 | Code::B5 | Code::B6 | Code::B10 | Code::B11) => {
            "The client certificate "
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

fn finding(context: &Context<'_>, code: Code, said: &[Said<'_>]) -> Option<Finding> {
    let youngest = said.iter().map(|said| said.age(context)).min()?;
    let said: Vec<&Said<'_>> = said
        .iter()
        .filter(|said| said.age(context) == youngest)
        .collect();
    let first = said.first()?;
    let plan = first.plan;
    // Two reasons not to believe it are one too many.
    if first.meaning.doubt.is_some() && youngest != Age::Current {
        return None;
    }
    let failing: BTreeSet<String> = said.iter().map(|said| said.endpoint()).collect();
    let all = endpoints(context, plan).max(failing.len());
    let severity = match youngest {
        Age::Current if failing.len() < all || first.meaning.doubt.is_some() => Severity::Warning,
        Age::Current => Severity::Error,
        Age::BeforeReload(_) => Severity::Warning,
        Age::BeforeProbe(_) | Age::BeforeOther(..) => Severity::Info,
    };
    let mut finding = Finding::new(
        code,
        severity,
        subject(code, plan),
        sentence::title(code, plan, &first.joined.counted.last_line),
    )
    .scope(objects(plan).iter());
    if severity == Severity::Info {
        finding.marks.clear();
    } else {
        finding.marks = said.iter().map(|said| said.mark()).collect();
        finding.marks.dedup();
    }
    let last = said.iter().map(|said| said.joined.counted.last).max()?;
    let ago = |at: Timestamp| words::span(context.now.as_second() - at.as_second());
    finding = match youngest {
        Age::Current => finding,
        Age::BeforeReload(at) => finding.unknown().because(format!(
            "It was last said {} ago, and nginx has loaded another configuration since, {} ago: whether it still holds only a probe can say.",
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
    if let Some(doubt) = &first.meaning.doubt {
        finding = finding.unknown().because(doubt.clone());
    }
    if youngest == Age::Current {
        let line = &first.joined.counted.last_line;
        finding = finding
            .breaks(sentence::effect(context, plan, line, failing.len(), all))
            .because(see_the_handshake(plan));
    }
    if youngest == Age::Current {
        finding = further(context, code, first, &failing, all, finding);
    }
    if code == Code::B5 {
        finding = incomplete_by_log(context, plan, finding);
    }
    if code == Code::B9
        && plan.tls.is_none()
        && let Some(remedy) = change::policy_for(context, &plan.service)
    {
        finding = finding.remedy(remedy);
    }
    let said: Vec<Said<'_>> = said
        .into_iter()
        .map(|said| Said {
            joined: said.joined,
            plan: said.plan,
            meaning: said.meaning.clone(),
        })
        .collect();
    Some(with_lines(context, finding, &said))
}

/// The lines as evidence, each once, with how often and when.
fn with_lines(context: &Context<'_>, mut finding: Finding, said: &[Said<'_>]) -> Finding {
    let mut seen = BTreeSet::new();
    let mut lines: Vec<&Said<'_>> = said
        .iter()
        .filter(|said| seen.insert(std::ptr::from_ref::<Counted>(said.joined.counted)))
        .collect();
    lines.sort_by_key(|said| std::cmp::Reverse(said.joined.counted.last));
    for said in lines.into_iter().take(4) {
        finding = line(context, finding, said.joined.log, said.joined.counted);
    }
    finding
}

/// A counted line as evidence.
pub(in crate::diagnosis::rules) fn line(
    context: &Context<'_>,
    finding: Finding,
    log: &PodLog,
    counted: &Counted,
) -> Finding {
    let now = context.now.as_second();
    let last = words::span(now - counted.last.as_second());
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

impl Said<'_> {
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
        let mut pods = context.snapshot.pods.values();
        pods.find(|pod| pod.spec.ips.contains(&client))
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
        && matches!(counted.last_line.what, What::PlainToTls)
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

/// What a code means beside its title, where only a log tells.
fn further(
    context: &Context<'_>,
    code: Code,
    first: &Said<'_>,
    failing: &BTreeSet<String>,
    all: usize,
    finding: Finding,
) -> Finding {
    let plan = first.plan;
    let is_in_handshake = matches!(
        first.joined.counted.last_line.what,
        What::TimedOut {
            phase: Phase::Handshaking
        }
    );
    match code {
        Code::T14 if is_in_handshake => finding
            .because("The connection stands, so no NetworkPolicy is in the way: the process behind the port does not answer the handshake.")
            .remedy(Remedy::say(
                "See whether the backend's process hangs or is overloaded, and whether the port speaks TLS at all.",
            )),
        Code::T1 if failing.len() < all => finding
            .because(format!(
                "Only {} fails: it probably sends another certificate than the others, or leaves out its intermediate.",
                words::list(failing, 3)
            ))
            .remedy(Remedy::say(format!(
                "Compare what {} presents with the other endpoints; restart it if it has not loaded a renewed certificate.",
                words::list(failing, 3)
            ))),
        Code::T2 => {
            let service = context.index.service(&plan.service);
            let mounted = service.map(|service| {
                mounted::with_certificates(context.snapshot, service, "tls.crt")
            });
            let count = mounted
                .as_deref()
                .and_then(|all| all.first())
                .map_or(0, |(_, chain)| trust::intermediates(chain));
            finding
                .because(depth_text(context, count))
                .remedy(Remedy::say(if context.running.release.renders_verify_depth() {
                    "Shorten the chain, or put a nearer CA that is self-signed into the policy's bundle."
                } else {
                    "Upgrade NGF to 2.6 or later, shorten the chain, or put a nearer CA that is self-signed into the policy's bundle."
                }))
        }
        Code::B2 => match untrusted(context, plan, None) {
            Refusal::TooDeep {
                intermediates,
                depth,
            } => finding
                .because(format!("{}.", upper(&too_deep(intermediates, depth))))
                .remedy(deeper(intermediates)),
            _ => finding,
        },
        Code::B9 if plan.tls.is_some() => {
            let policy = plan.tls.as_ref().map(|tls| tls.policy.to_string()).unwrap_or_default();
            finding
                .because(format!("The line is younger than {policy}: NGF has not applied it."))
                .remedy(Remedy::command(
                    "See whether NGF's controller runs and has written a status into the policy.",
                    controller_pods(),
                ))
        }
        _ => finding,
    }
}
