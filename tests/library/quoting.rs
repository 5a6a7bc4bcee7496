//! Commands and manifests that people copy, made of names that attack a shell. Each command runs under
//! `sh` with programs that only write down how they were called.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use crate::support::scenario::{self, Scenario};
use ngf_tui::{
    command::{Command as Printed, shell_word},
    diagnosis::{
        Finding,
        finding::{ObjectChange, Remedy},
    },
    model::{kind::Kind, object::ObjectRef},
};
use serde_json::{Value, json};

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
];

/// A folder with programs that write down how they were called.
struct Shell {
    folder: tempfile::TempDir,
}

/// How a command ran.
struct Ran {
    /// Each call: the program, then its arguments.
    calls: Vec<Vec<String>>,
    /// Files that it made.
    files: BTreeSet<String>,
    status: Option<i32>,
}

const PROGRAMS: &[&str] = &[
    "kubectl", "cmctl", "base64", "grep", "ngf-tui", "touch", "record",
];

impl Shell {
    fn new() -> Self {
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

    fn here(&self) -> PathBuf {
        self.folder.path().join("here")
    }

    fn run(&self, shell: &str, command: &str) -> Ran {
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
fn texts(argument: &str, into: &mut Vec<String>) {
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
fn names_in_remedies(name: &str, seen: &mut BTreeSet<(&'static str, String)>) -> Vec<String> {
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
    pub(crate) diagnosis: ngf_tui::diagnosis::Diagnosis,
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
                let changed = Scenario::load_changed(&scenario, |objects| {
                    for object in objects {
                        put(object, &name, payload);
                    }
                });
                all.push(Attacked {
                    scenario: scenario.clone(),
                    name,
                    payload,
                    diagnosis: changed.diagnose(),
                });
            }
        }
        all
    })
}

/// What is wrong with how a command ran.
fn faults(ran: &Ran, command: &str, payload: Option<&str>) -> Vec<String> {
    let mut faults = Vec::new();
    if ran.status != Some(0) {
        faults.push(format!("ends with {:?}", ran.status));
    }
    for call in &ran.calls {
        if call[0] == "touch" {
            faults.push(format!("runs {call:?}"));
        }
    }
    for file in &ran.files {
        if !["ca.crt", "chain.pem"].contains(&file.as_str()) {
            faults.push(format!("writes {file:?}"));
        }
    }
    if let Some(payload) = payload.filter(|_| command.contains("PWN")) {
        let mut all = Vec::new();
        for argument in ran.calls.iter().flatten() {
            texts(argument, &mut all);
        }
        if !all.iter().any(|text| text.contains(payload)) {
            faults.push(format!("does not pass on {payload:?}: {:?}", ran.calls));
        }
    }
    faults
}

#[test]
fn every_command_of_every_scenario_runs_the_programs_that_it_shows() {
    let shell = Shell::new();
    let mut commands = BTreeSet::new();
    for name in scenario::all() {
        let diagnosis = Scenario::load(&name).diagnose();
        let remedies = diagnosis
            .findings
            .iter()
            .filter_map(|finding| finding.remedy.clone());
        commands.extend(remedies.filter_map(|remedy| remedy.command));
    }
    let mut wrong = Vec::new();
    for command in &commands {
        let ran = shell.run("/bin/sh", command);
        let mut faults = faults(&ran, command, None);
        let lines = command.lines().count();
        if ran.calls.len() < lines {
            faults.push(format!(
                "runs {} programs in {lines} lines",
                ran.calls.len()
            ));
        }
        wrong.extend(
            faults
                .into_iter()
                .map(|fault| format!("{command}\n  {fault}")),
        );
    }
    assert!(commands.len() > 40, "{}", commands.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_name_in_a_scenario_runs_in_a_command() {
    let shell = Shell::new();
    let (mut wrong, mut refused, mut passed_on) = (Vec::new(), 0, 0);
    let mut ran: BTreeMap<(String, &str), Vec<String>> = BTreeMap::new();
    for attacked in attacked() {
        for finding in &attacked.diagnosis.findings {
            let Some(remedy) = &finding.remedy else {
                continue;
            };
            refused += usize::from(remedy.summary.contains("is not a valid"));
            let Some(command) = &remedy.command else {
                continue;
            };
            let key = (command.clone(), attacked.payload);
            let faults = ran.entry(key).or_insert_with(|| {
                passed_on += usize::from(command.contains("PWN"));
                faults(
                    &shell.run("/bin/sh", command),
                    command,
                    Some(attacked.payload),
                )
            });
            wrong.extend(faults.iter().map(|fault| {
                format!(
                    "{} with {:?} for {}, {}: {command}\n  {fault}",
                    attacked.scenario, attacked.payload, attacked.name, finding.code
                )
            }));
        }
    }
    println!(
        "{} ran, {passed_on} with a payload, {refused} refused",
        ran.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused > 50, "{refused} were refused");
    assert!(passed_on > 0, "no command held a payload");
}

#[test]
fn no_command_and_no_manifest_is_shown_for_a_name_that_cannot_exist() {
    let mut wrong = Vec::new();
    for attacked in attacked() {
        for finding in &attacked.diagnosis.findings {
            let Some(remedy) = &finding.remedy else {
                continue;
            };
            let says = remedy.summary.contains("is not a valid");
            let shows = remedy.command.is_some() || remedy.yaml.is_some();
            if says && (shows || !remedy.changes.is_empty()) {
                wrong.push(format!(
                    "{} {}: {remedy:?}",
                    attacked.scenario, finding.code
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_manifest_reads_back_as_what_was_meant() {
    let mut manifests = 0;
    for attacked in attacked() {
        for finding in &attacked.diagnosis.findings {
            let Some(remedy) = &finding.remedy else {
                continue;
            };
            let Some(yaml) = &remedy.yaml else { continue };
            let read: Value = serde_saphyr::from_str(yaml)
                .unwrap_or_else(|error| panic!("{}: {error}\n{yaml}", finding.code));
            if let [ObjectChange::Create(manifest)] = remedy.changes.as_slice() {
                assert_eq!(&read, manifest, "{} {}", attacked.scenario, finding.code);
                manifests += 1;
            }
        }
    }
    assert!(manifests > 10, "{manifests}");
}

#[test]
fn every_hostile_text_survives_yaml() {
    let mut texts: Vec<String> = HOSTILE.iter().map(|text| (*text).to_owned()).collect();
    for text in [
        "yes",
        "No",
        "on",
        "null",
        "~",
        "0x1f",
        "010",
        "1e3",
        "1:30",
        "-",
        "- a",
        "? a",
        ": a",
        "a: b",
        "a #b",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        " a",
        "a ",
        "\ta",
        "a\tb",
        "a\n",
        "\na",
        "a\n\nb",
        "",
        "---",
        "...",
        "'a",
        "\"a",
        "<<",
        "=",
        ".inf",
        "2026-01-01",
        "{{x}}",
        "a\r\nb",
        "\u{feff}a",
        "\u{85}",
        "\u{2028}",
        "1_000",
        "0b1",
        "0o7",
        "+1",
        ".5",
        "y",
        "n",
    ] {
        texts.push(text.to_owned());
    }
    for text in &texts {
        let object = json!({"hostname": text, "list": [text], "labels": {text.as_str(): text}});
        let remedy = Remedy::manifest("", &object);
        let yaml = remedy.yaml.expect("YAML");
        let read: Value = serde_saphyr::from_str(&yaml).unwrap_or_else(|e| panic!("{e}\n{yaml}"));
        assert_eq!(read, object, "{yaml}");
    }
}

#[test]
fn a_word_is_one_word_to_every_shell() {
    let shell = Shell::new();
    let mut words: Vec<String> = HOSTILE.iter().map(|word| (*word).to_owned()).collect();
    let mut seed = 88_172_645_463_325_252_u64;
    for _ in 0..200 {
        let mut word = String::new();
        for _ in 0..6 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            word.push(char::from(0x20 + (seed % 0x5f) as u8));
        }
        words.push(word);
    }
    words.extend(["", " ", "'", "''", "\\", "\"", "=ls", "a=b", "~root", "\n"].map(str::to_owned));
    for program in ["/bin/sh", "/bin/bash"] {
        let line: Vec<String> = words.iter().map(|word| shell_word(word)).collect();
        for (word, quoted) in words.iter().zip(&line) {
            assert!(quoted == word || quoted.starts_with('\''), "{quoted}");
        }
        // A file that a glob would find.
        fs::write(shell.here().join("a-PWN"), "").expect("a file");
        let ran = shell.run(program, &format!("record {}", line.join(" ")));
        assert_eq!(ran.status, Some(0));
        let mut wanted = vec!["record".to_owned()];
        wanted.extend(words.iter().cloned());
        assert_eq!(ran.calls, [wanted], "{program}");
        assert_eq!(ran.files, BTreeSet::from(["a-PWN".to_owned()]));
    }
}

/// Every part of a command that holds something from outside, with that text.
fn parts(text: &str) -> Vec<(&'static str, Printed)> {
    let object = |kind, namespace: &str, name: &str| ObjectRef::new(kind, namespace, name);
    let kubectl = || Printed::new("kubectl");
    vec![
        ("namespace", kubectl().namespace(text)),
        ("name", kubectl().name(Kind::Secret, text)),
        ("other name", kubectl().other_name(text)),
        (
            "object",
            kubectl().object(&object(Kind::Gateway, "a", text)),
        ),
        ("path", kubectl().path(&object(Kind::Gateway, "a", text))),
        (
            "namespace of a path",
            kubectl().path(&object(Kind::Gateway, text, "a")),
        ),
        (
            "port",
            kubectl().service_port(&object(Kind::Service, "a", text), 1),
        ),
        (
            "label",
            kubectl().labels(&BTreeMap::from([(text.to_owned(), "a".to_owned())])),
        ),
        (
            "label value",
            kubectl().labels(&BTreeMap::from([("a".to_owned(), text.to_owned())])),
        ),
        ("key", kubectl().data_key(text)),
        ("patch", kubectl().patch(&json!({"a": text}))),
        ("file", kubectl().file(Path::new(text))),
    ]
}

#[test]
fn every_part_of_a_command_passes_a_hostile_text_on_or_refuses_it() {
    let shell = Shell::new();
    let mut passed_on = BTreeSet::new();
    for text in HOSTILE {
        for (part, command) in parts(text) {
            match command.text() {
                Ok(command) => {
                    let faults = faults(&shell.run("/bin/sh", &command), &command, Some(text));
                    assert!(faults.is_empty(), "{part}: {command}: {faults:?}");
                    passed_on.insert(part);
                }
                Err(why) => {
                    assert!(
                        why.ends_with("is shown") && !why.contains(['\n', '\u{1b}']),
                        "{why}"
                    );
                }
            }
        }
    }
    // A name of Kubernetes never is hostile.
    assert_eq!(passed_on, BTreeSet::from(["file", "patch"]));
    for (part, command) in parts("fine") {
        assert!(command.text().is_ok(), "{part}");
    }
}
