//! One connection: the handshake, the judgement, and the stream that is left.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use openssl::error::ErrorStack;
use openssl::ssl::SslRef;
use openssl::x509::X509Ref;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout_at;
use tokio_openssl::SslStream;

use super::Prepared;
use super::failure::{QueuedError, TlsFailure, queue};
use crate::records::{Tape, Tee};
use ngf_tls::certificate::CertificateFacts;
use ngf_tls::engine::messages::{MessageLog, RawMessage};
use ngf_tls::engine::{UpstreamName, ffi};
use ngf_tls::transcript::VerifyEvent;

/// How the handshake ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandshakeEnd {
    /// It was completed, whatever is to be said of the certificate.
    Done,
    /// NGINX could not set the Server Name Indication: the name is too long.
    NameRefused(Vec<QueuedError>),
    /// It failed.
    Failed(TlsFailure),
    /// The time was over.
    TimedOut,
}

/// A connection that has been shaken hands over.
pub struct Session<S> {
    /// The stream to speak HTTP over.
    pub stream: SslStream<Tee<S>>,
    /// What passed on the wire.
    pub tape: Tape,
    name: UpstreamName,
    trace: Arc<Mutex<Vec<VerifyEvent>>>,
    log: Arc<MessageLog>,
}

impl Prepared {
    /// Performs the handshake, until `until`.
    ///
    /// # Errors
    /// OpenSSL's, where the connection could not even be set up.
    pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        mut self,
        stream: S,
        until: Instant,
    ) -> Result<(Session<S>, HandshakeEnd), ErrorStack> {
        let refused = match &self.name.sni {
            // OpenSSL takes a C string: NGINX's own ends at the first NUL, too.
            Some(name) => {
                let name = name.split('\0').next().unwrap_or_default();
                self.ssl
                    .set_hostname(name)
                    .err()
                    .map(|errors| queue(&errors))
            }
            None => None,
        };
        let tape = Tape::keeping(self.capture);
        let mut session = Session {
            stream: SslStream::new(self.ssl, Tee::new(stream, tape.clone()))?,
            tape,
            name: self.name,
            trace: self.trace,
            log: self.log,
        };
        if let Some(errors) = refused {
            return Ok((session, HandshakeEnd::NameRefused(errors)));
        }
        let shaking = Pin::new(&mut session.stream).connect();
        let end = match timeout_at(until.into(), shaking).await {
            Ok(Ok(())) => HandshakeEnd::Done,
            Ok(Err(error)) => HandshakeEnd::Failed(TlsFailure::new(&error)),
            Err(_) => HandshakeEnd::TimedOut,
        };
        Ok((session, end))
    }
}

impl<S> Session<S> {
    /// `SSL_get_verify_result`: the last error that the callback saw, and OpenSSL's words for it.
    pub fn verify_result(&self) -> (i32, String) {
        let result = self.ssl().verify_result();
        (result.as_raw(), result.error_string().to_owned())
    }

    /// The path that OpenSSL built, leaf first; it ends early where it found no issuer.
    pub(crate) fn path(&self) -> Vec<CertificateFacts> {
        self.ssl().verified_chain().map_or_else(Vec::new, facts_of)
    }

    /// `ngx_ssl_check_host` on the server's certificate.
    pub fn name_matches(&self) -> bool {
        self.ssl()
            .peer_certificate()
            .is_some_and(|leaf| ffi::check_host(&leaf, &self.name.checked))
    }

    /// The name that is checked and the one that is sent.
    pub fn name(&self) -> &UpstreamName {
        &self.name
    }

    /// Each call of the verify callback.
    pub fn trace(&self) -> Vec<VerifyEvent> {
        self.trace
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Each message so far.
    pub fn messages(&self) -> Vec<RawMessage> {
        self.log.messages()
    }

    fn ssl(&self) -> &SslRef {
        self.stream.ssl()
    }
}

/// Certificates that OpenSSL has, as facts.
fn facts_of<'a>(certificates: impl IntoIterator<Item = &'a X509Ref>) -> Vec<CertificateFacts> {
    certificates
        .into_iter()
        .filter_map(|certificate| certificate.to_der().ok())
        .filter_map(|der| CertificateFacts::from_der(&der).ok())
        .collect()
}
