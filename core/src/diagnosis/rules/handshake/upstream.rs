//! T15 to T18: what an upstream of several endpoints, sessions and kept connections make of a fault
//! that a probe showed. A probe is one fresh connection to one endpoint; a client of the gateway sees
//! something milder, or later.

use std::collections::BTreeMap;

use ngf_tls::transcript::{Outcome, Transcript};

use super::connection::code_of;
use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Severity},
        rule::{Need, Rule},
        words,
    },
    model::{kind::Kind, object::ObjectRef},
};
use ngf_text::host_and_port;

/// How long a session may be resumed at most, in seconds (RFC 8446 §4.6.1: seven days).
const SESSION_SECONDS: i64 = 7 * 24 * 60 * 60;

/// What probes of one Service port from one Gateway showed.
#[derive(Default)]
struct Upstream<'a> {
    failing: Vec<(&'a super::Probed, &'a Transcript, Code)>,
    /// Endpoints, each once.
    endpoints: std::collections::BTreeSet<(String, u16)>,
    failing_endpoints: std::collections::BTreeSet<(String, u16)>,
}

/// Upstreams with an endpoint that nginx gets no answer from. A 400 of the backend is an answer.
fn broken<'a>(
    context: &'a Context<'_>,
) -> BTreeMap<(&'a ObjectRef, &'a ObjectRef, u16), Upstream<'a>> {
    let mut found: BTreeMap<_, Upstream<'a>> = BTreeMap::new();
    for probed in context.probes.iter().copied() {
        let Ok(transcript) = &probed.result else {
            continue;
        };
        let plan = &probed.plan;
        let upstream = found
            .entry((&plan.gateway, &plan.service, plan.port))
            .or_default();
        let endpoint = (plan.endpoint.address.clone(), plan.endpoint.port);
        upstream.endpoints.insert(endpoint.clone());
        let answered = matches!(transcript.nginx.outcome, Outcome::Ok | Outcome::HttpError);
        if let (false, Some(code)) = (answered, code_of(context, probed)) {
            upstream.failing.push((probed, transcript, code));
            upstream.failing_endpoints.insert(endpoint);
        }
    }
    found.retain(|_, upstream| !upstream.failing.is_empty());
    found
}

fn about(code: Code, upstream: &Upstream<'_>, title: impl Into<String>) -> Option<Finding> {
    let (probed, _, _) = upstream.failing.first()?;
    let plan = &probed.plan;
    let mut finding = Finding::new(code, Severity::Info, &plan.service, title)
        .scope(super::sentence::objects(plan).iter());
    finding.marks.clear();
    Some(finding)
}

pub(in crate::diagnosis) const T15: Rule = Rule {
    code: Code::T15,
    severity: Severity::Error,
    title: "Every endpoint of an upstream fails, so that nginx's log hides the cause",
    explanation: "Where an upstream has several endpoints, nginx leaves one out for ten seconds after a failure. When all are out it logs `no live upstreams` instead of the cause, and answers 502 without a try. The line before the first of those names the cause.",
    remedy: "Look for the lines before `no live upstreams`, or at the probe.",
    causes: &[],
    needs: &[Need::Paths, Need::Logs, Need::Handshake],
    check: |context, findings| {
        for ((gateway, service, port), upstream) in &broken(context) {
            let failing = upstream.failing_endpoints.len();
            // nginx never leaves out the only server of an upstream.
            if failing < 2 || failing < upstream.endpoints.len() {
                continue;
            }
            let title = format!(
                "All {failing} endpoints of {service}:{port} fail: nginx of {gateway} logs `no live upstreams` for most requests, which hides the cause"
            );
            findings_add(
                findings,
                about(Code::T15, upstream, title).map(|finding| {
                    finding
                        .because("After one failure nginx leaves an endpoint out for ten seconds.")
                }),
            );
        }
        super::super::logs::left_out(context, findings, Code::T15);
    },
};

pub(in crate::diagnosis) const T16: Rule = Rule {
    code: Code::T16,
    severity: Severity::Warning,
    title: "Some endpoints of an upstream fail, and nginx's retry hides it",
    explanation: "nginx tries the next endpoint when one fails, so that clients get 200, later; it logs `upstream server temporarily disabled` as a warning. Requests that may not be sent twice (POST after the request was passed on) can still fail.",
    remedy: "Repair the endpoints that fail; probe every one of them.",
    causes: &[],
    needs: &[Need::Paths, Need::Logs, Need::Handshake],
    check: |context, findings| {
        for ((_, service, port), upstream) in &broken(context) {
            let (failing, all) = (upstream.failing_endpoints.len(), upstream.endpoints.len());
            if failing == all {
                continue;
            }
            let names = upstream
                .failing_endpoints
                .iter()
                .map(|(address, port)| host_and_port(address, *port));
            let title = format!(
                "{failing} of {all} endpoints of {service}:{port} {} ({}): clients usually get an answer from another one, but later",
                if failing == 1 { "fails" } else { "fail" },
                words::list(names, 3)
            );
            findings_add(findings, about(Code::T16, upstream, title));
        }
        super::super::logs::left_out(context, findings, Code::T16);
    },
};

