//! What a piece of text means, and how that looks: semantic roles to styles.
//!
//! Widgets and views speak of a [`Role`] or a [`Mark`], never of a colour. A [`Theme`] turns them
//! into styles that the terminal can show, down to none but bold, dim, underlined and reverse. Ordinary text and
//! the ground are the terminal's own.

mod styles;

use std::collections::BTreeMap;
use std::sync::Arc;

use ratatui::style::{Color, Style};

use crate::glyphs::{GlyphSet, Glyphs, WORDS};

use self::styles::{Tints, ansi16, modifiers, tinted};

/// How many colours the terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColorSupport {
    /// None: bold, dim, underlined and reverse only.
    None,
    /// The sixteen named colours, as the terminal's own theme defines them.
    Ansi16,
    /// The indexed palette.
    Ansi256,
    /// 24 bits.
    TrueColor,
}

/// How much text and ground differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Contrast {
    /// As is pleasant for long.
    #[default]
    Usual,
    /// As much as there can be: at least 7 to 1, and nothing is dimmed.
    High,
}

/// Whether the terminal's background is dark or light.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Background {
    /// Light text on dark ground; assumed when nothing is known.
    #[default]
    Dark,
    /// Dark text on light ground.
    Light,
}

/// What a piece of text is, for the one who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Role {
    /// Ordinary text.
    #[default]
    Normal,
    /// Ordinary text that weighs more.
    Strong,
    /// Secondary text: ages, counts, what never happened.
    Muted,
    /// Title of a pane, heading.
    Title,
    /// Frame of a pane.
    Border,
    /// Frame of the pane that has the keys.
    Focus,
    /// The selected row in the pane that has the keys. Laid over other roles.
    Selected,
    /// The selected row in a pane that does not have the keys. Laid over other roles.
    SelectedElsewhere,
    /// Good.
    Ok,
    /// Needs a look.
    Warning,
    /// Bad.
    Error,
    /// Not known.
    Unknown,
    /// What the eye should find: names, the active tab.
    Accent,
    /// A key to press.
    Key,
    /// Lifelines and connecting lines.
    Lane,
    /// Quoted evidence: log lines, values.
    Evidence,
    /// The part of a text that matches a filter. Laid over other roles.
    Match,
    /// Header and footer bars.
    Bar,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 18] = [
        Self::Normal,
        Self::Strong,
        Self::Muted,
        Self::Title,
        Self::Border,
        Self::Focus,
        Self::Selected,
        Self::SelectedElsewhere,
        Self::Ok,
        Self::Warning,
        Self::Error,
        Self::Unknown,
        Self::Accent,
        Self::Key,
        Self::Lane,
        Self::Evidence,
        Self::Match,
        Self::Bar,
    ];
}

/// A judgement: a sign and a role together, so that colour never speaks alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    /// Good, verified.
    Ok,
    /// Needs a look.
    Warning,
    /// Failed, broken.
    Failed,
    /// Not known.
    Unknown,
    /// Never happened, does not apply.
    Muted,
    /// A note.
    Info,
}

impl Mark {
    /// The role of a text with this mark.
    pub const fn role(self) -> Role {
        match self {
            Self::Ok => Role::Ok,
            Self::Warning => Role::Warning,
            Self::Failed => Role::Error,
            Self::Unknown => Role::Unknown,
            Self::Muted => Role::Muted,
            Self::Info => Role::Accent,
        }
    }

    /// The sign of this mark, one cell wide.
    pub const fn glyph(self, glyphs: &Glyphs) -> &'static str {
        match self {
            Self::Ok => glyphs.ok,
            Self::Warning => glyphs.warning,
            Self::Failed => glyphs.failed,
            Self::Unknown => glyphs.unknown,
            Self::Muted => glyphs.muted,
            Self::Info => glyphs.info,
        }
    }
}

/// Styles for every role, and the signs that go with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    /// How many colours the styles use.
    pub colors: ColorSupport,
    /// Which ground the colours were chosen for.
    pub background: Background,
    /// The signs.
    pub glyphs: &'static Glyphs,
    /// How much text and ground differ.
    pub contrast: Contrast,
    /// Styles that somebody chose instead of these, where the terminal has their colours.
    roles: Option<Arc<BTreeMap<Role, Style>>>,
}

