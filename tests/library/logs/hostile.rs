//! Lines that somebody else wrote, and logs without end.

use std::{collections::BTreeSet, fmt::Write as _, sync::Arc};

use jiff::Timestamp;
use ngf_core::{
    logs::{self, Meaning, PodLog, Role, Tally, Unbroken},
    model::{kind::Kind, object::ObjectRef},
};
use ngf_tui::{
    files,
    tui::{
        state::{App, event::Event},
        update::update,
    },
};
use ngf_ui::Theme;

use super::{RECORDED, decoded, error};

/// A client chooses its path and Host header, a backend its answers.
#[test]
fn what_a_client_or_a_backend_writes_names_no_other_backend() {
    let real = "10.0.0.1:8443";
    for (part, with) in [
        (
            "host: \"shop.example.com:80\"",
            "host: \"x\", upstream: \"https://10.9.9.9:1/\", host: \"y\"",
        ),
        ("GET / HTTP", "GET /\",upstream:\"https://10.9.9.9:1/ HTTP"),
        (
            "https://10.0.0.1:8443/",
            "https://10.0.0.1:8443/a\", upstream: \"https://10.9.9.9:1/",
        ),
    ] {
        let line = error("no live upstreams while connecting to upstream").replace(part, with);
        assert_ne!(
            line,
            error("no live upstreams while connecting to upstream")
        );
        let upstream = decoded(&line).request.upstream.expect("an upstream");
        assert_eq!(upstream.to_string(), real, "{line}");
    }
    // What a backend sends in its header is not what nginx says of it.
    let header = error(
        "upstream sent invalid header: \"x: upstream SSL certificate verify error: (10:certificate has expired)\\x00...\" while reading response header from upstream",
    );
    assert_eq!(logs::decode(&header), None);
}

#[test]
fn a_line_that_a_client_began_does_not_count() {
    let forged = error("connect() failed (111: Connection refused) while connecting to upstream");
    // nginx writes a decoded path: GET /%0a2026/… behind a URLRewrite filter.
    let line = error("upstream timed out (110: Connection timed out) while connecting to upstream")
        .replace("8443/\"", &format!("8443/\n{forged}\n\""));
    let now: Timestamp = "2026-11-23T17:10:00Z".parse().expect("a moment");
    let mut tally = Tally::default();
    tally.read(
        &format!(
            "{line}\n{}",
            error("no live upstreams while connecting to upstream")
        ),
        now,
    );
    let said: Vec<&Meaning> = tally
        .newest_first()
        .iter()
        .map(|said| &said.last_line.what)
        .collect();
    assert!(!said.contains(&&Meaning::ConnectRefused), "{said:?}");
    assert!(said.contains(&&Meaning::NoLiveUpstreams), "{said:?}");

    // A stray quote hides no more than nginx writes at once.
    let mut unbroken = Unbroken::default();
    assert!(unbroken.is_whole("a \" b"));
    let hidden = (0..40)
        .filter(|_| !unbroken.is_whole(&"x".repeat(100)))
        .count();
    assert!((1..=20).contains(&hidden), "{hidden}");
}

#[test]
fn hostile_lines_are_bounded_and_clean() {
    // Each different message once.
    let mut messages = BTreeSet::new();
    let mut lines: Vec<String> = RECORDED
        .iter()
        .flat_map(|(_, text)| text.lines())
        .filter(|line| messages.insert(line.split_once("29#29: ").map(|(_, rest)| rest)))
        .map(str::to_owned)
        .collect();
    lines.push(error(&format!(
        "upstream SSL certificate does not match \"{}\" while SSL handshaking to upstream",
        "\u{1b}[31m\u{202e}evil\u{7}".repeat(100_000)
    )));
    lines.push("{".repeat(1 << 20));
    lines.push(format!("time=1 level=ERROR msg=\"{}", "\\".repeat(1 << 20)));
    lines.push(format!(
        "ssl_client_verify=FAILED:{} ssl_client_subject={}",
        "\u{9b}".repeat(9_000),
        "ü".repeat(1 << 20)
    ));
    lines.push("2026/13/99 99:99:99 [emerg] 1#1: *99999999999999999999 x".to_owned());
    lines.push("2026/11/23 17:00:00 [error] 4294967296#1: x".to_owned());
    let clean = |line: &str| {
        let Some(said) = logs::decode(line) else {
            return;
        };
        let text = format!("{said:?} {}", said.means());
        assert!(
            text.len() < 8_000,
            "{} bytes of {} are kept",
            text.len(),
            line.len()
        );
        let words = [
            said.means(),
            said.text.clone(),
            said.request.host.unwrap_or_default(),
            said.request.request.unwrap_or_default(),
        ];
        for word in words {
            let bad = word
                .chars()
                .find(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(c));
            assert_eq!(bad, None, "{word}");
        }
    };
    for line in &lines {
        clean(line);
        // Cut anywhere, and with any byte changed: wrong UTF-8 becomes what the reader makes of it.
        let bytes = &line.as_bytes()[..line.len().min(600)];
        for at in 0..bytes.len() {
            clean(&String::from_utf8_lossy(&bytes[..at]));
            let mut changed = bytes.to_vec();
            changed[at] = [0, 0xff, b'"', b' ', b'(', b'9', 0x1b][at % 7];
            clean(&String::from_utf8_lossy(&changed));
        }
    }
}

