//! The options of `probe` beside the verdict, as a user runs them, against Debian's nginx.

use std::{
    collections::BTreeMap,
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use crate::support::{has_peer, pki};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

const NAME: &str = "secure-app.example.com";

/// nginx as the guide's secure-app; ends with the value.
struct Backend {
    child: Child,
    folder: TempDir,
    port: u16,
}

impl Backend {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wanted: BTreeMap<String, pki::Wanted> = serde_saphyr::from_str(
            "ca: {cn: LocalCA, ca: true, days: [-30, 900]}
app: {cn: secure-app.example.com, names: [secure-app.example.com], by: ca, days: [-30, 60]}
gateway: {cn: gateway, by: ca}",
        )
        .unwrap();
        for (name, minted) in pki::mint(&wanted, Timestamp::now()) {
            let file = |kind| folder.path().join(format!("{name}.{kind}"));
            fs::write(file("crt"), minted.certificate_pem()).unwrap();
            fs::write(file("key"), minted.key_pem()).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let configuration = format!(
            "daemon off; master_process off; pid nginx.pid; error_log error.log;
            events {{}}
            http {{
                access_log off;
                client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                server {{
                    listen 127.0.0.1:{port} ssl;
                    ssl_certificate app.crt; ssl_certificate_key app.key;
                    ssl_client_certificate ca.crt; ssl_verify_client on;
                    location / {{ return 200 hello; }}
                }}
            }}"
        );
        fs::write(folder.path().join("nginx.conf"), configuration).unwrap();
        let child = Command::new("sh")
            .args([
                "-c",
                "PATH=$PATH:/usr/sbin exec nginx -p \"$0\" -e error.log -c nginx.conf",
            ])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "nginx does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            child,
            folder,
            port,
        }
    }

    fn probe(&self, options: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_ngf-tui"))
            .env("NO_COLOR", "1")
            .current_dir(self.folder.path())
            .args(["probe", "--connect", &format!("127.0.0.1:{}", self.port)])
            .args(["--server-name", NAME, "--ca", "ca.crt"])
            .args(["--cert", "gateway.crt", "--key", "gateway.key"])
            .args(options)
            .output()
            .unwrap()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {} {}", text(&output.stdout), text(&output.stderr))
    })
}

#[test]
fn a_capture_is_its_owners_alone_says_what_it_holds_and_goes_over_nothing() {
    if !has_peer("nginx") || !has_peer("tshark") {
        return;
    }
    let backend = Backend::start();
    let file = backend.folder.path().join("probe.pcapng");
    let first = backend.probe(&["--pcap", "probe.pcapng"]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    assert!(text(&first.stderr).contains("session's secrets"));
    assert_eq!(mode(&file), 0o600);
    let shown = Command::new("tshark")
        .arg("-r")
        .arg(&file)
        .args([
            "-Y",
            "tls.handshake.type == 11",
            "-T",
            "fields",
            "-e",
            "x509sat.uTF8String",
        ])
        .output()
        .unwrap();
    let shown = text(&shown.stdout);
    assert!(shown.contains("gateway") && shown.contains(NAME), "{shown}");

    let before = fs::read(&file).unwrap();
    let second = backend.probe(&["--pcap", "probe.pcapng"]);
    assert_eq!(second.status.code(), Some(2));
    assert!(
        text(&second.stderr).contains("is not overwritten"),
        "{}",
        text(&second.stderr)
    );
    assert!(
        second.stdout.is_empty(),
        "no probe runs without its capture"
    );
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[cfg(unix)]
fn mode(file: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}

#[test]
fn at_another_moment_the_same_chain_is_judged_again() {
    if !has_peer("nginx") {
        return;
    }
    let backend = Backend::start();
    let today = json(&backend.probe(&["-o", "json"]));
    assert_eq!(today["nginx"]["outcome"], "ok");
    assert_eq!(today["judged_at"], Value::Null);
    assert_eq!(today["expires_first"]["part"], "server");
    assert!(
        today["expires_first"]["then"]
            .as_str()
            .unwrap()
            .contains("(10:certificate has expired)")
    );

    let day = (Timestamp::now() + jiff::SignedDuration::from_hours(24 * 100))
        .strftime("%Y-%m-%d")
        .to_string();
    let later = backend.probe(&["--at", &day, "-o", "json"]);
    assert_eq!(later.status.code(), Some(1));
    let later = json(&later);
    assert_eq!(later["nginx"]["outcome"], "verify_error");
    assert_eq!(later["nginx"]["verify_code"], 10);
    assert_eq!(later["judged_at"], format!("{day}T00:00:00Z"));
    let words = text(&backend.probe(&["--at", &day]).stdout);
    assert!(words.contains(&format!("judged as of {day}T00:00:00Z, and not of now")));

    let wrong = backend.probe(&["--at", "tomorrow"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        text(&wrong.stderr).contains("2027-01-01"),
        "{}",
        text(&wrong.stderr)
    );
}

#[test]
fn the_matrix_is_a_table_or_json_and_its_status_is_that_of_nginx_own_offer() {
    if !has_peer("nginx") {
        return;
    }
    let backend = Backend::start();
    let table = backend.probe(&["--tls-scan"]);
    assert_eq!(table.status.code(), Some(0), "{}", text(&table.stderr));
    let table = text(&table.stdout);
    for line in [
        "\n* TLSv1.3 ",
        "\n  TLSv1.0 ",
        "\n  without a client certificate",
        "\n* with the client certificate",
        "\n✓ NGINX's defaults lie inside",
    ] {
        assert!(table.contains(line), "{line}\n{table}");
    }
    let matrix = json(&backend.probe(&["--tls-scan", "-o", "json"]));
    assert_eq!(matrix["schema"], "ngf-tui/tls-scan/v1");
    assert_eq!(matrix["nginx_inside"], true);
    assert_eq!(matrix["demand"], "required");
    assert_eq!(matrix["rows"][0]["axis"], "nginx");
    assert_eq!(matrix["rows"][0]["answer"], "accepted");
    assert_eq!(matrix["rows"][0]["client_status"], 200);
    let both = backend.probe(&["--tls-scan", "--pcap", "x.pcapng"]);
    assert_eq!(both.status.code(), Some(2), "not both at once");
}

#[test]
fn the_backends_ca_judges_the_client_and_records_are_shown() {
    if !has_peer("nginx") {
        return;
    }
    let backend = Backend::start();
    let words = text(
        &backend
            .probe(&["--client-ca", "ca.crt", "--records"])
            .stdout,
    );
    assert!(
        words.contains("it verifies with the CA in file ca.crt and a verify depth of 1"),
        "{words}"
    );
    assert!(words.contains("Records ("), "{words}");
    assert!(words.contains("← application_data"), "{words}");
    let wrong = backend.probe(&["--client-ca", "app.key"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("the CA that the backend trusts, file app.key"));
    let missing = backend.probe(&["--client-ca", "nowhere.crt"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("--client-ca nowhere.crt"));
}
