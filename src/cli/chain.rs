//! `chain`: what expires first of all that traffic depends on, and what breaks then.

use jiff::Timestamp;

use super::{
    CliError, EXIT_COULD_NOT, EXIT_FOUND, EXIT_OK,
    args::{ChainArgs, InputArgs},
    check::{nothing_could_be_read, read, style},
    drawn, output, target,
};
use crate::report::{self, Format, chain, table};
use ngf_core::diagnosis::{Evidence, timeline::Timeline};

/// Runs it.
pub(super) async fn run(input: &InputArgs, args: &ChainArgs) -> Result<u8, CliError> {
    if let Some(what) = &args.inspect {
        let what = inspected(what, &args.targets)?;
        return super::inspect::run(input, args, &what).await;
    }
    // What is wrong with the words alone needs no cluster.
    target::joined(&args.targets)?;
    let (snapshot, namespace, evidence, now) = match &input.bundle {
        Some(path) => {
            let opened = super::bundle::open(path)?;
            let namespace = "default".to_owned();
            (opened.snapshot, namespace, opened.evidence, opened.at)
        }
        None => {
            let (snapshot, namespace) = read(input, args.timeout).await?;
            (snapshot, namespace, Evidence::none(), Timestamp::now())
        }
    };
    let selector = args.selector.as_ref();
    let targets = target::targets(&args.targets, selector, &snapshot, &namespace)?;
    let targets = target::pairs(&targets);
    let only = Some(targets.as_slice()).filter(|targets| !targets.is_empty());
    let at = args.at.unwrap_or(now);
    let timeline = Timeline::limited_to(only, &snapshot, &evidence, now, at);
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

/// What `--inspect` names: `TYPE/NAME`, `TYPE NAME` as kubectl writes it, or a file.
fn inspected(what: &str, names: &[String]) -> Result<String, String> {
    match names {
        [] => Ok(what.to_owned()),
        [name] if !what.contains('/') => Ok(format!("{what}/{name}")),
        _ => Err(
            "--inspect takes one object or file: secret/NAME, configmap/NAME or FILE".to_owned(),
        ),
    }
}
