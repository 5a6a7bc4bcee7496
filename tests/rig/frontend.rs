//! Frontend TLS as NGF renders it (`servers_template.go`): what clients of real nginx get, and what its log says of
//! them, must be what the findings say.

use std::{process::Command, time::Duration};

use jiff::Timestamp;
use ngf_core::{
    diagnosis::{
        Diagnosis, Evidence, Severity,
        evidence::{Meeting, Met},
        ngf::frontend::frontend_bundle_file,
    },
    logs::Role,
    model::{kind::Kind, object::ObjectRef, snapshot::Snapshot},
};
use ngf_probes::{
    client::{ClientSpec, ClientTls, ask},
    dial::Direct,
    spec::Trust,
};
use tokio_util::sync::CancellationToken;

use super::{
    Certificates, DATA_PLANE, HOST, log,
    nginx::{self, Configuration},
    support,
    support::scenario::{Change, changed},
};

/// The codes that are broken here.
pub(crate) const TOLD: &[&str] = &["NGF-L2", "NGF-L4", "NGF-L5", "NGF-L6", "NGF-L8", "NGF-L9"];

/// A listener that demands client certificates, with the file of their CA.
fn listener(port: u16, bundle: &str) -> String {
    format!(
        "server {{ listen 127.0.0.1:{port} ssl; server_name {HOST};
            ssl_certificate DIR/web.pem; ssl_certificate_key DIR/web.pem;
            ssl_client_certificate DIR/{bundle}; ssl_verify_client on; ssl_verify_depth 4;
            error_page 495 496 = @frontend_tls_verify_failed;
            location @frontend_tls_verify_failed {{ return 444; }}
            location / {{ return 200 hello; }} }}"
    )
}

fn bundle() -> String {
    let gateway = ObjectRef::new(Kind::Gateway, "default", "gateway");
    nginx::file_name(&frontend_bundle_file(&gateway, 443))
}

fn files(certificates: &Certificates, bundle: Option<&str>) -> Vec<(String, String)> {
    let web = &certificates["web"];
    let mut files = vec![("web.pem".to_owned(), web.certificate_pem() + &web.key_pem())];
    let ca = certificates["clients"].certificate_pem();
    files.extend(bundle.map(|name| (name.to_owned(), ca)));
    files
}

