//! NGF's answers about a scenario: recorded beside it as `ngf.txt`, or asked for anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use ngf_tui::diagnosis::ngf::Release;
use serde_json::{Value, json};

use super::{nginx, variations};
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

const HEAD: &str = "# What NGF itself answers to these objects, by release (x: with experimental features): tests/ngf/README.md.";

/// NGF's answers to the objects of a scenario as they are today; `None` where they were not asked for.
pub(crate) fn of(name: &str) -> Option<Answers> {
    if std::env::var_os("NGF_ANSWERS").is_some() {
        return Some(anew().get(name).cloned().unwrap_or_default());
    }
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

/// The scenarios, and the variations as `variation NUMBER`: as many as the environment says, or as are
/// recorded.
pub(crate) fn names() -> Vec<String> {
    let count =
        std::env::var("NGF_VARIATIONS").map_or(RECORDED, |count| count.parse().expect("a number"));
    let variations = (0..count).map(|number| format!("variation {number}"));
    scenario::all().into_iter().chain(variations).collect()
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

fn record(name: &str, answers: &Answers) {
    let mut by_line: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for asked in Asked::all() {
        match answers.get(&asked) {
            Some(said) => {
                for line in said {
                    by_line.entry(line).or_default().push(asked.to_string());
                }
            }
            None => by_line
                .entry("cannot read")
                .or_default()
                .push(asked.to_string()),
        }
    }
    let mut text = format!("{HEAD}\n{}\n", head(name));
    for (line, under) in by_line {
        let all = under.len() == Asked::all().count();
        let under = if all {
            "all".to_owned()
        } else {
            under.join(" ")
        };
        writeln!(text, "{under}\t{line}").expect("text");
    }
    fs::write(file(name), text).expect("ngf.txt");
}

fn anew() -> &'static BTreeMap<String, Answers> {
    static ALL: OnceLock<BTreeMap<String, Answers>> = OnceLock::new();
    ALL.get_or_init(|| {
        let names = names();
        let objects: Vec<(String, Vec<Value>)> = names
            .iter()
            .map(|name| {
                let objects = match variation(name) {
                    Some(number) => variations::objects(number),
                    None => scenario::objects(name),
                };
                (name.clone(), objects)
            })
            .collect();
        let mut all: BTreeMap<String, Answers> = BTreeMap::new();
        for asked in Asked::all() {
            for (name, lines) in ask(asked, &objects) {
                all.entry(name).or_default().insert(asked, lines);
            }
        }
        for name in &names {
            if variation(name).is_some_and(|number| number >= RECORDED) {
                continue;
            }
            record(name, all.entry(name.clone()).or_default());
        }
        all
    })
}

/// Asks the program that `tests/ngf/record` builds.
pub(crate) fn ask(
    asked: Asked,
    objects: &[(String, Vec<Value>)],
) -> Vec<(String, BTreeSet<String>)> {
    let folder = PathBuf::from(std::env::var_os("NGF_ANSWERS").expect("NGF_ANSWERS"));
    let questions: String = objects
        .iter()
        .map(|(name, objects)| {
            let question = json!({
                "name": name,
                "experimental": asked.experimental,
                "bundle": bundle(objects),
                "objects": objects,
            });
            format!("{question}\n")
        })
        .collect();
    run(&folder, asked.release, questions)
        .into_iter()
        // Of an object that Go cannot read the API server would have none; and some that the API server
        // would refuse make NGF panic.
        .filter(|answer| !answer["unread"].is_array() && answer["error"].is_null())
        .map(|answer| {
            let name = answer["name"].as_str().expect("a name").to_owned();
            let mut lines = conditions(&answer["statuses"]);
            for (gateway, files) in answer["files"].as_object().into_iter().flatten() {
                lines.extend(nginx::passes(gateway, files));
            }
            (name, lines)
        })
        .collect()
}

/// The bundle of CRDs that is installed, as far as the GatewayClass's status tells.
fn bundle(objects: &[Value]) -> &'static str {
    let class = objects
        .iter()
        .find(|object| object["kind"] == "GatewayClass");
    let conditions = class.and_then(|class| class["status"]["conditions"].as_array());
    let is_false = |kind: &str| {
        let mut found = conditions.into_iter().flatten();
        found.any(|condition| condition["type"] == kind && condition["status"] == "False")
    };
    match (is_false("Accepted"), is_false("SupportedVersion")) {
        (true, true) => "v2.0.0",
        (false, true) => "v1.0.0",
        _ => "",
    }
}

fn run(folder: &Path, release: Release, questions: String) -> Vec<Value> {
    let mut child = Command::new(folder.join(format!("ngf-{release}")))
        .arg(folder.join(format!("crds-{release}")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("NGF {release}: {error}"));
    let mut stdin = child.stdin.take().expect("stdin");
    let writer = std::thread::spawn(move || stdin.write_all(questions.as_bytes()));
    let output = child.wait_with_output().expect("output");
    writer.join().expect("the writer").expect("questions");
    assert!(output.status.success(), "NGF {release}: {}", output.status);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("an answer"))
        .collect()
}

/// The conditions of statuses.
fn conditions(statuses: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (object, status) in statuses.as_object().into_iter().flatten() {
        let namespace = object.split('/').nth(1).unwrap_or_default();
        let mut add = |place: &str, conditions: &Value| {
            for condition in conditions.as_array().into_iter().flatten() {
                let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
                all.insert(format!(
                    "{object}{place}: {} {}/{} \"{}\"",
                    text("type"),
                    text("status"),
                    text("reason"),
                    text("message")
                ));
            }
        };
        add("", &status["conditions"]);
        for listener in status["listeners"].as_array().into_iter().flatten() {
            let name = listener["name"].as_str().unwrap_or_default();
            add(&format!(" listener {name}"), &listener["conditions"]);
        }
        for (list, reference) in [("parents", "parentRef"), ("ancestors", "ancestorRef")] {
            for parent in status[list].as_array().into_iter().flatten() {
                if parent["controllerName"] != "gateway.nginx.org/nginx-gateway-controller" {
                    continue;
                }
                let reference = &parent[reference];
                let text = |field: &str| reference[field].as_str();
                let section = text("sectionName").map(|name| format!("#{name}"));
                let place = format!(
                    " of {} {}/{}{}",
                    text("kind").unwrap_or("Gateway"),
                    text("namespace").unwrap_or(namespace),
                    text("name").unwrap_or_default(),
                    section.unwrap_or_default()
                );
                add(&place, &parent["conditions"]);
            }
        }
    }
    all
}
