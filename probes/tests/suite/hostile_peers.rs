//! Peers that break off, stall, or send what nobody asked for: a bounded answer in bounded time,
//! which names the last thing that happened.

use std::time::{Duration, Instant};

use crate::support::pki::Template;
use crate::support::{free_ports, over_tls, plain, raw_peer, run};
use ngf_probes::dial::Direct;
use ngf_probes::{ProbeError, probe};
use ngf_tls::transcript::Outcome::{self, Closed, Timeout, TlsError};
use ngf_tls::transcript::{StepStatus, Transcript};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// The bound of each phase in these tests, and what all of a probe may then take.
const TIMEOUT: Duration = Duration::from_millis(600);
const ALL_OF_IT: Duration = Duration::from_secs(5);

/// What a peer does after the first bytes of the client came.
#[derive(Clone)]
enum Then {
    /// Ends the connection.
    End,
    /// Resets it.
    Reset,
    /// Says nothing more, for ever.
    Silence,
    /// Sends the same again, for ever.
    Repeat,
}

async fn peer_that_sends(bytes: Vec<u8>, then: Then) -> u16 {
    raw_peer::listen(move |stream| serve(stream, bytes.clone(), then.clone())).await
}

async fn serve(mut stream: TcpStream, bytes: Vec<u8>, then: Then) {
    let mut request = [0; 4096];
    if stream.read(&mut request).await.is_err() {
        return;
    }
    if stream.write_all(&bytes).await.is_err() {
        return;
    }
    match then {
        Then::End => {}
        Then::Reset => {
            // What was sent should arrive before the reset does.
            tokio::time::sleep(Duration::from_millis(50)).await;
            stream.set_zero_linger().unwrap();
        }
        Then::Silence => std::future::pending().await,
        Then::Repeat => while stream.write_all(&bytes).await.is_ok() {},
    }
}

fn record(content_type: u8, body: &[u8]) -> Vec<u8> {
    let mut record = vec![
        content_type,
        3,
        3,
        (body.len() >> 8) as u8,
        body.len() as u8,
    ];
    record.extend(body);
    record
}

/// A ServerHello of TLS 1.2 that OpenSSL takes.
fn server_hello() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(0);
    body.extend([0xc0, 0x2f, 0]);
    body.extend([0, 5, 0xff, 1, 0, 1, 0]);
    handshake(2, &body)
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    [&[kind], &length[1..], body].concat()
}

/// A Certificate message of so many bytes, in as many records as that takes.
fn certificates(bytes: usize) -> Vec<u8> {
    let der = Template::server("big").self_signed().der();
    let mut list: Vec<u8> = Vec::new();
    while list.len() < bytes {
        list.extend(&(der.len() as u32).to_be_bytes()[1..]);
        list.extend(&der);
    }
    let mut body = (list.len() as u32).to_be_bytes()[1..].to_vec();
    body.extend(list);
    handshake(11, &body)
        .chunks(16_384)
        .flat_map(|part| record(22, part))
        .collect()
}

