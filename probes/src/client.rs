//! The gateway's client: a TLS handshake with a listener as a strict client performs it (rustls with webpki, not
//! OpenSSL, which judges backends as nginx does), and a request. Each message is a step.

mod hooks;
mod tap;
mod trust;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig, ProtocolVersion};
use tokio::time::timeout_at;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

pub use ngf_tls::transcript::client::{
    ClientAuthentication, ClientEnding, ClientTranscript, Judged,
};

use crate::dial::{ByteStream, Dial, DialError, Target};
use crate::probe::ProbeError;
use crate::recorder::Recorder;
use crate::spec::{ClientIdentity, HttpSpec, Trust};
use crate::steps::http::{self, Exchange};
use crate::steps::http2;
use ngf_text::{host_and_port, sanitize};
use ngf_tls::certificate::CertificateFacts;
use ngf_tls::messages::names;
use ngf_tls::transcript::{Direction, HttpAnswer, Layer, Step, StepStatus, TlsAgreed};

/// What to ask a listener.
#[derive(Debug, Clone)]
pub struct ClientSpec {
    /// Name or IP address to connect to.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// TLS; `None` for a listener without.
    pub tls: Option<ClientTls>,
    /// The request; `None` for a handshake alone.
    pub request: Option<HttpSpec>,
    /// Bound on each phase: connect, handshake, answer.
    pub timeout: Duration,
}

impl ClientSpec {
    /// The same without the client certificate.
    #[must_use]
    pub fn without_certificate(&self) -> Self {
        let mut without = self.clone();
        if let Some(tls) = &mut without.tls {
            tls.identity = None;
        }
        without
    }
}

/// How the client speaks TLS.
#[derive(Debug, Clone)]
pub struct ClientTls {
    /// The name for SNI, which the certificate must be for.
    pub server_name: String,
    /// Whom the client may trust. The first that verifies the listener's certificate counts.
    pub trust: Vec<Trust>,
    /// The client certificate; `None` to present none.
    pub identity: Option<ClientIdentity>,
    /// Protocols that are offered by ALPN: `h2`, `http/1.1`.
    pub alpn: Vec<String>,
}

/// Whether a client certificate can be presented at all.
///
/// # Errors
/// [`ProbeError`] where it is not PEM, or has another key.
pub fn check_identity(identity: &ClientIdentity) -> Result<(), ProbeError> {
    hooks::identity(identity, &ring::default_provider()).map(|_| ())
}

/// Connects, shakes hands, asks. Whatever the listener does ends in a transcript.
///
/// # Errors
/// [`ProbeError`] where the client could not be run, or was cancelled.
pub async fn ask(
    spec: &ClientSpec,
    dial: &dyn Dial,
    cancel: &CancellationToken,
) -> Result<ClientTranscript, ProbeError> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(ProbeError::Cancelled),
        result = run(spec, dial) => result,
    }
}

/// What is known while it runs.
struct RequestFacts {
    address: Option<String>,
    ending: ClientEnding,
    alert: Option<u8>,
    words: String,
    tls: Option<TlsAgreed>,
    judged: Option<Judged>,
    client_certificate: ClientAuthentication,
    chain: Vec<CertificateFacts>,
    http: Option<HttpAnswer>,
}

impl RequestFacts {
    fn new(ending: ClientEnding, words: impl Into<String>) -> Self {
        Self {
            address: None,
            ending,
            alert: None,
            words: words.into(),
            tls: None,
            judged: None,
            client_certificate: ClientAuthentication::default(),
            chain: Vec::new(),
            http: None,
        }
    }
}

async fn run(spec: &ClientSpec, dial: &dyn Dial) -> Result<ClientTranscript, ProbeError> {
    let request = spec.request.as_ref().map(http::request).transpose()?;
    let prepared = spec.tls.as_ref().map(Prepared::new).transpose()?;
    let recorder = Recorder::new();
    let target = Target {
        host: spec.host.clone(),
        port: spec.port,
        timeout: spec.timeout,
    };
    let seen = match dial.dial(&target, &recorder).await {
        Err(DialError::Transport(what)) => {
            return Err(ProbeError::Transport(sanitize::line(&what, 500)));
        }
        Err(error) => RequestFacts::new(ClientEnding::NotConnected, ngf_text::in_words(&error)),
        Ok(dialled) => {
            let asking = Asking {
                spec,
                request: request.as_deref(),
                recorder: &recorder,
            };
            let mut seen = match prepared {
                Some(prepared) => asking.over_tls(prepared, dialled.stream).await,
                None => asking.exchange(dialled.stream, false).await,
            };
            if let Some(what) = dialled.fault.get() {
                return Err(ProbeError::Transport(sanitize::line(what, 500)));
            }
            seen.address = dialled.address;
            seen
        }
    };
    Ok(ClientTranscript {
        via: dial.via().to_owned(),
        duration_us: recorder.now_us(),
        ended: sanitize::line(&seen.words, 300),
        sentence: sanitize::line(&sentence(spec, &seen), 600),
        address: seen.address,
        ending: seen.ending,
        alert: seen.alert,
        tls: seen.tls,
        judged: seen.judged,
        client_certificate: seen.client_certificate,
        chain: seen.chain,
        steps: recorder.steps(),
        http: seen.http,
    })
}

