//! Which fields a kind has: what is in an object and not in [`FIELDS`] is a slip of the pen, or newer
//! than this tool.

use std::{collections::HashMap, sync::LazyLock};

use super::reader::Reader;
use crate::model::{kind::Kind, object::NoteKind, value::Value};

/// Paths without indices (`spec.listeners.tls`) with the names of the fields below them.
type Paths = HashMap<&'static str, Vec<&'static str>>;

static FIELDS: LazyLock<HashMap<Kind, Paths>> = LazyLock::new(|| parse(include_str!("fields.txt")));

/// The same as trees, so that checking an object builds no paths.
static TREES: LazyLock<HashMap<Kind, Fields>> = LazyLock::new(|| {
    let kinds = FIELDS.iter();
    kinds
        .filter_map(|(kind, paths)| Some((*kind, Fields::below("spec", paths)?)))
        .collect()
});

/// The fields of an object, each with those below it where they are listed.
struct Fields(Vec<(&'static str, Option<Fields>)>);

impl Fields {
    fn below(path: &str, paths: &Paths) -> Option<Self> {
        let names = paths.get(path)?.iter();
        let fields = names.map(|name| (*name, Self::below(&format!("{path}.{name}"), paths)));
        Some(Self(fields.collect()))
    }

    /// The field that somebody meant: the one whose name differs in case alone, or else the only one that differs in
    /// as few letters as a slip of the pen.
    fn meant(&self, name: &str) -> Option<&'static str> {
        const LONGEST: usize = 100;
        if name.len() > LONGEST {
            return None;
        }
        let mut known = self.0.iter().map(|(known, _)| *known);
        if let Some(meant) = known.clone().find(|known| known.eq_ignore_ascii_case(name)) {
            return Some(meant);
        }
        let most = if name.len() > 5 { 2 } else { 1 };
        let is_near = |known: &&str| strsim::damerau_levenshtein(known, name) <= most;
        let meant = known.find(is_near)?;
        known.find(is_near).is_none().then_some(meant)
    }
}

fn parse(text: &'static str) -> HashMap<Kind, Paths> {
    let mut fields: HashMap<Kind, Paths> = HashMap::new();
    let mut kind = None;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(line) = line.strip_prefix("  ") {
            if let (Some(kind), Some((path, names))) = (kind, line.split_once(": ")) {
                let names = names.split(' ').collect();
                fields.entry(kind).or_default().insert(path, names);
            }
        } else {
            kind = Kind::parse(line);
        }
    }
    fields
}

/// Notes every field under `spec` that the kind does not have.
pub(super) fn check(kind: Kind, reader: &Reader<'_>) {
    if let (Some(fields), Some(spec)) = (TREES.get(&kind), reader.root().get("spec").value()) {
        walk(fields, spec, reader);
    }
}

fn walk(fields: &Fields, value: &Value<'_>, reader: &Reader<'_>) {
    match value {
        Value::Array(items) => {
            for item in items {
                walk(fields, item, reader);
            }
        }
        Value::Object(map) => {
            for (name, below) in map.iter() {
                match fields.0.iter().find(|(known, _)| *known == name) {
                    Some((_, Some(fields))) => walk(fields, below, reader),
                    Some((_, None)) => {}
                    None => {
                        let what = "is not a field that this tool knows";
                        let message = match fields.meant(name) {
                            Some(meant) => format!("{what}: did you mean {meant}?"),
                            None => what.to_owned(),
                        };
                        reader.note(below, None, NoteKind::UnknownField, message);
                    }
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_belongs_to_a_kind_and_to_a_field_of_the_line_above_it() {
        let text = include_str!("fields.txt");
        for line in text.lines().filter(|line| !line.starts_with([' ', '#'])) {
            assert!(Kind::parse(line).is_some(), "{line} is not a kind");
        }
        for (kind, paths) in FIELDS.iter() {
            for path in paths.keys() {
                let Some((parent, name)) = path.rsplit_once('.') else {
                    continue;
                };
                let siblings = paths
                    .get(parent)
                    .unwrap_or_else(|| panic!("{kind} {parent}"));
                assert!(siblings.contains(&name), "{kind} {path}");
            }
        }
    }

    #[test]
    fn a_slip_of_the_pen_is_told_from_a_field_of_its_own() {
        let validation = Fields::below("spec.validation", &FIELDS[&Kind::BackendTLSPolicy]);
        let validation = validation.expect("fields");
        for (written, meant) in [
            ("hostnmae", Some("hostname")),
            ("hostName", Some("hostname")),
            ("cacertificaterefs", Some("caCertificateRefs")),
            ("caCertificateRef", Some("caCertificateRefs")),
            ("wellKnownCACertificate", Some("wellKnownCACertificates")),
            ("minVersion", None),
            ("", None),
        ] {
            assert_eq!(validation.meant(written), meant, "{written}");
        }
        assert_eq!(validation.meant(&"hostname".repeat(1_000)), None);
    }

    #[test]
    fn both_places_of_the_client_certificate_are_known() {
        let gateway = &FIELDS[&Kind::Gateway];
        assert!(gateway["spec.tls.backend"].contains(&"clientCertificateRef"));
        assert!(gateway["spec.backendTLS"].contains(&"clientCertificateRef"));
    }
}
