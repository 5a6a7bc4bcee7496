//! Finds a field of an object in the text of its file, by indentation: what a person would look for. Text in flow
//! style has one line for many fields: then the line is the object's, and there is no excerpt.

use std::{fs, path::Path};

use ngf_core::model::{clean::clean_line, kind::Kind, object::ObjectRef, snapshot::Place};
use zeroize::Zeroizing;

use super::STANDARD_INPUT;

/// Bytes of a file that is read again.
const MOST: u64 = 4 << 20;
/// Lines of an excerpt, and characters of one.
const LINES: usize = 4;
const WIDTH: usize = 160;
/// The field that every object has.
const NAME: [&str; 2] = ["metadata", "name"];

/// The line of a field, from 1, and an excerpt; the object's own line where the path is empty or not found. `None`
/// where the file cannot be read again.
pub fn excerpt(
    place: &Place,
    object: &ObjectRef,
    path: &[String],
) -> Option<(usize, Option<String>)> {
    if place.file == STANDARD_INPUT {
        return None;
    }
    let path_of_file = Path::new(&place.file);
    let is_small =
        fs::metadata(path_of_file).is_ok_and(|found| found.is_file() && found.len() <= MOST);
    let text = is_small
        .then(|| fs::read_to_string(path_of_file).ok())
        .flatten();
    Some(find(&Zeroizing::new(text?), place.line, object, path))
}

/// A line with its number, its indentation and its first key.
struct Line<'t> {
    number: usize,
    indent: usize,
    /// A list's hyphen stands before it.
    is_item: bool,
    text: &'t str,
}

impl<'t> Line<'t> {
    fn of(number: usize, text: &'t str) -> Self {
        let bare = text.trim_start();
        let is_item = bare.starts_with("- ");
        let mut rest = bare;
        while let Some(inner) = rest.strip_prefix("- ") {
            rest = inner.trim_start();
        }
        Self {
            number,
            indent: text.len() - rest.len(),
            is_item,
            text: rest,
        }
    }

    /// Whether its key is this one.
    fn is_key(&self, key: &str) -> bool {
        let text = self.text.strip_prefix(['"', '\'']).unwrap_or(self.text);
        text.strip_prefix(key).is_some_and(|rest| {
            let rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest);
            rest.trim_start().starts_with(':')
        })
    }

    /// Whether it says `name: NAME`.
    fn is_name(&self, name: &str) -> bool {
        let value = self.text.split_once(':').map(|(_, value)| value);
        let value = value.map(|value| value.trim().trim_end_matches(',').trim_matches(['"', '\'']));
        self.is_key("name") && value == Some(name)
    }
}

/// How far a whole line is indented, a list's hyphen left aside.
fn own_indent(whole: &str) -> usize {
    whole.len() - whole.trim_start().len()
}

/// Finds it in the text of the file, from the line on which the document begins.
fn find(text: &str, from: usize, object: &ObjectRef, path: &[String]) -> (usize, Option<String>) {
    let mut whole: Vec<&str> = Vec::new();
    for (index, line) in text.lines().skip(from.saturating_sub(1)).enumerate() {
        if index > 0 && (line == "---" || line.starts_with("--- ") || line == "...") {
            break;
        }
        whole.push(line);
    }
    let lines: Vec<Line<'_>> = whole
        .iter()
        .enumerate()
        .map(|(index, line)| Line::of(from + index, line))
        .collect();
    let (begin, end) = item(&lines, &whole, &object.name);
    let region = &lines[begin..end];
    let start = region.first().map_or(from, |line| line.number);
    let mut at: Option<usize> = None;
    let (mut first, mut last) = (begin, end);
    for key in path {
        let parent = at.map(|index| lines[index].indent);
        let found = (first..last).find(|index| {
            let line = &lines[*index];
            line.is_key(key) && parent.is_none_or(|parent| line.indent > parent)
        });
        let Some(index) = found else { break };
        at = Some(index);
        first = index + 1;
        last = below(&lines, &whole, index, last);
    }
    let is_name = path.iter().map(String::as_str).eq(NAME);
    let Some(at) = at else {
        if is_name {
            return (start, None);
        }
        // Which object it is, is what can be shown.
        return find(text, from, object, &NAME.map(str::to_owned));
    };
    let line = lines[at].number;
    if object.kind == Kind::Secret && is_name {
        return (
            line,
            lines[at]
                .is_name(&object.name)
                .then(|| clean_line(whole[at])),
        );
    }
    if object.kind == Kind::Secret
        || region
            .iter()
            .any(|line| line.text.contains("Secret") && line.is_key("kind"))
    {
        return (line, None);
    }
    let end = below(&lines, &whole, at, last.max(at + 1)).min(at + LINES);
    let shown: Vec<String> = whole[at..end.max(at + 1)]
        .iter()
        .map(|line| {
            let indent = line.len() - line.trim_start().len();
            let text: String = clean_line(line.trim()).chars().take(WIDTH).collect();
            format!("{:indent$}{text}", "", indent = indent.min(WIDTH))
        })
        .collect();
    // A whole object on one line may hold anything.
    let is_flow = shown
        .iter()
        .any(|line| line.contains(['{', '}']) && line.contains("data"));
    (line, (!is_flow).then(|| shown.join("\n")))
}

