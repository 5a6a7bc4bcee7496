//! What a decoded line means, in a sentence, and which step of a transcript it explains.

use super::{
    line::{ClientVerify, Decoded, Phase, What, Writer},
    tally::Role,
};

impl Decoded {
    /// The step of a probe's transcript that it explains, by its name there.
    pub fn step(&self) -> Option<&'static str> {
        Some(match &self.what {
            What::VerifyError { .. } => "verify certificate",
            What::NameMismatch { .. } => "verify name",
            What::Alert { phase, .. }
            | What::TlsFailed { phase, .. }
            | What::TimedOut { phase }
            | What::Closed { phase, .. } => phase.step(),
            What::NotTls => "ServerHello",
            What::ConnectRefused
            | What::ConnectFailed { .. }
            | What::NoLiveUpstreams
            | What::Disabled
            | What::HostNotFound { .. } => "TCP connect",
            What::ClientRefused { .. }
            | What::NoClientCertificate
            | What::PlainToTls
            | What::Misdirected
            | What::ClientVerify { .. } => "HTTP request",
            What::NotHttp => "HTTP response",
            What::ClientAlert { .. } => "ServerHello",
            What::HandshakeRefused { .. } | What::ProxyProtocol => "ClientHello",
            What::AuthRequest { .. }
            | What::ConfigurationRefused { .. }
            | What::Reloaded
            | What::WorkerDied { .. }
            | What::ApplyFailed { .. }
            | What::NotConnected { .. }
            | What::UpdateFailed { .. } => return None,
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
            What::VerifyError { code, words } => {
                format!("nginx does not take the backend's certificate ({code}:{words})")
            }
            What::NameMismatch { name } => {
                format!("the backend's certificate has another name than {name}")
            }
            What::Alert {
                number,
                name,
                phase: Phase::Connecting | Phase::Handshaking,
            } => format!("the backend ended the handshake with alert {number} ({name})"),
            What::Alert { number, name, .. } => format!(
                "the backend ended the session after the handshake with alert {number} ({name})"
            ),
            What::NotTls => "the backend's port does not speak TLS".to_owned(),
            What::NotHttp => "the backend's answer is not HTTP".to_owned(),
            What::TlsFailed { reason, phase } => format!("TLS failed in {phase}: {reason}"),
            What::ConnectRefused => "nothing listens on the backend's port".to_owned(),
            What::ConnectFailed { words, .. } => format!("nginx has no connection: {words}"),
            What::TimedOut {
                phase: Phase::Connecting,
            } => "the backend could not be reached in time".to_owned(),
            What::TimedOut {
                phase: Phase::Handshaking,
            } => "the backend did not finish the handshake in time".to_owned(),
            What::TimedOut { phase } => format!("the backend was too slow: {phase}"),
            What::Closed {
                phase: Phase::Handshaking,
                reset,
            } => format!(
                "the backend closed the connection in the handshake{}",
                by_reset(*reset)
            ),
            What::Closed { phase, reset } => format!(
                "the backend closed the connection: {phase}{}",
                by_reset(*reset)
            ),
            What::NoLiveUpstreams => {
                "all endpoints failed a moment ago, and nginx asks none for ten seconds".to_owned()
            }
            What::Disabled => {
                "nginx leaves this endpoint out for a while, after it failed".to_owned()
            }
            What::HostNotFound { name, words } => format!("{name} is not resolved ({words})"),
            What::AuthRequest { status } => {
                format!("the external authentication answered {status}, and clients get 500")
            }
            What::ConfigurationRefused { file, reason } => match file {
                Some(file) => format!("nginx does not load its configuration, by {file}: {reason}"),
                None => format!("nginx does not load its configuration: {reason}"),
            },
            What::Reloaded => "nginx loaded a configuration".to_owned(),
            What::WorkerDied { how } => format!("a worker process of nginx {how}"),
            What::ClientRefused { code, words } => {
                let code = code.map_or_else(String::new, |code| format!("{code}:"));
                format!("{server} does not take the client certificate ({code}{words})")
            }
            What::NoClientCertificate => {
                format!("{server} demands a client certificate, and none was sent")
            }
            What::PlainToTls => {
                "the request came in plain text to a port that speaks TLS".to_owned()
            }
            What::Misdirected => {
                "the Host header selects another server than the SNI did: 421".to_owned()
            }
            What::HandshakeRefused { reason } => {
                format!("{server} ended the handshake: {reason}")
            }
            What::ClientAlert { number, name } => {
                format!("its client ended the handshake with alert {number} ({name})")
            }
            What::ProxyProtocol => {
                format!("{server} expects the PROXY protocol before TLS")
            }
            What::ClientVerify { verify, subject } => match verify {
                ClientVerify::Success => {
                    format!("{server} accepted the client certificate {subject}")
                }
                ClientVerify::None => format!("no client certificate reached {server}"),
                ClientVerify::NoTls => {
                    format!("the request reached {server} in plain text, without TLS")
                }
            },
            What::ApplyFailed { reason } => {
                format!("the agent could not apply a configuration: {reason}")
            }
            What::NotConnected { reason } => {
                format!("the agent has no connection to the control plane: {reason}")
            }
            What::UpdateFailed { reason } => {
                format!("the control plane could not update nginx: {reason}")
            }
        }
    }

    /// Whether it tells of something that went wrong.
    pub fn is_fault(&self) -> bool {
        !matches!(
            self.what,
            What::Reloaded
                | What::ClientVerify {
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
                What::ClientRefused { .. }
                    | What::NoClientCertificate
                    | What::PlainToTls
                    | What::Misdirected
                    | What::HandshakeRefused { .. }
                    | What::ClientAlert { .. }
                    | What::ProxyProtocol
                    | What::ClientVerify { .. }
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
