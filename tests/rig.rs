//! End to end: nginx as data plane, configured with the directives that the tool says NGF renders, and a
//! backend behind it that is broken for real. A request is sent through it; the tool's probe, and nginx's
//! own log, are given to the rules: the catalogue's code must come first, the probe must have said what
//! nginx did, and the log alone must name the code where it can.
//!
//! `NGINX_BINARY` names another nginx than Debian's (probes/tests/differential/current-nginx.sh builds
//! one); `NGF_TUI_RIG_LINES` a file to write all that nginx wrote to (`tests/logs/record` takes it).

#[path = "rig/cases.rs"]
mod cases;
#[path = "rig/nginx.rs"]
mod nginx;
mod support;

use std::{fmt::Write as _, sync::Arc, time::Duration};

use cases::{Case, Certificates};
use jiff::Timestamp;
use ngf_probes::{
    dial::Direct,
    probe,
    spec::{ClientIdentity, HttpSpec, ProbeSpec, TlsSpec, Trust},
    transcript::Transcript,
};
use ngf_tui::{
    diagnosis::{
        Diagnosis, Evidence,
        evidence::Probed,
        ngf::{bundle_file, directives, key_pair_file},
        plan::{Connection, ProbePlan, ProbeTarget, connections, plan},
    },
    logs::{self, PodLog, Role, Tally, What},
    model::{index::Index, kind::Kind, object::ObjectRef, snapshot::Snapshot, topology::Topology},
};
use serde_json::json;
use support::scenario::{Change, changed};
use tokio_util::sync::CancellationToken;

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
    let cases = cases::all();
    let (mut named, mut by_log, mut can) = (0, 0, 0);
    for case in &cases {
        let run = runtime.block_on(run(case));
        let first = run.both.first().copied().unwrap_or_default();
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
        if let Some(difference) = difference(&run) {
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
fn difference(run: &Run) -> Option<String> {
    let transcript = run.transcript.as_ref()?;
    let said = transcript.nginx.client_status;
    if said != run.status {
        return Some(format!(
            "nginx answers {:?}, the probe said {said:?}",
            run.status
        ));
    }
    let of_nginx = upstream_lines(&run.gateway_log);
    let of_probe: Vec<What> = transcript
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

fn upstream_lines(log: &str) -> Vec<What> {
    log.lines()
        .filter_map(logs::decode)
        .filter(|decoded| decoded.request.upstream.is_some())
        .map(|decoded| without_words(decoded.what))
        .collect()
}

/// OpenSSL 3.6 has other words for some numbers than 3.0.
fn without_words(what: What) -> What {
    match what {
        What::VerifyError { code, .. } => What::VerifyError {
            code,
            words: String::new(),
        },
        what => what,
    }
}

async fn run(case: &Case) -> Run {
    let began = Timestamp::now();
    let (mut snapshot, certificates) = objects(case, began);
    let (port, backend) = case.backend.start(&certificates);
    // The backend's port is known once it listens; certificates stay as they were minted.
    retarget(&mut snapshot, port);
    let target = ProbeTarget::parse("httproute/secure-app", "default").expect("a target");
    let listens = nginx::free_port();
    let gateway = gateway(&snapshot, &target, &certificates, case, listens, port);
    let mut status = nginx::status(listens, HOST);
    for _ in 0..200 {
        if gateway.error_log().contains(case.until) {
            break;
        }
        status = nginx::status(listens, HOST);
    }
    // Lines are written before their answer is; the backend's may follow.
    tokio::time::sleep(Duration::from_millis(30)).await;
    let gateway_log = gateway.error_log();
    let mut logged = Evidence::none();
    logged.record_log(log(
        Role::DataPlane,
        DATA_PLANE,
        "nginx",
        &gateway_log,
        began,
    ));
    let backend_log = backend
        .as_ref()
        .map_or_else(String::new, nginx::Process::error_log);
    logged.record_log(log(
        Role::Application,
        APPLICATION,
        "secure-app",
        &backend_log,
        began,
    ));
    // Only then the probe: its own lines in the backend's log are not nginx's.
    let mut evidence = logged.clone();
    let mut transcript = None;
    for plan in plan(&snapshot, &target).unwrap_or_default() {
        let at = Timestamp::now();
        let result = tried(&plan, &certificates, case).await;
        transcript = transcript.or(result.clone().ok());
        evidence.record(Probed {
            plan: Arc::new(plan),
            at,
            result: result.map(Arc::new),
        });
    }
    let now = Timestamp::now();
    let codes = |evidence: &Evidence| -> Vec<&'static str> {
        let diagnosis = Diagnosis::of(&snapshot, evidence, now);
        diagnosis
            .findings
            .iter()
            .map(|finding| finding.code)
            .collect()
    };
    Run {
        status,
        transcript: transcript.filter(|_| !case.second_endpoint),
        gateway_log,
        backend_log,
        both: codes(&evidence),
        by_log: codes(&logged),
    }
}

/// The guide's objects with the case's changes, and a data-plane pod; all of it on loopback.
fn objects(case: &Case, now: Timestamp) -> (Snapshot, Certificates) {
    let mut change = Change::default();
    for (name, wanted) in &case.certificates {
        change
            .certificates
            .insert((*name).to_owned(), wanted.clone());
    }
    change.without = case.without.iter().map(|path| (*path).to_owned()).collect();
    for (path, patch) in &case.patch {
        change.patch.insert((*path).to_owned(), patch.clone());
    }
    let ready = !case.unready;
    let endpoint = |address: &str| {
        json!({"addresses": [address],
            "conditions": {"ready": ready, "serving": ready, "terminating": false},
            "targetRef": {"kind": "Pod", "name": APPLICATION, "namespace": "default"}})
    };
    let mut endpoints = vec![endpoint("127.0.0.1")];
    if case.second_endpoint {
        endpoints.push(endpoint("127.0.0.2"));
    }
    change.patch.insert(
        "EndpointSlice/default/secure-app-x2x4z".to_owned(),
        json!({"endpoints": endpoints}),
    );
    let mut pod = json!({"status": {"podIP": "127.0.0.1"}});
    if !case.mounts {
        pod["spec"] = json!({"volumes": [], "containers": [{"name": "secure-app"}]});
    }
    change
        .patch
        .insert(format!("Pod/default/{APPLICATION}"), pod);
    change.add.push(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": DATA_PLANE, "namespace": "default",
            "labels": {"app.kubernetes.io/name": "gateway-nginx", "pod-template-hash": "abc"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "gateway-nginx-abc", "uid": "r", "controller": true}]},
        "spec": {"containers": [{"name": "nginx"}]},
        "status": {"phase": "Running", "podIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "nginx", "ready": true, "state": {"running": {}}}]},
    }));
    changed("guide", change, now)
}

