//! What logs prove: the codes of probes where nothing was probed, and what only logs tell.

mod meaning;
mod network;
mod process;
mod sentence;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

pub(super) use network::left_out;
pub(in crate::diagnosis) use network::{N1, N2, R14};
pub(super) use process::refused_configuration;
pub(in crate::diagnosis) use process::{D6, D7, K7};

use super::{
    change,
    handshake::{incomplete_by_log, objects, subject},
};
use crate::{
    command::Command,
    diagnosis::{
        context::Context,
        engine::Findings,
        finding::{Finding, Mark, Severity},
        plan::ProbePlan,
        words,
    },
    logs::{Counted, Joined, PodLog, Role},
    model::{object::ObjectRef, topology::host_and_port},
};
use meaning::Meaning;

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
}

/// Lines of the logs that mean `code`: added to the finding that probes make of the same, or a finding of
/// their own, for each Service port and Gateway.
pub(super) fn said(context: &Context<'_>, findings: &mut Findings, code: &'static str) {
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
    for ((gateway, service, _), said) in groups {
        if let Some(finding) = findings.about(code, &[gateway, service]) {
            *finding = with_lines(context, finding.clone(), &said);
        } else if let Some(finding) = finding(context, code, &said) {
            findings.add(finding);
        }
    }
}

fn finding(context: &Context<'_>, code: &'static str, said: &[Said<'_>]) -> Option<Finding> {
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
        Age::BeforeProbe(_) => Severity::Info,
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
    };
    if let Some(doubt) = &first.meaning.doubt {
        finding = finding.unknown().because(doubt.clone());
    }
    if youngest == Age::Current {
        let share = if failing.len() < all {
            format!("{} of {all} endpoints", failing.len())
        } else {
            "every endpoint".to_owned()
        };
        finding = finding
            .breaks(sentence::effect(
                plan,
                &first.joined.counted.last_line,
                &share,
            ))
            .because(see_the_handshake(plan));
    }
    if code == "NGF-B5" {
        finding = incomplete_by_log(context, plan, finding);
    }
    if code == "NGF-B9"
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
    if let Some(at) = probed.filter(|at| *at > counted.last) {
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
    match reloaded.filter(|at| *at > counted.last) {
        Some(at) => Age::BeforeReload(at),
        None => Age::Current,
    }
}
