//! The words and signs of nginx's configuration language (`ngx_conf_read_token`).

use std::borrow::Cow;

/// A word or a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'t> {
    /// A word as it is written, without the quotes around it: [`unescaped`] reads its escapes.
    Word(&'t str),
    /// `;`
    End,
    /// `{`
    Open,
    /// `}`
    Close,
}

/// The text ends within quotes that open in this line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenQuotes {
    /// The line, from 1.
    pub line: usize,
}

/// The tokens of a text, each with its line, from 1. After an error there are none.
pub struct Tokens<'t> {
    rest: &'t str,
    line: usize,
}

impl<'t> Tokens<'t> {
    /// Begins at the first line.
    pub fn new(text: &'t str) -> Self {
        Self {
            rest: text,
            line: 1,
        }
    }

    /// Passes over a part of the rest.
    fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    fn skip_blanks_and_comments(&mut self) {
        loop {
            let blanks = self.rest.len() - self.rest.trim_start().len();
            self.take(blanks);
            if !self.rest.starts_with('#') {
                return;
            }
            let comment = self.rest.find('\n').unwrap_or(self.rest.len());
            self.take(comment);
        }
    }

    /// What the quotes hold that the rest begins with.
    fn quoted(&mut self, quote: char) -> Result<&'t str, OpenQuotes> {
        let opened = OpenQuotes { line: self.line };
        self.take(1);
        let mut escaped = false;
        let end = self.rest.find(|character| {
            let ends = !escaped && character == quote;
            escaped = !escaped && character == '\\';
            ends
        });
        let Some(end) = end else {
            self.rest = "";
            return Err(opened);
        };
        let word = self.take(end);
        self.take(1);
        Ok(word)
    }

    /// Up to a blank, a semicolon or a brace; `${name}` is a part of the word.
    fn bare(&mut self) -> &'t str {
        let (mut escaped, mut before) = (false, ' ');
        let end = self.rest.find(|character: char| {
            let is_end = character.is_whitespace()
                || character == ';'
                || (character == '{' && before != '$');
            let ends = !escaped && is_end;
            escaped = !escaped && character == '\\';
            before = character;
            ends
        });
        self.take(end.unwrap_or(self.rest.len()))
    }
}

impl<'t> Iterator for Tokens<'t> {
    type Item = Result<(Token<'t>, usize), OpenQuotes>;

    fn next(&mut self) -> Option<Self::Item> {
        self.skip_blanks_and_comments();
        let line = self.line;
        let first = self.rest.chars().next()?;
        let sign = match first {
            ';' => Some(Token::End),
            '{' => Some(Token::Open),
            '}' => Some(Token::Close),
            _ => None,
        };
        let token = match (sign, first) {
            (Some(sign), _) => {
                self.take(1);
                Ok(sign)
            }
            (None, quote @ ('"' | '\'')) => self.quoted(quote).map(Token::Word),
            (None, _) => Ok(Token::Word(self.bare())),
        };
        Some(token.map(|token| (token, line)))
    }
}

/// A word with its escaped quotes and backslashes read. Escaped line feeds and tabs stay as they are written, so that
/// nothing in a configuration becomes a control character on a screen.
pub fn unescaped(word: &str) -> Cow<'_, str> {
    read_escapes(word, |escaped| {
        matches!(escaped, '"' | '\'' | '\\').then_some(escaped)
    })
}

/// A word as nginx takes it: `\n`, `\r` and `\t` are read, too.
pub fn unescaped_as_nginx(word: &str) -> Cow<'_, str> {
    read_escapes(word, |escaped| match escaped {
        '"' | '\'' | '\\' => Some(escaped),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        _ => None,
    })
}

fn read_escapes(word: &str, meant: impl Fn(char) -> Option<char>) -> Cow<'_, str> {
    if !word.contains('\\') {
        return word.into();
    }
    let mut out = String::with_capacity(word.len());
    let mut chars = word.chars().peekable();
    while let Some(character) = chars.next() {
        let escaped = chars.peek().copied().filter(|_| character == '\\');
        match escaped.and_then(&meant) {
            Some(meant) => {
                out.push(meant);
                chars.next();
            }
            None => out.push(character),
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_signs_and_lines_are_as_nginx_reads_them() {
        let text = "a 'b c' # no\n{ \"d\\\"\n\";\n${x}y;}z";
        let found: Vec<(Token<'_>, usize)> = Tokens::new(text).map(Result::unwrap).collect();
        let expected = [
            (Token::Word("a"), 1),
            (Token::Word("b c"), 1),
            (Token::Open, 2),
            (Token::Word("d\\\"\n"), 2),
            (Token::End, 3),
            (Token::Word("${x}y"), 4),
            (Token::End, 4),
            (Token::Close, 4),
            (Token::Word("z"), 4),
        ];
        assert_eq!(found, expected);
        let mut open = Tokens::new("a\n\"b\nc");
        assert_eq!(open.next(), Some(Ok((Token::Word("a"), 1))));
        assert_eq!(open.next(), Some(Err(OpenQuotes { line: 2 })));
        assert_eq!(open.next(), None);
    }

    #[test]
    fn escapes_are_read_once() {
        for (word, expected, as_nginx) in [
            (r#"a\"b"#, "a\"b", "a\"b"),
            (r"a\\n", r"a\n", r"a\n"),
            (r"a\n\t", r"a\n\t", "a\n\t"),
            (r"\.php$", r"\.php$", r"\.php$"),
            (r"a\", r"a\", r"a\"),
        ] {
            assert_eq!(unescaped(word), expected);
            assert_eq!(unescaped_as_nginx(word), as_nginx);
        }
    }
}
