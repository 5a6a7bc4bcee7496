//! Reports of clusters whose names attack the page or parser that reads them. Each report is read back by a
//! parser that others wrote, and holds what the findings hold, as text and as nothing else.

use std::sync::OnceLock;

use crate::support::hostile::{Attacked, HOSTILE, attack, attacked};
use comrak::{
    Arena, Options,
    nodes::{AstNode, NodeValue},
    parse_document,
};
use ngf_core::diagnosis::{Diagnosis, Finding};
use ngf_tui::report::{FailOn, json, junit, markdown};
use serde_json::Value;

/// Names that stand in titles, commands and evidence.
const PLACES: &[(&str, &str)] = &[
    (
        "g3-client-certificate-missing",
        "gateway-presents-this-cert-for-validation",
    ),
    ("g5-client-certificate-key-of-another", "gateway"),
    ("p6-ca-missing", "backend-tls"),
    ("r8-not-ready", "secure-app"),
    ("b0-all-well", "secure-app.example.com"),
];

/// Every payload in a few places, and every place with some payload.
fn all() -> impl Iterator<Item = &'static Attacked> {
    static PLACED: OnceLock<Vec<Attacked>> = OnceLock::new();
    let placed = PLACED.get_or_init(|| {
        let each = |place: &(&str, &str)| {
            let (scenario, name) = *place;
            HOSTILE
                .iter()
                .map(move |payload| attack(scenario, name, payload))
                .collect::<Vec<_>>()
        };
        PLACES.iter().flat_map(each).collect()
    });
    placed.iter().chain(attacked())
}

/// As a report shows it: on one line, without what would steer a terminal.
fn shown(text: &str) -> String {
    ngf_tui::report::clean(text)
}

/// The same where white space does not count.
fn words(text: &str) -> String {
    shown(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// GitHub's Markdown, with everything in it that could have an effect.
fn github() -> Options<'static> {
    let mut options = Options::default();
    options.extension.strikethrough = true;
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.alerts = true;
    options.extension.math_dollars = true;
    options.extension.math_code = true;
    options.extension.shortcodes = true;
    options
}

/// Whether a page could make more of a text than what it says: a mention, a reference, a commit, a link,
/// a formula, an emoji.
fn has_effect(text: &str) -> bool {
    let is_code = |word: &str| word.starts_with("NGF-");
    let commit = |word: &str| word.len() >= 7 && word.chars().all(|c| c.is_ascii_hexdigit());
    let reference = |word: &str| {
        word.split_once('-').is_some_and(|(name, number)| {
            !name.is_empty() && number.starts_with(|c: char| c.is_ascii_digit())
        })
    };
    text.contains([
        '@', '#', '$', '`', '<', '>', '|', '*', '_', '[', ']', '\\', '&', '~', '/',
    ]) || text.contains("www.")
        || text
            .split(|c: char| !c.is_alphanumeric() && c != '-')
            .any(|word| !is_code(word) && (commit(word) || reference(word)))
        || text
            .split(' ')
            .any(|word| word.starts_with(':') && word.len() > 2)
}

/// What a node and all below it say, with the code in it.
fn content<'a>(node: &'a AstNode<'a>) -> String {
    node.descendants()
        .map(|node| match &node.data.borrow().value {
            NodeValue::Text(text) => text.to_string(),
            NodeValue::Code(code) => code.literal.clone(),
            NodeValue::SoftBreak => " ".to_owned(),
            _ => String::new(),
        })
        .collect()
}

/// What stands in a page.
#[derive(Default)]
struct Page {
    /// The cells of each row, without the first row of each table.
    rows: Vec<Vec<String>>,
    /// Code blocks.
    blocks: Vec<String>,
    /// What the heads of the folded parts say.
    heads: Vec<String>,
    /// What is neither text nor code, or has an effect.
    wrong: Vec<String>,
}

fn page(report: &str) -> Page {
    let arena = Arena::new();
    let mut page = Page::default();
    for node in parse_document(&arena, report, &github()).descendants() {
        match &node.data.borrow().value {
            NodeValue::Document
            | NodeValue::Heading(_)
            | NodeValue::Paragraph
            | NodeValue::Table(_)
            | NodeValue::TableCell
            | NodeValue::List(_)
            | NodeValue::Item(_)
            | NodeValue::Code(_)
            | NodeValue::SoftBreak => {}
            NodeValue::TableRow(is_head) => {
                if !is_head {
                    page.rows.push(node.children().map(content).collect());
                }
            }
            NodeValue::CodeBlock(block) => page.blocks.push(block.literal.clone()),
            NodeValue::Text(text) if !has_effect(text) => {}
            NodeValue::Strong if content(node) == "Fix:" => {}
            NodeValue::HtmlBlock(html) => match head(&html.literal) {
                Ok(head) => page.heads.extend(head),
                Err(why) => page.wrong.push(why),
            },
            other => page.wrong.push(format!("{other:?}")),
        }
    }
    page
}

