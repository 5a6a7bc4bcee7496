//! What the gateway's client gets, compared with what the probe shows: the status, and the text.

use ngf_core::{command::own, diagnosis::probe_context::headline};
use ngf_tls::transcript::Transcript;

use super::ClientView;

/// What a client's answer says to the probe's.
pub fn compare(view: &ClientView, probe: &Transcript) -> String {
    let says = match probe.nginx.client_status {
        Some(status) => status.to_string(),
        None => "nothing".to_owned(),
    };
    match (view.status, probe.nginx.client_status) {
        (Some(got), Some(expected)) if got == expected => match other_text(view, probe) {
            None => format!("the gateway's client gets {got}, as the probe says"),
            Some(texts) if got < 400 => format!(
                "the gateway's client gets {got}, as the probe says; the texts differ: {texts}"
            ),
            Some(texts) => format!(
                "the gateway's client and the probe get a different {got}: {texts}; another endpoint answered, or nginx is configured differently from the objects (`{}`)",
                own("check")
            ),
        },
        (Some(404), _) => format!(
            "the gateway answers 404, so that it knows no such route at this listener; the probe of the backend says {says}"
        ),
        (Some(got @ (502 | 504)), Some(expected)) if expected < 500 => format!(
            "the gateway's client gets {got}, and this endpoint would serve ({expected}): another endpoint, an older configuration or CA on the data plane, or its own connection is at fault; probe all with --all"
        ),
        (Some(got), Some(expected)) if got < 400 && expected >= 500 => format!(
            "the gateway's client gets {got} although the probe says {expected}: another endpoint answered, or nginx continues with a connection or TLS session of before; it ends when that does"
        ),
        (Some(got), _) => format!("the gateway's client gets {got}; the probe says {says}"),
        (None, _) => format!(
            "the gateway gave no answer ({}); the probe says {says}",
            view.answer
        ),
    }
}

/// Why two answers of one status are not the same: their texts. `None` where they are, or where nginx itself
/// would answer in place of the backend.
fn other_text(view: &ClientView, probe: &Transcript) -> Option<String> {
    let seen = probe.http.as_ref()?;
    if view.status != Some(seen.status) || view.body.trim() == seen.body.trim() {
        return None;
    }
    let (client, endpoint) = (headline(&view.body), headline(&seen.body));
    Some(if client == endpoint {
        format!("both begin with \"{client}\", and continue differently")
    } else {
        format!("the client gets \"{client}\", the probe \"{endpoint}\"")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ClientView, Transcript, compare, headline};

    fn page(text: &str) -> String {
        format!(
            "<html>\r\n<head><title>400 {text}</title></head>\r\n<body>\r\n<center>{text}</center>\r\n</body>\r\n</html>\r\n"
        )
    }

    fn transcript(status: u16, http: Option<(u16, &str)>) -> Transcript {
        let http =
            http.map(|(status, body)| json!({"status": status, "body": body, "server": null}));
        let transcript = json!({
            "schema": "ngf-tui/probe/v1", "started_at": "", "duration_us": 0, "target": "",
            "address": null, "via": "exec", "engine": {"name": "", "version": ""},
            "nginx": {
                "outcome": "http_error", "verify_code": null, "verify_text": null, "alert": null,
                "client_status": status, "log_line": null, "sentence": ""
            },
            "tls": null, "verify_trace": [], "server_chain": [], "steps": [], "http": http,
            "client_certificate": {
                "requested": false, "acceptable_cas": [], "sent": false, "subject": null
            }
        });
        serde_json::from_value(transcript).expect("a transcript")
    }

    #[test]
    fn two_answers_are_the_same_only_if_their_texts_are() {
        let plain = page("The plain HTTP request was sent to HTTPS port");
        let without = page("No required SSL certificate was sent");
        let broken = plain.replace("<body>", "<body>other");
        for (status, client, probe, sentence) in [
            (
                400,
                &*plain,
                Some((400, &*plain)),
                "the gateway's client gets 400, as the probe says",
            ),
            (
                400,
                &*plain,
                Some((400, &*without)),
                "the gateway's client and the probe get a different 400: the client gets \"400 The plain HTTP request was sent to HTTPS port\", the probe \"400 No required SSL certificate was sent\"; another endpoint answered, or nginx is configured differently from the objects (`ngf-tui check`)",
            ),
            (
                400,
                &*plain,
                Some((400, &*broken)),
                "the gateway's client and the probe get a different 400: both begin with \"400 The plain HTTP request was sent to HTTPS port\", and continue differently; another endpoint answered, or nginx is configured differently from the objects (`ngf-tui check`)",
            ),
            (
                200,
                "hello from pod a\n",
                Some((200, "hello from pod b\n")),
                "the gateway's client gets 200, as the probe says; the texts differ: the client gets \"hello from pod a\", the probe \"hello from pod b\"",
            ),
            (
                200,
                "hello\n",
                Some((200, "hello")),
                "the gateway's client gets 200, as the probe says",
            ),
            // nginx answers 502 in the place of a backend.
            (
                502,
                "<html>",
                None,
                "the gateway's client gets 502, as the probe says",
            ),
        ] {
            let view = ClientView {
                request: String::new(),
                via: "direct".to_owned(),
                status: Some(status),
                answer: headline(client),
                body: client.to_owned(),
                sentence: String::new(),
                transcript: None,
                without_certificate: None,
            };
            assert_eq!(compare(&view, &transcript(status, probe)), sentence);
        }
    }
}
