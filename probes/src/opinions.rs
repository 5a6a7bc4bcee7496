//! What others than NGINX's client think, beside the verdict: a stricter client of the server's
//! certificates, and the backend of the client's.

use jiff::Timestamp;
use openssl::x509::X509;

use crate::certificate::CertificateFacts;
use crate::chain::{self, Certificates, ChainError, ChainQuestion, Purpose};
use crate::engine::openssl::UpstreamName;
use crate::engine::second_opinion::{self, StrictQuestion};
use crate::sanitize;
use crate::spec::{BackendTrust, ClientIdentity};
use crate::transcript::{JudgedAsBackend, SecondOpinion, TlsAgreed};

/// What rustls makes of the certificates that the server sent.
pub(crate) fn strict(
    presented: &[CertificateFacts],
    roots: &[X509],
    trust_origin: &str,
    name: &UpstreamName,
    at: Option<Timestamp>,
    agreed: Option<&TlsAgreed>,
) -> Option<SecondOpinion> {
    if presented.is_empty() {
        return None;
    }
    second_opinion::ask(&StrictQuestion {
        presented,
        roots: &second_opinion::roots_of(roots),
        trust_origin,
        name: &name.checked,
        at: at.unwrap_or_else(Timestamp::now),
        agreed,
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
        trusted: Certificates::Pem(trust.pem.clone()),
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
