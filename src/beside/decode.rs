//! What a line of nginx's log says about a backend connection; matched by what does not change from
//! one version of nginx or OpenSSL to the next.

use ngf_probes::sanitize;

/// What a line means, and the step of the transcript that it explains.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) step: Option<&'static str>,
    pub(super) means: String,
}

fn decoded(step: &'static str, means: impl Into<String>) -> Decoded {
    Decoded {
        step: Some(step),
        means: means.into(),
    }
}

/// Whether a line names an address: not as part of another (10.0.0.1 in 10.0.0.12).
pub(super) fn names(line: &str, address: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == ':';
    line.match_indices(address).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + address.len()..];
        let next = after.chars().next();
        // `10.0.0.1:4711` is the address with a port.
        let ends =
            next.is_none_or(|c| !is_part(c)) || (next == Some(':') && !address.contains(':'));
        before.is_none_or(|c| !is_part(c)) && ends
    })
}

/// A line of the application's log: nginx's access log with `$ssl_client_verify`, as the guide has it,
/// or its error log.
pub(super) fn application(line: &str) -> Option<Decoded> {
    if let Some(verify) = value(line, "ssl_client_verify=") {
        let subject = value_to_end(line, "ssl_client_subject=").unwrap_or_default();
        return Some(match verify {
            "SUCCESS" => decoded(
                "HTTP request",
                format!("the application took the client certificate {subject}"),
            ),
            "NONE" => decoded(
                "HTTP request",
                "no client certificate reached the application",
            ),
            "-" => decoded(
                "HTTP request",
                "the request reached the application in plain text, without TLS",
            ),
            // FAILED:reason, where the reason may hold spaces.
            _ => {
                let reason = value_to(line, "ssl_client_verify=", " ssl_client_subject=");
                let reason = reason.trim_start_matches("FAILED:");
                decoded(
                    "HTTP request",
                    format!(
                        "the application does not take the client certificate {subject}: {reason}"
                    ),
                )
            }
        });
    }
    let (_, error) = error_line(line)?;
    let says = |text: &str| error.contains(text);
    Some(if says("client SSL certificate verify error") {
        let why = value_to(error, "verify error: (", ")");
        decoded(
            "HTTP request",
            format!("the application does not take the client certificate ({why})"),
        )
    } else if says("client sent no required SSL certificate") {
        decoded(
            "HTTP request",
            "the application demands a client certificate, and none was sent",
        )
    } else if says("client sent plain HTTP request to HTTPS port") {
        decoded(
            "HTTP request",
            "the request came in plain text to a port that speaks TLS",
        )
    } else if says("server name different from the one that was negotiated") {
        decoded(
            "HTTP request",
            "the Host header selects another server than the SNI did: 421",
        )
    } else if says("SSL_do_handshake() failed") || says("handshake rejected") {
        decoded(
            "ClientHello",
            format!("the application ended the handshake: {}", cut(error)),
        )
    } else if says("broken header") && says("PROXY protocol") {
        decoded(
            "ClientHello",
            "the application expects the PROXY protocol before TLS",
        )
    } else {
        return None;
    })
}

/// A line of the data plane's error log.
pub(super) fn data_plane(line: &str) -> Option<Decoded> {
    let (_, error) = error_line(line)?;
    let says = |text: &str| error.contains(text);
    Some(if says("upstream SSL certificate verify error") {
        let why = value_to(error, "verify error: (", ")");
        decoded(
            "verify certificate",
            format!("nginx does not take the backend's certificate ({why})"),
        )
    } else if says("upstream SSL certificate does not match") {
        decoded("verify name", "the backend's certificate has another name")
    } else if says("while SSL handshaking to upstream") && says("timed out") {
        decoded(
            "ServerHello",
            "the backend did not finish the handshake in time",
        )
    } else if says("SSL_do_handshake() failed") {
        decoded(
            "ServerHello",
            format!("the handshake failed: {}", cut(error)),
        )
    } else if says("peer closed connection in SSL handshake") {
        decoded(
            "ServerHello",
            "the backend closed the connection in the handshake",
        )
    } else if says("connect() failed") || (says("timed out") && says("while connecting")) {
        decoded(
            "TCP connect",
            format!("nginx has no connection: {}", cut(error)),
        )
    } else if says("upstream prematurely closed") || says("upstream timed out") {
        decoded("HTTP response", format!("no answer came: {}", cut(error)))
    } else if says("SSL_read() failed") {
        decoded(
            "HTTP response",
            format!(
                "the backend ended the session after the handshake: {}",
                cut(error)
            ),
        )
    } else if says("temporarily disabled") {
        decoded(
            "TCP connect",
            "nginx leaves this endpoint out for a while, after it failed",
        )
    } else {
        return None;
    })
}