fn retarget(snapshot: &mut Snapshot, port: u16) {
    for slice in snapshot.endpoint_slices.values_mut() {
        let slice = Arc::make_mut(slice);
        for named in &mut slice.spec.ports {
            named.1 = Some(port);
        }
    }
}

/// nginx as NGF configures it: the directives of the tool's own prediction.
fn gateway(
    snapshot: &Snapshot,
    target: &ProbeTarget,
    certificates: &Certificates,
    case: &Case,
    listens: u16,
    backend: u16,
) -> nginx::Process {
    let index = Index::of(snapshot);
    let topology = Topology::with(snapshot, &index);
    let connection: Connection = connections(snapshot, &index, &topology, target)
        .expect("a connection")
        .remove(0);
    let rendered = directives(&connection);
    let mut in_http = String::new();
    let mut in_location = String::new();
    for directive in &rendered {
        let value = if directive.value.starts_with("/etc/nginx/secrets/") {
            format!("DIR/secrets/{}", nginx::file_name(&directive.value))
        } else {
            directive.value.clone()
        };
        let place = if directive.name.starts_with("proxy_ssl_certificate") {
            &mut in_http
        } else {
            &mut in_location
        };
        let _ = writeln!(place, "{} {value};", directive.name);
    }
    let scheme = if connection.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let servers = match (case.unready, case.second_endpoint) {
        // What NGF gives nginx then.
        (true, _) => "server unix:DIR/nginx-503-server.sock;".to_owned(),
        (false, true) => format!("server 127.0.0.1:{backend}; server 127.0.0.2:{backend};"),
        (false, false) => format!("server 127.0.0.1:{backend};"),
    };
    let http = format!(
        "{in_http}
        proxy_connect_timeout {patience}s; proxy_read_timeout {patience}s; proxy_send_timeout {patience}s;
        proxy_ssl_protocols TLSv1.2 TLSv1.3;
        server {{ listen 127.0.0.1:{listens}; server_name {HOST};
            location / {{
                proxy_http_version 1.1;
                proxy_set_header Host \"$http_host\";
                proxy_pass {scheme}://default_secure-app_8443;
                {in_location}
            }} }}
        upstream default_secure-app_8443 {{
            random two least_conn; zone default_secure-app_8443 512k;
            {servers}
        }}
        server {{ listen unix:DIR/nginx-503-server.sock; return 503; }}",
        patience = PATIENCE.as_secs()
    );
    let file = |path: String| format!("secrets/{}", nginx::file_name(&path));
    let pair = &certificates["gateway"];
    let bundle = bundle_of(case);
    let files = [
        (
            file(bundle_file("default", "backend-cert")),
            certificates[bundle].certificate_pem(),
        ),
        (
            file(key_pair_file(
                "default",
                "gateway-presents-this-cert-for-validation",
            )),
            pair.certificate_pem() + &pair.key_pem(),
        ),
    ];
    let files: Vec<(&str, String)> = files
        .iter()
        .map(|(name, content)| (name.as_str(), content.clone()))
        .collect();
    nginx::nginx(listens, &files, &http)
}

