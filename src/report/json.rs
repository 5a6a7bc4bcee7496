//! `check -o json`: schema `ngf-tui/check/v1`.

use serde::Serialize;

use super::{clean, clean_lines, compare::Comparison, lazy::Lazy};
use ngf_core::{
    diagnosis::{
        Diagnosis, Finding, Health, Hidden, Severity, Untested, Verdict,
        coverage::Path,
        finding::{EvidenceLine, ObjectChange, Remedy},
        hidden::{HiddenKind, Rule},
        suppress::{Filtered, Suppressed, Suppression},
    },
    model::{object::ObjectRef, topology::NodeIx},
    overlay::Laid,
};

/// The `schema` of every report that this version writes.
pub const SCHEMA: &str = "ngf-tui/check/v1";

/// The report of `check`.
#[derive(Serialize, schemars::JsonSchema)]
pub struct Report<'a> {
    schema: &'static str,
    summary: Summary,
    /// The paths that were not tested, and that no finding proves to be broken.
    untested: Lazy<'a, JsonUntested<'a>>,
    /// Why the objects could not be read.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    unread: &'a [String],
    /// What the user's rights hide, with the rules that would show it.
    hidden: Vec<JsonHidden<'a>>,
    findings: Lazy<'a, JsonFinding<'a>>,
    /// What options and annotations left out of the findings.
    filtered: JsonFiltered<'a>,
    tree: Lazy<'a, JsonNode<'a>>,
}

/// What options and annotations left out.
#[derive(Serialize, schemars::JsonSchema)]
struct JsonFiltered<'a> {
    suppressed: Vec<JsonSuppressed<'a>>,
    /// Entries that have ended; what they suppressed is among the findings again.
    expired: Vec<JsonSuppression<'a>>,
    /// Entries of options and files that no finding meets.
    unused: Vec<JsonSuppression<'a>>,
    /// Annotations that cannot be read, a sentence each.
    unreadable: Vec<String>,
    /// How many findings have none of the codes of `--only`.
    left_out: usize,
}

/// A finding that somebody accepted.
#[derive(Serialize, schemars::JsonSchema)]
struct JsonSuppressed<'a> {
    code: &'static str,
    docs_url: String,
    severity: Severity,
    verdict: Verdict,
    subject: Subject<'a>,
    title: String,
    by: JsonSuppression<'a>,
}

/// The decision to accept findings.
#[derive(Serialize, schemars::JsonSchema)]
struct JsonSuppression<'a> {
    /// The code, and the object where one is named.
    what: String,
    /// Empty where an option gives none.
    reason: &'a str,
    /// The last day on which it counts, in UTC.
    until: Option<String>,
    /// The option, the annotated object, or file and line.
    place: String,
}

#[derive(Serialize, schemars::JsonSchema)]
struct JsonHidden<'a> {
    what: HiddenKind,
    phrase: String,
    kinds: Vec<&'static str>,
    objects: &'a [ObjectRef],
    /// The one namespace that is read, where the others are hidden.
    read_namespace: Option<&'a str>,
    /// The API server's words.
    why: Option<String>,
    /// Where the rules belong.
    role: String,
    rules: &'a [Rule],
}

#[derive(Serialize, schemars::JsonSchema)]
struct Summary {
    health: Health,
    errors: usize,
    warnings: usize,
    infos: usize,
    unknown: usize,
    causes: usize,
    /// Paths from a Gateway to a backend; those of which at least one endpoint was tested; those of which
    /// nothing is known.
    paths: usize,
    tested_paths: usize,
    untested_paths: usize,
    /// Ready endpoints of these paths, and those that were tested.
    endpoints: usize,
    tested_endpoints: usize,
}

#[derive(Serialize, schemars::JsonSchema)]
struct JsonUntested<'a> {
    #[serde(flatten)]
    path: &'a Path,
    why: String,
    /// The command that tests it.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct JsonFinding<'a> {
    code: &'static str,
    /// The page about the code.
    docs_url: String,
    severity: Severity,
    verdict: Verdict,
    subject: Subject<'a>,
    title: String,
    detail: Vec<String>,
    evidence: Vec<EvidenceLine>,
    remedy: Option<String>,
    remedy_command: Option<String>,
    remedy_yaml: Option<String>,
    /// The remedy as changes of objects, which `ngf-tui fix` applies.
    remedy_changes: &'a [ObjectChange],
    effects: Vec<String>,
    /// The code of the finding that causes this one; `caused_by_index` is its place in the list.
    caused_by: Option<&'static str>,
    caused_by_index: Option<usize>,
}

