//! TLS messages and alerts in words: our own bounded decoder (RFC 5246, RFC 8446), which takes any
//! bytes and never fails: where a message breaks off, a field says so.

mod certificates;
mod hello;
mod keys;
pub mod names;
mod reader;

use crate::transcript::Field;
use ngf_text::sanitize;
use reader::{CutOff, Read, Reader};

/// More elements of one list than this are counted, not shown.
const MOST_ELEMENTS: usize = 200;

/// A message in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The RFC's name: `ClientHello`, `Alert`.
    pub name: String,
    /// One line.
    pub summary: String,
    /// Decoded fields.
    pub fields: Vec<Field>,
    /// What the rest of the probe needs to know of it.
    pub facts: Facts,
}

/// What a message means to the rest of the probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Facts {
    /// Nothing more.
    None,
    /// What the server chose.
    ServerHello {
        /// Version, as `TLSv1.3`.
        version: String,
        /// Suite, by IANA's name.
        cipher: String,
        /// Key exchange group (TLS 1.3).
        group: Option<String>,
        /// Application protocol, where the hello holds it (TLS 1.2).
        alpn: Option<String>,
    },
    /// The server asks for another ClientHello.
    HelloRetryRequest,
    /// EncryptedExtensions.
    EncryptedExtensions {
        /// Application protocol.
        alpn: Option<String>,
    },
    /// ServerKeyExchange.
    ServerKeyExchange {
        /// Key exchange group (TLS 1.2).
        group: Option<String>,
    },
    /// Certificates in DER, leaf first.
    Certificate(Vec<Vec<u8>>),
    /// The server asks for a certificate.
    CertificateRequest {
        /// Names of CAs that it takes, as RFC 4514 text.
        acceptable_cas: Vec<String>,
    },
    /// An alert.
    Alert {
        /// 1 is a warning, 2 fatal.
        level: u8,
        /// AlertDescription.
        description: u8,
    },
}

/// Decodes the messages of one connection, in order: TLS 1.2 and 1.3 have messages of one name and
/// two shapes.
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    is_tls13: bool,
    is_finite_field: bool,
}

impl Decoder {
    /// Decodes one message. `content_type` is that of the record: 20 change_cipher_spec, 21 alert,
    /// 22 handshake; a handshake message comes with its four bytes of header.
    pub fn decode(&mut self, content_type: u8, bytes: &[u8]) -> Message {
        match content_type {
            20 => Draft::new("ChangeCipherSpec")
                .done("from here on encrypted (TLS 1.2), or for middleboxes only (TLS 1.3)"),
            21 => alert(bytes),
            22 => self.handshake(bytes),
            23 => Draft::new("application data").done(format!("{} bytes", bytes.len())),
            other => Draft::new("unknown record").done(format!(
                "content type {}, {} bytes",
                names::content_type(other),
                bytes.len()
            )),
        }
    }

    fn handshake(&mut self, bytes: &[u8]) -> Message {
        let mut reader = Reader::new(bytes);
        let (Ok(kind), Ok(length)) = (reader.u8("type"), reader.u24("length")) else {
            return Draft::new("handshake message").broken(CutOff("the header"));
        };
        let name = names::handshake(kind)
            .map_or_else(|| format!("handshake message {kind}"), ToOwned::to_owned);
        let mut draft = Draft::new(&name);
        if length as usize != reader.len() {
            draft.add(
                "length",
                format!("{length} announced, {} there", reader.len()),
            );
        }
        let result = match kind {
            1 => hello::client_hello(&mut draft, reader),
            2 => hello::server_hello(&mut draft, reader).inspect(|_| {
                if let Facts::ServerHello {
                    version, cipher, ..
                } = &draft.facts
                {
                    self.is_tls13 = version == "TLSv1.3";
                    self.is_finite_field = cipher.starts_with("TLS_DHE_");
                } else if draft.facts == Facts::HelloRetryRequest {
                    self.is_tls13 = true;
                }
            }),
            4 => keys::new_session_ticket(&mut draft, reader, self.is_tls13),
            8 => hello::encrypted_extensions(&mut draft, reader),
            11 => certificates::certificate(&mut draft, reader, self.is_tls13),
            12 => keys::server_key_exchange(&mut draft, reader, self.is_finite_field),
            13 => certificates::certificate_request(&mut draft, reader, self.is_tls13),
            14 => Ok("the server's turn is over".to_owned()),
            15 => certificates::certificate_verify(&mut draft, reader),
            16 => Ok(keys::client_key_exchange(&mut draft, reader)),
            20 => Ok(keys::finished(&mut draft, reader)),
            22 => keys::certificate_status(&mut draft, reader),
            24 => keys::key_update(&mut draft, reader),
            25 => keys::compressed_certificate(&mut draft, reader),
            _ => Ok(format!("{length} bytes")),
        };
        match result {
            Ok(summary) => draft.done(summary),
            Err(cut_off) => draft.broken(cut_off),
        }
    }
}

fn alert(bytes: &[u8]) -> Message {
    let mut draft = Draft::new("Alert");
    let &[level, description] = bytes else {
        return draft.broken(CutOff("level and description"));
    };
    let words = match level {
        1 => "warning".to_owned(),
        2 => "fatal".to_owned(),
        other => format!("level {other}"),
    };
    let name = names::alert(description);
    draft.add("level", &words);
    draft.add("description", format!("{name} ({description})"));
    draft.facts = Facts::Alert { level, description };
    draft.done(format!("{words}: {name} ({description})"))
}

/// A message that is being decoded.
struct Draft {
    name: String,
    fields: Vec<Field>,
    facts: Facts,
}

impl Draft {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            fields: Vec::new(),
            facts: Facts::None,
        }
    }

    fn add(&mut self, name: &str, value: impl AsRef<str>) {
        if self.fields.len() < 4 * MOST_ELEMENTS {
            self.fields.push(Field::new(name, value));
        }
    }

    fn done(self, summary: impl AsRef<str>) -> Message {
        let summary = sanitize::line(summary.as_ref(), 300);
        Message {
            name: self.name,
            summary,
            fields: self.fields,
            facts: self.facts,
        }
    }

    fn broken(mut self, cut_off: CutOff) -> Message {
        let CutOff(what) = cut_off;
        self.add("malformed", format!("the message ends within {what}"));
        self.done(format!("malformed: it ends within {what}"))
    }
}

/// Names joined by commas, no more than can be read.
fn list(items: impl Iterator<Item = String>) -> String {
    let mut items = items.fuse();
    let shown: Vec<String> = items.by_ref().take(MOST_ELEMENTS).collect();
    match items.count() {
        0 => shown.join(", "),
        more => format!("{}, and {more} more", shown.join(", ")),
    }
}

/// Bytes in hex, no more than can be read.
fn hex(bytes: &[u8]) -> String {
    let shown = crate::certificate::hex(&bytes[..bytes.len().min(32)]).replace(':', "");
    if bytes.len() > 32 {
        format!("{shown}… ({} bytes)", bytes.len())
    } else {
        shown
    }
}

/// The parts of a list, each read by `part`, up to [`MOST_ELEMENTS`].
fn parts<'a, T>(bytes: &'a [u8], mut part: impl FnMut(&mut Reader<'a>) -> Read<T>) -> Read<Vec<T>> {
    let mut reader = Reader::new(bytes);
    let mut all = Vec::new();
    while !reader.is_empty() && all.len() < MOST_ELEMENTS {
        all.push(part(&mut reader)?);
    }
    Ok(all)
}
