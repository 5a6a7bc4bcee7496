//! The whole screen: header, breadcrumb, the place that one is at, messages, footer; and a dialog over them.

use std::collections::BTreeSet;

use ngf_ui::{
    Label, Mark, Role,
    text::{cut_middle, draw_label, draw_right, hang, width, wrap},
    widgets::{
        bars::{Footer, Hint},
        fields::Fields,
        help::Section,
        prompt::Prompt,
        rows::Lazy,
        tabs::{Tab, Tabs},
        textview::TextView,
        tree::Tree,
    },
};
use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Position, Rect},
    style::Style,
    widgets::{StatefulWidget, Widget},
};

use super::{
    VIEWS, ViewId, chain, diff, endpoint_matrix, findings::mark_of_health, handshake, header,
    lists, overlays, problems, search,
};
use crate::tui::state::{
    App, Hit, Overlay, Tests,
    action::{ACTIONS, Action, ActionInfo, Context},
    filter::Filter,
    place::{Place, contexts},
};
use ngf_core::model::{
    kind::Kind,
    snapshot::KindState,
    topology::{Node, What},
};
use ngf_text::words;

/// A screen that is smaller than this is too small to show everything.
const ROOMY: (u16, u16) = (80, 20);
/// Most lines of messages, as a part of the screen's height.
const MESSAGES: u16 = 4;

/// Draws everything; where the cursor belongs, if somewhere.
pub fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    app.hits.clear();
    let messages = messages(app, area);
    let height = messages.len() as u16;
    let [top, way, main, strip, bottom] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(height),
        Constraint::Length(1),
    ])
    .areas(area);
    header::draw(app, top, buffer);
    breadcrumb(app, way, buffer);
    place(app, main, buffer);
    let lines = TextView::new(&messages, &app.theme).wrap(false);
    Widget::render(&lines, inset(strip), buffer);
    let cursor = footer(app, bottom, buffer);
    overlays::draw(app, area, buffer).or(cursor)
}

/// One blank cell at the left.
fn inset(area: Rect) -> Rect {
    Rect {
        x: area.x.saturating_add(1).min(area.right()),
        width: area.width.saturating_sub(1),
        ..area
    }
}

/// Where the person is, and how they came there.
pub fn trail(app: &App) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let places: Vec<&Place> = app.places.places().collect();
    for (index, place) in places.iter().enumerate() {
        let is_last = index + 1 == places.len();
        match place {
            Place::Problems => names.push("Problems".to_owned()),
            Place::Tree => names.push("Tree".to_owned()),
            Place::List(id) => names.push(id.info().title.to_owned()),
            Place::Matrix => names.push("Matrix".to_owned()),
            Place::Diff(one, other) => names.push(format!("probes {one} and {other}")),
            Place::Page(subject) => {
                // A page that was opened again, on another tab, is named once.
                let is_same =
                    index > 0 && matches!(places[index - 1], Place::Page(one) if one == subject);
                if !is_same {
                    names.push(subject.name.clone());
                }
                let is_top = is_last || matches!(places.get(index + 1), Some(Place::Step(_)));
                if is_top {
                    names.push(VIEWS[app.detail.view.index()].title.to_owned());
                }
            }
            Place::Step(message) => names.push(handshake::step_name(app, *message)),
        }
    }
    names
}

/// The same as a line.
fn breadcrumb(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let theme = &app.theme.clone();
    let mut names = trail(app);
    let last = names.pop().unwrap_or_default();
    let separator = format!(" {} ", theme.glyphs.more_right);
    let mut before = String::new();
    for name in &names {
        before.push_str(name);
        before.push_str(&separator);
    }
    let mut area = inset(area);
    if matches!(app.place(), Place::Page(_)) && app.detail.view == ViewId::Handshake {
        let from = Label::of(Role::Muted, "via ").and(Role::Accent, app.via.to_string());
        let used = draw_right(&from, area, buffer, theme);
        area.width = area.width.saturating_sub(used + 1);
    }
    let room = usize::from(area.width).saturating_sub(width(&last));
    if width(&before) <= room {
        let mut x = area.x;
        for (depth, name) in names.iter().chain([&last]).enumerate() {
            let cells = width(name) as u16;
            let place = Rect {
                x,
                width: cells,
                ..area
            };
            app.hits.push((place, Hit::Crumb(depth)));
            x = x.saturating_add(cells + width(&separator) as u16);
        }
    }
    let line = Label::of(
        Role::Muted,
        cut_middle(&before, room, theme.glyphs.ellipsis),
    )
    .and(Role::Title, last);
    draw_label(&line, area, buffer, theme, Style::new());
}

