//! A list of commands over the screen, narrowed down by what is typed.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::widgets::{StatefulWidget, Widget};

use super::overlay::Overlay;
use super::prompt::{Prompt, PromptState};
use super::tree::select;
use crate::golden;
use crate::scroll::{ListState, beside_scrollbar, draw_scrollbar};
use crate::text::{Label, draw_label, draw_right, line_of};
use crate::theme::{Role, Theme};

/// Content size, in cells.
const SIZE: (u16, u16) = (72, 16);

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What is typed.
    pub name: String,
    /// Other names that mean the same.
    pub aliases: Vec<String>,
    /// What it does.
    pub words: String,
    /// Its key as printed, if it has one.
    pub key: String,
}

impl Command {
    /// A command.
    pub fn new(name: impl Into<String>, words: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            aliases: Vec::new(),
            words: words.into(),
            key: key.into(),
        }
    }
}

impl Command {
    /// The same with other names.
    #[must_use]
    pub fn aliases(mut self, aliases: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.aliases = aliases.into_iter().map(Into::into).collect();
        self
    }

    /// How what was typed fits one of the names, at best.
    fn fit(&self, typed: &str) -> Option<Fit> {
        let typed = typed.to_lowercase();
        let names = std::iter::once(&self.name).chain(&self.aliases);
        let fits = names.filter_map(|name| {
            let name = name.to_lowercase();
            let starts_word = |at: &usize| !name[..*at].ends_with(char::is_alphanumeric);
            let mut places = name.match_indices(&typed).map(|(at, _)| at);
            match places.find(starts_word) {
                _ if name == typed => Some(Fit::Exact),
                Some(0) => Some(Fit::Prefix),
                Some(_) => Some(Fit::Word),
                None => None,
            }
        });
        fits.min()
    }
}

/// How well what was typed fits a name, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It is the name.
    Exact,
    /// The name begins with it.
    Prefix,
    /// A later word of the name begins with it.
    Word,
    /// The name has its characters in their order. Such a command is offered, and not run unless it is
    /// selected.
    Fuzzy,
}

/// A command that matches what was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Its place in the list of all commands.
    pub index: usize,
    /// How it fits.
    pub fit: Fit,
    /// How well it matches; higher is better.
    pub score: i64,
    /// Which characters of its name matched, by number.
    pub characters: Vec<usize>,
}

/// The commands that match, the best first. All of them, in their order, if nothing was typed.
///
/// An exact name or alias comes before the beginning of one, that before the beginning of a later word, and that
/// before characters in their order. What describes a command is not searched: it would run what nobody meant.
pub fn matches(typed: &str, commands: &[Command]) -> Vec<Match> {
    let typed = typed.trim();
    let mut found: Vec<Match> = commands
        .iter()
        .enumerate()
        .filter_map(|(index, command)| {
            let scored = score(typed, &command.name);
            let fit = match (command.fit(typed), &scored) {
                _ if typed.is_empty() => Fit::Exact,
                (Some(fit), _) => fit,
                (None, Some(_)) => Fit::Fuzzy,
                (None, None) => return None,
            };
            let (score, characters) = scored.unwrap_or_default();
            Some(Match {
                index,
                fit,
                score,
                characters,
            })
        })
        .collect();
    found.sort_by_key(|found| (found.fit, std::cmp::Reverse(found.score)));
    found
}

/// How well `name` matches, and which of its characters do.
fn score(typed: &str, name: &str) -> Option<(i64, Vec<usize>)> {
    let name: Vec<char> = name.chars().collect();
    let lower = |c: char| c.to_lowercase().next().unwrap_or(c);
    let starts_word = |at: usize| at == 0 || !name[at - 1].is_alphanumeric();
    let mut best: Option<(i64, Vec<usize>)> = None;
    let typed: Vec<char> = typed
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(lower)
        .collect();
    let Some(first) = typed.first() else {
        return Some((0, Vec::new()));
    };
    // Each place where the first character stands is tried, and the best way kept.
    for start in (0..name.len()).filter(|at| lower(name[*at]) == *first) {
        let mut places: Vec<usize> = Vec::new();
        let mut score = 0;
        let mut at = start;
        for wanted in &typed {
            let rest = at..name.len();
            let next = rest.clone().find(|at| lower(name[*at]) == *wanted);
            let Some(plain) = next else { break };
            // The start of a word is worth a jump, unless the run continues right here.
            let place = if plain == at {
                plain
            } else {
                let word = rest
                    .into_iter()
                    .find(|at| starts_word(*at) && lower(name[*at]) == *wanted);
                word.unwrap_or(plain)
            };
            let runs_on = places.last().is_some_and(|last| last + 1 == place);
            score += 1 + i64::from(runs_on) * 6 + i64::from(starts_word(place)) * 5;
            at = place + 1;
            places.push(place);
        }
        if places.len() < typed.len() {
            continue;
        }
        // Early and in short names is better.
        score = score * 100 - (start * 10 + name.len()).min(99_999).cast_signed() as i64;
        if best.as_ref().is_none_or(|(other, _)| score > *other) {
            best = Some((score, places));
        }
    }
    best
}

/// What was typed, and which command is selected.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PaletteState {
    /// What was typed.
    pub prompt: PromptState,
    /// Selection among the matching commands.
    pub list: ListState,
    /// A person moved the selection since they typed.
    pub is_chosen: bool,
}

