//! The lists, as in k9s: one state for all of them. Trouble comes first, `/` filters, `s` sorts.

use std::{cmp::Ordering, collections::BTreeMap};

use jiff::Timestamp;
use ngf_ui::{Mark, scroll::ListState};

use crate::tui::state::{ids::ViewId, place::Subject};
use ngf_core::{
    model::{object::ObjectRef, snapshot::Snapshot},
    selector::Selector,
};

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
    /// The filter; empty for none.
    pub filter: String,
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

    /// Filters and sorts.
    pub fn arrange(&mut self) {
        let words = Words::of(&self.filter);
        let rows = &self.rows;
        let labelled = &self.labelled;
        let has_labels = |index: &usize| {
            let known = labelled.as_ref();
            known.is_none_or(|known| known.get(*index).copied().unwrap_or(false))
        };
        let all = || (0..rows.len()).filter(has_labels);
        let mut shown: Vec<usize> = all().filter(|index| words.matches(&rows[*index])).collect();
        self.is_fuzzy = shown.is_empty() && !words.wanted.is_empty();
        if self.is_fuzzy {
            shown.extend(all().filter(|index| words.resembles(&rows[*index])));
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

    /// Filters by these words; of the labels it is known which rows have them.
    pub fn set_filter(&mut self, filter: &str, labelled: Option<Vec<bool>>) {
        filter.clone_into(&mut self.filter);
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

/// A filter: all of its words must occur, those after `!` must not; `-l app=shop` wants labels, as kubectl takes them.
#[derive(Debug, Clone, Default)]
pub struct Words {
    wanted: Vec<String>,
    unwanted: Vec<String>,
    selectors: Vec<Selector>,
    invalid: Option<String>,
}

/// Words of one selector, at most: `-l app in (shop, cart)`.
const LONGEST: usize = 12;

/// A selector that begins a list of words, and how many of them it has: as many as make sense together.
fn selector(words: &[&str]) -> Result<(Selector, usize), String> {
    let mut wrong = None;
    for count in (1..=words.len().min(LONGEST)).rev() {
        match words[..count].join(" ").parse() {
            Ok(selector) => return Ok((selector, count)),
            Err(why) => wrong = Some(why),
        }
    }
    Err(wrong.unwrap_or_default())
}

impl Words {
    /// The words of a filter.
    pub fn of(filter: &str) -> Self {
        let mut words = Self::default();
        let mut rest: Vec<&str> = filter.split_whitespace().collect();
        while let Some(word) = rest.first().copied() {
            let joined = word
                .strip_prefix("-l")
                .or_else(|| word.strip_prefix("--selector="))
                .filter(|joined| joined.contains('='));
            if matches!(word, "-l" | "--selector") || joined.is_some() {
                match joined {
                    Some(joined) => rest[0] = joined,
                    None => drop(rest.remove(0)),
                }
                if rest.is_empty() {
                    // It is still being typed.
                    break;
                }
                let count = match selector(&rest) {
                    Ok((selector, count)) => {
                        words.selectors.push(selector);
                        count
                    }
                    Err(why) => {
                        words.invalid = Some(why);
                        1
                    }
                };
                rest.drain(..count);
                continue;
            }
            let lower = word.to_lowercase();
            match lower.strip_prefix('!') {
                Some("") => {}
                Some(word) => words.unwanted.push(word.to_owned()),
                None => words.wanted.push(lower),
            }
            rest.remove(0);
        }
        words
    }

    /// Whether a text has a word that is not wanted.
    pub fn is_unwanted(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let mut unwanted = self.unwanted.iter();
        unwanted.any(|word| text.contains(word.as_str()))
    }

    /// Whether it wants labels.
    pub fn wants_labels(&self) -> bool {
        !self.selectors.is_empty() || self.invalid.is_some()
    }

    /// Why its label selector cannot be read.
    pub fn invalid(&self) -> Option<&str> {
        self.invalid.as_deref()
    }

    /// Whether one of these objects has the labels that it wants. What cannot be read is met by nothing.
    pub fn meets_labels<'o>(
        &self,
        snapshot: &Snapshot,
        objects: impl IntoIterator<Item = &'o ObjectRef>,
    ) -> bool {
        if !self.wants_labels() {
            return true;
        }
        let labels = objects
            .into_iter()
            .filter_map(|object| snapshot.labels(object));
        let has_all = |labels: &BTreeMap<String, String>| {
            let mut selectors = self.selectors.iter();
            selectors.all(|selector| selector.matches(labels))
        };
        self.invalid.is_none() && labels.into_iter().any(has_all)
    }

    /// Whether a text meets the filter.
    pub fn meets(&self, text: &str) -> bool {
        if self.wanted.is_empty() && self.unwanted.is_empty() {
            return true;
        }
        let text = text.to_lowercase();
        self.wanted.iter().all(|word| text.contains(word.as_str()))
            && !self
                .unwanted
                .iter()
                .any(|word| text.contains(word.as_str()))
    }

    /// Whether each wanted word has its letters in their order in one of the cells: `bktls` of `backend-tls`.
    fn resembles(&self, row: &Row) -> bool {
        let cells: Vec<String> = row
            .cells
            .iter()
            .map(|cell| cell.text.to_lowercase())
            .collect();
        let has = |word: &String| {
            cells.iter().any(|cell| {
                let mut letters = cell.chars();
                word.chars()
                    .all(|wanted| letters.any(|letter| letter == wanted))
            })
        };
        self.wanted.iter().all(has)
            && !self
                .unwanted
                .iter()
                .any(|word| cells.iter().any(|cell| cell.contains(word.as_str())))
    }

    fn matches(&self, row: &Row) -> bool {
        if self.wanted.is_empty() && self.unwanted.is_empty() {
            return true;
        }
        let cells: Vec<&str> = row.cells.iter().map(|cell| cell.text.as_str()).collect();
        self.meets(&cells.join("\n"))
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
            pane.set_filter(filter, None);
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
            pane.set_filter(filter, None);
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
    fn a_selector_in_a_filter_is_read_as_kubectl_reads_it() {
        let text = "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: shop, labels: {app: Shop, tier: web}}\n";
        let snapshot = ngf_core::manifests::parse(text, "default");
        let service = ObjectRef::new(ngf_core::model::kind::Kind::Service, "shop", "a");
        let other = ObjectRef::new(ngf_core::model::kind::Kind::Service, "shop", "gone");
        for (filter, is_met, rest) in [
            ("-l app=Shop", true, "anything"),
            ("-lapp=Shop", true, "anything"),
            ("--selector=app=Shop,tier!=db", true, "anything"),
            ("-l app=shop", false, "anything"),
            ("-l app in (Shop, cart) web", true, "a web"),
            ("web -l !db", true, "a web"),
            ("-l tier notin (web)", false, "anything"),
            // It is still being typed.
            ("-l", true, "anything"),
            ("-l app=a=b", false, "anything"),
        ] {
            let words = Words::of(filter);
            assert_eq!(
                words.meets_labels(&snapshot, [&service]),
                is_met,
                "{filter}"
            );
            assert!(words.meets(rest), "{filter}");
            assert_eq!(
                words.invalid().is_some(),
                filter.contains("a=b"),
                "{filter}"
            );
            // Of what was not read no label is known.
            let wants = words.wants_labels();
            assert_eq!(words.meets_labels(&snapshot, [&other]), !wants, "{filter}");
        }
        assert!(!Words::of("-l app in (Shop, cart) web").meets("other"));
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
