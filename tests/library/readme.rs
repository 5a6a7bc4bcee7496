//! The README says what is true.

use std::fmt::Write as _;

use ngf_tui::app::action::{ACTIONS, Section};

const BEGIN: &str = "<!-- keys: written by UPDATE_README=1 cargo test --test library readme from src/app/action.rs -->\n";
const END: &str = "<!-- end of keys -->";

/// The table of keys, as [`ACTIONS`] has them.
fn table() -> String {
    let mut table = "| key | what it does |\n|---|---|\n".to_owned();
    for section in Section::ALL {
        for info in ACTIONS.iter().filter(|info| info.section == section) {
            let keys: Vec<String> = info.keys.iter().map(|key| format!("`{key}`")).collect();
            let _ = writeln!(table, "| {} | {} |", keys.join(" "), info.help);
        }
    }
    table
}

/// Fails when the table is out of date, and writes it anew with `UPDATE_README=1`.
#[test]
fn the_table_of_keys_is_the_list_of_actions() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).expect("README.md is there");
    let begin = readme
        .find(BEGIN)
        .expect("README.md has a place for the keys")
        + BEGIN.len();
    let end = readme.find(END).expect("README.md says where the keys end");
    if std::env::var_os("UPDATE_README").is_some() {
        let new = format!("{}{}{}", &readme[..begin], table(), &readme[end..]);
        std::fs::write(path, new).expect("README.md can be written");
        return;
    }
    assert_eq!(
        &readme[begin..end],
        table(),
        "run UPDATE_README=1 cargo test --test library readme"
    );
}
