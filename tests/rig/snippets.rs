//! Directives of snippets beside those that NGF renders, and what locations inherit: what nginx makes of them.

use jiff::Timestamp;
use ngf_core::diagnosis::{Diagnosis, Evidence};

use super::{
    Certificates, HOST, nginx,
    nginx::Configuration,
    support,
    support::scenario::{Change, changed},
};

/// The codes that are broken here.
pub(crate) const TOLD: &[&str] = &["NGF-D11", "NGF-G13"];

/// What the backend says of whom it met.
const WHOM: &str = "return 200 \"$ssl_client_s_dn\"; default_type text/plain;";

fn file(certificates: &Certificates, name: &str) -> String {
    certificates[name].certificate_pem() + &certificates[name].key_pem()
}

/// A backend that tells its client's subject.
fn backend(certificates: &Certificates) -> (u16, nginx::Process) {
    let port = nginx::free_port();
    let files = [
        ("app.pem", file(certificates, "app")),
        ("ca.crt", certificates["ca"].certificate_pem()),
    ];
    let server = format!(
        "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate DIR/app.pem; ssl_certificate_key DIR/app.pem;
            ssl_client_certificate DIR/ca.crt; ssl_verify_client optional; location / {{ {WHOM} }} }}"
    );
    let process = nginx::nginx(port, &files, &Configuration::http(server));
    (port, process)
}

/// What a client gets from a gateway whose http block presents the certificate `gateway`, with these servers.
fn asked(certificates: &Certificates, server: impl Fn(u16) -> String, path: &str) -> String {
    let (backend, _backend) = backend(certificates);
    let port = nginx::free_port();
    let other = if certificates.contains_key("other") {
        "other"
    } else {
        "app"
    };
    let files = [
        ("gateway.pem", file(certificates, "gateway")),
        ("other.pem", file(certificates, other)),
        ("ca.crt", certificates["ca"].certificate_pem()),
    ];
    let http = format!(
        "proxy_ssl_certificate DIR/gateway.pem; proxy_ssl_certificate_key DIR/gateway.pem;
        server {{ listen 127.0.0.1:{port}; server_name {HOST}; {} }}",
        server(backend)
    );
    let _gateway = nginx::nginx(port, &files, &Configuration::http(http));
    nginx::body(port, HOST, path)
}

/// As NGF renders the location of a backend with a policy.
fn location(backend: u16) -> String {
    format!(
        "location / {{ proxy_pass https://127.0.0.1:{backend}; proxy_ssl_server_name on; proxy_ssl_verify on;
            proxy_ssl_verify_depth 4; proxy_ssl_name {HOST}; proxy_ssl_trusted_certificate DIR/ca.crt; }}"
    )
}

fn codes(scenario: &str) -> (Certificates, Vec<&'static str>) {
    let now = Timestamp::now();
    let (snapshot, certificates) = changed(scenario, Change::default(), now);
    let diagnosis = Diagnosis::of(&snapshot, &Evidence::none(), Timestamp::now());
    let codes = diagnosis.findings.iter().map(|found| found.code.as_str());
    let codes = codes.collect();
    (certificates, codes)
}

#[test]
fn a_certificate_in_the_server_block_takes_the_place_of_the_gateway_s() {
    if !support::has_peer("nginx") {
        return;
    }
    let (certificates, codes) = codes("d11-another-client-certificate");
    assert_eq!(codes, ["NGF-D11"]);
    let with = "proxy_ssl_certificate DIR/other.pem; proxy_ssl_certificate_key DIR/other.pem;";
    let said = asked(
        &certificates,
        |backend| format!("{with} {}", location(backend)),
        "/",
    );
    assert_eq!(said, "CN=secure-app.example.com");
    let said = asked(&certificates, location, "/");
    assert_eq!(said, "CN=gateway");
}

#[test]
fn what_the_server_block_sets_has_no_effect_where_the_location_sets_it() {
    if !support::has_peer("nginx") {
        return;
    }
    let (certificates, codes) = codes("d11-near-miss-the-location-wins");
    assert_eq!(codes, [""; 0]);
    let with = "proxy_ssl_verify off; proxy_ssl_name other.example.com;";
    let said = asked(
        &certificates,
        |backend| format!("{with} {}", location(backend)),
        "/",
    );
    assert_eq!(said, "CN=gateway");
}

/// The location of keys has no directive about TLS at all (`extractUniqueJWKSLocations`).
#[test]
fn a_location_that_fetches_keys_presents_the_client_certificate_too() {
    if !support::has_peer("nginx") {
        return;
    }
    let (certificates, codes) = codes("g13-keys-of-a-filter");
    assert_eq!(codes, ["NGF-G13"]);
    let said = asked(
        &certificates,
        |backend| format!("location /keys {{ proxy_pass https://127.0.0.1:{backend}; }}"),
        "/keys",
    );
    assert_eq!(said, "CN=gateway");
}

#[test]
fn nginx_refuses_a_second_certificate_in_the_http_block() {
    if !support::has_peer("nginx") {
        return;
    }
    let (certificates, codes) = codes("d1-filter-repeats-the-client-certificate");
    assert_eq!(codes, ["NGF-D1"]);
    let files = [("gateway.pem", file(&certificates, "gateway"))];
    let one = "proxy_ssl_certificate DIR/gateway.pem; proxy_ssl_certificate_key DIR/gateway.pem;";
    let said = nginx::refusal(&files, &format!("{one} {one}"));
    assert!(
        said.contains("\"proxy_ssl_certificate\" directive is duplicate"),
        "{said}"
    );
}
