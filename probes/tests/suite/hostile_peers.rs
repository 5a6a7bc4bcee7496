//! Peers that break off, stall, or send what nobody asked for: a bounded answer in bounded time,
//! which names the last thing that happened.

mod handshakes;

use std::time::{Duration, Instant};

use crate::support::pki::Template;
use crate::support::{free_ports, over_tls, plain, raw_peer, run};
use ngf_probes::dial::Direct;
use ngf_probes::{ProbeError, probe};
use ngf_tls::transcript::Outcome::{self, Closed, Timeout};
use ngf_tls::transcript::{StepStatus, Transcript};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use handshakes::in_the_handshake;

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
