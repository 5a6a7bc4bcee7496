//! `check` for people: the causes first, then the tree. Readable at 80 columns.

use std::fmt::Write as _;

use super::{clean, compare::Comparison};
use crate::{
    diagnosis::{Diagnosis, Finding, Health, Severity, Verdict},
    files::over::Laid,
    model::topology::NodeIx,
};

/// How to print.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// With ANSI colours.
    pub colour: bool,
    /// Columns to keep within; at least 40.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            colour: false,
            width: 80,
        }
    }
}

/// The report as text.
pub fn render(diagnosis: &Diagnosis, style: Style) -> String {
    let mut printer = Printer {
        out: String::new(),
        colour: style.colour,
        width: style.width.max(40),
    };
    printer.findings(diagnosis);
    printer.tree(diagnosis);
    printer.summary(diagnosis);
    printer.out
}

/// The report of a comparison as text: what is new in full, the rest by title.
pub fn comparison(comparison: &Comparison, style: Style) -> String {
    let mut printer = Printer {
        out: String::new(),
        colour: style.colour,
        width: style.width.max(40),
    };
    let _ = writeln!(
        printer.out,
        "Laid over the cluster: {} new, {} changed, {} as before.",
        plural(comparison.count(Laid::New), "object"),
        comparison.count(Laid::Changed),
        comparison.count(Laid::Same)
    );
    for why in &comparison.refused {
        printer.wrapped("✗ ", 2, 2, &format!("refused: {}", clean(why)));
    }
    printer.headed("This brings", &comparison.new, true);
    printer.headed("This takes away", &comparison.gone, false);
    printer.headed("As before", &comparison.same, false);
    if comparison.new.is_empty() && comparison.refused.is_empty() {
        printer.out.push_str("\nIt brings nothing that is wrong.\n");
    }
    printer.out
}

struct Printer {
    out: String,
    colour: bool,
    width: usize,
}

impl Printer {
    fn headed(&mut self, heading: &str, findings: &[Finding], in_full: bool) {
        if findings.is_empty() {
            return;
        }
        let _ = writeln!(
            self.out,
            "\n{heading} {}:",
            plural(findings.len(), "finding")
        );
        for finding in findings {
            if in_full {
                self.finding(finding, 0);
                continue;
            }
            let glyph = self.paint(glyph_of(finding), severity_colour(finding));
            let lead = format!("{glyph} {}  ", finding.code);
            let hanging = finding.code.len() + 4;
            self.wrapped(&lead, hanging, hanging, &clean(&finding.title));
        }
    }

    fn findings(&mut self, diagnosis: &Diagnosis) {
        for finding in &diagnosis.findings {
            let depth = depth_of(finding, &diagnosis.findings);
            self.finding(finding, depth);
        }
        if !diagnosis.findings.is_empty() {
            self.out.push('\n');
        }
    }

    fn finding(&mut self, finding: &Finding, depth: usize) {
        let indent = "  ".repeat(depth);
        let glyph = self.paint(glyph_of(finding), severity_colour(finding));
        let arrow = if depth > 0 { "so: " } else { "" };
        let lead = format!("{indent}{glyph} {}  ", finding.code);
        let hanging = indent.len() + 2;
        let first = indent.len() + 2 + finding.code.len() + 2;
        let text = format!("{arrow}{}", clean(&finding.title));
        self.wrapped(&lead, first, hanging + 2, &text);
        let pad = " ".repeat(hanging + 2);
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
        for line in &finding.effects {
            let lead = format!("{pad}→ ");
            self.wrapped(&lead, pad.len() + 2, pad.len() + 2, &clean(line));
        }
        if let Some(remedy) = &finding.remedy {
            let lead = format!("{pad}fix: ");
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
            .map(|finding| finding.code)
            .collect();
        if !codes.is_empty() {
            label.push_str("  [");
            label.push_str(&dedup(codes).join(" "));
            label.push(']');
        }
        let lead = format!("{branch}{glyph} ");
        let hanging = branch.chars().count() + 2;
        self.wrapped_tree(&lead, hanging, below, &label);
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

    fn summary(&mut self, diagnosis: &Diagnosis) {
        let unknown = diagnosis
            .findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Unknown)
            .count();
        let errors = diagnosis.count(Severity::Error);
        let warnings = diagnosis.count(Severity::Warning);
        let causes = diagnosis
            .findings
            .iter()
            .filter(|finding| finding.caused_by.is_none() && finding.severity != Severity::Info)
            .count();
        if !diagnosis.topology.is_empty() {
            self.out.push('\n');
        }
        let _ = writeln!(
            self.out,
            "{}, {}, {unknown} unknown; {} in all",
            plural(errors, "error"),
            plural(warnings, "warning"),
            plural(causes, "cause")
        );
    }

    fn wrapped(&mut self, lead: &str, first: usize, hanging: usize, text: &str) {
        let pad = " ".repeat(hanging);
        for (index, line) in wrap(text, self.width, first, hanging).iter().enumerate() {
            let lead = if index == 0 { lead } else { &pad };
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

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Breaks text at spaces; a word longer than the line is broken where it must be.
pub(super) fn wrap(text: &str, width: usize, first: usize, hanging: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    let mut room = width.saturating_sub(first).max(20);
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let space = usize::from(!line.is_empty());
            if used + space + word.len() <= room {
                if space == 1 {
                    line.push(' ');
                }
                line.extend(&word);
                used += space + word.len();
                break;
            }
            let next = width.saturating_sub(hanging).max(20);
            if line.is_empty() || word.len() > next && room.saturating_sub(used) > 20 {
                let take = room.saturating_sub(used + space).min(word.len());
                if space == 1 {
                    line.push(' ');
                }
                line.extend(word.drain(..take));
            }
            lines.push(std::mem::take(&mut line));
            used = 0;
            room = next;
        }
    }
    lines.push(line);
    lines
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
        (Verdict::Unknown, _) => 35,
        (Verdict::Fail, Severity::Error) => 31,
        (Verdict::Fail, Severity::Warning) => 33,
        (Verdict::Fail, Severity::Info) => 36,
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
        Health::NotOurs => 90,
        Health::Ok => 32,
        Health::Unknown => 35,
        Health::Warning => 33,
        Health::Broken => 31,
    }
}
