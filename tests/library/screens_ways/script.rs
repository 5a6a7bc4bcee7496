//! A session that answers from a script: forty endpoints, seen from five pods.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use ngf_cluster::{
    endpoint_matrix::{self, Cell, Done, EndpointMatrix, Progress},
    probe_context::{ClientView, LogLine, NameView, ProbeContext, Source},
    transport::{Confirmation, Via, WayTaken},
};
use ngf_core::{
    diagnosis::plan::{ProbePlan, ProbeTarget, plan_every},
    fix::FixPlan,
    model::{index::Index, object::ObjectRef, snapshot::Snapshot, topology::Topology},
};
use ngf_probes::client::ClientTranscript;
use ngf_tls::transcript::{
    ClientCertificate, Direction, Engine, HttpAnswer, Layer, NginxVerdict, Outcome, SCHEMA, Step,
    StepStatus, Transcript,
};
use ngf_tui::{
    files,
    tui::state::job::{By, MatrixNews, ProbeResult, Session},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(super) const ENDPOINTS: usize = 40;

pub(super) const PODS: [&str; 5] = ["2h4kq", "7xw9d", "b5mzn", "k8r2v", "tq6pj"];

pub(super) const AT: &str = "2026-11-23T12:00:00Z";

fn objects(pods: &[&str]) -> String {
    let mut text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/guide/gateway.yaml"
    ))
    .expect("the guide's objects");
    let _ = write!(
        text,
        "\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: gateway-nginx\n  namespace: default\n  \
         ownerReferences: [{{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, name: gateway, uid: u, controller: true}}]\n\
         spec: {{selector: {{matchLabels: {{app: gateway-nginx}}}}, template: {{metadata: {{labels: {{app: gateway-nginx}}}}, spec: {{containers: [{{name: nginx, image: nginx}}]}}}}}}\n"
    );
    for pod in pods {
        let _ = write!(
            text,
            "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: gateway-nginx-7d9f8b6c5-{pod}\n  namespace: default\n  \
             labels: {{app: gateway-nginx, pod-template-hash: 7d9f8b6c5}}\n  \
             ownerReferences: [{{apiVersion: apps/v1, kind: ReplicaSet, name: gateway-nginx-7d9f8b6c5, uid: r, controller: true}}]\n\
             spec: {{containers: [{{name: nginx, image: nginx}}]}}\n\
             status: {{phase: Running, conditions: [{{type: Ready, status: \"True\"}}], containerStatuses: [{{name: nginx, ready: true, restartCount: 0, image: nginx, imageID: x, state: {{running: {{}}}}}}]}}\n"
        );
    }
    text.push_str(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: secure-app-1, namespace: default, labels: {kubernetes.io/service-name: secure-app}}\n\
         addressType: IPv4\nports: [{name: https, port: 8443, protocol: TCP}]\nendpoints:\n",
    );
    for n in 0..ENDPOINTS {
        let _ = writeln!(
            text,
            "- {{addresses: [10.244.0.{}], conditions: {{ready: true}}, targetRef: {{kind: Pod, namespace: default, name: secure-app-{n:02}}}}}",
            n + 10
        );
    }
    text
}

pub(super) fn snapshot(pods: &[&str]) -> Arc<Snapshot> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("objects.yaml");
    std::fs::write(&path, objects(pods)).expect("a file");
    let snapshot = files::read(&[path], "default");
    assert!(snapshot.problems.is_empty(), "{:?}", snapshot.problems);
    Arc::new(snapshot)
}

pub(super) fn way(via: Via) -> WayTaken {
    WayTaken {
        via: via.to_string(),
        because: "The connection originates from where the script says.".to_owned(),
        not_taken: Vec::new(),
        seen_from: None,
    }
}

