//! What no file, clipboard or ticket may hold: private keys, tokens, passwords, values of environment variables.

use serde_json::Value;

/// What stands in the place of what was left out.
pub const REDACTED: &str = "(redacted)";

/// Names after which a value is a secret, however they are written: `--token=x`, `API_KEY: x`, `password=x`.
const NAMES: [&str; 12] = [
    "token",
    "password",
    "passwd",
    "secret",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "private_key",
    "client_secret",
    "cookie",
    "authorization",
];

/// Schemes of an Authorization header; a token follows.
const SCHEMES: [&str; 3] = ["Bearer ", "Basic ", "bearer "];

const KEY_BEGINS: &str = "-----BEGIN ";
const KEY_ENDS: &str = "-----END ";

/// A text of any number of lines without private keys in PEM, tokens, and values of names that mean a secret.
pub fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_key = false;
    for (index, line) in text.split('\n').enumerate() {
        let begins = line.contains(KEY_BEGINS) && line.contains("PRIVATE KEY");
        if in_key {
            in_key = !line.contains(KEY_ENDS);
            continue;
        }
        if index > 0 {
            out.push('\n');
        }
        if begins {
            let before = line.split(KEY_BEGINS).next().unwrap_or_default();
            out.push_str(before);
            out.push_str(REDACTED);
            in_key = !line.contains(KEY_ENDS);
            continue;
        }
        out.push_str(&of_line(line));
    }
    out
}

fn of_line(line: &str) -> String {
    let mut line = line.to_owned();
    for scheme in SCHEMES {
        line = after(&line, scheme);
    }
    line = web_tokens(&line);
    values(&line)
}

/// The same with what follows each mark, up to a blank or quote, left out.
fn after(line: &str, mark: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(mark) {
        let (before, found) = rest.split_at(at + mark.len());
        out.push_str(before);
        let end = found
            .find(|c: char| c.is_whitespace() || "\"',;)".contains(c))
            .unwrap_or(found.len());
        if found.starts_with(REDACTED) {
            rest = found;
            continue;
        }
        // A word of a sentence is no token: those have some length, and a digit or sign.
        let token = &found[..end];
        let is_token = token.len() >= 8 && !token.chars().all(char::is_lowercase);
        out.push_str(if is_token { REDACTED } else { token });
        rest = &found[end..];
    }
    out + rest
}

/// JSON Web Tokens, wherever they stand: three parts of base64url, of which the first is a JSON object.
fn web_tokens(line: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.=".contains(c);
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("eyJ") {
        let (before, found) = rest.split_at(at);
        out.push_str(before);
        let end = found.find(|c: char| !is_part(c)).unwrap_or(found.len());
        let token = &found[..end];
        let is_token = token.len() >= 30 && token.matches('.').count() >= 2;
        out.push_str(if is_token { REDACTED } else { token });
        rest = &found[end..];
    }
    out + rest
}

/// `name=value` and `name: value`, where the name means a secret.
fn values(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let mut out = String::new();
    let mut from = 0;
    for (at, sign) in line.char_indices().filter(|(_, c)| matches!(c, '=' | ':')) {
        if at < from {
            continue;
        }
        let name = lower[..at].trim_end_matches(['"', '\'']);
        let Some(known) = NAMES.iter().find(|known| name.ends_with(*known)) else {
            continue;
        };
        // `Secret: app-tls-secret` and `in Secret x: y` name an object.
        let written = &line[name.len() - known.len()..name.len()];
        if written.starts_with("Secret") {
            continue;
        }
        let value = &line[at + sign.len_utf8()..];
        let blanks = value.len() - value.trim_start().len();
        let value = value.trim_start();
        let end = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].find(quote).map_or(value.len(), |end| end + 2),
            _ => value
                .find(|c: char| c.is_whitespace() || ",;)}&".contains(c))
                .unwrap_or(value.len()),
        };
        if end == 0 || value.starts_with(REDACTED) {
            continue;
        }
        let start = at + sign.len_utf8() + blanks;
        out.push_str(&line[from..start]);
        out.push_str(REDACTED);
        from = start + end;
    }
    out + &line[from..]
}

