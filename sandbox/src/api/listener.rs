//! The API's port: HTTP and HTTPS on one, told apart by the first byte.
//!
//! The kubeconfig names HTTPS, with a CA that is minted at every start: `kubectl` sends the token of a
//! kubeconfig over TLS only (client-go `tools/clientcmd`, `ClientConfig`). Plain HTTP on the same port
//! is for those who speak to it by hand; the token is asked for all the same.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use openssl::error::ErrorStack;
use openssl::ssl::{AlpnError, Ssl, SslAcceptor, SslContext, SslMethod};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_openssl::SslStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;

use crate::pki::{CertificateRequest, Pair};

/// When the API's certificates become valid, and when they expire.
const YEAR_2000: Timestamp = Timestamp::constant(946_684_800, 0);
const YEAR_2100: Timestamp = Timestamp::constant(4_102_444_800, 0);
/// How long a client may take to say the first byte, and for its handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Connections that are between accept and the end of their handshake.
const MAX_HANDSHAKES: usize = 128;

type Stream = Either<TcpStream, SslStream<TcpStream>>;

/// The API server's certificate, and the CA that clients are to trust.
pub(crate) struct Identity {
    /// For `certificate-authority-data`.
    pub(crate) ca_pem: Vec<u8>,
    context: SslContext,
}

impl Identity {
    /// Makes a CA and a certificate for this address.
    pub(crate) fn mint(address: IpAddr) -> Result<Self, ErrorStack> {
        // The clock of a client (a kubectl in a container, a test in another year) may be another than ours.
        let wish = |name: &str, dns_names: &[&str], ca| CertificateRequest {
            not_before: YEAR_2000,
            not_after: YEAR_2100,
            ..CertificateRequest::new(name, dns_names, ca, YEAR_2000)
        };
        let ca = Pair::mint_on_curve(&wish("ngf-tui demo CA", &[], true), None)?;
        let leaf = CertificateRequest {
            addresses: vec![address],
            ..wish("ngf-tui demo", &["localhost"], false)
        };
        let leaf = Pair::mint_on_curve(&leaf, Some(&ca))?;
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        builder.set_private_key(&leaf.key)?;
        builder.set_certificate(&leaf.certificate)?;
        builder.set_session_id_context(b"ngf-tui")?;
        builder.set_alpn_select_callback(|_, offered| {
            openssl::ssl::select_next_proto(b"\x08http/1.1", offered).ok_or(AlpnError::NOACK)
        });
        Ok(Self {
            ca_pem: ca.certificate_pem()?,
            context: builder.build().into_context(),
        })
    }
}

/// Connections whose handshakes are done, for [`axum::serve()`].
pub(crate) struct Listener {
    local: SocketAddr,
    ready: mpsc::Receiver<(Stream, SocketAddr)>,
}

impl Listener {
    /// Accepts on `listener` until `stop` is cancelled.
    pub(crate) fn start(
        listener: TcpListener,
        local: SocketAddr,
        identity: Identity,
        stop: CancellationToken,
    ) -> Self {
        let (sender, ready) = mpsc::channel(16);
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = accept(listener, identity.context, sender) => {}
            }
        });
        Self { local, ready }
    }
}

async fn accept(
    listener: TcpListener,
    context: SslContext,
    ready: mpsc::Sender<(Stream, SocketAddr)>,
) {
    let slots = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of file descriptors, or the peer has gone: wait a little instead of spinning.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let Ok(slot) = slots.clone().acquire_owned().await else {
            return;
        };
        let (context, ready) = (context.clone(), ready.clone());
        tokio::spawn(async move {
            if let Ok(Some(stream)) = timeout(HANDSHAKE, handshake(stream, &context)).await {
                drop(slot);
                // Nobody waits for it once the cluster has stopped.
                let _ = ready.send((stream, peer)).await;
            }
        });
    }
}

/// `None` where the peer gives up.
async fn handshake(stream: TcpStream, context: &SslContext) -> Option<Stream> {
    // A failure to set it costs time, not correctness.
    let _ = stream.set_nodelay(true);
    let mut first = [0];
    if stream.peek(&mut first).await.ok()? == 0 {
        return None;
    }
    if first[0] != 0x16 {
        return Some(Either::Left(stream));
    }
    let mut stream = SslStream::new(Ssl::new(context).ok()?, stream).ok()?;
    Pin::new(&mut stream).accept().await.ok()?;
    Some(Either::Right(stream))
}

impl axum::serve::Listener for Listener {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // The cluster is stopping; axum stops asking.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}
