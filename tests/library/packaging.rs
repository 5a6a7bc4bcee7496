//! What is released: every file of it names the same repository, archive and image, and what the manifests name is in
//! the archive.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use openssl::sha::sha256;
use serde_json::Value;

use crate::{
    sandbox_support::{Demo, run},
    support::has_peer,
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const TARGETS: [&str; 4] = [
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn cargo(arguments: &[&str]) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    run(cargo.current_dir(ROOT).args(arguments)).fine()
}

/// What cargo knows of this workspace's packages.
pub(crate) fn packages() -> Vec<Value> {
    let text = cargo(&[
        "metadata",
        "--no-deps",
        "--offline",
        "--format-version",
        "1",
    ]);
    let metadata: Value = serde_json::from_str(&text).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    packages.clone()
}

/// A field of the package ngf-tui.
fn program(pointer: &str) -> String {
    let packages = packages();
    let package = packages.iter().find(|package| package["name"] == "ngf-tui");
    let value = package.expect("ngf-tui").pointer(pointer);
    let text = value.and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("{pointer} in Cargo.toml"))
        .to_owned()
}

/// The addresses in a text that begin so, up to what ends a word.
fn addresses<'t>(text: &'t str, begin: &str) -> Vec<&'t str> {
    text.match_indices(begin)
        .map(|(at, _)| {
            let rest = &text[at..];
            let end = rest.find(|c: char| c.is_whitespace() || "\"'`)<>,:".contains(c));
            // The colon of https: is part of it.
            match rest.strip_prefix("https:") {
                Some(path) => {
                    let end = path.find(|c: char| c.is_whitespace() || "\"'`)<>,:".contains(c));
                    &rest[..end.map_or(rest.len(), |end| end + "https:".len())]
                }
                None => &rest[..end.unwrap_or(rest.len())],
            }
        })
        .collect()
}

