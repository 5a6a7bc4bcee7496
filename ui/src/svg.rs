//! Screens as pictures: a buffer becomes an SVG that looks like a terminal.
//!
//! Text stays text, so that it can be selected and searched. Each run of cells of one style is
//! placed at its own cell and told its own length, so that columns hold in any font.

use std::fmt::Write;

use ratatui::buffer::{Buffer, CellWidth};
use ratatui::style::{Color, Modifier};

/// Width of a cell in user units. The advance of most monospace fonts is 0.6 of their size.
const CELL_WIDTH: f64 = 8.4;
const CELL_HEIGHT: f64 = 18.0;
const FONT_SIZE: f64 = 14.0;
/// From a row's upper edge to its base line.
const BASE_LINE: f64 = 13.5;
/// How much higher a row is than the line glyphs of common fonts (1.164 of their size), and a bit.
const LINE_STRETCH: f64 = 1.12;
/// How far the stretched glyphs' base line lies below that of letters.
const LINE_SHIFT: f64 = 0.9;
/// Viewers that do not know `textLength` drift by less than a pixel in so many cells.
const LONGEST_RUN: u16 = 24;
const PADDING: f64 = 14.0;
const TITLE_BAR: f64 = 34.0;
const FONTS: &str = "'JetBrains Mono','Cascadia Mono','SF Mono',Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace";

const GROUND: &str = "#11151d";
const TEXT: &str = "#d3dbe8";
const BAR: &str = "#1b2130";
const EDGE: &str = "#2c3446";

/// How a picture is framed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SvgOptions {
    /// Whether there is a window around it.
    pub window: bool,
    /// Title of the window, and of the picture for those who do not see it.
    pub title: String,
}

impl SvgOptions {
    /// A window with this title.
    pub fn window(title: impl Into<String>) -> Self {
        Self {
            window: true,
            title: title.into(),
        }
    }
}

