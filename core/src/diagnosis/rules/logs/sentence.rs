//! What a log says of a connection, in a sentence with names.

use crate::diagnosis::code::Code;
use crate::{
    diagnosis::{
        context::Context,
        plan::{ProbePlan, TrustSource},
        rules::handshake::trust_text,
        words::answer,
    },
    logs::{Decoded, Phase, What},
    model::kind::Kind,
};

pub(super) fn title(code: Code, plan: &ProbePlan, line: &Decoded) -> String {
    let service = format!("{}:{}", plan.service, plan.port);
    let gateway = &plan.gateway;
    let hostname = plan.tls.as_ref().map_or("", |tls| tls.hostname.as_str());
    let trust = plan.tls.as_ref().map_or_else(String::new, trust_text);
    match code {
        Code::T1 => match plan.tls.as_ref().map(|tls| &tls.trust) {
            Some(TrustSource::System) => format!(
                "nginx finds no path from the certificate that {service} presents to a CA of the system"
            ),
            _ => format!("{trust} did not sign the certificate that {service} presents"),
        },
        Code::T2 => {
            format!("{service} presents a chain with more intermediates than nginx follows")
        }
        Code::T22 => format!("{service} answers too late: TLS works, and the application is slow"),
        Code::T3 => format!("{trust} holds no root for the certificate that {service} presents"),
        Code::T4 => {
            format!("{service} presents a self-signed certificate that {trust} does not hold")
        }
        Code::T5 => format!("A certificate that {service} presents has expired"),
        Code::T6 => format!("A certificate that {service} presents is not valid yet"),
        Code::T7 => format!("The certificate that {service} presents is not made for servers"),
        Code::T8 => match &line.what {
            What::NameMismatch { name } => {
                format!("The certificate that {service} presents is not for {name}")
            }
            _ => format!("The certificate that {service} presents is not for {hostname}"),
        },
        Code::T9 => format!(
            "The policy's hostname {hostname} is an IP address, which nginx finds in no certificate's IP SAN"
        ),
        Code::T10 => format!("{service} does not know the name {hostname}"),
        Code::T11 => format!("nginx and {service} have no TLS version or cipher in common"),
        Code::T12 => format!("{service} does not speak TLS, and a policy makes nginx speak it"),
        Code::T13 => format!("{service} closes the connection during the handshake"),
        Code::T14 if matches!(line.what, What::TimedOut { .. }) => {
            format!("{service} does not answer in time")
        }
        Code::T14 => format!("nginx cannot connect to {service}"),
        Code::B1 => {
            format!("{service} demands a client certificate, and {gateway} presents none")
        }
        Code::B8 => {
            format!("{service} has another server for the Host than for the name {hostname}")
        }
        Code::B16 => format!("{service} does not speak HTTP/2, which nginx speaks to it"),
        Code::B9 => format!("nginx speaks plain HTTP to {service}, which wants TLS"),
        Code::B15 => match &line.what {
            What::ClientRefused { code: Some(23), .. } => {
                format!("{service} refuses the client certificate of {gateway}: its CA revoked it")
            }
            _ => format!(
                "{service} refuses every client certificate, because its certificate revocation list is missing or expired"
            ),
        },
        Code::B2 | Code::B3 | Code::B4 | Code::B5 | Code::B6 => {
            format!("{service} refuses the client certificate of {gateway}")
        }
        Code::B10 | Code::B11
            if plan
                .tls
                .as_ref()
                .is_some_and(|tls| tls.client_certificate.is_none()) =>
        {
            format!("{service} demands a client certificate, and {gateway} presents none")
        }
        Code::B10 | Code::B11 => format!("{service} refuses the client certificate of {gateway}"),
        Code::T20 => match &line.what {
            What::VerifyError { code, words } => {
                format!("nginx refuses the certificate that {service} presents: {words} ({code})")
            }
            _ => format!("nginx refuses the certificate that {service} presents"),
        },
        _ => format!("The TLS handshake with {service} fails"),
    }
}

/// What clients got, where `failing` of `all` endpoints fail. nginx passes an answer of the backend on, and tries
/// the next endpoint only where it got none.
pub(super) fn effect(
    context: &Context<'_>,
    plan: &ProbePlan,
    line: &Decoded,
    failing: usize,
    all: usize,
) -> String {
    let clients = context.clients(&plan.route, plan.rule, &plan.service);
    let share = if failing < all {
        format!("{failing} of {all} endpoints")
    } else {
        "every endpoint".to_owned()
    };
    let status = match &line.what {
        What::TimedOut { .. } => 504,
        What::Misdirected => 421,
        What::NoClientCertificate | What::ClientRefused { .. } | What::PlainToTls => 400,
        What::Closed {
            phase: Phase::Reading,
            ..
        } => return format!("{share}: {clients} got a part of the answer"),
        _ => 502,
    };
    if !matches!(status, 400 | 421) {
        if failing < all {
            return format!(
                "{share}: nginx tried the next one, so that {clients} mostly got an answer, later"
            );
        }
        if plan.route.kind == Kind::TLSRoute {
            return format!("{share}: connections of {} were closed", plan.route);
        }
    }
    let status = answer(plan.route.kind, status);
    format!("{share}: {clients} got {status}")
}
