//! The step that a probe ended in: written down where nothing that passed on the wire is it, and
//! marked where something is.

use crate::dial::tcp::os_text;
use crate::engine::openssl::failure::TlsFailure;
use crate::recorder::Recorder;
use crate::steps::{self, http, http2, tls};
use crate::verdict::Ending;
use ngf_tls::transcript::{Direction, Layer, Step, StepStatus};

/// The step that shows where an exchange failed.
pub(crate) fn of_exchange(ending: &Ending, at_us: u64) -> Option<Step> {
    let failed = |name: &str, layer, direction, summary: String| {
        Some(Step::new(name, layer, direction, at_us, summary).status(StepStatus::Failed))
    };
    match ending {
        Ending::SendTimedOut => failed(
            steps::TIMEOUT,
            Layer::Http,
            Direction::Local,
            "the request could not be sent in time".to_owned(),
        ),
        Ending::HeadTimedOut { received } => failed(
            steps::TIMEOUT,
            Layer::Http,
            Direction::Local,
            format!("{received} bytes of an answer came in time"),
        ),
        Ending::ClosedBeforeHead { received } => failed(
            crate::dial::tcp::CLOSED,
            Layer::Tcp,
            Direction::Received,
            format!("by the backend, after {received} bytes of an answer"),
        ),
        Ending::SendFailed(TlsFailure::Closed { errno })
        | Ending::ReadFailed(TlsFailure::Closed { errno }) => {
            let reason = errno.map_or_else(
                || "by the backend".to_owned(),
                |errno| os_text(&std::io::Error::from_raw_os_error(errno)),
            );
            failed(
                crate::dial::tcp::CLOSED,
                Layer::Tcp,
                Direction::Received,
                reason,
            )
        }
        Ending::NoStatusLine { opening } => failed(
            http::RESPONSE,
            Layer::Http,
            Direction::Received,
            format!("no HTTP: {opening:?}"),
        ),
        Ending::NotHttp2 { opening, .. } => failed(
            http2::SETTINGS,
            Layer::Http,
            Direction::Received,
            format!("no HTTP/2: {opening:?}"),
        ),
        Ending::InvalidHead(words) => failed(
            http::RESPONSE,
            Layer::Http,
            Direction::Received,
            words.clone(),
        ),
        _ => None,
    }
}

/// The step that shows where a handshake failed, unless an alert is that step.
pub(crate) fn write_down(
    ending: &Ending,
    last_thing: &str,
    not_tls: Option<&str>,
    recorder: &Recorder,
) {
    let at_us = recorder.now_us();
    let step = match ending {
        Ending::HandshakeTimedOut => Step::new(
            steps::TIMEOUT,
            Layer::Tls,
            Direction::Local,
            at_us,
            last_thing,
        ),
        Ending::HandshakeFailed(_) if not_tls.is_some() => Step::new(
            tls::NOT_TLS,
            Layer::Tls,
            Direction::Received,
            at_us,
            not_tls.unwrap_or_default(),
        ),
        Ending::HandshakeFailed(TlsFailure::Closed { errno }) => {
            let step = Step::new(
                crate::dial::tcp::CLOSED,
                Layer::Tcp,
                Direction::Received,
                at_us,
                last_thing,
            );
            match errno {
                Some(errno) => step.field(
                    "error",
                    format!(
                        "{errno}: {}",
                        os_text(&std::io::Error::from_raw_os_error(*errno))
                    ),
                ),
                None => step,
            }
        }
        _ => return,
    };
    recorder.push(step.status(StepStatus::Failed));
}

/// Marks the message that ended it: the alert that came, or an answer that is an error.
pub(crate) fn mark(mut steps: Vec<Step>, ending: &Ending) -> Vec<Step> {
    let is_culprit = |step: &Step| match ending {
        Ending::HandshakeFailed(TlsFailure::Ssl { .. })
        | Ending::ReadFailed(TlsFailure::Ssl { .. })
        | Ending::SendFailed(TlsFailure::Ssl { .. }) => step.name == "Alert",
        Ending::Answered(answer) => step.name == http::RESPONSE && answer.http.status >= 400,
        _ => false,
    };
    if steps
        .iter()
        .all(|step| step.status != StepStatus::Failed || step.layer == Layer::Tcp)
    {
        // The last such one: earlier alerts were warnings that OpenSSL passed over.
        let received = |step: &&mut Step| step.direction == Direction::Received;
        let last = steps
            .iter_mut()
            .rev()
            .filter(|step| is_culprit(step))
            .find(received);
        match last {
            Some(step) => step.status = StepStatus::Failed,
            None => {
                if let Some(step) = steps.iter_mut().rev().find(|step| is_culprit(step)) {
                    step.status = StepStatus::Failed;
                }
            }
        }
    }
    steps
}
