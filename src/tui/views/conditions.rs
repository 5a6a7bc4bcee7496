//! Conditions: everything that controllers say of what is selected, with what they have not seen
//! yet, and what this tool did not understand in the object.

use ngf_ui::{Label, Mark, Role, Theme, text::width, widgets::textview::TextView};
use ratatui::{buffer::Buffer, layout::Rect, widgets::StatefulWidget};

use super::{ViewInfo, search::Text};
use crate::tui::state::App;
use crate::tui::state::ids::ViewId;
use jiff::Timestamp;
use ngf_core::diagnosis::words::list;
use ngf_core::model::{
    object::{Condition, Meta, Note, ObjectRef},
    status::ParentStatus,
    topology::NodeKind,
};
use ngf_text::words;

/// The tab.
pub const VIEW: ViewInfo = ViewInfo {
    id: ViewId::Conditions,
    title: "Conditions",
    draw,
    describe,
    mark: |_| None,
};

/// A type that is longer (anybody may set any) has its line to itself.
const MAX_COLUMN: usize = 34;

/// Conditions under one heading.
struct Section {
    title: String,
    conditions: Vec<Condition>,
    generation: i64,
    /// Who says so, where several may.
    controller: Option<String>,
    /// What to say where there are none.
    none: &'static str,
}

fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let lines = lines(app);
    let scroll = app.detail.scroll.entry(ViewId::Conditions).or_default();
    TextView::new(&lines, &app.theme).render(area, buffer, scroll);
}

/// What is searched.
pub(super) fn searched(app: &App, area: Rect) -> Text {
    Text::of(&TextView::new(&lines(app), &app.theme), area)
}

fn describe(app: &App, width: u16) -> Vec<String> {
    TextView::new(&lines(app), &app.theme).to_text(width)
}

fn lines(app: &App) -> Vec<Label> {
    let node = app.selected().and_then(|(_, node)| node.object.as_ref());
    let Some(object) = app.selected_object().or(node) else {
        return vec![Label::of(Role::Muted, "This place stands for no object.")];
    };
    let mut lines = described(app, object);
    for section in sections(app) {
        if !lines.is_empty() {
            lines.push(Label::new());
        }
        lines.push(Label::of(Role::Title, section.title));
        if let Some(controller) = &section.controller {
            lines.push(Label::of(Role::Muted, format!("  by {controller}")));
        }
        if section.conditions.is_empty() {
            lines.push(Label::of(Role::Muted, format!("  {}", section.none)));
        }
        let column = column_of(&section.conditions);
        for condition in &section.conditions {
            condition_lines(condition, column, section.generation, app, &mut lines);
        }
    }
    ngf_would_say(app, object, &mut lines);
    notes(app, object, &mut lines);
    events(app, object, &mut lines);
    lines
}

/// Labels that are shown of an object.
const LABELS: usize = 8;

/// What the object itself says: since when it is there, its labels, who owns it.
fn described(app: &App, object: &ObjectRef) -> Vec<Label> {
    let title = Label::of(Role::Title, object.to_string());
    let Some(raw) = app.snapshot.raw(object) else {
        let words = Label::of(Role::Muted, "  It was not read.");
        return vec![title, words];
    };
    let meta = &raw["metadata"];
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let mut facts = Vec::new();
    if let Ok(at) = text(&meta["creationTimestamp"]).parse::<Timestamp>() {
        facts.push(format!("created {} ago", words::age(at, app.now)));
    }
    if let Some(generation) = meta["generation"].as_i64() {
        facts.push(format!("generation {generation}"));
    }
    facts.push(text(&raw["apiVersion"]));
    if !meta["deletionTimestamp"].is_null() {
        facts.push("is being deleted".to_owned());
    }
    facts.retain(|fact| !fact.is_empty());
    let owners = meta["ownerReferences"].as_array().into_iter().flatten();
    let owners = owners.map(|owner| format!("{} {}", text(&owner["kind"]), text(&owner["name"])));
    let labels = meta["labels"].as_object().into_iter().flatten();
    let labels = labels.map(|(name, value)| format!("{name}={}", text(value)));
    let read = app.snapshot.unwatched.get(object).map(|at| {
        let age = words::age(*at, app.now);
        format!("{age} ago; it is not watched, and read again every 15 minutes at the latest")
    });
    let rows = [
        ("", facts.join(&format!(" {} ", app.theme.glyphs.dot))),
        ("owned by  ", list(owners, LABELS)),
        ("labels    ", list(labels, LABELS)),
        ("read      ", read.unwrap_or_default()),
    ];
    let rows = rows.into_iter().filter(|(_, value)| !value.is_empty());
    let rows = rows.map(|(name, value)| Label::of(Role::Muted, format!("  {name}")).text(value));
    std::iter::once(title).chain(rows).collect()
}

/// How wide the column of the types is: no narrower than the longest, so that the status never touches it.
fn column_of(conditions: &[Condition]) -> usize {
    let widths = conditions.iter().map(|condition| width(&condition.kind));
    widths.max().unwrap_or_default().clamp(12, MAX_COLUMN) + 1
}

