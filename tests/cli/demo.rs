//! `ngf-tui demo` as its users run it: in words, and served for kubectl.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
};

use crate::support::{has_peer, ngf_tui};

fn stdout_of(args: &[&str]) -> (String, Option<i32>) {
    let output = ngf_tui().args(args).output().expect("ngf-tui runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    (text, output.status.code())
}

#[test]
fn the_guide_in_words_goes_from_400_to_200() {
    let (text, status) = stdout_of(&["demo", "--stage", "all", "--plain"]);
    assert_eq!(status, Some(0));
    let stages: Vec<&str> = text
        .split("═══ ")
        .filter(|part| part.contains(" ═══"))
        .collect();
    let [before, certificate, policy] = stages.as_slice() else {
        panic!("three stages are wanted:\n{text}");
    };
    for stage in [before, certificate] {
        assert!(
            stage.contains("400 The plain HTTP request was sent to HTTPS port"),
            "{stage}"
        );
        assert!(stage.contains("The gateway's client gets 400."), "{stage}");
        assert!(stage.contains("NGF-B9"), "{stage}");
    }
    assert!(policy.contains("hello from pod secure-app"), "{policy}");
    assert!(
        policy.contains("ssl_client_verify=SUCCESS ssl_client_subject=CN=gateway"),
        "{policy}"
    );
    assert!(
        policy.contains("0 errors, 0 warnings, 0 unknown"),
        "{policy}"
    );
    assert!(
        !text.contains('\u{1b}'),
        "no escape sequences where the output is no terminal"
    );
}

/// Each broken scenario, probed, ends as nginx would end it, and the cause is named first.
#[test]
fn every_scenario_names_its_cause() {
    for (scenario, code, status) in [
        ("guide", None, 200),
        ("wrong-hostname", Some("NGF-T8"), 502),
        ("expired-backend-certificate", Some("NGF-T5"), 502),
        ("no-client-certificate", Some("NGF-G8"), 400),
        ("policy-on-wrong-service", Some("NGF-P1"), 400),
    ] {
        let (text, _) = stdout_of(&["demo", "--scenario", scenario, "--plain"]);
        let (_, check) = text.split_once("$ ngf-tui check\n").expect("the command");
        let first = check.lines().find_map(|line| {
            line.split_whitespace()
                .find(|word| word.starts_with("NGF-"))
        });
        assert_eq!(first, code, "{scenario}:\n{text}");
        assert!(
            text.contains(&format!("The gateway's client gets {status}.")),
            "{scenario}:\n{text}"
        );
    }
}

/// The first arrow of the guide's diagram, as a handshake: without a client certificate, and with one.
#[test]
fn a_client_without_a_certificate_gets_no_answer_and_one_with_it_does() {
    let (text, status) = stdout_of(&["demo", "--scenario", "frontend-mtls", "--plain"]);
    assert_eq!(status, Some(0), "{text}");
    let mut parts = text.split("\n$ ngf-tui probe ");
    let (check, without, with) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    assert!(check.contains("NGF-L4"), "{check}");
    for said in [
        "→ ClientHello",
        "← CertificateRequest           CAs: CN=LocalCA",
        "→ Certificate                  no certificate",
        "clients that trust Secret default/web-tls[ca.crt] accept CN=secure-app.example.com",
        "listener https demands a client certificate (Secret default/web-tls), and this request has none",
        "client sent no required SSL certificate while reading client request headers",
        "= the listener demands a client certificate, and none was sent",
        "\" 444 0 ",
    ] {
        assert!(without.contains(said), "{said}: {without}");
    }
    for said in [
        "→ Certificate                  CN=alice",
        "← HTTP response         162 B  200 hello from pod secure-app",
        "the gateway's client gets 200, as the probe says; without a client certificate it gives no answer: it demands one",
    ] {
        assert!(with.contains(said), "{said}: {with}");
    }
}

#[test]
fn a_client_certificate_in_files_is_presented_to_the_listener() {
    if !has_peer("kubectl") {
        return;
    }
    let served = Served::start("frontend-mtls");
    let folder = tempfile::tempdir().expect("a folder");
    let file = |secret: &str, key: &str, name: &str| {
        let path = format!("go-template={{{{index .data \"{key}\" | base64decode}}}}");
        let text = served.kubectl(&["get", "secret", secret, "-o", &path]);
        std::fs::write(folder.path().join(name), text).expect("a file");
    };
    file("alice", "tls.crt", "alice.crt");
    file("alice", "tls.key", "alice.key");
    file("web-tls", "tls.key", "other.key");
    let probe = |key: &str| {
        ngf_tui()
            .current_dir(folder.path())
            .args(["probe", "httproute/secure-app", "-o", "json"])
            .args(["--kubeconfig", served.kubeconfig()])
            .args([
                "--gateway-client-cert",
                "alice.crt",
                "--gateway-client-key",
                key,
            ])
            .output()
            .expect("ngf-tui runs")
    };
    let good = probe("alice.key");
    let json: serde_json::Value = serde_json::from_slice(&good.stdout).expect("JSON");
    let client = &json["context"]["client"];
    assert_eq!(client["status"], 200, "{client}");
    let seen = &client["transcript"];
    assert_eq!(seen["ending"], "answered");
    assert_eq!(seen["judged"]["accepted"], true);
    assert_eq!(seen["client_certificate"]["subject"], "CN=alice");
    assert_eq!(client["without_certificate"]["ending"], "closed");
    let text = String::from_utf8_lossy(&good.stdout);
    assert!(!text.contains("PRIVATE KEY"), "{text}");
    let bad = probe("other.key");
    assert_eq!(bad.status.code(), Some(2));
    let error = String::from_utf8_lossy(&bad.stderr).into_owned();
    assert_eq!(
        error.trim_end(),
        "ngf-tui: the client certificate of file alice.crt has the key of another certificate"
    );
}

/// A Secret without ca.crt breaks nginx's configuration, and a wrong CA may have a root of its own.
#[test]
fn scenarios_whose_cause_lies_deeper() {
    let (text, _) = stdout_of(&["demo", "--scenario", "secret-without-ca-crt", "--plain"]);
    assert!(text.contains("NGF-P8"), "{text}");
    let (text, _) = stdout_of(&["demo", "--scenario", "wrong-ca", "--plain"]);
    assert!(
        text.contains("NGF-T1") && text.contains("gets 502"),
        "{text}"
    );
    let certificate = "client-certificate-from-another-ca";
    let (refused, _) = stdout_of(&["demo", "--scenario", certificate, "--plain"]);
    assert!(
        refused.contains("NGF-B2") && refused.contains("gets 400"),
        "{refused}"
    );
    assert!(
        text.contains("(21:unable to verify the first certificate)"),
        "{text}"
    );
}

#[test]
fn a_scenario_that_does_not_exist_is_answered_with_those_that_do() {
    let output = ngf_tui()
        .args(["demo", "--scenario", "nope"])
        .output()
        .expect("ngf-tui runs");
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.contains("nope") && error.contains("wrong-ca"),
        "{error}"
    );
    let (list, status) = stdout_of(&["demo", "--list"]);
    assert_eq!(status, Some(0));
    assert!(list.contains("wrong-hostname"), "{list}");
}

