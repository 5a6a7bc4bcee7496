//! A capture, as tshark reads it.

use std::io::Write as _;
use std::process::Command;

use crate::support::nginx::SecureApp;
use crate::support::pki::Template;
use crate::support::{HOST, over_tls, plain, presenting};
use ngf_probes::capture::{self, Capture};
use ngf_probes::dial::Direct;
use ngf_probes::probe_with;
use ngf_probes::spec::{Options, ProbeSpec};
use ngf_tls::transcript::{Outcome, Transcript};
use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

/// Runs a probe and writes what passed to a file.
async fn captured(specs: &[ProbeSpec]) -> (Vec<Transcript>, NamedTempFile) {
    let mut transcripts = Vec::new();
    let mut captures = Vec::new();
    for spec in specs {
        let capture = Capture::new();
        let options = Options {
            capture: Some(capture.clone()),
            ..Options::default()
        };
        let transcript = probe_with(spec, &options, &Direct, &CancellationToken::new())
            .await
            .expect("the probe can be run");
        transcripts.push(transcript);
        captures.push(capture);
    }
    let mut file = NamedTempFile::with_suffix(".pcapng").unwrap();
    capture::write(&mut file, &captures).unwrap();
    file.flush().unwrap();
    (transcripts, file)
}

/// tshark's fields of the packets that `filter` lets through, a line each; checksums are checked.
fn tshark(file: &NamedTempFile, filter: &str, fields: &[&str]) -> Vec<String> {
    let mut command = Command::new("tshark");
    command
        .args(["-r".as_ref(), file.path().as_os_str()])
        .args([
            "-o",
            "tcp.check_checksum:TRUE",
            "-o",
            "ip.check_checksum:TRUE",
        ])
        .args(["-Y", filter, "-T", "fields", "-E", "separator=/s"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.trim().to_owned())
        .collect()
}

fn assert_packets_are_sound(file: &NamedTempFile) {
    for broken in [
        "_ws.malformed",
        "tcp.checksum.status == 0",
        "ip.checksum.status == 0",
        "tcp.analysis.flags",
    ] {
        let found = tshark(file, broken, &["frame.number", "_ws.col.Info"]);
        assert_eq!(found, Vec::<String>::new(), "{broken}");
    }
}

#[tokio::test]
async fn tshark_shows_certificates_and_http_in_clear_in_both_directions() {
    peer!("nginx");
    peer!("tshark");
    let ca = Template::ca("LocalCA").self_signed();
    let app = Template::server(HOST).signed_by(&ca);
    let gateway = Template::client("gateway").signed_by(&ca);
    for protocols in ["TLSv1.2", "TLSv1.3"] {
        let nginx = SecureApp {
            protocols,
            ..SecureApp::new(&app, &ca)
        }
        .start();
        let spec = presenting(over_tls(nginx.port, &[&ca]), &gateway, &[]);
        let (transcripts, file) = captured(&[spec]).await;
        assert_eq!(transcripts[0].nginx.outcome, Outcome::Ok);
        assert_packets_are_sound(&file);

        let to = format!("tcp.dstport == {} && ", nginx.port);
        let from = format!("tcp.srcport == {} && ", nginx.port);
        let certificate = "tls.handshake.type == 11";
        let subject = ["x509sat.uTF8String"];
        let sent = tshark(&file, &(to.clone() + certificate), &subject).join("\n");
        assert!(sent.contains("gateway"), "{protocols}, sent: {sent:?}");
        let received = tshark(&file, &(from.clone() + certificate), &subject).join("\n");
        assert!(
            received.contains(HOST),
            "{protocols}, received: {received:?}"
        );
        let finished = "tls.handshake.type == 20";
        assert_eq!(
            tshark(&file, &(to.clone() + finished), &["frame.number"]).len(),
            1
        );
        assert_eq!(
            tshark(&file, &(from + finished), &["frame.number"]).len(),
            1
        );
        let request = tshark(&file, "http.request", &["http.request.method", "http.host"]);
        assert_eq!(request, [format!("GET {HOST}")], "{protocols}");
        assert_eq!(
            tshark(&file, "http.response", &["http.response.code"]),
            ["200"]
        );
        // The connection begins and ends as one does.
        assert_eq!(
            tshark(&file, "tcp.flags.syn == 1", &["frame.number"]),
            ["1", "2"]
        );
        assert!(!tshark(&file, &(to + "tcp.flags.fin == 1"), &["frame.number"]).is_empty());
    }
}

#[tokio::test]
async fn several_connections_share_a_file_each_with_its_secrets() {
    peer!("nginx");
    peer!("tshark");
    let ca = Template::ca("LocalCA").self_signed();
    let app = Template::server(HOST).signed_by(&ca);
    let nginx = SecureApp::new(&app, &ca).start();
    let spec = over_tls(nginx.port, &[&ca]);
    let (_, file) = captured(&[spec.clone(), spec]).await;
    assert_packets_are_sound(&file);
    assert_eq!(
        tshark(
            &file,
            "http.response",
            &["tcp.stream", "http.response.code"]
        ),
        ["0 400", "1 400"]
    );
}

#[tokio::test]
async fn plain_text_is_captured_too_and_times_are_those_of_the_day() {
    peer!("nginx");
    peer!("tshark");
    let ca = Template::ca("LocalCA").self_signed();
    let app = Template::server(HOST).signed_by(&ca);
    let nginx = SecureApp::new(&app, &ca).start();
    let before = jiff::Timestamp::now().as_second();
    let (_, file) = captured(&[plain(nginx.port)]).await;
    let after = jiff::Timestamp::now().as_second();
    assert_packets_are_sound(&file);
    let answers = tshark(
        &file,
        &format!("tcp.srcport == {} && tcp.len > 0", nginx.port),
        &["frame.time_epoch"],
    );
    let time: f64 = answers[0].parse().unwrap();
    assert!((before..=after).contains(&(time as i64)), "{time}");
}

#[tokio::test]
async fn nothing_is_kept_of_a_connection_that_was_refused() {
    let ca = Template::ca("LocalCA").self_signed();
    let capture = Capture::new();
    let options = Options {
        capture: Some(capture.clone()),
        ..Options::default()
    };
    let port = crate::support::free_ports(1)[0];
    probe_with(
        &over_tls(port, &[&ca]),
        &options,
        &Direct,
        &CancellationToken::new(),
    )
    .await
    .unwrap();
    assert!(capture.is_empty());
}

#[tokio::test]
async fn over_ipv6_and_by_a_reset_the_packets_are_sound_too() {
    use tokio::io::AsyncReadExt as _;
    peer!("tshark");
    let Ok(listener) = tokio::net::TcpListener::bind("[::1]:0").await else {
        crate::support::skipped::count("this machine has no IPv6");
        return;
    };
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await.unwrap();
        // So that the reset is one, and not an end.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        stream.set_zero_linger().unwrap();
    });
    let mut spec = plain(port);
    spec.host = "::1".to_owned();
    let (_, file) = captured(&[spec]).await;
    assert_packets_are_sound(&file);
    assert_eq!(
        tshark(&file, "tcp.flags.reset == 1", &["ipv6.src", "tcp.srcport"]),
        [format!("::1 {port}")]
    );
    assert_eq!(
        tshark(&file, "http.request", &["http.host"]),
        [HOST.to_owned()]
    );
}
