//! What the terminal can show, and which colours it has: from the environment, or asked of it.

use std::io::{self, IsTerminal};
use std::time::Duration;

use terminal_colorsaurus::{Color, QueryOptions, ThemeMode, color_palette};

use super::is_in_foreground;
use crate::glyphs::GlyphSet;
use crate::theme::{Background, ColorSupport, Contrast, Theme};

/// How many colours standard output shows, from NO_COLOR, COLORTERM, TERM, and whether it is a
/// terminal at all.
pub fn color_support() -> ColorSupport {
    color_support_of(io::stdout().is_terminal(), variable)
}

/// The rules of [`color_support`] for any environment.
pub fn color_support_of(
    is_terminal: bool,
    variable: impl Fn(&str) -> Option<String>,
) -> ColorSupport {
    let get = |name: &str| variable(name).unwrap_or_default().to_ascii_lowercase();
    let term = get("TERM");
    // <https://no-color.org>: present and not empty.
    if !is_terminal || !get("NO_COLOR").is_empty() || term == "dumb" {
        return ColorSupport::None;
    }
    let claims_true_color = matches!(get("COLORTERM").as_str(), "truecolor" | "24bit")
        || term.ends_with("-direct")
        || ["kitty", "alacritty", "ghostty", "wezterm", "foot"]
            .iter()
            .any(|name| term.contains(name))
        || !get("WT_SESSION").is_empty();
    // GNU screen hands COLORTERM on and knows no 24-bit colours.
    let in_screen = !get("STY").is_empty();
    if claims_true_color && !in_screen {
        ColorSupport::TrueColor
    } else if term.contains("256color") || claims_true_color {
        ColorSupport::Ansi256
    } else if term.is_empty() && !cfg!(windows) {
        ColorSupport::None
    } else {
        ColorSupport::Ansi16
    }
}

/// Which signs the terminal shows: Unicode where the locale is UTF-8, but not on the Linux
/// console, whose font has no check marks.
pub fn glyph_set() -> GlyphSet {
    glyph_set_of(variable)
}

/// The rules of [`glyph_set`] for any environment.
pub fn glyph_set_of(variable: impl Fn(&str) -> Option<String>) -> GlyphSet {
    if cfg!(windows) {
        return GlyphSet::Unicode;
    }
    // POSIX: the first of these that is set and not empty decides.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| variable(name).filter(|value| !value.is_empty()))
        .unwrap_or_default()
        .to_ascii_lowercase();
    let utf8 = locale.contains("utf-8") || locale.contains("utf8");
    if utf8 && variable("TERM").as_deref() != Some("linux") {
        GlyphSet::Unicode
    } else {
        GlyphSet::Ascii
    }
}

/// What is known of the terminal's own colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ground {
    /// Whether it is dark or light.
    pub background: Background,
    /// How much its own text differs from it.
    pub contrast: Contrast,
}

/// How long a terminal may take to say which colours it has. One that knows the question answers within a round trip.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// From this contrast on, people have chosen it: 21 is that of black and white.
const CHOSEN: f32 = 19.0;

/// Whether the ground is dark or light: from COLORFGBG where it is set, or else the terminal is asked (OSC 11).
/// `None` where it does not say. To be called before the terminal is taken over.
pub fn ground() -> Option<Ground> {
    let background = background_of(variable);
    if let Some(background) = background {
        return Some(Ground {
            background,
            contrast: Contrast::Usual,
        });
    }
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() || !is_in_foreground() {
        return None;
    }
    let mut options = QueryOptions::default();
    options.timeout = ANSWER_WITHIN;
    let colors = color_palette(options).ok()?;
    let background = match colors.theme_mode() {
        ThemeMode::Dark => Background::Dark,
        ThemeMode::Light => Background::Light,
    };
    let contrast =
        if contrast_of(channels(&colors.foreground), channels(&colors.background)) >= CHOSEN {
            Contrast::High
        } else {
            Contrast::Usual
        };
    Some(Ground {
        background,
        contrast,
    })
}

fn channels(color: &Color) -> [u16; 3] {
    [color.r, color.g, color.b]
}

