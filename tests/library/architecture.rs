//! ARCHITECTURE.md is true: which crate uses which, and the modules of a crate form no cycle.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// A row of the table of crates.
struct Row {
    name: String,
    folder: String,
    may_use: BTreeSet<String>,
    never: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .arg("--offline")
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "cargo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}

fn table() -> Vec<Row> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let names = |cell: &str| -> Vec<String> {
        let named = cell.split(',').map(str::trim);
        named
            .filter(|name| !name.is_empty() && *name != "–")
            .map(str::to_owned)
            .collect()
    };
    let rows: Vec<Row> = text
        .lines()
        .filter(|line| line.starts_with("| ngf-"))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            Row {
                name: cells[0].to_owned(),
                folder: cells[1].trim_matches('`').to_owned(),
                may_use: names(cells[2]).into_iter().collect(),
                never: names(cells[3]),
            }
        })
        .collect();
    assert!(rows.len() > 4, "the table of crates is not found");
    rows
}

#[test]
fn crates_use_what_the_table_says() {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version=1"]))
            .expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let known: BTreeSet<&str> = packages
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    let rows = table();
    let named: BTreeSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(named, known, "the crates of the workspace");
    for row in &rows {
        let package = packages
            .iter()
            .find(|package| package["name"] == row.name.as_str())
            .expect("a package");
        let used: BTreeSet<String> = package["dependencies"]
            .as_array()
            .expect("dependencies")
            .iter()
            // Of normal dependencies the kind is null; tests may use more.
            .filter(|dependency| dependency["kind"].is_null())
            .filter_map(|dependency| dependency["name"].as_str())
            .filter(|name| known.contains(name))
            .map(str::to_owned)
            .collect();
        assert_eq!(used, row.may_use, "{} uses", row.name);
        let expected = if row.folder == "src" {
            "Cargo.toml".to_owned()
        } else {
            format!("{}/Cargo.toml", row.folder)
        };
        let manifest = package["manifest_path"].as_str().unwrap_or_default();
        assert_eq!(Path::new(manifest), root().join(expected), "{}", row.name);
    }
}

#[test]
fn no_crate_pulls_in_what_it_must_never_use() {
    for row in table() {
        let tree = cargo(&["tree", "-p", &row.name, "-e", "normal", "--prefix", "none"]);
        let used: BTreeSet<&str> = tree
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert!(used.contains(row.name.as_str()), "{tree}");
        for never in &row.never {
            assert!(
                !used.contains(never.as_str()),
                "{} pulls in {never}",
                row.name
            );
        }
    }
}

/// The source without comments and the modules of unit tests.
fn code(source: &str) -> String {
    let mut code = String::new();
    for line in source.lines() {
        let line = line.trim_start();
        // A module of tests is the last thing in a file.
        if line.starts_with("#[cfg(test)]") && !code.is_empty() {
            let rest = &source[source.find("#[cfg(test)]").unwrap_or(0)..];
            if rest.contains("mod tests {") {
                break;
            }
        }
        if !line.starts_with("//") {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

/// The paths that a source file names as `crate::…`, without `crate::`.
fn paths(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, start) in code.match_indices("crate::") {
        expand(&code[at + start.len()..], "", &mut found);
    }
    found
}

/// Takes in a path, or a list of them in braces; how many bytes it was.
fn expand(text: &str, before: &str, found: &mut BTreeSet<String>) -> usize {
    if !text.starts_with('{') {
        let word: String = text
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let path = format!("{before}{word}");
        let rest = &text[word.len()..];
        if word.is_empty() || !rest.starts_with("::") {
            found.insert(path);
            return word.len().max(1);
        }
        return word.len() + 2 + expand(&rest[2..], &format!("{path}::"), found);
    }
    let mut at = 1;
    while let Some(c) = text[at..].chars().next() {
        match c {
            '}' => return at + 1,
            ',' | '*' => at += 1,
            c if c.is_whitespace() => at += 1,
            _ => {
                at += expand(&text[at..], before, found);
                // The name after `as`.
                at += text[at..].find([',', '}']).unwrap_or(0);
            }
        }
    }
    at
}

fn sources(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push(path);
        }
    }
}