struct Row {
    what: &'static str,
    bytes: Vec<u8>,
    then: Then,
    outcome: Outcome,
    alert: Option<u8>,
    status: u16,
    /// Part of the line that nginx would write.
    line: &'static str,
    /// Part of the sentence: the last thing that happened.
    sentence: &'static str,
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn in_the_handshake() -> Vec<Row> {
    let hello = record(22, &server_hello());
    let row = |what, bytes, then, outcome, alert, status, line, sentence| Row {
        what,
        bytes,
        then,
        outcome,
        alert,
        status,
        line,
        sentence,
    };
    vec![
        row(
            "silence",
            vec![],
            Then::Silence,
            Timeout,
            None,
            504,
            "upstream timed out (110: Connection timed out) while SSL handshaking to upstream",
            "nothing came from the backend",
        ),
        row(
            "end at once",
            vec![],
            Then::End,
            Closed,
            None,
            502,
            "peer closed connection in SSL handshake while SSL handshaking to upstream",
            "nothing came from the backend",
        ),
        row(
            "reset at once",
            vec![],
            Then::Reset,
            Closed,
            None,
            502,
            "peer closed connection in SSL handshake (104: Connection reset by peer) while SSL handshaking to upstream",
            "Connection reset by peer",
        ),
        row(
            "garbage",
            vec![0xde; 500],
            Then::End,
            TlsError,
            None,
            502,
            "wrong version number",
            "does not speak TLS on this port",
        ),
        row(
            "plain HTTP",
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            Then::End,
            TlsError,
            None,
            502,
            "wrong version number",
            "plain HTTP: HTTP/1.1 400 Bad Request",
        ),
        row(
            "half a header",
            vec![22, 3],
            Then::Silence,
            Timeout,
            None,
            504,
            "upstream timed out",
            "after 2 of the 5 bytes of a record's header",
        ),
        row(
            "half a record",
            hello[..20].to_vec(),
            Then::Silence,
            Timeout,
            None,
            504,
            "upstream timed out",
            "after 15 of the 49 bytes of a record of type handshake",
        ),
        row(
            "half a record, then the end",
            hello[..20].to_vec(),
            Then::End,
            Closed,
            None,
            502,
            "peer closed connection in SSL handshake",
            "after 15 of the 49 bytes",
        ),
        row(
            "a hello, then silence",
            hello.clone(),
            Then::Silence,
            Timeout,
            None,
            504,
            "upstream timed out",
            "the backend's ServerHello was the last to come",
        ),
        row(
            "a hello, then the end",
            hello.clone(),
            Then::End,
            Closed,
            None,
            502,
            "peer closed connection in SSL handshake",
            "the backend's ServerHello was the last to come",
        ),
        row(
            "a hello, then a reset",
            hello.clone(),
            Then::Reset,
            Closed,
            None,
            502,
            "(104: Connection reset by peer)",
            "the backend's ServerHello was the last to come",
        ),
        row(
            "a fatal alert",
            record(21, &[2, 80]),
            Then::End,
            TlsError,
            Some(80),
            502,
            "SSL alert number 80",
            "alert 80 (internal_error)",
        ),
        row(
            "an alert after the hello",
            [hello.clone(), record(21, &[2, 40])].concat(),
            Then::End,
            TlsError,
            Some(40),
            502,
            "SSL alert number 40",
            "alert 40 (handshake_failure)",
        ),
        row(
            "unrecognized_name",
            record(21, &[2, 112]),
            Then::End,
            TlsError,
            Some(112),
            502,
            "SSL alert number 112",
            "it has no server of the name secure-app.example.com",
        ),
        row(
            "protocol_version",
            record(21, &[2, 70]),
            Then::End,
            TlsError,
            Some(70),
            502,
            "SSL alert number 70",
            "neither TLS 1.2 nor TLS 1.3",
        ),
        row(
            "close_notify",
            record(21, &[1, 0]),
            Then::End,
            Closed,
            None,
            502,
            "peer closed connection in SSL handshake while",
            "Alert was the last to come",
        ),
        row(
            "half an alert",
            record(21, &[2]),
            Then::End,
            TlsError,
            None,
            502,
            "SSL_do_handshake() failed",
            "failed here",
        ),
        row(
            "empty records",
            record(22, &[]),
            Then::Repeat,
            TlsError,
            None,
            502,
            "SSL_do_handshake() failed",
            "failed here",
        ),
        row(
            "warnings for ever",
            record(21, &[1, 90]),
            Then::Repeat,
            TlsError,
            None,
            502,
            "SSL_do_handshake() failed",
            "failed here",
        ),
        row(
            "1 MB of certificates",
            [hello.clone(), certificates(1 << 20)].concat(),
            Then::Silence,
            TlsError,
            None,
            502,
            "excessive message size",
            "failed here",
        ),
        row(
            "a message that never ends",
            [
                record(22, &[11, 0xff, 0xff, 0xff]),
                record(22, &[0; 16_000]),
            ]
            .concat(),
            Then::Repeat,
            TlsError,
            None,
            502,
            "SSL_do_handshake() failed",
            "failed here",
        ),
        row(
            "a record that is too long",
            vec![22, 3, 3, 0xff, 0xff],
            Then::Repeat,
            TlsError,
            None,
            502,
            "SSL_do_handshake() failed",
            "failed here",
        ),
        row(
            "application data at once",
            record(23, b"hello"),
            Then::End,
            TlsError,
            None,
            502,
            "SSL_do_handshake() failed",
            "failed here",
        ),
    ]
}

fn failed(seen: &Transcript) -> usize {
    seen.steps
        .iter()
        .filter(|step| step.status == StepStatus::Failed)
        .count()
}

#[tokio::test]
async fn a_handshake_that_breaks_is_bounded_and_named() {
    let ca = Template::ca("LocalCA").self_signed();
    for row in in_the_handshake() {
        let port = peer_that_sends(row.bytes, row.then).await;
        let mut spec = over_tls(port, &[&ca]);
        spec.timeout = TIMEOUT;
        let began = Instant::now();
        let seen = run(&spec).await;
        let verdict = &seen.nginx;
        let about = format!("{}: {verdict:#?}", row.what);
        assert!(began.elapsed() < ALL_OF_IT, "{about}");
        assert_eq!(verdict.outcome, row.outcome, "{about}");
        assert_eq!(verdict.alert, row.alert, "{about}");
        assert_eq!(verdict.client_status, Some(row.status), "{about}");
        assert!(
            verdict.log_line.as_deref().unwrap().contains(row.line),
            "{about}"
        );
        assert!(verdict.sentence.contains(row.sentence), "{about}");
        assert_eq!(verdict.verify_code, None, "{about}");
        assert_eq!(
            failed(&seen),
            1,
            "one step is marked; {}: {:#?}",
            row.what,
            seen.steps
        );
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn an_answer_that_breaks_is_bounded_and_named() {
    let endless = b"HTTP/1.1 200 OK\r\nX-Endless: ".to_vec();
    for (what, bytes, then, outcome, status, line) in [
        (
            "silence",
            vec![],
            Then::Silence,
            Timeout,
            Some(504),
            Some(
                "upstream timed out (110: Connection timed out) while reading response header from upstream",
            ),
        ),
        (
            "end",
            vec![],
            Then::End,
            Closed,
            Some(502),
            Some(
                "upstream prematurely closed connection while reading response header from upstream",
            ),
        ),
        (
            "reset",
            vec![],
            Then::Reset,
            Closed,
            Some(502),
            Some(
                "recv() failed (104: Connection reset by peer) while reading response header from upstream",
            ),
        ),
        (
            "half a head",
            b"HTTP/1.1 200 OK\r\nServ".to_vec(),
            Then::End,
            Closed,
            Some(502),
            Some(
                "upstream prematurely closed connection while reading response header from upstream",
            ),
        ),
        (
            "an endless head",
            endless,
            Then::Repeat,
            Outcome::HttpError,
            Some(502),
            Some("upstream sent too big header while reading response header from upstream"),
        ),
        (
            "no HTTP",
            b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
            Then::End,
            Outcome::HttpError,
            None,
            Some(
                "upstream sent no valid HTTP/1.0 header while reading response header from upstream",
            ),
        ),
        (
            "a bad header",
            b"HTTP/1.1 200 OK\r\nbad header: x\r\n\r\n".to_vec(),
            Then::End,
            Outcome::HttpError,
            Some(502),
            Some(
                "upstream sent invalid header: \"bad\\x20...\" while reading response header from upstream",
            ),
        ),
        (
            "two lengths",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_vec(),
            Then::End,
            Outcome::HttpError,
            Some(502),
            Some(
                "upstream sent duplicate header line: \"Content-Length: 2\", previous value: \"Content-Length: 1\" while reading response header from upstream",
            ),
        ),
        (
            "a short body",
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec(),
            Then::End,
            Closed,
            Some(200),
            Some("upstream prematurely closed connection while reading upstream"),
        ),
        (
            "an endless body",
            b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
            Then::Repeat,
            Outcome::Ok,
            Some(200),
            None,
        ),
        (
            "control characters",
            b"HTTP/1.1 200 OK\r\nServer: \x1b[31mred\r\nContent-Length: 5\r\n\r\n\x1b]0;\x07"
                .to_vec(),
            Then::End,
            Outcome::Ok,
            Some(200),
            None,
        ),
    ] {
        let port = peer_that_sends(bytes, then).await;
        let mut spec = plain(port);
        spec.timeout = TIMEOUT;
        let began = Instant::now();
        let seen = run(&spec).await;
        let verdict = &seen.nginx;
        assert!(began.elapsed() < ALL_OF_IT, "{what}");
        assert_eq!(verdict.outcome, outcome, "{what}: {verdict:#?}");
        assert_eq!(verdict.client_status, status, "{what}");
        assert_eq!(verdict.log_line.as_deref(), line, "{what}");
        let text = serde_json::to_string(&seen).unwrap();
        assert!(
            !text.contains("\\u001b") && !text.contains("\\u0007"),
            "{what}: {text}"
        );
    }
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_refuses() {
    let port = free_ports(1)[0];
    let seen = run(&plain(port)).await;
    assert_eq!(seen.nginx.outcome, Outcome::ConnectError);
    assert_eq!(
        seen.nginx.log_line.as_deref(),
        Some("connect() failed (111: Connection refused) while connecting to upstream")
    );
    assert_eq!(failed(&seen), 1);
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_no_connection() {
    let mut spec = plain(80);
    // RFC 6761 reserves it: no resolver has an answer.
    spec.host = "no-such-backend.invalid".to_owned();
    spec.timeout = TIMEOUT;
    let seen = run(&spec).await;
    assert_eq!(
        seen.nginx.outcome,
        Outcome::ConnectError,
        "{}",
        seen.nginx.sentence
    );
    assert_eq!(seen.steps[0].name, "DNS");
    assert_eq!(seen.steps[0].status, StepStatus::Failed);
}

#[tokio::test]
async fn localhost_is_found_and_its_answers_are_fields() {
    let port = peer_that_sends(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(), Then::End).await;
    let mut spec = plain(port);
    spec.host = "localhost".to_owned();
    let seen = run(&spec).await;
    assert_eq!(seen.nginx.outcome, Outcome::Ok, "{}", seen.nginx.sentence);
    let answers = seen.steps[0]
        .fields
        .iter()
        .find(|field| field.name == "answers")
        .unwrap();
    assert!(answers.value.contains("127.0.0.1"), "{answers:?}");
}

#[tokio::test]
async fn a_cancelled_probe_ends_at_once() {
    let port = peer_that_sends(vec![], Then::Silence).await;
    let cancel = CancellationToken::new();
    let spec = plain(port);
    let running = probe(&spec, &Direct, &cancel);
    let stop = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(running, stop);
    assert!(matches!(result, Err(ProbeError::Cancelled)));
}
