//! PEM texts of certificates and keys, read as OpenSSL reads them for NGINX; errors say what is
//! wrong, in which block, on which line.

use openssl::error::ErrorStack;
use openssl::pkey::{Id, PKey, PKeyRef, Private};
use openssl::x509::X509;

use crate::certificate::CertificateFacts;
use crate::engine::ffi;
use ngf_text::sanitize;

/// A PEM text that does not hold what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// Nothing is there, or nothing but space.
    #[error("it is empty")]
    Empty,
    /// No block at all: the text is not PEM.
    #[error("it holds no PEM block (no line -----BEGIN …-----)")]
    NoBlock,
    /// Blocks, but none of the wanted kind.
    #[error("it holds no {wanted}, only {}", found.join(", "))]
    NoneOf {
        /// `CERTIFICATE`, `PRIVATE KEY`.
        wanted: &'static str,
        /// The labels that are there.
        found: Vec<String>,
    },
    /// A block that OpenSSL does not take.
    #[error("block {block} ({label}, line {line}): {reason}")]
    Broken {
        /// Which block, counted from 1.
        block: usize,
        /// The line of its `-----BEGIN`, counted from 1.
        line: usize,
        /// Its label.
        label: String,
        /// What is wrong.
        reason: String,
    },
    /// The text as a whole, where each block alone is fine.
    #[error("OpenSSL does not read it: {0}")]
    Unreadable(String),
    /// Bytes that should be a certificate in DER.
    #[error("certificate {number} is not DER: {reason}")]
    NotDer {
        /// Which one, counted from 1.
        number: usize,
        /// What is wrong.
        reason: String,
    },
    /// The key is encrypted, and NGINX has no password for it.
    #[error("the key is encrypted: NGINX has no password for it")]
    EncryptedKey,
}

/// What is known of a key without showing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFacts {
    /// `RSA 2048`, `EC P-256`, `Ed25519`; `None` where it is encrypted.
    pub kind: Option<String>,
    /// It can only be read with a password.
    pub encrypted: bool,
}

/// A CA bundle as NGINX reads `proxy_ssl_trusted_certificate`: every certificate in it, with any
/// text and other blocks between them.
///
/// # Errors
/// [`PemError`] where NGINX would refuse the file.
pub fn read_bundle(pem: &[u8]) -> Result<Vec<CertificateFacts>, PemError> {
    certificates(pem)?
        .iter()
        .map(|certificate| {
            let der = certificate
                .to_der()
                .map_err(|e| PemError::Unreadable(reason(&e)))?;
            Ok(CertificateFacts::from_der(&der)
                .unwrap_or_else(|error| CertificateFacts::unreadable(&der, &error)))
        })
        .collect()
}

/// What kind of key a PEM text holds. Nothing of the key itself is kept.
///
/// # Errors
/// [`PemError`] where it holds none, or a broken one.
pub fn key_facts(pem: &[u8]) -> Result<KeyFacts, PemError> {
    match private_key(pem) {
        Ok(key) => Ok(KeyFacts {
            kind: Some(key_kind(&key)),
            encrypted: false,
        }),
        Err(PemError::EncryptedKey) => Ok(KeyFacts {
            kind: None,
            encrypted: true,
        }),
        Err(error) => Err(error),
    }
}

/// Whether the key belongs to the first certificate.
///
/// # Errors
/// [`PemError`] where one of them cannot be read; an encrypted key cannot.
pub fn key_fits(certificate_pem: &[u8], key_pem: &[u8]) -> Result<bool, PemError> {
    let certificates = certificates(certificate_pem)?;
    let key = private_key(key_pem)?;
    let leaf = certificates.first().ok_or(PemError::Empty)?;
    let public = leaf
        .public_key()
        .map_err(|errors| PemError::Unreadable(reason(&errors)))?;
    Ok(public.public_eq(&key))
}

/// OpenSSL's certificates of a bundle.
pub fn certificates(pem: &[u8]) -> Result<Vec<X509>, PemError> {
    ffi::read_ca_certificates(pem).map_err(|errors| explain(pem, &errors))
}

/// OpenSSL's last word.
pub fn reason(errors: &ErrorStack) -> String {
    let last = errors
        .errors()
        .last()
        .and_then(openssl::error::Error::reason);
    sanitize::line(last.unwrap_or("OpenSSL does not say why"), 200)
}

/// Finds the block that OpenSSL stumbled over: the first one that it does not take alone.
fn explain(pem: &[u8], errors: &ErrorStack) -> PemError {
    if pem.iter().all(u8::is_ascii_whitespace) {
        return PemError::Empty;
    }
    let blocks = blocks(pem);
    let broken = blocks
        .iter()
        .enumerate()
        .filter(|(_, block)| block.is_certificate());
    for (index, block) in broken {
        let alone = match block.end {
            None => Err("it has no -----END line of the same name".to_owned()),
            Some(_) => ffi::read_ca_certificates(block.text)
                .map(drop)
                .map_err(|errors| block.in_words(&errors)),
        };
        if let Err(reason) = alone {
            return PemError::Broken {
                block: index + 1,
                line: block.line,
                label: block.label.clone(),
                reason,
            };
        }
    }
    if blocks.is_empty() {
        PemError::NoBlock
    } else if blocks.iter().any(Block::is_certificate) {
        PemError::Unreadable(reason(errors))
    } else {
        let found = blocks.iter().map(|block| block.label.clone()).collect();
        PemError::NoneOf {
            wanted: "CERTIFICATE",
            found,
        }
    }
}

