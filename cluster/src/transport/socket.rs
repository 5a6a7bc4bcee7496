//! Bytes over one of Kubernetes' websockets, where each frame begins with the number of its channel
//! (`v4.channel.k8s.io`, `v5.channel.k8s.io`).
//!
//! Both directions are pumped at once, by two tasks: a peer that answers while it is still being
//! written to never stalls. How the connection ended is kept, since an API server, a proxy before it
//! or a kubelet can end it as well as the backend.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::{Sink, SinkExt, Stream, StreamExt};
use ngf_probes::dial::Fault;
use ngf_text::sanitize;
use tokio::{
    io::{self, AsyncRead, AsyncWrite, ReadBuf},
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error as SocketError, Message,
        protocol::{Role, WebSocketConfig},
    },
};
use tokio_util::sync::PollSender;

/// Bytes of data in one frame that is sent.
const FRAME: usize = 32 << 10;
/// Frames on their way in each direction, before the sender has to wait.
const FRAMES: usize = 32;
/// Bytes kept of what came on the channel for words; the rest is counted.
const WORDS: usize = 8 << 10;
/// Bytes of one message; Kubernetes sends at most 32 KiB at once.
const MAX_MESSAGE: usize = 1 << 20;
/// Bytes of words, and messages that carry no data, after which the other side is taken for one that
/// floods.
const FLOOD: u64 = 16 << 20;
const FLOOD_MESSAGES: u32 = 10_000;
/// How long the goodbye to the API server may take.
const GOODBYE: Duration = Duration::from_secs(1);
/// Frame that closes a channel in v5; the second byte is the channel.
const CLOSE: u8 = 255;

/// Which channel is for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Channels {
    /// Data from here to there.
    pub(super) data_out: u8,
    /// Data from there to here.
    pub(super) data_in: u8,
    /// What is said beside the data: stderr, or port-forward's error.
    pub(super) words: u8,
    /// The exit status; `None` where there is none.
    pub(super) status: Option<u8>,
    /// The first frame of a channel holds the port's number and no data.
    pub(super) begins_with_port: bool,
    /// A channel can be closed alone: v5. Without it, the end of what is written here cannot be said.
    pub(super) closes_alone: bool,
}

/// What is known beside the data.
#[derive(Debug, Clone, Default)]
pub(super) struct Side {
    /// The first bytes of the words; bounded.
    words: Vec<u8>,
    /// Bytes of words that were not kept.
    pub(super) more_words: u64,
    /// Channels that have had their first frame.
    pub(super) begun: u8,
    /// The status, as it came.
    pub(super) status: Option<Vec<u8>>,
    /// How the websocket ended; `Ok` where it was closed in order.
    pub(super) ended: Option<Result<(), String>>,
}

impl Side {
    /// One that was told these words.
    #[cfg(test)]
    pub(super) fn told(words: &[&[u8]], ended: Option<Result<(), String>>) -> Self {
        Self {
            words: words.concat(),
            ended,
            ..Self::default()
        }
    }

    /// The words, cleaned of control characters.
    pub(super) fn words(&self) -> String {
        sanitize::block(&String::from_utf8_lossy(&self.words), WORDS)
    }
}

/// What the end of a stream means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The backend closed the connection.
    Closed,
    /// The backend reset the connection.
    Reset,
    /// Something between here and the backend broke.
    Broken(String),
}

/// The data channel as a stream of bytes.
pub(super) struct ChannelStream {
    channels: Channels,
    frames: PollSender<Vec<u8>>,
    data: mpsc::Receiver<Message>,
    /// The frame that is being read, and how far.
    current: Option<(Message, usize)>,
    side: watch::Receiver<Side>,
    judge: fn(&Side) -> End,
    fault: Fault,
    shut_down: bool,
}

/// The websocket of a connection that was just opened, with a bound on its messages: kube's takes 64 MiB.
pub(super) async fn of(
    connection: kube::client::Connection,
) -> WebSocketStream<impl AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    // Nothing has been read of it, so that nothing is lost.
    let stream = connection.into_stream().into_inner();
    WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await
}

/// Starts to pump. `judge` says what the end of the stream means.
pub(super) fn open<S>(
    socket: S,
    channels: Channels,
    judge: fn(&Side) -> End,
) -> (ChannelStream, watch::Receiver<Side>)
where
    S: Stream<Item = Result<Message, SocketError>>
        + Sink<Message, Error = SocketError>
        + Send
        + 'static,
{
    let (sink, stream) = socket.split();
    let (frames, outgoing) = mpsc::channel(FRAMES);
    let (incoming, data) = mpsc::channel(FRAMES);
    let (tell, side) = watch::channel(Side::default());
    let tell = Arc::new(tell);
    tokio::spawn(write(sink, outgoing, Arc::clone(&tell)));
    tokio::spawn(read(stream.boxed(), channels, incoming, tell));
    let stream = ChannelStream {
        channels,
        frames: PollSender::new(frames),
        data,
        current: None,
        side: side.clone(),
        judge,
        fault: Fault::default(),
        shut_down: false,
    };
    (stream, side)
}

async fn write<S>(mut sink: S, mut frames: mpsc::Receiver<Vec<u8>>, tell: Arc<watch::Sender<Side>>)
where
    S: Sink<Message, Error = SocketError> + Unpin,
{
    while let Some(frame) = frames.recv().await {
        if let Err(error) = sink.send(Message::binary(frame)).await {
            end(&tell, Err(words_of(&error)));
            return;
        }
    }
    // The stream was dropped. What comes of the goodbye is of no interest.
    drop(timeout(GOODBYE, sink.close()).await);
}

