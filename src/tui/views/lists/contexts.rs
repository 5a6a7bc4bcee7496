//! Contexts of the kubeconfig: Enter connects to another cluster.

use ngf_ui::Mark;

use super::{Head, ListInfo, Order, head};
use crate::tui::state::ids::ListId;
use crate::tui::state::{
    App,
    list::{Row, Target},
};
use ngf_core::model::snapshot::Source;

/// The list.
pub(super) const LIST: ListInfo = ListInfo {
    id: ListId::Contexts,
    name: "contexts",
    title: "Contexts",
    aliases: &["context", "ctx"],
    help: "contexts of the kubeconfig; enter or :ctx NAME connects to another one",
    columns: COLUMNS,
    order: Order::Given("as in the kubeconfig"),
    rows,
};

const COLUMNS: &[Head] = &[
    head("CONTEXT", 10, 60),
    head("CLUSTER", 8, 40),
    head("SERVER", 10, 60),
    head("NAMESPACE", 9, 30),
    head("STATE", 5, 40),
];

fn rows(app: &App) -> Vec<Row> {
    let Some(Ok(contexts)) = &app.contexts else {
        return Vec::new();
    };
    let here = match &app.snapshot.source {
        Source::Cluster { context, .. } => context.as_str(),
        Source::Files { .. } => "",
    };
    contexts
        .iter()
        .map(|one| {
            let is_here = ngf_text::sanitize::line(&one.name, 256) == here;
            let watched = app.elsewhere.iter().find(|other| other.context == one.name);
            let state = match (is_here, watched, one.is_current) {
                (true, ..) => "connected".to_owned(),
                (false, Some(watched), _) => watched.words(),
                (false, None, true) => "kubectl's current".to_owned(),
                (false, None, false) => String::new(),
            };
            Row {
                mark: if is_here { Mark::Ok } else { Mark::Muted },
                cells: vec![
                    ngf_text::sanitize::line(&one.name, 256).into(),
                    one.cluster.as_str().into(),
                    one.server.as_str().into(),
                    one.namespace.as_str().into(),
                    state.into(),
                ],
                target: Target::Context(one.name.clone()),
                object: None,
            }
        })
        .collect()
}

/// What to say where no context is listed.
pub(super) fn none(app: &App) -> String {
    match &app.contexts {
        None => "Reading the kubeconfig…".to_owned(),
        Some(Ok(_)) => "The kubeconfig has no context.".to_owned(),
        Some(Err(why)) => format!("No context: {why}."),
    }
}
