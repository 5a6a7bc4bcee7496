//! One probe, from the name to the answer.

mod transcript;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::dial::tcp::os_text;
use crate::dial::{ByteStream, Dial, DialError, Target};
use crate::engine::openssl::failure::TlsFailure;
use crate::engine::openssl::{ConfigError, HandshakeEnd, Prepared, Session, prepare_with};
use crate::opinions::{self};
use crate::recorder::Recorder;
use crate::records::{Tape, Tee};
use crate::spec::{Options, ProbeSpec};
use crate::steps::http::{self, BadRequest, Exchange};
use crate::steps::{http2, tls};
use crate::verdict::last_step;
use crate::verdict::{self, Ending};
use ngf_text::sanitize;
use ngf_tls::chain::ChainError;
use ngf_tls::protocol::Protocol;
use ngf_tls::transcript::{HttpAnswer, JudgedAsBackend, Transcript};

use transcript::{ProbeFacts, SeenTls, transcript};

/// The probe could not be run, so that nothing can be said of the backend.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// NGINX itself would not start with these certificates or keys.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The request cannot be sent as it is.
    #[error(transparent)]
    Request(#[from] BadRequest),
    /// The gateway's client cannot be run with what it was given.
    #[error("{0}")]
    Client(String),
    /// The transport failed, and not the backend.
    #[error("the transport to the backend failed: {0}")]
    Transport(String),
    /// The backend's CA, by which the client certificate was to be judged, cannot be used.
    #[error("the CA that the backend trusts, {origin}, cannot be used")]
    BackendTrust {
        /// Where it comes from.
        origin: String,
        /// What is wrong.
        #[source]
        source: ChainError,
    },
    /// OpenSSL could not set up the connection.
    #[error("OpenSSL could not set up the connection")]
    OpenSsl(#[source] openssl::error::ErrorStack),
    /// Somebody cancelled it.
    #[error("the probe was cancelled")]
    Cancelled,
}

/// Runs one probe: dials, shakes hands as NGINX would, sends the request, reads the answer.
/// Whatever the backend does ends in a transcript.
///
/// # Errors
/// [`ProbeError`] where the probe could not be run, or was cancelled.
pub async fn probe(
    spec: &ProbeSpec,
    dial: &dyn Dial,
    cancel: &CancellationToken,
) -> Result<Transcript, ProbeError> {
    probe_with(spec, &Options::default(), dial, cancel).await
}

/// The same with something else to offer, to keep, or to judge.
///
/// # Errors
/// As for [`probe()`], and where OpenSSL cannot offer what it should.
pub async fn probe_with(
    spec: &ProbeSpec,
    options: &Options,
    dial: &dyn Dial,
    cancel: &CancellationToken,
) -> Result<Transcript, ProbeError> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(ProbeError::Cancelled),
        result = run(spec, options, dial) => result,
    }
}

async fn run(
    spec: &ProbeSpec,
    options: &Options,
    dial: &dyn Dial,
) -> Result<Transcript, ProbeError> {
    let request = match spec.protocol {
        Protocol::WebSocket => http::upgrade_request(&spec.http)?,
        _ => http::request(&spec.http)?,
    };
    let prepared = match &spec.tls {
        Some(tls) => {
            let mut prepared = prepare_with(tls, options)?;
            if let Some(protocols) = spec.protocol.alpn() {
                prepared
                    .offer_alpn(protocols)
                    .map_err(ProbeError::OpenSsl)?;
            }
            Some(prepared)
        }
        None => None,
    };
    let judged_as_backend = judged_as_backend(spec, options)?;
    let started_at = Timestamp::now();
    let recorder = Recorder::telling(options.steps.clone());
    let target = Target {
        host: spec.host.clone(),
        port: spec.port,
        timeout: spec.timeout,
    };
    let mut seen = match dial.dial(&target, &recorder).await {
        Ok(dialled) => {
            if let Some(capture) = &options.capture {
                crate::dial::tcp::begin_capture(capture, &recorder);
            }
            let mut seen = if let Some(prepared) = prepared {
                over_tls(prepared, dialled.stream, spec, &request, &recorder).await?
            } else {
                let tape = Tape::keeping(options.capture.clone());
                let stream = Box::new(Tee::new(dialled.stream, tape));
                in_plain_text(stream, spec, &request, &recorder).await
            };
            if let Some(what) = dialled.fault.get() {
                return Err(ProbeError::Transport(sanitize::line(what, 500)));
            }
            seen.address = dialled.address;
            seen
        }
        Err(error) => ProbeFacts {
            address: None,
            tls: prepared.map(|prepared| SeenTls::before_handshake(&prepared)),
            ending: not_connected(error)?,
            http: None,
        },
    };
    if let Some(tls) = &mut seen.tls {
        tls.told.client_certificate.judged_as_backend = judged_as_backend;
    }
    Ok(transcript(spec, dial.via(), started_at, &recorder, seen))
}

