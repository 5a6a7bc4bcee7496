//! A kube-apiserver with its etcd for tests: started, broken and asked what it was asked.

#![allow(dead_code)] // each file uses a part of it

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use ngf_cluster::{Cluster, ClusterOptions};
use ngf_core::model::snapshot::Snapshot;
use serde_json::Value;
use tokio::{sync::watch::Receiver, time::timeout};

use crate::sandbox_support::{ProgramOutput, run, run_with};

/// How long a test waits for what must come, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The release of Gateway API that most tests have.
pub(crate) const GATEWAY_API: &str = "gateway-api-v1.5.1/experimental";
const CERT_MANAGER: &str = "cert-manager-v1.21.2";

/// Folder of the built program and of the CustomResourceDefinitions.
static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let output = Command::new("tests/apiserver/go/build")
        .stderr(Stdio::inherit())
        .output()
        .expect("the build can be started");
    assert!(output.status.success(), "tests/apiserver/go/build failed");
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
});

/// An API server.
pub(crate) struct ApiServer {
    child: Child,
    /// Lines to it and from it.
    talk: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    pub(crate) folder: PathBuf,
    files: AtomicU32,
}

impl ApiServer {
    /// The one that tests share, each in a namespace of its own: Gateway API, NGF, cert-manager, and the
    /// users of `go/rbac.yaml`. It ends with this process.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: LazyLock<ApiServer> = LazyLock::new(|| ApiServer::start(GATEWAY_API, &[]));
        &SHARED
    }

    /// One of its own, with this release of Gateway API.
    pub(crate) fn start(gateway_api: &str, flags: &[&str]) -> Self {
        let mut command = Command::new(BUILT.join("apiserver"));
        for path in [
            BUILT.join("crds").join(gateway_api),
            BUILT.join("crds").join(CERT_MANAGER),
            PathBuf::from("tests/apiserver/go/crds/ngf.yaml"),
            PathBuf::from("assets/rbac.yaml"),
            PathBuf::from("tests/apiserver/go/rbac.yaml"),
        ] {
            command.arg("-apply").arg(path);
        }
        command.arg("--").args(flags);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the API server can be started");
        let input = child.stdin.take().expect("its input");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let mut kubeconfig = String::new();
        output.read_line(&mut kubeconfig).expect("a line");
        let path = kubeconfig.trim().strip_prefix("kubeconfig ");
        let path = Path::new(path.expect("the API server starts: its error is above"));
        let folder = path.parent().expect("a folder").to_owned();
        let mut ready = String::new();
        output.read_line(&mut ready).expect("a line");
        assert_eq!(ready, "ready\n");
        Self {
            child,
            talk: Mutex::new((input, output)),
            folder,
            files: AtomicU32::new(0),
        }
    }

    /// Gives a command of `go/main.go`, and returns the answer.
    #[track_caller]
    pub(crate) fn tell(&self, command: &str) -> String {
        match self.ask(command) {
            Ok(answer) => answer,
            Err(error) => panic!("{command}: {error}"),
        }
    }

    /// As [`ApiServer::tell`], where it may fail.
    pub(crate) fn ask(&self, command: &str) -> Result<String, String> {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(talk.0, "{command}").expect("it listens");
        let mut answer = String::new();
        talk.1.read_line(&mut answer).expect("it answers");
        match answer.trim().strip_prefix("ok") {
            Some(rest) => Ok(rest.trim().to_owned()),
            None => Err(answer.trim().to_owned()),
        }
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// Applies manifests as admin, `.status` of its kind's status subresource included.
    #[track_caller]
    pub(crate) fn apply(&self, manifests: &str) {
        if let Err(error) = self.applied(manifests) {
            panic!("{error}: {manifests:.1000}");
        }
    }

    /// As [`ApiServer::apply`], where it may fail.
    pub(crate) fn applied(&self, manifests: &str) -> Result<(), String> {
        let file = self.file(manifests);
        self.ask(&format!("apply {}", file.display())).map(drop)
    }

    /// Writes the status of an object that exists, as its controller does.
    #[track_caller]
    pub(crate) fn write_status(&self, manifest: &Value) {
        let file = self.file(&manifest.to_string());
        self.tell(&format!("status {}", file.display()));
    }

    /// Creates objects, many at once.
    #[track_caller]
    pub(crate) fn create(&self, manifests: &str) {
        let file = self.file(manifests);
        self.tell(&format!("create {}", file.display()));
    }

    fn file(&self, text: &str) -> PathBuf {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let file = self.folder.join(format!("{number}.yaml"));
        std::fs::write(&file, text).expect("written");
        file
    }

    /// Applies a folder of CustomResourceDefinitions.
    pub(crate) fn install(&self, crds: &str) {
        self.tell(&format!(
            "apply {}",
            BUILT.join("crds").join(crds).display()
        ));
    }

    /// A new namespace.
    pub(crate) fn namespace(&self, what: &str) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t-{what}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.apply(&format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"
        ));
        name
    }

    fn kubectl_command(&self, arguments: &str) -> Command {
        let mut command = Command::new("kubectl");
        command
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .arg("--cache-dir")
            .arg(self.folder.join("cache"))
            .args(arguments.split_whitespace());
        command
    }

    /// `kubectl` as admin, with arguments that hold no spaces.
    pub(crate) fn kubectl(&self, arguments: &str) -> ProgramOutput {
        run(&mut self.kubectl_command(arguments))
    }

    /// `kubectl … -f -`.
    pub(crate) fn kubectl_with(&self, arguments: &str, input: &str) -> ProgramOutput {
        run_with(&mut self.kubectl_command(arguments), input.as_bytes())
    }

    /// The object as the API server has it.
    #[track_caller]
    pub(crate) fn get(&self, what: &str, namespace: &str) -> Value {
        let text = self.kubectl(&format!("get {what} -n {namespace} -o json"));
        serde_json::from_str(&text.fine()).expect("JSON")
    }

    /// The program, as this user.
    pub(crate) fn ngf_tui(&self, user: &str, arguments: &str) -> ProgramOutput {
        let mut command = crate::sandbox_support::ngf_tui(&self.kubeconfig(), arguments);
        run(command.args(["--context", user]))
    }

    /// The options of a connection as this user, of a namespace or of all.
    pub(crate) fn options(&self, user: &str, namespace: Option<&str>) -> ClusterOptions {
        ClusterOptions {
            kubeconfig: Some(self.kubeconfig()),
            context: Some(user.to_owned()),
            namespace: namespace.map(Into::into),
            ..ClusterOptions::default()
        }
    }

    /// The cluster as this user.
    pub(crate) async fn connect(&self, user: &str, namespace: Option<&str>) -> Cluster {
        ngf_cluster::connect(&self.options(user, namespace))
            .await
            .expect("the API server answers")
    }

    /// Where the API server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        let text = std::fs::read_to_string(self.kubeconfig()).expect("a kubeconfig");
        let (_, rest) = text.split_once("server: https://").expect("a server");
        let address = rest.lines().next().expect("an address");
        address.parse().expect("an address and a port")
    }

    /// The cluster as this user, by another address that leads to the API server.
    pub(crate) async fn connect_by(&self, user: &str, address: SocketAddr) -> Cluster {
        let text = std::fs::read_to_string(self.kubeconfig()).expect("a kubeconfig");
        let mut options = self.options(user, None);
        options.kubeconfig = None;
        options.kubeconfig_text =
            Some(text.replace(&self.address().to_string(), &address.to_string()));
        ngf_cluster::connect(&options).await.expect("it answers")
    }

    /// Watches as admin until there is a bookmark of this version or a later one.
    pub(crate) async fn until_bookmark(&self, path: &str, version: u64) {
        use futures::AsyncBufReadExt as _;
        let client = self.connect("admin", None).await.client();
        let request = axum::http::Request::get(path)
            .body(Vec::new())
            .expect("a request");
        let mut lines = client
            .request_stream(request)
            .await
            .expect("a watch")
            .lines();
        let waited = timeout(2 * PATIENCE, async {
            while let Some(line) = futures::StreamExt::next(&mut lines).await {
                let event: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
                let at = event.pointer("/object/metadata/resourceVersion");
                let at = at
                    .and_then(Value::as_str)
                    .and_then(|at| at.parse::<u64>().ok());
                if event["type"] == "BOOKMARK" && at.is_some_and(|at| at >= version) {
                    return;
                }
            }
            panic!("the watch ended");
        });
        waited.await.expect("a bookmark");
    }

    /// What the API server was asked, of which this is true: its audit log.
    pub(crate) fn asked(&self, is_wanted: impl Fn(&Asked) -> bool) -> Vec<Asked> {
        let text = std::fs::read_to_string(self.folder.join("audit.log")).unwrap_or_default();
        let whole = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let asked = whole.map(|event: Value| Asked::of(&event));
        asked.filter(is_wanted).collect()
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        // Its input ends with the struct; it must be gone before its folder can be.
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(talk.0, "exit");
        drop(talk);
        let _ = self.child.wait();
    }
}

