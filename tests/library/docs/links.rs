//! The book has no broken links, and every page is in its table of contents.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::markdown::{anchors, links, parse};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Markdown file for readers: of the repository's root, of the book, of the crates.
pub(super) fn pages() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![
        root().to_owned(),
        root().join("docs"),
        root().join(".github"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() && folder != root() {
                folders.push(path);
            } else if path.is_dir()
                && path.join("Cargo.toml").is_file()
                && path.join("README.md").is_file()
            {
                found.push(path.join("README.md"));
            } else if path.extension().is_some_and(|end| end == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn no_link_is_broken() {
    let mut checked = 0;
    let mut broken = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        let (_, prose) = parse(&text);
        for link in links(&prose) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            checked += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() {
                page.clone()
            } else {
                page.parent().expect("a folder").join(path)
            };
            let Ok(found) = fs::read_to_string(&target) else {
                if !target.is_dir() {
                    broken.push(format!("{}: {link}", page.display()));
                }
                continue;
            };
            if !anchor.is_empty() && !anchors(&found).iter().any(|heading| heading == anchor) {
                broken.push(format!("{}: {link}: no such heading", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(checked > 300, "{checked} links");
}

#[test]
fn the_table_of_contents_has_every_page_of_the_book_once() {
    let docs = root().join("docs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).expect("SUMMARY.md");
    let listed = links(&summary);
    let distinct: BTreeSet<PathBuf> = listed.iter().map(|link| docs.join(link)).collect();
    assert_eq!(
        distinct.len(),
        listed.len(),
        "a page stands twice in SUMMARY.md"
    );
    let pages: BTreeSet<PathBuf> = pages()
        .into_iter()
        .filter(|page| page.starts_with(&docs) && *page != docs.join("SUMMARY.md"))
        .collect();
    assert_eq!(distinct, pages);
}

/// A page of the book that links out of `docs/` is broken on the book's site: there the repository's address is needed.
#[test]
fn the_book_does_not_link_to_files_beside_it() {
    for page in pages() {
        let docs = root().join("docs");
        if !page.starts_with(&docs) {
            continue;
        }
        let text = fs::read_to_string(&page).expect("a page");
        for link in links(&parse(&text).1) {
            let depth = page
                .strip_prefix(&docs)
                .expect("in docs")
                .components()
                .count()
                - 1;
            let climbs = link.split('/').take_while(|part| *part == "..").count();
            assert!(climbs <= depth, "{}: {link}", page.display());
        }
    }
}
