//! What never enters a bundle: keys, tokens, values of environment variables, headers that carry credentials, bodies.

use ngf_text::credentials::{REDACTED, redact};
use ngf_tls::transcript::{Direction, HttpAnswer, Layer, Step, Transcript};
use serde_json::{Map, Value};

use crate::{
    diagnosis::probe_context::{ProbeContext, headline},
    logs::PodLog,
    model::{kind::Kind, raw::Raw},
};

/// The annotations that are kept: they say what controllers did, and hold no values of users.
const ANNOTATIONS: &[&str] = &[
    "gateway.networking.k8s.io/",
    "gateway.nginx.org/",
    "cert-manager.io/",
    "controller.cert-manager.io/",
    "ngf-tui/",
    "deployment.kubernetes.io/revision",
    "kubectl.kubernetes.io/restartedAt",
    "ambient.istio.io/",
    "sidecar.istio.io/status",
    "service.kubernetes.io/",
];
/// Parts of names whose values are credentials.
const SENSITIVE: &[&str] = &[
    "token",
    "password",
    "passwd",
    "secret",
    "credential",
    "authorization",
    "api-key",
    "apikey",
    "cookie",
    "private",
];
/// Fields that hold text that people write into nginx's configuration.
const SNIPPETS: &[&str] = &["value", "snippet"];

fn is_sensitive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SENSITIVE.iter().any(|part| name.contains(part))
}

/// An object as the screen shows it: without values of environment variables, credentials in arguments, and the copy of
/// itself that `kubectl apply` keeps in an annotation.
pub fn shown(mut value: Value) -> Value {
    let copy = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";
    if let Some(copy) = value.pointer_mut(copy) {
        *copy = REDACTED.into();
    }
    containers(&mut value);
    value
}

/// Redacts an object of this kind.
pub(super) fn object(kind: Kind, value: &mut Value) {
    if let Some(annotations) = value.pointer_mut("/metadata/annotations") {
        annotations_of(annotations);
    }
    let templates = ["/spec/template/metadata/annotations"];
    for template in templates {
        if let Some(annotations) = value.pointer_mut(template) {
            annotations_of(annotations);
        }
    }
    match kind {
        Kind::Pod | Kind::Deployment | Kind::DaemonSet | Kind::NginxProxy => containers(value),
        Kind::SnippetsFilter | Kind::SnippetsPolicy => snippets(value),
        Kind::HTTPRoute | Kind::GRPCRoute => headers(value),
        // The request is a certificate request: public, and long.
        Kind::CertificateRequest => remove(value, "spec", &["request"]),
        Kind::Order => {
            remove(value, "spec", &["request"]);
            remove(value, "status", &["authorizations", "certificate"]);
        }
        Kind::Challenge => remove(value, "spec", &["key", "token", "solver"]),
        // Passwords of keystores.
        Kind::Bundle | Kind::ClusterBundle | Kind::ClusterTrustBundle => passwords(value),
        _ => {}
    }
}

fn remove(value: &mut Value, part: &str, fields: &[&str]) {
    if let Some(part) = value.get_mut(part).and_then(Value::as_object_mut) {
        part.retain(|name, _| !fields.contains(&name.as_str()));
    }
}

fn passwords(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(passwords),
        Value::Object(fields) => {
            for (name, inner) in fields.iter_mut() {
                if name == "password" {
                    *inner = REDACTED.into();
                } else {
                    passwords(inner);
                }
            }
        }
        _ => {}
    }
}

fn annotations_of(annotations: &mut Value) {
    if let Some(map) = annotations.as_object_mut() {
        map.retain(|name, _| ANNOTATIONS.iter().any(|known| name.starts_with(known)));
    }
}

/// Environment variables, and arguments that carry credentials, wherever they stand.
fn containers(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(containers),
        Value::Object(fields) => {
            for (name, inner) in fields.iter_mut() {
                match name.as_str() {
                    "env" => environment(inner),
                    "args" | "command" => arguments(inner),
                    _ => containers(inner),
                }
            }
        }
        _ => {}
    }
}

fn environment(value: &mut Value) {
    for variable in value.as_array_mut().into_iter().flatten() {
        if let Some(value) = variable.get_mut("value") {
            *value = REDACTED.into();
        }
    }
}

