//! pcapng (draft-ietf-opsawg-pcapng): a section, one interface, the secrets, the packets.

use std::io::{self, Write};

use zeroize::Zeroizing;

use super::Capture;
use super::packets::{self, Packet, micros};

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 0x0A;

/// "TLSK": TLS secrets as an NSS key log.
const TLS_KEY_LOG: u32 = 0x544c_534b;
/// LINKTYPE_RAW: each packet begins with its IPv4 or IPv6 header.
const RAW_IP: u16 = 101;

const OPTION_COMMENT: u16 = 1;
/// `shb_userappl`, of the section.
const OPTION_APPLICATION: u16 = 4;
/// `if_name`, of the interface.
const OPTION_NAME: u16 = 2;

/// What the file says of itself.
const WARNING: &str = "Holds the TLS session secrets of these connections: who reads this file reads what passed on them. TCP and IP headers are made up around the bytes that passed.";

/// Writes captures to one file. The secrets go straight from where they are kept to `out`, which
/// should not buffer them.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut impl Write, captures: &[Capture]) -> io::Result<()> {
    let mut head = section_header();
    head.extend(interface());
    out.write_all(&head)?;
    let mut all: Vec<Packet> = Vec::new();
    for capture in captures {
        let capture = capture.inner();
        if !capture.secrets.is_empty() {
            // A reader needs them before the packets that they open.
            out.write_all(&secrets(&capture.secrets))?;
        }
        all.extend(packets::packets(&capture));
    }
    all.sort_by_key(|packet| packet.at);
    let mut body = Vec::new();
    for packet in &all {
        body.extend(enhanced_packet(packet));
    }
    out.write_all(&body)?;
    out.flush()
}

fn section_header() -> Vec<u8> {
    const BYTE_ORDER: u32 = 0x1A2B_3C4D;
    const UNKNOWN_LENGTH: u64 = u64::MAX;
    let mut body = BYTE_ORDER.to_le_bytes().to_vec();
    body.extend(1_u16.to_le_bytes()); // version 1.0
    body.extend(0_u16.to_le_bytes());
    body.extend(UNKNOWN_LENGTH.to_le_bytes());
    option(&mut body, OPTION_COMMENT, WARNING.as_bytes());
    let application = concat!("ngf-tui ", env!("CARGO_PKG_VERSION"));
    option(&mut body, OPTION_APPLICATION, application.as_bytes());
    end_of_options(&mut body);
    block(SECTION_HEADER, &body)
}

fn interface() -> Vec<u8> {
    const NO_SNAP_LENGTH: u32 = 0;
    let mut body = RAW_IP.to_le_bytes().to_vec();
    body.extend(0_u16.to_le_bytes());
    body.extend(NO_SNAP_LENGTH.to_le_bytes());
    option(&mut body, OPTION_NAME, b"ngf-tui probe");
    end_of_options(&mut body);
    block(INTERFACE_DESCRIPTION, &body)
}

fn secrets(key_log: &[u8]) -> Zeroizing<Vec<u8>> {
    let padded = key_log.len().next_multiple_of(4);
    let length = (padded + 20) as u32;
    // Allocated once: growing would leave copies behind.
    let mut all = Zeroizing::new(Vec::with_capacity(padded + 20));
    all.extend(DECRYPTION_SECRETS.to_le_bytes());
    all.extend(length.to_le_bytes());
    all.extend(TLS_KEY_LOG.to_le_bytes());
    all.extend((key_log.len() as u32).to_le_bytes());
    all.extend(key_log);
    all.resize(padded + 16, 0);
    all.extend(length.to_le_bytes());
    all
}

fn enhanced_packet(packet: &Packet) -> Vec<u8> {
    let time = micros(packet.at);
    let length = packet.bytes.len() as u32;
    let mut body = 0_u32.to_le_bytes().to_vec(); // the interface
    body.extend(((time >> 32) as u32).to_le_bytes());
    body.extend((time as u32).to_le_bytes());
    body.extend(length.to_le_bytes()); // captured
    body.extend(length.to_le_bytes()); // on the wire
    body.extend(&packet.bytes);
    block(ENHANCED_PACKET, &body)
}

/// A block around its body: type, length, body padded to 32 bits, length again.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let length = (padded + 12) as u32;
    let mut all = Vec::with_capacity(padded + 12);
    all.extend(kind.to_le_bytes());
    all.extend(length.to_le_bytes());
    all.extend(body);
    all.resize(padded + 8, 0);
    all.extend(length.to_le_bytes());
    all
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn every_block_says_its_length_twice_and_the_secrets_come_before_the_packets() {
        let capture = Capture::new();
        capture.connected(None, Instant::now(), Instant::now());
        capture.secret("CLIENT_RANDOM 00 11");
        capture.passed(true, &[7; 3_001], Instant::now());
        capture.ended(false);
        let mut file = Vec::new();
        write(&mut file, &[capture]).unwrap();

        let mut kinds = Vec::new();
        let mut rest = &file[..];
        while !rest.is_empty() {
            let number = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
            let length = number(4) as usize;
            assert_eq!(length % 4, 0);
            assert_eq!(number(length - 4) as usize, length);
            kinds.push(number(0));
            rest = &rest[length..];
        }
        let handshake = [6; 3];
        let data = [6; 3];
        let end = [6; 2];
        let expected = [
            &[SECTION_HEADER, INTERFACE_DESCRIPTION, DECRYPTION_SECRETS][..],
            &handshake,
            &data,
            &end,
        ]
        .concat();
        assert_eq!(kinds, expected);
    }
}