/// The demo, served; ends with the value.
pub(crate) struct Served {
    child: Child,
    kubeconfig: tempfile::NamedTempFile,
}

impl Served {
    pub(crate) fn start(scenario: &str) -> Self {
        let mut child = ngf_tui()
            .args(["demo", "--serve", "--scenario", scenario])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ngf-tui runs");
        // The hint on standard error comes after the whole kubeconfig.
        let mut hint = String::new();
        let mut errors = BufReader::new(child.stderr.take().expect("a pipe"));
        errors.read_line(&mut hint).expect("a hint");
        assert!(hint.contains("kubectl"), "{hint}");
        let mut text = vec![0; 64 << 10];
        let length = child
            .stdout
            .as_mut()
            .expect("a pipe")
            .read(&mut text)
            .expect("a kubeconfig");
        let kubeconfig = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(kubeconfig.path(), &text[..length]).expect("a kubeconfig is written");
        Self { child, kubeconfig }
    }

    pub(crate) fn kubeconfig(&self) -> &str {
        self.kubeconfig.path().to_str().expect("UTF-8")
    }

    fn kubectl(&self, args: &[&str]) -> String {
        let output = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(self.kubeconfig.path())
            .args(args)
            .output()
            .expect("kubectl runs");
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn kubectl_and_ngf_tui_read_what_the_demo_serves() {
    if !has_peer("kubectl") {
        return;
    }
    let served = Served::start("expired-backend-certificate");
    let list = served.kubectl(&["get", "gateways,httproutes,backendtlspolicies", "-A"]);
    for name in ["gateway", "secure-app", "backend-tls"] {
        assert!(list.contains(name), "{list}");
    }
    let described = served.kubectl(&["describe", "backendtlspolicies.gateway.networking.k8s.io"]);
    assert!(
        described.contains("All CACertificateRefs are resolved"),
        "{described}"
    );

    let kubeconfig = served.kubeconfig();
    let probe = ngf_tui()
        .args([
            "probe",
            "httproute/secure-app",
            "--kubeconfig",
            kubeconfig,
            "-o",
            "json",
        ])
        .output()
        .expect("ngf-tui runs");
    assert_eq!(probe.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&probe.stdout).expect("JSON");
    assert_eq!(json["schema"], "ngf-tui/probe/v1");
    assert_eq!(json["nginx"]["outcome"], "verify_error");
    assert_eq!(json["nginx"]["verify_code"], 10);
    assert_eq!(json["nginx"]["client_status"], 502);
    // The gateway asks as well: its connection may be the last line.
    let logs = served.kubectl(&["logs", "-l", "app=secure-app", "--tail=50"]);
    assert!(logs.contains("ssl_client_verify="), "{logs}");
}

/// The token in the kubeconfig is for whoever started the demo, and is of no use after its end.
#[test]
fn the_kubeconfig_file_is_its_owners_alone_and_goes_with_the_demo() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kubeconfig");
    for signal in ["-INT", "-TERM", "-HUP"] {
        let mut child = Command::new("sh")
            .args([
                "-c",
                "umask 0; exec \"$0\" demo --serve --kubeconfig-out \"$1\"",
            ])
            .args([env!("CARGO_BIN_EXE_ngf-tui").as_ref(), path.as_os_str()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ngf-tui runs");
        let mut hint = String::new();
        let mut errors = BufReader::new(child.stderr.take().expect("a pipe"));
        errors.read_line(&mut hint).expect("a hint");
        assert!(hint.contains(&path.display().to_string()), "{hint}");
        let mode = std::fs::metadata(&path)
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let check = ngf_tui()
            .args(["check", "--kubeconfig", path.to_str().expect("UTF-8")])
            .output()
            .expect("ngf-tui runs");
        let text = String::from_utf8_lossy(&check.stdout).into_owned();
        assert!(text.contains("secure-app"), "{text}");
        // A second one does not overwrite it.
        let second = ngf_tui()
            .args([
                "demo",
                "--serve",
                "--kubeconfig-out",
                path.to_str().expect("UTF-8"),
            ])
            .output()
            .expect("ngf-tui runs");
        assert_eq!(second.status.code(), Some(2));
        let error = String::from_utf8_lossy(&second.stderr).into_owned();
        assert!(error.contains("exists and is not overwritten"), "{error}");

        let id = child.id().to_string();
        let status = Command::new("kill").args([signal, &id]).status();
        assert!(status.is_ok_and(|status| status.success()));
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{signal}");
        assert!(!path.exists(), "{signal}: the file is left");
        let mut printed = String::new();
        let mut output = child.stdout.take().expect("a pipe");
        output.read_to_string(&mut printed).expect("UTF-8");
        assert_eq!(printed, "", "the token is in the file only");
    }
}
