//! Where in the files a finding is: file, line and an excerpt, for formats that a reviewer reads beside the code.

use ngf_core::{
    diagnosis::{Diagnosis, Finding, problems::field_of},
    model::{
        object::ObjectRef,
        snapshot::{Place, Snapshot},
    },
};

/// Where a finding is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file, as it was given or found.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The line and what belongs to it, where it holds no secret.
    pub excerpt: Option<String>,
}

/// Finds a field of an object in its file: the line, and an excerpt.
pub type Find = fn(&Place, &ObjectRef, &[String]) -> Option<(usize, Option<String>)>;

/// Where each finding of a list is.
#[derive(Debug, Clone, Default)]
pub struct Sources(Vec<Option<Location>>);

impl Sources {
    /// Of a diagnosis.
    pub fn of(diagnosis: &Diagnosis, snapshot: &Snapshot, find: Find) -> Self {
        Self::of_list(&diagnosis.findings, snapshot, find)
    }

    /// Of a list of findings.
    pub fn of_list(findings: &[Finding], snapshot: &Snapshot, find: Find) -> Self {
        let locate = |finding: &Finding| {
            if let Some(input) = &finding.input {
                return of_input(input);
            }
            let (object, path) = match field_of(finding, snapshot) {
                Some(field) if snapshot.places.contains_key(&field.object) => {
                    (field.object, field.path)
                }
                _ => {
                    let is_there = |object: &&ObjectRef| snapshot.places.contains_key(object);
                    let mut all = std::iter::once(&finding.subject).chain(finding.objects());
                    (all.find(is_there)?.clone(), Vec::new())
                }
            };
            let place = snapshot.places.get(&object)?;
            let (line, excerpt) = find(place, &object, &path).unwrap_or((place.line, None));
            Some(Location {
                file: place.file.clone(),
                line,
                excerpt,
            })
        };
        Self(findings.iter().map(locate).collect())
    }

    /// Of the finding with this index.
    pub fn get(&self, index: usize) -> Option<&Location> {
        self.0.get(index)?.as_ref()
    }
}

/// Where a document begins that is no object: `FILE, document 2, line 7`, as the reader of manifests names it.
fn of_input(input: &str) -> Option<Location> {
    let (file, rest) = input.rsplit_once(", document ")?;
    let line = rest.split_once(", line ")?.1;
    let digits = line
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(line.len());
    Some(Location {
        file: file.to_owned(),
        line: line[..digits].parse().ok()?,
        excerpt: None,
    })
}

#[cfg(test)]
mod tests {
    use super::of_input;

    #[test]
    fn a_document_that_is_no_object_has_a_place() {
        let found = |input: &str| of_input(input).map(|found| (found.file, found.line));
        let file = |name: &str, line| Some((name.to_owned(), line));
        assert_eq!(found("a.yaml, document 2, line 7"), file("a.yaml", 7));
        assert_eq!(
            found("a.yaml, document 2, line 7, item 3"),
            file("a.yaml", 7)
        );
        assert_eq!(
            found("x, document 1, line 2, document 1, line 9"),
            file("x, document 1, line 2", 9)
        );
        for input in ["a.yaml", "a.yaml, document 2", "a.yaml, document 2, line x"] {
            assert_eq!(found(input), None, "{input}");
        }
    }
}
