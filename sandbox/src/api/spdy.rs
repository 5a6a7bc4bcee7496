//! SPDY/3.1 as `kubectl port-forward` speaks it in a websocket: streams in pairs, one for errors and
//! one for data, told by their headers (`streamtype`, `port`, `requestid`). Only what port-forward
//! needs of draft-mbelshe-httpbis-spdy-00 is here; windows are not kept, as its peers keep none
//! (`moby/spdystream`).

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};
use futures::stream::SplitSink;
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, split};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::port_forward::Forwarded;
use super::spdy_headers::{self, Headers};

/// Control frames that are understood.
mod frame {
    pub(super) const SYN_STREAM: u16 = 1;
    pub(super) const SYN_REPLY: u16 = 2;
    pub(super) const RST_STREAM: u16 = 3;
    pub(super) const PING: u16 = 6;
    pub(super) const GOAWAY: u16 = 7;
}

/// The version in control frames.
const VERSION: u16 = 3;
/// Flag: nothing more comes from this side of the stream.
const FIN: u8 = 1;
/// Status of RST_STREAM: the stream is refused.
const REFUSED: u32 = 3;
/// Bytes of a frame; its length has 24 bits.
const MAX_FRAME: usize = 1 << 20;
/// Streams at once.
const MAX_STREAMS: usize = 512;
/// Bytes of one frame to the client.
const CHUNK: usize = 32 << 10;
/// Pieces on their way to the client, and to a port.
const AHEAD: usize = 16;

/// What goes to a forwarded port: bytes, or the end of them.
enum Up {
    Data(Bytes),
    End,
}

/// A stream that the client opened.
enum Stream {
    /// For errors, of the request of this id.
    Error,
    /// Data.
    Data(mpsc::Sender<Up>),
}

/// Serves one tunnel.
pub(super) async fn serve(socket: WebSocket, forwarded: Forwarded) {
    let (sink, mut stream) = socket.split();
    let (messages, outgoing) = mpsc::channel(AHEAD);
    let writer = tokio::spawn(write(sink, outgoing));
    let mut session = Session {
        forwarded: forwarded.clone(),
        to: messages,
        headers: Headers::default(),
        replied: false,
        streams: HashMap::new(),
        errors: HashMap::new(),
        connections: JoinSet::new(),
    };
    let mut buffer = Vec::new();
    loop {
        let message = tokio::select! {
            message = stream.next() => message,
            () = forwarded.gone() => break,
        };
        match message {
            Some(Ok(Message::Binary(bytes))) => buffer.extend_from_slice(&bytes),
            Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            Some(Ok(_)) => continue,
        }
        let mut at = 0;
        let fine = loop {
            match split_frame(&buffer[at..]) {
                Ok(Some((frame, length))) => {
                    at += length;
                    if session.take(frame).await.is_none() {
                        break false;
                    }
                }
                Ok(None) => break true,
                Err(TooLong) => break false,
            }
        };
        buffer.drain(..at);
        if !fine {
            break;
        }
    }
    drop(session);
    // What was said is sent; a client that does not read is not waited for.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(2), writer).await;
}

async fn write(mut sink: SplitSink<WebSocket, Message>, mut outgoing: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = outgoing.recv().await {
        if sink.send(Message::Binary(bytes.into())).await.is_err() {
            return;
        }
    }
    // Whoever has gone needs no goodbye.
    let _ = sink.close().await;
}

#[derive(Debug, PartialEq, Eq)]
struct TooLong;

/// A frame.
#[derive(Debug, PartialEq, Eq)]
enum Frame<'a> {
    Control {
        kind: u16,
        flags: u8,
        body: &'a [u8],
    },
    Data {
        stream: u32,
        flags: u8,
        body: &'a [u8],
    },
}

/// The first frame of what came, and its length.
fn split_frame(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, TooLong> {
    let Some(head) = bytes.get(..8) else {
        return Ok(None);
    };
    let word = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
    let (flags, length) = (
        head[4],
        u32::from_be_bytes([0, head[5], head[6], head[7]]) as usize,
    );
    if length > MAX_FRAME {
        return Err(TooLong);
    }
    let Some(body) = bytes.get(8..8 + length) else {
        return Ok(None);
    };
    let frame = if word >> 31 == 1 {
        Frame::Control {
            kind: word as u16,
            flags,
            body,
        }
    } else {
        Frame::Data {
            stream: word,
            flags,
            body,
        }
    };
    Ok(Some((frame, 8 + length)))
}

fn control(kind: u16, flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = (0x8000 | VERSION).to_be_bytes().to_vec();
    bytes.extend(kind.to_be_bytes());
    bytes.push(flags);
    bytes.extend(&(body.len() as u32).to_be_bytes()[1..]);
    bytes.extend(body);
    bytes
}

fn data(stream: u32, flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = stream.to_be_bytes().to_vec();
    bytes.push(flags);
    bytes.extend(&(body.len() as u32).to_be_bytes()[1..]);
    bytes.extend(body);
    bytes
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) & 0x7fff_ffff)
}

struct Session {
    forwarded: Forwarded,
    to: mpsc::Sender<Vec<u8>>,
    headers: Headers,
    /// A reply has been sent: the compressed stream of headers has begun.
    replied: bool,
    streams: HashMap<u32, Stream>,
    /// Streams for errors, by `requestid`.
    errors: HashMap<String, u32>,
    connections: JoinSet<()>,
}

