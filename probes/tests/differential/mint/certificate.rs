//! A [`Certificate`] says what shall stand in one, fault included, and [`Certificate::issue`] writes and signs it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use openssl::sha::sha1;

use super::der;
use super::key::{self, Digest, Key, Kind};

/// KeyUsage bits (RFC 5280 §4.2.1.3).
pub(crate) mod key_usage {
    pub(crate) const DIGITAL_SIGNATURE: u8 = 0;
    pub(crate) const KEY_ENCIPHERMENT: u8 = 2;
    pub(crate) const KEY_AGREEMENT: u8 = 4;
    pub(crate) const KEY_CERT_SIGN: u8 = 5;
    pub(crate) const CRL_SIGN: u8 = 6;
}

/// ExtendedKeyUsage purposes (RFC 5280 §4.2.1.12).
pub(crate) mod purpose {
    pub(crate) const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
    pub(crate) const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";
    pub(crate) const CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";
    pub(crate) const ANY: &str = "2.5.29.37.0";
}

/// What shall stand in a certificate.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    /// 1 or 3; a certificate of version 1 has no extensions, whatever else is set.
    pub(crate) version: u8,
    /// The subject: attribute OIDs and texts.
    pub(crate) subject: Vec<(&'static str, String)>,
    /// Another issuer than the one that signs.
    pub(crate) issuer: Option<Vec<(&'static str, String)>>,
    pub(crate) key: Key,
    /// What the signature is made with.
    pub(crate) digest: Digest,
    /// Hours from now.
    pub(crate) not_before: i64,
    /// Hours from now.
    pub(crate) not_after: i64,
    pub(crate) alternative_names: Vec<AlternativeName>,
    /// cA and pathLenConstraint; `None` leaves the extension out.
    pub(crate) basic_constraints: Option<(bool, Option<u64>)>,
    /// Bits of [`key_usage`]; `None` leaves the extension out.
    pub(crate) key_usage: Option<Vec<u8>>,
    /// OIDs of [`purpose`]; `None` leaves the extension out.
    pub(crate) extended_key_usage: Option<Vec<&'static str>>,
    pub(crate) subject_key_id: bool,
    pub(crate) authority_key_id: bool,
    /// Further extensions, as they stand.
    pub(crate) extensions: Vec<Extension>,
    /// notBefore as it stands, whatever [`Certificate::not_before`] says.
    pub(crate) raw_not_before: Option<Vec<u8>>,
    /// Another AlgorithmIdentifier outside than inside.
    pub(crate) outer_algorithm: Option<Vec<u8>>,
    /// A bit of the signature is wrong.
    pub(crate) broken_signature: bool,
}

/// A SAN.
#[derive(Debug, Clone)]
pub(crate) enum AlternativeName {
    Dns(String),
    Ip(IpAddr),
    Email(String),
    Uri(String),
}

/// An extension, its content as it stands.
#[derive(Debug, Clone)]
pub(crate) struct Extension {
    pub(crate) oid: &'static str,
    pub(crate) critical: bool,
    pub(crate) content: Vec<u8>,
}

/// A certificate with its key.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub(crate) certificate: Certificate,
    pub(crate) der: Vec<u8>,
}

pub(crate) const COMMON_NAME: &str = "2.5.4.3";
const DAY: i64 = 24;

impl Certificate {
    /// A sound leaf for a name: SAN and CN, serverAuth and clientAuth, valid for ninety days.
    pub(crate) fn leaf(name: &str) -> Self {
        Self {
            version: 3,
            subject: vec![(COMMON_NAME, name.to_owned())],
            issuer: None,
            key: Key::new(Kind::P256, "leaf"),
            digest: Digest::Sha256,
            not_before: -DAY,
            not_after: 90 * DAY,
            alternative_names: vec![AlternativeName::Dns(name.to_owned())],
            basic_constraints: Some((false, None)),
            key_usage: Some(vec![
                key_usage::DIGITAL_SIGNATURE,
                key_usage::KEY_ENCIPHERMENT,
            ]),
            extended_key_usage: Some(vec![purpose::SERVER_AUTH, purpose::CLIENT_AUTH]),
            subject_key_id: true,
            authority_key_id: true,
            extensions: Vec::new(),
            raw_not_before: None,
            outer_algorithm: None,
            broken_signature: false,
        }
    }

