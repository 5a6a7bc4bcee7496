//! Findings that somebody decided to accept: by option, by an annotation of the object, by an ignore file. What is
//! suppressed is counted and named, and nothing gets healthy by it. An entry that has ended suppresses nothing.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::Deserialize;

use super::{
    Diagnosis, Finding,
    code::{Code, UnknownCode},
    registry,
};
use crate::model::{clean::clean_line, kind::Kind, object::ObjectRef, snapshot::Snapshot};

/// The annotation of an object that suppresses findings about it.
pub const ANNOTATION: &str = "ngf-tui/suppress";
/// Entries of one annotation or file that are read.
const MOST: usize = 1_000;
/// Characters of a reason that are kept.
const REASON: usize = 300;

/// One decision to accept a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// The code.
    pub code: Code,
    /// The object that the finding is about; `None` for any.
    pub object: Option<Named>,
    /// Why; empty where an option of the command line gives none.
    pub reason: String,
    /// The last day on which it counts, in UTC.
    pub until: Option<Date>,
    /// Where it stands: `--suppress`, `Gateway shop/gw`, `ignore.yaml, line 3`.
    pub place: String,
}

/// An object by name, with its namespace where that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    kind: Kind,
    namespace: Option<String>,
    name: String,
}

/// A finding that is suppressed, and by what.
#[derive(Debug, Clone)]
pub struct Suppressed {
    /// The finding.
    pub finding: Finding,
    /// The decision.
    pub by: Suppression,
}

/// What options and annotations left out of a diagnosis.
#[derive(Debug, Clone, Default)]
pub struct Filtered {
    /// Findings that are suppressed.
    pub suppressed: Vec<Suppressed>,
    /// Entries that have ended; what they suppressed is reported again.
    pub expired: Vec<Suppression>,
    /// Entries of options and files that no finding meets.
    pub unused: Vec<Suppression>,
    /// Annotations that cannot be read, a sentence each.
    pub unreadable: Vec<String>,
    /// The codes that are asked for; empty for all.
    pub only: BTreeSet<Code>,
    /// How many findings have none of them.
    pub left_out: usize,
}

impl Filtered {
    /// Whether a code without a finding shows that its rule found nothing.
    pub fn tells_of(&self, code: Code) -> bool {
        let is_suppressed = self.suppressed.iter().any(|one| one.finding.code == code);
        !is_suppressed && (self.only.is_empty() || self.only.contains(&code))
    }
}

/// Which findings a report is about.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only these codes; empty for all.
    pub only: BTreeSet<Code>,
    /// What is suppressed by options and files.
    pub suppressions: Vec<Suppression>,
}

impl Named {
    /// Reads `KIND/NAME` or `KIND/NAMESPACE/NAME`.
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "invalid object {:?}: expected KIND/NAME or KIND/NAMESPACE/NAME",
                clean_line(text)
            )
        };
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, namespace, name) = match parts.as_slice() {
            [kind, name] => (kind, None, name),
            [kind, namespace, name] => (kind, Some(namespace), name),
            _ => return Err(wrong()),
        };
        let kind = Kind::parse(kind.split('.').next().unwrap_or(kind)).ok_or_else(wrong)?;
        if name.is_empty() || namespace.is_some_and(|namespace| namespace.is_empty()) {
            return Err(wrong());
        }
        Ok(Self {
            kind,
            namespace: namespace.map(|namespace| (*namespace).to_owned()),
            name: (*name).to_owned(),
        })
    }

    fn is(&self, object: &ObjectRef) -> bool {
        let namespace = self.namespace.as_ref();
        self.kind == object.kind
            && self.name == object.name
            && namespace.is_none_or(|namespace| *namespace == object.namespace)
    }
}

/// The code that a person means by `NGF-T1` or `t1`.
fn code(text: &str) -> Result<Code, String> {
    text.parse().map_err(|why: UnknownCode| why.to_string())
}

fn date(text: &str) -> Result<Date, String> {
    let wrong = || format!("invalid date {:?}: expected 2027-01-31", clean_line(text));
    text.trim().parse().map_err(|_| wrong())
}

fn reason(text: &str) -> String {
    clean_line(text.trim()).chars().take(REASON).collect()
}

impl Suppression {
    /// Reads the value of `--suppress`: `CODE` or `CODE=KIND/NAME`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn argument(text: &str) -> Result<Self, String> {
        let (name, object) = match text.split_once('=') {
            Some((name, object)) => (name, Some(Named::parse(object)?)),
            None => (text, None),
        };
        Ok(Self {
            code: code(name)?,
            object,
            reason: String::new(),
            until: None,
            place: "--suppress".to_owned(),
        })
    }

    /// Whether it still counts.
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| {
            let next = until.tomorrow().and_then(|day| day.to_zoned(TimeZone::UTC));
            // The last days of the calendar have no tomorrow.
            next.map_or(true, |next| now < next.timestamp())
        })
    }

    fn is_about(&self, finding: &Finding) -> bool {
        self.code == finding.code
            && self
                .object
                .as_ref()
                .is_none_or(|named| finding.input.is_none() && named.is(&finding.subject))
    }

    /// `NGF-T1 of Gateway default/gw`, `NGF-T1`.
    pub fn what(&self) -> String {
        match &self.object {
            None => self.code.to_string(),
            Some(Named {
                kind,
                namespace,
                name,
            }) => {
                let namespace = namespace.as_ref();
                let path =
                    namespace.map_or_else(|| name.clone(), |space| format!("{space}/{name}"));
                format!("{} of {kind} {}", self.code, clean_line(&path))
            }
        }
    }
}

