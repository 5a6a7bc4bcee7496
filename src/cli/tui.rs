//! The terminal interface on a cluster or on files.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    CliError, EXIT_OK,
    args::{DebugArgs, InputArgs},
    check::suppressing,
    cluster_options, connect_to, connect_within, output,
};
use crate::report::clean;
use crate::{
    config::{Appearance, Config},
    files,
    tui::{
        effects::{Files, Live, LiveOptions, Places, watch_others},
        run::{Ended, TICK, run as run_app},
        signals::{End, Watch},
        state::{
            App, Tests, clock::Clock, elsewhere::Elsewhere, event::Stage, job::Session,
            settings::Settings,
        },
    },
};
use ngf_cluster::{Cluster, temporary::READ_ONLY, transport::Via};
use ngf_core::model::snapshot::{Scope, Snapshot, Source};
use ngf_core::{
    command::program,
    diagnosis::{Evidence, words},
};
use ngf_text::in_words;
use ngf_ui::Mark;

/// Bound on each phase of a probe that is run by a key.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// How the terminal interface begins.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools)] // each is a flag of the command line
pub(super) struct Begin {
    /// The guide's stage, where this is the embedded cluster.
    pub(super) stage: Option<Stage>,
    /// Probe transport.
    pub(super) via: Via,
    /// Nothing may be written to the cluster.
    pub(super) read_only: bool,
    /// The objects come later: until then there is nothing to diagnose.
    pub(super) reading: bool,
    /// How often the clock moves on, where it is not [`TICK`].
    pub(super) tick: Option<Duration>,
    /// No path is tested without a key press.
    pub(super) no_probe: bool,
    /// What was measured before.
    pub(super) evidence: Evidence,
    /// Which clock what is shown has.
    pub(super) clock: Clock,
    /// The contexts that are watched at the same time, and how to connect to them.
    pub(super) others: Option<(Vec<String>, Places)>,
    /// What to say at first.
    pub(super) says: Option<String>,
    /// How it looks, and which key does what.
    pub(super) look: Look,
}

/// How the terminal interface looks, and which key does what.
#[derive(Default)]
pub(super) struct Look {
    settings: Settings,
    appearance: Option<Appearance>,
    no_mouse: bool,
}

impl Look {
    /// As the command line says, or else the configuration.
    pub(super) fn of(input: &InputArgs, config: Config) -> Result<Self, CliError> {
        Ok(Self {
            appearance: Some(config.appearance(input.theme.as_deref())?),
            no_mouse: input.no_mouse || config.mouse == Some(false),
            settings: config.settings,
        })
    }
}

/// Runs it.
pub(super) async fn run(input: &InputArgs, args: &DebugArgs) -> Result<u8, CliError> {
    let mut config = Config::load(input.config.as_deref())?;
    let ignored = args.ignore_file.as_ref().or(config.ignore_file.as_ref());
    config.settings.filter = suppressing(&args.suppress, ignored.map(PathBuf::as_path))?;
    let mut input = input.clone();
    if input.files.is_empty() {
        input.context = input.context.or_else(|| config.context.clone());
        if !input.all_namespaces {
            input.namespace = input.namespace.or_else(|| config.namespace.clone());
        }
    }
    let input = &input;
    let mut begin = Begin {
        via: args.via.or(config.via).unwrap_or_default(),
        read_only: input.read_only || config.read_only,
        tick: input.tick,
        no_probe: args.no_probe || config.no_probe,
        look: Look::of(input, config)?,
        ..Begin::default()
    };
    if begin.read_only && begin.via.writes() {
        return Err(format!("--via {}: {READ_ONLY}", begin.via).into());
    }
    let mut signals = Watch::start()?;
    if let Some(path) = &input.bundle {
        let opened = super::bundle::open(path)?;
        let seen = words::moment(opened.at.as_second());
        begin.evidence = opened.evidence;
        begin.clock = Clock::At(opened.at);
        begin.says = Some(format!(
            "A bundle: what was seen on {seen}. Nothing is asked."
        ));
        let (_sender, snapshots) = watch::channel(Arc::new(opened.snapshot));
        return show(Arc::new(Files), snapshots, begin, signals).await;
    }
    if !input.files.is_empty() {
        return show_files(input, begin, signals).await;
    }
    let (cluster, input) = match signals.unless_ended(first_of(input)).await {
        Ok(first) => first?,
        Err(end) => return Ok(end.status()),
    };
    let cancel = CancellationToken::new();
    let _stop = cancel.clone().drop_guard();
    let snapshots = cluster.watch(&cancel);
    let mut options = LiveOptions::new(PROBE_TIMEOUT);
    options.address.clone_from(&args.gateway_address);
    if let Some(image) = &args.image {
        options.image.clone_from(image);
    }
    let places = Places {
        cluster: cluster_options(&input, None),
        live: options.clone(),
        stages: None,
    };
    if input.contexts.len() > 1 {
        begin.others = Some((input.contexts.clone(), places.clone()));
    }
    let live = Live::new(cluster, snapshots.clone(), options).with_places(places);
    show(Arc::new(live), snapshots, begin, signals).await
}

