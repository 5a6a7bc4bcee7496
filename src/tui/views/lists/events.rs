//! Events of Kubernetes about the objects that were read, the newest first.

use ngf_ui::Mark;

use super::{Head, ListInfo, Order, head};
use crate::tui::state::ids::ListId;
use crate::tui::state::{
    App,
    ids::ViewId,
    list::{Cell, Row, Target},
    place::Subject,
};
use ngf_core::model::{kind::Kind, kinds::Event, object::ObjectRef};
use ngf_text::words;

/// The list.
pub(super) const LIST: ListInfo = ListInfo {
    id: ListId::Events,
    name: "events",
    title: "Events",
    aliases: &["event", "ev"],
    help: "Events of Kubernetes about the objects that were read, the newest first",
    columns: COLUMNS,
    order: Order::Given("newest first"),
    rows,
};

const COLUMNS: &[Head] = &[
    head("LAST", 4, 6),
    head("REASON", 8, 18),
    // The whole name is in the detail, and Enter opens the object.
    head("OBJECT", 14, 24),
    head("MESSAGE", 24, 120),
    head("TIMES", 5, 7),
    // The mark says it, too.
    head("TYPE", 4, 10),
];

fn rows(app: &App) -> Vec<Row> {
    let topology = &app.diagnosis.topology;
    let events = app.snapshot.events.iter();
    events
        .map(|event| {
            let event = &event.spec;
            let about = about(event);
            let named = about
                .as_ref()
                .map_or_else(|| by_name(event), ToString::to_string);
            Row {
                mark: if event.event_type == "Warning" {
                    Mark::Warning
                } else {
                    Mark::Info
                },
                cells: vec![
                    event.last_seen.map_or_else(Cell::default, |at| {
                        Cell::sorted(words::age(at, app.now), -at.as_second())
                    }),
                    event.reason.as_str().into(),
                    named.into(),
                    event.message.as_str().into(),
                    Cell::sorted(event.count.max(1).to_string(), event.count.max(1)),
                    event.event_type.as_str().into(),
                ],
                target: match &about {
                    Some(about) => {
                        Target::Tab(Subject::object(topology, about), ViewId::Conditions)
                    }
                    None => Target::Nothing("This tool does not read objects of that kind"),
                },
                object: about,
            }
        })
        .collect()
}

/// The object that an Event is about, where it is of a kind that the tool reads.
fn about(event: &Event) -> Option<ObjectRef> {
    let kind = Kind::named(&event.about_kind)?;
    Some(ObjectRef::new(
        kind,
        event.about_namespace.as_str(),
        event.about_name.as_str(),
    ))
}

fn by_name(event: &Event) -> String {
    let (kind, name) = (&event.about_kind, &event.about_name);
    if event.about_namespace.is_empty() {
        format!("{kind} {name}")
    } else {
        format!("{kind} {}/{name}", event.about_namespace)
    }
}