/// The place itself.
pub fn place(app: &mut App, area: Rect, buffer: &mut Buffer) {
    match app.place().clone() {
        Place::Problems => {
            let list = problems::draw(app, area, buffer);
            app.hits.push((list, Hit::Body(None)));
        }
        Place::Tree => tree(app, area, buffer),
        Place::List(id) => {
            app.hits.push((inset(area), Hit::Body(None)));
            lists::draw(app, id, inset(area), buffer);
        }
        Place::Diff(one, other) => {
            app.searched = inset(area);
            diff::draw(app, one, other, inset(area), buffer);
        }
        Place::Matrix => {
            app.searched = inset(area);
            endpoint_matrix::draw(app, inset(area), buffer);
        }
        Place::Page(_) => page(app, area, buffer),
        Place::Step(message) => app.searched = step_in(app, message, inset(area), buffer),
    }
    search::mark(app, buffer);
}

/// The verdict, the tabs, and the tab that is on top.
fn page(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let area = inset(area);
    let verdict = problems::verdict(app, &app.theme, usize::from(area.width));
    // On a very low screen the tab matters more.
    let height = (verdict.len() as u16).min(area.height / 2);
    let [top, bar, body] = Layout::vertical([
        Constraint::Length(height),
        Constraint::Length(1),
        Constraint::Min(0),
    ])
    .areas(area);
    let lines = TextView::new(&verdict, &app.theme).wrap(false);
    Widget::render(&lines, top, buffer);
    // Its tab has a mark, whichever tab is on top.
    chain::look(app);
    let selected = app.detail.view.index();
    let parts = side_by_side(app, body);
    if let Some(Parts {
        chain,
        handshake,
        fields,
    }) = parts
    {
        (VIEWS[ViewId::Chain.index()].draw)(app, chain, buffer);
        (VIEWS[ViewId::Handshake.index()].draw)(app, handshake, buffer);
        line_before(app, handshake, buffer);
        if let Some(fields) = fields {
            let message = handshake::pointed_at(app);
            let _ = step_in(app, message, fields, buffer);
            line_before(app, fields, buffer);
        }
    } else {
        (VIEWS[selected].draw)(app, body, buffer);
    }
    app.searched = match parts {
        Some(Parts { chain, .. }) if app.detail.view == ViewId::Chain => chain,
        Some(Parts { handshake, .. }) => handshake,
        None => body,
    };
    // Afterwards: what was drawn may give its tab a mark.
    let tabs = tabs(app);
    Tabs::new(&tabs, selected, &app.theme).render(bar, buffer);
    app.hits.push((bar, Hit::Tabs));
    match parts {
        Some(Parts {
            chain, handshake, ..
        }) => {
            app.hits.push((chain, Hit::Body(Some(ViewId::Chain))));
            app.hits
                .push((handshake, Hit::Body(Some(ViewId::Handshake))));
        }
        None => app.hits.push((body, Hit::Body(Some(app.detail.view)))),
    }
}

/// From this width on, chain and handshake stand side by side.
const WIDE: u16 = 160;
/// Fewest columns for the chain.
const CHAIN: u16 = 52;
/// Columns between both.
const BETWEEN: u16 = 3;
/// From this width on the decoded fields of the selected step may stand at the right of both.
const VERY_WIDE: u16 = 180;
/// Fewest columns for them.
const FIELDS: u16 = 36;

/// What stands side by side on a page.
#[derive(Clone, Copy)]
struct Parts {
    chain: Rect,
    handshake: Rect,
    /// The decoded fields of the selected step.
    fields: Option<Rect>,
}

/// A line before a part.
pub(super) fn line_before(app: &App, part: Rect, buffer: &mut Buffer) {
    let between = Rect {
        x: part.x.saturating_sub(2),
        width: 1,
        ..part
    };
    for y in between.top()..between.bottom() {
        let line = Rect {
            y,
            height: 1,
            ..between
        };
        let sign = Label::of(Role::Border, app.theme.glyphs.vertical);
        draw_label(&sign, line, buffer, &app.theme, Style::new());
    }
}

