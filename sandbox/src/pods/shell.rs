//! A small shell: lists, pipes, quotes, redirections to nowhere, positional parameters. What it does
//! not know (loops, functions, substitutions) it says, and does nothing.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, duplex};
use tokio::sync::Mutex;

use super::Place;
use super::commands;

/// What a command reads.
pub(super) type Input = Arc<Mutex<dyn AsyncRead + Send + Unpin>>;
/// What a command writes to.
pub(super) type Output = Arc<Mutex<dyn AsyncWrite + Send + Unpin>>;

/// Bytes in a pipe.
pub(super) const PIPE: usize = 64 << 10;
/// Bytes of a script.
const MAX_SCRIPT: usize = 64 << 10;
/// Commands in a pipe.
const MAX_PIPE: usize = 16;
/// Shells in shells.
const MAX_DEPTH: usize = 8;
/// Status of a shell that does not understand its script.
const SYNTAX: i32 = 2;

/// What a command is started with.
#[derive(Clone)]
pub(super) struct Io {
    pub(super) stdin: Input,
    pub(super) stdout: Output,
    pub(super) stderr: Output,
    /// Shells around this command.
    pub(super) depth: usize,
    /// A person sits at the other end.
    pub(super) terminal: bool,
}

impl Io {
    /// Streams of these ends.
    pub(super) fn new(
        stdin: impl AsyncRead + Send + Unpin + 'static,
        stdout: impl AsyncWrite + Send + Unpin + 'static,
        stderr: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        Self {
            stdin: Arc::new(Mutex::new(stdin)),
            stdout: Arc::new(Mutex::new(stdout)),
            stderr: Arc::new(Mutex::new(stderr)),
            depth: 0,
            terminal: false,
        }
    }

    /// Writes to standard output; false where nobody reads any more.
    pub(super) async fn out(&self, bytes: impl AsRef<[u8]>) -> bool {
        write(&self.stdout, bytes.as_ref()).await
    }

    /// Writes a line to standard error.
    pub(super) async fn err(&self, line: impl AsRef<str>) {
        write(&self.stderr, format!("{}\n", line.as_ref()).as_bytes()).await;
    }
}

async fn write(output: &Output, bytes: &[u8]) -> bool {
    let mut output = output.lock().await;
    output.write_all(bytes).await.is_ok() && output.flush().await.is_ok()
}

/// A pipe between two commands.
fn pipe() -> (Input, Output) {
    let (reader, writer) = duplex(PIPE);
    (Arc::new(Mutex::new(reader)), Arc::new(Mutex::new(writer)))
}

/// How a script ended.
pub(super) struct Ran {
    /// Status of its last command, or of `exit`.
    pub(super) status: i32,
    /// By `exit`: whoever reads scripts line by line reads no more.
    pub(super) exits: bool,
}

impl Ran {
    fn to_end(status: i32) -> Self {
        Self {
            status,
            exits: false,
        }
    }
}

/// `sh -c SCRIPT NAME ARGUMENTS…`: `parameters` are `$0`, `$1`, ….
pub(super) fn run<'a>(
    place: &'a Place,
    io: Io,
    script: &'a str,
    parameters: &'a [String],
) -> BoxFuture<'a, Ran> {
    async move {
        if io.depth >= MAX_DEPTH || script.len() > MAX_SCRIPT {
            io.err("sh: out of memory").await;
            return Ran::to_end(SYNTAX);
        }
        let io = Io {
            depth: io.depth + 1,
            ..io
        };
        let list = match parse(script) {
            Ok(list) => list,
            Err(why) => {
                io.err(format!("sh: syntax error: {why}")).await;
                return Ran::to_end(SYNTAX);
            }
        };
        let mut status = 0;
        for item in &list {
            let skipped = match item.when {
                When::Always => false,
                When::Succeeded => status != 0,
                When::Failed => status == 0,
            };
            if skipped {
                continue;
            }
            if let Some(code) = exits(&item.pipe, status) {
                return Ran {
                    status: code,
                    exits: true,
                };
            }
            let values = Values {
                parameters,
                status,
                place,
            };
            status = run_pipe(&values, &io, &item.pipe).await;
        }
        Ran::to_end(status)
    }
    .boxed()
}

