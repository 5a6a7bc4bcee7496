//! `chain`: what expires first of all that traffic depends on, and what breaks then.

use jiff::Timestamp;

use super::{
    CliError, EXIT_COULD_NOT, EXIT_FOUND, EXIT_OK,
    args::{ChainArgs, InputArgs},
    check::{nothing_could_be_read, read, style},
    drawn, output,
};
use crate::report::{self, Format, chain, table};
use ngf_core::diagnosis::{Evidence, timeline::Timeline};

/// Runs it.
pub(super) async fn run(input: &InputArgs, args: &ChainArgs) -> Result<u8, CliError> {
    if let Some(what) = &args.inspect {
        return super::inspect::run(input, args, what).await;
    }
    let (snapshot, evidence, now) = match &input.bundle {
        Some(path) => {
            let opened = super::bundle::open(path)?;
            (opened.snapshot, opened.evidence, opened.at)
        }
        None => {
            let snapshot = read(input, args.timeout).await?;
            (snapshot, Evidence::none(), Timestamp::now())
        }
    };
    let timeline = Timeline::of(&snapshot, &evidence, now, args.at.unwrap_or(now));
    let text = match report::shaped(&chain::JsonReport::of(&timeline), &args.output)? {
        Some(text) => text,
        None => match args.output {
            Format::Wide => table::certificates(&timeline),
            Format::Svg => drawn::chains(&timeline),
            Format::Name => table::names_of_certificates(&timeline),
            _ => chain::text(&timeline, now, style()),
        },
    };
    output::print(&text)?;
    for problem in &snapshot.problems {
        output::say(&format!("{}: {}", problem.place, problem.message));
    }
    Ok(if nothing_could_be_read(&snapshot) {
        EXIT_COULD_NOT
    } else if timeline.is_anything_invalid() {
        EXIT_FOUND
    } else {
        EXIT_OK
    })
}
