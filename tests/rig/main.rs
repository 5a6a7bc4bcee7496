//! End to end: nginx as data plane, configured with the directives that the tool says NGF renders, and a
//! backend behind it that is broken for real. A request is sent through it; the tool's probe, and nginx's
//! own log, are given to the rules: the catalogue's code must come first, the probe must have said what
//! nginx did, and the log alone must name the code where it can. `accounted` says of every rule about
//! connections where it is broken for real, or why it is not.
//!
//! `NGINX_BINARY` names another nginx than Debian's; `NGF_TUI_RIG_LINES` a file to write all that nginx wrote
//! to (`tests/logs/record` takes it).

mod accounted;
mod case;
mod cases;
mod configuration;
mod frontend;
mod gateway;
mod nginx;
mod protocols;
mod refused;
mod setup;
mod snippets;
mod stories;
#[path = "../support/mod.rs"]
mod support;

use std::{fmt::Write as _, time::Duration};

use case::{Case, Certificates, Endpoints, Shape};
use gateway::Given;
use jiff::Timestamp;
use ngf_core::{
    diagnosis::{
        plan::{ProbePlan, ProbeTarget, TrustSource},
        trust,
    },
    logs::{self, Meaning},
    model::{kind::Kind, object::ObjectRef, versions::Versions},
    nginx_config::{InPod, NginxConfig},
};
use ngf_probes::{
    dial::Direct,
    probe,
    spec::{ClientIdentity, HttpSpec, ProbeSpec, TlsSpec, Trust},
};
use ngf_tls::transcript::{Outcome, Transcript};
use tokio_util::sync::CancellationToken;

use setup::{Setup, log};

/// Bound on each phase, of nginx and of the probe.
const PATIENCE: Duration = Duration::from_secs(1);
const HOST: &str = "secure-app.example.com";
const APPLICATION: &str = "secure-app-868cfd5b5-v7gwk";
const DATA_PLANE: &str = "gateway-nginx-abc-1";

/// What one case gave.
struct Run {
    status: Option<u16>,
    transcript: Option<Transcript>,
    gateway_log: String,
    backend_log: String,
    both: Vec<&'static str>,
    by_log: Vec<&'static str>,
}

