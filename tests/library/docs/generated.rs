//! Parts of pages that are made from the code: the table of keys, of rights, of dependencies, and the table of contents.
//! `UPDATE_DOCS=1 cargo test --test library docs` writes them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use ngf_core::{
    diagnosis::registry::{FAMILIES, family},
    model::kind::{KINDS, Reading},
};
use ngf_sandbox::Rule as Right;
use ngf_tui::tui::{
    state::action::{ACTIONS, Section},
    views::lists::LISTS,
};
use serde_json::Value;

use crate::packaging::packages;

/// Compares the part of a page between two lines that begin so with what is wanted; writes it with `UPDATE_DOCS`.
#[track_caller]
fn part(page: &str, begin: &str, end: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = super::read(page);
    let from = text
        .find(begin)
        .unwrap_or_else(|| panic!("{page}: no {begin:?}"));
    let from = from + text[from..].find('\n').expect("the end of the line") + 1;
    let to = if end.is_empty() {
        text.len()
    } else {
        from + text[from..]
            .find(end)
            .unwrap_or_else(|| panic!("{page}: no {end:?}"))
    };
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let new = format!("{}{wanted}{}", &text[..from], &text[to..]);
        fs::write(path, new).expect("written");
        return;
    }
    assert!(
        text[from..to] == *wanted,
        "{page} is out of date: run UPDATE_DOCS=1 cargo test --test library docs"
    );
}

#[test]
fn the_table_of_keys_is_the_list_of_actions() {
    let mut table = "| key | what it does |\n|---|---|\n".to_owned();
    for section in Section::ALL {
        for info in ACTIONS.iter().filter(|info| info.section == section) {
            let mut keys: Vec<String> = info.keys.iter().map(|key| format!("`{key}`")).collect();
            if keys.is_empty() {
                keys.push(format!("`:{}`", info.id));
            }
            let _ = writeln!(table, "| {} | {} |", keys.join(" "), info.help);
        }
    }
    table.push_str("\n| after `:` | what it lists |\n|---|---|\n");
    for list in LISTS {
        let names = std::iter::once(&list.name).chain(list.aliases);
        let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
        let _ = writeln!(table, "| {} | {} |", names.join(" "), list.help);
    }
    part(
        "docs/interface.md",
        "<!-- keys:",
        "<!-- end of keys -->",
        &table,
    );
}

#[test]
fn the_table_of_contents_ends_with_every_code() {
    let mut list = String::new();
    for (letter, _) in FAMILIES {
        for rule in family(*letter) {
            let _ = writeln!(list, "  - [{0}](codes/{0}.md)", rule.code);
        }
    }
    part("docs/SUMMARY.md", "- [Codes](codes/index.md)", "", &list);
}

/// What the tool does with a group of kinds, and what it does not know without them.
fn about(group: &str, reading: Reading) -> (&'static str, &'static str) {
    match (group, reading) {
        (_, Reading::ByName) => (
            "certificates and CA bundles as facts, those that Gateways and policies name; never a list",
            "every verdict on certificates is unknown (NGF-K2), and a probe has no client certificate",
        ),
        (_, Reading::Recent) => ("the newest events of objects", "events are not shown"),
        ("gateway.networking.k8s.io", _) => (
            "Gateways, routes and policies: what nginx is asked to do",
            "nothing can be said of the missing kind (NGF-K1)",
        ),
        ("gateway.nginx.org", _) => (
            "NGF's own settings, filters and policies",
            "what they change in nginx is unknown",
        ),
        ("cert-manager.io", _) => (
            "who issues and renews a certificate",
            "the M rules are unknown; expiry is reported without who renews it",
        ),
        ("acme.cert-manager.io", _) => (
            "why an ACME server does not issue a certificate",
            "NGF-M12 is unknown; NGF-M1 still reports the Certificate",
        ),
        ("trust.cert-manager.io" | "trust-manager.io", _) => (
            "where trust-manager writes CAs, and whether it did",
            "NGF-M11 is unknown",
        ),
        ("certificates.k8s.io", _) => (
            "ClusterTrustBundles that backends mount as CA of their clients",
            "what such a backend verifies clients by is unknown",
        ),
        ("discovery.k8s.io", _) => (
            "the endpoints that nginx connects to",
            "no endpoint is known, so that nothing is tested",
        ),
        ("apps", _) => (
            "the data plane, and NGF's release",
            "NGF's release is unknown",
        ),
        ("networking.k8s.io", _) => (
            "whether a NetworkPolicy admits the data plane",
            "NGF-N1 and NGF-N4 are unknown",
        ),
        ("", _) => (
            "Services and pods: ports, names, what is mounted",
            "backends are unknown",
        ),
        (other, _) => panic!("docs/rbac.md has no words for the group {other}"),
    }
}

fn verbs(reading: Reading) -> Vec<&'static str> {
    match reading {
        Reading::ByName => vec!["get", "watch"],
        Reading::Watched | Reading::Recent => vec!["list", "watch"],
    }
}

