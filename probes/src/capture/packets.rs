//! Packets that a wire would have carried: IP and TCP around bytes that passed on a stream. Ports
//! and addresses are the connection's own where they are known; sequence numbers begin at 0, and
//! each run of bytes is cut as an Ethernet would cut it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use super::{Inner, Passed};

/// Bytes of a segment: 1500 less the headers of IPv6 and TCP.
const SEGMENT: usize = 1_440;
/// `IPPROTO_TCP`.
const TCP: u8 = 6;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// One packet, from its IP header on.
pub(super) struct Packet {
    pub(super) at: SystemTime,
    pub(super) bytes: Vec<u8>,
}

/// Stands for ends that the transport does not tell (RFC 5737, TEST-NET-1).
const UNKNOWN_ENDS: (SocketAddr, SocketAddr) = (
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 49_152),
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 443),
);

/// The packets of one connection, in order of time.
pub(super) fn packets(capture: &Inner) -> Vec<Packet> {
    let Some(connection) = capture.connection else {
        return Vec::new();
    };
    let time = |moment| capture.clock.time_of(moment);
    let (ours, theirs) = connection.ends.unwrap_or(UNKNOWN_ENDS);
    let mut wire = Wire {
        ends: [ours, theirs],
        next: [0, 0],
        packets: Vec::new(),
    };
    wire.send(true, time(connection.asked_at), SYN, &[]);
    wire.send(false, time(connection.made_at), SYN | ACK, &[]);
    wire.send(true, time(connection.made_at), ACK, &[]);
    for event in &capture.events {
        let at = time(event.at);
        match &event.what {
            Passed::Bytes(bytes) => {
                let segments = bytes.len().div_ceil(SEGMENT);
                for (index, segment) in bytes.chunks(SEGMENT).enumerate() {
                    let push = if index + 1 == segments { PSH } else { 0 };
                    wire.send(event.sent, at, push | ACK, segment);
                }
            }
            Passed::End => {
                wire.send(event.sent, at, FIN | ACK, &[]);
                wire.send(!event.sent, at, ACK, &[]);
            }
            Passed::Reset => wire.send(event.sent, at, RST | ACK, &[]),
        }
    }
    wire.packets
}

/// Both ends, ours first.
struct Wire {
    ends: [SocketAddr; 2],
    /// The next sequence number of each.
    next: [u32; 2],
    packets: Vec<Packet>,
}

impl Wire {
    fn send(&mut self, sent: bool, at: SystemTime, flags: u8, bytes: &[u8]) {
        let (from, to) = if sent { (0, 1) } else { (1, 0) };
        let acknowledged = if flags & ACK == 0 { 0 } else { self.next[to] };
        let segment = tcp(
            self.ends[from],
            self.ends[to],
            self.next[from],
            acknowledged,
            flags,
            bytes,
        );
        let takes_a_number = u32::from(flags & (SYN | FIN) != 0);
        self.next[from] = self.next[from]
            .wrapping_add(bytes.len() as u32)
            .wrapping_add(takes_a_number);
        self.packets.push(Packet {
            at,
            bytes: ip(self.ends[from].ip(), self.ends[to].ip(), &segment),
        });
    }
}

/// A TCP segment with its checksum (RFC 9293 §3.1).
fn tcp(
    from: SocketAddr,
    to: SocketAddr,
    sequence: u32,
    acknowledged: u32,
    flags: u8,
    bytes: &[u8],
) -> Vec<u8> {
    const WORDS: u8 = 5;
    const WINDOW: u16 = 0xffff;
    const CHECKSUM: std::ops::Range<usize> = 16..18;
    let mut segment = Vec::with_capacity(20 + bytes.len());
    segment.extend(from.port().to_be_bytes());
    segment.extend(to.port().to_be_bytes());
    segment.extend(sequence.to_be_bytes());
    segment.extend(acknowledged.to_be_bytes());
    segment.extend([WORDS << 4, flags]);
    segment.extend(WINDOW.to_be_bytes());
    segment.extend([0; 4]); // checksum, urgent pointer
    segment.extend(bytes);
    let mut summed = addresses(from.ip(), to.ip());
    summed.extend((segment.len() as u32).to_be_bytes());
    summed.extend([0, 0, 0, TCP]);
    summed.extend(&segment);
    segment[CHECKSUM].copy_from_slice(&checksum(&summed).to_be_bytes());
    segment
}

fn ip(from: IpAddr, to: IpAddr, segment: &[u8]) -> Vec<u8> {
    const HOPS: u8 = 64;
    let mut packet = if from.is_ipv4() && to.is_ipv4() {
        // RFC 791 §3.1: version and words, service, length, identification, don't fragment,
        // time to live, protocol, checksum.
        let length = (20 + segment.len()) as u16;
        let mut header = vec![0x45, 0];
        header.extend(length.to_be_bytes());
        header.extend([0, 0, 0x40, 0, HOPS, TCP, 0, 0]);
        header.extend(addresses(from, to));
        let sum = checksum(&header).to_be_bytes();
        header[10..12].copy_from_slice(&sum);
        header
    } else {
        // RFC 8200 §3: version, traffic class and flow, length, next header, hop limit.
        let mut header = vec![0x60, 0, 0, 0];
        header.extend((segment.len() as u16).to_be_bytes());
        header.extend([TCP, HOPS]);
        header.extend(addresses(from, to));
        header
    };
    packet.extend(segment);
    packet
}

/// Both addresses, in the wider form where they are of two families.
fn addresses(from: IpAddr, to: IpAddr) -> Vec<u8> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => [from.octets(), to.octets()].concat(),
        (from, to) => [wide(from), wide(to)].concat(),
    }
}

fn wide(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u32::from(low)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Microseconds since 1970.
pub(super) fn micros(time: SystemTime) -> u64 {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_rfc_1071() {
        // RFC 1071 §3: the sum of these is ddf2.
        let example = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum(&example), !0xddf2);
        assert_eq!(
            checksum(&[0xff]),
            !0xff00,
            "an odd byte is padded with zero"
        );
    }
}