/// How long the first of several contexts may take to connect, before the next one takes its place on the screen.
const FIRST: Duration = Duration::from_secs(15);

/// The cluster to begin with, and what names it: of several contexts the first one that can be reached.
async fn first_of(input: &InputArgs) -> Result<(Cluster, InputArgs), CliError> {
    if input.contexts.len() < 2 {
        return Ok((connect_to(input).await?, input.clone()));
    }
    let mut all: Vec<String> = Vec::new();
    for context in &input.contexts {
        let one = InputArgs {
            context: Some(context.clone()),
            ..input.clone()
        };
        match connect_within(&one, FIRST).await {
            Ok(cluster) => return Ok((cluster, one)),
            Err(why) => all.push(format!("{}: {}", clean(context), in_words(&why))),
        }
    }
    Err(format!("no context can be reached: {}", all.join("; ")).into())
}

/// Shows files. The screen is there at once: ten thousand objects take seconds to read.
async fn show_files(input: &InputArgs, mut begin: Begin, signals: Watch) -> Result<u8, CliError> {
    let files = input.files.clone();
    let namespace = input.namespace.clone();
    let read = move || files::read(&files, namespace.as_deref().unwrap_or("default"));
    if input.files.iter().any(|path| path == Path::new("-")) {
        // Standard input is the terminal: what is typed there is a manifest first, and keys later.
        let (_sender, snapshots) = watch::channel(Arc::new(read()));
        return show(Arc::new(Files), snapshots, begin, signals).await;
    }
    let nothing = Snapshot::new(Source::Files { paths: Vec::new() }, Scope::AllNamespaces);
    let (sender, snapshots) = watch::channel(Arc::new(nothing));
    begin.reading = true;
    let reading = tokio::task::spawn_blocking(move || {
        // Where nobody listens any more, the program is ending.
        let _ = sender.send(Arc::new(read()));
        sender
    });
    let shown = show(Arc::new(Files), snapshots, begin, signals).await;
    if reading.is_finished()
        && let Err(defect) = reading.await
        && defect.is_panic()
    {
        std::panic::resume_unwind(defect.into_panic());
    }
    shown
}

/// Shows what a source of snapshots gives.
pub(super) async fn show(
    session: Arc<dyn Session>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    begin: Begin,
    signals: Watch,
) -> Result<u8, CliError> {
    let first = Arc::clone(&snapshots.borrow());
    let mut app = App::new(
        begin
            .look
            .appearance
            .map_or_else(ngf_ui::terminal::theme, |look| look.theme()),
        first,
        begin.stage,
        Timestamp::now(),
    )?
    .configured(begin.look.settings)?;
    app.via = begin.via;
    app.read_only = begin.read_only;
    app.take_evidence(begin.evidence);
    app.clock = begin.clock;
    app.now = app.clock.now(app.real);
    if let Some(says) = begin.says {
        app.say_for(30, Mark::Info, says);
    }
    let is_cluster = matches!(app.snapshot.source, Source::Cluster { .. });
    if is_cluster && app.clock.is_live() && !begin.no_probe && !begin.read_only {
        app.tests = Tests::Wanted;
    }
    app.reading = begin.reading;
    let others = begin.others.map(|(contexts, places)| {
        let namespace = &places.cluster.namespace;
        app.elsewhere = contexts
            .iter()
            .map(|context| Elsewhere::new(context, namespace.clone()))
            .collect();
        let here = match &app.snapshot.source {
            Source::Cluster { context, .. } => context.clone(),
            Source::Files { .. } => String::new(),
        };
        watch_others(
            &places,
            &contexts,
            &here,
            app.tests != Tests::Off,
            &app.theme,
        )
    });
    ngf_ui::terminal::use_mouse(!begin.look.no_mouse);
    let tick = begin.tick.unwrap_or(TICK);
    let Ended { left, by } = run_app(app, session, snapshots, signals, tick, others).await?;
    // Where the terminal is gone, nobody would read it.
    if !by.is_some_and(End::is_gone) {
        for left in left {
            output::say(&format!("{}: {left}", program()));
        }
    }
    Ok(by.map_or(EXIT_OK, End::status))
}