/// The steps of a handshake that ends in an answer, or at an expired certificate.
pub(super) fn steps(served: bool, took_us: u64) -> Vec<Step> {
    let step = |name: &str, layer, direction, at_us, status, summary: &str| Step {
        name: name.to_owned(),
        layer,
        direction,
        at_us,
        bytes: None,
        summary: summary.to_owned(),
        status,
        beyond_nginx: false,
        fields: Vec::new(),
    };
    let judged = if served {
        StepStatus::Ok
    } else {
        StepStatus::Failed
    };
    let mut steps = vec![
        step(
            "TCP connect",
            Layer::Tcp,
            Direction::Local,
            310,
            StepStatus::Ok,
            "",
        ),
        step(
            "ClientHello",
            Layer::Tls,
            Direction::Sent,
            420,
            StepStatus::Ok,
            "",
        ),
        step(
            "ServerHello",
            Layer::Tls,
            Direction::Received,
            900,
            StepStatus::Ok,
            "",
        ),
        step(
            "Certificate",
            Layer::Tls,
            Direction::Received,
            950,
            StepStatus::Ok,
            "",
        ),
        step(
            "verify certificate",
            Layer::Verify,
            Direction::Local,
            980,
            judged,
            "has expired",
        ),
        step(
            "Finished",
            Layer::Tls,
            Direction::Received,
            1_000,
            StepStatus::Ok,
            "",
        ),
    ];
    if served {
        steps.push(step(
            "HTTP request",
            Layer::Http,
            Direction::Sent,
            1_100,
            StepStatus::Ok,
            "GET /",
        ));
        steps.push(step(
            "HTTP response",
            Layer::Http,
            Direction::Received,
            took_us,
            StepStatus::Ok,
            "200",
        ));
    }
    steps
}

/// A handshake of which nginx says this.
fn transcript(plan: &ProbePlan, outcome: Outcome, took_us: u64) -> Transcript {
    let address = format!("{}:{}", plan.endpoint.address, plan.endpoint.port);
    let served = outcome == Outcome::Ok;
    let steps = steps(served, took_us);
    let sentence = if served {
        format!("{address} answers 200")
    } else {
        format!("the certificate that {address} presents has expired")
    };
    Transcript {
        schema: SCHEMA.to_owned(),
        started_at: AT.to_owned(),
        duration_us: took_us,
        target: address.clone(),
        address: Some(address),
        protocol: plan.protocol,
        via: "exec".to_owned(),
        engine: Engine {
            name: "openssl".to_owned(),
            version: "OpenSSL 3.5.5".to_owned(),
        },
        nginx: NginxVerdict {
            outcome,
            verify_code: Some(if served { 0 } else { 10 }),
            verify_text: None,
            alert: None,
            client_status: Some(if served { 200 } else { 502 }),
            log_line: (!served).then(|| {
                "upstream SSL certificate verify error: (10:certificate has expired)".to_owned()
            }),
            sentence,
        },
        not_proven: Vec::new(),
        judged_at: None,
        expires_first: None,
        second_opinion: None,
        tls: None,
        verify_trace: Vec::new(),
        client_certificate: ClientCertificate::default(),
        server_chain: Vec::new(),
        steps,
        records: Vec::new(),
        http: served.then(|| HttpAnswer {
            status: 200,
            body: "hello".to_owned(),
            server: None,
        }),
    }
}

/// Every probe fails with an expired certificate; in the matrix one endpoint does, and one pod is slow.
pub(super) struct Script {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) rounds: AtomicUsize,
    /// What the gateway's client saw at a listener that ends TLS.
    pub(super) client: Option<ClientTranscript>,
}

impl Script {
    fn outcome(row: usize, column: usize, round: usize) -> Outcome {
        if row == 3 || (row == 5 && column == 4 && round > 0) {
            Outcome::VerifyError
        } else {
            Outcome::Ok
        }
    }
}

impl Session for Script {
    fn probe<'a>(
        &'a self,
        plan: &'a ProbePlan,
        by: &'a By,
        _: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<ProbeResult, String>> {
        let seen = ProbeResult {
            place: None,
            notes: Vec::new(),
            transcript: Arc::new(transcript(plan, Outcome::VerifyError, 2_900)),
            way: way(by.via),
            exec: None,
            again: None,
        };
        futures::future::ready(Ok(seen)).boxed()
    }

