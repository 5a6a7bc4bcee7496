//! How the state changes: synchronous and pure. What takes time comes out as effects.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use ngf_ui::{
    Mark,
    keymap::KeyChord,
    scroll::{ListState, ScrollState},
    widgets::{
        palette::{Command, PaletteState},
        prompt::PromptState,
    },
};

use super::{
    action::{ACTIONS, Action, Context},
    edit::edit,
    event::{Diagnosed, Effect, Event},
    state::{App, Overlay, Pane, Zoom},
};
use crate::{
    diagnosis::{
        Evidence, Severity, Verdict,
        evidence::Probed,
        plan::{ProbePlan, ProbeTarget, plan},
    },
    model::topology::{NodeIx, What},
    views::{VIEWS, ViewId, handshake},
};

/// Takes an event in; what is to be done comes out.
pub fn update(app: &mut App, event: Event, now: Timestamp) -> Vec<Effect> {
    app.now = now;
    match event {
        Event::Key(key) => key_pressed(app, key),
        Event::Paste(text) => pasted(app, &text),
        Event::Resized => Vec::new(),
        Event::Tick => tick(app),
        Event::Snapshot(snapshot) => {
            app.latest = snapshot;
            vec![diagnose(app)]
        }
        Event::Diagnosed(diagnosed) => {
            take_diagnosis(app, *diagnosed);
            Vec::new()
        }
        Event::Probed(probed) => probed_one(app, *probed),
        Event::Logged(log) => {
            app.evidence.record_log(*log);
            vec![diagnose(app)]
        }
        Event::ProbesEnded(keys) => {
            app.running.retain(|key| !keys.contains(key));
            Vec::new()
        }
        Event::Stage(stage) => {
            app.explain(&stage);
            app.stage = Some(stage);
            Vec::new()
        }
        Event::Failed(message) => {
            app.say(Mark::Failed, message);
            Vec::new()
        }
        Event::Terminate => vec![Effect::Quit],
    }
}

fn diagnose(app: &App) -> Effect {
    Effect::Diagnose {
        snapshot: Arc::clone(&app.latest),
        evidence: app.evidence.clone(),
    }
}

/// Once a minute everything is judged again: certificates expire while nobody touches the cluster.
fn tick(app: &mut App) -> Vec<Effect> {
    if app
        .toast
        .as_ref()
        .is_some_and(|toast| toast.until <= app.now)
    {
        app.toast = None;
    }
    let minute = |at: Timestamp| at.as_second() / 60;
    if app
        .diagnosed_at
        .is_some_and(|at| minute(at) != minute(app.now))
    {
        app.diagnosed_at = Some(app.now);
        return vec![diagnose(app)];
    }
    Vec::new()
}

fn take_diagnosis(app: &mut App, diagnosed: Diagnosed) {
    app.snapshot = diagnosed.snapshot;
    app.diagnosis = diagnosed.diagnosis;
    app.diagnosed_at = Some(app.now);
    app.tree.refresh(&app.diagnosis);
    app.causes = app.causes.of(app.diagnosis.findings.len());
    if !app.tree.touched {
        select_something_useful(app);
    }
}

/// Until a person moves, the selection is where they would go first: at the first proven cause, or
/// else at the first route.
fn select_something_useful(app: &mut App) {
    let topology = &app.diagnosis.topology;
    let first_cause =
        app.diagnosis.findings.first().filter(|finding| {
            finding.verdict == Verdict::Fail && finding.severity == Severity::Error
        });
    let cause = first_cause.and_then(|_| place_of_finding(app, 0));
    let route = || {
        topology
            .iter()
            .find(|(_, node)| matches!(node.what, What::Route { .. }))
    };
    if let Some(node) = cause.or_else(|| route().map(|(index, _)| index)) {
        app.tree.reveal(node, &app.diagnosis);
    }
}

/// Where a finding is shown in the tree, the deepest place first: that is nearest to the trouble.
fn place_of_finding(app: &App, finding: usize) -> Option<NodeIx> {
    let topology = &app.diagnosis.topology;
    topology
        .iter()
        .map(|(index, _)| index)
        .filter(|index| app.diagnosis.findings_at(*index).contains(&finding))
        .max_by_key(|index| topology.ancestors(*index).count())
}

