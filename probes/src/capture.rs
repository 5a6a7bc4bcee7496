//! What passed on a connection, kept with the session's secrets, and written as pcapng: Wireshark
//! and tshark open it in clear. Nothing is kept unless somebody asked for it.

mod packets;
mod pcapng;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use zeroize::Zeroizing;

pub use pcapng::write;

/// More bytes than this are not kept; a capture that was cut says so.
const MOST_BYTES: usize = 16 << 20;

/// Room for the secrets of one connection: five lines of at most 232 bytes each in TLS 1.3. It is
/// taken at once, because growing would leave copies behind.
const ROOM_FOR_SECRETS: usize = 8 << 10;

/// One connection, as it is being captured; clones write to the same capture. The secrets are
/// zeroed when the last clone is dropped.
#[derive(Clone)]
pub struct Capture(Arc<Mutex<Inner>>);

struct Inner {
    clock: Clock,
    connection: Option<Connection>,
    events: Vec<Event>,
    bytes: usize,
    is_cut: bool,
    secrets: Zeroizing<Vec<u8>>,
}

/// From the monotonic clock to the time of day.
#[derive(Debug, Clone, Copy)]
struct Clock {
    at: Instant,
    is: SystemTime,
}

impl Clock {
    fn time_of(&self, moment: Instant) -> SystemTime {
        match moment.checked_duration_since(self.at) {
            Some(later) => self.is + later,
            None => self.is - self.at.duration_since(moment),
        }
    }
}

/// The connection that the bytes passed on.
#[derive(Debug, Clone, Copy)]
struct Connection {
    /// Our end and the backend's; `None` where the transport does not tell, as through a pod.
    ends: Option<(SocketAddr, SocketAddr)>,
    asked_at: Instant,
    made_at: Instant,
}

/// Something that passed.
#[derive(Debug, Clone)]
struct Event {
    at: Instant,
    sent: bool,
    what: Passed,
}

#[derive(Debug, Clone)]
enum Passed {
    Bytes(Vec<u8>),
    End,
    Reset,
}

impl Default for Capture {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Capture").finish_non_exhaustive()
    }
}

impl Capture {
    /// An empty capture.
    pub fn new() -> Self {
        let inner = Inner {
            clock: Clock {
                at: Instant::now(),
                is: SystemTime::now(),
            },
            connection: None,
            events: Vec::new(),
            bytes: 0,
            is_cut: false,
            secrets: Zeroizing::new(Vec::with_capacity(ROOM_FOR_SECRETS)),
        };
        Self(Arc::new(Mutex::new(inner)))
    }

    /// Whether no connection was made, so that there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.inner().connection.is_none()
    }

    /// Whether it holds secrets of a TLS session.
    pub fn has_secrets(&self) -> bool {
        !self.inner().secrets.is_empty()
    }

    /// Whether more passed than is kept.
    pub fn is_cut(&self) -> bool {
        self.inner().is_cut
    }

    /// A connection was asked for and made.
    pub(crate) fn connected(
        &self,
        ends: Option<(SocketAddr, SocketAddr)>,
        asked_at: Instant,
        made_at: Instant,
    ) {
        self.inner().connection = Some(Connection {
            ends,
            asked_at,
            made_at,
        });
    }

    /// These bytes passed now.
    pub(crate) fn passed(&self, sent: bool, bytes: &[u8], at: Instant) {
        let mut inner = self.inner();
        if inner.is_cut || inner.bytes + bytes.len() > MOST_BYTES {
            inner.is_cut = true;
            return;
        }
        inner.bytes += bytes.len();
        inner.events.push(Event {
            at,
            sent,
            what: Passed::Bytes(bytes.to_vec()),
        });
    }

    /// One side said that it sends no more.
    pub(crate) fn ended(&self, sent: bool) {
        self.end(sent, Passed::End);
    }

    /// The backend broke the connection off.
    pub(crate) fn reset(&self) {
        self.end(false, Passed::Reset);
    }

    /// One line of NSS's key log format.
    pub(crate) fn secret(&self, line: &str) {
        let mut inner = self.inner();
        if inner.secrets.len() + line.len() < ROOM_FOR_SECRETS {
            inner.secrets.extend_from_slice(line.as_bytes());
            inner.secrets.push(b'\n');
        }
    }

    fn end(&self, sent: bool, what: Passed) {
        let mut inner = self.inner();
        let is_over = inner
            .events
            .iter()
            .any(|event| event.sent == sent && !matches!(event.what, Passed::Bytes(_)));
        if !is_over {
            inner.events.push(Event {
                at: Instant::now(),
                sent,
                what,
            });
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an error of the stream is a reset.
pub(crate) fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
    )
}