impl Theme {
    /// A theme for a terminal of these abilities.
    pub const fn new(colors: ColorSupport, background: Background, glyphs: GlyphSet) -> Self {
        Self {
            colors,
            background,
            glyphs: glyphs.glyphs(),
            contrast: Contrast::Usual,
            roles: None,
        }
    }

    /// The same with another contrast.
    #[must_use]
    pub fn contrast(self, contrast: Contrast) -> Self {
        Self { contrast, ..self }
    }

    /// The same with other styles for some roles.
    #[must_use]
    pub fn roles(self, roles: BTreeMap<Role, Style>) -> Self {
        Self {
            roles: Some(Arc::new(roles)),
            ..self
        }
    }

    /// No colours, Unicode signs: for text output and tests.
    pub const fn plain() -> Self {
        Self::new(ColorSupport::None, Background::Dark, GlyphSet::Unicode)
    }

    /// No colours, ASCII, and words for signs: for text that is read aloud.
    pub fn words() -> Self {
        let ascii = Self::new(ColorSupport::None, Background::Dark, GlyphSet::Ascii);
        Self {
            glyphs: &WORDS,
            ..ascii
        }
    }

    /// The dark truecolor theme with Unicode signs: for pictures.
    pub const fn picture() -> Self {
        Self::new(ColorSupport::TrueColor, Background::Dark, GlyphSet::Unicode)
    }

    /// How text of this role looks.
    pub fn style(&self, role: Role) -> Style {
        let chosen = self.roles.as_ref().and_then(|roles| roles.get(&role));
        if let Some(style) = chosen.filter(|style| self.shows(style)) {
            return *style;
        }
        match (self.colors, self.contrast) {
            (ColorSupport::None, _) => modifiers(role),
            (ColorSupport::Ansi16, Contrast::Usual) => ansi16(role),
            // The dimmed grey is the one colour of the sixteen that may be hard to read.
            (ColorSupport::Ansi16, Contrast::High) => match role {
                Role::Muted | Role::Border | Role::Lane => Style::new(),
                role => ansi16(role),
            },
            (ColorSupport::Ansi256, Contrast::Usual) => {
                tinted(role, &Tints::indexed(self.background))
            }
            (ColorSupport::TrueColor, Contrast::Usual) => {
                tinted(role, &Tints::true_color(self.background))
            }
            (ColorSupport::Ansi256 | ColorSupport::TrueColor, Contrast::High) => {
                tinted(role, &Tints::high_contrast(self.background))
            }
        }
    }

    /// Whether the terminal has the colours of a style.
    fn shows(&self, style: &Style) -> bool {
        let colors = [style.fg, style.bg].into_iter().flatten();
        colors.map(needs).all(|needed| needed <= self.colors)
    }

    /// The sign of a mark.
    pub const fn sign(&self, mark: Mark) -> &'static str {
        mark.glyph(self.glyphs)
    }
}

