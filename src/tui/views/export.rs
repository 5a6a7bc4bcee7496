//! What the screen shows as a file: every view as text, the handshake as Mermaid and SVG, the chain as SVG. No key,
//! no token and no value of an environment variable goes with it.

use std::path::PathBuf;

use ngf_text::credentials::redact;
use ngf_ui::golden;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{chain, lists::heads, screen};
use crate::{
    diagram::{self, Story},
    tui::state::{
        App,
        ids::{ListId, ViewId},
        place::Place,
    },
};

/// Columns of an export as text.
pub const WIDTH: u16 = 120;
/// Most lines of an export as text.
const HIGHEST: u16 = 4_000;

/// What the screen can be exported as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text.
    Text,
    /// A Mermaid sequence diagram.
    Mermaid,
    /// SVG.
    Svg,
}

impl Format {
    /// The end of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Mermaid => "mmd",
            Self::Svg => "svg",
        }
    }

    /// What it is good for.
    pub fn words(self) -> &'static str {
        match self {
            Self::Text => "text: everything that this view shows, also below the screen",
            Self::Mermaid => "Mermaid: a sequence diagram for a ticket, a wiki or Markdown",
            Self::Svg => "SVG: a picture",
        }
    }
}

/// The formats of what is on the screen.
pub fn formats(app: &App) -> Vec<Format> {
    let is_page = matches!(app.place(), Place::Page(_) | Place::Step(_));
    let is_seen = app
        .shown_probe()
        .is_some_and(|shown| shown.probed.result.is_ok());
    match app.detail.view {
        ViewId::Handshake if is_page && is_seen => {
            vec![Format::Text, Format::Mermaid, Format::Svg]
        }
        ViewId::Chain if is_page => vec![Format::Text, Format::Svg],
        _ => vec![Format::Text],
    }
}

/// The file, in the folder that the program was started in.
pub fn path(app: &App, format: Format) -> PathBuf {
    let mut slug = String::new();
    for c in screen::trail(app).join("-").to_lowercase().chars() {
        match c {
            c if c.is_ascii_alphanumeric() => slug.push(c),
            _ if !slug.ends_with('-') && slug.len() < 80 => slug.push('-'),
            _ => {}
        }
    }
    let slug = slug.trim_matches('-');
    let at = app.now.strftime("%Y%m%dT%H%M%SZ");
    PathBuf::from(format!("ngf-tui-{slug}-{at}.{}", format.extension()))
}

/// The contents of the file.
///
/// # Errors
/// A sentence, where there is nothing to draw.
pub fn contents(app: &mut App, format: Format) -> Result<String, String> {
    match format {
        Format::Text => Ok(text(app)),
        Format::Svg if app.detail.view == ViewId::Chain => {
            let picture = chain::picture(app)?;
            let title = format!("ngf-tui: {}", picture.title);
            Ok(diagram::svg::chains(&[picture], &title))
        }
        Format::Mermaid | Format::Svg => {
            let shown = app.shown_probe().ok_or("no handshake has been run here")?;
            let transcript = shown.probed.result.as_ref().map_err(Clone::clone)?;
            let story = Story::from(&*shown.probed.plan);
            Ok(match format {
                Format::Mermaid => diagram::mermaid::handshake(transcript, &story),
                _ => diagram::svg::handshake(transcript, &story),
            })
        }
    }
}

/// Everything that the view shows, as text.
fn text(app: &mut App) -> String {
    let mut lines = vec![
        format!(
            "ngf-tui {}, {}",
            env!("CARGO_PKG_VERSION"),
            app.now.strftime("%Y-%m-%d %H:%M:%S UTC")
        ),
        screen::trail(app).join(" > "),
        String::new(),
    ];
    if let Place::List(id) = *app.place() {
        lines.extend(of_list(app, id));
    } else {
        let area = Rect::new(0, 0, WIDTH, HIGHEST);
        let mut buffer = Buffer::empty(area);
        screen::place(app, area, &mut buffer);
        let mut rows = golden::rows(&buffer);
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        lines.extend(rows);
    }
    let mut text = redact(&lines.join("\n"));
    text.push('\n');
    text
}

/// Every row of a list that the filter leaves, with whole cells.
fn of_list(app: &App, id: ListId) -> Vec<String> {
    let Some(pane) = app.lists.get(&id) else {
        return Vec::new();
    };
    let glyphs = app.theme.glyphs;
    let info = id.info();
    let mut table: Vec<Vec<String>> = vec![
        std::iter::once(String::new())
            .chain(heads(pane, info).iter().map(|head| head.title.to_owned()))
            .collect(),
    ];
    for row in pane.shown.iter().map(|index| &pane.rows[*index]) {
        let sign = row.mark.glyph(glyphs).to_owned();
        let cells = row.cells.iter().map(|cell| cell.text.clone());
        table.push(std::iter::once(sign).chain(cells).collect());
    }
    let columns = table.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = table.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| ngf_ui::text::width(cell))
                .max()
                .unwrap_or(0)
        })
        .collect();
    table
        .iter()
        .map(|row| {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                let blanks = width.saturating_sub(ngf_ui::text::width(cell)) + 2;
                line.push_str(&" ".repeat(blanks));
            }
            line.trim_end().to_owned()
        })
        .collect()
}
