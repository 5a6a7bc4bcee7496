//! `-o jsonpath=TEMPLATE`: kubectl's templates over the JSON of a report. The paths are RFC 9535's, by the crate
//! `jsonpath-rust`; the text around them, `range` and `end` are kubectl's.

use std::fmt::Write as _;

use jsonpath_rust::JsonPath;
use serde_json::Value;

use super::clean;

/// How deep `range` may stand in `range`.
const DEPTH: usize = 8;
/// Bytes that a template may print.
const MOST: usize = 64 << 20;

/// A template.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Path(String),
    Range(String, Vec<Part>),
}

/// A template that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid template: {0}")]
pub struct TemplateError(String);

impl Template {
    /// Reads `{.findings[*].code}`, `{range .findings[*]}{.code}{"\n"}{end}`. Braces may be left out around one path.
    ///
    /// # Errors
    /// A brace that is not closed, a path that is none, `range` without `end`.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let is_bare = !text.contains('{') && !text.is_empty();
        let text = if is_bare {
            format!("{{{text}}}")
        } else {
            text.to_owned()
        };
        let mut tokens = tokens(&text)?.into_iter();
        let (parts, ended) = parts(&mut tokens, 0)?;
        if ended {
            return Err(TemplateError("{end} without {range}".to_owned()));
        }
        if parts.is_empty() {
            return Err(TemplateError("it is empty".to_owned()));
        }
        Ok(Self(parts))
    }

    /// What it makes of a document. As with kubectl, a path that leads nowhere prints nothing.
    pub fn render(&self, document: &Value) -> String {
        let mut out = String::new();
        write(&mut out, &self.0, document);
        out
    }
}

enum Token {
    Text(String),
    Braces(String),
}

fn tokens(text: &str) -> Result<Vec<Token>, TemplateError> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        if open > 0 {
            found.push(Token::Text(rest[..open].to_owned()));
        }
        let inside = &rest[open + 1..];
        let close =
            closing(inside).ok_or_else(|| TemplateError("a brace is not closed".to_owned()))?;
        found.push(Token::Braces(inside[..close].trim().to_owned()));
        rest = &inside[close + 1..];
    }
    if !rest.is_empty() {
        found.push(Token::Text(rest.to_owned()));
    }
    Ok(found)
}

/// Where the brace closes; one within quotes does not count.
fn closing(text: &str) -> Option<usize> {
    let (mut quote, mut is_escaped) = (None, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if is_escaped => is_escaped = false,
            (Some(_), '\\') => is_escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '}') => return Some(at),
            (None, _) => {}
        }
    }
    None
}

fn parts(
    tokens: &mut std::vec::IntoIter<Token>,
    depth: usize,
) -> Result<(Vec<Part>, bool), TemplateError> {
    if depth > DEPTH {
        return Err(TemplateError(format!(
            "{{range}} stands in more than {DEPTH} others"
        )));
    }
    let mut found = Vec::new();
    while let Some(token) = tokens.next() {
        let inside = match token {
            Token::Text(text) => {
                found.push(Part::Text(text));
                continue;
            }
            Token::Braces(inside) => inside,
        };
        if inside == "end" {
            return Ok((found, true));
        }
        if let Some(text) = literal(&inside) {
            found.push(Part::Text(text));
        } else if let Some(over) = inside.strip_prefix("range ") {
            let over = path(over)?;
            let (body, ended) = parts(tokens, depth + 1)?;
            if !ended {
                return Err(TemplateError("{range} without {end}".to_owned()));
            }
            found.push(Part::Range(over, body));
        } else {
            found.push(Part::Path(path(&inside)?));
        }
    }
    Ok((found, false))
}

/// The text of `"\n"` or `'\t'`.
fn literal(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next()? {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                other => out.push(other),
            },
            c => out.push(c),
        }
    }
    Some(out)
}

