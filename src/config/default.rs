//! The commented default: what `ngf-tui config default` prints.

use std::fmt::Write as _;

use crate::tui::{
    state::action::{ACTIONS, Section},
    views::lists::LISTS,
};

/// A file that changes nothing: every setting with its default and what it does, as comments.
pub fn commented() -> String {
    let mut out = String::from(
        "# Configuration of ngf-tui. Save it as the file that `ngf-tui config path` prints; every line that begins
# with # is a comment. Editors complete it with the schema that `ngf-tui config schema` prints.

# auto asks the terminal whether it is dark or light, and uses its own text colour. Or: dark, light,
# high-contrast, none, or the name of a file in the folder themes beside this one (`ngf-tui config theme`
# prints one).
#theme = \"auto\"

# Clicks and the wheel. While they are used, text is selected with shift held.
#mouse = true

# Signs in ASCII, whatever the locale says.
#ascii = false

# What is used where the command line does not say otherwise.
[defaults]
#context = \"prod-eu\"
#namespace = \"shop\"
#via = \"auto\"
#read-only = false
#no-probe = false
# Findings that you accept (docs/ci.md); a relative path begins in the folder of this file.
#ignore-file = \"ignore.yaml\"

# Words after : and what they stand for: a command, or a list with a filter.
[aliases]
#pay = \"routes payments\"

# The columns of lists, from left to right.
[columns]
",
    );
    for list in LISTS {
        let titles: Vec<String> = list
            .columns
            .iter()
            .map(|head| format!("\"{}\"", head.title))
            .collect();
        let _ = writeln!(out, "#{} = [{}]", list.name, titles.join(", "));
    }
    out.push_str(
        "\n# The keys of actions: q, P, ?, enter, space, ctrl-c, shift-tab, f5. The first one is shown in the footer; an\n# empty list takes them away. A key that two actions want in the same place is an error.\n[keys]\n",
    );
    for section in Section::ALL {
        let _ = writeln!(out, "\n# {}", section.title());
        for info in ACTIONS.iter().filter(|info| info.section == section) {
            let keys: Vec<String> = info.keys.iter().map(|key| format!("{key:?}")).collect();
            let _ = writeln!(out, "# {}\n#{} = [{}]", info.help, info.id, keys.join(", "));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::read::read;

    /// With and without its comments the file is read, and changes nothing.
    #[test]
    fn the_default_is_read_and_changes_nothing() {
        let file = Path::new("config.toml");
        let text = commented();
        let config = read(file, &text).expect("the default");
        assert!(config.settings.keys.is_empty());
        let mut all = String::new();
        for line in text.lines() {
            // An explaining comment stays one.
            let setting = line.strip_prefix('#').filter(|rest| !rest.starts_with(' '));
            all.push_str(setting.unwrap_or(line));
            all.push('\n');
        }
        let config = read(file, &all).unwrap_or_else(|error| panic!("{error}\n{all}"));
        assert_eq!(config.settings.keys.len(), ACTIONS.len());
        for info in ACTIONS {
            let keys: Vec<String> = config.settings.keys[info.id]
                .iter()
                .map(ToString::to_string)
                .collect();
            let known: Vec<String> = info.keys.iter().map(|key| (*key).to_owned()).collect();
            assert_eq!(keys, known, "{}", info.id);
        }
        for list in LISTS {
            assert_eq!(
                config.settings.columns[&list.id],
                (0..list.columns.len()).collect::<Vec<_>>()
            );
        }
    }
}
