//! What a probe showed, in a sentence with names.

use ngf_tls::transcript::{Outcome, Transcript};

use super::refusal::{Refusal, refusal};
use crate::diagnosis::code::Code;
use crate::{
    diagnosis::{
        context::Context,
        plan::{PlannedTls, ProbePlan, TrustSource},
        rules::change,
        words::{self, answer, list},
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
        format!("{share}: nginx tries the next one, so that {clients} mostly get an answer, later")
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

/// Where to look first.
pub(in crate::diagnosis::rules) fn subject<'a>(code: Code, plan: &'a ProbePlan) -> &'a ObjectRef {
    let policy = plan.tls.as_ref().map_or(&plan.service, |tls| &tls.policy);
    match code {
        Code::T1 | Code::T3 | Code::T8 | Code::T9 | Code::T10 | Code::T12 | Code::B8 => policy,
        Code::B1 | Code::B2 | Code::B3 | Code::B4 | Code::B5 | Code::B10 | Code::B11 => {
            &plan.gateway
        }
        _ => &plan.service,
    }
}

pub(super) fn title(
    context: &Context<'_>,
    code: Code,
    plan: &ProbePlan,
    transcript: &Transcript,
) -> String {
    let service = format!("{}:{}", plan.service, plan.port);
    let nginx = &transcript.nginx;
    let leaf = transcript.server_chain.first();
    let tls = plan.tls.as_ref();
    let hostname = tls.map_or("", |tls| tls.hostname.as_str());
    let trust = tls.map_or_else(String::new, trust_text);
    let now = context.now.as_second();
    match code {
        Code::T1 | Code::T3 | Code::T4 if change::named_ca_signed(context, plan, transcript) => {
            format!(
                "nginx goes by an older CA than {}, which signed what {service} presents",
                tls.map_or_else(String::new, |tls| tls.trust.to_string())
            )
        }
        Code::T1 => format!("{trust} did not sign the certificate that {service} presents"),
        Code::T2 => format!(
            "{service} sends {} intermediates, and nginx follows {}",
            transcript.server_chain.len().saturating_sub(1),
            tls.map_or(4, |tls| tls.verify_depth)
        ),
        Code::T3 => format!("{trust} holds no root for the certificate that {service} presents"),
        Code::T4 => {
            format!("{service} presents a self-signed certificate that {trust} does not hold")
        }
        Code::T5 => match leaf.filter(|leaf| leaf.not_after < now) {
            Some(leaf) => format!(
                "The certificate that {service} presents expired {} ago",
                words::span(now - leaf.not_after)
            ),
            None => format!("A certificate above the one that {service} presents has expired"),
        },
        Code::T6 => format!("The certificate that {service} presents is not valid yet"),
        Code::T7 => format!("The certificate that {service} presents is not made for servers"),
        Code::T8 => format!(
            "The certificate that {service} presents is not for {hostname}, which the policy asks for"
        ),
        Code::T9 => format!(
            "The policy's hostname {hostname} is an IP address, which nginx finds in no certificate's IP SAN"
        ),
        Code::T10 => format!("{service} does not know the name {hostname}"),
        Code::T11 => format!("nginx and {service} have no TLS version or cipher in common"),
        Code::T12 => format!("{service} does not speak TLS, and a policy makes nginx speak it"),
        Code::T13 => format!("{service} closes the connection during the handshake"),
        Code::T14 if nginx.outcome == Outcome::Timeout => {
            format!("{service} does not answer in time")
        }
        Code::T14 => format!("nginx cannot connect to {service}"),
        Code::B1 => format!(
            "{service} demands a client certificate, and {} presents none",
            plan.gateway
        ),
        Code::B3 => format!(
            "{service} refuses the client certificate of {}, which is not valid now",
            plan.gateway
        ),
        Code::B4 => format!(
            "{service} refuses the client certificate of {}, which is not made for clients",
            plan.gateway
        ),
        Code::B5 | Code::B6 => refused(context, plan, transcript, &service),
        Code::B7 if transcript.client_certificate.requested => {
            format!("{service} asks for a client certificate and does not insist on one")
        }
        Code::B7 => format!("{service} never asks for a client certificate: this is no mutual TLS"),
        Code::B8 => format!(
            "{service} has another server for the Host {} than for the name {hostname}",
            plan.host
        ),
        Code::B16 => format!("{service} does not speak HTTP/2, which nginx speaks to it"),
        Code::B9 => format!("nginx speaks plain HTTP to {service}, which wants TLS"),
        Code::B10 | Code::B11 if !transcript.client_certificate.sent => format!(
            "{service} demands a client certificate, and {} presents none",
            plan.gateway
        ),
        Code::B2 | Code::B10 | Code::B11 => format!(
            "{service} refuses the client certificate of {}",
            plan.gateway
        ),
        Code::T20 => format!(
            "nginx refuses the certificate that {service} presents: {}",
            nginx.verify_text.as_deref().unwrap_or("verify error")
        ),
        _ => format!("The TLS handshake with {service} fails"),
    }
}

fn refused(
    context: &Context<'_>,
    plan: &ProbePlan,
    transcript: &Transcript,
    service: &str,
) -> String {
    let gateway = &plan.gateway;
    match refusal(context, plan, Some(transcript)) {
        Refusal::Incomplete(missing) => format!(
            "{service} refuses the client certificate of {gateway}: {} is missing behind it in tls.crt",
            list(missing.iter().map(|known| &known.facts.subject), 3)
        ),
        Refusal::OtherCaInBackend(_) => format!(
            "{service} asks for clients of {}, and refuses the certificate of {gateway}, whose CA issued its own",
            list(&transcript.client_certificate.acceptable_cas, 2)
        ),
        _ => format!("{service} refuses the client certificate of {gateway}"),
    }
}

pub(in crate::diagnosis::rules) fn trust_text(tls: &PlannedTls) -> String {
    match &tls.trust {
        TrustSource::Object { object, .. } => format!("The CA in {object}"),
        TrustSource::System => "No CA of the data plane's system".to_owned(),
    }
}
