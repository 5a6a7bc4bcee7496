//! A real single-node Kubernetes (`../shared/lab/kube`, or one like it) with the guide played on
//! it, named by `NGF_TUI_LAB_KUBECONFIG`: the contexts admin, viewer, diag, dev, oldexec, the images
//! lab/busybox:1, lab/nginx:1 and lab/pause:1, and beside the kubeconfig `ngf.py`, which plays NGF
//! once. Each test has a namespace of its own, which is deleted at its end.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use ngf_cluster::{self, Cluster, ClusterOptions};

/// Names the kubeconfig of the lab.
const VARIABLE: &str = "NGF_TUI_LAB_KUBECONFIG";

/// The kubeconfig of the lab. Whoever asks for these tests has one.
pub(crate) fn kubeconfig() -> PathBuf {
    match std::env::var_os(VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => panic!("{VARIABLE} must name the kubeconfig of a lab"),
    }
}

/// A namespace on the lab.
pub(crate) struct Lab {
    pub(crate) kubeconfig: PathBuf,
    pub(crate) namespace: String,
    /// Those with a Gateway come one after the other: NGF is played for all of them at once.
    turn: Option<MutexGuard<'static, ()>>,
}

static TURN: Mutex<()> = Mutex::new(());

impl Lab {
    /// An empty namespace.
    pub(crate) fn namespace(what: &str) -> Self {
        Self::new(what, None)
    }

    fn new(what: &str, turn: Option<MutexGuard<'static, ()>>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let kubeconfig = kubeconfig();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("t-{what}-{}-{count}", std::process::id());
        let lab = Self {
            kubeconfig,
            namespace,
            turn,
        };
        lab.run(&["create", "namespace", &lab.namespace]);
        lab
    }

