//! The cluster's DNS, over TCP, as a relay reaches it (RFC 1035, RFC 7766): addresses of Services.
//! It knows the cluster's zone and nothing else, and asks nobody.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::timeout;

use super::Pods;

/// How long a client may take for its next question.
const PATIENCE: Duration = Duration::from_secs(10);
/// Seconds that an answer is good for, as CoreDNS says.
const TTL: u32 = 30;
/// Type A, class IN.
const A: u16 = 1;
/// There is no such name.
const NXDOMAIN: u8 = 3;
/// The question cannot be read.
const FORMERR: u8 = 1;
/// What is asked is not done here.
const NOTIMP: u8 = 4;

/// Answers one connection.
pub(super) async fn serve(pods: Arc<Pods>, mut stream: DuplexStream) {
    loop {
        let mut length = [0; 2];
        let Ok(Ok(_)) = timeout(PATIENCE, stream.read_exact(&mut length)).await else {
            return;
        };
        let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
        let Ok(Ok(_)) = timeout(PATIENCE, stream.read_exact(&mut question)).await else {
            return;
        };
        let Some(answer) = answer(&question, |name| pods.look_up(name)) else {
            return;
        };
        let Ok(length) = u16::try_from(answer.len()) else {
            return;
        };
        let mut message = length.to_be_bytes().to_vec();
        message.extend(answer);
        if stream.write_all(&message).await.is_err() {
            return;
        }
    }
}

/// The answer to a message; `None` where it has no header.
fn answer(question: &[u8], look_up: impl Fn(&str) -> Option<Vec<Ipv4Addr>>) -> Option<Vec<u8>> {
    let header = question.get(..12)?;
    let opcode = header[2] >> 3 & 0xf;
    let reply = |code: u8, asked: &[u8], addresses: &[Ipv4Addr]| {
        let mut message = header[..2].to_vec();
        // An answer, with authority, recursion as it was wished and not to be had.
        message.extend([0x84 | header[2] & 0x79, code]);
        message.extend(u16::from(!asked.is_empty()).to_be_bytes());
        message.extend((addresses.len() as u16).to_be_bytes());
        message.extend([0; 4]);
        message.extend(asked);
        for address in addresses {
            // The name is the question's, at the twelfth byte.
            message.extend([0xc0, 12]);
            message.extend(A.to_be_bytes());
            message.extend(1u16.to_be_bytes());
            message.extend(TTL.to_be_bytes());
            message.extend(4u16.to_be_bytes());
            message.extend(address.octets());
        }
        message
    };
    if opcode != 0 {
        return Some(reply(NOTIMP, &[], &[]));
    }
    let Some((name, kind, length)) = asked(&question[12..]) else {
        return Some(reply(FORMERR, &[], &[]));
    };
    let asked = &question[12..12 + length];
    Some(match look_up(&name) {
        None => reply(NXDOMAIN, asked, &[]),
        Some(addresses) if kind == A => reply(0, asked, &addresses[..addresses.len().min(100)]),
        // The name is there and has nothing of this type: AAAA, for instance.
        Some(_) => reply(0, asked, &[]),
    })
}

/// Name, type, and length of the question.
fn asked(bytes: &[u8]) -> Option<(String, u16, usize)> {
    let (mut labels, mut at) = (Vec::new(), 0);
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        if length > 63 || labels.len() > 127 {
            return None;
        }
        let label = std::str::from_utf8(bytes.get(at..at + length)?).ok()?;
        labels.push(label.to_lowercase());
        at += length;
    }
    let kind = bytes.get(at..at + 2)?;
    bytes.get(at + 2..at + 4)?;
    Some((
        labels.join("."),
        u16::from_be_bytes([kind[0], kind[1]]),
        at + 4,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(name: &str, kind: u16) -> Vec<u8> {
        let mut bytes = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            bytes.push(label.len() as u8);
            bytes.extend(label.as_bytes());
        }
        bytes.push(0);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1]);
        bytes
    }

    fn zone(name: &str) -> Option<Vec<Ipv4Addr>> {
        (name == "app.default.svc.cluster.local").then(|| vec![Ipv4Addr::new(10, 96, 1, 2)])
    }

    #[test]
    fn a_service_has_an_address_and_others_do_not() {
        let known = "App.default.svc.cluster.local";
        for (name, kind, code, count) in [
            (known, A, 0, 1),
            (known, 28, 0, 0),
            ("nobody.default.svc.cluster.local", A, NXDOMAIN, 0),
            ("example.com", A, NXDOMAIN, 0),
        ] {
            let answer = answer(&question(name, kind), zone).expect("an answer");
            assert_eq!(answer[..2], [0xab, 0xcd]);
            assert_eq!(answer[3] & 0xf, code, "{name}");
            assert_eq!(answer[7], count, "{name}");
            if count == 1 {
                assert!(answer.ends_with(&[10, 96, 1, 2]));
            }
        }
    }

    #[test]
    fn garbage_is_answered_or_left() {
        assert_eq!(answer(&[1, 2, 3], zone), None);
        let mut cut = question("app.default.svc.cluster.local", A);
        cut.truncate(20);
        assert_eq!(answer(&cut, zone).expect("an answer")[3] & 0xf, FORMERR);
        let mut long = question("a", A);
        long[12] = 200;
        assert_eq!(answer(&long, zone).expect("an answer")[3] & 0xf, FORMERR);
    }
}
