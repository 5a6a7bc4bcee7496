//! The guide's sequence diagram: its eleven arrows, filled in from a transcript.
//!
//! The order is the guide's, not the wire's: on the wire the server's certificate comes before the
//! client's. What NGINX would not have reached is drawn as never having happened.

use ngf_probes::{
    dial::tcp,
    steps::{http, tls},
};
use ngf_tls::{
    certificate::CertificateFacts,
    transcript::{Direction, Layer, Outcome, Step, StepStatus, Transcript},
};
use ngf_ui::{Label, Mark, widgets::sequence::Message};

use super::{Arrow, BACKEND, CLIENT, GATEWAY, Story, wire};

/// The eleven arrows.
pub(super) fn arrows(transcript: &Transcript, story: &Story) -> Vec<Arrow> {
    let guide = Guide { transcript, story };
    vec![
        guide.request(),
        guide.connection(),
        guide.client_hello(),
        guide.certificate_request(),
        guide.client_certificate(),
        guide.client_verified(),
        guide.server_certificate(),
        guide.server_verified(),
        guide.completed(),
        guide.answer(),
        guide.response(),
    ]
}

struct Guide<'a> {
    transcript: &'a Transcript,
    story: &'a Story,
}

impl<'a> Guide<'a> {
    fn request(&self) -> Arrow {
        let scheme = if self.story.https { "https" } else { "http" };
        let request = format!("GET {scheme}://{}{}", self.story.host, self.story.path);
        arrow(1, CLIENT, GATEWAY, format!("Request · {request}")).short(request)
    }

    fn connection(&self) -> Arrow {
        let scheme = if self.story.tls.is_some() {
            "HTTPS"
        } else {
            "HTTP"
        };
        let step = self.find(|step| step.name == tcp::CONNECT);
        let label = match step.map(|(_, step)| step.status) {
            Some(StepStatus::Ok) => format!("{scheme} request · TCP connected"),
            _ => format!("{scheme} request"),
        };
        let short = match step.map(|(_, step)| step.status) {
            Some(StepStatus::Ok) => "TCP connected",
            Some(_) => "TCP connection fails",
            None => "TCP connection",
        };
        let dns = self.find(|step| step.layer == Layer::Dns);
        let failed = self.failed(|step| matches!(step.layer, Layer::Dns | Layer::Tcp));
        arrow(2, GATEWAY, BACKEND, label)
            .short(short)
            .of(dns)
            .of(step)
            .failed(failed, self.transcript)
    }

    fn client_hello(&self) -> Arrow {
        let step = self.tls("ClientHello", Direction::Sent);
        let label = match &self.story.tls {
            None => "start TLS handshake · never: no BackendTLSPolicy takes effect".to_owned(),
            Some(tls) => format!("start TLS handshake · SNI {}", tls.hostname),
        };
        let short = match &self.story.tls {
            None => "no TLS: no BackendTLSPolicy takes effect".to_owned(),
            Some(tls) => format!("ClientHello, SNI {}", tls.hostname),
        };
        let failed = self.failed(|step| {
            step.layer == Layer::Tls
                && matches!(step.name.as_str(), "Alert" | tls::NOT_TLS)
                && self.tls("ServerHello", Direction::Received).is_none()
        });
        arrow(3, GATEWAY, BACKEND, label)
            .short(short)
            .happened(step)
            .failed(failed, self.transcript)
    }

