//! Every scenario for real: Debian's nginx as data plane, configured as NGF renders what the objects
//! say, in front of the embedded secure-app. The client gets, and nginx logs, what the scenario says.

use std::fmt::Write as _;
use std::process::Command;

use crate::sandbox_support::{Cluster, DebianNginx, free_port, peers, run};
use ngf_sandbox::{SCENARIOS, Stage};
use serde_json::Value;

/// What a scenario must show: the client's status, a piece of its body, a piece of the data plane's
/// error log, a piece of the pod's log.
struct Shown {
    scenario: &'static str,
    status: &'static str,
    body: &'static str,
    gateway_logs: &'static str,
    pod_logs: &'static str,
}

const fn shown(
    scenario: &'static str,
    status: &'static str,
    body: &'static str,
    gateway_logs: &'static str,
    pod_logs: &'static str,
) -> Shown {
    Shown {
        scenario,
        status,
        body,
        gateway_logs,
        pod_logs,
    }
}

const SUCCESS: &str = "ssl_client_verify=SUCCESS ssl_client_subject=CN=gateway";
/// A data plane's log that is not looked at.
const ANY: &str = "*";
const HELLO: &str = "hello from pod secure-app";

const SHOWN: &[Shown] = &[
    shown("guide", "200", HELLO, "", SUCCESS),
    shown(
        "wrong-hostname",
        "502",
        "",
        "upstream SSL certificate does not match \"backend.example.com\" while SSL handshaking",
        "",
    ),
    shown(
        "expired-backend-certificate",
        "502",
        "",
        "upstream SSL certificate verify error: (10:certificate has expired)",
        "",
    ),
    shown(
        "wrong-ca",
        "502",
        "",
        "upstream SSL certificate verify error: (21:unable to verify the first certificate)",
        "",
    ),
    shown(
        "no-client-certificate",
        "400",
        "No required SSL certificate was sent",
        "",
        "ssl_client_verify=NONE ssl_client_subject=-",
    ),
    shown(
        "client-certificate-from-another-ca",
        "400",
        "The SSL certificate error",
        "",
        "ssl_client_verify=FAILED:unable to verify the first certificate ssl_client_subject=CN=gateway",
    ),
    // nginx does not take the configuration; what the client gets is what it got before.
    shown(
        "secret-without-ca-crt",
        "",
        "",
        "cert_bundle_default_backend-cert.crt",
        "",
    ),
    shown(
        "policy-on-wrong-service",
        "400",
        "The plain HTTP request was sent to HTTPS port",
        "",
        "ssl_client_verify=- ssl_client_subject=-",
    ),
    shown("opaque-secret", "500", "", "", ""),
    shown(
        "plain-backend",
        "502",
        "",
        "wrong version number",
        "client sent invalid method",
    ),
    shown(
        "two-endpoints-one-expired",
        "200",
        HELLO,
        "upstream SSL certificate verify error: (10:certificate has expired)",
        SUCCESS,
    ),
    // One endpoint of forty fails: whether a request meets it, nginx's dice decide.
    shown("fleet", "200", HELLO, ANY, SUCCESS),
    shown(
        "expired-client-certificate",
        "400",
        "The SSL certificate error",
        "",
        "ssl_client_verify=FAILED:certificate has expired ssl_client_subject=CN=gateway",
    ),
    shown(
        "sni-mismatch-421",
        "421",
        "421 Misdirected Request",
        "",
        "client attempted to request the server name different from the one that was negotiated",
    ),
    shown(
        "frontend-mtls",
        "200",
        HELLO,
        "client sent no required SSL certificate while reading client request headers",
        SUCCESS,
    ),
];

fn object(cluster: &Cluster, what: &str) -> Value {
    let text = cluster
        .kubectl(&format!("get {what} -o json --ignore-not-found"))
        .out;
    if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).expect("JSON")
    }
}

fn condition<'a>(conditions: &'a Value, kind: &str) -> &'a str {
    let all = conditions.as_array().map_or(&[][..], Vec::as_slice);
    all.iter()
        .find(|c| c["type"] == kind)
        .and_then(|c| c["status"].as_str())
        .unwrap_or("")
}

