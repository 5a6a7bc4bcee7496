//! What Secrets and ConfigMaps hold, as facts.

use std::{collections::BTreeMap, sync::Arc};

use ngf_tls::certificate::CertificateFacts;

/// A Secret as facts: no value of it but what its certificates say.
#[derive(Debug, Clone, Default)]
pub struct SecretFacts {
    /// `type`.
    pub secret_type: String,
    /// The names of its keys, with each value's length in bytes.
    pub keys: BTreeMap<String, usize>,
    /// `tls.crt`.
    pub certificate: PemFacts,
    /// `ca.crt`.
    pub ca: PemFacts,
    /// `tls.key`.
    pub key: KeyState,
    /// What NGF makes of `tls.crt` and `tls.key`.
    pub pair_by_ngf: ByNgf,
    /// What NGF makes of `ca.crt`.
    pub ca_by_ngf: ByNgf,
    /// The first of these keys whose value in a file is not base64, so that the API server refuses the Secret.
    pub unreadable: Option<String>,
}

/// A ConfigMap as facts.
#[derive(Debug, Clone, Default)]
pub struct ConfigMapFacts {
    /// The names of its keys (`data` and `binaryData`), with each value's length in bytes.
    pub keys: BTreeMap<String, usize>,
    /// `ca.crt`.
    pub ca: PemFacts,
    /// What NGF makes of `ca.crt`.
    pub ca_by_ngf: ByNgf,
}

/// What NGF makes of a text that NGINX is to read. It reads with Go, which takes some that OpenSSL refuses, and
/// refuses some that OpenSSL takes (`ngf_tls::go`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ByNgf {
    /// The text is not there, or not at hand.
    #[default]
    Unknown,
    /// NGF takes it.
    Taken,
    /// NGF refuses it.
    Refused {
        /// NGF's words.
        words: String,
        /// What is odd about the text, as a clause.
        oddity: Option<String>,
    },
}

/// What a key that should hold PEM certificates holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PemFacts {
    /// The key is not there.
    #[default]
    Missing,
    /// The key is there and has no bytes.
    Empty,
    /// Certificates, in order. Text and other blocks between them, which NGINX passes over, are not
    /// mentioned.
    Certificates {
        /// What could be read. Equal bundles share it.
        certificates: Arc<[CertificateFacts]>,
        /// Why NGINX refuses to load it all the same: what is wrong with the rest.
        trailing: Option<String>,
        /// Its last line is not ended: what NGF appends to it begins in the same line.
        open_end: bool,
    },
    /// Nothing readable: why.
    Broken(String),
}

impl PemFacts {
    /// The certificates; empty unless some could be read.
    pub fn certificates(&self) -> &[CertificateFacts] {
        match self {
            Self::Certificates { certificates, .. } => certificates,
            _ => &[],
        }
    }

    /// Why nginx refuses a file that has this as a part; `None` where it passes over it.
    pub fn spoils_file(&self) -> Option<&str> {
        match self {
            Self::Certificates { trailing, .. } => trailing.as_deref(),
            // Text without a block of a certificate is passed over; a block that cannot be read is not (`PemError`).
            Self::Broken(why) if why.starts_with("block ") => Some(why),
            Self::Missing | Self::Empty | Self::Broken(_) => None,
        }
    }
}

/// What is known of a private key; never the key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum KeyState {
    /// There is none.
    #[default]
    Missing,
    /// It is the key of the first certificate. The text says what it is: `RSA 2048`.
    Fits(String),
    /// It is another key.
    DoesNotFit(String),
    /// It is there and encrypted.
    Encrypted,
    /// It cannot be read: why.
    Broken(String),
    /// It is there, and there is no certificate to compare it with.
    Unpaired(String),
}