    /// A sound CA, valid for ten years; its key bears its name.
    pub(crate) fn ca(name: &str) -> Self {
        Self {
            key: Key::new(Kind::P256, name),
            not_after: 3650 * DAY,
            alternative_names: Vec::new(),
            basic_constraints: Some((true, None)),
            key_usage: Some(vec![key_usage::KEY_CERT_SIGN, key_usage::CRL_SIGN]),
            extended_key_usage: None,
            ..Self::leaf(name)
        }
    }

    pub(crate) fn expired(&mut self) {
        self.not_before = -90 * DAY;
        self.not_after = -DAY;
    }

    pub(crate) fn not_yet_valid(&mut self) {
        self.not_before = DAY;
        self.not_after = 90 * DAY;
    }

    pub(crate) fn common_name(&mut self, name: &str) {
        self.subject = vec![(COMMON_NAME, name.to_owned())];
    }

    pub(crate) fn dns_names(&mut self, names: &[&str]) {
        self.alternative_names = names
            .iter()
            .map(|&name| AlternativeName::Dns(name.to_owned()))
            .collect();
    }

    /// Signed by its own key.
    pub(crate) fn self_signed(&self) -> Issued {
        self.sign_as(self)
    }

    /// Signed by `issuer`.
    pub(crate) fn issued_by(&self, issuer: &Issued) -> Issued {
        self.sign_as(&issuer.certificate)
    }

    fn sign_as(&self, issuer: &Certificate) -> Issued {
        let algorithm = key::algorithm(issuer.key.kind, self.digest);
        let body = self.body(issuer, &algorithm);
        let mut signature = key::sign(&issuer.key, self.digest, &body);
        if self.broken_signature {
            *signature.last_mut().expect("a signature has octets") ^= 1;
        }
        let outer = self.outer_algorithm.clone().unwrap_or(algorithm);
        let der = der::sequence(&[body, outer, der::bit_string(&signature)]);
        Issued {
            certificate: self.clone(),
            der,
        }
    }

    /// TBSCertificate (RFC 5280 §4.1).
    fn body(&self, issuer: &Certificate, algorithm: &[u8]) -> Vec<u8> {
        let mut parts = Vec::new();
        if self.version > 1 {
            parts.push(der::explicit(0, &der::integer(u64::from(self.version) - 1)));
        }
        parts.push(der::integer(serial_number()));
        parts.push(algorithm.to_vec());
        parts.push(name(self.issuer.as_ref().unwrap_or(&issuer.subject)));
        let now = Timestamp::now();
        parts.push(der::sequence(&[
            self.raw_not_before
                .clone()
                .unwrap_or_else(|| der::time(now + SignedDuration::from_hours(self.not_before))),
            der::time(now + SignedDuration::from_hours(self.not_after)),
        ]));
        parts.push(name(&self.subject));
        parts.push(public_key(&self.key));
        if self.version > 1 {
            let extensions = self.all_extensions(issuer);
            if !extensions.is_empty() {
                let written: Vec<Vec<u8>> = extensions.iter().map(Extension::der).collect();
                parts.push(der::explicit(3, &der::sequence(&written)));
            }
        }
        der::sequence(&parts)
    }

    fn all_extensions(&self, issuer: &Certificate) -> Vec<Extension> {
        let mut all = Vec::new();
        let mut add = |oid, critical, content| {
            all.push(Extension {
                oid,
                critical,
                content,
            });
        };
        if let Some((ca, path_length)) = self.basic_constraints {
            let mut parts = Vec::new();
            if ca {
                parts.push(der::boolean(true));
            }
            parts.extend(path_length.map(der::integer));
            add("2.5.29.19", true, der::sequence(&parts));
        }
        if let Some(bits) = &self.key_usage {
            add("2.5.29.15", true, der::named_bits(bits));
        }
        if let Some(purposes) = &self.extended_key_usage {
            let oids: Vec<Vec<u8>> = purposes.iter().map(|oid| der::oid(oid)).collect();
            add("2.5.29.37", false, der::sequence(&oids));
        }
        if self.subject_key_id {
            add("2.5.29.14", false, der::octet_string(&key_id(&self.key)));
        }
        if self.authority_key_id {
            let id = der::implicit(0, &key_id(&issuer.key));
            add("2.5.29.35", false, der::sequence(&[id]));
        }
        if !self.alternative_names.is_empty() {
            let names: Vec<Vec<u8>> = self
                .alternative_names
                .iter()
                .map(AlternativeName::der)
                .collect();
            add("2.5.29.17", false, der::sequence(&names));
        }
        all.extend(self.extensions.iter().cloned());
        all
    }
}

