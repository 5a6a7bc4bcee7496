//! The handshake and chains as SVG: the drawings of the terminal interface, as high as they need to be.

use ngf_tls::transcript::Transcript;
use ngf_ui::{
    Label, Role, Theme, golden, svg,
    text::{draw_label, wrap},
    widgets::{
        chain::Chain,
        sequence::{Diagram, Sequence},
        textview::TextView,
    },
};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    widgets::{StatefulWidget, Widget},
};

use super::{Story, chain::argument, guide, of_arrows};
use ngf_core::diagnosis::chain::ChainPicture;
use ngf_text::credentials::redact;
use ngf_text::words;

/// Columns of a picture.
const WIDTH: u16 = 132;
/// Most lines of a picture.
const HIGHEST: usize = 2_000;

/// A handshake as the guide draws it.
pub fn handshake(transcript: &Transcript, story: &Story) -> String {
    handshakes(&[(transcript, story)])
}

/// Handshakes, one below the other.
pub fn handshakes(all: &[(&Transcript, &Story)]) -> String {
    let theme = Theme::picture();
    let diagrams: Vec<Diagram> = all
        .iter()
        .map(|(transcript, story)| redacted(of_arrows(guide(transcript, story), transcript, story)))
        .collect();
    let heights: Vec<usize> = diagrams
        .iter()
        .map(|diagram| Sequence::new(diagram, &theme).height(WIDTH) + 1)
        .collect();
    let title = match all {
        [(_, story)] => format!("Handshake with {}", story.backend),
        several => words::count(several.len(), "handshake"),
    };
    picture(heights.iter().sum(), &title, |area, buffer| {
        let mut y = area.y;
        for (diagram, height) in diagrams.iter().zip(&heights) {
            let height = (*height as u16).min(area.bottom().saturating_sub(y));
            let place = Rect { y, height, ..area };
            Widget::render(&Sequence::new(diagram, &theme), place, buffer);
            y = y.saturating_add(height);
        }
    })
}

/// Both directions of trust of each connection, one below the other.
pub fn chains(pictures: &[ChainPicture], title: &str) -> String {
    let theme = Theme::picture();
    let arguments: Vec<_> = pictures.iter().map(argument).collect();
    let heights: Vec<usize> = arguments
        .iter()
        .map(|argument| Chain::new(argument, &theme).to_text(WIDTH).len() + 1)
        .collect();
    if arguments.is_empty() {
        return text(&[Label::from("There is no connection over TLS.")], title);
    }
    picture(heights.iter().sum(), title, |area, buffer| {
        let mut y = area.y;
        for (argument, height) in arguments.iter().zip(&heights) {
            let height = (*height as u16).min(area.bottom().saturating_sub(y));
            let place = Rect { y, height, ..area };
            let mut scroll = ngf_ui::ScrollState::default();
            StatefulWidget::render(&Chain::new(argument, &theme), place, buffer, &mut scroll);
            y = y.saturating_add(height);
        }
    })
}

/// Lines of text.
pub fn text(lines: &[Label], title: &str) -> String {
    let theme = Theme::picture();
    let wrapped: Vec<Label> = lines
        .iter()
        .flat_map(|line| wrap(line, usize::from(WIDTH)))
        .collect();
    picture(wrapped.len(), title, |area, buffer| {
        Widget::render(&TextView::new(&wrapped, &theme).wrap(false), area, buffer);
    })
}

/// A picture of so many lines.
fn picture(height: usize, title: &str, draw: impl FnOnce(Rect, &mut Buffer)) -> String {
    let lines = height.clamp(1, HIGHEST) as u16;
    let buffer = golden::draw(WIDTH, lines, |area, buffer| {
        draw(area, buffer);
        if height > HIGHEST {
            let last = Rect {
                y: area.bottom() - 1,
                height: 1,
                ..area
            };
            let more = format!("and {} lines more", height - HIGHEST);
            let more = Label::of(Role::Muted, more);
            draw_label(&more, last, buffer, &Theme::picture(), Style::new());
        }
    });
    svg::svg(&buffer, &svg::SvgOptions::window(redact(title)))
}

/// The diagram without what no file may hold.
fn redacted(mut diagram: Diagram) -> Diagram {
    for message in &mut diagram.messages {
        for label in [
            &mut message.label,
            &mut message.reason,
            &mut message.evidence,
        ] {
            for run in &mut label.runs {
                run.text = redact(&run.text).into();
            }
        }
    }
    for note in &mut diagram.footnote {
        for run in &mut note.runs {
            run.text = redact(&run.text).into();
        }
    }
    diagram
}
