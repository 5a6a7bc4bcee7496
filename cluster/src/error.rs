//! What can go wrong between the tool and the API server, each in one sentence.

use std::{error::Error as StdError, io, path::PathBuf};

use thiserror::Error;

use super::{config::CONNECT, credentials::NoCredentials, limits::TooLarge};
use ngf_core::model::{clean::clean_line, object::ObjectRef};

/// Why the cluster, or something in it, cannot be read. The text of each says what, where and what
/// to do; it holds no control characters, and nothing of a kubeconfig's credentials.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// There is no kubeconfig and this is no pod.
    #[error(
        "no kubeconfig found: looked for {looked}, and this is not a pod; name one with --kubeconfig, or read manifests with -f"
    )]
    NoKubeconfig {
        /// Where it looked.
        looked: String,
    },
    /// A kubeconfig cannot be opened or understood.
    #[error("the kubeconfig {} {why}", shown(path))]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// `cannot be read: …`, `is not YAML …`.
        why: String,
    },
    /// The context that was asked for is not there.
    #[error("the kubeconfig has no context {name:?}; {known}")]
    NoContext {
        /// The context.
        name: String,
        /// What to choose instead, in words.
        known: String,
    },
    /// Nobody said which context.
    #[error("the kubeconfig names no current context; {known}")]
    NoCurrentContext {
        /// What to choose, in words.
        known: String,
    },
    /// No namespace can have this name.
    #[error(
        "{name:?} is no name of a namespace: a-z, 0-9 and - are allowed; check -n and the context"
    )]
    Namespace {
        /// The name.
        name: String,
    },
    /// The cluster has no such namespace.
    #[error("namespace {name:?} not found")]
    NoNamespace {
        /// The name.
        name: String,
    },
    /// The context leads nowhere: its cluster, its CA file, its client certificate.
    #[error("the context {context:?} is not usable: {why}")]
    Context {
        /// The context.
        context: String,
        /// What is wrong with it.
        why: String,
    },
    /// The credentials could not be made, by a plugin for instance.
    #[error("no credentials for the context {context:?}: {why}")]
    Credentials {
        /// The context.
        context: String,
        /// What is wrong.
        why: String,
    },
    /// No connection to the API server.
    #[error(
        "the API server {server} of context {context:?} cannot be reached: {why}; check the address and the network, or choose another cluster with --context"
    )]
    Unreachable {
        /// Its URL.
        server: String,
        /// The context.
        context: String,
        /// What the operating system said.
        why: String,
    },
    /// No TLS with the API server.
    #[error(
        "the API server {server} of context {context:?} and this tool do not agree on TLS: {why}"
    )]
    Tls {
        /// Its URL.
        server: String,
        /// The context.
        context: String,
        /// What is wrong.
        why: String,
    },
    /// The API server does not know the user (401).
    #[error(
        "the API server {server} does not accept the credentials of context {context:?}{who} ({why}); log in again, or choose another with --context"
    )]
    Unauthorized {
        /// Its URL.
        server: String,
        /// The context.
        context: String,
        /// `, user "alice"`, with the plugin where there is one; empty where it is not known.
        who: String,
        /// Its words.
        why: String,
    },
    /// The API server answers something else.
    #[error("the API server {server} of context {context:?} cannot be used: {why}")]
    Unusable {
        /// Its URL.
        server: String,
        /// The context.
        context: String,
        /// What it said.
        why: String,
    },
    /// One object, or a key of it, or a log, could not be read.
    #[error("{object} {why}")]
    Object {
        /// The object.
        object: ObjectRef,
        /// What is wrong with it.
        why: String,
    },
}

fn shown(path: &std::path::Path) -> String {
    clean_line(&path.to_string_lossy())
}

/// How a TLS failure begins that is about the client certificate.
pub(super) const NOT_ACCEPTED: &str = "it does not accept the client certificate";