#[test]
fn each_fault_is_named_first_and_the_probe_says_what_nginx_does() {
    if !support::has_peer("nginx") || !support::has_peer("openssl") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (mut wrong, mut lines) = (String::new(), String::new());
    let mut cases = cases::all();
    if !nginx::has_streams() {
        cases.retain(|case| case.shape != Shape::Stream);
    }
    let (mut named, mut by_log, mut can) = (0, 0, 0);
    for case in &cases {
        let run = runtime.block_on(run(case));
        let first = run.both.first().copied().unwrap_or_default();
        for code in case.also {
            if !run.both.contains(code) {
                let _ = writeln!(wrong, "{}: {code} is not among {:?}", case.name, run.both);
            }
        }
        if first == case.first {
            named += 1;
        } else {
            let _ = writeln!(
                wrong,
                "{}: {} expected first, found {:?}\n  {}",
                case.name,
                case.first,
                run.both,
                run.gateway_log.trim()
            );
        }
        if let Some(code) = case.by_log {
            can += 1;
            let first = run.by_log.first().copied().unwrap_or_default();
            if first == code {
                by_log += 1;
            } else {
                let _ = writeln!(
                    wrong,
                    "{}: by the log alone {code} expected first, found {:?}\n  {}",
                    case.name,
                    run.by_log,
                    run.gateway_log.trim()
                );
            }
        }
        if let Some(difference) = difference(case, &run) {
            let _ = writeln!(wrong, "{}: {difference}", case.name);
        }
        let _ = write!(
            lines,
            "# {}\n{}{}",
            case.name, run.gateway_log, run.backend_log
        );
    }
    println!(
        "{named} of {} named first; {by_log} of {can} by the log alone",
        cases.len()
    );
    if let Some(path) = std::env::var_os("NGF_TUI_RIG_LINES") {
        std::fs::write(path, lines).expect("a file");
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// How the probe and nginx differ; `None` where they do not.
fn difference(case: &Case, run: &Run) -> Option<String> {
    let transcript = run.transcript.as_ref()?;
    let answered = matches!(transcript.nginx.outcome, Outcome::Ok | Outcome::HttpError);
    // A stream has no answer of its own: it closes the connection.
    let said = match case.shape {
        Shape::Stream if !answered => None,
        _ => transcript.nginx.client_status,
    };
    // Where the probe sends no request it says nothing of an answer, only that nginx got one.
    let no_request = transcript.nginx.outcome == Outcome::Ok && !transcript.protocol.is_http1();
    if no_request && run.status == Some(502) || !no_request && said != run.status {
        return Some(format!(
            "nginx answers {:?}, the probe said {said:?}",
            run.status
        ));
    }
    let of_nginx = upstream_lines(&run.gateway_log);
    let of_probe: Vec<Meaning> = transcript
        .nginx
        .log_line
        .iter()
        .filter_map(|line| {
            let line = format!("2026/11/23 17:00:00 [error] 1#1: *1 {line}, client: 127.0.0.1");
            logs::decode(&line).map(|decoded| without_words(decoded.what))
        })
        .collect();
    (of_nginx != of_probe).then(|| format!("nginx logs {of_nginx:?}, the probe said {of_probe:?}"))
}

fn upstream_lines(log: &str) -> Vec<Meaning> {
    log.lines()
        .filter_map(logs::decode)
        .filter(|decoded| decoded.request.upstream.is_some())
        .map(|decoded| without_words(decoded.what))
        .collect()
}

/// OpenSSL 3.6 has other words for some numbers than 3.0.
fn without_words(what: Meaning) -> Meaning {
    match what {
        Meaning::VerifyError { code, .. } => Meaning::VerifyError {
            code,
            words: String::new(),
        },
        what => what,
    }
}

fn target(case: &Case) -> ProbeTarget {
    ProbeTarget::parse(case.target, "default").expect("a target")
}

/// What the pod's nginx is using, as the tool reads it.
fn rendered(case: &Case, given: &Given<'_>, process: &nginx::Process) -> InPod {
    let mut files = String::new();
    for (path, content) in gateway::files(case, given) {
        let Some(name) = path.strip_prefix("secrets/") else {
            continue;
        };
        // No key leaves the pod.
        let certificates = content
            .split("-----BEGIN PRIVATE")
            .next()
            .unwrap_or_default();
        let _ = write!(
            files,
            "FILE {} {name}\n{certificates}",
            Timestamp::now().as_second()
        );
    }
    InPod {
        gateway: ObjectRef::new(Kind::Gateway, "default", "gateway"),
        pod: ObjectRef::new(Kind::Pod, "default", DATA_PLANE),
        at: Timestamp::now(),
        versions: Versions::default(),
        found: NginxConfig::parse(process.configuration().as_bytes(), files.as_bytes()),
    }
}

/// Asks the gateway as the case wants it; what the last request got.
fn asked(case: &Case, listens: u16, gateway: &nginx::Process) -> Option<u16> {
    let ask = || {
        let mut status = None;
        for path in case.paths {
            status = match case.shape {
                Shape::Stream => nginx::status_over_tls(listens, HOST),
                _ => nginx::status(listens, HOST, path),
            };
        }
        status
    };
    let mut status = ask();
    for _ in 0..200 {
        if gateway.error_log().contains(case.until) {
            break;
        }
        status = ask();
    }
    // Lines are written before their answer is; the backend's may follow.
    std::thread::sleep(Duration::from_millis(30));
    status
}

async fn run(case: &Case) -> Run {
    let setup = Setup::of(case);
    let listens = nginx::free_port();
    let gateway = gateway::start(case, &setup.given(), listens);
    let status = asked(case, listens, &gateway);
    let gateway_log = gateway.error_log();
    let mut logged = setup.logged(&gateway_log);
    let backend_log = setup.backend_log();
    // Only then the probe: its own lines in the backend's log are not nginx's.
    let mut evidence = logged.clone();
    if case.stale.is_some() {
        let in_pod = rendered(case, &setup.given(), &gateway);
        evidence.record_nginx_config(in_pod.clone());
        logged.record_nginx_config(in_pod);
    }
    let transcript = setup.probed(case, &mut evidence).await;
    // What is stale, or hidden behind another endpoint, no probe repeats.
    let comparable = case.stale.is_none() && case.endpoints != Endpoints::Two;
    Run {
        status,
        transcript: transcript.filter(|_| comparable && case.shape != Shape::Mirror),
        gateway_log,
        backend_log,
        both: setup.codes(&evidence),
        by_log: setup.codes(&logged),
    }
}

async fn tried(plan: &ProbePlan, given: &Given<'_>) -> Result<Transcript, String> {
    let tls = plan.tls.as_ref().map(|tls| {
        let (pem, origin) = match &tls.trust {
            TrustSource::Object { object, key } => {
                let facts = trust::certificates(given.snapshot, object, key);
                (gateway::pem(facts.expect("a bundle")), object.to_string())
            }
            TrustSource::System => {
                let public = given.certificates["public"].certificate_pem();
                (public, "the image".to_owned())
            }
        };
        TlsSpec {
            server_name: tls.hostname.clone(),
            trust: Trust::Bundle {
                pem: pem.into_bytes(),
                origin,
            },
            client_identity: tls.client_certificate.as_ref().map(|secret| {
                let (chain, key) = gateway::identity(given, secret);
                ClientIdentity {
                    certificate_pem: chain.into_bytes(),
                    key_pem: key.into_bytes().into(),
                    origin: secret.to_string(),
                }
            }),
            verify_depth: tls.verify_depth,
            at: None,
        }
    });
    let spec = ProbeSpec {
        host: plan.endpoint.address.clone(),
        port: plan.endpoint.port,
        tls,
        http: if plan.route.kind == Kind::GRPCRoute {
            HttpSpec::health_check(plan.host.clone())
        } else {
            HttpSpec {
                method: "GET".to_owned(),
                host: plan.host.clone(),
                path: plan.path.clone(),
            }
        },
        protocol: plan.protocol,
        timeout: PATIENCE,
    };
    probe(&spec, &Direct, &CancellationToken::new())
        .await
        .map_err(|error| error.to_string())
}
