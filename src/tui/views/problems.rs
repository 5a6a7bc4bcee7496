//! Problems, the home screen: what is wrong, by root cause, in whole sentences, with what clients notice, since
//! when, what shows it and what fixes it. Untested paths are an entry; if all is well, one entry says so.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt::Write as _,
};

use jiff::Timestamp;
use ngf_ui::{
    Label, Mark, Role, Theme,
    text::{hang, widest_word, wrap},
    widgets::entries::{CURSOR, Entries, Entry, Line},
};
use ratatui::{buffer::Buffer, layout::Rect, widgets::StatefulWidget};

use super::{
    chain,
    findings::mark_of,
    problems_detail::{self, Panes},
};
use crate::tui::state::{
    App, Tests,
    elsewhere::{Elsewhere, ElsewhereState, RemoteProblem},
};
use ngf_core::{
    diagnosis::{
        Code, Diagnosis, Severity, Verdict,
        finding::Remedy,
        problems::Problem,
        words::{count as counted, holder, list, span},
    },
    model::{
        object::ObjectRef,
        snapshot::{Lookup, Source},
    },
};
use ngf_text::{sanitize, words};

/// Cells by which everything below a headline is indented.
const INDENT: usize = 6;
/// Most characters of a piece of evidence: a controller may quote whole logs.
const LONGEST: usize = 320;

/// The entries after the problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extra {
    /// Paths that nobody tested.
    Untested,
    /// Everything that could be tested is well.
    Healthy,
    /// There is nothing to say yet, or nothing to look at.
    Empty,
}

/// How many entries there are.
pub fn count(app: &App) -> usize {
    let is_filtered = !app.home.filter.is_empty();
    let extra = usize::from(extra(app).is_some() || is_filtered);
    let own = app.home.problems.len() + extra + usize::from(has_suppressed(app));
    own + remotes(app).len()
}

/// Whether there is an entry of suppressed findings, after the own problems.
fn has_suppressed(app: &App) -> bool {
    let filtered = &app.diagnosis.filtered;
    app.home.filter.is_empty()
        && !(filtered.suppressed.is_empty()
            && filtered.expired.is_empty()
            && filtered.unused.is_empty()
            && filtered.unreadable.is_empty())
}

/// Whether the entry at this place is that of suppressed findings.
pub fn is_suppressed(app: &App, place: usize) -> bool {
    has_suppressed(app) && place + 1 + remotes(app).len() == count(app)
}

/// An entry about another context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// The context.
    pub context: String,
    /// Its problem; `None` for what is known of the context as a whole.
    pub problem: Option<(Code, String)>,
}

/// The entries about other contexts, after the own ones.
fn remotes(app: &App) -> Vec<(Remote, &Elsewhere, Option<&RemoteProblem>)> {
    let filter = &app.home.filter;
    let mut all = Vec::new();
    for one in others(app) {
        let whole = |problem| Remote {
            context: one.context.clone(),
            problem,
        };
        let problems: &[RemoteProblem] = match &one.state {
            ElsewhereState::Known(summary) => &summary.problems,
            ElsewhereState::Reading | ElsewhereState::Unreadable(_) => &[],
        };
        for problem in problems {
            // What labels there are in another context is not known here.
            if filter.meets(&searched_remote(one, problem)) && !filter.wants_labels() {
                let key = (problem.code, problem.sentence.clone());
                all.push((whole(Some(key)), one, Some(problem)));
            }
        }
        // What is not known is never left out: it would look as if all were well.
        if needs_line(one) {
            all.push((whole(None), one, None));
        }
    }
    all
}

/// What a filter searches in a problem of another context.
fn searched_remote(one: &Elsewhere, problem: &RemoteProblem) -> String {
    format!(
        "{}\n{} {}\n{}",
        one.context,
        problem.code,
        problem.sentence,
        problem.impact.join("\n")
    )
}

/// The same of all problems of other contexts.
pub fn searched_elsewhere(app: &App) -> Vec<String> {
    let known = others(app).filter_map(|one| match &one.state {
        ElsewhereState::Known(summary) => Some((one, summary)),
        ElsewhereState::Reading | ElsewhereState::Unreadable(_) => None,
    });
    known
        .flat_map(|(one, summary)| {
            let problems = summary.problems.iter();
            problems.map(move |problem| searched_remote(one, problem))
        })
        .collect()
}

