//! Certificates as facts: what x509-parser reads in them.

use std::net::{Ipv4Addr, Ipv6Addr};

use openssl::sha::sha256;
use serde::{Deserialize, Serialize};
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::asn1_rs::{Any, Tag};
use x509_parser::der_parser::oid::Oid;
use x509_parser::extensions::{ExtendedKeyUsage, GeneralName, KeyUsage, ParsedExtension};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::{AttributeTypeAndValue, SubjectPublicKeyInfo, X509Name};

use ngf_text::sanitize;

/// Longest name or value that is kept, in characters.
const LONGEST: usize = 500;
/// Most names of one kind that are kept.
const MOST_NAMES: usize = 1_000;

/// What a certificate says of itself. All text is stripped of control characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CertificateFacts {
    /// RFC 4514 text, most specific first as OpenSSL's `-nameopt RFC2253` prints it: `CN=LocalCA`.
    pub subject: String,
    /// The issuer's name, likewise.
    pub issuer: String,
    /// Lower-case hex with colons.
    pub serial: String,
    /// SHA-256 of the DER, lower-case hex with colons.
    pub fingerprint_sha256: String,
    /// Seconds since the epoch.
    pub not_before: i64,
    /// Seconds since the epoch.
    pub not_after: i64,
    /// `dNSName` SANs.
    pub dns_names: Vec<String>,
    /// `iPAddress` SANs.
    pub ip_addresses: Vec<String>,
    /// Other SANs, with their type: `URI:spiffe://…`.
    pub other_names: Vec<String>,
    /// `RSA 2048`, `EC P-256`, `Ed25519`.
    pub key: String,
    /// `sha256WithRSAEncryption`, `ecdsa-with-SHA256`, …
    pub signature: String,
    /// BasicConstraints cA; `None` where the extension is missing.
    pub is_ca: Option<bool>,
    /// pathLenConstraint.
    pub path_len: Option<u32>,
    /// KeyUsage bits by their RFC 5280 names; empty where the extension is missing.
    pub key_usage: Vec<String>,
    /// ExtendedKeyUsage by name or OID; empty where the extension is missing.
    pub extended_key_usage: Vec<String>,
    /// SubjectKeyIdentifier, hex with colons.
    pub subject_key_id: Option<String>,
    /// AuthorityKeyIdentifier's keyIdentifier, hex with colons.
    pub authority_key_id: Option<String>,
    /// SHA-256 of the SubjectPublicKeyInfo, hex with colons: which key it is, whatever the name.
    pub public_key_sha256: String,
    /// The DER itself, so that the chain can be judged again at another moment.
    #[serde(skip)]
    pub der: Vec<u8>,
}

/// Bytes that are no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an X.509 certificate: {reason}")]
pub struct CertificateError {
    /// What the parser stumbled over.
    pub reason: String,
}

impl CertificateFacts {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// [`CertificateError`] where the bytes are no certificate, or more than one.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let broken = |reason: String| CertificateError {
            reason: sanitize::line(&reason, 200),
        };
        let (rest, certificate) =
            X509Certificate::from_der(der).map_err(|error| broken(error.to_string()))?;
        if !rest.is_empty() {
            return Err(broken(format!("{} bytes follow it", rest.len())));
        }
        let mut facts = Self {
            subject: name_text(certificate.subject()),
            issuer: name_text(certificate.issuer()),
            serial: hex(certificate.raw_serial()),
            fingerprint_sha256: hex(&sha256(der)),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            key: key_text(certificate.public_key()),
            signature: signature_text(&certificate.signature_algorithm.algorithm),
            public_key_sha256: hex(&sha256(certificate.public_key().raw)),
            der: der.to_vec(),
            ..Self::empty()
        };
        for extension in certificate.extensions() {
            facts.take_extension(extension.parsed_extension());
        }
        Ok(facts)
    }

    /// What can be said of a certificate that a peer sent and that x509-parser does not read.
    pub fn unreadable(der: &[u8], error: &CertificateError) -> Self {
        Self {
            subject: format!("({error})"),
            fingerprint_sha256: hex(&sha256(der)),
            der: der.to_vec(),
            ..Self::empty()
        }
    }

    fn empty() -> Self {
        Self {
            subject: String::new(),
            issuer: String::new(),
            serial: String::new(),
            fingerprint_sha256: String::new(),
            not_before: 0,
            not_after: 0,
            dns_names: Vec::new(),
            ip_addresses: Vec::new(),
            other_names: Vec::new(),
            key: String::new(),
            signature: String::new(),
            is_ca: None,
            path_len: None,
            key_usage: Vec::new(),
            extended_key_usage: Vec::new(),
            subject_key_id: None,
            authority_key_id: None,
            public_key_sha256: String::new(),
            der: Vec::new(),
        }
    }

    fn take_extension(&mut self, extension: &ParsedExtension<'_>) {
        match extension {
            ParsedExtension::SubjectAlternativeName(names) => {
                for name in names.general_names.iter().take(MOST_NAMES) {
                    self.take_name(name);
                }
            }
            ParsedExtension::BasicConstraints(constraints) => {
                self.is_ca = Some(constraints.ca);
                self.path_len = constraints.path_len_constraint;
            }
            ParsedExtension::KeyUsage(usage) => self.key_usage = key_usage_names(*usage),
            ParsedExtension::ExtendedKeyUsage(usage) => {
                self.extended_key_usage = extended_key_usage_names(usage);
            }
            ParsedExtension::SubjectKeyIdentifier(id) => self.subject_key_id = Some(hex(id.0)),
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                self.authority_key_id = id.key_identifier.as_ref().map(|id| hex(id.0));
            }
            _ => {}
        }
    }

    fn take_name(&mut self, name: &GeneralName<'_>) {
        let other = match name {
            GeneralName::DNSName(name) => {
                return self.dns_names.push(sanitize::line(name, LONGEST));
            }
            GeneralName::IPAddress(bytes) => return self.ip_addresses.push(ip_text(bytes)),
            GeneralName::RFC822Name(name) => format!("email:{name}"),
            GeneralName::URI(uri) => format!("URI:{uri}"),
            GeneralName::DirectoryName(name) => format!("DirName:{}", name_text(name)),
            GeneralName::RegisteredID(oid) => format!("RID:{oid}"),
            GeneralName::OtherName(oid, _) => format!("othername:{oid}"),
            GeneralName::X400Address(_) => "X400Name".to_owned(),
            GeneralName::EDIPartyName(_) => "EdiPartyName".to_owned(),
            GeneralName::Invalid(tag, bytes) => {
                format!("invalid:{tag} {}", String::from_utf8_lossy(bytes))
            }
        };
        self.other_names.push(sanitize::line(&other, LONGEST));
    }
}

