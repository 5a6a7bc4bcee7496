//! Names that attack a shell, a page or a parser, put into every scenario; and a shell in which nothing but
//! programs that write down their arguments can run.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

use ngf_core::{
    diagnosis::{Code, Finding},
    model::kind::Kind,
};
use serde_json::Value;

use super::scenario::{self, Scenario};

/// What a shell, a page or a program might take for more than a name. Where one runs, it touches PWN.
pub(crate) const HOSTILE: &[&str] = &[
    "x;touch PWN;",
    "$(touch PWN)",
    "`touch PWN`",
    "x && touch PWN",
    "x|touch PWN",
    "x>PWN",
    "x\ntouch PWN\n",
    "'; touch PWN; '",
    "\"; touch PWN; \"",
    "'\\''; touch PWN #",
    "\\'; touch PWN; \\'",
    "--kubeconfig=PWN",
    "-PWN",
    "two words PWN",
    "*PWN",
    "[a-z]PWN",
    "{PWN,x}",
    "~PWN",
    "!PWN",
    "#PWN",
    "x=PWN y",
    "${PWN:=x}",
    "PWN\u{1b}[31m\u{202e}",
    "PWNé日本",
    "PWN\\",
    "%PWN%s",
    "a: {PWN: [",
    "PWN\" } ] ",
    "../../PWN",
    "@octocat",
    "#181",
    "GH-7",
    "octo/repo#1",
    "octo@deadbeef",
    "deadbeefcafe",
    "https://evil.example/?a=b",
    "www.evil.example",
    "mailto:a@evil.example",
    "<img src=x onerror=PWN>",
    "</details><h1>PWN",
    "</failure><PWN/>",
    "]]><PWN/>",
    "<!-- PWN",
    "&lt;b&gt; &#64;octocat",
    "[PWN](https://evil.example)",
    "![PWN](x)",
    "[PWN]",
    "[^1]",
    "$PWN$",
    "$`PWN`$",
    "a`$b`c`$d",
    ":smile:",
    "*b* _c_ ~~d~~",
    "a|b|c",
    "a\\|b\\\\|c",
    "```\n# PWN\n```",
    "`````",
    "a``b`",
    "1. PWN",
    "- [ ] PWN",
    "> PWN",
    "| --- |",
    "=====",
];

/// A folder with programs that write down how they were called.
pub(crate) struct Shell {
    folder: tempfile::TempDir,
}

/// How a command ran.
pub(crate) struct Ran {
    /// Each call: the program, then its arguments.
    pub(crate) calls: Vec<Vec<String>>,
    /// Files that it made.
    pub(crate) files: BTreeSet<String>,
    pub(crate) status: Option<i32>,
}

const PROGRAMS: &[&str] = &[
    "kubectl", "cmctl", "openssl", "base64", "grep", "ngf-tui", "touch", "record",
];

impl Shell {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).expect("a folder");
        let record = folder.path().join("calls");
        for program in PROGRAMS {
            let script = format!(
                "#!/bin/sh\n{{ printf '%s\\0' {program} \"$@\"; printf '\\036'; }} >> {}\n",
                record.display()
            );
            let path = bin.join(program);
            fs::write(&path, script).expect("a program");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("may run");
        }
        fs::create_dir(folder.path().join("here")).expect("a folder");
        Self { folder }
    }

    pub(crate) fn here(&self) -> PathBuf {
        self.folder.path().join("here")
    }

    pub(crate) fn run(&self, shell: &str, command: &str) -> Ran {
        let record = self.folder.path().join("calls");
        fs::write(&record, "").expect("a file");
        let status = Command::new(shell)
            .args(["-c", command])
            .current_dir(self.here())
            .env_clear()
            .env("PATH", self.folder.path().join("bin"))
            .env("HOME", "/nonexistent")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("a shell");
        let text = fs::read_to_string(&record).expect("UTF-8");
        let mut calls: Vec<Vec<String>> = text
            .split('\u{1e}')
            .filter(|call| !call.is_empty())
            .map(|call| call.split_terminator('\0').map(str::to_owned).collect())
            .collect();
        // Programs of a pipeline run at the same time.
        calls.sort();
        let mut files = BTreeSet::new();
        for entry in fs::read_dir(self.here()).expect("a folder") {
            let entry = entry.expect("an entry");
            files.insert(entry.file_name().to_string_lossy().into_owned());
            fs::remove_file(entry.path()).expect("removed");
        }
        Ran {
            calls,
            files,
            status: status.code(),
        }
    }
}

