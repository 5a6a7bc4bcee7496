//! `replay`: plays what `record` wrote in the terminal interface, by the clock of the recording.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    CliError,
    args::{InputArgs, ReplayArgs},
    bundle,
    tui::{Begin, Look, show},
};
use crate::{
    config::Config,
    report::clean,
    tui::{
        effects::Recorded,
        signals::Watch,
        state::clock::{Clock, Replay},
    },
};
use ngf_core::{
    bundle::recording::{Player, Recording},
    diagnosis::words::{count, moment, span},
};

/// Runs it.
pub(super) async fn run(input: &InputArgs, args: &ReplayArgs) -> Result<u8, CliError> {
    if args.file == Path::new("-") {
        return Err("replay needs a file: standard input is the keyboard".into());
    }
    let name = clean(&args.file.to_string_lossy());
    let failed = |why: &dyn std::fmt::Display| format!("{name}: {why}");
    let text = bundle::read(&args.file).map_err(|why| failed(&why))?;
    let recording = Arc::new(Recording::open(text).map_err(|why| failed(&why))?);
    let mut player = Player::new(Arc::clone(&recording));
    let first = player.go_to(0).map_err(|why| failed(&why))?;
    let config = Config::load(input.config.as_deref())?;
    let replay = Replay::new(recording.moments().into(), Timestamp::now());
    let (from, lasts) = replay.span();
    let cut = if recording.is_cut() {
        "; its last moment was not written whole and is left out"
    } else {
        ""
    };
    let begin = Begin {
        look: Look::of(input, config)?,
        tick: input.tick,
        evidence: first.evidence,
        says: Some(format!(
            "A recording of {}: {} from {} on{cut}. space pauses, }} and {{ step, + and - change the speed",
            span(lasts.as_secs()),
            count(recording.moments().len(), "moment"),
            moment(from.as_second()),
        )),
        clock: Clock::Replay(Box::new(replay)),
        ..Begin::default()
    };
    let signals = Watch::start()?;
    let (_sender, snapshots) = watch::channel(Arc::new(first.snapshot));
    show(Arc::new(Recorded::new(player)), snapshots, begin, signals).await
}
