//! A real single-node Kubernetes (`/work/shared/lab/kube`, or one like it) with the guide played on
//! it, named by `NGF_TUI_LAB_KUBECONFIG`: the contexts admin, viewer, diag, dev, oldexec, the images
//! lab/busybox:1, lab/nginx:1 and lab/pause:1, and beside the kubeconfig `ngf.py`, which plays NGF
//! once. Each test has a namespace of its own, which is deleted at its end.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use ngf_tui::cluster::{self, Cluster, ClusterOptions};

/// Names the kubeconfig of the lab.
const VARIABLE: &str = "NGF_TUI_LAB_KUBECONFIG";

/// The kubeconfig of the lab; `None`, said aloud, where there is none.
pub(crate) fn kubeconfig() -> Option<PathBuf> {
    let path = std::env::var_os(VARIABLE).map(PathBuf::from);
    if path.is_none() {
        println!("skipped: {VARIABLE} names no kubeconfig of a lab");
    }
    path
}

/// A namespace on the lab.
pub(crate) struct Lab {
    pub(crate) kubeconfig: PathBuf,
    pub(crate) namespace: String,
}

impl Lab {
    /// An empty namespace; `None` where there is no lab.
    pub(crate) fn namespace(what: &str) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let kubeconfig = kubeconfig()?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("t-{what}-{}-{count}", std::process::id());
        let lab = Self {
            kubeconfig,
            namespace,
        };
        lab.run(&["create", "namespace", &lab.namespace]);
        Some(lab)
    }

    /// A namespace with the guide in it, at its end: mutual TLS works, with so many data-plane pods.
    pub(crate) fn guide(what: &str, data_planes: u32) -> Option<Self> {
        let lab = Self::namespace(what)?;
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
        lab.run(&["rollout", "status", "deployment/secure-app", "--timeout=60s"]);
        lab.reconcile();
        if data_planes > 1 {
            let replicas = format!("--replicas={data_planes}");
            lab.run(&["scale", "deployment/gateway-nginx", &replicas]);
            lab.wait("as many data-plane pods run", || {
                let phases = lab.run(&[
                    "get", "pods", "-l", "app.kubernetes.io/name=gateway-nginx",
                    "-o", "jsonpath={.items[*].status.containerStatuses[0].state.running.startedAt}",
                ]);
                phases.split_whitespace().count() == data_planes as usize
            });
            lab.reconcile();
        }
        lab.run(&["rollout", "status", "deployment/gateway-nginx", "--timeout=60s"]);
        Some(lab)
    }

    fn folder(&self) -> &Path {
        self.kubeconfig.parent().expect("a folder")
    }

    /// Plays NGF's control plane once.
    pub(crate) fn reconcile(&self) {
        let output = Command::new(self.folder().join("ngf.py"))
            .output()
            .expect("ngf.py runs");
        assert!(output.status.success(), "ngf.py: {output:?}");
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
        assert!(output.status.success(), "kubectl {arguments:?}: {}", said(&output));
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

    /// Waits up to a minute.
    pub(crate) fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        let until = Instant::now() + Duration::from_secs(60);
        while !is_so() {
            assert!(Instant::now() < until, "after a minute it is not so that {what}");
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// Makes a pod of this image, which may hold more in `spec`, and waits until it runs.
    pub(crate) fn pod(&self, name: &str, image: &str, args: &[&str], spec: &str) {
        self.apply(&format!(
            r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}"}},"spec":{{"terminationGracePeriodSeconds":0,"containers":[{{"name":"main","image":"{image}","args":{}{spec}"#,
            serde_json::to_string(args).expect("JSON"),
        ));
        self.run(&["wait", "--for=condition=Ready", &format!("pod/{name}"), "--timeout=60s"]);
    }

    /// Waits until something in the pod listens on this port.
    pub(crate) fn listens(&self, pod: &str, port: u16) {
        let port = format!(":{port:04X}");
        self.wait("it listens", || {
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
        let names = self.run(&["get", "pods", "-l", label, "-o", "jsonpath={.items[*].metadata.name}"]);
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
        cluster::connect(&options).await.expect("the lab answers")
    }

    /// The program, on this namespace, as this context's user.
    pub(crate) fn ngf_tui(&self, context: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ngf-tui"));
        command
            .env_remove("KUBECONFIG")
            .env("NO_COLOR", "1")
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(["--context", context, "-n", &self.namespace])
            .args(arguments);
        command
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self
            .kubectl()
            .args(["delete", "namespace", &self.namespace, "--wait=false"])
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
