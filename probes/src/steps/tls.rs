//! TLS: each message as a step, and what they say together.

use std::time::Instant;

use crate::recorder::Recorder;
use crate::records::{Passed, SeenRecord, Tape};
use ngf_tls::certificate::CertificateFacts;
use ngf_tls::engine::messages::RawMessage;
use ngf_tls::messages::{Decoder, Facts, Message, names};
use ngf_tls::transcript::{
    ClientCertificate, Direction, Layer, Record, Step, StepStatus, TlsAgreed,
};

/// The step of the judgement on the server's chain.
pub const VERIFY_CERTIFICATE: &str = "verify certificate";
/// The step of the judgement on the server's name.
pub const VERIFY_NAME: &str = "verify name";
/// The step of an answer that is no TLS.
pub const NOT_TLS: &str = "not TLS";

/// What the messages of a handshake say together.
#[derive(Debug, Default)]
pub struct Told {
    /// What was agreed upon.
    pub agreed: Option<TlsAgreed>,
    /// The certificates that the server sent, leaf first.
    pub server_chain: Vec<CertificateFacts>,
    /// The client certificate's part.
    pub client_certificate: ClientCertificate,
    /// The certificates that were sent to it.
    pub client_chain: Vec<CertificateFacts>,
    /// By which scheme the server signed the handshake.
    pub signature_scheme: Option<String>,
    /// The server had its say: a CertificateRequest that did not come will not come.
    pub is_flight_complete: bool,
    /// The last fatal alert that the server sent.
    pub alert: Option<u8>,
}

/// Writes each message down as a step, and sums them up. `beyond_nginx_from` is the moment from
/// which on NGINX would have been gone.
pub fn write_down(
    messages: &[RawMessage],
    tape: &Tape,
    recorder: &Recorder,
    beyond_nginx_from: Option<Instant>,
) -> Told {
    let mut told = Told::default();
    let mut decoder = Decoder::default();
    for raw in messages {
        let message = decoder.decode(raw.content_type, &raw.bytes);
        told.take(raw.sent, &message);
        let at = moment_of(raw, tape);
        let mut step = Step::new(
            &message.name,
            Layer::Tls,
            if raw.sent {
                Direction::Sent
            } else {
                Direction::Received
            },
            recorder.at_us(at),
            &message.summary,
        )
        .bytes(raw.bytes.len() as u64);
        step.fields = message.fields;
        step.beyond_nginx = beyond_nginx_from.is_some_and(|from| raw.processed_at > from);
        recorder.push(step);
    }
    told
}

/// When the last byte of the record that a message ends in passed on the stream.
fn moment_of(raw: &RawMessage, tape: &Tape) -> Instant {
    tape.with(|sent, received| {
        let passed = if raw.sent { sent } else { received };
        let record = raw
            .records
            .checked_sub(1)
            .and_then(|index| passed.records.get(index));
        record
            .filter(|record| record.is_complete())
            .map_or(raw.processed_at, |r| r.last_byte)
    })
}

impl Told {
    fn take(&mut self, sent: bool, message: &Message) {
        if !sent
            && matches!(
                message.name.as_str(),
                "CertificateVerify" | "ServerKeyExchange"
            )
        {
            let field = message
                .fields
                .iter()
                .find(|field| field.name == "algorithm");
            self.signature_scheme = field.map(|field| field.value.clone());
        }
        match &message.facts {
            Facts::ServerHello {
                version,
                cipher,
                group,
                alpn,
            } => {
                self.agreed = Some(TlsAgreed {
                    version: version.clone(),
                    cipher: cipher.clone(),
                    group: group.clone(),
                    alpn: alpn.clone(),
                });
            }
            Facts::EncryptedExtensions { alpn } => {
                if let Some(agreed) = &mut self.agreed {
                    agreed.alpn.clone_from(alpn);
                }
            }
            Facts::ServerKeyExchange { group } => {
                if let Some(agreed) = &mut self.agreed {
                    agreed.group.clone_from(group);
                }
            }
            Facts::Certificate(chain) if sent => {
                self.client_certificate.sent = !chain.is_empty();
                self.client_chain = chain
                    .iter()
                    .filter_map(|der| CertificateFacts::from_der(der).ok())
                    .collect();
                self.client_certificate.subject = chain
                    .first()
                    .map(|leaf| ngf_tls::certificate::subject_of(leaf));
                self.client_certificate.issuers = chain
                    .iter()
                    .map(|der| ngf_tls::certificate::issuer_of(der))
                    .collect();
            }
            Facts::Certificate(chain) => {
                self.server_chain = chain
                    .iter()
                    .map(|der| {
                        CertificateFacts::from_der(der)
                            .unwrap_or_else(|error| CertificateFacts::unreadable(der, &error))
                    })
                    .collect();
            }
            Facts::CertificateRequest { acceptable_cas } => {
                self.client_certificate.requested = true;
                self.client_certificate
                    .acceptable_cas
                    .clone_from(acceptable_cas);
            }
            Facts::Alert {
                level: 2,
                description,
            } if !sent => self.alert = Some(*description),
            Facts::None | Facts::HelloRetryRequest | Facts::Alert { .. } => {
                // TLS 1.2's flight ends with the one, TLS 1.3's with the other.
                let ends_flight = matches!(message.name.as_str(), "ServerHelloDone" | "Finished");
                self.is_flight_complete |= ends_flight && !sent;
            }
        }
    }
}

