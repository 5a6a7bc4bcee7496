//! The terminal interface on a cluster or on files.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    CliError, EXIT_OK,
    args::{DebugArgs, InputArgs},
    connect_to, output,
};
use crate::{
    app::{event::Stage, job::World, run::run as run_app, state::App},
    cluster::transport::Via,
    files,
    model::snapshot::Snapshot,
    world::{Files, Live, LiveOptions, making::READ_ONLY},
};

/// Bound on each phase of a probe that is run by a key.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// How the terminal interface begins.
#[derive(Default)]
pub(super) struct Begin {
    /// The guide's stage, where this is the embedded cluster.
    pub(super) stage: Option<Stage>,
    /// The way that probes go.
    pub(super) via: Via,
    /// Nothing may be written to the cluster.
    pub(super) read_only: bool,
}

/// Runs it.
pub(super) async fn run(input: &InputArgs, args: &DebugArgs) -> Result<u8, CliError> {
    let begin = Begin {
        via: args.via.unwrap_or_default(),
        read_only: input.read_only,
        ..Begin::default()
    };
    if begin.read_only && begin.via.writes() {
        return Err(format!("--via {}: {READ_ONLY}", begin.via).into());
    }
    if !input.files.is_empty() {
        let namespace = input.namespace.as_deref().unwrap_or("default");
        let snapshot = Arc::new(files::read(&input.files, namespace));
        let (_sender, snapshots) = watch::channel(snapshot);
        return show(Arc::new(Files), snapshots, begin).await;
    }
    let cluster = connect_to(input).await?;
    let cancel = CancellationToken::new();
    let _stop = cancel.clone().drop_guard();
    let snapshots = cluster.watch(&cancel);
    let mut options = LiveOptions::new(PROBE_TIMEOUT);
    options.address.clone_from(&args.gateway_address);
    if let Some(image) = &args.image {
        options.image.clone_from(image);
    }
    let live = Live::new(cluster, snapshots.clone(), options);
    show(Arc::new(live), snapshots, begin).await
}

/// Shows what a source of snapshots gives.
pub(super) async fn show(
    world: Arc<dyn World>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    begin: Begin,
) -> Result<u8, CliError> {
    let first = Arc::clone(&snapshots.borrow());
    let mut app = App::new(
        ngf_ui::terminal::theme(),
        first,
        begin.stage,
        Timestamp::now(),
    )?;
    app.via = begin.via;
    app.read_only = begin.read_only;
    for left in run_app(app, world, snapshots).await? {
        output::say(&format!("ngf-tui: {left}"));
    }
    Ok(EXIT_OK)
}