    fn probe_context<'a>(
        &'a self,
        _: &'a ProbePlan,
        _: &'a ProbeResult,
        _: Timestamp,
        _: &'a CancellationToken,
    ) -> BoxFuture<'a, Option<ProbeContext>> {
        let line = |source, step: &'static str, line: &str, means: &str| LogLine {
            source,
            from: "Pod default/secure-app-00 (app)".to_owned(),
            line: line.to_owned(),
            step: Some(step.into()),
            means: Some(means.to_owned()),
        };
        let context = ProbeContext {
            client: Some(ClientView {
                request: "http://10.96.36.219:80/".to_owned(),
                via: "direct".to_owned(),
                status: Some(502),
                answer: "502 Bad Gateway".to_owned(),
                body: String::new(),
                sentence: "the gateway's client gets 502, as the probe says".to_owned(),
                transcript: self.client.clone().map(Box::new),
                without_certificate: None,
            }),
            log_lines: vec![
                line(
                    Source::DataPlane,
                    "verify certificate",
                    "2026/11/23 12:00:00 [error] 29#29: *7 upstream SSL certificate verify error: (10:certificate has expired)",
                    "nginx does not take the backend's certificate (10:certificate has expired)",
                ),
                line(
                    Source::Application,
                    "HTTP request",
                    "10.244.0.5 ssl_client_verify=NONE",
                    "no client certificate reached the application",
                ),
            ],
            names: vec![NameView {
                name: "secure-app.default.svc".to_owned(),
                pod: "Pod default/gateway-nginx-7d9f8b6c5-2h4kq".to_owned(),
                servers: Vec::new(),
                search: Vec::new(),
                ndots: 5,
                there: Vec::new(),
                there_error: None,
                here: Vec::new(),
                here_error: None,
                sentence:
                    "secure-app.default.svc is 10.96.213.57 in the pod; here: there is no such name"
                        .to_owned(),
            }],
            missing: vec![
                "the log of Pod default/secure-app-00 (sidecar): you may not read it".to_owned(),
            ],
        };
        futures::future::ready(Some(context)).boxed()
    }

    fn matrix<'a>(
        &'a self,
        gateway: &'a ObjectRef,
        by: &'a By,
        _: &'a CancellationToken,
        news: mpsc::Sender<MatrixNews>,
    ) -> BoxFuture<'a, Result<EndpointMatrix, String>> {
        let round = self.rounds.fetch_add(1, Ordering::Relaxed);
        async move {
            let target = ProbeTarget::Gateway(gateway.clone());
            let index = Index::of(&self.snapshot);
            let topology = Topology::with(&self.snapshot, &index);
            let planning = plan_every(&self.snapshot, &index, &topology, &target);
            let plans = planning.expect("plans").plans;
            let columns: Vec<String> = PODS
                .iter()
                .map(|pod| format!("gateway-nginx-7d9f8b6c5-{pod}"))
                .collect();
            let began: Timestamp = AT.parse().expect("a moment");
            let mut matrix = EndpointMatrix::waiting(plans.clone(), columns.clone(), began);
            news.send(MatrixNews::Began(Box::new(matrix.clone())))
                .await
                .expect("heard");
            let of = plans.len() * columns.len();
            for (row, plan) in plans.iter().enumerate() {
                for column in 0..columns.len() {
                    let outcome = Self::outcome(row, column, round);
                    let took = if column == 1 {
                        42_000
                    } else {
                        1_200 + 10 * row as u64
                    };
                    let seen = transcript(plan, outcome, took);
                    let cell = Cell::Probed {
                        outcome,
                        verify_code: seen.nginx.verify_code,
                        alert: None,
                        client_status: seen.nginx.client_status,
                        sentence: seen.nginx.sentence.clone(),
                        took_us: took,
                        via: seen.via.clone(),
                    };
                    matrix.rows[row].cells[column] = cell.clone();
                    let done = Done {
                        row,
                        column,
                        cell,
                        seen: Some((Arc::new(seen), way(by.via))),
                        at: began,
                        progress: Progress {
                            done: row * columns.len() + column + 1,
                            of,
                            faults: 0,
                        },
                    };
                    news.send(MatrixNews::Done(Box::new(done)))
                        .await
                        .expect("heard");
                }
            }
            matrix.findings = endpoint_matrix::findings(&matrix);
            Ok(matrix)
        }
        .boxed()
    }

    fn try_fix<'a>(&'a self, _: &'a FixPlan) -> BoxFuture<'a, Result<Vec<String>, String>> {
        let lines = vec!["the API server would take it: Gateway default/gateway".to_owned()];
        futures::future::ready(Ok(lines)).boxed()
    }

    fn apply_fix<'a>(
        &'a self,
        _: &'a FixPlan,
        _: Confirmation,
    ) -> BoxFuture<'a, Result<Vec<String>, String>> {
        let lines = vec!["Gateway default/gateway is changed".to_owned()];
        futures::future::ready(Ok(lines)).boxed()
    }
}