/// The client certificate by the backend's own measure, where that is known.
fn judged_as_backend(
    spec: &ProbeSpec,
    options: &Options,
) -> Result<Option<JudgedAsBackend>, ProbeError> {
    let tls = spec.tls.as_ref();
    let identity = tls.and_then(|tls| tls.client_identity.as_ref());
    let (Some(identity), Some(trust)) = (identity, &options.backend_trust) else {
        return Ok(None);
    };
    let at = tls.and_then(|tls| tls.at);
    opinions::of_backend(identity, trust, at)
        .map(Some)
        .map_err(|source| ProbeError::BackendTrust {
            origin: sanitize::line(&trust.origin, 200),
            source,
        })
}

fn not_connected(error: DialError) -> Result<Ending, ProbeError> {
    Ok(match error {
        DialError::Name {
            reason,
            is_authoritative,
            ..
        } => Ending::NoSuchName {
            reason,
            is_authoritative,
        },
        DialError::Connect { address, source } => Ending::NotConnected {
            address,
            errno: source.raw_os_error(),
            reason: os_text(&source),
        },
        DialError::Remote {
            address,
            errno,
            reason,
        } => Ending::NotConnected {
            address,
            errno,
            reason,
        },
        DialError::TimedOut { address } => Ending::ConnectTimedOut { address },
        DialError::Transport(what) => {
            return Err(ProbeError::Transport(sanitize::line(&what, 500)));
        }
    })
}

async fn in_plain_text(
    mut stream: Box<dyn ByteStream>,
    spec: &ProbeSpec,
    request: &[u8],
    recorder: &Recorder,
) -> ProbeFacts {
    let until = Instant::now() + spec.timeout;
    let exchange = exchange(&mut stream, spec, request, until, recorder).await;
    let (ending, http) = ending_of(exchange, spec, recorder);
    ProbeFacts {
        address: None,
        tls: None,
        ending,
        http,
    }
}

async fn over_tls(
    prepared: Prepared,
    stream: Box<dyn ByteStream>,
    spec: &ProbeSpec,
    request: &[u8],
    recorder: &Recorder,
) -> Result<ProbeFacts, ProbeError> {
    let trust_origin = prepared.trust_origin.clone();
    let roots = prepared.roots.clone();
    let until = Instant::now() + spec.timeout;
    let (mut session, end) = prepared
        .handshake(stream, until)
        .await
        .map_err(ProbeError::OpenSsl)?;
    let mut beyond_nginx_from = None;
    let mut http = None;
    let ending = match end {
        HandshakeEnd::Done => match judge_certificate(&session, &trust_origin, recorder) {
            None => {
                let until = Instant::now() + spec.timeout;
                let exchange = exchange(&mut session.stream, spec, request, until, recorder).await;
                let (ending, answer) = ending_of(exchange, spec, recorder);
                http = answer;
                ending
            }
            Some(ending) => {
                beyond_nginx_from = Some(Instant::now());
                http = beyond_nginx(&mut session, spec, request, recorder).await;
                ending
            }
        },
        HandshakeEnd::NameRefused(errors) => Ending::NameRefused(errors),
        HandshakeEnd::Failed(failure) => Ending::HandshakeFailed(failure),
        HandshakeEnd::TimedOut => Ending::HandshakeTimedOut,
    };
    close(&mut session).await;
    let messages = session.messages();
    let told = tls::write_down(&messages, &session.tape, recorder, beyond_nginx_from);
    let seen = SeenTls {
        name: session.name().clone(),
        trust_origin,
        roots,
        path: session.path(),
        told,
        trace: session.trace(),
        records: tls::records(&session.tape, recorder),
        last_thing: tls::last_thing(&session.tape, &messages),
        not_tls: tls::not_tls(&session.tape),
    };
    last_step::write_down(&ending, &seen.last_thing, seen.not_tls.as_deref(), recorder);
    Ok(ProbeFacts {
        address: None,
        tls: Some(seen),
        ending,
        http,
    })
}

/// Speaks to the backend what nginx speaks to it.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    spec: &ProbeSpec,
    request: &[u8],
    until: Instant,
    recorder: &Recorder,
) -> Exchange {
    match spec.protocol {
        Protocol::Http1 | Protocol::WebSocket => {
            http::exchange(stream, &spec.http, request, until, recorder).await
        }
        Protocol::Http2 => http2::exchange(stream, &spec.http, until, recorder).await,
        Protocol::Stream => http2::listen(stream, until).await,
    }
}

