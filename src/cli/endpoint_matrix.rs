//! `probe --all` and `probe --watch`: every endpoint from every data-plane pod, once or again and
//! again.

use std::{
    io::{IsTerminal, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    CliError, EXIT_COULD_NOT, EXIT_FOUND, EXIT_OK,
    live::{Found, Job, READ},
    output,
};
use crate::report::{self, Format};
use ngf_cluster::{
    endpoint_matrix::{self, Cell, EndpointMatrix, History, ProbeOrigin, Progress},
    temporary::{Made, gateways},
    transport::{Transports, Via},
};
use ngf_core::{
    diagnosis::plan::{Planning, ProbePlan, ProbeTarget},
    model::object::ObjectRef,
};

/// Lines of what changed that a screen shows.
const LOG: usize = 12;

/// Runs it.
pub(super) async fn run(job: &Job<'_>, found: Found) -> Result<u8, CliError> {
    let Found {
        target,
        planning,
        transports,
        made,
    } = found;
    let Some(every) = job.args.way.watch else {
        let matrices = round(job, &transports, planning, &made).await?;
        print(&matrices, &job.args.output)?;
        return Ok(status(&matrices));
    };
    watch(job, &transports, &target, planning, &made, every).await
}

/// One grid for each Gateway: their data planes are others.
async fn round(
    job: &Job<'_>,
    transports: &Arc<Transports>,
    planning: Planning,
    made: &Made,
) -> Result<Vec<EndpointMatrix>, CliError> {
    let prober = job.prober_of(transports);
    let mut matrices = Vec::new();
    for gateway in gateways(&planning.plans) {
        let plans: Vec<ProbePlan> = planning
            .plans
            .iter()
            .filter(|plan| plan.gateway == gateway)
            .cloned()
            .collect();
        let (columns, notes) = columns(job, transports, &gateway, made).await?;
        let mut show = show_progress(job.args.way.watch.is_none());
        let mut matrix = endpoint_matrix::run(
            &prober,
            plans,
            &columns,
            job.args.way.parallel,
            job.cancel,
            |done| {
                show(done.progress);
                std::future::ready(())
            },
        )
        .await;
        matrix.notes.splice(0..0, notes);
        matrices.push(matrix);
    }
    let refused = planning.refused.iter().map(|(_, why)| why.to_string());
    match matrices.last_mut() {
        Some(last) => last.notes.extend(refused),
        None => return Err(refused.collect::<Vec<_>>().join("; ").into()),
    }
    Ok(matrices)
}

async fn columns(
    job: &Job<'_>,
    transports: &Arc<Transports>,
    gateway: &ObjectRef,
    made: &Made,
) -> Result<(Vec<ProbeOrigin>, Vec<String>), String> {
    let way = &job.args.way;
    if let Some(made) = made.get(gateway) {
        return Ok((endpoint_matrix::made_columns(made), Vec::new()));
    }
    // Without --all, one place is enough.
    let one = if way.all || way.pod.is_some() || !matches!(way.via, Via::Auto | Via::Exec) {
        way.pod.clone()
    } else {
        let pod = transports.data_plane_pod(gateway, None);
        pod.ok().map(|pod| pod.pod.name.clone())
    };
    endpoint_matrix::columns(transports, gateway, way.via, one.as_deref()).await
}

/// On a terminal, a line that says how far it is.
fn show_progress(shown: bool) -> impl FnMut(Progress) {
    let shown = shown && std::io::stderr().is_terminal();
    let mut last = Instant::now();
    move |progress: Progress| {
        let is_end = progress.done == progress.of;
        if !shown || (!is_end && last.elapsed() < Duration::from_millis(100)) {
            return;
        }
        last = Instant::now();
        let mut err = std::io::stderr();
        let Progress { done, of, faults } = progress;
        let line = format!("\r{done} of {of} probed, {faults} at fault; ctrl-c ends it ");
        let line = if is_end {
            format!("\r{:width$}\r", "", width = line.len())
        } else {
            line
        };
        let _ = err.write_all(line.as_bytes()).and_then(|()| err.flush());
    }
}

fn print(matrices: &[EndpointMatrix], format: &Format) -> Result<(), CliError> {
    let document = match matrices {
        [one] => report::shaped(one, format)?,
        several => report::shaped(&several, format)?,
    };
    let text = document.unwrap_or_else(|| {
        let all = matrices.iter();
        let all = all.map(|matrix| report::endpoint_matrix::text(matrix, None));
        all.collect::<Vec<_>>().join("\n")
    });
    Ok(output::print(&text)?)
}

fn status(matrices: &[EndpointMatrix]) -> u8 {
    let cells = || {
        matrices
            .iter()
            .flat_map(|matrix| matrix.rows.iter().flat_map(|row| &row.cells))
    };
    let probed = |cell: &Cell| matches!(cell, Cell::Probed { .. });
    if cells().any(|cell| probed(cell) && !cell.is_served()) {
        EXIT_FOUND
    } else if cells().all(probed) {
        EXIT_OK
    } else {
        EXIT_COULD_NOT
    }
}

/// Again and again, until it is cancelled.
async fn watch(
    job: &Job<'_>,
    transports: &Arc<Transports>,
    target: &ProbeTarget,
    planning: Planning,
    made: &Made,
    every: Duration,
) -> Result<u8, CliError> {
    let cluster = transports.cluster().clone();
    let mut snapshots = cluster.watch(job.cancel);
    let mut history = History::default();
    let mut log: Vec<String> = Vec::new();
    let on_screen = job.args.output.is_text() && std::io::stdout().is_terminal();
    let mut transports = Arc::clone(transports);
    let mut next = Some(planning);
    let mut last = Vec::new();
    let mut first = true;
    while !job.cancel.is_cancelled() {
        let began = Instant::now();
        if let Some(planning) = next.take() {
            let matrices = round(job, &transports, planning, made).await?;
            if job.cancel.is_cancelled() {
                break;
            }
            let mut changes = Vec::new();
            for matrix in &matrices {
                changes.extend(history.take(matrix));
            }
            last = matrices;
            let now = Timestamp::now();
            let changes: Vec<String> = changes
                .into_iter()
                .map(|change| format!("{} {change}", now.strftime("%H:%M:%S")))
                .collect();
            show(
                &last,
                &history,
                &mut log,
                &changes,
                on_screen,
                first,
                &job.args.output,
            )?;
            first = false;
        }
        let pause = every.saturating_sub(began.elapsed());
        let waited = job.cancel.run_until_cancelled(tokio::time::sleep(pause));
        if waited.await.is_none() {
            break;
        }
        // The watch has had a round's time to begin; where it has nothing, the objects of before count.
        let ready = |snapshot: &Arc<ngf_core::model::snapshot::Snapshot>| {
            snapshot
                .kinds
                .values()
                .all(|state| *state != ngf_core::model::snapshot::KindState::Loading)
        };
        let newest = tokio::time::timeout(READ, snapshots.wait_for(ready)).await;
        if let Ok(Ok(snapshot)) = newest {
            transports = Arc::new(Transports::new(cluster.clone(), Arc::clone(&snapshot)));
        }
        match job.planning(transports.snapshot(), target) {
            Ok(planning) => next = Some(planning),
            Err(why) => {
                let line = format!("{} {why}", Timestamp::now().strftime("%H:%M:%S"));
                if log.last().is_none_or(|last| last[8..] != line[8..]) {
                    show(
                        &[],
                        &history,
                        &mut log,
                        &[line],
                        on_screen,
                        false,
                        &job.args.output,
                    )?;
                }
            }
        }
    }
    Ok(status(&last))
}

/// On a terminal the whole picture, drawn over the one before; elsewhere the first picture, and then
/// what changes. As JSON, a line a round.
#[allow(clippy::fn_params_excessive_bools)] // each says where it is shown
fn show(
    matrices: &[EndpointMatrix],
    history: &History,
    log: &mut Vec<String>,
    changes: &[String],
    on_screen: bool,
    first: bool,
    format: &Format,
) -> Result<(), CliError> {
    let mut text = String::new();
    if !format.is_text() {
        for matrix in matrices {
            // One document a line, so that it can be read line by line.
            let document = match format {
                Format::Json => Some(serde_json::to_string(matrix)? + "\n"),
                Format::Yaml => report::shaped(matrix, format)?.map(|yaml| format!("---\n{yaml}")),
                _ => report::shaped(matrix, format)?,
            };
            text.push_str(&document.unwrap_or_default());
        }
        return Ok(output::print(&text)?);
    }
    if on_screen || first {
        for matrix in matrices {
            text.push_str(&report::endpoint_matrix::text(matrix, Some(history)));
        }
    }
    log.extend(changes.iter().cloned());
    let kept = log.len().saturating_sub(LOG);
    log.drain(..kept);
    let lines: &[String] = if on_screen { log } else { changes };
    for line in lines {
        text.push_str(&report::clean(line));
        text.push('\n');
    }
    if on_screen {
        // From the top left, and nothing of the picture before.
        text.insert_str(0, "\x1b[H\x1b[2J");
    }
    Ok(output::print(&text)?)
}