fn condition_lines(
    condition: &Condition,
    column: usize,
    generation: i64,
    app: &App,
    lines: &mut Vec<Label>,
) {
    let mark = mark_of(condition);
    let mut line = Label::new().text("  ").mark(mark, &app.theme).text(" ");
    line.push(Role::Strong, padded(&condition.kind, column));
    line.push(mark.role(), padded(&condition.status, 7));
    // Most good conditions repeat their type as reason.
    if condition.reason != condition.kind {
        line.push(Role::Normal, format!(" {}", condition.reason));
    }
    if let Some(then) = condition.last_transition {
        line.push(Role::Muted, format!("  {}", words::age(then, app.now)));
    }
    if let (Some(observed), true) = (condition.observed_generation, generation > 0) {
        if observed < generation {
            line.push(
                Role::Warning,
                format!("  gen {observed}/{generation}: older than the object"),
            );
        } else {
            line.push(Role::Muted, format!("  gen {observed}/{generation}"));
        }
    }
    lines.push(line);
    if !condition.message.is_empty() {
        lines.push(Label::of(
            Role::Muted,
            format!("      {}", condition.message),
        ));
    }
}

/// The text and blanks up to this width, one at least.
fn padded(text: &str, columns: usize) -> String {
    let blanks = columns.saturating_sub(width(text)).max(1);
    format!("{text}{}", " ".repeat(blanks))
}

/// Whether a condition is good news: most are when True, a few when False.
pub fn mark_of(condition: &Condition) -> Mark {
    const GOOD_WHEN_FALSE: [&str; 5] = [
        "Conflicted",
        "OverlappingTLSConfig",
        "PartiallyInvalid",
        "Issuing",
        "Denied",
    ];
    let good = if GOOD_WHEN_FALSE.contains(&condition.kind.as_str()) {
        "False"
    } else {
        "True"
    };
    match condition.status.as_str() {
        status if status == good => Mark::Ok,
        "True" | "False" => Mark::Failed,
        _ => Mark::Unknown,
    }
}

/// What controllers say of the selected node.
fn sections(app: &App) -> Vec<Section> {
    let Some((index, node)) = app.selected() else {
        return app
            .selected_object()
            .map_or_else(Vec::new, |object| of_object(app, object));
    };
    let Some(object) = &node.object else {
        return Vec::new();
    };
    match &node.what {
        NodeKind::Backend(backend) => {
            let policy = backend.policy.as_ref().map(|policy| of_object(app, policy));
            policy.unwrap_or_else(|| {
                vec![Section {
                    title: object.to_string(),
                    conditions: Vec::new(),
                    generation: 0,
                    controller: None,
                    none: "A Service has no conditions, and no BackendTLSPolicy takes effect on it: nginx speaks plain HTTP to it.",
                }]
            })
        }
        NodeKind::Listener { name } => listener(app, object, name),
        NodeKind::Route { .. } | NodeKind::Rule { .. } => {
            let gateway = app.diagnosis.topology.above(index, |node| match node.what {
                NodeKind::Gateway => node.object.clone(),
                _ => None,
            });
            let mut sections = of_object(app, object);
            // The parent by which one came here is the first.
            if let Some(gateway) = gateway {
                sections.sort_by_key(|section| !section.title.contains(&gateway.name));
            }
            sections
        }
        _ => of_object(app, object),
    }
}

fn listener(app: &App, owner: &ObjectRef, name: &str) -> Vec<Section> {
    let snapshot = &app.snapshot;
    let status = match (
        snapshot.gateways.get(owner),
        snapshot.listener_sets.get(owner),
    ) {
        (Some(gateway), _) => Some((&gateway.status.listeners, &gateway.meta)),
        (None, Some(set)) => Some((&set.status.listeners, &set.meta)),
        (None, None) => None,
    };
    let Some((listeners, meta)) = status else {
        return Vec::new();
    };
    let found = listeners.iter().find(|listener| listener.name == name);
    let routes = found.map_or(0, |listener| listener.attached_routes);
    vec![Section {
        title: format!("listener {name} of {owner} · {routes} attached"),
        conditions: found
            .map(|listener| listener.conditions.clone())
            .unwrap_or_default(),
        generation: meta.generation,
        controller: None,
        none: NO_STATUS,
    }]
}

const NO_STATUS: &str = "No controller has said anything about it.";

