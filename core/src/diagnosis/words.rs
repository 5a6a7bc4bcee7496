//! Words that several findings share: certificates and conditions.

use ngf_tls::certificate::CertificateFacts;

use std::collections::BTreeSet;

pub use ngf_text::words::{count, list, moment, span};

use super::finding::Finding;
use crate::model::{
    kind::Kind,
    object::{Condition, ObjectRef},
};

/// What a client of a route gets where nginx itself answers with a status: NGF's gRPC locations turn nginx's own
/// errors into a gRPC status (`error_page 502 = @grpc_unavailable`). An answer of the backend is passed on.
pub fn answer(route: Kind, status: u16) -> String {
    match (route, status) {
        (Kind::GRPCRoute, 502..=504) => format!("gRPC status 14 (nginx's {status})"),
        (Kind::GRPCRoute, 500) => "gRPC status 13 (nginx's 500)".to_owned(),
        _ => status.to_string(),
    }
}

/// The same for clients of several routes: of one kind, or else the bare status.
pub fn answer_to<'a>(routes: impl IntoIterator<Item = &'a ObjectRef>, status: u16) -> String {
    let kinds: BTreeSet<Kind> = routes.into_iter().map(|route| route.kind).collect();
    let mut kinds = kinds.into_iter();
    match (kinds.next(), kinds.next()) {
        (Some(kind), None) => answer(kind, status),
        _ => status.to_string(),
    }
}

/// Whom a certificate is for: its subject or, where it has none (as cert-manager makes them without a
/// common name), the names in it.
pub fn holder(certificate: &CertificateFacts) -> String {
    if !certificate.subject.is_empty() {
        return certificate.subject.clone();
    }
    let names = [
        &certificate.dns_names,
        &certificate.ip_addresses,
        &certificate.other_names,
    ];
    let names: Vec<&String> = names.into_iter().flatten().collect();
    if names.is_empty() {
        "no subject and no names".to_owned()
    } else {
        format!("no subject, for {}", list(names, 3))
    }
}

/// The condition of that type.
pub fn condition<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.kind == kind)
}

/// Whether a condition says that.
pub fn says(condition: Option<&Condition>, status: &str, reasons: &[&str]) -> bool {
    condition.is_some_and(|condition| {
        condition.status == status && reasons.contains(&condition.reason.as_str())
    })
}

/// `False/Invalid "The GatewayClass is invalid"`.
pub fn condition_text(condition: &Condition) -> String {
    format!(
        "{}/{} \"{}\"",
        condition.status, condition.reason, condition.message
    )
}

impl Finding {
    /// Adds a condition as evidence.
    #[must_use]
    pub fn condition(self, object: &ObjectRef, condition: &Condition) -> Self {
        self.evidence(
            format!("condition {}", condition.kind),
            condition_text(condition),
            format!("{object} status"),
        )
    }

    /// Adds a condition as evidence, where there is one.
    #[must_use]
    pub fn condition_if(self, object: &ObjectRef, condition: Option<&Condition>) -> Self {
        match condition {
            Some(condition) => self.condition(object, condition),
            None => self,
        }
    }
}
