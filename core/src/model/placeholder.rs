//! Values that something fills in later: variables of envsubst, Flux, Kustomize and Argo CD, templates of
//! Helm, values that SOPS encrypted. In files they are unknown, not wrong.

use std::fmt::Write as _;

use super::value::Value;

/// Paths that are kept of one object.
const MOST: usize = 20;

/// What stands for a value that is not known before it is rendered or decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unrendered {
    /// A variable or a template's expression.
    Placeholder,
    /// A value that SOPS encrypted.
    Encrypted,
}

/// Whether a text holds a placeholder: `${NAME}`, `$(NAME)`, `{{ … }}`, `((NAME))`, `<NAME>`, `$NAME`,
/// or `ENC[AES256_GCM,…]`.
pub fn of(text: &str) -> Option<Unrendered> {
    if text.starts_with("ENC[AES256_GCM,") && text.ends_with(']') {
        return Some(Unrendered::Encrypted);
    }
    // A certificate, a script or a configuration may hold any of the signs.
    if text.len() > 1_000 {
        return None;
    }
    // Without a stop at the first sign, the compiler takes many bytes at once.
    let is_sign = |byte: u8| matches!(byte, b'$' | b'{' | b'<' | b'(' | b'[');
    if !text.bytes().fold(false, |any, byte| any | is_sign(byte)) {
        return None;
    }
    if text.contains("-----BEGIN ") {
        return None;
    }
    let pairs = [("${", "}"), ("$(", ")"), ("{{", "}}"), ("((", "))")];
    let is_paired = pairs.iter().any(|(open, close)| {
        text.split_once(open)
            .is_some_and(|(_, rest)| rest.contains(close))
    });
    (is_paired || has_angles(text) || is_shell_variable(text)).then_some(Unrendered::Placeholder)
}

/// `<domain>`, `app.<your-domain>`, `<path:secret/data/x#key>`: no space next to the brackets, so that
/// `a < b > c` is none.
fn has_angles(text: &str) -> bool {
    let Some((_, rest)) = text.split_once('<') else {
        return false;
    };
    let Some((name, _)) = rest.split_once('>') else {
        return false;
    };
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    edge(name.chars().next()) && edge(name.chars().next_back())
}

/// `$DOMAIN`, `search.$DOMAIN`: envsubst's short form, in capitals.
fn is_shell_variable(text: &str) -> bool {
    text.match_indices('$').any(|(at, _)| {
        let name = &text[at + 1..];
        name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
            && !name
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .any(|c| c.is_ascii_lowercase())
    })
}

/// The paths of an object's fields that hold placeholders. Annotations, labels and what programs are
/// given (`args`, `env`, ConfigMap keys other than `ca.crt`) may hold any text and are left out.
pub fn paths(value: &Value<'_>) -> Vec<String> {
    let mut found = Vec::new();
    if !holds_any(value) {
        return found;
    }
    for pointer in ["/metadata/name", "/metadata/namespace"] {
        let text = value.pointer(pointer).and_then(Value::as_str);
        if text.and_then(of).is_some() {
            found.push(pointer.trim_start_matches('/').replace('/', "."));
        }
    }
    for field in ["spec", "data", "stringData", "binaryData", "type"] {
        if let Some(value) = value.get(field) {
            walk(value, &mut field.to_owned(), &mut found);
        }
    }
    found
}

/// Whether any text in it is a placeholder, wherever it stands: most objects have none, and need no paths.
fn holds_any(value: &Value<'_>) -> bool {
    match value {
        Value::String(text) => of(text).is_some(),
        Value::Array(items) => items.iter().any(holds_any),
        Value::Object(map) => map.values().any(holds_any),
        _ => false,
    }
}

/// Fields whose text is a program's own, or nothing that this tool reads.
const OPAQUE: &[&str] = &[
    "args",
    "command",
    "env",
    "envFrom",
    "annotations",
    "lifecycle",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "image",
    "snippets",
];

fn walk(value: &Value<'_>, path: &mut String, found: &mut Vec<String>) {
    if found.len() >= MOST {
        return;
    }
    let length = path.len();
    match value {
        Value::String(text) if of(text).is_some() => found.push(path.clone()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let _ = write!(path, "[{index}]");
                walk(item, path, found);
                path.truncate(length);
            }
        }
        Value::Object(map) => {
            for (key, value) in map.iter() {
                let is_data = matches!(path.as_str(), "data" | "stringData" | "binaryData");
                let is_key = matches!(key, "ca.crt" | "tls.crt" | "tls.key");
                if OPAQUE.contains(&key) || is_data && !is_key {
                    continue;
                }
                if key.contains('.') {
                    let _ = write!(path, "[{key:?}]");
                } else {
                    path.push('.');
                    path.push_str(key);
                }
                walk(value, path, found);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_and_template_expressions_are_placeholders() {
        for text in [
            "search.${DOMAIN}",
            "${HOST:-app.example.org}",
            "$(NAMESPACE)",
            "{{ .Values.host }}",
            "((domain))",
            "<your-domain>",
            "app.<domain>",
            "$DOMAIN",
            "search.$DOMAIN",
            "<path:secret/data/app#host>",
        ] {
            assert_eq!(of(text), Some(Unrendered::Placeholder), "{text}");
        }
        assert_eq!(
            of("ENC[AES256_GCM,data:p673w==,iv:YY=,tag:UQ=,type:str]"),
            Some(Unrendered::Encrypted)
        );
    }

    #[test]
    fn ordinary_values_are_none() {
        for text in [
            "app.example.org",
            "*.example.org",
            "^/v[0-9]+$",
            "/a(b)(c)",
            "a < b",
            "<>",
            "{",
            "$1.00",
            "/files/$name",
            "-----BEGIN CERTIFICATE-----\n${X}\n",
            "",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn the_paths_of_an_object_name_each_field_once() {
        let value = json!({
            "metadata": {"name": "${APP}", "annotations": {"a": "${B}"}},
            "spec": {
                "hostnames": ["a.example.org", "b.${DOMAIN}"],
                "containers": [{"args": ["$(POD_IP)"], "env": [{"value": "${X}"}]}],
            },
            "data": {"ca.crt": "${CA}", "nginx.conf": "log ${request}"},
        });
        assert_eq!(
            paths(&Value::from(value)),
            ["metadata.name", "spec.hostnames[1]", "data[\"ca.crt\"]"]
        );
    }
}
