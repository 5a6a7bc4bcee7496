//! The modules at the top of a crate import each other in one direction only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The crates whose modules are looked at.
const CRATES: &[&str] = &["sandbox"];
/// Stands for the root of a crate, which uses all of its modules.
const ROOT: &str = "lib";

type Imports = BTreeMap<String, BTreeSet<String>>;

/// Every file below a folder, with the path of its module.
fn files(folder: &Path, module: &[String], found: &mut Vec<(Vec<String>, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let mut inner = module.to_vec();
        if path.is_dir() {
            inner.push(name);
            files(&path, &inner, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            if name != "mod" {
                inner.push(name);
            }
            found.push((inner, std::fs::read_to_string(&path).expect("text")));
        }
    }
}

/// The text without comments and without the tests at its end.
fn code(text: &str) -> String {
    let text = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The first names of the paths that begin at the root of the crate: `root` is how a file writes it.
fn names_below(text: &str, root: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices(root) {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':')) {
            continue;
        }
        let rest = &text[at + root.len()..];
        let word = |text: &str| -> String {
            let letters = text.trim_start().chars();
            letters
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        };
        let Some(tree) = rest.strip_prefix('{') else {
            names.insert(word(rest));
            continue;
        };
        let (mut depth, mut start) = (0usize, 0);
        for (index, c) in tree.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => {
                    names.insert(word(&tree[start..index]));
                    break;
                }
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    names.insert(word(&tree[start..index]));
                    start = index + 1;
                }
                _ => {}
            }
        }
    }
    // `super::super::x` begins with `super::`, and `pub(in crate::x)` with a name too.
    names.retain(|name| !name.is_empty() && name != "super");
    names
}

fn imports(sources: &[(Vec<String>, String)]) -> Imports {
    let tops: BTreeSet<&str> = sources
        .iter()
        .map(|(module, _)| module[0].as_str())
        .collect();
    let mut all = Imports::new();
    for (module, text) in sources {
        let text = code(text);
        let mut names = names_below(&text, "crate::");
        if module[0] == ROOT {
            names.extend(names_below(&text, "self::"));
        } else {
            names.extend(names_below(&text, &"super::".repeat(module.len())));
        }
        let names = names.into_iter().map(|name| {
            if tops.contains(name.as_str()) {
                name
            } else {
                ROOT.to_owned()
            }
        });
        let of = all.entry(module[0].clone()).or_default();
        of.extend(names.filter(|name| *name != module[0]));
    }
    all
}

/// The modules that are left when those that import nothing of the rest are taken away, again and again:
/// each is part of a cycle, or imports one.
fn tangled(mut imports: Imports) -> Imports {
    loop {
        let free: Vec<String> = imports
            .iter()
            .filter(|(_, names)| names.iter().all(|name| !imports.contains_key(name)))
            .map(|(name, _)| name.clone())
            .collect();
        if free.is_empty() {
            return imports;
        }
        imports.retain(|name, _| !free.contains(name));
    }
}

#[test]
fn no_two_modules_of_a_crate_import_each_other() {
    for name in CRATES {
        let mut sources = Vec::new();
        files(&Path::new(name).join("src"), &[], &mut sources);
        let imports = imports(&sources);
        assert!(imports.len() > 5, "{name}: {imports:?}");
        assert!(imports[ROOT].len() > 2, "{name}: {imports:?}");
        let tangled = tangled(imports);
        assert!(tangled.is_empty(), "crate {name}: {tangled:#?}");
    }
}

#[test]
fn a_cycle_is_found_however_it_is_written() {
    let source = |module: &str, text: &str| {
        let module: Vec<String> = module.split('/').map(str::to_owned).collect();
        (module, text.to_owned())
    };
    for (one, other) in [
        ("use crate::b::X;", "use crate::a::Y;"),
        ("use crate::{c::{Z, W}, b::X};", "fn f() { super::a::g() }"),
        ("use super::b::X;", "use crate::{\n    a,\n    c,\n};"),
        ("use crate::Item;", ""),
    ] {
        let cyclic = [
            source("lib", "pub use self::a::Item; use self::b::Other;"),
            source("a", one),
            source("b", other),
            source(
                "c",
                "// use crate::a::Y;\n#[cfg(test)]\nmod tests {\n use crate::a;\n}",
            ),
        ];
        let found: Vec<String> = tangled(imports(&cyclic)).into_keys().collect();
        let expected: &[&str] = if other.is_empty() {
            &["a", "lib"]
        } else {
            &["a", "b", "lib"]
        };
        assert_eq!(found, expected, "{one} {other}");
    }
    let deep = [
        source("a/inner", "use super::other; use super::super::b;"),
        source("b", "use crate::c;"),
        source("c", ""),
    ];
    assert!(tangled(imports(&deep)).is_empty());
}
