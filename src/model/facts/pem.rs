//! Certificates and keys in PEM, by `ngf_probes`.

use ngf_probes::{
    certificate::CertificateFacts,
    pem::{PemError, key_facts, key_fits, read_bundle},
};
use zeroize::Zeroizing;

use crate::model::{
    clean::clean_line,
    kinds::{KeyState, PemFacts},
};

/// The line that ends a certificate.
const END: &[u8] = b"-----END CERTIFICATE-----";
/// Up to so many certificates are told apart from what is wrong behind them.
const MOST_BEFORE_BROKEN: usize = 64;

/// What a key that should hold certificates holds. Where nginx would refuse the whole, what stands
/// before the break is told apart, because NGF itself looks at the first block only.
pub(super) fn pem_facts(bytes: Option<&[u8]>) -> PemFacts {
    match bytes {
        None => PemFacts::Missing,
        Some([]) => PemFacts::Empty,
        Some(pem) => match read_bundle(pem) {
            Ok(certificates) => PemFacts::Certificates {
                certificates,
                trailing: None,
            },
            Err(error) => match before_the_break(pem) {
                Some(certificates) => PemFacts::Certificates {
                    certificates,
                    trailing: Some(clean_line(&error.to_string())),
                },
                None => PemFacts::Broken(clean_line(&error.to_string())),
            },
        },
    }
}

/// The certificates of the longest readable beginning; `None` where there is none.
fn before_the_break(pem: &[u8]) -> Option<Vec<CertificateFacts>> {
    let ends = pem
        .windows(END.len())
        .enumerate()
        .filter(|(_, window)| *window == END)
        .map(|(start, _)| start + END.len());
    let mut readable = None;
    for end in ends.take(MOST_BEFORE_BROKEN) {
        match read_bundle(&pem[..end]) {
            Ok(certificates) => readable = Some(certificates),
            Err(_) => break,
        }
    }
    readable
}

/// Whether the key belongs to the first certificate.
pub(super) fn key_state(
    key: Option<&Zeroizing<Vec<u8>>>,
    certificate: Option<&Zeroizing<Vec<u8>>>,
    facts: &PemFacts,
) -> KeyState {
    let Some(key) = key else {
        return KeyState::Missing;
    };
    let kind = match key_facts(key) {
        Ok(facts) if facts.encrypted => return KeyState::Encrypted,
        Ok(facts) => facts.kind.unwrap_or_default(),
        Err(error) => return KeyState::Broken(clean_line(&error.to_string())),
    };
    match certificate {
        Some(certificate) if !facts.certificates().is_empty() => match key_fits(certificate, key) {
            Ok(true) => KeyState::Fits(kind),
            Ok(false) => KeyState::DoesNotFit(kind),
            Err(PemError::EncryptedKey) => KeyState::Encrypted,
            Err(_) => KeyState::Unpaired(kind),
        },
        _ => KeyState::Unpaired(kind),
    }
}