async fn read<S>(
    mut socket: S,
    channels: Channels,
    data: mpsc::Sender<Message>,
    tell: Arc<watch::Sender<Side>>,
) where
    S: Stream<Item = Result<Message, SocketError>> + Unpin,
{
    let mut reason = None;
    // Messages since the last data.
    let mut idle = 0;
    loop {
        let message = tokio::select! {
            biased;
            () = data.closed() => return,
            message = socket.next() => message,
        };
        idle += 1;
        if idle > FLOOD_MESSAGES || tell.borrow().more_words > FLOOD {
            return end(
                &tell,
                Err("it is flooded with messages that carry no data".to_owned()),
            );
        }
        match message {
            Some(Ok(Message::Binary(bytes))) => {
                let Some(&channel) = bytes.first() else {
                    continue;
                };
                let begins = channels.begins_with_port && !has_begun(&tell, channel);
                tell.send_if_modified(|side| note(side, channels, &bytes, begins));
                if channel == channels.data_in && bytes.len() > 1 && !begins {
                    idle = 0;
                    let message = Message::Binary(bytes);
                    if data.send(message).await.is_err() {
                        return;
                    }
                }
            }
            Some(Ok(Message::Close(frame))) => {
                reason = frame
                    .map(|frame| sanitize::line(&frame.reason, 200))
                    .filter(|reason| !reason.is_empty());
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return end(&tell, Err(words_of(&error))),
            None => return end(&tell, reason.map_or(Ok(()), Err)),
        }
    }
}

fn has_begun(tell: &watch::Sender<Side>, channel: u8) -> bool {
    1u8.checked_shl(u32::from(channel))
        .is_some_and(|bit| tell.borrow().begun & bit != 0)
}

/// Takes down what a frame says beside the data; says whether it said anything.
fn note(side: &mut Side, channels: Channels, bytes: &[u8], begins: bool) -> bool {
    let channel = bytes[0];
    if begins {
        side.begun |= 1u8.checked_shl(u32::from(channel)).unwrap_or_default();
        return true;
    }
    let said = &bytes[1..];
    if said.is_empty() {
        return false;
    }
    if channel == channels.words {
        let room = WORDS.saturating_sub(side.words.len()).min(said.len());
        side.words.extend_from_slice(&said[..room]);
        side.more_words += (said.len() - room) as u64;
        return true;
    }
    if Some(channel) == channels.status {
        side.status = Some(said[..said.len().min(WORDS)].to_vec());
        return true;
    }
    false
}

/// The first end counts: a write that fails after it is its effect.
fn end(tell: &watch::Sender<Side>, how: Result<(), String>) {
    tell.send_if_modified(|side| {
        let first = side.ended.is_none();
        if first {
            side.ended = Some(how);
        }
        first
    });
}

fn words_of(error: &SocketError) -> String {
    sanitize::line(&error.to_string(), 300)
}

impl ChannelStream {
    /// Where it says what broke.
    pub(super) fn fault(&self) -> Fault {
        self.fault.clone()
    }

    /// What the end of the stream is to the one who reads or writes.
    fn ended(&self) -> io::Result<()> {
        let end = (self.judge)(&self.side.borrow());
        match end {
            End::Closed => Ok(()),
            End::Reset => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
            End::Broken(what) => {
                self.fault.set(what.clone());
                Err(io::Error::new(io::ErrorKind::ConnectionAborted, what))
            }
        }
    }
}

impl AsyncRead for ChannelStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.current.is_none() {
            match ready!(self.data.poll_recv(context)) {
                // The first byte is the channel's number.
                Some(message) => self.current = Some((message, 1)),
                None => return Poll::Ready(self.ended()),
            }
        }
        if let Some((Message::Binary(bytes), at)) = &mut self.current {
            let amount = buffer.remaining().min(bytes.len() - *at);
            buffer.put_slice(&bytes[*at..*at + amount]);
            *at += amount;
            if *at == bytes.len() {
                self.current = None;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ChannelStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.shut_down {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let amount = bytes.len().min(FRAME);
        let room = ready!(self.frames.poll_reserve(context)).is_ok();
        let mut frame = Vec::with_capacity(amount + 1);
        frame.push(self.channels.data_out);
        frame.extend_from_slice(&bytes[..amount]);
        if room && self.frames.send_item(frame).is_ok() {
            return Poll::Ready(Ok(amount));
        }
        self.ended()?;
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The task that writes flushes after each frame.
        Poll::Ready(Ok(()))
    }

    /// Says that nothing more is coming, where the protocol can say so. Where it cannot (v4), the
    /// websocket stays open: closing it would cut off the answer.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.channels.closes_alone && !self.shut_down {
            // Nobody takes it: then the other side is gone already.
            if ready!(self.frames.poll_reserve(context)).is_ok() {
                let frame = vec![CLOSE, self.channels.data_out];
                let _ = self.frames.send_item(frame);
            }
        }
        self.shut_down = true;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
#[allow(
    clippy::unnecessary_wraps,
    clippy::large_stack_arrays,
    clippy::needless_pass_by_value
)] // test data
mod tests;
