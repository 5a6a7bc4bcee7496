//! What a stricter client than NGINX makes of the same certificates: rustls with webpki and ring,
//! asked offline about the bytes that the server sent. A note, never the verdict: it differs from
//! NGINX's in both directions.

use std::time::Duration;

use jiff::Timestamp;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};
use x509_parser::der_parser::asn1_rs::{FromDer as _, Sequence};

use ngf_text::sanitize;
use ngf_tls::certificate::CertificateFacts;
use ngf_tls::messages::names;
use ngf_tls::transcript::{SecondOpinion, TlsAgreed};

/// Which library, in words; a test holds it against the one that is linked.
pub const ENGINE: &str = "rustls 0.23 / webpki, ring";

/// Longest reason, in characters.
const LONGEST: usize = 600;

/// Bits of the RSA keys that ring takes.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2_048..=8_192;

/// What rustls is asked.
#[derive(Debug, Clone, Copy)]
pub struct StrictQuestion<'a> {
    /// What the server sent, leaf first.
    pub presented: &'a [CertificateFacts],
    /// Whom the client trusts, in DER.
    pub roots: &'a [Vec<u8>],
    /// Where they come from, for messages.
    pub trust_origin: &'a str,
    /// The name to check, without a port.
    pub name: &'a str,
    /// Judge validity at this moment.
    pub at: Timestamp,
    /// What was agreed upon, where it is known.
    pub agreed: Option<&'a TlsAgreed>,
    /// By which scheme the server signed the handshake, by the RFC's name, where it is known.
    pub signature_scheme: Option<&'a str>,
}

/// Asks rustls; `None` where there is no certificate to ask about.
pub fn ask(question: &StrictQuestion<'_>) -> Option<SecondOpinion> {
    let leaf = question.presented.first()?;
    let provider = ring::default_provider();
    let refusals = refusals(question, leaf, &provider);
    let refusals: Vec<String> = refusals.into_iter().map(|one| one.words).collect();
    let reason = if refusals.is_empty() {
        format!(
            "the chain ends in a CA of {}, and the certificate is for {}",
            question.trust_origin, question.name
        )
    } else {
        refusals.join("; ")
    };
    Some(SecondOpinion {
        engine: ENGINE.to_owned(),
        would_accept: refusals.is_empty(),
        reason: sanitize::line(&reason, LONGEST),
        not_spoken: question.agreed.map_or_else(Vec::new, |agreed| {
            not_spoken(agreed, question.signature_scheme, &provider)
        }),
    })
}

/// A reason for which rustls would end the handshake.
pub(crate) struct RustlsRefusal {
    /// No CA that is trusted signed the chain; all else may be well.
    pub(crate) unknown_issuer: bool,
    /// In words.
    pub(crate) words: String,
}

/// Everything for which rustls would end the handshake; nothing where it would accept the certificate.
pub(crate) fn refusals_of(question: &StrictQuestion<'_>) -> Vec<RustlsRefusal> {
    let leaf = question.presented.first();
    leaf.map_or_else(Vec::new, |leaf| {
        refusals(question, leaf, &ring::default_provider())
    })
}

/// Everything for which rustls would end the handshake, in the order in which it would look.
fn refusals(
    question: &StrictQuestion<'_>,
    leaf: &CertificateFacts,
    provider: &CryptoProvider,
) -> Vec<RustlsRefusal> {
    let refusal = |words: String| RustlsRefusal {
        unknown_issuer: false,
        words,
    };
    let certificates: Vec<CertificateDer<'_>> = question
        .presented
        .iter()
        .map(|facts| CertificateDer::from(facts.der.as_slice()))
        .collect();
    let parsed = match ParsedCertificate::try_from(&certificates[0]) {
        Ok(parsed) => parsed,
        Err(error) => return vec![refusal(in_words(&error, question, leaf))],
    };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(
        question
            .roots
            .iter()
            .map(|der| CertificateDer::from(der.as_slice())),
    );
    let seconds = u64::try_from(question.at.as_second()).unwrap_or(0);
    let chain = verify_server_cert_signed_by_trust_anchor(
        &parsed,
        &roots,
        &certificates[1..],
        UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
        provider.signature_verification_algorithms.all,
    );
    let name = match server_name(question.name) {
        Some(name) => verify_server_name(&parsed, &name)
            .err()
            .map(|error| in_words(&error, question, leaf)),
        None => Some(format!(
            "{:?} is neither a DNS name nor an IP address",
            question.name
        )),
    };
    let chain = chain.err().map(|error| RustlsRefusal {
        unknown_issuer: error == Error::InvalidCertificate(CertificateError::UnknownIssuer),
        words: in_words(&error, question, leaf),
    });
    let key = is_key_refused(&parsed, leaf, provider)
        .then(|| format!("it makes no handshake with a key of type {}", leaf.key));
    let others = name.into_iter().chain(key).map(refusal);
    chain.into_iter().chain(others).collect()
}