fn probed_one(app: &mut App, probed: Probed) -> Vec<Effect> {
    app.running.remove(&probed.plan.key());
    let endpoint = format!(
        "{}:{}",
        probed.plan.endpoint.address, probed.plan.endpoint.port
    );
    match &probed.result {
        // Where the handshake is on the screen, it says so itself.
        Ok(_) if app.pane == Pane::Detail && app.detail.view == ViewId::Handshake => {}
        Ok(transcript) => {
            let mark = handshake::mark_of(transcript.nginx.outcome);
            app.say(mark, transcript.nginx.sentence.clone());
        }
        Err(why) => app.say(
            Mark::Failed,
            format!("{endpoint}: the probe could not run: {why}"),
        ),
    }
    app.evidence.record(probed);
    vec![diagnose(app)]
}

fn pasted(app: &mut App, text: &str) -> Vec<Effect> {
    match &mut app.overlay {
        Some(Overlay::Filter(prompt, _)) => prompt.insert(text),
        Some(Overlay::Palette(palette)) => palette.prompt.insert(text),
        _ => return Vec::new(),
    }
    apply_filter(app);
    Vec::new()
}

fn key_pressed(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    let Some(chord) = KeyChord::pressed(key) else {
        return Vec::new();
    };
    // Whatever has the keys: this ends the program.
    if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
        return vec![Effect::Quit];
    }
    match app.overlay.take() {
        None => match app.keymap.action(chord, &contexts(app)) {
            Some(action) => perform(app, action),
            None => Vec::new(),
        },
        Some(overlay) => overlay_key(app, overlay, key, chord),
    }
}

/// Where keys mean something now, the innermost first.
fn contexts(app: &App) -> Vec<Context> {
    let mut contexts = match app.pane {
        Pane::Tree => vec![Context::Tree],
        Pane::Causes => vec![Context::Causes],
        Pane::Detail if app.detail.view == ViewId::Handshake => {
            vec![Context::Handshake, Context::Detail]
        }
        Pane::Detail => vec![Context::Detail],
    };
    contexts.push(if app.stage.is_some() {
        Context::Demo
    } else {
        Context::NotDemo
    });
    contexts
}

fn overlay_key(app: &mut App, overlay: Overlay, key: KeyEvent, chord: KeyChord) -> Vec<Effect> {
    match overlay {
        Overlay::Help(mut scroll) => {
            let stays = scrolled(app, chord, &mut scroll);
            app.overlay = stays.then_some(Overlay::Help(scroll));
            Vec::new()
        }
        Overlay::Step(message, mut scroll) => {
            let stays = scrolled(app, chord, &mut scroll);
            app.overlay = stays.then_some(Overlay::Step(message, scroll));
            Vec::new()
        }
        Overlay::Filter(prompt, before) => filter_key(app, prompt, before, key),
        Overlay::Palette(palette) => palette_key(app, palette, key),
    }
}

/// Keys of an overlay that only scrolls: whether it stays open.
fn scrolled(app: &App, chord: KeyChord, scroll: &mut ScrollState) -> bool {
    match app.keymap.action(chord, &[]) {
        Some(Action::Up) => scroll.scroll_by(-1),
        Some(Action::Down) => scroll.scroll_by(1),
        Some(Action::PageUp) => scroll.page_up(),
        Some(Action::PageDown) => scroll.page_down(),
        Some(Action::First) => scroll.first(),
        Some(Action::Last) => scroll.last(),
        Some(Action::Back | Action::Quit | Action::Open | Action::Help) => return false,
        _ => {}
    }
    true
}

fn filter_key(
    app: &mut App,
    mut prompt: PromptState,
    before: String,
    key: KeyEvent,
) -> Vec<Effect> {
    match key.code {
        KeyCode::Enter => app.pane = Pane::Tree,
        KeyCode::Esc => app.tree.set_filter(&before, &app.diagnosis),
        _ => {
            edit(&mut prompt, key);
            app.overlay = Some(Overlay::Filter(prompt, before));
            apply_filter(app);
        }
    }
    Vec::new()
}

fn apply_filter(app: &mut App) {
    if let Some(Overlay::Filter(prompt, _)) = &app.overlay {
        let text = prompt.text().to_owned();
        app.tree.set_filter(&text, &app.diagnosis);
    }
}

fn palette_key(app: &mut App, mut palette: PaletteState, key: KeyEvent) -> Vec<Effect> {
    match key.code {
        KeyCode::Esc => {}
        KeyCode::Enter => {
            if let Some(index) = palette.selected(&entries(app)) {
                return perform(app, commands(app)[index]);
            }
        }
        KeyCode::Up => {
            palette.list.previous();
            app.overlay = Some(Overlay::Palette(palette));
        }
        KeyCode::Down => {
            palette.list.next();
            app.overlay = Some(Overlay::Palette(palette));
        }
        _ => {
            if edit(&mut palette.prompt, key) {
                palette.list.first();
            }
            app.overlay = Some(Overlay::Palette(palette));
        }
    }
    Vec::new()
}

