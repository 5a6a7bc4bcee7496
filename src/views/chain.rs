//! Chain: both directions of trust side by side, every link verified, broken or unknown.

use jiff::Timestamp;
use ngf_ui::{
    Label, Mark, Role,
    widgets::{
        bar::Bar,
        chain::{
            Argument, Chain, Column as ColumnWidget, Detail as DetailLine, Link as LinkLine, Node,
        },
        textview::TextView,
    },
};
use ratatui::{buffer::Buffer, layout::Rect, widgets::StatefulWidget};

use super::{ViewId, ViewInfo};
use crate::app::state::{App, DrawnChain};
use ngf_core::{
    diagnosis::{
        chain::{ChainBox, ChainPicture, Column, Detail, Link, Trust},
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

/// The worst of both directions, once the picture of what is selected was looked at; as it was then.
fn mark(app: &App) -> Option<Mark> {
    let drawn = app.detail.chain.as_ref()?;
    let (node, _) = drawn.made_for.as_ref()?;
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
fn made_for(app: &App) -> Option<(NodeId, Timestamp)> {
    let (_, node) = app.selected()?;
    Some(node.id.clone()).zip(app.diagnosed_at)
}

fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let argument = argument(app);
    let theme = app.theme.clone();
    let scroll = app.detail.scroll.entry(ViewId::Chain).or_default();
    match argument {
        Ok(argument) => Chain::new(&argument, &theme).render(area, buffer, scroll),
        Err(why) => TextView::new(&[why], &theme).render(area, buffer, scroll),
    }
}

fn describe(app: &App, width: u16) -> Vec<String> {
    match picture(app) {
        Ok(picture) => picture.describe(),
        Err(why) => TextView::new(&[Label::from(why)], &app.theme).to_text(width),
    }
}

/// The picture for what is selected.
fn picture(app: &App) -> Result<ChainPicture, String> {
    let Some((_, node)) = app.selected() else {
        return Err("Nothing is selected.".to_owned());
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

/// The picture of what is selected. Signatures are checked once for each selection and diagnosis,
/// not for each frame.
fn argument(app: &mut App) -> Result<Argument, Label> {
    let made_for = made_for(app);
    let drawn = match app.detail.chain.take() {
        Some(drawn) if drawn.made_for == made_for => drawn,
        _ => DrawnChain {
            made_for,
            picture: picture(app),
        },
    };
    let drawn = app.detail.chain.insert(drawn);
    match &drawn.picture {
        Ok(picture) => {
            let mut footer = vec![Label::of(Role::Muted, picture.title.clone())];
            footer.extend(
                picture
                    .notes
                    .iter()
                    .map(|note| Label::of(Role::Muted, note.clone())),
            );
            Ok(Argument {
                columns: picture.columns.iter().map(column).collect(),
                footer,
            })
        }
        Err(why) => Err(Label::of(Role::Muted, why.clone())),
    }
}

fn column(column: &Column) -> ColumnWidget {
    let mark = mark_of(&column.trust);
    column.boxes.iter().fold(
        ColumnWidget::new(column.heading.clone(), mark, column.conclusion.clone()),
        |widget, one| widget.node(node(one)),
    )
}

fn node(one: &ChainBox) -> Node {
    let mut node = Node::new(
        one.caption.clone(),
        Label::of(Role::Strong, one.title.clone()),
    );
    if let Some(link) = &one.link {
        node = node.link(joined(link));
    }
    one.details
        .iter()
        .fold(node, |node, detail| node.detail(line(detail)))
}

fn joined(link: &Link) -> LinkLine {
    let mark = mark_of(&link.trust);
    let claim = if link.same {
        LinkLine::same(mark, link.words.clone())
    } else {
        LinkLine::new(mark, link.words.clone())
    };
    claim.reason(link.trust.reason().to_owned())
}

fn line(detail: &Detail) -> DetailLine {
    match detail {
        Detail::Plain(text) => DetailLine::new(text.clone()),
        Detail::Good(text) => DetailLine::marked(Mark::Ok, text.clone()),
        Detail::Worrying(text) => DetailLine::marked(Mark::Warning, text.clone()),
        Detail::Bad(text) => DetailLine::marked(Mark::Failed, text.clone()),
        Detail::Validity {
            not_before,
            not_after,
            now,
            text,
        } => DetailLine::bar(validity(*not_before, *not_after, *now, text)),
    }
}

/// How much of the validity has passed.
fn validity(not_before: i64, not_after: i64, now: i64, text: &str) -> Bar {
    let whole = (not_after.saturating_sub(not_before)).max(1) as f64;
    let passed = now.saturating_sub(not_before) as f64 / whole;
    let mark = match passed {
        _ if !(0.0..1.0).contains(&passed) => Mark::Failed,
        passed if passed > 0.9 => Mark::Warning,
        _ => Mark::Ok,
    };
    Bar::new(passed, mark, text.to_owned())
}

fn mark_of(trust: &Trust) -> Mark {
    match trust {
        Trust::Verified => Mark::Ok,
        Trust::Broken(_) => Mark::Failed,
        Trust::Unknown(_) => Mark::Unknown,
    }
}
