//! `check -o junit`: one testsuite a Gateway, as Jenkins and GitLab read it. A finding is a testcase
//! that fails (or is skipped, where evidence is missing); a rule that found nothing is one that
//! passes.

mod xml;

use std::{
    collections::BTreeSet,
    fmt::{self, Write},
};

use super::{
    FailOn, clean,
    compare::Comparison,
    source::{Location, Sources},
};
use ngf_core::{
    diagnosis::{
        Code, Diagnosis, Finding, Hidden, Severity, Untested, Verdict,
        hidden::missed_by,
        registry::{RULES, only_probes_show},
        suppress::{Filtered, Suppressed},
        words::count,
    },
    model::topology::NodeKind,
};

use xml::{write_all, written};

/// The report. What `fail_on` names is a failure, and what is less is told in a passing testcase.
pub fn render(diagnosis: &Diagnosis, fail_on: FailOn) -> String {
    render_as_read(diagnosis, fail_on, &[])
}

/// The same, where `unread` says why objects could not be read: an error each, and no rule passes.
pub fn render_as_read(diagnosis: &Diagnosis, fail_on: FailOn, unread: &[String]) -> String {
    render_with(diagnosis, fail_on, unread, &Sources::default())
}

/// The same, with file and line of each finding as far as they are known.
pub fn render_with(
    diagnosis: &Diagnosis,
    fail_on: FailOn,
    unread: &[String],
    sources: &Sources,
) -> String {
    written(|xml| write_with(xml, diagnosis, fail_on, unread, sources))
}

/// The same, written as it is made.
///
/// # Errors
/// Those of `xml`.
pub fn write_with(
    xml: &mut dyn Write,
    diagnosis: &Diagnosis,
    fail_on: FailOn,
    unread: &[String],
    sources: &Sources,
) -> fmt::Result {
    if !unread.is_empty() {
        return write_all(xml, "ngf-tui check", &[unreadable(unread)]);
    }
    let mut suites = Vec::new();
    let mut told = BTreeSet::new();
    let topology = &diagnosis.topology;
    let places = topology
        .roots()
        .iter()
        .flat_map(|root| topology.subtree(*root));
    for place in places {
        let node = topology.node(place);
        if !matches!(node.what, NodeKind::Gateway) {
            continue;
        }
        let below = diagnosis.findings_below(place);
        told.extend(below.iter().copied());
        let findings = below
            .iter()
            .filter_map(|index| Some((diagnosis.findings.get(*index)?, sources.get(*index))));
        let name = node
            .object
            .as_ref()
            .map_or_else(|| clean(&node.name), |object| clean(&object.to_string()));
        let mut suite = Suite::of(name, findings, fail_on);
        for untested in &diagnosis.coverage.untested {
            if Some(&untested.path.gateway) == node.object.as_ref() {
                suite.add_untested(untested);
            }
        }
        suites.push(suite);
    }
    let others = diagnosis
        .findings
        .iter()
        .enumerate()
        .filter(|(index, _)| !told.contains(index))
        .map(|(index, finding)| (finding, sources.get(index)));
    let others = Suite::of("everything else".to_owned(), others, fail_on);
    if suites.is_empty() || !others.cases.is_empty() {
        suites.push(others);
    }
    for suite in &mut suites {
        suite.add_passed(&diagnosis.hidden, &diagnosis.filtered);
    }
    suites.extend(hidden_suite(&diagnosis.hidden));
    suites.extend(filtered_suite(&diagnosis.filtered));
    write_all(xml, "ngf-tui check", &suites)
}

/// The report of a comparison: only what is new fails; what the change fixes passes, as does, with
/// its words, what it leaves.
pub fn comparison(comparison: &Comparison, fail_on: FailOn) -> String {
    comparison_with(comparison, fail_on, &Sources::default())
}