/// What NGF renders for the guide's route (nginx-gateway-fabric
/// `internal/controller/nginx/config/{servers,upstreams}_template.go`), from the objects.
fn rendered(cluster: &Cluster, folder: &std::path::Path, port: u16) -> String {
    let gateway = object(cluster, "gateway gateway");
    let policy = object(cluster, "backendtlspolicy backend-tls");
    let mut text = String::from("upstream default_secure-app_8443 {\n random two least_conn;\n");
    for (address, port) in cluster.endpoints("secure-app") {
        writeln!(text, " server {address}:{port};").unwrap();
    }
    let ssl = if is_https(&gateway) { " ssl" } else { "" };
    write!(
        text,
        "}}\nserver {{\n listen 127.0.0.1:{port}{ssl};\n access_log off;\n"
    )
    .unwrap();
    if is_https(&gateway) {
        text += &listener(cluster, folder);
    }
    let reference = &gateway["spec"]["tls"]["backend"]["clientCertificateRef"]["name"];
    if let Some(name) = reference.as_str() {
        let pair = [
            cluster.secret(name, "tls.crt"),
            b"\n".to_vec(),
            cluster.secret(name, "tls.key"),
        ];
        std::fs::write(folder.join("ssl_keypair.pem"), pair.concat()).unwrap();
        text += " proxy_ssl_certificate @FOLDER@/ssl_keypair.pem;\n";
        text += " proxy_ssl_certificate_key @FOLDER@/ssl_keypair.pem;\n";
    }
    text += " location / {\n  proxy_http_version 1.1;\n  proxy_set_header Host secure-app.example.com;\n";
    let ancestors = policy["status"]["ancestors"].as_array();
    match ancestors.and_then(|all| all.first()) {
        Some(ancestor) if condition(&ancestor["conditions"], "Accepted") == "True" => {
            let validation = &policy["spec"]["validation"];
            let name = validation["caCertificateRefs"][0]["name"]
                .as_str()
                .expect("a Secret");
            let bundle = cluster.secret(name, "ca.crt");
            std::fs::write(folder.join("cert_bundle_default_backend-cert.crt"), bundle).unwrap();
            let hostname = validation["hostname"].as_str().expect("a host name");
            write!(
                text,
                "  proxy_pass https://default_secure-app_8443;\n  proxy_ssl_server_name on;\n  \
                 proxy_ssl_verify on;\n  proxy_ssl_verify_depth 4;\n  proxy_ssl_name {hostname};\n  \
                 proxy_ssl_trusted_certificate @FOLDER@/cert_bundle_default_backend-cert.crt;\n  \
                 proxy_ssl_protocols TLSv1.2 TLSv1.3;\n"
            )
            .unwrap();
        }
        // An invalid policy: NGF answers for the backend.
        Some(_) => text += "  return 500;\n",
        None => text += "  proxy_pass http://default_secure-app_8443;\n",
    }
    text + " }\n}\n"
}

fn is_https(gateway: &Value) -> bool {
    gateway["spec"]["listeners"][0]["protocol"] == "HTTPS"
}

/// A certificate and its key from a Secret, as a file.
fn pair(cluster: &Cluster, folder: &std::path::Path, secret: &str) {
    let pair = [
        cluster.secret(secret, "tls.crt"),
        b"\n".to_vec(),
        cluster.secret(secret, "tls.key"),
    ];
    std::fs::write(folder.join(format!("{secret}.pem")), pair.concat()).unwrap();
}

/// What NGF renders for a listener whose clients must present a certificate; the client's own is there, too.
fn listener(cluster: &Cluster, folder: &std::path::Path) -> String {
    pair(cluster, folder, "web-tls");
    pair(cluster, folder, "alice");
    let ca = cluster.secret("web-tls", "ca.crt");
    std::fs::write(folder.join("clients.crt"), ca).unwrap();
    " ssl_certificate @FOLDER@/web-tls.pem;\n ssl_certificate_key @FOLDER@/web-tls.pem;\n \
     ssl_client_certificate @FOLDER@/clients.crt;\n ssl_verify_client on;\n ssl_verify_depth 4;\n \
     error_page 495 496 = @frontend_tls_verify_failed;\n \
     location @frontend_tls_verify_failed { return 444; }\n"
        .to_owned()
}

/// As a client with the certificate in the folder; and, before, one without, who gets no answer.
fn request_over_tls(port: u16, folder: &std::path::Path) -> (String, String) {
    let host = "secure-app.example.com";
    let ask = |more: &[String]| {
        let mut curl = Command::new("curl");
        curl.args([
            "-sS",
            "--noproxy",
            "*",
            "--max-time",
            "30",
            "-w",
            "\n%{http_code}",
        ])
        .arg("--cacert")
        .arg(folder.join("clients.crt"))
        .arg("--resolve")
        .arg(format!("{host}:{port}:127.0.0.1"))
        .args(more);
        run(curl.arg(format!("https://{host}:{port}/")))
    };
    let refused = ask(&[]).refused();
    assert!(refused.contains("Empty reply from server"), "{refused}");
    let alice = folder.join("alice.pem").display().to_string();
    let text = ask(&["--cert".to_owned(), alice]).fine();
    let (body, status) = text.rsplit_once('\n').expect("a status");
    (status.to_owned(), body.to_owned())
}

