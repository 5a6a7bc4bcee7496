//! The handshake and the chain as diagrams, for the terminal interface and for files: the guide's eleven arrows with
//! what really happened, the messages on the wire, both directions of trust; as Mermaid and as SVG.

pub mod chain;
mod guide;
pub mod mermaid;
pub mod svg;
mod wire;

use ngf_probes::spec::{ProbeSpec, Trust};
use ngf_tls::transcript::{Outcome, StepStatus, Transcript};
use ngf_ui::{
    Label, Mark, Role,
    widgets::sequence::{Diagram, Lane, Message},
};

use ngf_core::diagnosis::plan::ProbePlan;
use ngf_text::{host_and_port, words};

/// A message of the diagram, and the transcript's steps that it stands for.
pub struct Arrow {
    /// As it is drawn.
    pub message: Message,
    /// What it says, in the few words that fit into an arrow of one line.
    pub short: String,
    /// Indices into [`Transcript::steps`].
    pub steps: Vec<usize>,
}

impl Arrow {
    /// Whether it stands for something that never happened.
    pub fn never_happened(&self) -> bool {
        self.message.mark == Some(Mark::Muted)
    }

    /// When it happened, in µs since the probe began.
    pub fn time(&self, transcript: &Transcript) -> Option<u64> {
        let steps = self.steps.iter();
        let mut steps = steps.filter_map(|index| transcript.steps.get(*index));
        steps.next().map(|step| step.at_us)
    }
}

/// The lane of the gateway's client.
pub const CLIENT: usize = 0;
/// The lane of nginx.
pub const GATEWAY: usize = 1;
/// The lane of the backend.
pub const BACKEND: usize = 2;

/// What a handshake is about, beside what was seen: whose it is, and what nginx is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// The name of the Gateway; empty where a probe was made without one.
    pub gateway: String,
    /// The backend, as it stands above its lane: `secure-app 10.244.0.12:8443`.
    pub backend: String,
    /// The Host header.
    pub host: String,
    /// The path of the request.
    pub path: String,
    /// Whether the client speaks TLS to the Gateway.
    pub https: bool,
    /// How nginx is told to speak TLS; `None` for plain HTTP.
    pub tls: Option<StoryTls>,
}

/// How nginx is told to speak TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoryTls {
    /// The name that it sends and checks.
    pub hostname: String,
    /// What holds the CA.
    pub trust: String,
    /// What holds the client certificate.
    pub client_certificate: Option<String>,
}

impl From<&ProbePlan> for Story {
    fn from(plan: &ProbePlan) -> Self {
        let endpoint = &plan.endpoint;
        Self {
            gateway: plan.gateway.name.clone(),
            backend: format!(
                "{} {}",
                plan.service.name,
                host_and_port(&endpoint.address, endpoint.port)
            ),
            host: plan.host.clone(),
            path: plan.path.clone(),
            https: plan.https,
            tls: plan.tls.as_ref().map(|tls| StoryTls {
                hostname: tls.hostname.clone(),
                trust: tls.trust.to_string(),
                client_certificate: tls.client_certificate.as_ref().map(ToString::to_string),
            }),
        }
    }
}

impl From<&ProbeSpec> for Story {
    fn from(spec: &ProbeSpec) -> Self {
        Self {
            gateway: String::new(),
            backend: host_and_port(&spec.host, spec.port),
            host: spec.http.host.clone(),
            path: spec.http.path.clone(),
            https: false,
            tls: spec.tls.as_ref().map(|tls| StoryTls {
                hostname: tls.server_name.clone(),
                trust: match &tls.trust {
                    Trust::Bundle { origin, .. } | Trust::Certificates { origin, .. } => {
                        origin.clone()
                    }
                    Trust::System => "the CA file of this system".to_owned(),
                },
                client_certificate: tls
                    .client_identity
                    .as_ref()
                    .map(|identity| identity.origin.clone()),
            }),
        }
    }
}

/// The guide's eleven arrows.
pub fn guide(transcript: &Transcript, story: &Story) -> Vec<Arrow> {
    guide::arrows(transcript, story)
}

/// The messages on the wire, one arrow for each step.
pub fn wire(transcript: &Transcript) -> Vec<Arrow> {
    wire::arrows(transcript)
}

/// The sign of an outcome.
pub fn mark_of(outcome: Outcome) -> Mark {
    match outcome {
        Outcome::Ok => Mark::Ok,
        _ => Mark::Failed,
    }
}

/// The sign of a step.
pub fn mark_of_step(status: StepStatus) -> Mark {
    match status {
        StepStatus::Ok => Mark::Ok,
        StepStatus::Warning => Mark::Warning,
        StepStatus::Failed => Mark::Failed,
    }
}

/// The lanes: client, nginx, backend.
pub fn lanes(story: &Story) -> Vec<Lane> {
    let gateway = if story.gateway.is_empty() {
        "NGINX Gateway Fabric".to_owned()
    } else {
        format!("NGINX Gateway Fabric ({})", story.gateway)
    };
    vec![
        Lane::new("Client", "C"),
        Lane::new(gateway, "GW"),
        Lane::new(story.backend.clone(), "APP"),
    ]
}

/// Arrows as a diagram with its lanes and what everything came to.
pub fn of_arrows(arrows: Vec<Arrow>, transcript: &Transcript, story: &Story) -> Diagram {
    Diagram {
        lanes: lanes(story),
        messages: arrows.into_iter().map(|arrow| arrow.message).collect(),
        footnote: footnote(transcript),
    }
}

/// What everything came to, and by which means it was seen.
pub fn footnote(transcript: &Transcript) -> Vec<Label> {
    let nginx = &transcript.nginx;
    let mut lines = vec![Label::of(
        mark_of(nginx.outcome).role(),
        nginx.sentence.clone(),
    )];
    if let Some(line) = &nginx.log_line {
        lines.push(Label::of(Role::Muted, "nginx would log: ").and(Role::Evidence, line.clone()));
    }
    let mut means = vec![
        format!("via {}", transcript.via),
        transcript.engine.version.clone(),
    ];
    if let Some(tls) = &transcript.tls {
        means.push(format!("{} {}", tls.version, tls.cipher));
    }
    means.push(words::micros(transcript.duration_us));
    lines.push(Label::of(Role::Muted, means.join(" · ")));
    lines
}