/// The same, with file and line of what is new.
pub fn comparison_with(comparison: &Comparison, fail_on: FailOn, sources: &Sources) -> String {
    let new = comparison.new.iter().enumerate();
    let new = new.map(|(index, finding)| (finding, sources.get(index)));
    let mut new = Suite::of("new".to_owned(), new, fail_on);
    new.add_passed(&[], &comparison.filtered);
    let mut suites = vec![new];
    if !comparison.gone.is_empty() {
        let cases = comparison.gone.iter().map(|finding| Case {
            class: finding.code.into(),
            name: subject(finding),
            location: None,
            result: CaseResult::Passed {
                out: Some(format!("fixed: {}", clean(&finding.title))),
            },
        });
        suites.push(Suite {
            name: "fixed".to_owned(),
            cases: cases.collect(),
            codes: BTreeSet::new(),
            untested: 0,
        });
    }
    let same = comparison.same.iter().map(|finding| (finding, None));
    let mut same = Suite::of("as before".to_owned(), same, FailOn::Never);
    same.cases
        .retain(|case| !matches!(case.result, CaseResult::Skipped(_)));
    if !same.cases.is_empty() {
        suites.push(same);
    }
    suites.extend(filtered_suite(&comparison.filtered));
    written(|xml| write_all(xml, "ngf-tui check --over", &suites))
}

struct Suite {
    name: String,
    cases: Vec<Case>,
    codes: BTreeSet<Code>,
    /// Paths that were not tested.
    untested: usize,
}

struct Case {
    class: String,
    name: String,
    location: Option<Location>,
    result: CaseResult,
}

/// A suite that says what the user's rights hide.
fn hidden_suite(hidden: &[Hidden]) -> Option<Suite> {
    let case = |hidden: &Hidden| Case {
        class: "rights".to_owned(),
        name: clean(&format!("may be read: {}", hidden.phrase)),
        location: None,
        result: CaseResult::Skipped(clean(&format!("hidden by RBAC: {}", hidden.advice()))),
    };
    (!hidden.is_empty()).then(|| Suite {
        cases: hidden.iter().map(case).collect(),
        ..Suite::new("hidden by RBAC".to_owned())
    })
}

/// A suite that says which findings somebody accepted, and which entries have ended.
fn filtered_suite(filtered: &Filtered) -> Option<Suite> {
    let accepted = filtered
        .suppressed
        .iter()
        .map(|Suppressed { finding, by }| {
            let until = by
                .until
                .map_or_else(String::new, |until| format!(" until {until}"));
            let why = match by.reason.as_str() {
                "" => by.place.clone(),
                reason => format!("{reason} ({})", by.place),
            };
            Case {
                class: finding.code.into(),
                name: subject(finding),
                location: None,
                result: CaseResult::Skipped(clean(&format!("suppressed{until}: {why}"))),
            }
        });
    let ended = filtered.expired.iter().map(|by| Case {
        class: by.code.into(),
        name: clean(&format!("suppression in force: {}", by.place)),
        location: None,
        result: CaseResult::Passed {
            out: Some(clean(&format!(
                "expired on {}: {}",
                by.until.map_or_else(String::new, |until| until.to_string()),
                by.reason
            ))),
        },
    });
    let cases: Vec<Case> = accepted.chain(ended).collect();
    (!cases.is_empty()).then(|| Suite {
        cases,
        ..Suite::new("suppressed".to_owned())
    })
}

/// A suite that says what could not be read.
fn unreadable(unread: &[String]) -> Suite {
    let case = |why: &String| Case {
        class: "input".to_owned(),
        name: "the objects can be read".to_owned(),
        location: None,
        result: CaseResult::Error(clean(why)),
    };
    Suite {
        cases: unread.iter().map(case).collect(),
        ..Suite::new("input".to_owned())
    }
}

enum CaseResult {
    Passed {
        out: Option<String>,
    },
    Skipped(String),
    /// The check itself could not be made.
    Error(String),
    Failed {
        kind: &'static str,
        message: String,
        text: String,
    },
}

impl Suite {
    fn new(name: String) -> Self {
        Self {
            name,
            cases: Vec::new(),
            codes: BTreeSet::new(),
            untested: 0,
        }
    }

    fn add_untested(&mut self, untested: &Untested) {
        let path = &untested.path;
        self.untested += 1;
        self.cases.push(Case {
            class: "path".to_owned(),
            name: clean(&format!(
                "{} rule {} to {}:{}",
                path.route, path.rule, path.service, path.port
            )),
            location: None,
            result: CaseResult::Skipped(clean(&match super::command_of(untested) {
                Some(command) => format!("not tested: {} ({command})", untested.why),
                None => format!("not tested: {}", untested.why),
            })),
        });
    }

