//! The lines of logs as they were written: the last ones of each container, read when somebody asks for them.

use jiff::Timestamp;
use ngf_core::model::object::ObjectRef;
use ngf_text::{credentials::redact, sanitize};

/// Containers whose lines are read at a time.
pub const CONTAINERS: usize = 10;
/// Lines that are read of each.
pub const LINES: u32 = 500;
/// Bytes that are read of each.
pub const BYTES: u32 = 256 << 10;
/// Characters that are kept of a line.
const LONGEST: usize = 2_000;

/// Lines as they were written.
#[derive(Debug, Default)]
pub struct Lines {
    /// Which reading this is.
    pub number: u64,
    /// They are being read.
    pub is_reading: bool,
    /// All lines, the newest first.
    pub lines: Vec<Line>,
    /// What could not be read, a sentence each.
    pub missing: Vec<String>,
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When the container runtime took it.
    pub at: Option<Timestamp>,
    /// The pod.
    pub pod: ObjectRef,
    /// The container.
    pub container: String,
    /// The line, cleaned and without credentials.
    pub text: String,
}

/// What was read of each container: its text, where each line begins with its time, or why it could not be read.
pub type Read = Vec<(ObjectRef, String, Result<String, String>)>;

impl Lines {
    /// Takes what was read.
    pub fn take(&mut self, read: Read) {
        self.is_reading = false;
        self.missing.clear();
        let mut lines: Vec<Line> = Vec::new();
        for (pod, container, text) in read {
            let text = match text {
                Ok(text) => text,
                Err(why) => {
                    self.missing.push(format!("{pod} ({container}): {why}"));
                    continue;
                }
            };
            for line in text.lines() {
                let (at, rest) = match line.split_once(' ') {
                    Some((at, rest)) => match at.parse() {
                        Ok(at) => (Some(at), rest),
                        Err(_) => (None, line),
                    },
                    None => (None, line),
                };
                lines.push(Line {
                    at,
                    pod: pod.clone(),
                    container: container.clone(),
                    text: sanitize::line(&redact(rest), LONGEST),
                });
            }
        }
        // Of lines of the same moment the one that was written later comes first.
        lines.reverse();
        lines.sort_by_key(|line| std::cmp::Reverse(line.at));
        self.lines = lines;
    }
}

#[cfg(test)]
mod tests {
    use ngf_core::model::kind::Kind;

    use super::*;

    #[test]
    fn lines_of_several_containers_are_in_one_order_and_cleaned() {
        let pod = |name| ObjectRef::new(Kind::Pod, "shop", name);
        let mut lines = Lines::default();
        let one = "2026-01-01T00:00:01Z first\n2026-01-01T00:00:03Z Authorization: Bearer abc.def.ghi-secret\n";
        let other = "2026-01-01T00:00:02Z \u{1b}[31mred\u{1b}[0m\nwithout a time\n";
        lines.take(vec![
            (pod("a"), "nginx".to_owned(), Ok(one.to_owned())),
            (pod("b"), "app".to_owned(), Ok(other.to_owned())),
            (pod("c"), "app".to_owned(), Err("forbidden".to_owned())),
        ]);
        let texts: Vec<&str> = lines.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts.len(), 4);
        assert!(
            texts[0].starts_with("Authorization") && !texts[0].contains("secret"),
            "{texts:?}"
        );
        assert!(
            texts[1].contains("red") && !texts[1].contains('\u{1b}'),
            "{texts:?}"
        );
        assert_eq!(texts[2..], ["first", "without a time"]);
        assert_eq!(lines.missing, ["Pod shop/c (app): forbidden"]);
    }
}
