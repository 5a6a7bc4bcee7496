//! Faults that one request does not show: what nginx refuses to load, what it keeps from before, and
//! how it ends.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use ngf_core::{
    diagnosis::{
        Diagnosis, Evidence,
        ngf::{bundle_file, key_pair_file},
    },
    logs::Role,
    model::{kind::Kind, object::ObjectRef},
};
use serde_json::json;

use super::{
    DATA_PLANE, HOST,
    case::{Case, client, guide, leaf},
    gateway,
    nginx::{self, Configuration},
    setup::{Setup, log, objects, retarget},
    support,
    support::pki::Wanted,
};

/// What the stories name: code, and the name of the story.
pub(crate) const TOLD: &[(&str, &str)] = &[
    (
        "NGF-D1",
        "what_nginx_refuses_to_load_is_named_with_the_secret",
    ),
    (
        "NGF-P8",
        "what_nginx_refuses_to_load_is_named_with_the_secret",
    ),
    (
        "NGF-P9",
        "what_nginx_refuses_to_load_is_named_with_the_secret",
    ),
    (
        "NGF-G12",
        "what_nginx_refuses_to_load_is_named_with_the_secret",
    ),
    ("NGF-D7", "a_worker_that_was_killed_is_named"),
    (
        "NGF-T17",
        "sessions_and_kept_connections_hide_that_the_certificate_expired",
    ),
    (
        "NGF-T18",
        "sessions_and_kept_connections_hide_that_the_certificate_expired",
    ),
];

/// A block that is no certificate.
const BROKEN: &str =
    "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n";