/// Which modules of a folder name which others, with a file that does. `inside` is the folder's own path in its
/// crate: empty at the root, or `tui::`.
fn imports(folder: &Path, inside: &str) -> BTreeMap<String, BTreeMap<String, PathBuf>> {
    let mut all = Vec::new();
    sources(folder, &mut all);
    let module = |path: &Path| -> Option<String> {
        let relative = path.strip_prefix(folder).ok()?;
        let first = relative.components().next()?.as_os_str().to_str()?;
        let name = first.trim_end_matches(".rs");
        (!["lib", "main", "bin", "mod"].contains(&name)).then(|| name.to_owned())
    };
    let modules: BTreeSet<String> = all.iter().filter_map(|path| module(path)).collect();
    let mut imports: BTreeMap<String, BTreeMap<String, PathBuf>> = BTreeMap::new();
    for path in &all {
        let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
        let (Some(from), false) = (module(path), is_test) else {
            continue;
        };
        let source = fs::read_to_string(path).expect("a source file");
        for named in paths(&code(&source)) {
            let Some(rest) = named.strip_prefix(inside) else {
                continue;
            };
            let to = rest.split("::").next().unwrap_or_default().to_owned();
            if to != from && modules.contains(&to) {
                let of = imports.entry(from.clone()).or_default();
                of.entry(to).or_insert_with(|| path.clone());
            }
        }
    }
    imports
}

/// A cycle of modules, where there is one: what is left once modules that lead nowhere are taken away.
fn cycle(mut imports: BTreeMap<String, BTreeMap<String, PathBuf>>) -> Vec<String> {
    loop {
        let open: BTreeSet<String> = imports.keys().cloned().collect();
        let before = imports.len();
        for to in imports.values_mut() {
            to.retain(|to, _| open.contains(to));
        }
        imports.retain(|_, to| !to.is_empty());
        if imports.len() == before {
            break;
        }
    }
    imports
        .iter()
        .flat_map(|(from, all)| {
            all.iter()
                .map(move |(to, file)| format!("{from} → {to}: {}", file.display()))
        })
        .collect()
}

#[test]
fn modules_form_no_cycle() {
    for row in table() {
        let folder = match row.folder.as_str() {
            "src" => root().join("src"),
            folder => root().join(folder).join("src"),
        };
        let found = cycle(imports(&folder, ""));
        assert!(found.is_empty(), "{}: {found:#?}", row.name);
    }
    let found = cycle(imports(&root().join("src/tui"), "tui::"));
    assert!(found.is_empty(), "the terminal interface: {found:#?}");
}

/// What a `mod.rs` has beside its lists of modules and of what it passes on.
fn beside_lists(source: &str) -> Vec<&str> {
    let mut statements = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//") && !line.starts_with('#'));
    let mut beside = Vec::new();
    while let Some(line) = statements.next() {
        let item =
            line.split_once(' ').map_or(
                line,
                |(first, rest)| {
                    if first.starts_with("pub") { rest } else { line }
                },
            );
        if item.starts_with("use ") {
            // To the end of a list over several lines.
            let mut last = line;
            while !last.trim_end().ends_with(';') {
                let Some(next) = statements.next() else { break };
                last = next;
            }
        } else if !(line.is_empty() || item.starts_with("mod ") && item.ends_with(';')) {
            beside.push(line);
        }
    }
    beside
}

#[test]
fn a_mod_file_only_lists() {
    let mut all = Vec::new();
    for folder in ["src", "tests"] {
        sources(&root().join(folder), &mut all);
        for row in table().iter().filter(|row| row.folder != "src") {
            let folder = root().join(&row.folder).join(folder);
            if folder.is_dir() {
                sources(&folder, &mut all);
            }
        }
    }
    all.retain(|path| path.ends_with("mod.rs"));
    assert!(!all.is_empty());
    for path in all {
        let source = fs::read_to_string(&path).expect("a source file");
        let beside = beside_lists(&source);
        assert!(
            beside.is_empty(),
            "code belongs into a file with a name: {}: {beside:#?}",
            path.display()
        );
    }
    let listing = "//! Doc.\n#![allow(dead_code)]\n\npub(crate) mod a;\nmod b;\n\npub use a::{\n    x,\n    y,\n};\nuse z::w;\n";
    assert_eq!(beside_lists(listing), Vec::<&str>::new());
    assert_eq!(
        beside_lists("mod a;\npub(crate) fn f() {\n}\nconst C: u8 = 1;"),
        ["pub(crate) fn f() {", "}", "const C: u8 = 1;"]
    );
}

#[test]
fn a_cycle_is_found() {
    let file = |to: &[&str]| -> BTreeMap<String, PathBuf> {
        to.iter()
            .map(|to| ((*to).to_owned(), PathBuf::from("x.rs")))
            .collect()
    };
    let mut imports = BTreeMap::from([
        ("a".to_owned(), file(&["b"])),
        ("b".to_owned(), file(&["c"])),
    ]);
    assert!(cycle(imports.clone()).is_empty());
    imports.insert("c".to_owned(), file(&["a"]));
    assert_eq!(cycle(imports).len(), 3);
    assert_eq!(
        paths("use crate::{\n    a::{b as z, c},\n    d::*,\n};\nlet x = crate::f::g();"),
        ["a::b", "a::c", "d::", "f::g"].map(str::to_owned).into()
    );
}
