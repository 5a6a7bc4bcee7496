//! A line of nginx's error log as JSON, which NGF 2.7 can ask NGINX Plus for (NGF pull request 5302):
//! `{"level":"error","timestamp":"…","pid":48,"tid":48,"cnum":112,"msg":"…","client":"…","errno":2,"errtext":"…"}`.

use std::fmt::Write as _;

use jiff::Timestamp;
use ngf_text::sanitize;
use serde_json::{Map, Value};

use super::line::{About, Decoded, Level, Writer};
use super::nginx::{TEXT, is_plain, upstream, what};

/// Decodes a line; `None` where it is none of nginx's error log or says nothing that matters.
pub(super) fn decode(line: &str) -> Option<Decoded> {
    let fields: Map<String, Value> = serde_json::from_str(line).ok()?;
    let text = |name: &str| fields.get(name)?.as_str();
    let level = Level::parse(text("level")?)?;
    // Other programs log JSON, too: only nginx's has both.
    let pid = u32::try_from(fields.get("pid")?.as_u64()?).ok()?;
    fields.get("tid")?.as_u64()?;
    let message = message(&fields)?;
    Some(Decoded {
        at: text("timestamp").and_then(|at| at.parse::<Timestamp>().ok()),
        writer: Writer::Nginx,
        level,
        pid: Some(pid),
        connection: fields.get("cnum").and_then(Value::as_u64),
        what: what(level, &message)?,
        text: sanitize::line(&message, TEXT),
        request: about(&fields),
    })
}

/// The message as nginx's text has it: the error behind it in brackets, then what nginx was doing.
fn message(fields: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let mut message = text("msg")?.to_owned();
    if let (Some(number), Some(words)) =
        (fields.get("errno").and_then(Value::as_i64), text("errtext"))
    {
        let _ = write!(message, " ({number}: {words})");
    }
    if let Some(action) = text("action")
        && !message.contains(" while ")
    {
        let _ = write!(message, " while {action}");
    }
    Some(message)
}

fn about(fields: &Map<String, Value>) -> About {
    let text = |name: &str| {
        let value = fields.get(name)?.as_str()?;
        (!value.is_empty()).then(|| sanitize::line(value, TEXT))
    };
    About {
        client: text("client").and_then(|client| client.parse().ok()),
        server: text("server"),
        request: text("request"),
        subrequest: text("subrequest"),
        plain: text("upstream").as_deref().is_some_and(is_plain),
        upstream: text("upstream").map(|text| upstream(&text)),
        host: text("host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{Meaning, Upstream, decode as any};

    const LINE: &str = r#"{"level":"error","timestamp":"2026-05-15T18:27:17.716+00:00","pid":48,"tid":48,"cnum":112,"msg":"upstream SSL certificate verify error: (20:unable to get local issuer certificate) while SSL handshaking to upstream","client":"10.244.0.1","server":"cafe.example.com","request":"GET /coffee1 HTTP/1.1","upstream":"https://10.244.0.12:8443/coffee1","host":"cafe.example.com"}"#;

    #[test]
    fn a_line_as_json_means_what_its_text_means() {
        let text = r#"2026/05/15 18:27:17 [error] 48#48: *112 upstream SSL certificate verify error: (20:unable to get local issuer certificate) while SSL handshaking to upstream, client: 10.244.0.1, server: cafe.example.com, request: "GET /coffee1 HTTP/1.1", upstream: "https://10.244.0.12:8443/coffee1", host: "cafe.example.com""#;
        let (json, text) = (any(LINE).expect("a line"), any(text).expect("a line"));
        assert_eq!(
            (&json.what, &json.request, json.connection, &json.text),
            (&text.what, &text.request, text.connection, &text.text)
        );
        assert!(matches!(
            json.request.upstream,
            Some(Upstream::Address { port: 8443, .. })
        ));
    }

    #[test]
    fn the_error_number_and_its_words_are_part_of_the_message() {
        let line = r#"{"level":"error","timestamp":"2026-05-15T18:27:17.716+00:00","pid":48,"tid":48,"cnum":1,"msg":"connect() failed","client":"10.0.0.1","upstream":"https://10.244.0.12:8443/","errno":111,"errtext":"Connection refused","action":"connecting to upstream"}"#;
        let decoded = any(line).expect("a line");
        assert_eq!(decoded.what, Meaning::ConnectRefused);
        assert_eq!(
            decoded.text,
            "connect() failed (111: Connection refused) while connecting to upstream"
        );
    }

    #[test]
    fn a_client_forges_no_upstream_in_a_field_of_its_own() {
        let line = LINE.replace(
            "GET /coffee1 HTTP/1.1",
            r#"GET /\", upstream: \"https://10.9.9.9:1/ HTTP/1.1"#,
        );
        let decoded = any(&line).expect("a line");
        let Some(Upstream::Address { address, .. }) = decoded.request.upstream else {
            panic!("{:?}", decoded.request);
        };
        assert_eq!(address.to_string(), "10.244.0.12");
    }

    #[test]
    fn json_of_other_programs_is_no_line_of_nginx() {
        for line in [
            r#"{"level":"error","msg":"upstream SSL certificate verify error: (20:x)","pid":1}"#,
            r#"{"level":"error","ts":"2026-05-15T18:27:17Z","msg":"failed"}"#,
            "{",
            "{}",
        ] {
            assert!(decode(line).is_none(), "{line}");
        }
    }
}
