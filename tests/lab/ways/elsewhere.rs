//! Backends that are not in the cluster, and names.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

use crate::support::lab::{Lab, said};
use serde_json::{Value, json};

use super::{json_of, probe};

/// A self-signed certificate and its key.
pub(super) fn openssl_pair(name: &str) -> (String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate, key) = (folder.path().join("c"), folder.path().join("k"));
    let output = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=Other",
        ])
        .args(["-addext", &format!("subjectAltName=DNS:{name}"), "-out"])
        .arg(&certificate)
        .arg("-keyout")
        .arg(&key)
        .output()
        .expect("openssl");
    assert!(output.status.success(), "{}", said(&output));
    let read = |path| std::fs::read_to_string(path).expect("a file");
    (read(certificate), read(key))
}

/// A backend that is no pod: at this address, behind a route of its own.
pub(super) fn elsewhere(lab: &Lab, name: &str, service: &Value, address: Option<(&str, u16)>) {
    let mut service = service.clone();
    service["apiVersion"] = json!("v1");
    service["kind"] = json!("Service");
    service["metadata"] = json!({"name": name});
    service["spec"]["ports"] = json!([{"port": 8443, "name": "https"}]);
    lab.apply(&service.to_string());
    if let Some((address, port)) = address {
        lab.apply(
            &json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
                "addressType": "IPv4",
                "endpoints": [{"addresses": [address]}],
                "ports": [{"name": "https", "port": port}],
            })
            .to_string(),
        );
    }
    lab.apply(&json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name},
        "spec": {"parentRefs": [{"name": "gateway"}], "hostnames": [format!("{name}.example.com")],
                 "rules": [{"backendRefs": [{"name": name, "port": 8443}]}]},
    }).to_string());
    lab.apply(&json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "BackendTLSPolicy", "metadata": {"name": name},
        "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": name}],
                 "validation": {"hostname": "secure-app.example.com",
                                "caCertificateRefs": [{"group": "", "kind": "Secret", "name": "backend-cert"}]}},
    }).to_string());
}

#[test]
fn no_connection_is_told_from_no_handshake() {
    let lab = Lab::guide("dead");
    let app = lab.run(&[
        "get",
        "pods",
        "-l",
        "app=secure-app",
        "-o",
        "jsonpath={.items[0].status.podIP}",
    ]);
    elsewhere(&lab, "silent", &json!({}), Some(("192.0.2.1", 8443)));
    elsewhere(&lab, "closed", &json!({}), Some((&app, 9)));
    for (route, outcome, line, status) in [
        (
            "silent",
            "timeout",
            "upstream timed out (110: Connection timed out) while connecting to upstream",
            504,
        ),
        (
            "closed",
            "connect_error",
            "connect() failed (111: Connection refused) while connecting to upstream",
            502,
        ),
    ] {
        let route = format!("httproute/{route}");
        let output = probe(
            &lab,
            "admin",
            &[
                &route,
                "--via",
                "exec",
                "--timeout",
                "2s",
                "--backend-only",
                "-o",
                "json",
            ],
        );
        let nginx = &json_of(&output)["nginx"];
        assert_eq!(nginx["outcome"], outcome, "{nginx}");
        assert_eq!(nginx["log_line"], line, "{nginx}");
        assert_eq!(nginx["client_status"], status, "{nginx}");
    }
    // Once a client has asked, the data plane's own line is shown with the probe.
    lab.reconcile();
    Lab::wait("nginx knows the route", || {
        let output = probe(&lab, "admin", &["httproute/closed", "-o", "json"]);
        let context = &json_of(&output)["context"];
        let said = context["log_lines"].to_string();
        context["client"]["status"] == 502 && said.contains("connect() failed (111")
    });
}

#[test]
fn a_name_is_resolved_as_the_pod_does() {
    let lab = Lab::guide("names");
    // The node's own address, where the pods reach a name server of this test's.
    let listener = TcpListener::bind("10.244.0.1:53").expect("the lab's node has no name server");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    let dns = r#"{"spec":{"template":{"spec":{"dnsPolicy":"None","dnsConfig":{"nameservers":["10.244.0.1"],"searches":["test.example"],"options":[{"name":"ndots","value":"3"}]}}}}}"#;
    lab.scale(0);
    lab.run(&["patch", "deployment", "gateway-nginx", "-p", dns]);
    lab.scale(1);
    let service = json!({"spec": {"type": "ExternalName", "externalName": "backend"}});
    elsewhere(&lab, "named", &service, None);
    let output = probe(
        &lab,
        "admin",
        &[
            "httproute/named",
            "--via",
            "exec",
            "-o",
            "json",
            "--timeout",
            "3s",
        ],
    );
    let report = json_of(&output);
    let name = &report["context"]["names"][0];
    assert_eq!(name["name"], "backend", "{report}");
    assert_eq!(name["servers"], json!(["10.244.0.1"]));
    assert_eq!(name["ndots"], 3);
    assert_eq!(name["there"], json!(["10.244.0.77"]), "{name}");
    assert_eq!(name["here"], json!([]), "unknown to this machine");
}

/// Answers queries over TCP (RFC 1035 §4): 10.244.0.77 for backend.test.example, else NXDOMAIN.
fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    const KNOWN: &[u8] = b"\x07backend\x04test\x07example\0";
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut query)?;
        let end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap_or(0) + 1;
        let name = query[12..end].to_ascii_lowercase();
        let is_a = query[end + 1] == 1;
        let (code, count) = match (name == KNOWN, is_a) {
            (true, true) => (0x80, 1),
            (true, false) => (0x80, 0),
            (false, _) => (0x83, 0),
        };
        let mut answer = query[..2].to_vec();
        answer.extend([0x85, code, 0, 1, 0, count, 0, 0, 0, 0]);
        answer.extend(&query[12..end + 4]);
        if count == 1 {
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 10, 244, 0, 77]);
        }
        stream.write_all(&(answer.len() as u16).to_be_bytes())?;
        stream.write_all(&answer)?;
    }
}