/// `kind`, `namespace` and `name` of an object, or of an input under the kind `Input`.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(untagged)]
enum Subject<'a> {
    Object(&'a ObjectRef),
    Input {
        kind: &'static str,
        namespace: &'static str,
        name: String,
    },
}

#[derive(Serialize, schemars::JsonSchema)]
struct JsonNode<'a> {
    id: String,
    what: &'static str,
    name: String,
    note: Option<String>,
    object: Option<&'a ObjectRef>,
    health: Health,
    findings: &'a [usize],
    children: Lazy<'a, JsonNode<'a>>,
}

/// The report as indented JSON with a line end.
///
/// # Errors
/// Never for the types at hand; serde wants it said.
pub fn render(diagnosis: &Diagnosis) -> Result<String, serde_json::Error> {
    render_as_read(diagnosis, &[])
}

/// The same, where `unread` says why objects could not be read.
///
/// # Errors
/// As [`render`].
pub fn render_as_read(
    diagnosis: &Diagnosis,
    unread: &[String],
) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&Report::of(diagnosis, unread)).map(|text| text + "\n")
}

impl<'a> Report<'a> {
    /// The report; `unread` says why objects could not be read.
    pub fn of(diagnosis: &'a Diagnosis, unread: &'a [String]) -> Self {
        let findings = &diagnosis.findings;
        Self {
            schema: SCHEMA,
            summary: summary(diagnosis),
            untested: Lazy::new(diagnosis.coverage.untested.len(), || {
                diagnosis.coverage.untested.iter().map(json_untested)
            }),
            unread,
            hidden: diagnosis.hidden.iter().map(json_hidden).collect(),
            findings: all_json(findings),
            filtered: json_filtered(&diagnosis.filtered),
            tree: nodes(diagnosis, diagnosis.topology.roots()),
        }
    }
}

fn json_untested(untested: &Untested) -> JsonUntested<'_> {
    JsonUntested {
        path: &untested.path,
        why: clean(&untested.why),
        command: super::command_of(untested),
    }
}

fn json_filtered(filtered: &Filtered) -> JsonFiltered<'_> {
    let suppressed = filtered.suppressed.iter();
    JsonFiltered {
        suppressed: suppressed
            .map(|Suppressed { finding, by }| JsonSuppressed {
                code: finding.code.into(),
                docs_url: super::explain::url(finding.code),
                severity: finding.severity,
                verdict: finding.verdict,
                subject: json_subject(finding),
                title: clean(&finding.title),
                by: json_suppression(by),
            })
            .collect(),
        expired: filtered.expired.iter().map(json_suppression).collect(),
        unused: filtered.unused.iter().map(json_suppression).collect(),
        unreadable: filtered.unreadable.iter().map(|why| clean(why)).collect(),
        left_out: filtered.left_out,
    }
}

fn json_suppression(by: &Suppression) -> JsonSuppression<'_> {
    JsonSuppression {
        what: by.what(),
        reason: &by.reason,
        until: by.until.map(|until| until.to_string()),
        place: clean(&by.place),
    }
}

fn json_subject(finding: &Finding) -> Subject<'_> {
    match &finding.input {
        None => Subject::Object(&finding.subject),
        Some(input) => Subject::Input {
            kind: "Input",
            namespace: "",
            name: clean(input),
        },
    }
}

fn json_hidden(hidden: &Hidden) -> JsonHidden<'_> {
    JsonHidden {
        what: hidden.what,
        phrase: clean(&hidden.phrase),
        kinds: hidden.kinds.iter().map(|kind| kind.name()).collect(),
        objects: &hidden.objects,
        read_namespace: hidden.read_namespace.as_deref(),
        why: hidden.why.as_deref().map(clean),
        role: clean(&hidden.role()),
        rules: &hidden.rules,
    }
}

/// The `schema` of a comparison.
pub const COMPARISON_SCHEMA: &str = "ngf-tui/check-over/v1";

/// The report of `check --over`.
#[derive(Serialize, schemars::JsonSchema)]
pub struct ComparisonReport<'a> {
    schema: &'static str,
    /// Whether the change brings an error or a warning.
    breaks: bool,
    /// Whether something about it is not known.
    unsure: bool,
    /// The manifests' objects by what they are to the cluster.
    created: Vec<&'a ObjectRef>,
    changed: Vec<&'a ObjectRef>,
    unchanged: Vec<&'a ObjectRef>,
    /// What the API server would refuse, a sentence each; `new` has the same as NGF-A1.
    refused: Vec<String>,
    /// What options and annotations left out of the findings.
    filtered: JsonFiltered<'a>,
    new: Lazy<'a, JsonFinding<'a>>,
    gone: Lazy<'a, JsonFinding<'a>>,
    same: Lazy<'a, JsonFinding<'a>>,
}