impl PaletteState {
    /// The place of the selected command in the list of all commands.
    pub fn selected(&self, commands: &[Command]) -> Option<usize> {
        let found = matches(self.prompt.text(), commands);
        self.list
            .selected(found.len())
            .map(|selected| found[selected].index)
    }
}

impl PaletteState {
    /// The place of the command that Enter runs: one whose name fits, or one that was selected. A word that
    /// fits no name runs nothing.
    pub fn runs(&self, commands: &[Command]) -> Option<usize> {
        let found = matches(self.prompt.text(), commands);
        let selected = &found[self.list.selected(found.len())?];
        (self.is_chosen || selected.fit < Fit::Fuzzy).then_some(selected.index)
    }
}

/// Draws the palette over the screen.
#[derive(Clone, Copy, Debug)]
pub struct Palette<'a> {
    title: &'a str,
    commands: &'a [Command],
    theme: &'a Theme,
    empty: &'a str,
}

impl<'a> Palette<'a> {
    /// These commands.
    pub const fn new(title: &'a str, commands: &'a [Command], theme: &'a Theme) -> Self {
        Self {
            title,
            commands,
            theme,
            empty: "",
        }
    }

    /// What to say where no command matches.
    #[must_use]
    pub const fn empty(mut self, words: &'a str) -> Self {
        self.empty = words;
        self
    }

    fn overlay(&self, screen: Rect) -> Overlay<'a> {
        let width = SIZE.0.min(screen.width.saturating_sub(6));
        Overlay::new(self.title.to_owned(), width, SIZE.1, self.theme)
    }

    /// Where the terminal's cursor belongs.
    pub fn cursor(&self, screen: Rect, state: &PaletteState) -> Position {
        let inner = self.overlay(screen).inner(screen);
        let cursor = Prompt::new(": ", &state.prompt, self.theme).cursor(inner);
        Position {
            x: cursor.x.min(screen.right().saturating_sub(1)),
            y: cursor.y.min(screen.bottom().saturating_sub(1)),
        }
    }

    /// The matching commands in words.
    pub fn to_text(&self, typed: &str, width: u16) -> Vec<String> {
        let found = matches(typed, self.commands);
        golden::paged(width, found.len(), |first, area, buffer| {
            for (y, found) in (area.top()..area.bottom()).zip(&found[first..]) {
                self.draw_match(found, line_of(area, y), buffer);
            }
        })
    }

    fn draw_match(&self, found: &Match, area: Rect, buffer: &mut Buffer) {
        let command = &self.commands[found.index];
        let key = Label::of(Role::Key, command.key.clone());
        let used = draw_right(&key, area, buffer, self.theme);
        let room = area.width.saturating_sub(used + u16::from(used > 0) * 2);
        let widest = self
            .commands
            .iter()
            .map(|c| crate::text::width(&c.name))
            .max()
            .unwrap_or(0);
        let names = (widest as u16).min(room / 2).max(room.min(8));
        let name_area = Rect {
            width: names,
            ..area
        };
        let name = Label::of(Role::Strong, command.name.clone());
        draw_label(&name, name_area, buffer, self.theme, Style::new());
        let name: Vec<char> = command.name.chars().collect();
        for at in &found.characters {
            let before: String = name[..*at].iter().collect();
            let x = crate::text::width(&before) as u16;
            let cells = crate::text::width(&name[*at].to_string()) as u16;
            if x + cells <= names {
                let place = Rect {
                    x: area.x + x,
                    width: cells,
                    ..area
                };
                buffer.set_style(place, self.theme.style(Role::Match));
            }
        }
        let words = Label::of(Role::Muted, command.words.clone());
        let x = area.x + names + 2;
        let place = Rect {
            x,
            width: room.saturating_sub(names + 2),
            ..area
        };
        draw_label(&words, place, buffer, self.theme, Style::new());
    }
}

impl StatefulWidget for &Palette<'_> {
    type State = PaletteState;

    fn render(self, screen: Rect, buffer: &mut Buffer, state: &mut PaletteState) {
        let screen = screen.intersection(buffer.area);
        let overlay = self.overlay(screen);
        overlay.render(screen, buffer);
        let inner = overlay.inner(screen).intersection(buffer.area);
        if inner.is_empty() {
            return;
        }
        let found = matches(state.prompt.text(), self.commands);
        let count = format!("{} of {}", found.len(), self.commands.len());
        Prompt::new(": ", &state.prompt, self.theme)
            .placeholder("type a name: routes, gw, cert, ep, probe")
            .right(&count)
            .render(inner, buffer);
        let list = Rect {
            y: inner.y + 1,
            height: inner.height - 1,
            ..inner
        };
        if found.is_empty() && list.height > 0 {
            let words = Label::of(Role::Muted, self.empty.to_owned());
            draw_label(
                &words,
                line_of(list, list.y),
                buffer,
                self.theme,
                Style::new(),
            );
        }
        state.list.fit(found.len(), usize::from(list.height));
        let rows = beside_scrollbar(found.len(), list);
        for (y, index) in (rows.top()..rows.bottom()).zip(state.list.offset..found.len()) {
            let line = line_of(rows, y);
            self.draw_match(&found[index], line, buffer);
            if index == state.list.selected {
                select(line, true, buffer, self.theme);
            }
        }
        draw_scrollbar(found.len(), state.list.offset, list, buffer, self.theme);
    }
}
