//! Chain: both directions of trust. What holds takes one line, what does not is opened, and the cursor stands
//! on the broken link.

use jiff::Timestamp;
use ngf_ui::{
    Label, ListState, Mark, Role, Theme,
    text::{hang, widest_word, wrap},
    widgets::{
        chain::Chain,
        entries::{CURSOR, Entries, Entry},
        textview::TextView,
    },
};
use ratatui::{buffer::Buffer, layout::Rect, widgets::StatefulWidget};

use super::{ViewInfo, handshake, search::Text};
use crate::diagram::chain::{argument, mark_of};
use crate::tui::state::ids::ViewId;
use crate::tui::state::{App, DrawnChain};
use ngf_core::{
    diagnosis::{
        chain::{ChainBox, ChainDirection, ChainPicture, Detail, Link, Trust},
        plan::ProbeTarget,
    },
    model::{index::Index, topology::NodeId},
};

/// The tab.
pub const VIEW: ViewInfo = ViewInfo {
    id: ViewId::Chain,
    title: "Chain",
    draw,
    describe,
    mark,
};

/// The worst of both directions of what is selected.
fn mark(app: &App) -> Option<Mark> {
    let drawn = app.detail.chain.as_ref()?;
    let (node, ..) = drawn.made_for.as_ref()?;
    let (_, selected) = app.selected()?;
    if *node != selected.id {
        return None;
    }
    drawn.picture.as_ref().ok().map(|picture| {
        let marks = || picture.columns.iter().map(|column| mark_of(&column.trust));
        let first = [Mark::Failed, Mark::Unknown, Mark::Ok];
        first
            .into_iter()
            .find(|mark| marks().any(|column| column == *mark))
            .unwrap_or(Mark::Unknown)
    })
}

/// What a picture drawn now would be of.
fn made_for(app: &App) -> Option<(NodeId, Timestamp, u64)> {
    let (_, node) = app.selected()?;
    Some((node.id.clone(), app.diagnosed_at?, app.taken))
}

fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme.clone();
    let unfolded = app.detail.unfolded;
    look(app);
    let Some(drawn) = &app.detail.chain else {
        return;
    };
    match &drawn.picture {
        Ok(picture) if unfolded => {
            let argument = argument(picture);
            let scroll = app.detail.scroll.entry(ViewId::Chain).or_default();
            Chain::new(&argument, &theme).render(area, buffer, scroll);
        }
        Ok(picture) => {
            let make = |width: u16, _| entries(picture, usize::from(width), &theme);
            if app.detail.view == ViewId::Chain {
                Entries::new(&make, &theme).render(area, buffer, &mut app.detail.links);
            } else {
                // Beside the handshake it stands where the handshake does.
                let shared = handshake::direction(app).and_then(|one| part_of(app, one));
                let mut state = ListState::at(shared.unwrap_or(app.detail.links.selected));
                Entries::new(&make, &theme)
                    .focused(false)
                    .render(area, buffer, &mut state);
            }
        }
        Err(why) => {
            let why = Label::of(Role::Muted, why.clone());
            let scroll = app.detail.scroll.entry(ViewId::Chain).or_default();
            TextView::new(&[why], &theme).render(area, buffer, scroll);
        }
    }
}

/// Draws it without the keys, beside something else: at the broken link.
pub(super) fn draw_beside(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme.clone();
    let fault = broken_link(app);
    if let Some(Ok(picture)) = app.detail.chain.as_ref().map(|drawn| &drawn.picture) {
        let make = |width: u16, _| entries(picture, usize::from(width), &theme);
        let mut state = ListState::at(fault.unwrap_or_default());
        Entries::new(&make, &theme)
            .focused(false)
            .render(area, buffer, &mut state);
    }
}

/// What is searched: the parts with all that they say, or the rows of the picture where it is unfolded.
pub(super) fn searched(app: &App, area: Rect) -> Text {
    let why = match app.detail.chain.as_ref().map(|drawn| &drawn.picture) {
        Some(Ok(picture)) if app.detail.unfolded => {
            return Text::Rows(Chain::new(&argument(picture), &app.theme).rows(area));
        }
        Some(Ok(picture)) => {
            let entries = entries(picture, usize::from(u16::MAX), &app.theme);
            let text = |entry: &Entry| {
                let lines = entry.lines.iter().map(|line| line.left.plain());
                lines.collect::<Vec<_>>().join("\n")
            };
            return Text::Entries(entries.iter().map(text).collect());
        }
        Some(Err(why)) => why.clone(),
        None => String::new(),
    };
    Text::of(&TextView::new(&[Label::from(why)], &app.theme), area)
}

fn describe(app: &App, width: u16) -> Vec<String> {
    match picture(app) {
        Ok(picture) => picture.describe(),
        Err(why) => TextView::new(&[Label::from(why)], &app.theme).to_text(width),
    }
}

