//! `check` as text: the causes first, then the tree. Readable at 80 columns.

mod comparison;

use std::fmt::Write as _;

use super::{
    clean,
    source::{Location, Sources},
};
use ngf_core::{
    command::{self, Command},
    diagnosis::{
        Code, Diagnosis, Finding, Health, Severity, Verdict,
        words::{count, list},
    },
    model::topology::NodeIx,
};
use ngf_ui::text::{Label, wrap_after};

pub use comparison::comparison;

pub(super) const BOLD: u8 = 1;
pub(super) const RED: u8 = 31;
pub(super) const GREY: u8 = 90;
pub(super) const GREEN: u8 = 32;
pub(super) const YELLOW: u8 = 33;
pub(super) const MAGENTA: u8 = 35;
const CYAN: u8 = 36;

/// Output format.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// With ANSI colours.
    pub colour: bool,
    /// Columns to keep within; at least 40.
    pub width: usize,
}

impl Style {
    /// Without colours, and without an end of a line: for files and pipes.
    pub const fn endless() -> Self {
        Self {
            colour: false,
            width: usize::MAX,
        }
    }
}

impl Default for Style {
    fn default() -> Self {
        Self {
            colour: false,
            width: 80,
        }
    }
}

/// Causes from which on a report is a wall: it begins with one line for each, tells of effects no more
/// than what they are, and folds the parts of the tree in which nothing was found.
const WALL: usize = 8;
/// Objects that the overview names of one kind of cause.
const PLACES: usize = 4;
/// Columns before a line of the overview.
const INDEX: usize = 11;

/// The report as text.
pub fn render(diagnosis: &Diagnosis, style: Style) -> String {
    render_as_read(diagnosis, style, &[], &Sources::default())
}

/// The same, where `unread` says why objects could not be read, and `sources` where in files the causes are.
pub fn render_as_read(
    diagnosis: &Diagnosis,
    style: Style,
    unread: &[String],
    sources: &Sources,
) -> String {
    let causes = causes(&diagnosis.findings).count();
    let mut printer = Printer::new(style, causes >= WALL, sources);
    if printer.is_wall {
        printer.overview(&diagnosis.findings);
    }
    printer.findings(&diagnosis.findings);
    if !diagnosis.findings.is_empty() {
        printer.out.push('\n');
    }
    printer.tree(diagnosis);
    if !diagnosis.topology.is_empty() {
        printer.out.push('\n');
    }
    printer.summary(&diagnosis.findings);
    for line in super::coverage_lines(&diagnosis.coverage) {
        printer.wrapped("", 0, 2, &line);
    }
    if let Some(line) = super::hidden_line(&diagnosis.hidden) {
        printer.wrapped("", 0, 2, &line);
    }
    for line in super::filtered_lines(&diagnosis.filtered) {
        printer.wrapped("", 0, 2, &line);
    }
    if !unread.is_empty() {
        let what = "Nothing is known of the cluster: what the report needs could not be read.";
        printer.wrapped("", 0, 2, what);
    }
    if printer.is_wall {
        printer.first(&diagnosis.findings);
    }
    printer.pages(&diagnosis.findings);
    printer.out
}

/// The findings that nothing else causes, and that say that something is wrong or not known.
fn causes(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings
        .iter()
        .filter(|finding| finding.caused_by.is_none() && finding.severity != Severity::Info)
}

struct Printer<'s> {
    out: String,
    colour: bool,
    width: usize,
    is_wall: bool,
    /// Where in files the findings are.
    sources: &'s Sources,
}

impl<'s> Printer<'s> {
    fn new(style: Style, is_wall: bool, sources: &'s Sources) -> Self {
        Self {
            out: String::new(),
            colour: style.colour,
            width: style.width.max(40),
            is_wall,
            sources,
        }
    }

