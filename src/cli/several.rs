//! `check` on several contexts at once: each is read, measured and judged by itself, and one that cannot be reached
//! hides nothing of the others.

use std::io::Write;

use serde::Serialize;

use super::{
    CliError, EXIT_COULD_NOT, EXIT_FOUND, EXIT_OK,
    args::{CheckArgs, InputArgs},
    check::{Examined, examine, status, tell_problems},
    output, printed,
};
use crate::report::{self, Format, clean, json};
use ngf_core::diagnosis::suppress::Filter;
use ngf_text::words::list;

/// The `schema` of the report.
pub(super) const SCHEMA: &str = "ngf-tui/checks/v1";

/// The reports of several contexts.
#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct Reports<'a> {
    schema: &'static str,
    /// The contexts, in the order of the command line.
    contexts: Vec<OfContext<'a>>,
}

/// The report of one context.
#[derive(Serialize, schemars::JsonSchema)]
struct OfContext<'a> {
    /// The context of the kubeconfig.
    context: String,
    /// What was found; `null` where the context could not be read.
    report: Option<json::Report<'a>>,
    /// Why it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Runs it.
pub(super) async fn run(
    input: &InputArgs,
    args: &CheckArgs,
    filter: &Filter,
) -> Result<u8, CliError> {
    if args.over || args.listen.is_some() || args.store.is_some() {
        return Err("--over, --listen and --store take one --context".into());
    }
    let shapes = matches!(
        args.output,
        Format::Text | Format::Json | Format::Yaml | Format::JsonPath(_)
    );
    if !shapes {
        return Err(
            "with several contexts the output format is text, json, yaml or jsonpath: run check once for each context"
                .into(),
        );
    }
    let one = |context: String| {
        let input = InputArgs {
            context: Some(context.clone()),
            ..input.clone()
        };
        async move {
            let context = clean(&context);
            let found = examine(&input, args, filter).await;
            let found = found.map_err(|why| clean(&ngf_text::in_words(why.as_ref())));
            (context, found)
        }
    };
    let found = futures::future::join_all(input.contexts.iter().cloned().map(one)).await;
    let statuses: Vec<u8> = found
        .iter()
        .map(|(_, found)| match found {
            Ok(found) => status(found, input, args),
            Err(_) => EXIT_COULD_NOT,
        })
        .collect();
    output::stream(|out| write(&found, &statuses, args, out))?;
    for (_, found) in &found {
        if let Ok(found) = found {
            tell_problems(&found.snapshot);
        }
    }
    Ok(statuses.into_iter().max().unwrap_or(EXIT_OK))
}

/// A context, and what was found or why it could not be read.
type Found = (String, Result<Examined, String>);

fn write(
    found: &[Found],
    statuses: &[u8],
    args: &CheckArgs,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let reports = Reports {
        schema: SCHEMA,
        contexts: found
            .iter()
            .map(|(context, found)| OfContext {
                context: context.clone(),
                report: found
                    .as_ref()
                    .ok()
                    .map(|found| json::Report::of(&found.diagnosis, &found.unread)),
                error: found.as_ref().err().cloned(),
            })
            .collect(),
    };
    if report::write_shaped(&reports, &args.output, out)? {
        return Ok(());
    }
    for (context, found) in found {
        match found {
            Ok(found) => {
                writeln!(out, "Context {context}\n")?;
                printed::write(found, args, out)?;
                writeln!(out)?;
            }
            Err(why) => {
                writeln!(out, "Context {context} could not be read: {why}\n")?;
            }
        }
    }
    let names = |wanted: u8| -> Vec<String> {
        let with = found.iter().zip(statuses);
        with.filter(|(_, status)| **status == wanted)
            .map(|((context, _), _)| context.clone())
            .collect()
    };
    let kinds = [
        (EXIT_OK, "passed"),
        (EXIT_FOUND, "failed"),
        (EXIT_COULD_NOT, "could not be read"),
    ];
    let ends: Vec<String> = kinds
        .into_iter()
        .map(|(status, words)| (names(status), words))
        .filter(|(names, _)| !names.is_empty())
        .map(|(names, words)| format!("{words}: {}", list(names, usize::MAX)))
        .collect();
    writeln!(out, "{} contexts; {}", found.len(), ends.join("; "))?;
    Ok(())
}
