//! What both columns are built from.

use jiff::Timestamp;
use ngf_tls::certificate::CertificateFacts;

use super::{ChainBox, ChainDirection, Detail, Link, ProbedTranscript, Trust};
use crate::{
    diagnosis::{mounted::Mounted, plan::Connection, trust, words},
    model::{index::Index, object::ObjectRef, snapshot::Snapshot},
};

/// What a picture is about.
pub(super) struct Subject<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) index: &'a Index<'a>,
    pub(super) connection: &'a Connection,
    pub(super) probe: Option<ProbedTranscript<'a>>,
    pub(super) now: Timestamp,
}

impl Subject<'_> {
    /// `secure-app`.
    pub(super) fn backend_name(&self) -> &str {
        &self.connection.service.name
    }

    /// What the backend's pods mount.
    pub(super) fn mounted(&self) -> Vec<Mounted> {
        self.index
            .service(&self.connection.service)
            .map(|service| crate::diagnosis::mounted::by_service(self.snapshot, service))
            .unwrap_or_default()
    }

    /// The Secrets and ConfigMaps with this key that the backend's pods mount.
    pub(super) fn mounted_with(&self, key: &str) -> Vec<(Mounted, &[CertificateFacts])> {
        self.index
            .service(&self.connection.service)
            .map(|service| {
                crate::diagnosis::mounted::with_certificates(self.snapshot, service, key)
            })
            .unwrap_or_default()
    }
}

/// Two columns that say that there is no TLS.
pub(super) fn plain(subject: &Subject<'_>) -> Vec<ChainDirection> {
    let backend = subject.backend_name();
    let column = |heading: String| ChainDirection {
        heading,
        boxes: vec![ChainBox {
            link: None,
            caption: "presents".to_owned(),
            title: "nothing".to_owned(),
            details: vec![Detail::Plain("nginx speaks plain HTTP here".to_owned())],
        }],
        trust: Trust::Unknown("no BackendTLSPolicy takes effect".to_owned()),
        conclusion: "no TLS: no BackendTLSPolicy takes effect on this port".to_owned(),
    };
    vec![
        column(format!("gateway proves itself to {backend}")),
        column(format!("{backend} proves itself to gateway")),
    ]
}

/// A box for what an object's key holds, or for why it holds nothing.
pub(super) fn object_box(
    caption: &str,
    object: &ObjectRef,
    key: &str,
    link: Option<Link>,
) -> ChainBox {
    ChainBox {
        link,
        caption: caption.to_owned(),
        title: format!("{object}[{key}]"),
        details: Vec::new(),
    }
}

/// What a certificate says of itself.
pub(super) fn leaf_details(facts: &CertificateFacts, usage: &str, now: Timestamp) -> Vec<Detail> {
    let mut details = vec![Detail::Plain(format!("{}  {}", facts.subject, facts.key))];
    details.push(validity(facts, now));
    if !facts.extended_key_usage.is_empty() {
        let has = facts.extended_key_usage.iter().any(|have| have == usage);
        let all = facts.extended_key_usage.join(", ");
        details.push(if has {
            Detail::Good(all)
        } else {
            Detail::Bad(format!("{all}, and not {usage}"))
        });
    }
    details.push(Detail::Plain(format!("signature {}", facts.signature)));
    details.push(Detail::Plain(print_of(facts)));
    details
}

/// What a CA says of itself.
pub(super) fn ca_details(facts: &CertificateFacts, now: Timestamp) -> Vec<Detail> {
    let mut details = vec![Detail::Plain(facts.key.clone()), validity(facts, now)];
    if facts.is_ca == Some(false) {
        details.push(Detail::Bad("says that it is not a CA".to_owned()));
    }
    details.push(Detail::Plain(print_of(facts)));
    details
}

fn print_of(facts: &CertificateFacts) -> String {
    format!("SHA-256 {}", short(&facts.fingerprint_sha256))
}

/// `ab:12:cd:…:9f`: enough to tell two apart.
pub(super) fn short(fingerprint: &str) -> String {
    let parts: Vec<&str> = fingerprint.split(':').collect();
    match parts.as_slice() {
        [a, b, c, .., last] if parts.len() > 4 => format!("{a}:{b}:{c}:…:{last}"),
        _ => fingerprint.to_owned(),
    }
}

