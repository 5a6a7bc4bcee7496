//! `logs`: what logs say, counted, with the connections and findings that it belongs to.

use std::{collections::BTreeMap, fmt::Write as _};

use jiff::Timestamp;
use ngf_text::sanitize;
use serde::Serialize;

use super::clean;
use ngf_core::{
    diagnosis::{Diagnosis, Evidence, joined::Joined, words},
    logs::{Counted, Decoded, PodLog, Role},
    model::{index::Index, snapshot::Snapshot},
};
use ngf_text::host_and_port;

/// The `schema` of every report that this version writes.
pub const SCHEMA: &str = "ngf-tui/logs/v1";
/// Columns of the picture of an hour.
const COLUMNS: usize = 12;
/// Things that are printed of each log.
const MOST: usize = 40;

/// What is printed.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct Report {
    schema: &'static str,
    /// What could not be read, and why.
    missing: Vec<String>,
    logs: Vec<Log>,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Log {
    role: Role,
    gateway: Option<String>,
    pod: String,
    container: String,
    since: Timestamp,
    lines: u64,
    /// Those of them that nginx or NGF has written, by their shape; nothing is said of the others.
    known: u64,
    /// How often clients got each status of 400 or more, by the access log.
    refused: BTreeMap<u16, u64>,
    left_out: u64,
    /// The oldest lines are missing.
    cut: bool,
    /// When nginx last loaded a configuration.
    reloaded: Option<Timestamp>,
    said: Vec<ReportedLine>,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct ReportedLine {
    means: String,
    /// What of the cluster it is about: endpoints with their Service and routes.
    about: Vec<String>,
    /// The findings that rest on it.
    findings: Vec<&'static str>,
    count: u64,
    first: Timestamp,
    last: Timestamp,
    /// Minutes since 1970, and how often in each.
    per_minute: Vec<(i64, u32)>,
    last_line: Decoded,
}

impl Report {
    /// Puts what was read beside what it is about.
    pub fn of(
        snapshot: &Snapshot,
        evidence: &Evidence,
        mut missing: Vec<String>,
        now: Timestamp,
    ) -> Self {
        let diagnosis = Diagnosis::of(snapshot, evidence, now);
        let index = Index::of(snapshot);
        let joined =
            ngf_core::diagnosis::joined::join(snapshot, &index, &diagnosis.topology, evidence);
        let mut logs = Vec::new();
        for log in evidence.logs() {
            match &log.failed {
                Some(why) => missing.push(format!("{}: {why}", log.place())),
                None => logs.push(Log::of(log, &joined, &diagnosis)),
            }
        }
        logs.sort_by(|a, b| (a.role, &a.pod).cmp(&(b.role, &b.pod)));
        Self {
            schema: SCHEMA,
            missing,
            logs,
        }
    }

    /// Whether nothing at all could be read.
    pub fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    /// Whether an access log has answers of nginx for a backend that gave none.
    pub fn fails_clients(&self) -> bool {
        self.logs.iter().any(Log::fails_clients)
    }

    /// What could not be read, and why, a sentence each.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// Human-readable.
    pub fn text(&self, now: Timestamp) -> String {
        let mut text = String::new();
        for log in &self.logs {
            log.write(&mut text, now);
        }
        text
    }
}

impl Log {
    fn of(log: &PodLog, joined: &[Joined<'_>], diagnosis: &Diagnosis) -> Self {
        let said = log.tally.newest_first().into_iter().map(|counted| {
            let joined = joined
                .iter()
                .find(|joined| std::ptr::eq(joined.counted, counted));
            ReportedLine::of(log, counted, joined, diagnosis)
        });
        Self {
            role: log.role,
            gateway: log.gateway.as_ref().map(ToString::to_string),
            pod: log.pod.path(),
            container: log.container.clone(),
            since: log.since,
            lines: log.tally.lines,
            known: log.tally.known,
            refused: log.tally.refused.clone(),
            left_out: log.tally.left_out,
            cut: log.cut,
            reloaded: log.tally.reloaded,
            said: said.collect(),
        }
    }

    fn write(&self, text: &mut String, now: Timestamp) {
        let whose = match (&self.gateway, self.role) {
            (Some(gateway), _) => format!("data plane of {gateway}"),
            (None, Role::Controller) => "control plane".to_owned(),
            (None, Role::DataPlane) => "data plane".to_owned(),
            (None, Role::Application) => "backend".to_owned(),
        };
        let past = words::span(now.as_second() - self.since.as_second());
        let _ = writeln!(
            text,
            "Pod {} ({}), {whose}: {} in {past}{}",
            clean(&self.pod),
            clean(&self.container),
            words::count(count(self.lines), "line"),
            if self.cut {
                ", the older ones not read"
            } else {
                ""
            },
        );
        if let Some(at) = self.reloaded {
            let ago = words::span(now.as_second() - at.as_second());
            let _ = writeln!(text, "  nginx loaded its configuration {ago} ago");
        }
        let faults: Vec<&ReportedLine> = self
            .said
            .iter()
            .filter(|said| said.last_line.is_fault())
            .collect();
        if faults.is_empty() {
            let _ = writeln!(text, "  {}", self.no_faults());
        }
        for said in faults.iter().take(MOST) {
            said.write(text, now);
        }
        let more = faults.len().saturating_sub(MOST);
        if more > 0 {
            let _ = writeln!(
                text,
                "  and {} (-o json has all)",
                words::count(more, "other thing")
            );
        }
        if self.left_out > 0 {
            let _ = writeln!(
                text,
                "  {} lines more of other kinds were not kept",
                self.left_out
            );
        }
        if let Some(got) = self.got() {
            let _ = writeln!(text, "  {got}");
        }
        let others = self.lines.saturating_sub(self.known);
        if others > 0 && self.known > 0 {
            let _ = writeln!(
                text,
                "  {others} of {} are not of nginx or NGF, and were not judged",
                words::count(count(self.lines), "line")
            );
        }
        text.push('\n');
    }

    /// What is said of a log without a fault.
    fn no_faults(&self) -> String {
        match (self.lines, self.known) {
            (0, _) => "no lines".to_owned(),
            (_, 0) => "not judged: no line is of nginx or NGF".to_owned(),
            _ if self.fails_clients() => "no causes found".to_owned(),
            (lines, known) if known < lines => {
                format!(
                    "no problems found in {}",
                    words::count(count(known), "line")
                )
            }
            _ => "no problems found".to_owned(),
        }
    }

    /// Whether nginx answered clients as it does where a backend gave no answer.
    fn fails_clients(&self) -> bool {
        [502, 504]
            .iter()
            .any(|status| self.refused.contains_key(status))
    }

    /// What clients got, where that can come from TLS or from a backend without an answer.
    fn got(&self) -> Option<String> {
        let told = |status: u16| matches!(status, 400 | 421 | 444 | 495..=497 | 500..);
        let all: Vec<String> = self
            .refused
            .iter()
            .filter(|(status, _)| told(**status))
            .map(|(status, times)| format!("{status} ({times}x)"))
            .collect();
        let got = (!all.is_empty()).then(|| words::list(&all, 8))?;
        Some(format!(
            "clients got {got}, by the access log; the error log of the same moments says why"
        ))
    }
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl ReportedLine {
    fn of(
        log: &PodLog,
        counted: &Counted,
        joined: Option<&Joined<'_>>,
        diagnosis: &Diagnosis,
    ) -> Self {
        let mut about: Vec<String> = joined
            .into_iter()
            .flat_map(|joined| &joined.plans)
            .map(|plan| {
                format!(
                    "{} of {}:{}, {}",
                    host_and_port(&plan.endpoint.address, plan.endpoint.port),
                    plan.service,
                    plan.port,
                    plan.route
                )
            })
            .collect();
        about.dedup();
        let upstream = counted.last_line.request.upstream.as_ref();
        // Without any object nothing is known of what routes lead to.
        let is_known = !diagnosis.topology.is_empty();
        if let (true, Some(upstream), true) = (about.is_empty(), upstream, joined.is_some()) {
            about.push(if is_known {
                format!("{upstream}, which no route leads to now")
            } else {
                upstream.to_string()
            });
        }
        let place = log.place();
        let findings = diagnosis.findings.iter().filter(|finding| {
            let mut evidence = finding.evidence.iter();
            evidence.any(|line| line.place == place && line.value == counted.last_line.text)
        });
        let mut findings: Vec<&'static str> =
            findings.map(|finding| finding.code.as_str()).collect();
        findings.dedup();
        Self {
            means: sanitize::line(&counted.last_line.means_in(log.role), 400),
            about,
            findings,
            count: counted.count,
            first: counted.first,
            last: counted.last,
            per_minute: counted.per_minute.iter().map(|(m, n)| (*m, *n)).collect(),
            last_line: counted.last_line.clone(),
        }
    }

    fn write(&self, text: &mut String, now: Timestamp) {
        let ago = words::span(now.as_second() - self.last.as_second());
        let codes = if self.findings.is_empty() {
            String::new()
        } else {
            format!("  {}", self.findings.join(" "))
        };
        let _ = writeln!(
            text,
            "  {:>6}x  {}  last {ago} ago{codes}\n           {}",
            self.count,
            self.picture(now),
            clean(&self.means),
        );
        for about in self.about.iter().take(3) {
            let _ = writeln!(text, "           {}", clean(about));
        }
        if self.about.len() > 3 {
            let more = self.about.len() - 3;
            let _ = writeln!(text, "           and {}", words::count(more, "connection"));
        }
    }

    /// The past hour, five minutes a column.
    fn picture(&self, now: Timestamp) -> String {
        let end = now.as_second().div_euclid(60);
        let mut columns = [0_u32; COLUMNS];
        for (minute, count) in &self.per_minute {
            let back = usize::try_from((end - minute).max(0) / 5).unwrap_or(usize::MAX);
            if back < COLUMNS {
                let column = &mut columns[COLUMNS - 1 - back];
                *column = column.saturating_add(*count);
            }
        }
        let most = columns.iter().copied().max().unwrap_or(0).max(1);
        let marks = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        columns
            .iter()
            .map(|count| match count {
                0 => '·',
                count => marks[((count * 7).div_ceil(most) as usize).min(7)],
            })
            .collect()
    }
}