/// Level and text of a line of nginx's error log: `2026/01/02 03:04:05 [error] 1#1: *7 text`.
fn error_line(line: &str) -> Option<(&str, &str)> {
    let (before, rest) = line.split_once(" [")?;
    let (level, text) = rest.split_once("] ")?;
    let looks_so = before.len() >= 10
        && before
            .chars()
            .all(|c| c.is_ascii_digit() || "/: -TZ.".contains(c));
    let is_level = matches!(
        level,
        "info" | "notice" | "warn" | "error" | "crit" | "alert" | "emerg"
    );
    let text = text.split_once(": ").map_or(text, |(_, text)| text);
    (looks_so && is_level).then_some((level, text))
}

/// Up to the fields that nginx appends (`, client: …`), bounded.
fn cut(error: &str) -> String {
    let end = error.find(", client:").unwrap_or(error.len());
    let text =
        error[..end].trim_start_matches(|c: char| c == '*' || c.is_ascii_digit() || c == ' ');
    sanitize::line(text, 200)
}

/// The word after `key`.
fn value<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    let (_, rest) = line.split_once(key)?;
    rest.split([' ', ',', '"']).next()
}

fn value_to_end<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    line.split_once(key).map(|(_, rest)| rest.trim())
}

fn value_to<'l>(line: &'l str, key: &str, end: &str) -> &'l str {
    let rest = line.split_once(key).map_or("", |(_, rest)| rest);
    rest.split_once(end).map_or(rest, |(value, _)| value).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(decoded: Option<Decoded>) -> String {
        decoded.map_or_else(
            || "-".to_owned(),
            |decoded| format!("{}: {}", decoded.step.unwrap_or_default(), decoded.means),
        )
    }

    #[test]
    fn lines_of_the_application() {
        for (line, expected) in [
            (
                "10.244.0.12 ssl_client_verify=SUCCESS ssl_client_subject=CN=gateway",
                "HTTP request: the application took the client certificate CN=gateway",
            ),
            (
                "10.244.0.12 ssl_client_verify=NONE ssl_client_subject=-",
                "HTTP request: no client certificate reached the application",
            ),
            (
                "10.244.0.12 ssl_client_verify=FAILED:unable to verify the first certificate ssl_client_subject=CN=gateway",
                "HTTP request: the application does not take the client certificate CN=gateway: unable to verify the first certificate",
            ),
            (
                "2026/11/23 17:00:00 [info] 29#29: *7 client SSL certificate verify error: (10:certificate has expired) while reading client request headers, client: 10.0.0.1",
                "HTTP request: the application does not take the client certificate (10:certificate has expired)",
            ),
            (
                "2026/11/23 17:00:00 [info] 29#29: *7 client sent no required SSL certificate while reading client request headers",
                "HTTP request: the application demands a client certificate, and none was sent",
            ),
            (
                "2026/11/23 17:00:00 [debug] 29#29: *7 SSL_do_handshake: -1",
                "-",
            ),
            ("hello", "-"),
        ] {
            assert_eq!(says(application(line)), expected, "{line}");
        }
    }

    #[test]
    fn lines_of_the_data_plane() {
        let error = |text: &str| {
            format!(
                "2026/11/23 17:00:00 [error] 29#29: *7 {text}, client: 10.0.0.9, upstream: \"https://10.0.0.1:8443/\""
            )
        };
        for (text, expected) in [
            (
                "upstream SSL certificate verify error: (21:unable to verify the first certificate) while SSL handshaking to upstream",
                "verify certificate: nginx does not take the backend's certificate (21:unable to verify the first certificate)",
            ),
            (
                "upstream SSL certificate does not match \"h\" while SSL handshaking to upstream",
                "verify name: the backend's certificate has another name",
            ),
            (
                "connect() failed (111: Connection refused) while connecting to upstream",
                "TCP connect: nginx has no connection: connect() failed (111: Connection refused) while connecting to upstream",
            ),
            (
                "upstream timed out (110: Connection timed out) while SSL handshaking to upstream",
                "ServerHello: the backend did not finish the handshake in time",
            ),
        ] {
            assert_eq!(says(data_plane(&error(text))), expected);
        }
    }

    #[test]
    fn an_address_is_not_part_of_another() {
        for (line, named) in [
            ("10.0.0.1 GET /", true),
            ("client: 10.0.0.1, server:", true),
            ("10.0.0.1:4711 GET /", true),
            ("10.0.0.12 GET /", false),
            ("110.0.0.1 GET /", false),
        ] {
            assert_eq!(names(line, "10.0.0.1"), named, "{line}");
        }
        assert!(names("fd00::1 GET", "fd00::1"));
        assert!(!names("fd00::12 GET", "fd00::1"));
    }
}
