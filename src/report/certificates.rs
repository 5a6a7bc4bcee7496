//! `chain --inspect`: the certificates of a Secret, a ConfigMap or a file as the tool sees them, as text or as JSON. No key
//! is ever in it: what is known of one is its kind, and whether it fits.

use std::{collections::BTreeMap, fmt::Write as _};

use jiff::Timestamp;
use ngf_core::{
    diagnosis::words,
    model::kinds::{KeyState, PemFacts, SecretFacts},
};
use ngf_tls::{certificate::CertificateFacts, chain::signed_by};
use serde::Serialize;

use super::{
    clean,
    text::{Style, wrap},
};

/// The `schema` of every report that this version writes.
pub const SCHEMA: &str = "ngf-tui/certificates/v1";
/// Certificates of one key that are shown.
const MOST: usize = 300;

/// What was found.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct Inspection {
    schema: &'static str,
    /// The object or file.
    source: String,
    /// The moment that is judged.
    at: Timestamp,
    /// `type` of a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_type: Option<String>,
    /// The names of the keys, with the length of each value in bytes.
    keys: BTreeMap<String, usize>,
    /// What holds certificates.
    parts: Vec<Part>,
    /// The private key; missing where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<Key>,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Part {
    /// The key in the object; `file` for a file.
    name: &'static str,
    certificates: Vec<Certificate>,
    /// Why nginx refuses to load it, or why nothing can be read.
    problem: Option<String>,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Certificate {
    #[serde(flatten)]
    facts: CertificateFacts,
    /// RFC 3339.
    valid_from: Option<Timestamp>,
    valid_until: Option<Timestamp>,
    /// Whether it is valid at the moment that is judged.
    valid: bool,
    /// Seconds from that moment to its expiry; negative where that is past.
    expires_in_s: i64,
    /// It signed itself.
    self_signed: bool,
    /// The place of a certificate of the same part that signed it, from 1.
    signed_by: Option<usize>,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Key {
    /// `RSA 2048`; missing where it cannot be read.
    kind: Option<String>,
    /// Whether it belongs to the first certificate; `null` where that is not known.
    fits: Option<bool>,
    /// In words.
    state: String,
}

impl Inspection {
    /// Of a Secret's facts, a ConfigMap's as such, or a file's; `parts` names what is looked at.
    pub fn of(
        source: &str,
        facts: &SecretFacts,
        secret_type: Option<&str>,
        parts: &[(&'static str, &PemFacts)],
        at: Timestamp,
    ) -> Self {
        let parts = parts.iter().filter(|(_, pem)| **pem != PemFacts::Missing);
        Self {
            schema: SCHEMA,
            source: clean(source),
            at,
            secret_type: secret_type.map(clean),
            keys: facts
                .keys
                .iter()
                .map(|(name, size)| (clean(name), *size))
                .collect(),
            parts: parts
                .map(|(name, pem)| part(name, pem, at.as_second()))
                .collect(),
            private_key: key(&facts.key),
        }
    }

    /// Whether no certificate was found, something cannot be loaded, is not valid, or the key is another one.
    pub fn is_wrong(&self) -> bool {
        let certificates = || self.parts.iter().flat_map(|part| &part.certificates);
        certificates().next().is_none()
            || self.parts.iter().any(|part| part.problem.is_some())
            || certificates().any(|certificate| !certificate.valid)
            || self
                .private_key
                .as_ref()
                .is_some_and(|key| key.fits == Some(false))
    }

    /// As text.
    pub fn text(&self, style: Style) -> String {
        let mut out = String::new();
        let width = style.width.max(40);
        let mut line = |indent: usize, text: &str| {
            for (index, line) in wrap(&clean(text), width, indent, indent + 2)
                .iter()
                .enumerate()
            {
                let pad = if index == 0 { indent } else { indent + 2 };
                let _ = writeln!(out, "{:pad$}{line}", "");
            }
        };
        line(
            0,
            &match &self.secret_type {
                Some(kind) => format!("{} ({kind})", self.source),
                None => self.source.clone(),
            },
        );
        if !self.keys.is_empty() {
            let keys = self
                .keys
                .iter()
                .map(|(name, size)| format!("{name} ({size} bytes)"));
            line(2, &format!("keys: {}", keys.collect::<Vec<_>>().join(", ")));
        }
        if self.parts.is_empty() {
            line(2, "It holds no certificate: neither tls.crt nor ca.crt.");
        }
        for part in &self.parts {
            let count = words::count(part.certificates.len(), "certificate");
            line(0, &format!("{}: {count}", part.name));
            if let Some(problem) = &part.problem {
                line(2, &format!("✗ nginx does not load it: {problem}"));
            }
            for (index, certificate) in part.certificates.iter().enumerate() {
                certificate.write(index + 1, self.at.as_second(), &mut line);
            }
        }
        if let Some(key) = &self.private_key {
            let sign = match key.fits {
                Some(true) => '✓',
                Some(false) => '✗',
                None => '?',
            };
            line(0, &format!("{sign} private key: {}", key.state));
        }
        out
    }
}

fn key(state: &KeyState) -> Option<Key> {
    let (kind, fits, state) = match state {
        KeyState::Missing => return None,
        KeyState::Fits(kind) => (
            Some(kind),
            Some(true),
            format!("{kind}, belongs to the first certificate"),
        ),
        KeyState::DoesNotFit(kind) => (
            Some(kind),
            Some(false),
            format!("{kind}, does not belong to the first certificate"),
        ),
        KeyState::Encrypted => (
            None,
            None,
            "encrypted: nginx cannot use it without its password".to_owned(),
        ),
        KeyState::Broken(why) => (None, None, format!("cannot be read: {why}")),
        KeyState::Unpaired(kind) => (
            Some(kind),
            None,
            format!("{kind}, without a certificate to compare it with"),
        ),
    };
    Some(Key {
        kind: kind.map(|kind| clean(kind)),
        fits,
        state: clean(&state),
    })
}

fn part(name: &'static str, pem: &PemFacts, at: i64) -> Part {
    let (certificates, problem): (&[CertificateFacts], Option<String>) = match pem {
        PemFacts::Certificates {
            certificates,
            trailing,
            ..
        } => (certificates, trailing.clone()),
        PemFacts::Broken(why) => (&[], Some(why.clone())),
        PemFacts::Empty => (&[], Some("it is empty".to_owned())),
        PemFacts::Missing => (&[], None),
    };
    let certificates = certificates.get(..MOST).unwrap_or(certificates);
    Part {
        name,
        certificates: certificates
            .iter()
            .map(|facts| certificate(facts, certificates, at))
            .collect(),
        problem: problem.map(|why| clean(&why)),
    }
}

fn certificate(facts: &CertificateFacts, all: &[CertificateFacts], at: i64) -> Certificate {
    let is_issuer = |other: &CertificateFacts| {
        other.subject == facts.issuer && signed_by(&facts.der, &other.der)
    };
    let self_signed = is_issuer(facts);
    let others = all
        .iter()
        .position(|other| other.fingerprint_sha256 != facts.fingerprint_sha256 && is_issuer(other));
    Certificate {
        valid_from: Timestamp::from_second(facts.not_before).ok(),
        valid_until: Timestamp::from_second(facts.not_after).ok(),
        valid: (facts.not_before..=facts.not_after).contains(&at),
        expires_in_s: facts.not_after.saturating_sub(at),
        self_signed,
        signed_by: others.filter(|_| !self_signed).map(|index| index + 1),
        facts: facts.clone(),
    }
}

impl Certificate {
    fn write(&self, number: usize, at: i64, line: &mut impl FnMut(usize, &str)) {
        let facts = &self.facts;
        let sign = if self.valid { '✓' } else { '✗' };
        line(2, &format!("{sign} {number}. {}", words::holder(facts)));
        let until = words::moment(facts.not_after);
        let validity = if facts.not_after < at {
            format!(
                "expired {} ago, on {until}",
                words::span(at - facts.not_after)
            )
        } else if facts.not_before > at {
            format!("not valid before {}", words::moment(facts.not_before))
        } else {
            format!(
                "expires in {}, on {until}",
                words::span(facts.not_after - at)
            )
        };
        let issuer = match (self.self_signed, self.signed_by) {
            (true, _) => "itself".to_owned(),
            (false, Some(place)) => format!("{} (certificate {place} here)", facts.issuer),
            (false, None) => format!("{} (not here)", facts.issuer),
        };
        let or_none = |names: &[String]| match names {
            [] => "none".to_owned(),
            names => words::list(names, 20),
        };
        let mut names = facts.dns_names.clone();
        names.extend(facts.ip_addresses.iter().cloned());
        names.extend(facts.other_names.iter().cloned());
        let ca = match (facts.is_ca, facts.path_len) {
            (Some(true), Some(length)) => format!("yes, path length {length}"),
            (Some(true), None) => "yes".to_owned(),
            (Some(false), _) => "no".to_owned(),
            (None, _) => "no (no basicConstraints)".to_owned(),
        };
        for (name, value) in [
            ("subject", facts.subject.clone()),
            ("issued by", issuer),
            ("validity", validity),
            ("names", or_none(&names)),
            ("CA", ca),
            ("key usage", or_none(&facts.key_usage)),
            ("extended key usage", or_none(&facts.extended_key_usage)),
            ("key", facts.key.clone()),
            ("signature", facts.signature.clone()),
            ("serial", facts.serial.clone()),
            ("SHA-256", facts.fingerprint_sha256.clone()),
            ("public key SHA-256", facts.public_key_sha256.clone()),
        ] {
            line(6, &format!("{name}: {value}"));
        }
    }
}