/// The contrast of two colours (WCAG 2.2), from 1 to 21.
fn contrast_of(one: [u16; 3], other: [u16; 3]) -> f32 {
    let luminance = |[red, green, blue]: [u16; 3]| {
        let linear = |channel: u16| {
            let channel = f32::from(channel) / f32::from(u16::MAX);
            if channel <= 0.040_45 {
                channel / 12.92
            } else {
                ((channel + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// Whether the ground is dark or light, from COLORFGBG (`foreground;background`, set by rxvt, Konsole, iTerm2 and
/// others) of any environment; `None` where it is not set.
pub fn background_of(variable: impl Fn(&str) -> Option<String>) -> Option<Background> {
    let value = variable("COLORFGBG")?;
    let ground: u8 = value.rsplit(';').next()?.parse().ok()?;
    Some(match ground {
        7 | 15 => Background::Light,
        _ => Background::Dark,
    })
}

/// The theme for the terminal that standard output is. Where its ground is unknown, its own sixteen colours are
/// used: they are readable there.
pub fn theme() -> Theme {
    let colors = color_support();
    let ground = if colors > ColorSupport::Ansi16 {
        ground()
    } else {
        None
    };
    match ground {
        Some(ground) => {
            Theme::new(colors, ground.background, glyph_set()).contrast(ground.contrast)
        }
        None => Theme::new(
            colors.min(ColorSupport::Ansi16),
            Background::Dark,
            glyph_set(),
        ),
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment<'a>(
        pairs: &'a [(&'a str, &'a str)],
    ) -> impl Fn(&str) -> Option<String> + use<'a> {
        move |name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn colours_follow_the_environment() {
        use ColorSupport::{Ansi16, Ansi256, None, TrueColor};
        for (is_terminal, pairs, expected) in [
            (
                false,
                &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")][..],
                None,
            ),
            (
                true,
                &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")],
                TrueColor,
            ),
            (
                true,
                &[("TERM", "xterm-256color"), ("COLORTERM", "24bit")],
                TrueColor,
            ),
            (true, &[("TERM", "xterm-256color")], Ansi256),
            (true, &[("TERM", "tmux-256color")], Ansi256),
            (true, &[("TERM", "xterm-kitty")], TrueColor),
            (true, &[("TERM", "xterm-direct")], TrueColor),
            (true, &[("TERM", "xterm")], Ansi16),
            (true, &[("TERM", "linux")], Ansi16),
            (true, &[("TERM", "dumb"), ("COLORTERM", "truecolor")], None),
            (true, &[], None),
            (true, &[("TERM", "xterm"), ("NO_COLOR", "1")], None),
            (true, &[("TERM", "xterm"), ("NO_COLOR", "")], Ansi16),
            (
                true,
                &[
                    ("TERM", "screen"),
                    ("STY", "1.pts"),
                    ("COLORTERM", "truecolor"),
                ],
                Ansi256,
            ),
        ] {
            assert_eq!(
                color_support_of(is_terminal, environment(pairs)),
                expected,
                "{pairs:?}"
            );
        }
    }

    #[cfg(not(windows))]
    #[test]
    fn signs_follow_the_locale() {
        use GlyphSet::{Ascii, Unicode};
        for (pairs, expected) in [
            (&[("LANG", "en_US.UTF-8")][..], Unicode),
            (&[("LANG", "C.utf8")], Unicode),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")], Ascii),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "")], Unicode),
            (
                &[("LANG", "de_DE.ISO-8859-1"), ("LC_CTYPE", "de_DE.UTF-8")],
                Unicode,
            ),
            (&[("LANG", "C")], Ascii),
            (&[], Ascii),
            (&[("LANG", "en_US.UTF-8"), ("TERM", "linux")], Ascii),
        ] {
            assert_eq!(glyph_set_of(environment(pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn ground_follows_colorfgbg() {
        for (value, expected) in [
            ("0;15", Some(Background::Light)),
            ("0;default;15", Some(Background::Light)),
            ("15;0", Some(Background::Dark)),
            ("15;default", None),
            ("", None),
        ] {
            assert_eq!(
                background_of(environment(&[("COLORFGBG", value)])),
                expected,
                "{value}"
            );
        }
        assert_eq!(background_of(environment(&[])), None);
    }

    #[test]
    fn contrast_is_that_of_the_guidelines() {
        let (black, white) = ([0; 3], [u16::MAX; 3]);
        assert!((contrast_of(black, white) - 21.0).abs() < 0.01);
        assert!((contrast_of(white, white) - 1.0).abs() < 0.01);
    }
}
