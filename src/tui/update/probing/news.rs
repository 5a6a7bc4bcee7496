//! What probes and matrices report.

use super::start;
use crate::tui::update::diagnose;
use crate::tui::{
    state::{
        App, Around, ProbeContextState, Temporary,
        event::Effect,
        ids::{ListId, ViewId},
        job::{ListenerSeen, MatrixNews, ProbeContextDone, ProbeDone, Work},
        place::Place,
    },
    views::handshake,
};
use jiff::Timestamp;
use ngf_core::diagnosis::{evidence::Probed, plan::PlanKey};
use ngf_tls::transcript::{Step, Transcript};
use ngf_ui::{Mark, scroll::ListState};
use std::sync::Arc;

/// Steps that are kept of a probe that runs: what it saw in the end has them all.
pub(in crate::tui::update) const STEPS: usize = 200;

/// A probe that runs has seen something.
pub(in crate::tui::update) fn step(app: &mut App, key: PlanKey, step: Step) {
    if app.running.contains(&key) {
        let steps = app.steps.entry(key).or_default();
        if steps.len() < STEPS {
            steps.push(step);
        }
    }
}

/// A probe ran, or could not.
pub(in crate::tui::update) fn probed(app: &mut App, done: ProbeDone) -> Vec<Effect> {
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
pub(in crate::tui::update) fn shows_handshake(app: &App) -> bool {
    matches!(app.place(), Place::Page(_)) && app.detail.view == ViewId::Handshake
}

/// The context of a probe is known.
pub(in crate::tui::update) fn probe_context(app: &mut App, done: ProbeContextDone) -> Vec<Effect> {
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
pub(in crate::tui::update) fn listeners(app: &mut App, seen: Vec<ListenerSeen>) -> Vec<Effect> {
    for (meeting, at, result) in seen {
        app.evidence.record_meeting(meeting, at, result);
    }
    if let Some(pane) = app.lists.get_mut(&ListId::Probes) {
        pane.made_for = None;
    }
    vec![diagnose(app)]
}

/// A second handshake completed what a probe saw.
pub(in crate::tui::update) fn settled(
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
pub(in crate::tui::update) fn matrix_news(
    app: &mut App,
    number: u64,
    news: MatrixNews,
) -> Vec<Effect> {
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
pub(in crate::tui::update) fn same(one: &Probed, other: &Probed) -> bool {
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
