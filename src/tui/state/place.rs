//! Where the person is: one stack of places. Enter opens, Esc goes back, and no other key does either.

use crate::tui::state::{
    App, Detail,
    action::Context,
    ids::{ListId, ViewId},
};
use ngf_core::{
    diagnosis::problems::ProblemKey,
    model::{
        object::ObjectRef,
        topology::{Node, NodeId, NodeIx, NodeKind, Topology},
    },
};

/// A place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The home screen: problems by root cause.
    Problems,
    /// The tree of all objects on paths.
    Tree,
    /// A list.
    List(ListId),
    /// Every endpoint from every data-plane pod.
    Matrix,
    /// Two probes of this run side by side, by their numbers.
    Diff(u64, u64),
    /// The page of a path or an object, with tabs.
    Page(Subject),
    /// The decoded fields of a step of the handshake: its number in the diagram.
    Step(usize),
}

/// What a page is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// What the breadcrumb calls it: `httproute/secure-app`.
    pub name: String,
    /// Its node in the tree, where it has one.
    pub node: Option<NodeId>,
    /// The object, where it is about one.
    pub object: Option<ObjectRef>,
    /// The problem by which it was opened.
    pub problem: Option<ProblemKey>,
}

impl Subject {
    /// A node of the tree, called by the route that it is part of.
    pub fn node(topology: &Topology, index: NodeIx) -> Self {
        let node = topology.node(index);
        let route = topology.above(index, |node| match node.what {
            NodeKind::Route { .. } => node.object.as_ref(),
            _ => None,
        });
        Self {
            name: route
                .or(node.object.as_ref())
                .map_or_else(|| node.name.to_string(), name_of),
            node: Some(node.id.clone()),
            object: node.object.clone(),
            problem: None,
        }
    }

    /// An object, wherever it stands in the tree.
    pub fn object(topology: &Topology, object: &ObjectRef) -> Self {
        let place = topology.places(object).first().copied();
        Self {
            name: name_of(object),
            node: place.map(|place| topology.node(place).id.clone()),
            object: Some(object.clone()),
            problem: None,
        }
    }

    /// The node, or the nearest one above it that is left.
    pub fn find<'t>(&self, topology: &'t Topology) -> Option<(NodeIx, &'t Node)> {
        let mut id = self.node.as_ref();
        while let Some(wanted) = id {
            if let Some(index) = topology.find(wanted) {
                return Some((index, topology.node(index)));
            }
            id = wanted.parent();
        }
        None
    }
}

/// `httproute/secure-app`, as kubectl writes it.
pub fn name_of(object: &ObjectRef) -> String {
    format!("{}/{}", object.kind.name().to_lowercase(), object.name)
}

/// A place, and how it was left.
#[derive(Debug)]
pub struct Level {
    /// The place.
    pub place: Place,
    /// The tab that was on top when another place was opened.
    view: ViewId,
    /// What its tabs were scrolled to, where the place opened above it is about something else.
    left: Option<Box<Detail>>,
}

/// The places, the home screen at the bottom.
#[derive(Debug)]
pub struct Stack {
    levels: Vec<Level>,
}

impl Default for Stack {
    fn default() -> Self {
        Self {
            levels: vec![Level::new(Place::Problems)],
        }
    }
}

impl Level {
    fn new(place: Place) -> Self {
        Self {
            place,
            view: ViewId::default(),
            left: None,
        }
    }
}

impl Stack {
    /// The place on top.
    pub fn top(&self) -> &Place {
        self.levels
            .last()
            .map_or(&Place::Problems, |level| &level.place)
    }

    /// All places, the home screen first.
    pub fn places(&self) -> impl DoubleEndedIterator<Item = &Place> {
        self.levels.iter().map(|level| &level.place)
    }

    /// The subject of the page that is on the screen, or whose step is.
    pub fn subject(&self) -> Option<&Subject> {
        match self.top() {
            Place::Page(subject) => Some(subject),
            Place::Step(_) => self.places().rev().find_map(|place| match place {
                Place::Page(subject) => Some(subject),
                _ => None,
            }),
            _ => None,
        }
    }

