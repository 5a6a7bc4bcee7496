//! The header: which cluster and namespaces these are, how fresh it is, and how much is wrong.

use jiff::Timestamp;
use ngf_ui::{Label, Mark, Role, widgets::bars::Header};
use ratatui::{buffer::Buffer, layout::Rect, widgets::Widget};

use super::problems;
use crate::tui::state::{App, clock::Clock, elsewhere::ElsewhereState};
use ngf_core::model::{
    kind::Kind,
    snapshot::{KindState, Loss, Lost, Scope, Source},
};
use ngf_text::{sanitize, words};

/// Draws it.
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let left = Label::of(Role::Title, "ngf-tui")
        .text("  ")
        .joined(&cluster(app));
    Header::new(left, release(app), counts(app), &app.theme).render(area, buffer);
}

/// `NGF 2.7.1`, where its workload says so; of the guide what the stage is about, where there is room.
fn release(app: &App) -> Label {
    if let Some(stage) = &app.stage {
        return Label::of(Role::Accent, stage.title.clone());
    }
    match &app.diagnosis.running.said_by {
        Some((_, version)) => {
            let version = sanitize::line(version.trim_start_matches('v'), 16);
            Label::of(Role::Muted, format!("NGF {version}"))
        }
        None => Label::new(),
    }
}

/// Which cluster and namespaces these are, or which stage of the guide it is.
fn cluster(app: &App) -> Label {
    if let Some(stage) = &app.stage {
        let (number, of) = (stage.index + 1, stage.of);
        let words = format!("{} {number} of {of}", stage.walk);
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
    if app.recording.is_some() {
        right = right.and(Role::Error, "  recording");
    }
    if app.read_only {
        right = right.and(Role::Muted, "  read-only");
    }
    if app.diagnosed_at.is_none() {
        return right;
    }
    for mark in [Mark::Failed, Mark::Warning, Mark::Unknown] {
        let count = app.home.counts.get(&mark).copied().unwrap_or_default();
        if count > 0 {
            right = right
                .text("  ")
                .mark(mark, &app.theme)
                .text(format!(" {count}"));
        }
    }
    right = right.joined(&elsewhere(app));
    let untested = app.diagnosis.coverage.untested.len();
    if untested > 0 {
        right = right
            .text("  ")
            .mark(Mark::Unknown, &app.theme)
            .text(format!(" {untested} untested"));
    }
    if let Some(mark) = problems::all_clear(app) {
        let words = match mark {
            Mark::Ok => "no problems".to_owned(),
            Mark::Info => {
                let coverage = &app.diagnosis.coverage;
                let (tested, all) = (coverage.tested_endpoints(), coverage.endpoints());
                format!("no problems in {tested} of {all} endpoints")
            }
            _ => "testing".to_owned(),
        };
        right = right
            .text("  ")
            .mark(mark, &app.theme)
            .text(format!(" {words}"));
    }
    right
}

/// What the other contexts that are watched come to: `elsewhere ✗ 2 ? 1`.
fn elsewhere(app: &App) -> Label {
    let mut label = Label::new();
    let mut add = |mark: Mark, count: usize| {
        if count > 0 {
            let lead = if label.is_empty() { "  elsewhere" } else { "" };
            let line = std::mem::take(&mut label);
            label = line
                .and(Role::Muted, lead)
                .text(" ")
                .mark(mark, &app.theme)
                .text(format!(" {count}"));
        }
    };
    for mark in [Mark::Failed, Mark::Warning] {
        add(mark, problems::others(app).map(|one| one.count(mark)).sum());
    }
    let unknown = problems::others(app).map(|one| match &one.state {
        ElsewhereState::Known(_) => one.count(Mark::Unknown),
        ElsewhereState::Reading | ElsewhereState::Unreadable(_) => 1,
    });
    add(Mark::Unknown, unknown.sum());
    label
}

/// `live`, `loading`, or how long ago the connection broke.
fn freshness(app: &App) -> Label {
    match &app.clock {
        Clock::Live => {}
        Clock::At(at) => {
            let at = at.strftime("%Y-%m-%d %H:%M UTC");
            return Label::of(Role::Accent, format!("seen {at}"));
        }
        Clock::Replay(replay) => return Label::of(Role::Accent, replay.words()),
    }
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
    if let Some(label) = of_stale(app) {
        return label;
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
        (_, 0) => Label::of(Role::Ok, "live").joined(&of_unwatched(app)),
        (_, failed) => Label::of(Role::Error, format!("{failed} kinds unreadable")),
    }
}

/// How old what is known of Secrets and ConfigMaps may be that are not watched: `, Secrets up to 14m old`.
fn of_unwatched(app: &App) -> Label {
    let unwatched = app.snapshot.unwatched.iter();
    let oldest = unwatched.min_by_key(|(_, at)| **at);
    oldest.map_or_else(Label::new, |(object, at)| {
        let age = words::age(*at, app.now);
        Label::of(Role::Muted, format!(", {}s up to {age} old", object.kind))
    })
}

/// Which kinds may be old, and for how long the oldest of them.
fn of_stale(app: &App) -> Option<Label> {
    let kinds = app.snapshot.kinds.iter();
    let mut stale: Vec<(Timestamp, Kind)> = kinds
        .filter_map(|(kind, state)| match state {
            KindState::Stale { since, .. } => Some((*since, *kind)),
            _ => None,
        })
        .collect();
    stale.sort_unstable();
    let (since, first) = *stale.first()?;
    let what = match stale.len() {
        1 => first.name().to_owned(),
        kinds => words::count(kinds, "kind"),
    };
    let age = words::age(since, app.now);
    Some(Label::of(Role::Error, format!("{what} stale for {age}")))
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ngf_core::model::snapshot::Snapshot;
    use ngf_ui::Theme;

    use super::*;

    #[test]
    fn one_line_says_which_kinds_are_stale_and_for_how_long() {
        let now: Timestamp = "2026-06-01T12:00:00Z".parse().expect("a moment");
        let stale = |minutes: i64| KindState::Stale {
            version: "v1".to_owned(),
            since: now - jiff::SignedDuration::from_mins(minutes),
            why: "the API server ends each watch at once".to_owned(),
        };
        let source = Source::Cluster {
            context: "test".to_owned(),
            server: "https://127.0.0.1:6443".to_owned(),
            version: None,
        };
        let mut snapshot = Snapshot::new(source, Scope::AllNamespaces);
        let mut line = |kind: Kind, state: KindState| {
            snapshot.kinds.insert(kind, state);
            let snapshot = Arc::new(snapshot.clone());
            let app = App::new(Theme::plain(), snapshot, None, now).expect("no conflict");
            freshness(&app).plain()
        };
        let followed = KindState::Live {
            version: "v1".to_owned(),
        };
        line(Kind::Service, followed);
        assert_eq!(line(Kind::Gateway, stale(3)), "Gateway stale for 3m");
        assert_eq!(line(Kind::HTTPRoute, stale(7)), "2 kinds stale for 7m");
    }
}