fn of_object(app: &App, object: &ObjectRef) -> Vec<Section> {
    let snapshot = &app.snapshot;
    let one = |conditions: &[Condition], meta: &Meta| {
        vec![Section {
            title: "Conditions".to_owned(),
            conditions: conditions.to_vec(),
            generation: meta.generation,
            controller: None,
            none: NO_STATUS,
        }]
    };
    if let Some(class) = snapshot.gateway_classes.get(object) {
        return one(&class.status.conditions, &class.meta);
    }
    if let Some(gateway) = snapshot.gateways.get(object) {
        return one(&gateway.status.conditions, &gateway.meta);
    }
    if let Some(set) = snapshot.listener_sets.get(object) {
        return one(&set.status.conditions, &set.meta);
    }
    if let Some(route) = snapshot.routes.get(object) {
        return parents(object, "for", &route.status.parents, &route.meta);
    }
    if let Some(policy) = snapshot.policies.get(object) {
        return parents(object, "for", &policy.status.ancestors, &policy.meta);
    }
    if let Some(pod) = snapshot.pods.get(object) {
        return one(&pod.status.conditions, &pod.meta);
    }
    Vec::new()
}

fn parents(object: &ObjectRef, word: &str, parents: &[ParentStatus], meta: &Meta) -> Vec<Section> {
    if parents.is_empty() {
        return vec![Section {
            title: object.to_string(),
            conditions: Vec::new(),
            generation: meta.generation,
            controller: None,
            none: NO_STATUS,
        }];
    }
    parents
        .iter()
        .map(|parent| {
            let kind = parent.parent.kind.as_deref().unwrap_or("Gateway");
            let section = parent
                .parent
                .section_name
                .as_deref()
                .map(|name| format!(" listener {name}"));
            Section {
                title: format!(
                    "{object} {word} {kind} {}{}",
                    parent.parent.name,
                    section.unwrap_or_default(),
                ),
                conditions: parent.conditions.clone(),
                generation: meta.generation,
                controller: Some(parent.controller_name.clone()),
                none: NO_STATUS,
            }
        })
        .collect()
}

/// Where the status is another than NGF would write of the objects as they are.
fn ngf_would_say(app: &App, object: &ObjectRef, lines: &mut Vec<Label>) {
    let Some(differences) = app.diagnosis.differences.get(object) else {
        return;
    };
    let release = app.diagnosis.running.release;
    lines.push(Label::new());
    lines.push(Label::of(Role::Title, format!("NGF {release} would say")));
    for difference in differences {
        let wanted = &difference.predicted;
        let whom = wanted
            .parent
            .as_ref()
            .map_or_else(String::new, |parent| format!("  for {parent}"));
        lines.push(
            Label::new()
                .text("  ")
                .mark(Mark::Warning, &app.theme)
                .and(Role::Strong, format!(" {}", wanted.condition.kind))
                .text(format!(" {}", wanted.condition))
                .and(Role::Muted, whom),
        );
    }
}

fn notes(app: &App, object: &ObjectRef, lines: &mut Vec<Label>) {
    let notes = notes_of(app, object);
    if notes.is_empty() {
        return;
    }
    lines.push(Label::new());
    lines.push(Label::of(Role::Title, "Not understood"));
    for note in notes {
        lines.push(
            Label::new()
                .text("  ")
                .mark(Mark::Warning, &app.theme)
                .and(Role::Strong, format!(" {}", note.path))
                .text(format!(": {}", note.message)),
        );
    }
}

fn notes_of<'a>(app: &'a App, object: &ObjectRef) -> &'a [Note] {
    app.snapshot.notes_of(object)
}

/// Events about the object, the newest first.
fn events(app: &App, object: &ObjectRef, lines: &mut Vec<Label>) {
    const MOST: usize = 10;
    let about = app.snapshot.events.iter().filter(|event| {
        event.spec.about_kind == object.kind.name()
            && event.spec.about_namespace == object.namespace
            && event.spec.about_name == object.name
    });
    for (index, event) in about.take(MOST).enumerate() {
        if index == 0 {
            lines.push(Label::new());
            lines.push(Label::of(Role::Title, "Events"));
        }
        let mark = if event.spec.event_type == "Warning" {
            Mark::Warning
        } else {
            Mark::Info
        };
        let age = event
            .spec
            .last_seen
            .map(|then| words::age(then, app.now))
            .unwrap_or_default();
        lines.push(event_line(
            mark,
            &app.theme,
            &event.spec.reason,
            &age,
            &event.spec.message,
        ));
    }
}

fn event_line(mark: Mark, theme: &Theme, reason: &str, age: &str, message: &str) -> Label {
    Label::new()
        .text("  ")
        .mark(mark, theme)
        .and(Role::Strong, format!(" {reason}"))
        .and(Role::Muted, format!(" {age} "))
        .text(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_never_touches_the_type() {
        for kinds in [
            &["Ready"][..],
            &["SupportedVersion", "Accepted"],
            &["PodReadyToStartContainers", "ContainersReady"],
            &["a-type-of-the-greatest-length-that-somebody-might-think-of"],
        ] {
            let conditions: Vec<Condition> = kinds
                .iter()
                .map(|kind| Condition {
                    kind: (*kind).to_owned(),
                    status: "True".to_owned(),
                    reason: String::new(),
                    message: String::new(),
                    last_transition: None,
                    observed_generation: None,
                })
                .collect();
            let column = column_of(&conditions);
            for kind in kinds {
                assert!(padded(kind, column).ends_with(' '), "{kind}");
            }
        }
    }
}
