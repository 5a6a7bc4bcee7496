//! Commands that people copy into a shell. A command is built of words, never of text, and each word is
//! quoted here. There is no command for a name that cannot exist in Kubernetes.

pub mod names;

use std::{collections::BTreeMap, fmt::Write as _, path::Path, sync::OnceLock};

use serde_json::Value;

use crate::model::{clean::is_hidden, kind::Kind, object::ObjectRef};

/// How the user called this program; see [`called`].
static PROGRAM: OnceLock<Program> = OnceLock::new();

/// The names by which this program is called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Program {
    /// `ngf-tui`.
    #[default]
    Alone,
    /// `kubectl ngf`: kubectl started it as its plugin.
    Plugin,
}

impl Program {
    /// The words that a command begins with.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alone => "ngf-tui",
            Self::Plugin => "kubectl ngf",
        }
    }
}

/// States once, at the start, how the user called this program. Every hint that names a command of it
/// then names it so: [`Command::own`], [`own`].
pub fn called(program: Program) {
    // The first statement counts: whoever reads the name has read it then.
    let _ = PROGRAM.set(program);
}

/// The program as the user called it: `ngf-tui` or `kubectl ngf`.
pub fn program() -> &'static str {
    PROGRAM.get().copied().unwrap_or_default().name()
}

/// A command of this program for a sentence, of words that the program itself chose: `kubectl ngf cleanup`.
pub fn own(arguments: &'static str) -> String {
    [program(), arguments].join(" ")
}

/// A command, a pipeline of commands, or several lines of them, for a POSIX shell.
#[derive(Debug, Clone)]
pub struct Command {
    text: String,
    /// Why there is no command; the first reason counts.
    refused: Option<String>,
}

impl Command {
    /// A command that runs `program`.
    pub fn new(program: &'static str) -> Self {
        Self {
            text: shell_word(program),
            refused: None,
        }
    }

    /// A command of this program, under the name by which the user called it.
    pub fn own() -> Self {
        Self {
            text: program().to_owned(),
            refused: None,
        }
    }

    /// `kubectl`, in a namespace; an empty one is that of an object that has none.
    pub fn kubectl(namespace: &str) -> Self {
        Self::new("kubectl").namespace(namespace)
    }

    /// Adds words that the program itself chose.
    #[must_use]
    pub fn words<const N: usize>(mut self, words: [&'static str; N]) -> Self {
        for word in words {
            self.push(&shell_word(word));
        }
        self
    }

    /// Adds `-n NAMESPACE`; nothing where it is empty.
    #[must_use]
    pub fn namespace(mut self, namespace: &str) -> Self {
        if namespace.is_empty() {
            return self;
        }
        self.check(names::label(namespace));
        self.words(["-n"]).value("", namespace)
    }

    /// Adds the name of an object of this kind.
    #[must_use]
    pub fn name(mut self, kind: Kind, name: &str) -> Self {
        self.check(names::of(kind, name));
        self.value("", name)
    }

    /// Adds the name of an object whose kind the tool does not read.
    #[must_use]
    pub fn other_name(mut self, name: &str) -> Self {
        self.check(names::subdomain(name));
        self.value("", name)
    }

    /// Adds the kind and the name of an object, without its namespace: `gateway NAME`.
    #[must_use]
    pub fn object(mut self, object: &ObjectRef) -> Self {
        self.push(&shell_word(&object.kind.name().to_ascii_lowercase()));
        self.name(object.kind, &object.name)
    }

    /// Adds an object as one word, as this program takes it: `gateway/NAMESPACE/NAME`.
    #[must_use]
    pub fn path(mut self, object: &ObjectRef) -> Self {
        self.check(names::of_object(object));
        let kind = object.kind.name().to_ascii_lowercase();
        self.value("", &format!("{kind}/{}", object.path()))
    }

    /// Adds a Service's port as one word: `service/NAME:PORT`.
    #[must_use]
    pub fn service_port(mut self, service: &ObjectRef, port: u16) -> Self {
        self.check(names::of(Kind::Service, &service.name));
        self.value("service/", &format!("{}:{port}", service.name))
    }

    /// Adds `-l NAME=VALUE,…`.
    #[must_use]
    pub fn labels(mut self, labels: &BTreeMap<String, String>) -> Self {
        for (name, value) in labels {
            self.check(names::label_name(name));
            self.check(names::label_value(value));
        }
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        self.words(["-l"]).value("", &labels.join(","))
    }

    /// Adds `-o jsonpath=` with the path of one key of a Secret's or ConfigMap's data.
    #[must_use]
    pub fn data_key(mut self, key: &str) -> Self {
        self.check(names::key(key));
        let path = format!("{{.data.{}}}", key.replace('.', "\\."));
        self.words(["-o"]).value("jsonpath=", &path)
    }

    /// Adds `-o jsonpath=` with a path that the program itself chose.
    #[must_use]
    pub fn json_path(self, path: &'static str) -> Self {
        self.words(["-o"]).value("jsonpath=", path)
    }

    /// Adds `-p` with a patch.
    #[must_use]
    pub fn patch(self, patch: &Value) -> Self {
        self.words(["-p"]).value("", &patch.to_string())
    }

    /// Adds `-p` with `before`, what `inner` prints, and `after`, as one word.
    #[must_use]
    pub fn patch_with(mut self, before: &'static str, inner: Self, after: &'static str) -> Self {
        let inner = self.joined(inner);
        self = self.words(["-p"]);
        self.push(&format!("{}$({inner}){}", quoted(before), quoted(after)));
        self
    }

    /// Adds `-f` with the path of a file or folder; `-` is standard input.
    #[must_use]
    pub fn file(self, path: &Path) -> Self {
        self.words(["-f"]).argument(path)
    }

    /// Adds the path of a file as an argument.
    #[must_use]
    pub fn argument(mut self, path: &Path) -> Self {
        let Some(text) = path.to_str() else {
            self.refuse("the name of the file is not UTF-8, so no command is shown".to_owned());
            return self;
        };
        match text {
            "-" => self.words(["-"]),
            // What begins with a hyphen would be an option.
            _ if text.starts_with('-') => self.value("", &format!("./{text}")),
            _ => self.value("", text),
        }
    }

    /// Adds `--kubeconfig` with the path of a file.
    #[must_use]
    pub fn kubeconfig(mut self, path: &Path) -> Self {
        let Some(text) = path.to_str() else {
            self.refuse("the name of the file is not UTF-8, so no command is shown".to_owned());
            return self;
        };
        self.words(["--kubeconfig"]).value("", text)
    }

    /// Sends the output to another command.
    #[must_use]
    pub fn pipe(self, to: Self) -> Self {
        self.join(" | ", to)
    }

    /// Runs another command where this one succeeds.
    #[must_use]
    pub fn and(self, next: Self) -> Self {
        self.join(" && ", next)
    }

    /// Adds another command on a line of its own.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        self.join("\n", next)
    }