/// The actions that the palette offers, in order, each once.
pub fn commands(app: &App) -> Vec<Action> {
    let here = contexts(app);
    let mut commands: Vec<Action> = Vec::new();
    for info in ACTIONS {
        let elsewhere = info.contexts.contains(&Context::Demo) && !here.contains(&Context::Demo);
        if !elsewhere && !commands.contains(&info.action) {
            commands.push(info.action);
        }
    }
    commands
}

/// What the palette shows of [`commands`].
pub fn entries(app: &App) -> Vec<Command> {
    commands(app)
        .into_iter()
        .map(|action| {
            let info = action.info();
            let keys: Vec<String> = app
                .keymap
                .chords(action)
                .map(|chord| chord.to_string())
                .collect();
            Command::new(info.id, info.help, keys.join(" "))
        })
        .collect()
}

/// Carries an action out.
pub fn perform(app: &mut App, action: Action) -> Vec<Effect> {
    match action {
        Action::Up => move_by(app, -1),
        Action::Down => move_by(app, 1),
        Action::PageUp => page(app, false),
        Action::PageDown => page(app, true),
        Action::First => end(app, false),
        Action::Last => end(app, true),
        Action::Collapse => app.tree.collapse(&app.diagnosis),
        Action::Expand => app.tree.expand(&app.diagnosis),
        Action::Toggle => app.tree.toggle(&app.diagnosis),
        Action::Open => open(app),
        Action::Back => back(app),
        Action::NextPane => app.pane = next_pane(app, true),
        Action::PreviousPane => app.pane = next_pane(app, false),
        Action::NextView => turn_view(app, 1),
        Action::PreviousView => turn_view(app, VIEWS.len() - 1),
        Action::View(index) => show_view(app, VIEWS[index % VIEWS.len()].id),
        Action::NextEndpoint => turn_endpoint(app, 1),
        Action::PreviousEndpoint => turn_endpoint(app, -1),
        Action::Zoom => zoom(app),
        Action::FirstCause => go_to_cause(app, 0),
        Action::Filter => {
            let filter = app.tree.filter.clone();
            app.overlay = Some(Overlay::Filter(PromptState::with(&filter), filter));
        }
        Action::Command => app.overlay = Some(Overlay::Palette(PaletteState::default())),
        Action::Help => app.overlay = Some(Overlay::Help(ScrollState::default())),
        Action::Probe => return probe_selected(app),
        Action::ProbeAll => return probe_gateway(app),
        Action::Cancel => {
            app.say(Mark::Info, "Probes cancelled");
            return vec![Effect::CancelProbes];
        }
        Action::NextStage => return go_to_stage(app, 1),
        Action::PreviousStage => return go_to_stage(app, -1),
        Action::Quit => return vec![Effect::Quit],
    }
    Vec::new()
}

fn move_by(app: &mut App, lines: isize) {
    on_list(
        app,
        |list| list.move_by(lines),
        |scroll| scroll.scroll_by(lines),
    );
}

fn page(app: &mut App, down: bool) {
    if down {
        on_list(app, ListState::page_down, ScrollState::page_down);
    } else {
        on_list(app, ListState::page_up, ScrollState::page_up);
    }
}

fn end(app: &mut App, last: bool) {
    if last {
        on_list(app, ListState::last, ScrollState::last);
    } else {
        on_list(app, ListState::first, ScrollState::first);
    }
}

/// Moves in whatever has the keys: a list, or a text.
fn on_list(app: &mut App, list: impl FnOnce(&mut ListState), text: impl FnOnce(&mut ScrollState)) {
    match (app.pane, app.detail.view) {
        (Pane::Tree, _) => {
            app.tree.move_selection(&app.diagnosis.topology, list);
            forget_position(app);
        }
        (Pane::Causes, _) => list(&mut app.causes),
        (Pane::Detail, ViewId::Handshake) if app.shown_probe().is_some() => {
            list(&mut app.detail.messages);
        }
        (Pane::Detail, ViewId::Findings) => list(&mut app.detail.findings),
        (Pane::Detail, view) => text(app.detail.scroll.entry(view).or_default()),
    }
}

/// Something else is selected: its tabs are read from their beginning.
fn forget_position(app: &mut App) {
    app.detail.scroll.clear();
    app.detail.messages = ListState::default();
    app.detail.findings = ListState::default();
    app.detail.endpoint = 0;
}