/// The name as rustls takes it: an IPv6 address without brackets.
fn server_name(name: &str) -> Option<ServerName<'static>> {
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(name);
    ServerName::try_from(bare.to_owned()).ok()
}

/// Whether no signature scheme of rustls' is one for this key, so that the server could not prove
/// that it holds it.
fn is_key_refused(
    leaf: &ParsedCertificate<'_>,
    facts: &CertificateFacts,
    provider: &CryptoProvider,
) -> bool {
    let key = leaf.subject_public_key_info();
    let Some(algorithm) = algorithm_identifier(&key) else {
        return true;
    };
    let is_known = provider
        .signature_verification_algorithms
        .mapping
        .iter()
        .flat_map(|(_, algorithms)| algorithms.iter())
        .any(|known| known.public_key_alg_id().as_ref() == algorithm);
    let is_too_small_or_large = facts
        .key
        .strip_prefix("RSA ")
        .and_then(|bits| bits.parse().ok())
        .is_some_and(|bits| !RSA_BITS.contains(&bits));
    !is_known || is_too_small_or_large
}

/// The content of the AlgorithmIdentifier in a SubjectPublicKeyInfo (RFC 5280 §4.1).
fn algorithm_identifier(key: &[u8]) -> Option<Vec<u8>> {
    let (_, info) = Sequence::from_der(key).ok()?;
    let (_, algorithm) = Sequence::from_der(&info.content).ok()?;
    Some(algorithm.content.into_owned())
}

fn in_words(error: &Error, question: &StrictQuestion<'_>, leaf: &CertificateFacts) -> String {
    let Error::InvalidCertificate(error) = error else {
        return error.to_string();
    };
    match error {
        CertificateError::UnknownIssuer => format!(
            "no chain from the certificate leads to a CA in {}",
            question.trust_origin
        ),
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            format!(
                "no SAN: the certificate has no subject alternative name, and the common name in {} does not count",
                leaf.subject
            )
        }
        CertificateError::NotValidForNameContext { .. } => {
            let names: Vec<&str> = leaf
                .dns_names
                .iter()
                .chain(&leaf.ip_addresses)
                .take(5)
                .map(String::as_str)
                .collect();
            format!(
                "the subject alternative names are {}, and none is {}",
                names.join(", "),
                question.name
            )
        }
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("a certificate expired on {}", date(*not_after))
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("a certificate is not valid before {}", date(*not_before))
        }
        CertificateError::InvalidPurposeContext { .. } | CertificateError::InvalidPurpose => {
            "a certificate may not be used for a TLS server (extended key usage)".to_owned()
        }
        CertificateError::BadEncoding => "a certificate is not well-formed DER".to_owned(),
        CertificateError::BadSignature => {
            "a signature was not made by the key of the alleged issuer".to_owned()
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. } => {
            "a certificate is signed with an algorithm that it does not accept".to_owned()
        }
        CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "an issuer's key is of a kind that it does not take".to_owned()
        }
        CertificateError::UnhandledCriticalExtension => {
            "a certificate has a critical extension that it does not know".to_owned()
        }
        CertificateError::Other(other) => webpki_words(&format!("{other}")),
        other => other.to_string(),
    }
}

