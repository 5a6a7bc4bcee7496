//! The whole screen: header, causes, tree beside tabs, footer, and what lies over them.

use ngf_ui::{
    Label, Mark, Role,
    widgets::{
        bars::{Footer, Header, Hint},
        help::Section,
        panel::Panel,
        prompt::Prompt,
        rows::Lazy,
        tabs::{Tab, Tabs},
        toast::{Toast, Toasts},
        tree::Tree,
    },
};
use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Position, Rect},
    widgets::{StatefulWidget, Widget},
};

use super::{VIEWS, ViewId, causes, findings::mark_of_health, overlays};
use crate::app::{
    action::{ACTIONS, Action, ActionInfo},
    state::{App, Overlay, Pane, Tests},
    update::contexts,
};
use ngf_core::{
    diagnosis::{Severity, Verdict},
    model::{
        kind::Kind,
        snapshot::{KindState, Loss, Lost, Scope, Source},
        topology::{Node, What},
    },
};
use ngf_text::words;

/// Below this width the tabs take the whole width while they have the keys.
const NARROW: u16 = 110;

/// Draws everything; where the cursor belongs, if somewhere.
pub fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let causes_height = causes::height(app, area.height);
    let [top, strip, main, bottom] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(causes_height),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    header(app, top, buffer);
    if causes_height > 0 {
        causes::draw(app, strip, buffer);
    }
    panes(app, main, buffer);
    let cursor = footer(app, bottom, buffer);
    toast(app, main, buffer);
    overlays::draw(app, area, buffer).or(cursor)
}

fn header(app: &App, area: Rect, buffer: &mut Buffer) {
    let left = Label::of(Role::Title, "ngf-tui")
        .text("  ")
        .joined(&place(app));
    Header::new(left, Label::new(), counts(app), &app.theme).render(area, buffer);
}

/// Which cluster and namespaces these are, or which stage of the guide.
fn place(app: &App) -> Label {
    if let Some(stage) = &app.stage {
        let (number, of) = (stage.index + 1, stage.of);
        let words = format!("{} {number} of {of}: {}", stage.walk, stage.title);
        return Label::of(Role::Accent, words);
    }
    let source = match &app.snapshot.source {
        Source::Cluster { context, .. } => context.clone(),
        Source::Files { .. } if app.reading => "files".to_owned(),
        Source::Files { .. } => words::count(app.snapshot.files, "file"),
    };
    let scope = match &app.snapshot.scope {
        Scope::AllNamespaces => read_namespaces(app),
        Scope::Namespace(namespace) => namespace.clone(),
    };
    Label::of(Role::Normal, format!("{source} "))
        .and(Role::Muted, app.theme.glyphs.collapsed)
        .text(format!(" {scope}"))
}

/// The namespaces that are read, where all were asked for.
fn read_namespaces(app: &App) -> String {
    let mut narrowed = app.diagnosis.hidden.iter().filter_map(|hidden| {
        let namespace = hidden.read_namespace.as_deref()?;
        Some((namespace, hidden.kinds.len()))
    });
    let Some((namespace, kinds)) = narrowed.next() else {
        return "all namespaces".to_owned();
    };
    // Some kinds may be read everywhere all the same.
    let wide = |kind: &&Kind| {
        kind.info().namespaced
            && matches!(app.snapshot.kinds.get(*kind), Some(KindState::Live { .. }))
            && !app.snapshot.narrowed.contains_key(*kind)
    };
    let is_partial = PATH.iter().any(|kind| wide(&kind));
    if is_partial {
        return format!(
            "{} of namespace {namespace} only",
            words::count(kinds, "kind")
        );
    }
    format!("namespace {namespace} only")
}

/// Kinds that stand on the way of a request.
const PATH: [Kind; 4] = [
    Kind::Gateway,
    Kind::HTTPRoute,
    Kind::BackendTLSPolicy,
    Kind::Service,
];

/// How fresh it is, and how much of what there is.
fn counts(app: &App) -> Label {
    let mut right = freshness(app);
    if app.read_only {
        right = right.and(Role::Muted, "  read-only");
    }
    if app.diagnosed_at.is_none() {
        return right;
    }
    let unknown = app
        .diagnosis
        .findings
        .iter()
        .filter(|found| found.verdict == Verdict::Unknown)
        .count();
    for (mark, count) in [
        (Mark::Failed, app.diagnosis.count(Severity::Error)),
        (Mark::Warning, app.diagnosis.count(Severity::Warning)),
        (Mark::Unknown, unknown),
    ] {
        if count > 0 {
            right = right
                .text("  ")
                .mark(mark, &app.theme)
                .text(format!(" {count}"));
        }
    }
    let untested = app.diagnosis.coverage.untested.len();
    if untested > 0 {
        right = right
            .text("  ")
            .mark(Mark::Unknown, &app.theme)
            .text(format!(" {untested} untested"));
    }
    // Nothing found is good news only where everything was read and tested.
    if app.diagnosis.findings.is_empty() && untested == 0 && app.diagnosis.loading == 0 {
        right = right
            .text("  ")
            .mark(Mark::Ok, &app.theme)
            .text(" no findings");
    }
    right
}