/// nginx's own words of a configuration that it refuses, and what must be said first of them.
#[test]
fn what_nginx_refuses_to_load_is_named_with_the_secret() {
    if !support::has_peer("nginx") {
        return;
    }
    let bundle = nginx::file_name(&bundle_file("default", "backend-cert"));
    let secret_of_client = "gateway-presents-this-cert-for-validation";
    let pair = nginx::file_name(&key_pair_file("default", secret_of_client));
    let weak = Wanted {
        rsa: Some(1024),
        ..client()
    };
    let ca = |content: &str| json!({"stringData": {"ca.crt": content}});
    let backend_cert = "Secret/default/backend-cert";
    let mut no_ca = Case::new("no ca.crt", "NGF-P8", guide());
    no_ca = no_ca.patched(backend_cert, json!({"stringData": {"ca.crt": null}}));
    let garbage = Case::new("garbage after the CA", "NGF-P9", guide())
        .patched(backend_cert, ca(&format!("{{{{ca.crt}}}}{BROKEN}")));
    let too_short =
        Case::new("a key that is too short", "NGF-G12", guide()).minted("gateway", weak);
    // The Secret has been fixed since: only the log knows.
    let fixed = Case::new("an empty bundle", "NGF-D1", guide());
    let junk = Case::new("no PEM", "NGF-D1", guide());
    for (case, secret) in [
        (no_ca, "backend-cert"),
        (garbage, "backend-cert"),
        (too_short, secret_of_client),
        (fixed, "backend-cert"),
        (junk, "backend-cert"),
    ] {
        let now = Timestamp::now();
        let (snapshot, certificates) = objects(&case, now);
        let client = &certificates["gateway"];
        let content = match case.name {
            "garbage after the CA" => certificates["ca"].certificate_pem() + BROKEN,
            "no PEM" => "junk\n".to_owned(),
            "a key that is too short" => certificates["ca"].certificate_pem(),
            _ => String::new(),
        };
        let files = [
            (bundle.as_str(), content),
            (pair.as_str(), client.certificate_pem() + &client.key_pem()),
        ];
        let said = nginx::refusal(
            &files,
            &format!(
                "proxy_ssl_certificate DIR/{pair}; proxy_ssl_certificate_key DIR/{pair};
                proxy_ssl_trusted_certificate DIR/{bundle};
                server {{ location / {{ proxy_ssl_verify on; proxy_pass https://127.0.0.1:1; }} }}"
            ),
        );
        let emerg = said.lines().next().expect("a line");
        assert!(emerg.contains("[emerg]"), "{}: {said}", case.name);
        // As the agent writes it (`Errors found during config apply …`).
        let quoted = emerg.replace('\\', "\\\\").replace('"', "\\\"");
        let agent = format!(
            "time={now} level=ERROR msg=\"Errors found during config apply, sending error status and rolling back configuration updates\" error=\"NGINX config test failed exit status 1: {quoted}\""
        );
        for line in [emerg, &agent] {
            let mut evidence = Evidence::none();
            evidence.record_log(log(Role::DataPlane, DATA_PLANE, "nginx", line, now));
            let diagnosis = Diagnosis::of(&snapshot, &evidence, Timestamp::now());
            let first = diagnosis
                .findings
                .first()
                .unwrap_or_else(|| panic!("{}: {line}", case.name));
            let all: Vec<&str> = diagnosis
                .findings
                .iter()
                .map(|found| found.code.as_str())
                .collect();
            assert_eq!(first.code, case.first, "{}: {all:?} {line}", case.name);
            assert!(all.contains(&"NGF-D1"), "{}: {all:?} {line}", case.name);
            let secret = ObjectRef::new(Kind::Secret, "default", secret);
            assert!(
                first.objects().any(|object| *object == secret),
                "{}: {line}",
                case.name
            );
        }
    }
}

#[test]
fn a_worker_that_was_killed_is_named() {
    if !support::has_peer("nginx") {
        return;
    }
    let case = Case::new("a worker was killed", "NGF-D7", guide());
    let setup = Setup::of(&case);
    let port = nginx::free_port();
    let configuration = Configuration {
        workers: true,
        ..Configuration::http(format!("server {{ listen 127.0.0.1:{port}; return 200; }}"))
    };
    let gateway = nginx::nginx(port, &[], &configuration);
    gateway.kill_worker();
    let until = Instant::now() + Duration::from_secs(5);
    while !gateway.error_log().contains("exited on signal") && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(
        setup.codes(&setup.logged(&gateway.error_log())),
        ["NGF-D7"],
        "{}",
        gateway.error_log()
    );
}

/// The certificate expires while two gateways stand before it: one resumes its session, one keeps its
/// connection, and both go on. A third, which starts afterwards, does not, and neither does the probe.
#[test]
fn sessions_and_kept_connections_hide_that_the_certificate_expired() {
    if !support::has_peer("nginx") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let soon = Wanted {
        seconds: Some(4),
        ..leaf(Some("ca"))
    };
    let case = |keeps| {
        let mut case =
            Case::new("it expires meanwhile", "NGF-T5", guide()).minted("app", soon.clone());
        case.keeps = keeps;
        if keeps {
            case = case.from("t18-kept-alive");
        }
        case
    };
    let (resuming, keeping) = (case(false), case(true));
    let setup = Setup::of(&resuming);
    let expires = Instant::now() + Duration::from_secs(4);
    let start = |case: &Case| {
        let port = nginx::free_port();
        (port, gateway::start(case, &setup.given(), port))
    };
    let before = [start(&resuming), start(&keeping)];
    for (port, process) in &before {
        let status = nginx::status(*port, HOST, "/");
        assert_eq!(status, Some(200), "{}", process.error_log());
    }
    let second = Duration::from_secs(1);
    std::thread::sleep((expires + second).saturating_duration_since(Instant::now()));
    for (port, process) in &before {
        let status = nginx::status(*port, HOST, "/");
        assert_eq!(status, Some(200), "masked: {}", process.error_log());
    }
    let (port, afresh) = start(&resuming);
    assert_eq!(nginx::status(port, HOST, "/"), Some(502));
    let log = afresh.error_log();
    assert!(log.contains("(10:certificate has expired)"), "{log}");
    // What the gateways from before wrote holds no fault at all; the probe tells.
    for (_, process) in &before {
        assert!(
            !process.error_log().contains("[error]"),
            "{}",
            process.error_log()
        );
    }
    let mut evidence = Evidence::none();
    let transcript = runtime.block_on(setup.probed(&resuming, &mut evidence));
    assert_eq!(transcript.expect("a probe").nginx.client_status, Some(502));
    let found = setup.codes(&evidence);
    assert_eq!(found.first(), Some(&"NGF-T5"), "{found:?}");
    assert!(found.contains(&"NGF-T17"), "{found:?}");
    // NGF 2.6 keeps connections without a policy.
    assert!(found.contains(&"NGF-T18"), "{found:?}");

    // The same setup, whose objects say that connections are kept.
    let kept = Setup {
        snapshot: {
            let (mut snapshot, _) = objects(&keeping, setup.began);
            retarget(&mut snapshot, &setup.ports);
            snapshot
        },
        certificates: super::Certificates::new(),
        ports: setup.ports.clone(),
        backends: Vec::new(),
        connections: Vec::new(),
        began: setup.began,
    };
    let found = kept.codes(&evidence);
    assert_eq!(found.first(), Some(&"NGF-T5"), "{found:?}");
    assert!(found.contains(&"NGF-T18"), "{found:?}");
}
