//! `check --listen`: what the last check found, as OpenMetrics.

use std::{
    collections::BTreeMap,
    fmt,
    sync::atomic::{AtomicI64, AtomicU64},
};

use jiff::Timestamp;
use ngf_core::diagnosis::{
    Coverage, Diagnosis, Evidence, Severity, Verdict, plan::ProbePlan, timeline::Timeline,
};
use ngf_tls::transcript::{Outcome, Transcript};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

/// The media type of what [`render`] makes (OpenMetrics 1.0, "Overall Structure").
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Count = Gauge<i64, AtomicI64>;
type Number = Gauge<f64, AtomicU64>;

/// What one check found, and how it went.
#[derive(Debug, Clone, Copy)]
pub struct Checked<'a> {
    /// What the rules found.
    pub diagnosis: &'a Diagnosis,
    /// The handshakes.
    pub evidence: &'a Evidence,
    /// The certificates, by expiry.
    pub timeline: &'a Timeline,
    /// When the check ended.
    pub ended: Timestamp,
    /// Seconds that it took.
    pub seconds: f64,
    /// Whether the objects could be read at all.
    pub is_complete: bool,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfFinding {
    code: String,
    severity: String,
    verdict: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfPath {
    state: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct OfBackend {
    gateway_namespace: String,
    gateway: String,
    namespace: String,
    service: String,
    port: u16,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfProbe {
    #[prometheus(flatten)]
    backend: OfBackend,
    outcome: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct OfCertificate {
    kind: String,
    namespace: String,
    name: String,
    key: &'static str,
    subject: String,
}

/// The metrics of one check. Endpoints are counted for each backend, so that the number of time series
/// follows the Services and not the pods.
///
/// # Errors
/// Where a metric cannot be written, which does not happen in memory.
pub fn render(checked: Checked<'_>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("ngf");
    findings(&mut registry, checked.diagnosis);
    paths(&mut registry, &checked.diagnosis.coverage);
    probes(&mut registry, checked.evidence);
    certificates(&mut registry, checked.timeline, checked.ended);
    of_the_check(&mut registry, checked);
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

/// The metrics of a check that could not be made.
///
/// # Errors
/// As [`render`].
pub fn render_failed(ended: Timestamp, seconds: f64) -> Result<String, fmt::Error> {
    let nothing = Timeline {
        at: ended,
        entries: Vec::new(),
        paths: Vec::new(),
        unknown: Vec::new(),
    };
    let mut registry = Registry::with_prefix("ngf");
    of_the_check(
        &mut registry,
        Checked {
            diagnosis: &Diagnosis::default(),
            evidence: &Evidence::none(),
            timeline: &nothing,
            ended,
            seconds,
            is_complete: false,
        },
    );
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn findings(registry: &mut Registry, diagnosis: &Diagnosis) {
    let family = Family::<OfFinding, Count>::default();
    registry.register(
        "findings",
        "Findings of the last check, by code",
        family.clone(),
    );
    for finding in &diagnosis.findings {
        family
            .get_or_create(&OfFinding {
                code: finding.code.to_string(),
                severity: severity(finding.severity).to_owned(),
                verdict: verdict(finding.verdict).to_owned(),
            })
            .inc();
    }
}

fn paths(registry: &mut Registry, coverage: &Coverage) {
    let family = Family::<OfPath, Count>::default();
    registry.register(
        "paths",
        "Paths from a Gateway to a backend, by whether a handshake tested them",
        family.clone(),
    );
    let tested = coverage.tested();
    let untested = coverage.paths.len() - tested;
    for (state, count) in [("tested", tested), ("untested", untested)] {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        family.get_or_create(&OfPath { state }).set(count);
    }
}

fn probes(registry: &mut Registry, evidence: &Evidence) {
    let endpoints = Family::<OfProbe, Count>::default();
    registry.register(
        "probe_endpoints",
        "Endpoints of the last check, by what a handshake and a request gave",
        endpoints.clone(),
    );
    let duration = Family::<OfBackend, Number>::default();
    registry.register_with_unit(
        "probe_duration",
        "How long the slowest probe of a backend took",
        Unit::Seconds,
        duration.clone(),
    );
    let mut slowest: BTreeMap<OfBackend, f64> = BTreeMap::new();
    for probed in evidence.probes() {
        let backend = of_backend(&probed.plan);
        let found = probed.result.as_ref().ok();
        endpoints
            .get_or_create(&OfProbe {
                backend: backend.clone(),
                outcome: found.map_or("not_run", |transcript| outcome(transcript)),
            })
            .inc();
        if let Some(transcript) = found {
            let seconds = transcript.duration_us as f64 / 1e6;
            let known = slowest.entry(backend).or_default();
            *known = known.max(seconds);
        }
    }
    for (backend, seconds) in slowest {
        duration.get_or_create(&backend).set(seconds);
    }
}

fn certificates(registry: &mut Registry, timeline: &Timeline, now: Timestamp) {
    let expiry = Family::<OfCertificate, Count>::default();
    registry.register(
        "certificate_not_after_timestamp_seconds",
        "When a certificate that a path depends on expires, in seconds since 1970",
        expiry.clone(),
    );
    let days = Family::<OfCertificate, Number>::default();
    registry.register(
        "certificate_days_left",
        "Days until a certificate that a path depends on expires; negative once it has",
        days.clone(),
    );
    for entry in &timeline.entries {
        for used in &entry.uses {
            let Some(object) = &used.object else {
                continue;
            };
            let labels = OfCertificate {
                kind: object.kind.name().to_owned(),
                namespace: object.namespace.clone(),
                name: object.name.clone(),
                key: used.key,
                subject: super::clean(&entry.facts.subject),
            };
            let left = entry.facts.not_after - now.as_second();
            expiry.get_or_create(&labels).set(entry.facts.not_after);
            days.get_or_create(&labels).set(left as f64 / 86_400.0);
        }
    }
}

fn of_the_check(registry: &mut Registry, checked: Checked<'_>) {
    let complete = Count::default();
    complete.set(i64::from(checked.is_complete));
    registry.register(
        "check_complete",
        "1 where the Gateways and routes could be read in the last check",
        complete,
    );
    let hidden = Count::default();
    hidden.set(i64::try_from(checked.diagnosis.hidden.len()).unwrap_or(i64::MAX));
    registry.register(
        "check_hidden",
        "Groups of objects that RBAC hides from the check",
        hidden,
    );
    let ended = Count::default();
    ended.set(checked.ended.as_second());
    registry.register(
        "check_timestamp_seconds",
        "When the last check ended, in seconds since 1970",
        ended,
    );
    let duration = Number::default();
    duration.set(checked.seconds);
    registry.register_with_unit(
        "check_duration",
        "How long the last check took",
        Unit::Seconds,
        duration,
    );
}

fn of_backend(plan: &ProbePlan) -> OfBackend {
    OfBackend {
        gateway_namespace: plan.gateway.namespace.clone(),
        gateway: plan.gateway.name.clone(),
        namespace: plan.service.namespace.clone(),
        service: plan.service.name.clone(),
        port: plan.port,
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fail => "fail",
        Verdict::Unknown => "unknown",
    }
}

fn outcome(transcript: &Transcript) -> &'static str {
    match transcript.nginx.outcome {
        Outcome::Ok => "ok",
        Outcome::VerifyError => "verify_error",
        Outcome::NameMismatch => "name_mismatch",
        Outcome::TlsError => "tls_error",
        Outcome::ConnectError => "connect_error",
        Outcome::Timeout => "timeout",
        Outcome::Closed => "closed",
        Outcome::HttpError => "http_error",
    }
}
