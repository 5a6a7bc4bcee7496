//! nginx's configuration as a tree of directives (`ngx_conf_file.c`), bounded.

/// Directives that are read of one configuration.
const MOST: usize = 2_000_000;
/// Blocks within blocks.
const DEEP: usize = 32;

/// A directive with its arguments, and what stands within its braces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Node<'t> {
    pub(super) words: Vec<std::borrow::Cow<'t, str>>,
    pub(super) children: Vec<Node<'t>>,
}

impl Node<'_> {
    pub(super) fn name(&self) -> &str {
        self.words.first().map_or("", |word| word)
    }

    /// The arguments, with a space between.
    pub(super) fn value(&self) -> String {
        self.words.get(1..).unwrap_or_default().join(" ")
    }
}

/// Reads what `nginx -T` prints: all files behind one another; what they include is not put in place.
///
/// # Errors
/// A sentence, where it is no configuration or too large.
pub(super) fn parse(text: &str) -> Result<Vec<Node<'_>>, String> {
    let mut reader = Reader { rest: text };
    let mut open: Vec<Node<'_>> = vec![Node::default()];
    let mut words = Vec::new();
    let mut count = 0;
    while let Some(token) = reader.next()? {
        match token {
            Token::Word(word) => words.push(word),
            Token::End | Token::Open => {
                count += 1;
                if count > MOST {
                    return Err(format!(
                        "nginx's configuration has more than {MOST} directives"
                    ));
                }
                let node = Node {
                    words: std::mem::take(&mut words),
                    children: Vec::new(),
                };
                if matches!(token, Token::Open) {
                    if open.len() > DEEP {
                        return Err("nginx's configuration has blocks too deep".to_owned());
                    }
                    open.push(node);
                } else if let Some(last) = open.last_mut() {
                    last.children.push(node);
                }
            }
            Token::Close => {
                let done = open.pop().filter(|_| !open.is_empty());
                match (done, open.last_mut()) {
                    (Some(done), Some(last)) => last.children.push(done),
                    _ => {
                        return Err(
                            "nginx's configuration closes a block that is not open".to_owned()
                        );
                    }
                }
            }
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(root), true) => Ok(root.children),
        _ => Err("nginx's configuration ends within a block".to_owned()),
    }
}

enum Token<'t> {
    Word(std::borrow::Cow<'t, str>),
    End,
    Open,
    Close,
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Option<Token<'t>>, String> {
        loop {
            self.rest = self.rest.trim_start();
            match self.rest.strip_prefix('#') {
                Some(comment) => {
                    self.rest = comment.split_once('\n').map_or("", |(_, rest)| rest);
                }
                None => break,
            }
        }
        let Some(first) = self.rest.chars().next() else {
            return Ok(None);
        };
        let after = &self.rest[first.len_utf8()..];
        let sign = match first {
            ';' => Some(Token::End),
            '{' => Some(Token::Open),
            '}' => Some(Token::Close),
            _ => None,
        };
        if let Some(sign) = sign {
            self.rest = after;
            return Ok(Some(sign));
        }
        if first == '"' || first == '\'' {
            return self.quoted(first, after).map(Some);
        }
        Ok(Some(self.bare()))
    }

    fn quoted(&mut self, quote: char, text: &'t str) -> Result<Token<'t>, String> {
        let mut escaped = false;
        for (at, character) in text.char_indices() {
            if escaped {
                escaped = false;
            } else if character == '\\' {
                escaped = true;
            } else if character == quote {
                self.rest = &text[at + 1..];
                return Ok(Token::Word(unescaped(&text[..at])));
            }
        }
        Err("nginx's configuration ends within quotes".to_owned())
    }

    /// Up to a space, a semicolon or a brace; `${name}` is a part of the word.
    fn bare(&mut self) -> Token<'t> {
        let (mut escaped, mut before) = (false, ' ');
        let mut end = self.rest.len();
        for (at, character) in self.rest.char_indices() {
            let ends = character.is_whitespace()
                || character == ';'
                || (character == '{' && before != '$');
            if !escaped && ends {
                end = at;
                break;
            }
            escaped = !escaped && character == '\\';
            before = character;
        }
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Token::Word(unescaped(word))
    }
}

fn unescaped(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains('\\') {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(character) = chars.next() {
        match (character, chars.peek().copied()) {
            ('\\', Some(next @ ('"' | '\'' | '\\'))) => {
                out.push(next);
                chars.next();
            }
            _ => out.push(character),
        }
    }
    out.into()
}
