//! A tee around the byte stream: when each TLS record passed, in both directions. Times of arrival
//! come from here; OpenSSL's callbacks only know when it got round to a message.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::capture::{self, Capture};

/// Records past this number are counted, not kept.
const MOST_RECORDS: usize = 4_000;
/// So many of the first bytes are kept, to say what an answer was that is no TLS.
const OPENING: usize = 64;
/// So much is taken from the stream at once.
const AT_ONCE: usize = 16 * 1024;
/// Length of a record's header (RFC 8446 §5.1).
const HEADER: usize = 5;

/// A record as it passed on the stream.
#[derive(Debug, Clone, Copy)]
pub struct SeenRecord {
    /// ContentType in the header.
    pub content_type: u8,
    /// Version in the header.
    pub version: u16,
    /// Length that the header announces.
    pub length: u16,
    /// Bytes of the body that passed.
    pub seen: u16,
    /// When the first byte of the header passed.
    pub first_byte: Instant,
    /// When the last byte so far passed.
    pub last_byte: Instant,
}

impl SeenRecord {
    /// All that the header announces has passed.
    pub fn is_complete(&self) -> bool {
        self.seen == self.length
    }
}

/// What passed in one direction.
#[derive(Debug, Default)]
pub struct Passed {
    /// The records, in order; the last may be incomplete.
    pub records: Vec<SeenRecord>,
    /// All bytes.
    pub bytes: u64,
    /// The first bytes.
    pub opening: Vec<u8>,
    /// The stream ended in this direction.
    pub ended: bool,
    /// The header that is being read, with the moment of its first byte.
    header: Vec<u8>,
    header_at: Option<Instant>,
    in_body: bool,
}

impl Passed {
    /// Takes bytes that passed at `now`.
    pub fn take(&mut self, mut bytes: &[u8], now: Instant) {
        self.bytes += bytes.len() as u64;
        let room = OPENING.saturating_sub(self.opening.len()).min(bytes.len());
        self.opening.extend_from_slice(&bytes[..room]);
        while !bytes.is_empty() {
            let taken = if self.in_body {
                self.take_body(bytes, now)
            } else {
                self.take_header(bytes, now)
            };
            bytes = &bytes[taken..];
        }
    }

    /// A header is begun and not yet complete.
    pub fn partial_header(&self) -> usize {
        self.header.len()
    }

    fn take_header(&mut self, bytes: &[u8], now: Instant) -> usize {
        let taken = bytes.len().min(HEADER - self.header.len());
        self.header.extend_from_slice(&bytes[..taken]);
        let first_byte = *self.header_at.get_or_insert(now);
        if let [content_type, major, minor, high, low] = self.header[..] {
            let length = u16::from_be_bytes([high, low]);
            if self.records.len() < MOST_RECORDS {
                self.records.push(SeenRecord {
                    content_type,
                    version: u16::from_be_bytes([major, minor]),
                    length,
                    seen: 0,
                    first_byte,
                    last_byte: now,
                });
            }
            self.in_body = length > 0 && self.records.len() < MOST_RECORDS;
            self.header.clear();
            self.header_at = None;
        }
        taken
    }

    fn take_body(&mut self, bytes: &[u8], now: Instant) -> usize {
        let Some(record) = self.records.last_mut() else {
            self.in_body = false;
            return 0;
        };
        let taken = bytes.len().min(usize::from(record.length - record.seen));
        record.seen += taken as u16;
        record.last_byte = now;
        self.in_body = !record.is_complete();
        taken
    }
}

/// What passed in both directions.
#[derive(Debug, Clone, Default)]
pub struct Tape {
    passed: Arc<Mutex<(Passed, Passed)>>,
    capture: Option<Capture>,
}

impl Tape {
    /// A tape that keeps all bytes as well, where there is a capture to keep them in.
    pub fn keeping(capture: Option<Capture>) -> Self {
        Self {
            capture,
            ..Self::default()
        }
    }

    /// Looks at what was sent and what was received so far.
    pub fn with<T>(&self, look: impl FnOnce(&Passed, &Passed) -> T) -> T {
        let both = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        look(&both.0, &both.1)
    }

    fn sent(&self, bytes: &[u8]) {
        let now = Instant::now();
        let mut both = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        both.0.take(bytes, now);
        if let Some(capture) = &self.capture {
            capture.passed(true, bytes, now);
        }
    }

    fn received(&self, bytes: &[u8]) {
        let now = Instant::now();
        let mut both = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.is_empty() {
            both.1.ended = true;
        }
        both.1.take(bytes, now);
        match &self.capture {
            Some(capture) if bytes.is_empty() => capture.ended(false),
            Some(capture) => capture.passed(false, bytes, now),
            None => {}
        }
    }