/// What went wrong with one request, so far as it decides what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// 401, in the API server's words.
    Unauthorized(String),
    /// 403, in the API server's words.
    Denied(String),
    /// 404, in the API server's words.
    NotFound(String),
    /// 410: the resource version, or the continue token, is too old.
    Gone,
    /// TLS could not be spoken.
    Tls(String),
    /// No answer: no connection, or one that broke, or time ran out.
    NoAnswer(String),
    /// The credentials could not be made.
    Credentials(String),
    /// 429: the API server has no time now, or its cache of a kind is not filled yet.
    Busy(String),
    /// More than the tool reads.
    TooLarge(String),
    /// An answer that has no end: the tool stopped to read it.
    Endless(String),
    /// Anything else.
    Other(String),
}

impl Failure {
    /// The failure in words.
    pub(super) fn words(&self) -> &str {
        match self {
            Self::Gone => "the resource version is too old",
            Self::Unauthorized(words)
            | Self::Denied(words)
            | Self::NotFound(words)
            | Self::Tls(words)
            | Self::NoAnswer(words)
            | Self::Credentials(words)
            | Self::Busy(words)
            | Self::TooLarge(words)
            | Self::Endless(words)
            | Self::Other(words) => words,
        }
    }

    /// What the API server said in a watch, or instead of an answer.
    pub(super) fn from_status(status: &kube::core::Status) -> Self {
        let words = if status.message.trim_start().starts_with('<') {
            "a web page, where a Kubernetes API was expected".to_owned()
        } else {
            bounded(&status.message)
        };
        match status.code {
            401 => Self::Unauthorized(or(words, "401 Unauthorized")),
            403 => Self::Denied(or(words, "403 Forbidden")),
            404 => Self::NotFound(or(words, "404 Not Found")),
            410 => Self::Gone,
            429 => Self::Busy(format!(
                "it answers 429: {}",
                or(words, "too many requests")
            )),
            code => Self::Other(format!("it answers {code}: {}", or(words, "no more words"))),
        }
    }
}

fn or(words: String, other: &str) -> String {
    if words.is_empty() {
        other.to_owned()
    } else {
        words
    }
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) => Self::from_status(status),
            kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => {
                Self::Other("its answer is not a Kubernetes object".to_owned())
            }
            _ => transport(&error),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        transport(&error)
    }
}

/// Sorts an error of the transport by what lies at its root.
fn transport(error: &(dyn StdError + 'static)) -> Failure {
    let mut words = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Failure::Tls(tls(error));
        }
        if let Some(exceeded) = error.downcast_ref::<TooLarge>() {
            return Failure::TooLarge(exceeded.to_string());
        }
        if error.is::<tokio::time::error::Elapsed>() {
            return Failure::NoAnswer(format!("no connection within {} s", CONNECT.as_secs()));
        }
        if let Some(error) = error.downcast_ref::<kube::client::AuthError>() {
            return Failure::Credentials(bounded(&ngf_text::in_words(error)));
        }
        if let Some(error) = error.downcast_ref::<NoCredentials>() {
            return Failure::Credentials(error.to_string());
        }
        if let Some(inner) = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            // an io::Error shows the error within as itself, and hides it from source()
            words.push(error.to_string());
            next = Some(inner);
            continue;
        }
        words.push(error.to_string());
        next = error.source();
    }
    // the last is the most exact; the rest is "client error (Connect)" and the like
    let exact = words.last().map_or("no answer", String::as_str);
    if exact.contains("close_notify") || exact == "tls handshake eof" {
        return Failure::NoAnswer("it closed the connection".to_owned());
    }
    let exact = exact.split(" (os error").next().unwrap_or(exact);
    Failure::NoAnswer(bounded(exact))
}

fn tls(error: &rustls::Error) -> String {
    use rustls::{AlertDescription, CertificateError, Error};
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate is signed by a CA that the kubeconfig does not name (certificate-authority)".to_owned()
        }
        Error::AlertReceived(
            alert @ (AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA),
        ) => format!("{NOT_ACCEPTED} (alert {alert:?})"),
        Error::InvalidMessage(_) => "what listens there does not speak TLS".to_owned(),
        other => bounded(&other.to_string()),
    }
}

/// Words of others: one line, no control characters, at most 500 characters.
pub(super) fn bounded(text: &str) -> String {
    ngf_text::sanitize::line(text.trim(), 500)
}
