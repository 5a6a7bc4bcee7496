//! Splits text into documents and parses each by itself, so that a broken one hides no other.

use serde_json::error::Category;

use super::{
    item::{Item, Reading},
    items::{List, Outline},
};
use crate::model::{
    clean::clean_line,
    decode::{Bounds, Parsed},
    value::Value,
};

/// A part of a file that is a document, or holds none.
pub(super) struct Part<'t> {
    /// The line on which it begins, from 1.
    line: usize,
    /// Its text.
    pub(super) text: &'t str,
    shape: Shape<'t>,
}

/// How a part is written.
enum Shape<'t> {
    /// A value in JSON.
    Json,
    /// A list of objects in JSON.
    List(List<'t>),
    /// The text up to the next document marker.
    Yaml,
    /// No JSON, where it had to be.
    Failed(serde_json::Error),
}

/// One document of a file.
pub(super) struct Document<'p, 't> {
    /// The line on which it begins, from 1.
    pub(super) line: usize,
    /// What it holds, or why it cannot be read.
    pub(super) content: Result<Content<'p, 't>, Failed>,
}

/// What a document holds.
pub(super) enum Content<'p, 't> {
    /// An object, or what else it is.
    Item(Item),
    /// A bare list of objects.
    Items(Vec<Item>),
    /// A list of objects in JSON, whose items are not read yet.
    List(&'p List<'t>),
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

/// The parts of a file. JSON may hold several values, one after the other.
pub(super) fn parts(text: &str, is_json: bool) -> Vec<Part<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if is_json || text.trim_start().starts_with(['{', '[']) {
        let found: Vec<_> = values(text).collect();
        // `{a: b}` is YAML and no JSON
        if is_json || found.iter().all(Result::is_ok) {
            return json(text, found);
        }
    }
    let chunks = chunks(text).map(|(line, text)| Part {
        line,
        text,
        shape: Shape::Yaml,
    });
    chunks.collect()
}

impl<'t> Part<'t> {
    /// The document that it is; `None` where there is nothing in it.
    pub(super) fn read(&self, reading: Reading<'_>) -> Option<Document<'_, 't>> {
        let item = |parsed| content(parsed, reading);
        Some(match &self.shape {
            Shape::Json => Document {
                line: self.line,
                content: whole(self.text).map(item),
            },
            Shape::List(list) => Document {
                line: self.line,
                content: Ok(Content::List(list)),
            },
            Shape::Failed(error) => Document {
                line: self.line,
                content: Err(Failed::new(no_json(error), self.text)),
            },
            Shape::Yaml => Document {
                content: yaml(self.text, self.line)?.map(item),
                line: self.line + blank_lines(self.text),
            },
        })
    }
}

fn content<'p, 't>(parsed: Parsed<'_>, reading: Reading<'_>) -> Content<'p, 't> {
    let Parsed { value, cut } = parsed;
    match value {
        Value::Array(items) => {
            let items = items.into_iter().map(|item| reading.value(item, cut));
            Content::Items(items.collect())
        }
        value => Content::Item(reading.value(value, cut)),
    }
}

/// Where each JSON value of a text ends, and what it is; of a list, where its items are.
fn values(text: &str) -> impl Iterator<Item = Result<(usize, Outline<'_>), serde_json::Error>> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Outline<'_>>();
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

fn json<'t>(
    text: &'t str,
    found: Vec<Result<(usize, Outline<'t>), serde_json::Error>>,
) -> Vec<Part<'t>> {
    // How far lines are counted, and the line there.
    let (mut counted, mut line) = (0, 1);
    let mut end = 0;
    let parts = found.into_iter().map(|value| {
        let rest = &text[end..];
        let start = end + rest.len() - rest.trim_start().len();
        line += text[counted..start].matches('\n').count();
        counted = start;
        match value {
            Ok((at, outline)) => {
                end = at;
                Part {
                    line,
                    text: &text[start..end],
                    shape: outline.list().map_or(Shape::Json, Shape::List),
                }
            }
            Err(error) => Part {
                line,
                text: rest,
                shape: Shape::Failed(error),
            },
        }
    });
    parts.collect()
}

fn whole(value: &str) -> Result<Parsed<'_>, Failed> {
    let mut bounds = Bounds::new(MAX_DECODED);
    read(&mut bounds, value).map_err(|error| failed(&bounds, &error, value))
}

pub(super) fn read<'t>(
    bounds: &mut Bounds,
    text: &'t str,
) -> Result<Parsed<'t>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed = bounds.read(&mut deserializer)?;
    deserializer.end()?;
    Ok(parsed)
}

fn failed(bounds: &Bounds, error: &serde_json::Error, text: &str) -> Failed {
    if bounds.exceeded() {
        return Failed::new(too_many_values(MAX_DECODED), text);
    }
    Failed::new(no_json(error), text)
}