/// The subject of a certificate in DER, or what is wrong with it.
pub fn subject_of(der: &[u8]) -> String {
    match X509Certificate::from_der(der) {
        Ok((_, certificate)) => name_text(certificate.subject()),
        Err(_) => "(unreadable)".to_owned(),
    }
}

/// The issuer of a certificate in DER, or what is wrong with it.
pub fn issuer_of(der: &[u8]) -> String {
    match X509Certificate::from_der(der) {
        Ok((_, certificate)) => name_text(certificate.issuer()),
        Err(_) => "(unreadable)".to_owned(),
    }
}

/// A distinguished name in DER as RFC 4514 text; `None` where it is none.
pub fn name_from_der(der: &[u8]) -> Option<String> {
    X509Name::from_der(der)
        .ok()
        .filter(|(rest, _)| rest.is_empty())
        .map(|(_, name)| name_text(&name))
}

/// RFC 4514: the most specific part first, parts of one level joined by `+`.
fn name_text(name: &X509Name<'_>) -> String {
    let mut levels: Vec<String> = name
        .iter_rdn()
        .take(100)
        .map(|level| {
            level
                .iter()
                .map(attribute_text)
                .collect::<Vec<_>>()
                .join("+")
        })
        .collect();
    levels.reverse();
    sanitize::line(&levels.join(","), LONGEST)
}

fn attribute_text(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type().to_id_string();
    let kind = ATTRIBUTES
        .iter()
        .find(|(id, _)| *id == oid)
        .map(|(_, short)| *short);
    match (kind, string_of(attribute.attr_value())) {
        (Some(kind), Some(value)) => format!("{kind}={}", escape(&value)),
        (None, Some(value)) => format!("{oid}={}", escape(&value)),
        (kind, None) => {
            let digits = hex(attribute.as_slice()).replace(':', "");
            format!("{}=#{digits}", kind.unwrap_or(&oid))
        }
    }
}

/// Short names of RFC 4514 §3, and those that OpenSSL adds.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.42", "GN"),
    ("2.5.4.97", "organizationIdentifier"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

fn string_of(value: &Any<'_>) -> Option<String> {
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
            Some(String::from_utf8_lossy(value.data).into_owned())
        }
        // Taken for Latin-1, as OpenSSL does.
        Tag::TeletexString => Some(value.data.iter().map(|&byte| char::from(byte)).collect()),
        Tag::BmpString => {
            let units: Vec<u16> = value
                .data
                .chunks_exact(2)
                .map(|p| u16::from_be_bytes([p[0], p[1]]))
                .collect();
            Some(String::from_utf16_lossy(&units))
        }
        Tag::UniversalString => Some(
            value
                .data
                .chunks_exact(4)
                .map(|p| u32::from_be_bytes([p[0], p[1], p[2], p[3]]))
                .map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect(),
        ),
        _ => None,
    }
}