#[test]
fn clients_that_a_listener_does_not_accept_get_no_answer_and_are_named() {
    if !support::has_peer("nginx") || !support::has_peer("curl") {
        return;
    }
    let now = Timestamp::now();
    let (snapshot, certificates) = changed("healthy-frontend-tls", Change::default(), now);
    let bundle = bundle();
    let files = files(&certificates, Some(&bundle));
    let files: Vec<(&str, String)> = files
        .iter()
        .map(|(name, content)| (name.as_str(), content.clone()))
        .collect();
    let port = nginx::free_port();
    let process = nginx::nginx(port, &files, &Configuration::http(listener(port, &bundle)));
    let folder = tempfile::tempdir().expect("a folder");
    // The guide's client certificate is from another CA.
    let client = &certificates["gateway"];
    let path = folder.path().join("client.pem");
    std::fs::write(&path, client.certificate_pem() + &client.key_pem()).expect("a file");
    let path = path.display().to_string();
    let ask = |more: &[&str]| {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--insecure", "--max-time", "20"])
            .args(more)
            .arg(format!("https://127.0.0.1:{port}/"))
            .output()
            .expect("curl runs");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for more in [&[][..], &["--cert", &path]] {
        let said = ask(more);
        assert!(said.contains("Empty reply from server"), "{more:?}: {said}");
    }
    let mut evidence = Evidence::none();
    let said = process.error_log();
    evidence.record_log(log(Role::DataPlane, DATA_PLANE, "nginx", &said, now));
    let diagnosis = Diagnosis::of(&snapshot, &evidence, Timestamp::now());
    let codes: Vec<_> = diagnosis.findings.iter().map(|found| found.code).collect();
    assert_eq!(codes, ["NGF-L4"], "{said}");
    let finding = &diagnosis.findings[0];
    assert!(
        finding.title.contains("2 times"),
        "{}: {said}",
        finding.title
    );
}

#[test]
fn the_ca_of_an_opaque_secret_is_a_file_that_nginx_misses() {
    if !support::has_peer("nginx") {
        return;
    }
    let now = Timestamp::now();
    let (snapshot, certificates) = changed("l2-frontend-ca-opaque", Change::default(), now);
    let files = files(&certificates, None);
    let files: Vec<(&str, String)> = files
        .iter()
        .map(|(name, content)| (name.as_str(), content.clone()))
        .collect();
    let said = nginx::refusal(&files, &listener(nginx::free_port(), &bundle()));
    let emerg = said.lines().next().unwrap_or_default();
    assert!(
        emerg.contains("[emerg]") && emerg.contains("No such file"),
        "{said}"
    );
    let mut evidence = Evidence::none();
    evidence.record_log(log(Role::DataPlane, DATA_PLANE, "nginx", emerg, now));
    let diagnosis = Diagnosis::of(&snapshot, &evidence, Timestamp::now());
    let codes: Vec<_> = diagnosis.findings.iter().map(|found| found.code).collect();
    assert_eq!(codes, ["NGF-L2", "NGF-D1"], "{emerg}");
}

/// What curl says of a request to a host name at the port, where it trusts that CA.
fn curl(port: u16, host: &str, ca: &str) -> String {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "30"])
        .args(["--cacert", ca, "--resolve"])
        .arg(format!("{host}:{port}:127.0.0.1"))
        .arg(format!("https://{host}:{port}/"))
        .output()
        .expect("curl runs");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// A listener with these certificates, as NGF renders it, and the file with the CA of its clients.
fn presents(certificates: &Certificates, chains: &[&[&str]]) -> (nginx::Process, u16, String) {
    let mut files = Vec::new();
    let mut lines = Vec::new();
    for chain in chains {
        let name = chain[0];
        let chain: String = chain
            .iter()
            .map(|one| certificates[*one].certificate_pem())
            .collect();
        files.push((format!("{name}.pem"), chain + &certificates[name].key_pem()));
        lines.push(format!(
            "ssl_certificate DIR/{name}.pem; ssl_certificate_key DIR/{name}.pem;"
        ));
    }
    files.push(("ca.crt".to_owned(), certificates["ca"].certificate_pem()));
    let files: Vec<(&str, String)> = files
        .iter()
        .map(|(name, content)| (name.as_str(), content.clone()))
        .collect();
    let port = nginx::free_port();
    let lines = lines.join("\n");
    let server = format!(
        "server {{ listen 127.0.0.1:{port} ssl; {lines} location / {{ return 200 hello; }} }}"
    );
    let process = nginx::nginx(port, &files, &Configuration::http(server));
    let ca = process.file("ca.crt");
    (process, port, ca)
}

#[test]
fn of_two_certificates_of_one_type_of_key_nginx_presents_the_last() {
    if !support::has_peer("nginx") || !support::has_peer("curl") {
        return;
    }
    let now = Timestamp::now();
    let name = "l5-two-certificates-for-two-names";
    let (snapshot, certificates) = changed(name, Change::default(), now);
    let (_nginx, port, ca) = presents(&certificates, &[&["web"], &["other"]]);
    assert_eq!(curl(port, "shop.example.com", &ca), "hello");
    let said = curl(port, "cafe.example.com", &ca);
    assert!(said.contains("(60)"), "{said}");
    let diagnosis = Diagnosis::of(&snapshot, &Evidence::none(), now);
    let title = &diagnosis.findings[0].title;
    assert!(title.contains("is not for cafe.example.com"), "{title}");
}