fn private_key(pem: &[u8]) -> Result<PKey<Private>, PemError> {
    ffi::initialise();
    if pem.iter().all(u8::is_ascii_whitespace) {
        return Err(PemError::Empty);
    }
    // OpenSSL's own callback would ask on the terminal.
    let mut asked = false;
    let key = PKey::private_key_from_pem_callback(pem, |_| {
        asked = true;
        Ok(0)
    });
    let errors = match key {
        Ok(key) => return Ok(key),
        Err(_) if asked => return Err(PemError::EncryptedKey),
        Err(errors) => errors,
    };
    let blocks = blocks(pem);
    let Some((index, block)) = blocks
        .iter()
        .enumerate()
        .find(|(_, block)| block.label.ends_with("PRIVATE KEY"))
    else {
        return Err(if blocks.is_empty() {
            PemError::NoBlock
        } else {
            let found = blocks.iter().map(|block| block.label.clone()).collect();
            PemError::NoneOf {
                wanted: "PRIVATE KEY",
                found,
            }
        });
    };
    Err(PemError::Broken {
        block: index + 1,
        line: block.line,
        label: block.label.clone(),
        reason: if block.end.is_none() {
            "it has no -----END line of the same name".to_owned()
        } else {
            reason(&errors)
        },
    })
}

fn key_kind(key: &PKeyRef<Private>) -> String {
    let bits = key.bits();
    match key.id() {
        Id::RSA => format!("RSA {bits}"),
        Id::RSA_PSS => format!("RSA-PSS {bits}"),
        Id::ED25519 => "Ed25519".to_owned(),
        Id::ED448 => "Ed448".to_owned(),
        Id::DSA => "DSA".to_owned(),
        Id::EC => {
            let curve = key.ec_key().ok().and_then(|key| key.group().curve_name());
            match curve.and_then(|nid| nid.short_name().ok()) {
                Some("prime256v1") => "EC P-256".to_owned(),
                Some("secp384r1") => "EC P-384".to_owned(),
                Some("secp521r1") => "EC P-521".to_owned(),
                Some(other) => format!("EC {other}"),
                None => format!("EC {bits}"),
            }
        }
        other => format!("type {} of {bits} bits", other.as_raw()),
    }
}

/// Where a block stands in the text.
struct Block<'a> {
    label: String,
    /// The line of `-----BEGIN`, counted from 1.
    line: usize,
    /// The line of `-----END`, if there is one.
    end: Option<usize>,
    /// From `-----BEGIN` on, up to the end of the block or of the text.
    text: &'a [u8],
}

impl Block<'_> {
    /// The labels that `PEM_read_bio_X509_AUX` takes.
    fn is_certificate(&self) -> bool {
        matches!(
            self.label.as_str(),
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE"
        )
    }

    /// What is wrong with it, more exactly than OpenSSL says it, where that can be told.
    fn in_words(&self, errors: &ErrorStack) -> String {
        let body = self.text.split(|&byte| byte == b'\n').enumerate().skip(1);
        for (offset, line) in body {
            let line = line.trim_ascii();
            if line.starts_with(b"-----") {
                break;
            }
            let odd = line
                .iter()
                .find(|b| !(b.is_ascii_alphanumeric() || b"+/=".contains(b)));
            if let Some(&odd) = odd {
                return format!(
                    "line {} holds {:?}, which is not base64",
                    self.line + offset,
                    char::from(odd)
                );
            }
        }
        reason(errors)
    }
}

/// The blocks of a text, the last of which may be cut off.
fn blocks(pem: &[u8]) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut offset = 0;
    let mut begin = 0;
    for (index, line) in pem.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let trimmed = line.trim_ascii_end();
        let open = blocks.last_mut().filter(|block| block.end.is_none());
        if let Some(label) = label(trimmed, b"-----BEGIN ") {
            if let Some(open) = open {
                open.text = &pem[begin..offset];
            }
            begin = offset;
            blocks.push(Block {
                label,
                line: index + 1,
                end: None,
                text: &pem[begin..],
            });
        } else if let (Some(open), Some(label)) = (open, label(trimmed, b"-----END "))
            && open.label == label
        {
            open.end = Some(index + 1);
            open.text = &pem[begin..offset + line.len()];
        }
        offset += line.len();
    }
    blocks
}

fn label(line: &[u8], prefix: &[u8]) -> Option<String> {
    let label = line.strip_prefix(prefix)?.strip_suffix(b"-----")?;
    Some(sanitize::bytes(label, 60))
}
