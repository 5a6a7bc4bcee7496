//! Enter opens, Esc goes back, and no other key does either; a command goes somewhere by its name.

use ngf_ui::{Mark, scroll::ListState};

use super::{arriving, findings, places, probing, searching};
use crate::tui::{
    state::{
        App, Tests, Zoom,
        action::Destination,
        elsewhere::RemoteTarget,
        event::Effect,
        filter::Filter,
        ids::{ListId, ViewId},
        job::SwitchTo,
        list::Target,
        place::{Place, Subject},
    },
    views::{chain, handshake, lists, problems},
};
use ngf_core::{
    diagnosis::{
        plan::{ProbeTarget, plan},
        problems::{Problem, field_at_fault},
    },
    model::object::ObjectRef,
};

/// Opens what is selected.
pub(super) fn open(app: &mut App) -> Vec<Effect> {
    // Whoever continues has read the message.
    app.toast = None;
    match app.place() {
        Place::Page(_) if app.detail.view == ViewId::Chain => return open_from_chain(app),
        Place::Problems => {
            if let Some(remote) = problems::selected_remote(app) {
                return match remote.problem {
                    Some((code, sentence)) => {
                        let wanted = RemoteTarget::Problem(code, sentence);
                        arriving::set_out(app, &remote.context, wanted)
                    }
                    None => {
                        let to = places::to_watched(app, &remote.context);
                        places::switch(app, to)
                    }
                };
            }
            open_entry(app);
        }
        Place::Tree => {
            if let Some((index, _)) = app.selected() {
                let subject = Subject::node(&app.diagnosis.topology, index);
                open_at_fault(app, subject, &[]);
            }
        }
        Place::List(_) => return open_row(app),
        Place::Matrix => probing::open_cell(app),
        Place::Page(_) => open_in_page(app),
        Place::Step(_) => app.say(Mark::Info, "These are the decoded fields; esc goes back"),
        Place::Diff(..) => app.say(Mark::Info, "These are two probes; esc goes back"),
    }
    Vec::new()
}

/// Goes back.
pub(super) fn back(app: &mut App) {
    if arriving::stay(app) {
        return;
    }
    if !filter(app).is_empty() {
        set_filter(app, "");
        return;
    }
    if !app.places.back(&mut app.detail) {
        app.say(Mark::Info, "This is the home screen; q quits");
    }
}

/// The filter of what is on the screen.
pub(super) fn filter(app: &App) -> String {
    let filter = app.filter();
    filter.map_or_else(String::new, |filter| filter.text().to_owned())
}

/// Filters what is on the screen, or searches in it.
pub(super) fn set_filter(app: &mut App, text: &str) {
    match *app.place() {
        Place::Problems => {
            app.home.filter = Filter::of(text);
            super::group_problems(app);
        }
        Place::Tree => app.tree.set_filter(text, &app.diagnosis, &app.snapshot),
        Place::List(id) => lists::set_filter(app, id, text),
        Place::Page(_) if app.detail.view == ViewId::Logs => {
            app.detail.filter = Filter::of(text);
            app.detail.scroll.remove(&ViewId::Logs);
        }
        Place::Page(_) | Place::Matrix | Place::Step(_) | Place::Diff(..) => {
            searching::search(app, text);
        }
    }
}

/// Opens the selected row of a list.
fn open_row(app: &mut App) -> Vec<Effect> {
    let Some(row) = app.selected_row().cloned() else {
        app.say(Mark::Info, "Nothing is selected");
        return Vec::new();
    };
    let target = row.target;
    if let Target::Elsewhere(context, target) = target {
        return match *target {
            Target::Nothing(why) => {
                app.say(Mark::Info, why);
                Vec::new()
            }
            Target::Page(_) | Target::Tab(..) => {
                arriving::set_out(app, &context, RemoteTarget::Row(*target, row.object))
            }
            // What was probed there is not kept here.
            Target::Probe(_)
            | Target::Context(_)
            | Target::Namespace(_)
            | Target::Elsewhere(..) => {
                let to = places::to_watched(app, &context);
                places::switch(app, to)
            }
        };
    }
    open_target(app, target)
}

/// Opens what a row is about.
pub(super) fn open_target(app: &mut App, target: Target) -> Vec<Effect> {
    match target {
        Target::Page(subject) => {
            let findings = subject
                .object
                .as_ref()
                .map_or_else(Vec::new, |object| about(app, object));
            open_at_fault(app, subject, &findings);
        }
        Target::Tab(subject, view) => {
            app.places.open(Place::Page(subject), &mut app.detail);
            return show_view(app, view);
        }
        Target::Context(name) => return places::switch(app, places::to_context(&name)),
        Target::Elsewhere(context, _) => {
            let to = places::to_watched(app, &context);
            return places::switch(app, to);
        }
        Target::Namespace(name) => {
            let to = SwitchTo {
                context: None,
                namespace: Some(name),
            };
            return places::switch(app, to);
        }
        Target::Nothing(why) => app.say(Mark::Info, why),
        Target::Probe(number) => {
            let seen = app.probed.iter().find(|seen| seen.number == number);
            let Some(seen) = seen.cloned() else {
                app.say(Mark::Info, "This probe is no longer kept");
                return Vec::new();
            };
            probing::open_probe(app, seen.probed, seen.way);
        }
    }
    Vec::new()
}

