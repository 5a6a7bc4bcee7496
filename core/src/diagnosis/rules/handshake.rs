//! T and B: what a handshake comes to, in both directions. `codes` has a file for each code; what stands here makes
//! findings of what probes showed.

pub(in crate::diagnosis) mod codes;
pub(in crate::diagnosis) mod connection;
pub(in crate::diagnosis) mod demanded;
pub(in crate::diagnosis) mod one_certificate;
mod places;
mod refusal;
mod remedy;
mod sentence;
mod shown;
pub(in crate::diagnosis) mod upstream;

use std::collections::{BTreeMap, BTreeSet};

use ngf_tls::transcript::{Outcome, Transcript};

pub(in crate::diagnosis) use connection::wanting_tls;
pub(super) use connection::{Case, Claim, Connection};

use sentence::{answer_text, effect};
pub(super) use sentence::{depth_text, objects, too_deep};

use super::logs;
use crate::diagnosis::{
    context::Context,
    engine::Findings,
    evidence::Probed,
    finding::{Finding, Mark, Severity},
    words::list,
};
use ngf_text::host_and_port;

/// All that probes and logs tell of one code.
fn told(context: &Context<'_>, findings: &mut Findings, connection: &Connection) {
    probed(context, findings, connection);
    places::from_unfit_pods(context, findings, connection);
    logs::said(context, findings, connection);
}

/// A probe of a fault.
struct Shown<'a, 'c> {
    probed: &'a Probed,
    transcript: &'a Transcript,
    case: Case<'a, 'c>,
}

impl<'a, 'c> Shown<'a, 'c> {
    /// A probe that shows this fault.
    fn of(context: &'a Context<'c>, probed: &'a Probed, connection: &Connection) -> Option<Self> {
        let transcript = probed.result.as_deref().ok()?;
        let case = Case::of_probe(context, &probed.plan, transcript)?;
        (connection.claims(&case) != Claim::No).then_some(Self {
            probed,
            transcript,
            case,
        })
    }
}

/// Probes of one Service port from one Gateway that ended alike make one finding.
fn probed(context: &Context<'_>, findings: &mut Findings, connection: &Connection) {
    let mut groups: BTreeMap<_, (Vec<Shown<'_, '_>>, BTreeSet<String>)> = BTreeMap::new();
    for probed in &context.probes {
        if probed.result.is_err() {
            continue;
        }
        let plan = &probed.plan;
        let (alike, all) = groups
            .entry((&plan.gateway, &plan.service, plan.port))
            .or_default();
        all.insert(host_and_port(&plan.endpoint.address, plan.endpoint.port));
        alike.extend(Shown::of(context, probed, connection));
    }
    // What is the policy's fault is one finding, however many Services it has.
    let mut told: Vec<Finding> = Vec::new();
    for (alike, all) in groups.values() {
        let Some(finding) = finding(connection, alike, all.len()) else {
            continue;
        };
        let same =
            |known: &&mut Finding| known.subject == finding.subject && known.title == finding.title;
        match told.iter_mut().find(same) {
            Some(known) => {
                known.effects.extend(finding.effects);
                known.marks.extend(finding.marks);
                known.scope.extend(finding.scope);
                known.severity = known.severity.min(finding.severity);
            }
            None => told.push(finding),
        }
    }
    for finding in told {
        findings.add(finding);
    }
}

fn finding(connection: &Connection, alike: &[Shown<'_, '_>], endpoints: usize) -> Option<Finding> {
    let Shown {
        probed,
        transcript,
        case,
    } = alike.first()?;
    let (context, plan) = (case.context, case.plan);
    let failing: BTreeSet<String> = alike
        .iter()
        .map(|shown| {
            let endpoint = &shown.probed.plan.endpoint;
            host_and_port(&endpoint.address, endpoint.port)
        })
        .collect();
    // One endpoint of several is enough: nginx can never use it. That it tries the next one, so that
    // clients mostly get an answer, the effect says (T16).
    let severity = connection.code.rule().severity;
    let mut finding = Finding::new(
        connection.code,
        severity,
        connection.subject(plan),
        (connection.title)(case),
    )
    .scope(objects(plan).iter())
    .by_probe_alone();
    if severity != Severity::Info {
        finding.marks.clear();
        for shown in alike {
            let plan = shown.case.plan;
            finding = finding.mark(Mark::Endpoint {
                service: plan.service.clone(),
                port: plan.port,
                address: plan.endpoint.address.clone(),
                endpoint_port: plan.endpoint.port,
            });
        }
    }
    finding = (connection.explain)(case, finding);
    let place = format!(
        "probe of {} {} ago",
        list(&failing, 2),
        context.now.span(probed.at.as_second())
    );
    if let Some(line) = &transcript.nginx.log_line {
        finding = finding.evidence("nginx would log", line, &place);
    }
    // After a bad certificate nginx never sees the answer that the probe waits for.
    if let Some(answer) = &transcript.http
        && transcript.nginx.outcome == Outcome::HttpError
    {
        finding = finding.evidence("answer", answer_text(answer.status, &answer.body), &place);
    }
    if let Some(places) = places::seen_from(alike) {
        finding = finding.because(places);
    }
    if severity != Severity::Info {
        finding = finding.breaks(effect(context, plan, transcript, failing.len(), endpoints));
    }
    Some(match (connection.remedy)(case) {
        Some(remedy) => finding.remedy(remedy),
        None => finding,
    })
}

#[cfg(test)]
mod tests;