    fn certificate_request(&self) -> Arrow {
        let step = self.tls("CertificateRequest", Direction::Received);
        let client = &self.transcript.client_certificate;
        let label = match (step.is_some(), client.acceptable_cas.as_slice()) {
            (true, []) => "request client certificate · names no CA".to_owned(),
            (true, [ca]) => format!("request client certificate · CA {ca}"),
            (true, [ca, others @ ..]) => {
                format!(
                    "request client certificate · CA {ca} and {} more",
                    others.len()
                )
            }
            (false, _) if self.handshake_done() => {
                "does not request a client certificate: no mutual TLS".to_owned()
            }
            (false, _) => "request client certificate".to_owned(),
        };
        let short = match (step.is_some(), client.acceptable_cas.as_slice()) {
            (true, []) => "asks for a client certificate of any CA".to_owned(),
            (true, [ca]) => format!("asks for a certificate of {ca}"),
            (true, [ca, others @ ..]) => {
                format!("asks for a certificate of {ca} or {} more", others.len())
            }
            (false, _) if self.handshake_done() => "asks for no client certificate".to_owned(),
            (false, _) => "CertificateRequest".to_owned(),
        };
        let arrow = arrow(4, BACKEND, GATEWAY, label)
            .short(short)
            .happened(step);
        if step.is_none() && self.handshake_done() {
            arrow.mark(Mark::Warning)
        } else {
            arrow
        }
    }

    fn client_certificate(&self) -> Arrow {
        let client = &self.transcript.client_certificate;
        let step = self.tls("Certificate", Direction::Sent);
        let secret = self
            .story
            .tls
            .as_ref()
            .and_then(|tls| tls.client_certificate.as_ref());
        let label = match (&client.subject, secret) {
            (Some(subject), Some(secret)) => {
                format!("present client certificate · {subject} from {secret}")
            }
            (Some(subject), None) => format!("present client certificate · {subject}"),
            (None, _) if client.requested => "presents no client certificate".to_owned(),
            (None, _) => "present client certificate".to_owned(),
        };
        let short = match (&client.subject, secret) {
            (Some(subject), Some(secret)) => format!("{subject}, {secret}"),
            (Some(subject), None) => subject.clone(),
            (None, _) if client.requested => "sends no client certificate".to_owned(),
            (None, _) => "client certificate".to_owned(),
        };
        let arrow = arrow(5, GATEWAY, BACKEND, label)
            .short(short)
            .happened(step);
        if client.requested && !client.sent {
            arrow.mark(Mark::Warning)
        } else {
            arrow
        }
    }

    /// What the backend thinks of the client certificate shows in what comes after the handshake.
    fn client_verified(&self) -> Arrow {
        let verdict = &self.transcript.nginx;
        let client = &self.transcript.client_certificate;
        let body = self
            .transcript
            .http
            .as_ref()
            .map_or("", |http| http.body.as_str());
        let refused = body.contains("SSL certificate") && self.status() == Some(400);
        let alert =
            self.failed(|step| step.name == "Alert" && step.direction == Direction::Received);
        let (label, mark) = match () {
            () if !client.requested => ("validate client certificate".to_owned(), Mark::Muted),
            () if client.accepted == Some(false)
                || refused
                || (alert.is_some() && self.handshake_done()) =>
            {
                (
                    "validate client certificate · refused".to_owned(),
                    Mark::Failed,
                )
            }
            () if !client.sent => (
                "validate client certificate · there was none".to_owned(),
                Mark::Warning,
            ),
            () if client.accepted == Some(true) => (
                "validate client certificate · the backend accepted it".to_owned(),
                Mark::Ok,
            ),
            () => (
                "validate client certificate · not known".to_owned(),
                Mark::Unknown,
            ),
        };
        let short = match mark {
            Mark::Failed => "refuses the client certificate",
            Mark::Warning => "gets no client certificate",
            Mark::Ok => "accepts the client certificate",
            Mark::Unknown => "may accept the client certificate",
            _ => "asks for no client certificate",
        };
        let arrow = arrow(6, BACKEND, BACKEND, label).short(short).mark(mark);
        match mark {
            Mark::Failed => {
                // What shows it: an alert, or the page that the backend answers with.
                let sent = self.tls("Certificate", Direction::Sent);
                let answer = self.find(|step| step.name == http::RESPONSE);
                let shown = alert.or(answer.filter(|_| refused));
                let reason = if client.sentence.is_empty() {
                    &verdict.sentence
                } else {
                    &client.sentence
                };
                arrow.of(sent).of(shown).reason(reason)
            }
            _ => arrow,
        }
    }

