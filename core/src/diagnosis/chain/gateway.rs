//! The first column: the gateway proves itself to the backend.

use ngf_tls::{certificate::CertificateFacts, transcript::Outcome};

use super::{
    ChainBox, ChainDirection, Detail, Link, Trust,
    build::{Subject, is_trusted, leaf_details, object_box, trust_box, upwards},
    when,
};
use crate::{
    diagnosis::{
        mounted::Mounted,
        ngf::{ClientCertificate, Running, client_certificate, known},
        plan::PlannedTls,
        trust,
        words::list,
    },
    model::{kind::Kind, kinds::KeyState, object::ObjectRef, snapshot::Lookup},
};

pub(super) fn column(subject: &Subject<'_>, tls: &PlannedTls) -> ChainDirection {
    let heading = format!("gateway proves itself to {}", subject.backend_name());
    let Some(secret) = &tls.client_certificate else {
        return presents_nothing(subject, heading);
    };
    let mut first = object_box("presents", secret, "tls.crt", None);
    let presented = match trust::certificates(subject.snapshot, secret, "tls.crt") {
        Ok(presented) => presented,
        Err(none) => {
            let why = none.why().to_owned();
            first.details.push(Detail::Plain(why.clone()));
            return ChainDirection {
                heading,
                boxes: vec![first],
                trust: Trust::Unknown(why.clone()),
                conclusion: seen(subject).unwrap_or(why),
            };
        }
    };
    if let Some(leaf) = presented.first() {
        first.details = leaf_details(leaf, "clientAuth", subject.now);
        first.details.insert(1, key_detail(subject, secret));
    }
    let mut boxes = vec![first];
    let candidates = subject.mounted_with("ca.crt");
    let trusted = match candidates.as_slice() {
        [(_, trusted)] => *trusted,
        _ => &[],
    };
    let signer = upwards(subject, presented, trusted, &mut boxes);
    let issuer = presented.last().map(|last| last.issuer.as_str());
    let complaint = match trusted {
        [] => None,
        trusted => trust::judge_client(presented, trusted, subject.now)
            .ok()
            .map(|judgement| trust::complaint(&judgement, "")),
    };
    let (trust, conclusion) = conclude(subject, complaint.as_ref(), &candidates);
    let mut link = is_trusted(signer, issuer, trusted);
    if matches!(trust, Trust::Broken(_)) && complaint == Some(None) {
        link = Link::is(Trust::Unknown(
            "the backend refused what this CA would take: it trusts another file, or has not loaded this one".to_owned(),
        ));
    }
    boxes.push(trust_of(subject, &candidates, link));
    ChainDirection {
        heading,
        boxes,
        trust,
        conclusion,
    }
}

/// Whom the backend trusts: what its pods mount, if that is one thing, and what it asked for.
fn trust_of(subject: &Subject<'_>, candidates: &[Candidate<'_>], link: Link) -> ChainBox {
    let mut last = match candidates {
        [(mounted, trusted)] => {
            let title = format!("{}[ca.crt]", mounted.source);
            let mut one = trust_box(title, "probably trusts", trusted, link, subject.now);
            one.details.push(Detail::Plain(mounted_words(mounted)));
            one
        }
        several => ChainBox {
            link: Some(Link::is(Trust::Unknown(
                if several.is_empty() {
                    "no mounted ca.crt is known"
                } else {
                    "its pods mount several, and only its configuration says which it uses"
                }
                .to_owned(),
            ))),
            caption: "trusts".to_owned(),
            title: "a CA that is not known".to_owned(),
            details: Vec::new(),
        },
    };
    add_asked(subject, &mut last);
    last
}

type Candidate<'a> = (Mounted, &'a [CertificateFacts]);

fn presents_nothing(subject: &Subject<'_>, heading: String) -> ChainDirection {
    let gateway = &subject.connection.gateway;
    let decision = subject.snapshot.gateways.get(gateway).map(|gateway| {
        client_certificate(
            subject.snapshot,
            Running::of(subject.snapshot).release,
            gateway,
        )
    });
    let why = match decision {
        _ if subject.connection.route.kind == Kind::GRPCRoute => {
            "NGF renders no client certificate for GRPCRoutes (NGF-R9)".to_owned()
        }
        Some(ClientCertificate::Refused { message, code, .. }) => {
            format!("NGF does not take what the Gateway names: {message} ({code})")
        }
        _ => "the Gateway names no client certificate".to_owned(),
    };
    let boxes = vec![
        ChainBox {
            link: None,
            caption: "presents".to_owned(),
            title: "no certificate".to_owned(),
            details: vec![Detail::Plain(why)],
        },
        trust_of(
            subject,
            &subject.mounted_with("ca.crt"),
            Link::is(Trust::Unknown("nothing is presented".to_owned())),
        ),
    ];
    let (trust, conclusion) = match &subject.probe {
        Some((probed, transcript)) if transcript.client_certificate.requested => {
            if transcript.nginx.outcome == Outcome::Ok {
                (
                    Trust::Unknown("the backend asks and does not insist".to_owned()),
                    format!(
                        "the backend asks for a certificate and does without: no mutual TLS ({})",
                        when(probed, subject.now)
                    ),
                )
            } else {
                (
                    Trust::Broken("the backend demands one".to_owned()),
                    format!(
                        "the backend asks for a certificate, and gets none ({})",
                        when(probed, subject.now)
                    ),
                )
            }
        }
        Some((probed, _)) => (
            Trust::Unknown("the backend never asks".to_owned()),
            format!(
                "the backend never asks for a certificate: no mutual TLS ({})",
                when(probed, subject.now)
            ),
        ),
        None => (
            Trust::Unknown("not probed".to_owned()),
            "only a probe shows whether the backend asks for a certificate".to_owned(),
        ),
    };
    ChainDirection {
        heading,
        boxes,
        trust,
        conclusion,
    }
}

