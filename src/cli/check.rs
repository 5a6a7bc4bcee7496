//! `check`: the tree with its health and findings, without a terminal.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    CliError, EXIT_COULD_NOT, EXIT_FOUND, EXIT_OK,
    args::{CheckArgs, FailOn, InputArgs, Within},
    connect_within,
    measure::{Parts, measured},
    output, printed,
    target::{self, Target},
};
use crate::{
    files,
    report::{self, text::Style},
};
use ngf_cluster::{Cluster, prober::survey::Extent};
use ngf_core::{
    command::program,
    diagnosis::{
        Diagnosis, Evidence,
        context::is_ngf,
        limit,
        ngf::known,
        plan::{ProbeTarget, plan_every},
        suppress::{self, Filter},
        timeline::{Horizon, Objects, Timeline},
        words::list,
    },
    logs,
    model::{
        index::Index,
        kind::Kind,
        object::ObjectRef,
        snapshot::{KindState, Snapshot, Source},
        topology::Topology,
    },
};

/// What a check found.
pub(super) struct Examined {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) evidence: Evidence,
    pub(super) diagnosis: Diagnosis,
    /// The objects that it is about; `None` for all.
    pub(super) only: Option<Vec<(ObjectRef, Option<u16>)>>,
    /// Those of them of which nothing was checked.
    pub(super) unused: Vec<ObjectRef>,
    /// Why the objects could not be read, where none could.
    pub(super) unread: Vec<String>,
    /// When it was so.
    pub(super) at: Timestamp,
    /// The cluster, where it was one.
    pub(super) cluster: Option<Cluster>,
}

impl Examined {
    pub(super) fn timeline(&self) -> Timeline {
        let only = self.only.as_deref();
        Timeline::limited_to(only, &self.snapshot, &self.evidence, self.at, self.at)
    }
}

/// Runs it.
pub(super) async fn run(input: &InputArgs, args: &CheckArgs) -> Result<u8, CliError> {
    // What is wrong with the words alone needs no cluster.
    target::joined(&args.targets)?;
    let filter = filter(args)?;
    if input.contexts.len() > 1 {
        return super::several::run(input, args, &filter).await;
    }
    let is_live = input.files.is_empty() && input.bundle.is_none();
    if !is_live && (args.listen.is_some() || args.store.is_some()) {
        return Err("--listen and --store are for a cluster, not for files".into());
    }
    if args.over {
        if input.files.is_empty() || input.bundle.is_some() {
            return Err("--over lays manifests over the cluster: name them with -f".into());
        }
        return super::overlay::run(input, args, &filter, Timestamp::now()).await;
    }
    if let Some(address) = &args.listen {
        let check = async || metrics(input, args, &filter).await;
        return super::listen::serve(address, args.every, check).await;
    }
    if args.store.is_some() && input.read_only {
        return Err(
            "--read-only writes nothing, and --store writes a ConfigMap: leave out one".into(),
        );
    }
    let examined = examine(input, args, &filter).await?;
    let mut kept = Vec::new();
    if args.store.is_some() {
        printed::write(&examined, args, &mut kept)?;
        output::stream(|out| out.write_all(&kept))?;
    } else {
        output::stream(|out| printed::write(&examined, args, out))?;
    }
    tell_problems(&examined.snapshot);
    if ngf_gateways(&examined.snapshot).is_empty() {
        output::say(&nothing_of_ngf(&examined.snapshot));
    }
    if let (Some(store), Some(cluster)) = (&args.store, &examined.cluster) {
        let text = String::from_utf8_lossy(&kept);
        let namespace = store.namespace.as_deref().unwrap_or(cluster.namespace());
        let stored = ngf_cluster::reports::store(cluster, namespace, &store.name, &text).await?;
        output::say(&format!("Stored the report in {stored}."));
    }
    Ok(status(&examined, input, args))
}

/// That nothing was judged, because NGF manages no Gateway.
fn nothing_of_ngf(snapshot: &Snapshot) -> String {
    let what = match snapshot.gateways.len() {
        0 => "there is no Gateway".to_owned(),
        1 => "the only Gateway is of another controller".to_owned(),
        others => format!("the {others} Gateways are of other controllers"),
    };
    format!(
        "{}: nothing of NGINX Gateway Fabric to check: {what}",
        program()
    )
}

