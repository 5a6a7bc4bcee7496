//! What a decoded line means, in a sentence, and which step of a transcript it explains.

use super::{
    line::{ClientVerify, Decoded, Meaning, Phase, Writer},
    tally::Role,
};

impl Decoded {
    /// The step of a probe's transcript that it explains, by its name there.
    pub fn step(&self) -> Option<&'static str> {
        Some(match &self.what {
            Meaning::VerifyError { .. } => "verify certificate",
            Meaning::NameMismatch { .. } => "verify name",
            Meaning::Alert { phase, .. }
            | Meaning::TlsFailed { phase, .. }
            | Meaning::TimedOut { phase }
            | Meaning::Closed { phase, .. } => phase.step(),
            Meaning::NotTls => "ServerHello",
            Meaning::ConnectRefused
            | Meaning::ConnectFailed { .. }
            | Meaning::NoLiveUpstreams
            | Meaning::Disabled
            | Meaning::HostNotFound { .. } => "TCP connect",
            Meaning::ClientRefused { .. }
            | Meaning::NoClientCertificate
            | Meaning::PlainToTls
            | Meaning::Misdirected
            | Meaning::ClientVerify { .. } => "HTTP request",
            Meaning::NotHttp => "HTTP response",
            Meaning::ClientAlert { .. } => "ServerHello",
            Meaning::HandshakeRefused { .. } | Meaning::ProxyProtocol => "ClientHello",
            Meaning::AuthRequest { .. }
            | Meaning::ConfigurationRefused { .. }
            | Meaning::Reloaded
            | Meaning::WorkerDied { .. }
            | Meaning::ApplyFailed { .. }
            | Meaning::NotConnected { .. }
            | Meaning::UpdateFailed { .. } => return None,
        })
    }

    /// What it means, in a sentence.
    pub fn means(&self) -> String {
        self.words("the application")
    }

    /// The same, where it is known whose log it is: in a data plane's what a backend says of its clients
    /// is about the listener.
    pub fn means_in(&self, role: Role) -> String {
        self.words(match role {
            Role::DataPlane => "the listener",
            Role::Application | Role::Controller => "the application",
        })
    }

    fn words(&self, server: &str) -> String {
        match &self.what {
            Meaning::VerifyError { code, words } => {
                format!("nginx does not take the backend's certificate ({code}:{words})")
            }
            Meaning::NameMismatch { name } => {
                format!("the backend's certificate has another name than {name}")
            }
            Meaning::Alert {
                number,
                name,
                phase: Phase::Connecting | Phase::Handshaking,
            } => format!("the backend ended the handshake with alert {number} ({name})"),
            Meaning::Alert { number, name, .. } => format!(
                "the backend ended the session after the handshake with alert {number} ({name})"
            ),
            Meaning::NotTls => "the backend's port does not speak TLS".to_owned(),
            Meaning::NotHttp => "the backend's answer is not HTTP".to_owned(),
            Meaning::TlsFailed { reason, phase } => format!("TLS failed in {phase}: {reason}"),
            Meaning::ConnectRefused => "nothing listens on the backend's port".to_owned(),
            Meaning::ConnectFailed { words, .. } => format!("nginx has no connection: {words}"),
            Meaning::TimedOut {
                phase: Phase::Connecting,
            } => "the backend could not be reached in time".to_owned(),
            Meaning::TimedOut {
                phase: Phase::Handshaking,
            } => "the backend did not finish the handshake in time".to_owned(),
            Meaning::TimedOut { phase } => format!("the backend was too slow: {phase}"),
            Meaning::Closed {
                phase: Phase::Handshaking,
                reset,
            } => format!(
                "the backend closed the connection in the handshake{}",
                by_reset(*reset)
            ),
            Meaning::Closed { phase, reset } => format!(
                "the backend closed the connection: {phase}{}",
                by_reset(*reset)
            ),
            Meaning::NoLiveUpstreams => {
                "all endpoints failed a moment ago, and nginx asks none for ten seconds".to_owned()
            }
            Meaning::Disabled => {
                "nginx leaves this endpoint out for a while, after it failed".to_owned()
            }
            Meaning::HostNotFound { name, words } => format!("{name} is not resolved ({words})"),
            Meaning::AuthRequest { status } => {
                format!("the external authentication answered {status}, and clients get 500")
            }
            Meaning::ConfigurationRefused { file, reason } => match file {
                Some(file) => format!("nginx does not load its configuration, by {file}: {reason}"),
                None => format!("nginx does not load its configuration: {reason}"),
            },
            Meaning::Reloaded => "nginx loaded a configuration".to_owned(),
            Meaning::WorkerDied { how } => format!("a worker process of nginx {how}"),
            Meaning::ClientRefused { code, words } => {
                let code = code.map_or_else(String::new, |code| format!("{code}:"));
                format!("{server} does not take the client certificate ({code}{words})")
            }
            Meaning::NoClientCertificate => {
                format!("{server} demands a client certificate, and none was sent")
            }
            Meaning::PlainToTls => {
                "the request came in plain text to a port that speaks TLS".to_owned()
            }
            Meaning::Misdirected => {
                "the Host header selects another server than the SNI did: 421".to_owned()
            }
            Meaning::HandshakeRefused { reason } => {
                format!("{server} ended the handshake: {reason}")
            }
            Meaning::ClientAlert { number, name } => {
                format!("its client ended the handshake with alert {number} ({name})")
            }
            Meaning::ProxyProtocol => {
                format!("{server} expects the PROXY protocol before TLS")
            }
            Meaning::ClientVerify { verify, subject } => match verify {
                ClientVerify::Success => {
                    format!("{server} accepted the client certificate {subject}")
                }
                ClientVerify::None => format!("no client certificate reached {server}"),
                ClientVerify::NoTls => {
                    format!("the request reached {server} in plain text, without TLS")
                }
            },
            Meaning::ApplyFailed { reason } => {
                format!("the agent could not apply a configuration: {reason}")
            }
            Meaning::NotConnected { reason } => {
                format!("the agent has no connection to the control plane: {reason}")
            }
            Meaning::UpdateFailed { reason } => {
                format!("the control plane could not update nginx: {reason}")
            }
        }
    }

    /// Whether it tells of something that went wrong.
    pub fn is_fault(&self) -> bool {
        !matches!(
            self.what,
            Meaning::Reloaded
                | Meaning::ClientVerify {
                    verify: ClientVerify::Success | ClientVerify::None | ClientVerify::NoTls,
                    ..
                }
        )
    }

    /// Whether the backend's own log says it.
    pub fn is_of_backend(&self) -> bool {
        self.writer == Writer::Access
            || matches!(
                self.what,
                Meaning::ClientRefused { .. }
                    | Meaning::NoClientCertificate
                    | Meaning::PlainToTls
                    | Meaning::Misdirected
                    | Meaning::HandshakeRefused { .. }
                    | Meaning::ClientAlert { .. }
                    | Meaning::ProxyProtocol
                    | Meaning::ClientVerify { .. }
            )
    }
}

fn by_reset(reset: bool) -> &'static str {
    if reset { " by a reset" } else { "" }
}

impl Phase {
    fn step(self) -> &'static str {
        match self {
            Self::Connecting => "TCP connect",
            Self::Handshaking => "ServerHello",
            Self::Sending => "HTTP request",
            Self::ReadingHeader | Self::Reading => "HTTP response",
        }
    }
}
