//! Just enough DER to write a certificate byte by byte, so that a test can write what no
//! certificate library lets pass.

use jiff::Timestamp;
use openssl::asn1::Asn1Object;

/// One value: tag, length, content (X.690 §8.1).
pub(crate) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len();
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes: Vec<u8> = length
            .to_be_bytes()
            .into_iter()
            .skip_while(|&b| b == 0)
            .collect();
        out.push(0x80 | bytes.len() as u8);
        out.extend(bytes);
    }
    out.extend_from_slice(content);
    out
}

pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    value(0x30, &parts.concat())
}

pub(crate) fn set(parts: &[Vec<u8>]) -> Vec<u8> {
    value(0x31, &parts.concat())
}

pub(crate) fn boolean(truth: bool) -> Vec<u8> {
    value(0x01, &[if truth { 0xff } else { 0x00 }])
}

/// A non-negative INTEGER.
pub(crate) fn integer(number: u64) -> Vec<u8> {
    let mut bytes: Vec<u8> = number
        .to_be_bytes()
        .into_iter()
        .skip_while(|&b| b == 0)
        .collect();
    if bytes.first().is_none_or(|&b| b >= 0x80) {
        bytes.insert(0, 0);
    }
    value(0x02, &bytes)
}

/// A BIT STRING of whole octets.
pub(crate) fn bit_string(content: &[u8]) -> Vec<u8> {
    value(0x03, &[&[0], content].concat())
}

/// A BIT STRING of named bits, the first of which is bit 0 (X.690 §11.2.2: no trailing zeros).
pub(crate) fn named_bits(bits: &[u8]) -> Vec<u8> {
    let Some(&highest) = bits.iter().max() else {
        return value(0x03, &[0]);
    };
    let mut octets = vec![0_u8; usize::from(highest) / 8 + 1];
    for &bit in bits {
        octets[usize::from(bit) / 8] |= 0x80 >> (bit % 8);
    }
    let unused = 7 - highest % 8;
    value(0x03, &[vec![unused], octets].concat())
}

pub(crate) fn octet_string(content: &[u8]) -> Vec<u8> {
    value(0x04, content)
}

pub(crate) fn null() -> Vec<u8> {
    value(0x05, &[])
}

/// An OBJECT IDENTIFIER from its dotted text.
pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    let object = Asn1Object::from_str(dotted).expect("a test names its OIDs in numbers");
    value(0x06, object.as_slice())
}

pub(crate) fn utf8_string(text: &str) -> Vec<u8> {
    value(0x0c, text.as_bytes())
}

/// `[number] EXPLICIT`.
pub(crate) fn explicit(number: u8, content: &[u8]) -> Vec<u8> {
    value(0xa0 | number, content)
}

/// `[number] IMPLICIT` of a primitive type.
pub(crate) fn implicit(number: u8, content: &[u8]) -> Vec<u8> {
    value(0x80 | number, content)
}

/// UTCTime until 2049, GeneralizedTime from then on (RFC 5280 §4.1.2.5).
pub(crate) fn time(at: Timestamp) -> Vec<u8> {
    let text = at.strftime("%Y%m%d%H%M%SZ").to_string();
    let year: u16 = text[..4].parse().expect("a year of four digits");
    if (1950..2050).contains(&year) {
        value(0x17, &text.as_bytes()[2..])
    } else {
        value(0x18, text.as_bytes())
    }
}
