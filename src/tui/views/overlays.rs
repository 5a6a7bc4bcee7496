//! What lies over the panes.

mod explain;
mod export;
mod fix;
mod question;
mod way;

use ngf_ui::{
    Label, Role, ScrollState, Theme,
    widgets::{
        help::{Help, Section},
        overlay::Overlay as Frame,
        palette::Palette,
        textview::TextView,
    },
};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    widgets::{StatefulWidget, Widget},
};

use super::{palette, screen};
use crate::tui::state::{App, HelpPane, Overlay, filter::Filter};

/// Widest content of an overlay that is text, in cells: longer lines are hard to read.
const WIDEST: u16 = 96;

/// Draws what lies over the panes, if anything; where the cursor belongs, if somewhere.
pub(super) fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let mut overlay = app.overlay.take()?;
    let mut cursor = None;
    match &mut overlay {
        Overlay::Help(pane) => help(app, pane, area, buffer),
        Overlay::Palette(state) => {
            let commands = palette::entries(app);
            let words = palette::without_match(app, state.prompt.text());
            let palette = Palette::new("Command", &commands, &app.theme).empty(&words);
            (&palette).render(area, buffer, state);
            cursor = Some(palette.cursor(area, state));
        }
        Overlay::Export(list) => export::draw(app, list, area, buffer),
        Overlay::Via(list) => way::draw(app, list, area, buffer),
        Overlay::Question(asked) => question::draw(asked, &app.theme, area, buffer),
        Overlay::Explain(code, scroll) => explain::draw(*code, scroll, &app.theme, area, buffer),
        Overlay::Fix(dialog) => fix::draw(dialog, &app.theme, area, buffer),
        Overlay::Quit => quit(&app.theme, area, buffer),
        Overlay::Filter(..) => {}
    }
    app.overlay = Some(overlay);
    cursor
}

/// All keys, or those that were searched for.
fn help(app: &App, pane: &mut HelpPane, area: Rect, buffer: &mut Buffer) {
    let search = pane.search.text();
    let mut sections = screen::help_sections(app, &Filter::of(search));
    if sections.is_empty() {
        sections.push(Section::new("Nothing matches the search."));
    }
    let title = if pane.is_typing || !search.is_empty() {
        format!("Keys  /{search}{}", if pane.is_typing { "_" } else { "" })
    } else {
        "Keys".to_owned()
    };
    let bottom = if pane.is_typing {
        keys(&[("enter", "keep"), ("esc", "all keys")])
    } else {
        keys(&[("/", "search"), ("esc", "back")])
    };
    Help::new(&title, &sections, &app.theme)
        .bottom(bottom)
        .render(area, buffer, &mut pane.scroll);
}

/// Temporary resources are in the cluster: quit?
fn quit(theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let lines = [
        Label::from("Probes are running with temporary resources in the cluster."),
        Label::from("Quitting ends the probes and removes the resources first."),
        Label::new(),
        Label::of(Role::Warning, "Quit?"),
    ];
    text(
        Label::from("Temporary resources"),
        &lines,
        keys(&[("y enter", "quit"), ("n esc", "stay")]),
        &mut ScrollState::default(),
        theme,
        area,
        buffer,
    );
}

/// Keys and what they do, for the lower edge.
fn keys(keys: &[(&'static str, &'static str)]) -> Label {
    let mut label = Label::new();
    for (index, (key, words)) in keys.iter().enumerate() {
        if index > 0 {
            label.push(Role::Muted, "  ");
        }
        label.push(Role::Key, *key);
        label.push(Role::Muted, format!(" {words}"));
    }
    label
}

/// A framed text, as high as it needs to be.
fn text(
    title: Label,
    lines: &[Label],
    bottom: Label,
    scroll: &mut ScrollState,
    theme: &Theme,
    area: Rect,
    buffer: &mut Buffer,
) {
    let width = WIDEST.min(area.width.saturating_sub(4));
    let view = TextView::new(lines, theme);
    let height = u16::try_from(view.height(width)).unwrap_or(u16::MAX);
    let frame = Frame::new(title, width, height, theme).bottom(bottom);
    (&frame).render(area, buffer);
    StatefulWidget::render(&view, frame.inner(area), buffer, scroll);
}
