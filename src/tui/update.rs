//! How the state changes: synchronous and pure. What takes time comes out as effects.

mod arriving;
mod comparing;
mod export;
mod findings;
mod inputs;
mod keys;
mod lines;
mod mouse;
mod moving;
mod opening;
mod places;
mod probing;
mod recording;
mod replaying;
mod searching;

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use ngf_ui::Mark;

pub use self::keys::perform;
use crate::tui::state::{
    App, Temporary,
    elsewhere::Arrival,
    event::{Diagnosed, Effect, Event},
    history::Visit,
};
use crate::tui::views;
use ngf_core::{
    diagnosis::{
        Evidence, Finding, Severity, Verdict,
        problems::{Clues, Problem, ProblemKey, problems},
    },
    model::{object::ObjectRef, topology::NodeKind},
};

/// Takes an event in; what is to be done comes out.
pub fn update(app: &mut App, event: Event, now: Timestamp) -> Vec<Effect> {
    app.real = now;
    let reached = replaying::advance(app);
    app.now = app.clock.now(now);
    let is_person = matches!(event, Event::Key(_) | Event::Mouse(_));
    let before = is_person.then(|| Visit::of(app));
    app.traveled = false;
    let mut effects = match event {
        Event::Key(key) => keys::pressed(app, key),
        Event::Mouse(mouse) => mouse::pointed(app, mouse),
        Event::Paste(text) => inputs::pasted(app, &text),
        Event::Resized => Vec::new(),
        Event::Tick => tick(app),
        Event::Snapshot(snapshot) => {
            app.evidence.forget_gone(&snapshot);
            app.evidence.forget_listeners(&app.latest, &snapshot);
            if !app.reading {
                app.changes.note(&app.latest, &snapshot, app.now);
            }
            app.latest = snapshot;
            app.reading = false;
            vec![diagnose(app)]
        }
        Event::Diagnosed(diagnosed) => take_diagnosis(app, *diagnosed),
        Event::StillHolds(snapshot) => {
            app.snapshot = snapshot;
            app.taken += 1;
            Vec::new()
        }
        Event::Prepared(job, result) => probing::prepared(app, job, result),
        Event::Step(key, step) => {
            probing::step(app, key, *step);
            Vec::new()
        }
        Event::Probed(done) => probing::probed(app, *done),
        Event::Logged(log) => {
            app.evidence.record_log(*log);
            vec![diagnose(app)]
        }
        Event::ProbeContext(done) => probing::probe_context(app, *done),
        Event::Settled(key, at, transcript) => probing::settled(app, &key, at, transcript),
        Event::Listeners(seen) => probing::listeners(app, seen),
        Event::ProbesEnded(keys) => {
            let ended = Temporary::Probes(keys.iter().cloned().collect());
            app.temporary.retain(|one| *one != ended);
            app.running.retain(|key| !keys.contains(key));
            app.steps.retain(|key, _| !keys.contains(key));
            Vec::new()
        }
        Event::Survey(news) => probing::survey_news(app, news),
        Event::EndpointMatrix(number, news) => probing::matrix_news(app, number, news),
        Event::Fix(news) => {
            findings::fix_news(app, *news);
            Vec::new()
        }
        Event::Left(left) => {
            app.say_for(30, Mark::Warning, left.join("; "));
            Vec::new()
        }
        Event::Contexts(found) => {
            places::contexts(app, found);
            Vec::new()
        }
        Event::Switched(to, result) => places::switched(app, &to, result),
        Event::Configuration(gateways, found) => places::configuration(app, gateways, found),
        Event::Elsewhere(context, state) => {
            places::elsewhere(app, &context, *state);
            Vec::new()
        }
        Event::Moment(index, found) => replaying::moment(app, index, found),
        Event::Lines(number, read) => {
            lines::read(app, number, read);
            Vec::new()
        }
        Event::Recording(news) => {
            recording::news(app, news);
            Vec::new()
        }
        Event::Stage(stage) => {
            app.explain(&stage);
            app.stage = Some(stage);
            app.retests = probing::RETESTS;
            Vec::new()
        }
        Event::Failed(message) => {
            app.say(Mark::Failed, message);
            Vec::new()
        }
        Event::Message(message) => {
            app.say(Mark::Info, message);
            Vec::new()
        }
    };
    if let Some(before) = before {
        effects.extend(acted(app, before));
    }
    probing::ask_when_free(app);
    effects.extend(reached);
    effects
}

