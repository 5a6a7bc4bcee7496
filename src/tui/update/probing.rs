//! Probes: by which way, what has to be agreed to first, what came of them.

mod news;
mod survey;

pub(super) use self::{
    news::{listeners, matrix_news, probe_context, probed, settled, step},
    survey::{RETESTS, survey_news, survey_when_read},
};

use crossterm::event::{KeyCode, KeyEvent};
use std::sync::Arc;

use jiff::SignedDuration;
use ngf_ui::{
    Mark,
    scroll::{ListState, ScrollState},
};

use super::opening;
use crate::tui::{
    state::{
        App, Opened, Overlay, Question, Temporary, Tests,
        action::Destination,
        endpoint_matrix::{GatewayMatrix, Lives},
        event::Effect,
        ids::ViewId,
        job::{Job, Work, keys},
        place::{Place, Subject},
    },
    views::handshake,
};
use ngf_cluster::{
    endpoint_matrix,
    temporary::{Preparation, READ_ONLY},
    transport::{Confirmation, Via, WayTaken},
};
use ngf_core::{
    data_plane::data_plane,
    diagnosis::{
        evidence::Probed,
        plan::{ProbePlan, ProbeTarget, plan},
    },
    model::{object::ObjectRef, topology::NodeKind},
};
use ngf_text::host_and_port;

/// A key that comes sooner after a question than this was not meant for it.
const MEANT: SignedDuration = SignedDuration::from_millis(500);

/// Probe transport from now on.
pub(super) fn choose_way(app: &mut App, via: Via) {
    if via.writes() && app.read_only {
        app.say(Mark::Warning, format!("Not by {via}: {READ_ONLY}"));
        return;
    }
    app.via = via;
    app.say(Mark::Info, format!("Probes go by {via}: {}", via.proves()));
}

/// Probes what is selected.
pub(super) fn probe_selected(app: &mut App) -> Vec<Effect> {
    let Some((_, node)) = app.selected() else {
        app.say(Mark::Warning, "Nothing is selected that could be probed");
        return Vec::new();
    };
    let target = ProbeTarget::Node(node.id.clone());
    probe(app, &target)
}

/// Every endpoint of the Gateway that the selected node belongs to: from every data-plane pod, where
/// there are any.
pub(super) fn probe_all(app: &mut App) -> Vec<Effect> {
    let on_matrix = *app.place() == Place::Matrix;
    let shown = app.matrix.as_ref().map(|matrix| matrix.gateway.clone());
    let Some(gateway) = shown.filter(|_| on_matrix).or_else(|| gateway(app)) else {
        app.say(
            Mark::Warning,
            "Select something below a Gateway to probe all of its endpoints",
        );
        return Vec::new();
    };
    let has_pods = data_plane(&app.snapshot, &gateway).is_ok_and(|found| found.usable().is_ok());
    if has_pods {
        start_matrix(app, gateway, false)
    } else {
        probe(app, &ProbeTarget::Gateway(gateway))
    }
}

/// The Gateway that the selected node belongs to.
fn gateway(app: &App) -> Option<ObjectRef> {
    let (index, _) = app.selected()?;
    app.diagnosis.topology.above(index, |node| match node.what {
        NodeKind::Gateway => node.object.clone(),
        _ => None,
    })
}

fn probe(app: &mut App, target: &ProbeTarget) -> Vec<Effect> {
    match plan(&app.snapshot, target) {
        Ok(plans) => {
            // On a page its handshake is what one wants to see; from elsewhere enter opens it.
            if matches!(app.place(), Place::Page(_) | Place::Step(_)) {
                let _ = opening::show_view(app, ViewId::Handshake);
            }
            start(app, Work::Probes(plans))
        }
        Err(error) => {
            app.say(Mark::Failed, error.to_string());
            Vec::new()
        }
    }
}

fn start_matrix(app: &mut App, gateway: ObjectRef, watch: bool) -> Vec<Effect> {
    let _ = opening::go_to(app, Destination::Matrix);
    start(app, Work::EndpointMatrix { gateway, watch })
}

/// Starts a job; where its way writes, what it would write is found out first.
fn start(app: &mut App, work: Work) -> Vec<Effect> {
    let via = app.via;
    if via.writes() && app.read_only {
        app.say(Mark::Warning, format!("Not by {via}: {READ_ONLY}"));
        return Vec::new();
    }
    app.jobs += 1;
    let job = Box::new(Job {
        number: app.jobs,
        via,
        work,
    });
    if via.writes() {
        app.preparing = Some(job.number);
        vec![Effect::Prepare(job)]
    } else {
        begun(app, &job);
        vec![Effect::Run(job, None)]
    }
}

/// A job begins: the screen says so.
fn begun(app: &mut App, job: &Job) {
    app.detail.opened = None;
    // What was asked about stays selected, whatever the answer shows to be more urgent.
    app.tree.touched = true;
    match &job.work {
        Work::Probes(plans) => {
            app.running.extend(plans.iter().map(ProbePlan::key));
            app.detail.endpoint = 0;
        }
        Work::Survey => {}
        Work::EndpointMatrix { gateway, watch } => match &mut app.matrix {
            Some(matrix) if matrix.gateway == *gateway => matrix.continued(job, *watch),
            _ => app.matrix = Some(GatewayMatrix::new(job, gateway.clone(), *watch)),
        },
    }
}

