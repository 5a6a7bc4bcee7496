//! No control character enters the model: an object's texts are cleaned once, where it is decoded.

use std::borrow::Cow;

use super::value::Value;

/// Replaces by U+FFFD what would steer a terminal or hide from a reader. Replaced rather than left
/// out, so that two names which differ still differ. Line feeds and tabs stay.
pub fn clean(text: &str) -> Option<String> {
    if !is_dirty(text) {
        return None;
    }
    Some(
        text.chars()
            .map(|c| if is_unsafe(c) { '\u{fffd}' } else { c })
            .collect(),
    )
}

/// [`clean`], on one line.
pub fn clean_line(text: &str) -> String {
    clean(text)
        .unwrap_or_else(|| text.to_owned())
        .replace(['\n', '\t'], " ")
}

/// Cleans every text and every field name in `value`; says whether there was anything to clean.
pub fn clean_value(value: &mut Value<'_>) -> bool {
    match value {
        Value::String(text) if is_plain(text) => false,
        Value::String(text) => {
            // A line that ends as on Windows is no more than a line's end.
            if text.contains("\r\n") {
                *text = Cow::Owned(text.replace("\r\n", "\n"));
            }
            match clean(text) {
                Some(cleaned) => {
                    *text = Cow::Owned(cleaned);
                    true
                }
                None => false,
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .fold(false, |any, item| clean_value(item) | any),
        Value::Object(map) => {
            let names = map.keys().any(is_dirty);
            if names {
                map.rename(clean);
            }
            map.values_mut()
                .fold(names, |any, item| clean_value(item) | any)
        }
        _ => false,
    }
}

fn is_dirty(text: &str) -> bool {
    !is_plain(text) && text.chars().any(is_unsafe)
}

/// Whether it holds printable ASCII, line feeds and tabs alone, as nearly every text does. Every byte is looked at,
/// which is faster than to stop at the first: the compiler takes many at once.
fn is_plain(text: &str) -> bool {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    let bytes = text.as_bytes().iter();
    bytes.fold(true, |all, byte| all & is_plain(byte))
}

/// What [`clean`] replaces, and what it puts there: a text that holds one may not be what it was.
pub(crate) fn is_hidden(c: char) -> bool {
    c == '\u{fffd}' || is_unsafe(c)
}

/// What is hidden from a reader or steers a terminal, but for line feeds and tabs.
fn is_unsafe(c: char) -> bool {
    !matches!(c, '\n' | '\t') && ngf_text::is_hidden(c)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_that_differ_still_differ() {
        assert_ne!(clean("app\u{200b}"), Some("app".into()));
        assert_eq!(clean("Grüße\n日本"), None);
    }

    #[test]
    fn lines_that_end_as_on_windows_are_lines() {
        let mut value = Value::from(json!("-----BEGIN CERTIFICATE-----\r\nMIIB\r\n"));
        assert!(!clean_value(&mut value));
        assert_eq!(value, json!("-----BEGIN CERTIFICATE-----\nMIIB\n").into());
    }

    #[test]
    fn keys_and_values_are_cleaned_at_every_depth() {
        let mut value = Value::from(json!({"a\u{1b}[2J": [{"b": "c\u{9b}d\r\u{202e}"}], "e": 1}));
        assert!(clean_value(&mut value));
        assert_eq!(
            value,
            json!({"a\u{fffd}[2J": [{"b": "c\u{fffd}d\u{fffd}\u{fffd}"}], "e": 1}).into()
        );
        assert!(!clean_value(&mut value));
    }
}