fn key_detail(subject: &Subject<'_>, secret: &ObjectRef) -> Detail {
    match known::secret(subject.snapshot, secret) {
        Lookup::Found(found) => match &found.spec.key {
            KeyState::Fits(_) => Detail::Good("key fits".to_owned()),
            KeyState::DoesNotFit(_) => Detail::Bad("the key is another one's".to_owned()),
            KeyState::Encrypted => Detail::Bad("the key is encrypted".to_owned()),
            KeyState::Missing => Detail::Bad("no key".to_owned()),
            KeyState::Broken(why) => Detail::Bad(format!("the key cannot be read: {why}")),
            KeyState::Unpaired(_) => Detail::Bad("a key without a certificate".to_owned()),
        },
        _ => Detail::Plain("key not read".to_owned()),
    }
}

fn mounted_words(mounted: &Mounted) -> String {
    let old = if mounted.sub_path {
        ", by subPath, so never updated"
    } else {
        ""
    };
    format!("mounted by {} at {}{old}", mounted.by, mounted.path)
}

/// What the backend itself said in its CertificateRequest.
fn add_asked(subject: &Subject<'_>, last: &mut ChainBox) {
    if let Some((probed, transcript)) = &subject.probe
        && transcript.client_certificate.requested
    {
        let names = &transcript.client_certificate.acceptable_cas;
        let names = if names.is_empty() {
            "no CA by name".to_owned()
        } else {
            list(names, 4)
        };
        last.details.push(Detail::Plain(format!(
            "asked for: {names} ({})",
            when(probed, subject.now)
        )));
    }
}

/// What the backend did, if it was probed; else what it would say.
fn conclude(
    subject: &Subject<'_>,
    complaint: Option<&Option<String>>,
    candidates: &[Candidate<'_>],
) -> (Trust, String) {
    if let Some(measured) = measured(subject, complaint.and_then(Option::as_deref)) {
        return measured;
    }
    let place = candidates
        .first()
        .map_or_else(String::new, |(mounted, _)| mounted.source.to_string());
    let words = match complaint {
        Some(None) => format!("holds if the backend trusts {place}; only a probe tells"),
        Some(Some(complaint)) => {
            format!("fails if the backend trusts {place}: {complaint}")
        }
        None => "only a probe shows which CA the backend trusts".to_owned(),
    };
    (Trust::Unknown("not probed".to_owned()), words)
}

fn measured(subject: &Subject<'_>, complaint: Option<&str>) -> Option<(Trust, String)> {
    let (probed, transcript) = subject.probe.as_ref()?;
    let when = when(probed, subject.now);
    let asked = &transcript.client_certificate;
    let why = complaint.map_or_else(String::new, |complaint| format!(": {complaint}"));
    let refused = |words: &str| {
        Some((
            Trust::Broken(words.to_owned()),
            format!("the backend refuses it{why} ({when})"),
        ))
    };
    match transcript.nginx.outcome {
        // What the application answered came after the certificate was taken.
        Outcome::Ok | Outcome::HttpError
            if asked.sent && (transcript.protocol.is_http1() || asked.accepted == Some(true)) =>
        {
            let body = transcript
                .http
                .as_ref()
                .map_or("", |http| http.body.as_str());
            if body.contains("The SSL certificate error") {
                refused("400 The SSL certificate error")
            } else if body.contains("No required SSL certificate was sent") {
                refused("400 No required SSL certificate was sent")
            } else {
                Some((
                    Trust::Verified,
                    format!("mTLS holds in this direction: the backend accepted it ({when})"),
                ))
            }
        }
        Outcome::Ok if asked.requested => Some((
            Trust::Unknown("no request was sent".to_owned()),
            format!(
                "the backend asks for a certificate, and the probe sent no request that shows what it makes of it ({when})"
            ),
        )),
        Outcome::Ok => Some((
            Trust::Unknown("the backend never asks".to_owned()),
            format!("the backend never asks for a certificate: no mutual TLS ({when})"),
        )),
        Outcome::TlsError if asked.requested && transcript.nginx.alert.is_some() => {
            refused("the backend answered with an alert")
        }
        // The probe continues where nginx would close, and so learns what the backend thinks.
        _ => match asked.accepted {
            Some(true) => Some((
                Trust::Verified,
                format!(
                    "the backend accepted it, although nginx closes the connection first ({when})"
                ),
            )),
            Some(false) => {
                refused("the backend rejected it, although nginx closes the connection first")
            }
            None => None,
        },
    }
}

/// What the probe says where the Secret itself cannot be looked at.
fn seen(subject: &Subject<'_>) -> Option<String> {
    measured(subject, None).map(|(_, words)| words)
}
