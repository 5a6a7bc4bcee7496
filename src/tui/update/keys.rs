//! Keys: what each means where it is pressed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ngf_ui::{
    keymap::KeyChord,
    scroll::{ListState, ScrollState},
    theme::Mark,
    widgets::{palette::PaletteState, prompt::PromptState},
};

use super::{
    arriving, comparing, export, findings, go_to_stage, inputs, lines, moving, opening, places,
    probing, recording, replaying, searching,
};
use crate::tui::{
    state::{
        App, HelpPane, Overlay,
        action::{Action, Destination},
        event::Effect,
        history::Step,
        place::{Place, contexts},
        search::Origin,
    },
    views::{VIEWS, export::formats, handshake, lists::namespaces::ALL},
};
use ngf_cluster::transport::Via;

pub(super) fn pressed(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    let Some(chord) = KeyChord::pressed(key) else {
        return Vec::new();
    };
    let control = |c| key.code == KeyCode::Char(c) && key.modifiers.contains(KeyModifiers::CONTROL);
    // Whatever has the keys: this suspends the program.
    if control('z') {
        return vec![Effect::Suspend];
    }
    // What lies over the panes is closed as by escape; without it, the program ends.
    let (key, chord) = match &app.overlay {
        // Who presses it again wants to leave.
        Some(Overlay::Quit) if control('c') => {
            app.overlay = None;
            return vec![Effect::Quit];
        }
        Some(_) if control('c') => (
            KeyCode::Esc.into(),
            KeyChord::new(KeyCode::Esc, KeyModifiers::NONE),
        ),
        _ => (key, chord),
    };
    match app.overlay.take() {
        None => match app.keymap.action(chord, &contexts(app)) {
            Some(action) => perform(app, action),
            None => {
                app.say(Mark::Info, format!("no key {chord} here; ? lists the keys"));
                Vec::new()
            }
        },
        Some(overlay) => overlay_key(app, overlay, key, chord),
    }
}

fn overlay_key(app: &mut App, overlay: Overlay, key: KeyEvent, chord: KeyChord) -> Vec<Effect> {
    match overlay {
        Overlay::Help(pane) => {
            inputs::help_key(app, pane, key, chord);
            Vec::new()
        }
        Overlay::Explain(code, mut scroll) => {
            let stays = scrolled(app, chord, &mut scroll);
            app.overlay = stays.then_some(Overlay::Explain(code, scroll));
            Vec::new()
        }
        Overlay::Quit => match key.code {
            KeyCode::Char('y') | KeyCode::Enter => vec![Effect::Quit],
            _ => Vec::new(),
        },
        Overlay::Via(list) => via_key(app, list, chord),
        Overlay::Export(list) => export_key(app, list, chord),
        Overlay::Question(mut question) => match answer(app, key, chord, &mut question.scroll) {
            Answer::Yes if probing::meant(app, &question, key) => probing::agreed(app, *question),
            Answer::No => probing::declined(app),
            Answer::Yes | Answer::None => {
                app.overlay = Some(Overlay::Question(question));
                Vec::new()
            }
        },
        Overlay::Fix(mut dialog) => match answer(app, key, chord, &mut dialog.scroll) {
            // Enter may have been meant for what was there before the API server answered.
            Answer::Yes if key.code != KeyCode::Enter || !dialog.asks() => {
                findings::confirm_fix(app, dialog)
            }
            Answer::No => Vec::new(),
            Answer::Yes | Answer::None => {
                app.overlay = Some(Overlay::Fix(dialog));
                Vec::new()
            }
        },
        Overlay::Filter(prompt, before) => inputs::filter_key(app, prompt, before, key),
        Overlay::Palette(palette) => inputs::palette_key(app, palette, key),
    }
}

/// What a person says to a question.
enum Answer {
    Yes,
    No,
    /// Nothing yet: they read.
    None,
}

fn answer(app: &App, key: KeyEvent, chord: KeyChord, scroll: &mut ScrollState) -> Answer {
    match key.code {
        KeyCode::Char('y') | KeyCode::Enter => Answer::Yes,
        KeyCode::Char('n') | KeyCode::Esc => Answer::No,
        _ if scrolled(app, chord, scroll) => Answer::None,
        _ => Answer::No,
    }
}

fn via_key(app: &mut App, mut list: ListState, chord: KeyChord) -> Vec<Effect> {
    list = list.of(Via::ALL.len());
    match app.keymap.action(chord, &[]) {
        Some(Action::Up) => list.previous(),
        Some(Action::Down) => list.next(),
        Some(Action::First) => list.first(),
        Some(Action::Last) => list.last(),
        Some(Action::Open) => {
            probing::choose_way(app, Via::ALL[list.selected]);
            return Vec::new();
        }
        Some(Action::Back | Action::Quit | Action::Via) => return Vec::new(),
        _ => {}
    }
    app.overlay = Some(Overlay::Via(list));
    Vec::new()
}

fn export_key(app: &mut App, mut list: ListState, chord: KeyChord) -> Vec<Effect> {
    list = list.of(formats(app).len());
    match app.keymap.action(chord, &[]) {
        Some(Action::Up) => list.previous(),
        Some(Action::Down) => list.next(),
        Some(Action::First) => list.first(),
        Some(Action::Last) => list.last(),
        Some(Action::Open) => return export::write(app, list.selected),
        Some(Action::Back | Action::Quit | Action::Export) => return Vec::new(),
        _ => {}
    }
    app.overlay = Some(Overlay::Export(list));
    Vec::new()
}

/// Half a page; at least a line.
fn half(page: usize) -> isize {
    (page / 2).max(1).cast_signed()
}