/// A value takes more than `most` bytes.
pub(super) fn too_many_values(most: u64) -> String {
    format!(
        "holds more values than fit in {} MiB of memory: give smaller parts",
        most >> 20
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
fn yaml(chunk: &str, first_line: usize) -> Option<Result<Parsed<'_>, Failed>> {
    if let Some(parsed) = json_in_yaml(chunk) {
        return Some(Ok(parsed));
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
    match serde_saphyr::from_str_with_options::<Option<Parsed<'static>>>(chunk, options) {
        Ok(None) => None,
        Ok(Some(parsed)) if parsed.value.is_null() => None,
        Ok(Some(parsed)) => Some(Ok(parsed)),
        Err(error) => Some(Err(Failed::new(in_words(&error, first_line), chunk))),
    }
}

/// A document that is one JSON object, which is read ten times as fast as YAML. Where it says something twice it is
/// left to YAML, which names the line.
fn json_in_yaml(chunk: &str) -> Option<Parsed<'_>> {
    let text = chunk.strip_prefix("---").unwrap_or(chunk).trim_start();
    if !text.starts_with('{') {
        return None;
    }
    let mut bounds = Bounds::new(MAX_DECODED);
    let parsed = read(&mut bounds, text).ok()?;
    (!bounds.repeats).then_some(parsed)
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

    /// The line of each document, and what it is.
    fn shape(text: &str) -> Vec<(usize, Result<String, String>)> {
        let reading = Reading {
            default_namespace: "default",
            keeps: true,
        };
        let name = |item: &Item| match item {
            Item::Other { name, .. } => name.clone(),
            Item::None { what, .. } => (*what).to_owned(),
            _ => "another".to_owned(),
        };
        let parts = parts(text, false);
        let documents = parts.iter().filter_map(|part| part.read(reading));
        let shapes = documents.map(|document| {
            let content = document.content.map_err(|failed| failed.message);
            let content = content.map(|content| match content {
                Content::Item(item) => name(&item),
                Content::Items(items) => items.iter().map(name).collect::<Vec<_>>().join(", "),
                Content::List(list) => format!("list of {}", list.kind),
            });
            (document.line, content)
        });
        shapes.collect()
    }

    fn is(line: usize, name: &str) -> (usize, Result<String, String>) {
        (line, Ok(format!("v1 {name}")))
    }

    const NO_OBJECT: &str = "is not a mapping with apiVersion and kind";

    #[test]
    fn documents_end_at_markers_and_empty_ones_do_not_count() {
        let text = "# comment\n---\n\napiVersion: v1\nkind: A\n---\n# nothing\n---\napiVersion: v1\nkind: B\n\
                    b: |\n  ---\n  x\n...\napiVersion: v1\nkind: C\n";
        assert_eq!(shape(text), [is(4, "A"), is(9, "B"), is(15, "C")]);
    }

    #[test]
    fn json_values_may_follow_one_another_and_flow_style_is_yaml() {
        let text = "{\"apiVersion\": \"v1\", \"kind\": \"A\"}\n\n{\"kind\": \"B\", \"apiVersion\": \"v1\"}";
        assert_eq!(shape(text), [is(1, "A"), is(3, "B")]);
        assert_eq!(shape("{apiVersion: v1, kind: A}"), [is(1, "A")]);
        let [(1, Err(message))] = &shape("{\"a\": 1} {b")[..] else {
            panic!("{:?}", shape("{\"a\": 1} {b"))
        };
        assert!(message.starts_with("is not YAML"), "{message}");
    }

    #[test]
    fn a_bare_list_is_read_item_by_item() {
        let text = "- {apiVersion: v1, kind: A}\n- 7\n";
        let items = format!("v1 A, {NO_OBJECT}");
        assert_eq!(shape(text), [(1, Ok(items))]);
        assert_eq!(shape("[7]"), [(1, Ok("list of ".to_owned()))]);
    }

    #[test]
    fn json_within_yaml_is_json_and_a_field_that_is_given_twice_is_yamls() {
        let a = "{\"apiVersion\": \"v1\", \"kind\": \"\\ud83d\\ude00\"}";
        let b = "{\"apiVersion\": \"v1\", \"kind\": \"B\"}";
        assert_eq!(
            shape(&format!(
                "---\n{a}\n--- {b}\n---\n{{apiVersion: v1, kind: C}}\n"
            )),
            [is(2, "\u{1f600}"), is(3, "B"), is(5, "C")]
        );
        let twice = shape("---\n{\"a\": 1, \"a\": 2}\n");
        let [(_, Err(message))] = &twice[..] else {
            panic!("{twice:?}")
        };
        assert!(message.contains("line 2"), "{message}");
    }
}