/// Whether a context has a line for itself: it is well, not read, or not tested.
fn needs_line(one: &Elsewhere) -> bool {
    match &one.state {
        ElsewhereState::Known(summary) => {
            summary.problems.is_empty()
                || summary.tested < summary.paths
                || summary.stale.is_some()
                || summary.hidden > 0
        }
        ElsewhereState::Reading | ElsewhereState::Unreadable(_) => true,
    }
}

/// The contexts that are watched besides the one on the screen.
pub fn others(app: &App) -> impl Iterator<Item = &Elsewhere> {
    let here = here(app);
    app.elsewhere
        .iter()
        .filter(move |one| sanitize::line(&one.context, 256) != here)
}

/// The context on the screen.
pub fn here(app: &App) -> String {
    match &app.snapshot.source {
        Source::Cluster { context, .. } => context.clone(),
        Source::Files { .. } => String::new(),
    }
}

/// The entry about another context that is selected.
pub fn selected_remote(app: &App) -> Option<Remote> {
    let all = remotes(app);
    let own = count(app) - all.len();
    let index = app.home.list.selected.checked_sub(own)?;
    all.get(index).map(|(remote, ..)| remote.clone())
}

/// Selects the same entry again, wherever it stands now.
pub fn select_remote(app: &mut App, remote: Option<Remote>) {
    let Some(remote) = remote else { return };
    let all: Vec<Remote> = remotes(app).into_iter().map(|(one, ..)| one).collect();
    let own = count(app) - all.len();
    let same = all.iter().position(|one| *one == remote);
    let same = same.or_else(|| all.iter().position(|one| one.context == remote.context));
    app.home.list.selected = same.map_or(0, |index| own + index);
}

fn remote_entry(
    app: &App,
    one: &Elsewhere,
    problem: Option<&RemoteProblem>,
    width: usize,
) -> Entry {
    let context = sanitize::line(&one.context, 256);
    let indent = Label::from(" ".repeat(INDENT));
    let Some(problem) = problem else {
        let (mark, words) = of_whole(one);
        let sign = Label::new().mark(mark, &app.theme).text(" ");
        let words = format!("context {context}: {words}");
        return Entry::of(hang_at(&sign, &Label::of(mark.role(), words), width));
    };
    let since = problem.since.map_or(Label::new(), |at| since(at, app.now));
    let room = width.saturating_sub(if since.is_empty() {
        0
    } else {
        since.width() + 2
    });
    let sign = Label::new()
        .mark(problem.mark, &app.theme)
        .text(" ")
        .and(problem.mark.role(), format!("{}  ", problem.code));
    let title = Label::of(Role::Strong, problem.sentence.clone());
    let mut lines: Vec<Line> = beside(&sign, &title, room, width)
        .into_iter()
        .map(Line::from)
        .collect();
    if let Some(first) = lines.first_mut() {
        first.right = since;
    }
    for impact in &problem.impact {
        let impact = Label::of(Role::Warning, impact.clone());
        lines.extend(hang(&indent, &impact, width).into_iter().map(Line::from));
    }
    let place = Label::of(Role::Accent, format!("in context {context}"))
        .and(Role::Muted, ": enter opens it there");
    lines.extend(hang(&indent, &place, width).into_iter().map(Line::from));
    Entry { lines }
}

/// What is known of a context as a whole.
fn of_whole(one: &Elsewhere) -> (Mark, String) {
    match &one.state {
        ElsewhereState::Reading => (Mark::Info, "reading".to_owned()),
        ElsewhereState::Unreadable(why) => (Mark::Unknown, format!("cannot be read: {why}")),
        ElsewhereState::Known(summary) => {
            let tested = format!(
                "{} of {} tested",
                summary.tested,
                counted(summary.paths, "path")
            );
            let mut words = if summary.problems.is_empty() {
                format!("no problems found, {tested}")
            } else {
                tested
            };
            if summary.hidden > 0 {
                let _ = write!(words, ", {} not read", counted(summary.hidden, "kind"));
            }
            if let Some(why) = summary.stale {
                let _ = write!(words, "; this is old: {why}");
            }
            let is_whole = summary.problems.is_empty()
                && summary.hidden == 0
                && summary.stale.is_none()
                && summary.paths > 0
                && summary.tested == summary.paths;
            let mark = if is_whole { Mark::Ok } else { Mark::Unknown };
            (mark, words)
        }
    }
}

