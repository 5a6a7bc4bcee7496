//! What follows the handshake where nginx does not send HTTP/1.1: the opening of an HTTP/2
//! connection (RFC 9113 §3.4), or nothing.

use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout_at;

use super::http::Exchange;
use crate::recorder::Recorder;
use ngf_tls::transcript::{Direction, Layer, Step};

/// The step of the connection preface and the first SETTINGS frame.
pub const PREFACE: &str = "HTTP/2 preface";
/// The step of the backend's SETTINGS frame.
pub const SETTINGS: &str = "HTTP/2 SETTINGS";

/// The connection preface, followed by an empty SETTINGS frame.
const OPENING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// Length of a frame's header.
const HEADER: usize = 9;
/// The longest payload that nginx takes (`NGX_HTTP_V2_DEFAULT_FRAME_SIZE`).
const LONGEST_FRAME: u32 = 1 << 14;
/// The type of a SETTINGS frame.
const TYPE_SETTINGS: u8 = 4;
/// Its flag ACK.
const FLAG_ACK: u8 = 1;

/// How long a backend may take to refuse a client after the handshake, where nothing is sent.
const QUIET: Duration = Duration::from_secs(1);

/// Opens an HTTP/2 connection as nginx does, and reads the backend's first frame.
pub async fn open<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    until: Instant,
    recorder: &Recorder,
) -> Exchange {
    let sending = async {
        stream.write_all(OPENING).await?;
        stream.flush().await
    };
    match timeout_at(until.into(), sending).await {
        Err(_) => return Exchange::SendTimedOut,
        Ok(Err(error)) => return Exchange::NotSent(error),
        Ok(Ok(())) => {}
    }
    recorder.push(
        Step::new(
            PREFACE,
            Layer::Http,
            Direction::Sent,
            recorder.now_us(),
            "connection preface and SETTINGS; no request is sent",
        )
        .bytes(OPENING.len() as u64),
    );
    let mut bytes = Vec::new();
    match first_frame(stream, &mut bytes, until).await {
        Ok(frame) => {
            recorder.push(settings(&bytes[..frame], recorder.now_us()));
            Exchange::Http2
        }
        Err(end) => end,
    }
}

/// Reads the first frame, which must be SETTINGS; its length with the header. nginx refuses a frame by the
/// three bytes of its length, however short the answer is.
async fn first_frame<S: AsyncRead + Unpin>(
    stream: &mut S,
    bytes: &mut Vec<u8>,
    until: Instant,
) -> Result<usize, Exchange> {
    fill(stream, bytes, 3, until).await?;
    let length = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
    let not_http2 = |bytes: &[u8], too_large| Exchange::NotHttp2 {
        opening: bytes[..bytes.len().min(64)].to_vec(),
        too_large,
    };
    if length > LONGEST_FRAME {
        return Err(not_http2(bytes, Some(length)));
    }
    fill(stream, bytes, HEADER, until).await?;
    let stream_id = u32::from_be_bytes([bytes[5] & 0x7f, bytes[6], bytes[7], bytes[8]]);
    let is_settings = bytes[3] == TYPE_SETTINGS
        && bytes[4] & FLAG_ACK == 0
        && stream_id == 0
        && length.is_multiple_of(6);
    if !is_settings {
        return Err(not_http2(bytes, None));
    }
    let whole = HEADER + length as usize;
    fill(stream, bytes, whole, until).await?;
    Ok(whole)
}

/// Sends nothing: waits for what a backend says of the client after a TLS 1.3 handshake. Silence is
/// good, because the client of a raw connection often speaks first.
pub async fn listen<S: AsyncRead + Unpin>(stream: &mut S, until: Instant) -> Exchange {
    let until = until.min(Instant::now() + QUIET);
    match timeout_at(until.into(), stream.read(&mut [0; 1])).await {
        Err(_) | Ok(Ok(1..)) => Exchange::Quiet,
        Ok(Err(error)) => Exchange::ReadFailed(error),
        Ok(Ok(0)) => Exchange::Closed { received: 0 },
    }
}

