//! The guide's arrows, one line each, with the words inside of them. The client's column is narrow: the story
//! is between nginx and the backend.

use ngf_tls::transcript::Transcript;
use ngf_ui::{
    Glyphs, Label, Mark, Role, Theme,
    text::{cut_middle, pad, wrap},
    widgets::{entries::Entry, sequence::Message},
};

use crate::diagram::{Arrow, BACKEND, CLIENT, GATEWAY};
use ngf_text::words;

/// Cells from the client's line to nginx's.
const CLIENT_COLUMN: usize = 4;
/// Fewest cells of the room between nginx and the backend in which a diagram is of use.
const LEAST: usize = 24;
/// Cells of the bar that shows times to scale.
const SCALE: usize = 24;

/// What the diagram shows, besides the arrows.
pub(super) struct Options<'a> {
    /// How it looks.
    pub theme: &'a Theme,
    /// How many arrows of a replay are drawn; all if `None`.
    pub replay: Option<usize>,
    /// Times are drawn to scale.
    pub to_scale: bool,
    /// The arrows of the last good probe.
    pub before: Option<&'a [Arrow]>,
}

/// A line of the diagram that can be selected: an arrow, or several that never happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Indices of its arrows.
    pub arrows: std::ops::Range<usize>,
}

/// Arrows in a row that never happened share a line.
pub(super) fn rows(arrows: &[Arrow]) -> Vec<Row> {
    let never = |index: usize| arrows[index].never_happened();
    let mut rows: Vec<Row> = Vec::new();
    for index in 0..arrows.len() {
        match rows.last_mut() {
            Some(row) if never(index) && never(row.arrows.start) => row.arrows.end = index + 1,
            _ => rows.push(Row {
                arrows: index..index + 1,
            }),
        }
    }
    rows
}

/// The row to look at first: where it failed, or else where something is odd, or else the first one.
pub(super) fn at_fault(arrows: &[Arrow]) -> Option<usize> {
    let rows = rows(arrows);
    let with = |mark: Mark| {
        let is = |row: &Row| arrows[row.arrows.start].message.mark == Some(mark);
        rows.iter().position(is)
    };
    with(Mark::Failed).or_else(|| with(Mark::Warning))
}

/// Cells of the number and the shaft around the words of an arrow, and of the blanks around its facts.
const AROUND: usize = 17;
/// Cells of a mark before the words.
const SIGN: usize = 2;

/// Cells in which no arrow is cut.
pub(super) fn width(arrows: &[Arrow]) -> usize {
    let widths = arrows.iter().map(|arrow| {
        let facts = arrow.message.facts.width();
        let sign = arrow.message.mark.map_or(0, |_| SIGN);
        ngf_ui::text::width(&arrow.short) + facts + sign + AROUND
    });
    widths.max().unwrap_or(0).max(CLIENT_COLUMN + LEAST)
}

/// The names above the lines.
pub(super) fn heads(backend: &str, width: usize, theme: &Theme) -> Label {
    let left = pad(&Label::of(Role::Title, "C"), CLIENT_COLUMN, "");
    let left = left.and(Role::Title, "nginx");
    let room = width.saturating_sub(left.width() + 2);
    let backend = cut_middle(backend, room, theme.glyphs.ellipsis);
    let gap = width.saturating_sub(left.width() + ngf_ui::text::width(&backend));
    left.text(" ".repeat(gap)).and(Role::Title, backend)
}

/// Every row as an entry of so many cells.
pub(super) fn entries(
    arrows: &[Arrow],
    transcript: &Transcript,
    options: &Options<'_>,
    width: usize,
    selected: usize,
) -> Vec<Entry> {
    let pen = Pen {
        theme: options.theme,
        glyphs: options.theme.glyphs,
        width: width.max(CLIENT_COLUMN + LEAST),
    };
    let rows = rows(arrows);
    let drawn = options.replay.unwrap_or(rows.len()).min(rows.len());
    rows[..drawn]
        .iter()
        .enumerate()
        .map(|(index, row)| {
            let arrow = &arrows[row.arrows.start];
            if arrow.never_happened() {
                return Entry::of(pen.folded(&arrows[row.arrows.clone()]));
            }
            let is_open = index == selected || arrow.message.mark == Some(Mark::Failed);
            let facts = match (options.to_scale, arrow.time(transcript)) {
                (true, Some(at)) => pen.to_scale(at, transcript.duration_us),
                _ => arrow.message.facts.clone(),
            };
            let mut lines = pen.arrow(arrow, &facts, is_open);
            if let Some(before) = options.before {
                lines.extend(pen.before(arrow, before));
            }
            Entry::of(lines)
        })
        .collect()
}

/// The text of every row, opened.
pub(super) fn texts(arrows: &[Arrow]) -> Vec<String> {
    let of_row = |row: Row| {
        let arrow = &arrows[row.arrows.start];
        if arrow.never_happened() {
            return never(&arrows[row.arrows]);
        }
        format!("{}\n{}", arrow.short, text(&arrow.message))
    };
    rows(arrows).into_iter().map(of_row).collect()
}

