//! The keys that the pages name do what the pages say.

use std::collections::BTreeSet;

use ngf_tui::tui::state::action::{ACTIONS, ActionInfo};

use super::read;

/// What pages say of a key: the page, the words, and the action that the key before them (the last of several) belongs
/// to.
const SAID: &[(&str, &str, &str)] = &[
    (
        "docs/demo.md",
        "`}` and `{` walk through the guide",
        "next-stage",
    ),
    (
        "docs/demo.md",
        "`{` walk through the guide",
        "previous-stage",
    ),
    (
        "docs/first-five-minutes.md",
        "`enter` opens the problem at the broken link",
        "open",
    ),
    (
        "docs/first-five-minutes.md",
        "`enter` again the handshake",
        "open",
    ),
    (
        "docs/first-five-minutes.md",
        "`enter` again the fields",
        "open",
    ),
    ("docs/first-five-minutes.md", "`esc` goes back", "back"),
    (
        "docs/first-five-minutes.md",
        "`}` applies the guide's next step",
        "next-stage",
    ),
    (
        "docs/first-five-minutes.md",
        "`{` goes back to the one before",
        "previous-stage",
    ),
    (
        "docs/first-five-minutes.md",
        "`r` makes a handshake",
        "probe",
    ),
    (
        "docs/first-five-minutes.md",
        "`x` explains the selected finding",
        "explain",
    ),
    ("docs/first-five-minutes.md", "`?` shows all keys", "help"),
    ("docs/first-five-minutes.md", "`q` quits", "quit"),
    (
        "docs/interface.md",
        "`:` goes to a list or a tab",
        "command",
    ),
    (
        "docs/interface.md",
        "`/` filters what is on the screen",
        "filter",
    ),
    ("docs/interface.md", "`s` sorts a list", "sort"),
    ("docs/interface.md", "`r` makes a handshake", "probe"),
    ("docs/interface.md", "`v` chooses", "via"),
    ("docs/interface.md", "`.` replays it step by step", "replay"),
    ("docs/interface.md", "`t` draws times to scale", "to-scale"),
    (
        "docs/interface.md",
        "`=` compares it with the last good probe",
        "compare",
    ),
    (
        "docs/interface.md",
        "`z` shows the TLS messages on the wire",
        "wire",
    ),
    ("docs/interface.md", "`z` reads the last 500 lines", "lines"),
    (
        "docs/interface.md",
        "`z` again shows what they mean",
        "lines",
    ),
    ("docs/interface.md", "`R` does the same", "record"),
    (
        "docs/interface.md",
        "`P` probes every endpoint",
        "probe-all",
    ),
    (
        "docs/interface.md",
        "`w` repeats it every five seconds",
        "watch",
    ),
    ("docs/interface.md", "`ctrl-x` stops probes", "cancel"),
    ("docs/interface.md", "`space` folds a block", "toggle"),
    ("docs/interface.md", "`/` searches", "search"),
    (
        "docs/interface.md",
        "`n` and `N` go to the next match",
        "next-match",
    ),
    (
        "docs/interface.md",
        "`N` go to the next match",
        "previous-match",
    ),
    (
        "docs/interface.md",
        "`=` shows two probes side by side",
        "compare",
    ),
    (
        "docs/interface.md",
        "`space` marks one of them",
        "mark-probe",
    ),
    ("docs/interface.md", "`y` copies the command", "copy"),
    ("docs/interface.md", "`c` copies a name", "copy-name"),
    ("docs/interface.md", "`e` exports the view", "export"),
    (
        "docs/interface.md",
        "`[` and `]` go back and forward",
        "history-back",
    ),
    (
        "docs/interface.md",
        "`]` go back and forward",
        "history-forward",
    ),
    (
        "docs/interface.md",
        "`-` to the last one and back",
        "last-place",
    ),
    (
        "docs/interface.md",
        "`x` explains the problem's rule",
        "explain",
    ),
    ("docs/interface.md", "`f` shows its fix", "fix"),
    ("docs/interface.md", "`space` pauses", "pause"),
    (
        "docs/interface.md",
        "`}` and `{` step to the next moment",
        "next-moment",
    ),
    (
        "docs/interface.md",
        "`{` step to the next moment",
        "previous-moment",
    ),
    (
        "docs/interface.md",
        "`+` and `-` change the speed",
        "faster",
    ),
    ("docs/interface.md", "`-` change the speed", "slower"),
    ("docs/interface.md", "`o` unfolds what", "toggle"),
    ("docs/interface.md", "`space` unfolds elsewhere", "toggle"),
    ("docs/interface.md", "`?` shows all of them", "help"),
    ("docs/interface.md", "`:` finds them by name", "command"),
    (
        "docs/interface.md",
        "`ctrl-z` returns to the shell",
        "suspend",
    ),
    ("docs/security.md", "the key `e`", "export"),
    ("SECURITY.md", "the key `e` in the interface", "export"),
];

/// What stands between backticks as a key does, and is none there: marks, an answer to a question, what is typed.
const NOT_KEYS: &[(&str, &str)] = &[
    ("docs/first-five-minutes.md", "If a line has a `?`"),
    ("docs/interface.md", "| `?` | unknown"),
    ("docs/interface.md", "applies it once you press `y`"),
    ("docs/interface.md", "goes to it after `:`"),
    ("docs/interface.md", "words of your own after `:`"),
];

/// A page on one line, without code and without the table that is written from the list of actions.
fn prose(page: &str) -> String {
    let text = read(page);
    let (before, after) = match (
        text.split_once("<!-- keys:"),
        text.split_once("<!-- end of keys -->"),
    ) {
        (Some((before, _)), Some((_, after))) => (before, after),
        _ => (text.as_str(), ""),
    };
    let text = format!("{before}{after}");
    let without_code = text.split("```").step_by(2).collect::<String>();
    without_code
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// The action of that name.
fn action(id: &str) -> &'static ActionInfo {
    let mut all = ACTIONS.iter();
    all.find(|info| info.id == id)
        .unwrap_or_else(|| panic!("there is no action {id}"))
}

#[test]
fn keys_do_what_the_pages_say() {
    for (page, words, id) in SAID {
        assert!(prose(page).contains(words), "{page} does not say {words:?}");
        let key = words.split('`').nth(1).expect("a key");
        assert!(
            action(id).keys.contains(&key),
            "{page} says {words:?}, and {id} has the keys {:?}",
            action(id).keys
        );
    }
}

#[test]
fn no_page_names_a_key_that_no_test_knows() {
    let keys: BTreeSet<&str> = ACTIONS
        .iter()
        .flat_map(|info| info.keys.iter().copied())
        .collect();
    let pages: BTreeSet<&str> = SAID.iter().map(|(page, ..)| *page).collect();
    for page in pages {
        let mut text = prose(page);
        for (_, words) in NOT_KEYS.iter().filter(|(of, _)| of == &page) {
            assert!(text.contains(words), "{page} does not say {words:?}");
            text = text.replace(words, "");
        }
        let named: Vec<&str> = text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| keys.contains(word))
            .collect();
        let known = SAID.iter().filter(|(of, ..)| of == &page).count();
        assert_eq!(
            named.len(),
            known,
            "{page} names {named:?}: SAID has to have what it says of each"
        );
    }
}