    fn of<'f>(
        name: String,
        findings: impl IntoIterator<Item = (&'f Finding, Option<&'f Location>)>,
        fail_on: FailOn,
    ) -> Self {
        let mut suite = Self::new(name);
        for (finding, location) in findings {
            suite.codes.insert(finding.code);
            suite.cases.push(Case {
                class: finding.code.into(),
                name: subject(finding),
                location: location.cloned(),
                result: result(finding, fail_on, location),
            });
        }
        suite
    }

    fn add_passed(&mut self, hidden: &[Hidden], filtered: &Filtered) {
        for rule in RULES {
            if !self.codes.contains(&rule.code) && filtered.tells_of(rule.code) {
                // What only a handshake shows has not passed where none was made.
                let result = if self.untested > 0 && only_probes_show(rule.code) {
                    let paths = count(self.untested, "path");
                    CaseResult::Skipped(format!("{paths} not tested"))
                } else if let Some(hidden) = missed_by(hidden, rule) {
                    CaseResult::Skipped(clean(&format!("hidden by RBAC: {}", hidden.phrase)))
                } else {
                    CaseResult::Passed { out: None }
                };
                self.cases.push(Case {
                    class: rule.code.into(),
                    name: rule.title.to_owned(),
                    location: None,
                    result,
                });
            }
        }
    }

    fn count(&self, of: impl Fn(&CaseResult) -> bool) -> usize {
        self.cases.iter().filter(|case| of(&case.result)).count()
    }
}

fn subject(finding: &Finding) -> String {
    let about = match &finding.input {
        Some(input) => clean(input),
        None => clean(&finding.subject.to_string()),
    };
    format!("{about}: {}", clean(&finding.title))
}

fn result(finding: &Finding, fail_on: FailOn, location: Option<&Location>) -> CaseResult {
    let limit = match fail_on {
        FailOn::Never => None,
        FailOn::Error => Some(Severity::Error),
        FailOn::Warning | FailOn::Unknown => Some(Severity::Warning),
    };
    let text = words(finding, location);
    match finding.verdict {
        Verdict::Unknown => CaseResult::Skipped(clean(&finding.title)),
        Verdict::Fail if limit.is_some_and(|limit| finding.severity <= limit) => {
            CaseResult::Failed {
                kind: match finding.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                    Severity::Info => "info",
                },
                message: clean(&finding.title),
                text,
            }
        }
        Verdict::Fail => CaseResult::Passed {
            out: Some(format!("{}: {text}", finding.severity)),
        },
    }
}

fn words(finding: &Finding, location: Option<&Location>) -> String {
    let mut text = clean(&finding.title);
    if let Some(location) = location {
        let _ = write!(text, "\n{}:{}", clean(&location.file), location.line);
        for line in location.excerpt.iter().flat_map(|excerpt| excerpt.lines()) {
            let _ = write!(text, "\n    {line}");
        }
    }
    for line in &finding.detail {
        let _ = write!(text, "\n{}", clean(line));
    }
    for line in &finding.evidence {
        let _ = write!(
            text,
            "\n{}: {} ({})",
            clean(&line.what),
            clean(&line.value),
            clean(&line.place)
        );
    }
    if let Some(remedy) = &finding.remedy {
        let _ = write!(text, "\nfix: {}", clean(&remedy.summary));
        let how = remedy.command.iter().chain(&remedy.yaml);
        for line in how.flat_map(|text| text.lines()) {
            let _ = write!(text, "\n  {}", clean(line));
        }
    }
    let _ = write!(text, "\n{}", super::explain::url(finding.code));
    text
}

#[cfg(test)]
mod tests {
    use super::xml::{attribute, escaped};

    #[test]
    fn text_cannot_leave_its_element() {
        assert_eq!(
            escaped("</failure><a b=\"c\">&\u{1}\u{ffff}"),
            "&lt;/failure&gt;&lt;a b=&quot;c&quot;&gt;&amp;\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn an_attribute_keeps_its_lines() {
        let xml = format!("<a b=\"{}\"/>", attribute("one\ntwo\tthree \"four\""));
        let parsed = roxmltree::Document::parse(&xml).expect("XML");
        assert_eq!(
            parsed.root_element().attribute("b"),
            Some("one\ntwo\tthree \"four\"")
        );
    }
}
