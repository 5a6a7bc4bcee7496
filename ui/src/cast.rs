//! Screens as an asciicast (version 2), which asciinema plays: a header, and an event for each screen.

use std::fmt::Write;

use ratatui::{
    buffer::{Buffer, CellWidth},
    style::{Color, Modifier},
};

/// A screen, and when it is shown: in seconds since the beginning.
pub type Frame = (f64, Buffer);

/// The screens as an asciicast; all of them have the size of the first.
pub fn cast(title: &str, frames: &[Frame]) -> String {
    let area = frames
        .first()
        .map_or_else(Default::default, |(_, first)| first.area);
    let mut out = format!(
        "{{\"version\": 2, \"width\": {}, \"height\": {}, \"title\": {}, \"env\": {{\"TERM\": \"xterm-256color\"}}}}\n",
        area.width,
        area.height,
        json(title)
    );
    let mut before: Option<&Buffer> = None;
    for (at, frame) in frames {
        let event = json(&drawn(frame, before));
        let _ = writeln!(out, "[{at:.3}, \"o\", {event}]");
        before = Some(frame);
    }
    out
}

/// What a terminal has to print for a screen: the rows that are different from the one before.
fn drawn(frame: &Buffer, before: Option<&Buffer>) -> String {
    let mut out = String::new();
    if before.is_none() {
        out.push_str("\x1b[?25l\x1b[2J");
    }
    let area = frame.area;
    for y in area.top()..area.bottom() {
        let row = row(frame, y);
        let is_same =
            before.is_some_and(|before| before.area == area && self::row(before, y) == row);
        if !is_same {
            let _ = write!(out, "\x1b[{};1H{row}\x1b[0m\x1b[K", y - area.top() + 1);
        }
    }
    out
}

/// A row without blanks at its end, unless they have a ground.
fn row(buffer: &Buffer, y: u16) -> String {
    let area = buffer.area;
    let is_blank = |x: u16| {
        let cell = &buffer[(x, y)];
        cell.symbol() == " "
            && cell.bg == Color::Reset
            && !cell.modifier.contains(Modifier::REVERSED)
    };
    let end = (area.left()..area.right())
        .rev()
        .find(|x| !is_blank(*x))
        .map_or(area.left(), |last| last + 1);
    let mut out = String::new();
    let mut look = String::new();
    let mut x = area.left();
    while x < end {
        let cell = &buffer[(x, y)];
        let next = codes(cell.fg, cell.bg, cell.modifier);
        if next != look {
            let _ = write!(out, "\x1b[0{next}m");
            look = next;
        }
        out.push_str(cell.symbol());
        x = x.saturating_add(cell.symbol().cell_width().max(1));
    }
    out
}

/// The parameters of SGR, each after a semicolon.
fn codes(foreground: Color, ground: Color, modifiers: Modifier) -> String {
    let mut codes = String::new();
    for (modifier, code) in [
        (Modifier::BOLD, 1),
        (Modifier::DIM, 2),
        (Modifier::ITALIC, 3),
        (Modifier::UNDERLINED, 4),
        (Modifier::REVERSED, 7),
    ] {
        if modifiers.contains(modifier) {
            let _ = write!(codes, ";{code}");
        }
    }
    color(&mut codes, foreground, 30);
    color(&mut codes, ground, 40);
    codes
}

/// A colour, where `base` is 30 for text and 40 for its ground.
fn color(codes: &mut String, color: Color, base: u8) {
    let indexed = match color {
        Color::Reset => return,
        Color::Rgb(red, green, blue) => {
            let _ = write!(codes, ";{};2;{red};{green};{blue}", base + 8);
            return;
        }
        Color::Indexed(index) => {
            let _ = write!(codes, ";{};5;{index}", base + 8);
            return;
        }
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 60,
        Color::LightRed => 61,
        Color::LightGreen => 62,
        Color::LightYellow => 63,
        Color::LightBlue => 64,
        Color::LightMagenta => 65,
        Color::LightCyan => 66,
        Color::White => 67,
    };
    let _ = write!(codes, ";{}", base + indexed);
}

/// A text as JSON.
fn json(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use ratatui::style::Style;

    #[test]
    fn a_screen_is_an_event_and_only_what_differs_is_printed_again() {
        let screen = |text: &'static str| {
            golden::draw(12, 3, |_, buffer| {
                buffer.set_string(0, 0, "same", Style::new().fg(Color::Rgb(1, 2, 3)));
                buffer.set_string(1, 1, text, Style::new().add_modifier(Modifier::BOLD));
            })
        };
        let text = cast("a \"title\"", &[(0.0, screen("one")), (1.5, screen("two"))]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            r#"{"version": 2, "width": 12, "height": 3, "title": "a \"title\"", "env": {"TERM": "xterm-256color"}}"#
        );
        assert_eq!(
            lines[1],
            "[0.000, \"o\", \"\\u001b[?25l\\u001b[2J\\u001b[1;1H\\u001b[0;38;2;1;2;3msame\\u001b[0m\\u001b[K\\u001b[2;1H \
             \\u001b[0;1mone\\u001b[0m\\u001b[K\\u001b[3;1H\\u001b[0m\\u001b[K\"]"
        );
        assert_eq!(
            lines[2],
            "[1.500, \"o\", \"\\u001b[2;1H \\u001b[0;1mtwo\\u001b[0m\\u001b[K\"]"
        );
    }
}
