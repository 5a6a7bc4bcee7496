//! Splits text into documents and parses each by itself, so that a broken one hides no other.

use serde_json::error::Category;

use super::items::{List, Outline};
use crate::model::{
    clean::clean_line,
    decode::{Bounds, Incoming},
};

/// One document of a file.
pub(super) struct Document<'t> {
    /// Its number in the file, from 1. Empty documents do not count.
    pub(super) number: usize,
    /// The line on which it begins, from 1.
    pub(super) line: usize,
    /// What it holds, or why it cannot be read.
    pub(super) content: Result<Content<'t>, Failed>,
}

/// What a document holds.
pub(super) enum Content<'t> {
    /// A value.
    Value(Incoming),
    /// A list of objects in JSON, whose items are not read yet.
    List(List<'t>),
}

/// Why a document cannot be read.
#[derive(Debug)]
pub(super) struct Failed {
    /// In a sentence.
    pub(super) message: String,
    /// It holds a template's expressions: what it is shows once it is rendered.
    pub(super) is_template: bool,
    /// It has the field that every manifest has.
    pub(super) is_like_manifest: bool,
}

impl Failed {
    fn new(message: String, text: &str) -> Self {
        let is_like_manifest = text.contains("apiVersion");
        Self {
            is_template: is_like_manifest && text.contains("{{"),
            is_like_manifest,
            message,
        }
    }
}

/// Memory that the values of one document, or of one item of a list, may take once they are decoded.
pub(super) const MAX_DECODED: u64 = 384 << 20;
/// Values and keys of one YAML document: ten thousand routes have two million.
const MAX_NODES: usize = 3_000_000;

/// Gives the documents of a file to `each`, one after the other, so that only one is in memory. JSON
/// may hold several values.
pub(super) fn documents(text: &str, is_json: bool, mut each: impl FnMut(Document<'_>)) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if is_json || text.trim_start().starts_with(['{', '[']) {
        let found: Vec<_> = values(text).collect();
        // `{a: b}` is YAML and no JSON
        if is_json || found.iter().all(Result::is_ok) {
            return json(text, found, each);
        }
    }
    let mut number = 0;
    for (line, chunk) in chunks(text) {
        if let Some(content) = yaml(chunk, line) {
            number += 1;
            each(Document {
                number,
                line: line + blank_lines(chunk),
                content: content.map(Content::Value),
            });
        }
    }
}

/// Where each JSON value of a text ends, and what it is; nothing else is kept of them.
fn values(text: &str) -> impl Iterator<Item = Result<(usize, Outline), serde_json::Error>> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Outline>();
    let mut has_failed = false;
    std::iter::from_fn(move || {
        if has_failed {
            return None;
        }
        let value = stream.next()?;
        has_failed = value.is_err();
        Some(value.map(|outline| (stream.byte_offset(), outline)))
    })
}

fn json(
    text: &str,
    found: Vec<Result<(usize, Outline), serde_json::Error>>,
    mut each: impl FnMut(Document<'_>),
) {
    // How far lines are counted, and the line there.
    let (mut counted, mut line) = (0, 1);
    let mut end = 0;
    for (index, value) in found.into_iter().enumerate() {
        let rest = &text[end..];
        let start = end + rest.len() - rest.trim_start().len();
        line += text[counted..start].matches('\n').count();
        counted = start;
        let content = match value {
            Ok((at, outline)) => {
                end = at;
                let text = &text[start..end];
                match outline.list() {
                    Some((api_version, kind)) => Ok(Content::List(List {
                        api_version,
                        kind,
                        text,
                    })),
                    None => whole(text).map(Content::Value),
                }
            }
            Err(error) => Err(Failed::new(no_json(&error), rest)),
        };
        each(Document {
            number: index + 1,
            line,
            content,
        });
    }
}

fn whole(value: &str) -> Result<Incoming, Failed> {
    let mut bounds = Bounds::new(MAX_DECODED);
    read(&mut bounds, value).map_err(|error| failed(&bounds, &error, value))
}

fn read(bounds: &mut Bounds, text: &str) -> Result<Incoming, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let incoming = bounds.read(&mut deserializer)?;
    deserializer.end()?;
    Ok(incoming)
}

fn failed(bounds: &Bounds, error: &serde_json::Error, text: &str) -> Failed {
    if bounds.exceeded() {
        return Failed::new(too_many_values(), text);
    }
    Failed::new(no_json(error), text)
}

pub(super) fn too_many_values() -> String {
    format!(
        "holds more values than fit in {} MiB of memory: give smaller parts",
        MAX_DECODED >> 20
    )
}

fn no_json(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        Category::Eof => "ends too early".to_owned(),
        _ => clean_line(&error.to_string()),
    };
    format!("is not JSON: {what}")
}

