use std::collections::VecDeque;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const EXEC: Channels = Channels {
    data_out: 0,
    data_in: 1,
    words: 2,
    status: Some(3),
    begins_with_port: false,
    closes_alone: true,
};

/// The other end of a websocket: takes what is sent, gives what a test says.
struct Peer {
    give: VecDeque<Result<Message, SocketError>>,
    taken: mpsc::UnboundedSender<Message>,
}

impl Stream for Peer {
    type Item = Result<Message, SocketError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.give.pop_front())
    }
}

impl Sink<Message> for Peer {
    type Error = SocketError;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), SocketError> {
        self.taken
            .send(message)
            .map_err(|_| SocketError::ConnectionClosed)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        Poll::Ready(Ok(()))
    }
}

fn judge(side: &Side) -> End {
    match &side.ended {
        Some(Err(why)) => End::Broken(why.clone()),
        _ => End::Closed,
    }
}

type Opened = (
    ChannelStream,
    watch::Receiver<Side>,
    mpsc::UnboundedReceiver<Message>,
);

fn opened(channels: Channels, give: Vec<Result<Message, SocketError>>) -> Opened {
    let (taken, sent) = mpsc::unbounded_channel();
    let peer = Peer {
        give: give.into(),
        taken,
    };
    let (stream, side) = open(peer, channels, judge);
    (stream, side, sent)
}

fn frame(channel: u8, bytes: &[u8]) -> Result<Message, SocketError> {
    Ok(Message::binary([&[channel], bytes].concat()))
}

#[tokio::test]
async fn data_words_and_status_are_told_apart() {
    let give = vec![
        frame(1, b"ab"),
        frame(2, b"warning\x1b[31m"),
        frame(1, b""),
        frame(9, b"unknown"),
        Ok(Message::binary(Vec::new())),
        frame(1, b"cd"),
        frame(3, b"{}"),
    ];
    let (mut stream, mut side, _sent) = opened(EXEC, give);
    let mut read = Vec::new();
    stream.read_to_end(&mut read).await.expect("an orderly end");
    assert_eq!(read, b"abcd");
    let side = side.borrow_and_update();
    assert_eq!(side.words(), "warning[31m");
    assert_eq!(side.status.as_deref(), Some(b"{}".as_slice()));
    assert_eq!(side.ended, Some(Ok(())));
}

#[tokio::test]
async fn a_megabyte_of_words_is_counted_and_not_kept() {
    let mut give: Vec<_> = (0..32).map(|_| frame(2, &[b'x'; 32 << 10])).collect();
    give.push(frame(1, b"data"));
    let (mut stream, side, _sent) = opened(EXEC, give);
    let mut read = Vec::new();
    stream.read_to_end(&mut read).await.expect("an orderly end");
    assert_eq!(read, b"data");
    assert_eq!(side.borrow().words.len(), WORDS);
    assert_eq!(side.borrow().more_words, (1 << 20) - WORDS as u64);
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_fault_and_no_end() {
    let give = vec![frame(1, b"ab"), Err(SocketError::ConnectionClosed)];
    let (mut stream, _, _sent) = opened(EXEC, give);
    let fault = stream.fault();
    let mut read = Vec::new();
    let error = stream.read_to_end(&mut read).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    assert_eq!(read, b"ab");
    assert!(fault.get().is_some());
}

#[tokio::test]
async fn the_first_frame_of_a_forwarded_port_is_its_number() {
    let channels = Channels {
        data_in: 0,
        words: 1,
        status: None,
        begins_with_port: true,
        closes_alone: false,
        ..EXEC
    };
    let port = 8443u16.to_le_bytes();
    let give = vec![
        frame(0, &port),
        frame(1, &port),
        frame(0, b"data"),
        frame(1, b"words"),
    ];
    let (mut stream, side, _sent) = opened(channels, give);
    let mut read = Vec::new();
    stream.read_to_end(&mut read).await.expect("an orderly end");
    assert_eq!(read, b"data");
    assert_eq!(side.borrow().words(), "words");
    assert_eq!(side.borrow().begun, 0b11);
}

/// What the peer was sent after `written` was written and shut down.
async fn sent(channels: Channels, written: &[u8]) -> Vec<Vec<u8>> {
    let (mut stream, _, mut sent) = opened(channels, vec![]);
    stream.write_all(written).await.expect("it is taken");
    stream.shutdown().await.expect("it is taken");
    drop(stream);
    let mut frames = Vec::new();
    while let Some(message) = sent.recv().await {
        frames.push(message.into_data().to_vec());
    }
    frames
}

#[tokio::test]
async fn the_end_of_what_is_written_is_said_in_v5_and_not_in_v4() {
    let v4 = Channels {
        closes_alone: false,
        ..EXEC
    };
    assert_eq!(
        sent(EXEC, b"hello").await,
        [b"\0hello".to_vec(), vec![255, 0]]
    );
    assert_eq!(sent(v4, b"hello").await, [b"\0hello".to_vec()]);
}

#[tokio::test]
async fn a_flood_of_words_or_pings_is_given_up_and_data_is_none() {
    let words = || frame(2, &vec![b'x'; MAX_MESSAGE - 1]);
    let ping = || Ok(Message::Ping(Vec::new().into()));
    let many = FLOOD_MESSAGES as usize + 2;
    for (give, is_flood) in [
        ((0..20).map(|_| words()).collect::<Vec<_>>(), true),
        ((0..10).map(|_| words()).collect(), false),
        ((0..many).map(|_| ping()).collect(), true),
        ((0..many).map(|_| frame(1, b"a")).collect(), false),
    ] {
        let (mut stream, side, _sent) = opened(EXEC, give);
        let mut read = Vec::new();
        let ended = stream.read_to_end(&mut read).await;
        assert_eq!(ended.is_err(), is_flood);
        let why = side.borrow().ended.clone();
        let flooded = "it is flooded with messages that carry no data".to_owned();
        assert_eq!(why == Some(Err(flooded)), is_flood);
    }
}

#[tokio::test]
async fn much_is_sent_in_many_frames() {
    let frames = sent(EXEC, &[7; 3 * FRAME + 1]).await;
    let sizes: Vec<_> = frames.iter().map(Vec::len).collect();
    assert_eq!(sizes, [FRAME + 1, FRAME + 1, FRAME + 1, 2, 2]);
}
