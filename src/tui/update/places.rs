//! Other contexts and namespaces, and the configuration that nginx is using: what is asked for, and what came.

use std::sync::Arc;

use ngf_ui::Mark;

use super::{arriving, diagnose, opening, recording};
use crate::tui::{
    state::{
        App,
        action::{Action, Destination},
        elsewhere::{Arrival, ElsewhereState, RemoteTarget},
        event::Effect,
        history::Visit,
        ids::ListId,
        job::{Connected, SwitchTo},
    },
    views::{
        lists::{LISTS, namespaces::ALL},
        nginx, problems,
    },
};
use ngf_cluster::KubeContext;
use ngf_core::model::{
    object::ObjectRef,
    snapshot::{Scope, Snapshot, Source},
};

/// What a command with a word after its name does: `:ctx prod`, `:ns shop`, `:routes pay`. `None` where the name is
/// that of no list.
pub(super) fn command(app: &mut App, typed: &str) -> Option<Vec<Effect>> {
    let (name, argument) = typed.split_once(char::is_whitespace)?;
    let argument = argument.trim();
    let is_it = |known: &&str| known.eq_ignore_ascii_case(name);
    if is_it(&Action::Record.info().id) {
        return Some(recording::start(app, argument));
    }
    let list = LISTS
        .iter()
        .find(|list| is_it(&list.name) || list.aliases.iter().any(is_it))?;
    Some(match list.id {
        ListId::Contexts => switch(app, to_context(argument)),
        ListId::Namespaces => switch(app, to_namespace(argument)),
        id => {
            let effects = opening::go_to(app, Destination::List(id));
            opening::set_filter(app, argument);
            effects
        }
    })
}

/// To a context of the kubeconfig.
pub(super) fn to_context(name: &str) -> SwitchTo {
    SwitchTo {
        context: Some(name.to_owned()),
        namespace: None,
    }
}

/// To a namespace, or to all of them.
pub(super) fn to_namespace(name: &str) -> SwitchTo {
    let name = (!name.eq_ignore_ascii_case(ALL) && name != "*").then(|| name.to_owned());
    SwitchTo {
        context: None,
        namespace: Some(name),
    }
}

/// To a context that is watched at the same time, and what is read of it there.
pub(super) fn to_watched(app: &App, context: &str) -> SwitchTo {
    let watched = app.elsewhere.iter().find(|one| one.context == context);
    SwitchTo {
        context: Some(context.to_owned()),
        namespace: watched.and_then(|one| one.namespace.clone()).map(Some),
    }
}

/// Connects to another context or namespace, where it is another.
pub(super) fn switch(app: &mut App, to: SwitchTo) -> Vec<Effect> {
    let is_here = match (&to.context, &to.namespace, &app.snapshot.source) {
        (Some(context), _, Source::Cluster { context: here, .. }) => context == here,
        (None, Some(None), _) => app.snapshot.scope == Scope::AllNamespaces,
        (None, Some(Some(name)), _) => app.snapshot.scope == Scope::Namespace(name.clone()),
        _ => false,
    };
    if is_here {
        app.say(Mark::Info, format!("This is {to}"));
        return Vec::new();
    }
    app.switching = Some(to.clone());
    app.arrival = None;
    app.history.stay();
    vec![Effect::Switch(to)]
}

/// Another context or namespace is connected, or cannot be. Of two that were asked for, the later one counts; one that
/// is not waited for any more is let go.
pub(super) fn switched(
    app: &mut App,
    to: &SwitchTo,
    result: Result<Connected, String>,
) -> Vec<Effect> {
    if app.switching.as_ref() != Some(to) {
        return Vec::new();
    }
    match result {
        Ok(connected) => {
            if to.context.is_some() {
                app.namespaces.clear();
            }
            let snapshot = Arc::clone(&connected.snapshots.borrow());
            let arrival = app.arrival.take();
            let here = Visit::of(app);
            match &arrival {
                Some(Arrival {
                    wanted: RemoteTarget::Place(_),
                    ..
                }) => app.history.arrived(here),
                _ => app.history.leave(here),
            }
            app.reset(snapshot);
            app.say(Mark::Ok, format!("connected: {to}"));
            arriving::connected(app, arrival, app.real);
            vec![diagnose(app)]
        }
        Err(why) => {
            if let Some(effects) = arriving::skip(app, to, &why) {
                return effects;
            }
            app.switching = None;
            app.arrival = None;
            app.say_for(15, Mark::Failed, format!("cannot switch to {to}: {why}"));
            Vec::new()
        }
    }
}

