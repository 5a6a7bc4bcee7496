//! `probe`: a live handshake, from the command line's own words or from the cluster's objects.

use std::sync::{Mutex, PoisonError};

use futures::StreamExt;
use jiff::Timestamp;
use ngf_probes::{dial::Direct, settle_demand};
use tokio_util::sync::CancellationToken;

use super::{
    CliError, EXIT_COULD_NOT, EXIT_FOUND, EXIT_OK,
    args::{InputArgs, ProbeArgs},
    connect::{self, ConnectError},
    drawn, live, output,
    pcap::PcapFile,
    target, tls_scan,
};
use crate::diagram::Story;
use crate::report::{
    self, Format,
    probe::{LIST_SCHEMA, Report, Reports},
};
use ngf_cluster::prober::Extras;
use ngf_core::diagnosis::plan::ProbePlan;

/// What the command line asks a probe to do in addition to what nginx does.
fn extras(args: &ProbeArgs) -> Result<Extras, ConnectError> {
    Ok(Extras {
        options: connect::options(args)?,
        at: args.at,
        captures: args.pcap.is_some().then(Mutex::default),
        steps: None,
    })
}

/// Runs it.
pub(super) async fn run(input: &InputArgs, args: &ProbeArgs) -> Result<u8, CliError> {
    drawn::check(args)?;
    if args.tls_scan {
        return tls_scan::run(input, args).await;
    }
    let mut connect_to: Option<Story> = None;
    let cancel = CancellationToken::new();
    let extras = extras(args)?;
    let file = args.pcap.as_deref().map(PcapFile::create).transpose()?;
    let target = target::only(&args.targets)?;
    let reports = match (&args.connect, &args.server_name, &target) {
        (Some(address), Some(name), _) => {
            let spec = connect::spec(args, address, name)?;
            connect_to = Some(Story::from(&spec));
            let mut transcript = extras.run(spec.clone(), None, &Direct, &cancel).await?;
            if extras.may_ask_again() {
                settle_demand(&mut transcript, &spec, &Direct, &cancel).await;
            }
            Reports {
                schema: LIST_SCHEMA,
                probes: vec![Report {
                    transcript,
                    plan: None,
                    way: None,
                    context: None,
                }],
                not_run: Vec::new(),
            }
        }
        (_, _, Some(target)) if args.way.all || args.way.watch.is_some() => {
            return live::matrix(input, args, target).await;
        }
        (_, _, Some(target)) => live::probe_target(input, args, target, &extras).await?,
        _ => return Err(NAME_SOMETHING.into()),
    };
    print(&reports, args, connect_to.as_ref())?;
    if let (Some(file), Some(captures)) = (file, &extras.captures) {
        let captures = captures.lock().unwrap_or_else(PoisonError::into_inner);
        output::say(&file.write(&captures)?);
    }
    let could_not =
        !reports.not_run.is_empty() || reports.probes.iter().any(|probe| !probe.is_proven());
    let all_served = reports
        .probes
        .iter()
        .all(|probe| probe.is_served() || !probe.is_proven());
    Ok(match (all_served, could_not) {
        (false, _) => EXIT_FOUND,
        (true, true) => EXIT_COULD_NOT,
        (true, false) => EXIT_OK,
    })
}

/// What is said where nothing is named.
pub(super) const NAME_SOMETHING: &str =
    "name what to probe, or an address with --connect and --server-name";

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

/// Runs plans, so many at a time; results are in the order of the plans.
pub(super) async fn collect(
    plans: Vec<ProbePlan>,
    at_a_time: usize,
    run: impl AsyncFn(&ProbePlan) -> Result<Report, String>,
) -> Reports {
    let run = &run;
    let one = |plan: ProbePlan| async move {
        let result = run(&plan).await;
        (plan, result)
    };
    let results: Vec<_> = futures::stream::iter(plans)
        .map(one)
        .buffered(at_a_time)
        .collect()
        .await;
    let mut reports = Reports {
        schema: LIST_SCHEMA,
        probes: Vec::new(),
        not_run: Vec::new(),
    };
    for (plan, result) in results {
        match result {
            Ok(report) => reports.probes.push(report),
            Err(why) => reports.not_run.push(format!(
                "{} at {}:{}: {why}",
                plan.service, plan.endpoint.address, plan.endpoint.port
            )),
        }
    }
    reports
}

/// One probe is printed as itself, several as a list.
fn print(reports: &Reports, args: &ProbeArgs, connect: Option<&Story>) -> Result<(), CliError> {
    let document = match (reports.probes.as_slice(), reports.not_run.as_slice()) {
        ([one], []) => report::shaped(one, &args.output)?,
        _ => report::shaped(reports, &args.output)?,
    };
    let style = output::style();
    let in_words = |report: &Report| {
        if args.records {
            report.text_with_records(style)
        } else {
            report.text(style)
        }
    };
    let text = document.unwrap_or_else(|| match args.output {
        Format::Mermaid => drawn::as_mermaid(reports, connect),
        Format::Svg => drawn::as_svg(reports, connect),
        Format::Html => report::html::probes(reports, Timestamp::now()),
        _ => {
            let all: Vec<String> = reports.probes.iter().map(in_words).collect();
            all.join("\n────\n\n")
        }
    });
    output::print(&text)?;
    if args.output.is_text() || args.output.is_drawn() {
        for why in &reports.not_run {
            output::say(&format!("not probed: {why}"));
        }
    }
    Ok(())
}
