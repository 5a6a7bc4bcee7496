//! What others than NGINX's client think, beside the verdict: a stricter client of the server's
//! certificates, and the backend of the client's.

use jiff::Timestamp;
use openssl::x509::X509;

use crate::engine::second_opinion::{self, StrictQuestion};
use crate::spec::{BackendTrust, ClientIdentity};
use crate::steps::tls::Told;
use ngf_text::sanitize;
use ngf_tls::certificate::CertificateFacts;
use ngf_tls::chain::{self, Certificates, ChainError, ChainQuestion, Purpose};
use ngf_tls::engine::UpstreamName;
use ngf_tls::transcript::{Expiry, JudgedAsBackend, Part, SecondOpinion};

/// What rustls makes of the certificates that the server sent, and of what was agreed upon.
pub(crate) fn strict(
    told: &Told,
    roots: &[X509],
    trust_origin: &str,
    name: &UpstreamName,
    at: Option<Timestamp>,
) -> Option<SecondOpinion> {
    if told.server_chain.is_empty() {
        return None;
    }
    second_opinion::ask(&StrictQuestion {
        presented: &told.server_chain,
        roots: &second_opinion::roots_of(roots),
        trust_origin,
        name: &name.checked,
        at: at.unwrap_or_else(Timestamp::now),
        agreed: told.agreed.as_ref(),
        signature_scheme: told.signature_scheme.as_deref(),
    })
}

/// The client certificate, judged as the backend would.
pub(crate) fn of_backend(
    identity: &ClientIdentity,
    trust: &BackendTrust,
    at: Option<Timestamp>,
) -> Result<JudgedAsBackend, ChainError> {
    let judgement = chain::judge(&ChainQuestion {
        presented: Certificates::Pem(identity.certificate_pem.clone()),
        trusted: trust.trusted.clone(),
        purpose: Purpose::Client,
        depth: trust.depth,
        name: None,
        at,
    })?;
    Ok(JudgedAsBackend {
        trusted: sanitize::line(&trust.origin, 200),
        depth: trust.depth,
        code: judgement.code,
        text: judgement.text,
    })
}

/// What a connection rests on.
pub(crate) struct Ground<'a> {
    /// What the server sent, leaf first.
    pub(crate) presented: &'a [CertificateFacts],
    /// The path that OpenSSL built from it, leaf first.
    pub(crate) path: &'a [CertificateFacts],
    /// Whom the client trusts.
    pub(crate) roots: &'a [X509],
    /// The most intermediates.
    pub(crate) depth: u32,
    /// What the client sent, leaf first.
    pub(crate) client: &'a [CertificateFacts],
    /// The moment that is judged.
    pub(crate) at: Option<Timestamp>,
}

/// What expires first, and what NGINX says of the same chain a second later.
pub(crate) fn expires_first(ground: &Ground<'_>) -> Option<Expiry> {
    let at = ground.at.unwrap_or_else(Timestamp::now).as_second();
    let last = ground.path.len().saturating_sub(1);
    let part = |index: usize, facts: &CertificateFacts| match index {
        0 => Part::Server,
        _ if index == last && facts.issuer == facts.subject => Part::Root,
        _ => Part::Intermediate,
    };
    let of_server = ground
        .path
        .iter()
        .enumerate()
        .map(|(index, facts)| (part(index, facts), facts));
    let of_client = ground.client.iter().map(|facts| (Part::Client, facts));
    let (part, facts) = of_server
        .chain(of_client)
        .filter(|(_, facts)| facts.not_after >= at)
        .min_by_key(|(_, facts)| facts.not_after)?;
    let then = match part {
        Part::Client => {
            "a backend that verifies clients refuses it (nginx: HTTP 400; others: alert 45)"
                .to_owned()
        }
        _ => then(ground, facts.not_after.saturating_add(1)),
    };
    Some(Expiry {
        subject: facts.subject.clone(),
        part,
        not_after: facts.not_after,
        then,
    })
}

fn then(ground: &Ground<'_>, at: i64) -> String {
    let presented = ground.presented.iter().map(|facts| facts.der.clone());
    let judgement = Timestamp::from_second(at).ok().and_then(|at| {
        chain::judge(&ChainQuestion {
            presented: Certificates::Der(presented.collect()),
            trusted: Certificates::Der(second_opinion::roots_of(ground.roots)),
            purpose: Purpose::Server,
            depth: ground.depth,
            name: None,
            at: Some(at),
        })
        .ok()
    });
    match judgement {
        Some(judgement) if judgement.code == 0 => "NGINX continues by another path".to_owned(),
        Some(judgement) => format!(
            "NGINX refuses the backend ({}:{}), and the gateway's client gets 502",
            judgement.code, judgement.text
        ),
        None => "what NGINX makes of it then is not known".to_owned(),
    }
}