/// The buffer as an SVG document. Colours that are not set are those of a dark terminal.
pub fn svg(buffer: &Buffer, options: &SvgOptions) -> String {
    let area = buffer.area;
    let top = if options.window { TITLE_BAR } else { 0.0 } + PADDING;
    let width = f64::from(area.width) * CELL_WIDTH + 2.0 * PADDING;
    let height = f64::from(area.height) * CELL_HEIGHT + top + PADDING;
    let mut out = String::new();
    head(&mut out, width, height, options);
    for y in 0..area.height {
        let runs = runs(buffer, y);
        let y = top + f64::from(y) * CELL_HEIGHT;
        for run in &runs {
            run.ground(&mut out, y);
        }
        for run in &runs {
            run.text(&mut out, y);
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

/// Writing to a string cannot fail.
macro_rules! put {
    ($out:expr, $($rest:tt)*) => {
        let _ = write!($out, $($rest)*);
    };
}

fn head(out: &mut String, width: f64, height: f64, options: &SvgOptions) {
    let title = escape(&options.title);
    put!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">\n<title>{title}</title>\n"
    );
    let (edge_width, edge_height) = (width - 1.0, height - 1.0);
    put!(
        out,
        "<rect x=\"0.5\" y=\"0.5\" width=\"{edge_width:.1}\" height=\"{edge_height:.1}\" rx=\"9\" \
         fill=\"{GROUND}\" stroke=\"{EDGE}\"/>\n"
    );
    if options.window {
        put!(
            out,
            "<path d=\"M0.5 {TITLE_BAR}V9.5a9 9 0 0 1 9-9H{:.1}a9 9 0 0 1 9 9V{TITLE_BAR}Z\" \
             fill=\"{BAR}\" stroke=\"{EDGE}\"/>\n",
            width - 9.5
        );
        for (x, color) in [(20, "#ec6a5e"), (40, "#f4bf4f"), (60, "#61c554")] {
            put!(
                out,
                "<circle cx=\"{x}\" cy=\"17\" r=\"6\" fill=\"{color}\"/>\n"
            );
        }
        put!(
            out,
            "<text x=\"{:.1}\" y=\"21.5\" fill=\"#98a3b8\" font-size=\"13\" text-anchor=\"middle\" \
             font-family=\"system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif\">{title}</text>\n",
            width / 2.0
        );
    }
    put!(
        out,
        "<g font-family=\"{FONTS}\" font-size=\"{FONT_SIZE}\" fill=\"{TEXT}\" \
         style=\"white-space:pre;font-variant-ligatures:none\">\n"
    );
}

/// Cells of one style next to each other.
struct Run {
    /// First cell.
    start: u16,
    cells: u16,
    text: String,
    look: Look,
    /// Whether the font's own advance is right, as it is for letters, or the text must be placed
    /// cell by cell.
    single: bool,
}

#[derive(Clone, PartialEq)]
struct Look {
    foreground: Option<String>,
    ground: Option<String>,
    modifiers: Modifier,
}

fn runs(buffer: &Buffer, row: u16) -> Vec<Run> {
    let area = buffer.area;
    let mut runs: Vec<Run> = Vec::new();
    let mut x = 0;
    while x < area.width {
        let cell = &buffer[(area.x + x, area.y + row)];
        let symbol = cell.symbol();
        let cells = symbol.cell_width().max(1).min(area.width - x);
        let look = look(cell.fg, cell.bg, cell.modifier);
        // What is no ASCII may come from another font, whose advance is another: it is placed
        // alone. Lines and blocks are placed as runs that are stretched to their cells.
        let single = !symbol.is_ascii() && !is_line(symbol);
        match runs.last_mut() {
            Some(run)
                if run.look == look
                    && !single
                    && !run.single
                    && run.cells < LONGEST_RUN
                    && is_line(&run.text) == is_line(symbol) =>
            {
                run.text.push_str(symbol);
                run.cells += cells;
            }
            _ => runs.push(Run {
                start: x,
                cells,
                text: symbol.to_owned(),
                look,
                single,
            }),
        }
        x += cells;
    }
    // Blanks at the end of a row are nothing to draw, and nothing to select.
    if let Some(last) = runs.last_mut()
        && last.look == look(Color::Reset, Color::Reset, Modifier::empty())
    {
        let kept = last.text.trim_end_matches(' ').len();
        last.cells -= (last.text.len() - kept) as u16;
        last.text.truncate(kept);
    }
    runs
}

/// Whether a text is made of box drawing and block elements.
fn is_line(text: &str) -> bool {
    text.chars().all(|c| ('\u{2500}'..='\u{259f}').contains(&c))
}

fn look(foreground: Color, ground: Color, modifiers: Modifier) -> Look {
    let (mut foreground, mut ground) = (css(foreground, true), css(ground, false));
    if modifiers.contains(Modifier::REVERSED) {
        let text = foreground.unwrap_or_else(|| TEXT.to_owned());
        foreground = Some(ground.unwrap_or_else(|| GROUND.to_owned()));
        ground = Some(text);
    }
    Look {
        foreground,
        ground,
        modifiers,
    }
}

impl Run {
    fn x(&self) -> f64 {
        PADDING + f64::from(self.start) * CELL_WIDTH
    }

    fn width(&self) -> f64 {
        f64::from(self.cells) * CELL_WIDTH
    }

    fn ground(&self, out: &mut String, y: f64) {
        if let Some(color) = &self.look.ground {
            // A hair wider, so that no seam shows between runs.
            put!(
                out,
                "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{CELL_HEIGHT:.1}\" fill=\"{color}\"/>\n",
                self.x(),
                self.width() + 0.3
            );
        }
    }

    fn text(&self, out: &mut String, y: f64) {
        let modifiers = self.look.modifiers;
        let drawn = modifiers.intersects(Modifier::UNDERLINED | Modifier::CROSSED_OUT);
        if (self.text.trim().is_empty() && !drawn) || modifiers.contains(Modifier::HIDDEN) {
            return;
        }
        let base = y + BASE_LINE;
        if is_line(&self.text) {
            // Rows are higher than letters; lines are stretched so that they meet.
            let x = self.x();
            let base = base + LINE_SHIFT;
            put!(
                out,
                "<text transform=\"matrix(1 0 0 {LINE_STRETCH} {x:.1} {base:.1})\""
            );
        } else {
            put!(out, "<text x=\"{:.1}\" y=\"{base:.1}\"", self.x());
        }
        if self.cells > 1 || self.single {
            put!(
                out,
                " textLength=\"{:.1}\" lengthAdjust=\"spacingAndGlyphs\"",
                self.width()
            );
        }
        if let Some(color) = &self.look.foreground {
            put!(out, " fill=\"{color}\"");
        }
        for (modifier, attribute) in [
            (Modifier::BOLD, "font-weight=\"700\""),
            (Modifier::ITALIC, "font-style=\"italic\""),
            (Modifier::DIM, "opacity=\"0.62\""),
            (Modifier::UNDERLINED, "text-decoration=\"underline\""),
            (Modifier::CROSSED_OUT, "text-decoration=\"line-through\""),
        ] {
            if modifiers.contains(modifier) {
                put!(out, " {attribute}");
            }
        }
        put!(
            out,
            " xml:space=\"preserve\">{}</text>\n",
            escape(&self.text)
        );
    }
}

/// The colour for CSS; none where it is the terminal's own.
fn css(color: Color, foreground: bool) -> Option<String> {
    let named = |index: usize| Some(NAMED[index].to_owned());
    match color {
        Color::Reset => None,
        Color::Rgb(red, green, blue) => Some(format!("#{red:02x}{green:02x}{blue:02x}")),
        Color::Indexed(index) => Some(indexed(index)),
        Color::Black => named(0),
        Color::Red => named(1),
        Color::Green => named(2),
        Color::Yellow => named(3),
        Color::Blue => named(4),
        Color::Magenta => named(5),
        Color::Cyan => named(6),
        Color::Gray => named(7),
        Color::DarkGray => named(8),
        Color::LightRed => named(9),
        Color::LightGreen => named(10),
        Color::LightYellow => named(11),
        Color::LightBlue => named(12),
        Color::LightMagenta => named(13),
        Color::LightCyan => named(14),
        Color::White => named(if foreground { 15 } else { 7 }),
    }
}

/// The sixteen named colours, in the hues of the theme.
const NAMED: [&str; 16] = [
    "#1b2231", "#ff7b7b", "#5fd38d", "#f2c05c", "#6cb6ff", "#c39bf5", "#62d0d6", "#c3ccda",
    "#6b7689", "#ff9b9b", "#86e3ab", "#f7d488", "#95ccff", "#d7bcfa", "#8fe2e6", "#f3f6fb",
];

/// A colour of the indexed palette: 16 named ones, a cube of 6, 24 greys, as xterm has them.
fn indexed(index: u8) -> String {
    match index {
        0..=15 => NAMED[usize::from(index)].to_owned(),
        16..=231 => {
            let cube = index - 16;
            let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
            let (red, green, blue) = (level(cube / 36), level(cube / 6 % 6), level(cube % 6));
            format!("#{red:02x}{green:02x}{blue:02x}")
        }
        232..=255 => {
            let grey = 8 + 10 * (index - 232);
            format!("#{grey:02x}{grey:02x}{grey:02x}")
        }
    }
}

/// Text for XML: what has a meaning there is escaped, what XML 1.0 does not allow is left out.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c if crate::text::is_unprintable(c) => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::text::{Label, draw_label};
    use crate::theme::{Role, Theme};
    use ratatui::style::Style;

    fn picture(text: &str, role: Role) -> String {
        let theme = Theme::picture();
        let buffer = golden::draw(24, 2, |area, buffer| {
            let label = Label::of(role, text.to_owned());
            draw_label(&label, area, buffer, &theme, Style::new());
        });
        svg(&buffer, &SvgOptions::window("a <title> & more"))
    }

    fn texts(picture: &str) -> Vec<String> {
        let document = roxmltree::Document::parse(picture).unwrap();
        let nodes = document
            .descendants()
            .filter(|node| node.has_tag_name("text"));
        nodes
            .filter_map(|node| node.text().map(str::to_owned))
            .collect()
    }

    #[test]
    fn pictures_are_xml_that_contains_the_text() {
        let picture = picture("<a href=\"x\"> & 'b'", Role::Normal);
        assert_eq!(
            texts(&picture),
            ["a <title> & more", "<a href=\"x\"> & 'b'"]
        );
    }

    #[test]
    fn what_is_no_letter_stands_in_its_own_cell() {
        let picture = picture("ab✓漢cd", Role::Normal);
        let document = roxmltree::Document::parse(&picture).unwrap();
        let places: Vec<(String, String)> = document
            .descendants()
            .filter(|node| node.has_tag_name("text") && node.attribute("textLength").is_some())
            .map(|node| {
                let length = node.attribute("textLength").unwrap();
                (
                    node.text().unwrap().trim().to_owned(),
                    format!("{}+{length}", node.attribute("x").unwrap()),
                )
            })
            .collect();
        let place = |text: &str, at: &str| (text.to_owned(), at.to_owned());
        assert_eq!(
            places,
            [
                place("ab", "14.0+16.8"),
                place("✓", "30.8+8.4"),
                place("漢", "39.2+16.8"),
                place("cd", "56.0+16.8"),
            ]
        );
    }

    #[test]
    fn modifiers_and_colours_are_drawn() {
        let bold = picture("x", Role::Error);
        assert!(
            bold.contains("fill=\"#ff7b7b\" font-weight=\"700\""),
            "{bold}"
        );
        let buffer = golden::draw(4, 1, |area, buffer| {
            buffer.set_string(0, 0, "abcd", Style::new().reversed().underlined());
            buffer.set_style(area, Style::new().fg(Color::Indexed(196)));
        });
        let picture = svg(&buffer, &SvgOptions::default());
        assert!(
            picture.contains("fill=\"#ff0000\"/>"),
            "the ground is the text's colour: {picture}"
        );
        assert!(
            picture.contains("text-decoration=\"underline\""),
            "{picture}"
        );
        assert!(
            picture.contains(&format!("fill=\"{GROUND}\" ")),
            "{picture}"
        );
    }

    #[test]
    fn an_empty_buffer_is_a_picture_too() {
        let picture = svg(&golden::draw(0, 0, |_, _| ()), &SvgOptions::default());
        assert!(roxmltree::Document::parse(&picture).is_ok());
    }
}