fn request(port: u16) -> (String, String) {
    let mut curl = Command::new("curl");
    curl.args([
        "-s",
        "--noproxy",
        "*",
        "--max-time",
        "10",
        "-w",
        "\n%{http_code}",
    ]);
    let text = run(curl.arg(format!("http://127.0.0.1:{port}/"))).fine();
    let (body, status) = text.rsplit_once('\n').expect("a status");
    (status.to_owned(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_scenario_shows_what_it_says_behind_a_real_nginx() {
    if !peers(&["kubectl", "curl", "nginx"]) {
        return;
    }
    let names: Vec<_> = SCENARIOS.iter().map(|s| s.name).collect();
    assert_eq!(names, SHOWN.iter().map(|s| s.scenario).collect::<Vec<_>>());
    for (scenario, shown) in SCENARIOS.iter().zip(SHOWN) {
        let name = scenario.name;
        assert!(
            scenario.shows.contains(shown.status),
            "{name} says nothing of {}",
            shown.status
        );
        let cluster = Cluster::start(name, Stage::Policy).await;
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let gateway = object(&cluster, "gateway gateway");
        let programmed = condition(&gateway["status"]["conditions"], "Programmed");
        let configuration = rendered(&cluster, folder.path(), port);
        if shown.status.is_empty() {
            assert_eq!(programmed, "False", "{name}");
            let at = folder.path().display().to_string();
            let http = configuration.replace("@FOLDER@", &at);
            let file = folder.path().join("nginx.conf");
            std::fs::write(&file, format!("events {{}}\nhttp {{\n{http}\n}}\n")).unwrap();
            let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap());
            let said = run(Command::new("nginx")
                .env("PATH", path)
                .arg("-t")
                .arg("-c")
                .arg(&file));
            let error = said.refused();
            assert!(
                error.contains("[emerg]") && error.contains(shown.gateway_logs),
                "{name}: {error}"
            );
            cluster.sandbox.shutdown().await;
            continue;
        }
        assert_eq!(programmed, "True", "{name}");
        let at = folder.path().to_owned();
        let nginx = DebianNginx::start_in(folder, &configuration, port);
        let ask = || {
            if is_https(&gateway) {
                request_over_tls(port, &at)
            } else {
                request(port)
            }
        };
        let any = shown.gateway_logs == ANY;
        // NGF lets nginx choose among the endpoints at random: it asks each of them sooner or later.
        let mut logged = String::new();
        for asked in 1..=200 {
            let (status, body) = ask();
            assert_eq!(status, shown.status, "{name}: {body}");
            assert!(body.contains(shown.body), "{name}: {body}");
            logged = nginx.log("error.log");
            if asked >= 6 && (any || logged.contains(shown.gateway_logs)) {
                break;
            }
        }
        assert!(
            any || logged.contains(shown.gateway_logs),
            "{name}: {logged}"
        );
        if shown.gateway_logs.is_empty() {
            assert!(!logged.contains("[error]"), "{name}: {logged}");
        }
        cluster.kubectl_until("logs -l app=secure-app --tail=-1", shown.pod_logs);
        cluster.sandbox.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stages_of_the_guide_give_400_400_and_200() {
    if !peers(&["kubectl", "curl", "nginx"]) {
        return;
    }
    let cluster = Cluster::start("guide", Stage::Before).await;
    for (stage, status) in Stage::ALL.into_iter().zip(["400", "400", "200"]) {
        cluster.sandbox.set_stage(stage).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let configuration = rendered(&cluster, folder.path(), port);
        let _nginx = DebianNginx::start_in(folder, &configuration, port);
        assert_eq!(request(port).0, status, "{stage}");
    }
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_that_secure_app_sends_is_the_one_that_nginx_sends() {
    if !peers(&["kubectl", "openssl", "nginx"]) {
        return;
    }
    let cluster = Cluster::start("guide", Stage::Policy).await;
    let folder = tempfile::tempdir().unwrap();
    for key in ["tls.crt", "tls.key", "ca.crt"] {
        std::fs::write(
            folder.path().join(key),
            cluster.secret("app-tls-secret", key),
        )
        .unwrap();
    }
    let port = free_port();
    let configuration = format!(
        "server {{ listen {port} ssl; ssl_certificate @FOLDER@/tls.crt; \
         ssl_certificate_key @FOLDER@/tls.key; ssl_client_certificate @FOLDER@/ca.crt; \
         ssl_verify_client on; ssl_protocols TLSv1.2 TLSv1.3; }}"
    );
    let _nginx = DebianNginx::start_in(folder, &configuration, port);
    let chain = |address: &str, port: u16, version: &str| {
        let mut client = Command::new("openssl");
        client
            .args(["s_client", "-showcerts", version, "-connect"])
            .arg(format!("{address}:{port}"));
        let said = run(&mut client).out;
        let between = |start: &str, end: &str| {
            let from = said.find(start).unwrap_or(said.len());
            let text = &said[from..];
            text[..text.find(end).unwrap_or(text.len())].to_owned()
        };
        (
            between("Certificate chain", "---\nServer certificate"),
            between("Acceptable client", "Requested"),
        )
    };
    let (address, pod_port) = cluster.endpoints("secure-app").remove(0);
    for version in ["-tls1_2", "-tls1_3"] {
        let theirs = chain("127.0.0.1", port, version);
        assert!(
            theirs.0.contains("BEGIN CERTIFICATE") && theirs.1.contains("LocalCA"),
            "{theirs:?}"
        );
        assert_eq!(chain(&address, pod_port, version), theirs, "{version}");
    }
    cluster.sandbox.shutdown().await;
}
