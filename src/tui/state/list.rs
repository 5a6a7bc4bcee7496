//! The lists, as in k9s: one state for all of them. Trouble comes first, `/` filters, `s` sorts.

use std::cmp::Ordering;

use jiff::Timestamp;
use ngf_ui::{Mark, scroll::ListState};

use crate::tui::state::{filter::Filter, ids::ViewId, place::Subject};
use ngf_core::model::object::ObjectRef;

/// A cell of a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell {
    /// What it says.
    pub text: String,
    /// By what it is sorted, where that is a number.
    pub number: Option<i64>,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, number: None }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl Cell {
    /// A cell that is sorted by a number.
    pub fn sorted(text: impl Into<String>, number: i64) -> Self {
        Self {
            text: text.into(),
            number: Some(number),
        }
    }

    /// A number of things.
    pub fn count(number: usize) -> Self {
        Self::counted(number.to_string(), number)
    }

    /// Words that are sorted by a number of things.
    pub fn counted(text: impl Into<String>, number: usize) -> Self {
        Self::sorted(text, i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// By its number, or else by its text.
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self.number, other.number) {
            (Some(one), Some(other)) => one.cmp(&other),
            // What has no number, such as a probe that never was, comes last.
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => self.text.cmp(&other.text),
        }
    }
}

/// What Enter opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A node of the tree, at its fault.
    Page(Subject),
    /// An object, on a tab.
    Tab(Subject, ViewId),
    /// A probe of this run, by its number.
    Probe(u64),
    /// Another context of the kubeconfig.
    Context(String),
    /// A namespace to read alone; all of them if `None`.
    Namespace(Option<String>),
    /// A row of another context that is watched, and what it is there.
    Elsewhere(String, Box<Target>),
    /// Nothing, and why.
    Nothing(&'static str),
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// How what it is about is.
    pub mark: Mark,
    /// Its cells, one for each column.
    pub cells: Vec<Cell>,
    /// What Enter opens.
    pub target: Target,
    /// The object that it is about, by which it stays selected.
    pub object: Option<ObjectRef>,
}

impl Row {
    /// Its cells as the text that a filter searches, a line each.
    fn searched(&self) -> String {
        let cells: Vec<&str> = self.cells.iter().map(|cell| cell.text.as_str()).collect();
        cells.join("\n")
    }
}

/// State of a list.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // each is a fact of its own
pub struct ListPane {
    /// The diagnosis that the rows were made of.
    pub made_for: Option<(Timestamp, u64, usize)>,
    /// The natural order is kept until somebody sorts: trouble does not come first.
    pub is_ordered: bool,
    /// All rows, in their natural order.
    pub rows: Vec<Row>,
    /// The rows that the filter leaves, as they are sorted.
    pub shown: Vec<usize>,
    /// The filter.
    pub filter: Filter,
    /// The rows are of several contexts, which their last cell names.
    pub has_contexts: bool,
    /// Which rows have the labels that the filter wants, where it wants any.
    pub labelled: Option<Vec<bool>>,
    /// No row has the filter's words: those are shown that have their letters in order.
    pub is_fuzzy: bool,
    /// The column by which it is sorted, and whether from the greatest to the least; trouble first if `None`.
    pub sort: Option<(usize, bool)>,
    /// So many columns at the left are left out, to show those at the right.
    pub skip: usize,
    /// Columns at the right have no room.
    pub is_cut: bool,
    /// Selection and scroll position.
    pub state: ListState,
}

impl ListPane {
    /// Shows the columns further to the right, or to the left.
    pub fn turn_column(&mut self, step: isize) {
        if step < 0 {
            self.skip = self.skip.saturating_sub(1);
        } else if self.is_cut {
            self.skip += 1;
        }
    }

    /// Takes new rows, and which of them have the labels that the filter wants; the selected one stays selected.
    pub fn take(&mut self, rows: Vec<Row>, labelled: Option<Vec<bool>>) {
        let selected = self.selected().cloned();
        self.rows = rows;
        self.labelled = labelled;
        self.arrange();
        let Some(selected) = selected else { return };
        let is_same = |row: &Row| row.object == selected.object && row.target == selected.target;
        let place = self
            .shown
            .iter()
            .position(|index| is_same(&self.rows[*index]));
        if let Some(place) = place {
            self.state.selected = place;
        }
    }

    /// The selected row.
    pub fn selected(&self) -> Option<&Row> {
        let index = self.shown.get(self.state.selected)?;
        self.rows.get(*index)
    }

    /// Selects the first row of which this holds, if one is shown.
    pub fn select(&mut self, is_it: impl Fn(&Row) -> bool) {
        let place = self
            .shown
            .iter()
            .position(|index| is_it(&self.rows[*index]));
        if let Some(place) = place {
            self.state.selected = place;
        }
    }

    /// Filters and sorts.
    pub fn arrange(&mut self) {
        let rows = &self.rows;
        self.filter
            .settle(|| Box::new(rows.iter().map(Row::searched)));
        let labelled = &self.labelled;
        let has_labels = |index: &usize| {
            let known = labelled.as_ref();
            known.is_none_or(|known| known.get(*index).copied().unwrap_or(false))
        };
        let found = |filter: &Filter| -> Vec<usize> {
            let all = (0..rows.len()).filter(has_labels);
            all.filter(|index| filter.is_empty() || filter.meets(&rows[*index].searched()))
                .collect()
        };
        let mut shown = found(&self.filter);
        self.is_fuzzy = shown.is_empty() && self.filter.wants_texts();
        if self.is_fuzzy {
            shown = found(&self.filter.by_letters());
        }
        match self.sort {
            None if self.is_ordered => {}
            None => shown.sort_by_key(|index| rank(rows[*index].mark)),
            Some((column, descending)) => {
                let empty = Cell::default();
                let cell = |index: &usize| rows[*index].cells.get(column).unwrap_or(&empty);
                shown.sort_by(|one, other| {
                    let order = cell(one).compare(cell(other));
                    if descending { order.reverse() } else { order }
                });
            }
        }
        self.shown = shown;
        self.state = self.state.of(self.shown.len());
        self.state.selected = self.state.selected.min(self.shown.len().saturating_sub(1));
    }