    fn shut_down(&self) {
        if let Some(capture) = &self.capture {
            capture.ended(true);
        }
    }

    fn failed(&self, error: &io::Error) {
        if let Some(capture) = &self.capture
            && capture::is_reset(error)
        {
            capture.reset();
        }
    }
}

/// A stream that writes what passes on a [`Tape`]. It takes all that the stream has at once:
/// OpenSSL asks for a header first and for its body later, and would make the time of the question
/// the time of arrival.
#[derive(Debug)]
pub struct Tee<S> {
    stream: S,
    tape: Tape,
    /// What arrived, and was not yet asked for.
    arrived: Vec<u8>,
    /// How much of it was handed on.
    handed_on: usize,
    /// What a write met because the peer has closed the connection.
    closed_by_peer: Option<(io::ErrorKind, Option<i32>)>,
}

impl<S> Tee<S> {
    /// Wraps a stream.
    pub fn new(stream: S, tape: Tape) -> Self {
        Self {
            stream,
            tape,
            arrived: Vec::new(),
            handed_on: 0,
            closed_by_peer: None,
        }
    }

    /// A peer that closes right behind its alert makes the next write fail while the alert waits to be
    /// read. OpenSSL gives up after a failed write, so what cannot be sent any more counts as sent, and
    /// what there is to read decides.
    fn is_too_late(&mut self, error: &io::Error) -> bool {
        let is_closed = matches!(
            error.kind(),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
        );
        if is_closed {
            self.closed_by_peer = Some((error.kind(), error.raw_os_error()));
        }
        is_closed
    }
}

impl<S> Drop for Tee<S> {
    /// The connection ends with the stream.
    fn drop(&mut self) {
        self.tape.shut_down();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tee<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.handed_on == this.arrived.len() {
            let mut space = [0; AT_ONCE];
            let mut read = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut read))
                .inspect_err(|error| this.tape.failed(error))?;
            if let (true, Some((kind, errno))) = (read.filled().is_empty(), this.closed_by_peer) {
                // The error that the write met: the socket tells it once.
                let error = errno.map_or_else(|| kind.into(), io::Error::from_raw_os_error);
                return Poll::Ready(Err(error));
            }
            this.tape.received(read.filled());
            this.arrived.clear();
            this.arrived.extend_from_slice(read.filled());
            this.handed_on = 0;
        }
        let waiting = &this.arrived[this.handed_on..];
        let taken = waiting.len().min(buffer.remaining());
        buffer.put_slice(&waiting[..taken]);
        this.handed_on += taken;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tee<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.closed_by_peer.is_some() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        match &result {
            Poll::Ready(Ok(written)) => self.tape.sent(&bytes[..*written]),
            Poll::Ready(Err(error)) => {
                self.tape.failed(error);
                if self.is_too_late(error) {
                    return Poll::Ready(Ok(bytes.len()));
                }
            }
            Poll::Pending => {}
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closed_by_peer.is_some() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closed_by_peer.is_some() {
            self.tape.shut_down();
            return Poll::Ready(Ok(()));
        }
        let result = Pin::new(&mut self.stream).poll_shutdown(context);
        if let Poll::Ready(Ok(())) = result {
            self.tape.shut_down();
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_however_the_stream_is_cut() {
        let stream = [
            &[22, 3, 1, 0, 3, 1, 2, 3][..],
            &[21, 3, 3, 0, 0],
            &[23, 3, 3, 0, 9, 1],
        ]
        .concat();
        for size in 1..=stream.len() {
            let mut passed = Passed::default();
            for piece in stream.chunks(size) {
                passed.take(piece, Instant::now());
            }
            let seen: Vec<_> = passed
                .records
                .iter()
                .map(|r| (r.content_type, r.length, r.seen))
                .collect();
            assert_eq!(
                seen,
                [(22, 3, 3), (21, 0, 0), (23, 9, 1)],
                "cut every {size} bytes"
            );
            assert_eq!(passed.bytes, stream.len() as u64);
        }
    }

    #[test]
    fn records_without_end_take_no_memory_without_end() {
        let mut passed = Passed::default();
        for _ in 0..3 * MOST_RECORDS {
            passed.take(&[22, 3, 3, 0, 0], Instant::now());
        }
        assert_eq!(passed.records.len(), MOST_RECORDS);
        assert_eq!(passed.opening.len(), OPENING);
    }
}
