//! What a probe showed, in a sentence with names.

use ngf_tls::transcript::{Outcome, Transcript};

use super::connection::Case;
use crate::{
    diagnosis::{
        context::Context,
        plan::{ProbePlan, TrustSource},
        rules::change,
        words::answer,
    },
    model::{kind::Kind, object::ObjectRef},
};

pub(super) fn effect(
    context: &Context<'_>,
    plan: &ProbePlan,
    transcript: &Transcript,
    failing: usize,
    endpoints: usize,
) -> String {
    let kind = plan.route.kind;
    // The backend's own answer is passed on, whatever the next endpoint would answer.
    let is_passed_on = transcript.nginx.outcome == Outcome::HttpError && transcript.http.is_some();
    let status = match transcript.nginx.client_status {
        None => "an error".to_owned(),
        Some(status) if is_passed_on => status.to_string(),
        Some(status) => answer(kind, status),
    };
    let share = format!("{failing} of {endpoints} endpoints");
    let clients = context.clients(&plan.route, plan.rule, &plan.service);
    if failing < endpoints && is_passed_on {
        format!("{share}: {clients} get {status} from these")
    } else if failing < endpoints {
        format!("{share}: nginx tries the next one: {clients} usually get an answer, but later")
    } else if plan.route.kind == Kind::TLSRoute {
        format!("{share}: connections of {} are closed", plan.route)
    } else {
        format!("{share}: {clients} get {status}")
    }
}

/// `400 No required SSL certificate was sent`.
pub(super) fn answer_text(status: u16, body: &str) -> String {
    let title = body
        .split_once("<title>")
        .and_then(|(_, rest)| rest.split_once("</title>"))
        .map_or_else(
            || body.lines().next().unwrap_or_default(),
            |(title, _)| title,
        );
    let title: String = title.chars().take(120).collect();
    if title.starts_with(&status.to_string()) {
        title
    } else {
        format!("{status} {title}")
    }
}

/// All that a connection depends on.
pub(in crate::diagnosis::rules) fn objects(plan: &ProbePlan) -> Vec<ObjectRef> {
    let mut objects = vec![
        plan.gateway.clone(),
        plan.route.clone(),
        plan.service.clone(),
    ];
    if let Some(tls) = &plan.tls {
        objects.push(tls.policy.clone());
        objects.extend(tls.client_certificate.clone());
        if let TrustSource::Object { object, .. } = &tls.trust {
            objects.push(object.clone());
        }
    }
    objects
}

/// How many intermediates nginx follows by the release that runs, beside how many there are.
pub(in crate::diagnosis::rules) fn depth_text(
    context: &Context<'_>,
    intermediates: usize,
) -> String {
    let running = &context.running;
    let depth = running.release.verify_depth();
    let follows = if running.release.renders_verify_depth() {
        format!("NGF renders proxy_ssl_verify_depth {depth}: nginx follows {depth} intermediates")
    } else {
        format!(
            "NGF {} renders no proxy_ssl_verify_depth, so nginx follows {depth} intermediate; NGF 2.6 and later follow 4",
            running.release
        )
    };
    format!("{follows}. The chain has {intermediates}.")
}

/// That a client's chain has more intermediates than the backend follows.
pub(in crate::diagnosis::rules) fn too_deep(intermediates: usize, depth: u32) -> String {
    format!(
        "the chain of the client certificate has {intermediates} intermediates, and the backend follows {depth} (ssl_verify_depth; nginx's default is 1)"
    )
}

/// That the backend refuses the client certificate.
pub(super) fn refuses(case: &Case<'_, '_>) -> String {
    format!(
        "{} refuses the client certificate of {}",
        case.service(),
        case.plan.gateway
    )
}

/// That the backend demands a client certificate.
pub(super) fn demands(case: &Case<'_, '_>) -> String {
    format!(
        "{} demands a client certificate, and {} presents none",
        case.service(),
        case.plan.gateway
    )
}

/// One or the other, where an alert stands for both.
pub(super) fn demands_or_refuses(case: &Case<'_, '_>) -> String {
    let is_sent = match case.transcript() {
        Some(transcript) => transcript.client_certificate.sent,
        None => case.client_certificate().is_some(),
    };
    if is_sent {
        refuses(case)
    } else {
        demands(case)
    }
}

/// That the policy's CA signed what a probe saw, and nginx has an older one; `None` where it is not so.
pub(super) fn older_ca(case: &Case<'_, '_>) -> Option<String> {
    let signed = change::named_ca_signed(case.context, case.plan, case.transcript()?);
    let trust = &case.plan.tls.as_ref()?.trust;
    signed.then(|| {
        format!(
            "nginx goes by an older CA than {trust}, which signed what {} presents",
            case.service()
        )
    })
}

/// The CA that nginx goes by, at the beginning of a sentence.
pub(super) fn trust_text(case: &Case<'_, '_>) -> String {
    match case.plan.tls.as_ref().map(|tls| &tls.trust) {
        Some(TrustSource::Object { object, .. }) => format!("The CA in {object}"),
        Some(TrustSource::System) => "The CA file of the data plane's image".to_owned(),
        None => String::new(),
    }
}