/// The colours that a terminal must have to show this one.
pub fn needs(color: Color) -> ColorSupport {
    match color {
        Color::Reset => ColorSupport::None,
        Color::Rgb(..) => ColorSupport::TrueColor,
        Color::Indexed(_) => ColorSupport::Ansi256,
        _ => ColorSupport::Ansi16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_themes() -> Vec<Theme> {
        let mut themes = Vec::new();
        for colors in [
            ColorSupport::None,
            ColorSupport::Ansi16,
            ColorSupport::Ansi256,
            ColorSupport::TrueColor,
        ] {
            for background in [Background::Dark, Background::Light] {
                let theme = Theme::new(colors, background, GlyphSet::Unicode);
                themes.push(theme.clone());
                themes.push(theme.contrast(Contrast::High));
            }
        }
        themes
    }

    #[test]
    fn themes_use_no_more_colours_than_the_terminal_has() {
        for theme in all_themes() {
            for role in Role::ALL {
                let style = theme.style(role);
                for color in [style.fg, style.bg].into_iter().flatten() {
                    let needed = needs(color);
                    assert!(needed <= theme.colors, "{role:?} in {:?}", theme.colors);
                }
            }
        }
    }

    #[test]
    fn the_selection_is_seen_in_every_theme() {
        for theme in all_themes() {
            for role in [Role::Selected, Role::SelectedElsewhere, Role::Match] {
                assert_ne!(
                    theme.style(role),
                    Style::new(),
                    "{role:?} in {:?}",
                    theme.colors
                );
            }
        }
    }

    /// Relative luminance, WCAG 2.2.
    fn luminance(color: Color) -> f64 {
        let (red, green, blue) = match color {
            Color::Rgb(red, green, blue) => (red, green, blue),
            Color::Indexed(index @ 16..=231) => {
                let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
                let cube = index - 16;
                (level(cube / 36), level(cube / 6 % 6), level(cube % 6))
            }
            Color::Indexed(index @ 232..) => {
                let grey = 8 + 10 * (index - 232);
                (grey, grey, grey)
            }
            _ => panic!("{color} is what the terminal makes of it"),
        };
        let linear = |channel: u8| {
            let channel = f64::from(channel) / 255.0;
            if channel <= 0.040_45 {
                channel / 12.92
            } else {
                ((channel + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    fn contrast(one: Color, other: Color) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn truecolor_text_has_contrast_on_its_ground_and_on_the_selection() {
        for (background, ground) in [
            (Background::Dark, Color::Rgb(0x11, 0x15, 0x1d)),
            (Background::Light, Color::Rgb(0xff, 0xff, 0xff)),
        ] {
            let theme = Theme::new(ColorSupport::TrueColor, background, GlyphSet::Unicode);
            let selected = theme.style(Role::Selected).bg.unwrap();
            for role in Role::ALL {
                let Some(text) = theme.style(role).fg else {
                    continue;
                };
                let line = matches!(role, Role::Border | Role::Lane);
                let (least, least_selected) = if line { (2.0, 1.2) } else { (4.5, 3.5) };
                let (plain, marked) = (contrast(text, ground), contrast(text, selected));
                assert!(plain >= least, "{role:?} on {background:?}: {plain:.1}");
                assert!(
                    marked >= least_selected,
                    "{role:?} selected on {background:?}: {marked:.1}"
                );
            }
        }
    }

    #[test]
    fn high_contrast_is_high() {
        for (background, ground) in [
            (Background::Dark, Color::Rgb(0, 0, 0)),
            (Background::Light, Color::Rgb(0xff, 0xff, 0xff)),
        ] {
            let theme = Theme::new(ColorSupport::Ansi256, background, GlyphSet::Unicode)
                .contrast(Contrast::High);
            let selected = theme.style(Role::Selected).bg.unwrap();
            for role in Role::ALL {
                let Some(text) = theme.style(role).fg else {
                    continue;
                };
                for ground in [ground, selected] {
                    let found = contrast(text, ground);
                    assert!(found >= 7.0, "{role:?} on {background:?}: {found:.1}");
                }
            }
        }
    }

    #[test]
    fn ordinary_text_is_the_terminals_own() {
        for theme in all_themes() {
            for role in [Role::Normal, Role::Bar] {
                let style = theme.style(role);
                assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
            }
        }
    }

    #[test]
    fn chosen_styles_win_where_the_terminal_has_their_colours() {
        let chosen = Style::new().fg(Color::Rgb(1, 2, 3));
        let roles = BTreeMap::from([(Role::Error, chosen)]);
        let new =
            |colors| Theme::new(colors, Background::Dark, GlyphSet::Unicode).roles(roles.clone());
        assert_eq!(new(ColorSupport::TrueColor).style(Role::Error), chosen);
        assert_eq!(
            new(ColorSupport::Ansi16).style(Role::Error),
            ansi16(Role::Error)
        );
        assert_eq!(
            new(ColorSupport::TrueColor).style(Role::Ok),
            Theme::picture().style(Role::Ok)
        );
    }
}
