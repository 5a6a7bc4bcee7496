//! Searching in what is on the screen, as in `less`: from where the person is, and around the end.

use ngf_ui::ScrollState;

use crate::tui::{
    state::{
        App,
        filter::Filter,
        ids::ViewId,
        search::{Pane, Search},
    },
    views::{
        findings,
        search::{Text, offset, selected, text},
        yaml,
    },
};

/// Searches for a text, or a regular expression; without one, the search ends.
pub(super) fn search(app: &mut App, wanted: &str) {
    let Some(pane) = app.pane() else { return };
    if let Some(origin) = app.detail.origin.take() {
        origin.restore(app);
        app.detail.origin = Some(origin);
    }
    if wanted.is_empty() {
        app.detail.searches.remove(&pane);
        return;
    }
    let text = text(app, pane);
    let mut filter = Filter::search(wanted);
    filter.settle(|| Box::new(std::iter::once(text.parts().join("\n"))));
    let search = Search { filter, shown: 0 };
    app.detail.searches.insert(pane, search);
    if pane == Pane::Tab(ViewId::Yaml) {
        // Who searches before the first frame is not put back by it.
        app.detail.yaml.is_placed = true;
    }
    let here = match text {
        Text::Rows(_) => offset(app, pane),
        Text::Entries(_) => selected(app, pane),
    };
    go(app, pane, &text, |matches| {
        Some(matches.partition_point(|at| *at < here) % matches.len().max(1))
    });
}

/// Goes to the next match, or to the one before.
pub(super) fn next(app: &mut App, forward: bool) {
    let Some(pane) = app.pane() else { return };
    let text = text(app, pane);
    let shown = app.search().map_or(0, |search| search.shown);
    let (first, last) = (offset(app, pane), usize::from(app.searched.height));
    let here = selected(app, pane);
    go(app, pane, &text, |matches| {
        let count = matches.len();
        let (before, after) = match &text {
            Text::Entries(_) => (
                matches.partition_point(|at| *at < here),
                matches.partition_point(|at| *at <= here),
            ),
            Text::Rows(_) => {
                let is_seen = |at: &usize| (first..first + last).contains(at);
                if matches.get(shown).is_some_and(is_seen) {
                    (shown, shown + 1)
                } else {
                    // The person went somewhere else meanwhile.
                    let here = matches.partition_point(|at| *at < first);
                    (here, here)
                }
            }
        };
        if forward {
            after.checked_rem(count)
        } else {
            (before + count).checked_sub(1)?.checked_rem(count)
        }
    });
}

/// Shows one of the matches, and the text around it.
fn go(app: &mut App, pane: Pane, text: &Text, which: impl FnOnce(&[usize]) -> Option<usize>) {
    let Some(search) = app.detail.searches.get_mut(&pane) else {
        return;
    };
    let matches = text.matches(&search.filter);
    let Some((number, at)) = which(&matches).and_then(|one| Some((one, *matches.get(one)?))) else {
        return;
    };
    search.shown = number;
    match text {
        Text::Rows(_) => show_row(app, pane, at),
        Text::Entries(_) => select(app, pane, at),
    }
}

/// Selects an entry.
fn select(app: &mut App, pane: Pane, entry: usize) {
    match pane {
        Pane::Tab(ViewId::Chain) => app.detail.links.selected = entry,
        Pane::Tab(ViewId::Handshake) => {
            app.detail.replay = None;
            app.detail.messages.selected = entry;
        }
        Pane::Tab(ViewId::Yaml) => yaml::show(app, entry),
        Pane::Diff => app.detail.diff.selected = entry,
        Pane::Matrix => {
            if let Some(matrix) = &mut app.matrix {
                matrix.state.rows.selected = entry;
            }
        }
        Pane::Tab(_) | Pane::Step => {}
    }
}

/// Scrolls to a row that is not on the screen: it stands below the first third.
fn show_row(app: &mut App, pane: Pane, row: usize) {
    let height = usize::from(app.searched.height).max(1);
    let first = offset(app, pane);
    let is_seen = (first..first + height).contains(&row);
    let start = if is_seen {
        first
    } else {
        row.saturating_sub(height / 3)
    };
    let scroll = |scroll: &mut ScrollState| scroll.offset = start;
    match pane {
        Pane::Tab(ViewId::Findings) => {
            if let Some(finding) = findings::at_row(app, row) {
                app.detail.findings.selected = finding;
                app.detail.findings.offset = start;
            }
        }
        Pane::Tab(view) => scroll(app.detail.scroll.entry(view).or_default()),
        Pane::Step => scroll(&mut app.detail.step),
        Pane::Diff | Pane::Matrix => {}
    }
}