/// Keys of an overlay that only scrolls: whether it stays open.
pub(super) fn scrolled(app: &App, chord: KeyChord, scroll: &mut ScrollState) -> bool {
    match app.keymap.action(chord, &[]) {
        Some(Action::Up) => scroll.scroll_by(-1),
        Some(Action::Down) => scroll.scroll_by(1),
        Some(Action::PageUp) => scroll.page_up(),
        Some(Action::PageDown) => scroll.page_down(),
        Some(Action::HalfPageUp) => scroll.scroll_by(-half(scroll.page)),
        Some(Action::HalfPageDown) => scroll.scroll_by(half(scroll.page)),
        Some(Action::First) => scroll.first(),
        Some(Action::Last) => scroll.last(),
        Some(Action::Back | Action::Quit | Action::Open | Action::Help) => return false,
        _ => {}
    }
    true
}

/// Carries an action out.
pub fn perform(app: &mut App, action: Action) -> Vec<Effect> {
    let asks = [
        Action::Probe,
        Action::ProbeAll,
        Action::Watch,
        Action::Configuration,
    ];
    if asks.contains(&action) && !app.clock.is_live() {
        if action == Action::ProbeAll && app.matrix.is_some() {
            return opening::go_to(app, Destination::Matrix);
        }
        app.say(
            Mark::Info,
            "What is shown was seen earlier: nothing is asked of the cluster",
        );
        return Vec::new();
    }
    match action {
        Action::Up => moving::move_by(app, -1),
        Action::Down => moving::move_by(app, 1),
        Action::PageUp => moving::page(app, false),
        Action::PageDown => moving::page(app, true),
        Action::First => moving::end(app, false),
        Action::Last => moving::end(app, true),
        Action::HalfPageUp => moving::half_page(app, -1),
        Action::HalfPageDown => moving::half_page(app, 1),
        Action::CellLeft => moving::turn_column(app, -1),
        Action::CellRight => moving::turn_column(app, 1),
        Action::Collapse => app.tree.collapse(&app.diagnosis),
        Action::Expand => app.tree.expand(&app.diagnosis),
        Action::Toggle => moving::toggle(app),
        Action::Open => return opening::open(app),
        Action::Back => opening::back(app),
        Action::NextProblem => opening::turn_problem(app, 1),
        Action::PreviousProblem => opening::turn_problem(app, -1),
        Action::NextView => return moving::turn_view(app, 1),
        Action::PreviousView => return moving::turn_view(app, VIEWS.len() - 1),
        Action::View(index) => return opening::show_view(app, VIEWS[index % VIEWS.len()].id),
        Action::Configuration => return places::configuration_again(app),
        Action::Events => return opening::events_of_selected(app),
        Action::NextEndpoint => moving::turn_endpoint(app, 1),
        Action::PreviousEndpoint => moving::turn_endpoint(app, -1),
        Action::Zoom => moving::zoom(app),
        Action::Lines => return lines::toggle(app),
        Action::Replay => handshake::replay(app),
        Action::ToScale => app.detail.to_scale = !app.detail.to_scale,
        Action::Compare if matches!(app.place(), Place::List(_)) => comparing::open(app),
        Action::Compare => handshake::compare(app),
        Action::MarkProbe => comparing::mark(app),
        Action::GoTo(destination) => return opening::go_to(app, destination),
        Action::Sort => moving::sort(app),
        Action::Reverse => moving::reverse(app),
        Action::Filter | Action::Search => {
            let filter = opening::filter(app);
            app.filters.begin();
            app.detail.origin = app.pane().map(|_| Box::new(Origin::of(app)));
            app.overlay = Some(Overlay::Filter(PromptState::with(&filter), filter));
        }
        Action::Command => {
            app.commands.begin();
            app.overlay = Some(Overlay::Palette(PaletteState::default()));
        }
        Action::Help => app.overlay = Some(Overlay::Help(HelpPane::default())),
        Action::AllNamespaces => return places::switch(app, places::to_namespace(ALL)),
        Action::Probe => return probing::probe_selected(app),
        Action::ProbeAll => return probing::probe_all(app),
        Action::Cancel => return probing::cancel(app),
        Action::Watch => return probing::watch(app),
        Action::Via => {
            let here = Via::ALL.iter().position(|via| *via == app.via);
            app.overlay = Some(Overlay::Via(ListState::at(here.unwrap_or_default())));
        }
        Action::Explain => findings::explain(app),
        Action::Fix => return findings::show_fix(app),
        Action::Pause
        | Action::NextMoment
        | Action::PreviousMoment
        | Action::Faster
        | Action::Slower => return replaying::perform(app, action),
        Action::NextStage => return go_to_stage(app, 1),
        Action::PreviousStage => return go_to_stage(app, -1),
        Action::HistoryBack => return arriving::travel(app, Step::Back),
        Action::HistoryForward => return arriving::travel(app, Step::Forward),
        Action::LastPlace => return arriving::travel(app, Step::Last),
        Action::Copy => return export::copy(app),
        Action::CopyName => return export::copy_name(app),
        Action::Export => export::offer(app),
        Action::Record => return recording::toggle(app),
        Action::StopRecording => return recording::stop(app),
        Action::NextMatch => searching::next(app, true),
        Action::PreviousMatch => searching::next(app, false),
        Action::Suspend => return vec![Effect::Suspend],
        // Quitting removes them; who meant something else loses the probe.
        Action::Quit if !app.temporary.is_empty() => app.overlay = Some(Overlay::Quit),
        Action::Quit => return vec![Effect::Quit],
    }
    Vec::new()
}
