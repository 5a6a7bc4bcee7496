//! The signs that carry meaning besides colour, in Unicode and in ASCII.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;

use crate::cells::{clean, width};

/// Which set of signs a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum GlyphSet {
    /// Box drawing, arrows, check marks.
    #[default]
    Unicode,
    /// Bytes 0x20 to 0x7e only: for TERM=linux and locales that are not UTF-8.
    Ascii,
}

impl GlyphSet {
    /// The signs of this set.
    pub const fn glyphs(self) -> &'static Glyphs {
        match self {
            Self::Unicode => &UNICODE,
            Self::Ascii => &ASCII,
        }
    }

    /// The text as this set can show it, of the same width: in ASCII, other signs are replaced by
    /// similar ones, and by question marks where there are none. Cleaned as by
    /// [`clean`].
    pub fn shown(self, text: &str) -> Cow<'_, str> {
        let text = clean(text);
        if self == Self::Unicode || text.is_ascii() {
            return text;
        }
        let mut shown = String::with_capacity(text.len());
        for grapheme in text.graphemes(true) {
            match grapheme {
                ascii if ascii.is_ascii() => shown.push_str(ascii),
                "·" | "–" | "—" | "−" | "─" => shown.push('-'),
                "…" => shown.push('~'),
                "→" | "▶" | "▸" | "›" => shown.push('>'),
                "←" | "◀" | "◂" | "‹" => shown.push('<'),
                "↑" | "▲" => shown.push('^'),
                "↓" | "▼" | "▾" => shown.push('v'),
                "“" | "”" | "„" => shown.push('"'),
                "‘" | "’" => shown.push('\''),
                "•" | "●" => shown.push('*'),
                "✓" => shown.push_str(ASCII.ok),
                "✗" => shown.push_str(ASCII.failed),
                "×" => shown.push('x'),
                other => match same_in_ascii(other) {
                    Some(sign) => shown.push_str(sign),
                    None => shown.extend(std::iter::repeat_n('?', width(other))),
                },
            }
        }
        Cow::Owned(shown)
    }
}

/// The ASCII sign that stands where this one stands: a branch stays a branch, and is no question mark,
/// which is the mark for unknown.
fn same_in_ascii(sign: &str) -> Option<&'static str> {
    let place = UNICODE.signs().iter().position(|one| *one == sign)?;
    ASCII.signs().get(place).copied()
}

