//! The cells of `kubectl get`: the JSONPaths that CustomResourceDefinitions use, and what an API
//! server prints for its built-in kinds (kubernetes `pkg/printers/internalversion/printers.go`).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::kinds::{Cell, Column};

/// The cell of `column` for `object`, as it stands in a `Table`.
pub(crate) fn cell(column: &Column, object: &Value, now: Timestamp) -> Value {
    let value = match column.cell {
        Cell::Path(path) => path_cell(object, path),
        Cell::Print(print) => print(object),
    };
    match (&value, column.format) {
        (Value::String(time), "date") if column.name == "Age" => {
            json!(age(time, now).unwrap_or_else(|| "<unknown>".to_owned()))
        }
        _ => value,
    }
}

/// Follows one of the three shapes of JSONPath that the printer columns use: `.a.b`, `.a[*].b` and
/// `.a[?(@.type=="X")].b`. A list or map is printed as JSON, several matches are joined by commas.
fn path_cell(object: &Value, path: &str) -> Value {
    let mut found = vec![object];
    for step in split_path(path) {
        found = match step {
            Step::Field(name) => found.into_iter().filter_map(|v| v.get(name)).collect(),
            Step::All => found
                .into_iter()
                .filter_map(Value::as_array)
                .flatten()
                .collect(),
            Step::Type(name) => found
                .into_iter()
                .filter_map(Value::as_array)
                .flatten()
                .filter(|v| v.get("type").and_then(Value::as_str) == Some(name))
                .collect(),
        };
    }
    match found.as_slice() {
        [] => Value::Null,
        [one @ (Value::String(_) | Value::Number(_) | Value::Bool(_))] => (*one).clone(),
        many => json!(
            many.iter()
                .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
                .collect::<Vec<_>>()
                .join(",")
        ),
    }
}

enum Step<'a> {
    Field(&'a str),
    All,
    Type(&'a str),
}

fn split_path(path: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while let Some(after) = rest.strip_prefix('.') {
        let end = after.find(['.', '[']).unwrap_or(after.len());
        steps.push(Step::Field(&after[..end]));
        rest = &after[end..];
        if let Some(after) = rest.strip_prefix("[*]") {
            steps.push(Step::All);
            rest = after;
        } else if let Some((name, after)) = rest
            .strip_prefix("[?(@.type==\"")
            .and_then(|r| r.split_once("\")]"))
        {
            steps.push(Step::Type(name));
            rest = after;
        }
    }
    steps
}

/// How long ago an RFC 3339 time was, in `kubectl`'s short form (`9s`, `5m30s`, `3d4h`).
pub(crate) fn age(time: &str, now: Timestamp) -> Option<String> {
    let then: Timestamp = time.parse().ok()?;
    let seconds = now.as_second().saturating_sub(then.as_second());
    if seconds < -1 {
        return Some("<invalid>".to_owned());
    }
    let seconds = seconds.max(0);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let (days, two) = (
        hours / 24,
        |big: i64, unit: char, small: i64, next: char| {
            if small == 0 {
                format!("{big}{unit}")
            } else {
                format!("{big}{unit}{small}{next}")
            }
        },
    );
    Some(if seconds < 120 {
        format!("{seconds}s")
    } else if minutes < 10 {
        two(minutes, 'm', seconds % 60, 's')
    } else if minutes < 180 {
        format!("{minutes}m")
    } else if hours < 8 {
        two(hours, 'h', minutes % 60, 'm')
    } else if hours < 48 {
        format!("{hours}h")
    } else if hours < 192 {
        two(days, 'd', hours % 24, 'h')
    } else if days < 730 {
        format!("{days}d")
    } else if days < 2920 {
        two(days / 365, 'y', days % 365, 'd')
    } else {
        format!("{}y", days / 365)
    })
}

fn string<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

fn items<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn or_none(text: &str) -> Value {
    json!(if text.is_empty() { "<none>" } else { text })
}

fn labels_text(labels: Option<&Value>) -> Value {
    let text = labels
        .and_then(Value::as_object)
        .map_or_else(String::new, |map| {
            let mut pairs: Vec<_> = map
                .iter()
                .map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default()))
                .collect();
            pairs.sort();
            pairs.join(",")
        });
    or_none(&text)
}

pub(super) fn none(_: &Value) -> Value {
    json!("<none>")
}

pub(super) fn created_at(object: &Value) -> Value {
    json!(string(object, "/metadata/creationTimestamp"))
}