/// A path as RFC 9535 writes it: from the root, with quoted names where kubectl has a backslash.
fn path(text: &str) -> Result<String, TemplateError> {
    let text = text.trim();
    let bare = text.strip_prefix(['$', '@']).unwrap_or(text);
    let wrong = |why: String| TemplateError(format!("{{{}}}: {why}", clean(text)));
    if !bare.is_empty() && !bare.starts_with(['.', '[']) {
        return Err(wrong(
            "expected a path such as .findings[*].code".to_owned(),
        ));
    }
    let mut out = "$".to_owned();
    let mut rest = bare;
    while let Some(escape) = rest.find("\\.") {
        // `.data.ca\.crt` is `.data['ca.crt']`.
        let begin = rest[..escape]
            .rfind('.')
            .ok_or_else(|| wrong("a backslash stands before no dot of a name".to_owned()))?;
        out.push_str(&rest[..begin]);
        let name = &rest[begin + 1..];
        let mut end = name.len();
        let mut before = '.';
        for (at, c) in name.char_indices() {
            if (c == '.' && before != '\\') || c == '[' {
                end = at;
                break;
            }
            before = c;
        }
        let _ = write!(
            out,
            "['{}']",
            name[..end].replace("\\.", ".").replace('\'', "\\'")
        );
        rest = &name[end..];
    }
    out.push_str(rest.strip_suffix('.').unwrap_or(rest));
    jsonpath_rust::parser::parse_json_path(&out)
        .map_err(|error| wrong(clean(&error.to_string())))?;
    Ok(out)
}

fn write(out: &mut String, parts: &[Part], document: &Value) {
    for part in parts {
        if out.len() > MOST {
            return;
        }
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Path(path) => {
                let found = document.query(path).unwrap_or_default();
                let shown: Vec<String> = found.into_iter().map(shown).collect();
                out.push_str(&shown.join(" "));
            }
            Part::Range(over, body) => {
                for item in document.query(over).unwrap_or_default() {
                    write(out, body, item);
                }
            }
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.lines().map(clean).collect::<Vec<_>>().join("\n"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(template: &str) -> String {
        let document = json!({
            "summary": {"errors": 2, "health": "broken"},
            "findings": [
                {"code": "NGF-T1", "subject": {"name": "a"}, "severity": "error"},
                {"code": "NGF-P1", "subject": {"name": "b"}, "severity": "warning"}],
            "data": {"ca.crt": "PEM", "it's": "x"},
            "hostile": "a\u{1b}[31mb",
        });
        match Template::parse(template) {
            Ok(template) => template.render(&document),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn templates_print_what_kubectl_prints() {
        for (template, expected) in [
            ("{.summary.errors}", "2"),
            (".summary.errors", "2"),
            ("{$.summary.health}", "broken"),
            ("errors: {.summary.errors}\n", "errors: 2\n"),
            ("{.findings[*].code}", "NGF-T1 NGF-P1"),
            ("{.findings[0].subject.name}", "a"),
            ("{.findings[-1].code}", "NGF-P1"),
            (
                "{range .findings[*]}{.code}{\"\\t\"}{.subject.name}{'\\n'}{end}",
                "NGF-T1\ta\nNGF-P1\tb\n",
            ),
            ("{.findings[?(@.severity==\"error\")].code}", "NGF-T1"),
            ("{.data.ca\\.crt}", "PEM"),
            ("{.data['ca.crt']}", "PEM"),
            ("{.nothing.here}", ""),
            ("{.summary}", "{\"errors\":2,\"health\":\"broken\"}"),
            ("{..code}", "NGF-T1 NGF-P1"),
            ("{.hostile}", "a\u{fffd}[31mb"),
        ] {
            assert_eq!(rendered(template), expected, "{template}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused_in_one_sentence() {
        for template in [
            "",
            "{.a",
            "{end}",
            "{range .findings[*]}{.code}",
            "{findings}",
            "{.a[}",
            "{.a[?(}",
            "{.a\\",
        ] {
            let error = rendered(template);
            assert!(
                error.starts_with("error: invalid template: "),
                "{template}: {error}"
            );
            assert_eq!(error.lines().count(), 1, "{template}: {error}");
        }
        let deep = "{range .a[*]}".repeat(20);
        assert!(rendered(&deep).contains("more than 8"), "{deep}");
    }
}