/// Reads until there are `wanted` bytes, or a few more.
async fn fill<S: AsyncRead + Unpin>(
    stream: &mut S,
    bytes: &mut Vec<u8>,
    wanted: usize,
    until: Instant,
) -> Result<(), Exchange> {
    let mut chunk = [0; 1_024];
    while bytes.len() < wanted {
        let received = bytes.len();
        match timeout_at(until.into(), stream.read(&mut chunk)).await {
            Err(_) => return Err(Exchange::TimedOut { received }),
            Ok(Err(error)) => return Err(Exchange::ReadFailed(error)),
            Ok(Ok(0)) => return Err(Exchange::Closed { received }),
            Ok(Ok(read)) => bytes.extend_from_slice(&chunk[..read]),
        }
    }
    Ok(())
}

/// The backend's SETTINGS frame, decoded.
fn settings(frame: &[u8], at_us: u64) -> Step {
    let mut step = Step::new(
        SETTINGS,
        Layer::Http,
        Direction::Received,
        at_us,
        "the backend speaks HTTP/2",
    )
    .bytes(frame.len() as u64);
    for setting in frame[HEADER..].chunks_exact(6).take(20) {
        let name = match u16::from_be_bytes([setting[0], setting[1]]) {
            1 => "SETTINGS_HEADER_TABLE_SIZE".to_owned(),
            2 => "SETTINGS_ENABLE_PUSH".to_owned(),
            3 => "SETTINGS_MAX_CONCURRENT_STREAMS".to_owned(),
            4 => "SETTINGS_INITIAL_WINDOW_SIZE".to_owned(),
            5 => "SETTINGS_MAX_FRAME_SIZE".to_owned(),
            6 => "SETTINGS_MAX_HEADER_LIST_SIZE".to_owned(),
            number => format!("setting {number}"),
        };
        let value = u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]);
        step = step.field(&name, value.to_string());
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `open` makes of a peer that sends these bytes and closes.
    async fn opened(answer: &[u8]) -> (Exchange, Recorder) {
        let (mut here, mut there) = tokio::io::duplex(64 * 1024);
        there.write_all(answer).await.unwrap();
        there.shutdown().await.unwrap();
        let recorder = Recorder::new();
        let until = Instant::now() + Duration::from_mins(1);
        let end = open(&mut here, until, &recorder).await;
        (end, recorder)
    }

    #[tokio::test]
    async fn settings_are_read_and_decoded() {
        let frame = b"\0\0\x0c\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x63\0\0\0\x01";
        let (end, recorder) = opened(frame).await;
        assert!(matches!(end, Exchange::Http2), "{end:?}");
        let steps = recorder.steps();
        let fields = &steps.last().unwrap().fields;
        let shown: Vec<_> = fields.iter().map(|f| (&*f.name, &*f.value)).collect();
        assert_eq!(
            shown,
            [
                ("SETTINGS_MAX_CONCURRENT_STREAMS", "128"),
                ("setting 99", "1")
            ]
        );
        assert!(matches!(
            opened(b"\0\0\0\x04\0\0\0\0\0").await.0,
            Exchange::Http2
        ));
    }

    #[tokio::test]
    async fn other_first_frames_are_not_http_2() {
        for (what, answer, length) in [
            (
                "HTTP/1.1",
                &b"HTTP/1.1 400 Bad Request\r\n"[..],
                Some(0x0048_5454),
            ),
            (
                "a TLS alert",
                b"\x15\x03\x01\0\x02\x02\x28",
                Some(0x0015_0301),
            ),
            ("GOAWAY", b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0", None),
            ("an ACK", b"\0\0\0\x04\x01\0\0\0\0", None),
            ("SETTINGS of a stream", b"\0\0\0\x04\0\0\0\0\x01", None),
            (
                "SETTINGS of an odd length",
                b"\0\0\x05\x04\0\0\0\0\0\0\0\0\0\0",
                None,
            ),
        ] {
            match opened(answer).await.0 {
                Exchange::NotHttp2 { too_large, .. } => assert_eq!(too_large, length, "{what}"),
                end => panic!("{what}: {end:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_frame_that_breaks_off_is_a_closed_connection() {
        for (answer, seen) in [
            (&b""[..], 0),
            (b"\0\0\x06", 3),
            (b"\0\0\x06\x04\0\0\0\0\0\0\x03", 11),
        ] {
            match opened(answer).await.0 {
                Exchange::Closed { received } => assert_eq!(received, seen),
                end => panic!("{end:?}"),
            }
        }
    }
}
