//! `probe --tls-scan`: what a backend accepts, and whether nginx's defaults lie inside.

use ngf_probes::{dial::Direct, spec::Options, tls_scan::measure};
use tokio_util::sync::CancellationToken;

use super::{
    CliError, EXIT_COULD_NOT, EXIT_FOUND, EXIT_OK,
    args::{InputArgs, ProbeArgs},
    connect, live, output, probe, target,
};
use crate::report::{
    self, Format,
    tls_scan::{LIST_SCHEMA, Report, Reports},
};

/// Runs it; backends one after the other, each at several offers at a time.
pub(super) async fn run(input: &InputArgs, args: &ProbeArgs) -> Result<u8, CliError> {
    let options = connect::options(args)?;
    let target = target::only(&args.targets)?;
    let reports = match (&args.connect, &args.server_name, &target) {
        (Some(address), Some(name), _) => {
            let spec = connect::spec(args, address, name)?;
            Reports {
                schema: LIST_SCHEMA,
                scans: vec![Report {
                    scan: measure(&spec, &options, &Direct, &CancellationToken::new()).await?,
                    plan: None,
                }],
                not_run: Vec::new(),
            }
        }
        (_, _, Some(target)) => of_target(input, args, target, &options).await?,
        _ => return Err(probe::NAME_SOMETHING.into()),
    };
    print(&reports, &args.output)?;
    let served: Vec<Option<bool>> = reports.scans.iter().map(Report::is_served).collect();
    Ok(if served.contains(&Some(false)) {
        EXIT_FOUND
    } else if served.contains(&None) || !reports.not_run.is_empty() {
        EXIT_COULD_NOT
    } else {
        EXIT_OK
    })
}

async fn of_target(
    input: &InputArgs,
    args: &ProbeArgs,
    target: &str,
    options: &Options,
) -> Result<Reports, CliError> {
    live::guarded(args, async |job| {
        let found = job.find(input, target).await?;
        let (prober, by) = (job.prober(&found), job.by(&found));
        let mut reports = Reports {
            schema: LIST_SCHEMA,
            scans: Vec::new(),
            not_run: found.refused().collect(),
        };
        for plan in &found.planning.plans {
            let name = format!(
                "{} at {}:{}",
                plan.service, plan.endpoint.address, plan.endpoint.port
            );
            if plan.tls.is_none() {
                let why = "nginx speaks plain HTTP to it, so there is nothing to offer";
                reports.not_run.push(format!("{name}: {why}"));
                continue;
            }
            match prober.measure(plan, &by, options, job.cancel).await {
                Ok(scan) => reports.scans.push(Report {
                    scan,
                    plan: Some(plan.clone()),
                }),
                Err(why) => reports.not_run.push(format!("{name}: {why}")),
            }
        }
        if reports.scans.is_empty() {
            return Err(reports.not_run.join("; ").into());
        }
        Ok(reports)
    })
    .await
}

/// One scan is printed as itself, several as a list.
fn print(reports: &Reports, format: &Format) -> Result<(), CliError> {
    let document = match (&*reports.scans, &*reports.not_run) {
        ([one], []) => report::shaped(one, format)?,
        _ => report::shaped(reports, format)?,
    };
    let text = document.unwrap_or_else(|| {
        let all: Vec<String> = reports.scans.iter().map(Report::text).collect();
        all.join("\n────\n\n")
    });
    output::print(&text)?;
    if format.is_text() {
        for why in &reports.not_run {
            output::say(&format!("not measured: {why}"));
        }
    }
    Ok(())
}
