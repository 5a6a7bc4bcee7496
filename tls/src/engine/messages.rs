//! What `SSL_set_msg_callback` says: each message and alert in plain text, and each record header,
//! by which a message is found again on the stream.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Messages past these bounds are counted, not kept.
const MOST_MESSAGES: usize = 1_000;
const MOST_BYTES: usize = 1 << 20;

/// Pseudo content type: the five bytes of a record's header (`SSL3_RT_HEADER`).
const RECORD_HEADER: i32 = 256;
/// ContentType change_cipher_spec.
const CHANGE_CIPHER_SPEC: u8 = 20;

/// One message as OpenSSL saw it.
#[derive(Debug, Clone)]
pub struct RawMessage {
    /// We sent it.
    pub sent: bool,
    /// ContentType: 20 change_cipher_spec, 21 alert, 22 handshake.
    pub content_type: u8,
    /// The plain bytes; a handshake message with its four bytes of header.
    pub bytes: Vec<u8>,
    /// How many records had passed in this direction, its own included.
    pub records: usize,
    /// When OpenSSL processed it.
    pub processed_at: Instant,
}

/// The messages of one connection; written by OpenSSL's callback.
#[derive(Debug, Default)]
pub struct MessageLog(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    messages: Vec<RawMessage>,
    bytes: usize,
    records_sent: usize,
    records_received: usize,
}

impl MessageLog {
    /// Takes one call of the callback.
    pub fn on_message(&self, sent: bool, _version: i32, content_type: i32, bytes: &[u8]) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if content_type == RECORD_HEADER {
            if sent {
                inner.records_sent += 1;
                return;
            }
            inner.records_received += 1;
            if bytes.first() == Some(&CHANGE_CIPHER_SPEC) {
                // In TLS 1.2 OpenSSL is silent about the one that it receives; all of them are
                // this one byte.
                inner.push(sent, CHANGE_CIPHER_SPEC, &[1]);
            }
            return;
        }
        // 257 is the inner content type of a TLS 1.3 record, a single byte that says nothing new.
        let Ok(content_type) = u8::try_from(content_type) else {
            return;
        };
        if sent || content_type != CHANGE_CIPHER_SPEC {
            inner.push(sent, content_type, bytes);
        }
    }

    /// What was seen so far.
    pub fn messages(&self) -> Vec<RawMessage> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .messages
            .clone()
    }
}

impl Inner {
    fn push(&mut self, sent: bool, content_type: u8, bytes: &[u8]) {
        if self.messages.len() >= MOST_MESSAGES || self.bytes + bytes.len() > MOST_BYTES {
            return;
        }
        self.bytes += bytes.len();
        let records = if sent {
            self.records_sent
        } else {
            self.records_received
        };
        self.messages.push(RawMessage {
            sent,
            content_type,
            bytes: bytes.to_vec(),
            records,
            processed_at: Instant::now(),
        });
    }
}