/// An object without the values of its containers' environment variables, and without the copy of itself that
/// `kubectl apply` keeps in an annotation.
pub fn object(value: &Value) -> Value {
    let mut value = value.clone();
    walk(&mut value, 0);
    value
}

/// Objects are no deeper than this.
const DEEPEST: usize = 64;

fn walk(value: &mut Value, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                if name == "env"
                    && let Value::Array(variables) = field
                {
                    for variable in variables {
                        if let Some(value) = variable.get_mut("value") {
                            *value = REDACTED.into();
                        }
                    }
                }
                if name == "kubectl.kubernetes.io/last-applied-configuration" {
                    *field = REDACTED.into();
                }
                walk(field, depth + 1);
            }
        }
        Value::Array(items) => {
            for item in items {
                walk(item, depth + 1);
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
    fn keys_tokens_and_passwords_are_left_out_and_nothing_else() {
        let jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJkZWZhdWx0In0.c2lnbmF0dXJl";
        for (line, expected) in [
            ("password=hunter2 next", "password=(redacted) next"),
            ("DB_PASSWORD: \"hun ter2\", x", "DB_PASSWORD: (redacted), x"),
            (
                "{\"token\":\"abc\",\"a\":1}",
                "{\"token\":(redacted),\"a\":1}",
            ),
            (
                "Authorization: Bearer abcDEF123456",
                "Authorization: (redacted) (redacted)",
            ),
            (
                "got Bearer abcDEF123456, then",
                "got Bearer (redacted), then",
            ),
            (&*format!("x {jwt} y"), "x (redacted) y"),
            ("client_secret=a;b", "client_secret=(redacted);b"),
            // What names a Secret, or only speaks of one, stays.
            (
                "Secret default/backend-cert[ca.crt]",
                "Secret default/backend-cert[ca.crt]",
            ),
            (
                "cannot get Secret: forbidden",
                "cannot get Secret: forbidden",
            ),
            (
                "using ca.crt in Secret: app-tls-secret",
                "using ca.crt in Secret: app-tls-secret",
            ),
            ("SHA-256 f8:b8:4b", "SHA-256 f8:b8:4b"),
            ("Basic authentication is off", "Basic authentication is off"),
            ("token=", "token="),
            ("", ""),
        ] {
            assert_eq!(text(line), expected, "{line}");
            assert_eq!(text(&text(line)), expected, "twice: {line}");
        }
    }

    #[test]
    fn a_private_key_goes_with_all_of_its_lines() {
        let pem = "tls.key: |\n  -----BEGIN EC PRIVATE KEY-----\n  MHcCAQEE\n  -----END EC PRIVATE KEY-----\nca.crt: x\n-----BEGIN CERTIFICATE-----";
        let out = text(pem);
        assert!(!out.contains("MHcCAQEE"), "{out}");
        assert!(
            out.ends_with("ca.crt: x\n-----BEGIN CERTIFICATE-----"),
            "{out}"
        );
        assert!(text("-----BEGIN PRIVATE KEY-----\nAAAA").ends_with(REDACTED));
    }

    #[test]
    fn the_environment_of_containers_has_names_and_no_values() {
        let pod = json!({
            "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{\"env\":[{\"value\":\"TOP-SECRET\"}]}"}},
            "spec": {"containers": [{"name": "a", "env": [{"name": "A", "value": "TOP-SECRET"}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s"}}}]}]},
        });
        let out = object(&pod).to_string();
        assert!(!out.contains("TOP-SECRET"), "{out}");
        assert!(
            out.contains("secretKeyRef") && out.contains("\"A\""),
            "{out}"
        );
    }
}
