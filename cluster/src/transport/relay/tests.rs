use super::*;

/// A relay that said `words` and ended so.
fn side(words: &str, status: Option<&str>) -> Side {
    let mut side = Side::told(&[words.as_bytes()], None);
    side.status = status.map(|status| status.as_bytes().to_vec());
    side
}

const SUCCESS: &str = r#"{"metadata":{},"status":"Success"}"#;

fn code(code: i64) -> String {
    format!(
        r#"{{"status":"Failure","reason":"NonZeroExitCode","details":{{"causes":[{{"reason":"ExitCode","message":"{code}"}}]}}}}"#
    )
}

fn os(errno: i32, reason: &'static str) -> Progress {
    Progress::Refused(RelayRefusal::Os { errno, reason })
}

#[test]
fn how_far_a_relay_has_come() {
    let nc = || "nc".to_owned();
    for (words, expected) in [
        ("", Progress::Starting),
        ("ngf-tui: by n", Progress::Starting),
        ("ngf-tui: by nc\n", Progress::Connecting(nc())),
        ("ngf-tui: blind\nngf-tui: by nc\n", Progress::Blind(nc())),
        (
            "ngf-tui: by nc\nngf-tui: connected\n",
            Progress::Connected(nc()),
        ),
        (
            "sh: warning\nngf-tui: by nc\nngf-tui: connected\n",
            Progress::Connected(nc()),
        ),
        (
            "ngf-tui: by nc\nngf-tui: timed out\n",
            Progress::Refused(RelayRefusal::TimedOut),
        ),
    ] {
        assert_eq!(progress(&side(words, None)), expected, "{words:?}");
    }
}

#[test]
fn a_relay_that_was_over_before_it_said_so_was_connected() {
    let side = side("ngf-tui: by nc\n", Some(SUCCESS));
    assert_eq!(progress(&side), Progress::Connected("nc".to_owned()));
}

#[test]
fn why_there_is_no_connection() {
    let refused = os(111, "Connection refused");
    let unreachable = os(113, "No route to host");
    let timed_out = || Progress::Refused(RelayRefusal::TimedOut);
    for (words, expected) in [
        // Debian's busybox, OpenBSD's nc, ncat, bash
        (
            "nc: can't connect to remote host (10.0.0.1): Connection refused\n",
            refused.clone(),
        ),
        (
            "nc: connect to 10.0.0.1 port 1 (tcp) failed: Connection refused\n",
            refused.clone(),
        ),
        ("Ncat: Connection refused.\n", refused.clone()),
        (
            "sh: connect: Connection refused\nsh: line 1: /dev/tcp/10.0.0.1/1: Connection refused\n",
            refused,
        ),
        // glibc, musl
        (
            "nc: can't connect to remote host (10.0.0.1): No route to host\n",
            unreachable.clone(),
        ),
        (
            "nc: can't connect to remote host (10.0.0.1): Host is unreachable\n",
            unreachable,
        ),
        (
            "nc: can't connect to remote host (10.0.0.1): Operation timed out\n",
            timed_out(),
        ),
        (
            "nc: can't connect to remote host (10.0.0.1): Connection timed out\n",
            timed_out(),
        ),
    ] {
        let words = format!("ngf-tui: by nc\n{words}");
        assert_eq!(progress(&side(&words, Some(&code(1)))), expected, "{words}");
    }
}

#[test]
fn names_that_lead_nowhere() {
    for (words, authoritative) in [
        ("nc: bad address 'nosuch'", false),
        ("sh: nosuch: Name or service not known", true),
        (
            "nc: getaddrinfo for host \"nosuch\" port 80: Temporary failure in name resolution",
            false,
        ),
    ] {
        let progress = progress(&side(&format!("ngf-tui: by nc\n{words}\n"), Some(&code(1))));
        let Progress::Refused(RelayRefusal::Name {
            reason,
            is_authoritative,
        }) = progress
        else {
            panic!("{words}: {progress:?}");
        };
        assert_eq!((reason.as_str(), is_authoritative), (words, authoritative));
    }
}

#[test]
fn a_container_without_a_program_is_told_from_a_relay_that_fails() {
    let runc = r#"{"status":"Failure","message":"error executing command in container: failed to exec in container: OCI runtime exec failed: exec failed: unable to start container process: exec: \"sh\": executable file not found in $PATH","reason":"InternalError","code":500}"#;
    let gone = r#"{"status":"Failure","message":"container not running (abc)","reason":"InternalError","code":500}"#;
    let is_missing = |side: &Side| {
        matches!(
            progress(side),
            Progress::Refused(RelayRefusal::NoProgram(_))
        )
    };
    assert!(is_missing(&side("", Some(runc))));
    assert!(is_missing(&side("ngf-tui: no relay\n", Some(&code(127)))));
    assert!(is_missing(&side("sh: nc: not found\n", Some(&code(127)))));
    assert_eq!(
        progress(&side("", Some(gone))),
        Progress::Refused(RelayRefusal::Broken(
            "container not running (abc)".to_owned()
        ))
    );
    assert_eq!(
        progress(&side("ngf-tui: by nc\nnc: what\n", Some(&code(1)))),
        Progress::Refused(RelayRefusal::Broken(
            "the relay in the pod failed (exit status 1): nc: what".to_owned()
        ))
    );
}

#[test]
fn an_end_is_the_backends_only_where_nothing_else_ended_it() {
    let connected = "ngf-tui: by nc\nngf-tui: connected\n";
    let reset = format!("{connected}cat: read error: Connection reset by peer\n");
    assert_eq!(end(&side(connected, Some(SUCCESS))), End::Closed);
    assert_eq!(end(&side(&reset, Some(&code(1)))), End::Reset);
    for (side, says) in [
        (
            side(connected, Some(&code(137))),
            "killed (exit status 137)",
        ),
        (
            side(connected, Some(&code(143))),
            "killed (exit status 143)",
        ),
        (side(connected, Some(&code(2))), "failed (exit status 2)"),
        (side(connected, Some("not json")), "not JSON"),
        (Side::told(&[], Some(Ok(()))), "ended before the relay did"),
        (Side::told(&[], Some(Err("EOF".to_owned()))), "broke (EOF)"),
    ] {
        let End::Broken(why) = end(&side) else {
            panic!("{side:?} is a fault of the transport");
        };
        assert!(why.contains(says), "{why}");
    }
}

#[test]
fn nothing_that_means_something_to_a_program_is_given_to_it() {
    for host in ["10.0.0.1", "fd00::1", "fe80::1%eth0", "app.ns.svc", "a_b"] {
        assert!(is_plain(host), "{host}");
    }
    for host in ["", "-e/bin/sh", "a b", "a;b", "$(x)", "a\nb", "ä", "a/b"] {
        assert!(!is_plain(host), "{host}");
    }
}
