//! Lines of logs, as real programs wrote them and as nobody should, decoded and counted.

mod hostile;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use ngf_core::logs::{self, ClientVerify, Decoded, Level, Meaning, Phase, Role, Upstream, Writer};

/// What real ones wrote (tests/logs/README.md), the oldest first.
const RECORDED: &[(&str, &str)] = &[
    (
        "nginx 1.22.1, OpenSSL 3.0.19",
        include_str!("../logs/nginx-1.22.1-openssl-3.0.19.log"),
    ),
    (
        "nginx 1.24.0, OpenSSL 3.0.8",
        include_str!("../logs/nginx-1.24.0-openssl-3.0.8.log"),
    ),
    (
        "nginx 1.26.3, OpenSSL 3.2.1",
        include_str!("../logs/nginx-1.26.3-openssl-3.2.1.log"),
    ),
    (
        "nginx 1.28.3, OpenSSL 3.3.2",
        include_str!("../logs/nginx-1.28.3-openssl-3.3.2.log"),
    ),
    (
        "nginx 1.29.8, OpenSSL 3.5.5",
        include_str!("../logs/nginx-1.29.8-openssl-3.5.5.log"),
    ),
    (
        "nginx 1.31.5, OpenSSL 3.6.3",
        include_str!("../logs/nginx-1.31.5-openssl-3.6.3.log"),
    ),
];

/// How messages begin that say nothing of backends, certificates or configuration.
const NOTHING: &[&str] = &[
    // a process that starts, ends, or is told to
    "start worker process ",
    "signal ",
    "reconfiguring",
    "gracefully shutting down",
    "exiting",
    "exit",
    "worker process 30 exited with code 0",
    "configuration file /etc/nginx/nginx.conf test failed",
    "the \"listen ... http2\" directive is deprecated",
    // a client that leaves, or that is none of HTTP's
    "client closed connection while",
    "client 127.0.0.1:8443 connected to ",
    "client sent invalid method while",
    "recv() failed (104: Connection reset by peer) while reading client request line",
    "recv() failed (104: Connection reset by peer) while processing HTTP/2 connection",
    "shutdown() failed (107: Transport endpoint is not connected)",
    // it only connected, to see whether something listens
    "broken header: \"\" while reading PROXY protocol",
    // the name that is not resolved is named right after
    "send() failed (111: Connection refused) while resolving",
    // HTTP, and not as it should be
    "upstream sent invalid header: ",
];

fn decoded(line: &str) -> Decoded {
    logs::decode(line).unwrap_or_else(|| panic!("nothing is decoded of {line}"))
}

/// The lines of a file by the case that they are of.
fn by_case(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut cases: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut case = "";
    for line in text.lines() {
        match line.strip_prefix("# ") {
            Some(name) => case = name,
            None => cases.entry(case).or_default().push(line),
        }
    }
    cases
}

/// What a line says, without the words of one version.
fn gist(line: &str) -> Option<String> {
    let said = logs::decode(line)?;
    let what = match said.what {
        Meaning::VerifyError { code, .. } => format!("verify error {code}"),
        Meaning::ClientRefused { code, .. } => format!("client refused {code:?}"),
        Meaning::ConfigurationRefused { ref file, .. } => {
            format!("configuration refused by {file:?}")
        }
        ref what => format!("{what:?}"),
    };
    let upstream = said.request.upstream.as_ref().map(ToString::to_string);
    Some(format!(
        "{} [{}] {what}{}",
        said.step().unwrap_or("-"),
        if said.is_of_backend() {
            "backend"
        } else {
            "gateway"
        },
        upstream.map_or_else(String::new, |upstream| format!(" {upstream}"))
    ))
}

/// What is said in a case, each thing once.
fn gists(lines: &[&str]) -> BTreeSet<String> {
    lines.iter().filter_map(|line| gist(line)).collect()
}

#[test]
fn every_recorded_line_means_something_or_is_known_to_mean_nothing() {
    let (mut used, mut unknown): (BTreeSet<&str>, String) = Default::default();
    for (version, text) in RECORDED {
        for line in text.lines().filter(|line| !line.starts_with("# ")) {
            if logs::decode(line).is_some() {
                continue;
            }
            let message = line.split_once("29#29: ").map_or(line, |(_, rest)| rest);
            let message = message.strip_prefix("nginx: ").unwrap_or(message);
            let message = match message.split_once(' ') {
                Some((number, rest)) if number.starts_with('*') => rest,
                _ => message,
            };
            let known = NOTHING.iter().find(|begins| message.starts_with(**begins));
            if known.is_none() {
                let _ = writeln!(unknown, "{version}: {line}");
            }
            used.extend(known);
        }
    }
    assert!(unknown.is_empty(), "nothing is decoded of\n{unknown}");
    let unused: Vec<_> = NOTHING.iter().filter(|one| !used.contains(*one)).collect();
    assert!(unused.is_empty(), "no version says {unused:?}");
}

