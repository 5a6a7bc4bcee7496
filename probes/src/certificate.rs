//! Certificates as facts: what x509-parser reads in them.

use serde::{Deserialize, Serialize};

/// What a certificate says of itself. All text is stripped of control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
