//! The transcript of a probe: what was seen, and what the verdict says of it.

use jiff::Timestamp;
use openssl::x509::X509;

use crate::engine::openssl::Prepared;
use crate::opinions::{self, Ground};
use crate::recorder::Recorder;
use crate::spec::{ProbeSpec, TlsSpec};
use crate::steps::tls;
use crate::verdict::client::Reaction;
use crate::verdict::last_step;
use crate::verdict::{self, Ending, Observed, ObservedTls};
use ngf_text::{host_and_port, sanitize};
use ngf_tls::certificate::CertificateFacts;
use ngf_tls::engine::{UpstreamName, engine};
use ngf_tls::protocol::Protocol;
use ngf_tls::transcript::{ClientCertificate, HttpAnswer, Record, SCHEMA, Transcript};

/// What is known at the end of a probe.
pub(super) struct ProbeFacts {
    pub(super) address: Option<String>,
    pub(super) tls: Option<SeenTls>,
    pub(super) ending: Ending,
    pub(super) http: Option<HttpAnswer>,
}

/// TLS's part of it.
pub(super) struct SeenTls {
    pub(super) name: UpstreamName,
    pub(super) trust_origin: String,
    pub(super) roots: Vec<X509>,
    pub(super) path: Vec<CertificateFacts>,
    pub(super) told: tls::Told,
    pub(super) trace: Vec<ngf_tls::transcript::VerifyEvent>,
    pub(super) records: Vec<Record>,
    pub(super) last_thing: String,
    pub(super) not_tls: Option<String>,
}

impl SeenTls {
    pub(super) fn before_handshake(prepared: &Prepared) -> Self {
        Self {
            name: prepared.name().clone(),
            trust_origin: prepared.trust_origin.clone(),
            roots: Vec::new(),
            path: Vec::new(),
            told: tls::Told::default(),
            trace: Vec::new(),
            records: Vec::new(),
            last_thing: String::new(),
            not_tls: None,
        }
    }
}

pub(super) fn transcript(
    spec: &ProbeSpec,
    via: &str,
    started_at: Timestamp,
    recorder: &Recorder,
    seen: ProbeFacts,
) -> Transcript {
    let duration_us = recorder.now_us();
    let target = sanitize::line(&host_and_port(&spec.host, spec.port), 300);
    let observed = Observed {
        target: &target,
        timeout: spec.timeout,
        tls: seen
            .tls
            .as_ref()
            .map(|tls| observed_tls(tls, spec.tls.as_ref(), started_at)),
        ending: &seen.ending,
    };
    let nginx = verdict::judge(&observed);
    let steps = last_step::mark(recorder.steps(), &seen.ending);
    let at = spec.tls.as_ref().and_then(|tls| tls.at);
    let second_opinion = seen
        .tls
        .as_ref()
        .and_then(|tls| opinions::strict(&tls.told, &tls.roots, &tls.trust_origin, &tls.name, at));
    let expires_first = seen.tls.as_ref().and_then(|tls| {
        opinions::expires_first(&Ground {
            presented: &tls.told.server_chain,
            path: &tls.path,
            roots: &tls.roots,
            depth: spec.tls.as_ref().map_or(0, |spec| spec.verify_depth),
            client: &tls.told.client_chain,
            at,
        })
    });
    let (mut told, trace, records) = match seen.tls {
        Some(tls) => (tls.told, tls.trace, tls.records),
        None => (tls::Told::default(), Vec::new(), Vec::new()),
    };
    if spec.tls.is_some() {
        let reaction = Reaction {
            is_flight_complete: told.is_flight_complete,
            alert: told.alert,
            http: seen.http.as_ref(),
        };
        verdict::client::judge(&mut told.client_certificate, &reaction);
    }
    Transcript {
        schema: SCHEMA.to_owned(),
        started_at: started_at.to_string(),
        duration_us,
        target,
        address: seen.address,
        protocol: spec.protocol,
        via: via.to_owned(),
        engine: engine(),
        nginx,
        not_proven: not_proven(
            spec,
            &seen.ending,
            seen.http.as_ref(),
            &told.client_certificate,
        ),
        judged_at: at.map(|at| at.to_string()),
        expires_first,
        second_opinion,
        tls: told.agreed,
        verify_trace: trace,
        client_certificate: told.client_certificate,
        server_chain: told.server_chain,
        steps,
        records,
        http: seen.http,
    }
}

/// What the probe does not prove about the gateway's clients.
fn not_proven(
    spec: &ProbeSpec,
    ending: &Ending,
    http: Option<&HttpAnswer>,
    client: &ClientCertificate,
) -> Vec<String> {
    let mut all = verdict::not_proven(ending, client);
    if let (Protocol::WebSocket, Some(http)) = (spec.protocol, http)
        && http.status != 101
        && http.status < 500
    {
        all.push(format!(
            "the backend answered {} to the request for a WebSocket at {}: whether it opens one at another path is not known",
            http.status, spec.http.path
        ));
    }
    all
}

fn observed_tls<'a>(
    seen: &'a SeenTls,
    spec: Option<&'a TlsSpec>,
    started_at: Timestamp,
) -> ObservedTls<'a> {
    ObservedTls {
        name: &seen.name,
        trust_origin: &seen.trust_origin,
        identity_origin: spec
            .and_then(|spec| spec.client_identity.as_ref())
            .map(|identity| identity.origin.as_str()),
        trace: &seen.trace,
        server_chain: &seen.told.server_chain,
        path: &seen.path,
        client_chain: &seen.told.client_chain,
        at: spec
            .and_then(|spec| spec.at)
            .unwrap_or(started_at)
            .as_second(),
        client_certificate: &seen.told.client_certificate,
        last_thing: &seen.last_thing,
        not_tls: seen.not_tls.as_deref(),
    }
}