fn extra(app: &App) -> Option<Extra> {
    if !app.home.filter.is_empty() {
        return None;
    }
    let coverage = &app.diagnosis.coverage;
    let is_reading = app.diagnosed_at.is_none() || app.diagnosis.loading > 0;
    // Between a new diagnosis and its grouping the problems are those of the one before.
    let is_wrong = |problem: &Problem| {
        let finding = app.diagnosis.findings.get(problem.head);
        finding.is_none_or(|finding| {
            finding.severity != Severity::Info || finding.verdict == Verdict::Unknown
        })
    };
    if is_reading {
        return app.home.problems.is_empty().then_some(Extra::Empty);
    }
    if !coverage.untested.is_empty() {
        return Some(Extra::Untested);
    }
    // What is accepted is not healthy.
    let accepted = &app.diagnosis.filtered.suppressed;
    if app.home.problems.iter().any(is_wrong) || !accepted.is_empty() {
        return None;
    }
    Some(if coverage.tested() > 0 {
        Extra::Healthy
    } else {
        Extra::Empty
    })
}

/// Whether the entry after the problems is that of untested paths.
pub fn has_untested(app: &App) -> bool {
    extra(app) == Some(Extra::Untested)
}

/// The sign where nothing is wrong: that of health only where everything was read and tested.
pub fn all_clear(app: &App) -> Option<Mark> {
    if extra(app) != Some(Extra::Healthy) {
        return None;
    }
    let coverage = &app.diagnosis.coverage;
    let is_testing = matches!(app.tests, Tests::Running { .. } | Tests::Wanted);
    Some(
        match (
            is_testing,
            coverage.tested_endpoints() < coverage.endpoints(),
        ) {
            (true, _) => Mark::Unknown,
            // Of a backend with many endpoints a few are tested.
            (false, true) => Mark::Info,
            (false, false) => Mark::Ok,
        },
    )
}

/// What a filter searches in a problem: its words, and the objects of all of its findings.
pub fn searched(problem: &Problem, diagnosis: &Diagnosis) -> String {
    let key = &problem.key;
    let mut text = format!("{} {} {}", key.head, key.root, problem.sentence);
    for more in problem.impact.iter().chain(&problem.because) {
        text.push('\n');
        text.push_str(more);
    }
    let findings = problem.findings.iter();
    for object in findings.flat_map(|index| diagnosis.findings[*index].objects()) {
        text.push('\n');
        text.push_str(&object.to_string());
    }
    text
}

/// Draws them, and the selected one in full where there is room; where the list stands.
pub fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) -> Rect {
    if area.width >= problems_detail::THREE {
        chain::look(app);
    }
    let Panes {
        list,
        detail,
        chain,
    } = problems_detail::split(app, area);
    let mut state = app.home.list;
    {
        let make = |width: u16, _| entries(app, usize::from(width));
        Entries::new(&make, &app.theme).render(list, buffer, &mut state);
    }
    app.home.list = state;
    if let Some(detail) = detail {
        problems_detail::draw(app, detail, buffer);
        if detail.x > list.x + list.width {
            super::screen::line_before(app, detail, buffer);
        }
    }
    if let Some(place) = chain {
        super::screen::line_before(app, place, buffer);
        chain::draw_beside(app, place, buffer);
    }
    list
}

/// Columns in which no line of theirs has to be wrapped.
pub(super) fn width_of(app: &App) -> u16 {
    let entries = entries(app, usize::from(u16::MAX));
    let lines = entries.iter().flat_map(|entry| &entry.lines);
    let widest = lines
        .map(|line| {
            let right = line.right.width();
            line.left.width() + if right > 0 { right + 2 } else { 0 }
        })
        .max();
    u16::try_from(widest.unwrap_or(0)).map_or(u16::MAX, |widest| widest.saturating_add(CURSOR))
}

/// Columns in which no word of theirs is broken.
pub(super) fn least_width_of(app: &App) -> u16 {
    let entries = entries(app, usize::from(u16::MAX));
    let lines = entries.iter().flat_map(|entry| &entry.lines);
    let word = widest_word(lines.map(|line| &line.left)) + INDENT;
    u16::try_from(word).map_or(u16::MAX, |word| word.saturating_add(CURSOR))
}

