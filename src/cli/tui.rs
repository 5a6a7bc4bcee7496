//! The terminal interface on a cluster or on files.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{CliError, EXIT_OK, args::InputArgs, connect_to};
use crate::{
    app::{
        event::Stage,
        run::{World, run as run_app},
        state::App,
    },
    cluster::transport::Via,
    files,
    model::snapshot::Snapshot,
    world::{Files, Live},
};

/// Bound on each phase of a probe that is run by a key.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs it.
pub(super) async fn run(input: &InputArgs) -> Result<u8, CliError> {
    if !input.files.is_empty() {
        let namespace = input.namespace.as_deref().unwrap_or("default");
        let snapshot = Arc::new(files::read(&input.files, namespace));
        let (_sender, snapshots) = watch::channel(snapshot);
        return show(Arc::new(Files), snapshots, None).await;
    }
    let cluster = connect_to(input).await?;
    let cancel = CancellationToken::new();
    let _stop = cancel.clone().drop_guard();
    let snapshots = cluster.watch(&cancel);
    let live = Live::new(cluster, snapshots.clone(), Via::Auto, PROBE_TIMEOUT);
    show(Arc::new(live), snapshots, None).await
}

/// Shows what a source of snapshots gives.
pub(super) async fn show(
    world: Arc<dyn World>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    stage: Option<Stage>,
) -> Result<u8, CliError> {
    let first = Arc::clone(&snapshots.borrow());
    let app = App::new(ngf_ui::terminal::theme(), first, stage, Timestamp::now())?;
    run_app(app, world, snapshots).await?;
    Ok(EXIT_OK)
}