#[test]
fn clients_that_know_the_root_alone_refuse_a_chain_without_its_intermediate() {
    if !support::has_peer("nginx") || !support::has_peer("curl") {
        return;
    }
    for (name, chain, expected) in [
        ("l6-intermediate-missing", &["web"][..], "(60)"),
        (
            "l6-near-miss-with-its-intermediate",
            &["web", "inter"],
            "hello",
        ),
        ("l6-chain-out-of-order", &["web", "ca", "inter"], "hello"),
    ] {
        let now = Timestamp::now();
        let (snapshot, certificates) = changed(name, Change::default(), now);
        let (_nginx, port, ca) = presents(&certificates, &[chain]);
        let said = curl(port, "cafe.example.com", &ca);
        assert!(said.contains(expected), "{name}: {said}");
        let diagnosis = Diagnosis::of(&snapshot, &Evidence::none(), now);
        let is_warned = diagnosis
            .findings
            .iter()
            .any(|found| found.code == "NGF-L6" && found.severity == Severity::Warning);
        assert_eq!(is_warned, expected == "(60)", "{name}");
    }
}

/// What `check` makes of a handshake with the listener at the port.
fn met(port: u16, host: &str, ca: &[u8]) -> Met {
    let spec = ClientSpec {
        host: "127.0.0.1".to_owned(),
        port,
        tls: Some(ClientTls {
            server_name: host.to_owned(),
            trust: vec![Trust::Bundle {
                pem: ca.to_vec(),
                origin: "ca.crt".to_owned(),
            }],
            identity: None,
            alpn: vec!["http/1.1".to_owned()],
        }),
        request: None,
        timeout: Duration::from_secs(30),
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let seen = runtime.block_on(ask(&spec, &Direct, &CancellationToken::new()));
    ngf_cluster::probe_context::as_met(seen.expect("a transcript"))
}

#[test]
fn what_a_listener_really_presents_is_compared_with_its_secret() {
    if !support::has_peer("nginx") {
        return;
    }
    let host = "shop.example.com";
    for (name, presented, expected) in [
        ("l8-older-certificate-served", "old", "NGF-L8"),
        ("l8-another-certificate-served", "old", "NGF-L8"),
        ("l8-near-miss-the-secret-s", "web", ""),
    ] {
        let now = Timestamp::now();
        let (snapshot, certificates) = changed(name, Change::default(), now);
        let (_nginx, port, ca) = presents(&certificates, &[&[presented]]);
        let ca = std::fs::read(ca).expect("a file");
        let diagnosis = diagnosed(&snapshot, met(port, host, &ca));
        assert_eq!(first(&diagnosis), expected, "{name}");
    }
}

#[test]
fn a_listener_that_rejects_the_handshake_is_named() {
    if !support::has_peer("nginx") {
        return;
    }
    let now = Timestamp::now();
    let name = "l9-handshake-refused";
    let (snapshot, certificates) = changed(name, Change::default(), now);
    let port = nginx::free_port();
    // As NGF renders the server for host names that no route has.
    let server = format!("server {{ listen 127.0.0.1:{port} ssl; ssl_reject_handshake on; }}");
    let _nginx = nginx::nginx(port, &[], &Configuration::http(server));
    let ca = certificates["ca"].certificate_pem();
    let diagnosis = diagnosed(&snapshot, met(port, "shop.example.com", ca.as_bytes()));
    assert_eq!(first(&diagnosis), "NGF-L9");
    let why = &diagnosis.findings[0].detail[0];
    assert!(why.contains("112"), "{why}");
}

/// With what a handshake for the host name saw.
fn diagnosed(snapshot: &Snapshot, met: Met) -> Diagnosis {
    let gateway = ObjectRef::new(Kind::Gateway, "default", "web");
    let mut evidence = Evidence::none();
    let meeting = Meeting {
        owner: gateway.clone(),
        gateway,
        listener: "https".to_owned(),
        server_name: "shop.example.com".to_owned(),
    };
    evidence.record_meeting(meeting, Timestamp::now(), Ok(met));
    Diagnosis::of(snapshot, &evidence, Timestamp::now())
}

fn first(diagnosis: &Diagnosis) -> &str {
    let first = diagnosis.findings.first();
    first.map_or("", |finding| finding.code.as_str())
}
