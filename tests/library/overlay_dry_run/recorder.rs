//! A proxy that records what is asked of the embedded cluster, and answers some of it itself.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::sandbox_support::Cluster;
use crate::support::ngf_tui;
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{Method, Response, header},
};
use ngf_cluster::{ClusterOptions, connect};
use ngf_sandbox::Stage;
use serde_json::{Value, json};

/// What a recorder answers itself: to the first `times` requests of this method whose path ends so.
#[derive(Clone)]
pub(super) struct Instead {
    pub(super) method: Method,
    pub(super) ends: &'static str,
    pub(super) times: usize,
    pub(super) answer: Answer,
}

#[derive(Clone)]
pub(super) enum Answer {
    /// A status, warnings, and a body.
    With(u16, Vec<&'static str>, Value),
    /// Nothing, ever.
    Never,
}

/// A request that passed.
#[derive(Debug, Clone)]
pub(super) struct Passed {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) body: String,
}

#[derive(Clone)]
struct Recorder {
    pub(super) client: kube::Client,
    pub(super) instead: Arc<Mutex<Vec<Instead>>>,
    pub(super) passed: Arc<Mutex<Vec<Passed>>>,
}

/// The embedded cluster with the recorder before it.
pub(super) struct Recorded {
    pub(super) cluster: Cluster,
    recorder: Recorder,
    pub(super) kubeconfig: PathBuf,
}

impl Recorded {
    pub(super) async fn start(instead: Vec<Instead>) -> Self {
        let cluster = Cluster::start("guide", Stage::Policy).await;
        let options = ClusterOptions {
            kubeconfig: Some(cluster.path("kubeconfig")),
            ..ClusterOptions::default()
        };
        let behind = connect(&options).await.expect("it answers");
        let recorder = Recorder {
            client: behind.client(),
            instead: Arc::new(Mutex::new(instead)),
            passed: Arc::default(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let router = Router::new().fallback(pass).with_state(recorder.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let text = cluster.sandbox.kubeconfig();
        let server = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("server: "))
            .expect("a server")
            .to_owned();
        let kubeconfig = cluster.path("recorded");
        let text = text.replace(&server, &format!("http://127.0.0.1:{port}"));
        fs::write(&kubeconfig, text).expect("written");
        Self {
            cluster,
            recorder,
            kubeconfig,
        }
    }

    pub(super) fn manifests(&self, text: &str) -> PathBuf {
        let path = self.cluster.path("manifests.yaml");
        fs::write(&path, text).expect("written");
        path
    }

    /// Exit status and everything that is printed.
    pub(super) fn check(&self, manifests: &Path, more: &[&str]) -> (Option<i32>, String) {
        let output = tokio::task::block_in_place(|| {
            ngf_tui()
                .arg("--kubeconfig")
                .arg(&self.kubeconfig)
                .args(["check", "--over", "-f"])
                .arg(manifests)
                .args(more)
                .output()
                .expect("it runs")
        });
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code(),
            String::from_utf8(text).expect("UTF-8"),
        )
    }

    pub(super) fn writes(&self) -> Vec<Passed> {
        let passed = self.recorder.passed.lock().expect("no panic");
        let writes = passed.iter().filter(|passed| passed.method != Method::GET);
        writes.cloned().collect()
    }

    /// The findings of `-o json` that are new, as `CODE title`.
    pub(super) fn brings(&self, manifests: &Path, more: &[&str]) -> Vec<String> {
        let (_, text) = self.check(manifests, &[&["-o", "json"], more].concat());
        let report: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        let new = report["new"].as_array().expect("a list");
        new.iter()
            .map(|finding| {
                format!(
                    "{} {}",
                    finding["code"].as_str().expect("a code"),
                    finding["title"].as_str().expect("a title")
                )
            })
            .collect()
    }
}

async fn pass(State(recorder): State<Recorder>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 16 << 20).await.expect("a body");
    let path = parts.uri.path().to_owned();
    recorder.passed.lock().expect("no panic").push(Passed {
        method: parts.method.clone(),
        path: path.clone(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body: String::from_utf8_lossy(&body).into_owned(),
    });
    let instead = {
        let mut all = recorder.instead.lock().expect("no panic");
        all.iter_mut()
            .find(|one| one.times > 0 && one.method == parts.method && path.ends_with(one.ends))
            .map(|one| {
                one.times -= 1;
                one.answer.clone()
            })
    };
    match instead {
        Some(Answer::Never) => {
            tokio::time::sleep(Duration::from_mins(10)).await;
            unreachable!("nobody waits so long")
        }
        Some(Answer::With(status, warnings, body)) => {
            let mut answer = Response::builder()
                .status(status)
                .header(header::CONTENT_TYPE, "application/json");
            for warning in warnings {
                answer = answer.header(header::WARNING, warning);
            }
            answer
                .body(Body::from(body.to_string()))
                .expect("an answer")
        }
        None => forward(&recorder, &parts, body).await,
    }
}

async fn forward(
    recorder: &Recorder,
    parts: &axum::http::request::Parts,
    body: Bytes,
) -> Response<Body> {
    let target = parts.uri.path_and_query().expect("a path").as_str();
    let mut request = axum::http::Request::builder()
        .method(parts.method.clone())
        .uri(target);
    for name in [header::CONTENT_TYPE, header::ACCEPT] {
        if let Some(value) = parts.headers.get(&name) {
            request = request.header(name, value);
        }
    }
    let request = request
        .body(kube::client::Body::from(body))
        .expect("a request");
    let answer = recorder.client.send(request).await.expect("an answer");
    let (parts, body) = answer.into_parts();
    Response::from_parts(parts, Body::new(body))
}

pub(super) fn refusal(code: u16, reason: &str, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason,
        "message": message, "code": code})
}
