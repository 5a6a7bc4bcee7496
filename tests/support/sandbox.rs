//! What the tests of the embedded cluster share: peers, a cluster with a kubeconfig file, and `kubectl`.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use ngf_sandbox::{Sandbox, SandboxOptions, Scenario, Stage};
use tempfile::TempDir;

/// Whether these programs are there. Where `CI` is set a missing one is a failure, elsewhere the test
/// says that it did not run.
pub(crate) fn peers(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs
        .iter()
        .filter(|program| {
            let found = std::env::var_os("PATH").is_some_and(|paths| {
                std::env::split_paths(&paths).any(|path| path.join(program).is_file())
            });
            !found && !Path::new("/usr/sbin").join(program).is_file()
        })
        .collect();
    if missing.is_empty() {
        return true;
    }
    crate::support::skipped::skipped(&format!("{missing:?} are not installed"));
    false
}

/// What a program said.
#[derive(Debug)]
pub(crate) struct ProgramOutput {
    pub(crate) ok: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl ProgramOutput {
    /// The output of a command that must succeed.
    #[track_caller]
    pub(crate) fn fine(self) -> String {
        assert!(self.ok, "failed: {self:?}");
        self.out
    }

    /// The error of a command that must fail.
    #[track_caller]
    pub(crate) fn refused(self) -> String {
        assert!(!self.ok, "did not fail: {self:?}");
        self.err
    }
}

pub(crate) fn run(command: &mut Command) -> ProgramOutput {
    let output = command
        .stdin(Stdio::null())
        .output()
        .expect("the program can be started");
    ProgramOutput {
        ok: output.status.success(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs a program with something to read.
pub(crate) fn run_with(command: &mut Command, input: &[u8]) -> ProgramOutput {
    use std::io::Write as _;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    let (mut stdin, input) = (child.stdin.take().expect("its input"), input.to_vec());
    // A program that does not read its input to the end closes it; that is its own business. It may write
    // before it has read everything.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("it is written, or closed");
    ProgramOutput {
        ok: output.status.success(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// An embedded cluster with its kubeconfig in a file.
pub(crate) struct Cluster {
    pub(crate) sandbox: Sandbox,
    pub(crate) folder: TempDir,
}

impl Cluster {
    pub(crate) async fn start(scenario: &str, stage: Stage) -> Self {
        let scenario = Scenario::find(scenario).expect("the scenario");
        Self::with(SandboxOptions::new(scenario, stage)).await
    }

    pub(crate) async fn with(options: SandboxOptions) -> Self {
        let sandbox = Sandbox::start(options).await.expect("the cluster starts");
        let folder = tempfile::tempdir().expect("a folder");
        let cluster = Self { sandbox, folder };
        std::fs::write(cluster.path("kubeconfig"), cluster.sandbox.kubeconfig()).expect("written");
        cluster
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn kubectl_command(&self, arguments: &str) -> Command {
        let mut command = Command::new("kubectl");
        command
            .arg("--kubeconfig")
            .arg(self.path("kubeconfig"))
            .arg("--cache-dir");
        command
            .arg(self.path("cache"))
            .args(arguments.split_whitespace());
        command
    }

    /// `kubectl` with arguments that hold no spaces.
    pub(crate) fn kubectl(&self, arguments: &str) -> ProgramOutput {
        run(&mut self.kubectl_command(arguments))
    }

    /// `kubectl … -f -`.
    pub(crate) fn kubectl_with(&self, arguments: &str, input: &str) -> ProgramOutput {
        run_with(&mut self.kubectl_command(arguments), input.as_bytes())
    }

    /// Waits until `kubectl` prints something; the controllers need a moment.
    #[track_caller]
    pub(crate) fn kubectl_until(&self, arguments: &str, wanted: &str) -> String {
        let started = Instant::now();
        loop {
            let said = self.kubectl(arguments);
            if said.out.contains(wanted) {
                return said.out;
            }
            assert!(
                started.elapsed() < Duration::from_mins(1),
                "no {wanted:?} in {said:?}"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The decoded value of a Secret's key.
    pub(crate) fn secret(&self, name: &str, key: &str) -> Vec<u8> {
        let path = format!("jsonpath={{.data['{}']}}", key.replace('.', "\\."));
        let text = self.kubectl(&format!("get secret {name} -o {path}")).fine();
        base64::engine::general_purpose::STANDARD
            .decode(text.trim())
            .expect("base64")
    }

    /// Writes keys of a Secret into files named `<prefix>.<key>`.
    pub(crate) fn save_secret(&self, name: &str, prefix: &str) {
        for key in ["ca.crt", "tls.crt", "tls.key"] {
            let bytes = self.secret(name, key);
            std::fs::write(self.path(&format!("{prefix}.{key}")), bytes).expect("written");
        }
    }

    /// Addresses and ports of the Service's endpoints.
    pub(crate) fn endpoints(&self, service: &str) -> Vec<(String, u16)> {
        let text = self
            .kubectl(&format!(
                "get endpointslices -l kubernetes.io/service-name={service} -o json"
            ))
            .fine();
        let list: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let mut found = Vec::new();
        for slice in list["items"].as_array().expect("items") {
            let port = slice["ports"][0]["port"].as_u64().unwrap_or_default();
            for endpoint in slice["endpoints"].as_array().into_iter().flatten() {
                let address = endpoint["addresses"][0].as_str().expect("an address");
                found.push((address.to_owned(), u16::try_from(port).expect("a port")));
            }
        }
        found
    }
}

/// `ngf-tui` with the arguments that hold no spaces.
pub(crate) fn ngf_tui(kubeconfig: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ngf-tui"));
    command
        .env("KUBECONFIG", kubeconfig)
        .env("NO_COLOR", "1")
        .args(arguments.split_whitespace());
    command
}

impl Cluster {
    /// `ngf-tui` on this cluster.
    pub(crate) fn ngf_tui(&self, arguments: &str) -> ProgramOutput {
        run(&mut ngf_tui(&self.path("kubeconfig"), arguments))
    }

    /// The name of the first pod whose name begins so.
    pub(crate) fn pod(&self, prefix: &str) -> String {
        pod(&self.kubectl("get pods -o name").fine(), prefix)
    }
}

/// The first pod of a list whose name begins so.
pub(crate) fn pod(list: &str, prefix: &str) -> String {
    let names = list.lines().filter_map(|line| line.strip_prefix("pod/"));
    let mut names = names.filter(|name| name.starts_with(prefix));
    names.next().expect("the pod").to_owned()
}

/// `ngf-tui demo --serve`, as a person starts it; ended when dropped.
pub(crate) struct Demo {
    child: std::process::Child,
    pub(crate) folder: TempDir,
}

impl Demo {
    pub(crate) fn start(arguments: &str) -> Self {
        use std::io::BufRead as _;
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(env!("CARGO_BIN_EXE_ngf-tui"))
            .args(["demo", "--serve"])
            .args(arguments.split_whitespace())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("ngf-tui starts");
        let mut text = String::new();
        let mut lines = std::io::BufReader::new(child.stdout.take().expect("its output"));
        while !text.contains("current-context") {
            let read = lines.read_line(&mut text).expect("a line");
            assert!(read > 0, "no kubeconfig: {text}");
        }
        std::fs::write(folder.path().join("kubeconfig"), text).expect("written");
        Self { child, folder }
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// `ngf-tui` on it.
    pub(crate) fn ngf_tui(&self, arguments: &str) -> Command {
        ngf_tui(&self.kubeconfig(), arguments)
    }

    /// `kubectl` on it.
    pub(crate) fn kubectl(&self, arguments: &str) -> Command {
        let mut command = Command::new("kubectl");
        command
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .arg("--cache-dir")
            .arg(self.folder.path().join("cache"))
            .args(arguments.split_whitespace());
        command
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until it holds.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_mins(1), "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Debian's nginx in a folder of its own, ended when dropped.
pub(crate) struct DebianNginx {
    child: std::process::Child,
    pub(crate) folder: TempDir,
}

impl DebianNginx {
    /// Starts nginx with what goes into its `http` block, and waits until it listens on `port`.
    pub(crate) fn start(http: &str, port: u16) -> Self {
        Self::start_in(tempfile::tempdir().expect("a folder"), http, port)
    }

    /// The same in a folder that holds files which the configuration names as `@FOLDER@/…`.
    pub(crate) fn start_in(folder: TempDir, http: &str, port: u16) -> Self {
        let at = folder.path().display().to_string();
        let http = http.replace("@FOLDER@", &at);
        let configuration = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log info;\n\
             events {{ worker_connections 64; }}\n\
             http {{ client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f;\n\
             uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n{http}\n}}\n"
        );
        std::fs::write(folder.path().join("nginx.conf"), configuration).expect("written");
        let mut command = Command::new("nginx");
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env("PATH", format!("{path}:/usr/sbin"))
            .arg("-e")
            .arg(format!("{at}/early.log"));
        command
            .arg("-c")
            .arg(format!("{at}/nginx.conf"))
            .arg("-p")
            .arg(&at);
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nginx can be started");
        let nginx = Self { child, folder };
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                started.elapsed() < Duration::from_secs(10),
                "nginx does not listen: {}",
                nginx.log("error.log")
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        nginx
    }

    pub(crate) fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

impl Drop for DebianNginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}
