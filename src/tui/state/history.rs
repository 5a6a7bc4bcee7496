//! Where the person has been: back and forward as in a browser, and to the last place and back again. Places of
//! another context or namespace are among them.

use crate::tui::state::{App, Opened, ids::ViewId, job::SwitchTo, place::Place};
use ngf_core::{
    diagnosis::problems::FieldAt,
    model::snapshot::{Scope, Snapshot, Source},
};
use ngf_ui::ListState;

/// So many places are remembered.
const MOST: usize = 100;

/// What was read where a person was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// The context of the kubeconfig; `None` for files.
    pub context: Option<String>,
    /// The namespaces.
    pub scope: Scope,
}

impl Region {
    /// What is read now.
    pub fn of(snapshot: &Snapshot) -> Self {
        Self {
            context: match &snapshot.source {
                Source::Cluster { context, .. } => Some(context.clone()),
                Source::Files { .. } => None,
            },
            scope: snapshot.scope.clone(),
        }
    }

    /// How one goes there from another region.
    pub fn to(&self, from: &Self) -> SwitchTo {
        let namespace = match &self.scope {
            Scope::AllNamespaces => None,
            Scope::Namespace(name) => Some(name.clone()),
        };
        SwitchTo {
            context: self
                .context
                .clone()
                .filter(|_| self.context != from.context),
            namespace: Some(namespace),
        }
    }
}

/// A place with those below it, and what was opened there.
#[derive(Debug, Clone)]
pub struct Visit {
    /// What was read.
    pub region: Region,
    places: Vec<Place>,
    view: ViewId,
    opened: Option<Opened>,
    field: Option<FieldAt>,
    messages: ListState,
    links: ListState,
}

impl PartialEq for Visit {
    /// Whether both are one place, on one tab.
    fn eq(&self, other: &Self) -> bool {
        self.region == other.region && self.places == other.places && self.view == other.view
    }
}

impl Eq for Visit {}

impl Visit {
    /// Where the person is.
    pub fn of(app: &App) -> Self {
        let detail = &app.detail;
        Self {
            region: Region::of(&app.snapshot),
            places: app.places.places().cloned().collect(),
            view: detail.view,
            opened: detail.opened.clone(),
            field: detail.field.clone(),
            messages: detail.messages,
            links: detail.links,
        }
    }

    /// The place itself.
    pub fn place(&self) -> &Place {
        self.places.last().unwrap_or(&Place::Problems)
    }

    /// The same where nothing of an earlier run of probes is known: without the places that show it.
    #[must_use]
    pub fn without_probes(mut self) -> Self {
        let is_of_probe = |place: &Place| match place {
            Place::Diff(..) | Place::Matrix => true,
            Place::Step(_) => self.opened.is_none(),
            _ => false,
        };
        if let Some(first) = self.places.iter().position(is_of_probe) {
            self.places.truncate(first);
        }
        self
    }

    /// Goes there.
    pub fn restore(self, app: &mut App) {
        app.places.home(&mut app.detail);
        for place in self.places.into_iter().skip(1) {
            app.places.open(place, &mut app.detail);
        }
        let detail = &mut app.detail;
        detail.view = self.view;
        detail.opened = self.opened;
        detail.field = self.field;
        detail.messages = self.messages;
        detail.links = self.links;
    }
}

/// A step in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// To where the person was before.
    Back,
    /// Forward again.
    Forward,
    /// To the place before this one; a second time leads back here.
    Last,
}

/// A step to another context or namespace, which is being connected.
#[derive(Debug)]
struct Journey {
    step: Step,
    there: Visit,
    /// What could not be connected, and was skipped.
    skipped: Vec<Region>,
}

/// Places that were left, on both sides of the one that is on the screen.
#[derive(Debug, Default)]
pub struct History {
    past: Vec<Visit>,
    future: Vec<Visit>,
    journey: Option<Journey>,
}

impl History {
    /// Remembers where the person was, if they are somewhere else now.
    pub fn note(&mut self, before: Visit, now: &Visit) {
        if before != *now {
            self.leave(before);
        }
    }

    /// Remembers where the person was, who is somewhere else now.
    pub fn leave(&mut self, before: Visit) {
        self.past.push(before);
        if self.past.len() > MOST {
            self.past.remove(0);
        }
        self.future.clear();
    }

    /// The place that a step leads to: the next one of no region that was skipped.
    fn next(&self, step: Step, skipped: &[Region]) -> Option<&Visit> {
        let from = match step {
            Step::Back | Step::Last => &self.past,
            Step::Forward => &self.future,
        };
        let mut places = from.iter().rev();
        places.find(|visit| !skipped.contains(&visit.region))
    }

    /// The step was made from `here`: what was skipped lies on the other side now.
    fn passed(&mut self, step: Step, there: &Visit, here: Visit) {
        let (from, to) = match step {
            Step::Back | Step::Last => (&mut self.past, &mut self.future),
            Step::Forward => (&mut self.future, &mut self.past),
        };
        let Some(place) = from.iter().rposition(|visit| visit == there) else {
            return;
        };
        if step == Step::Last {
            from.remove(place);
            from.push(here);
            return;
        }
        let left = from.split_off(place);
        to.push(here);
        to.extend(left.into_iter().skip(1).rev());
    }

    /// Ends a step to another region: the person stays.
    pub fn stay(&mut self) {
        self.journey = None;
    }

    /// The region of a step is connected: where it began is remembered.
    pub fn arrived(&mut self, here: Visit) {
        if let Some(journey) = self.journey.take() {
            self.passed(journey.step, &journey.there, here);
        }
    }
}

/// What came of a step in the history.
pub enum Traveled {
    /// There is nothing that way.
    Nowhere,
    /// The person is there.
    There,
    /// This has to be connected first.
    To(Box<Visit>),
}

/// Makes a step in the history. Where it leads to another context or namespace, nothing changes before that is
/// connected.
pub fn travel(app: &mut App, step: Step) -> Traveled {
    set_out(app, step, Vec::new())
}

/// The region of a step cannot be connected: the next place of another one takes its place.
pub fn skip(app: &mut App) -> Option<Traveled> {
    let journey = app.history.journey.take()?;
    let mut skipped = journey.skipped;
    skipped.push(journey.there.region);
    Some(set_out(app, journey.step, skipped))
}

fn set_out(app: &mut App, step: Step, mut skipped: Vec<Region>) -> Traveled {
    let here = Visit::of(app);
    loop {
        let Some(there) = app.history.next(step, &skipped).cloned() else {
            return Traveled::Nowhere;
        };
        if there.region == here.region {
            app.history.passed(step, &there, here);
            there.restore(app);
            return Traveled::There;
        }
        if is_gone(app, &there.region) {
            skipped.push(there.region);
            continue;
        }
        app.history.journey = Some(Journey {
            step,
            there: there.clone(),
            skipped,
        });
        return Traveled::To(Box::new(there));
    }
}

/// Whether the kubeconfig, as far as it was read, has no such context.
fn is_gone(app: &App, region: &Region) -> bool {
    let (Some(Ok(known)), Some(context)) = (&app.contexts, &region.context) else {
        return false;
    };
    !known.iter().any(|one| one.name == *context)
}
