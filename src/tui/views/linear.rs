//! Every view as linear text, for screen readers and pipes: a row is a line, a sign is a word, and there are no
//! columns. The names derive from [`LISTS`], [`VIEWS`] and [`ACTIONS`], as those of the command line do.

use ngf_ui::Mark;

use super::{
    VIEWS, ViewInfo,
    findings::mark_of_health,
    handshake,
    lists::{LISTS, ListInfo, none, refresh},
    problems,
    screen::empty_words,
};
use crate::{
    diagram::{BACKEND, CLIENT},
    tui::state::{
        App, Zoom,
        action::{ACTIONS, Action, Destination},
        ids::{ListId, ViewId},
        place::{Place, Subject, name_of},
    },
};
use ngf_core::{
    diagnosis::endpoint_matrix::{self, Cell},
    model::topology::NodeKind,
};
use ngf_text::{credentials::redact, sanitize, words};

/// Columns at which what is wrapped on the screen is wrapped.
const WIDTH: u16 = 100;
/// Columns at which no sentence is wrapped.
const WHOLE: u16 = 2_000;

/// A view that can be printed.
#[derive(Clone, Copy)]
pub enum Linear {
    /// A place of its own: the problems, the tree, the endpoint matrix.
    Place(&'static str, Destination),
    /// A list.
    List(&'static ListInfo),
    /// A tab, of every route, or of every object.
    Tab(&'static str, &'static ViewInfo),
}

/// Every view that can be printed, in the order in which it is.
pub fn all() -> Vec<Linear> {
    let places = ACTIONS.iter().filter_map(|info| match info.action {
        Action::GoTo(destination) => Some(Linear::Place(info.id, destination)),
        _ => None,
    });
    let lists = LISTS.iter().map(Linear::List);
    let tabs = ACTIONS.iter().filter_map(|info| match info.action {
        Action::View(index) => Some(Linear::Tab(info.id, VIEWS.get(index)?)),
        _ => None,
    });
    places.chain(lists).chain(tabs).collect()
}

impl Linear {
    /// The name of the endpoint matrix.
    pub const MATRIX: &str = "matrix";

    /// The view of this name: as it is typed after `:`.
    ///
    /// # Errors
    /// A sentence with the names that there are.
    pub fn named(name: &str) -> Result<Self, String> {
        let all = all();
        let found = all.iter().find(|view| {
            view.name() == name || matches!(view, Self::List(list) if list.aliases.contains(&name))
        });
        found.copied().ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(Self::name).collect();
            format!("there is no view {name:?}: expected {}", names.join(", "))
        })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Place(name, _) | Self::Tab(name, _) => name,
            Self::List(list) => list.name,
        }
    }

    /// What goes to it, where it needs something read first.
    pub fn destination(&self) -> Option<Destination> {
        match self {
            Self::Place(_, destination) => Some(*destination),
            Self::List(list) => Some(Destination::List(list.id)),
            Self::Tab(..) => None,
        }
    }

    /// The view as text, with a line end.
    pub fn text(&self, app: &mut App) -> String {
        let lines = match self {
            Self::Place(_, Destination::Tree) => titled("Tree", tree(app)),
            Self::Place(_, Destination::Matrix) => titled("Matrix", matrices(app)),
            Self::Place(..) => titled("Problems", told(problems::describe(app, WHOLE))),
            Self::List(list) => titled(list.title, rows(app, list)),
            Self::Tab(_, view) => tab(app, view),
        };
        let lines = lines.iter().map(|line| in_words(line.trim_end()));
        let mut text = redact(&lines.collect::<Vec<_>>().join("\n"));
        text.push('\n');
        sanitize::block(&text, usize::MAX)
    }
}

/// The signs that stand in sentences, as words.
fn in_words(line: &str) -> String {
    let mut line = line.to_owned();
    for (sign, word) in [
        ("\u{2713}", "ok"),
        ("\u{2717}", "error"),
        ("\u{2192}", "to"),
        ("\u{2190}", "from"),
    ] {
        line = line.replace(sign, word);
    }
    line
}

fn titled(title: &str, lines: Vec<String>) -> Vec<String> {
    std::iter::once(format!("# {title}")).chain(lines).collect()
}

/// Lines without what stands at the right edge standing there, and without blank cells before them.
fn told(lines: Vec<String>) -> Vec<String> {
    let lines = lines.into_iter();
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// The sign as a word.
fn word(mark: Mark) -> &'static str {
    mark.glyph(&ngf_ui::glyphs::WORDS)
}

/// A line for each node, indented by how deep it is.
fn tree(app: &App) -> Vec<String> {
    let topology = &app.diagnosis.topology;
    let lines: Vec<String> = topology
        .iter()
        .map(|(index, node)| {
            let depth = topology.ancestors(index).count();
            let kind = node.object.as_ref().map_or("", |object| object.kind.name());
            let note = node.note.as_deref().unwrap_or_default();
            let words = [node.what.word(), &node.name, note];
            let named = words.iter().filter(|word| !word.is_empty());
            let named: Vec<&str> = named.copied().collect();
            let of_kind = match &node.what {
                NodeKind::Route { .. } | NodeKind::Policy { .. } => format!(" ({kind})"),
                _ => String::new(),
            };
            let mark = word(mark_of_health(app.diagnosis.health(index)));
            format!("{}{mark}: {}{of_kind}", "  ".repeat(depth), named.join(" "))
        })
        .collect();
    if lines.is_empty() {
        return vec![empty_words(app).to_owned()];
    }
    lines
}

