//! From a row or a problem of another context to what it is about: the program connects to that context, and opens it
//! as soon as it is read.

use jiff::{SignedDuration, Timestamp};
use ngf_ui::Mark;

use super::{opening, places};
use crate::tui::{
    state::{
        App,
        elsewhere::{Arrival, ListLeft, RemoteTarget},
        event::Effect,
        filter::Filter,
        history::{self, Region, Step, Traveled},
        job::SwitchTo,
        list::Target,
        place::Place,
    },
    views::lists,
};
use ngf_core::{diagnosis::problems::Problem, model::object::ObjectRef};

/// After so long what is wanted is opened although some kind is still being read.
const PATIENCE: SignedDuration = SignedDuration::from_secs(3);

/// Connects to a context that is watched, to open something there.
pub(super) fn set_out(app: &mut App, context: &str, wanted: RemoteTarget) -> Vec<Effect> {
    let list = match app.place() {
        Place::List(id) => app.lists.get(id).map(|pane| ListLeft {
            id: *id,
            filter: pane.filter.text().to_owned(),
            sort: pane.sort,
        }),
        _ => None,
    };
    let to = places::to_watched(app, context);
    let effects = places::switch(app, to.clone());
    if !effects.is_empty() {
        app.arrival = Some(Arrival {
            to,
            wanted,
            list,
            connected: None,
        });
    }
    effects
}

/// A step in the history: where it leads to another context or namespace, that is connected first.
pub(super) fn travel(app: &mut App, step: Step) -> Vec<Effect> {
    let traveled = history::travel(app, step);
    app.traveled = true;
    let effects = traveled_to(app, traveled);
    if effects.is_none() {
        app.say(Mark::Info, "There is no place to go to");
    }
    effects.unwrap_or_default()
}

/// A place of the history cannot be connected: the next one that can be is gone to. `None` where the switch was no
/// step of the history.
pub(super) fn skip(app: &mut App, to: &SwitchTo, why: &str) -> Option<Vec<Effect>> {
    let traveled = history::skip(app)?;
    app.switching = None;
    app.arrival = None;
    let effects = traveled_to(app, traveled);
    let words = match effects {
        Some(_) => format!("{to} is skipped: {why}"),
        None => format!("cannot switch to {to}: {why}; there is no other place to go to"),
    };
    app.say_for(15, Mark::Failed, words);
    Some(effects.unwrap_or_default())
}

/// What is to be done after a step in the history; `None` where it leads nowhere.
fn traveled_to(app: &mut App, traveled: Traveled) -> Option<Vec<Effect>> {
    let visit = match traveled {
        Traveled::Nowhere => return None,
        Traveled::There => return Some(Vec::new()),
        Traveled::To(visit) => visit,
    };
    let to = visit.region.to(&Region::of(&app.snapshot));
    app.switching = Some(to.clone());
    app.arrival = Some(Arrival {
        to: to.clone(),
        wanted: RemoteTarget::Place(visit),
        list: None,
        connected: None,
    });
    Some(vec![Effect::Switch(to)])
}

/// Stays where the person is: nothing is connected to, or opened any more. Whether that was about to happen.
pub(super) fn stay(app: &mut App) -> bool {
    let arrival = app.arrival.take();
    let Some(arrival) = arrival else { return false };
    app.history.stay();
    if app.switching.take().is_some() {
        app.say(Mark::Info, format!("not connected to {}", arrival.to));
    } else {
        app.say(Mark::Info, format!("{} is not opened", arrival.wanted));
    }
    true
}

/// The context is connected: the list from which this began is on the screen again, until what is wanted is read.
pub(super) fn connected(app: &mut App, arrival: Option<Arrival>, at: Timestamp) {
    let Some(mut arrival) = arrival else { return };
    if let Some(left) = &arrival.list {
        let pane = app.lists.entry(left.id).or_default();
        pane.sort = left.sort;
        pane.filter = Filter::of(&left.filter);
        app.places.open(Place::List(left.id), &mut app.detail);
    }
    arrival.connected = Some(at);
    app.arrival = Some(arrival);
}

/// Opens what is wanted, if it is there.
pub(super) fn arrive(app: &mut App) -> Vec<Effect> {
    let Some(arrival) = app.arrival.clone() else {
        return Vec::new();
    };
    let Some(connected) = arrival.connected.filter(|_| app.diagnosed_at.is_some()) else {
        return Vec::new();
    };
    let is_complete = app.diagnosis.loading == 0;
    let waited = app.real.duration_since(connected);
    if !is_complete && waited < PATIENCE {
        return Vec::new();
    }
    let opened = open(app, &arrival);
    if opened.is_none() && !is_complete {
        return Vec::new();
    }
    app.arrival = None;
    if opened.is_none() {
        let words = format!("{} is not in {} any more", arrival.wanted, arrival.to);
        app.say(Mark::Info, words);
    }
    opened.unwrap_or_default()
}

/// Opens what is wanted; `None` where it is not there.
fn open(app: &mut App, arrival: &Arrival) -> Option<Vec<Effect>> {
    match &arrival.wanted {
        RemoteTarget::Problem(code, sentence) => {
            let problems = || app.home.problems.iter();
            let has_code = |problem: &Problem| app.diagnosis.findings[problem.head].code == *code;
            // Its words may have changed since, such as an age in them.
            let place = problems()
                .position(|problem| has_code(problem) && problem.sentence == *sentence)
                .or_else(|| problems().position(has_code))?;
            app.home.list.selected = place;
            let problem = app.home.problems[place].clone();
            opening::open_problem(app, &problem);
            Some(Vec::new())
        }
        RemoteTarget::Place(visit) => {
            let visit = visit.clone().without_probes();
            if let Place::Page(subject) = visit.place()
                && !is_there(app, &Target::Page(subject.clone()), subject.object.as_ref())
            {
                return None;
            }
            visit.restore(app);
            Some(Vec::new())
        }
        RemoteTarget::Row(target, object) => {
            if !is_there(app, target, object.as_ref()) {
                return None;
            }
            if let Place::List(id) = *app.place() {
                lists::refresh(app, id);
                if let Some(pane) = app.lists.get_mut(&id) {
                    pane.select(|row| row.object == *object && row.target == *target);
                }
            }
            Some(opening::open_target(app, target.clone()))
        }
    }
}

/// Whether what a row opens is in the context that is on the screen.
fn is_there(app: &App, target: &Target, object: Option<&ObjectRef>) -> bool {
    let (Target::Page(subject) | Target::Tab(subject, _)) = target else {
        return false;
    };
    let topology = &app.diagnosis.topology;
    let node = subject.node.as_ref();
    let is_read = |object: &ObjectRef| app.snapshot.raw(object).is_some();
    node.is_some_and(|node| topology.find(node).is_some())
        || subject.object.as_ref().is_some_and(is_read)
        || object.is_some_and(is_read)
}
