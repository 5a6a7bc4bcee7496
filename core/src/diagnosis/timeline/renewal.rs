//! Who renews what stands in a Secret, and when.

use jiff::Timestamp;
use ngf_tls::certificate::CertificateFacts;
use serde::Serialize;

use crate::{
    diagnosis::{
        context::Context,
        ngf::known,
        rules::cert_manager::{ca_secret, issuer_name},
        trust, words,
    },
    model::{
        kind::Kind,
        kinds::Certificate,
        object::{Object, ObjectRef},
    },
};

/// Who renews a certificate, and when.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct Renewal {
    /// cert-manager's Certificate.
    pub by: Option<ObjectRef>,
    /// When it will, in RFC 3339.
    pub at: Option<Timestamp>,
    /// It should have been renewed by now, or will be too late.
    pub is_late: bool,
    /// It is certain to be renewed before it expires: the Certificate is Ready and says when, and its issuer
    /// lives until then.
    pub is_in_time: bool,
    /// In words.
    pub sentence: String,
}

impl Renewal {
    fn say(sentence: impl Into<String>) -> Self {
        Self {
            by: None,
            at: None,
            is_late: false,
            is_in_time: false,
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
        Some(certificate) if key == "ca.crt" || !is_leaf(context, object, facts) => {
            beside(context, certificate, facts, now)
        }
        Some(certificate) => itself(context, certificate, facts, now),
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

/// Whether it is the first in `tls.crt`, which the Certificate is about; the others are its issuers'.
fn is_leaf(context: &Context<'_>, object: &ObjectRef, facts: &CertificateFacts) -> bool {
    let all = trust::certificates(context.snapshot, object, "tls.crt");
    all.ok()
        .and_then(<[_]>::first)
        .is_none_or(|first| first.fingerprint_sha256 == facts.fingerprint_sha256)
}

fn writer<'a>(context: &Context<'a>, secret: &ObjectRef) -> Option<&'a Object<Certificate>> {
    let writer = crate::diagnosis::rules::shared::writer(context, secret)?;
    let certificate = context.snapshot.certificates.get(&writer)?;
    Some(certificate)
}

/// The certificate that the Certificate asked for.
fn itself(
    context: &Context<'_>,
    certificate: &Object<Certificate>,
    facts: &CertificateFacts,
    now: Timestamp,
) -> Renewal {
    let name = &certificate.reference;
    let renewal = certificate.status.renewal_time;
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
    let hindered = match renewal {
        Some(_) if !is_late => renews(context, certificate, facts.not_after, now, DEEPEST),
        _ => Err(String::new()),
    };
    Renewal {
        by: Some(name.clone()),
        at: renewal,
        is_late,
        is_in_time: hindered.is_ok(),
        sentence: with(sentence, hindered.err()),
    }
}

/// A `ca.crt` beside it: a renewal of the CA does not rewrite it.
fn beside(
    context: &Context<'_>,
    certificate: &Object<Certificate>,
    facts: &CertificateFacts,
    now: Timestamp,
) -> Renewal {
    let name = &certificate.reference;
    let when = certificate
        .status
        .renewal_time
        .map_or_else(String::new, |time| {
            format!(", on {}", words::moment(time.as_second()))
        });
    let replaced = renews(context, certificate, facts.not_after, now, DEEPEST)
        .and_then(|time| replaced_by(context, certificate, facts, time, now));
    Renewal {
        by: Some(name.clone()),
        at: certificate.status.renewal_time,
        is_late: false,
        is_in_time: replaced.is_ok(),
        sentence: with(
            format!(
                "updated only when {name} is reissued{when}, then with the CA that its issuer has"
            ),
            replaced.err(),
        ),
    }
}

fn with(sentence: String, but: Option<String>) -> String {
    match but.filter(|why| !why.is_empty()) {
        Some(why) => format!("{sentence}; {why}"),
        None => sentence,
    }
}

/// Issuers of issuers that are looked at.
const DEEPEST: usize = 4;

/// When a Certificate is renewed, which is before that moment and with an issuer that can; or why not, or
/// why it is unknown.
fn renews(
    context: &Context<'_>,
    certificate: &Object<Certificate>,
    before: i64,
    now: Timestamp,
    deep: usize,
) -> Result<Timestamp, String> {
    let name = &certificate.reference;
    match words::condition(&certificate.status.conditions, "Ready") {
        Some(ready) if ready.status == "True" => {}
        Some(ready) => return Err(format!("{name} is not Ready: {}", ready.message)),
        None => return Err(format!("{name} does not say that it is Ready")),
    }
    let time = certificate
        .status
        .renewal_time
        .ok_or("when that is, its status does not say")?;
    if time <= now || time.as_second() >= before {
        return Err("that is not before it expires".to_owned());
    }
    let Some(issuer) = issuer_name(certificate) else {
        // Of another project's, of whose CA nothing is in the cluster; cert-manager's own word stands.
        return Ok(time);
    };
    let Some(issuer) = context.snapshot.issuers.get(&issuer) else {
        return Err(match known::absence_is_proven(context.snapshot, &issuer) {
            Ok(()) => format!("there is no {issuer}"),
            Err(why) => format!("its issuer is not known: {why}"),
        });
    };
    if let Some(ready) = words::condition(&issuer.status.conditions, "Ready")
        && ready.status != "True"
    {
        return Err(format!(
            "{} is not Ready: {}",
            issuer.reference, ready.message
        ));
    }
    let Some(secret) = ca_secret(issuer) else {
        return Ok(time);
    };
    let ca = trust::certificates(context.snapshot, &secret, "tls.crt").map_err(|none| {
        format!(
            "the CA of {} is not known: {}",
            issuer.reference,
            none.why()
        )
    })?;
    let ends = ca.first().map_or(0, |ca| ca.not_after);
    if ends > time.as_second() {
        return Ok(time);
    }
    let by_then = writer(context, &secret)
        .filter(|_| deep > 0)
        .and_then(|writer| renews(context, writer, ends, now, deep - 1).ok());
    match by_then {
        Some(_) => Ok(time),
        None => Err(format!(
            "the CA of {} expires before that, on {}, and nothing renews it in time",
            issuer.reference,
            words::moment(ends)
        )),
    }
}

/// Whether a Certificate that is reissued then comes with another CA than this one.
fn replaced_by(
    context: &Context<'_>,
    certificate: &Object<Certificate>,
    facts: &CertificateFacts,
    time: Timestamp,
    now: Timestamp,
) -> Result<(), String> {
    let issuer = issuer_name(certificate).and_then(|name| context.snapshot.issuers.get(&name));
    let secret = issuer.and_then(|issuer| ca_secret(issuer));
    let Some(secret) = secret else {
        return Err("whether it is another CA by then is not known".to_owned());
    };
    let ca = trust::certificates(context.snapshot, &secret, "tls.crt")
        .map_err(|none| none.why().to_owned())?;
    let is_it = |one: &CertificateFacts| one.fingerprint_sha256 == facts.fingerprint_sha256;
    if !ca.iter().any(is_it) {
        return Ok(());
    }
    let renewed = writer(context, &secret)
        .and_then(|writer| renews(context, writer, facts.not_after, now, DEEPEST).ok());
    match renewed {
        Some(first) if first <= time => Ok(()),
        Some(first) => Err(format!(
            "the CA itself is renewed only after that, on {}",
            words::moment(first.as_second())
        )),
        None => Err(format!("nothing renews the CA in {secret} in time")),
    }
}