/// Real differences, in the golden: OpenSSL before 3.2 takes weak keys where nobody raised its security level
/// (Debian does), and refuses a client of TLS 1.1 for another reason.
#[test]
fn all_versions_mean_the_same_in_a_case_or_it_is_known_why_not() {
    let mut differences = String::new();
    let (newest, text) = RECORDED.last().expect("a file");
    let expected = by_case(text);
    for (version, text) in RECORDED {
        let cases = by_case(text);
        let names: Vec<&&str> = cases.keys().collect();
        assert_eq!(names, expected.keys().collect::<Vec<_>>(), "{version}");
        for (case, lines) in &cases {
            let (here, there) = (gists(lines), gists(&expected[case]));
            if here != there {
                let _ = writeln!(differences, "{case}");
                for (version, gists, other) in [(version, &here, &there), (newest, &there, &here)] {
                    for gist in gists.difference(other) {
                        let _ = writeln!(differences, "  {version}: {gist}");
                    }
                }
            }
        }
    }
    insta::with_settings!({prepend_module_to_snapshot => false, snapshot_path => "../golden"}, {
        insta::assert_snapshot!("logs-versions-that-differ", differences);
    });
}

/// In words, for who reads them: of the newest, each thing once a case.
#[test]
fn what_recorded_lines_mean() {
    let (_, text) = RECORDED.last().expect("a file");
    let mut out = String::new();
    for (case, lines) in by_case(text) {
        let _ = writeln!(out, "{case}");
        let mut before = BTreeSet::new();
        for line in lines {
            let Some(said) = logs::decode(line) else {
                continue;
            };
            let upstream = said.request.upstream.as_ref().map(ToString::to_string);
            let words = format!(
                "  {} [{}] {} {}",
                said.level,
                said.step().unwrap_or("-"),
                said.means(),
                upstream.unwrap_or_default()
            );
            if before.insert(words.clone()) {
                let _ = writeln!(out, "{}", words.trim_end());
            }
        }
    }
    insta::with_settings!({prepend_module_to_snapshot => false, snapshot_path => "../golden"}, {
        insta::assert_snapshot!("logs-recorded", out);
    });
}

const FIELDS: &str = ", client: 10.0.0.9, server: shop.example.com, request: \"GET / HTTP/1.1\", upstream: \"https://10.0.0.1:8443/\", host: \"shop.example.com:80\"";

fn error(message: &str) -> String {
    format!("2026/11/23 17:00:00 [error] 29#30: *7 {message}{FIELDS}")
}

#[test]
fn every_part_of_a_line() {
    let said = decoded(&error(
        "upstream SSL certificate verify error: (10:certificate has expired) while SSL handshaking to upstream",
    ));
    assert_eq!(said.at, "2026-11-23T17:00:00Z".parse().ok());
    assert_eq!((said.writer, said.level), (Writer::Nginx, Level::Error));
    assert_eq!((said.pid, said.connection), (Some(29), Some(7)));
    assert_eq!(
        said.what,
        Meaning::VerifyError {
            code: 10,
            words: "certificate has expired".to_owned()
        }
    );
    let request = said.request;
    assert_eq!(request.client, "10.0.0.9".parse().ok());
    assert_eq!(request.server.as_deref(), Some("shop.example.com"));
    assert_eq!(request.request.as_deref(), Some("GET / HTTP/1.1"));
    assert_eq!(request.host.as_deref(), Some("shop.example.com:80"));
    assert_eq!(
        request.upstream,
        Some(Upstream::Address {
            address: "10.0.0.1".parse().expect("an address"),
            port: 8443
        })
    );
}