fn validity(facts: &CertificateFacts, now: Timestamp) -> Detail {
    let at = now.as_second();
    let whole = words::span(facts.not_after.saturating_sub(facts.not_before));
    if facts.not_after < at {
        Detail::Bad(format!(
            "expired {} ago, on {}",
            words::span(at - facts.not_after),
            words::moment(facts.not_after)
        ))
    } else if facts.not_before > at {
        Detail::Bad(format!(
            "not valid before {}",
            words::moment(facts.not_before)
        ))
    } else {
        Detail::Validity {
            not_before: facts.not_before,
            not_after: facts.not_after,
            now: at,
            text: format!("{} of {whole} left", words::span(facts.not_after - at)),
        }
    }
}

/// Boxes for what is sent along with a leaf and for the CA that signed the last of it, as far as
/// keys can tell. Returns the CA, where one is known.
pub(super) fn upwards<'a>(
    subject: &Subject<'a>,
    presented: &'a [CertificateFacts],
    trusted: &'a [CertificateFacts],
    boxes: &mut Vec<ChainBox>,
) -> Option<&'a CertificateFacts> {
    for pair in presented.windows(2) {
        let [below, above] = pair else { continue };
        let trust = if trust::signed(below, above) {
            Trust::Verified
        } else {
            Trust::Broken("another key made its signature".to_owned())
        };
        boxes.push(ChainBox {
            link: Some(Link::signed_by(trust)),
            caption: "sends with it".to_owned(),
            title: above.subject.clone(),
            details: ca_details(above, subject.now),
        });
    }
    let last = presented.last()?;
    let among_trusted = trusted.iter().find(|ca| trust::signed(last, ca));
    let known = among_trusted
        .map(|ca| (None, ca))
        .or_else(|| trust::issuer_in(subject.snapshot, last).map(|(place, ca)| (Some(place), ca)))
        .filter(|(_, ca)| ca.fingerprint_sha256 != last.fingerprint_sha256);
    let Some((place, ca)) = known else {
        if !trust::signed(last, last) {
            boxes.push(ChainBox {
                link: Some(Link::signed_by(Trust::Unknown(
                    "its certificate is not known".to_owned(),
                ))),
                caption: "CA".to_owned(),
                title: last.issuer.clone(),
                details: Vec::new(),
            });
        }
        return trust::signed(last, last).then_some(last);
    };
    let mut details = ca_details(ca, subject.now);
    if let Some(place) = place {
        details.push(Detail::Plain(format!("known from {place}")));
    }
    boxes.push(ChainBox {
        link: Some(Link::signed_by(Trust::Verified)),
        caption: "CA".to_owned(),
        title: ca.subject.clone(),
        details,
    });
    Some(ca)
}

/// The link from the CA that signed to the CA that is trusted: the same key, or not.
pub(super) fn is_trusted(
    signer: Option<&CertificateFacts>,
    issuer: Option<&str>,
    trusted: &[CertificateFacts],
) -> Link {
    let trust = match signer {
        Some(signer) => {
            if trusted
                .iter()
                .any(|ca| ca.public_key_sha256 == signer.public_key_sha256)
            {
                Trust::Verified
            } else if trusted.iter().any(|ca| ca.subject == signer.subject) {
                Trust::Broken("same name, another key".to_owned())
            } else {
                Trust::Broken("another CA".to_owned())
            }
        }
        // Nothing that is trusted signed it, though the signer's own certificate is not known.
        None if trusted.iter().any(|ca| Some(ca.subject.as_str()) == issuer) => {
            Trust::Broken("same name, another key".to_owned())
        }
        None => Trust::Broken("another CA".to_owned()),
    };
    Link::is(trust)
}

/// The box of what is trusted.
pub(super) fn trust_box(
    title: String,
    caption: &str,
    trusted: &[CertificateFacts],
    link: Link,
    now: Timestamp,
) -> ChainBox {
    let mut details = Vec::new();
    for ca in trusted.iter().take(3) {
        details.push(Detail::Plain(ca.subject.clone()));
        details.extend(ca_details(ca, now));
    }
    if trusted.len() > 3 {
        details.push(Detail::Plain(format!("and {} more", trusted.len() - 3)));
    }
    ChainBox {
        link: Some(link),
        caption: caption.to_owned(),
        title,
        details,
    }
}
