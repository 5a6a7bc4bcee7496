//! Backends that NGF refuses, in locations as NGF renders them (`servers_template.go`, `upstreams.go`): what
//! real nginx makes of them must be what the findings say. The recorded answers of NGF end before nginx reads the
//! configuration, so that they cannot show this.

use jiff::Timestamp;
use ngf_core::{
    diagnosis::{Diagnosis, Evidence, ngf::bundle_file},
    logs::Role,
};

use super::{
    Certificates, DATA_PLANE, HOST, log,
    nginx::{self, Configuration},
    support,
    support::scenario::{Change, changed},
};

/// What real nginx does, and what the finding must say of it.
enum NginxOutcome {
    /// It refuses the configuration.
    Emerg,
    /// A request gets this status.
    Status(u16),
}

struct Refused {
    scenario: &'static str,
    code: &'static str,
    /// The directives of the location, and of `http` before it.
    location: &'static str,
    before: &'static str,
    /// Whether NGF writes the CA file.
    writes_bundle: bool,
    outcome: NginxOutcome,
}

const TO_INVALID: &str = "proxy_pass https://invalid-backend-ref; proxy_ssl_server_name on;
    proxy_ssl_verify on; proxy_ssl_verify_depth 4; proxy_ssl_name secure-app.example.com;
    proxy_ssl_trusted_certificate DIR/BUNDLE;";
const GRPC: &str = "grpc_pass grpcs://invalid-backend-ref; grpc_ssl_server_name on;
    grpc_ssl_verify on; grpc_ssl_verify_depth 4; grpc_ssl_name secure-app.example.com;
    grpc_ssl_trusted_certificate DIR/BUNDLE;";
const SYSTEM: &str = "proxy_pass https://invalid-backend-ref; proxy_ssl_server_name on;
    proxy_ssl_verify on; proxy_ssl_verify_depth 4; proxy_ssl_name secure-app.example.com;
    proxy_ssl_trusted_certificate DIR/system.pem;";
const SHARED: &str = "proxy_pass https://$group_default__secure_app_rule0$request_uri;
    proxy_ssl_server_name on; proxy_ssl_verify on; proxy_ssl_verify_depth 4;
    proxy_ssl_name secure-app.example.com; proxy_ssl_trusted_certificate DIR/BUNDLE;";
/// Both shares, so that the test needs no luck; the second one of the scenario is accepted.
const SHARES: &str = "split_clients $request_id $group_default__secure_app_rule0 {
    99.99% invalid-backend-ref; * default_secure-app_8443; }
    upstream default_secure-app_8443 { server 127.0.0.1:1; }";

fn all() -> Vec<Refused> {
    let case = |scenario, code, location, writes_bundle, outcome| Refused {
        scenario,
        code,
        location,
        before: "",
        writes_bundle,
        outcome,
    };
    let mut shares = case(
        "p15-before-a-valid-policy",
        "NGF-P15",
        SHARED,
        true,
        NginxOutcome::Status(502),
    );
    shares.before = SHARES;
    vec![
        case(
            "r1-different-policies",
            "NGF-R1",
            TO_INVALID,
            false,
            NginxOutcome::Emerg,
        ),
        case(
            "r1-a-missing-service-beside-tls",
            "NGF-R1",
            TO_INVALID,
            false,
            NginxOutcome::Emerg,
        ),
        case(
            "r5-and-a-policy",
            "NGF-R5",
            GRPC,
            false,
            NginxOutcome::Emerg,
        ),
        case(
            "r7-with-a-policy",
            "NGF-R7",
            TO_INVALID,
            false,
            NginxOutcome::Emerg,
        ),
        case(
            "r1-and-another-route-with-the-ca",
            "NGF-R1",
            TO_INVALID,
            true,
            NginxOutcome::Status(502),
        ),
        case(
            "r7-with-the-system-s-ca",
            "NGF-R7",
            SYSTEM,
            false,
            NginxOutcome::Status(502),
        ),
        shares,
        case(
            "r3-service-missing",
            "NGF-R3",
            "proxy_pass http://invalid-backend-ref;",
            false,
            NginxOutcome::Status(500),
        ),
    ]
}