/// `live`, `loading`, or how long ago the connection broke.
fn freshness(app: &App) -> Label {
    if matches!(app.snapshot.source, Source::Files { .. }) {
        return if app.reading {
            Label::of(Role::Warning, "loading")
        } else {
            Label::of(Role::Muted, "from files")
        };
    }
    if let Some(lost) = &app.snapshot.lost {
        return of_lost(app, lost);
    }
    let states = || app.snapshot.kinds.values();
    let oldest = states().filter_map(|state| match state {
        KindState::Stale { since, .. } => Some(*since),
        _ => None,
    });
    if let Some(since) = oldest.min() {
        return Label::of(
            Role::Error,
            format!("stale for {}", words::age(since, app.now)),
        );
    }
    let loading = states()
        .filter(|state| matches!(state, KindState::Loading))
        .count();
    if loading > 0 || app.diagnosed_at.is_none() {
        return Label::of(
            Role::Warning,
            match loading {
                0 => "loading".to_owned(),
                kinds => format!("loading {}", words::count(kinds, "kind")),
            },
        );
    }
    let denied = states()
        .filter(|state| matches!(state, KindState::Denied(_)))
        .count();
    let failed = states()
        .filter(|state| matches!(state, KindState::Failed(_)))
        .count();
    let objects = app.snapshot.denied.len();
    let mut hidden = Vec::new();
    if denied > 0 {
        hidden.push(words::count(denied, "kind"));
    }
    for kind in [Kind::Secret, Kind::ConfigMap] {
        match app
            .snapshot
            .denied
            .iter()
            .filter(|o| o.kind == kind)
            .count()
        {
            0 => {}
            number => hidden.push(words::count(number, kind.name())),
        }
    }
    match (denied, failed) {
        (_, 0) if denied + objects > 0 => {
            Label::of(Role::Warning, format!("live, {} hidden", hidden.join(", ")))
        }
        (_, 0) => Label::of(Role::Ok, "live"),
        (_, failed) => Label::of(Role::Error, format!("{failed} kinds unreadable")),
    }
}

/// Why what is shown may be old, and how old it is: counted from the last answer.
fn of_lost(app: &App, lost: &Lost) -> Label {
    let age = words::age(lost.since, app.now);
    let text = match (&lost.loss, &app.snapshot.source) {
        (Loss::Silent, _) => format!("API server silent, stale for {age}"),
        (Loss::Failing, _) => format!("API server failing for {age}"),
        (Loss::Refused { who }, _) if !who.is_empty() => {
            format!("log in again: {who}, stale for {age}")
        }
        (Loss::Refused { .. }, Source::Cluster { context, .. }) => {
            format!("log in again: context {context}, stale for {age}")
        }
        (Loss::Refused { .. }, Source::Files { .. }) => "log in again".to_owned(),
    };
    Label::of(Role::Error, text)
}

fn panes(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let detail_alone = area.width < NARROW && app.pane == Pane::Detail;
    if detail_alone {
        detail(app, area, buffer);
        return;
    }
    let share = if area.width < NARROW {
        Constraint::Percentage(58)
    } else {
        Constraint::Percentage(38)
    };
    let [left, right] = Layout::horizontal([share, Constraint::Min(0)]).areas(area);
    tree(app, left, buffer);
    detail(app, right, buffer);
}

fn tree(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let focused = app.pane == Pane::Tree;
    let mut panel = Panel::new("Tree", &app.theme).focused(focused);
    if !app.tree.filter.is_empty() {
        panel = panel.right(Label::of(Role::Accent, format!("/{}", app.tree.filter)));
    }
    (&panel).render(area, buffer);
    let mut state = app.tree.state;
    let (skeleton, nodes) = (app.tree.rows(), app.tree.visible());
    let diagnosis = &app.diagnosis;
    let rows = Lazy::new(skeleton.len(), |index: usize| {
        let (node, mut row) = (nodes[index], skeleton[index].clone());
        row.label = label(diagnosis.topology.node(node));
        row.mark = Some(mark_of_health(diagnosis.health(node)));
        row
    });
    let empty = empty_words(app);
    Tree::new(&rows, &app.theme)
        .focused(focused)
        .filter(&app.tree.filter)
        .empty(empty)
        .render(Panel::inner(area), buffer, &mut state);
    app.tree.state = state;
}

fn empty_words(app: &App) -> &'static str {
    if !app.tree.filter.is_empty() {
        "Nothing matches the filter."
    } else if app.diagnosed_at.is_none() {
        "Reading…"
    } else if may_not_be_read(app) {
        "No GatewayClass, Gateway or route may be read: the causes name the rule to add."
    } else {
        "No GatewayClass, Gateway or route was found here. Try -A for all namespaces."
    }
}

