//! The TCP connection.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::capture::Capture;
use crate::dial::DialError;
use crate::recorder::Recorder;
use ngf_tls::transcript::{Direction, Layer, Step, StepStatus};

/// The step of a connection, made or not.
pub const CONNECT: &str = "TCP connect";
/// The step of an end or a reset that came too early.
pub const CLOSED: &str = "connection closed";

/// Connects to one address, with TCP_NODELAY, and writes the step down.
pub async fn connect(
    address: SocketAddr,
    within: Duration,
    recorder: &Recorder,
) -> Result<TcpStream, DialError> {
    let began = recorder.now_us();
    let result = timeout(within, TcpStream::connect(address)).await;
    let ended = recorder.now_us();
    let step = |summary: String| {
        Step::new(CONNECT, Layer::Tcp, Direction::Sent, ended, summary)
            .field("address", address.to_string())
            .field("took_us", ended.saturating_sub(began).to_string())
    };
    match result {
        Ok(Ok(stream)) => {
            // Without it, a small record waits for the acknowledgement of the one before it.
            let no_delay = stream.set_nodelay(true);
            let mut done = step(format!("connected to {address}"));
            if let Ok(local) = stream.local_addr() {
                done = done.field("local", local.to_string());
            }
            recorder.push(done.field("tcp_nodelay", if no_delay.is_ok() { "on" } else { "off" }));
            Ok(stream)
        }
        Ok(Err(source)) => {
            let reason = os_text(&source);
            let mut failed = step(format!("{address}: {reason}")).status(StepStatus::Failed);
            if let Some(errno) = source.raw_os_error() {
                failed = failed.field("errno", errno.to_string());
            }
            recorder.push(failed.field("error", reason));
            Err(DialError::Connect {
                address: address.to_string(),
                source,
            })
        }
        Err(_) => {
            recorder.push(
                step(format!("{address}: no answer within {within:?}"))
                    .status(StepStatus::Failed)
                    .field("error", "timed out"),
            );
            Err(DialError::TimedOut {
                address: address.to_string(),
            })
        }
    }
}

/// Tells a capture where its connection begins: by the step of the connection that was made, where
/// the transport wrote one down.
pub(crate) fn begin_capture(capture: &Capture, recorder: &Recorder) {
    let steps = recorder.steps();
    let made = steps
        .iter()
        .rev()
        .find(|step| step.name == CONNECT && step.status == StepStatus::Ok);
    let value = |name: &str| {
        let field = made?.fields.iter().find(|field| field.name == name)?;
        Some(field.value.as_str())
    };
    let end = |name| value(name).and_then(|text| text.parse::<SocketAddr>().ok());
    let took = value("took_us").and_then(|text| text.parse().ok());
    let made_at = made.map_or_else(Instant::now, |step| recorder.moment(step.at_us));
    let asked_at = made_at
        .checked_sub(Duration::from_micros(took.unwrap_or_default()))
        .unwrap_or(made_at);
    capture.connected(end("local").zip(end("address")), asked_at, made_at);
}

/// The operating system's words for an error, as `strerror` has them: without Rust's `(os error N)`.
pub fn os_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(cut) => text[..cut].to_owned(),
        None => text,
    }
}
