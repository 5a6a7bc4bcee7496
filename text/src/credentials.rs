//! Takes credentials out of text: private keys, tokens, passwords. No file, clipboard, log or ticket may hold any.

/// What stands in the place of what was left out.
pub const REDACTED: &str = "(redacted)";

/// Names after which a value is a secret, however they are written: `--token=x`, `API_KEY: x`, `password=x`.
const NAMES: [&str; 14] = [
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
    "credential",
    "credentials",
    "cookie",
    "authorization",
];

/// Schemes of an Authorization header, in lower case; a token follows.
const SCHEMES: [&str; 2] = ["bearer ", "basic "];

const KEY_BEGINS: &str = "-----BEGIN ";
const KEY_ENDS: &str = "-----END ";

/// A text of any number of lines without private keys in PEM, tokens, and values of names that mean a secret.
pub fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_key = false;
    for (index, line) in text.split('\n').enumerate() {
        let is_of_key = line.contains("PRIVATE KEY");
        let begins = is_of_key && line.contains(KEY_BEGINS);
        if in_key {
            in_key = !line.contains(KEY_ENDS);
            continue;
        }
        // The begin was cut off: what comes before the end is key.
        if is_of_key && !begins && line.contains(KEY_ENDS) {
            REDACTED.clone_into(&mut out);
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

/// A character of a token (RFC 9110, section 11.2, `token68`), or of one in a URL.
fn is_of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~+/=%".contains(c)
}

/// The same with what follows each scheme, left out.
fn after(line: &str, scheme: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = lower[line.len() - rest.len()..].find(scheme) {
        let (before, found) = rest.split_at(at + scheme.len());
        out.push_str(before);
        let end = found.find(|c| !is_of_token(c)).unwrap_or(found.len());
        if found.starts_with(REDACTED) {
            rest = found;
            continue;
        }
        // A word of a sentence is no token; "Bearer" with a capital letter begins none.
        let token = &found[..end];
        let word = token.trim_end_matches(['.', ':']);
        let is_token = !word.is_empty()
            && (before.ends_with("Bearer ")
                || word.len() >= 16
                || !word.chars().all(char::is_lowercase));
        out.push_str(if is_token { REDACTED } else { token });
        rest = &found[end..];
    }
    out + rest
}

/// JSON Web Tokens, wherever they stand: parts of base64url with dots between them, of which the first is a JSON object.
fn web_tokens(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("eyJ") {
        let (before, found) = rest.split_at(at);
        out.push_str(before);
        let end = found.find(|c| !is_of_token(c)).unwrap_or(found.len());
        let token = &found[..end];
        let is_token = token.len() > 20 && token.contains('.');
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
        // What follows a scheme is left out already; the scheme is no credential.
        let scheme = SCHEMES.iter().find(|scheme| {
            let begin = value.get(..scheme.len());
            begin.is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
        });
        let shown = scheme.map_or(0, |scheme| scheme.len());
        if end == 0 || value[shown..].starts_with(REDACTED) {
            continue;
        }
        let start = at + sign.len_utf8() + blanks;
        out.push_str(&line[from..start]);
        out.push_str(REDACTED);
        from = start + end;
    }
    out + &line[from..]
}

#[cfg(test)]
mod tests {
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
                "Authorization: Bearer (redacted)",
            ),
            (
                "got Bearer abcDEF123456, then",
                "got Bearer (redacted), then",
            ),
            (&*format!("x {jwt} y"), "x (redacted) y"),
            ("client_secret=a;b", "client_secret=(redacted);b"),
            ("BASIC dXNlcjpwYXNz", "BASIC (redacted)"),
            ("/a?token=secret&x=1", "/a?token=(redacted)&x=1"),
            (
                "grant refresh_token=r&client_secret=s",
                "grant refresh_token=(redacted)&client_secret=(redacted)",
            ),
            ("GET /version 200", "GET /version 200"),
            ("bearer ", "bearer "),
            ("eyJ", "eyJ"),
            ("ü bearer ä", "ü bearer ä"),
            ("Bearer abc.def", "Bearer (redacted)"),
            ("Bearer abc", "Bearer (redacted)"),
            ("no bearer token.", "no bearer token."),
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
            assert_eq!(redact(line), expected, "{line}");
            assert_eq!(redact(&redact(line)), expected, "twice: {line}");
        }
    }

    #[test]
    fn a_private_key_goes_with_all_of_its_lines() {
        let pem = "tls.key: |\n  -----BEGIN EC PRIVATE KEY-----\n  MHcCAQEE\n  -----END EC PRIVATE KEY-----\nca.crt: x\n-----BEGIN CERTIFICATE-----";
        let out = redact(pem);
        assert!(!out.contains("MHcCAQEE"), "{out}");
        assert!(
            out.ends_with("ca.crt: x\n-----BEGIN CERTIFICATE-----"),
            "{out}"
        );
        assert!(redact("-----BEGIN PRIVATE KEY-----\nAAAA").ends_with(REDACTED));
        let tail = redact("MHcCAQEE\n-----END EC PRIVATE KEY-----\nca.crt: x");
        assert_eq!(tail, "(redacted)\nca.crt: x");
        assert_eq!(redact("it has no PRIVATE KEY"), "it has no PRIVATE KEY");
    }
}
