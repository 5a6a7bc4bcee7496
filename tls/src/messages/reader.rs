//! A reader over bytes of which nothing is known: every step may find too few.

/// Bytes that are still to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

/// The bytes ended inside of this part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CutOff(pub(super) &'static str);

pub(super) type Read<T> = Result<T, CutOff>;

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn take(&mut self, length: usize, what: &'static str) -> Read<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(CutOff(what))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Read<u8> {
        Ok(self.take(1, what)?[0])
    }

    pub(super) fn u16(&mut self, what: &'static str) -> Read<u16> {
        self.number(2, what).map(|n| n as u16)
    }

    pub(super) fn u24(&mut self, what: &'static str) -> Read<u32> {
        self.number(3, what)
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Read<u32> {
        self.number(4, what)
    }

    /// Bytes behind a length of one byte.
    pub(super) fn short(&mut self, what: &'static str) -> Read<&'a [u8]> {
        let length = self.u8(what)?;
        self.take(usize::from(length), what)
    }

    /// Bytes behind a length of two bytes.
    pub(super) fn medium(&mut self, what: &'static str) -> Read<&'a [u8]> {
        let length = self.u16(what)?;
        self.take(usize::from(length), what)
    }

    /// Bytes behind a length of three bytes.
    pub(super) fn long(&mut self, what: &'static str) -> Read<&'a [u8]> {
        let length = self.u24(what)?;
        self.take(length as usize, what)
    }

    fn number(&mut self, length: usize, what: &'static str) -> Read<u32> {
        let bytes = self.take(length, what)?;
        Ok(bytes
            .iter()
            .fold(0, |value, &byte| value << 8 | u32::from(byte)))
    }
}

/// A list of two-byte numbers; a last odd byte is left out.
pub(super) fn u16s(bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
    bytes
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
}
