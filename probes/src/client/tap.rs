//! What passed in plain text at the begin of a connection, with times: the hellos, and in TLS 1.2 the whole handshake.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::dial::ByteStream;
use ngf_tls::messages::{Decoder, Facts, Message};
use ngf_tls::transcript::TlsAgreed;

/// Bytes of each direction that are kept.
const KEPT: usize = 64 << 10;
/// Length of a record's header (RFC 8446 §5.1).
const HEADER: usize = 5;
/// The longest handshake message that is kept.
const LONGEST: usize = 32 << 10;

/// What passed, shared with the stream that writes it down.
#[derive(Debug, Clone, Default)]
pub(super) struct Tap(Arc<Mutex<Both>>);

#[derive(Debug, Default)]
struct Both {
    sent: Way,
    received: Way,
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    bytes: Vec<u8>,
    /// How many bytes had passed at a moment.
    moments: Vec<(usize, Instant)>,
}

impl Way {
    fn take(&mut self, bytes: &[u8]) {
        let room = KEPT - self.bytes.len();
        if room > 0 && !bytes.is_empty() {
            self.bytes
                .extend_from_slice(&bytes[..bytes.len().min(room)]);
            self.moments.push((self.bytes.len(), Instant::now()));
        }
    }

    /// When the byte before `end` passed.
    fn moment(&self, end: usize) -> Option<Instant> {
        let mut moments = self.moments.iter();
        moments
            .find(|(passed, _)| *passed >= end)
            .map(|(_, at)| *at)
    }

    /// The handshake messages before the first record that is encrypted, each with the place where it ends.
    fn messages(&self) -> Vec<(Vec<u8>, usize)> {
        let (mut found, mut message) = (Vec::new(), Vec::new());
        let mut at = 0;
        while let Some([kind, _, _, high, low]) = self.bytes.get(at..at + HEADER) {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let Some(body) = self.bytes.get(at + HEADER..at + HEADER + length) else {
                break;
            };
            at += HEADER + length;
            if *kind != 22 {
                // What follows ChangeCipherSpec is encrypted, but for the second ClientHello of TLS 1.3.
                if *kind == 20 {
                    continue;
                }
                break;
            }
            message.extend_from_slice(body);
            while let Some([_, a, b, c]) = message.get(..4) {
                let end = 4 + (usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c));
                if end > LONGEST || message.len() < end {
                    break;
                }
                found.push((message.drain(..end).collect(), at));
            }
            if message.len() > LONGEST {
                break;
            }
        }
        found
    }
}

impl Tap {
    /// A stream that writes down here what passes.
    pub(super) fn on(&self, stream: Box<dyn ByteStream>) -> Tapped {
        Tapped {
            stream,
            tap: self.clone(),
        }
    }

    fn with<T>(&self, look: impl FnOnce(&mut Both) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The messages that passed in plain text, decoded, in order of time, with their lengths.
    pub(super) fn messages(&self) -> Vec<(bool, Message, usize, Instant)> {
        self.with(|both| {
            let mut raw = Vec::new();
            for (sent, way) in [(true, &both.sent), (false, &both.received)] {
                for (bytes, end) in way.messages() {
                    raw.extend(way.moment(end).map(|at| (sent, bytes, at)));
                }
            }
            raw.sort_by_key(|(_, _, at)| *at);
            let mut decoder = Decoder::default();
            let mut messages = Vec::new();
            let mut encrypted = false;
            for (sent, bytes, at) in raw {
                if encrypted && is_garbled(&bytes) {
                    continue;
                }
                let message = decoder.decode(22, &bytes);
                encrypted |= matches!(&message.facts, Facts::ServerHello { .. });
                messages.push((sent, message, bytes.len(), at));
            }
            messages
        })
    }

    /// What ServerHello says.
    pub(super) fn agreed(&self) -> Option<TlsAgreed> {
        let messages = self.messages();
        messages
            .into_iter()
            .find_map(|(_, message, ..)| match message.facts {
                Facts::ServerHello {
                    version,
                    cipher,
                    group,
                    alpn,
                } => Some(TlsAgreed {
                    version,
                    cipher,
                    group,
                    alpn,
                }),
                _ => None,
            })
    }

    /// What was received, where it is no TLS.
    pub(super) fn not_tls(&self) -> Option<String> {
        self.with(|both| {
            let received = &both.received.bytes;
            let is_tls =
                matches!(received.first()?, 20..=24) && received.get(1).is_none_or(|one| *one == 3);
            let opening = &received[..received.len().min(40)];
            (!is_tls).then(|| format!("{:?}", ngf_text::sanitize::bytes(opening, 40)))
        })
    }
}

/// Whether bytes of a handshake record are no handshake message, as an encrypted Finished of TLS 1.2 looks.
fn is_garbled(bytes: &[u8]) -> bool {
    !matches!(bytes.first(), Some(4 | 11..=16 | 22))
}

/// A stream that a [`Tap`] is on.
pub(super) struct Tapped {
    stream: Box<dyn ByteStream>,
    tap: Tap,
}

impl AsyncRead for Tapped {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        let filled = &buffer.filled()[before..];
        this.tap.with(|both| both.received.take(filled));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write(context, bytes))?;
        this.tap.with(|both| both.sent.take(&bytes[..written]));
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
