//! JUnit's XML.

use std::fmt::{self, Write};

use super::super::{clean, source::Location};

use super::{Case, CaseResult, Suite};

/// What is written, as one text.
pub(super) fn written(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut xml = String::new();
    // A text takes everything.
    let _ = write(&mut xml);
    xml
}

pub(super) fn write_all(xml: &mut dyn Write, name: &str, suites: &[Suite]) -> fmt::Result {
    let failed = |result: &CaseResult| matches!(result, CaseResult::Failed { .. });
    let skipped = |result: &CaseResult| matches!(result, CaseResult::Skipped(_));
    let error = |result: &CaseResult| matches!(result, CaseResult::Error(_));
    let tests: usize = suites.iter().map(|suite| suite.cases.len()).sum();
    let failures: usize = suites.iter().map(|suite| suite.count(failed)).sum();
    let errors: usize = suites.iter().map(|suite| suite.count(error)).sum();
    writeln!(xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        xml,
        "<testsuites name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">",
        attribute(name)
    )?;
    for suite in suites {
        writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">",
            attribute(&suite.name),
            suite.cases.len(),
            suite.count(failed),
            suite.count(error),
            suite.count(skipped)
        )?;
        for case in &suite.cases {
            write_case(xml, case)?;
        }
        writeln!(xml, "  </testsuite>")?;
    }
    writeln!(xml, "</testsuites>")
}

fn write_case(xml: &mut dyn Write, case: &Case) -> fmt::Result {
    let head = format!(
        "    <testcase classname=\"{}\" name=\"{}\"",
        attribute(&case.class),
        attribute(&case.name)
    );
    let head = match &case.location {
        Some(Location { file, line, .. }) => {
            let file = attribute(&clean(file));
            format!("{head} file=\"{file}\" line=\"{line}\"")
        }
        None => head,
    };
    match &case.result {
        CaseResult::Passed { out: None } => writeln!(xml, "{head}/>"),
        CaseResult::Passed { out: Some(out) } => writeln!(
            xml,
            "{head}>\n      <system-out>{}</system-out>\n    </testcase>",
            escaped(out)
        ),
        CaseResult::Skipped(why) => writeln!(
            xml,
            "{head}>\n      <skipped message=\"{}\"/>\n    </testcase>",
            attribute(why)
        ),
        CaseResult::Error(why) => writeln!(
            xml,
            "{head}>\n      <error message=\"{}\"/>\n    </testcase>",
            attribute(why)
        ),
        CaseResult::Failed {
            kind,
            message,
            text,
        } => writeln!(
            xml,
            "{head}>\n      <failure type=\"{kind}\" message=\"{}\">{}</failure>\n    </testcase>",
            attribute(message),
            escaped(text)
        ),
    }
}

/// Text for XML 1.0: markup escaped, and characters that XML does not have replaced.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// The same for an attribute, where a parser takes line feeds and tabs for spaces (XML 1.0, 3.3.3).
pub(super) fn attribute(text: &str) -> String {
    escaped(text).replace('\n', "&#10;").replace('\t', "&#9;")
}