/// The certificate under `ca.crt` of the policy's Secret.
fn bundle_of(case: &Case) -> &str {
    let patched = case
        .patch
        .iter()
        .find(|(path, _)| *path == "Secret/default/backend-cert")
        .and_then(|(_, patch)| patch.pointer("/stringData/ca.crt")?.as_str());
    patched.map_or("ca", |text| {
        text.trim_start_matches("{{").trim_end_matches(".crt}}")
    })
}

async fn tried(
    plan: &ProbePlan,
    certificates: &Certificates,
    case: &Case,
) -> Result<Transcript, String> {
    let pair = &certificates["gateway"];
    let tls = plan.tls.as_ref().map(|tls| TlsSpec {
        server_name: tls.hostname.clone(),
        trust: Trust::Bundle {
            pem: certificates[bundle_of(case)].certificate_pem().into_bytes(),
            origin: "the policy's Secret".to_owned(),
        },
        client_identity: tls.client_certificate.as_ref().map(|_| ClientIdentity {
            certificate_pem: pair.certificate_pem().into_bytes(),
            key_pem: pair.key_pem().into_bytes().into(),
            origin: "the Gateway's Secret".to_owned(),
        }),
        verify_depth: 4,
        at: None,
    });
    let spec = ProbeSpec {
        host: plan.endpoint.address.clone(),
        port: plan.endpoint.port,
        tls,
        http: HttpSpec {
            method: "GET".to_owned(),
            host: plan.host.clone(),
            path: plan.path.clone(),
        },
        timeout: PATIENCE,
    };
    probe(&spec, &Direct, &CancellationToken::new())
        .await
        .map_err(|error| error.to_string())
}

fn log(role: Role, pod: &str, container: &str, text: &str, since: Timestamp) -> PodLog {
    let mut tally = Tally::default();
    tally.read(text, Timestamp::now());
    PodLog {
        role,
        gateway: (role == Role::DataPlane)
            .then(|| ObjectRef::new(Kind::Gateway, "default", "gateway")),
        pod: ObjectRef::new(Kind::Pod, "default", pod),
        container: container.to_owned(),
        since,
        failed: None,
        cut: false,
        tally,
    }
}

#[test]
fn what_nginx_refuses_to_load_is_the_reload_that_failed_and_names_the_secret() {
    if !support::has_peer("nginx") {
        return;
    }
    let case = Case::new("an empty bundle", "NGF-D1", cases::guide());
    let now = Timestamp::now();
    let (snapshot, _) = objects(&case, now);
    let bundle = nginx::file_name(&bundle_file("default", "backend-cert"));
    for (content, file) in [("", &bundle), ("junk\n", &bundle)] {
        let said = nginx::refusal(
            &[(file, content.to_owned())],
            &format!(
                "proxy_ssl_trusted_certificate DIR/{file}; server {{ location / {{ proxy_ssl_verify on; proxy_pass https://127.0.0.1:1; }} }}"
            ),
        );
        let emerg = said.lines().next().expect("a line");
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
                .unwrap_or_else(|| panic!("{line}"));
            assert_eq!(first.code, "NGF-D1", "{line}");
            let secret = ObjectRef::new(Kind::Secret, "default", "backend-cert");
            assert!(first.objects().any(|object| *object == secret), "{line}");
        }
    }
}