/// The report of a comparison, as [`render`].
///
/// # Errors
/// Never for the types at hand; serde wants it said.
pub fn comparison(comparison: &Comparison) -> Result<String, serde_json::Error> {
    let report = ComparisonReport::of(comparison);
    serde_json::to_string_pretty(&report).map(|text| text + "\n")
}

impl<'a> ComparisonReport<'a> {
    /// The report.
    pub fn of(comparison: &'a Comparison) -> Self {
        let laid = |wanted: Laid| {
            comparison
                .laid
                .iter()
                .filter(|(_, how)| *how == wanted)
                .map(|(object, _)| object)
                .collect()
        };
        Self {
            schema: COMPARISON_SCHEMA,
            breaks: comparison.breaks(),
            unsure: comparison.is_unsure(),
            created: laid(Laid::New),
            changed: laid(Laid::Changed),
            unchanged: laid(Laid::Same),
            refused: comparison
                .refused()
                .map(|finding| clean(&finding.title))
                .collect(),
            filtered: json_filtered(&comparison.filtered),
            new: all_json(&comparison.new),
            gone: all_json(&comparison.gone),
            same: all_json(&comparison.same),
        }
    }
}

fn all_json(findings: &[Finding]) -> Lazy<'_, JsonFinding<'_>> {
    Lazy::of(findings, |finding| json_finding(finding, findings))
}

fn summary(diagnosis: &Diagnosis) -> Summary {
    let findings = &diagnosis.findings;
    let health = diagnosis
        .topology
        .roots()
        .iter()
        .map(|root| diagnosis.health(*root))
        .max()
        .unwrap_or_default();
    Summary {
        health,
        errors: diagnosis.count(Severity::Error),
        warnings: diagnosis.count(Severity::Warning),
        infos: diagnosis.count(Severity::Info),
        unknown: findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Unknown)
            .count(),
        causes: findings
            .iter()
            .filter(|finding| finding.caused_by.is_none())
            .count(),
        paths: diagnosis.coverage.paths.len(),
        tested_paths: diagnosis.coverage.tested(),
        untested_paths: diagnosis.coverage.untested.len(),
        endpoints: diagnosis.coverage.endpoints(),
        tested_endpoints: diagnosis.coverage.tested_endpoints(),
    }
}

fn json_finding<'a>(finding: &'a Finding, all: &[Finding]) -> JsonFinding<'a> {
    let remedy: Option<&'a Remedy> = finding.remedy.as_ref();
    JsonFinding {
        code: finding.code.as_str(),
        docs_url: super::explain::url(finding.code),
        severity: finding.severity,
        verdict: finding.verdict,
        subject: json_subject(finding),
        title: clean(&finding.title),
        detail: finding.detail.iter().map(|line| clean(line)).collect(),
        evidence: finding
            .evidence
            .iter()
            .map(|line| EvidenceLine {
                what: clean(&line.what),
                value: clean(&line.value),
                place: clean(&line.place),
            })
            .collect(),
        remedy: remedy.map(|remedy| clean(&remedy.summary)),
        remedy_command: remedy.and_then(|remedy| remedy.command.as_deref().map(clean_lines)),
        remedy_yaml: remedy.and_then(|remedy| remedy.yaml.as_deref().map(clean_lines)),
        remedy_changes: remedy.map_or(&[], |remedy| &remedy.changes),
        effects: finding.effects.iter().map(|line| clean(line)).collect(),
        caused_by: finding
            .caused_by
            .and_then(|cause| all.get(cause))
            .map(|cause| cause.code.as_str()),
        caused_by_index: finding.caused_by,
    }
}

fn nodes<'a>(diagnosis: &'a Diagnosis, places: &'a [NodeIx]) -> Lazy<'a, JsonNode<'a>> {
    Lazy::of(places, |place| {
        let node = diagnosis.topology.node(*place);
        JsonNode {
            id: clean(&node.id.to_string()),
            what: node
                .object
                .as_ref()
                .map_or(node.what.word(), |object| match node.what.word() {
                    "route" => object.kind.name(),
                    word => word,
                }),
            name: clean(&node.name),
            note: node.note.as_deref().map(clean),
            object: node.object.as_ref(),
            health: diagnosis.health(*place),
            findings: diagnosis.findings_at(*place),
            children: nodes(diagnosis, &node.children),
        }
    })
}
