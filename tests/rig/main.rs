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
mod frontend;
mod gateway;
mod nginx;
mod protocols;
mod refused;
mod rendered;
mod snippets;
mod stories;
#[path = "../support/mod.rs"]
mod support;

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc, time::Duration};

use case::{Case, Certificates, Endpoints, Shape};
use gateway::Given;
use jiff::Timestamp;
use ngf_core::{
    diagnosis::{
        Diagnosis, Evidence,
        evidence::Probed,
        plan::{Connection, ProbePlan, ProbeTarget, TrustSource, connections, plan_all},
        trust,
    },
    logs::{self, PodLog, Role, Tally, What},
    model::{
        index::Index, kind::Kind, object::ObjectRef, snapshot::Snapshot, topology::Topology,
        versions::Versions,
    },
    nginx_config::{InPod, NginxConfig},
};
use ngf_probes::{
    dial::Direct,
    probe,
    spec::{ClientIdentity, HttpSpec, ProbeSpec, TlsSpec, Trust},
};
use ngf_tls::transcript::{Outcome, Transcript};
use serde_json::{Value, json};
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

/// The objects of a case, and the backends that they mean.
struct World {
    snapshot: Snapshot,
    certificates: Certificates,
    /// Where each Service's endpoints listen.
    ports: BTreeMap<String, u16>,
    backends: Vec<nginx::Process>,
    connections: Vec<Connection>,
    began: Timestamp,
}

impl World {
    fn of(case: &Case) -> Self {
        let began = Timestamp::now();
        let (mut snapshot, certificates) = objects(case, began);
        let mut ports = BTreeMap::new();
        let mut backends = Vec::new();
        let behind = [
            ("secure-app", Some(&case.backend)),
            ("other", case.other.as_ref()),
        ];
        for (service, backend) in behind {
            let Some(backend) = backend else { continue };
            let (port, process) = backend.start(&certificates);
            ports.insert(service.to_owned(), port);
            backends.extend(process);
        }
        // The backends' ports are known once they listen; certificates stay as they were minted.
        retarget(&mut snapshot, &ports);
        let index = Index::of(&snapshot);
        let topology = Topology::with(&snapshot, &index);
        let connections = connections(&snapshot, &index, &topology, &target(case))
            .unwrap_or_else(|why| panic!("{}: {why}", case.name));
        Self {
            snapshot,
            certificates,
            ports,
            backends,
            connections,
            began,
        }
    }

    fn given(&self) -> Given<'_> {
        Given {
            snapshot: &self.snapshot,
            connections: &self.connections,
            certificates: &self.certificates,
            ports: &self.ports,
        }
    }

    /// What the logs of nginx and of the first backend say.
    fn logged(&self, gateway_log: &str) -> Evidence {
        let mut logged = Evidence::none();
        let began = self.began;
        logged.record_log(log(
            Role::DataPlane,
            DATA_PLANE,
            "nginx",
            gateway_log,
            began,
        ));
        let of_backend = self.backend_log();
        logged.record_log(log(
            Role::Application,
            APPLICATION,
            "secure-app",
            &of_backend,
            began,
        ));
        logged
    }

    fn backend_log(&self) -> String {
        let first = self.backends.first();
        first.map_or_else(String::new, nginx::Process::error_log)
    }

    /// Probes every endpoint of the target; the transcript, where it is one.
    async fn probed(&self, case: &Case, evidence: &mut Evidence) -> Option<Transcript> {
        let index = Index::of(&self.snapshot);
        let topology = Topology::with(&self.snapshot, &index);
        let planned = plan_all(&self.snapshot, &index, &topology, &target(case));
        let plans = planned.map_or_else(|_| Vec::new(), |planned| planned.plans);
        let mut transcripts = Vec::new();
        for plan in plans {
            let at = Timestamp::now();
            let result = tried(&plan, &self.given()).await;
            transcripts.extend(result.clone().ok());
            evidence.record(Probed {
                plan: Arc::new(plan),
                at,
                result: result.map(Arc::new),
            });
        }
        (transcripts.len() == 1).then(|| transcripts.remove(0))
    }

    /// The codes that are found, in order.
    fn codes(&self, evidence: &Evidence) -> Vec<&'static str> {
        let diagnosis = Diagnosis::of(&self.snapshot, evidence, Timestamp::now());
        diagnosis
            .findings
            .iter()
            .map(|finding| finding.code.as_str())
            .collect()
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
    let world = World::of(case);
    let listens = nginx::free_port();
    let gateway = gateway::start(case, &world.given(), listens);
    let status = asked(case, listens, &gateway);
    let gateway_log = gateway.error_log();
    let mut logged = world.logged(&gateway_log);
    let backend_log = world.backend_log();
    // Only then the probe: its own lines in the backend's log are not nginx's.
    let mut evidence = logged.clone();
    if case.stale.is_some() {
        let in_pod = rendered(case, &world.given(), &gateway);
        evidence.record_nginx_config(in_pod.clone());
        logged.record_nginx_config(in_pod);
    }
    let transcript = world.probed(case, &mut evidence).await;
    // What is stale, or hidden behind another endpoint, no probe repeats.
    let comparable = case.stale.is_none() && case.endpoints != Endpoints::Two;
    Run {
        status,
        transcript: transcript.filter(|_| comparable && case.shape != Shape::Mirror),
        gateway_log,
        backend_log,
        both: world.codes(&evidence),
        by_log: world.codes(&logged),
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
        let known = change.patch.entry((*path).to_owned()).or_default();
        compose(known, patch);
    }
    let ready = case.endpoints != Endpoints::Unready;
    let endpoint = |address: &str| {
        json!({"addresses": [address],
            "conditions": {"ready": ready, "serving": ready, "terminating": false},
            "targetRef": {"kind": "Pod", "name": APPLICATION, "namespace": "default"}})
    };
    let mut endpoints = vec![endpoint("127.0.0.1")];
    if case.endpoints == Endpoints::Two {
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
    changed(case.base, change, now)
}

/// One merge patch after another: what is taken away stays so.
fn compose(known: &mut Value, patch: &Value) {
    match (known.as_object_mut(), patch.as_object()) {
        (Some(known), Some(fields)) => {
            for (name, value) in fields {
                compose(known.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        _ => *known = patch.clone(),
    }
}

fn retarget(snapshot: &mut Snapshot, ports: &BTreeMap<String, u16>) {
    for slice in snapshot.endpoint_slices.values_mut() {
        let slice = Arc::make_mut(slice);
        let service = slice.spec.service.clone().unwrap_or_default();
        let Some(port) = ports.get(&service) else {
            continue;
        };
        for named in &mut slice.spec.ports {
            named.1 = Some(*port);
        }
        if service != "secure-app" {
            for endpoint in &mut slice.spec.endpoints {
                endpoint.addresses = vec!["127.0.0.1".to_owned()];
            }
        }
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
        file: None,
        until: None,
        tally,
    }
}