/// The lines of the object: those of its item, where the document is a list.
fn item(lines: &[Line<'_>], whole: &[&str], name: &str) -> (usize, usize) {
    let all = (0, lines.len());
    let is_list = lines
        .iter()
        .any(|line| own_indent(whole[line.number - lines[0].number]) == 0 && line.is_key("items"))
        || lines
            .first()
            .is_some_and(|line| line.is_item || line.text == "[");
    if !is_list {
        return all;
    }
    // `metadata` stands above the name, and the item begins at or above that.
    let named = lines.iter().enumerate().find(|(index, line)| {
        line.is_name(name)
            && lines[..*index]
                .iter()
                .rev()
                .find(|above| above.indent < line.indent)
                .is_some_and(|above| above.is_key("metadata"))
    });
    let Some((named, line)) = named else {
        return all;
    };
    let metadata = lines[..named]
        .iter()
        .rposition(|above| above.indent < line.indent)
        .unwrap_or(0);
    let level = lines[metadata].indent;
    // JSON has a brace before the item, YAML a hyphen at its first key.
    let begin = lines[..=metadata]
        .iter()
        .rposition(|above| above.is_item && above.indent == level || above.indent < level)
        .unwrap_or(0);
    let end = lines[named..]
        .iter()
        .position(|below| below.indent < level || below.is_item && below.indent == level)
        .map_or(lines.len(), |more| named + more);
    (begin, end.max(begin + 1))
}

/// Where what belongs to a line ends.
fn below(lines: &[Line<'_>], whole: &[&str], at: usize, most: usize) -> usize {
    let own = lines[at].indent;
    let first = lines[0].number;
    (at + 1..most)
        .find(|index| {
            let line = &lines[*index];
            if line.text.is_empty() || line.text.starts_with('#') {
                return false;
            }
            // The items of a list may stand as far left as its key.
            let indent = own_indent(whole[line.number - first]);
            if line.is_item {
                indent < own
            } else {
                line.indent <= own
            }
        })
        .unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# a comment
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata:
  name: tls
spec:
  targetRefs:
  - kind: Service
    name: shop
  validation:
    hostname: shop.example.com
---
apiVersion: v1
kind: Secret
metadata: {name: s}
data:
  ca.crt: c2VjcmV0
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata:
    name: one
  data: {ca.crt: x}
- apiVersion: gateway.networking.k8s.io/v1
  kind: Gateway
  metadata:
    name: two
  spec:
    tls:
      backend: {}
";

    fn found(kind: Kind, name: &str, from: usize, path: &str) -> (usize, Option<String>) {
        let path: Vec<String> = path
            .split('/')
            .filter(|p| !p.is_empty())
            .map(str::to_owned)
            .collect();
        find(TEXT, from, &ObjectRef::new(kind, "default", name), &path)
    }

    #[test]
    fn a_field_is_found_by_its_path() {
        let policy = |path| found(Kind::BackendTLSPolicy, "tls", 1, path);
        assert_eq!(
            policy("spec/validation/hostname"),
            (11, Some("    hostname: shop.example.com".to_owned()))
        );
        let (line, excerpt) = policy("spec/targetRefs");
        assert_eq!(line, 7);
        assert_eq!(
            excerpt.as_deref(),
            Some("  targetRefs:\n  - kind: Service\n    name: shop")
        );
        assert_eq!(policy("spec/nothing").0, 6);
        assert_eq!(policy("nothing").0, 5);
        assert_eq!(policy(""), (5, Some("  name: tls".to_owned())));
    }

    #[test]
    fn an_item_of_a_list_is_found_by_its_name() {
        let (line, excerpt) = found(Kind::Gateway, "two", 19, "spec/tls/backend");
        assert_eq!((line, excerpt.as_deref()), (33, Some("      backend: {}")));
        assert_eq!(found(Kind::Gateway, "two", 19, "").0, 30);
        assert_eq!(found(Kind::ConfigMap, "one", 19, "").0, 25);
    }

    #[test]
    fn no_value_of_a_secret_is_shown() {
        assert_eq!(found(Kind::Secret, "s", 13, "data/ca.crt"), (17, None));
        let flow = "{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {ca.crt: c2VjcmV0}}";
        let object = ObjectRef::new(Kind::Secret, "default", "s");
        let path = ["data".to_owned()];
        assert_eq!(find(flow, 1, &object, &path).1, None);
        let list = format!("[{flow}, {{kind: Gateway, metadata: {{name: g}}}}]");
        let gateway = ObjectRef::new(Kind::Gateway, "default", "g");
        assert_eq!(find(&list, 1, &gateway, &["metadata".to_owned()]).1, None);
    }

    #[test]
    fn any_text_has_a_line() {
        let object = ObjectRef::new(Kind::Gateway, "default", "g");
        for text in [
            "",
            "\n",
            "items:",
            "- ",
            "items:\n- metadata:\n    name: g",
            "[\n{\n\"metadata\": {\n\"name\": \"g\"\n}\n}\n]",
        ] {
            for from in 0..4 {
                let (line, _) = find(text, from, &object, &["spec".to_owned(), "x".to_owned()]);
                assert!(line <= 8, "{text:?}: {line}");
            }
        }
    }
}
