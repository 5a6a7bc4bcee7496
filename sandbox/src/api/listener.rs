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

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{AlpnError, Ssl, SslAcceptor, SslContext, SslMethod};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509NameBuilder};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_openssl::SslStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;

/// Seconds since 1970 at which the API's certificate becomes valid: 2000-01-01T00:00:00Z.
const YEAR_2000: i64 = 946_684_800;
/// And at which it expires: 2100-01-01T00:00:00Z.
const YEAR_2100: i64 = 4_102_444_800;

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
        let (ca_key, ca) = certificate("ngf-tui demo CA", None, None)?;
        let (key, leaf) = certificate("ngf-tui demo", Some(address), Some((&ca_key, &ca)))?;
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        builder.set_private_key(&key)?;
        builder.set_certificate(&leaf)?;
        builder.set_session_id_context(b"ngf-tui")?;
        builder.set_alpn_select_callback(|_, offered| {
            openssl::ssl::select_next_proto(b"\x08http/1.1", offered).ok_or(AlpnError::NOACK)
        });
        Ok(Self {
            ca_pem: ca.to_pem()?,
            context: builder.build().into_context(),
        })
    }
}

fn certificate(
    name: &str,
    address: Option<IpAddr>,
    issuer: Option<(&PKey<Private>, &X509)>,
) -> Result<(PKey<Private>, X509), ErrorStack> {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let key = PKey::from_ec_key(EcKey::generate(&curve)?)?;
    let mut subject = X509NameBuilder::new()?;
    subject.append_entry_by_text("CN", name)?;
    let subject = subject.build();
    let mut builder = X509Builder::new()?;
    builder.set_version(2)?;
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    builder.set_serial_number(&*Asn1Integer::from_bn(&serial)?)?;
    builder.set_subject_name(&subject)?;
    builder.set_issuer_name(issuer.map_or(&*subject, |(_, ca)| ca.subject_name()))?;
    // The clock of a client (a kubectl in a container, a test in another year) may be another than ours.
    builder.set_not_before(&*Asn1Time::from_unix(YEAR_2000)?)?;
    builder.set_not_after(&*Asn1Time::from_unix(YEAR_2100)?)?;
    builder.set_pubkey(&key)?;
    let ca = issuer.map(|(_, ca)| &**ca);
    if let Some(address) = address {
        let names = {
            let context = builder.x509v3_context(ca, None);
            SubjectAlternativeName::new()
                .ip(&address.to_string())
                .dns("localhost")
                .build(&context)?
        };
        builder.append_extension(names)?;
        builder.append_extension(BasicConstraints::new().critical().build()?)?;
        builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
        builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
        let identifier = {
            let context = builder.x509v3_context(ca, None);
            AuthorityKeyIdentifier::new().keyid(true).build(&context)?
        };
        builder.append_extension(identifier)?;
    } else {
        builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
        builder.append_extension(KeyUsage::new().critical().key_cert_sign().build()?)?;
        let identifier = {
            let context = builder.x509v3_context(ca, None);
            SubjectKeyIdentifier::new().build(&context)?
        };
        builder.append_extension(identifier)?;
    }
    builder.sign(
        issuer.map_or(&key, |(ca_key, _)| ca_key),
        MessageDigest::sha256(),
    )?;
    Ok((key, builder.build()))
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
