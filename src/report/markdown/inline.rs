//! Text within a line of Markdown. What comes from an object goes into a code span, since GitHub looks for
//! mentions, references, links, formulas and emoji after it has undone every escape, but not in code.
//! Only plain words stay outside.

use std::ops::Range;

use crate::report::clean;
use ngf_core::{diagnosis::Finding, model::object::ObjectRef};

/// The names that a finding is about: each is one code span, whatever it holds.
pub(super) struct Names(Vec<(String, usize)>);

impl Names {
    /// No names are known: every word that is not plain is code.
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    pub(super) fn of(finding: &Finding) -> Self {
        let mut needles: Vec<(String, usize)> = finding.objects().flat_map(needles).collect();
        // A name that begins like another is looked for first.
        needles.sort_by_key(|(needle, _)| std::cmp::Reverse(needle.len()));
        needles.dedup();
        Self(needles)
    }

    /// The first name at or after `from`: where its words begin, and the code in them.
    fn find(&self, text: &str, from: usize) -> Option<Range<usize>> {
        let rest = text.get(from..)?;
        let found = self.0.iter().filter_map(|(needle, code)| {
            let at = rest.match_indices(needle.as_str()).find(|(at, _)| {
                let before = rest[..*at].chars().next_back();
                let after = rest[at + needle.len()..].chars().next();
                !before.is_some_and(is_name) && !after.is_some_and(is_name)
            });
            at.map(|(at, _)| from + at + code..from + at + needle.len())
        });
        found.min_by_key(|range| (range.start, std::cmp::Reverse(range.end)))
    }
}

/// An object as sentences write it, and where its name begins there.
fn needles(object: &ObjectRef) -> Vec<(String, usize)> {
    let path = clean(&object.path());
    let kind = format!("{} ", object.kind);
    let mut needles = vec![(format!("{kind}{path}"), kind.len())];
    // Without a namespace it may be a word of any sentence.
    if !object.namespace.is_empty() {
        needles.push((path, 0));
    }
    needles
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '/')
}

/// Text for a paragraph or a list item.
pub(super) fn text(raw: &str, names: &Names) -> String {
    written(raw, names, code)
}

/// Text for a cell of a table.
pub(super) fn cell(raw: &str, names: &Names) -> String {
    written(raw, names, code_in_cell)
}

/// Text for an HTML element, in which Markdown has no meaning.
pub(super) fn html(raw: &str, names: &Names) -> String {
    written(raw, names, |code| format!("<code>{}</code>", escaped(code)))
}