    fn headed(&mut self, heading: &str, findings: &[Finding], is_mended: bool) {
        if findings.is_empty() {
            return;
        }
        let _ = writeln!(
            self.out,
            "\n{heading} {}:\n",
            count(findings.len(), "finding")
        );
        for finding in findings {
            let glyph = if is_mended {
                self.paint("✓", GREEN)
            } else {
                self.glyph(finding)
            };
            let indent = "  ".repeat(depth_of(finding, findings));
            let lead = format!("{indent}{glyph} {}  ", finding.code);
            let first = indent.len() + finding.code.as_str().len() + 4;
            self.wrapped(&lead, first, indent.len() + 4, &clean(&finding.title));
        }
    }

    /// How much there is of what, and each kind of cause once, with where it is.
    fn overview(&mut self, findings: &[Finding]) {
        self.summary(findings);
        self.out.push('\n');
        let mut kinds: Vec<(Code, Vec<&Finding>)> = Vec::new();
        for finding in causes(findings) {
            match kinds.iter_mut().find(|(code, _)| *code == finding.code) {
                Some((_, all)) => all.push(finding),
                None => kinds.push((finding.code, vec![finding])),
            }
        }
        for (code, all) in kinds {
            let what = code.rule().title;
            let times = match all.len() {
                1 => String::new(),
                times => format!(" ({times} times)"),
            };
            let lead = format!("{} {code:<8} ", self.glyph(all[0]));
            self.wrapped(&lead, INDEX, INDEX, &format!("{what}{times}"));
            let places = all.iter().map(|finding| match &finding.input {
                Some(input) => clean(input),
                None => clean(&finding.subject.to_string()),
            });
            let pad = " ".repeat(INDEX);
            self.wrapped(&pad, INDEX, INDEX, &list(places, PLACES));
        }
        self.out.push('\n');
    }

    /// Where to begin.
    fn first(&mut self, findings: &[Finding]) {
        let Some(first) = causes(findings).next() else {
            return;
        };
        let lead = format!("Begin with {}: ", first.code);
        self.wrapped(&lead, lead.len(), 2, &clean(&first.title));
        let explain = Command::own().words(["explain", first.code.as_str()]);
        let fix = command::own("fix");
        let more = match explain.text() {
            Ok(explain) => format!("{explain} says more; {fix} lists what can be applied."),
            Err(_) => format!("{fix} lists what can be applied."),
        };
        self.wrapped("", 0, 2, &more);
    }

    /// The pages about the codes of the causes, each once; of a wall only the first. An address is never wrapped.
    fn pages(&mut self, findings: &[Finding]) {
        let mut codes: Vec<Code> = Vec::new();
        for finding in causes(findings) {
            if !codes.contains(&finding.code) {
                codes.push(finding.code);
            }
        }
        let most = if self.is_wall { 1 } else { codes.len() };
        for code in codes.into_iter().take(most) {
            let _ = writeln!(self.out, "About {code}: {}", super::explain::url(code));
        }
    }

    fn findings(&mut self, findings: &[Finding]) {
        for (index, finding) in findings.iter().enumerate() {
            let depth = depth_of(finding, findings);
            // Each cause stands apart, with its effects below it.
            if depth == 0 && index > 0 {
                self.out.push('\n');
            }
            // What is wrong with an input names its place itself.
            let is_told = depth > 0 || finding.input.is_some();
            let source = self.sources.get(index).filter(|_| !is_told);
            self.finding(finding, depth, source);
        }
    }

