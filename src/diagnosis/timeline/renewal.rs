//! Who renews what stands in a Secret, and when.

use jiff::Timestamp;
use ngf_probes::certificate::CertificateFacts;
use serde::Serialize;

use crate::{
    diagnosis::{context::Context, ngf::known, words},
    model::{
        kind::Kind,
        kinds::Certificate,
        object::{Object, ObjectRef},
    },
};

/// Who renews a certificate, and when.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Renewal {
    /// cert-manager's Certificate.
    pub by: Option<ObjectRef>,
    /// When it will, in RFC 3339.
    pub at: Option<Timestamp>,
    /// It should have been renewed by now, or will be too late.
    pub is_late: bool,
    /// In words.
    pub sentence: String,
}

impl Renewal {
    fn say(sentence: impl Into<String>) -> Self {
        Self {
            by: None,
            at: None,
            is_late: false,
            sentence: sentence.into(),
        }
    }

    /// Of what only a probe saw.
    pub(super) fn not_known() -> Self {
        Self::say("who renews it is not known: only the probe saw it")
    }
}

/// Who renews a certificate under `key` of an object.
pub(super) fn of(
    context: &Context<'_>,
    object: &ObjectRef,
    key: &str,
    facts: &CertificateFacts,
    now: Timestamp,
) -> Renewal {
    if object.kind != Kind::Secret {
        return Renewal::say("nobody renews it: no tool that is known writes ConfigMaps");
    }
    match writer(context, object) {
        Some(certificate) if key == "ca.crt" => beside(certificate),
        Some(certificate) => itself(certificate, facts, now),
        None => match known::absence_is_proven(
            context.snapshot,
            &ObjectRef::new(Kind::Certificate, &object.namespace, "for it"),
        ) {
            Ok(()) => Renewal::say("nobody renews it: no cert-manager Certificate writes it"),
            Err(_) if context.is_files() => {
                Renewal::say("no cert-manager Certificate in the files writes it")
            }
            Err(why) => Renewal::say(format!("who renews it is not known: {why}")),
        },
    }
}

fn writer<'a>(context: &Context<'a>, secret: &ObjectRef) -> Option<&'a Object<Certificate>> {
    let writer = crate::diagnosis::rules::shared::writer(context, secret)?;
    let certificate = context.snapshot.certificates.get(&writer)?;
    Some(certificate)
}

/// The certificate that the Certificate asked for.
fn itself(certificate: &Object<Certificate>, facts: &CertificateFacts, now: Timestamp) -> Renewal {
    let name = &certificate.reference;
    let renewal = certificate.spec.renewal_time;
    let (is_late, sentence) = match renewal {
        None => (
            false,
            format!("{name} writes it; when it renews, its status does not say"),
        ),
        Some(time) if time < now => (
            true,
            format!(
                "{name} was to renew it on {}, and has not",
                words::moment(time.as_second())
            ),
        ),
        Some(time) if time.as_second() >= facts.not_after => (
            true,
            format!(
                "{name} renews it too late, on {}",
                words::moment(time.as_second())
            ),
        ),
        Some(time) => (
            false,
            format!("{name} renews it on {}", words::moment(time.as_second())),
        ),
    };
    Renewal {
        by: Some(name.clone()),
        at: renewal,
        is_late,
        sentence,
    }
}

/// A `ca.crt` beside it: renewing the CA does not write it anew.
fn beside(certificate: &Object<Certificate>) -> Renewal {
    let name = &certificate.reference;
    let when = certificate
        .spec
        .renewal_time
        .map_or_else(String::new, |time| {
            format!(", on {}", words::moment(time.as_second()))
        });
    Renewal {
        by: Some(name.clone()),
        at: certificate.spec.renewal_time,
        is_late: false,
        sentence: format!(
            "written anew only when {name} is reissued{when}, then with the CA that its issuer has"
        ),
    }
}
