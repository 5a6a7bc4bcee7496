//! Logs and folders without a cluster: `logs FILE|-`, `check -f DIR --logs FILE`, `explain LINE`, and files
//! that are no manifests.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Output, Stdio},
};

use crate::support::ngf_tui;

const LINE: &str = "2026/06/01 11:59:00 [error] 31#31: *7 upstream SSL certificate verify error: (21:unable to verify the first certificate) while SSL handshaking to upstream, client: 10.0.0.1, server: shop.example.org, request: \"GET / HTTP/1.1\", upstream: \"https://10.244.2.18:8443/\", host: \"shop.example.org\"";
const AGENT: &str = "time=2026-06-01T11:59:30.000Z level=ERROR msg=\"Failed to apply config changes\" error=\"failed to backup file: open /etc/nginx/x: read-only file system\"";

const MANIFESTS: &str = r#"
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: front, namespace: shop}
spec: {gatewayClassName: nginx, listeners: [{name: web, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: shop}
spec:
  parentRefs: [{name: front}]
  hostnames: [shop.example.org]
  rules: [{backendRefs: [{name: shop, port: 443}]}]
---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: shop}
spec: {selector: {app: shop}, ports: [{name: https, port: 443, targetPort: 8443}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: shop, namespace: shop}
spec:
  targetRefs: [{group: "", kind: Service, name: shop}]
  validation: {hostname: shop.example.org, caCertificateRefs: [{group: "", kind: ConfigMap, name: shop-ca}]}
"#;

fn out(output: &Output) -> (i32, String, String) {
    (
        output.status.code().expect("a status"),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

fn run(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let output = ngf_tui()
        .args(args)
        .current_dir(folder)
        .env("COLUMNS", "200")
        .output()
        .expect("ngf-tui runs");
    out(&output)
}

/// The line as container runtimes and tools save it.
fn saved() -> Vec<String> {
    let time = "2026-06-01T11:59:00.5Z";
    let docker = serde_json::json!({"log": format!("{LINE}\n"), "stream": "stderr", "time": time});
    vec![
        format!("{time} {LINE}"),
        format!("{time} stderr F {LINE}"),
        docker.to_string(),
        format!("front-nginx-x0 nginx {LINE}"),
        format!("Jun  1 11:59:00 node-1 nginx[31]: {LINE}"),
    ]
}

#[test]
fn a_line_means_the_same_however_it_was_saved() {
    let folder = tempfile::tempdir().expect("a folder");
    for (number, line) in saved().iter().enumerate() {
        let name = format!("{number}.log");
        fs::write(folder.path().join(&name), format!("{line}\n")).expect("a file");
        let (status, text, _) = run(folder.path(), &["logs", &name]);
        assert_eq!(status, 1, "{line}");
        for part in ["data plane", "(21:unable to verify", "10.244.2.18:8443"] {
            assert!(text.contains(part), "{part}: {line}\n{text}");
        }
        assert!(!text.contains("no route"), "{line}\n{text}");
        let (_, text, _) = run(folder.path(), &["explain", line]);
        assert!(text.contains("NGF-T1 "), "{line}\n{text}");
    }
}

#[test]
fn explain_takes_the_part_of_a_line_that_somebody_copied() {
    let folder = tempfile::tempdir().expect("a folder");
    for (text, code) in [
        (
            "upstream SSL certificate verify error: (10:certificate has expired)",
            "NGF-T5",
        ),
        ("unable to verify the first certificate", "NGF-T1"),
        (
            "[error] 31#31: *7 peer closed connection in SSL handshake while SSL handshaking to upstream",
            "NGF-T13",
        ),
        ("SSL alert number 116", "NGF-B11"),
        (
            "connect() failed (111: Connection refused) while connecting to upstream",
            "NGF-T14",
        ),
        ("wrong version number", "NGF-T12"),
    ] {
        let (status, found, _) = run(folder.path(), &["explain", text]);
        assert_eq!(status, 0, "{text}");
        assert!(found.contains(code), "{text}\n{found}");
    }
}

#[test]
fn explain_tells_what_a_line_can_mean_and_what_it_cannot() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = |message: &str, scheme: &str| {
        format!(
            "2026/06/01 11:59:00 [error] 31#31: *7 {message}, client: 10.0.0.1, server: a, request: \"GET / HTTP/1.1\", upstream: \"{scheme}://10.244.2.18:8443/\", host: \"a\""
        )
    };
    let access = |request: &str, status: u16| {
        format!(
            "10.0.0.1 - - [01/Jun/2026:11:59:00 +0000] \"{request}\" {status} 157 \"-\" \"curl/8.9.1\""
        )
    };
    let closed =
        "upstream prematurely closed connection while reading response header from upstream";
    let old = "SSL_do_handshake() failed (SSL: error:0A000102:SSL routines::unsupported protocol) while SSL handshaking to upstream";
    let client = "2026/06/01 11:59:00 [info] 31#31: *7 SSL_do_handshake() failed (SSL: error:0A000416:SSL routines::ssl/tls alert certificate unknown:SSL alert number 46) while SSL handshaking, client: 10.0.0.1, server: 0.0.0.0:443";
    for (line, says, says_not) in [
        (error(closed, "http"), "NGF-B9", "NGF-B11"),
        (error(closed, "grpc"), "NGF-B9", "NGF-T13"),
        (error(closed, "https"), "NGF-B11", "NGF-T13"),
        (error(old, "https"), "NGF-T11", "NGF-T21"),
        (client.to_owned(), "NGF-L9", "NGF-T1 "),
        (access("GET / HTTP/1.1", 444), "NGF-L4", "NGF-B1"),
        (access("GET / HTTP/1.1", 502), "A client got 502", "NGF-"),
        (access("GET / HTTP/1.1", 504), "NGF-T14", "NGF-L4"),
        (
            access(r"\x16\x03\x01\x02\x00", 400),
            "spoke TLS to a port",
            "NGF-",
        ),
    ] {
        let (status, text, _) = run(folder.path(), &["explain", &line]);
        assert_eq!(status, 0, "{line}\n{text}");
        assert!(text.contains(says), "{line}\n{text}");
        assert!(!text.contains(says_not), "{line}\n{text}");
    }
}

#[test]
fn explain_decodes_a_line_of_a_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let (status, text, _) = run(folder.path(), &["explain", LINE]);
    assert_eq!(status, 0);
    for part in ["21", "10.244.2.18:8443", "shop.example.org", "NGF-T1"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let prefixed = format!("[pod/front-nginx-x0/nginx] 2026-06-01T11:59:00.5Z {LINE}");
    let (status, text, _) = run(folder.path(), &["explain", &prefixed]);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("NGF-T1"), "{text}");
    let (_, text, _) = run(folder.path(), &["explain", AGENT]);
    assert!(text.contains("read-only file system"), "{text}");
    let (status, _, error) = run(folder.path(), &["explain", "what is this"]);
    assert_eq!(status, 2);
    assert!(error.contains("no code mentions"), "{error}");
}

#[test]
fn a_log_file_is_read_without_a_cluster() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("nginx.log"), format!("{LINE}\n{LINE}\n")).expect("a file");
    let (status, text, _) = run(folder.path(), &["logs", "nginx.log"]);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("10.244.2.18:8443"), "{text}");
    let (status, json, _) = run(folder.path(), &["logs", "nginx.log", "-o", "json"]);
    assert_eq!(status, 1);
    let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(value["logs"][0]["said"][0]["count"], 2, "{json}");
    let mut child = ngf_tui()
        .args(["logs", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ngf-tui runs");
    let mut input = child.stdin.take().expect("standard input");
    input.write_all(LINE.as_bytes()).expect("a line is written");
    drop(input);
    let (status, text, _) = out(&child.wait_with_output().expect("it ends"));
    assert_eq!(status, 1);
    assert!(text.contains("verify") || text.contains("21"), "{text}");
    let (status, _, error) = run(folder.path(), &["logs", "gone.log"]);
    assert_eq!(status, 2);
    assert!(error.contains("gone.log"), "{error}");
    assert_eq!(error.trim().lines().count(), 1, "{error}");
}

#[test]
fn what_is_no_log_of_nginx_or_ngf_is_not_called_fine() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = "INFO app: user logged in\n";
    let notice = "2026/06/01 11:59:00 [notice] 1#1: start worker processes\n";
    let mixed = format!("{}{notice}", other.repeat(9_999));
    for (name, content, says) in [
        ("empty.log", "", "it is empty"),
        (
            "app.log",
            &*other.repeat(7),
            "none of its 7 lines is of nginx or NGF",
        ),
        (
            "page.log",
            "<html>404</html>\n",
            "its only line is not of nginx or NGF",
        ),
        (
            "pod.log",
            "apiVersion: v1\nkind: Pod\n",
            "none of its 2 lines",
        ),
        (
            "binary.log",
            "\u{7f}ELF\u{2}\0\0\n\u{1}\n",
            "none of its 2 lines",
        ),
        ("mixed.log", &mixed, "1 of 10000 lines are of nginx or NGF"),
    ] {
        fs::write(folder.path().join(name), content).expect("a file");
        let (status, text, error) = run(folder.path(), &["logs", name]);
        assert_eq!(status, 2, "{name}: {text}{error}");
        assert!(error.contains(says), "{name}: {error}");
        assert_eq!(error.trim().lines().count(), 1, "{error}");
    }
    fs::write(folder.path().join("a.gz"), b"\x1f\x8b\x08").expect("a file");
    let (status, _, error) = run(folder.path(), &["logs", "a.gz"]);
    assert_eq!(status, 2);
    assert!(error.contains("pipe the output of zcat into"), "{error}");
    fs::write(folder.path().join("mixed.log"), format!("{mixed}{LINE}\n")).expect("a file");
    let (status, text, _) = run(folder.path(), &["logs", "mixed.log"]);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("9999 of 10001 lines"), "{text}");
    fs::write(folder.path().join("nginx.log"), notice).expect("a file");
    let (status, text, error) = run(folder.path(), &["logs", "nginx.log"]);
    assert_eq!((status, &*error), (0, ""), "{text}");
    assert!(text.contains("no problems found"), "{text}");
    // With manifests, the file is counted as unknown.
    fs::write(folder.path().join("shop.yaml"), MANIFESTS).expect("a file");
    let args = [
        "check",
        "-f",
        "shop.yaml",
        "--logs",
        "app.log",
        "-o",
        "json",
    ];
    let (_, json, _) = run(folder.path(), &args);
    assert!(json.contains("NGF-K7"), "{json}");
    assert!(
        json.contains("none of its 7 lines is of nginx or NGF"),
        "{json}"
    );
}

