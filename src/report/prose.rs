//! Sentences that a terminal shows: wrapped within its columns, with colour where there is one.

use std::fmt::Write as _;

use super::{
    clean,
    text::{Style, wrap},
};

/// Text as it grows, and how it is shown.
pub(crate) struct Prose {
    out: String,
    style: Style,
}

impl Prose {
    /// Nothing yet.
    pub(crate) fn new(style: Style) -> Self {
        Self {
            out: String::new(),
            style,
        }
    }

    /// The text.
    pub(crate) fn finish(self) -> String {
        self.out
    }

    /// An empty line.
    pub(crate) fn blank(&mut self) {
        self.out.push('\n');
    }

    /// A line as it is, for what people copy: it is not wrapped.
    pub(crate) fn line(&mut self, line: &str) {
        let _ = writeln!(self.out, "{}", line.trim_end());
    }

    /// A sentence after so many blanks; what does not fit stands below its first letter.
    pub(crate) fn sentence(&mut self, indent: usize, text: &str) {
        self.led(&" ".repeat(indent), None, text);
    }

    /// A sentence behind a sign of a colour, in bold.
    pub(crate) fn marked(&mut self, sign: char, colour: u8, text: &str) {
        let sign = format!("{} ", self.painted(&sign.to_string(), colour));
        self.led(&sign, Some(super::text::BOLD), text);
    }

    /// A sentence behind a lead whose cells are all visible but for colours; what does not fit stands below its first
    /// letter.
    pub(crate) fn led(&mut self, lead: &str, emphasis: Option<u8>, text: &str) {
        let columns = visible(lead);
        let below = " ".repeat(columns);
        let text = clean(text);
        for (index, line) in wrap(&text, self.style.width, columns, columns)
            .iter()
            .enumerate()
        {
            let lead = if index == 0 { lead } else { &below };
            let line = match emphasis {
                Some(code) if !line.is_empty() => self.painted(line, code),
                _ => line.clone(),
            };
            let _ = writeln!(self.out, "{}", format!("{lead}{line}").trim_end());
        }
    }

    /// A sentence behind columns; what does not fit stands below its first letter, or, where less than `least`
    /// columns are left for it, below the columns.
    pub(crate) fn columns(&mut self, lead: &str, least: usize, text: &str) {
        let left = self.style.width.saturating_sub(visible(lead));
        if left >= least {
            self.led(lead, None, text);
            return;
        }
        self.line(lead);
        self.sentence(4, text);
    }

    /// The text in a colour, where there are colours.
    pub(crate) fn painted(&self, text: &str, colour: u8) -> String {
        if self.style.colour {
            format!("\u{1b}[{colour}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// The characters of a lead without its colours. Leads have only characters of one cell.
fn visible(lead: &str) -> usize {
    let mut count = 0;
    let mut is_sequence = false;
    for c in lead.chars() {
        match c {
            '\u{1b}' => is_sequence = true,
            'm' if is_sequence => is_sequence = false,
            _ if is_sequence => {}
            _ => count += 1,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_wrapped_below_its_first_letter_and_a_line_to_copy_is_not() {
        let style = Style {
            colour: true,
            width: 40,
        };
        let mut prose = Prose::new(style);
        prose.marked(
            '✗',
            31,
            "the certificate is for one name and not for another",
        );
        prose.sentence(2, "nginx closes the connection, and clients get 502 for it");
        prose.line("  a line of a log that is much longer than forty columns");
        let text = prose.finish();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "\u{1b}[31m✗\u{1b}[0m \u{1b}[1mthe certificate is for one name and\u{1b}[0m",
                "  \u{1b}[1mnot for another\u{1b}[0m",
                "  nginx closes the connection, and",
                "  clients get 502 for it",
                "  a line of a log that is much longer than forty columns",
            ]
        );
    }
}
