//! What clients got by a log, in a sentence with names.

use crate::{
    diagnosis::{context::Context, plan::ProbePlan, words::answer},
    logs::{Decoded, Meaning, Phase},
    model::kind::Kind,
};

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
        Meaning::TimedOut { .. } => 504,
        Meaning::Misdirected => 421,
        Meaning::NoClientCertificate | Meaning::ClientRefused { .. } | Meaning::PlainToTls => 400,
        Meaning::Closed {
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