#[test]
fn an_access_log_with_errors_is_not_called_fine() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = |status: u16| {
        format!(
            "10.0.0.1 - - [01/Jun/2026:11:59:00 +0000] \"GET / HTTP/1.1\" {status} 157 \"-\" \"curl/8.9.1\"\n"
        )
    };
    for (statuses, expected, says) in [
        (&[200, 304, 404][..], 0, "no problems found"),
        (&[200, 400], 0, "clients got 400 (1x)"),
        (
            &[200, 502, 502, 504],
            1,
            "clients got 502 (2x) and 504 (1x)",
        ),
    ] {
        let text: String = statuses.iter().copied().map(line).collect();
        fs::write(folder.path().join("access.log"), text).expect("a file");
        let (status, text, _) = run(folder.path(), &["logs", "access.log"]);
        assert_eq!(status, expected, "{text}");
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn explain_knows_conditions_messages_numbers_and_names() {
    let folder = tempfile::tempdir().expect("a folder");
    for (word, code) in [
        ("InvalidCACertificateRef", "NGF-P6"),
        ("NoValidCACertificate", "NGF-P5"),
        ("ResolvedRefs=False/RefNotPermitted", "NGF-G7"),
        ("Accepted", "NGF-S2"),
        (
            "Backend TLS policies do not match for all backends",
            "NGF-R1",
        ),
        ("21", "NGF-T1"),
        ("alert 48", "NGF-B10"),
        ("X509_V_ERR_CERT_HAS_EXPIRED", "NGF-T5"),
        ("421", "NGF-B8"),
        ("HTTP 504", "NGF-T22"),
        ("curl: (52) Empty reply from server", "NGF-L4"),
    ] {
        let (status, text, error) = run(folder.path(), &["explain", word]);
        assert_eq!(status, 0, "{word}: {error}");
        assert!(text.contains(code), "{word}: {text}");
    }
    let (status, _, error) = run(folder.path(), &["explain", "InvalidCACertficateRef"]);
    assert_eq!(status, 2);
    assert!(
        error.contains("nearest are InvalidCACertificateRef"),
        "{error}"
    );
}

#[test]
fn manifests_and_a_log_file_are_checked_together() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("deploy")).expect("a folder");
    fs::write(folder.path().join("deploy/shop.yaml"), MANIFESTS).expect("a file");
    fs::write(
        folder.path().join("nginx.log"),
        format!("{LINE}\n{AGENT}\n"),
    )
    .expect("a file");
    let args = ["check", "-f", "deploy", "--logs", "nginx.log", "-o", "json"];
    let (status, json, error) = run(folder.path(), &args);
    assert_eq!(status, 1, "{error}");
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let codes: Vec<&str> = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter_map(|finding| finding["code"].as_str())
        .collect();
    assert!(codes.contains(&"NGF-T1"), "{codes:?}");
    assert!(codes.contains(&"NGF-D1"), "{codes:?}");
    assert!(json.contains("10.244.2.18"), "{json}");
    let (status, _, error) = run(folder.path(), &["check", "-f", "deploy", "--logs"]);
    assert_eq!(status, 2);
    assert!(error.contains("--logs with -f needs a file"), "{error}");
    let (status, _, error) = run(
        folder.path(),
        &["check", "-f", "deploy", "--logs", "no.log"],
    );
    assert_eq!(status, 2);
    assert!(error.contains("no.log"), "{error}");
}