    fn finding(&mut self, finding: &Finding, depth: usize, source: Option<&Location>) {
        let indent = "  ".repeat(depth);
        let glyph = self.glyph(finding);
        let arrow = if depth > 0 { "so: " } else { "" };
        let lead = format!("{indent}{glyph} {}  ", finding.code);
        let hanging = indent.len() + 2;
        let first = indent.len() + 2 + finding.code.as_str().len() + 2;
        let text = format!("{arrow}{}", clean(&finding.title));
        let emphasis = (depth == 0).then_some(BOLD);
        self.wrapped_as(emphasis, &lead, first, hanging + 2, &text);
        let pad = " ".repeat(hanging + 2);
        if let Some(Location { file, line, .. }) = source {
            // A terminal opens it where it stays in one piece.
            let _ = writeln!(self.out, "{pad}at {}:{line}", clean(file));
        }
        // Whoever removes the cause is done with its effects.
        let is_brief = self.is_wall && depth > 0;
        if !is_brief {
            for line in &finding.detail {
                self.wrapped(&pad, pad.len(), pad.len(), &clean(line));
            }
            for line in &finding.evidence {
                let text = format!(
                    "{}: {} ({})",
                    clean(&line.what),
                    clean(&line.value),
                    clean(&line.place)
                );
                let lead = format!("{pad}· ");
                self.wrapped(&lead, pad.len() + 2, pad.len() + 2, &text);
            }
        }
        for line in &finding.effects {
            let lead = format!("{pad}→ ");
            self.wrapped(&lead, pad.len() + 2, pad.len() + 2, &clean(line));
        }
        if let Some(remedy) = finding.remedy.as_ref().filter(|_| !is_brief) {
            let lead = format!("{pad}{} ", self.paint("fix:", GREEN));
            self.wrapped(&lead, pad.len() + 5, pad.len() + 5, &clean(&remedy.summary));
            for line in remedy
                .command
                .iter()
                .chain(&remedy.yaml)
                .flat_map(|t| t.lines())
            {
                let _ = writeln!(self.out, "{pad}     {}", clean(line));
            }
        }
    }

    fn glyph(&self, finding: &Finding) -> String {
        self.paint(glyph_of(finding), severity_colour(finding))
    }

    fn tree(&mut self, diagnosis: &Diagnosis) {
        for root in diagnosis.topology.roots() {
            self.node(diagnosis, *root, "", "");
        }
    }

    fn node(&mut self, diagnosis: &Diagnosis, place: NodeIx, branch: &str, below: &str) {
        let node = diagnosis.topology.node(place);
        let health = diagnosis.health(place);
        let glyph = self.paint(health_glyph(health), health_colour(health));
        let mut label = match node.what.word() {
            "group" | "endpoint" | "rule" => clean(&node.name),
            "route" => {
                let kind = node
                    .object
                    .as_ref()
                    .map_or("route", |object| object.kind.name());
                format!("{kind} {}", clean(&node.name))
            }
            word => format!("{word} {}", clean(&node.name)),
        };
        if let Some(note) = &node.note {
            label.push_str("  ");
            label.push_str(&clean(note));
        }
        let codes: Vec<&str> = diagnosis
            .findings_at(place)
            .iter()
            .filter_map(|index| diagnosis.findings.get(*index))
            .filter(|finding| finding.severity != Severity::Info)
            .map(|finding| finding.code.as_str())
            .collect();
        if !codes.is_empty() {
            label.push_str("  [");
            label.push_str(&dedup(codes).join(" "));
            label.push(']');
        }
        let folded =
            self.is_wall && !node.children.is_empty() && diagnosis.findings_below(place).is_empty();
        if folded {
            let _ = write!(
                label,
                "  … {} below",
                diagnosis.topology.subtree(place).count() - 1
            );
        }
        let lead = format!("{branch}{glyph} ");
        let hanging = branch.chars().count() + 2;
        self.wrapped_tree(&lead, hanging, below, &label);
        if folded {
            return;
        }
        let last = node.children.len().saturating_sub(1);
        for (index, child) in node.children.iter().enumerate() {
            let (joint, rest) = if index == last {
                ("└ ", "  ")
            } else {
                ("├ ", "│ ")
            };
            self.node(
                diagnosis,
                *child,
                &format!("{below}{joint}"),
                &format!("{below}{rest}"),
            );
        }
    }