/// The endpoint matrix of each Gateway: a line for each endpoint from each place, what stands out, and notes.
fn matrices(app: &App) -> Vec<String> {
    let mut lines = Vec::new();
    for (gateway, matrix) in app.evidence.matrices() {
        let places = words::count(matrix.columns.len(), "place");
        let endpoints = words::count(matrix.rows.len(), "endpoint");
        lines.push(format!(
            "{gateway}: {endpoints} from {places}, {}",
            matrix.started_at
        ));
        for row in &matrix.rows {
            let endpoint = endpoint_matrix::endpoint(&row.plan);
            for (place, cell) in matrix.columns.iter().zip(&row.cells) {
                let mark = match cell {
                    Cell::Waiting | Cell::NotRun { .. } => Mark::Unknown,
                    Cell::Probed { .. } if cell.is_served() => Mark::Ok,
                    Cell::Probed { .. } => Mark::Failed,
                };
                let came_to = endpoint_matrix::words(cell);
                lines.push(format!(
                    "{}: {endpoint} from {place}: {came_to}",
                    word(mark)
                ));
            }
        }
        lines.extend(matrix.findings.iter().cloned());
        lines.extend(matrix.notes.iter().cloned());
    }
    if lines.is_empty() {
        lines.push("No endpoint was probed from every data-plane pod.".to_owned());
    }
    lines
}

/// A line for each row: its sign, and each cell after the title of its column.
fn rows(app: &mut App, list: &ListInfo) -> Vec<String> {
    refresh(app, list.id);
    let Some(pane) = app.lists.get(&list.id) else {
        return Vec::new();
    };
    if pane.shown.is_empty() {
        return vec![none(list.id).to_owned()];
    }
    let rows = pane.shown.iter().map(|index| &pane.rows[*index]);
    rows.map(|row| {
        let cells = list.columns.iter().zip(&row.cells);
        let cells: Vec<String> = cells
            .filter(|(_, cell)| !cell.text.is_empty())
            .map(|(head, cell)| format!("{} {}", head.title, cell.text))
            .collect();
        format!("{}: {}", word(row.mark), cells.join("; "))
    })
    .collect()
}

/// A tab of every page that has it.
fn tab(app: &mut App, view: &'static ViewInfo) -> Vec<String> {
    let subjects = subjects(app, view.id);
    let mut lines = Vec::new();
    for subject in subjects {
        let name = match &subject.object {
            Some(object) if !object.namespace.is_empty() => {
                format!("{} -n {}", name_of(object), object.namespace)
            }
            _ => subject.name.clone(),
        };
        app.places.open(Place::Page(subject), &mut app.detail);
        app.detail.view = view.id;
        app.detail.zoom = Zoom::Guide;
        let told = match view.id {
            ViewId::Handshake => handshake(app).unwrap_or_else(|| (view.describe)(app, WIDTH)),
            _ => (view.describe)(app, WIDTH),
        };
        app.places.back(&mut app.detail);
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.extend(titled(&format!("{} of {name}", view.title), told));
    }
    if lines.is_empty() {
        lines = titled(view.title, vec![empty_words(app).to_owned()]);
    }
    lines
}

/// What has a page: routes, and for what is told of each object also Gateways and policies.
fn subjects(app: &App, view: ViewId) -> Vec<Subject> {
    let topology = &app.diagnosis.topology;
    let tells_of_objects = matches!(view, ViewId::Conditions | ViewId::Yaml);
    let mut seen = Vec::new();
    let mut subjects = Vec::new();
    for (index, node) in topology.iter() {
        let is_meant = match node.what {
            NodeKind::Route { .. } => true,
            NodeKind::Gateway | NodeKind::Policy { .. } | NodeKind::ListenerSet => tells_of_objects,
            _ => false,
        };
        let Some(object) = node.object.as_ref().filter(|_| is_meant) else {
            continue;
        };
        if !seen.contains(&object) {
            seen.push(object);
            subjects.push(Subject::node(topology, index));
        }
    }
    subjects
}

/// The handshake step by step, and the decoded fields of the one that fails; `None` where none was run.
fn handshake(app: &App) -> Option<Vec<String>> {
    let shown = app.shown_probe()?;
    let transcript = shown.probed.result.as_ref().ok()?;
    let (arrows, notes) = handshake::told(app)?;
    let at_fault = handshake::at_fault(app);
    let who = |lane: usize| match lane {
        CLIENT => "client",
        BACKEND => "backend",
        _ => "nginx",
    };
    let mut lines = vec![transcript.nginx.sentence.clone()];
    for (index, arrow) in arrows.iter().enumerate() {
        let message = &arrow.message;
        let mark = message.mark.map_or("", word);
        let (from, to) = (who(message.from), who(message.to));
        let way = if from == to {
            from.to_owned()
        } else {
            format!("{from} to {to}")
        };
        let mark = if arrow.never_happened() {
            "never happened"
        } else {
            mark
        };
        let end = if mark.is_empty() {
            String::new()
        } else {
            format!(" ({mark})")
        };
        lines.push(format!("{}. {way}: {}{end}", message.number, arrow.short));
        for more in [&message.reason, &message.evidence] {
            if !more.is_empty() {
                lines.push(format!("   {}", more.plain()));
            }
        }
        if at_fault == Some(index) {
            let fields = handshake::fields(app, index);
            let fields = ngf_ui::widgets::fields::Fields::new(&fields, &app.theme);
            lines.extend(
                fields
                    .to_text(WIDTH)
                    .iter()
                    .map(|line| format!("   {line}")),
            );
        }
    }
    lines.extend(notes.iter().map(ngf_ui::Label::plain));
    Some(lines)
}

/// Whether the contexts of the kubeconfig are part of a view.
pub fn needs_contexts(view: &Linear) -> bool {
    matches!(view, Linear::List(list) if list.id == ListId::Contexts)
}