/// RFC 4514 §2.4.
fn escape(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut out = String::with_capacity(value.len());
    for (index, character) in value.chars().enumerate() {
        let at_an_end = index == 0 || index == last;
        if matches!(character, '"' | '+' | ',' | ';' | '<' | '>' | '\\')
            || (character == ' ' && at_an_end)
            || (character == '#' && index == 0)
        {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

fn ip_text(bytes: &[u8]) -> String {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        Ipv4Addr::from(v4).to_string()
    } else if let Ok(v6) = <[u8; 16]>::try_from(bytes) {
        Ipv6Addr::from(v6).to_string()
    } else {
        sanitize::line(&format!("invalid:{}", hex(bytes)), LONGEST)
    }
}

fn key_text(key: &SubjectPublicKeyInfo<'_>) -> String {
    let oid = key.algorithm.algorithm.to_id_string();
    let curve = || {
        key.algorithm
            .parameters
            .as_ref()
            .and_then(|p| p.as_oid().ok())
    };
    match oid.as_str() {
        "1.2.840.113549.1.1.1" => format!("RSA {}", modulus_bits(key)),
        "1.2.840.113549.1.1.10" => format!("RSA-PSS {}", modulus_bits(key)),
        "1.2.840.10045.2.1" => match curve() {
            Some(curve) => format!("EC {}", curve_text(&curve)),
            None => "EC with explicit parameters".to_owned(),
        },
        "1.2.840.10040.4.1" => "DSA".to_owned(),
        "1.3.101.112" => "Ed25519".to_owned(),
        "1.3.101.113" => "Ed448".to_owned(),
        _ => oid,
    }
}

fn modulus_bits(key: &SubjectPublicKeyInfo<'_>) -> usize {
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => {
            let zeros = rsa.modulus.iter().take_while(|&&byte| byte == 0).count();
            let first = rsa
                .modulus
                .get(zeros)
                .map_or(0, |byte| byte.leading_zeros() as usize);
            ((rsa.modulus.len() - zeros) * 8).saturating_sub(first)
        }
        _ => 0,
    }
}

fn curve_text(curve: &Oid<'_>) -> String {
    match curve.to_id_string().as_str() {
        "1.2.840.10045.3.1.7" => "P-256".to_owned(),
        "1.3.132.0.34" => "P-384".to_owned(),
        "1.3.132.0.35" => "P-521".to_owned(),
        "1.3.132.0.10" => "secp256k1".to_owned(),
        "1.3.36.3.3.2.8.1.1.7" => "brainpoolP256r1".to_owned(),
        "1.3.36.3.3.2.8.1.1.11" => "brainpoolP384r1".to_owned(),
        "1.3.36.3.3.2.8.1.1.13" => "brainpoolP512r1".to_owned(),
        other => other.to_owned(),
    }
}

fn signature_text(algorithm: &Oid<'_>) -> String {
    let oid = algorithm.to_id_string();
    let name = match oid.as_str() {
        "1.2.840.113549.1.1.4" => "md5WithRSAEncryption",
        "1.2.840.113549.1.1.5" => "sha1WithRSAEncryption",
        "1.2.840.113549.1.1.10" => "rsassaPss",
        "1.2.840.113549.1.1.11" => "sha256WithRSAEncryption",
        "1.2.840.113549.1.1.12" => "sha384WithRSAEncryption",
        "1.2.840.113549.1.1.13" => "sha512WithRSAEncryption",
        "1.2.840.113549.1.1.14" => "sha224WithRSAEncryption",
        "1.2.840.10045.4.1" => "ecdsa-with-SHA1",
        "1.2.840.10045.4.3.1" => "ecdsa-with-SHA224",
        "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256",
        "1.2.840.10045.4.3.3" => "ecdsa-with-SHA384",
        "1.2.840.10045.4.3.4" => "ecdsa-with-SHA512",
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        other => other,
    };
    name.to_owned()
}

/// RFC 5280 §4.2.1.3, by bit.
const KEY_USAGES: [&str; 9] = [
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
];

fn key_usage_names(usage: KeyUsage) -> Vec<String> {
    let set = |bit: usize| usage.flags >> bit & 1 == 1;
    (0..KEY_USAGES.len())
        .filter(|&bit| set(bit))
        .map(|bit| KEY_USAGES[bit].to_owned())
        .collect()
}

fn extended_key_usage_names(usage: &ExtendedKeyUsage<'_>) -> Vec<String> {
    [
        (usage.any, "anyExtendedKeyUsage"),
        (usage.server_auth, "serverAuth"),
        (usage.client_auth, "clientAuth"),
        (usage.code_signing, "codeSigning"),
        (usage.email_protection, "emailProtection"),
        (usage.time_stamping, "timeStamping"),
        (usage.ocsp_signing, "OCSPSigning"),
    ]
    .into_iter()
    .filter(|(is_set, _)| *is_set)
    .map(|(_, name)| name.to_owned())
    .chain(usage.other.iter().take(MOST_NAMES).map(Oid::to_id_string))
    .collect()
}

/// Lower-case hex with colons.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .join(":")
}