/// Whether neither Gateways nor routes may be read.
fn may_not_be_read(app: &App) -> bool {
    [Kind::Gateway, Kind::HTTPRoute]
        .iter()
        .all(|kind| matches!(app.snapshot.kinds.get(kind), Some(KindState::Denied(_))))
}

fn label(node: &Node) -> Label {
    let mut label = Label::of(Role::Normal, node.name.clone());
    let kind = match (&node.what, &node.object) {
        (What::Route { .. } | What::Policy { .. }, Some(object)) => Some(object.kind.name()),
        (What::Class | What::Gateway | What::ListenerSet, _) => Some(node.what.word()),
        _ => None,
    };
    if let Some(note) = &node.note {
        label.push(Role::Muted, format!(" {note}"));
    }
    if let Some(kind) = kind {
        label.push(Role::Muted, format!(" ({kind})"));
    }
    label
}

fn detail(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let focused = app.pane == Pane::Detail;
    let name = app
        .selected()
        .map(|(_, node)| format!("{} {}", node.what.word(), node.name))
        .unwrap_or_default();
    let selected = app.detail.view.index();
    let mut panel = Panel::new(Label::of(Role::Title, name), &app.theme).focused(focused);
    if matches!(app.detail.view, ViewId::Handshake | ViewId::Matrix) {
        panel = panel.right(Label::of(Role::Muted, "via ").and(Role::Accent, app.via.to_string()));
    }
    panel.render(area, buffer);
    let inner = Panel::inner(area);
    let [bar, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(inner);
    (VIEWS[selected].draw)(app, body, buffer);
    // Afterwards: what was drawn may give its tab a mark.
    let tabs: Vec<Tab> = VIEWS
        .iter()
        .map(|view| {
            let tab = Tab::new(view.title);
            (view.mark)(app).map_or(tab.clone(), |mark| tab.mark(mark))
        })
        .collect();
    Tabs::new(&tabs, selected, &app.theme).render(bar, buffer);
}

/// The footer's hints, or the filter's input.
fn footer(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    if let Some(Overlay::Filter(prompt, _)) = &app.overlay {
        let prompt = Prompt::new("/ ", prompt, &app.theme).placeholder("part of a name");
        prompt.render(area, buffer);
        return Some(prompt.cursor(area));
    }
    let here = contexts(app);
    let means_something = |info: &&ActionInfo| {
        let mut contexts = info.contexts.iter();
        info.contexts.is_empty() || contexts.any(|context| here.contains(context))
    };
    // Where nothing is found, what is about findings only takes the place of others.
    let about_findings = [Action::FirstCause, Action::Explain, Action::Fix];
    let of_use = |info: &&ActionInfo| {
        !app.diagnosis.findings.is_empty() || !about_findings.contains(&info.action)
    };
    let mut shown: Vec<_> = ACTIONS
        .iter()
        .filter(|info| info.footer > 0)
        .filter(means_something)
        .filter(of_use)
        .collect();
    shown.sort_by_key(|info| info.footer);
    let hints: Vec<Hint> = shown
        .iter()
        .map(|info| {
            let hint = match info.action {
                Action::Via => Hint::new(info.keys[0], format!("via {}", app.via)),
                _ => Hint::new(info.keys[0], info.short),
            };
            if matches!(info.id, "help" | "quit") {
                hint.keep()
            } else {
                hint
            }
        })
        .collect();
    Footer::new(&hints, &app.theme).render(area, buffer);
    None
}

fn toast(app: &App, area: Rect, buffer: &mut Buffer) {
    let mut toasts = Vec::new();
    if app.preparing.is_some() {
        let words = format!("finding out what {} needs; ctrl-x cancels", app.via);
        toasts.push(Toast::new(Mark::Info, words));
    }
    if !app.running.is_empty() {
        let running = words::count(app.running.len(), "probe");
        toasts.push(Toast::new(
            Mark::Info,
            format!("{running} running; ctrl-x cancels"),
        ));
    }
    if let Tests::Running {
        done,
        of,
        paths,
        via,
    } = app.tests
    {
        let paths = words::count(paths, "path");
        toasts.push(Toast::new(
            Mark::Info,
            format!("testing {paths} using {via}, ctrl-x stops ({done} of {of})"),
        ));
    }
    if let Some(toast) = &app.toast {
        toasts.push(Toast::new(toast.mark, toast.text.clone()));
    }
    Toasts::new(&toasts, &app.theme).render(area, buffer);
}

/// The help screen's sections, from the list of actions.
pub fn help_sections() -> Vec<Section> {
    crate::app::action::Section::ALL
        .into_iter()
        .map(|heading| {
            let mut section = Section::new(heading.title());
            for info in ACTIONS.iter().filter(|info| info.section == heading) {
                section = section.key(info.keys.join(" "), info.help);
            }
            section
        })
        .collect()
}