/// The findings that are about an object.
fn about(app: &App, object: &ObjectRef) -> Vec<usize> {
    let findings = app.diagnosis.findings.iter().enumerate();
    let about = findings.filter(|(_, finding)| finding.objects().any(|one| one == object));
    about.map(|(index, _)| index).collect()
}

/// Opens the selected entry of the home screen.
fn open_entry(app: &mut App) {
    if let Some(problem) = app.selected_problem().cloned() {
        open_problem(app, &problem);
        return;
    }
    if problems::is_suppressed(app, app.home.list.selected) {
        let list = Place::List(ListId::Suppressed);
        app.places.open(list, &mut app.detail);
        return;
    }
    let is_untested = problems::has_untested(app);
    let topology = &app.diagnosis.topology;
    let coverage = &app.diagnosis.coverage;
    let route = if is_untested {
        coverage.untested.first().map(|path| &path.path)
    } else {
        coverage.paths.first().map(|path| &path.path)
    };
    let subject = route.and_then(|path| {
        let place = topology.places(&path.route).first().copied()?;
        Some(Subject::node(topology, place))
    });
    match subject {
        Some(subject) => {
            app.places.open(Place::Page(subject), &mut app.detail);
            app.detail.view = if is_untested {
                ViewId::Handshake
            } else {
                ViewId::Chain
            };
        }
        None => app.say(
            Mark::Info,
            "There is no path to open; :tree shows what was read",
        ),
    }
}

/// Opens the page of a problem at the broken link.
pub(super) fn open_problem(app: &mut App, problem: &Problem) {
    let topology = &app.diagnosis.topology;
    let finding = &app.diagnosis.findings[problem.head];
    let place = problem.place.as_ref().and_then(|id| topology.find(id));
    let subject = match place {
        Some(place) => Subject::node(topology, place),
        None => Subject::object(topology, &finding.subject),
    };
    let subject = Subject {
        problem: Some(problem.key.clone()),
        ..subject
    };
    let findings = problem.findings.clone();
    open_at_fault(app, subject, &findings);
}

/// Opens a page where the trouble is: the broken link of the chain, the failing step of the handshake, the
/// field at fault, or else what is known.
pub(super) fn open_at_fault(app: &mut App, subject: Subject, findings: &[usize]) {
    app.places.open(Place::Page(subject), &mut app.detail);
    app.detail.view = ViewId::Chain;
    if let Some(link) = chain::broken_link(app) {
        app.detail.links = ListState::at(link);
        return;
    }
    if let Some(step) = handshake::at_fault(app) {
        app.detail.view = ViewId::Handshake;
        app.detail.messages = ListState::at(step);
        return;
    }
    if !findings.is_empty() && is_untested(app) {
        // The handshake is one step further.
        return;
    }
    if let Some(field) = field_at_fault(&app.diagnosis, findings, &app.snapshot) {
        app.detail.view = ViewId::Yaml;
        app.detail.field = Some(field);
        return;
    }
    if !findings.is_empty() {
        app.detail.view = ViewId::Findings;
    }
}

/// Whether nginx would open a connection here, and no handshake tells what comes of it.
fn is_untested(app: &App) -> bool {
    let Some((_, node)) = app.selected() else {
        return false;
    };
    let target = ProbeTarget::Node(node.id.clone());
    app.shown_probe().is_none() && plan(&app.snapshot, &target).is_ok()
}

/// From the chain to the failing step. Where no handshake was run yet, one is, as at the start; where the
/// objects alone are at fault, the field that is is shown.
fn open_from_chain(app: &mut App) -> Vec<Effect> {
    let is_untested = is_untested(app);
    if app.shown_probe().is_none() && !is_untested && open_field(app) {
        return Vec::new();
    }
    open_handshake(app);
    let may_test = app.tests != Tests::Off && !app.via.writes() && app.running.is_empty();
    if is_untested && may_test {
        return probing::probe_selected(app);
    }
    Vec::new()
}

/// On a page: from a step to its decoded fields.
fn open_in_page(app: &mut App) {
    match app.detail.view {
        ViewId::Chain => {}
        ViewId::Handshake if app.shown_probe().is_some() => {
            let message = handshake::selected_message(app);
            app.places.open(Place::Step(message), &mut app.detail);
            app.detail.step = ngf_ui::ScrollState::default();
        }
        ViewId::Handshake => app.say(Mark::Info, "No handshake has been run here: press r"),
        ViewId::Findings => findings::explain(app),
        ViewId::Logs | ViewId::Conditions | ViewId::Yaml | ViewId::Nginx => {
            app.say(Mark::Info, "Nothing to open here; tab goes to the next tab");
        }
    }
}

