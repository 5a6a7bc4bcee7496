//! The context of a probe: how it went, what the gateway's client gets, what was logged at that moment, and how names
//! resolve.

use std::{borrow::Cow, net::IpAddr};

use jiff::Timestamp;
use ngf_text::sanitize;
use ngf_tls::transcript::client::ClientTranscript;
use serde::{Deserialize, Serialize};

/// How a probe went, and its context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HowProbed {
    /// When the probe began.
    pub at: Timestamp,
    /// The transport, where that is known.
    pub way: Option<WayTaken>,
    /// Its context; `None` where nobody asked.
    pub context: Option<ProbeContext>,
}

/// The context of a probe.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ProbeContext {
    /// What the gateway's client gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientView>,
    /// Lines of that moment, of the application and of the data plane.
    pub log_lines: Vec<LogLine>,
    /// The backend's names, as the pod and as this machine resolves them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<NameView>,
    /// What could not be had, and why, a sentence each.
    pub missing: Vec<String>,
}

/// Whose log a line is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The application's pod.
    Application,
    /// nginx's container of a data-plane pod.
    DataPlane,
}

/// A line of a log that belongs to a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LogLine {
    /// Whose log it is.
    pub source: Source,
    /// The pod and container: `Pod shop/app-1 (app)`.
    pub from: String,
    /// The line, cleaned of control characters.
    pub line: String,
    /// The step that it explains, by its name in the transcript.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<Cow<'static, str>>,
    /// What it means, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub means: Option<String>,
}

/// A handshake and a request at the Gateway's listener, as one of its clients would make them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ClientView {
    /// Where it was sent: `http://10.96.3.4:80/`, Host as the route has it.
    pub request: String,
    /// How the bytes went.
    pub via: String,
    /// The status; `None` where no answer came.
    pub status: Option<u16>,
    /// The title of the answer, where it is HTML, or its first line; or what came instead.
    pub answer: String,
    /// The answer's first bytes.
    #[serde(skip)]
    pub body: String,
    /// How it stands to what the probe says, in a sentence.
    pub sentence: String,
    /// What the client saw, step by step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript: Option<Box<ClientTranscript>>,
    /// The same without the client certificate, where one was given and the listener asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_certificate: Option<Box<ClientTranscript>>,
}

/// A name, resolved in two places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NameView {
    /// The name.
    pub name: String,
    /// The pod: `Pod shop/gateway-nginx-1`.
    pub pod: String,
    /// `nameserver` of its resolv.conf.
    pub servers: Vec<IpAddr>,
    /// `search` of it.
    pub search: Vec<String>,
    /// `ndots` of it.
    pub ndots: usize,
    /// What the pod would connect to; empty where there is an error.
    pub there: Vec<IpAddr>,
    /// Why the pod finds none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub there_error: Option<String>,
    /// What this machine would connect to.
    pub here: Vec<IpAddr>,
    /// Why this machine finds none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub here_error: Option<String>,
    /// The difference, in a sentence.
    pub sentence: String,
}

/// The way that a probe went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct WayTaken {
    /// What kind of way: `exec`.
    pub via: String,
    /// Why this one, and what it proves, in a sentence.
    pub because: String,
    /// Why better ones were not taken, a sentence each.
    pub not_taken: Vec<String>,
    /// The address that the backend sees, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_from: Option<IpAddr>,
}

/// The title of an HTML page, or the first line of another text.
pub fn headline(body: &str) -> String {
    let title = body
        .split_once("<title>")
        .and_then(|(_, rest)| rest.split_once("</title>"))
        .map(|(title, _)| title.trim());
    let first = || body.lines().find(|line| !line.trim().is_empty());
    sanitize::line(title.or_else(first).unwrap_or_default(), 120)
}
