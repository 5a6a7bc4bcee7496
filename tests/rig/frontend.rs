//! Frontend TLS as NGF renders it (`servers_template.go`): what clients of real nginx get, and what its log says of
//! them, must be what the findings say.

use std::process::Command;

use jiff::Timestamp;
use ngf_core::{
    diagnosis::{Diagnosis, Evidence, ngf::frontend::frontend_bundle_file},
    logs::Role,
    model::{kind::Kind, object::ObjectRef},
};

use super::{
    Certificates, DATA_PLANE, HOST, log,
    nginx::{self, Configuration},
    support,
    support::scenario::{Change, changed},
};

/// The codes that are broken here.
pub(crate) const TOLD: &[&str] = &["NGF-L2", "NGF-L4"];

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