    /// Sorts by the next column; after the last one the first order is back.
    pub fn sort_by_next(&mut self, columns: usize) {
        self.sort = match self.sort {
            None => Some((0, false)),
            Some((column, _)) if column + 1 < columns => Some((column + 1, false)),
            Some(_) => None,
        };
        self.arrange();
    }

    /// Turns the order around.
    pub fn reverse(&mut self) {
        let (column, descending) = self.sort.unwrap_or((0, false));
        self.sort = Some((column, !descending));
        self.arrange();
    }

    /// Filters; of the labels it is known which rows have them.
    pub fn set_filter(&mut self, filter: Filter, labelled: Option<Vec<bool>>) {
        self.filter = filter;
        self.labelled = labelled;
        self.state.selected = 0;
        self.arrange();
    }
}

/// The worst first.
fn rank(mark: Mark) -> u8 {
    match mark {
        Mark::Failed => 0,
        Mark::Warning => 1,
        Mark::Unknown => 2,
        Mark::Info => 3,
        Mark::Ok => 4,
        Mark::Muted => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(mark: Mark, name: &str, number: i64) -> Row {
        Row {
            mark,
            cells: vec![name.into(), Cell::sorted(number.to_string(), number)],
            target: Target::Probe(number as u64),
            object: None,
        }
    }

    fn names(pane: &ListPane) -> Vec<&str> {
        let rows = pane.shown.iter().map(|index| &pane.rows[*index]);
        rows.map(|row| row.cells[0].text.as_str()).collect()
    }

    #[test]
    fn trouble_comes_first_and_any_column_sorts() {
        let mut pane = ListPane::default();
        pane.take(
            vec![
                row(Mark::Ok, "b", 10),
                row(Mark::Failed, "c", 9),
                row(Mark::Unknown, "a", 100),
            ],
            None,
        );
        assert_eq!(names(&pane), ["c", "a", "b"]);
        pane.sort_by_next(2);
        assert_eq!(names(&pane), ["a", "b", "c"]);
        pane.sort_by_next(2);
        assert_eq!(names(&pane), ["c", "b", "a"], "by number, not by text");
        pane.reverse();
        assert_eq!(names(&pane), ["a", "b", "c"]);
        pane.sort_by_next(2);
        assert_eq!(pane.sort, None);
    }

    #[test]
    fn two_words_are_and_and_an_exclamation_mark_is_not() {
        let mut pane = ListPane::default();
        pane.take(
            vec![
                row(Mark::Ok, "payments api", 1),
                row(Mark::Ok, "payments web", 2),
                row(Mark::Ok, "shop api", 3),
            ],
            None,
        );
        for (filter, expected) in [
            ("pay", &["payments api", "payments web"][..]),
            ("API pay", &["payments api"]),
            ("!pay", &["shop api"]),
            ("api !shop", &["payments api"]),
            ("!", &["payments api", "payments web", "shop api"]),
            ("none", &[]),
        ] {
            pane.set_filter(Filter::of(filter), None);
            assert_eq!(names(&pane), expected, "{filter}");
        }
        assert!(pane.selected().is_none());
    }

    #[test]
    fn letters_in_order_count_where_no_row_has_the_words() {
        let mut pane = ListPane::default();
        pane.take(
            vec![
                row(Mark::Ok, "backend-tls", 1),
                row(Mark::Ok, "frontend-tls", 2),
            ],
            None,
        );
        for (filter, expected, fuzzy) in [
            ("bktls", &["backend-tls"][..], true),
            ("ntls", &["backend-tls", "frontend-tls"], true),
            ("ntls !front", &["backend-tls"], true),
            ("tls", &["backend-tls", "frontend-tls"], false),
            ("slt", &[], true),
            ("", &["backend-tls", "frontend-tls"], false),
        ] {
            pane.set_filter(Filter::of(filter), None);
            assert_eq!(names(&pane), expected, "{filter}");
            assert_eq!(pane.is_fuzzy, fuzzy, "{filter}");
        }
    }

    #[test]
    fn the_selected_row_stays_selected_when_rows_change() {
        let mut pane = ListPane::default();
        pane.take(vec![row(Mark::Ok, "a", 1), row(Mark::Ok, "b", 2)], None);
        pane.state.selected = 1;
        pane.take(
            vec![
                row(Mark::Failed, "c", 3),
                row(Mark::Ok, "a", 1),
                row(Mark::Ok, "b", 2),
            ],
            None,
        );
        assert_eq!(
            pane.selected().map(|row| row.cells[0].text.as_str()),
            Some("b")
        );
    }

    #[test]
    fn columns_move_to_the_right_as_long_as_some_have_no_room() {
        let mut pane = ListPane::default();
        pane.turn_column(1);
        assert_eq!(pane.skip, 0);
        pane.is_cut = true;
        pane.turn_column(1);
        pane.turn_column(1);
        assert_eq!(pane.skip, 2);
        pane.is_cut = false;
        pane.turn_column(1);
        pane.turn_column(-1);
        assert_eq!(pane.skip, 1);
    }
}