/// `--token=x`, `--token x`; a script is redacted as a whole.
fn arguments(value: &mut Value) {
    let mut is_value = false;
    for argument in value.as_array_mut().into_iter().flatten() {
        let Some(text) = argument.as_str().map(str::to_owned) else {
            continue;
        };
        let was_named = std::mem::take(&mut is_value);
        let is_option = text.starts_with('-');
        let new = match text.split_once('=') {
            Some((name, _)) if is_sensitive(name) => format!("{name}={REDACTED}"),
            _ if was_named && !is_option => REDACTED.to_owned(),
            _ if text.contains('\n') || text.contains("://") && text.contains('@') => {
                REDACTED.to_owned()
            }
            None if is_option && is_sensitive(&text) => {
                is_value = true;
                text
            }
            _ => text,
        };
        *argument = new.into();
    }
}

fn snippets(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(snippets),
        Value::Object(fields) => {
            for (name, inner) in fields.iter_mut() {
                if SNIPPETS.contains(&name.as_str()) && inner.is_string() {
                    *inner = REDACTED.into();
                } else {
                    snippets(inner);
                }
            }
        }
        _ => {}
    }
}

/// Headers that a route sets, and values that sensitive ones are compared with.
fn headers(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(headers),
        Value::Object(fields) => {
            let is_named = fields
                .get("name")
                .and_then(Value::as_str)
                .is_some_and(is_sensitive);
            if is_named && fields.get("value").is_some_and(Value::is_string) {
                fields.insert("value".to_owned(), REDACTED.into());
            }
            for (name, inner) in fields.iter_mut() {
                if matches!(name.as_str(), "set" | "add") {
                    for header in inner.as_array_mut().into_iter().flatten() {
                        if let Some(value) = header.get_mut("value") {
                            *value = REDACTED.into();
                        }
                    }
                } else {
                    headers(inner);
                }
            }
        }
        _ => {}
    }
}

/// A Secret or ConfigMap without any value.
pub(super) fn metadata_of(raw: &Raw, secret_type: Option<&str>) -> Value {
    let mut kept = Map::new();
    for field in ["apiVersion", "kind", "metadata"] {
        if let Some(value) = raw.get(field) {
            kept.insert(field.to_owned(), value.clone());
        }
    }
    if let Some(secret_type) = secret_type {
        kept.insert("type".to_owned(), secret_type.into());
    }
    let mut value = Value::Object(kept);
    if let Some(annotations) = value.pointer_mut("/metadata/annotations") {
        annotations_of(annotations);
    }
    value
}

/// A transcript without the body of the answer, unless it is nginx's own page about an error.
pub(super) fn transcript(transcript: &Transcript) -> Transcript {
    let mut transcript = transcript.clone();
    answers(&mut transcript.steps, transcript.http.as_mut());
    transcript
}

/// The headers of an answer that are kept, in lower case, and what else is told of it.
const KEPT_OF_ANSWERS: &[&str] = &[
    "status",
    "body_end",
    "server",
    "date",
    "content-type",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
];

/// Takes the body of an answer and the values of its headers away; nginx's own page about an error stays.
fn answers(steps: &mut [Step], answer: Option<&mut HttpAnswer>) {
    if answer.as_deref().is_some_and(is_nginx_page) {
        return;
    }
    if let Some(answer) = answer {
        body(answer);
    }
    let is_answer =
        |step: &&mut Step| step.layer == Layer::Http && step.direction == Direction::Received;
    for step in steps.iter_mut().filter(is_answer) {
        let mut status = String::new();
        for field in &mut step.fields {
            if field.name == "status" {
                status.clone_from(&field.value);
            }
            let is_kept = KEPT_OF_ANSWERS.contains(&field.name.to_ascii_lowercase().as_str());
            if !is_kept && !field.value.is_empty() {
                REDACTED.clone_into(&mut field.value);
            }
        }
        // It repeats the first line of the body.
        if !status.is_empty() && step.summary.starts_with(&status) {
            step.summary = status;
        }
    }
}

/// Takes the body of an answer away, unless it is nginx's own page about an error.
fn body(answer: &mut HttpAnswer) {
    if !is_nginx_page(answer) && !answer.body.is_empty() {
        answer.body = format!("{REDACTED} ({} bytes)", answer.body.len());
    }
}

fn is_nginx_page(answer: &HttpAnswer) -> bool {
    answer.status >= 400 && answer.body.contains("<center><h1>") && answer.body.len() < 4096
}

/// The context of a probe without bodies of answers, their first lines, and the queries of requests.
pub(super) fn context(context: &ProbeContext, probe: Option<&Transcript>) -> ProbeContext {
    let mut context = context.clone();
    for line in &mut context.log_lines {
        line.line = without_query(&line.line);
        line.means = line.means.as_deref().map(without_query);
    }
    let Some(client) = &mut context.client else {
        return context;
    };
    client.body.clear();
    let of_client = client
        .transcript
        .as_ref()
        .and_then(|seen| seen.http.clone());
    let of_probe = probe.and_then(|probe| probe.http.clone());
    for answer in [&of_client, &of_probe].into_iter().flatten() {
        let first = headline(&answer.body);
        if first.is_empty() || is_nginx_page(answer) {
            continue;
        }
        client.answer = client.answer.replace(&first, REDACTED);
        client.sentence = client.sentence.replace(&first, REDACTED);
    }
    let seen = [&mut client.transcript, &mut client.without_certificate];
    for transcript in seen.into_iter().flatten() {
        answers(&mut transcript.steps, transcript.http.as_mut());
    }
    context
}