/// A value as a whole.
pub(super) fn code(raw: &str) -> String {
    let value = clean(raw);
    if value.trim().is_empty() {
        return String::new();
    }
    let fence = "`".repeat(super::longest_run(&value) + 1);
    // CommonMark takes one space off each side where there is one on both.
    let pad = if value.starts_with(['`', ' ']) || value.ends_with(['`', ' ']) {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{value}{pad}{fence}")
}

/// The same for a cell, which ends at every pipe that is not escaped, also in code.
pub(super) fn code_in_cell(raw: &str) -> String {
    let mut out = String::new();
    let mut last = ' ';
    for c in code(raw).chars() {
        match c {
            // A backslash before it would escape the escape: parsers differ.
            '|' if last == '\\' => out.push('¦'),
            '|' => out.push_str("\\|"),
            c => out.push(c),
        }
        last = c;
    }
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn written(raw: &str, names: &Names, code: impl Fn(&str) -> String) -> String {
    let line = clean(raw);
    let line: Vec<&str> = line.split_whitespace().collect();
    let line = line.join(" ");
    let mut out = String::new();
    let mut at = 0;
    for range in spans(&line, names) {
        out.push_str(&line[at..range.start]);
        out.push_str(&code(&line[range.clone()]));
        at = range.end;
    }
    out.push_str(&line[at..]);
    out
}

/// What of a line is code: names, and every word that is not plain. Two that touch are one.
fn spans(line: &str, names: &Names) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    let mut add = |span: Range<usize>| match spans.last_mut() {
        Some(last) if last.end >= span.start => last.end = last.end.max(span.end),
        _ => spans.push(span),
    };
    let mut at = 0;
    while at < line.len() {
        let name = names.find(line, at).unwrap_or(line.len()..line.len());
        words(line, at..name.start).for_each(&mut add);
        if !name.is_empty() {
            add(name.clone());
        }
        at = name.end;
    }
    spans
}

fn words(line: &str, within: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let part = &line[within.clone()];
    let offset = within.start;
    part.split(' ').filter_map(move |word| {
        let start = offset + (word.as_ptr() as usize - part.as_ptr() as usize);
        let span = active(word, start == 0)?;
        Some(start + span.start..start + span.end)
    })
}

const CLOSING: [char; 6] = ['.', ',', ';', ':', '!', '?'];

/// The part of a word that is more than plain text.
fn active(word: &str, is_first: bool) -> Option<Range<usize>> {
    let bare = word
        .trim_start_matches(['(', '"', '\''])
        .trim_end_matches(CLOSING)
        .trim_end_matches([')', '"', '\''])
        .trim_end_matches(CLOSING);
    // Punctuation, as it stands behind a name.
    let is_nothing = bare.is_empty() && !is_first;
    if word.is_empty() || is_nothing || is_plain(bare, is_first) {
        return None;
    }
    // Of an emoji's two colons none stays behind.
    let inner = if word.starts_with(':') && word.ends_with(':') {
        word
    } else {
        word.trim_end_matches(CLOSING)
    };
    let mut span = 0..inner.len();
    for (open, close) in [('(', ')'), ('"', '"'), ('\'', '\'')] {
        let part = &inner[span.clone()];
        let opens = part.strip_prefix(open);
        let closes = part.strip_suffix(close);
        if opens.is_some_and(|rest| rest.ends_with(close) || !rest.contains(close)) {
            span.start += 1;
        }
        if closes.is_some_and(|rest| rest.starts_with(open) || !rest.contains(open)) {
            span.end -= 1;
        }
    }
    // Of punctuation alone nothing would be left.
    if span.start >= span.end {
        span = 0..word.len();
    }
    Some(span)
}

/// Words of letters, and numbers that are no commit. A number that begins a line would be a list.
fn is_plain(word: &str, is_first: bool) -> bool {
    let is_hex = |c: char| c.is_ascii_hexdigit();
    let digits = !word.is_empty() && word.chars().all(|c| c.is_ascii_digit());
    let letters = |part: &str| !part.is_empty() && part.chars().all(char::is_alphabetic);
    if digits {
        return !is_first && word.len() < 7;
    }
    if matches!(word, "-" | "–" | "—") {
        return !is_first;
    }
    // GitHub links seven hexadecimal digits and more.
    let may_be_commit = word.len() >= 7 && word.chars().all(is_hex);
    !may_be_commit && word.split(['-', '\'', '’']).all(letters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ngf_core::{
        diagnosis::{Code, Finding, Severity},
        model::kind::Kind,
    };

    fn names(objects: &[(Kind, &str, &str)]) -> Names {
        let objects: Vec<ObjectRef> = objects
            .iter()
            .map(|(kind, namespace, name)| ObjectRef::new(*kind, *namespace, *name))
            .collect();
        let finding = Finding::new(Code::T1, Severity::Error, &objects[0], "").scope(&objects);
        Names::of(&finding)
    }

    fn plain(raw: &str) -> String {
        text(raw, &Names(Vec::new()))
    }

    #[test]
    fn a_sentence_stays_one() {
        for sentence in [
            "Accepted and Programmed stay True, and nginx presents no client certificate.",
            "It is self-signed: clients get 502 (not 500).",
            "The policy's name, \"none\", isn't known.",
        ] {
            assert_eq!(plain(sentence), sentence);
        }
    }

    #[test]
    fn what_a_page_could_take_for_more_than_text_is_code() {
        for (raw, written) in [
            ("@octocat looks", "`@octocat` looks"),
            ("see #181, GH-7.", "see `#181`, `GH-7`."),
            ("a (www.evil.com) b", "a (`www.evil.com`) b"),
            ("at https://evil.com/?a=b.", "at `https://evil.com/?a=b`."),
            ("$x$ :x: *b* _c_", "`$x$` `:x:` `*b*` `_c_`"),
            ("deadbeef 1234567 123456", "`deadbeef` `1234567` 123456"),
            ("1. one", "`1`. one"),
            ("- a - b", "`-` a - b"),
            ("<img src=x> & [a](b)", "`<img` `src=x>` `&` `[a](b)`"),
            ("a`b ``c`` d\\", "``a`b`` ``` ``c`` ``` `d\\`"),
            ("---", "`---`"),
        ] {
            assert_eq!(plain(raw), written, "{raw}");
        }
    }

    #[test]
    fn a_name_is_one_span_whatever_it_holds() {
        let names = names(&[
            (Kind::Secret, "shop", "x;touch PWN @all"),
            (Kind::Gateway, "shop", "gateway"),
            (Kind::GatewayClass, "", "nginx"),
        ]);
        assert_eq!(
            text(
                "Secret shop/x;touch PWN @all, the certificate of Gateway shop/gateway:443, and nginx of GatewayClass nginx",
                &names
            ),
            "Secret `shop/x;touch PWN @all`, the certificate of Gateway `shop/gateway:443`, and nginx of GatewayClass `nginx`"
        );
        assert_eq!(
            html("Gateway shop/gateway is <b>", &names),
            "Gateway <code>shop/gateway</code> is <code>&lt;b&gt;</code>"
        );
    }

    #[test]
    fn no_pipe_ends_a_cell() {
        assert_eq!(code_in_cell("a|b\\|c"), "`a\\|b\\¦c`");
    }
}