/// An argument and, where it is JSON, the strings in it.
pub(crate) fn texts(argument: &str, into: &mut Vec<String>) {
    fn each(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::String(text) => into.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| each(item, into)),
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                into.push(name.clone());
                each(value, into);
            }),
            _ => {}
        }
    }
    into.push(argument.to_owned());
    if let Ok(value) = serde_json::from_str::<Value>(argument) {
        each(&value, into);
    }
}

fn put(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) if text == from => to.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| put(item, from, to)),
        Value::Object(fields) => {
            if fields.contains_key(from) {
                *fields = std::mem::take(fields)
                    .into_iter()
                    .map(|(name, value)| (if name == from { to.to_owned() } else { name }, value))
                    .collect();
            }
            fields.values_mut().for_each(|value| put(value, from, to));
        }
        _ => {}
    }
}

fn leaves(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            into.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| leaves(item, into)),
        Value::Object(fields) => {
            into.extend(fields.keys().cloned());
            fields.values().for_each(|value| leaves(value, into));
        }
        _ => {}
    }
}

fn copied(finding: &Finding) -> impl Iterator<Item = &String> {
    let remedy = finding.remedy.iter();
    remedy.flat_map(|remedy| remedy.command.iter().chain(&remedy.yaml))
}

/// Names of a scenario's objects that stand in what its findings give to copy, or in their titles; for
/// each code only those that no scenario before had there.
fn names_in_remedies(name: &str, seen: &mut BTreeSet<(Code, String)>) -> Vec<String> {
    let diagnosis = Scenario::load(name).diagnose();
    let mut words = BTreeSet::new();
    for finding in &diagnosis.findings {
        for text in copied(finding).chain([&finding.title]) {
            let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            let found = text.split(|c| !is_name(c)).map(str::to_owned);
            words.extend(found.filter(|word| seen.insert((finding.code, word.clone()))));
        }
    }
    let mut strings = BTreeSet::new();
    for object in scenario::objects_by_name(name) {
        leaves(&object, &mut strings);
    }
    // A word of the manifests' own language is no name.
    let is_language = |word: &str| {
        Kind::named(word).is_some()
            || [
                "apiVersion",
                "kind",
                "name",
                "namespace",
                "group",
                "spec",
                "metadata",
                "port",
                "status",
                "type",
            ]
            .contains(&word)
    };
    strings
        .intersection(&words)
        .filter(|word| word.len() > 2 && !is_language(word))
        .cloned()
        .collect()
}

/// What a scenario says with a hostile name in the place of one of its own.
pub(crate) struct Attacked {
    pub(crate) scenario: String,
    pub(crate) name: String,
    pub(crate) payload: &'static str,
    pub(crate) diagnosis: ngf_core::diagnosis::Diagnosis,
}

/// A scenario with a payload wherever its objects hold a name.
pub(crate) fn attack(scenario: &str, name: &str, payload: &'static str) -> Attacked {
    let changed = Scenario::load_changed(scenario, |objects| {
        for object in objects {
            put(object, name, payload);
        }
    });
    Attacked {
        scenario: scenario.to_owned(),
        name: name.to_owned(),
        payload,
        diagnosis: changed.diagnose(),
    }
}

/// Every scenario with each of its names attacked, by payloads in turn.
pub(crate) fn attacked() -> &'static [Attacked] {
    static ALL: OnceLock<Vec<Attacked>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut turn = 0;
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for scenario in scenario::all() {
            for name in names_in_remedies(&scenario, &mut seen) {
                let payload = HOSTILE[turn % HOSTILE.len()];
                turn += 1;
                all.push(attack(&scenario, &name, payload));
            }
        }
        all
    })
}
