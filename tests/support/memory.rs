//! Searches the memory of a process for private keys in each form in which a program may hold one.

use std::{collections::HashMap, fs::File, os::unix::fs::FileExt};

use base64::{Engine, engine::general_purpose::STANDARD};
use openssl::pkey::PKey;

/// Bytes that are compared. A remnant of twice this length is found wherever it begins.
const WINDOW: usize = 16;
/// Bytes that are read at a time, a multiple of the page size.
const PART: usize = 1 << 20;

/// Pieces of what must not be there, by their bytes.
#[derive(Default)]
pub(crate) struct Needles {
    pieces: HashMap<[u8; WINDOW], String>,
    /// Which beginnings of three bytes occur among them.
    beginnings: Vec<bool>,
}

impl Needles {
    /// Adds the pieces of some bytes.
    pub(crate) fn add(&mut self, name: &str, bytes: &[u8]) {
        self.beginnings.resize(1 << 24, false);
        for piece in bytes.chunks_exact(WINDOW) {
            let piece: [u8; WINDOW] = piece.try_into().expect("its length");
            self.beginnings[beginning(&piece)] = true;
            self.pieces.insert(piece, name.to_owned());
        }
    }

    /// Adds what is private of an RSA key, given as the value of a Secret's key: the base64 of the
    /// Secret, the lines of the PEM text, the DER, and OpenSSL's numbers.
    pub(crate) fn add_key(&mut self, secret: &str, encoded: &str) {
        let pem = STANDARD.decode(encoded).expect("base64");
        let key = PKey::private_key_from_pem(&pem).expect("a key");
        let rsa = key.rsa().expect("an RSA key");
        let text = String::from_utf8(pem.clone()).expect("PEM is text");
        let inner: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(&inner).expect("base64");
        let exponent = rsa.d().to_vec();
        let private = der
            .windows(exponent.len())
            .position(|window| window == exponent)
            .expect("the DER holds the private exponent");
        // The public modulus stands before it; everything after it is private.
        self.add(&format!("{secret}: DER"), &der[private..]);
        let lines = text.lines().filter(|line| !line.starts_with('-'));
        for line in lines.skip(private * 4 / 3 / 64 + 1) {
            self.add(&format!("{secret}: PEM"), line.as_bytes());
        }
        let base64 = &encoded[encoded.len() * (private + 100) / der.len()..];
        self.add(&format!("{secret}: base64"), base64.as_bytes());
        let numbers = [
            Some(rsa.d()),
            rsa.p(),
            rsa.q(),
            rsa.dmp1(),
            rsa.dmq1(),
            rsa.iqmp(),
        ];
        for number in numbers.into_iter().flatten() {
            let limbs: Vec<u8> = number.to_vec().into_iter().rev().collect();
            self.add(&format!("{secret}: number"), &limbs);
        }
    }

    /// How many pieces of what are in the writable memory of a process, by name.
    pub(crate) fn found_in(&self, pid: u32) -> Vec<(String, usize)> {
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("its memory map");
        let memory = File::open(format!("/proc/{pid}/mem")).expect("its memory");
        let mut found: HashMap<&str, usize> = HashMap::new();
        let mut bytes = vec![0; PART + WINDOW];
        for line in maps.lines() {
            let mut fields = line.split_whitespace();
            let (Some(range), Some(rights)) = (fields.next(), fields.next()) else {
                continue;
            };
            if !rights.starts_with("rw") {
                continue;
            }
            let (start, end) = range.split_once('-').expect("a range");
            let address = |text| u64::from_str_radix(text, 16).expect("an address");
            let (mut start, end) = (address(start), address(end));
            while start < end {
                let wanted = usize::try_from(end - start).map_or(PART, |left| left.min(PART));
                // The pieces that lie across two parts are read with the first.
                let more = wanted + WINDOW.min(usize::try_from(end - start).unwrap_or(0) - wanted);
                if memory.read_exact_at(&mut bytes[..more], start).is_ok() {
                    self.search(&bytes[..more], &mut found);
                }
                start += wanted as u64;
            }
        }
        let mut found: Vec<_> = found
            .into_iter()
            .map(|(name, count)| (name.to_owned(), count))
            .collect();
        found.sort();
        found
    }

    fn search<'a>(&'a self, bytes: &[u8], found: &mut HashMap<&'a str, usize>) {
        let mut at = 0;
        while at + WINDOW <= bytes.len() {
            if at % 4096 == 0 && bytes[at..].starts_with(&[0; 4096]) {
                at += 4096 - WINDOW;
                continue;
            }
            if self.beginnings[beginning(&bytes[at..])]
                && let Some(name) = self.pieces.get(&bytes[at..at + WINDOW])
            {
                *found.entry(name).or_default() += 1;
            }
            at += 1;
        }
    }
}

fn beginning(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) | usize::from(bytes[1]) << 8 | usize::from(bytes[2]) << 16
}
