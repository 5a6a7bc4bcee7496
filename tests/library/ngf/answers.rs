//! NGF's answers about a scenario, recorded as `ngf.txt` in its folder (`tests/ngf/README.md`).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::{Path, PathBuf},
};

use ngf_core::diagnosis::ngf::Release;
use serde_json::Value;

use super::variations;
use crate::support::scenario;

/// Under which release, and whether with experimental features, NGF was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked {
    pub(crate) release: Release,
    pub(crate) experimental: bool,
}

impl Asked {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Release::ALL.into_iter().flat_map(|release| {
            [false, true].map(|experimental| Self {
                release,
                experimental,
            })
        })
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let x = if self.experimental { "x" } else { "" };
        write!(f, "{}{x}", self.release)
    }
}

/// What NGF answers: a line for each condition, as `Kind/namespace/name[ of Parent][ listener NAME]: Type
/// Status/Reason "message"`, and one for each way in which nginx passes requests on, as `nginx
/// namespace/gateway URL: directives`. Nothing under a release that cannot read the objects.
pub(crate) type Answers = BTreeMap<Asked, BTreeSet<String>>;

/// NGF's answers to the objects of a scenario as they are today; `None` where there are no recorded
/// answers to these objects.
pub(crate) fn of(name: &str) -> Option<Answers> {
    let text = fs::read_to_string(file(name)).ok()?;
    let mut lines = text.lines().skip(1);
    (lines.next()? == head(name)).then_some(())?;
    let mut answers: Answers = Asked::all().map(|asked| (asked, BTreeSet::new())).collect();
    for line in lines {
        let (under, line) = line.split_once('\t').expect("releases and a line");
        if line == "cannot read" {
            answers.retain(|asked, _| !is_among(*asked, under));
        }
        for (asked, said) in &mut answers {
            if is_among(*asked, under) {
                said.insert(line.to_owned());
            }
        }
    }
    Some(answers)
}

fn is_among(asked: Asked, under: &str) -> bool {
    under == "all" || under.split(' ').any(|label| label == asked.to_string())
}

/// The scenarios, and the variations as `variation NUMBER`.
pub(crate) fn names() -> Vec<String> {
    let variations = (0..RECORDED).map(|number| format!("variation {number}"));
    scenario::all().into_iter().chain(variations).collect()
}

/// Whether answers about a scenario or variation were ever recorded, to whichever objects.
pub(crate) fn are_recorded(name: &str) -> bool {
    file(name).exists()
}

/// Variations whose answers are recorded.
const RECORDED: u64 = 60;

/// The number of a variation; `None` of a scenario.
pub(crate) fn variation(name: &str) -> Option<u64> {
    name.strip_prefix("variation ")?.parse().ok()
}

fn file(name: &str) -> PathBuf {
    match variation(name) {
        Some(number) => Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("tests/ngf/variations/{number:03}.txt")),
        None => scenario::root().join(name).join("ngf.txt"),
    }
}

/// By which objects an answer can be told from one to other objects (FNV-1a of the objects, with
/// certificates as their names).
fn head(name: &str) -> String {
    let objects = match variation(name) {
        Some(number) => variations::objects_by_name(number),
        None => scenario::objects_by_name(name),
    };
    let text = Value::from(objects).to_string();
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("# objects {hash:016x}")
}
