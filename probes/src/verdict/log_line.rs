//! The line that NGINX would write to its error log, in its words, from behind the connection
//! number up to the comma before `client:`.

use super::{Ending, Observed};
use crate::dial::tcp::os_text;
use crate::engine::openssl::failure::{TlsFailure, suffix};
use crate::steps::http::body::BodyEnd;
use ngf_text::sanitize;

/// NGINX cuts a line at 2048 bytes (`NGX_MAX_ERROR_STR`).
const LONGEST: usize = 2_048;

const CONNECTING: &str = "connecting to upstream";
const HANDSHAKING: &str = "SSL handshaking to upstream";
const SENDING: &str = "sending request to upstream";
const READING_HEADER: &str = "reading response header from upstream";
const READING: &str = "reading upstream";

/// `ETIMEDOUT`, which NGINX gives for every time-out.
const ETIMEDOUT: i32 = 110;

/// Errors that Linux finds at once, so that `connect()` itself fails and NGINX names the address:
/// EPERM, EACCES, EINVAL, EAFNOSUPPORT, EADDRNOTAVAIL, ENETUNREACH.
const AT_ONCE: [i32; 6] = [1, 13, 22, 97, 99, 101];

pub(super) fn log_line(observed: &Observed<'_>) -> Option<String> {
    let is_tls = observed.tls.is_some();
    let line = match observed.ending {
        Ending::NoSuchName {
            is_authoritative, ..
        } => {
            let host = observed
                .target
                .rsplit_once(':')
                .map_or(observed.target, |(host, _)| host);
            let reason = if *is_authoritative {
                "3: Host not found"
            } else {
                "110: Operation timed out"
            };
            format!("{host} could not be resolved ({reason})")
        }
        Ending::NotConnected {
            address,
            errno,
            reason,
        } => {
            let to = match errno {
                Some(errno) if AT_ONCE.contains(errno) => format!(" to {address}"),
                _ => String::new(),
            };
            let number = errno.map_or_else(String::new, |errno| format!("{errno}: "));
            format!("connect(){to} failed ({number}{reason}) while {CONNECTING}")
        }
        Ending::ConnectTimedOut { .. } => timed_out(CONNECTING),
        Ending::NameRefused(errors) => format!(
            "SSL_set_tlsext_host_name(\"{}\") failed{} while {CONNECTING}",
            observed.tls.as_ref().map_or("", |tls| &tls.name.checked),
            suffix(errors)
        ),
        Ending::HandshakeFailed(TlsFailure::Closed { errno }) => format!(
            "peer closed connection in SSL handshake{} while {HANDSHAKING}",
            errno_text(*errno)
        ),
        Ending::HandshakeFailed(failure) => {
            format!(
                "{} while {HANDSHAKING}",
                call_failed("SSL_do_handshake()", failure)
            )
        }
        Ending::HandshakeTimedOut => timed_out(HANDSHAKING),
        Ending::Unverified { code, text } => {
            format!("upstream SSL certificate verify error: ({code}:{text}) while {HANDSHAKING}")
        }
        Ending::NameMismatch => format!(
            "upstream SSL certificate does not match \"{}\" while {HANDSHAKING}",
            observed.tls.as_ref().map_or("", |tls| &tls.name.checked)
        ),
        Ending::SendFailed(failure) => {
            let call = if is_tls { "SSL_write()" } else { "writev()" };
            format!("{} while {SENDING}", call_failed(call, failure))
        }
        Ending::SendTimedOut => timed_out(SENDING),
        // Over TLS an empty queue counts as the end of the stream, a reset included.
        Ending::ReadFailed(TlsFailure::Closed { .. }) if is_tls => premature(READING_HEADER),
        Ending::ReadFailed(failure) => {
            let call = if is_tls { "SSL_read()" } else { "recv()" };
            format!("{} while {READING_HEADER}", call_failed(call, failure))
        }
        Ending::ClosedBeforeHead { .. } => premature(READING_HEADER),
        Ending::HeadTimedOut { .. } => timed_out(READING_HEADER),
        Ending::NoStatusLine { .. } => {
            format!("upstream sent no valid HTTP/1.0 header while {READING_HEADER}")
        }
        Ending::NotHttp2 { too_large, .. } => {
            let length = (*too_large)?;
            format!("upstream sent too large http2 frame: {length} while {READING_HEADER}")
        }
        Ending::SpeaksHttp2 | Ending::HandshakeDone => return None,
        Ending::InvalidHead(words) => format!("{words} while {READING_HEADER}"),
        Ending::Answered(answer) => match &answer.end {
            BodyEnd::Complete | BodyEnd::Enough => return None,
            BodyEnd::TimedOut => timed_out(READING),
            BodyEnd::Failed {
                errno: Some(errno), ..
            } if !is_tls => {
                format!("recv() failed{} while {READING}", errno_text(Some(*errno)))
            }
            BodyEnd::Closed | BodyEnd::Failed { .. } => premature(READING),
            BodyEnd::BadChunks => {
                format!("upstream sent invalid chunked response while {READING}")
            }
        },
    };
    Some(sanitize::line(&line, LONGEST))
}

fn timed_out(action: &str) -> String {
    format!(
        "upstream timed out{} while {action}",
        errno_text(Some(ETIMEDOUT))
    )
}

fn premature(action: &str) -> String {
    format!("upstream prematurely closed connection while {action}")
}

/// `CALL failed (SSL: …) (104: …)`, with what there is.
fn call_failed(call: &str, failure: &TlsFailure) -> String {
    match failure {
        TlsFailure::Closed { errno } => format!("{call} failed{}", errno_text(*errno)),
        TlsFailure::Ssl { errors, errno } => {
            format!("{call} failed{}{}", suffix(errors), errno_text(*errno))
        }
    }
}

/// ` (104: Connection reset by peer)`, or nothing.
fn errno_text(errno: Option<i32>) -> String {
    errno.map_or_else(String::new, |errno| {
        format!(
            " ({errno}: {})",
            os_text(&std::io::Error::from_raw_os_error(errno))
        )
    })
}
