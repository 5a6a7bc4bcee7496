//! `probe`: a live handshake, from the command line's own words or from the cluster's objects.

use std::time::Duration;

use futures::StreamExt;
use ngf_probes::{dial::Direct, probe as run_probe};
use tokio_util::sync::CancellationToken;

use super::{
    CliError, EXIT_COULD_NOT, EXIT_FOUND, EXIT_OK,
    args::{InputArgs, Output, ProbeArgs},
    connect, live, output,
};
use crate::{
    cluster::Cluster,
    diagnosis::plan::ProbePlan,
    report::probe::{LIST_SCHEMA, Report, Reports},
    world::run_plan,
};

/// How many probes run at a time.
const AT_A_TIME: usize = 16;

/// Runs it.
pub(super) async fn run(input: &InputArgs, args: &ProbeArgs) -> Result<u8, CliError> {
    let cancel = CancellationToken::new();
    let reports = match (&args.connect, &args.server_name, &args.target) {
        (Some(address), Some(name), _) => {
            let spec = connect::spec(args, address, name)?;
            let transcript = run_probe(&spec, &Direct, &cancel).await?;
            Reports {
                schema: LIST_SCHEMA,
                probes: vec![Report {
                    transcript,
                    plan: None,
                    way: None,
                }],
                not_run: Vec::new(),
            }
        }
        (_, _, Some(target)) => {
            if !input.files.is_empty() {
                return Err(
                    "a live probe needs a cluster: leave -f out, or name an address with --connect"
                        .into(),
                );
            }
            return live::run(input, args, target).await;
        }
        _ => {
            return Err(
                "name what to probe, or an address with --connect and --server-name".into(),
            );
        }
    };
    finish(&reports, args.output)
}

/// Prints what was seen, and says what the program's exit status is.
pub(super) fn finish(reports: &Reports, format: Output) -> Result<u8, CliError> {
    print(reports, format)?;
    let could_not = !reports.not_run.is_empty();
    let all_served = reports.probes.iter().all(Report::is_served);
    Ok(match (all_served, could_not) {
        (false, _) => EXIT_FOUND,
        (true, true) => EXIT_COULD_NOT,
        (true, false) => EXIT_OK,
    })
}

/// A plan with what the command line says otherwise.
pub(super) fn adjusted(mut plan: ProbePlan, args: &ProbeArgs) -> ProbePlan {
    if let Some(host) = &args.host {
        plan.host.clone_from(host);
    }
    if let Some(path) = &args.path {
        plan.path.clone_from(path);
    }
    plan
}

/// Runs plans, several at a time; results are in the order of the plans.
pub(super) async fn run_plans(
    cluster: &Cluster,
    plans: Vec<ProbePlan>,
    timeout: Duration,
    cancel: &CancellationToken,
) -> Reports {
    let one = |plan: ProbePlan| async move {
        let result = run_plan(cluster, &plan, timeout, cancel).await;
        (plan, result)
    };
    let results: Vec<_> = futures::stream::iter(plans)
        .map(one)
        .buffered(AT_A_TIME)
        .collect()
        .await;
    let mut reports = Reports {
        schema: LIST_SCHEMA,
        probes: Vec::new(),
        not_run: Vec::new(),
    };
    for (plan, result) in results {
        match result {
            Ok(transcript) => reports.probes.push(Report {
                transcript,
                plan: Some(plan),
                way: None,
            }),
            Err(why) => reports.not_run.push(format!(
                "{} at {}:{}: {why}",
                plan.service, plan.endpoint.address, plan.endpoint.port
            )),
        }
    }
    reports
}

/// One probe is printed as itself, several as a list.
fn print(reports: &Reports, format: Output) -> Result<(), CliError> {
    let text = match (
        format,
        reports.probes.as_slice(),
        reports.not_run.as_slice(),
    ) {
        (Output::Json, [one], []) => serde_json::to_string_pretty(one)? + "\n",
        (Output::Json, ..) => serde_json::to_string_pretty(reports)? + "\n",
        (Output::Text, probes, _) => probes
            .iter()
            .map(Report::text)
            .collect::<Vec<_>>()
            .join("\n────\n\n"),
    };
    output::print(&text)?;
    if format == Output::Text {
        for why in &reports.not_run {
            output::say(&format!("not probed: {why}"));
        }
    }
    Ok(())
}