#[test]
fn every_file_names_the_repository_of_cargo_toml() {
    let repository = program("/repository");
    let account = repository
        .strip_prefix("https://github.com/")
        .expect("a repository of GitHub");
    let mut seen = 0;
    for path in [
        "Containerfile",
        "README.md",
        "assets/packaging/krew/ngf.yaml",
        "assets/packaging/homebrew/ngf-tui.rb",
        "assets/packaging/lint",
        "docs/install.md",
        "docs/cronjob.md",
        "docs/security.md",
        "SECURITY.md",
        "core/README.md",
        "cluster/README.md",
        "ui/README.md",
        "probes/README.md",
        "sandbox/README.md",
        "tls/README.md",
        "docs/book.toml",
    ] {
        let text = read(path);
        for address in addresses(&text, "https://github.com/") {
            if address.ends_with("/ngf-tui") || address.contains("/ngf-tui/") {
                assert!(address.starts_with(&repository), "{path}: {address}");
                seen += 1;
            }
        }
        for image in addresses(&text, "ghcr.io/") {
            assert_eq!(image, format!("ghcr.io/{account}"), "{path}");
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} addresses");
}

#[test]
fn no_package_holds_tests_and_each_holds_licence_and_readme() {
    // What has `publish = false` has an empty list of registries, and no package.
    let published = |package: &Value| {
        package["publish"]
            .as_array()
            .is_none_or(|to| !to.is_empty())
    };
    for package in packages().into_iter().filter(published) {
        let name = package["name"].as_str().expect("a name");
        let list = cargo(&[
            "package",
            "--list",
            "--offline",
            "--allow-dirty",
            "-p",
            name,
        ]);
        let files: BTreeSet<&str> = list.lines().collect();
        for needed in ["LICENSE", "README.md", "Cargo.toml"] {
            assert!(files.contains(needed), "{name}: no {needed} in {files:?}");
        }
        for file in &files {
            let folder = file.split('/').next().unwrap_or_default();
            assert!(
                !matches!(
                    folder,
                    "tests" | "fuzz" | "docs" | ".github" | ".ci" | "target"
                ),
                "{name}: {file}"
            );
        }
        for field in ["license", "repository", "readme", "description"] {
            assert!(package[field].is_string(), "{name}: no {field}");
        }
    }
}

/// Archives of every target, filled with two scripts that stand for the programs, and the manifests that name them.
struct Release(tempfile::TempDir);

impl Release {
    fn build() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let programs = folder.path().join("programs");
        fs::create_dir(&programs).expect("made");
        for name in ["ngf-tui", "kubectl-ngf"] {
            fs::write(programs.join(name), format!("#!/bin/sh\necho {name}\n")).expect("written");
        }
        let release = Self(folder);
        for target in TARGETS {
            let mut archive = Command::new(Path::new(ROOT).join("assets/packaging/archive"));
            run(archive.arg(&programs).arg(target).arg(release.out())).fine();
        }
        let mut manifests = Command::new(Path::new(ROOT).join("assets/packaging/manifests"));
        run(manifests.arg(release.out())).fine();
        release
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.out().join(name)).expect("written")
    }

    /// The name of a target's archive, and what it holds.
    fn archive(&self, target: &str) -> (String, Vec<String>) {
        let name = format!("ngf-tui-v{}-{target}.tar.gz", program("/version"));
        let mut tar = Command::new("tar");
        let list = run(tar.arg("-tzf").arg(self.out().join(&name))).fine();
        (name, list.lines().map(str::to_owned).collect())
    }

    fn sum(&self, archive: &str) -> String {
        use std::fmt::Write as _;
        let bytes = fs::read(self.out().join(archive)).expect("the archive");
        sha256(&bytes).iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

#[test]
fn the_krew_manifest_names_archives_checksums_and_files_as_they_are() {
    let release = Release::build();
    let manifest: Value = serde_saphyr::from_str(&release.text("ngf.yaml")).expect("YAML");
    assert_eq!(manifest["metadata"]["name"], "ngf");
    let version = format!("v{}", program("/version"));
    assert_eq!(manifest["spec"]["version"], version.as_str());
    let short = manifest["spec"]["shortDescription"].as_str().expect("text");
    assert!(
        short.len() <= 50,
        "krew's guide asks for 50 characters: {short}"
    );
    let platforms = manifest["spec"]["platforms"].as_array().expect("platforms");
    assert_eq!(platforms.len(), TARGETS.len());
    for (platform, target) in platforms.iter().zip(TARGETS) {
        let (archive, files) = release.archive(target);
        let uri = platform["uri"].as_str().expect("a URI");
        let base = format!("{}/releases/download/{version}", program("/repository"));
        assert_eq!(uri, format!("{base}/{archive}"));
        assert_eq!(
            platform["sha256"],
            release.sum(&archive).as_str(),
            "{target}"
        );
        let labels = &platform["selector"]["matchLabels"];
        let (cpu, os) = target.split_once('-').expect("a target");
        assert_eq!(
            labels["arch"],
            if cpu == "x86_64" { "amd64" } else { "arm64" }
        );
        assert_eq!(
            labels["os"],
            if os.contains("linux") {
                "linux"
            } else {
                "darwin"
            }
        );
        let mut installed = Vec::new();
        for file in platform["files"].as_array().expect("files") {
            let from = file["from"].as_str().expect("a path");
            assert!(files.iter().any(|file| file == from), "{from} in {files:?}");
            assert_eq!(file["to"], ".");
            installed.push(from.rsplit('/').next().expect("a name"));
        }
        assert!(installed.contains(&platform["bin"].as_str().expect("a path")));
    }
}

#[test]
fn the_formula_names_archives_checksums_and_files_as_they_are() {
    let release = Release::build();
    let formula = release.text("ngf-tui.rb");
    for target in TARGETS {
        let (archive, files) = release.archive(target);
        let at = formula.find(&format!("/{archive}\"")).expect("its address");
        let sum = format!("sha256 \"{}\"", release.sum(&archive));
        assert!(formula[at..].lines().nth(1).expect("a line").contains(&sum));
        for line in formula.lines().filter(|line| line.contains(".install \"")) {
            for name in line.split('"').skip(1).step_by(2) {
                let wanted = format!("/{name}");
                assert!(files.iter().any(|file| file.ends_with(&wanted)), "{name}");
            }
        }
    }
}

#[test]
fn cargo_binstall_finds_archives_and_programs() {
    let release = Release::build();
    let filled = |text: String, target: &str, program_name: &str| {
        text.replace("{ repo }", &program("/repository"))
            .replace("{ version }", &program("/version"))
            .replace("{ target }", target)
            .replace("{ bin }", program_name)
            .replace("{ binary-ext }", "")
    };
    for target in TARGETS {
        // A machine with glibc asks for the triple of glibc.
        let (asks, base) = match target.strip_suffix("-musl") {
            Some(linux) => {
                let asks = format!("{linux}-gnu");
                let base = format!("/metadata/binstall/overrides/{asks}");
                (asks, base)
            }
            None => (target.to_owned(), "/metadata/binstall".to_owned()),
        };
        let (archive, files) = release.archive(target);
        let address = filled(program(&format!("{base}/pkg-url")), &asks, "");
        assert!(address.ends_with(&format!("/{archive}")), "{address}");
        for name in ["ngf-tui", "kubectl-ngf"] {
            let path = filled(program(&format!("{base}/bin-dir")), &asks, name);
            assert!(files.contains(&path), "{path} in {files:?}");
        }
    }
}

#[test]
fn the_same_programs_give_the_same_archive() {
    let (one, other) = (Release::build(), Release::build());
    let (name, _) = one.archive(TARGETS[0]);
    assert_eq!(one.sum(&name), other.sum(&name));
}

#[test]
fn an_archive_that_is_missing_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut manifests = Command::new(Path::new(ROOT).join("assets/packaging/manifests"));
    let error = run(manifests.arg(folder.path())).refused();
    assert!(
        error.contains("is missing: build the archive of"),
        "{error}"
    );
}