    /// The subject of the page, to change it.
    pub fn subject_mut(&mut self) -> Option<&mut Subject> {
        match self.levels.last_mut().map(|level| &mut level.place) {
            Some(Place::Page(subject)) => Some(subject),
            _ => None,
        }
    }

    /// Opens a place above. A page about something else than this one begins with tabs of its own.
    pub fn open(&mut self, place: Place, detail: &mut Detail) {
        let keeps = match &place {
            Place::Step(_) => true,
            Place::Page(subject) => self.subject() == Some(subject),
            _ => false,
        };
        if let Some(top) = self.levels.last_mut() {
            top.view = detail.view;
            if !keeps {
                top.left = Some(Box::new(std::mem::take(detail)));
            }
        }
        self.levels.push(Level::new(place));
    }

    /// Goes back to the place below; `false` at home.
    pub fn back(&mut self, detail: &mut Detail) -> bool {
        if self.levels.len() < 2 {
            return false;
        }
        self.levels.pop();
        if let Some(top) = self.levels.last_mut() {
            if let Some(left) = top.left.take() {
                *detail = *left;
            }
            detail.view = top.view;
        }
        true
    }

    /// Goes home.
    pub fn home(&mut self, detail: &mut Detail) {
        while self.back(detail) {}
    }
}

/// Where keys mean something now, the innermost first.
pub(crate) fn contexts(app: &App) -> Vec<Context> {
    let mut contexts = match app.place() {
        Place::Problems => vec![Context::Problems],
        Place::Tree => vec![Context::Tree],
        Place::List(ListId::Probes) => vec![Context::Probes, Context::List],
        Place::List(_) => vec![Context::List],
        Place::Diff(..) => vec![Context::Diff],
        Place::Matrix => vec![Context::Matrix],
        Place::Step(_) => vec![Context::Page],
        Place::Page(_) => match app.detail.view {
            ViewId::Chain => vec![Context::Chain, Context::Page],
            ViewId::Handshake => vec![Context::Handshake, Context::Page],
            ViewId::Logs => vec![Context::Logs, Context::Page],
            ViewId::Yaml => vec![Context::Yaml, Context::Page],
            _ => vec![Context::Page],
        },
    };
    if app.search().is_some() {
        // Its keys come before those of what is searched.
        contexts.insert(0, Context::Search);
    }
    if app.stage.is_some() {
        contexts.push(Context::Demo);
    }
    if app.clock.replay().is_some() {
        // Its keys come before those of what is on the screen.
        contexts.insert(0, Context::Replay);
    }
    contexts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(name: &str) -> Subject {
        Subject {
            name: name.to_owned(),
            node: None,
            object: None,
            problem: None,
        }
    }

    #[test]
    fn going_back_finds_each_place_as_it_was_left() {
        let (mut stack, mut detail) = (Stack::default(), Detail::default());
        stack.open(Place::Page(subject("a")), &mut detail);
        detail.view = ViewId::Chain;
        detail.messages.selected = 3;
        // The same page on another tab keeps what is selected.
        stack.open(Place::Page(subject("a")), &mut detail);
        detail.view = ViewId::Handshake;
        assert_eq!(detail.messages.selected, 3);
        stack.open(Place::Step(7), &mut detail);
        assert_eq!(stack.subject().map(|s| s.name.as_str()), Some("a"));
        // Another page starts at its beginning.
        stack.open(Place::Page(subject("b")), &mut detail);
        assert_eq!(detail.messages.selected, 0);
        assert!(stack.back(&mut detail) && stack.back(&mut detail));
        assert_eq!(
            (detail.view, detail.messages.selected),
            (ViewId::Handshake, 3)
        );
        assert!(stack.back(&mut detail));
        assert_eq!(detail.view, ViewId::Chain);
        assert!(stack.back(&mut detail));
        assert_eq!(*stack.top(), Place::Problems);
        assert!(!stack.back(&mut detail), "there is nothing below home");
        assert_eq!(*stack.top(), Place::Problems);
    }
}
