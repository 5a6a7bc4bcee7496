//! The lists: one table of what there is, trouble first. One list of them all, from which the palette, the help
//! screen and the README derive.

mod certificates;
mod changes;
mod conditions;
mod contexts;
mod detail;
mod endpoints;
mod events;
mod gateways;
mod logs;
pub(in crate::tui) mod namespaces;
mod nginx;
mod policies;
mod probes;
mod routes;
mod suppressed;

use std::cmp::Ordering;

use ngf_ui::{
    Label, Mark, Role,
    text::{cut_middle, draw_label, width},
    widgets::{
        rows::Lazy,
        table::{Column, Table, TableRow},
        textview::TextView,
    },
};
use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    style::Style,
    widgets::{StatefulWidget, Widget},
};

use crate::tui::state::{
    App, Overlay,
    elsewhere::{ElsewhereState, Summary},
    filter::Filter,
    ids::ListId,
    list::{ListPane, Row, Target},
    place::Place,
    settings::Settings,
};
use crate::tui::views::problems;
use ngf_core::model::object::ObjectRef;
use ngf_text::sanitize;

/// What is known of a list.
pub struct ListInfo {
    /// Which one.
    pub id: ListId,
    /// Its name in the palette.
    pub name: &'static str,
    /// Its title in the breadcrumb.
    pub title: &'static str,
    /// Other names that people know it by.
    pub aliases: &'static [&'static str],
    /// What it lists.
    pub help: &'static str,
    /// Its columns.
    pub columns: &'static [Head],
    /// In which order its rows are until somebody sorts them.
    pub order: Order,
    /// Its rows.
    pub rows: fn(&App) -> Vec<Row>,
}

/// The order of rows until somebody sorts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Trouble comes first.
    Trouble,
    /// As the list gives them: in words.
    Given(&'static str),
}

/// The head of a column.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// Its title.
    pub title: &'static str,
    /// Fewest cells with which it is of use.
    pub least: u16,
    /// Most cells that it needs.
    pub most: u16,
}

/// A column of this title that takes so many cells.
const fn head(title: &'static str, least: u16, most: u16) -> Head {
    Head { title, least, most }
}

/// Every list.
pub static LISTS: &[ListInfo] = &[
    gateways::LIST,
    routes::LIST,
    policies::LIST,
    certificates::LIST,
    endpoints::LIST,
    conditions::LIST,
    probes::LIST,
    logs::LIST,
    events::LIST,
    changes::LIST,
    nginx::LIST,
    suppressed::LIST,
    namespaces::LIST,
    contexts::LIST,
];

impl ListId {
    /// What is known of it.
    ///
    /// # Panics
    /// Never: a test demands that every list is in [`LISTS`].
    pub fn info(self) -> &'static ListInfo {
        LISTS
            .iter()
            .find(|info| info.id == self)
            .expect("every list is in LISTS")
    }
}

/// Makes the rows of a list, where what is known has changed since.
pub fn refresh(app: &mut App, id: ListId) {
    let made_for = app.diagnosed_at.map(|at| (at, app.taken, app.probed.len()));
    let pane = app.lists.entry(id).or_default();
    if pane.made_for == made_for && made_for.is_some() {
        return;
    }
    let mut rows = (id.info().rows)(app);
    let has_contexts = add_elsewhere(app, id, &mut rows);
    let filter = app.lists.get(&id).map(|pane| pane.filter.clone());
    let labelled = filter.and_then(|words| labelled(&words, &rows, app));
    let pane = app.lists.entry(id).or_default();
    pane.made_for = made_for;
    pane.is_ordered = id.info().order != Order::Trouble;
    pane.has_contexts = has_contexts;
    pane.take(rows, labelled);
}

/// Whether a list is about what a cluster holds, and not about this program and its run.
fn is_of_cluster(id: ListId) -> bool {
    match id {
        ListId::Gateways
        | ListId::Routes
        | ListId::Policies
        | ListId::Certificates
        | ListId::Endpoints
        | ListId::Conditions
        | ListId::Probes
        | ListId::Logs
        | ListId::Events
        | ListId::Nginx => true,
        ListId::Changes | ListId::Suppressed | ListId::Namespaces | ListId::Contexts => false,
    }
}

/// Adds the rows of the other contexts that are watched, each with its context as its last cell; whether there are
/// any.
fn add_elsewhere(app: &App, id: ListId, rows: &mut Vec<Row>) -> bool {
    if app.elsewhere.len() < 2 || !is_of_cluster(id) {
        return false;
    }
    let here = problems::here(app);
    for row in rows.iter_mut() {
        row.cells.push(here.as_str().into());
    }
    for other in problems::others(app) {
        let ElsewhereState::Known(Summary {
            whole: Some(whole), ..
        }) = &other.state
        else {
            continue;
        };
        let context = sanitize::line(&other.context, 256);
        let theirs = (id.info().rows)(&whole.0).into_iter().map(|row| {
            let mut cells = row.cells;
            cells.push(context.as_str().into());
            Row {
                cells,
                target: Target::Elsewhere(other.context.clone(), Box::new(row.target)),
                ..row
            }
        });
        rows.extend(theirs);
    }
    if id.info().order != Order::Trouble {
        // The order that they have in each context: by the first column.
        rows.sort_by(
            |one, other| match (one.cells.first(), other.cells.first()) {
                (Some(one), Some(other)) => one.compare(other),
                _ => Ordering::Equal,
            },
        );
    }
    true
}

