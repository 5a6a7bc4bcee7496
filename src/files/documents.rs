//! Splits text into documents and parses each by itself, so that a broken one hides no other.

use serde_json::error::Category;

use crate::model::{clean::clean_line, decode::Incoming};

/// One document of a file.
pub(super) struct Document {
    /// Its number in the file, from 1. Empty documents do not count.
    pub(super) number: usize,
    /// The line on which it begins, from 1.
    pub(super) line: usize,
    /// What it holds, or why it cannot be read.
    pub(super) content: Result<Incoming, String>,
}

/// The documents of a file. JSON may hold several values, one after the other.
pub(super) fn documents(text: &str, is_json: bool) -> Vec<Document> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if is_json || text.trim_start().starts_with(['{', '[']) {
        let documents = json(text);
        // `{a: b}` is YAML and no JSON
        if is_json || documents.iter().all(|document| document.content.is_ok()) {
            return documents;
        }
    }
    let mut number = 0;
    chunks(text)
        .filter_map(|(line, chunk)| {
            let content = yaml(chunk, line)?;
            number += 1;
            Some(Document {
                number,
                line: line + blank_lines(chunk),
                content,
            })
        })
        .collect()
}

fn json(text: &str) -> Vec<Document> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Incoming>();
    let mut documents = Vec::new();
    loop {
        let start = stream.byte_offset();
        let Some(content) = stream.next() else { break };
        let failed = content.is_err();
        let skipped = text[start..].len() - text[start..].trim_start().len();
        documents.push(Document {
            number: documents.len() + 1,
            line: 1 + text[..start + skipped].matches('\n').count(),
            content: content.map_err(|error| {
                let what = match error.classify() {
                    Category::Eof => "ends too early".to_owned(),
                    _ => clean_line(&error.to_string()),
                };
                format!("is no JSON: {what}")
            }),
        });
        if failed {
            break;
        }
    }
    documents
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
fn yaml(chunk: &str, first_line: usize) -> Option<Result<Incoming, String>> {
    let options = serde_saphyr::options! {
        // without the text around it, which may be a Secret's
        with_snippet: false,
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 100_000,
        },
        // what `kubectl get -A -o yaml` prints of ten thousand routes is one document
        budget: serde_saphyr::budget! {
            max_depth: 120,
            max_nodes: 20_000_000,
            max_events: 40_000_000,
            max_total_scalar_bytes: 256 << 20,
        },
    };
    match serde_saphyr::from_str_with_options::<Option<Incoming>>(chunk, options) {
        Ok(None) => None,
        Ok(Some(incoming)) if incoming.value.is_null() => None,
        Ok(Some(incoming)) => Some(Ok(incoming)),
        Err(error) => Some(Err(in_words(&error, first_line))),
    }
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
    format!("is no YAML{line}: {}", clean_line(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Vec<(usize, usize, Result<String, String>)> {
        documents(text, false)
            .into_iter()
            .map(|document| {
                let content = document.content.map(|incoming| incoming.value.to_string());
                (document.number, document.line, content)
            })
            .collect()
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
}