/// One check as metrics. A check that fails is one, too.
async fn metrics(input: &InputArgs, args: &CheckArgs, filter: &Filter) -> String {
    let began = std::time::Instant::now();
    let examined = examine(input, args, filter).await;
    let seconds = began.elapsed().as_secs_f64();
    let text = match &examined {
        Ok(found) => report::openmetrics::render(report::openmetrics::Checked {
            diagnosis: &found.diagnosis,
            evidence: &found.evidence,
            timeline: &found.timeline(),
            ended: found.at,
            seconds,
            is_complete: found.unread.is_empty(),
        }),
        Err(why) => {
            output::say(&format!("The check failed: {why}"));
            report::openmetrics::render_failed(Timestamp::now(), seconds)
        }
    };
    text.unwrap_or_default()
}

/// Reads, measures and diagnoses.
pub(super) async fn examine(
    input: &InputArgs,
    args: &CheckArgs,
    filter: &Filter,
) -> Result<Examined, CliError> {
    let mut at = Timestamp::now();
    let mut reached = None;
    let (snapshot, targets, evidence) = if let Some(path) = &input.bundle {
        let opened = super::bundle::open(path)?;
        let snapshot = Arc::new(opened.snapshot);
        let targets = targets_of(args, &snapshot, "default")?;
        at = opened.at;
        (snapshot, targets, opened.evidence)
    } else if input.files.is_empty() {
        if args.logs.as_ref().is_some_and(|files| !files.is_empty()) {
            return Err("--logs FILE needs -f: on a cluster the logs are read anyway".into());
        }
        let cluster = connect_within(input, args.timeout).await?;
        let snapshot = Arc::new(cluster.snapshot(cluster.left_of(args.timeout)).await);
        let targets = targets_of(args, &snapshot, cluster.namespace())?;
        let parts = Parts {
            context: false,
            matrix: false,
            // No target at all means every path; a part of a sweep may have none.
            probes: !args.no_probe && (args.shard.is_none() || !targets.is_empty()),
            logs: !args.no_logs,
            data_plane: !args.no_data_plane,
            within: args.timeout,
            extent: if args.all_endpoints {
                Extent::AllEndpoints
            } else {
                Extent::Sample
            },
        };
        let (evidence, missing) = measured(&cluster, &snapshot, &targets, parts).await;
        for why in missing {
            output::say(&why);
        }
        reached = Some(cluster);
        (snapshot, targets, evidence)
    } else {
        let (snapshot, namespace) = read(input, args.timeout).await?;
        let snapshot = Arc::new(snapshot);
        let targets = targets_of(args, &snapshot, &namespace)?;
        let evidence = from_files(&snapshot, args.logs.as_deref())?;
        (snapshot, targets, evidence)
    };
    if input.bundle.is_none() {
        // What was measured is newer than the moment at which the command began.
        at = at.max(Timestamp::now());
    }
    let mut diagnosis = Diagnosis::of(&snapshot, &evidence, at);
    // No target means everything; a part of a sweep may have none.
    let only = (!targets.is_empty() || args.shard.is_some()).then(|| target::pairs(&targets));
    let mut unused = Vec::new();
    if let Some(only) = &only {
        unused = without_a_path(&diagnosis, only);
        diagnosis = diagnosis.limited_to_all(only);
    }
    add_expiring(&mut diagnosis, &snapshot, only.as_deref(), args.within, at)?;
    diagnosis = diagnosis.filtered_by(filter, &snapshot, at);
    let unread = if nothing_could_be_read(&snapshot) {
        unread(&snapshot)
    } else {
        Vec::new()
    };
    Ok(Examined {
        snapshot,
        evidence,
        diagnosis,
        only,
        unused,
        unread,
        at,
        cluster: reached,
    })
}

/// The objects that no path leads through and that no finding is about.
fn without_a_path(diagnosis: &Diagnosis, objects: &Objects) -> Vec<ObjectRef> {
    let has_none = |(object, port): &&(ObjectRef, Option<u16>)| {
        limit::places(&diagnosis.topology, object, *port).is_empty()
            && !diagnosis
                .findings
                .iter()
                .any(|finding| finding.objects().any(|known| known == object))
    };
    let objects = objects.iter().filter(has_none);
    objects.map(|(object, _)| object.clone()).collect()
}