/// The contexts of the kubeconfig are known.
pub(super) fn contexts(app: &mut App, contexts: Result<Vec<KubeContext>, String>) {
    app.contexts = Some(contexts);
    if let Some(pane) = app.lists.get_mut(&ListId::Contexts) {
        pane.made_for = None;
    }
}

/// News of another context that is watched. What is selected stays selected.
pub(super) fn elsewhere(app: &mut App, context: &str, state: ElsewhereState) {
    let selected = problems::selected_remote(app);
    let mut known = app.elsewhere.iter_mut();
    let Some(known) = known.find(|one| one.context == context) else {
        return;
    };
    // Of one that is read again, what was known before stays on the screen until then.
    let is_known = matches!(known.state, ElsewhereState::Known(_));
    if !(is_known && matches!(state, ElsewhereState::Reading)) {
        known.state = state;
    }
    problems::select_remote(app, selected);
    for pane in app.lists.values_mut() {
        pane.made_for = None;
    }
}

/// Remembers the namespaces that there are, for the list of namespaces: of one that is read alone nothing of the
/// others is known.
pub(super) fn remember_namespaces(app: &mut App) {
    let snapshot: &Snapshot = &app.snapshot;
    let objects = snapshot
        .gateways
        .keys()
        .chain(snapshot.listener_sets.keys())
        .chain(snapshot.routes.keys())
        .chain(snapshot.policies.keys())
        .chain(snapshot.services.keys());
    // Tables are in the order of their namespaces.
    let mut last = "";
    for object in objects {
        if object.namespace != last && !app.namespaces.contains(&object.namespace) {
            app.namespaces.insert(object.namespace.clone());
        }
        last = &object.namespace;
    }
}

/// Reads what nginx is using, where that was not asked for yet.
pub(super) fn configuration_once(app: &mut App) -> Vec<Effect> {
    if app.read_only
        || !app.clock.is_live()
        || !matches!(app.snapshot.source, Source::Cluster { .. })
    {
        return Vec::new();
    }
    let read: Vec<ObjectRef> = app
        .evidence
        .rendered()
        .map(|in_pod| in_pod.gateway.clone())
        .collect();
    let gateways: Vec<ObjectRef> = nginx::gateways(app)
        .into_iter()
        .filter(|gateway| !app.configured.contains_key(gateway) && !read.contains(gateway))
        .collect();
    read_configuration(app, gateways)
}

/// Reads what nginx is using, again if it was read.
pub(super) fn configuration_again(app: &mut App) -> Vec<Effect> {
    if !matches!(app.snapshot.source, Source::Cluster { .. }) {
        app.say(
            Mark::Info,
            "There is no nginx to ask: these objects come from files",
        );
        return Vec::new();
    }
    let gateways = nginx::gateways(app);
    app.say(Mark::Info, "Reading what nginx is using");
    read_configuration(app, gateways)
}

fn read_configuration(app: &mut App, gateways: Vec<ObjectRef>) -> Vec<Effect> {
    if gateways.is_empty() {
        return Vec::new();
    }
    for gateway in &gateways {
        app.configured.insert(gateway.clone(), false);
    }
    vec![Effect::ReadConfiguration(gateways)]
}

/// What nginx is using has come.
pub(super) fn configuration(
    app: &mut App,
    gateways: Vec<ObjectRef>,
    found: Result<crate::tui::state::job::InUse, String>,
) -> Vec<Effect> {
    for gateway in gateways {
        app.configured.insert(gateway, true);
    }
    let (pods, missing) = match found {
        Ok(found) => found,
        Err(why) => {
            app.say(Mark::Failed, why);
            return Vec::new();
        }
    };
    if !missing.is_empty() {
        app.say_for(15, Mark::Unknown, missing.join("; "));
    }
    for in_pod in pods {
        app.evidence.record_nginx_config(in_pod);
    }
    vec![diagnose(app)]
}