/// A handshake that is ready to begin.
struct Prepared {
    config: ClientConfig,
    name: ServerName<'static>,
    told: hooks::Told,
    trust: Vec<trust::Roots>,
    server_name: String,
    subject: Option<String>,
}

impl Prepared {
    fn new(tls: &ClientTls) -> Result<Self, ProbeError> {
        let provider = Arc::new(ring::default_provider());
        let told = hooks::Told::default();
        let identity = match &tls.identity {
            Some(identity) => Some(hooks::identity(identity, &provider)?),
            None => None,
        };
        let name = ServerName::try_from(tls.server_name.clone()).map_err(|_| {
            ProbeError::Client(format!(
                "invalid server name \"{}\": expected a DNS name or an IP address",
                sanitize::line(&tls.server_name, 200)
            ))
        })?;
        let subject = tls.identity.as_ref().map(hooks::subject);
        let trust = tls.trust.iter().filter_map(trust::Roots::read);
        Ok(Self {
            config: config(provider, &told, identity, &tls.alpn)?,
            name,
            told,
            trust: trust.collect(),
            server_name: tls.server_name.clone(),
            subject,
        })
    }
}

fn config(
    provider: Arc<CryptoProvider>,
    told: &hooks::Told,
    identity: Option<Arc<rustls::sign::CertifiedKey>>,
    alpn: &[String],
) -> Result<ClientConfig, ProbeError> {
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ProbeError::Client(error.to_string()))?
        // The certificate is judged once the handshake is complete: what the listener makes of the client shows
        // only then. Signatures are verified here, as always.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(hooks::Verifier::new(told, provider)))
        .with_client_cert_resolver(Arc::new(hooks::Resolver::new(told, identity)));
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    // A session of before would hide what the listener asks now.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

struct Asking<'a> {
    spec: &'a ClientSpec,
    request: Option<&'a [u8]>,
    recorder: &'a Recorder,
}

