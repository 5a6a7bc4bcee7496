//! The list of the samples, and how each is drawn.

use ngf_ui::text::cut;
use ngf_ui::widgets::bar::{Bar, sparkline};
use ngf_ui::widgets::bars::Footer;
use ngf_ui::widgets::chain::Chain;
use ngf_ui::widgets::entries::Entries;
use ngf_ui::widgets::fields::Fields;
use ngf_ui::widgets::findings::Findings;
use ngf_ui::widgets::help::Help;
use ngf_ui::widgets::matrix::{Matrix, MatrixState, Widths};
use ngf_ui::widgets::overlay::Overlay;
use ngf_ui::widgets::palette::{Palette, PaletteState};
use ngf_ui::widgets::panel::Panel;
use ngf_ui::widgets::prompt::{Prompt, PromptState};
use ngf_ui::widgets::sequence::Sequence;
use ngf_ui::widgets::table::Table;
use ngf_ui::widgets::tabs::Tabs;
use ngf_ui::widgets::textview::TextView;
use ngf_ui::widgets::timeline::Timeline;
use ngf_ui::widgets::tree::Tree;
use ngf_ui::{Label, ListState, Mark, ScrollState, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{StatefulWidget, Widget};

use super::contents::{
    chain, columns, commands, entries, fields, findings, four_lanes, header, hints, sections,
    sequence, table, tabs, text, timeline, tree, wrapped_columns,
};

/// One widget with content.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    /// Draws it with its state somewhere in the middle. `words` turns each text of the content
    /// into another one.
    pub(crate) draw: fn(&Theme, Words, Rect, &mut Buffer),
    /// The same in words.
    pub(crate) text: fn(&Theme, Words, u16) -> Vec<String>,
}