pub(super) fn data_count(object: &Value) -> Value {
    let count = |field| {
        object
            .get(field)
            .and_then(Value::as_object)
            .map_or(0, serde_json::Map::len)
    };
    json!(count("data") + count("binaryData"))
}

pub(super) fn secrets_count(object: &Value) -> Value {
    json!(items(object, "/secrets").len())
}

pub(super) fn node_status(object: &Value) -> Value {
    let ready = items(object, "/status/conditions")
        .iter()
        .any(|c| string(c, "/type") == "Ready" && string(c, "/status") == "True");
    json!(if ready { "Ready" } else { "NotReady" })
}

pub(super) fn node_roles(object: &Value) -> Value {
    const PREFIX: &str = "node-role.kubernetes.io/";
    let roles: Vec<_> = object
        .pointer("/metadata/labels")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|labels| labels.keys().filter_map(|k| k.strip_prefix(PREFIX)))
        .collect();
    or_none(&roles.join(","))
}

fn event_time(object: &Value, pointers: &[&str]) -> Value {
    let time = pointers
        .iter()
        .map(|p| string(object, p))
        .find(|t| !t.is_empty());
    json!(
        time.and_then(|t| age(t, Timestamp::now()))
            .unwrap_or_else(|| "<unknown>".to_owned())
    )
}

pub(super) fn event_last_seen(object: &Value) -> Value {
    event_time(object, &["/lastTimestamp", "/eventTime", "/firstTimestamp"])
}

pub(super) fn event_first_seen(object: &Value) -> Value {
    event_time(object, &["/firstTimestamp", "/eventTime"])
}

pub(super) fn event_object(object: &Value) -> Value {
    json!(format!(
        "{}/{}",
        string(object, "/involvedObject/kind").to_lowercase(),
        string(object, "/involvedObject/name")
    ))
}

pub(super) fn event_source(object: &Value) -> Value {
    let (component, host) = (
        string(object, "/source/component"),
        string(object, "/source/host"),
    );
    json!(if host.is_empty() {
        component.to_owned()
    } else {
        format!("{component}, {host}")
    })
}

pub(super) fn event_message(object: &Value) -> Value {
    json!(string(object, "/message").trim())
}

pub(super) fn pod_ready(object: &Value) -> Value {
    let statuses = items(object, "/status/containerStatuses");
    let ready = statuses
        .iter()
        .filter(|s| s["ready"] == json!(true))
        .count();
    json!(format!(
        "{ready}/{}",
        items(object, "/spec/containers").len()
    ))
}

pub(super) fn pod_status(object: &Value) -> Value {
    if !string(object, "/metadata/deletionTimestamp").is_empty() {
        return json!("Terminating");
    }
    let reason = items(object, "/status/containerStatuses")
        .iter()
        .find_map(|s| {
            ["/state/waiting/reason", "/state/terminated/reason"]
                .iter()
                .map(|p| string(s, p))
                .find(|r| !r.is_empty())
        });
    json!(reason.unwrap_or_else(|| string(object, "/status/phase")))
}

pub(super) fn pod_restarts(object: &Value) -> Value {
    let restarts: i64 = items(object, "/status/containerStatuses")
        .iter()
        .map(|s| number(s, "/restartCount"))
        .sum();
    json!(restarts.to_string())
}

pub(super) fn pod_ip(object: &Value) -> Value {
    or_none(string(object, "/status/podIP"))
}

pub(super) fn pod_node(object: &Value) -> Value {
    or_none(string(object, "/spec/nodeName"))
}

pub(super) fn service_cluster_ip(object: &Value) -> Value {
    or_none(string(object, "/spec/clusterIP"))
}

pub(super) fn service_external_ip(object: &Value) -> Value {
    let ingress: Vec<_> = items(object, "/status/loadBalancer/ingress")
        .iter()
        .map(|i| [string(i, "/ip"), string(i, "/hostname")].concat())
        .chain(
            items(object, "/spec/externalIPs")
                .iter()
                .filter_map(|i| i.as_str().map(Into::into)),
        )
        .collect();
    match string(object, "/spec/type") {
        "ExternalName" => json!(string(object, "/spec/externalName")),
        "LoadBalancer" if ingress.is_empty() => json!("<pending>"),
        _ => or_none(&ingress.join(",")),
    }
}