/// Where no handshake was run because the objects alone are at fault: the field that is. Whether there is one.
fn open_field(app: &mut App) -> bool {
    let findings = app.problem().map(|problem| problem.findings.clone());
    let field =
        findings.and_then(|findings| field_at_fault(&app.diagnosis, &findings, &app.snapshot));
    let (Some(field), Some(subject)) = (field, app.places.subject().cloned()) else {
        return false;
    };
    app.places.open(Place::Page(subject), &mut app.detail);
    app.detail.view = ViewId::Yaml;
    app.detail.field = Some(field);
    app.detail.yaml.is_placed = false;
    true
}

/// The handshake of the page, at the step that fails.
fn open_handshake(app: &mut App) {
    let Some(subject) = app.places.subject().cloned() else {
        return;
    };
    app.places.open(Place::Page(subject), &mut app.detail);
    app.detail.view = ViewId::Handshake;
    app.detail.zoom = Zoom::Guide;
    app.detail.replay = None;
    app.detail.messages = ListState::at(handshake::at_fault(app).unwrap_or_default());
}

/// A tab of the page; from elsewhere the page of what is selected is opened on it.
pub(super) fn show_view(app: &mut App, view: ViewId) -> Vec<Effect> {
    match app.place() {
        Place::Page(_) => app.detail.view = view,
        Place::Step(_) => {
            app.places.back(&mut app.detail);
            app.detail.view = view;
        }
        Place::Problems | Place::Tree | Place::Matrix | Place::List(_) | Place::Diff(..) => {
            let Some(subject) = selected_subject(app) else {
                app.say(Mark::Info, "Nothing is selected that has a page");
                return Vec::new();
            };
            app.places.open(Place::Page(subject), &mut app.detail);
            app.detail.view = view;
        }
    }
    match view {
        ViewId::Handshake => {
            app.detail.messages = ListState::at(handshake::at_fault(app).unwrap_or_default());
            Vec::new()
        }
        ViewId::Nginx => places::configuration_once(app),
        _ => Vec::new(),
    }
}

/// What a page about the selection is about: a node of the tree, or an object that is in none.
fn selected_subject(app: &App) -> Option<Subject> {
    let topology = &app.diagnosis.topology;
    let problem = app.problem();
    if let Some((index, _)) = app.selected() {
        return Some(Subject {
            problem: problem.map(|problem| problem.key.clone()),
            ..Subject::node(topology, index)
        });
    }
    let of_problem = problem.map(|problem| &app.diagnosis.findings[problem.head].subject);
    let object = app.selected_object().or(of_problem)?;
    Some(Subject {
        problem: problem.map(|problem| problem.key.clone()),
        ..Subject::object(topology, object)
    })
}

/// The events of the object that is selected.
pub(super) fn events_of_selected(app: &mut App) -> Vec<Effect> {
    let subject = selected_subject(app).or_else(|| app.places.subject().cloned());
    let Some(object) = subject.and_then(|subject| subject.object) else {
        app.say(Mark::Info, "No object is selected that could have events");
        return Vec::new();
    };
    app.places
        .open(Place::List(ListId::Events), &mut app.detail);
    lists::refresh(app, ListId::Events);
    set_filter(app, &object.to_string());
    Vec::new()
}

/// Goes to a place by its name.
pub(super) fn go_to(app: &mut App, destination: Destination) -> Vec<Effect> {
    let mut effects = Vec::new();
    let place = match destination {
        Destination::Problems => {
            app.places.home(&mut app.detail);
            return effects;
        }
        Destination::Tree => Place::Tree,
        Destination::List(id) => {
            match id {
                ListId::Contexts => effects.push(Effect::ListContexts),
                ListId::Nginx => {
                    app.places.home(&mut app.detail);
                    effects.extend(places::configuration_once(app));
                }
                _ => {}
            }
            lists::refresh(app, id);
            Place::List(id)
        }
        Destination::Matrix => Place::Matrix,
    };
    if *app.place() == place {
        return effects;
    }
    if place == Place::Tree
        && let Some((index, _)) = app.selected()
    {
        app.tree.reveal(index, &app.diagnosis);
    }
    app.places.home(&mut app.detail);
    app.places.open(place, &mut app.detail);
    effects
}

/// To another problem: on the home screen the next entry, on a page the page of the next one.
pub(super) fn turn_problem(app: &mut App, step: isize) {
    let count = app.home.problems.len();
    if count == 0 {
        app.say(Mark::Info, "There is no problem to go to");
        return;
    }
    let here = app.problem().map(|problem| problem.key.clone());
    let here = here.and_then(|key| app.home.problems.iter().position(|one| one.key == key));
    let next = match here {
        Some(here) => (here.cast_signed() + step).rem_euclid(count.cast_signed()) as usize,
        None if step < 0 => count - 1,
        None => 0,
    };
    app.home.list = app.home.list.of(count);
    app.home.list.selected = next;
    if *app.place() == Place::Problems {
        return;
    }
    let problem = app.home.problems[next].clone();
    app.places.home(&mut app.detail);
    open_problem(app, &problem);
}