#[test]
fn the_debian_package_names_files_that_are_there() {
    let packages = packages();
    let package = packages.iter().find(|package| package["name"] == "ngf-tui");
    let assets = package.and_then(|package| package.pointer("/metadata/deb/assets"));
    let assets = assets.and_then(Value::as_array).expect("assets");
    let mut programs = 0;
    for asset in assets {
        let from = asset[0].as_str().expect("a path");
        match from.strip_prefix("target/release/") {
            // Which cargo-deb finds in the folder of the profile and the target.
            Some(name) => {
                assert!(["ngf-tui", "kubectl-ngf"].contains(&name), "{name}");
                assert_eq!(asset[2], "755");
                programs += 1;
            }
            None => assert!(Path::new(ROOT).join(from).is_file(), "{from}"),
        }
    }
    assert_eq!(programs, 2);
}

#[test]
fn every_k9s_plugin_runs_on_every_kind_that_it_is_offered_for() {
    if !has_peer("kubectl") {
        return;
    }
    let plugins: Value = serde_saphyr::from_str(&read("assets/k9s/plugins.yaml")).expect("YAML");
    let demo = Demo::start("--stage policy");
    let folder = Path::new(env!("CARGO_BIN_EXE_kubectl-ngf"))
        .parent()
        .expect("a folder");
    let search = format!(
        "{}:{}",
        folder.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut keys = BTreeSet::new();
    for (name, plugin) in plugins["plugins"].as_object().expect("plugins") {
        assert!(
            keys.insert(plugin["shortCut"].to_string()),
            "{name}: its key is taken"
        );
        for field in ["description", "command"] {
            assert!(plugin[field].is_string(), "{name}: no {field}");
        }
        let args: Vec<&str> = plugin["args"]
            .as_array()
            .expect("args")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        for scope in plugin["scopes"].as_array().expect("scopes") {
            let scope = scope.as_str().expect("text");
            let object = match scope {
                "gateways" => "gateway",
                "backendtlspolicies" => "backend-tls",
                "secrets" => "backend-cert",
                // None of these is in the guide: the program must find the kind, and say that the object is missing.
                "grpcroutes" => "nosuch",
                _ => "secure-app",
            };
            let filled = args.iter().map(|arg| {
                arg.replace("$RESOURCE_NAME", scope)
                    .replace("$NAMESPACE", "default")
                    .replace("$NAME", object)
                    .replace("$CONTEXT", "ngf-demo")
            });
            if plugin["command"] == "kubectl-ngf" {
                // The interface needs a terminal; its arguments must be known.
                let mut help = Command::new(env!("CARGO_BIN_EXE_kubectl-ngf"));
                run(help.args(filled).arg("--help")).fine();
                continue;
            }
            let mut command = Command::new(plugin["command"].as_str().expect("text"));
            let said = run(command
                .args(filled)
                .env("PATH", &search)
                .env("KUBECONFIG", demo.kubeconfig())
                .env("NO_COLOR", "1"));
            let context = format!("{name} on {scope}: {said:?}");
            if object == "nosuch" {
                assert!(said.out.contains("not found"), "{context}");
            } else {
                assert!(said.out.contains("secure-app"), "{context}");
                assert!(!said.out.contains("Usage:"), "{context}");
            }
        }
    }
}
