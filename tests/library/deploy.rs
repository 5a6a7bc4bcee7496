//! The files of `assets/deploy`: what they name exists, and what they start this program takes.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use clap::Parser;
use ngf_tui::cli::args::Cli;
use serde_json::Value;

use crate::sandbox_support::{peers, run};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    let path = Path::new(ROOT).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).expect("YAML")
}

fn role(text: &str, name: &str) -> Value {
    let all = documents(text).into_iter();
    let mut found =
        all.filter(|one| one["kind"] == "ClusterRole" && one["metadata"]["name"] == name);
    found.next().unwrap_or_else(|| panic!("ClusterRole {name}"))
}

/// What `kubectl kustomize` makes of each folder.
fn kustomized(folder: &str) -> Vec<Value> {
    let path = format!("{ROOT}/assets/deploy/kustomize/{folder}");
    documents(&run(Command::new("kubectl").args(["kustomize", &path])).fine())
}

/// The arguments of each container, with a Job's index in place of its variable.
fn arguments(objects: &[Value]) -> Vec<Vec<String>> {
    let templates = objects.iter().filter_map(|object| {
        let of_job = object.pointer("/spec/template/spec/containers");
        of_job.or_else(|| object.pointer("/spec/jobTemplate/spec/template/spec/containers"))
    });
    let containers = templates.flat_map(|containers| containers.as_array().expect("containers"));
    containers
        .map(|container| {
            let args = container["args"].as_array().expect("arguments");
            let text = |arg: &Value| {
                arg.as_str()
                    .expect("text")
                    .replace("$(JOB_COMPLETION_INDEX)", "0")
            };
            args.iter().map(text).collect()
        })
        .collect()
}

#[test]
fn kustomize_builds_each_folder_and_the_program_takes_its_arguments() {
    if !peers(&["kubectl"]) {
        return;
    }
    let mut seen = BTreeSet::new();
    for folder in ["cronjob", "metrics", "sweep"] {
        let objects = kustomized(folder);
        let all = arguments(&objects);
        assert!(!all.is_empty(), "{folder} starts nothing");
        for args in all {
            let words = ["ngf-tui".to_owned()].into_iter().chain(args.clone());
            Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{folder} {args:?}: {error}"));
            seen.extend(args);
        }
        let version = format!(":v{}", env!("CARGO_PKG_VERSION"));
        let text = serde_json::to_string(&objects).expect("JSON");
        assert!(text.contains(&version), "{folder} names no image {version}");
    }
    for option in ["--store", "--listen", "--shard", "--all-endpoints"] {
        assert!(seen.contains(option), "{option}");
    }
}

/// Kustomize reads nothing above its folder, and a chart nothing outside of it, so that the role stands there again.
#[test]
fn the_role_that_reads_is_the_one_of_rbac_yaml() {
    let rules = role(&read("assets/rbac.yaml"), "ngf-tui-reader")["rules"].clone();
    let copy = read("assets/deploy/kustomize/base/reader.yaml");
    assert_eq!(role(&copy, "ngf-tui-reader")["rules"], rules);
    let chart = read("assets/deploy/helm/ngf-tui/templates/rbac.yaml");
    let without_templates: String = chart
        .lines()
        .filter(|line| !line.trim_start().starts_with("{{"))
        .map(|line| {
            let named = line.replace("{{ .Release.Name }}", "ngf-tui");
            named.replace("{{ .Release.Namespace }}", "ngf-tui") + "\n"
        })
        .collect();
    let of_chart = role(&without_templates, "ngf-tui-check")["rules"].clone();
    let of_chart = of_chart.as_array().expect("rules");
    for rule in rules.as_array().expect("rules") {
        assert!(of_chart.contains(rule), "{rule}");
    }
}

#[test]
fn alerts_and_dashboard_name_metrics_that_there_are() {
    let source = read("src/report/openmetrics.rs");
    let alerts = read("assets/deploy/prometheus/alerts.yaml");
    let dashboard = read("assets/deploy/grafana/ngf-tui.json");
    serde_json::from_str::<Value>(&dashboard).expect("the dashboard is JSON");
    let mut named = BTreeSet::new();
    for text in [&alerts, &dashboard] {
        for (at, _) in text.match_indices("ngf_") {
            let rest = &text[at + "ngf_".len()..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            named.insert(rest[..end.unwrap_or(rest.len())].to_owned());
        }
    }
    assert!(named.len() > 5, "{named:?}");
    for name in named {
        let bare = name.strip_suffix("_seconds").unwrap_or(&name);
        let is_there = [&name, bare]
            .iter()
            .any(|name| source.contains(&format!("\"{name}\"")));
        assert!(is_there, "no metric ngf_{name}");
    }
}