/// One set of signs. Each is one cell wide unless its comment says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glyphs {
    /// Which set this is.
    pub set: GlyphSet,
    /// Good.
    pub ok: &'static str,
    /// Needs a look.
    pub warning: &'static str,
    /// Bad.
    pub failed: &'static str,
    /// Not known.
    pub unknown: &'static str,
    /// Never happened, does not apply.
    pub muted: &'static str,
    /// A note.
    pub info: &'static str,
    /// A branch that can be opened; also the cursor of a list.
    pub collapsed: &'static str,
    /// A branch that is open.
    pub expanded: &'static str,
    /// Cursor of a list.
    pub cursor: &'static str,
    /// Vertical line.
    pub vertical: &'static str,
    /// Horizontal line.
    pub horizontal: &'static str,
    /// Horizontal line of something that did not happen.
    pub dashed: &'static str,
    /// Vertical line of something that is not known.
    pub vertical_dashed: &'static str,
    /// Branch to a child that has younger sisters.
    pub branch: &'static str,
    /// Branch to the last child.
    pub last_branch: &'static str,
    /// Line that a branch leaves to the left.
    pub branch_left: &'static str,
    /// Line that a branch leaves downwards.
    pub branch_down: &'static str,
    /// Double line that a single line leaves downwards.
    pub branch_down_double: &'static str,
    /// Crossing of two lines.
    pub cross: &'static str,
    /// Corners: top left, top right, bottom left, bottom right.
    pub corners: [&'static str; 4],
    /// Double vertical line: sameness.
    pub double_vertical: &'static str,
    /// Double horizontal line.
    pub double_horizontal: &'static str,
    /// Arrow head to the right.
    pub right: &'static str,
    /// Arrow head to the left.
    pub left: &'static str,
    /// Arrow head downwards.
    pub down: &'static str,
    /// Arrow head upwards.
    pub up: &'static str,
    /// Hollow arrow head to the right: what never happened.
    pub right_hollow: &'static str,
    /// Hollow arrow head to the left.
    pub left_hollow: &'static str,
    /// Full part of a bar.
    pub full: &'static str,
    /// Empty part of a bar.
    pub empty: &'static str,
    /// What was cut off (three cells in ASCII).
    pub ellipsis: &'static str,
    /// Between facts of one line.
    pub dot: &'static str,
    /// An event on an axis.
    pub event: &'static str,
    /// More tabs or text to the left.
    pub more_left: &'static str,
    /// More tabs or text to the right.
    pub more_right: &'static str,
    /// From low to high, for sparklines.
    pub spark: [&'static str; 8],
    /// Thumb of a scroll bar.
    pub thumb: &'static str,
}

const UNICODE: Glyphs = Glyphs {
    set: GlyphSet::Unicode,
    ok: "✓",
    warning: "!",
    failed: "✗",
    unknown: "?",
    muted: "·",
    info: "•",
    collapsed: "▸",
    expanded: "▾",
    cursor: "▸",
    vertical: "│",
    horizontal: "─",
    dashed: "╌",
    vertical_dashed: "┆",
    branch: "├",
    last_branch: "└",
    branch_left: "┤",
    branch_down: "┬",
    branch_down_double: "╥",
    cross: "┼",
    corners: ["╭", "╮", "╰", "╯"],
    double_vertical: "║",
    double_horizontal: "═",
    right: "▶",
    left: "◀",
    down: "▼",
    up: "▲",
    right_hollow: "▷",
    left_hollow: "◁",
    full: "▓",
    empty: "░",
    ellipsis: "…",
    dot: "·",
    event: "●",
    more_left: "‹",
    more_right: "›",
    spark: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    thumb: "█",
};

const ASCII: Glyphs = Glyphs {
    set: GlyphSet::Ascii,
    ok: "+",
    warning: "!",
    failed: "x",
    unknown: "?",
    muted: ".",
    info: "*",
    collapsed: ">",
    expanded: "v",
    cursor: ">",
    vertical: "|",
    horizontal: "-",
    dashed: ".",
    vertical_dashed: ":",
    branch: "|",
    last_branch: "`",
    branch_left: "|",
    branch_down: "+",
    branch_down_double: "+",
    cross: "+",
    corners: ["+", "+", "+", "+"],
    double_vertical: "H",
    double_horizontal: "=",
    right: ">",
    left: "<",
    down: "v",
    up: "^",
    right_hollow: ">",
    left_hollow: "<",
    full: "#",
    empty: ".",
    ellipsis: "...",
    dot: "-",
    event: "o",
    more_left: "<",
    more_right: ">",
    spark: ["_", ".", "-", "~", "=", "+", "*", "#"],
    thumb: "#",
};

/// Words for the marks, which a screen reader can say; everything else as in ASCII. They are wider than a cell: for text,
/// not for the screen.
pub static WORDS: Glyphs = Glyphs {
    ok: "ok",
    warning: "warning",
    failed: "error",
    unknown: "unknown",
    muted: "none",
    info: "note",
    cursor: "",
    ..ASCII
};

impl Glyphs {
    /// Every sign that is one cell wide, in the order of the fields.
    fn signs(&self) -> Vec<&'static str> {
        let g = self;
        let mut all = vec![
            g.ok,
            g.warning,
            g.failed,
            g.unknown,
            g.muted,
            g.info,
            g.collapsed,
            g.expanded,
            g.cursor,
            g.vertical,
            g.horizontal,
            g.dashed,
            g.vertical_dashed,
            g.branch,
            g.last_branch,
            g.branch_left,
            g.branch_down,
            g.branch_down_double,
            g.cross,
            g.double_vertical,
            g.double_horizontal,
            g.right,
            g.left,
            g.down,
            g.up,
            g.right_hollow,
            g.left_hollow,
            g.full,
            g.empty,
            g.dot,
            g.event,
            g.more_left,
            g.more_right,
            g.thumb,
        ];
        all.extend(g.corners);
        all.extend(g.spark);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_is_one_cell_wide() {
        for set in [GlyphSet::Unicode, GlyphSet::Ascii] {
            for sign in set.glyphs().signs() {
                assert_eq!(width(sign), 1, "{sign:?} of {set:?}");
            }
        }
    }

    #[test]
    fn in_ascii_other_signs_are_replaced_and_widths_kept() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a · b → c…", "a - b > c~"),
            ("“né”", "\"n?\""),
            ("漢字", "????"),
            ("✓ e\u{301} 👩\u{200d}🚀", "+ ? ??"),
            ("\u{1b}[1m\u{202e}x", "[1mx"),
        ] {
            assert_eq!(GlyphSet::Ascii.shown(text), expected);
            assert_eq!(width(expected), width(text), "{text}");
            assert_eq!(GlyphSet::Unicode.shown(text), clean(text));
        }
    }

    #[test]
    fn no_sign_becomes_the_mark_for_unknown_in_ascii() {
        for sign in UNICODE.signs() {
            let shown = GlyphSet::Ascii.shown(sign);
            assert!(shown.is_ascii(), "{sign} is {shown}");
            assert_eq!(shown == ASCII.unknown, sign == UNICODE.unknown, "{sign}");
        }
        assert_eq!(
            GlyphSet::Ascii.shown("  └ NGF-T1  3 × 4"),
            "  ` NGF-T1  3 x 4"
        );
    }

    #[test]
    fn ascii_signs_are_ascii_and_the_marks_differ() {
        assert!(ASCII.signs().iter().all(|sign| sign.is_ascii()));
        assert!(ASCII.ellipsis.is_ascii());
        for g in [&UNICODE, &ASCII] {
            let mut marks = vec![g.ok, g.warning, g.failed, g.unknown, g.muted, g.info];
            marks.sort_unstable();
            marks.dedup();
            assert_eq!(marks.len(), 6);
        }
    }
}