/// The exit status.
pub(super) fn status(found: &Examined, input: &InputArgs, args: &CheckArgs) -> u8 {
    if nothing_could_be_read(&found.snapshot) {
        return EXIT_COULD_NOT;
    }
    if !found.unused.is_empty() {
        let objects = list(&found.unused, 5);
        output::say(&format!("Not checked: no route leads to {objects}."));
        if found.only.as_ref().map(Vec::len) == Some(found.unused.len()) {
            return EXIT_COULD_NOT;
        }
    }
    if fail_on(args).exit_code(&found.diagnosis) != 0 {
        return EXIT_FOUND;
    }
    let was_to_test = input.files.is_empty() && !args.no_probe;
    if was_to_test && fail_on(args).misses_tests(&found.diagnosis) {
        output::say(
            "Exit status 1: some paths could not be tested. --no-probe checks without handshakes.",
        );
        return EXIT_FOUND;
    }
    EXIT_OK
}

/// The objects that the arguments name; they have to exist, as far as that is known.
pub(super) fn targets_of(
    args: &CheckArgs,
    snapshot: &Snapshot,
    namespace: &str,
) -> Result<Vec<Target>, CliError> {
    let (words, selector) = (&args.targets, args.selector.as_ref());
    let targets = target::targets(words, selector, snapshot, namespace)?;
    Ok(match args.shard {
        None => targets,
        Some(shard) => target::part_of(targets, snapshot, shard),
    })
}

/// What kept the objects from being read, a sentence each.
fn unread(snapshot: &Snapshot) -> Vec<String> {
    let problems = snapshot.problems.iter();
    let mut all: Vec<String> = problems
        .map(|problem| format!("{}: {}", problem.place, problem.message))
        .collect();
    for kind in [Kind::Gateway, Kind::HTTPRoute] {
        if let (Source::Cluster { .. }, Err(why)) =
            (&snapshot.source, known::kind_is_known(snapshot, kind))
        {
            all.push(why);
        }
    }
    all
}

/// What log files say, beside manifests.
fn from_files(snapshot: &Snapshot, files: Option<&[PathBuf]>) -> Result<Evidence, CliError> {
    let mut evidence = Evidence::none();
    let Some(files) = files else {
        return Ok(evidence);
    };
    if files.is_empty() {
        return Err(
            "--logs with -f needs a file: --logs nginx.log, or - for standard input".into(),
        );
    }
    for log in read_logs(snapshot, files)? {
        evidence.record_log(log);
    }
    Ok(evidence)
}

/// Reads log files, each of the only Gateway that it can be of.
pub(super) fn read_logs(
    snapshot: &Snapshot,
    files: &[PathBuf],
) -> Result<Vec<logs::PodLog>, CliError> {
    let gateways = ngf_gateways(snapshot);
    let mut read = Vec::new();
    for file in files {
        let mut log = files::read_log(file)?;
        if log.role == logs::Role::DataPlane {
            log.gateway = of_gateway(snapshot, &gateways, &log);
        }
        read.push(log);
    }
    Ok(read)
}

/// The only Gateway of the objects, or the only one with a route for a host in the log.
fn of_gateway(
    snapshot: &Snapshot,
    gateways: &[ObjectRef],
    log: &logs::PodLog,
) -> Option<ObjectRef> {
    if let [only] = gateways {
        return Some(only.clone());
    }
    let hosts: Vec<&str> = log
        .tally
        .said
        .values()
        .filter_map(|said| said.last_line.request.host.as_deref())
        .collect();
    let index = Index::of(snapshot);
    let topology = Topology::with(snapshot, &index);
    let has_route = |gateway: &&ObjectRef| {
        let target = ProbeTarget::Gateway((*gateway).clone());
        plan_every(snapshot, &index, &topology, &target).is_ok_and(|planned| {
            planned.plans.iter().any(|plan| {
                let is_it = |host: &&str| host.eq_ignore_ascii_case(&plan.host);
                hosts.iter().any(is_it)
            })
        })
    };
    let mut found = gateways.iter().filter(has_route);
    match (found.next(), found.next()) {
        (Some(only), None) => Some(only.clone()),
        _ => None,
    }
}

