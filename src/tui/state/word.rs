//! A word that a person filters by or searches for: a text, a regular expression, or letters in their order.

use std::{borrow::Cow, ops::Range};

use regex::{Regex, RegexBuilder};

/// A longer word, in bytes, is a text.
const LONGEST_EXPRESSION: usize = 256;
/// Bytes that a compiled expression may take.
const LARGEST: usize = 1 << 20;
/// Places of a word that cannot be read at which it is cut to find what can.
const CUTS: usize = 16;
/// Characters that make a word an expression. A dot does not: names and addresses have it.
const SPECIAL: [char; 12] = ['*', '+', '?', '^', '$', '|', '(', ')', '{', '}', '[', '\\'];

/// What a word is searched in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// The cells of a row, a line each: `.` means any character.
    Cells,
    /// A text as it stands on the screen: a blank also means the end of a line that was wrapped, with what frames it.
    Screen,
}

/// What stands between two words of a wrapped line: its end, blanks, frames, a scroll bar.
const BLANK: &str = r"(?: |[\s│║|█#]*\n[\s│║|█#]*)";

/// A word, and what it is read as.
#[derive(Debug, Clone)]
pub(super) enum Word {
    /// The text itself, whatever its case.
    Text(Regex),
    /// The text itself, or what the expression describes.
    Expression(Regex, Regex),
    /// Its letters in their order: `bktls` of `backend-tls`.
    Letters(String),
    /// No expression can be read.
    Broken(Broken),
}

/// A word that has an expression's characters, and is none.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    /// The word.
    pub word: String,
    /// The text itself.
    pub text: Regex,
    /// Something has the text itself, which is searched then.
    pub is_text: bool,
    /// What comes before the fault, if that is something.
    pub before: Option<Box<Word>>,
    /// Why no expression can be read.
    pub why: String,
}

/// The expression, whatever the case; `^` and `$` are the edges of a cell or a line.
fn compile(pattern: &str, reading: Reading) -> Result<Regex, String> {
    let pattern = match reading {
        Reading::Cells => Cow::Borrowed(pattern),
        Reading::Screen => Cow::Owned(over_lines(pattern)),
    };
    let built = RegexBuilder::new(&pattern)
        .case_insensitive(true)
        .multi_line(true)
        .dot_matches_new_line(reading == Reading::Cells)
        .size_limit(LARGEST)
        .dfa_size_limit(LARGEST)
        .build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
        // The last line says why; those before show the place.
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        }
    })
}

/// The expression where each blank also means the end of a line; those of a class, and escaped ones, mean themselves.
fn over_lines(pattern: &str) -> String {
    let mut all = String::with_capacity(pattern.len());
    let (mut is_escaped, mut is_class) = (false, false);
    for letter in pattern.chars() {
        match letter {
            ' ' if !is_escaped && !is_class => all.push_str(BLANK),
            _ => all.push(letter),
        }
        if !is_escaped {
            is_class = letter == '[' || (is_class && letter != ']');
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    all
}

/// Whether a word has characters of an expression, besides the brackets of an IPv6 address.
fn is_expression(word: &str) -> bool {
    let mut rest = word;
    while let Some(at) = rest.find(SPECIAL) {
        let Some((inside, after)) = rest[at..]
            .strip_prefix('[')
            .and_then(|inside| inside.split_once(']'))
        else {
            return true;
        };
        let is_address = inside.matches(':').count() > 1
            && inside
                .chars()
                .all(|c| c.is_ascii_hexdigit() || ":.".contains(c));
        if !is_address {
            return true;
        }
        rest = after;
    }
    false
}

impl Word {
    /// Reads a word; `None` where it is empty.
    pub(super) fn of(word: &str, reading: Reading) -> Option<Self> {
        if word.is_empty() {
            return None;
        }
        // A text of a few kB is always compiled: the limit is far above it.
        let text = compile(&regex::escape(word), reading).ok()?;
        if word.len() > LONGEST_EXPRESSION || !is_expression(word) {
            return Some(Self::Text(text));
        }
        match compile(word, reading) {
            Ok(expression) => Some(Self::Expression(text, expression)),
            Err(why) => Some(Self::Broken(Broken {
                word: word.to_owned(),
                text,
                is_text: false,
                before: before_fault(word, reading).map(Box::new),
                why,
            })),
        }
    }

    /// Whether a text has it.
    pub(super) fn is_in(&self, text: &str) -> bool {
        match self {
            Self::Text(word) => word.is_match(text),
            Self::Expression(word, expression) => word.is_match(text) || expression.is_match(text),
            Self::Letters(word) => text.lines().any(|line| has_letters(line, word)),
            Self::Broken(broken) if broken.is_text => broken.text.is_match(text),
            Self::Broken(broken) => broken.before.as_ref().is_none_or(|word| word.is_in(text)),
        }
    }

    /// Where it stands in a text, in bytes.
    pub(super) fn places(&self, text: &str) -> Vec<Range<usize>> {
        let all = |word: &Regex| word.find_iter(text).map(|found| found.range()).collect();
        match self {
            Self::Text(word) => all(word),
            Self::Expression(word, expression) => {
                let mut places: Vec<Range<usize>> = all(expression);
                places.extend(all(word));
                places
            }
            Self::Letters(_) => Vec::new(),
            Self::Broken(broken) if broken.is_text => all(&broken.text),
            Self::Broken(broken) => {
                let before = broken.before.as_ref();
                before.map_or_else(Vec::new, |word| word.places(text))
            }
        }
    }
}

/// What comes before the place from which on a word cannot be read, if that is something.
fn before_fault(word: &str, reading: Reading) -> Option<Word> {
    let ends = word.rmatch_indices(SPECIAL).map(|(at, _)| at);
    let parts = ends.map(|end| &word[..end]).take(CUTS);
    parts.filter(|part| !part.is_empty()).find_map(|part| {
        let text = compile(&regex::escape(part), reading).ok()?;
        if !is_expression(part) {
            return Some(Word::Text(text));
        }
        Some(Word::Expression(text, compile(part, reading).ok()?))
    })
}

/// Whether a line has these letters in their order, whatever their case.
fn has_letters(line: &str, word: &str) -> bool {
    let mut letters = line.chars().flat_map(char::to_lowercase);
    let mut wanted = word.chars().flat_map(char::to_lowercase);
    wanted.all(|wanted| letters.any(|letter| letter == wanted))
}