/// The records of both directions, in order of time.
pub fn records(tape: &Tape, recorder: &Recorder) -> Vec<Record> {
    let mut all = tape.with(|sent, received| {
        let sent = sent
            .records
            .iter()
            .map(|record| describe(record, Direction::Sent, recorder));
        let received = received
            .records
            .iter()
            .map(|record| describe(record, Direction::Received, recorder));
        sent.chain(received).collect::<Vec<_>>()
    });
    all.sort_by_key(|record| record.first_byte_us);
    all
}

fn describe(record: &SeenRecord, direction: Direction, recorder: &Recorder) -> Record {
    Record {
        direction,
        content_type: names::content_type(record.content_type),
        version: format!("0x{:04x}", record.version),
        length: u32::from(record.length),
        seen: u32::from(record.seen),
        first_byte_us: recorder.at_us(record.first_byte),
        last_byte_us: recorder.at_us(record.last_byte),
    }
}

/// Where the answer of the backend broke off, in words: what the last thing was that came.
pub fn last_thing(tape: &Tape, messages: &[RawMessage]) -> String {
    let mut decoder = Decoder::default();
    let last = messages
        .iter()
        .map(|raw| (raw.sent, decoder.decode(raw.content_type, &raw.bytes)))
        .filter(|(sent, message)| !sent && message.name != "ChangeCipherSpec")
        .last();
    let partial = tape.with(|_, received| partial_record(received));
    match (last, partial) {
        (_, Some(partial)) => partial,
        (Some((_, message)), None) => {
            format!("the backend's {} was the last to come", message.name)
        }
        (None, None) => tape.with(|_, received| match received.bytes {
            0 => "nothing came from the backend".to_owned(),
            bytes => format!("{bytes} bytes came from the backend, and no TLS message"),
        }),
    }
}

fn partial_record(received: &Passed) -> Option<String> {
    if received.partial_header() > 0 {
        return Some(format!(
            "the backend's answer broke off after {} of the 5 bytes of a record's header",
            received.partial_header()
        ));
    }
    let record = received
        .records
        .last()
        .filter(|record| !record.is_complete())?;
    Some(format!(
        "the backend's answer broke off after {} of the {} bytes of a record of type {}",
        record.seen,
        record.length,
        names::content_type(record.content_type)
    ))
}

/// What an answer is that is no TLS, judged by its first bytes; `None` where it is TLS, or nothing.
pub fn not_tls(tape: &Tape) -> Option<String> {
    tape.with(|_, received| {
        let opening = &received.opening;
        match opening.first()? {
            20..=24 if opening.get(1).is_none_or(|&major| major == 3) => None,
            _ if opening.starts_with(b"HTTP/") => {
                let line = opening
                    .split(|&byte| byte == b'\r' || byte == b'\n')
                    .next()?;
                Some(format!(
                    "plain HTTP: {}",
                    ngf_text::sanitize::bytes(line, 60)
                ))
            }
            _ => Some(format!(
                "bytes that begin with {:?}",
                ngf_text::sanitize::bytes(opening, 40)
            )),
        }
    })
}

/// A judgement that was made here.
pub fn judgement(name: &str, at_us: u64, is_fine: bool, summary: &str) -> Step {
    let status = if is_fine {
        StepStatus::Ok
    } else {
        StepStatus::Failed
    };
    Step::new(name, Layer::Verify, Direction::Local, at_us, summary).status(status)
}