/// The codes that are broken here.
pub(crate) fn codes() -> impl Iterator<Item = &'static str> {
    all().into_iter().map(|case| case.code)
}

#[test]
fn what_nginx_makes_of_refused_backends_is_what_the_findings_say() {
    if !support::has_peer("nginx") {
        return;
    }
    for case in all() {
        let now = Timestamp::now();
        let (snapshot, certificates) = changed(case.scenario, Change::default(), now);
        let mut evidence = Evidence::none();
        let said = real(&case, &certificates);
        evidence.record_log(log(Role::DataPlane, DATA_PLANE, "nginx", &said, now));
        let diagnosis = Diagnosis::of(&snapshot, &evidence, Timestamp::now());
        let name = case.scenario;
        let finding = diagnosis
            .findings
            .iter()
            .find(|found| found.code == case.code);
        let finding = finding.unwrap_or_else(|| panic!("{name}: no {}", case.code));
        let effects = finding.effects.join("; ") + &finding.title;
        let expected = match case.outcome {
            NginxOutcome::Emerg => "no change takes effect any more",
            NginxOutcome::Status(502) => "get 502",
            NginxOutcome::Status(_) => "get 500",
        };
        assert!(effects.contains(expected), "{name}: {effects}");
        let d1 = diagnosis
            .findings
            .iter()
            .find(|found| found.code == "NGF-D1");
        match case.outcome {
            NginxOutcome::Emerg => {
                let cause = d1.and_then(|found| found.caused_by);
                let cause = cause.map(|place| diagnosis.findings[place].code.as_str());
                assert_eq!(cause, Some(case.code), "{name}: {said}");
            }
            NginxOutcome::Status(502) => {
                assert!(d1.is_none(), "{name}: {said}");
                let shown = finding.evidence.iter();
                let shown = shown.filter(|line| line.value.contains("wrong version number"));
                assert_eq!(shown.count(), 1, "{name}: {:?}\n{said}", finding.evidence);
            }
            NginxOutcome::Status(_) => assert!(d1.is_none(), "{name}: {said}"),
        }
    }
}

/// What real nginx logs of the case, with the paths of a data plane.
fn real(case: &Refused, certificates: &Certificates) -> String {
    let bundle = nginx::file_name(&bundle_file("default", "backend-cert"));
    let ca = certificates["ca"].certificate_pem();
    let mut files = vec![("system.pem", ca.clone())];
    if case.writes_bundle {
        files.push((bundle.as_str(), ca));
    }
    let location = case.location.replace("BUNDLE", &bundle);
    let http = |port: u16| {
        format!(
            "{} upstream invalid-backend-ref {{ server unix:DIR/nginx-500-server.sock; }}
            server {{ listen unix:DIR/nginx-500-server.sock; return 500; }}
            server {{ listen 127.0.0.1:{port}; server_name {HOST}; location / {{ {location} }} }}",
            case.before
        )
    };
    let port = nginx::free_port();
    match case.outcome {
        NginxOutcome::Emerg => {
            let said = nginx::refusal(&files, &http(port));
            let line = said.lines().next().unwrap_or_default().to_owned();
            assert!(
                line.contains("[emerg]"),
                "{}: nginx loads it",
                case.scenario
            );
            assert!(line.contains("No such file"), "{}: {line}", case.scenario);
            line
        }
        NginxOutcome::Status(expected) => {
            let process = nginx::nginx(port, &files, &Configuration::http(http(port)));
            let status = nginx::status(port, HOST, "/");
            let said = process.error_log();
            assert_eq!(status, Some(expected), "{}: {said}", case.scenario);
            said
        }
    }
}