fn open(app: &mut App) {
    match (app.pane, app.detail.view) {
        (Pane::Tree, _) => app.pane = Pane::Detail,
        (Pane::Causes, _) => go_to_cause(app, app.causes.selected),
        (Pane::Detail, ViewId::Handshake) if app.shown_probe().is_some() => {
            app.overlay = Some(Overlay::Step(
                app.detail.messages.selected,
                ScrollState::default(),
            ));
        }
        (Pane::Detail, _) => {}
    }
}

fn back(app: &mut App) {
    if app.toast.take().is_some() {
        return;
    }
    if app.pane == Pane::Tree && !app.tree.filter.is_empty() {
        app.tree.set_filter("", &app.diagnosis);
    }
    app.pane = Pane::Tree;
}

fn next_pane(app: &App, forwards: bool) -> Pane {
    let panes: &[Pane] = if app.diagnosis.findings.is_empty() {
        &[Pane::Tree, Pane::Detail]
    } else {
        &[Pane::Tree, Pane::Detail, Pane::Causes]
    };
    let here = panes
        .iter()
        .position(|pane| *pane == app.pane)
        .unwrap_or_default();
    let step = if forwards { 1 } else { panes.len() - 1 };
    panes[(here + step) % panes.len()]
}

fn show_view(app: &mut App, view: ViewId) {
    app.detail.view = view;
    app.pane = Pane::Detail;
}

fn turn_view(app: &mut App, step: usize) {
    let next = (app.detail.view.index() + step) % VIEWS.len();
    show_view(app, VIEWS[next].id);
}

fn turn_endpoint(app: &mut App, step: isize) {
    let count = app.probes_of_selected().len();
    if count > 0 {
        let here = app.detail.endpoint % count;
        app.detail.endpoint = (here.cast_signed() + step).rem_euclid(count.cast_signed()) as usize;
        app.detail.messages = ListState::default();
    }
}

fn zoom(app: &mut App) {
    app.detail.zoom = match app.detail.zoom {
        Zoom::Guide => Zoom::Wire,
        Zoom::Wire => Zoom::Guide,
    };
    app.detail.messages = ListState::default();
    show_view(app, ViewId::Handshake);
}

fn go_to_cause(app: &mut App, finding: usize) {
    if app.diagnosis.findings.is_empty() {
        app.say(Mark::Ok, "Nothing is known to be wrong");
        return;
    }
    let finding = finding.min(app.diagnosis.findings.len() - 1);
    app.causes.selected = finding;
    if let Some(node) = place_of_finding(app, finding) {
        app.tree.touched = true;
        app.tree.reveal(node, &app.diagnosis);
        forget_position(app);
        let here = app.diagnosis.findings_below(node);
        app.detail.findings.selected = here
            .iter()
            .position(|index| *index == finding)
            .unwrap_or_default();
    }
    show_view(app, ViewId::Findings);
}

fn probe_selected(app: &mut App) -> Vec<Effect> {
    let Some((_, node)) = app.selected() else {
        app.say(Mark::Warning, "Nothing is selected that could be probed");
        return Vec::new();
    };
    let target = ProbeTarget::Node(node.id.clone());
    probe(app, &target)
}

/// Every endpoint of the Gateway that the selected node belongs to.
fn probe_gateway(app: &mut App) -> Vec<Effect> {
    let gateway = app.selected().and_then(|(index, _)| {
        app.diagnosis.topology.above(index, |node| match node.what {
            What::Gateway => node.object.clone(),
            _ => None,
        })
    });
    match gateway {
        Some(gateway) => probe(app, &ProbeTarget::Gateway(gateway)),
        None => {
            app.say(
                Mark::Warning,
                "Select something below a Gateway to probe all of its endpoints",
            );
            Vec::new()
        }
    }
}

fn probe(app: &mut App, target: &ProbeTarget) -> Vec<Effect> {
    match plan(&app.snapshot, target) {
        Ok(plans) => {
            app.running.extend(plans.iter().map(ProbePlan::key));
            app.detail.endpoint = 0;
            show_view(app, ViewId::Handshake);
            vec![Effect::Probe(plans)]
        }
        Err(error) => {
            app.say(Mark::Failed, error.to_string());
            Vec::new()
        }
    }
}

fn go_to_stage(app: &mut App, step: isize) -> Vec<Effect> {
    let Some(stage) = &app.stage else {
        return Vec::new();
    };
    match stage
        .index
        .checked_add_signed(step)
        .filter(|index| *index < stage.of)
    {
        Some(index) => {
            app.evidence = Evidence::none();
            vec![Effect::CancelProbes, Effect::GoToStage(index)]
        }
        None => {
            app.say(
                Mark::Info,
                if step > 0 {
                    "This is the last stage"
                } else {
                    "This is the first stage"
                },
            );
            Vec::new()
        }
    }
}