    /// Writes the output to a file of this name.
    #[must_use]
    pub fn write_to(mut self, file: &'static str) -> Self {
        self.push(&format!("> {}", shell_word(file)));
        self
    }

    /// Appends the output to a file of this name.
    #[must_use]
    pub fn append_to(mut self, file: &'static str) -> Self {
        self.push(&format!(">> {}", shell_word(file)));
        self
    }

    /// The text to copy, or one sentence that says why there is none.
    ///
    /// # Errors
    /// A name that cannot exist in Kubernetes, or a character that no terminal shows.
    pub fn text(self) -> Result<String, String> {
        match self.refused {
            Some(why) => Err(why),
            None => Ok(self.text),
        }
    }

    /// Adds one word: `prefix`, which the program chose, and a value.
    fn value(mut self, prefix: &'static str, value: &str) -> Self {
        if value
            .chars()
            .any(|c| c == '\n' || c == '\t' || is_hidden(c))
        {
            self.refuse(format!(
                "{} holds a character that a terminal does not show, so no command is shown",
                names::shown(value)
            ));
        } else if prefix.is_empty() && value.starts_with('-') {
            self.refuse(format!(
                "{} would be taken for an option, so no command is shown",
                names::shown(value)
            ));
        } else {
            self.push(&format!("{prefix}{}", shell_word(value)));
        }
        self
    }

    fn push(&mut self, word: &str) {
        let _ = write!(self.text, " {word}");
    }

    fn join(mut self, between: &str, next: Self) -> Self {
        let next = self.joined(next);
        self.text.push_str(between);
        self.text.push_str(&next);
        self
    }

    fn joined(&mut self, other: Self) -> String {
        if let Some(why) = other.refused {
            self.refuse(why);
        }
        other.text
    }

    fn check(&mut self, result: Result<(), String>) {
        if let Err(why) = result {
            self.refuse(format!("{why}, so no command is shown"));
        }
    }

    fn refuse(&mut self, why: String) {
        self.refused.get_or_insert(why);
    }
}

/// One word for a POSIX shell: bare where every character is one that no shell reads, else in quotes.
pub fn shell_word(word: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"._/:=@,+-".contains(&byte);
    // `=` at the start of a word is an expansion in zsh.
    if !word.is_empty() && !word.starts_with('=') && word.bytes().all(is_bare) {
        word.to_owned()
    } else {
        quoted(word)
    }
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests;