/// `exit [N]`.
fn exits(pipe: &[Command], last: i32) -> Option<i32> {
    let [command] = pipe else { return None };
    let words: Vec<String> = command.words.iter().map(Word::plain).collect();
    match words
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["exit"] => Some(last),
        ["exit", code] => Some(code.parse().unwrap_or(last)),
        _ => None,
    }
}

async fn run_pipe(values: &Values<'_>, io: &Io, commands: &[Command]) -> i32 {
    let mut running = Vec::new();
    let mut stdin = io.stdin.clone();
    for (index, command) in commands.iter().enumerate() {
        let mut own = Io {
            stdin: stdin.clone(),
            ..io.clone()
        };
        if index + 1 < commands.len() {
            let (reader, writer) = pipe();
            (stdin, own.stdout) = (reader, writer);
        }
        let words: Vec<String> = command
            .words
            .iter()
            .flat_map(|word| word.expand(values))
            .collect();
        let redirections = &command.redirections;
        running.push(async move {
            for redirection in redirections {
                if let Err(why) = redirection.apply(&mut own) {
                    own.err(why).await;
                    return 1;
                }
            }
            let Some(program) = words.first() else {
                return 0;
            };
            // Left of the first word everything is an assignment, which nothing here reads.
            if program.contains('=') && !program.starts_with('=') {
                return 0;
            }
            match commands::start(values.place, own.clone(), &words).await {
                Some(code) => code,
                None => {
                    own.err(format!("sh: {program}: not found")).await;
                    127
                }
            }
        });
    }
    drop(stdin);
    let codes = futures::future::join_all(running).await;
    codes.last().copied().unwrap_or(0)
}

struct Values<'a> {
    parameters: &'a [String],
    status: i32,
    place: &'a Place,
}