/// NGINX's two questions after a handshake: the chain, and, where that is fine, the name.
fn judge_certificate<S>(
    session: &Session<S>,
    trust_origin: &str,
    recorder: &Recorder,
) -> Option<Ending> {
    let (code, text) = session.verify_result();
    let summary = if code == 0 {
        format!("signed by a CA in {trust_origin}")
    } else {
        format!("({code}:{text})")
    };
    let mut step = tls::judgement(
        tls::VERIFY_CERTIFICATE,
        recorder.now_us(),
        code == 0,
        &summary,
    )
    .field("verify_result", format!("{code}: {text}"))
    .field("trusted", trust_origin);
    for (index, event) in session.trace().iter().enumerate() {
        let subject = event.subject.as_deref().unwrap_or("?");
        step = step.field(
            &format!("verify_trace[{index}]"),
            format!(
                "depth {}: {} {} ({subject})",
                event.depth, event.code, event.text
            ),
        );
    }
    recorder.push(step);
    if code != 0 {
        return Some(Ending::Unverified { code, text });
    }
    let name = &session.name().checked;
    let matches = session.name_matches();
    let summary = if matches {
        format!("the certificate is for {name}")
    } else {
        format!("the certificate is not for {name}")
    };
    recorder.push(
        tls::judgement(tls::VERIFY_NAME, recorder.now_us(), matches, &summary)
            .field("proxy_ssl_name", name),
    );
    (!matches).then_some(Ending::NameMismatch)
}

/// Continues where NGINX stops, to learn what the backend thinks of the client certificate. What
/// comes of it is in the steps, and never in the verdict.
async fn beyond_nginx<S: AsyncRead + AsyncWrite + Unpin>(
    session: &mut Session<S>,
    spec: &ProbeSpec,
    request: &[u8],
    recorder: &Recorder,
) -> Option<HttpAnswer> {
    let until = Instant::now() + spec.timeout;
    let own = recorder.fork();
    let exchange = exchange(&mut session.stream, spec, request, until, &own).await;
    for mut step in own.steps() {
        step.beyond_nginx = true;
        recorder.push(step);
    }
    match exchange {
        Exchange::Answer(answer) => Some(answer.http),
        _ => None,
    }
}

/// Says goodbye, without waiting for an answer.
async fn close<S: AsyncRead + AsyncWrite + Unpin>(session: &mut Session<S>) {
    use tokio::io::AsyncWriteExt as _;
    const PATIENCE: Duration = Duration::from_millis(50);
    // What comes of it is of no interest: the peer may be gone.
    drop(tokio::time::timeout(PATIENCE, session.stream.shutdown()).await);
}

fn ending_of(
    exchange: Exchange,
    spec: &ProbeSpec,
    recorder: &Recorder,
) -> (Ending, Option<HttpAnswer>) {
    let ending = match exchange {
        Exchange::NotSent(error) => Ending::SendFailed(TlsFailure::from_io(&error)),
        Exchange::SendTimedOut => Ending::SendTimedOut,
        Exchange::ReadFailed(error) => Ending::ReadFailed(TlsFailure::from_io(&error)),
        Exchange::TimedOut { received } => Ending::HeadTimedOut { received },
        Exchange::Closed { received } => Ending::ClosedBeforeHead { received },
        Exchange::NoStatusLine { opening } => Ending::NoStatusLine {
            opening: sanitize::bytes(&opening, 40),
        },
        Exchange::NotHttp2 { opening, too_large } => Ending::NotHttp2 {
            opening: sanitize::bytes(&opening, 40),
            too_large,
        },
        Exchange::Http2 => Ending::SpeaksHttp2,
        Exchange::Quiet => Ending::HandshakeDone,
        Exchange::InvalidHead(words) => Ending::InvalidHead(sanitize::line(&words, 500)),
        // A gRPC health check is the probe's own: what a backend makes of it says nothing of its clients' calls.
        Exchange::Answer(answer)
            if spec.http.is_health_check() && !verdict::client::is_refusal(&answer.http) =>
        {
            return (Ending::SpeaksHttp2, Some(answer.http));
        }
        Exchange::Answer(answer) => {
            let http = answer.http.clone();
            return (Ending::Answered(answer), Some(http));
        }
    };
    if let Some(step) = last_step::of_exchange(&ending, recorder.now_us()) {
        recorder.push(step);
    }
    (ending, None)
}