/// Where chain and handshake stand side by side: where one of them is on top, and nothing of either is lost by it.
fn side_by_side(app: &App, area: Rect) -> Option<Parts> {
    let is_one = matches!(app.detail.view, ViewId::Chain | ViewId::Handshake);
    if !is_one || area.width + 1 < WIDE || app.detail.unfolded {
        return None;
    }
    let needed = handshake::width(app)?;
    if let Some(parts) = three(app, area, needed) {
        return Some(parts);
    }
    let chain = area.width.checked_sub(needed.checked_add(BETWEEN)?)?;
    // The chain takes what is left, up to half of the screen: then arrows grow.
    let chain = chain.min(area.width / 2);
    if chain < CHAIN || chain::height(app, chain)? > usize::from(area.height) {
        return None;
    }
    let left = Rect {
        width: chain,
        ..area
    };
    let right = Rect {
        x: area.x + chain + BETWEEN,
        width: area.width - chain - BETWEEN,
        ..area
    };
    Some(Parts {
        chain: left,
        handshake: right,
        fields: None,
    })
}

/// Chain, handshake and the fields of the selected step, where nothing of the first two is lost by the third.
fn three(app: &App, area: Rect, needed: u16) -> Option<Parts> {
    if area.width + 1 < VERY_WIDE {
        return None;
    }
    let least = chain::least_width(app)?.max(CHAIN);
    let all = least
        .checked_add(needed)?
        .checked_add(FIELDS + 2 * BETWEEN)?;
    let spare = area.width.checked_sub(all)?;
    let chain = least + spare / 3;
    if chain::height(app, chain)? > usize::from(area.height) {
        return None;
    }
    let left = Rect {
        width: chain,
        ..area
    };
    let middle = Rect {
        x: area.x + chain + BETWEEN,
        width: needed + spare / 3,
        ..area
    };
    let x = middle.right() + BETWEEN;
    let right = Rect {
        x,
        width: area.right().saturating_sub(x),
        ..area
    };
    Some(Parts {
        chain: left,
        handshake: middle,
        fields: Some(right),
    })
}

/// The tabs of the page, with the marks of what they show.
fn tabs(app: &App) -> Vec<Tab> {
    let tabs = VIEWS.iter().map(|view| {
        let tab = Tab::new(view.title);
        (view.mark)(app).map_or(tab.clone(), |mark| tab.mark(mark))
    });
    tabs.collect()
}

/// The tab at a cell of their line, counted from its left edge.
pub fn tab_at(app: &App, cell: usize, width: u16) -> Option<usize> {
    let selected = app.detail.view.index();
    Tabs::new(&tabs(app), selected, &app.theme).at(cell, usize::from(width))
}

/// Draws the decoded fields of a step, and gives the part of the area that they have below their title.
fn step_in(app: &mut App, message: usize, area: Rect, buffer: &mut Buffer) -> Rect {
    let fields = handshake::fields(app, message);
    let title = Label::of(Role::Title, handshake::step_title(app, message));
    let heading = wrap(&title, usize::from(area.width));
    let height = (heading.len() as u16).min(area.height / 2);
    let [top, body] =
        Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    Widget::render(
        &TextView::new(&heading, &app.theme).wrap(false),
        top,
        buffer,
    );
    StatefulWidget::render(
        &Fields::new(&fields, &app.theme),
        body,
        buffer,
        &mut app.detail.step,
    );
    body
}

fn tree(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let area = inset(area);
    let mut state = app.tree.state;
    let (skeleton, nodes) = (app.tree.rows(), app.tree.visible());
    let diagnosis = &app.diagnosis;
    let rows = Lazy::new(skeleton.len(), |index: usize| {
        let (node, mut row) = (nodes[index], skeleton[index].clone());
        row.label = label(diagnosis.topology.node(node));
        row.mark = Some(mark_of_health(diagnosis.health(node)));
        row
    });
    let [line, area] = Layout::vertical([
        Constraint::Length(u16::from(!app.tree.filter.is_empty())),
        Constraint::Min(0),
    ])
    .areas(area);
    let filter = Label::of(Role::Accent, format!("/{}", app.tree.filter.text()));
    draw_label(&filter, line, buffer, &app.theme, Style::new());
    Tree::new(&rows, &app.theme)
        .focused(true)
        .found(&|text| app.tree.filter.places(text))
        .empty(empty_words(app))
        .render(area, buffer, &mut state);
    app.tree.state = state;
    app.hits.push((area, Hit::Body(None)));
}

