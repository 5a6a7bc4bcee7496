//! A first handshake for every path.

use super::news::listeners;
use crate::tui::state::{
    App, Around, ProbeContextState, Tests,
    event::Effect,
    job::{Job, SurveyNews, Work},
};
use crate::tui::update::diagnose;
use ngf_cluster::is_settled;
use ngf_core::diagnosis::{Untested, evidence::Probed};

/// How often paths are tested again after a change that was made from here: the cluster may take a while to
/// show it.
pub(in crate::tui::update) const RETESTS: u8 = 3;

/// So many handshakes of a survey are judged one by one.
const EACH: usize = 20;
/// Of more, so many together: in a large cluster a diagnosis costs more than a handshake.
const TOGETHER: usize = 10;

/// Tests every path, once everything was read, where that was asked for.
pub(in crate::tui::update) fn survey_when_read(app: &mut App) -> Vec<Effect> {
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
pub(in crate::tui::update) fn survey_news(app: &mut App, news: SurveyNews) -> Vec<Effect> {
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
            let is_judged = tested.done <= EACH || tested.done.is_multiple_of(TOGETHER);
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
            is_judged.then(|| diagnose(app)).into_iter().collect()
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
            vec![diagnose(app)]
        }
    }
}
