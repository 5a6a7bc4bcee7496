//! Buffers that may hold a private key. They grow without leaving a copy behind, and are cleared when
//! dropped.

use std::io::{self, Read};

use zeroize::Zeroizing;

/// The capacity of a buffer at first.
const FIRST: usize = 16 << 10;

/// Reads to the end of `input`, which is expected to hold so many bytes: where it does, the buffer is never replaced.
///
/// # Errors
/// Those of `input`.
pub fn read_to_end(input: &mut dyn Read, expected: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected));
    let mut part = Zeroizing::new([0; FIRST]);
    loop {
        match input.read(&mut *part) {
            Ok(0) => return Ok(bytes),
            Ok(length) => append(&mut bytes, &part[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Appends `more`. A buffer that is too small is replaced by one of twice its size, and cleared.
pub fn append(bytes: &mut Zeroizing<Vec<u8>>, more: &[u8]) {
    let wanted = bytes.len() + more.len();
    if wanted > bytes.capacity() {
        let capacity = wanted.max(2 * bytes.capacity()).max(FIRST);
        let mut larger = Zeroizing::new(Vec::with_capacity(capacity));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
    bytes.extend_from_slice(more);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_read_whatever_the_size_of_the_parts() {
        let text: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        let (head, tail) = text.split_at(7);
        let read = read_to_end(&mut head.chain(tail), 9).unwrap();
        assert_eq!(*read, text);
    }

    #[test]
    fn an_error_of_the_input_is_returned() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        let error = read_to_end(&mut b"some".chain(Broken), 0).unwrap_err();
        assert_eq!(error.to_string(), "broken");
    }
}
