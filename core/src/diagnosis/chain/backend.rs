//! The second column: the backend proves itself to the gateway.

use ngf_tls::{certificate::CertificateFacts, transcript::Outcome};

use super::{
    ChainBox, ChainDirection, Detail, Link, Trust,
    build::{Subject, is_trusted, leaf_details, trust_box, upwards},
    when,
};
use crate::diagnosis::{
    mounted::Mounted,
    plan::{PlannedTls, TrustSource},
    trust::{self, NoCertificates},
    words::list,
};
use ngf_text::host_and_port;

/// Where it is known from what the backend presents.
enum Known<'a> {
    /// A probe saw it.
    Served(&'a [CertificateFacts], String),
    /// Its pods mount one Secret with a certificate: likely, not certain.
    Mounted(Mounted, &'a [CertificateFacts]),
    /// Unknown: why.
    Nothing(String),
}

pub(super) fn column(subject: &Subject<'_>, tls: &PlannedTls) -> ChainDirection {
    let heading = format!("{} proves itself to gateway", subject.backend_name());
    let known = known(subject);
    let trusted = trust::trusted(subject.snapshot, &tls.trust);
    let mut boxes = vec![first_box(subject, tls, &known)];
    let none: &[CertificateFacts] = &[];
    let presented = match &known {
        Known::Served(presented, _) | Known::Mounted(_, presented) => *presented,
        Known::Nothing(_) => none,
    };
    let signer = upwards(
        subject,
        presented,
        trusted.as_ref().copied().unwrap_or(none),
        &mut boxes,
    );
    boxes.push(last_box(subject, tls, &known, presented, signer, &trusted));
    let (trust, conclusion) = conclude(subject, tls, &known, presented, &trusted);
    ChainDirection {
        heading,
        boxes,
        trust,
        conclusion,
    }
}

fn known<'a>(subject: &'a Subject<'_>) -> Known<'a> {
    if let Some((probed, transcript)) = &subject.probe
        && !transcript.server_chain.is_empty()
    {
        let endpoint = &probed.plan.endpoint;
        let served = format!(
            "served by {}, {}",
            host_and_port(&endpoint.address, endpoint.port),
            when(probed, subject.now)
        );
        return Known::Served(&transcript.server_chain, served);
    }
    let mut mounted = subject.mounted_with("tls.crt");
    match mounted.len() {
        1 => {
            let (mounted, facts) = mounted.remove(0);
            Known::Mounted(mounted, facts)
        }
        0 => Known::Nothing("not probed, and its pods mount no certificate that is known".into()),
        several => Known::Nothing(format!(
            "not probed, and its pods mount {several} Secrets with a certificate"
        )),
    }
}

fn first_box(subject: &Subject<'_>, tls: &PlannedTls, known: &Known<'_>) -> ChainBox {
    let (caption, title, presented, note): (_, _, &[CertificateFacts], _) = match known {
        Known::Served(presented, served) => ("certificate", served.clone(), presented, None),
        Known::Mounted(mounted, presented) => (
            "probably presents",
            format!("{}[tls.crt]", mounted.source),
            presented,
            Some(format!(
                "mounted by {} at {}; not probed",
                mounted.by, mounted.path
            )),
        ),
        Known::Nothing(why) => ("presents", "not known".to_owned(), &[], Some(why.clone())),
    };
    let mut details = Vec::new();
    if let Some(leaf) = presented.first() {
        details = leaf_details(leaf, "serverAuth", subject.now);
        details.insert(1, names(leaf, tls, subject));
    }
    details.extend(note.map(Detail::Plain));
    ChainBox {
        link: None,
        caption: caption.to_owned(),
        title,
        details,
    }
}

/// The names, judged against the policy's hostname by OpenSSL.
fn names(leaf: &CertificateFacts, tls: &PlannedTls, subject: &Subject<'_>) -> Detail {
    let names = if leaf.dns_names.is_empty() {
        "no DNS names".to_owned()
    } else {
        format!("SAN {}", list(&leaf.dns_names, 4))
    };
    // Whom the leaf is judged by does not matter for its name.
    let one = std::slice::from_ref(leaf);
    let matches = trust::judge_backend(one, one, &tls.hostname, tls.verify_depth, subject.now)
        .ok()
        .and_then(|judgement| judgement.name_matches);
    match matches {
        Some(true) => Detail::Good(format!("{names}, which meets {}", tls.hostname)),
        Some(false) => Detail::Bad(format!("{names}, and not {}", tls.hostname)),
        None => Detail::Plain(names),
    }
}

fn last_box(
    subject: &Subject<'_>,
    tls: &PlannedTls,
    known: &Known<'_>,
    presented: &[CertificateFacts],
    signer: Option<&CertificateFacts>,
    trusted: &Result<&[CertificateFacts], NoCertificates>,
) -> ChainBox {
    let title = match &tls.trust {
        TrustSource::Object { object, key } => format!("{object}[{key}]"),
        TrustSource::System => "the CA file of the data plane's image".to_owned(),
    };
    let issuer = presented.last().map(|last| last.issuer.as_str());
    let (facts, link): (&[CertificateFacts], Link) = match trusted {
        Ok(trusted) => match known {
            Known::Nothing(_) => (trusted, unknown("what is presented is not known")),
            _ => (trusted, is_trusted(signer, issuer, trusted)),
        },
        Err(NoCertificates::Wrong(why)) => (&[], Link::is(Trust::Broken(why.clone()))),
        Err(NoCertificates::Unknown(why)) => (&[], unknown(why)),
    };
    let mut last = trust_box(title, "trusts", facts, link, subject.now);
    last.details
        .push(Detail::Plain(format!("by {}", tls.policy)));
    last
}

fn unknown(missing: &str) -> Link {
    Link::is(Trust::Unknown(missing.to_owned()))
}

fn conclude(
    subject: &Subject<'_>,
    tls: &PlannedTls,
    known: &Known<'_>,
    presented: &[CertificateFacts],
    trusted: &Result<&[CertificateFacts], NoCertificates>,
) -> (Trust, String) {
    let judged = match trusted {
        Ok(trusted) => trust::judge_backend(
            presented,
            trusted,
            &tls.hostname,
            tls.verify_depth,
            subject.now,
        ),
        Err(none) => Err(none.why().to_owned()),
    };
    match (known, judged) {
        (Known::Served(..), Ok(judgement)) => match trust::complaint(&judgement, &tls.hostname) {
            None => (Trust::Verified, "holds in this direction".to_owned()),
            Some(complaint) => (
                Trust::Broken(complaint.clone()),
                format!("nginx: {complaint}"),
            ),
        },
        (Known::Served(..), Err(why)) => measured(subject, &why),
        (Known::Mounted(mounted, _), Ok(judgement)) => {
            let place = &mounted.source;
            let words = match trust::complaint(&judgement, &tls.hostname) {
                None => format!("holds if the backend presents {place}; only a probe tells"),
                Some(complaint) => {
                    format!("fails if the backend presents {place}: {complaint}")
                }
            };
            (Trust::Unknown("not probed".to_owned()), words)
        }
        (Known::Mounted(..), Err(why)) => (Trust::Unknown(why.clone()), why),
        (Known::Nothing(_), _) => failed_before(subject),
    }
}

/// Where the trusted CAs are not at hand, the probe's own verdict stands.
fn measured(subject: &Subject<'_>, why: &str) -> (Trust, String) {
    let Some((_, transcript)) = &subject.probe else {
        return (Trust::Unknown(why.to_owned()), why.to_owned());
    };
    let nginx = &transcript.nginx;
    match nginx.outcome {
        Outcome::VerifyError | Outcome::NameMismatch => {
            let text = nginx
                .log_line
                .clone()
                .unwrap_or_else(|| nginx.sentence.clone());
            (Trust::Broken(text.clone()), format!("nginx: {text}"))
        }
        _ if nginx.verify_code == Some(0) => {
            (Trust::Verified, "holds in this direction".to_owned())
        }
        _ => (Trust::Unknown(why.to_owned()), why.to_owned()),
    }
}

/// A probe that never saw a certificate says why, all the same.
fn failed_before(subject: &Subject<'_>) -> (Trust, String) {
    match &subject.probe {
        Some((probed, transcript)) => {
            let said = transcript
                .nginx
                .log_line
                .clone()
                .unwrap_or_else(|| transcript.nginx.sentence.clone());
            (
                Trust::Unknown("no certificate was seen".to_owned()),
                format!(
                    "no certificate was seen: {said} ({})",
                    when(probed, subject.now)
                ),
            )
        }
        None => (
            Trust::Unknown("not probed".to_owned()),
            "only a probe shows what the backend presents".to_owned(),
        ),
    }
}