/// A log without the queries of requests.
pub(super) fn log(log: &PodLog) -> PodLog {
    let mut log = log.clone();
    for counted in log.tally.said.values_mut() {
        let line = &mut counted.last_line;
        for text in [&mut line.request.request, &mut line.request.subrequest]
            .into_iter()
            .flatten()
        {
            *text = without_query(text);
        }
        line.text = without_query(&line.text);
    }
    log
}

/// `GET /a?token=b HTTP/1.1` is `GET /a?(redacted) HTTP/1.1`.
fn without_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('?') {
        let after = &rest[at + 1..];
        let end = after.find([' ', '"', ',', '\'']).unwrap_or(after.len());
        out.push_str(&rest[..=at]);
        if end > 0 {
            out.push_str(REDACTED);
        }
        rest = &after[end..];
    }
    out.push_str(rest);
    out
}

/// The last gate: credentials in any text, wherever it came from.
pub(super) fn texts(value: &mut Value) {
    match value {
        Value::String(text) => {
            let new = redact(text);
            if new != *text {
                *text = new;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(texts),
        Value::Object(fields) => fields.values_mut().for_each(texts),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_the_environment_and_credentials_in_arguments_are_redacted() {
        let mut pod = json!({
            "metadata": {"annotations": {"team/password": "x", "cert-manager.io/issuer": "ca"}},
            "spec": {"containers": [{
                "env": [{"name": "A", "value": "V1"}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s"}}}],
                "args": ["--gateway-class=nginx", "--api-token=V2", "--password", "V3", "-v", "postgres://u:V4@db"],
                "command": ["sh", "-c", "export X=V5\nexec y"]}],
                "initContainers": [{"env": [{"name": "C", "value": "V6"}]}]}});
        object(Kind::Pod, &mut pod);
        let text = pod.to_string();
        for value in ["V1", "V2", "V3", "V4", "V5", "V6", "team/password"] {
            assert!(!text.contains(value), "{value}: {text}");
        }
        for kept in [
            "--gateway-class=nginx",
            "secretKeyRef",
            "cert-manager.io/issuer",
            "\"-v\"",
        ] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
    }

    #[test]
    fn headers_and_snippets_are_redacted() {
        let mut route = json!({"spec": {"rules": [{
            "matches": [{"path": {"value": "/shop"}, "headers": [{"name": "X-Api-Key", "value": "V1"}, {"name": "env", "value": "prod"}]}],
            "filters": [{"requestHeaderModifier": {"set": [{"name": "Host2", "value": "V2"}]}}]}]}});
        object(Kind::HTTPRoute, &mut route);
        let text = route.to_string();
        assert!(!text.contains("V1") && !text.contains("V2"), "{text}");
        assert!(text.contains("/shop") && text.contains("prod"), "{text}");
        let mut filter = json!({"spec": {"snippets": [{"context": "http", "value": "auth V1;"}]}});
        object(Kind::SnippetsFilter, &mut filter);
        assert!(!filter.to_string().contains("V1"));
    }

    #[test]
    fn queries_of_requests_are_redacted() {
        for (text, expected) in [
            ("GET /a?token=b&c=d HTTP/1.1", "GET /a?(redacted) HTTP/1.1"),
            ("no query", "no query"),
            ("/?", "/?"),
        ] {
            assert_eq!(without_query(text), expected);
        }
    }

    #[test]
    fn an_object_on_the_screen_has_names_of_variables_and_no_values() {
        let pod = json!({
            "metadata": {"annotations": {"team": "a", "kubectl.kubernetes.io/last-applied-configuration": "{\"env\":[{\"value\":\"TOP-SECRET\"}]}"}},
            "spec": {"containers": [{"name": "a", "args": ["--token=TOP-SECRET"], "env": [{"name": "A", "value": "TOP-SECRET"}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s"}}}]}]},
        });
        let out = shown(pod).to_string();
        assert!(!out.contains("TOP-SECRET"), "{out}");
        for kept in ["secretKeyRef", "\"A\"", "\"team\""] {
            assert!(out.contains(kept), "{kept}: {out}");
        }
    }
}
