//! Takes credentials out of a line. Nothing that this program logs holds any; other crates log, too.

use ngf_core::model::clean::clean_line;

/// What stands in the place of a credential.
const REDACTED: &str = "<redacted>";
/// Words before a credential: schemes of `Authorization`, and names of parameters.
const BEFORE: &[&str] = &[
    "bearer ",
    "basic ",
    "token=",
    "token\": \"",
    "password=",
    "client_secret=",
    "refresh_token=",
    "id_token=",
];

/// A line without control characters and without credentials.
pub(super) fn line(text: &str) -> String {
    let mut text = clean_line(text.trim_end());
    if text.contains("PRIVATE KEY") {
        return "a line with a private key is left out".to_owned();
    }
    for before in BEFORE {
        text = after(&text, before);
    }
    web_tokens(&text)
}

fn is_of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~+/=%".contains(c)
}

/// Replaces what follows each place of `before`, whatever its case.
fn after(text: &str, before: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = lower[at..].find(before) {
        let begin = at + found + before.len();
        out.push_str(&text[at..begin]);
        let length = text[begin..]
            .find(|c| !is_of_token(c))
            .unwrap_or(text.len() - begin);
        if length > 0 {
            out.push_str(REDACTED);
        }
        at = begin + length;
    }
    out.push_str(&text[at..]);
    out
}

/// Replaces JSON web tokens wherever they stand.
fn web_tokens(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("eyJ") {
        out.push_str(&rest[..at]);
        let length = rest[at..]
            .find(|c| !is_of_token(c))
            .unwrap_or(rest.len() - at);
        let word = &rest[at..at + length];
        out.push_str(if word.contains('.') && length > 20 {
            REDACTED
        } else {
            word
        });
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_credential_is_left() {
        for (text, expected) in [
            (
                "authorization: Bearer abc.DEF-123_= next",
                "authorization: Bearer <redacted> next",
            ),
            ("BASIC dXNlcjpwYXNz", "BASIC <redacted>"),
            ("/a?token=secret&x=1", "/a?token=<redacted>&x=1"),
            (
                "grant refresh_token=r&client_secret=s",
                "grant refresh_token=<redacted>&client_secret=<redacted>",
            ),
            (
                "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig.",
                "jwt <redacted>",
            ),
            (
                "-----BEGIN PRIVATE KEY-----",
                "a line with a private key is left out",
            ),
            ("GET /version 200", "GET /version 200"),
            ("bearer ", "bearer"),
            ("eyJ", "eyJ"),
            ("ü bearer ä", "ü bearer ä"),
        ] {
            assert_eq!(line(text), expected, "{text}");
        }
    }
}