/// It is known what a job needs made: nothing, or something that a person is asked about.
pub(super) fn prepared(
    app: &mut App,
    job: Box<Job>,
    result: Result<Preparation, String>,
) -> Vec<Effect> {
    if app.preparing != Some(job.number) {
        return Vec::new();
    }
    app.preparing = None;
    match result.map(Preparation::without_asking) {
        Err(why) => {
            app.say(Mark::Failed, format!("Not by {}: {why}", job.via));
            Vec::new()
        }
        Ok(Ok(agreed)) => {
            begun(app, &job);
            vec![Effect::Run(job, Some(agreed))]
        }
        Ok(Err(preparation)) => {
            app.question = Some(Question {
                job,
                preparation,
                scroll: ScrollState::default(),
                shown_at: None,
            });
            Vec::new()
        }
    }
}

/// Asks what waits to be asked, where nothing lies over the panes.
pub(super) fn ask_when_free(app: &mut App) {
    if app.overlay.is_none()
        && let Some(mut question) = app.question.take()
    {
        question.shown_at = Some(app.now);
        app.overlay = Some(Overlay::Question(Box::new(question)));
    }
}

/// Whether a key is an answer: Enter means much, and may have been meant for what was there before.
pub(super) fn meant(app: &App, question: &Question, key: KeyEvent) -> bool {
    let since = question.shown_at.map(|at| app.now.duration_since(at));
    key.code != KeyCode::Enter || since.is_some_and(|since| since >= MEANT)
}

/// A person agreed.
pub(super) fn agreed(app: &mut App, question: Question) -> Vec<Effect> {
    let Question {
        job, preparation, ..
    } = question;
    begun(app, &job);
    app.temporary.extend(match &job.work {
        Work::Probes(plans) => Some(Temporary::Probes(keys(plans))),
        Work::EndpointMatrix { .. } => Some(Temporary::Matrix(job.number)),
        Work::Survey => None,
    });
    let agreed = preparation.agreed(Confirmation::given());
    vec![Effect::Run(job, Some(agreed))]
}

/// A person did not agree.
pub(super) fn declined(app: &mut App) -> Vec<Effect> {
    app.say(
        Mark::Info,
        "Nothing was created; v chooses a transport that creates nothing",
    );
    Vec::new()
}

/// Cancels whatever runs.
pub(super) fn cancel(app: &mut App) -> Vec<Effect> {
    app.preparing = None;
    app.question = None;
    if app.tests != Tests::Off {
        app.tests = Tests::Over;
    }
    if let Some(matrix) = &mut app.matrix {
        matrix.watch = false;
        matrix.watch_next = false;
    }
    app.say(Mark::Info, "Probes cancelled");
    vec![Effect::CancelProbes]
}

/// Whether the matrix continues, round after round.
pub(super) fn watch(app: &mut App) -> Vec<Effect> {
    let Some(matrix) = &mut app.matrix else {
        return Vec::new();
    };
    if matrix.watch {
        matrix.watch = false;
        return vec![Effect::Watch(false)];
    }
    if !matrix.running {
        let gateway = matrix.gateway.clone();
        return start_matrix(app, gateway, true);
    }
    if matrix.via.writes() && matrix.lives == Lives::OneRound {
        // Temporary resources are for this round only.
        matrix.watch_next = true;
        app.say(
            Mark::Info,
            "This round's pods are removed first; then you are asked about those to watch with",
        );
        return Vec::new();
    }
    matrix.watch = true;
    vec![Effect::Watch(true)]
}

/// The handshake of the selected cell.
pub(super) fn open_cell(app: &mut App) {
    let Some(matrix) = &app.matrix else { return };
    let Some((plan, column, cell)) = matrix.selected() else {
        return;
    };
    let Some(kept) = matrix.kept(plan, column) else {
        let why = match cell {
            endpoint_matrix::Cell::Probed { .. } => {
                "Of so many cells only the faults' handshakes are kept: press r on the endpoint in the tree (T)".to_owned()
            }
            cell => endpoint_matrix::words(cell),
        };
        app.say(Mark::Info, why);
        return;
    };
    let probed = Probed {
        plan: Arc::new(plan.clone()),
        at: kept.at,
        result: Ok(Arc::clone(&kept.transcript)),
    };
    let way = kept.way.clone();
    open_probe(app, probed, Some(way));
}

/// The page of one probe, on its handshake.
pub(super) fn open_probe(app: &mut App, probed: Probed, way: Option<WayTaken>) {
    let plan = &probed.plan;
    let subject = Subject {
        name: host_and_port(&plan.endpoint.address, plan.endpoint.port),
        ..Subject::object(&app.diagnosis.topology, &plan.route)
    };
    let opened = Opened { probed, way };
    app.places.open(Place::Page(subject), &mut app.detail);
    app.detail.opened = Some(opened);
    app.detail.view = ViewId::Handshake;
    app.detail.messages = ListState::at(handshake::at_fault(app).unwrap_or_default());
}