/// Messages that the rig's machine does not write, each with the source that does.
#[test]
fn words_that_other_systems_and_versions_have() {
    let alert = |number, phase| Meaning::Alert {
        number,
        name: ngf_tls::messages::names::alert(number),
        phase,
    };
    let handshaking = Phase::Handshaking;
    for (message, expected) in [
        // musl's strerror(110) (src/errno/__strerror.h), in NGF's alpine image
        (
            "upstream timed out (110: Operation timed out) while connecting to upstream",
            Meaning::TimedOut {
                phase: Phase::Connecting,
            },
        ),
        (
            "upstream timed out (110: Operation timed out) while reading response header from upstream",
            Meaning::TimedOut {
                phase: Phase::ReadingHeader,
            },
        ),
        // OpenSSL 1.1 and 3.2 as their ssl/ssl_err.c has them: a function, and another prefix
        (
            "SSL_do_handshake() failed (SSL: error:14094412:SSL routines:ssl3_read_bytes:sslv3 alert bad certificate:SSL alert number 42) while SSL handshaking to upstream",
            alert(42, handshaking),
        ),
        (
            "SSL_read() failed (SSL: error:0A00045C:SSL routines::tlsv13 alert certificate required:SSL alert number 116) while reading response header from upstream",
            alert(116, Phase::ReadingHeader),
        ),
        (
            "SSL_do_handshake() failed (SSL: error:1408F10B:SSL routines:ssl3_get_record:wrong version number) while SSL handshaking to upstream",
            Meaning::NotTls,
        ),
        (
            "SSL_do_handshake() failed (SSL: error:0A000126:SSL routines::unexpected eof while reading) while SSL handshaking to upstream",
            Meaning::Closed {
                phase: handshaking,
                reset: false,
            },
        ),
        // ngx_event_connect.c: an error that connect() finds at once names the address
        (
            "connect() to 10.0.0.1:8443 failed (101: Network is unreachable) while connecting to upstream",
            Meaning::ConnectFailed {
                errno: Some(101),
                words: "101: Network is unreachable".to_owned(),
            },
        ),
        (
            "connect() failed (113: Host is unreachable) while connecting to upstream",
            Meaning::ConnectFailed {
                errno: Some(113),
                words: "113: Host is unreachable".to_owned(),
            },
        ),
        (
            "recv() failed (104: Connection reset by peer) while reading response header from upstream",
            Meaning::Closed {
                phase: Phase::ReadingHeader,
                reset: true,
            },
        ),
        (
            "upstream prematurely closed connection while reading response header from upstream",
            Meaning::Closed {
                phase: Phase::ReadingHeader,
                reset: false,
            },
        ),
        // ngx_http_upstream.c, ngx_resolver.c
        (
            "db.example.com could not be resolved (3: Host not found)",
            Meaning::HostNotFound {
                name: "db.example.com".to_owned(),
                words: "3: Host not found".to_owned(),
            },
        ),
        (
            "no resolver defined to resolve db.example.com",
            Meaning::HostNotFound {
                name: "db.example.com".to_owned(),
                words: "no resolver is defined".to_owned(),
            },
        ),
        // ngx_http_auth_request_module.c
        (
            "auth request unexpected status: 502",
            Meaning::AuthRequest { status: 502 },
        ),
        (
            "no live upstreams while connecting to upstream",
            Meaning::NoLiveUpstreams,
        ),
        // ngx_stream_proxy_module.c
        (
            "peer closed connection in SSL handshake (104: Connection reset by peer) while SSL handshaking to upstream",
            Meaning::Closed {
                phase: handshaking,
                reset: true,
            },
        ),
    ] {
        assert_eq!(decoded(&error(message)).what, expected, "{message}");
    }
}

#[test]
fn upstreams_in_all_their_forms() {
    for (written, expected) in [
        ("https://10.0.0.1:8443/a/b", "10.0.0.1:8443"),
        ("https://[fd00::1]:8443/", "[fd00::1]:8443"),
        ("grpcs://10.0.0.1:50051", "10.0.0.1:50051"),
        ("10.0.0.1:9000", "10.0.0.1:9000"),
        ("https://shop_cart_443/", "shop_cart_443"),
        (
            "https://unix:/var/run/nginx/nginx-503-server.sock:/",
            "unix:/var/run/nginx/nginx-503-server.sock",
        ),
    ] {
        let line = error("no live upstreams while connecting to upstream")
            .replace("https://10.0.0.1:8443/", written);
        let upstream = decoded(&line).request.upstream.expect("an upstream");
        assert_eq!(upstream.to_string(), expected);
    }
}

#[test]
fn nginx_as_a_process() {
    let line = |level: &str, message: &str| format!("2026/11/23 17:00:00 [{level}] 1#1: {message}");
    let what = |line: &str| logs::decode(line).map(|said| said.what);
    assert_eq!(
        what(&line("notice", "start worker processes")),
        Some(Meaning::Reloaded)
    );
    assert_eq!(what(&line("notice", "reconfiguring")), None);
    assert_eq!(
        what(&line("notice", "worker process 32 exited with code 0")),
        None
    );
    let died = Some(Meaning::WorkerDied {
        how: "exited on signal 9".to_owned(),
    });
    assert_eq!(
        what(&line("alert", "worker process 32 exited on signal 9")),
        died
    );
    let refused = |file: &str, reason: &str| {
        let (file, reason) = (Some(file.to_owned()), reason.to_owned());
        Some(Meaning::ConfigurationRefused { file, reason })
    };
    let unknown = "unknown directive \"x\" in /etc/nginx/conf.d/http.conf:12";
    assert_eq!(
        what(&line("emerg", unknown)),
        refused("/etc/nginx/conf.d/http.conf", unknown)
    );
    assert_eq!(
        what(&format!("nginx: [emerg] {unknown}")),
        refused("/etc/nginx/conf.d/http.conf", unknown)
    );
}

