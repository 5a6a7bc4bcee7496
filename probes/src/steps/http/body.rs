//! The body of an answer: how much of it is kept, and whether it came to its end.

use std::io;

use super::head::BodyLength;

/// No more of a body is read than this.
const MOST_BYTES: usize = 64 * 1024;

/// How a body ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyEnd {
    /// All of it came.
    Complete,
    /// The probe stopped reading: enough was seen.
    Enough,
    /// The time was over.
    TimedOut,
    /// The connection ended before the body did.
    Closed,
    /// Reading failed.
    Failed {
        /// The operating system's error number, if it was one.
        errno: Option<i32>,
        /// In words.
        reason: String,
    },
    /// The chunks are no chunks.
    BadChunks,
}

impl std::fmt::Display for BodyEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Complete => f.write_str("complete"),
            Self::Enough => f.write_str("the probe read no further"),
            Self::TimedOut => f.write_str("no more came in time"),
            Self::Closed => f.write_str("the connection ended before the body did"),
            Self::Failed { reason, .. } => write!(f, "reading failed: {reason}"),
            Self::BadChunks => f.write_str("the chunked encoding is broken"),
        }
    }
}

/// A body that is being read.
#[derive(Debug)]
pub struct Body {
    length: BodyLength,
    kept: Vec<u8>,
    received: u64,
    /// Chunked: what is not yet decoded.
    pending: Vec<u8>,
    /// Chunked: bytes left of the current chunk, with its line end.
    left_of_chunk: u64,
}

impl Body {
    /// A body of which nothing came yet.
    pub fn new(length: BodyLength) -> Self {
        Self {
            length,
            kept: Vec::new(),
            received: 0,
            pending: Vec::new(),
            left_of_chunk: 0,
        }
    }

    /// What is kept of it, decoded.
    pub fn bytes(&self) -> &[u8] {
        &self.kept
    }

    /// Bytes that came, as they stood on the wire.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Takes bytes; says how the body ended, once it did.
    pub fn take(&mut self, bytes: &[u8]) -> Option<BodyEnd> {
        self.received += bytes.len() as u64;
        let end = match self.length {
            BodyLength::Known(length) => {
                self.keep(bytes);
                (self.received >= length).then_some(BodyEnd::Complete)
            }
            BodyLength::UntilClose => {
                self.keep(bytes);
                None
            }
            BodyLength::Chunked => self.take_chunked(bytes),
        };
        end.or_else(|| (self.received >= MOST_BYTES as u64).then_some(BodyEnd::Enough))
    }

    /// The connection ended.
    pub fn closed(&self) -> BodyEnd {
        match self.length {
            BodyLength::UntilClose => BodyEnd::Complete,
            BodyLength::Known(_) | BodyLength::Chunked => BodyEnd::Closed,
        }
    }

    /// Reading failed. OpenSSL's unclean ends have become clean ones before they get here.
    pub fn failed(&self, error: &io::Error) -> BodyEnd {
        BodyEnd::Failed {
            errno: error.raw_os_error(),
            reason: crate::dial::tcp::os_text(error),
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MOST_BYTES.saturating_sub(self.kept.len()).min(bytes.len());
        self.kept.extend_from_slice(&bytes[..room]);
    }

    fn take_chunked(&mut self, bytes: &[u8]) -> Option<BodyEnd> {
        self.pending.extend_from_slice(bytes);
        let pending = std::mem::take(&mut self.pending);
        let mut rest = pending.as_slice();
        loop {
            if self.left_of_chunk > 0 {
                let taken = usize::try_from(self.left_of_chunk)
                    .unwrap_or(usize::MAX)
                    .min(rest.len());
                // The last two of a chunk are its line end.
                let data =
                    usize::try_from(self.left_of_chunk.saturating_sub(2)).unwrap_or(usize::MAX);
                self.keep(&rest[..taken.min(data)]);
                self.left_of_chunk -= taken as u64;
                rest = &rest[taken..];
                if self.left_of_chunk > 0 {
                    return None;
                }
            }
            match httparse::parse_chunk_size(rest) {
                Err(_) => return Some(BodyEnd::BadChunks),
                Ok(httparse::Status::Complete((_, 0))) => return Some(BodyEnd::Complete),
                Ok(httparse::Status::Complete((line, size))) => {
                    self.left_of_chunk = size.saturating_add(2);
                    rest = &rest[line..];
                }
                Ok(httparse::Status::Partial) if rest.len() > 1_024 => {
                    return Some(BodyEnd::BadChunks);
                }
                Ok(httparse::Status::Partial) => {
                    self.pending = rest.to_vec();
                    return None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_however_they_are_cut() {
        let wire = b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\n\r\n";
        for size in 1..=wire.len() {
            let mut body = Body::new(BodyLength::Chunked);
            let end = wire.chunks(size).find_map(|piece| body.take(piece));
            assert_eq!(end, Some(BodyEnd::Complete), "cut every {size} bytes");
            assert_eq!(body.bytes(), b"hello world");
        }
    }

    #[test]
    fn a_body_ends_where_its_length_or_its_connection_says() {
        let mut known = Body::new(BodyLength::Known(3));
        assert_eq!(known.take(b"ab"), None);
        assert_eq!(known.closed(), BodyEnd::Closed);
        assert_eq!(known.take(b"c"), Some(BodyEnd::Complete));
        assert_eq!(
            Body::new(BodyLength::Known(0)).take(b""),
            Some(BodyEnd::Complete)
        );
        let mut open = Body::new(BodyLength::UntilClose);
        assert_eq!(open.take(b"ab"), None);
        assert_eq!(open.closed(), BodyEnd::Complete);
        assert_eq!(open.take(&vec![b'x'; MOST_BYTES]), Some(BodyEnd::Enough));
        assert_eq!(open.bytes().len(), MOST_BYTES);
        assert_eq!(
            Body::new(BodyLength::Chunked).take(b"zz\r\n"),
            Some(BodyEnd::BadChunks)
        );
    }
}
