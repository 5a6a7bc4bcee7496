//! `logs`: what the data plane, its backends and the control plane wrote, decoded and counted.

use std::{collections::HashSet, path::PathBuf};

use jiff::Timestamp;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    CliError, EXIT_COULD_NOT, EXIT_FOUND, EXIT_OK,
    args::{InputArgs, LogsArgs},
    check::ngf_gateways,
    connect_within, output, target,
};
use crate::{
    files,
    report::{Format, logs::Report, shaped},
};
use ngf_cluster::{
    Cluster,
    logs::{Followed, LogExtent, News},
};
use ngf_core::{
    command::program,
    diagnosis::{Code, Diagnosis, Evidence, Severity, plan::ProbeTarget},
    logs::PodLog,
    model::{kind::Kind, object::ObjectRef, snapshot::Snapshot},
};

/// Runs it: exit 1 where a log proves that something is wrong now, 2 where nothing of it can be judged.
pub(super) async fn run(input: &InputArgs, args: &LogsArgs) -> Result<u8, CliError> {
    // A single word is a file or a Gateway; only two are a type and a name.
    let word = match args.target.as_slice() {
        [one] => Some(one.clone()),
        several => target::only(several)?,
    };
    if let Some(file) = word.as_deref().and_then(log_file) {
        return from_file(input, args, file);
    }
    if !input.files.is_empty() {
        return Err("--filename completes a log file: name that, too".into());
    }
    let cluster = connect_within(input, args.timeout).await?;
    let cancel = CancellationToken::new();
    let _stop = cancel.clone().drop_guard();
    let mut snapshots = cluster.watch(&cancel);
    let snapshot = Cluster::settled(&mut snapshots, cluster.left_of(args.timeout)).await;
    let gateways = gateways(&snapshot, args, word.as_deref(), cluster.namespace())?;
    let (sources, missing) = ngf_core::diagnosis::log_sources::sources(&snapshot, &gateways);
    if sources.is_empty() {
        return Err(format!("no logs can be read: {}", missing.join("; ")).into());
    }
    let mut evidence = Evidence::none();
    let mut begun = Vec::new();
    let read_at = Instant::now();
    let read = ngf_cluster::logs::read_to_follow(
        &cluster,
        &sources,
        LogExtent {
            past: args.since,
            tail: args.tail,
            previous: args.previous,
        },
        cluster.left_of(args.timeout),
    )
    .await;
    for (source, (log, cursor)) in sources.into_iter().zip(read) {
        begun.push((source, cursor));
        evidence.record_log(log);
    }
    let now = Timestamp::now();
    let report = Report::of(&snapshot, &evidence, missing, now);
    let text = match &args.output {
        // One document a line, so that what follows can be read line by line.
        Format::Json if args.follow => serde_json::to_string(&report)? + "\n",
        format => shaped(&report, format)?.unwrap_or_else(|| report.text(now)),
    };
    output::print(&text)?;
    for why in report.missing() {
        output::say(&format!("not read: {why}"));
    }
    if args.follow {
        let gateway = word.as_ref().and_then(|_| gateways.first().cloned());
        let lines =
            ngf_cluster::logs::follow(&cluster, snapshots, gateway, begun, read_at, &cancel);
        follow(lines, &args.output).await?;
    }
    if report.is_empty() {
        return Ok(EXIT_COULD_NOT);
    }
    let is_wrong = proves_an_error(&snapshot, &evidence, now);
    Ok(if is_wrong { EXIT_FOUND } else { EXIT_OK })
}

/// Whether logs prove an error that the objects alone do not show: those are `check`'s. What a log proves may take the
/// place of what the objects only foresee, so that findings are compared, and not how many there are.
fn proves_an_error(snapshot: &Snapshot, evidence: &Evidence, now: Timestamp) -> bool {
    let without = Diagnosis::of(snapshot, &Evidence::none(), now);
    let known: HashSet<_> = errors(&without).collect();
    let with = Diagnosis::of(snapshot, evidence, now);
    errors(&with).any(|error| !known.contains(&error))
}

fn errors(diagnosis: &Diagnosis) -> impl Iterator<Item = (Code, &ObjectRef)> {
    let findings = diagnosis.findings.iter();
    findings
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| (finding.code, &finding.subject))
}

/// What of the command line is a log file: `-`, or a file that is there. `gateway/NAME` is a Gateway unless
/// there is such a file.
fn log_file(target: &str) -> Option<PathBuf> {
    let path = PathBuf::from(target);
    let kind = target.split_once('/').map(|(kind, _)| kind);
    let kind = kind.and_then(|kind| Kind::parse(kind.split('.').next().unwrap_or(kind)));
    let names_kind = kind.is_some();
    (target == "-" || path.is_file() || !names_kind && !path.is_dir()).then_some(path)
}