/// A person has acted, who was there before.
fn acted(app: &mut App, before: Visit) -> Option<Effect> {
    let again = read_again(app, &before);
    if !app.traveled {
        note_where(app, before);
    }
    again
}

/// The page of a Secret or ConfigMap was opened that is not watched: it is read again.
fn read_again(app: &App, before: &Visit) -> Option<Effect> {
    let object = app.places.subject()?.object.as_ref()?;
    let is_old = app.snapshot.unwatched.contains_key(object);
    (is_old && *before != Visit::of(app)).then(|| Effect::ReadAgain(object.clone()))
}

/// Remembers where the person was, if they are somewhere else now.
fn note_where(app: &mut App, before: Visit) {
    let here = Visit::of(app);
    if app.arrival.as_ref().is_some_and(Arrival::is_connected) && before != here {
        // Who went somewhere else meanwhile stays there.
        app.arrival = None;
    }
    app.history.note(before, &here);
}

fn diagnose(app: &App) -> Effect {
    Effect::Diagnose {
        snapshot: Arc::clone(&app.latest),
        evidence: app.evidence.clone(),
        now: app.now,
    }
}

/// Once a minute everything is judged again: certificates expire while nobody touches the cluster.
fn tick(app: &mut App) -> Vec<Effect> {
    if app
        .toast
        .as_ref()
        .is_some_and(|toast| toast.until <= app.real)
    {
        app.toast = None;
    }
    let minute = |at: Timestamp| at.as_second() / 60;
    if app
        .diagnosed_at
        .is_some_and(|at| minute(at) != minute(app.now))
    {
        app.diagnosed_at = Some(app.now);
        return vec![diagnose(app)];
    }
    arriving::arrive(app)
}

fn take_diagnosis(app: &mut App, diagnosed: Diagnosed) -> Vec<Effect> {
    let was_complete = app.diagnosed_at.is_some() && app.diagnosis.loading == 0;
    if diagnosed.diagnosis.loading > 0 && was_complete {
        // A kind that has just come is being listed: what was found before holds until then.
        return vec![Effect::Forget(Box::new(diagnosed))];
    }
    let replaced = Diagnosed {
        snapshot: std::mem::replace(&mut app.snapshot, diagnosed.snapshot),
        diagnosis: std::mem::take(&mut app.diagnosis),
    };
    let filter = &app.settings.filter;
    app.diagnosis = diagnosed
        .diagnosis
        .filtered_by(filter, &app.snapshot, app.now);
    app.diagnosed_at = Some(app.now);
    app.taken += 1;
    app.tree.refresh(&app.diagnosis, &app.snapshot);
    group_problems(app);
    places::remember_namespaces(app);
    if !app.tree.touched {
        select_something_useful(app);
    }
    let mut effects = vec![Effect::Forget(Box::new(replaced))];
    effects.extend(probing::survey_when_read(app));
    effects.extend(arriving::arrive(app));
    effects
}

/// Remembers when each finding came: those of the first diagnosis were there before. One that goes and comes
/// again is new.
fn note_what_came(app: &mut App) {
    if app.diagnosis.loading > 0 {
        return;
    }
    let at = app.home.has_begun.then_some(app.now);
    let mut came = HashMap::new();
    for finding in &app.diagnosis.findings {
        let key = (finding.code, finding.subject.clone());
        let known = app.home.came.get(&key).copied();
        came.entry(key).or_insert(known.unwrap_or(at));
    }
    app.home.came = came;
    app.home.has_begun = true;
}