/// Reads the entries of an annotation: `CODE[ until DATE]: REASON`, one a line, or with semicolons between.
fn annotation(text: &str, place: &str) -> Result<Vec<Suppression>, String> {
    let entries = text.split(['\n', ';']).map(str::trim);
    let entries = entries.filter(|entry| !entry.is_empty()).take(MOST);
    entries
        .map(|entry| {
            let (head, why) = entry.split_once(':').unwrap_or((entry, ""));
            let (name, until) = match head.split_once(" until ") {
                Some((name, until)) => (name, Some(date(until)?)),
                None => (head, None),
            };
            let why = reason(why);
            if why.is_empty() {
                return Err(format!(
                    "{:?} gives no reason: expected CODE until DATE: REASON",
                    clean_line(entry)
                ));
            }
            Ok(Suppression {
                code: code(name)?,
                object: None,
                reason: why,
                until,
                place: place.to_owned(),
            })
        })
        .collect()
}

/// An ignore file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IgnoreFile {
    ignore: Vec<serde_saphyr::Spanned<Entry>>,
}

/// An entry of an ignore file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    code: String,
    #[serde(default)]
    object: Option<String>,
    reason: String,
    #[serde(default)]
    expires: Option<String>,
}

/// Reads an ignore file: YAML with the list `ignore`, each entry with `code`, `reason` and, where wanted, `object`
/// and `expires`. `name` is the file's.
///
/// # Errors
/// A sentence with the file and the line.
pub fn ignore_file(text: &str, name: &str) -> Result<Vec<Suppression>, String> {
    let name = clean_line(name);
    let file: IgnoreFile = serde_saphyr::from_str(text)
        .map_err(|why| format!("{name}: {}", clean_line(&why.without_snippet().to_string())))?;
    if file.ignore.len() > MOST {
        return Err(format!("{name}: more than {MOST} entries"));
    }
    let entries = file.ignore.into_iter().map(|entry| {
        let place = format!("{name}, line {}", entry.referenced.line());
        let entry = entry.value;
        let parsed = || {
            let why = reason(&entry.reason);
            if why.is_empty() {
                return Err("reason is empty".to_owned());
            }
            Ok(Suppression {
                code: code(&entry.code)?,
                object: entry.object.as_deref().map(Named::parse).transpose()?,
                reason: why,
                until: entry.expires.as_deref().map(date).transpose()?,
                place: place.clone(),
            })
        };
        parsed().map_err(|why| format!("{place}: {why}"))
    });
    entries.collect()
}

impl Diagnosis {
    /// Leaves out the findings that the filter and the annotations of their objects name. The tree keeps its
    /// health; findings that a suppressed one causes stay.
    #[must_use]
    pub fn filtered_by(mut self, filter: &Filter, snapshot: &Snapshot, now: Timestamp) -> Self {
        let mut filtered = Filtered {
            only: filter.only.clone(),
            ..Filtered::default()
        };
        let mut used = BTreeSet::new();
        let mut by = Vec::new();
        for finding in &self.findings {
            let mut found = None;
            let options = filter.suppressions.iter().enumerate();
            for (index, one) in options.filter(|(_, one)| one.is_about(finding)) {
                used.insert(index);
                if one.is_in_force(now) {
                    found = found.or_else(|| Some(one.clone()));
                }
            }
            let text = match finding.input {
                None => snapshot.annotation(&finding.subject, ANNOTATION),
                Some(_) => None,
            };
            if let Some(text) = text {
                let place = format!("annotation {ANNOTATION} of {}", finding.subject);
                match annotation(text, &place) {
                    Ok(entries) => {
                        for one in entries.into_iter().filter(|one| one.is_about(finding)) {
                            if one.is_in_force(now) {
                                found = found.or(Some(one));
                            } else if !filtered.expired.contains(&one) {
                                filtered.expired.push(one);
                            }
                        }
                    }
                    Err(why) => {
                        let why = format!("{place}: {why}");
                        if !filtered.unreadable.contains(&why) {
                            filtered.unreadable.push(why);
                        }
                    }
                }
            }
            by.push(found);
        }
        for (index, one) in filter.suppressions.iter().enumerate() {
            if !one.is_in_force(now) {
                filtered.expired.push(one.clone());
            } else if !used.contains(&index) {
                filtered.unused.push(one.clone());
            }
        }
        let is_wanted =
            |finding: &Finding| filter.only.is_empty() || filter.only.contains(&finding.code);
        let mut kept = BTreeSet::new();
        for (index, (finding, by)) in self.findings.iter().zip(by).enumerate() {
            match by {
                _ if !is_wanted(finding) => filtered.left_out += 1,
                None => {
                    kept.insert(index);
                }
                Some(by) => filtered.suppressed.push(Suppressed {
                    finding: finding.clone(),
                    by,
                }),
            }
        }
        self.keep_findings(&kept);
        self.filtered = filtered;
        self
    }
}

