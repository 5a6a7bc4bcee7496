//! `-o`: the formats of output, under kubectl's names.

use std::ffi::OsStr;

use clap::{
    Arg, Command,
    builder::{PossibleValue, PossibleValuesParser, StringValueParser, TypedValueParser},
};

use crate::report::{Format, jsonpath::Template};

/// A name, what it means, and the format.
type Choice = (&'static str, &'static str, Format);

const TEXT: Choice = ("text", "Human-readable", Format::Text);
const JSON: Choice = (
    "json",
    "JSON; the `schema` field names its version",
    Format::Json,
);
const YAML: Choice = ("yaml", "The same as YAML", Format::Yaml);

const HTML: Choice = (
    "html",
    "One page for a ticket, which loads nothing; redacted like a bundle",
    Format::Html,
);

/// What `check` prints.
pub(super) const CHECK: &[Choice] = &[
    TEXT,
    ("wide", "A finding a line", Format::Wide),
    ("name", "The objects that findings are about", Format::Name),
    JSON,
    YAML,
    (
        "junit",
        "For CI: one testsuite a Gateway, as Jenkins and GitLab read it",
        Format::Junit,
    ),
    (
        "sarif",
        "For code scanning: file, line and excerpt of each finding",
        Format::Sarif,
    ),
    (
        "markdown",
        "For a comment on a pull request",
        Format::Markdown,
    ),
    HTML,
];
/// What `chain` prints.
pub(super) const CHAIN: &[Choice] = &[
    TEXT,
    ("wide", "A certificate a line", Format::Wide),
    (
        "name",
        "The Secrets and ConfigMaps that hold certificates",
        Format::Name,
    ),
    JSON,
    YAML,
    ("svg", "A picture of both directions of trust", Format::Svg),
];
/// What `probe` prints.
pub(super) const PROBE: &[Choice] = &[
    TEXT,
    JSON,
    YAML,
    (
        "mermaid",
        "A Mermaid sequence diagram, for a ticket or a wiki",
        Format::Mermaid,
    ),
    ("svg", "A picture of the sequence diagram", Format::Svg),
    HTML,
];
/// What commands print that have neither a table nor a page.
pub(super) const PLAIN: &[Choice] = &[TEXT, JSON, YAML];

/// Parses one of these formats, or `jsonpath=TEMPLATE`.
pub(super) fn format(choices: &'static [Choice]) -> FormatParser {
    FormatParser(choices)
}

/// See [`format()`].
#[derive(Debug, Clone, Copy)]
pub(super) struct FormatParser(&'static [Choice]);

const JSON_PATH: &str = "jsonpath";

impl TypedValueParser for FormatParser {
    type Value = Format;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Format, clap::Error> {
        let text = value.to_string_lossy();
        if let Some(template) = text.strip_prefix("jsonpath=") {
            let template = template.to_owned();
            let parser = StringValueParser::new()
                .try_map(move |_| Template::parse(&template).map(Format::JsonPath));
            return parser.parse_ref(command, arg, value);
        }
        let names = self.0.iter().map(|(name, ..)| PossibleValue::new(*name));
        let names = names.chain([PossibleValue::new("jsonpath=…")]);
        let name = PossibleValuesParser::new(names).parse_ref(command, arg, value)?;
        let found = self.0.iter().find(|(known, ..)| *known == name);
        Ok(found.map_or(Format::Text, |(.., format)| format.clone()))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let named = self.0.iter();
        let named = named.map(|(name, help, _)| PossibleValue::new(*name).help(*help));
        let path = PossibleValue::new(JSON_PATH)
            .help("A part of the JSON: -o jsonpath='{.findings[*].code}'");
        Some(Box::new(named.chain([path])))
    }
}