/// The parts of a YAML text between document markers, each with the line on which it begins. YAML
/// allows `---` and `...` at the start of a line for nothing else, not even within a text block.
fn chunks(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut starts = vec![(1, 0)];
    let mut offset = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let end = offset + line.len();
        if is_marker(line, "---") {
            starts.push((index + 1, offset));
        } else if is_marker(line, "...") {
            starts.push((index + 2, end));
        }
        offset = end;
    }
    let ends: Vec<usize> = starts
        .iter()
        .skip(1)
        .map(|(_, offset)| *offset)
        .chain([text.len()])
        .collect();
    starts
        .into_iter()
        .zip(ends)
        .map(move |((line, start), end)| (line, &text[start..end]))
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// Lines before the first that says something.
fn blank_lines(chunk: &str) -> usize {
    chunk
        .lines()
        .take_while(|line| {
            let line = line.trim();
            line.is_empty() || line == "---" || line.starts_with('#')
        })
        .count()
}

/// Parses one YAML document; `None` where there is nothing in it.
fn yaml(chunk: &str, first_line: usize) -> Option<Result<Incoming, Failed>> {
    if let Some(incoming) = json_in_yaml(chunk) {
        return Some(Ok(incoming));
    }
    let options = serde_saphyr::options! {
        // without the text around it, which may be a Secret's
        with_snippet: false,
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 100_000,
        },
        // what `kubectl get -A -o yaml` prints of ten thousand routes is one document
        budget: serde_saphyr::budget! {
            max_depth: 120,
            max_nodes: MAX_NODES,
            max_events: 2 * MAX_NODES,
            max_total_scalar_bytes: 128 << 20,
        },
    };
    match serde_saphyr::from_str_with_options::<Option<Incoming>>(chunk, options) {
        Ok(None) => None,
        Ok(Some(incoming)) if incoming.value.is_null() => None,
        Ok(Some(incoming)) => Some(Ok(incoming)),
        Err(error) => Some(Err(Failed::new(in_words(&error, first_line), chunk))),
    }
}

/// A document that is one JSON object, which is read ten times as fast as YAML. Where it says something twice it is
/// left to YAML, which names the line.
fn json_in_yaml(chunk: &str) -> Option<Incoming> {
    let text = chunk.strip_prefix("---").unwrap_or(chunk).trim_start();
    if !text.starts_with('{') {
        return None;
    }
    let mut bounds = Bounds::new(MAX_DECODED);
    let incoming = read(&mut bounds, text).ok()?;
    (!bounds.repeats).then_some(incoming)
}

/// What is wrong with a YAML document, and in which line of the file.
fn in_words(error: &serde_saphyr::Error, first_line: usize) -> String {
    let line = error
        .location()
        .and_then(|location| usize::try_from(location.line()).ok())
        .filter(|line| *line > 0)
        .map_or(String::new(), |line| {
            format!(" in line {}", first_line + line - 1)
        });
    let words = error
        .without_snippet()
        .render_with_formatter(&serde_saphyr::UserMessageFormatter);
    // the position within the document, which the line above says better
    let words = words.split(" at line ").next().unwrap_or(&words);
    format!("is not YAML{line}: {}", clean_line(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Vec<(usize, usize, Result<String, String>)> {
        let mut found = Vec::new();
        documents(text, false, |document| {
            let content = document.content.map_err(|failed| failed.message);
            let content = content.map(|content| match content {
                Content::Value(incoming) => incoming.value.to_string(),
                Content::List(list) => format!("list of {}", list.kind),
            });
            found.push((document.number, document.line, content));
        });
        found
    }

    #[test]
    fn documents_are_counted_and_empty_ones_are_not() {
        let text = "# comment\n---\n\na: 1\n---\n# nothing\n---\nb: |\n  ---\n  x\n...\nc: 2\n";
        assert_eq!(
            shape(text),
            [
                (1, 4, Ok(r#"{"a":1}"#.into())),
                (2, 8, Ok(r#"{"b":"---\nx\n"}"#.into())),
                (3, 12, Ok(r#"{"c":2}"#.into())),
            ]
        );
    }

    #[test]
    fn json_values_may_follow_one_another_and_flow_style_is_yaml() {
        assert_eq!(
            shape("{\"a\": 1}\n\n{\"b\": 2}"),
            [
                (1, 1, Ok(r#"{"a":1}"#.into())),
                (2, 3, Ok(r#"{"b":2}"#.into()))
            ]
        );
        assert_eq!(shape("{a: b}"), [(1, 1, Ok(r#"{"a":"b"}"#.into()))]);
    }

    #[test]
    fn json_within_yaml_is_json_and_a_field_that_is_given_twice_is_yamls() {
        assert_eq!(
            shape("---\n{\"a\": \"\\ud83d\\ude00\"}\n--- {\"b\": 1}\n---\n{c: 2}\n"),
            [
                (1, 2, Ok("{\"a\":\"\u{1f600}\"}".into())),
                (2, 3, Ok(r#"{"b":1}"#.into())),
                (3, 5, Ok(r#"{"c":2}"#.into())),
            ]
        );
        let twice = shape("---\n{\"a\": 1, \"a\": 2}\n");
        let (.., Err(message)) = &twice[0] else {
            panic!("{twice:?}")
        };
        assert!(message.contains("line 2"), "{message}");
    }
}
