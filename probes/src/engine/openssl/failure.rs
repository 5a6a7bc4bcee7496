//! OpenSSL's failures as NGINX sorts and prints them.

use std::io;

use openssl::error::{Error, ErrorStack};
use openssl::ssl::{self, ErrorCode};

/// `SSL_AD_REASON_OFFSET`: a reason above it is an alert that the peer sent.
const ALERT_OFFSET: i32 = 1_000;
/// `ERR_LIB_SSL`.
const LIB_SSL: i32 = 20;

/// One entry of OpenSSL's error queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedError {
    /// As `ERR_error_string_n` prints it, with its data behind a colon, as `ngx_ssl_error` does.
    pub text: String,
    /// The reason alone, in OpenSSL's words.
    pub reason: String,
    /// The alert that the peer sent, where this error is one.
    pub alert: Option<u8>,
}

impl QueuedError {
    fn new(error: &Error) -> Self {
        let library = error.library().map_or_else(
            || format!("lib({})", error.library_code()),
            ToOwned::to_owned,
        );
        let reason = error.reason().map_or_else(
            || format!("reason({})", error.reason_code()),
            ToOwned::to_owned,
        );
        let mut text = format!("error:{:08X}:{library}::{reason}", error.code());
        if let Some(data) = error.data().filter(|data| !data.is_empty()) {
            text.push(':');
            text.push_str(data);
        }
        let alert = (error.library_code() == LIB_SSL)
            .then(|| error.reason_code() - ALERT_OFFSET)
            .and_then(|alert| u8::try_from(alert).ok());
        Self {
            text,
            reason,
            alert,
        }
    }
}

/// The whole queue, oldest first.
pub fn queue(errors: &ErrorStack) -> Vec<QueuedError> {
    errors.errors().iter().map(QueuedError::new).collect()
}

/// What NGINX appends to a message: ` (SSL: error:… error:…)`, or nothing for an empty queue.
pub fn suffix(errors: &[QueuedError]) -> String {
    if errors.is_empty() {
        return String::new();
    }
    let texts: Vec<&str> = errors.iter().map(|error| error.text.as_str()).collect();
    format!(" (SSL: {})", texts.join(" "))
}

/// Why OpenSSL could not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsFailure {
    /// The peer closed or reset the connection, or sent close_notify: OpenSSL's queue is empty.
    Closed {
        /// The operating system's error number: 104 for a reset; none for a clean end.
        errno: Option<i32>,
    },
    /// OpenSSL's queue says why.
    Ssl {
        /// The queue, oldest first; never empty.
        errors: Vec<QueuedError>,
        /// The operating system's error number, where there is one as well.
        errno: Option<i32>,
    },
}

impl TlsFailure {
    /// Sorts as `ngx_ssl_handshake` and `ngx_ssl_handle_recv` do.
    pub fn new(error: &ssl::Error) -> Self {
        let errno = (error.code() == ErrorCode::SYSCALL)
            .then(|| error.io_error().and_then(io::Error::raw_os_error))
            .flatten();
        match error.ssl_error().map(queue) {
            Some(errors) if error.code() != ErrorCode::ZERO_RETURN && !errors.is_empty() => {
                Self::Ssl { errors, errno }
            }
            _ => Self::Closed { errno },
        }
    }

    /// Sorts an error of reading or writing through tokio-openssl; `None` where it is not OpenSSL's
    /// but the stream's own.
    pub fn from_io(error: &io::Error) -> Self {
        match error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<ssl::Error>())
        {
            Some(inner) => Self::new(inner),
            None => Self::Closed {
                errno: error.raw_os_error(),
            },
        }
    }

    /// The number of the alert that the peer sent.
    pub fn alert(&self) -> Option<u8> {
        match self {
            Self::Closed { .. } => None,
            Self::Ssl { errors, .. } => errors.iter().find_map(|error| error.alert),
        }
    }
}
