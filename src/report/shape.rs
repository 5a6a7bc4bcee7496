//! One document, in the formats that every command knows: JSON, YAML, a part of it.

use std::io::Write;

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
    /// Nobody takes the text.
    #[error("the report cannot be written")]
    Out(#[from] std::io::Error),
}

/// A report as JSON, YAML or by a template; `None` for a format that has words of its own.
///
/// # Errors
/// [`ShapeError`]; never for the types at hand.
pub fn shaped(report: &impl Serialize, format: &Format) -> Result<Option<String>, ShapeError> {
    let mut out = Vec::new();
    let is_shaped = write_shaped(report, format, &mut out)?;
    Ok(is_shaped.then(|| String::from_utf8_lossy(&out).into_owned()))
}

/// The same, written as it is made; whether the format is one of these.
///
/// # Errors
/// [`ShapeError`], where `out` takes no more.
pub fn write_shaped(
    report: &impl Serialize,
    format: &Format,
    out: &mut dyn Write,
) -> Result<bool, ShapeError> {
    match format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, report)?;
            out.write_all(b"\n")?;
        }
        Format::Yaml => serde_saphyr::to_io_writer(&mut &mut *out, report)
            .map_err(|why| ShapeError::Yaml(why.to_string()))?,
        Format::JsonPath(template) => {
            let value = serde_json::to_value(report)?;
            out.write_all(template.render(&value).as_bytes())?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}