/// The head of a folded part, where a block of HTML begins one.
fn head(html: &str) -> Result<Option<String>, String> {
    if html.trim() == "</details>" {
        return Ok(None);
    }
    let whole = format!("{}</details>", html.trim());
    let parsed = roxmltree::Document::parse(&whole).map_err(|error| format!("{error}: {html}"))?;
    for node in parsed.descendants() {
        let name = node.tag_name().name();
        let is_ours = !node.is_element()
            || matches!(name, "details" | "summary" | "code") && node.attributes().len() == 0;
        let is_code = node.ancestors().any(|node| node.has_tag_name("code"));
        let text = node.text().filter(|_| node.is_text() && !is_code);
        if !is_ours || node.is_comment() || node.is_pi() || text.is_some_and(has_effect) {
            return Err(format!("{node:?} in {html}"));
        }
    }
    let texts = parsed.descendants().filter(roxmltree::Node::is_text);
    Ok(Some(texts.filter_map(|node| node.text()).collect()))
}

fn copied(finding: &Finding) -> Option<String> {
    let remedy = finding.remedy.as_ref()?;
    let lines: Vec<String> = remedy
        .command
        .iter()
        .chain(&remedy.yaml)
        .flat_map(|text| text.lines())
        .map(shown)
        .collect();
    (!lines.is_empty()).then(|| format!("{}\n", lines.join("\n")))
}

/// What is wrong with the page of a diagnosis.
fn faults(diagnosis: &Diagnosis) -> Vec<String> {
    let page = page(&markdown::render(diagnosis));
    let mut wrong = page.wrong;
    let mut expect = |what: &str, found: Vec<String>, wanted: Vec<String>| {
        if found != wanted {
            wrong.push(format!("{what}: {found:#?} instead of {wanted:#?}"));
        }
    };
    let findings = &diagnosis.findings;
    // A pipe behind a backslash has no form that all parsers read alike.
    let in_cell = |text: &str| words(text).replace("\\|", "\\¦");
    let cell = |place: usize| page.rows.iter().map(|row| row[place].clone()).collect();
    expect(
        "titles",
        cell(3),
        findings
            .iter()
            .map(|finding| in_cell(&finding.title))
            .collect(),
    );
    expect(
        "codes",
        cell(1),
        findings
            .iter()
            .map(|finding| finding.code.to_string())
            .collect(),
    );
    expect(
        "heads",
        page.heads,
        findings
            .iter()
            .map(|finding| format!("{} {}", finding.code, words(&finding.title)))
            .collect(),
    );
    expect(
        "blocks",
        page.blocks,
        findings.iter().filter_map(copied).collect(),
    );
    wrong
}

#[test]
fn markdown_holds_names_as_code_and_nothing_else() {
    let mut wrong = Vec::new();
    let mut findings = 0;
    for attacked in all() {
        findings += attacked.diagnosis.findings.len();
        for fault in faults(&attacked.diagnosis) {
            let Attacked {
                scenario,
                name,
                payload,
                ..
            } = attacked;
            wrong.push(format!("{scenario}, {name} as {payload:?}: {fault}"));
        }
    }
    assert!(findings > 500, "{findings} findings were read");
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(5)].join("\n")
    );
}

#[test]
fn a_page_with_an_effect_is_found() {
    for text in [
        "a @octocat",
        "a #1",
        "GH-7",
        "deadbeef",
        "www.a.de",
        "https://a.de",
        "$a$",
        ":smile:",
        "<b>",
        "[a](b)",
        "![a](b)",
        "*a*",
        "> a",
        "- [ ] a",
        "<details><summary>@octocat</summary>",
        "<details><summary><a href=\"x\">a</a></summary>",
        "<details><summary><b>a</b></summary>",
    ] {
        assert!(!page(text).wrong.is_empty(), "{text}");
    }
    assert!(
        page("a `@octocat` and `$x$` `:smile:`, 404.")
            .wrong
            .is_empty()
    );
}

#[test]
fn junit_reads_back_as_what_the_findings_say() {
    for attacked in all() {
        let diagnosis = &attacked.diagnosis;
        let xml = junit::render(diagnosis, FailOn::Warning);
        let parsed = roxmltree::Document::parse(&xml)
            .unwrap_or_else(|error| panic!("{}: {error}", attacked.scenario));
        let cases: Vec<_> = parsed
            .descendants()
            .filter(|node| node.has_tag_name("testcase"))
            .collect();
        for finding in &diagnosis.findings {
            let subject = match &finding.input {
                Some(input) => shown(input),
                None => shown(&finding.subject.to_string()),
            };
            let name = format!("{subject}: {}", shown(&finding.title));
            let case = cases.iter().find(|case| {
                case.attribute("classname") == Some(finding.code.as_str())
                    && case.attribute("name") == Some(&name)
            });
            assert!(case.is_some(), "{name:?} in\n{xml}");
        }
        let known = [
            "testsuites",
            "testsuite",
            "testcase",
            "failure",
            "skipped",
            "system-out",
        ];
        for node in parsed.descendants().filter(roxmltree::Node::is_element) {
            assert!(known.contains(&node.tag_name().name()), "{node:?}");
        }
    }
}

#[test]
fn json_reads_back_as_what_the_findings_say() {
    for attacked in all() {
        let diagnosis = &attacked.diagnosis;
        let text = json::render(diagnosis).expect("JSON");
        let report: Value = serde_json::from_str(&text).expect("JSON");
        let told = report["findings"].as_array().expect("findings");
        assert_eq!(told.len(), diagnosis.findings.len());
        for (told, finding) in told.iter().zip(&diagnosis.findings) {
            assert_eq!(told["title"], shown(&finding.title));
            let remedy = finding.remedy.as_ref();
            let command = remedy.and_then(|remedy| remedy.command.clone());
            assert_eq!(told["remedy_command"], Value::from(command));
        }
    }
}