impl AlternativeName {
    /// GeneralName (RFC 5280 §4.2.1.6).
    pub(crate) fn der(&self) -> Vec<u8> {
        match self {
            Self::Email(text) => der::implicit(1, text.as_bytes()),
            Self::Dns(text) => der::implicit(2, text.as_bytes()),
            Self::Uri(text) => der::implicit(6, text.as_bytes()),
            Self::Ip(IpAddr::V4(address)) => der::implicit(7, &address.octets()),
            Self::Ip(IpAddr::V6(address)) => der::implicit(7, &address.octets()),
        }
    }
}

impl Extension {
    fn der(&self) -> Vec<u8> {
        let mut parts = vec![der::oid(self.oid)];
        if self.critical {
            parts.push(der::boolean(true));
        }
        parts.push(der::octet_string(&self.content));
        der::sequence(&parts)
    }

    /// NameConstraints with GeneralNames that are permitted, and excluded (RFC 5280 §4.2.1.10).
    pub(crate) fn name_constraints(permitted: &[Vec<u8>], excluded: &[Vec<u8>]) -> Self {
        let subtrees = |number: u8, bases: &[Vec<u8>]| {
            let each: Vec<Vec<u8>> = bases
                .iter()
                .map(|base| der::sequence(std::slice::from_ref(base)))
                .collect();
            der::value(0xa0 | number, &each.concat())
        };
        let mut parts = Vec::new();
        if !permitted.is_empty() {
            parts.push(subtrees(0, permitted));
        }
        if !excluded.is_empty() {
            parts.push(subtrees(1, excluded));
        }
        Self {
            oid: "2.5.29.30",
            critical: true,
            content: der::sequence(&parts),
        }
    }
}

impl Issued {
    pub(crate) fn pem(&self) -> Vec<u8> {
        pem("CERTIFICATE", &self.der)
    }

    /// With OpenSSL's own settings for trust, as `openssl x509 -trustout` writes them: the purposes
    /// that it is an anchor for, and those that it is none for.
    pub(crate) fn pem_with_settings(&self, trusted: &[&str], rejected: &[&str]) -> Vec<u8> {
        let oids =
            |oids: &[&str]| -> Vec<u8> { oids.iter().flat_map(|oid| der::oid(oid)).collect() };
        let mut settings = Vec::new();
        if !trusted.is_empty() {
            settings.push(der::value(0x30, &oids(trusted)));
        }
        if !rejected.is_empty() {
            settings.push(der::value(0xa0, &oids(rejected)));
        }
        pem(
            "TRUSTED CERTIFICATE",
            &[self.der.clone(), der::sequence(&settings)].concat(),
        )
    }

    pub(crate) fn key_pem(&self) -> Vec<u8> {
        self.certificate
            .key
            .load()
            .private_key_to_pem_pkcs8()
            .expect("a key in PEM")
    }
}

/// A PEM block (RFC 7468).
pub(crate) fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    let text = openssl::base64::encode_block(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("base64 is ASCII"))
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
    .into_bytes()
}

/// A PEM bundle of several certificates.
pub(crate) fn bundle(certificates: &[&Issued]) -> Vec<u8> {
    certificates
        .iter()
        .flat_map(|certificate| certificate.pem())
        .collect()
}

fn name(attributes: &[(&'static str, String)]) -> Vec<u8> {
    let relative: Vec<Vec<u8>> = attributes
        .iter()
        .map(|(oid, text)| der::set(&[der::sequence(&[der::oid(oid), der::utf8_string(text)])]))
        .collect();
    der::sequence(&relative)
}

fn public_key(key: &Key) -> Vec<u8> {
    key.load().public_key_to_der().expect("a public key in DER")
}

/// SHA-1 of the SubjectPublicKeyInfo: not RFC 5280's first method, but as unique.
fn key_id(key: &Key) -> [u8; 20] {
    sha1(&public_key(key))
}

fn serial_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0x1000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
