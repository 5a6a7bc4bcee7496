//! Peers that do what no server does by itself: hang, reset, speak nonsense, break off after the
//! n-th TLS record, answer with broken HTTP.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use openssl::pkey::PKey;
use openssl::ssl::{Ssl, SslContext, SslContextBuilder, SslMethod, SslVerifyMode, SslVersion};
use openssl::x509::X509;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_openssl::SslStream;

use crate::vector::Identity;

/// What a peer does with each connection.
#[derive(Debug, Clone)]
pub(crate) enum Peer {
    /// Nobody listens.
    Refused,
    /// Somebody listens, but never accepts, and the queue is full: the SYN goes unanswered.
    NeverAccepts,
    /// Bytes that are no TLS, or no whole TLS.
    Bytes {
        /// Waits for the first bytes of the client before it does anything.
        listens_first: bool,
        /// What it writes.
        writes: Vec<u8>,
        end: End,
    },
    /// A TLS server.
    Tls(TlsPeer),
}

/// How a peer leaves the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// FIN, without a close_notify.
    Fin,
    /// RST.
    Reset,
    /// Says nothing more, and leaves it open.
    Silence,
    /// close_notify, then FIN; only where TLS is up.
    CloseNotify,
}

/// A TLS server that answers one request.
#[derive(Debug, Clone)]
pub(crate) struct TlsPeer {
    pub(crate) identity: Identity,
    pub(crate) version: SslVersion,
    /// Breaks off once so many records have gone out.
    pub(crate) records: Option<usize>,
    /// What it answers once it has read a request.
    pub(crate) answer: Vec<u8>,
    pub(crate) end: End,
}

/// Starts a peer, which lives as long as the runtime, and says where it listens.
pub(crate) async fn start(peer: Peer) -> io::Result<SocketAddr> {
    match peer {
        // Port 1 of a loopback address that nobody uses.
        Peer::Refused => Ok(SocketAddr::from(([127, 66, 66, 66], 1))),
        Peer::NeverAccepts => full_listener().await,
        Peer::Bytes {
            listens_first,
            writes,
            end,
        } => {
            serve(move |stream| {
                let writes = writes.clone();
                async move { speak_bytes(stream, listens_first, &writes, end).await }
            })
            .await
        }
        Peer::Tls(peer) => {
            let context = server_context(&peer).map_err(io::Error::other)?;
            serve(move |stream| {
                let (context, peer) = (context.clone(), peer.clone());
                async move { speak_tls(stream, &context, &peer).await }
            })
            .await
        }
    }
}

async fn serve<F, S>(mut each: S) -> io::Result<SocketAddr>
where
    S: FnMut(TcpStream) -> F + Send + 'static,
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that leaves early is what half of the vectors are about.
            tokio::spawn(each(stream));
        }
    });
    Ok(address)
}

async fn full_listener() -> io::Result<SocketAddr> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let listener = socket.listen(0)?;
    let address = listener.local_addr()?;
    let mut waiting = Vec::new();
    let patience = Duration::from_millis(300);
    while let Ok(stream) = tokio::time::timeout(patience, TcpStream::connect(address)).await {
        waiting.push(stream?);
    }
    tokio::spawn(async move {
        let _kept_open = (listener, waiting);
        std::future::pending::<()>().await;
    });
    Ok(address)
}

async fn speak_bytes(
    mut stream: TcpStream,
    listens_first: bool,
    writes: &[u8],
    end: End,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if listens_first {
        read_record(&mut stream).await?;
    }
    stream.write_all(writes).await?;
    leave(&mut stream, end).await
}

/// Reads one TLS record, or whatever else comes first if it is no TLS.
async fn read_record(stream: &mut TcpStream) -> io::Result<()> {
    let mut header = [0_u8; 5];
    stream.read_exact(&mut header).await?;
    if header[0] == 0x16 {
        let mut rest = vec![0_u8; usize::from(u16::from_be_bytes([header[3], header[4]]))];
        stream.read_exact(&mut rest).await?;
    }
    Ok(())
}

