//! Probes: by which way, what has to be agreed to first, what came of them.

use crossterm::event::{KeyCode, KeyEvent};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ngf_tls::transcript::{Step, Transcript};
use ngf_ui::{
    Mark,
    scroll::{ListState, ScrollState},
};

use super::{diagnose, opening};
use crate::tui::{
    state::{
        App, Around, Opened, Overlay, ProbeContextState, Question, Temporary, Tests,
        action::Destination,
        endpoint_matrix::{Lives, Matrix},
        event::Effect,
        ids::{ListId, ViewId},
        job::{Job, ListenerSeen, MatrixNews, ProbeContextDone, ProbeDone, SurveyNews, Work, keys},
        place::{Place, Subject},
    },
    views::handshake,
};
use ngf_cluster::{
    endpoint_matrix, is_settled,
    temporary::{Preparation, READ_ONLY},
    transport::{Confirmation, Via, WayTaken},
};
use ngf_core::{
    data_plane::data_plane,
    diagnosis::{
        Untested,
        evidence::Probed,
        plan::{PlanKey, ProbePlan, ProbeTarget, plan},
    },
    model::{object::ObjectRef, topology::What},
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
        What::Gateway => node.object.clone(),
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
            _ => app.matrix = Some(Matrix::new(job, gateway.clone(), *watch)),
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

/// Steps that are kept of a probe that runs: what it saw in the end has them all.
const STEPS: usize = 200;

/// A probe that runs has seen something.
pub(super) fn step(app: &mut App, key: PlanKey, step: Step) {
    if app.running.contains(&key) {
        let steps = app.steps.entry(key).or_default();
        if steps.len() < STEPS {
            steps.push(step);
        }
    }
}

/// A probe ran, or could not.
pub(super) fn probed(app: &mut App, done: ProbeDone) -> Vec<Effect> {
    let ProbeDone {
        probed,
        way,
        place,
        context_follows,
    } = done;
    let key = probed.plan.key();
    app.running.remove(&key);
    app.steps.remove(&key);
    let endpoint = &probed.plan.endpoint;
    let endpoint = format!("{}:{}", endpoint.address, endpoint.port);
    match &probed.result {
        // Where the handshake is on the screen, it says so itself.
        _ if shows_handshake(app) => {}
        Ok(transcript) => {
            let mark = handshake::mark_of(transcript.nginx.outcome);
            app.say(mark, transcript.nginx.sentence.clone());
        }
        Err(why) => app.say(
            Mark::Failed,
            format!("{endpoint}: the probe could not run: {why}"),
        ),
    }
    app.around.remove(&key);
    if let Some(way) = way {
        let context = if context_follows {
            ProbeContextState::Asking
        } else {
            ProbeContextState::NotAsked
        };
        app.keep_around(
            key,
            Around {
                at: probed.at,
                way,
                context,
            },
        );
    }
    app.remember_good(&probed);
    let way = app
        .around
        .get(&probed.plan.key())
        .map(|around| around.way.clone());
    app.remember_probe(&probed, way, place.clone());
    app.evidence.record_from(place.as_deref(), probed);
    if shows_handshake(app) {
        // Who asked wants to see where it fails.
        let step = handshake::at_fault(app).unwrap_or_default();
        app.detail.messages = ListState::at(step);
    }
    vec![diagnose(app)]
}

/// Whether a handshake is on the screen.
fn shows_handshake(app: &App) -> bool {
    matches!(app.place(), Place::Page(_)) && app.detail.view == ViewId::Handshake
}

/// How often paths are tested again after a change that was made from here: the cluster may take a while to
/// show it.
pub(super) const RETESTS: u8 = 3;

/// Tests every path, once everything was read, where that was asked for.
pub(super) fn survey_when_read(app: &mut App) -> Vec<Effect> {
    let tried = |path: &Untested| {
        let mut tried = app.evidence.untested();
        tried.any(|(key, _)| key.route == path.path.route && key.service == path.path.service)
    };
    let mut untested = app.diagnosis.coverage.untested.iter();
    if app.tests == Tests::Over && app.retests > 0 && untested.any(|path| !tried(path)) {
        app.retests -= 1;
        app.tests = Tests::Wanted;
    }
    if app.tests != Tests::Wanted || !is_settled(&app.snapshot) {
        return Vec::new();
    }
    // Where the transport writes something, a person decides.
    if app.read_only || app.via.writes() {
        app.tests = Tests::Off;
        return Vec::new();
    }
    app.tests = Tests::Over;
    if app.diagnosis.coverage.untested.is_empty() {
        return Vec::new();
    }
    app.jobs += 1;
    let job = Job {
        number: app.jobs,
        via: app.via,
        work: Work::Survey,
    };
    vec![Effect::Run(Box::new(job), None)]
}

/// News of the survey. What it finds does not move anybody: the selection stays.
pub(super) fn survey_news(app: &mut App, news: SurveyNews) -> Vec<Effect> {
    match news {
        SurveyNews::Began {
            paths,
            handshakes,
            via,
        } => {
            app.tests = Tests::Running {
                done: 0,
                of: handshakes,
                paths,
                via,
            };
            Vec::new()
        }
        SurveyNews::Done(tested) => {
            if let Tests::Running { done, .. } = &mut app.tests {
                *done = tested.done;
            }
            let key = tested.probed.plan.key();
            // What a person asked for meanwhile is newer, and has its context.
            let is_newer = |known: &Probed| known.at > tested.probed.at;
            if app.evidence.probe(&key).is_some_and(is_newer) {
                return Vec::new();
            }
            if let Some(way) = tested.way.clone() {
                let around = Around {
                    at: tested.probed.at,
                    way,
                    context: ProbeContextState::NotAsked,
                };
                app.keep_around(key, around);
            }
            app.remember_good(&tested.probed);
            app.remember_probe(&tested.probed, tested.way.clone(), tested.place.clone());
            tested.record(&mut app.evidence);
            vec![diagnose(app)]
        }
        SurveyNews::Listeners(seen) => listeners(app, seen),
        SurveyNews::Using(pods) => {
            for in_pod in pods {
                app.evidence.record_nginx_config(in_pod);
            }
            vec![diagnose(app)]
        }
        SurveyNews::Ended => {
            if matches!(app.tests, Tests::Running { .. }) {
                app.tests = Tests::Over;
            }
            Vec::new()
        }
    }
}

/// The context of a probe is known.
pub(super) fn probe_context(app: &mut App, done: ProbeContextDone) -> Vec<Effect> {
    let known = app.around.get(&done.key);
    let Some(known) = known.filter(|around| around.at == done.at) else {
        return Vec::new();
    };
    let around = Around {
        context: match done.context {
            Some(context) => ProbeContextState::Known(Box::new(context)),
            None => ProbeContextState::NotAsked,
        },
        ..known.clone()
    };
    app.keep_around(done.key, around);
    // No rule reads it; a recording has it.
    vec![diagnose(app)]
}

/// Handshakes with listeners ended.
pub(super) fn listeners(app: &mut App, seen: Vec<ListenerSeen>) -> Vec<Effect> {
    for (meeting, at, result) in seen {
        app.evidence.record_meeting(meeting, at, result);
    }
    if let Some(pane) = app.lists.get_mut(&ListId::Probes) {
        pane.made_for = None;
    }
    vec![diagnose(app)]
}

/// A second handshake completed what a probe saw.
pub(super) fn settled(
    app: &mut App,
    key: &PlanKey,
    at: Timestamp,
    transcript: Arc<Transcript>,
) -> Vec<Effect> {
    if app.evidence.complete(key, at, transcript) {
        vec![diagnose(app)]
    } else {
        Vec::new()
    }
}

/// News of a matrix; that of another than the one on the screen is of no interest.
pub(super) fn matrix_news(app: &mut App, number: u64, news: MatrixNews) -> Vec<Effect> {
    let now = app.now;
    if matches!(news, MatrixNews::Over) {
        app.temporary
            .retain(|one| *one != Temporary::Matrix(number));
    }
    let Some(matrix) = &mut app.matrix else {
        return Vec::new();
    };
    if matrix.number != number {
        return Vec::new();
    }
    let is_over = matches!(news, MatrixNews::Over);
    let mut is_news = false;
    if let MatrixNews::Using(pods) = &news {
        is_news = !pods.is_empty();
        for in_pod in pods {
            app.evidence.record_nginx_config(in_pod.clone());
        }
    }
    if let MatrixNews::Ended(latest) = &news {
        // No rule reads it; a recording has it.
        let gateway = matrix.gateway.clone();
        app.evidence.record_matrix(gateway, (**latest).clone());
        is_news = true;
    }
    let probed = matrix.take(news, now);
    if is_over && std::mem::take(&mut matrix.watch_next) {
        let gateway = matrix.gateway.clone();
        return start(
            app,
            Work::EndpointMatrix {
                gateway,
                watch: true,
            },
        );
    }
    for (probed, way, place) in probed {
        // What says the same as is known already does not replace its context.
        let known = app.evidence.probes_from().find(|(from, known)| {
            *from == place.as_deref() && known.plan.same_connection(&probed.plan)
        });
        if known.is_some_and(|(_, known)| same(known, &probed)) {
            continue;
        }
        is_news = true;
        app.remember_probe(&probed, Some(way.clone()), place.clone());
        let around = Around {
            at: probed.at,
            way,
            context: ProbeContextState::NotAsked,
        };
        app.keep_around(probed.plan.key(), around);
        app.evidence.record_from(place.as_deref(), probed);
    }
    if is_news {
        vec![diagnose(app)]
    } else {
        Vec::new()
    }
}

/// Whether two probes of a connection came to the same.
fn same(one: &Probed, other: &Probed) -> bool {
    match (&one.result, &other.result) {
        (Ok(one), Ok(other)) => {
            let class = |transcript: &Transcript| {
                let nginx = &transcript.nginx;
                (
                    nginx.outcome,
                    nginx.verify_code,
                    nginx.alert,
                    nginx.client_status,
                )
            };
            class(one) == class(other)
        }
        _ => false,
    }
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