/// What to say where there is nothing.
pub(super) fn empty_words(app: &App) -> &'static str {
    if !app.tree.filter.is_empty() {
        "Nothing matches the filter."
    } else if app.diagnosed_at.is_none() {
        "Reading…"
    } else if may_not_be_read(app) {
        "No GatewayClass, Gateway or route may be read: the problems name the rule to add."
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

/// Whether enter opens nothing where the person is.
fn opens_nothing(app: &App) -> bool {
    match app.place() {
        Place::Step(_) | Place::Diff(..) => true,
        Place::Page(_) => match app.detail.view {
            ViewId::Logs | ViewId::Conditions | ViewId::Yaml | ViewId::Nginx => true,
            ViewId::Handshake => app.shown_probe().is_none(),
            ViewId::Chain | ViewId::Findings => false,
        },
        Place::Problems | Place::Tree | Place::List(_) | Place::Matrix => false,
    }
}

/// The footer's hints, or the filter's input.
fn footer(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    if let Some(Overlay::Filter(prompt, _)) = &app.overlay {
        let note = app.filter().and_then(Filter::note);
        let note = note.map(|(_, words)| words).into_iter();
        let note: Vec<String> = note.chain(search::words(app)).collect();
        let note = note.join(", ");
        let placeholder = if app.pane().is_some() {
            "a text or a regular expression"
        } else {
            "words or a regular expression; !word is not, -l app=shop, -f letters"
        };
        let prompt = Prompt::new("/ ", prompt, &app.theme)
            .placeholder(placeholder)
            .right(&note);
        prompt.render(area, buffer);
        return Some(prompt.cursor(area));
    }
    let here = contexts(app);
    let means_something = |info: &&ActionInfo| {
        let mut contexts = info.contexts.iter();
        info.contexts.is_empty() || contexts.any(|context| here.contains(context))
    };
    // Where nothing is found, what is about findings only takes the place of others.
    let about_findings = [Action::NextProblem, Action::Explain, Action::Fix];
    let is_home = *app.place() == Place::Problems;
    let of_use = |info: &&ActionInfo| {
        if is_home && info.action == Action::Back {
            return false;
        }
        if info.action == Action::Open && opens_nothing(app) {
            return false;
        }
        // What was seen earlier cannot be probed.
        if info.action == Action::Via || info.action == Action::Probe {
            return app.clock.is_live();
        }
        !app.diagnosis.findings.is_empty() || !about_findings.contains(&info.action)
    };
    let mut shown: Vec<_> = ACTIONS
        .iter()
        .filter(|info| info.footer > 0 || info.action == Action::CellRight && lists::is_cut(app))
        .filter(means_something)
        .filter(of_use)
        .collect();
    // What means something here only comes before what means the same everywhere.
    let is_of_here = |info: &ActionInfo| match here.first() {
        Some(Context::Page) | None => false,
        Some(innermost) => info.contexts.contains(innermost),
    };
    shown.sort_by_key(|info| {
        let is_first = matches!(info.action, Action::Open | Action::Back | Action::Probe);
        (!is_first, !is_of_here(info), info.footer)
    });
    let mut taken = BTreeSet::new();
    let hints: Vec<Hint> = shown
        .iter()
        .filter_map(|info| {
            // An action may have lost its keys.
            let key = app.keymap.chords(info.action).next()?.to_string();
            // A key of what is on the screen hides what it means elsewhere.
            if !taken.insert(key.clone()) {
                return None;
            }
            let hint = match info.action {
                Action::Via => Hint::new(key, format!("via {}", app.via)),
                Action::CellRight => Hint::new(key, "more columns"),
                _ => Hint::new(key, info.short),
            };
            Some(if matches!(info.id, "help" | "quit" | "command") {
                hint.keep()
            } else {
                hint
            })
        })
        .collect();
    let searched = search::words(app).zip(app.search());
    let searched = searched.map(|(words, search)| format!("/{}  {words}", search.filter.text()));
    Footer::new(&hints, &app.theme)
        .right(&searched.unwrap_or_default())
        .render(area, buffer);
    None
}

/// What runs, what happened and what is too small: lines of their own above the footer, which cover nothing.
fn messages(app: &App, screen: Rect) -> Vec<Label> {
    let mut all: Vec<(Mark, String)> = Vec::new();
    if screen.width < ROOMY.0 || screen.height < ROOMY.1 {
        all.push((
            Mark::Info,
            format!(
                "{}x{} is small: {}x{} shows more",
                screen.width, screen.height, ROOMY.0, ROOMY.1
            ),
        ));
    }
    if let Some(to) = &app.switching {
        let then = app.arrival.as_ref().map_or_else(String::new, |arrival| {
            format!(" to open {}; esc stays here", arrival.wanted)
        });
        all.push((Mark::Info, format!("connecting to {to}{then}")));
    } else if let Some(arrival) = &app.arrival {
        let words = format!(
            "opening {} as soon as {} is read; esc stays here",
            arrival.wanted, arrival.to
        );
        all.push((Mark::Info, words));
    }
    if app.preparing.is_some() {
        let words = format!("finding out what {} needs; ctrl-x cancels", app.via);
        all.push((Mark::Info, words));
    }
    if !app.running.is_empty() {
        let running = words::count(app.running.len(), "probe");
        all.push((Mark::Info, format!("{running} running; ctrl-x cancels")));
    }
    if let Tests::Running {
        done,
        of,
        paths,
        via,
    } = app.tests
    {
        let paths = words::count(paths, "path");
        all.push((
            Mark::Info,
            format!("testing {paths} using {via}, ctrl-x stops ({done} of {of})"),
        ));
    }
    if let Some(toast) = &app.toast {
        all.push((toast.mark, toast.text.clone()));
    }
    let room = usize::from(inset(screen).width);
    let mut lines: Vec<Label> = Vec::new();
    // The newest message is the one to keep where there is no room for all.
    for (mark, text) in all.iter().rev() {
        let sign = Label::new().mark(*mark, &app.theme).text(" ");
        let mut wrapped = hang(&sign, &Label::of(mark.role(), text.clone()), room);
        let left = usize::from(screen.height / MESSAGES).saturating_sub(lines.len());
        wrapped.truncate(left);
        wrapped.extend(lines);
        lines = wrapped;
    }
    lines
}

/// The lists, by the names that go to them.
fn list_section() -> Section {
    let section = Section::new("Go to, after :");
    lists::LISTS.iter().fold(section, |section, list| {
        let short = list.aliases.iter().min_by_key(|alias| alias.len());
        let names = format!("{} {}", list.name, short.copied().unwrap_or_default());
        section.key(names.trim().to_owned(), list.help)
    })
}

/// The keys of an action as the help screen shows them; its name where it has none.
fn help_keys(app: &App, info: &ActionInfo) -> String {
    let mut keys: Vec<String> = Vec::new();
    for chord in app.keymap.chords(info.action) {
        let key = chord.to_string();
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    if keys.is_empty() {
        keys.push(format!(":{}", info.id));
    }
    keys.join(" ")
}

/// The help screen's sections, from the list of actions: first what means something only here.
pub fn help_sections(app: &App, search: &Filter) -> Vec<Section> {
    let here = contexts(app);
    let is_of_here = |info: &&ActionInfo| {
        let mut contexts = info.contexts.iter();
        contexts.any(|context| here.contains(context))
    };
    let name = trail(app).pop().unwrap_or_default();
    let add = |section: Section, info: &ActionInfo| section.key(help_keys(app, info), info.help);
    let of_here = ACTIONS.iter().filter(is_of_here);
    let first = of_here.fold(Section::new(format!("Here: {name}")), add);
    let others = crate::tui::state::action::Section::ALL.map(|heading| {
        let of_heading = ACTIONS
            .iter()
            .filter(|info| info.section == heading && !is_of_here(info));
        of_heading.fold(Section::new(heading.title()), add)
    });
    let all = std::iter::once(first)
        .chain(others)
        .chain(std::iter::once(list_section()));
    let found = all.map(|mut section| {
        section
            .keys
            .retain(|(key, words)| search.meets(&format!("{key}\n{words}")));
        section
    });
    found.filter(|section| !section.keys.is_empty()).collect()
}
