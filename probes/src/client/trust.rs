//! Whether a strict client accepts the listener's certificate, by each of the CAs that it may trust.

use jiff::Timestamp;

use crate::engine::openssl::roots;
use crate::engine::second_opinion::{self, RustlsRefusal, StrictQuestion};
use crate::spec::Trust;
use crate::steps::tls;
use ngf_tls::certificate::CertificateFacts;
use ngf_tls::transcript::{Step, StepStatus, client::Judged};

/// Roots, and where they come from.
pub(super) struct Roots {
    der: Vec<Vec<u8>>,
    origin: String,
}

impl Roots {
    /// Where they cannot be read, no client can trust them either.
    pub(super) fn read(trust: &Trust) -> Option<Self> {
        let (origin, certificates) = roots(trust).ok()?;
        Some(Self {
            der: second_opinion::roots_of(&certificates),
            origin,
        })
    }
}

/// By the first that verifies it; `None` where no certificate came.
pub(super) fn judge(
    chain: &[CertificateFacts],
    trust: &[Roots],
    name: &str,
    at: Timestamp,
) -> Option<Judged> {
    let leaf = chain.first()?;
    let mut unknown_issuer = false;
    let mut why = Vec::new();
    for roots in trust {
        let refusals = second_opinion::refusals_of(&StrictQuestion {
            presented: chain,
            roots: &roots.der,
            trust_origin: &roots.origin,
            name,
            at,
            agreed: None,
            signature_scheme: None,
        });
        if refusals.is_empty() {
            return Some(Judged {
                accepted: Some(true),
                trusted: Some(roots.origin.clone()),
                sentence: format!(
                    "clients that trust {} accept {}",
                    roots.origin, leaf.subject
                ),
            });
        }
        let others: Vec<&RustlsRefusal> =
            refusals.iter().filter(|one| !one.unknown_issuer).collect();
        unknown_issuer |= refusals.len() > others.len();
        // What has nothing to do with a CA is the same for all of them; a CA that verifies the chain knows most.
        let words: Vec<String> = others.iter().map(|one| one.words.clone()).collect();
        if why.is_empty() || refusals.len() == others.len() {
            unknown_issuer = refusals.len() > others.len();
            why = words;
        }
    }
    if why.is_empty() && unknown_issuer {
        return Some(Judged {
            accepted: None,
            trusted: None,
            sentence: format!(
                "whether clients trust {} is not known here; this system's CAs did not sign {}",
                chain.last().unwrap_or(leaf).issuer,
                leaf.subject
            ),
        });
    }
    Some(Judged {
        accepted: Some(false),
        trusted: None,
        sentence: format!(
            "a strict client ends the handshake: {}",
            if why.is_empty() {
                "it trusts no CA".to_owned()
            } else {
                why.join("; ")
            }
        ),
    })
}

/// A judgement as a step of the handshake.
pub(super) fn step(judged: &Judged, name: &str, at_us: u64) -> Step {
    let step = tls::judgement(
        tls::VERIFY_CERTIFICATE,
        at_us,
        judged.accepted != Some(false),
        &judged.sentence,
    )
    .field("server_name", name)
    .field("engine", second_opinion::ENGINE);
    let step = match judged.accepted {
        None => step.status(StepStatus::Warning),
        Some(_) => step,
    };
    match &judged.trusted {
        Some(trusted) => step.field("trusted", trusted),
        None => step,
    }
}
