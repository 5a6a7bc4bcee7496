//! What commands that stay open send to an API server that has forgotten old versions, counted on the
//! wire; and credentials that are renewed while the tool runs. Every bound is on requests that are too
//! many, so that a slow machine changes nothing.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use axum::{
    body::Body,
    extract::Request,
    http::{StatusCode, header::AUTHORIZATION},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use ngf_cluster::{ClusterError, ClusterOptions, connect};
use ngf_core::model::snapshot::{KindState, Loss};
use ngf_sandbox::{Sandbox, SandboxOptions, Scenario, Stage};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::support::{has_peer, ngf_tui};

/// `kubectl proxy` before the embedded cluster, and before that a counter of requests.
struct Counter {
    kubectl: Child,
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Counter {
    fn before(kubeconfig: &std::path::Path) -> Self {
        let mut kubectl = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(["proxy", "--port=0", "--reject-paths=^$"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl");
        let output = kubectl.stdout.take().expect("an output");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("a line");
        let (_, behind) = line.trim().rsplit_once(':').expect("a port");
        let behind: u16 = behind.parse().expect("a port");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let counted = Arc::clone(&asked);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let counted = Arc::clone(&counted);
                // A connection that breaks is the other side's business.
                thread::spawn(move || carry(client, behind, &counted));
            }
        });
        Self {
            kubectl,
            port,
            asked,
        }
    }

    fn kubeconfig(&self) -> String {
        format!(
            "{{apiVersion: v1, kind: Config, current-context: p, clusters: [{{name: p, cluster: {{server: 'http://127.0.0.1:{}'}}}}], contexts: [{{name: p, context: {{cluster: p, user: ''}}}}]}}",
            self.port
        )
    }

    /// Requests since it was last asked, by their paths without what comes after `?`.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        let _ = self.kubectl.kill();
        let _ = self.kubectl.wait();
    }
}

