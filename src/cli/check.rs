//! `check`: the tree with its health and findings, without a terminal.

use std::{path::PathBuf, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{
    CliError, EXIT_COULD_NOT, EXIT_FOUND, EXIT_OK,
    args::{CheckArgs, CheckOutput, FailOn, InputArgs},
    connect_within, output,
};
use crate::{
    cluster::Cluster,
    diagnosis::{
        Diagnosis, Evidence,
        context::is_ngf,
        plan::{ProbeTarget, plan_every},
        timeline::Timeline,
    },
    files, logs,
    model::{
        kind::Kind,
        object::ObjectRef,
        snapshot::{KindState, Snapshot, Source},
    },
    rendered,
    report::{self, text::Style},
};

/// How far back `--logs` reads.
const PAST: Duration = Duration::from_hours(1);

/// Runs it.
pub(super) async fn run(input: &InputArgs, args: &CheckArgs) -> Result<u8, CliError> {
    let now = Timestamp::now();
    if args.over {
        return super::over::run(input, args, now).await;
    }
    let (snapshot, evidence) = if !input.files.is_empty() {
        let snapshot = read(input, args.timeout).await?;
        let evidence = from_files(&snapshot, args.logs.as_deref())?;
        (snapshot, evidence)
    } else if args.logs.as_ref().is_some_and(|files| !files.is_empty()) {
        return Err(
            "--logs FILE needs -f: the logs of a cluster are read with --logs alone".into(),
        );
    } else if args.logs.is_some() || args.data_plane {
        let cluster = connect_within(input, args.timeout).await?;
        let snapshot = cluster.snapshot(cluster.left_of(args.timeout)).await;
        let evidence = beyond_objects(&cluster, &snapshot, args).await;
        (snapshot, evidence)
    } else {
        (read(input, args.timeout).await?, Evidence::none())
    };
    let mut diagnosis = Diagnosis::of(&snapshot, &evidence, now);
    add_expiring(&mut diagnosis, &snapshot, args.within, now)?;
    output::print(&render(&diagnosis, args.output, fail_on(args))?)?;
    tell_problems(&snapshot);
    if nothing_could_be_read(&snapshot) {
        return Ok(EXIT_COULD_NOT);
    }
    Ok(if fail_on(args).exit_code(&diagnosis) == 0 {
        EXIT_OK
    } else {
        EXIT_FOUND
    })
}

/// What the logs say, and what the data plane is really using, as far as `args` ask for it.
async fn beyond_objects(cluster: &Cluster, snapshot: &Snapshot, args: &CheckArgs) -> Evidence {
    let mut evidence = Evidence::none();
    let gateways = ngf_gateways(snapshot);
    let mut missing = Vec::new();
    if args.logs.is_some() {
        let (sources, left_out) = logs::sources(snapshot, &gateways);
        missing.extend(left_out);
        let left = cluster.left_of(args.timeout);
        for log in logs::read(cluster, &sources, PAST, left).await {
            evidence.record_log(log);
        }
    }
    if args.data_plane {
        let (found, left_out) =
            rendered::read(cluster, snapshot, &gateways, cluster.left_of(args.timeout)).await;
        missing.extend(left_out);
        for in_pod in found {
            evidence.record_rendered(in_pod);
        }
    }
    missing.sort();
    missing.dedup();
    for why in missing {
        output::say(&why);
    }
    evidence
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
        let mut log = logs::read_file(file)?;
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
    let has_route = |gateway: &&ObjectRef| {
        let target = ProbeTarget::Gateway((*gateway).clone());
        plan_every(snapshot, &target).is_ok_and(|planned| {
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

/// The Gateways that NGF looks after.
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
    within: Option<Duration>,
    now: Timestamp,
) -> Result<(), CliError> {
    let Some(within) = within else {
        return Ok(());
    };
    let until = SignedDuration::try_from(within)
        .ok()
        .and_then(|within| now.checked_add(within).ok())
        .ok_or("--within reaches beyond what a calendar holds")?;
    let timeline = Timeline::of(snapshot, &Evidence::none(), now, now);
    timeline.add_findings(&mut diagnosis.findings, now, until);
    Ok(())
}

pub(super) fn fail_on(args: &CheckArgs) -> report::FailOn {
    match args.fail_on {
        FailOn::Error => report::FailOn::Error,
        FailOn::Warning => report::FailOn::Warning,
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

/// What `check` prints.
pub(super) fn render(
    diagnosis: &Diagnosis,
    format: CheckOutput,
    fail_on: report::FailOn,
) -> Result<String, serde_json::Error> {
    Ok(match format {
        CheckOutput::Text => report::text::render(diagnosis, style()),
        CheckOutput::Json => report::json::render(diagnosis)? + "\n",
        CheckOutput::Junit => report::junit::render(diagnosis, fail_on),
        CheckOutput::Markdown => report::markdown::render(diagnosis),
    })
}

/// The objects of a cluster or of files.
pub(super) async fn read(input: &InputArgs, timeout: Duration) -> Result<Snapshot, CliError> {
    if input.files.is_empty() {
        let cluster = connect_within(input, timeout).await?;
        return Ok(cluster.snapshot(cluster.left_of(timeout)).await);
    }
    let namespace = input.namespace.as_deref().unwrap_or("default");
    Ok(files::read(&input.files, namespace))
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
