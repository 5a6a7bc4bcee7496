//! Commands and manifests that people copy, made of names that attack a shell. Each command runs under
//! `sh` with programs that only write down how they were called.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use crate::support::{
    has_peer,
    hostile::{Attacked, HOSTILE, Ran, Shell, attack, attacked, texts},
    ngf_tui,
    scenario::{self, Scenario},
};
use ngf_core::{
    command::{Command as Printed, shell_word},
    diagnosis::finding::{ObjectChange, Remedy},
    model::{kind::Kind, object::ObjectRef},
};
use serde_json::{Value, json};

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
    // These names may be any text, so that a command passes each payload on.
    let of_any_text = [
        ("c5-class-does-not-exist", "nginx"),
        ("r16-section-misspelt", "http"),
    ];
    let each = of_any_text.iter().flat_map(|(scenario, name)| {
        // Control characters are taken out before.
        let payloads = HOSTILE
            .iter()
            .filter(|payload| !payload.contains(char::is_control));
        payloads.map(|payload| attack(scenario, name, payload))
    });
    let each: Vec<Attacked> = each.collect();
    for attacked in attacked().iter().chain(&each) {
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

/// Hostile names, and texts that YAML has a meaning for.
fn all_texts() -> Vec<String> {
    let of_yaml = [
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
    ];
    let all = HOSTILE.iter().chain(&of_yaml);
    all.map(|text| (*text).to_owned()).collect()
}

#[test]
fn every_hostile_text_survives_yaml() {
    for text in &all_texts() {
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
    // Some attack a page and may be names.
    let is_name = |text: &str| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
    };
    for text in HOSTILE.iter().filter(|text| !is_name(text)) {
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

#[test]
fn kubectl_reads_every_text_as_it_was_written() {
    if !has_peer("kubectl") {
        return;
    }
    let object = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "gateway"},
        "spec": {"texts": all_texts()},
    });
    let yaml = Remedy::manifest("", &object).yaml.expect("YAML");
    let mut kubectl = Command::new("kubectl")
        .args(["annotate", "--local", "-o", "json", "-f", "-", "a=b"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("kubectl runs");
    let mut input = kubectl.stdin.take().expect("stdin");
    input.write_all(yaml.as_bytes()).expect("written");
    drop(input);
    let output = kubectl.wait_with_output().expect("kubectl ends");
    let read: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(read["spec"], object["spec"], "{yaml}");
}

#[test]
fn init_prints_a_command_that_finds_its_folder() {
    let shell = Shell::new();
    let folder = tempfile::tempdir().expect("a folder");
    let mut objects = scenario::objects("guide");
    objects.retain(|object| object["kind"] != "BackendTLSPolicy");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    fs::write(folder.path().join("objects.json"), list.to_string()).expect("a file");
    for name in HOSTILE
        .iter()
        .filter(|name| !name.starts_with('-') && !name.contains(".."))
    {
        let output = ngf_tui()
            .args([
                "init",
                "service/secure-app",
                "--hostname",
                "secure-app.example.com",
            ])
            .args(["-f", "objects.json", "-o", name])
            .current_dir(folder.path())
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{name:?}: {said}");
        let hint = said.lines().last().unwrap_or_default();
        let Some((_, command)) = hint.split_once("Review, then: ") else {
            assert!(hint.contains("that a terminal does not show"), "{hint}");
            assert!(name.contains(['\n', '\u{1b}']), "{name:?}: {hint}");
            continue;
        };
        let ran = shell.run("/bin/sh", command);
        let wanted = [
            vec!["kubectl", "apply", "-f", name],
            vec!["ngf-tui", "check", "-f", name, "--over"],
        ];
        assert_eq!(ran.calls, wanted, "{command}");
        assert!(ran.files.is_empty() && ran.status == Some(0), "{command}");
    }
}
