//! Every widget at every size, with friendly and with hostile text.

use crate::samples::{SAMPLES, Words, as_written};
use ngf_ui::text::{is_unprintable, width};
use ngf_ui::{Background, ColorSupport, GlyphSet, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Wide characters, joined emoji, combining marks.
fn wide(text: &'static str) -> String {
    let signs = ["漢", "e\u{301}", "👩‍👩‍👧", "字", "🇩🇪", "ｱﾞ", "a"];
    text.chars()
        .zip(signs.iter().cycle())
        .map(|(c, sign)| if c == ' ' { " " } else { *sign })
        .collect()
}

/// Controls, escape sequences, overrides, invisible characters, heaps of marks.
fn hostile(text: &'static str) -> String {
    let marks = "\u{301}".repeat(40);
    format!(
        "\u{1b}[31m\u{202e}{text}\u{9b}2J\u{7f}\r\n\t\u{200b}\u{feff}{text}{marks}\u{2066}\u{0}\u{85}\u{2028}\u{e0041}"
    )
}

fn empty(_: &'static str) -> String {
    String::new()
}

/// One word that fits nowhere.
fn endless(text: &'static str) -> String {
    text.replace(' ', "").repeat(9)
}

const WORDS: [Words; 5] = [as_written, wide, hostile, empty, endless];

/// What must hold for a buffer whatever was drawn.
fn assert_sound(buffer: &Buffer, context: &str) {
    let area = buffer.area;
    for y in area.top()..area.bottom() {
        let mut covered = 0;
        for x in area.left()..area.right() {
            let symbol = buffer[(x, y)].symbol();
            if symbol == " " && covered == 0 {
                continue;
            }
            assert!(
                !symbol.chars().any(is_unprintable),
                "{symbol:?} at {x},{y}: {context}"
            );
            let cells = width(symbol);
            if covered > 0 {
                covered -= 1;
                assert_eq!(
                    symbol, " ",
                    "covered by a wide character at {x},{y}: {context}"
                );
            } else {
                assert!(cells > 0, "nothing at {x},{y}: {context}");
                covered = cells - 1;
            }
        }
        assert_eq!(
            covered, 0,
            "a wide character reaches over the edge in row {y}: {context}"
        );
    }
}

/// Draws every sample at these sizes: all words without colours, and the written ones with
/// colours and ASCII signs.
fn check(sizes: impl IntoIterator<Item = (u16, u16)>) {
    let sizes: Vec<(u16, u16)> = sizes.into_iter().collect();
    let ascii = Theme::new(ColorSupport::TrueColor, Background::Light, GlyphSet::Ascii);
    let looks = WORDS.map(|words| (words, Theme::plain()));
    for (number, (words, theme)) in looks
        .into_iter()
        .chain([(as_written as Words, ascii)])
        .enumerate()
    {
        for sample in SAMPLES {
            // Odd words at each third size, another third for each kind of words.
            let step = if number == 0 { 1 } else { 3 };
            for (width, height) in sizes.iter().copied().skip(number % step).step_by(step) {
                let area = Rect::new(0, 0, width, height);
                let mut buffer = Buffer::empty(area);
                (sample.draw)(&theme, words, area, &mut buffer);
                assert_sound(
                    &buffer,
                    &format!("{} {width}x{height} words {number}", sample.name),
                );
            }
        }
    }
}

#[test]
fn every_widget_draws_at_every_small_size() {
    check((0..=12).flat_map(|width| (0..=5).map(move |height| (width, height))));
}

#[test]
fn every_widget_draws_at_every_width() {
    check((13..=170).step_by(9).map(|width| (width, 24)));
}

#[test]
fn every_widget_draws_at_every_height() {
    check(
        (7..=60)
            .step_by(6)
            .flat_map(|height| [(1, height), (80, height)]),
    );
}

#[test]
fn every_widget_stays_inside_of_its_area() {
    let screen = Rect::new(0, 0, 60, 20);
    let area = Rect::new(7, 3, 40, 9);
    for sample in SAMPLES {
        for words in WORDS {
            let mut buffer = Buffer::filled(screen, ratatui::buffer::Cell::new("x"));
            (sample.draw)(&Theme::picture(), words, area, &mut buffer);
            for position in screen
                .positions()
                .filter(|position| !area.contains(*position))
            {
                assert_eq!(
                    buffer[position].symbol(),
                    "x",
                    "{} at {position}",
                    sample.name
                );
            }
        }
    }
}

#[test]
fn an_area_that_reaches_over_the_screen_is_no_harm() {
    for sample in SAMPLES {
        for area in [
            Rect::new(50, 15, 40, 20),
            Rect::new(200, 200, 10, 10),
            Rect::new(0, 0, 600, 90),
        ] {
            let mut buffer = Buffer::empty(Rect::new(0, 0, 60, 20));
            (sample.draw)(&Theme::plain(), as_written, area, &mut buffer);
        }
    }
}

#[test]
fn every_text_keeps_its_width_and_is_clean() {
    for sample in SAMPLES {
        for words in WORDS {
            for columns in (0..=30).chain([60, 80, 100, 160]) {
                for line in (sample.text)(&Theme::plain(), words, columns) {
                    assert!(
                        width(&line) <= usize::from(columns),
                        "{} at {columns}: {line:?}",
                        sample.name
                    );
                    assert!(
                        !line.chars().any(is_unprintable),
                        "{}: {line:?}",
                        sample.name
                    );
                }
            }
        }
    }
}
