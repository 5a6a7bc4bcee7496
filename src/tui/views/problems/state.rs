//! The entries after the problems: untested paths, what is suppressed, and what is said where all is well.

use super::{INDENT, all_clear, entry::hang_at};
use crate::tui::state::{App, Tests, UntestedReasons};
use jiff::Timestamp;
use ngf_cluster::prober::survey;
use ngf_core::{
    command::own,
    diagnosis::{
        Untested,
        coverage::Paths,
        words::{count as counted, holder, list, span},
    },
    model::{
        object::ObjectRef,
        snapshot::{Lookup, Source},
    },
};
use ngf_text::words;
use ngf_ui::{
    Label, Mark, Role,
    text::{hang, wrap},
    widgets::entries::Entry,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt::Write as _,
};

/// What somebody decided to accept, and what is wrong with such decisions.
pub(super) fn suppressed_entry(app: &App, width: usize) -> Entry {
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

/// Reasons that are told of why paths are untested, those of the most paths first.
const REASONS: usize = 5;

/// How many paths nobody tested, and why.
pub(super) fn untested_entry(app: &App, width: usize) -> Entry {
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
    let UntestedReasons { reasons, others } = &app.home.untested;
    for (why, routes) in reasons {
        let words = format!("{routes}: {why}");
        lines.extend(hang(&indent, &Label::of(Role::Normal, words), width));
    }
    if *others > 0 {
        let words = format!("and {}", counted(*others, "other reason"));
        lines.extend(hang(&indent, &Label::of(Role::Muted, words), width));
    }
    let paths = app.diagnosis.coverage.paths.len();
    if paths > survey::MOST && app.tests == Tests::Over {
        let words = format!(
            "{} of {paths} paths were tested, one of each Gateway and Service first; {} tests all",
            app.diagnosis.coverage.tested(),
            own("check --all-endpoints"),
        );
        lines.extend(hang(&indent, &Label::of(Role::Muted, words), width));
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

/// Why these paths are untested, those of most routes first. It is told on every frame, and each path may have a reason
/// of its own.
pub fn untested_reasons(untested: &Paths<Untested>) -> UntestedReasons {
    let mut why: BTreeMap<&str, Vec<&ObjectRef>> = BTreeMap::new();
    let mut seen = HashSet::new();
    for path in untested.iter() {
        let (reason, route) = (path.why.as_str(), &path.path.route);
        if seen.insert((reason, route)) {
            why.entry(reason).or_default().push(route);
        }
    }
    let mut why: Vec<(&str, Vec<&ObjectRef>)> = why.into_iter().collect();
    why.sort_by_key(|(_, routes)| Reverse(routes.len()));
    UntestedReasons {
        others: why.len().saturating_sub(REASONS),
        reasons: why
            .into_iter()
            .take(REASONS)
            .map(|(why, routes)| (why.to_owned(), list(routes, 3)))
            .collect(),
    }
}

/// What was tested and when, what expires next, and what changed last.
pub(super) fn healthy(app: &App, width: usize) -> Entry {
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

pub(super) fn nothing(app: &App) -> Label {
    if app.diagnosed_at.is_none() || app.diagnosis.loading > 0 {
        return Label::of(Role::Muted, "Reading…");
    }
    Label::of(Role::Muted, crate::tui::views::screen::empty_words(app))
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