/// The column that names the context, where rows are of several.
const CONTEXT: Head = head("CONTEXT", 7, 30);

/// The columns of a list as it is now.
pub fn heads(pane: &ListPane, info: &ListInfo) -> Vec<Head> {
    let context = pane.has_contexts.then_some(CONTEXT);
    info.columns.iter().copied().chain(context).collect()
}

/// Which rows have the labels that a filter wants, where it wants any.
fn labelled(words: &Filter, rows: &[Row], app: &App) -> Option<Vec<bool>> {
    let has_them = |row: &Row| {
        let (target, snapshot) = match &row.target {
            Target::Elsewhere(context, target) => {
                let other = app.elsewhere.iter().find(|one| one.context == *context);
                match other.map(|one| &one.state) {
                    Some(ElsewhereState::Known(Summary {
                        whole: Some(whole), ..
                    })) => (&**target, &whole.0.snapshot),
                    _ => return false,
                }
            }
            target => (target, &app.snapshot),
        };
        let of_target = match target {
            Target::Page(subject) | Target::Tab(subject, _) => subject.object.as_ref(),
            _ => None,
        };
        let objects = row.object.iter().chain(of_target);
        words.meets_labels(snapshot, objects)
    };
    words
        .wants_labels()
        .then(|| rows.iter().map(has_them).collect())
}

/// Filters a list.
pub fn set_filter(app: &mut App, id: ListId, text: &str) {
    let words = Filter::of(text);
    let rows = app.lists.get(&id).map(|pane| pane.rows.as_slice());
    let labelled = labelled(&words, rows.unwrap_or_default(), app);
    app.lists.entry(id).or_default().set_filter(words, labelled);
}

/// Draws a list.
pub fn draw(app: &mut App, id: ListId, area: Rect, buffer: &mut Buffer) {
    refresh(app, id);
    let theme = app.theme.clone();
    let none = match id {
        ListId::Contexts => contexts::none(app),
        id => none(id).to_owned(),
    };
    let is_typing = matches!(app.overlay, Some(Overlay::Filter(..)));
    let Some(pane) = app.lists.get_mut(&id) else {
        return;
    };
    let info = id.info();
    let heads = heads(pane, info);
    let all = order(&app.settings, info, pane.has_contexts);
    pane.skip = pane.skip.min(all.len().saturating_sub(1));
    let order = all[pane.skip..].to_vec();
    // As wide as everything that is in it.
    let whole = columns(pane, &heads, &order, theme.glyphs, u16::MAX);
    let widths: Vec<u16> = whole.iter().map(|column| column.ideal).collect();
    let (area, beside) = detail::split(pane, &widths, area);
    let [line, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    draw_label(
        &summary(pane, info, &heads, is_typing),
        line,
        buffer,
        &theme,
        Style::new(),
    );
    let columns = columns(pane, &heads, &order, theme.glyphs, body.width);
    pane.is_cut = columns.len() < order.len();
    let mut state = pane.state;
    let (rows, shown) = (&pane.rows, &pane.shown);
    let lazy = Lazy::new(shown.len(), |index: usize| {
        let row = &rows[shown[index]];
        let cells = order.iter().filter_map(|index| row.cells.get(*index));
        let cells = cells.zip(&columns).map(|(cell, column)| {
            // A name is cut in its middle, so that its end stays.
            let room = usize::from(column.ideal);
            Label::from(cut_middle(&cell.text, room, theme.glyphs.ellipsis))
        });
        TableRow::new(cells.collect()).mark(row.mark)
    });
    let empty = if pane.filter.is_empty() {
        &none
    } else {
        "Nothing matches the filter."
    };
    Table::new(&columns, &lazy, &theme)
        .marks()
        .found(&|text| pane.filter.places(text))
        .empty(empty)
        .render(body, buffer, &mut state);
    pane.state = state;
    let selected = pane.selected().cloned();
    if let (Some(place), Some(row)) = (beside, selected) {
        let lines = detail::lines(app, &heads, &row, place.width);
        Widget::render(&TextView::new(&lines, &theme).wrap(false), place, buffer);
    }
}

/// What to say of a list without rows.
pub fn none(id: ListId) -> &'static str {
    match id {
        ListId::Gateways => "No Gateways were read.",
        ListId::Routes => "No routes were read.",
        ListId::Policies => "No BackendTLSPolicies were read.",
        ListId::Certificates => "No certificates were read.",
        ListId::Endpoints => "No endpoints were read.",
        ListId::Conditions => "No object that was read has conditions.",
        ListId::Probes => "No probe has run yet; r runs one.",
        ListId::Logs => "No log has been read, or none says anything about TLS.",
        ListId::Events => "No Events were read.",
        ListId::Changes => "No change is known.",
        ListId::Nginx => "No route that was read has a backend.",
        ListId::Suppressed => "No findings are suppressed.",
        ListId::Namespaces => "No namespaces are known.",
        ListId::Contexts => "No contexts are known.",
    }
}