/// How many lines they take at this width.
pub(super) fn lines_at(app: &App, width: u16) -> usize {
    let entries = entries(app, usize::from(width.saturating_sub(CURSOR)));
    entries.iter().map(|entry| entry.lines.len()).sum()
}

/// The entry at a line of the screen, where the problems are drawn in this area.
pub fn at(app: &App, area: Rect, y: u16) -> Option<usize> {
    let make = |width: u16, _| entries(app, usize::from(width));
    Entries::new(&make, &app.theme).at(y, area, &app.home.list)
}

/// The same in words.
pub fn describe(app: &App, width: u16) -> Vec<String> {
    let make = |width: u16, _| entries(app, usize::from(width));
    Entries::new(&make, &app.theme).to_text(width)
}

fn entries(app: &App, width: usize) -> Vec<Entry> {
    let problems = app.home.problems.iter();
    let mut entries: Vec<Entry> = problems.map(|problem| entry(app, problem, width)).collect();
    if !app.home.filter.is_empty() {
        let shown = app.home.problems.len();
        let words = format!(
            "{} shown, by the filter /{}",
            counted(shown, "problem"),
            app.home.filter.text()
        );
        entries.push(Entry::of(wrap(&Label::of(Role::Accent, words), width)));
    }
    entries.extend(match extra(app) {
        None => None,
        Some(Extra::Untested) => Some(untested_entry(app, width)),
        Some(Extra::Healthy) => Some(healthy(app, width)),
        Some(Extra::Empty) => Some(Entry::of(wrap(&nothing(app), width))),
    });
    if has_suppressed(app) {
        entries.push(suppressed_entry(app, width));
    }
    let remotes = remotes(app).into_iter();
    entries.extend(remotes.map(|(_, one, problem)| remote_entry(app, one, problem, width)));
    entries
}

/// What somebody decided to accept, and what is wrong with such decisions.
fn suppressed_entry(app: &App, width: usize) -> Entry {
    let filtered = &app.diagnosis.filtered;
    let mut lines = Vec::new();
    let mut say = |role: Role, text: String| lines.extend(wrap(&Label::of(role, text), width));
    let accepted = &filtered.suppressed;
    if !accepted.is_empty() {
        let codes: BTreeSet<String> = accepted
            .iter()
            .map(|one| one.finding.code.to_string())
            .collect();
        let codes = list(codes, 5);
        let words = format!(
            "{} suppressed: {codes}; enter or :suppressed lists them",
            counted(accepted.len(), "finding")
        );
        say(Role::Muted, words);
    }
    let wrong = filtered.expired.len() + filtered.unused.len() + filtered.unreadable.len();
    if wrong > 0 {
        let words = format!(
            "{} of findings expired, without a finding or unreadable; :suppressed lists them",
            counted(wrong, "suppression")
        );
        say(Role::Warning, words);
    }
    Entry::of(lines)
}

fn entry(app: &App, problem: &Problem, width: usize) -> Entry {
    let theme = &app.theme;
    let finding = &app.diagnosis.findings[problem.head];
    let mark = mark_of(finding);
    let since = problem.since.map_or(Label::new(), |at| since(at, app.now));
    let sign = Label::new()
        .mark(mark, theme)
        .text(" ")
        .and(mark.role(), format!("{}  ", finding.code));
    let room = width.saturating_sub(if since.is_empty() {
        0
    } else {
        since.width() + 2
    });
    let title = Label::of(Role::Strong, problem.sentence.clone());
    let mut lines: Vec<Line> = beside(&sign, &title, room, width)
        .into_iter()
        .map(Line::from)
        .collect();
    if let Some(first) = lines.first_mut() {
        first.right = since;
    }
    let mut below = |label: Label| {
        let indent = Label::from(" ".repeat(INDENT));
        lines.extend(hang(&indent, &label, width).into_iter().map(Line::from));
    };
    for impact in &problem.impact {
        below(Label::of(Role::Warning, impact.clone()));
    }
    if !app.elsewhere.is_empty() {
        below(Label::of(Role::Accent, format!("in context {}", here(app))));
    }
    if let Some(because) = &problem.because {
        let because: String = because.chars().take(LONGEST).collect();
        below(Label::of(Role::Muted, "because ").text(because));
    }
    let findings = &app.diagnosis.findings;
    let remedy = |index: Option<usize>| findings.get(index?)?.remedy.as_ref();
    match (remedy(problem.fix), remedy(problem.advice)) {
        (Some(fix), other) => {
            below(Label::of(Role::Key, "f  ").text(fix.summary.clone()));
            if let Some(other) = other {
                below(Label::of(Role::Muted, "or ").joined(&in_short(other)));
            }
        }
        (None, Some(advice)) => below(Label::of(Role::Ok, "fix: ").joined(&in_short(advice))),
        (None, None) => {}
    }
    if problem.key.subject.is_none() && problem.roots.len() > 1 {
        below(Label::of(Role::Key, "space").and(Role::Muted, " shows them one by one"));
    }
    Entry { lines }
}