/// Turns the texts of a sample into others.
pub(crate) type Words = fn(&'static str) -> String;

/// Leaves texts as they are.
pub(crate) fn as_written(text: &'static str) -> String {
    text.to_owned()
}

pub(crate) const SAMPLES: &[Sample] = &[
    Sample {
        name: "tree",
        draw: draw_tree,
        text: text_tree,
    },
    Sample {
        name: "table",
        draw: draw_table,
        text: text_table,
    },
    Sample {
        name: "table-wrapped",
        draw: draw_wrapped_table,
        text: text_wrapped_table,
    },
    Sample {
        name: "matrix",
        draw: draw_matrix,
        text: text_matrix,
    },
    Sample {
        name: "tabs",
        draw: draw_tabs,
        text: text_tabs,
    },
    Sample {
        name: "bars",
        draw: draw_bars,
        text: text_bars,
    },
    Sample {
        name: "text",
        draw: draw_text,
        text: text_text,
    },
    Sample {
        name: "fields",
        draw: draw_fields,
        text: text_fields,
    },
    Sample {
        name: "prompt",
        draw: draw_prompt,
        text: text_prompt,
    },
    Sample {
        name: "palette",
        draw: draw_palette,
        text: text_palette,
    },
    Sample {
        name: "help",
        draw: draw_help,
        text: text_help,
    },
    Sample {
        name: "entries",
        draw: draw_entries,
        text: text_entries,
    },
    Sample {
        name: "overlay",
        draw: draw_overlay,
        text: text_fields,
    },
    Sample {
        name: "findings",
        draw: draw_findings,
        text: text_findings,
    },
    Sample {
        name: "sequence",
        draw: draw_sequence,
        text: text_sequence,
    },
    Sample {
        name: "sequence-four-lanes",
        draw: draw_four_lanes,
        text: text_four_lanes,
    },
    Sample {
        name: "chain",
        draw: draw_chain,
        text: text_chain,
    },
    Sample {
        name: "bar",
        draw: draw_bar,
        text: text_bar,
    },
    Sample {
        name: "timeline",
        draw: draw_timeline,
        text: text_timeline,
    },
];

/// Finds a text, upper and lower case alike.
fn finder(wanted: String) -> impl Fn(&str) -> Vec<std::ops::Range<usize>> {
    move |text| {
        let text = text.to_lowercase();
        let places = text.match_indices(&wanted);
        places.map(|(at, found)| at..at + found.len()).collect()
    }
}

fn draw_tree(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let panel = Panel::new("Tree", theme)
        .focused(true)
        .right(words("11 of 11"));
    panel.render(area, buffer);
    let rows = tree(words);
    let find = finder(words("secure"));
    let tree = Tree::new(&rows, theme).found(&find);
    tree.render(Panel::inner(area), buffer, &mut ListState::at(5));
}

fn text_tree(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Tree::new(&tree(words), theme).to_text(width)
}

fn draw_table(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let (rows, columns) = (table(words), columns());
    Table::new(&columns, &rows, theme)
        .marks()
        .render(area, buffer, &mut ListState::at(2));
}

fn text_table(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Table::new(&columns(), &table(words), theme)
        .marks()
        .to_text(width)
}

fn draw_wrapped_table(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let (rows, columns) = (table(words), wrapped_columns());
    let find = finder(words("gateway"));
    let table = Table::new(&columns, &rows, theme)
        .marks()
        .focused(false)
        .found(&find);
    table.render(area, buffer, &mut ListState::at(2));
}

fn text_wrapped_table(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Table::new(&wrapped_columns(), &table(words), theme)
        .marks()
        .to_text(width)
}

fn with_matrix<T>(theme: &Theme, words: Words, use_it: impl FnOnce(&Matrix<'_>) -> T) -> T {
    let columns: Vec<Label> = ["2h4kq", "7xw9d", "b5mzn", "k8r2v"]
        .map(|name| Label::from(words(name)))
        .to_vec();
    let heading = |row: usize| Label::from(words("10.244.0.12:8443")).text(format!(" {row}"));
    let cell = |row: usize, column: usize, _: usize| {
        let mark = if row == column {
            Mark::Failed
        } else {
            Mark::Ok
        };
        Label::new()
            .mark(mark, theme)
            .text(" ")
            .text(words("1.20 ms"))
    };
    let widths = Widths {
        heading: 18,
        least: 9,
        most: 12,
    };
    use_it(&Matrix::new(&columns, 9, &heading, &cell, widths, theme))
}

fn draw_matrix(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let mut state = MatrixState {
        rows: ListState::at(4),
        columns: ListState::at(3),
    };
    with_matrix(theme, words, |matrix| {
        matrix.render(area, buffer, &mut state);
    });
}

fn text_matrix(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    with_matrix(theme, words, |matrix| matrix.to_text(width))
}

fn draw_tabs(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let tabs = tabs(words);
    for (y, selected) in (area.top()..area.bottom()).zip(0..tabs.len()) {
        Tabs::new(&tabs, selected, theme).render(
            Rect {
                y,
                height: 1,
                ..area
            },
            buffer,
        );
    }
}

fn text_tabs(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Tabs::new(&tabs(words), 2, theme).to_text(width)
}

fn draw_bars(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    header(theme, words).render(
        Rect {
            height: area.height.min(1),
            ..area
        },
        buffer,
    );
    if area.height > 1 {
        let bottom = Rect {
            y: area.bottom() - 1,
            height: 1,
            ..area
        };
        Footer::new(&hints(words), theme).render(bottom, buffer);
    }
}

fn text_bars(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    let mut text = header(theme, words).to_text(width);
    text.extend(Footer::new(&hints(words), theme).to_text(width));
    text
}

fn draw_text(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let mut state = ScrollState {
        offset: 1,
        ..ScrollState::default()
    };
    StatefulWidget::render(
        &TextView::new(&text(words), theme),
        area,
        buffer,
        &mut state,
    );
}

fn text_text(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    TextView::new(&text(words), theme).to_text(width)
}

fn draw_fields(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let fields = fields(words);
    let mut state = ScrollState::default();
    StatefulWidget::render(&Fields::new(&fields, theme), area, buffer, &mut state);
}

fn text_fields(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Fields::new(&fields(words), theme).to_text(width)
}

fn draw_overlay(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    draw_tree(theme, words, area, buffer);
    let fields = fields(words);
    let fields = Fields::new(&fields, theme);
    let overlay = Overlay::new(words("3 ClientHello"), 50, fields.height(50) as u16, theme)
        .bottom(words("esc close"));
    overlay.render(area, buffer);
    StatefulWidget::render(
        &fields,
        overlay.inner(area),
        buffer,
        &mut ScrollState::default(),
    );
}

fn draw_prompt(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let states = [
        PromptState::default(),
        PromptState::with(&words("secure-app or something longer than the line")),
    ];
    for (y, state) in (area.top()..area.bottom()).zip(&states) {
        let prompt = Prompt::new("/", state, theme)
            .placeholder("type to filter")
            .right("3 of 41");
        let line = Rect {
            y,
            height: 1,
            ..area
        };
        prompt.render(line, buffer);
        let cursor = prompt.cursor(line);
        assert!(area.contains(cursor) || area.is_empty());
    }
}

fn text_prompt(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Prompt::new("/", &PromptState::with(&words("secure")), theme).to_text(width)
}

fn draw_palette(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    draw_tree(theme, words, area, buffer);
    let mut state = PaletteState {
        prompt: PromptState::with("pa"),
        ..PaletteState::default()
    };
    let commands = commands(words);
    let palette = Palette::new("Commands", &commands, theme);
    palette.render(area, buffer, &mut state);
    let cursor = palette.cursor(area, &state);
    assert!(
        area.contains(cursor) || area.is_empty(),
        "{cursor} in {area}"
    );
}

fn text_palette(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Palette::new("Commands", &commands(words), theme).to_text("", width)
}

fn draw_help(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    draw_tree(theme, words, area, buffer);
    Help::new("Keys", &sections(words), theme).render(area, buffer, &mut ScrollState::default());
}

fn text_help(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Help::new("Keys", &sections(words), theme).to_text(width)
}

fn draw_entries(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let make = |width: u16, _| entries(theme, words, width);
    let mut state = ListState::at(1);
    Entries::new(&make, theme).render(area, buffer, &mut state);
}

fn text_entries(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    let make = |width: u16, _| entries(theme, words, width);
    Entries::new(&make, theme).to_text(width)
}

fn draw_findings(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let panel = Panel::new("Causes", theme).focused(true);
    panel.render(area, buffer);
    let findings = findings(words);
    let findings = Findings::new(&findings, theme);
    findings.render(Panel::inner(area), buffer, &mut ListState::default());
}

fn text_findings(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Findings::new(&findings(words), theme).to_text(width)
}

fn draw_sequence(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let diagram = sequence(words);
    StatefulWidget::render(
        &Sequence::new(&diagram, theme),
        area,
        buffer,
        &mut ListState::at(7),
    );
}

fn text_sequence(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Sequence::new(&sequence(words), theme).to_text(width)
}

fn draw_four_lanes(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let diagram = four_lanes(words);
    StatefulWidget::render(
        &Sequence::new(&diagram, theme),
        area,
        buffer,
        &mut ListState::at(0),
    );
}

fn text_four_lanes(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Sequence::new(&four_lanes(words), theme).to_text(width)
}

fn draw_chain(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let argument = chain(words);
    let mut state = ScrollState::default();
    StatefulWidget::render(&Chain::new(&argument, theme), area, buffer, &mut state);
}

fn text_chain(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Chain::new(&chain(words), theme).to_text(width)
}

fn draw_bar(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let bars = [
        Bar::percent(0.0, Mark::Failed),
        Bar::new(0.12, Mark::Warning, words("6d 4h of 90d")),
        Bar::new(0.68, Mark::Ok, words("61d of 90d")),
    ];
    for (y, bar) in (area.top()..area.bottom()).zip(&bars) {
        bar.draw(
            Rect {
                y,
                height: 1,
                ..area
            },
            buffer,
            theme,
        );
    }
}

fn text_bar(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    let values = [Some(3), Some(4), None, Some(9), Some(4), Some(0)];
    let bar = Bar::new(0.68, Mark::Ok, words("61d of 90d")).to_text(theme);
    let cells = usize::from(width);
    let fit = |text: &str| cut(text, cells, theme.glyphs.ellipsis);
    vec![fit(&bar), fit(&sparkline(&values, theme.glyphs))]
}

fn draw_timeline(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let axis = timeline(words);
    let mut state = ScrollState::default();
    StatefulWidget::render(&Timeline::new(&axis, theme), area, buffer, &mut state);
}

fn text_timeline(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Timeline::new(&timeline(words), theme).to_text(width)
}