/// Whether the list that is on the screen has columns for which there is no room.
pub fn is_cut(app: &App) -> bool {
    let Place::List(id) = app.place() else {
        return false;
    };
    app.lists.get(id).is_some_and(|pane| pane.is_cut)
}

/// Lines above the first row: how many there are, and the heads of the columns.
const ABOVE: u16 = 2;

/// The row at a line of the screen, where the list is drawn in this area.
pub fn at(app: &App, id: ListId, area: Rect, y: u16) -> Option<usize> {
    let pane = app.lists.get(&id)?;
    let row = pane.state.offset + usize::from(y.checked_sub(area.y + ABOVE)?);
    (row < pane.shown.len()).then_some(row)
}

/// How many there are, and by what they are filtered and sorted.
fn summary(pane: &ListPane, info: &ListInfo, heads: &[Head], is_typing: bool) -> Label {
    let count = if pane.filter.is_empty() {
        pane.rows.len().to_string()
    } else {
        format!("{} of {}", pane.shown.len(), pane.rows.len())
    };
    let mut line = Label::of(Role::Muted, count);
    let order = match pane.sort {
        None => match info.order {
            Order::Trouble => ", trouble first".to_owned(),
            Order::Given(words) => format!(", {words}"),
        },
        Some((column, descending)) => {
            let title = heads.get(column).map_or("", |head| head.title);
            let order = if descending {
                "greatest first"
            } else {
                "least first"
            };
            format!(", by {title}, {order}")
        }
    };
    line.push(Role::Muted, order);
    if pane.skip > 0 {
        line.push(Role::Muted, ", left shows the columns before");
    }
    if !pane.filter.is_empty() {
        line.push(Role::Accent, format!("  /{}", pane.filter.text()));
        // While it is typed, the input says it.
        if let Some((mark, words)) = pane.filter.note().filter(|_| !is_typing) {
            line.push(note_role(mark), format!("  {words}"));
        }
        if pane.is_fuzzy && !pane.shown.is_empty() {
            line.push(
                Role::Muted,
                ", by letters in this order: no row has these words",
            );
        }
    }
    line
}

/// What is said of a filter: quiet, unless a part of it cannot be read.
fn note_role(mark: Mark) -> Role {
    if mark == Mark::Warning {
        Role::Warning
    } else {
        Role::Muted
    }
}

/// So many rows are measured for the widths of the columns.
const MEASURED: usize = 200;

/// Cells at the left for the marks.
const MARKS: u16 = 2;
/// Cells at the right for the scroll bar.
const BAR: u16 = 1;
/// Cells between columns.
const BETWEEN: u16 = 2;

/// The columns that are shown, from left to right, as indices into all of them.
fn order(settings: &Settings, info: &ListInfo, has_contexts: bool) -> Vec<usize> {
    // The context stands first.
    let context = has_contexts.then_some(info.columns.len());
    let own: Vec<usize> = match settings.columns.get(&info.id) {
        Some(chosen) => chosen.clone(),
        None => (0..info.columns.len()).collect(),
    };
    context.into_iter().chain(own).collect()
}

/// Columns as wide as what stands in them, from the left, as many as there is room for: a wider terminal adds
/// to the last one or shows another, and takes nothing from those before.
fn columns(
    pane: &ListPane,
    heads: &[Head],
    order: &[usize],
    glyphs: &ngf_ui::Glyphs,
    width_of_area: u16,
) -> Vec<Column> {
    let mut left = width_of_area.saturating_sub(MARKS + BAR);
    let mut columns = Vec::new();
    for (place, index) in order.iter().copied().enumerate() {
        let Some(head) = heads.get(index) else {
            continue;
        };
        let cells = pane.shown.iter().take(MEASURED);
        let cells = cells.filter_map(|row| pane.rows[*row].cells.get(index));
        let widest = cells.map(|cell| width(&cell.text)).max().unwrap_or(0);
        let sign = match pane.sort {
            Some((column, true)) if column == index => glyphs.down,
            Some((column, false)) if column == index => glyphs.up,
            _ => "",
        };
        let title = format!("{}{sign}", head.title);
        let needed = (widest.min(usize::from(head.most)) as u16).max(width(&title) as u16);
        let least = head.least.max(width(&title) as u16).min(needed);
        let taken = needed.min(left);
        if taken < least && place > 0 {
            break;
        }
        columns.push(Column::new(title, taken, taken));
        left = left.saturating_sub(taken + BETWEEN);
    }
    columns
}

/// `default/secure-app`.
fn path(object: &ObjectRef) -> String {
    object.path()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_name_or_alias_means_one_list() {
        let mut seen = BTreeSet::new();
        for info in LISTS {
            assert_eq!(info.id.info().name, info.name);
            for name in std::iter::once(&info.name).chain(info.aliases) {
                assert!(seen.insert(*name), "{name} means two lists");
            }
        }
    }
}