pub(super) fn service_ports(object: &Value) -> Value {
    let ports: Vec<_> = items(object, "/spec/ports")
        .iter()
        .map(|p| {
            let (port, protocol) = (number(p, "/port"), string(p, "/protocol"));
            match number(p, "/nodePort") {
                0 => format!("{port}/{protocol}"),
                node => format!("{port}:{node}/{protocol}"),
            }
        })
        .collect();
    or_none(&ports.join(","))
}

pub(super) fn service_selector(object: &Value) -> Value {
    labels_text(object.pointer("/spec/selector"))
}

pub(super) fn deployment_ready(object: &Value) -> Value {
    json!(format!(
        "{}/{}",
        number(object, "/status/readyReplicas"),
        number(object, "/spec/replicas")
    ))
}

pub(super) fn deployment_updated(object: &Value) -> Value {
    json!(number(object, "/status/updatedReplicas"))
}

pub(super) fn deployment_available(object: &Value) -> Value {
    json!(number(object, "/status/availableReplicas"))
}

pub(super) fn desired_replicas(object: &Value) -> Value {
    json!(number(object, "/spec/replicas"))
}

pub(super) fn current_replicas(object: &Value) -> Value {
    json!(number(object, "/status/replicas"))
}

pub(super) fn ready_replicas(object: &Value) -> Value {
    json!(number(object, "/status/readyReplicas"))
}

fn containers(object: &Value, field: &str) -> Value {
    let all: Vec<_> = items(object, "/spec/template/spec/containers")
        .iter()
        .map(|c| string(c, field))
        .collect();
    json!(all.join(","))
}

pub(super) fn template_containers(object: &Value) -> Value {
    containers(object, "/name")
}

pub(super) fn template_images(object: &Value) -> Value {
    containers(object, "/image")
}

pub(super) fn workload_selector(object: &Value) -> Value {
    labels_text(object.pointer("/spec/selector/matchLabels"))
}

pub(super) fn slice_ports(object: &Value) -> Value {
    let ports: Vec<_> = items(object, "/ports")
        .iter()
        .map(|p| number(p, "/port").to_string())
        .collect();
    json!(if ports.is_empty() {
        "<unset>".to_owned()
    } else {
        ports.join(",")
    })
}

pub(super) fn slice_endpoints(object: &Value) -> Value {
    let addresses: Vec<_> = items(object, "/endpoints")
        .iter()
        .flat_map(|e| items(e, "/addresses"))
        .filter_map(Value::as_str)
        .collect();
    json!(match addresses.len() {
        0 => "<unset>".to_owned(),
        1..=3 => addresses.join(","),
        more => format!("{} + {} more...", addresses[..3].join(","), more - 3),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_printed_as_kubectl_prints_them() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        for (then, text) in [
            ("2026-01-31T11:59:51Z", "9s"),
            ("2026-01-31T11:58:01Z", "119s"),
            ("2026-01-31T11:54:30Z", "5m30s"),
            ("2026-01-31T11:55:00Z", "5m"),
            ("2026-01-31T10:01:00Z", "119m"),
            ("2026-01-31T08:30:00Z", "3h30m"),
            ("2026-01-29T13:00:00Z", "47h"),
            ("2026-01-28T08:00:00Z", "3d4h"),
            ("2025-12-01T12:00:00Z", "61d"),
            ("2026-01-31T12:01:00Z", "<invalid>"),
        ] {
            assert_eq!(age(then, now).as_deref(), Some(text), "{then}");
        }
    }

    #[test]
    fn paths_of_printer_columns_select_conditions_lists_and_fields() {
        let object = json!({
            "spec": {"hostnames": ["a.example.com", "b.example.com"], "class": "nginx"},
            "status": {
                "addresses": [{"value": "10.0.0.1"}, {"value": "10.0.0.2"}],
                "conditions": [{"type": "A", "status": "False"}, {"type": "B", "status": "True"}],
            },
        });
        for (path, cell) in [
            (".spec.class", json!("nginx")),
            (
                ".spec.hostnames",
                json!(r#"["a.example.com","b.example.com"]"#),
            ),
            (".status.addresses[*].value", json!("10.0.0.1,10.0.0.2")),
            (
                r#".status.conditions[?(@.type=="B")].status"#,
                json!("True"),
            ),
            (r#".status.conditions[?(@.type=="C")].status"#, Value::Null),
            (".spec.nothing.here", Value::Null),
        ] {
            assert_eq!(path_cell(&object, path), cell, "{path}");
        }
    }
}