    fn server_certificate(&self) -> Arrow {
        let step = self.tls("Certificate", Direction::Received);
        let leaf: Option<&CertificateFacts> = self.transcript.server_chain.first();
        let label = match leaf {
            Some(leaf) => format!("present backend certificate · {}", leaf.subject),
            None => "present backend certificate".to_owned(),
        };
        let short = leaf.map_or("backend certificate", |leaf| leaf.subject.as_str());
        let short = short.to_owned();
        arrow(7, BACKEND, GATEWAY, label)
            .short(short)
            .happened(step)
    }

    fn server_verified(&self) -> Arrow {
        let steps: Vec<(usize, &Step)> = self
            .transcript
            .steps
            .iter()
            .enumerate()
            .filter(|(_, step)| {
                step.layer == Layer::Verify
                    && [tls::VERIFY_CERTIFICATE, tls::VERIFY_NAME].contains(&step.name.as_str())
            })
            .collect();
        let label = match &self.story.tls {
            Some(tls) => format!("validate backend certificate with {}", tls.trust),
            None => "validate backend certificate".to_owned(),
        };
        let short = match &self.story.tls {
            Some(tls) => format!("verifies the backend by {}", tls.trust),
            None => "verifies no backend certificate".to_owned(),
        };
        let mut arrow = arrow(8, GATEWAY, GATEWAY, label).short(short);
        let failed = steps
            .iter()
            .find(|(_, step)| step.status == StepStatus::Failed)
            .copied();
        arrow = match (steps.first(), failed) {
            (None, _) => arrow.mark(Mark::Muted),
            (Some(_), None) => arrow.mark(Mark::Ok),
            (Some(_), Some(_)) => arrow,
        };
        for step in &steps {
            arrow = arrow.of(Some(*step));
        }
        arrow.failed(failed, self.transcript)
    }

    fn completed(&self) -> Arrow {
        let finished = self.tls("Finished", Direction::Received);
        let label = match &self.transcript.tls {
            Some(tls) => format!("complete TLS handshake · {}", tls.version),
            None => "complete TLS handshake".to_owned(),
        };
        if self.closes_after_verify() {
            // TLS itself goes through: nginx judges only then, and sends no request.
            let label = format!("{label}; nginx then closes the connection");
            return arrow(9, BACKEND, GATEWAY, label)
                .short("TLS finishes; nginx then closes the connection")
                .happened(finished);
        }
        let short = match &self.transcript.tls {
            Some(tls) => format!("handshake complete, {}", tls.version),
            None => "handshake complete".to_owned(),
        };
        arrow(9, BACKEND, GATEWAY, label)
            .short(short)
            .happened(finished)
    }

    fn answer(&self) -> Arrow {
        let response = self.find(|step| step.name == http::RESPONSE);
        let request = self.find(|step| step.name == http::REQUEST);
        let scheme = if self.story.tls.is_some() {
            "HTTPS"
        } else {
            "HTTP"
        };
        if self.closes_after_verify() {
            return arrow(
                10,
                BACKEND,
                GATEWAY,
                format!("{scheme} response · never happens"),
            )
            .short(format!("{scheme} response"))
            .mark(Mark::Muted);
        }
        let label = match &self.transcript.http {
            Some(answer) => format!(
                "{scheme} response · {} {}",
                answer.status,
                reason(answer.status, &answer.body)
            ),
            None => format!("{scheme} response"),
        };
        let short = match &self.transcript.http {
            Some(answer) => format!("{} {}", answer.status, reason(answer.status, &answer.body)),
            None => format!("{scheme} response"),
        };
        let arrow = arrow(10, BACKEND, GATEWAY, label)
            .short(short)
            .of(request)
            .happened(response);
        match self.status() {
            Some(400..) => arrow
                .mark(Mark::Failed)
                .reason(&self.transcript.nginx.sentence),
            _ => arrow,
        }
    }