/// Groups the findings by root cause. The selected problem stays selected, wherever it stands now; until a
/// person moves, the first one is.
fn group_problems(app: &mut App) {
    let selected = app.selected_problem().map(|problem| problem.key.clone());
    let remote = views::problems::selected_remote(app);
    note_what_came(app);
    let (changes, came) = (&app.changes, &app.home.came);
    let seen_to_change = |finding: &Finding, object: &ObjectRef| {
        // A change that came after the finding did not cause it.
        let came = (*came.get(&(finding.code, finding.subject.clone()))?)?;
        changes.of(object).filter(|at| *at <= came)
    };
    let clues = Clues {
        snapshot: &app.snapshot,
        evidence: &app.evidence,
        changed: &seen_to_change,
        now: app.now,
    };
    let unfolded = &app.home.unfolded;
    let mut problems = problems(&app.diagnosis, &clues, |key| unfolded.contains(key));
    let mut counts: HashMap<Mark, usize> = HashMap::new();
    for problem in &problems {
        let mark = views::findings::mark_of(&app.diagnosis.findings[problem.head]);
        *counts.entry(mark).or_default() += 1;
    }
    let searched = |problem: &Problem| views::problems::searched(problem, &app.diagnosis);
    let elsewhere = views::problems::searched_elsewhere(app);
    app.home.filter.settle(|| {
        let own = problems.iter().map(searched);
        Box::new(own.chain(elsewhere.iter().cloned()))
    });
    let filter = &app.home.filter;
    if !filter.is_empty() {
        problems.retain(|problem| {
            let findings = problem.findings.iter();
            let objects = findings.flat_map(|index| app.diagnosis.findings[*index].objects());
            filter.meets(&searched(problem)) && filter.meets_labels(&app.snapshot, objects)
        });
    }
    let is_same = |key: &ProblemKey| {
        let kind = |key: &ProblemKey| (key.root, key.head);
        problems
            .iter()
            .position(|problem| problem.key == *key)
            .or_else(|| problems.iter().position(|one| kind(&one.key) == kind(key)))
    };
    let place = selected
        .as_ref()
        .filter(|_| app.tree.touched)
        .and_then(is_same);
    if !app.tree.touched || selected.is_some() {
        app.home.list.selected = place.unwrap_or_default();
    }
    app.home.problems = problems;
    app.home.counts = counts;
    app.home.expires_next = views::problems::expires_next(app);
    app.home.untested = views::problems::untested_reasons(&app.diagnosis.coverage.untested);
    views::problems::select_remote(app, remote);
}

/// Until a person moves, the selection of the tree is where they would go first: at the first proven cause, or
/// else at the first route.
fn select_something_useful(app: &mut App) {
    let topology = &app.diagnosis.topology;
    let first_cause =
        app.diagnosis.findings.first().filter(|finding| {
            finding.verdict == Verdict::Fail && finding.severity == Severity::Error
        });
    let place = app
        .home
        .problems
        .first()
        .and_then(|problem| problem.place.as_ref());
    let cause = first_cause
        .and(place)
        .and_then(|place| topology.find(place));
    let route = || {
        topology
            .iter()
            .find(|(_, node)| matches!(node.what, NodeKind::Route { .. }))
    };
    if let Some(node) = cause.or_else(|| route().map(|(index, _)| index)) {
        app.tree.reveal(node, &app.diagnosis);
    }
}

fn go_to_stage(app: &mut App, step: isize) -> Vec<Effect> {
    let Some(stage) = &app.stage else {
        return Vec::new();
    };
    match stage
        .index
        .checked_add_signed(step)
        .filter(|index| *index < stage.of)
    {
        Some(index) => {
            app.evidence = Evidence::none();
            app.around.clear();
            app.matrix = None;
            app.detail.opened = None;
            vec![Effect::CancelProbes, Effect::GoToStage(index)]
        }
        None => {
            app.say(
                Mark::Info,
                if step > 0 {
                    "This is the last stage"
                } else {
                    "This is the first stage"
                },
            );
            Vec::new()
        }
    }
}