/// A request that the API server got.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) user: String,
    pub(crate) agent: String,
    /// `get`, `list`, `watch`, `patch`, …
    pub(crate) verb: String,
    /// Path and query.
    pub(crate) uri: String,
    /// `ResponseStarted` of a watch, `ResponseComplete`.
    pub(crate) stage: String,
    pub(crate) code: u64,
}

impl Asked {
    fn of(event: &Value) -> Self {
        let text = |path: &str| {
            let text = event.pointer(path).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        Self {
            user: text("/user/username"),
            agent: text("/userAgent"),
            verb: text("/verb"),
            uri: text("/requestURI"),
            stage: text("/stage"),
            code: event
                .pointer("/responseStatus/code")
                .and_then(Value::as_u64)
                .unwrap_or_default(),
        }
    }

    /// The version that a watch began at.
    pub(crate) fn version(&self) -> u64 {
        let (_, rest) = self.uri.split_once("resourceVersion=").expect("a version");
        let digits = rest.split('&').next().unwrap_or_default();
        digits.parse().expect("a number")
    }

    /// Whether it changes something.
    pub(crate) fn writes(&self) -> bool {
        let is_review = self.uri.contains("/selfsubjectaccessreviews")
            || self.uri.contains("/selfsubjectrulesreviews");
        !matches!(self.verb.as_str(), "get" | "list" | "watch") && !is_review
    }
}

/// Waits for a snapshot of which something is true.
pub(crate) async fn until(
    snapshots: &mut Receiver<Arc<Snapshot>>,
    what: &str,
    is_true: impl FnMut(&Arc<Snapshot>) -> bool,
) -> Arc<Snapshot> {
    let waited = timeout(PATIENCE, snapshots.wait_for(is_true)).await;
    if let Ok(snapshot) = waited {
        return Arc::clone(&snapshot.expect("it is still read"));
    }
    drop(waited);
    panic!(
        "waited {PATIENCE:?} for: {what}; {:?}",
        snapshots.borrow().kinds
    )
}

/// Waits until something holds.
pub(crate) async fn until_so(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(
            began.elapsed() < PATIENCE,
            "waited {PATIENCE:?} for: {what}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
