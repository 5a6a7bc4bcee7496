//! The command line from outside: the probe's contract against Debian's nginx set up as the guide's
//! secure-app by the openssl command, and one clear sentence for every bad input.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command},
    time::{Duration, Instant},
};

use crate::support::{has_peer, ngf_tui};
use serde_json::Value;

fn sh(folder: &Path, script: &str) {
    let output = Command::new("sh")
        .args(["-ec", script])
        .current_dir(folder)
        .output()
        .expect("sh runs");
    assert!(
        output.status.success(),
        "{script}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// nginx as the guide sets secure-app up; ends with the value.
struct SecureApp {
    nginx: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl SecureApp {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|l| l.local_addr())
            .expect("a port")
            .port();
        sh(
            folder.path(),
            "leaf() { openssl req -new -newkey rsa:2048 -nodes -keyout $1.key -subj /CN=$2 -out $1.csr
               printf '%s\\n' \"$3\" > $1.ext
               openssl x509 -req -in $1.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 90 -extfile $1.ext -out $1.crt; }
             openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -subj /CN=LocalCA -days 90 -out ca.crt
             leaf tls secure-app.example.com subjectAltName=DNS:secure-app.example.com
             leaf client gateway keyUsage=digitalSignature
             openssl req -x509 -newkey rsa:2048 -nodes -keyout other.key -subj /CN=LocalCA -days 90 -out other.crt",
        );
        let configuration = format!(
            "daemon off; pid nginx.pid; error_log error.log info; events {{}}
             http {{ log_format ssl_log '$remote_addr ssl_client_verify=$ssl_client_verify ssl_client_subject=$ssl_client_s_dn';
               server {{ listen 127.0.0.1:{port} ssl; server_name secure-app.example.com; default_type text/plain;
                 ssl_certificate tls.crt; ssl_certificate_key tls.key; ssl_client_certificate ca.crt; ssl_verify_client on;
                 access_log access.log ssl_log;
                 location / {{ return 200 \"hello from pod secure-app\\n\"; }} }} }}"
        );
        fs::write(folder.path().join("nginx.conf"), configuration).expect("a file");
        let nginx = Command::new("sh")
            .args([
                "-c",
                "PATH=$PATH:/usr/sbin exec nginx -p . -c nginx.conf -e error.log",
            ])
            .current_dir(folder.path())
            .spawn()
            .expect("nginx starts");
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "nginx does not listen"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            nginx,
            folder,
            port,
        }
    }

    /// Probes it with these arguments more; the exit status and the JSON.
    fn probe(&self, more: &[&str]) -> (Option<i32>, Value) {
        let output = ngf_tui()
            .current_dir(self.folder.path())
            .args([
                "probe",
                "-o",
                "json",
                "--connect",
                &format!("127.0.0.1:{}", self.port),
            ])
            .args(more)
            .output()
            .expect("ngf-tui runs");
        let json = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code(), json)
    }
}

impl Drop for SecureApp {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .arg(self.nginx.id().to_string())
            .status();
        let _ = self.nginx.wait();
    }
}

#[test]
fn nginx_as_secure_app_with_and_without_the_client_certificate() {
    if !has_peer("nginx") || !has_peer("openssl") {
        return;
    }
    let app = SecureApp::start();
    let name = ["--server-name", "secure-app.example.com"];
    let with = [
        &name[..],
        &[
            "--ca",
            "ca.crt",
            "--cert",
            "client.crt",
            "--key",
            "client.key",
        ],
    ]
    .concat();
    let (status, json) = app.probe(&with);
    assert_eq!(status, Some(0), "{json:#}");
    assert_eq!(json["schema"], "ngf-tui/probe/v1");
    assert_eq!(json["engine"]["name"], "openssl");
    assert_eq!(json["nginx"]["outcome"], "ok");
    assert_eq!(json["nginx"]["verify_code"], 0);
    assert_eq!(json["nginx"]["client_status"], 200);
    assert_eq!(json["nginx"]["alert"], Value::Null);
    assert_eq!(json["nginx"]["log_line"], Value::Null);
    assert_eq!(json["client_certificate"]["requested"], true);
    assert_eq!(
        json["client_certificate"]["acceptable_cas"][0],
        "CN=LocalCA"
    );
    assert_eq!(json["client_certificate"]["sent"], true);
    assert_eq!(json["client_certificate"]["subject"], "CN=gateway");
    assert_eq!(json["http"]["status"], 200);
    assert_eq!(json["http"]["body"], "hello from pod secure-app\n");
    assert!(json["steps"].as_array().is_some_and(|steps| {
        steps
            .iter()
            .any(|step| step["name"] == "CertificateVerify" && step["direction"] == "sent")
    }));

    let (status, json) = app.probe(&[&name[..], &["--ca", "ca.crt"]].concat());
    assert_eq!(status, Some(1));
    assert_eq!(json["nginx"]["outcome"], "http_error");
    assert_eq!(json["nginx"]["client_status"], 400);
    let body = json["http"]["body"].as_str().unwrap_or_default();
    assert!(
        body.contains("No required SSL certificate was sent"),
        "{body}"
    );

    let (status, json) = app.probe(&[&name[..], &["--ca", "other.crt"]].concat());
    assert_eq!(
        (status, &json["nginx"]["outcome"]),
        (Some(1), &"verify_error".into())
    );
    assert_eq!(json["nginx"]["client_status"], 502);

    let (_, json) = app.probe(&["--server-name", "other.example.com", "--ca", "ca.crt"]);
    assert_eq!(json["nginx"]["outcome"], "name_mismatch");

    let log = fs::read_to_string(app.folder.path().join("access.log")).expect("a log");
    assert!(
        log.contains("ssl_client_verify=SUCCESS ssl_client_subject=CN=gateway"),
        "{log}"
    );
    assert!(log.contains("ssl_client_verify=NONE"), "{log}");
}

/// What was wrong, where, and that nothing panicked.
#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn every_bad_input_gets_one_clear_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("a file");
    };
    file("junk.pem", "this is not PEM");
    file("broken.yaml", "kind: Gateway\n  spec: [\n");
    file("empty.kubeconfig", "apiVersion: v1\nkind: Config\n");
    file(
        "dead.kubeconfig",
        "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: [{name: x, context: {cluster: x, user: x}}]\nclusters: [{name: x, cluster: {server: 'http://127.0.0.1:1'}}]\nusers: [{name: x, user: {}}]\n",
    );
    for (arguments, status, says) in [
        (vec!["check"], 2, "no kubeconfig"),
        (vec!["check", "--kubeconfig", "missing"], 2, "missing"),
        (
            vec!["check", "--kubeconfig", "empty.kubeconfig"],
            2,
            "context",
        ),
        (
            vec!["check", "--kubeconfig", "dead.kubeconfig"],
            2,
            "127.0.0.1:1",
        ),
        (
            vec!["check", "--kubeconfig", "dead.kubeconfig", "--context", "y"],
            2,
            "\"y\"",
        ),
        (vec!["check", "-f", "missing"], 2, "missing"),
        (vec!["check", "-f", "broken.yaml"], 2, "broken.yaml"),
        (vec!["debug"], 2, "no kubeconfig"),
        (
            vec!["probe", "--connect", "nowhere", "--server-name", "x"],
            2,
            "HOST:PORT",
        ),
        (
            vec![
                "probe",
                "--connect",
                "127.0.0.1:1",
                "--server-name",
                "x",
                "--ca",
                "missing",
            ],
            2,
            "missing",
        ),
        (
            vec![
                "probe",
                "--connect",
                "127.0.0.1:1",
                "--server-name",
                "x",
                "--ca",
                "junk.pem",
            ],
            2,
            "junk.pem",
        ),
        (
            vec!["probe", "httproute/x", "--kubeconfig", "dead.kubeconfig"],
            2,
            "127.0.0.1:1",
        ),
        (
            vec![
                "probe",
                "httproute/x",
                "--gateway-client-cert",
                "junk.pem",
                "--gateway-client-key",
                "missing",
            ],
            2,
            "--gateway-client-key missing",
        ),
        (
            vec![
                "probe",
                "httproute/x",
                "--gateway-client-cert",
                "junk.pem",
                "--gateway-client-key",
                "junk.pem",
            ],
            2,
            "the client certificate of file junk.pem holds no certificate",
        ),
        (
            vec!["probe", "httproute/x", "--gateway-client-cert", "junk.pem"],
            2,
            "--gateway-client-key",
        ),
        (vec!["probe", "httproute/x", "-f", "."], 2, "-f"),
        (vec!["demo", "--stage", "nope"], 2, "nope"),
    ] {
        let output = ngf_tui()
            .current_dir(folder.path())
            .args(&arguments)
            .output()
            .expect("ngf-tui runs");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {error}");
        assert!(
            error.contains(says),
            "{arguments:?} should mention {says:?}: {error}"
        );
        assert!(!error.contains("panicked"), "{arguments:?}: {error}");
    }
}

/// A port that refuses is a verdict, not a failure to run.
#[test]
fn a_refusing_port_is_what_nginx_would_answer_502_for() {
    let output = ngf_tui()
        .args([
            "probe",
            "--connect",
            "127.0.0.1:1",
            "--server-name",
            "x",
            "-o",
            "json",
        ])
        .output()
        .expect("ngf-tui runs");
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(json["nginx"]["outcome"], "connect_error");
    assert_eq!(json["nginx"]["client_status"], 502);
    assert_eq!(
        json["nginx"]["log_line"],
        "connect() failed (111: Connection refused) while connecting to upstream"
    );
}

/// A reader that goes away is no reason to complain.
#[test]
fn a_closed_pipe_ends_quietly() {
    let script = format!(
        "{} completions bash | head -1 >/dev/null",
        env!("CARGO_BIN_EXE_ngf-tui")
    );
    let output = Command::new("sh")
        .args(["-c", &script])
        .output()
        .expect("sh runs");
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Read-only is said before anything is asked of a cluster.
#[test]
fn read_only_refuses_whatever_writes() {
    for (arguments, flag) in [
        (&["cleanup"][..], true),
        (&["cleanup"], false),
        (&["probe", "httproute/app", "--via", "pod", "--yes"], true),
        (
            &["probe", "gateway/gw", "--all", "--via", "ephemeral"],
            false,
        ),
        (&["debug", "--via", "pod"], true),
        (&["--via", "ephemeral"], false),
    ] {
        let mut command = ngf_tui();
        if flag {
            command.arg("--read-only");
        } else {
            command.env("NGF_TUI_READ_ONLY", "1");
        }
        let output = command.args(arguments).output().expect("it runs");
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {words}");
        assert!(
            words.contains("nothing is written to the cluster"),
            "{arguments:?}: {words}"
        );
    }
}

/// What belongs to the terminal interface is not swallowed by another command.
#[test]
fn a_way_before_a_command_is_refused() {
    let output = ngf_tui()
        .args(["--via", "exec", "probe", "httproute/app"])
        .output()
        .expect("it runs");
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("after the command"), "{words}");
}