/// The Gateways that NGF manages.
pub(super) fn ngf_gateways(snapshot: &Snapshot) -> Vec<ObjectRef> {
    snapshot
        .gateways
        .iter()
        .filter(|(_, gateway)| is_ngf(snapshot, gateway))
        .map(|(name, _)| name.clone())
        .collect()
}

/// `--within`: what expires within that time is a finding that fails.
pub(super) fn add_expiring(
    diagnosis: &mut Diagnosis,
    snapshot: &Snapshot,
    only: Option<&Objects>,
    within: Option<Within>,
    now: Timestamp,
) -> Result<(), CliError> {
    let horizon = match within {
        None => return Ok(()),
        Some(Within::Share(percent)) => Horizon::Share(percent),
        Some(Within::Time(time)) => SignedDuration::try_from(time)
            .ok()
            .and_then(|time| now.checked_add(time).ok())
            .map(Horizon::Until)
            .ok_or("--within reaches beyond what a calendar holds")?,
    };
    let timeline = Timeline::limited_to(only, snapshot, &Evidence::none(), now, now);
    timeline.add_findings(&mut diagnosis.findings, now, horizon);
    Ok(())
}

/// What the options leave out of the findings.
///
/// # Errors
/// An ignore file that cannot be read.
pub(super) fn filter(args: &CheckArgs) -> Result<Filter, CliError> {
    let mut filter = suppressing(&args.suppress, args.ignore_file.as_deref())?;
    filter.only = args.only.iter().flat_map(|codes| codes.0.clone()).collect();
    Ok(filter)
}

/// What options and an ignore file suppress.
///
/// # Errors
/// An ignore file that cannot be read.
pub(super) fn suppressing(
    options: &[suppress::Suppression],
    file: Option<&Path>,
) -> Result<Filter, CliError> {
    let mut filter = Filter {
        suppressions: options.to_vec(),
        ..Filter::default()
    };
    if let Some(path) = file {
        let (text, name) = files::read_small("--ignore-file", path)?;
        filter
            .suppressions
            .extend(suppress::ignore_file(&text, &name)?);
    }
    Ok(filter)
}

pub(super) fn fail_on(args: &CheckArgs) -> report::FailOn {
    match args.fail_on {
        FailOn::Error => report::FailOn::Error,
        FailOn::Warning => report::FailOn::Warning,
        FailOn::Unknown => report::FailOn::Unknown,
        FailOn::Never => report::FailOn::Never,
    }
}

pub(super) fn style() -> Style {
    Style {
        colour: output::colour(),
        width: usize::from(output::width()),
    }
}

pub(super) fn tell_problems(snapshot: &Snapshot) {
    for problem in &snapshot.problems {
        output::say(&format!("{}: {}", problem.place, problem.message));
    }
}

/// The objects of a cluster or of files, and the namespace of names without one.
pub(super) async fn read(
    input: &InputArgs,
    timeout: Duration,
) -> Result<(Snapshot, String), CliError> {
    if input.files.is_empty() {
        let cluster = connect_within(input, timeout).await?;
        let snapshot = cluster.snapshot(cluster.left_of(timeout)).await;
        return Ok((snapshot, cluster.namespace().to_owned()));
    }
    let namespace = input.namespace.as_deref().unwrap_or("default");
    let snapshot = files::read(&input.files, namespace);
    Ok((snapshot, namespace.to_owned()))
}

/// Whether neither Gateways nor routes, or no file, could be read, so that silence proves nothing.
pub(super) fn nothing_could_be_read(snapshot: &Snapshot) -> bool {
    let unreadable = |kind: &Kind| {
        matches!(
            snapshot.kinds.get(kind),
            Some(KindState::Denied(_) | KindState::Failed(_) | KindState::UnknownVersions(_))
        )
    };
    match snapshot.source {
        Source::Cluster { .. } => [Kind::Gateway, Kind::HTTPRoute].iter().all(unreadable),
        Source::Files { .. } => !snapshot.problems.is_empty() && snapshot.kinds.is_empty(),
    }
}