#[test]
fn the_table_of_rights_is_the_list_of_kinds() {
    let mut rows: Vec<((&str, &str), Vec<&str>, Reading)> = Vec::new();
    for info in KINDS {
        let key = (info.group, about(info.group, info.reading).0);
        match rows.iter_mut().find(|(other, _, _)| *other == key) {
            Some((_, plurals, _)) => plurals.push(info.plural),
            None => rows.push((key, vec![info.plural], info.reading)),
        }
    }
    let mut table =
        "| API group | resources | verbs | enables | without it |\n|---|---|---|---|---|\n"
            .to_owned();
    for ((group, enables), plurals, reading) in &rows {
        let group = if group.is_empty() { "core" } else { group };
        let _ = writeln!(
            table,
            "| {group} | {} | {} | {enables} | {} |",
            plurals.join(", "),
            verbs(*reading).join(", "),
            about(if group == "core" { "" } else { group }, *reading).1
        );
    }
    part(
        "docs/rbac.md",
        "<!-- rights:",
        "<!-- end of rights -->",
        &table,
    );
}

#[test]
fn the_reader_role_holds_the_rights_of_the_list_of_kinds_and_no_more() {
    let text = super::read("assets/rbac.yaml");
    let reader = text.split("\n---\n").nth(1).expect("the first role");
    assert!(reader.contains("name: ngf-tui-reader"));
    let role: Value = serde_saphyr::from_str(reader).expect("YAML");
    let mut given = BTreeSet::new();
    for rule in role["rules"].as_array().expect("rules") {
        let words = |field: &str| -> Vec<String> {
            let values = rule[field].as_array().expect("a list").iter();
            values
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        };
        for group in words("apiGroups") {
            for resource in words("resources") {
                for verb in words("verbs") {
                    given.insert((group.clone(), resource.clone(), verb));
                }
            }
        }
    }
    let wanted = KINDS.iter().flat_map(|info| {
        verbs(info.reading).into_iter().map(|verb| {
            (
                info.group.to_owned(),
                info.plural.to_owned(),
                verb.to_owned(),
            )
        })
    });
    // Whether the namespace of -n exists.
    let namespace = ("", "namespaces", "get");
    let namespace = (
        namespace.0.to_owned(),
        namespace.1.to_owned(),
        namespace.2.to_owned(),
    );
    assert_eq!(given, wanted.chain([namespace]).collect());
    assert!(!Right::of_roles(&text).is_empty());
}

/// Names of crates with the comments before them, of a `Cargo.toml`.
fn reasons(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut in_dependencies = false;
    let mut comment: Vec<&str> = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            in_dependencies = line.contains("dependencies]");
            comment.clear();
        } else if let Some(text) = line.strip_prefix("# ") {
            comment.push(text);
        } else if line.is_empty() {
            comment.clear();
        } else if in_dependencies {
            let name = line.split([' ', '.', '=']).next().unwrap_or_default();
            if !comment.is_empty() {
                found
                    .entry(name.to_owned())
                    .or_insert_with(|| comment.join(" "));
            }
            comment.clear();
        }
    }
    found
}

#[test]
fn each_direct_dependency_has_a_reason() {
    let packages = packages();
    let own: BTreeSet<&str> = packages
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    // The workspace's reason first, then that of the crate that uses it.
    let mut known = reasons(&super::read("Cargo.toml"));
    let mut users: BTreeMap<(String, bool), BTreeSet<&str>> = BTreeMap::new();
    for package in &packages {
        let manifest = package["manifest_path"].as_str().expect("a path");
        for (name, reason) in reasons(&fs::read_to_string(manifest).expect("a manifest")) {
            known.entry(name).or_insert(reason);
        }
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let name = dependency["name"].as_str().expect("a name");
            if own.contains(name) {
                continue;
            }
            let only_tests = dependency["kind"] == "dev";
            let user = package["name"].as_str().expect("a name");
            users
                .entry((name.to_owned(), only_tests))
                .or_default()
                .insert(user);
        }
    }
    let mut table = String::new();
    for (heading, only_tests) in [("### In the program", false), ("### In tests only", true)] {
        let _ = writeln!(
            table,
            "\n{heading}\n\n| crate | used by | reason |\n|---|---|---|"
        );
        for ((name, _), by) in users.iter().filter(|((_, tests), _)| *tests == only_tests) {
            if only_tests && users.contains_key(&(name.clone(), false)) {
                continue;
            }
            let reason = known.get(name).unwrap_or_else(|| {
                panic!("{name} has no reason: write a comment before it in Cargo.toml")
            });
            let by: Vec<&str> = by.iter().copied().collect();
            let reason = reason.replace('|', "\\|");
            let _ = writeln!(table, "| `{name}` | {} | {reason} |", by.join(", "));
        }
    }
    table.push('\n');
    part(
        "docs/dependencies.md",
        "<!-- dependencies:",
        "<!-- end of dependencies -->",
        &table,
    );
}