/// What to do, with the command where it is one line.
fn in_short(remedy: &Remedy) -> Label {
    let label = Label::from(remedy.summary.clone());
    match &remedy.command {
        Some(command) if !command.contains('\n') => {
            label.text(" ").and(Role::Evidence, command.clone())
        }
        _ => label,
    }
}

/// Text after a sign; the further lines stand at the indent of what is below.
fn hang_at(sign: &Label, text: &Label, width: usize) -> Vec<Label> {
    let all = sign.clone().joined(text);
    let indent = Label::from(" ".repeat(2));
    let mut lines = wrap(&all, width.saturating_sub(2));
    for line in lines.iter_mut().skip(1) {
        *line = indent.clone().joined(line);
    }
    lines
}

/// The same with a first line of another width: something stands at its right.
fn beside(sign: &Label, text: &Label, first: usize, width: usize) -> Vec<Label> {
    let narrow = hang_at(sign, text, first);
    let Some((head, rest)) = narrow.split_first() else {
        return narrow;
    };
    let mut again = Label::new();
    for line in rest {
        let words = line.plain();
        if !again.is_empty() {
            again.push(Role::Normal, " ");
        }
        again.push(Role::Strong, words.trim_start().to_owned());
    }
    let mut lines = vec![head.clone()];
    if !again.is_empty() {
        lines.extend(hang(&Label::from("  "), &again, width));
    }
    lines
}

/// `since 11:52, 3m`, `since 2026-11-29, 1d`.
fn since(at: Timestamp, now: Timestamp) -> Label {
    let is_today = now.as_second() - at.as_second() < 86_400;
    let form = if is_today { "%H:%M UTC" } else { "%Y-%m-%d" };
    let words = format!("since {}, {}", at.strftime(form), words::age(at, now));
    Label::of(Role::Muted, words)
}

fn untested_entry(app: &App, width: usize) -> Entry {
    let untested = &app.diagnosis.coverage.untested;
    let sign = Label::new().mark(Mark::Unknown, &app.theme).text(" ");
    let headline = format!(
        "{} untested: it is not known whether they work",
        counted(untested.len(), "path")
    );
    let headline = if untested.len() == 1 {
        headline.replace("they work", "it works")
    } else {
        headline
    };
    let mut lines = hang_at(&sign, &Label::of(Role::Unknown, headline), width);
    let indent = Label::from(" ".repeat(INDENT));
    let mut why: BTreeMap<&str, Vec<&ObjectRef>> = BTreeMap::new();
    let mut seen = HashSet::new();
    for path in untested {
        let (reason, route) = (path.why.as_str(), &path.path.route);
        if seen.insert((reason, route)) {
            why.entry(reason).or_default().push(route);
        }
    }
    for (why, routes) in why {
        let words = format!("{}: {why}", list(routes, 3));
        lines.extend(hang(&indent, &Label::of(Role::Normal, words), width));
    }
    let can_probe = app.clock.is_live() && matches!(app.snapshot.source, Source::Cluster { .. });
    let is_running = matches!(app.tests, Tests::Running { .. } | Tests::Wanted);
    if can_probe && !is_running {
        let words = " runs a live handshake with the first of them";
        let key = Label::of(Role::Key, "r").and(Role::Muted, words);
        lines.extend(hang(&indent, &key, width));
    }
    Entry::of(lines)
}

