//! Certificates and keys in PEM, by `ngf_probes`.

use zeroize::Zeroizing;

use crate::model::kinds::{KeyState, PemFacts};

/// What a key that should hold certificates holds.
pub(super) fn pem_facts(bytes: Option<&[u8]>) -> PemFacts {
    match bytes {
        None => PemFacts::Missing,
        Some([]) => PemFacts::Empty,
        Some(_) => PemFacts::Broken("not read".to_owned()),
    }
}

/// Whether the key belongs to the first certificate.
pub(super) fn key_state(
    key: Option<&Zeroizing<Vec<u8>>>,
    _certificate: Option<&Zeroizing<Vec<u8>>>,
    _facts: &PemFacts,
) -> KeyState {
    match key {
        None => KeyState::Missing,
        Some(_) => KeyState::Broken("not read".to_owned()),
    }
}