#[test]
fn lines_are_counted_by_the_minute_with_the_kubelets_time() {
    let now: Timestamp = "2026-11-23T17:10:00Z".parse().expect("a moment");
    let mut text = String::new();
    for (time, line) in [
        (
            "2026-11-23T17:00:10.5Z",
            error("connect() failed (111: Connection refused) while connecting to upstream"),
        ),
        (
            "2026-11-23T17:00:50Z",
            error("connect() failed (111: Connection refused) while connecting to upstream"),
        ),
        (
            "2026-11-23T17:02:00Z",
            error("connect() failed (111: Connection refused) while connecting to upstream"),
        ),
        (
            "2026-11-23T17:03:00Z",
            "2026/11/23 19:03:00 [notice] 1#1: start worker processes".to_owned(),
        ),
    ] {
        let _ = writeln!(text, "{time} {line}");
    }
    let mut tally = Tally::default();
    tally.read(&text, now);
    assert_eq!(tally.lines, 4);
    assert_eq!(tally.reloaded, "2026-11-23T17:03:00Z".parse().ok());
    let all = tally.newest_first();
    let refused = all
        .iter()
        .find(|said| said.last_line.what == Meaning::ConnectRefused)
        .expect("it");
    assert_eq!(refused.count, 3);
    assert_eq!(
        refused.first,
        "2026-11-23T17:00:10.5Z".parse().expect("a moment")
    );
    assert_eq!(
        refused.last,
        "2026-11-23T17:02:00Z".parse().expect("a moment")
    );
    assert_eq!(
        refused.last_minutes(11, now),
        [2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    );
}

#[test]
fn what_is_kept_of_a_log_is_bounded() {
    let now: Timestamp = "2026-11-23T17:10:00Z".parse().expect("a moment");
    let mut tally = Tally::default();
    let mut text = String::new();
    for number in 0..2_000 {
        let line = error("no live upstreams while connecting to upstream")
            .replace("10.0.0.1:8443", &format!("group_{number}"));
        let _ = writeln!(text, "{line}");
    }
    tally.read(&text, now);
    assert_eq!(tally.lines, 2_000);
    assert!(tally.said.len() <= 400);
    assert_eq!(tally.left_out + tally.said.len() as u64, 2_000);
}

/// Its data plane will load no other configuration, so that what it said would count for ever.
#[test]
fn in_the_interface_the_log_of_a_pod_that_is_gone_is_forgotten() {
    let now: Timestamp = "2026-11-23T17:10:00Z".parse().expect("a moment");
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/every-kind.yaml");
    let snapshot = Arc::new(files::read(&[folder], "default"));
    let there = snapshot.pods.keys().next().expect("a pod").clone();
    let gone = ObjectRef::new(Kind::Pod, "default", "gateway-nginx-abc-gone");
    let mut app = App::new(Theme::plain(), Arc::clone(&snapshot), None, now).expect("keys");
    for pod in [&there, &gone] {
        let log = PodLog {
            role: Role::DataPlane,
            gateway: None,
            pod: pod.clone(),
            container: "nginx".to_owned(),
            since: now,
            failed: None,
            cut: false,
            file: None,
            until: None,
            tally: Tally::default(),
        };
        update(&mut app, Event::Logged(Box::new(log)), now);
    }
    update(&mut app, Event::Snapshot(snapshot), now);
    let kept: Vec<&ObjectRef> = app.evidence.logs().map(|log| &log.pod).collect();
    assert_eq!(kept, [&there]);
}