    /// A namespace with the guide in it, at its end: mutual TLS works.
    pub(crate) fn guide(what: &str) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let lab = Self::new(what, Some(turn));
        let folder = lab.folder();
        for secret in [
            "app-tls-secret",
            "backend-cert",
            "gateway-presents-this-cert-for-validation",
        ] {
            let json = lab.run(&["-n", "default", "get", "secret", secret, "-o", "json"]);
            let mut value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
            value["metadata"] = serde_json::json!({"name": secret});
            lab.apply(&value.to_string());
        }
        for file in [
            "secure-app.yaml",
            "gateway-after.yaml",
            "backendtlspolicy.yaml",
            "httproute.yaml",
        ] {
            let path = folder.join("guide").join(file);
            lab.run(&["apply", "-f", path.to_str().expect("a path")]);
        }
        lab.run(&[
            "rollout",
            "status",
            "deployment/secure-app",
            "--timeout=60s",
        ]);
        lab.reconcile();
        lab.run(&[
            "rollout",
            "status",
            "deployment/gateway-nginx",
            "--timeout=60s",
        ]);
        lab
    }

    fn folder(&self) -> &Path {
        self.kubeconfig.parent().expect("a folder")
    }

    /// Plays NGF's control plane once, for all namespaces: one that goes meanwhile makes it fail.
    pub(crate) fn reconcile(&self) {
        let mut last = None;
        for _ in 0..5 {
            let output = Command::new(self.folder().join("ngf.py"))
                .output()
                .expect("ngf.py runs");
            if output.status.success() {
                return;
            }
            last = Some(said(&output));
            std::thread::sleep(Duration::from_secs(2));
        }
        panic!("ngf.py: {last:?}");
    }

    fn kubectl(&self) -> Command {
        let mut command = Command::new("kubectl");
        command
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(["-n", &self.namespace]);
        command
    }

    /// Runs kubectl in the namespace, and returns what it prints; the later `-n` wins.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.kubectl().args(arguments).output().expect("kubectl");
        assert!(
            output.status.success(),
            "kubectl {arguments:?}: {}",
            said(&output)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Applies manifests.
    pub(crate) fn apply(&self, manifests: &str) {
        let mut child = self
            .kubectl()
            .args(["apply", "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("kubectl");
        let mut input = child.stdin.take().expect("an input");
        input.write_all(manifests.as_bytes()).expect("it reads");
        drop(input);
        assert!(child.wait().expect("it ends").success(), "{manifests}");
    }

    /// Gives the data plane so many pods, and returns their names. Those that are new run, and have no
    /// configuration: NGF is not played again.
    pub(crate) fn scale(&self, data_planes: usize) -> Vec<String> {
        let replicas = format!("--replicas={data_planes}");
        self.run(&["scale", "deployment/gateway-nginx", &replicas]);
        let label = "app.kubernetes.io/name=gateway-nginx";
        let since = "jsonpath={.items[*].status.containerStatuses[0].state.running.startedAt}";
        Self::wait("as many data-plane pods run", || {
            let since = self.run(&["get", "pods", "-l", label, "-o", since]);
            since.split_whitespace().count() == data_planes
        });
        self.pods(label)
    }

    /// Waits up to a minute.
    pub(crate) fn wait(what: &str, is_so: impl Fn() -> bool) {
        let until = Instant::now() + Duration::from_mins(1);
        while !is_so() {
            assert!(
                Instant::now() < until,
                "after a minute it is not so that {what}"
            );
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// Makes a pod of this image, which may hold more in `spec`, and waits until it runs.
    pub(crate) fn pod(&self, name: &str, image: &str, args: &[&str], spec: &str) {
        self.apply(&format!(
            r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}"}},"spec":{{"terminationGracePeriodSeconds":0,"containers":[{{"name":"main","image":"{image}","args":{}{spec}"#,
            serde_json::to_string(args).expect("JSON"),
        ));
        self.run(&[
            "wait",
            "--for=condition=Ready",
            &format!("pod/{name}"),
            "--timeout=60s",
        ]);
    }

    /// Waits until something in the pod listens on this port.
    pub(crate) fn listens(&self, pod: &str, port: u16) {
        let port = format!(":{port:04X}");
        Self::wait("it listens", || {
            self.run(&["exec", pod, "--", "cat", "/proc/net/tcp", "/proc/net/tcp6"])
                .lines()
                .any(|line| line.contains(&port) && line.contains(" 0A "))
        });
    }

    /// The IP of a pod.
    pub(crate) fn ip(&self, pod: &str) -> String {
        self.run(&["get", "pod", pod, "-o", "jsonpath={.status.podIP}"])
    }

    /// Names of the namespace's pods that have this label.
    pub(crate) fn pods(&self, label: &str) -> Vec<String> {
        let names = self.run(&[
            "get",
            "pods",
            "-l",
            label,
            "-o",
            "jsonpath={.items[*].metadata.name}",
        ]);
        names.split_whitespace().map(str::to_owned).collect()
    }

    /// The lab as a context of its kubeconfig sees it.
    pub(crate) async fn connect(&self, context: &str) -> Cluster {
        let options = ClusterOptions {
            kubeconfig: Some(self.kubeconfig.clone()),
            context: Some(context.to_owned()),
            namespace: Some(self.namespace.clone()),
            ..ClusterOptions::default()
        };
        ngf_cluster::connect(&options)
            .await
            .expect("the lab answers")
    }

    /// The program, on this namespace, as this context's user.
    pub(crate) fn ngf_tui(&self, context: &str, arguments: &[&str]) -> Command {
        self.ngf_tui_with(&self.kubeconfig, context, arguments)
    }

    /// As [`Lab::ngf_tui`], by another kubeconfig.
    pub(crate) fn ngf_tui_with(
        &self,
        kubeconfig: &Path,
        context: &str,
        arguments: &[&str],
    ) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ngf-tui"));
        command
            .env_remove("KUBECONFIG")
            .env("NO_COLOR", "1")
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(["--context", context, "-n", &self.namespace])
            .args(arguments);
        command
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let wait = format!("--wait={}", self.turn.is_some());
        let _ = self
            .kubectl()
            .args([
                "delete",
                "namespace",
                &self.namespace,
                &wait,
                "--timeout=90s",
            ])
            .output();
    }
}

/// What a program printed, both ways.
pub(crate) fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