impl Values<'_> {
    fn of(&self, name: &str) -> String {
        match name {
            "?" => self.status.to_string(),
            "#" => self.parameters.len().saturating_sub(1).to_string(),
            "HOSTNAME" => self.place.live.name.clone(),
            "PATH" => commands::PATH.to_owned(),
            "HOME" | "PWD" => "/".to_owned(),
            name => {
                let number = name.parse::<usize>().ok();
                let parameter = number.and_then(|n| self.parameters.get(n)).cloned();
                parameter.unwrap_or_else(|| commands::variable(self.place, name))
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    Succeeded,
    Failed,
}

#[derive(Debug, PartialEq, Eq)]
struct Item {
    when: When,
    pipe: Vec<Command>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Command {
    words: Vec<Word>,
    redirections: Vec<Redirection>,
}

/// Pieces of a word: as they stand, or names of variables.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Word(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable { name: String, quoted: bool },
}

impl Word {
    fn plain(&self) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                Piece::Variable { .. } => "",
            })
            .collect()
    }

    /// The words that become of it: `"$@"` is as many as there are, unquoted values are split.
    fn expand(&self, values: &Values<'_>) -> Vec<String> {
        if let [Piece::Variable { name, .. }] = self.0.as_slice() {
            match name.as_str() {
                "@" | "*" => return values.parameters.iter().skip(1).cloned().collect(),
                _ => {}
            }
        }
        let (mut text, mut split) = (String::new(), !self.0.is_empty());
        for piece in &self.0 {
            match piece {
                Piece::Text(piece) => {
                    split = false;
                    text += piece;
                }
                Piece::Variable { name, quoted } => {
                    split &= !quoted;
                    text += &values.of(name);
                }
            }
        }
        if split {
            text.split_whitespace().map(str::to_owned).collect()
        } else {
            vec![text]
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Redirection {
    /// `>/dev/null`, `2>/dev/null`.
    Nowhere(u8),
    /// `2>&1`, `>&2`.
    Same { from: u8, to: u8 },
    /// `</dev/null`.
    Empty,
    /// To or from any other file.
    File(String),
}

impl Redirection {
    fn apply(&self, io: &mut Io) -> Result<(), String> {
        let nowhere = || -> Output { Arc::new(Mutex::new(tokio::io::sink())) };
        match self {
            Self::Nowhere(1) => io.stdout = nowhere(),
            Self::Nowhere(_) => io.stderr = nowhere(),
            Self::Same { from: 2, to: 1 } => io.stderr = io.stdout.clone(),
            Self::Same { from: 1, to: 2 } => io.stdout = io.stderr.clone(),
            Self::Same { .. } => {}
            Self::Empty => io.stdin = Arc::new(Mutex::new(tokio::io::empty())),
            Self::File(file) => {
                return Err(format!("sh: can't create {file}: Read-only file system"));
            }
        }
        Ok(())
    }
}

/// Reads a script.
fn parse(script: &str) -> Result<Vec<Item>, String> {
    const NOT_HERE: &[&str] = &[
        "if", "while", "until", "for", "case", "function", "{", "(", "trap", "eval",
    ];
    let mut list = Vec::new();
    let (mut when, mut pipe, mut command) = (When::Always, Vec::new(), Command::default());
    let mut tokens = Tokens {
        chars: script.chars().peekable(),
    };
    loop {
        let token = tokens.next()?;
        match token {
            Token::Word(word) => {
                let first = command.words.is_empty();
                if first && NOT_HERE.contains(&word.plain().as_str()) {
                    return Err(format!(
                        "the embedded cluster's shell knows no `{}`",
                        word.plain()
                    ));
                }
                command.words.push(word);
            }
            Token::Redirection(redirection) => command.redirections.push(redirection),
            Token::Pipe => {
                if command.words.is_empty() || pipe.len() >= MAX_PIPE {
                    return Err("unexpected \"|\"".to_owned());
                }
                pipe.push(std::mem::take(&mut command));
            }
            Token::Next(next) => {
                let empty = command.words.is_empty() && command.redirections.is_empty();
                if empty && (!pipe.is_empty() || next != Some(When::Always) && next.is_some()) {
                    return Err("unexpected end of a command".to_owned());
                }
                if !empty {
                    pipe.push(std::mem::take(&mut command));
                    list.push(Item {
                        when,
                        pipe: std::mem::take(&mut pipe),
                    });
                }
                match next {
                    Some(next) => when = next,
                    None => return Ok(list),
                }
            }
        }
    }
}

enum Token {
    Word(Word),
    Redirection(Redirection),
    Pipe,
    /// The end of a command, and when the next one runs; `None` at the end of the script.
    Next(Option<When>),
}

struct Tokens<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
}

impl Tokens<'_> {
    fn next(&mut self) -> Result<Token, String> {
        while self.chars.next_if(|c| *c == ' ' || *c == '\t').is_some() {}
        let Some(&c) = self.chars.peek() else {
            return Ok(Token::Next(None));
        };
        let mut twice = |c| {
            self.chars.next();
            self.chars.next_if_eq(&c).is_some()
        };
        match c {
            '\n' | ';' => {
                twice(' ');
                Ok(Token::Next(Some(When::Always)))
            }
            '|' if twice('|') => Ok(Token::Next(Some(When::Failed))),
            '|' => Ok(Token::Pipe),
            '&' if twice('&') => Ok(Token::Next(Some(When::Succeeded))),
            '&' => Err("the embedded cluster's shell runs nothing in the background".to_owned()),
            '#' => {
                while self.chars.next_if(|c| *c != '\n').is_some() {}
                self.next()
            }
            '>' | '<' => {
                self.chars.next();
                self.redirection(c, u8::from(c == '>'))
            }
            _ => self.word(),
        }
    }

    fn redirection(&mut self, sign: char, from: u8) -> Result<Token, String> {
        if sign == '>' && self.chars.next_if_eq(&'&').is_some() {
            let to = self.chars.next().and_then(|c| c.to_digit(10));
            let to = to.ok_or("a number is wanted after \">&\"")? as u8;
            return Ok(Token::Redirection(Redirection::Same { from, to }));
        }
        self.chars.next_if_eq(&'>');
        while self.chars.next_if_eq(&' ').is_some() {}
        let Token::Word(word) = self.word()? else {
            return Err("a file is wanted".to_owned());
        };
        let file = word.plain();
        Ok(Token::Redirection(match (sign, file.as_str()) {
            ('<', "/dev/null") => Redirection::Empty,
            (_, "/dev/null") => Redirection::Nowhere(from),
            _ => Redirection::File(file),
        }))
    }

    fn word(&mut self) -> Result<Token, String> {
        let mut word = Word::default();
        let mut text = String::new();
        let mut any = false;
        while let Some(&c) = self.chars.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '|' | '&' => break,
                '(' | ')' | '`' => {
                    return Err(format!("the embedded cluster's shell knows no \"{c}\""));
                }
                '>' | '<' => {
                    let from = text.parse::<u8>().ok().filter(|_| word.0.is_empty());
                    if let Some(from) = from {
                        self.chars.next();
                        return self.redirection(c, from);
                    }
                    break;
                }
                '\\' => {
                    self.chars.next();
                    text.extend(self.chars.next());
                }
                '\'' => {
                    self.chars.next();
                    loop {
                        match self.chars.next() {
                            None => return Err("unterminated quoted string".to_owned()),
                            Some('\'') => break,
                            Some(c) => text.push(c),
                        }
                    }
                }
                '"' => {
                    self.chars.next();
                    self.quoted(&mut word, &mut text)?;
                }
                '$' => {
                    self.chars.next();
                    self.variable(&mut word, &mut text, false)?;
                }
                c => {
                    self.chars.next();
                    text.push(c);
                }
            }
            any = true;
        }
        if !text.is_empty() || word.0.is_empty() && any {
            word.0.push(Piece::Text(text));
        }
        if any {
            Ok(Token::Word(word))
        } else {
            Err("a word is wanted".to_owned())
        }
    }

    fn quoted(&mut self, word: &mut Word, text: &mut String) -> Result<(), String> {
        loop {
            match self.chars.next() {
                None => return Err("unterminated quoted string".to_owned()),
                Some('"') => return Ok(()),
                Some('`') => return Err("the embedded cluster's shell knows no \"`\"".to_owned()),
                Some('\\') => match self.chars.next() {
                    Some(c @ ('"' | '\\' | '$' | '`')) => text.push(c),
                    Some(c) => text.extend(['\\', c]),
                    None => {}
                },
                Some('$') => self.variable(word, text, true)?,
                Some(c) => text.push(c),
            }
        }
    }

    fn variable(&mut self, word: &mut Word, text: &mut String, quoted: bool) -> Result<(), String> {
        let mut name = String::new();
        let braced = self.chars.next_if_eq(&'{').is_some();
        match self.chars.peek() {
            Some('(') => {
                return Err("the embedded cluster's shell knows no \"$(\"".to_owned());
            }
            Some(&c) if "@*#?0123456789".contains(c) => {
                self.chars.next();
                name.push(c);
            }
            _ => {
                while let Some(c) = self
                    .chars
                    .next_if(|c| c.is_ascii_alphanumeric() || *c == '_')
                {
                    name.push(c);
                }
            }
        }
        if braced && self.chars.next() != Some('}') {
            return Err("the embedded cluster's shell knows only ${NAME}".to_owned());
        }
        if name.is_empty() {
            text.push('$');
            return Ok(());
        }
        if !text.is_empty() {
            word.0.push(Piece::Text(std::mem::take(text)));
        }
        word.0.push(Piece::Variable { name, quoted });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(script: &str) -> Result<Vec<Vec<String>>, String> {
        let list = parse(script)?;
        Ok(list
            .iter()
            .flat_map(|item| &item.pipe)
            .map(|command| command.words.iter().map(Word::plain).collect())
            .collect())
    }

    #[test]
    fn lists_pipes_and_quotes_are_read() {
        for (script, read) in [
            ("ls /etc", vec![vec!["ls", "/etc"]]),
            (
                "nginx -T 2>/dev/null | grep 'proxy ssl'",
                vec![vec!["nginx", "-T"], vec!["grep", "proxy ssl"]],
            ),
            (
                "cat \"a b\"; echo it\\'s && true # no\necho ''",
                vec![
                    vec!["cat", "a b"],
                    vec!["echo", "it's"],
                    vec!["true"],
                    vec!["echo", ""],
                ],
            ),
            ("", vec![]),
        ] {
            assert_eq!(words(script).expect(script), read, "{script}");
        }
    }

    #[test]
    fn what_it_does_not_know_it_says() {
        for (script, says) in [
            ("for i in a; do echo; done", "knows no `for`"),
            ("echo $(id)", "\"$(\""),
            ("echo `id`", "\"`\""),
            ("sleep 9 &", "background"),
            ("echo \"", "unterminated"),
            ("| cat", "unexpected \"|\""),
            ("cat |", "unexpected end"),
            ("&& cat", "unexpected end"),
        ] {
            let why = words(script).unwrap_err();
            assert!(why.contains(says), "{script}: {why}");
        }
    }
}
