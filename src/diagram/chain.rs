//! The chain as a picture: both directions as boxes side by side, every link with its words.

use ngf_ui::{
    Label, Mark, Role,
    widgets::{
        bar::Bar,
        chain::{
            Argument, ChainColumn as ColumnWidget, Detail as DetailLine, Link as LinkLine, Node,
        },
    },
};

use ngf_core::diagnosis::chain::{ChainBox, ChainDirection, ChainPicture, Detail, Link, Trust};

/// All of it.
pub fn argument(picture: &ChainPicture) -> Argument {
    let title = Label::of(Role::Muted, picture.title.clone());
    let notes = picture.notes.iter();
    let notes = notes.map(|note| Label::of(Role::Muted, note.clone()));
    Argument {
        columns: picture.columns.iter().map(column).collect(),
        footer: std::iter::once(title).chain(notes).collect(),
    }
}

fn column(column: &ChainDirection) -> ColumnWidget {
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

/// How much of the validity is left.
fn validity(not_before: i64, not_after: i64, now: i64, text: &str) -> Bar {
    let whole = (not_after.saturating_sub(not_before)).max(1) as f64;
    let left = not_after.saturating_sub(now) as f64 / whole;
    let mark = match left {
        left if left <= 0.0 || left > 1.0 => Mark::Failed,
        left if left < 0.1 => Mark::Warning,
        _ => Mark::Ok,
    };
    Bar::new(left.clamp(0.0, 1.0), mark, text.to_owned())
}

/// The sign of what is known of a link.
pub fn mark_of(trust: &Trust) -> Mark {
    match trust {
        Trust::Verified => Mark::Ok,
        Trust::Broken(_) => Mark::Failed,
        Trust::Unknown(_) => Mark::Unknown,
    }
}
