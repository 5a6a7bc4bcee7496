//! `probe -o mermaid`, `probe -o svg` and `chain -o svg`: diagrams for tickets.

use super::{CliError, args::ProbeArgs};
use crate::{
    diagram::{Story, mermaid, svg},
    report::probe::{Report, Reports},
};
use ngf_core::diagnosis::timeline::Timeline;

/// What is said where a diagram is asked for of something that has none.
const ONE_HANDSHAKE: &str =
    "-o mermaid and -o svg draw handshakes: leave --tls-scan, --all and --watch out";

/// Whether what is asked for can be drawn, where a diagram is.
///
/// # Errors
/// Where one is asked for that cannot be.
pub(super) fn check(args: &ProbeArgs) -> Result<(), CliError> {
    let is_asked = args.output.is_drawn();
    if is_asked && (args.tls_scan || args.way.all || args.way.watch.is_some()) {
        return Err(ONE_HANDSHAKE.into());
    }
    Ok(())
}

/// Handshakes as Mermaid: one is a diagram by itself, several are blocks of Markdown.
pub(super) fn as_mermaid(reports: &Reports, connect: Option<&Story>) -> String {
    let all: Vec<(String, String)> = stories(reports, connect)
        .map(|(report, story)| {
            (
                story.backend.clone(),
                mermaid::handshake(&report.transcript, &story),
            )
        })
        .collect();
    match all.as_slice() {
        [(_, one)] => one.clone(),
        several => several
            .iter()
            .map(|(backend, one)| format!("{backend}\n\n```mermaid\n{one}```\n"))
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

/// Handshakes as one picture.
pub(super) fn as_svg(reports: &Reports, connect: Option<&Story>) -> String {
    let all: Vec<_> = stories(reports, connect).collect();
    let all: Vec<_> = all
        .iter()
        .map(|(report, story)| (&report.transcript, story))
        .collect();
    svg::handshakes(&all)
}

/// Each probe with what it is about.
fn stories<'a>(
    reports: &'a Reports,
    connect: Option<&'a Story>,
) -> impl Iterator<Item = (&'a Report, Story)> {
    reports.probes.iter().filter_map(move |report| {
        let of_plan = report.plan.as_ref().map(Story::from);
        Some((report, of_plan.or_else(|| connect.cloned())?))
    })
}

/// Both directions of trust of every connection, as one picture.
pub(super) fn chains(timeline: &Timeline) -> String {
    let pictures: Vec<_> = timeline
        .paths
        .iter()
        .map(|path| path.picture.clone())
        .collect();
    svg::chains(&pictures, "ngf-tui chain")
}