/// What was tested and when, what expires next, and what changed last.
fn healthy(app: &App, width: usize) -> Entry {
    let coverage = &app.diagnosis.coverage;
    let mark = all_clear(app).unwrap_or(Mark::Unknown);
    let so_far = match mark {
        Mark::Ok => "",
        Mark::Info => " in what was tested",
        _ => " so far",
    };
    let last = app.evidence.probes().map(|probed| probed.at).max();
    let when = last.map_or(String::new(), |at| {
        format!(" {} ago", words::age(at, app.now))
    });
    let mut words = format!(
        "no problems found{so_far}: {} of {} tested{when}, {} of {}",
        coverage.tested(),
        counted(coverage.paths.len(), "path"),
        coverage.tested_endpoints(),
        counted(coverage.endpoints(), "endpoint"),
    );
    if let Some((whose, at)) = &app.home.expires_next {
        let left = span(at.as_second() - app.now.as_second());
        let _ = write!(words, "; next to expire: {whose} in {left}");
    }
    let _ = match app.changes.newest() {
        Some((object, at)) => {
            let ago = words::age(at, app.now);
            write!(words, "; last change: {object} {ago} ago")
        }
        None => write!(words, "; no change since the program started"),
    };
    let sign = Label::new().mark(mark, &app.theme).text(" ");
    Entry::of(hang_at(&sign, &Label::of(mark.role(), words), width))
}

fn nothing(app: &App) -> Label {
    if app.diagnosed_at.is_none() || app.diagnosis.loading > 0 {
        return Label::of(Role::Muted, "Reading…");
    }
    Label::of(Role::Muted, super::screen::empty_words(app))
}

/// The certificate that ends next, of those in Secrets and of those that backends presented.
pub fn expires_next(app: &App) -> Option<(String, Timestamp)> {
    let now = app.now.as_second();
    let in_secrets = app
        .snapshot
        .secrets
        .values()
        .filter_map(|lookup| match lookup {
            Lookup::Found(secret) => Some(secret),
            _ => None,
        });
    let in_secrets = in_secrets.flat_map(|secret| {
        let own = secret.spec.certificate.certificates().iter();
        own.chain(secret.spec.ca.certificates())
    });
    let presented = app
        .evidence
        .probes()
        .filter_map(|probed| probed.result.as_ref().ok());
    let presented = presented.flat_map(|transcript| &transcript.server_chain);
    let next = in_secrets
        .chain(presented)
        .filter(|certificate| certificate.not_after > now)
        .min_by_key(|certificate| certificate.not_after)?;
    let at = Timestamp::from_second(next.not_after).ok()?;
    Some((holder(next), at))
}

/// The verdict on what a page is about: the sentence in full, what clients notice, and since when.
pub fn verdict(app: &App, theme: &Theme, width: usize) -> Vec<Label> {
    let Some(problem) = app.problem() else {
        return of_place(app, theme, width);
    };
    let finding = &app.diagnosis.findings[problem.head];
    let mark = mark_of(finding);
    let sign = Label::new()
        .mark(mark, theme)
        .text(" ")
        .and(mark.role(), format!("{}  ", finding.code));
    let mut lines = hang_at(
        &sign,
        &Label::of(Role::Strong, finding.title.clone()),
        width,
    );
    let mut impact: Vec<Label> = problem
        .impact
        .iter()
        .map(|impact| Label::of(Role::Warning, impact.clone()))
        .collect();
    impact.extend(problem.since.map(|at| since(at, app.now)));
    let mut line = Label::new();
    for (index, part) in impact.iter().enumerate() {
        if index > 0 {
            line.push(Role::Muted, format!(" {} ", theme.glyphs.dot));
        }
        line.extend(part.clone());
    }
    if !line.is_empty() {
        lines.extend(hang(&Label::from("  "), &line, width));
    }
    lines
}

/// The verdict on a page that was opened by no problem.
fn of_place(app: &App, theme: &Theme, width: usize) -> Vec<Label> {
    let Some((index, _)) = app.selected() else {
        return Vec::new();
    };
    let below = app.diagnosis.findings_below(index);
    if let Some(finding) = below.first().map(|index| &app.diagnosis.findings[*index]) {
        let mark = mark_of(finding);
        let sign = Label::new()
            .mark(mark, theme)
            .text(" ")
            .and(mark.role(), format!("{}  ", finding.code));
        return hang_at(
            &sign,
            &Label::of(Role::Strong, finding.title.clone()),
            width,
        );
    }
    let verdict = super::findings::nothing(app);
    wrap(&verdict, width)
}
