//! What `check` prints, in the format that was asked for. The formats that grow with the cluster are written as they
//! are made: JSON, YAML, HTML and JUnit name every path, the others little more than the findings.

use std::io::Write;

use super::{
    CliError,
    args::CheckArgs,
    check::{Examined, fail_on, style},
    output::Text,
};
use crate::{
    files,
    report::{self, Format},
};

/// Writes the report.
pub(super) fn write(
    found: &Examined,
    args: &CheckArgs,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let (snapshot, diagnosis, unread) = (&found.snapshot, &found.diagnosis, &found.unread);
    let format = &args.output;
    if *format == Format::Html {
        report::html::write_check(
            &mut Text(out),
            diagnosis,
            &found.timeline(),
            unread,
            found.at,
        );
        return Ok(());
    }
    if report::write_shaped(&report::json::Report::of(diagnosis, unread), format, out)? {
        return Ok(());
    }
    let sources = report::source::Sources::of(diagnosis, snapshot, files::excerpt);
    let text = match format {
        Format::Junit => {
            let fail_on = fail_on(args);
            report::junit::write_with(&mut Text(out), diagnosis, fail_on, unread, &sources)?;
            return Ok(());
        }
        Format::Wide => report::table::findings(&diagnosis.findings),
        Format::Name => report::table::names_of_findings(&diagnosis.findings),
        Format::Sarif => report::sarif::render(diagnosis, unread, &sources)?,
        Format::Markdown => report::markdown::render_as_read(diagnosis, unread),
        _ => report::text::render_as_read(diagnosis, style(), unread, &sources),
    };
    Ok(out.write_all(text.as_bytes())?)
}