impl Session {
    /// `None` ends the tunnel.
    async fn take(&mut self, frame: Frame<'_>) -> Option<()> {
        // Connections that have ended.
        while self.connections.try_join_next().is_some() {}
        match frame {
            Frame::Control {
                kind: frame::SYN_STREAM,
                flags,
                body,
            } => self.open(flags, body).await,
            Frame::Control {
                kind: frame::RST_STREAM,
                body,
                ..
            } => {
                self.streams.remove(&number(body, 0)?);
                Some(())
            }
            Frame::Control {
                kind: frame::PING,
                body,
                ..
            } => self.send(control(frame::PING, 0, body)).await,
            Frame::Control {
                kind: frame::GOAWAY,
                ..
            } => None,
            // Settings, windows, headers: nothing that is kept here.
            Frame::Control { .. } => Some(()),
            Frame::Data {
                stream,
                flags,
                body,
            } => {
                if let Some(Stream::Data(input)) = self.streams.get(&stream) {
                    // A connection that has ended takes no more.
                    if !body.is_empty() {
                        let _ = input.send(Up::Data(Bytes::copy_from_slice(body))).await;
                    }
                    if flags & FIN != 0 {
                        let _ = input.send(Up::End).await;
                        self.streams.remove(&stream);
                    }
                }
                Some(())
            }
        }
    }

    async fn send(&self, bytes: Vec<u8>) -> Option<()> {
        self.to.send(bytes).await.ok()
    }

    async fn open(&mut self, flags: u8, body: &[u8]) -> Option<()> {
        let id = number(body, 0)?;
        // Every block of headers has to be read: each is compressed by those before it.
        let headers = self.headers.read(body.get(10..)?)?;
        let header = |name: &str| {
            let found = headers.iter().find(|(known, _)| known == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        let port = header("port").parse::<u16>().ok().filter(|port| *port != 0);
        let kind = header("streamtype");
        let (Some(port), true) = (port, self.streams.len() < MAX_STREAMS) else {
            return self.refuse(id).await;
        };
        let request = header("requestid").to_owned();
        match kind {
            "error" => {
                self.errors.insert(request, id);
                if flags & FIN == 0 {
                    self.streams.insert(id, Stream::Error);
                }
                self.reply(id).await
            }
            "data" => {
                let Some(errors) = self.errors.remove(&request) else {
                    return self.refuse(id).await;
                };
                let (input, bytes) = mpsc::channel(AHEAD);
                self.streams.insert(id, Stream::Data(input));
                self.reply(id).await?;
                self.connections.spawn(connection(
                    self.forwarded.clone(),
                    port,
                    (id, errors),
                    bytes,
                    self.to.clone(),
                ));
                Some(())
            }
            _ => self.refuse(id).await,
        }
    }

    async fn reply(&mut self, id: u32) -> Option<()> {
        let mut body = id.to_be_bytes().to_vec();
        body.extend(spdy_headers::none(!self.replied));
        self.replied = true;
        self.send(control(frame::SYN_REPLY, 0, &body)).await
    }

    async fn refuse(&self, id: u32) -> Option<()> {
        let body = [id.to_be_bytes(), REFUSED.to_be_bytes()].concat();
        self.send(control(frame::RST_STREAM, 0, &body)).await
    }
}

/// One connection: its streams are for data and for errors.
async fn connection(
    forwarded: Forwarded,
    port: u16,
    (id, errors): (u32, u32),
    mut input: mpsc::Receiver<Up>,
    to: mpsc::Sender<Vec<u8>>,
) {
    let mut why = String::new();
    match forwarded.dial(port).await {
        Err(error) => why = error,
        Ok(stream) => {
            let (mut from, mut into) = split(stream);
            let up = async {
                while let Some(Up::Data(bytes)) = input.recv().await {
                    if into.write_all(&bytes).await.is_err() {
                        break;
                    }
                }
                // Half of the connection: the other half may still answer.
                let _ = into.shutdown().await;
                std::future::pending::<()>().await;
            };
            let down = async {
                let mut chunk = vec![0; CHUNK];
                while let Ok(count @ 1..) = from.read(&mut chunk).await {
                    if to.send(data(id, 0, &chunk[..count])).await.is_err() {
                        break;
                    }
                }
            };
            tokio::select! {
                () = up => {}
                () = down => {}
            }
        }
    }
    // Whoever has gone needs no end.
    let _ = to.send(data(errors, FIN, why.as_bytes())).await;
    let _ = to.send(data(id, FIN, &[])).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_told_apart_and_bounded() {
        let ping = control(frame::PING, 0, &[0, 0, 0, 1]);
        assert_eq!(ping, [0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1]);
        let bytes = [ping, data(5, FIN, b"ab")].concat();
        let (first, length) = split_frame(&bytes).expect("short").expect("whole");
        assert_eq!(length, 12);
        assert!(matches!(
            first,
            Frame::Control {
                kind: frame::PING,
                ..
            }
        ));
        let (second, _) = split_frame(&bytes[12..]).expect("short").expect("whole");
        assert_eq!(
            second,
            Frame::Data {
                stream: 5,
                flags: FIN,
                body: b"ab"
            }
        );
        for cut in 0..12 {
            assert_eq!(split_frame(&bytes[..cut]), Ok(None));
        }
        assert_eq!(split_frame(&[0, 0, 0, 1, 0, 255, 0, 0]), Err(TooLong));
    }
}