    /// How much there is of what.
    fn summary(&mut self, findings: &[Finding]) {
        let proven = |severity: Severity| {
            findings
                .iter()
                .filter(|finding| finding.severity == severity && finding.verdict == Verdict::Fail)
                .count()
        };
        let unknown = findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Unknown)
            .count();
        let _ = writeln!(
            self.out,
            "{}, {}, {unknown} unknown; {} in all",
            count(proven(Severity::Error), "error"),
            count(proven(Severity::Warning), "warning"),
            count(causes(findings).count(), "cause")
        );
    }

    fn wrapped(&mut self, lead: &str, first: usize, hanging: usize, text: &str) {
        self.wrapped_as(None, lead, first, hanging, text);
    }

    fn wrapped_as(
        &mut self,
        emphasis: Option<u8>,
        lead: &str,
        first: usize,
        hanging: usize,
        text: &str,
    ) {
        let pad = " ".repeat(hanging);
        for (index, line) in wrap(text, self.width, first, hanging).iter().enumerate() {
            let lead = if index == 0 { lead } else { &pad };
            let line = match emphasis {
                Some(code) if !line.is_empty() => self.paint(line, code),
                _ => line.clone(),
            };
            let _ = writeln!(self.out, "{}", format!("{lead}{line}").trim_end());
        }
    }

    fn wrapped_tree(&mut self, lead: &str, hanging: usize, below: &str, text: &str) {
        let width = hanging;
        let pad_width = below.chars().count();
        let pad = format!(
            "{below}{}",
            " ".repeat((width + 2).saturating_sub(pad_width))
        );
        for (index, line) in wrap(text, self.width, width, width + 2).iter().enumerate() {
            let lead = if index == 0 { lead } else { &pad };
            let _ = writeln!(self.out, "{}", format!("{lead}{line}").trim_end());
        }
    }

    fn paint(&self, text: &str, colour: u8) -> String {
        if self.colour {
            format!("\u{1b}[{colour}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

fn depth_of(finding: &Finding, all: &[Finding]) -> usize {
    std::iter::successors(finding.caused_by, |cause| {
        all.get(*cause).and_then(|cause| cause.caused_by)
    })
    .take(8)
    .count()
}

fn dedup(mut codes: Vec<&str>) -> Vec<&str> {
    codes.dedup();
    codes
}

/// Lines of at most `width` cells, of which `first` are taken before the first one and `hanging` before the
/// others.
pub(super) fn wrap(text: &str, width: usize, first: usize, hanging: usize) -> Vec<String> {
    const LEAST: usize = 20;
    if width == usize::MAX {
        return vec![text.to_owned()];
    }
    let room = |taken: usize| width.saturating_sub(taken).max(LEAST);
    let lines = wrap_after(&text.to_owned().into(), room(first), room(hanging));
    lines.iter().map(Label::plain).collect()
}

fn glyph_of(finding: &Finding) -> &'static str {
    match (finding.verdict, finding.severity) {
        (Verdict::Unknown, _) => "?",
        (Verdict::Fail, Severity::Error) => "✗",
        (Verdict::Fail, Severity::Warning) => "!",
        (Verdict::Fail, Severity::Info) => "i",
    }
}

fn severity_colour(finding: &Finding) -> u8 {
    match (finding.verdict, finding.severity) {
        (Verdict::Unknown, _) => MAGENTA,
        (Verdict::Fail, Severity::Error) => RED,
        (Verdict::Fail, Severity::Warning) => YELLOW,
        (Verdict::Fail, Severity::Info) => CYAN,
    }
}

fn health_glyph(health: Health) -> &'static str {
    match health {
        Health::NotOurs => "·",
        Health::Ok => "✓",
        Health::Unknown => "?",
        Health::Warning => "!",
        Health::Broken => "✗",
    }
}

fn health_colour(health: Health) -> u8 {
    match health {
        Health::NotOurs => GREY,
        Health::Ok => GREEN,
        Health::Unknown => MAGENTA,
        Health::Warning => YELLOW,
        Health::Broken => RED,
    }
}
