//! One document, in the formats that every command knows: JSON, YAML, a part of it.

use serde::Serialize;

use super::jsonpath::Template;

/// A format of output.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Format {
    /// Human-readable.
    #[default]
    Text,
    /// A table, a thing a line.
    Wide,
    /// The objects' names, as `kubectl -o name` prints them.
    Name,
    /// JSON; the `schema` field names its version.
    Json,
    /// The same as YAML.
    Yaml,
    /// A part of the JSON.
    JsonPath(Template),
    /// JUnit XML: one testsuite a Gateway.
    Junit,
    /// Markdown.
    Markdown,
    /// SARIF 2.1.0.
    Sarif,
    /// A Mermaid sequence diagram.
    Mermaid,
    /// A picture.
    Svg,
    /// One HTML page.
    Html,
}

impl Format {
    /// Whether it is a diagram.
    pub fn is_drawn(&self) -> bool {
        matches!(self, Self::Mermaid | Self::Svg)
    }

    /// Whether it is human-readable, so that remarks on standard error complete it.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text | Self::Wide)
    }
}

/// Why a report cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ShapeError {
    /// JSON cannot be written.
    #[error("the report cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// YAML cannot be written.
    #[error("the report cannot be written as YAML: {0}")]
    Yaml(String),
}

/// A report as JSON, YAML or by a template; `None` for a format that has words of its own.
///
/// # Errors
/// [`ShapeError`]; never for the types at hand.
pub fn shaped(report: &impl Serialize, format: &Format) -> Result<Option<String>, ShapeError> {
    Ok(match format {
        Format::Json => Some(serde_json::to_string_pretty(report)? + "\n"),
        Format::Yaml => {
            let value = serde_json::to_value(report)?;
            let yaml = serde_saphyr::to_string(&value);
            Some(yaml.map_err(|why| ShapeError::Yaml(why.to_string()))?)
        }
        Format::JsonPath(template) => Some(template.render(&serde_json::to_value(report)?)),
        _ => None,
    })
}