pub(in crate::diagnosis) const T17: Rule = Rule {
    code: Code::T17,
    severity: Severity::Info,
    title: "Sessions that nginx made before the fault may still pass",
    explanation: "nginx resumes TLS sessions with an upstream, and a resumed session carries no certificate to check: requests can get 200 for as long as the backend takes the session, after its certificate expired. A probe never resumes one. TLS 1.3 bounds a session to seven days.",
    remedy: "Trust the probe: the gateway fails as soon as its sessions end, or nginx reloads.",
    causes: &[],
    needs: &[Need::Paths, Need::Logs, Need::Handshake],
    check: |context, findings| {
        let now = &context.now;
        for ((gateway, service, port), upstream) in &broken(context) {
            let ended = upstream
                .failing
                .iter()
                .filter(|(_, _, code)| *code == Code::T5)
                .filter_map(|(_, transcript, _)| {
                    transcript
                        .server_chain
                        .iter()
                        .map(|facts| facts.not_after)
                        .min()
                })
                .find(|end| now.is_after(*end) && now.is_before(end + SESSION_SECONDS));
            let Some(ended) = ended else { continue };
            let title = format!(
                "nginx of {gateway} may still get through to {service}:{port} with sessions from before the certificate expired, {} ago",
                now.span(ended)
            );
            findings_add(
                findings,
                about(Code::T17, upstream, title).map(|finding| {
                    finding
                        .because("A resumed session carries no certificate, so nginx checks none; a probe never resumes.")
                        .evidence("expired", words::moment(ended), format!("presented by {}:{port}", service.path()))
                }),
            );
        }
    },
};

pub(in crate::diagnosis) const T18: Rule = Rule {
    code: Code::T18,
    severity: Severity::Info,
    title: "Connections that nginx keeps open to the backend delay the symptom",
    explanation: "nginx uses a connection again for the next request: NGF 2.4 to 2.6 keeps 16 for each upstream, unless an UpstreamSettingsPolicy sets another number or 0; from 2.7 on an UpstreamSettingsPolicy with keepAlive does, and without one NGF sends `Connection: close` for HTTP/1.1. What was opened before a certificate or a CA changed stays in use until it is closed, so that a fault shows on some requests only, and later.",
    remedy: "Trust the probe, which opens a fresh connection; a reload of nginx closes the kept ones.",
    causes: &[],
    needs: &[Need::Paths, Need::Logs, Need::Handshake, Need::Pods],
    check: |context, findings| {
        for ((_, service, port), upstream) in &broken(context) {
            let (keeper, what, count, place) = match keep_alive(context, service) {
                Kept::Nothing => continue,
                Kept::ByPolicy(policy, count) => (
                    policy.to_string(),
                    "spec.keepAlive.connections",
                    count,
                    policy.to_string(),
                ),
                // Of other faults it is unknown whether a connection from before could be made.
                Kept::ByDefault(..) if !worked_before(upstream) => continue,
                Kept::ByDefault(count, workload) => (
                    format!("NGF {}", context.running.release),
                    "keepalive",
                    u64::from(count),
                    format!("the default of {workload}"),
                ),
            };
            let title = format!(
                "Connections to {service}:{port} that nginx opened before still carry requests: {keeper} keeps them"
            );
            findings_add(
                findings,
                about(Code::T18, upstream, title)
                    .map(|finding| finding.evidence(what, count.to_string(), place)),
            );
        }
    },
};

fn findings_add(findings: &mut Findings, finding: Option<Finding>) {
    if let Some(finding) = finding {
        findings.add(finding);
    }
}

/// Whether connections are certain to have been possible before: a certificate expired.
fn worked_before(upstream: &Upstream<'_>) -> bool {
    let mut codes = upstream.failing.iter().map(|(_, _, code)| *code);
    codes.any(|code| matches!(code, Code::T5 | Code::B3))
}

/// Who keeps connections to a Service open, and how many.
enum Kept<'a> {
    Nothing,
    ByPolicy(&'a ObjectRef, u64),
    ByDefault(u32, &'a ObjectRef),
}

/// `processKeepAliveSettings`. Where no policy gives a number the release decides; an unknown one keeps
/// nothing.
fn keep_alive<'a>(context: &'a Context<'_>, service: &ObjectRef) -> Kept<'a> {
    let targets = |policy: &ObjectRef| {
        policy.kind == Kind::UpstreamSettingsPolicy && policy.namespace == service.namespace
    };
    let of_service = context.snapshot.ngf.iter().filter(|(name, policy)| {
        let mut refs = policy.spec.target_refs.iter();
        targets(name) && refs.any(|target| target.name == service.name)
    });
    let mut given = of_service.filter_map(|(name, policy)| {
        let count = policy
            .raw
            .pointer("/spec/keepAlive/connections")?
            .as_u64()?;
        Some((name, count))
    });
    if let Some((policy, count)) = given.next() {
        return match count {
            0 => Kept::Nothing,
            count => Kept::ByPolicy(policy, count),
        };
    }
    let running = &context.running;
    match (running.release.default_keep_alive(), &running.said_by) {
        (Some(count), Some((workload, _))) => Kept::ByDefault(count, workload),
        _ => Kept::Nothing,
    }
}