/// The picture for what is selected.
pub fn picture(app: &App) -> Result<ChainPicture, String> {
    let Some((_, node)) = app.selected() else {
        return Err("This object is on no path from a Gateway to a backend.".to_owned());
    };
    let index = Index::of(&app.snapshot);
    let target = ProbeTarget::Node(node.id.clone());
    let topology = &app.diagnosis.topology;
    ChainPicture::for_target(
        &app.snapshot,
        &index,
        topology,
        &app.evidence,
        &target,
        app.now,
    )
    .map_err(|error| error.to_string())
}

/// Makes the picture of what is selected, where it is not made yet. Signatures are checked once for each
/// selection and diagnosis, not for each frame.
pub(super) fn look(app: &mut App) {
    let made_for = made_for(app);
    let is_right = app
        .detail
        .chain
        .as_ref()
        .is_some_and(|drawn| drawn.made_for == made_for);
    if !is_right {
        let picture = picture(app);
        app.detail.chain = Some(DrawnChain { made_for, picture });
    }
}

/// The entry of the link that is broken, where one is.
pub fn broken_link(app: &mut App) -> Option<usize> {
    look(app);
    let picture = app.detail.chain.as_ref()?.picture.as_ref().ok()?;
    let parts = parts(picture);
    parts.iter().position(Part::is_fault)
}

/// The direction of trust that the cursor is on, from 0, and whether it is broken.
pub(super) fn direction(app: &App) -> Option<(usize, bool)> {
    let picture = app.detail.chain.as_ref()?.picture.as_ref().ok()?;
    let parts = parts(picture);
    let part = parts.get(app.detail.links.selected)?;
    let of = match part {
        Part::Folded(column) | Part::Heading(column) | Part::Conclusion(column) => *column,
        Part::Box(one, _) => picture.columns.iter().find(|column| {
            let mut boxes = column.boxes.iter();
            boxes.any(|other| std::ptr::eq(other, *one))
        })?,
        Part::Notes(_) => return None,
    };
    let columns = picture.columns.iter();
    let number = columns
        .take_while(|column| !std::ptr::eq(*column, of))
        .count();
    Some((number, matches!(of.trust, Trust::Broken(_))))
}

/// The part at which a direction begins, or where it is broken.
pub(super) fn part_of(app: &App, direction: usize) -> Option<usize> {
    let picture = app.detail.chain.as_ref()?.picture.as_ref().ok()?;
    let column = picture.columns.get(direction)?;
    let parts = parts(picture);
    let is_its = |part: &Part<'_>| match part {
        Part::Folded(one) | Part::Heading(one) | Part::Conclusion(one) => {
            std::ptr::eq(*one, column)
        }
        Part::Box(one, _) => column.boxes.iter().any(|other| std::ptr::eq(other, *one)),
        Part::Notes(_) => false,
    };
    let broken = parts
        .iter()
        .position(|part| is_its(part) && part.is_fault());
    broken.or_else(|| parts.iter().position(is_its))
}