/// Leaves the connection, which the caller drops right after.
async fn leave(stream: &mut TcpStream, end: End) -> io::Result<()> {
    match end {
        End::Reset => stream.set_zero_linger(),
        End::Fin | End::CloseNotify => {
            stream.shutdown().await?;
            drain(stream).await
        }
        End::Silence => drain(stream).await,
    }
}

/// Reads until the client leaves: to close with unread bytes would send a RST.
async fn drain(stream: &mut TcpStream) -> io::Result<()> {
    let mut buffer = [0_u8; 4096];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

fn server_context(peer: &TlsPeer) -> Result<SslContext, openssl::error::ErrorStack> {
    let mut builder = SslContextBuilder::new(SslMethod::tls_server())?;
    builder.set_security_level(0);
    builder.set_min_proto_version(Some(peer.version))?;
    builder.set_max_proto_version(Some(peer.version))?;
    builder.set_verify(SslVerifyMode::NONE);
    let mut chain = X509::stack_from_pem(&peer.identity.chain)?.into_iter();
    builder.set_certificate(&chain.next().expect("an identity has a leaf"))?;
    for certificate in chain {
        builder.add_extra_chain_cert(certificate)?;
    }
    let key = PKey::private_key_from_pem(&peer.identity.key)?;
    builder.set_private_key(&key)?;
    Ok(builder.build())
}

async fn speak_tls(stream: TcpStream, context: &SslContext, peer: &TlsPeer) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let wire = Wire {
        stream,
        allowed: peer.records,
        unfinished: Vec::new(),
        ready: Vec::new(),
    };
    let ssl = Ssl::new(context).map_err(io::Error::other)?;
    let mut tls = SslStream::new(ssl, wire).map_err(io::Error::other)?;
    if converse(&mut tls, peer).await.is_ok() && matches!(peer.end, End::CloseNotify) {
        Pin::new(&mut tls).shutdown().await?;
    }
    leave(&mut tls.get_mut().stream, peer.end).await
}

async fn converse(tls: &mut SslStream<Wire>, peer: &TlsPeer) -> io::Result<()> {
    Pin::new(&mut *tls)
        .accept()
        .await
        .map_err(io::Error::other)?;
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut buffer = [0_u8; 4096];
        let read = tls.read(&mut buffer).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        request.extend_from_slice(&buffer[..read]);
    }
    tls.write_all(&peer.answer).await?;
    tls.flush().await
}

/// A stream that lets so many TLS records out and then fails.
#[derive(Debug)]
struct Wire {
    stream: TcpStream,
    /// Records that may still go out; `None` for any number.
    allowed: Option<usize>,
    /// The beginning of a record.
    unfinished: Vec<u8>,
    /// Whole records on their way out.
    ready: Vec<u8>,
}

impl Wire {
    fn is_cut(&self) -> bool {
        self.allowed == Some(0) && self.ready.is_empty()
    }

    fn admit(&mut self, bytes: &[u8]) {
        self.unfinished.extend_from_slice(bytes);
        while let [_, _, _, high, low, ..] = self.unfinished[..] {
            let length = 5 + usize::from(u16::from_be_bytes([high, low]));
            if self.unfinished.len() < length {
                return;
            }
            let record: Vec<u8> = self.unfinished.drain(..length).collect();
            if self.allowed != Some(0) {
                self.allowed = self.allowed.map(|left| left - 1);
                self.ready.extend(record);
            }
        }
    }

    fn poll_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.ready.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &self.ready))?;
            self.ready.drain(..written);
        }
        Poll::Ready(if self.is_cut() {
            Err(io::ErrorKind::BrokenPipe.into())
        } else {
            Ok(())
        })
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_out(context))?;
        self.admit(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_out(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_out(context)
    }
}