/// webpki's errors that rustls passes on as they are, by their names.
fn webpki_words(name: &str) -> String {
    match name {
        "CaUsedAsEndEntity" => "the server's certificate is that of a CA",
        "EndEntityUsedAsCa" => "a certificate that is not a CA's issued another",
        "UnsupportedCertVersion" => "a certificate is not X.509 version 3",
        "UnsupportedCriticalExtension" => {
            "a certificate has a critical extension that it does not know"
        }
        "NameConstraintViolation" => "a name is not one that a CA above may sign for",
        "PathLenConstraintViolated" => "a CA allows fewer CAs below itself (pathlen)",
        "ExtensionValueInvalid" | "MalformedExtensions" | "EmptyEkuExtension" => {
            "an extension of a certificate is malformed"
        }
        "InvalidSerialNumber" => "a serial number is malformed",
        "SignatureAlgorithmMismatch" => {
            "a certificate names two signature algorithms, and they differ"
        }
        "MaximumPathDepthExceeded" => "the chain is too long",
        other => return format!("webpki refuses it: {other}"),
    }
    .to_owned()
}

fn date(time: UnixTime) -> String {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .map_or_else(|| "a date out of range".to_owned(), |time| time.to_string())
}

/// What rustls would not have agreed to.
fn not_spoken(
    agreed: &TlsAgreed,
    signature_scheme: Option<&str>,
    provider: &CryptoProvider,
) -> Vec<String> {
    let mut notes = Vec::new();
    if !matches!(agreed.version.as_str(), "TLSv1.2" | "TLSv1.3") {
        notes.push(format!("it does not speak {}", agreed.version));
        return notes;
    }
    let speaks_suite = provider
        .cipher_suites
        .iter()
        .any(|suite| is_named(&format!("{:?}", suite.suite()), &agreed.cipher));
    if !speaks_suite {
        notes.push(format!(
            "it does not speak {}: {}",
            agreed.cipher,
            why_not(&agreed.cipher)
        ));
    }
    let speaks_group = |group: &String| {
        let names = provider.kx_groups.iter().map(|known| known.name());
        names
            .map(|name| format!("{name:?}"))
            .any(|name| name.eq_ignore_ascii_case(group))
    };
    // Of the hybrid groups OpenSSL's own preference is seen, and nothing of what else there is.
    let group = agreed.group.as_ref();
    if let Some(group) = group.filter(|group| !group.contains("MLKEM") && !speaks_group(group)) {
        notes.push(format!("it does no key exchange by {group}"));
    }
    let schemes = provider
        .signature_verification_algorithms
        .supported_schemes();
    let takes = |scheme: &str| {
        schemes
            .iter()
            .any(|known| names::signature_scheme(u16::from(*known)) == scheme)
    };
    if let Some(scheme) = signature_scheme.filter(|scheme| !takes(scheme)) {
        notes.push(format!("it takes no signature by {scheme}"));
    }
    notes
}

/// rustls writes `TLS13_AES_128_GCM_SHA256` where IANA writes `TLS_AES_128_GCM_SHA256`.
fn is_named(rustls: &str, iana: &str) -> bool {
    rustls == iana
        || rustls
            .strip_prefix("TLS13_")
            .is_some_and(|rest| iana.strip_prefix("TLS_") == Some(rest))
}

fn why_not(suite: &str) -> &'static str {
    if suite.starts_with("TLS_RSA_") {
        "it has no forward secrecy (RSA key exchange)"
    } else if suite.starts_with("TLS_DHE_") || suite.starts_with("TLS_DH_") {
        "it does no finite-field Diffie-Hellman"
    } else if suite.contains("_CBC_") {
        "it takes no CBC"
    } else {
        "it is none of its suites"
    }
}

/// For one who has OpenSSL's certificates.
pub(crate) fn roots_of(certificates: &[openssl::x509::X509]) -> Vec<Vec<u8>> {
    certificates
        .iter()
        .filter_map(|certificate| certificate.to_der().ok())
        .collect()
}
