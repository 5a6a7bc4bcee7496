//! How each role looks: with modifiers only, in sixteen colours, and in the hues of a palette.

use ratatui::style::{Color, Modifier, Style};

use super::{Background, Role};

/// Modifiers only. NO_COLOR asks for no colour; bold, dim and reverse stay.
pub(super) fn modifiers(role: Role) -> Style {
    let style = Style::new();
    match role {
        Role::Strong | Role::Title | Role::Focus | Role::Accent | Role::Key | Role::Error => {
            style.add_modifier(Modifier::BOLD)
        }
        Role::Muted | Role::Border | Role::Lane => style.add_modifier(Modifier::DIM),
        Role::Selected => style.add_modifier(Modifier::REVERSED),
        Role::SelectedElsewhere | Role::Match => style.add_modifier(Modifier::UNDERLINED),
        Role::Normal | Role::Ok | Role::Warning | Role::Unknown | Role::Evidence | Role::Bar => {
            style
        }
    }
}

/// Named colours: readable on the terminal's own theme, dark or light, so neither black nor white.
pub(super) fn ansi16(role: Role) -> Style {
    let style = Style::new();
    let bold = Modifier::BOLD;
    match role {
        Role::Normal | Role::Bar => style,
        Role::Strong | Role::Title => style.add_modifier(bold),
        Role::Muted | Role::Border | Role::Lane => style.fg(Color::DarkGray),
        Role::Focus | Role::Accent => style.fg(Color::Cyan),
        Role::Selected => style.add_modifier(Modifier::REVERSED),
        Role::SelectedElsewhere => style.add_modifier(Modifier::UNDERLINED),
        Role::Ok => style.fg(Color::Green),
        Role::Warning => style.fg(Color::Yellow),
        Role::Error => style.fg(Color::Red).add_modifier(bold),
        Role::Unknown | Role::Evidence => style.fg(Color::Magenta),
        Role::Key => style.fg(Color::Cyan).add_modifier(bold),
        Role::Match => style.add_modifier(Modifier::UNDERLINED).add_modifier(bold),
    }
}

/// The hues of one palette. Text itself is the terminal's own.
pub(super) struct Tints {
    muted: Color,
    faint: Color,
    selected: Color,
    selected_elsewhere: Color,
    blue: Color,
    green: Color,
    yellow: Color,
    red: Color,
    purple: Color,
    sand: Color,
}

impl Tints {
    /// The ground is the terminal's own, so every hue keeps a contrast of at least 4.5 to 1
    /// (frames 2 to 1) against black-blue and white grounds respectively.
    pub(super) const fn true_color(background: Background) -> Self {
        match background {
            Background::Dark => Self {
                muted: Color::Rgb(0x8a, 0x96, 0xab),
                faint: Color::Rgb(0x55, 0x60, 0x76),
                selected: Color::Rgb(0x28, 0x3a, 0x5c),
                selected_elsewhere: Color::Rgb(0x22, 0x29, 0x38),
                blue: Color::Rgb(0x6c, 0xb6, 0xff),
                green: Color::Rgb(0x5f, 0xd3, 0x8d),
                yellow: Color::Rgb(0xf2, 0xc0, 0x5c),
                red: Color::Rgb(0xff, 0x7b, 0x7b),
                purple: Color::Rgb(0xc3, 0x9b, 0xf5),
                sand: Color::Rgb(0xd9, 0xc3, 0x9a),
            },
            Background::Light => Self {
                muted: Color::Rgb(0x5d, 0x67, 0x78),
                faint: Color::Rgb(0xa2, 0xab, 0xb9),
                selected: Color::Rgb(0xcf, 0xe0, 0xfa),
                selected_elsewhere: Color::Rgb(0xe4, 0xe8, 0xef),
                blue: Color::Rgb(0x0b, 0x5f, 0xc4),
                green: Color::Rgb(0x14, 0x74, 0x3c),
                yellow: Color::Rgb(0x8a, 0x5a, 0x00),
                red: Color::Rgb(0xbf, 0x1f, 0x2c),
                purple: Color::Rgb(0x6f, 0x3c, 0xb5),
                sand: Color::Rgb(0x6b, 0x55, 0x2a),
            },
        }
    }

    /// The sixteen-times-sixteen hues that stand out most; the indexed palette has them, too.
    pub(super) const fn high_contrast(background: Background) -> Self {
        match background {
            Background::Dark => Self {
                muted: Color::Indexed(255),
                faint: Color::Indexed(250),
                selected: Color::Indexed(18),
                selected_elsewhere: Color::Indexed(236),
                blue: Color::Indexed(159),
                green: Color::Indexed(120),
                yellow: Color::Indexed(227),
                red: Color::Indexed(217),
                purple: Color::Indexed(219),
                sand: Color::Indexed(230),
            },
            Background::Light => Self {
                muted: Color::Indexed(232),
                faint: Color::Indexed(239),
                selected: Color::Indexed(195),
                selected_elsewhere: Color::Indexed(254),
                blue: Color::Indexed(18),
                green: Color::Indexed(22),
                yellow: Color::Indexed(52),
                red: Color::Indexed(88),
                purple: Color::Indexed(54),
                sand: Color::Indexed(235),
            },
        }
    }

    /// The nearest of the 240 fixed colours of the indexed palette.
    pub(super) const fn indexed(background: Background) -> Self {
        match background {
            Background::Dark => Self {
                muted: Color::Indexed(245),
                faint: Color::Indexed(240),
                selected: Color::Indexed(24),
                selected_elsewhere: Color::Indexed(236),
                blue: Color::Indexed(75),
                green: Color::Indexed(78),
                yellow: Color::Indexed(221),
                red: Color::Indexed(210),
                purple: Color::Indexed(141),
                sand: Color::Indexed(180),
            },
            Background::Light => Self {
                muted: Color::Indexed(241),
                faint: Color::Indexed(248),
                selected: Color::Indexed(153),
                selected_elsewhere: Color::Indexed(254),
                blue: Color::Indexed(25),
                green: Color::Indexed(22),
                yellow: Color::Indexed(94),
                red: Color::Indexed(124),
                purple: Color::Indexed(55),
                sand: Color::Indexed(58),
            },
        }
    }
}

pub(super) fn tinted(role: Role, tints: &Tints) -> Style {
    let style = Style::new();
    let bold = Modifier::BOLD;
    match role {
        Role::Normal | Role::Bar => style,
        Role::Muted => style.fg(tints.muted),
        Role::Strong | Role::Title => style.add_modifier(bold),
        Role::Border | Role::Lane => style.fg(tints.faint),
        Role::Focus | Role::Accent => style.fg(tints.blue),
        Role::Selected => style.bg(tints.selected).add_modifier(bold),
        Role::SelectedElsewhere => style.bg(tints.selected_elsewhere),
        Role::Ok => style.fg(tints.green),
        Role::Warning => style.fg(tints.yellow),
        Role::Error => style.fg(tints.red).add_modifier(bold),
        Role::Unknown => style.fg(tints.purple),
        Role::Key => style.fg(tints.blue).add_modifier(bold),
        Role::Evidence => style.fg(tints.sand),
        Role::Match => style.add_modifier(Modifier::UNDERLINED).add_modifier(bold),
    }
}