/// nginx-agent v3 writes Go's slog text (`internal/logger/logger.go`), with these messages
/// (`internal/nginx/nginx_plugin.go`, `internal/command/command_service.go`); NGF's control plane zap's JSON
/// (`internal/controller/handler.go`).
#[test]
fn lines_of_the_agent_and_of_the_control_plane() {
    let emerg = "SSL_CTX_load_verify_locations(\"/etc/nginx/secrets/cert_bundle_shop_ca.crt\") failed (SSL: error:05800088:x509 certificate routines::no certificate or crl found)";
    let refused = Meaning::ConfigurationRefused {
        file: Some("/etc/nginx/secrets/cert_bundle_shop_ca.crt".to_owned()),
        reason: emerg.to_owned(),
    };
    let quoted = emerg.replace('"', "\\\"");
    let agent = format!(
        "time=2026-11-23T17:00:00.123Z level=ERROR msg=\"Errors found during config apply, sending error status and rolling back configuration updates\" error=\"failed validating config NGINX config test failed exit status 1: nginx: [emerg] {quoted}\\nnginx: configuration file /etc/nginx/nginx.conf test failed\\n\" correlation_id=1 server_type=command"
    );
    let said = decoded(&agent);
    assert_eq!((said.writer, said.level), (Writer::Agent, Level::Error));
    assert_eq!(said.at, "2026-11-23T17:00:00.123Z".parse().ok());
    assert_eq!(said.what, refused);

    let controller = format!(
        "{{\"level\":\"error\",\"ts\":\"2026-11-23T17:00:00Z\",\"logger\":\"eventHandler\",\"msg\":\"Failed to update NGINX configuration\",\"error\":\"msg: Config apply failed, rolling back config; error: nginx: [emerg] {quoted}\",\"stacktrace\":\"…\"}}"
    );
    assert_eq!(decoded(&controller).what, refused);

    let lost = "time=2026-11-23T17:00:00.123Z level=ERROR msg=\"Failed to create connection\" error=\"rpc error: code = Unavailable desc = connection error: desc = \\\"transport: Error while dialing: dial tcp 10.96.0.7:443: i/o timeout\\\"\"";
    let Meaning::NotConnected { reason } = decoded(lost).what else {
        panic!("{lost}");
    };
    assert!(
        reason.ends_with("dial tcp 10.96.0.7:443: i/o timeout\""),
        "{reason}"
    );
    for nothing in [
        "time=2026-11-23T17:00:00.123Z level=INFO msg=\"Starting NGINX Agent\" version=v3.1.0",
        "{\"level\":\"info\",\"msg\":\"NGINX configuration was successfully updated\"}",
        "{\"level\":\"error\",\"msg\":",
        "10.244.0.1 - - [23/Nov/2026:19:45:22 +0000] \"GET / HTTP/1.1\" 200 26 \"-\" \"curl/7.88.1\"",
        "",
    ] {
        assert_eq!(logs::decode(nothing), None, "{nothing}");
    }
}

#[test]
fn in_a_data_planes_log_a_client_is_the_listeners() {
    let line = "2026/11/23 17:00:00 [info] 29#30: *7 client sent no required SSL certificate while reading client request headers, client: 10.0.0.9, server: shop.example.com";
    let said = decoded(line);
    assert_eq!(
        [Role::DataPlane, Role::Application].map(|role| said.means_in(role)),
        [
            "the listener demands a client certificate, and none was sent",
            "the application demands a client certificate, and none was sent"
        ]
    );
}

#[test]
fn the_guides_access_log() {
    let verify = |line: &str| decoded(line).what;
    let subject = "CN=gateway".to_owned();
    assert_eq!(
        verify("10.244.0.12 ssl_client_verify=SUCCESS ssl_client_subject=CN=gateway"),
        Meaning::ClientVerify {
            verify: ClientVerify::Success,
            subject
        }
    );
    assert_eq!(
        verify("10.244.0.12 ssl_client_verify=NONE ssl_client_subject=-"),
        Meaning::ClientVerify {
            verify: ClientVerify::None,
            subject: String::new()
        }
    );
    assert_eq!(
        verify(
            "10.244.0.12 ssl_client_verify=FAILED:unable to verify the first certificate ssl_client_subject=CN=gateway"
        ),
        Meaning::ClientRefused {
            code: None,
            words: "unable to verify the first certificate".to_owned()
        }
    );
}
