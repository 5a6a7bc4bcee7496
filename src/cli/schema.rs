//! The JSON schemas of every `-o json`, from the types that are written. `assets/schema` holds them; a test keeps them so.

use schemars::{Schema, generate::SchemaSettings};

use super::{CliError, info, several, version};
use crate::report::{certificates, chain, json, logs, probe, tls_scan};
use ngf_cluster::endpoint_matrix;
use ngf_core::bundle;

/// Makes the schema of one document.
type Make = fn() -> Schema;

/// Each document: its name, the `schema` field that it has, and its schema.
const DOCUMENTS: &[(&str, &str, Make)] = &[
    ("check", json::SCHEMA, of::<json::Report<'static>>),
    (
        "check-over",
        json::COMPARISON_SCHEMA,
        of::<json::ComparisonReport<'static>>,
    ),
    ("checks", several::SCHEMA, of::<several::Reports<'static>>),
    ("chain", chain::SCHEMA, of::<chain::JsonReport<'static>>),
    ("logs", logs::SCHEMA, of::<logs::Report>),
    ("probe", ngf_tls::transcript::SCHEMA, of::<probe::Report>),
    ("probes", probe::LIST_SCHEMA, of::<probe::Reports>),
    (
        "tls-scan",
        ngf_probes::tls_scan::SCHEMA,
        of::<tls_scan::Report>,
    ),
    ("tls-scans", tls_scan::LIST_SCHEMA, of::<tls_scan::Reports>),
    (
        "endpoint-matrix",
        endpoint_matrix::SCHEMA,
        of::<endpoint_matrix::EndpointMatrix>,
    ),
    (
        "certificates",
        certificates::SCHEMA,
        of::<certificates::Inspection>,
    ),
    ("version", version::SCHEMA, of::<version::Versions>),
    ("bundle", bundle::SCHEMA, of::<bundle::Document>),
    (
        "recording",
        bundle::recording::SCHEMA,
        of::<bundle::recording::Moment>,
    ),
    ("info", info::SCHEMA, of::<info::Locations>),
];

fn of<T: schemars::JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>()
}

/// The names of the documents.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    DOCUMENTS.iter().map(|(name, ..)| *name)
}

/// The schema of a document as indented JSON with a line end.
///
/// # Errors
/// A name that no document has.
pub(super) fn text(name: &str) -> Result<String, CliError> {
    let found = DOCUMENTS.iter().find(|(known, ..)| *known == name);
    let Some((_, schema, make)) = found else {
        let names: Vec<&str> = names().collect();
        return Err(format!(
            "unknown document {:?}: expected {}",
            crate::report::clean(name),
            names.join(", ")
        )
        .into());
    };
    let mut document = make();
    let version = schema.rsplit('/').next().unwrap_or_default();
    document.insert(
        "$id".to_owned(),
        format!(
            "{}/raw/main/assets/schema/{name}.{version}.json",
            env!("CARGO_PKG_REPOSITORY")
        )
        .into(),
    );
    document.insert("title".to_owned(), (*schema).into());
    if let Some(field) = document.pointer_mut("/properties/schema") {
        *field = serde_json::json!({"const": schema});
    }
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}
