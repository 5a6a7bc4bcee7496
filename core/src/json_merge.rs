//! JSON merge patches (RFC 7386), as the API server applies them.

use serde_json::Value;

/// An object with a patch applied.
pub fn merged(before: &Value, patch: &Value) -> Value {
    let mut after = before.clone();
    json_patch::merge(&mut after, patch);
    after
}

/// The fields of `wanted` that `given` does not have so, as paths: what an API server dropped. It may
/// add fields and defaults of its own.
pub fn lacking(wanted: &Value, given: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    compare("", wanted, Some(given), &mut paths);
    paths
}

fn compare(path: &str, wanted: &Value, given: Option<&Value>, paths: &mut Vec<String>) {
    match (wanted, given) {
        (Value::Null, None | Some(Value::Null)) => {}
        (Value::Object(wanted), Some(Value::Object(given))) => {
            for (key, value) in wanted {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                compare(&path, value, given.get(key), paths);
            }
        }
        (Value::Array(wanted), Some(Value::Array(given))) if wanted.len() == given.len() => {
            for (index, (wanted, given)) in wanted.iter().zip(given).enumerate() {
                compare(&format!("{path}[{index}]"), wanted, Some(given), paths);
            }
        }
        (wanted, Some(given)) if wanted == given => {}
        _ => paths.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_server_dropped_is_named_by_path_and_what_it_added_is_not() {
        let wanted = json!({"spec": {"tls": {"backend": {"clientCertificateRef": {"name": "a"}}},
            "rules": [{"port": 1}], "gone": null}});
        let given = json!({"spec": {"tls": {"frontend": {}}, "rules": [{"port": 1, "weight": 1}]}});
        assert_eq!(lacking(&wanted, &given), ["spec.tls.backend"]);
        assert_eq!(lacking(&json!({"a": 1}), &json!({"a": 2})), ["a"]);
        assert_eq!(lacking(&json!({"a": null}), &json!({"a": 2})), ["a"]);
        assert!(lacking(&json!({"a": [{}]}), &json!({"a": [{"b": 1}], "c": 1})).is_empty());
    }
}
