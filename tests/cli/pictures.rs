//! The pictures and the asciicast in `assets` show what the program shows now: they are drawn again and compared, but for
//! what differs from run to run.

use std::{collections::BTreeSet, fs, path::Path};

use crate::support::ngf_tui;
use serde_json::Value;

/// The words of a text, without what differs from run to run: numbers, sizes, fingerprints, names of pods, bars.
fn words(text: &str) -> Vec<String> {
    let is_kept = |word: &str| {
        let is_unit = ["s", "m", "h", "d", "ms", "\u{b5}s", "B", "kB"].contains(&word);
        // Part of a fingerprint.
        let is_hex = word.contains(':') && word.chars().all(|c| matches!(c, 'a'..='f' | ':'));
        let is_word = word
            .chars()
            .all(|c| c.is_alphabetic() || "-/_.:'<>[]`".contains(c));
        is_word
            && !is_hex
            && !is_unit
            && word.chars().any(char::is_alphabetic)
            && !word.contains("gateway-nginx-")
    };
    let words = text.split(|c: char| c.is_whitespace() || "\u{2500}\u{b7},;()\u{2502}".contains(c));
    words
        .filter(|word| is_kept(word))
        .map(str::to_owned)
        .collect()
}

/// A number in an attribute of an element.
fn attribute(element: &str, name: &str) -> f64 {
    let value = element
        .split_once(&format!(" {name}=\""))
        .and_then(|(_, rest)| rest.split('"').next());
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or_default()
}

/// The text of an SVG. A word that is drawn in pieces is one word.
fn of_svg(svg: &str) -> String {
    let mut text = String::new();
    let mut end = (0.0, 0.0);
    for part in svg.split("<text").skip(1) {
        let (element, rest) = part.split_once('>').expect("an element");
        let (x, y) = (attribute(element, "x"), attribute(element, "y"));
        let continues = (y - end.0).abs() < 3.0 && (x - end.1).abs() < 1.0;
        text.push_str(if continues { "" } else { " " });
        text.push_str(rest.split("</text>").next().unwrap_or_default());
        end = (y, x + attribute(element, "textLength"));
    }
    text
}

/// What an asciicast prints, without the sequences that place and colour it; each event by itself.
fn of_cast(cast: &str) -> Vec<String> {
    let mut lines = cast.lines();
    let head: Value = serde_json::from_str(lines.next().expect("a header")).expect("JSON");
    assert_eq!(head["version"], 2);
    let mut before = 0.0;
    lines
        .map(|line| {
            let event: Value = serde_json::from_str(line).expect("JSON");
            let at = event[0].as_f64().expect("a time");
            assert!(at >= before && event[1] == "o", "{line}");
            before = at;
            let printed = event[2].as_str().expect("text");
            let mut text = String::new();
            for part in printed.split('\u{1b}') {
                let end = part.find(|c: char| c.is_ascii_alphabetic());
                let end = end.map_or(0, |end| end + 1);
                text.push_str(if part[..end].ends_with('H') { " " } else { "" });
                text.push_str(&part[end..]);
            }
            text
        })
        .collect()
}

#[test]
fn the_pictures_are_of_this_program() {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let folder = tempfile::tempdir().expect("a folder");
    let output = ngf_tui()
        .arg("screenshots")
        .arg(folder.path())
        .output()
        .expect("ngf-tui runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let named = |folder: &Path| -> BTreeSet<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let names = names.map(|name| name.into_string().expect("UTF-8"));
        names
            .filter(|name| {
                let end = Path::new(name).extension();
                end.is_some_and(|end| end == "svg" || end == "cast")
            })
            .collect()
    };
    assert_eq!(named(&assets), named(folder.path()));
    for name in named(folder.path()) {
        let read = |folder: &Path| fs::read_to_string(folder.join(&name)).expect("a file");
        let (old, new) = (read(&assets), read(folder.path()));
        if name.ends_with("cast") {
            let (old, new) = (of_cast(&old), of_cast(&new));
            assert_eq!(
                old.len(),
                new.len(),
                "{name}: make screenshots draws it again"
            );
            // A row that differs by a number alone is printed again in one of the two only.
            let all = |events: &[String]| -> BTreeSet<String> {
                events.iter().flat_map(|text| words(text)).collect()
            };
            assert_eq!(
                all(&old),
                all(&new),
                "{name}: make screenshots draws it again"
            );
        } else {
            let (old, new) = (words(&of_svg(&old)), words(&of_svg(&new)));
            assert_eq!(old, new, "{name}: make screenshots draws it again");
        }
    }
}
