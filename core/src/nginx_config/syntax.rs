//! nginx's configuration as a tree of directives (`ngx_conf_file.c`), bounded.

use super::tokens::{Token, Tokens, unescaped};

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
    let mut open: Vec<Node<'_>> = vec![Node::default()];
    let mut words = Vec::new();
    let mut count = 0;
    for token in Tokens::new(text) {
        let (token, _) =
            token.map_err(|_| "nginx's configuration ends within quotes".to_owned())?;
        match token {
            Token::Word(word) => words.push(unescaped(word)),
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