fn carry(mut client: TcpStream, behind: u16, asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", behind))?;
    let (mut back_from, mut back_to) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut back_from, &mut back_to);
        let _ = back_to.shutdown(std::net::Shutdown::Both);
    });
    let mut chunk = [0; 16 << 10];
    loop {
        let read = client.read(&mut chunk)?;
        if read == 0 {
            return server.shutdown(std::net::Shutdown::Both);
        }
        // The tool writes the head of a request at once.
        let text = String::from_utf8_lossy(&chunk[..read]);
        let mut words = text.split(' ');
        if let (Some("GET" | "POST"), Some(path)) = (words.next(), words.next()) {
            asked.lock().expect("no panic").push(path.to_owned());
        }
        server.write_all(&chunk[..read])?;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_stay_open_are_calm_where_old_versions_are_forgotten() {
    if !has_peer("kubectl") {
        return;
    }
    let guide = Scenario::find("guide").expect("the guide");
    let sandbox = Sandbox::start(SandboxOptions::new(guide, Stage::Policy)).await;
    let sandbox = sandbox.expect("the embedded cluster");
    let folder = tempfile::tempdir().expect("a folder");
    let direct = folder.path().join("direct");
    std::fs::write(&direct, sandbox.kubeconfig()).expect("a kubeconfig");
    let counter = Counter::before(&direct);
    let through = folder.path().join("through");
    std::fs::write(&through, counter.kubeconfig()).expect("a kubeconfig");
    // As after a restart: every version that an object has is older than what is remembered.
    sandbox.compact();
    for arguments in [
        "logs --follow",
        "probe httproute/secure-app --watch 5s --backend-only -o json",
    ] {
        counter.take();
        let mut tool = ngf_tui()
            .arg("--kubeconfig")
            .arg(&through)
            .args(arguments.split(' '))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program");
        let output = tool.stdout.take().expect("an output");
        let first = tokio::task::spawn_blocking(move || {
            let mut output = BufReader::new(output);
            let mut line = String::new();
            output.read_line(&mut line).map(|_| (line, output))
        });
        let (line, _output) = first.await.expect("no panic").expect("a line");
        assert!(!line.is_empty(), "{arguments}: it has begun");
        tokio::time::sleep(Duration::from_secs(8)).await;
        tool.kill().expect("it runs");
        tool.wait().expect("it ends");
        let asked = counter.take();
        let by_name = asked
            .iter()
            .filter(|path| path.contains("/secrets") || path.contains("/configmaps"));
        // A probe reads the Secrets that it needs in each round.
        let by_name = by_name.count();
        assert!(by_name <= 40, "{arguments}: {by_name} requests for Secrets");
        let all = asked.len();
        assert!((30..=250).contains(&all), "{arguments}: {all} requests");
    }
    sandbox.shutdown().await;
}

/// An API server that accepts one token, until it is told to accept another: then it closes its watches.
struct Doors {
    address: SocketAddr,
    is_renewed: Arc<AtomicBool>,
    /// Requests with the new token.
    let_in: Arc<AtomicUsize>,
    closed: watch::Sender<bool>,
}

impl Doors {
    async fn open() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        let is_renewed = Arc::new(AtomicBool::new(false));
        let closed = watch::Sender::new(false);
        let let_in = Arc::new(AtomicUsize::new(0));
        let (renewed, close) = (Arc::clone(&is_renewed), closed.clone());
        let counted = Arc::clone(&let_in);
        let app = axum::Router::new().fallback(move |request: Request| {
            let wanted = if renewed.load(Ordering::Relaxed) {
                "Bearer new"
            } else {
                "Bearer old"
            };
            let given = request.headers().get(AUTHORIZATION);
            let is_known = given.is_some_and(|given| given == wanted);
            if is_known && wanted == "Bearer new" {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            let close = close.subscribe();
            async move { answer(&request, is_known, close) }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            address,
            is_renewed,
            let_in,
            closed,
        }
    }

    fn change_the_lock(&self) {
        self.is_renewed.store(true, Ordering::Relaxed);
        self.closed.send_replace(true);
    }

    fn kubeconfig(&self, token: &str) -> String {
        self.kubeconfig_of(&format!("{{token: {token}}}"))
    }

    fn kubeconfig_of(&self, user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: prod\n\
             contexts:\n- {{name: prod, context: {{cluster: c, user: alice}}}}\n\
             clusters:\n- {{name: c, cluster: {{server: 'http://{}'}}}}\n\
             users:\n- {{name: alice, user: {user}}}\n",
            self.address
        )
    }
}

fn answer(request: &Request, is_known: bool, mut close: watch::Receiver<bool>) -> Response {
    if !is_known {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 401,
            "message": "Unauthorized", "reason": "Unauthorized", "metadata": {},
        });
        return (StatusCode::UNAUTHORIZED, status.to_string()).into_response();
    }
    let groups = |items| json!({"kind": "APIGroupDiscoveryList", "items": items}).to_string();
    match request.uri().path() {
        "/version" => json!({"major": "1", "minor": "36"})
            .to_string()
            .into_response(),
        "/api" => groups(json!([])).into_response(),
        "/apis" => groups(json!([{
            "metadata": {"name": "gateway.networking.k8s.io"},
            "versions": [{"version": "v1", "resources": [{"resource": "gateways"}]}],
        }]))
        .into_response(),
        "/readyz" => "ok".into_response(),
        _ if request
            .uri()
            .query()
            .is_some_and(|query| query.contains("watch=true")) =>
        {
            let ended = async move {
                let seen = *close.borrow_and_update();
                while *close.borrow() == seen && close.changed().await.is_ok() {}
                Ok::<_, std::io::Error>(String::new())
            };
            Body::from_stream(futures::stream::once(ended).boxed()).into_response()
        }
        _ => json!({"metadata": {"resourceVersion": "1"}, "items": []})
            .to_string()
            .into_response(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_were_renewed_in_the_kubeconfig_are_taken_up() {
    const PATIENCE: Duration = Duration::from_mins(2);
    let doors = Doors::open().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config");
    std::fs::write(&path, doors.kubeconfig("old")).expect("a kubeconfig");
    let options = ClusterOptions {
        kubeconfig: Some(path.clone()),
        ..ClusterOptions::default()
    };
    let cluster = connect(&options).await.expect("a connection");
    let mut snapshots = cluster.watch(&CancellationToken::new());
    let is_live = |snapshot: &Arc<ngf_core::model::snapshot::Snapshot>| {
        let mut states = snapshot.kinds.values();
        snapshot.lost.is_none()
            && states.all(|state| matches!(state, KindState::Live { .. } | KindState::NotServed))
    };
    let live = tokio::time::timeout(PATIENCE, snapshots.wait_for(is_live)).await;
    drop(live.expect("in time").expect("it is read"));

    doors.change_the_lock();
    let lost = snapshots.wait_for(|snapshot| snapshot.lost.is_some());
    let lost = tokio::time::timeout(PATIENCE, lost).await.expect("in time");
    let lost = lost.expect("it is read").lost.clone().expect("a loss");
    let Loss::Refused { who } = lost.loss else {
        panic!("{lost:?}")
    };
    assert_eq!(who, "user \"alice\"");
    let Err(error @ ClusterError::Unauthorized { .. }) = connect(&options).await else {
        panic!("the old token is accepted")
    };
    let words = error.to_string();
    assert!(
        words.contains("context \"prod\", user \"alice\" (") && words.contains("log in again"),
        "{words}"
    );

    // Somebody logs in again, and moves on to another context: what is shown stays what it is.
    let renewed = doors
        .kubeconfig("new")
        .replace("current-context: prod", "current-context: elsewhere");
    std::fs::write(&path, renewed).expect("a kubeconfig");
    let live = tokio::time::timeout(PATIENCE, snapshots.wait_for(is_live)).await;
    live.expect("in time").expect("it is read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_is_run_again_where_its_token_is_not_accepted_any_more() {
    const PATIENCE: Duration = Duration::from_mins(3);
    let doors = Doors::open().await;
    let folder = tempfile::tempdir().expect("a folder");
    let credential = folder.path().join("credential");
    let give = |token: &str| {
        let text = json!({
            "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
            "status": {"token": token, "expirationTimestamp": "2999-01-01T00:00:00Z"},
        });
        std::fs::write(&credential, text.to_string()).expect("a credential");
    };
    give("old");
    let user = format!(
        "{{exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: cat, args: ['{}']}}}}",
        credential.display()
    );
    let path = folder.path().join("config");
    std::fs::write(&path, doors.kubeconfig_of(&user)).expect("a kubeconfig");
    let options = ClusterOptions {
        kubeconfig: Some(path),
        ..ClusterOptions::default()
    };
    let cluster = connect(&options).await.expect("a connection");
    let mut snapshots = cluster.watch(&CancellationToken::new());
    let is_live = |snapshot: &Arc<ngf_core::model::snapshot::Snapshot>| {
        let mut states = snapshot.kinds.values();
        snapshot.lost.is_none()
            && states.all(|state| matches!(state, KindState::Live { .. } | KindState::NotServed))
    };
    let live = tokio::time::timeout(PATIENCE, snapshots.wait_for(is_live)).await;
    drop(live.expect("in time").expect("it is read"));

    give("new");
    doors.change_the_lock();
    let begun = std::time::Instant::now();
    while doors.let_in.load(Ordering::Relaxed) == 0 {
        assert!(begun.elapsed() < PATIENCE, "the plugin is not run again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let live = tokio::time::timeout(PATIENCE, snapshots.wait_for(is_live)).await;
    live.expect("in time").expect("it is read");
}
