//! Whether a line has the shape of a log of nginx or NGF, also where it says nothing of connections. Of a file without
//! any such line nothing can be said.

use serde_json::{Map, Value};

use super::{LONGEST, access, bounded, nginx, stamp};

/// Whether nginx, NGF's agent or NGF's control plane writes lines of this shape.
pub fn is_known(line: &str) -> bool {
    let line = stamp(line).map_or(line, |(_, rest)| rest);
    let line = bounded(line, LONGEST);
    if line.starts_with('{') {
        return is_json(line);
    }
    nginx::has_head(line)
        || line.starts_with("nginx: ")
        || line.starts_with("/docker-entrypoint")
        || is_agents(line)
        || is_access(line)
}

/// An access log: `combined`, another `log_format` that names the request, or what NGF writes of streams.
fn is_access(line: &str) -> bool {
    access::answered_with(line).is_some()
        || [" HTTP/1.0\"", " HTTP/1.1\"", " HTTP/2.0\"", " HTTP/3.0\""]
            .iter()
            .any(|version| line.contains(version))
        || [" [", "] TCP "].iter().all(|part| line.contains(part))
        || [" [", "] UDP "].iter().all(|part| line.contains(part))
        || line.contains("ssl_client_verify=")
}

/// Go's `slog` as text.
fn is_agents(line: &str) -> bool {
    line.starts_with("time=") && line.contains(" level=") && line.contains(" msg=")
}

/// zap, as NGF's control plane has it; nginx's `error_log` as JSON; a `log_format` in JSON.
fn is_json(line: &str) -> bool {
    let Ok(fields) = serde_json::from_str::<Map<String, Value>>(line) else {
        return false;
    };
    let has = |name: &str| fields.contains_key(name);
    let is_text = |name: &str| fields.get(name).is_some_and(Value::is_string);
    let logged = is_text("level") && is_text("msg");
    let is_request = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        [" HTTP/1.0", " HTTP/1.1", " HTTP/2.0", " HTTP/3.0"]
            .iter()
            .any(|version| text.ends_with(version))
    };
    logged && (has("ts") || has("pid") && has("tid")) || fields.values().any(is_request)
}

#[cfg(test)]
mod tests {
    use super::is_known;

    #[test]
    fn lines_of_nginx_and_ngf_are_known_by_their_shape() {
        for line in [
            "2026/06/01 11:59:00 [notice] 1#1: start worker processes",
            "2026-06-01T11:59:00.5Z 2026/06/01 11:59:00 [info] 1#1: *7 anything",
            "nginx: configuration file /etc/nginx/nginx.conf test is successful",
            "/docker-entrypoint.sh: Configuration complete; ready for start up",
            r#"10.0.0.1 - - [01/Jun/2026:11:59:00 +0000] "GET / HTTP/1.1" 200 157 "-" "curl/8.9.1""#,
            r#"shop 0.003 "GET / HTTP/2.0" upstream=10.0.0.7"#,
            r#"{"time":"2026-06-01","request":"GET / HTTP/1.1","status":"200"}"#,
            r#"10.0.0.1 [01/Jun/2026:11:59:00 +0000] TCP 200 12 34 0.001 "db.example.org""#,
            r#"time=2026-06-01T11:59:30.000Z level=INFO msg="Agent started""#,
            r#"{"level":"info","ts":"2026-06-01T11:59:30Z","logger":"eventHandler","msg":"Reconciled"}"#,
            r#"{"level":"error","timestamp":"2026-06-01T11:59:30Z","pid":48,"tid":48,"msg":"x"}"#,
        ] {
            assert!(is_known(line), "{line}");
        }
    }

    #[test]
    fn lines_of_others_are_not() {
        for line in [
            "",
            "INFO  2026-01-01 app: user 7 logged in",
            "apiVersion: v1",
            "<html><body>404</body></html>",
            "\u{7f}ELF\u{2}\u{1}",
            r#"{"level":30,"time":1,"msg":"listening"}"#,
            r#"{"apiVersion":"v1","kind":"Pod"}"#,
            "I1130 10:00:00.000000       1 controller.go:1] starting",
            "time=now",
            "2026/06/01 11:59:00 Listening on :8080",
        ] {
            assert!(!is_known(line), "{line}");
        }
    }
}
