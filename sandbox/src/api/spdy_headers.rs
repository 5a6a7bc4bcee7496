//! Headers of SPDY/3: names and values, compressed by zlib with a dictionary that both sides know, all
//! blocks of a connection by one stream.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// Words of the dictionary that stand in it with their lengths before them
/// (draft-mbelshe-httpbis-spdy-00, section 2.6.10.1).
const WORDS: &str = "options head post put delete trace accept accept-charset accept-encoding \
    accept-language accept-ranges age allow authorization cache-control connection content-base \
    content-encoding content-language content-length content-location content-md5 content-range \
    content-type date etag expect expires from host if-match if-modified-since if-none-match if-range \
    if-unmodified-since last-modified location max-forwards pragma proxy-authenticate \
    proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade \
    user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public \
    set-cookie keep-alive origin";

/// The rest of it, as it stands.
const REST: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505\
    203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized\
    403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable\
    Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT\
    chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,\
    text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

/// Adler-32 of the dictionary, by which a zlib stream names it (RFC 1950).
const DICTIONARY: [u8; 4] = [0xe3, 0xc6, 0xa7, 0xc2];
/// Flag of a zlib stream's second byte: it begins with a dictionary.
const HAS_DICTIONARY: u8 = 0x20;
/// Bytes that a back reference reaches: a power of two.
const WINDOW: usize = 32 << 10;
/// Bytes of one block, and headers in it.
const MAX_BLOCK: usize = 64 << 10;
const MAX_HEADERS: u32 = 64;

fn dictionary() -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in WORDS.split(' ') {
        bytes.extend((word.len() as u32).to_be_bytes());
        bytes.extend(word.replace('_', " ").as_bytes());
    }
    bytes.extend(REST.as_bytes());
    bytes
}

/// The headers that a client sends.
#[derive(Default)]
pub(super) struct Headers {
    begun: Option<Inflater>,
}

struct Inflater {
    state: Box<DecompressorOxide>,
    window: Vec<u8>,
    at: usize,
}

impl Headers {
    /// Reads a block; `None` where it makes no sense, and no later one can either.
    pub(super) fn read(&mut self, block: &[u8]) -> Option<Vec<(String, String)>> {
        let (inflater, block) = match &mut self.begun {
            Some(inflater) => (inflater, block),
            begun @ None => {
                let (inflater, length) = Inflater::begin(block)?;
                (begun.insert(inflater), &block[length..])
            }
        };
        parse(&inflater.inflate(block)?)
    }
}

impl Inflater {
    /// Reads the head of a zlib stream; the length of it.
    fn begin(block: &[u8]) -> Option<(Self, usize)> {
        let head = block.get(..2)?;
        if head[0] & 0x0f != 8 || u16::from_be_bytes([head[0], head[1]]) % 31 != 0 {
            return None;
        }
        let mut inflater = Self {
            state: Box::default(),
            window: vec![0; WINDOW],
            at: 0,
        };
        if head[1] & HAS_DICTIONARY == 0 {
            return Some((inflater, 2));
        }
        if block.get(2..6)? != DICTIONARY {
            return None;
        }
        let dictionary = dictionary();
        inflater.window[..dictionary.len()].copy_from_slice(&dictionary);
        inflater.at = dictionary.len();
        Some((inflater, 6))
    }

    fn inflate(&mut self, mut block: &[u8]) -> Option<Vec<u8>> {
        let mut read = Vec::new();
        loop {
            let (status, taken, written) = decompress(
                &mut self.state,
                block,
                &mut self.window,
                self.at,
                TINFL_FLAG_HAS_MORE_INPUT,
            );
            read.extend_from_slice(&self.window[self.at..self.at + written]);
            self.at = (self.at + written) % WINDOW;
            block = &block[taken..];
            if read.len() > MAX_BLOCK {
                return None;
            }
            match status {
                TINFLStatus::NeedsMoreInput if block.is_empty() => return Some(read),
                TINFLStatus::HasMoreOutput => {}
                _ => return None,
            }
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut rest = bytes;
    let number = |rest: &mut &[u8]| {
        let (first, after) = rest.split_first_chunk::<4>()?;
        *rest = after;
        Some(u32::from_be_bytes(*first))
    };
    let count = number(&mut rest)?;
    if count > MAX_HEADERS {
        return None;
    }
    let text = |rest: &mut &[u8]| {
        let length = number(rest)? as usize;
        let (first, after) = rest.split_at_checked(length)?;
        *rest = after;
        Some(String::from_utf8_lossy(first).into_owned())
    };
    let mut headers = Vec::new();
    for _ in 0..count {
        let name = text(&mut rest)?.to_lowercase();
        headers.push((name, text(&mut rest)?));
    }
    Some(headers)
}

/// A block of no headers: stored, not compressed; `first` begins the zlib stream. The empty block after
/// it makes the reader hand out what it has (zlib's `Z_SYNC_FLUSH`).
pub(super) fn none(first: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    if first {
        bytes.extend([0x78, 0x01]);
    }
    bytes.extend([0, 4, 0, 0xfb, 0xff, 0, 0, 0, 0]);
    bytes.extend([0, 0, 0, 0xff, 0xff]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dictionary_is_the_one_that_its_number_names() {
        let bytes = dictionary();
        assert_eq!(bytes.len(), 1423);
        let (mut a, mut b) = (1u32, 0u32);
        for byte in &bytes {
            a = (a + u32::from(*byte)) % 65521;
            b = (b + a) % 65521;
        }
        assert_eq!((b << 16 | a).to_be_bytes(), DICTIONARY);
    }

    #[test]
    fn blocks_follow_each_other_and_garbage_is_refused() {
        let mut headers = Headers::default();
        assert_eq!(headers.read(&none(true)), Some(Vec::new()));
        assert_eq!(headers.read(&none(false)), Some(Vec::new()));
        assert_eq!(headers.read(&[0xff; 40]), None);
        assert_eq!(Headers::default().read(&[]), None);
        assert_eq!(Headers::default().read(&[0x78, 0xbb, 1, 2, 3, 4, 0]), None);
    }
}