#[test]
fn data_and_templates_beside_manifests_are_no_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let deploy = folder.path().join("deploy");
    fs::create_dir(&deploy).expect("a folder");
    fs::write(deploy.join("shop.yaml"), MANIFESTS).expect("a file");
    let items: Vec<String> = (0..30).map(|n| format!("{{\"prompt\": {n}}}")).collect();
    fs::write(deploy.join("data.json"), format!("[{}]", items.join(","))).expect("a file");
    fs::write(
        deploy.join("values.yaml"),
        "replicas: 2\nhost: a.example.org\n",
    )
    .expect("a file");
    fs::write(
        deploy.join("route.yaml"),
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata:\n  name: {{ .Release.Name }}\n",
    )
    .expect("a file");
    let (_, json, error) = run(folder.path(), &["check", "-f", "deploy", "-o", "json"]);
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let of = |code: &str| {
        let all = report["findings"].as_array().expect("findings").iter();
        all.filter(|finding| finding["code"] == code).count()
    };
    assert_eq!(
        (of("NGF-K4"), of("NGF-K11"), of("NGF-K9")),
        (0, 1, 1),
        "{json}"
    );
    assert_eq!(error, "", "nothing is wrong with the files");
    // Named on the command line, it is expected to be a manifest.
    let args = ["check", "-f", "deploy/data.json", "-o", "json"];
    let (status, json, _) = run(folder.path(), &args);
    assert_eq!(status, 2);
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    let unread = findings
        .iter()
        .filter(|finding| finding["code"] == "NGF-K4");
    assert_eq!(unread.count(), 3, "{json}");
}
