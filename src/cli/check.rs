//! `check`: the tree with its health and findings, without a terminal.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    CliError, EXIT_COULD_NOT, EXIT_FOUND, EXIT_OK,
    args::{CheckArgs, FailOn, InputArgs, Output},
    connect_to, output,
};
use crate::{
    diagnosis::{Diagnosis, Evidence},
    files,
    model::{
        kind::Kind,
        snapshot::{KindState, Snapshot, Source},
    },
    report,
};

/// Runs it.
pub(super) async fn run(input: &InputArgs, args: &CheckArgs) -> Result<u8, CliError> {
    let snapshot = read(input, args.timeout).await?;
    let diagnosis = Diagnosis::of(&snapshot, &Evidence::none(), Timestamp::now());
    output::print(&render(&diagnosis, &snapshot, args.output)?)?;
    for problem in &snapshot.problems {
        output::say(&format!("{}: {}", problem.place, problem.message));
    }
    if nothing_could_be_read(&snapshot) {
        return Ok(EXIT_COULD_NOT);
    }
    let fail_on = match args.fail_on {
        FailOn::Error => report::FailOn::Error,
        FailOn::Warning => report::FailOn::Warning,
        FailOn::Never => report::FailOn::Never,
    };
    Ok(if fail_on.exit_code(&diagnosis) == 0 {
        EXIT_OK
    } else {
        EXIT_FOUND
    })
}

/// What `check` prints.
pub(super) fn render(
    diagnosis: &Diagnosis,
    _: &Snapshot,
    format: Output,
) -> Result<String, serde_json::Error> {
    match format {
        Output::Text => {
            let style = report::text::Style {
                colour: output::colour(),
                width: usize::from(output::width()),
            };
            Ok(report::text::render(diagnosis, style))
        }
        Output::Json => report::json::render(diagnosis).map(|mut json| {
            json.push('\n');
            json
        }),
    }
}

/// The objects of a cluster or of files.
pub(super) async fn read(input: &InputArgs, timeout: Duration) -> Result<Snapshot, CliError> {
    if input.files.is_empty() {
        let cluster = connect_to(input).await?;
        return Ok(cluster.snapshot(timeout).await);
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