/// Decodes a log file, with the objects of `-f` where given; without a cluster.
fn from_file(input: &InputArgs, args: &LogsArgs, file: PathBuf) -> Result<u8, CliError> {
    if args.follow {
        return Err("--follow follows the logs of a cluster: a file is read once".into());
    }
    let namespace = input.namespace.as_deref().unwrap_or("default");
    let snapshot = files::read(&input.files, namespace);
    super::check::tell_problems(&snapshot);
    let mut evidence = Evidence::none();
    for log in super::check::read_logs(&snapshot, &[file])? {
        evidence.record_log(log);
    }
    let now = Timestamp::now();
    let report = Report::of(&snapshot, &evidence, Vec::new(), now);
    output::print(&shaped(&report, &args.output)?.unwrap_or_else(|| report.text(now)))?;
    for why in report.missing() {
        output::say(&format!("{}: not judged: {why}", program()));
    }
    let is_wrong = evidence
        .logs()
        .flat_map(|log| log.tally.said.values())
        .any(|said| said.last_line.is_fault());
    if is_wrong || report.fails_clients() {
        return Ok(EXIT_FOUND);
    }
    let little: Vec<&PodLog> = evidence.logs().filter(|log| log.says_little()).collect();
    for log in little.iter().filter(|log| log.failed.is_none()) {
        output::say(&format!(
            "{}: {}: too little to judge: {} of {} lines are of nginx or NGF",
            program(),
            log.place(),
            log.tally.known,
            log.tally.lines
        ));
    }
    let is_judged = little.is_empty() && !report.is_empty();
    Ok(if is_judged { EXIT_OK } else { EXIT_COULD_NOT })
}

/// The Gateway that is named, those with the labels, or all of NGF's.
fn gateways(
    snapshot: &Snapshot,
    args: &LogsArgs,
    target: Option<&str>,
    namespace: &str,
) -> Result<Vec<ObjectRef>, CliError> {
    let Some(target) = target else {
        let mut all = ngf_gateways(snapshot);
        if let Some(selector) = &args.selector {
            let has_labels = |gateway: &ObjectRef| {
                let raw = snapshot.raw(gateway);
                raw.is_some_and(|raw| selector.matches_object(&raw))
            };
            all.retain(has_labels);
            if all.is_empty() {
                let labels = crate::report::clean(selector.text());
                return Err(format!(
                    "no Gateway of NGINX Gateway Fabric with labels {labels} found"
                )
                .into());
            }
        }
        return if all.is_empty() {
            Err("no Gateway of NGINX Gateway Fabric found, or none that you may read".into())
        } else {
            Ok(all)
        };
    };
    match ProbeTarget::parse_in(target, namespace, snapshot)? {
        ProbeTarget::Gateway(gateway) if snapshot.gateways.contains_key(&gateway) => {
            Ok(vec![gateway])
        }
        ProbeTarget::Gateway(gateway) => Err(target::missing(&gateway, snapshot).into()),
        _ => {
            let target = crate::report::clean(target);
            Err(
                format!("unexpected object \"{target}\": expected gateway/NAME or a log file")
                    .into(),
            )
        }
    }
}

async fn follow(mut lines: mpsc::Receiver<Followed>, format: &Format) -> Result<(), CliError> {
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(line) => print(&line, format)?,
                None => return Ok(()),
            },
            signal = tokio::signal::ctrl_c() => return Ok(signal?),
        }
    }
}

fn print(followed: &Followed, format: &Format) -> Result<(), CliError> {
    let place = format!("{} ({})", followed.source.pod, followed.source.container);
    let (at, line) = match &followed.news {
        News::Line { at, line } => (*at, line),
        News::New => {
            output::say(&format!("{place} is read from now on"));
            return Ok(());
        }
        News::Gone => {
            output::say(&format!("{place} is gone"));
            return Ok(());
        }
        News::Lost(why) => {
            output::say(&format!("not read for now: {why}"));
            return Ok(());
        }
        News::Back => {
            output::say(&format!("{place} is read again"));
            return Ok(());
        }
    };
    match format {
        Format::Text => {
            let upstream = line.request.upstream.as_ref();
            let upstream = upstream.map_or_else(String::new, |upstream| format!(" [{upstream}]"));
            let text = format!(
                "{} {place}: {}{upstream}",
                at.strftime("%H:%M:%S"),
                line.means_in(followed.source.role)
            );
            output::print(&format!("{}\n", crate::report::clean(&text)))?;
        }
        format => {
            let value = serde_json::json!({
                "at": at,
                "pod": followed.source.pod.path(),
                "container": followed.source.container,
                "means": line.means_in(followed.source.role),
                "line": line,
            });
            output::print(&match format {
                Format::Yaml => format!("---\n{}", shaped(&value, format)?.unwrap_or_default()),
                Format::JsonPath(_) => shaped(&value, format)?.unwrap_or_default() + "\n",
                _ => format!("{value}\n"),
            })?;
        }
    }
    Ok(())
}