/// Reads the value of `--only`: codes with commas between, or the letter of a family: `NGF-T1,NGF-M4`, `T`.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn only(text: &str) -> Result<BTreeSet<Code>, String> {
    let mut codes = BTreeSet::new();
    for part in text.split(',').map(str::trim) {
        let letter = part.to_ascii_uppercase();
        let letter = letter.trim_start_matches("NGF-");
        let mut letters = letter.chars();
        let family = match (letters.next(), letters.next()) {
            (Some(only), None) => registry::family(only),
            _ => Vec::new(),
        };
        if family.is_empty() {
            codes.insert(code(part)?);
        } else {
            codes.extend(family.into_iter().map(|rule| rule.code));
        }
    }
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().expect("a moment")
    }

    #[test]
    fn entries_end_with_their_last_day() {
        for (until, is_in_force) in [
            (None, true),
            (Some("9999-12-31"), true),
            (Some("2026-06-02"), true),
            (Some("2026-06-01"), true),
            (Some("2026-05-31"), false),
        ] {
            let entry = Suppression {
                until: until.map(|until| date(until).expect("a date")),
                ..Suppression::argument("T1").expect("a code")
            };
            assert_eq!(entry.is_in_force(now()), is_in_force, "{until:?}");
        }
    }

    #[test]
    fn options_are_read_and_refused_in_words() {
        for (text, expected) in [
            ("t1", Ok("NGF-T1")),
            ("NGF-T1=gtw/gw", Ok("NGF-T1 of Gateway gw")),
            ("NGF-T1=gateway/shop/gw", Ok("NGF-T1 of Gateway shop/gw")),
            ("NGF-T99", Err("unknown code \"NGF-T99\"")),
            ("NGF-T1=gw", Err("invalid object \"gw\"")),
            ("NGF-T1=thing/gw", Err("invalid object")),
            ("NGF-T1=gateway/", Err("invalid object")),
            ("", Err("unknown code \"\"")),
        ] {
            match (Suppression::argument(text), expected) {
                (Ok(entry), Ok(expected)) => assert_eq!(entry.what(), expected, "{text}"),
                (Err(why), Err(begins)) => assert!(why.starts_with(begins), "{text}: {why}"),
                (result, _) => panic!("{text}: {result:?}"),
            }
        }
    }

    #[test]
    fn an_annotation_gives_a_reason() {
        let read = |text: &str| annotation(text, "here");
        let entries =
            read("NGF-T1 until 2027-01-31: the vendor renews it\nP1: known; ").expect("two");
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].reason, "the vendor renews it");
        assert_eq!(
            entries[0].until.map(|until| until.to_string()),
            Some("2027-01-31".to_owned())
        );
        assert_eq!(
            (entries[1].code.as_str(), entries[1].until),
            ("NGF-P1", None)
        );
        for text in ["NGF-T1", "NGF-T1:", "NGF-T1 until soon: x", "X99: x"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_ignore_file_names_file_and_line_of_what_is_wrong() {
        let good = "ignore:\n- code: NGF-T1\n  reason: known\n- code: M4\n  object: secret/shop/ca\n  reason: x\n  expires: 2027-01-31\n";
        let entries = ignore_file(good, "ignore.yaml").expect("an ignore file");
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[1].place, "ignore.yaml, line 4");
        assert_eq!(entries[1].what(), "NGF-M4 of Secret shop/ca");
        for (text, says) in [
            ("ignore:\n- code: NGF-T1\n", "reason"),
            (
                "ignore:\n- {code: NGF-T99, reason: x}\n",
                "ignore.yaml, line 2: unknown code",
            ),
            ("ignore:\n- {code: T1, reason: ''}\n", "reason is empty"),
            (
                "ignore:\n- {code: T1, reason: x, expires: soon}\n",
                "invalid date \"soon\"",
            ),
            (
                "ignore:\n- {code: T1, reason: x, until: 2027-01-01}\n",
                "until",
            ),
            ("ignore: [", "ignore.yaml: "),
            ("", "ignore.yaml: "),
        ] {
            let why = ignore_file(text, "ignore.yaml").expect_err("no ignore file");
            assert!(why.contains(says), "{text:?}: {why}");
            assert_eq!(why.lines().count(), 1, "{why}");
        }
    }

    #[test]
    fn only_takes_codes_and_families() {
        assert_eq!(only("T1, m4").map(|codes| codes.len()), Ok(2));
        let family = only("NGF-T").expect("a family");
        assert!(family.len() > 10 && family.iter().all(|code| code.family() == 'T'));
        assert!(only("T1,").is_err());
        assert!(only("nonsense").is_err());
    }
}