/// All that a message says.
pub(super) fn text(message: &Message) -> String {
    let parts = [
        &message.label,
        &message.facts,
        &message.reason,
        &message.evidence,
    ];
    let parts = parts.map(Label::plain).join("\n");
    format!("{} {parts}", message.number)
}

/// `9 and 10 never happen`.
fn never(arrows: &[Arrow]) -> String {
    let numbers: Vec<&str> = arrows.iter().map(|a| a.message.number.as_str()).collect();
    match numbers.as_slice() {
        [one] => format!("{one} never happens: {}", arrows[0].short),
        _ => format!(
            "{} never happen",
            ngf_core::diagnosis::words::list(&numbers, numbers.len())
        ),
    }
}

/// Draws lines of one width.
struct Pen<'a> {
    theme: &'a Theme,
    glyphs: &'static Glyphs,
    width: usize,
}

impl Pen<'_> {
    /// Cells between nginx's line and the backend's.
    fn room(&self) -> usize {
        self.width - CLIENT_COLUMN - 2
    }

    fn arrow(&self, arrow: &Arrow, facts: &Label, is_open: bool) -> Vec<Label> {
        let message = &arrow.message;
        let mut text = Label::of(text_role(message.mark), arrow.short.clone());
        if let Some(mark) = message.mark.filter(|mark| *mark != Mark::Muted) {
            text = Label::new().mark(mark, self.theme).text(" ").joined(&text);
        }
        let number = &message.number;
        let (line, is_whole) = match (message.from, message.to) {
            (CLIENT, GATEWAY) => self.by_client(number, &text),
            (GATEWAY, CLIENT) => self.to_client(number, &text),
            (GATEWAY, BACKEND) => self.sent(number, &text, facts),
            (BACKEND, GATEWAY) => self.received(number, &text, facts),
            (BACKEND, _) => self.at_backend(number, &text),
            _ => self.at_nginx(number, &text, facts),
        };
        let mut lines = vec![line];
        if !is_open {
            return lines;
        }
        let mut more = Vec::new();
        // The reason says what the words of the arrow are about.
        if !is_whole && message.reason.is_empty() {
            more.push(text);
        }
        more.extend([message.reason.clone(), message.evidence.clone()]);
        for label in more.iter().filter(|label| !label.is_empty()) {
            lines.extend(self.below(label));
        }
        lines
    }

    /// `├1─▶│ GET http://…    │`
    fn by_client(&self, number: &str, text: &Label) -> (Label, bool) {
        let g = self.glyphs;
        let fill = g
            .horizontal
            .repeat(CLIENT_COLUMN.saturating_sub(2 + number.len()));
        let start = Label::of(Role::Lane, g.branch)
            .and(Role::Strong, number.to_owned())
            .and(Role::Lane, format!("{fill}{}{}", g.right, g.vertical));
        self.with_text(start, text, &Label::new())
    }

    /// `◀11─┤ clients get 502    │`
    fn to_client(&self, number: &str, text: &Label) -> (Label, bool) {
        let g = self.glyphs;
        let fill = g
            .horizontal
            .repeat(CLIENT_COLUMN.saturating_sub(1 + number.len()));
        let start = Label::of(Role::Lane, g.left)
            .and(Role::Strong, number.to_owned())
            .and(Role::Lane, format!("{fill}{}", g.branch_left));
        self.with_text(start, text, &Label::new())
    }

    /// `    │✗ 8 verifies the backend by …     1.9 ms │`
    fn at_nginx(&self, number: &str, text: &Label, facts: &Label) -> (Label, bool) {
        let text = Label::of(Role::Strong, format!("{number} ")).joined(text);
        self.with_text(self.lane(), &text, facts)
    }

    /// `    │             ✓ accepts the client certificate 6 │`
    fn at_backend(&self, number: &str, text: &Label) -> (Label, bool) {
        let g = self.glyphs;
        let number = Label::of(Role::Strong, format!(" {number} "));
        let room = self.room().saturating_sub(number.width() + 1);
        let (text, is_whole) = self.fitting(text, room);
        let blanks = room.saturating_sub(text.width()) + 1;
        let line = self
            .lane()
            .text(" ".repeat(blanks))
            .joined(&text)
            .joined(&number)
            .and(Role::Lane, g.vertical);
        (line, is_whole)
    }

    /// `    ├2─ TCP connected ──────── 0.1 ms ──▶│`
    fn sent(&self, number: &str, text: &Label, facts: &Label) -> (Label, bool) {
        let g = self.glyphs;
        let start = indent()
            .and(Role::Lane, g.branch)
            .and(Role::Strong, number.to_owned())
            .and(Role::Lane, format!("{} ", g.horizontal));
        let end = format!("{}{}{}", g.horizontal.repeat(2), g.right, g.vertical);
        self.shaft(start, text, facts, &end)
    }

    /// `    │◀─ 4 asks for a certificate … ──── 81 B  1.9 ms ──┤`
    fn received(&self, number: &str, text: &Label, facts: &Label) -> (Label, bool) {
        let g = self.glyphs;
        let start = indent()
            .and(
                Role::Lane,
                format!("{}{}{} ", g.vertical, g.left, g.horizontal),
            )
            .and(Role::Strong, format!("{number} "));
        let end = format!("{}{}", g.horizontal.repeat(3), g.branch_left);
        self.shaft(start, text, facts, &end)
    }

    /// Text and facts in the shaft of an arrow.
    fn shaft(&self, start: Label, text: &Label, facts: &Label, end: &str) -> (Label, bool) {
        let end_width = ngf_ui::text::width(end);
        let facts_width = if facts.is_empty() {
            0
        } else {
            facts.width() + 2
        };
        let used = start.width() + end_width + 1;
        let free = self.width.saturating_sub(used);
        // Where there is little room, the words matter more than size and time.
        let keep = facts_width > 0 && free >= facts_width + text.width().min(LEAST / 2);
        let facts_width = if keep { facts_width } else { 0 };
        let room = free.saturating_sub(facts_width);
        let (text, is_whole) = self.fitting(text, room);
        let fill = room.saturating_sub(text.width());
        let mut line = start
            .joined(&text)
            .text(" ")
            .and(Role::Lane, self.glyphs.horizontal.repeat(fill));
        if keep {
            line = line.text(" ").joined(facts).text(" ");
        }
        (line.and(Role::Lane, end.to_owned()), is_whole)
    }

    /// Text between the lines.
    fn with_text(&self, start: Label, text: &Label, facts: &Label) -> (Label, bool) {
        let facts_width = if facts.is_empty() {
            0
        } else {
            facts.width() + 2
        };
        let free = self.width.saturating_sub(start.width() + 2);
        let keep = free >= facts_width + text.width().min(LEAST / 2);
        let facts_width = if keep { facts_width } else { 0 };
        let (text, is_whole) = self.fitting(text, free.saturating_sub(facts_width));
        let mut line = start
            .text(if text.is_empty() { "" } else { " " })
            .joined(&text);
        let blanks = self.width.saturating_sub(line.width() + facts_width + 1);
        line = line.text(" ".repeat(blanks));
        if keep && facts_width > 0 {
            line = line.text(" ").joined(facts).text(" ");
        }
        (line.and(Role::Lane, self.glyphs.vertical), is_whole)
    }

    /// The label, cut in its middle where it is too long, and whether it is whole.
    fn fitting(&self, label: &Label, room: usize) -> (Label, bool) {
        if label.width() <= room {
            return (label.clone(), true);
        }
        let mut runs = label.runs.clone();
        let Some(last) = runs.pop() else {
            return (Label::new(), true);
        };
        let before = Label { runs };
        let room = room.saturating_sub(before.width());
        let text = cut_middle(&last.text, room, self.glyphs.ellipsis);
        (before.and(last.role, text), false)
    }

    /// Text below an arrow, wrapped between the lines.
    fn below(&self, label: &Label) -> Vec<Label> {
        let room = self.room().saturating_sub(6).max(8);
        wrap(label, room)
            .iter()
            .map(|line| {
                let line = self.lane().text("    ").joined(line);
                let blanks = self.width.saturating_sub(line.width() + 1);
                line.text(" ".repeat(blanks))
                    .and(Role::Lane, self.glyphs.vertical)
            })
            .collect()
    }

    /// Those that never happened, in a line.
    fn folded(&self, arrows: &[Arrow]) -> Vec<Label> {
        let text = Label::new()
            .mark(Mark::Muted, self.theme)
            .and(Role::Muted, format!(" {}", never(arrows)));
        vec![self.with_text(self.lane(), &text, &Label::new()).0]
    }

    /// What was otherwise in the last good probe.
    fn before(&self, arrow: &Arrow, before: &[Arrow]) -> Vec<Label> {
        let number = &arrow.message.number;
        let Some(then) = before.iter().find(|then| then.message.number == *number) else {
            return Vec::new();
        };
        let is_same = then.short == arrow.short && then.message.mark == arrow.message.mark;
        if is_same {
            return Vec::new();
        }
        let words = if then.never_happened() {
            "before: never happened".to_owned()
        } else {
            format!("before: {}", then.short)
        };
        self.below(&Label::of(Role::Muted, "= ").and(Role::Evidence, words))
    }

    /// When it was, on a line as long as the whole probe.
    fn to_scale(&self, at_us: u64, whole_us: u64) -> Label {
        let at = (u128::from(at_us.min(whole_us)) * (SCALE as u128 - 1)
            / u128::from(whole_us.max(1))) as usize;
        let g = self.glyphs;
        Label::of(Role::Lane, g.dashed.repeat(at))
            .and(Role::Accent, g.event)
            .and(Role::Lane, g.dashed.repeat(SCALE - 1 - at))
            .and(Role::Muted, format!(" {}", words::micros(at_us)))
    }

    /// The line of nginx alone.
    fn lane(&self) -> Label {
        indent().and(Role::Lane, self.glyphs.vertical)
    }
}

/// Blanks below the client's column.
fn indent() -> Label {
    Label::from(" ".repeat(CLIENT_COLUMN))
}

fn text_role(mark: Option<Mark>) -> Role {
    match mark {
        Some(Mark::Ok) | None => Role::Normal,
        Some(mark) => mark.role(),
    }
}