impl Asking<'_> {
    async fn over_tls(&self, prepared: Prepared, stream: Box<dyn ByteStream>) -> RequestFacts {
        let Prepared {
            config,
            name,
            told,
            trust,
            server_name,
            subject,
        } = prepared;
        let until = Instant::now() + self.spec.timeout;
        let tap = tap::Tap::default();
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, tap.on(stream));
        let shaken = timeout_at(until.into(), connecting).await;
        let agreed = agreed(&tap, &shaken);
        told.write_down(&tap, agreed.as_ref(), subject.as_deref(), self.recorder);
        let chain = told.chain();
        let judged = trust::judge(&chain, &trust, &server_name, Timestamp::now());
        if let Some(judged) = &judged {
            self.recorder
                .push(trust::step(judged, &server_name, self.recorder.now_us()));
        }
        let mut seen = match shaken {
            Err(_) => {
                let words = "the handshake did not end in time";
                RequestFacts::new(ClientEnding::HandshakeTimedOut, words)
            }
            Ok(Err(error)) => self.failed(&error, &tap),
            Ok(Ok(stream)) => self.exchange(stream, true).await,
        };
        seen.tls = agreed;
        seen.judged = judged;
        seen.chain = chain;
        seen.client_certificate = told.client_certificate(subject);
        seen
    }

    /// A handshake that failed.
    fn failed(&self, error: &io::Error, tap: &tap::Tap) -> RequestFacts {
        let alert = alert_of(error);
        let words = match (alert, tap.not_tls()) {
            (Some(alert), _) => format!(
                "the listener ended the handshake with alert {} ({alert})",
                names::alert(alert)
            ),
            (None, Some(what)) => format!("the listener does not speak TLS: it sent {what}"),
            (None, None) if is_end(error) => {
                "the listener closed the connection during the handshake".to_owned()
            }
            (None, None) => format!("the handshake failed: {error}"),
        };
        self.stop("handshake", &words, alert);
        RequestFacts {
            alert,
            ..RequestFacts::new(ClientEnding::HandshakeFailed, words)
        }
    }

    /// Writes down where it ended.
    fn stop(&self, name: &str, words: &str, alert: Option<u8>) {
        let now = self.recorder.now_us();
        let (name, direction) = match alert {
            Some(_) => ("Alert", Direction::Received),
            None => (name, Direction::Local),
        };
        let step = Step::new(name, Layer::Tls, direction, now, words);
        self.recorder.push(step.status(StepStatus::Failed));
    }

    /// Asks over a connection.
    async fn exchange<S: ByteStream>(&self, mut stream: S, is_tls: bool) -> RequestFacts {
        let until = Instant::now() + self.spec.timeout;
        let exchange = match (&self.spec.request, self.request) {
            (Some(spec), Some(request)) => {
                http::exchange(&mut stream, spec, request, until, self.recorder).await
            }
            _ => http2::listen(&mut stream, until).await,
        };
        let (ending, words) = match exchange {
            Exchange::Answer(answer) => {
                let words = format!("the answer is {}", answer.http.status);
                let mut seen = RequestFacts::new(ClientEnding::Answered, words);
                seen.http = Some(answer.http);
                return seen;
            }
            Exchange::Quiet | Exchange::Http2 if is_tls => {
                (ClientEnding::Shaken, "the handshake is complete".to_owned())
            }
            Exchange::Quiet | Exchange::Http2 => {
                (ClientEnding::Shaken, "the connection is open".to_owned())
            }
            Exchange::NotSent(error) | Exchange::ReadFailed(error) => {
                return self.ended(alert_of(&error), &error);
            }
            Exchange::Closed { received: 0 } => {
                let words = "the gateway closed the connection without an answer";
                (ClientEnding::Closed, words.to_owned())
            }
            Exchange::Closed { received } => (
                ClientEnding::Closed,
                format!("the gateway closed the connection after {received} bytes of the answer"),
            ),
            Exchange::SendTimedOut | Exchange::TimedOut { .. } => (
                ClientEnding::NoAnswerInTime,
                "no answer came in time".to_owned(),
            ),
            Exchange::NoStatusLine { opening } | Exchange::NotHttp2 { opening, .. } => (
                ClientEnding::NotHttp,
                format!(
                    "the answer is not HTTP: {:?}",
                    sanitize::bytes(&opening, 40)
                ),
            ),
            Exchange::InvalidHead(why) => (ClientEnding::NotHttp, why),
        };
        if ending != ClientEnding::Shaken {
            self.stop("close", &words, None);
        }
        RequestFacts::new(ending, words)
    }

    /// The connection ended in place of an answer.
    fn ended(&self, alert: Option<u8>, error: &io::Error) -> RequestFacts {
        let words = match alert {
            Some(alert) => format!(
                "the gateway refused the connection after the handshake with alert {} ({alert})",
                names::alert(alert)
            ),
            None if is_end(error) => {
                "the gateway closed the connection without an answer".to_owned()
            }
            None => format!("reading the answer failed: {error}"),
        };
        self.stop("close", &words, alert);
        RequestFacts {
            alert,
            ..RequestFacts::new(ClientEnding::Closed, words)
        }
    }
}

/// What was agreed upon: by the library's word once the handshake is complete, by ServerHello before.
fn agreed<S>(
    tap: &tap::Tap,
    shaken: &Result<io::Result<TlsStream<S>>, tokio::time::error::Elapsed>,
) -> Option<TlsAgreed> {
    let hello = tap.agreed();
    let Ok(Ok(stream)) = shaken else {
        return hello;
    };
    let (_, connection) = stream.get_ref();
    let version = match connection.protocol_version()? {
        ProtocolVersion::TLSv1_3 => "TLSv1.3".to_owned(),
        ProtocolVersion::TLSv1_2 => "TLSv1.2".to_owned(),
        other => format!("{other:?}"),
    };
    let suite = connection.negotiated_cipher_suite()?.suite();
    let group = connection.negotiated_key_exchange_group();
    let alpn = connection.alpn_protocol();
    Some(TlsAgreed {
        version,
        cipher: hello.map_or_else(|| format!("{suite:?}"), |hello| hello.cipher),
        group: group.map(|group| format!("{:?}", group.name())),
        alpn: alpn.map(|name| sanitize::bytes(name, 40)),
    })
}

/// The alert that an error tells of.
fn alert_of(error: &io::Error) -> Option<u8> {
    let inner = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    match inner {
        rustls::Error::AlertReceived(AlertDescription::CloseNotify) => None,
        rustls::Error::AlertReceived(alert) => Some(u8::from(*alert)),
        _ => None,
    }
}

/// Whether an error is nothing but the end of the connection.
fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        error.kind(),
        UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe
    )
}

/// All of it in a sentence.
fn sentence(spec: &ClientSpec, seen: &RequestFacts) -> String {
    let mut parts = Vec::new();
    if let Some(judged) = &seen.judged {
        parts.push(judged.sentence.clone());
    }
    let client = &seen.client_certificate;
    if client.requested {
        parts.push(match &client.subject {
            Some(subject) if client.sent => {
                format!("the listener asks for a client certificate and gets {subject}")
            }
            _ => "the listener asks for a client certificate and gets none".to_owned(),
        });
    }
    parts.push(seen.words.clone());
    let place = host_and_port(&spec.host, spec.port);
    format!("{place}: {}", parts.join("; "))
}