/// A part of the picture that can be selected.
enum Part<'a> {
    /// A direction that holds: one line.
    Folded(&'a ChainDirection),
    /// The heading of another direction.
    Heading(&'a ChainDirection),
    /// A box and its link to the one above, and whether a broken link begins or ends here.
    Box(&'a ChainBox, bool),
    /// What a direction comes to.
    Conclusion(&'a ChainDirection),
    /// Which connection it is, and where the certificates come from.
    Notes(&'a ChainPicture),
}

impl Part<'_> {
    fn is_fault(&self) -> bool {
        match self {
            Self::Box(one, _) => is_broken(one),
            // A name that does not match, or a date that has passed, breaks no link.
            Self::Conclusion(column) => {
                matches!(column.trust, Trust::Broken(_)) && !column.boxes.iter().any(is_broken)
            }
            _ => false,
        }
    }
}

/// Whether the link to the box above is broken.
fn is_broken(one: &ChainBox) -> bool {
    let trust = one.link.as_ref().map(|link| &link.trust);
    matches!(trust, Some(Trust::Broken(_)))
}

fn parts(picture: &ChainPicture) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for column in &picture.columns {
        if column.trust == Trust::Verified {
            parts.push(Part::Folded(column));
            continue;
        }
        parts.push(Part::Heading(column));
        for (index, one) in column.boxes.iter().enumerate() {
            let below = column.boxes.get(index + 1).is_some_and(is_broken);
            parts.push(Part::Box(one, below || is_broken(one)));
        }
        parts.push(Part::Conclusion(column));
    }
    parts.push(Part::Notes(picture));
    parts
}

fn entries(picture: &ChainPicture, width: usize, theme: &Theme) -> Vec<Entry> {
    let parts = parts(picture);
    parts
        .iter()
        .map(|part| Entry::of(lines(part, width, theme)))
        .collect()
}

/// Cells by which boxes are indented.
const INDENT: usize = 4;

fn lines(part: &Part<'_>, width: usize, theme: &Theme) -> Vec<Label> {
    match part {
        Part::Folded(column) => {
            let all = heading(column, theme).joined(&folded(column, theme));
            let mut lines = wrap(&all, width.saturating_sub(INDENT));
            for line in lines.iter_mut().skip(1) {
                *line = Label::from(" ".repeat(INDENT)).joined(line);
            }
            lines
        }
        Part::Heading(column) => hang(&Label::new(), &heading(column, theme), width),
        Part::Box(one, near) => of_box(one, *near, width, theme),
        Part::Conclusion(column) => {
            let mark = mark_of(&column.trust);
            let sign = Label::from(" ".repeat(INDENT)).mark(mark, theme).text(" ");
            hang(
                &sign,
                &Label::of(mark.role(), column.conclusion.clone()),
                width,
            )
        }
        Part::Notes(picture) => {
            let notes = std::iter::once(&picture.title).chain(&picture.notes);
            let notes = notes.map(|note| Label::of(Role::Muted, note.clone()));
            notes
                .flat_map(|note| hang(&Label::new(), &note, width))
                .collect()
        }
    }
}

/// `✗ secure-app proves itself to gateway  `.
fn heading(column: &ChainDirection, theme: &Theme) -> Label {
    Label::new()
        .mark(mark_of(&column.trust), theme)
        .text(" ")
        .and(Role::Strong, format!("{}  ", column.heading))
}

/// `CN=gateway ─signed by─ CN=LocalCA ═same key═ app-tls-secret`.
fn folded(column: &ChainDirection, theme: &Theme) -> Label {
    let g = theme.glyphs;
    let mut line = Label::new();
    for one in &column.boxes {
        if let Some(link) = &one.link {
            let shaft = if link.same {
                g.double_horizontal
            } else {
                g.horizontal
            };
            line.push(Role::Lane, format!(" {shaft}{}{shaft} ", claim(link)));
        }
        line.push(Role::Accent, one.title.clone());
    }
    line
}

/// What a link claims: `signed by`, `same key`.
fn claim(link: &Link) -> String {
    match (link.same, &link.trust) {
        (false, _) => link.words.clone(),
        (true, Trust::Broken(_)) => "not the same".to_owned(),
        (true, Trust::Unknown(_)) => "perhaps the same key".to_owned(),
        (true, _) => "same key".to_owned(),
    }
}

/// Plain facts are shown where a broken link begins or ends; space shows all.
fn of_box(one: &ChainBox, is_near_fault: bool, width: usize, theme: &Theme) -> Vec<Label> {
    let indent = " ".repeat(INDENT);
    let mut lines = Vec::new();
    if let Some(link) = &one.link {
        let mark = mark_of(&link.trust);
        let mut prefix = Label::from(indent.clone());
        if mark != Mark::Failed {
            let g = theme.glyphs;
            let shaft = if link.same {
                g.double_vertical
            } else {
                g.vertical
            };
            prefix = prefix.and(Role::Lane, format!("{shaft} "));
        }
        let mut words = Label::of(mark.role(), claim(link));
        if !link.trust.reason().is_empty() {
            words.push(Role::Normal, format!(": {}", link.trust.reason()));
        }
        lines.extend(hang(&prefix.mark(mark, theme).text(" "), &words, width));
    }
    let mut text =
        Label::of(Role::Muted, format!("{} ", one.caption)).and(Role::Strong, one.title.clone());
    let told = |detail: &&Detail| is_near_fault || !matches!(detail, Detail::Plain(_));
    for detail in one.details.iter().filter(told) {
        text.push(Role::Muted, format!(" {} ", theme.glyphs.dot));
        text.push(Role::Normal, detail.text());
    }
    lines.extend(hang(&Label::from(indent), &text, width));
    lines
}

/// The part at a line of the screen, where the chain is drawn in this area.
pub fn at(app: &App, area: Rect, y: u16) -> Option<usize> {
    let picture = app.detail.chain.as_ref()?.picture.as_ref().ok()?;
    let make = |width: u16, _| entries(picture, usize::from(width), &app.theme);
    Entries::new(&make, &app.theme).at(y, area, &app.detail.links)
}

/// Columns in which the folded chain breaks no word.
pub fn least_width(app: &App) -> Option<u16> {
    let picture = app.detail.chain.as_ref()?.picture.as_ref().ok()?;
    let entries = entries(picture, usize::from(u16::MAX), &app.theme);
    let lines = entries.iter().flat_map(|entry| &entry.lines);
    let word = widest_word(lines.map(|line| &line.left));
    u16::try_from(word + INDENT + 2 + usize::from(CURSOR)).ok()
}

/// Lines that the folded chain takes at a width.
pub fn height(app: &App, width: u16) -> Option<usize> {
    let picture = app.detail.chain.as_ref()?.picture.as_ref().ok()?;
    let make = |width: u16, _| entries(picture, usize::from(width), &app.theme);
    Some(Entries::new(&make, &app.theme).to_text(width).len())
}
