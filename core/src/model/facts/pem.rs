//! Certificates and keys in PEM, as `ngf_probes` reads them with NGINX's own library.

use ngf_tls::{
    certificate::CertificateFacts,
    go,
    pem::{PemError, key_facts, key_fits, read_bundle},
};
use zeroize::Zeroizing;

use super::once::Once;
use crate::model::kinds::{ByNgf, KeyState, PemFacts};

/// Many Secrets hold the same CA, and some the same certificate and key.
static CERTIFICATES: Once<PemFacts> = Once::new();
static KEYS: Once<KeyState> = Once::new();
static CAS_BY_NGF: Once<ByNgf> = Once::new();
static PAIRS_BY_NGF: Once<ByNgf> = Once::new();

/// Bytes that are looked into: no Secret and no ConfigMap holds more.
const MAX_BYTES: usize = 1 << 20;

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// What a key that should hold certificates holds.
pub(super) fn pem_facts(bytes: Option<&[u8]>) -> PemFacts {
    let Some(bytes) = bytes else {
        return PemFacts::Missing;
    };
    if bytes.is_empty() {
        return PemFacts::Empty;
    }
    if bytes.len() > MAX_BYTES {
        let long = bytes.len();
        return PemFacts::Broken(format!(
            "it is {long} bytes long, and no Secret or ConfigMap holds more than {MAX_BYTES}"
        ));
    }
    CERTIFICATES.get_or(&[bytes], || match read_bundle(bytes) {
        Ok(certificates) => PemFacts::Certificates {
            certificates: certificates.into(),
            trailing: None,
            open_end: is_open(bytes),
        },
        Err(error) => readable_part(bytes, &error),
    })
}

/// What a `ca.crt` holds: NGF takes it encoded in base64 twice, too, and gives nginx what that
/// stands for (`ValidateCA`, `convertCertBundle` of `state/dataplane/configuration.go`).
pub(super) fn ca_facts(bytes: Option<&[u8]>) -> PemFacts {
    let encoded = bytes
        .filter(|bytes| bytes.len() <= MAX_BYTES)
        .and_then(|bytes| {
            let text = super::decode(bytes)?;
            (!text.is_empty()).then_some(text)
        });
    let encoded = encoded.as_ref().map(|text| text.as_slice());
    pem_facts(encoded.or(bytes))
}

/// What NGF makes of a `ca.crt`.
pub(super) fn ca_by_ngf(bytes: Option<&[u8]>) -> ByNgf {
    match bytes.filter(|bytes| bytes.len() <= MAX_BYTES) {
        Some(bytes) => CAS_BY_NGF.get_or(&[bytes], || by_ngf(go::refuses_ca(bytes), &[bytes])),
        None => ByNgf::Unknown,
    }
}

/// What NGF makes of a certificate and a key.
pub(super) fn pair_by_ngf(
    certificate: Option<&Zeroizing<Vec<u8>>>,
    key: Option<&Zeroizing<Vec<u8>>>,
) -> ByNgf {
    let (Some(certificate), Some(key)) = (certificate, key) else {
        return ByNgf::Unknown;
    };
    if certificate.len() > MAX_BYTES || key.len() > MAX_BYTES {
        return ByNgf::Unknown;
    }
    let parts = [certificate.as_slice(), key.as_slice()];
    PAIRS_BY_NGF.get_or(&parts, || {
        by_ngf(go::refuses_pair(certificate, key), &parts)
    })
}

fn by_ngf(refused: Option<String>, texts: &[&[u8]]) -> ByNgf {
    match refused {
        Some(words) => ByNgf::Refused {
            words,
            oddity: texts
                .iter()
                .find_map(|text| go::oddity(text))
                .map(str::to_owned),
        },
        None => ByNgf::Taken,
    }
}

/// The certificates of a bundle that can be read, though NGINX would refuse it as a whole.
fn readable_part(bytes: &[u8], error: &PemError) -> PemFacts {
    let certificates: Vec<CertificateFacts> = blocks(bytes)
        .filter_map(|block| read_bundle(block).ok())
        .flatten()
        .collect();
    if certificates.is_empty() {
        PemFacts::Broken(error.to_string())
    } else {
        PemFacts::Certificates {
            certificates: certificates.into(),
            trailing: Some(error.to_string()),
            open_end: is_open(bytes),
        }
    }
}

/// Whether the last line of a text is not ended.
fn is_open(bytes: &[u8]) -> bool {
    !bytes.ends_with(b"\n")
}

/// Each part that begins like a certificate, up to the next.
fn blocks(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts: Vec<usize> = bytes
        .windows(BEGIN.len())
        .enumerate()
        .filter(|(_, window)| *window == BEGIN)
        .map(|(start, _)| start)
        .collect();
    let ends: Vec<usize> = starts
        .iter()
        .skip(1)
        .copied()
        .chain([bytes.len()])
        .collect();
    starts
        .into_iter()
        .zip(ends)
        .map(|(start, end)| &bytes[start..end])
}

/// Whether the key belongs to the first certificate.
pub(super) fn key_state(
    key: Option<&Zeroizing<Vec<u8>>>,
    certificate: Option<&Zeroizing<Vec<u8>>>,
) -> KeyState {
    let Some(key) = key else {
        return KeyState::Missing;
    };
    let certificate = certificate.map(|bytes| bytes.as_slice());
    let parts = match certificate {
        Some(certificate) => &[key.as_slice(), certificate][..],
        None => &[key.as_slice()],
    };
    KEYS.get_or(parts, || compared(key, certificate))
}

fn compared(key: &[u8], certificate: Option<&[u8]>) -> KeyState {
    let kind = match key_facts(key) {
        Ok(facts) if facts.encrypted => return KeyState::Encrypted,
        Ok(facts) => facts.kind.unwrap_or_default(),
        Err(error) => return KeyState::Broken(error.to_string()),
    };
    let leaf = certificate.map(|bytes| blocks(bytes).next().unwrap_or(bytes));
    match leaf.map(|leaf| key_fits(leaf, key)) {
        Some(Ok(true)) => KeyState::Fits(kind),
        Some(Ok(false)) => KeyState::DoesNotFit(kind),
        Some(Err(_)) | None => KeyState::Unpaired(kind),
    }
}