    fn response(&self) -> Arrow {
        match self.transcript.nginx.client_status {
            Some(status) => {
                let mark = if status < 400 { Mark::Ok } else { Mark::Failed };
                arrow(11, GATEWAY, CLIENT, format!("Response · {status}"))
                    .short(format!("clients get {status}"))
                    .mark(mark)
            }
            None => arrow(11, GATEWAY, CLIENT, "Response · not known".to_owned())
                .short("what clients get is not known")
                .mark(Mark::Unknown),
        }
    }

    fn status(&self) -> Option<u16> {
        self.transcript.http.as_ref().map(|http| http.status)
    }

    fn handshake_done(&self) -> bool {
        self.tls("Finished", Direction::Received).is_some()
    }

    /// NGINX finishes the handshake and judges only then.
    fn closes_after_verify(&self) -> bool {
        matches!(
            self.transcript.nginx.outcome,
            Outcome::VerifyError | Outcome::NameMismatch
        )
    }

    fn find(&self, matches: impl Fn(&Step) -> bool) -> Option<(usize, &'a Step)> {
        self.transcript
            .steps
            .iter()
            .enumerate()
            .find(|(_, step)| matches(step))
    }

    fn failed(&self, matches: impl Fn(&Step) -> bool) -> Option<(usize, &'a Step)> {
        self.find(|step| step.status == StepStatus::Failed && matches(step))
    }

    fn tls(&self, name: &str, direction: Direction) -> Option<(usize, &'a Step)> {
        self.find(|step| {
            step.layer == Layer::Tls && step.name == name && step.direction == direction
        })
    }
}

fn arrow(number: u8, from: usize, to: usize, label: String) -> Arrow {
    Arrow {
        message: Message::new(from, to, Label::from(label)).number(number.to_string()),
        short: String::new(),
        steps: Vec::new(),
    }
}

impl Arrow {
    /// Stands for this step, if there is one.
    fn of(mut self, step: Option<(usize, &Step)>) -> Self {
        if let Some((index, step)) = step {
            self.steps.push(index);
            self.message = self.message.facts(wire::facts(step));
        }
        self
    }

    /// Stands for this step, and never happened without it.
    fn happened(self, step: Option<(usize, &Step)>) -> Self {
        let arrow = if step.is_none() {
            self.mark(Mark::Muted)
        } else {
            self
        };
        arrow.of(step)
    }

    fn mark(mut self, mark: Mark) -> Self {
        self.message = self.message.mark(mark);
        self
    }

    fn reason(mut self, reason: &str) -> Self {
        self.message = self.message.reason(Label::from(reason.to_owned()));
        self
    }

    /// In the few words that fit into the arrow.
    fn short(mut self, short: impl Into<String>) -> Self {
        self.short = short.into();
        self
    }

    /// This is where it failed, if that step did.
    fn failed(self, step: Option<(usize, &Step)>, transcript: &Transcript) -> Self {
        match step {
            Some(_) => self.mark(Mark::Failed).reason(&transcript.nginx.sentence),
            None => self,
        }
    }
}

/// The first words of a page, without the status where the page repeats it.
fn reason(status: u16, body: &str) -> String {
    let words = first_line(body);
    let status = status.to_string();
    words
        .strip_prefix(&status)
        .map_or(words.clone(), |rest| rest.trim_start().to_owned())
}

/// The first words of a page: its first line that is no markup, in short.
fn first_line(body: &str) -> String {
    const MOST: usize = 60;
    body.lines()
        .map(|line| {
            line.trim()
                .trim_start_matches("<center>")
                .trim_start_matches("<head><title>")
        })
        .find(|line| !line.is_empty() && !line.starts_with("<html"))
        .map(|line| {
            line.split('<')
                .next()
                .unwrap_or_default()
                .chars()
                .take(MOST)
                .collect()
        })
        .unwrap_or_default()
}
