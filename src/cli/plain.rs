//! `--plain`: every view of the terminal interface as linear text, for screen readers and pipes.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use ngf_ui::Theme;
use tokio::sync::watch;

use super::{
    CliError, EXIT_COULD_NOT, EXIT_OK,
    args::{DebugArgs, InputArgs},
    check::{nothing_could_be_read, tell_problems},
    cluster_options, connect_within,
    measure::{Parts, measured},
    output,
    tui::PROBE_TIMEOUT,
};
use crate::{
    files,
    tui::{
        effects::{Files, Live, LiveOptions, Places},
        headless::Headless,
        state::{App, action::Action, clock::Clock, job::Session},
        views::linear::{self, Linear},
    },
};
use ngf_cluster::prober::survey::Extent;
use ngf_core::{diagnosis::Evidence, model::snapshot::Snapshot};

/// How long the cluster may take, and how long the handshakes may.
const WITHIN: Duration = Duration::from_secs(15);

/// What is shown: objects, what was measured, when it was so, and what can be asked of it.
struct Shown {
    snapshot: Arc<Snapshot>,
    evidence: Evidence,
    at: Timestamp,
    session: Arc<dyn Session>,
}

/// Runs it.
pub(super) async fn run(input: &InputArgs, args: &DebugArgs) -> Result<u8, CliError> {
    let views = if args.view.is_empty() {
        linear::all()
    } else {
        let named = args.view.iter().map(|name| Linear::named(name));
        named.collect::<Result<Vec<_>, _>>()?
    };
    if input.contexts.len() > 1 {
        return Err("--plain takes one --context".into());
    }
    let Shown {
        snapshot,
        evidence,
        at,
        session,
    } = shown(input, args).await?;
    let mut app = App::new(Theme::words(), Arc::clone(&snapshot), None, at)?;
    app.take_evidence(evidence);
    // What is printed is of one moment.
    app.clock = Clock::At(at);
    app.read_only = input.read_only;
    let mut screen = Headless::new(app, session).at(at);
    screen.snapshot(Arc::clone(&snapshot)).await;
    for (number, view) in views.iter().enumerate() {
        if linear::needs_contexts(view)
            && let Some(destination) = view.destination()
        {
            screen.perform(Action::GoTo(destination)).await;
        }
        let text = view.text(&mut screen.app);
        let gap = if number == 0 { "" } else { "\n" };
        output::print(&format!("{gap}{text}"))?;
    }
    tell_problems(&snapshot);
    Ok(if nothing_could_be_read(&snapshot) {
        EXIT_COULD_NOT
    } else {
        EXIT_OK
    })
}

async fn shown(input: &InputArgs, args: &DebugArgs) -> Result<Shown, CliError> {
    if let Some(path) = &input.bundle {
        let opened = super::bundle::open(path)?;
        return Ok(Shown {
            snapshot: Arc::new(opened.snapshot),
            evidence: opened.evidence,
            at: opened.at,
            session: Arc::new(Files),
        });
    }
    if !input.files.is_empty() {
        let (paths, namespace) = (input.files.clone(), input.namespace.clone());
        let read = tokio::task::spawn_blocking(move || {
            files::read(&paths, namespace.as_deref().unwrap_or("default"))
        });
        return Ok(Shown {
            snapshot: Arc::new(read.await?),
            evidence: Evidence::none(),
            at: Timestamp::now(),
            session: Arc::new(Files),
        });
    }
    let cluster = connect_within(input, WITHIN).await?;
    let snapshot = Arc::new(cluster.snapshot(cluster.left_of(WITHIN)).await);
    let parts = Parts {
        probes: !args.no_probe && !input.read_only,
        logs: true,
        data_plane: !input.read_only,
        within: WITHIN,
        extent: Extent::Sample,
        context: true,
        matrix: args.view.iter().any(|name| name == Linear::MATRIX),
    };
    let (evidence, missing) = measured(&cluster, &snapshot, &[], parts).await;
    for why in missing {
        output::say(&why);
    }
    let (_sender, snapshots) = watch::channel(Arc::clone(&snapshot));
    let options = LiveOptions::new(PROBE_TIMEOUT);
    let places = Places {
        cluster: cluster_options(input, None),
        live: options.clone(),
        stages: None,
    };
    let live = Live::new(cluster, snapshots, options).with_places(places);
    Ok(Shown {
        snapshot,
        evidence,
        at: Timestamp::now(),
        session: Arc::new(live),
    })
}
