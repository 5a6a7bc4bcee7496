//! From a file's text to what it means.

use std::path::Path;

use ngf_ui::keymap::KeyChord;

use super::{Config, ConfigError, File, Keys, at, syntax};
use crate::tui::{
    state::{
        action::{ACTIONS, ActionInfo, conflict},
        settings::Settings,
    },
    views::lists::LISTS,
};
use ngf_cluster::transport::Via;

/// A file that is read, to tell where something is wrong.
struct Place<'a> {
    file: &'a Path,
    text: &'a str,
}

impl Place<'_> {
    fn wrong(&self, byte: usize, why: impl AsRef<str>) -> ConfigError {
        at(self.file, self.text, byte, why)
    }
}

/// Reads the text of a file.
pub(super) fn read(file: &Path, text: &str) -> Result<Config, ConfigError> {
    let read: File = toml::from_str(text).map_err(|error| syntax(file, text, &error))?;
    let place = Place { file, text };
    let via = via(&place, &read)?;
    let mut settings = Settings::default();
    keys(&place, &read, &mut settings)?;
    aliases(&place, &read, &mut settings)?;
    columns(&place, &read, &mut settings)?;
    let theme = read.theme.as_ref().map(|theme| {
        let before = &text[..theme.span().start.min(text.len())];
        (theme.as_ref().clone(), 1 + before.matches('\n').count())
    });
    Ok(Config {
        settings,
        theme,
        mouse: read.mouse,
        ascii: read.ascii.unwrap_or(false),
        context: read.defaults.context,
        namespace: read.defaults.namespace,
        via,
        read_only: read.defaults.read_only,
        no_probe: read.defaults.no_probe,
        ignore_file: read.defaults.ignore_file.map(|path| {
            file.parent()
                .map_or(path.clone(), |folder| folder.join(&path))
        }),
        file: Some(file.to_owned()),
    })
}

fn via(place: &Place<'_>, read: &File) -> Result<Option<Via>, ConfigError> {
    let Some(via) = &read.defaults.via else {
        return Ok(None);
    };
    let parsed = via.as_ref().parse::<Via>().map_err(|_| {
        let known: Vec<String> = Via::ALL.iter().map(ToString::to_string).collect();
        let why = format!(
            "unknown transport {:?}: expected {}",
            via.as_ref(),
            known.join(", ")
        );
        place.wrong(via.span().start, why)
    })?;
    Ok(Some(parsed))
}

fn keys(place: &Place<'_>, read: &File, settings: &mut Settings) -> Result<(), ConfigError> {
    let mut lines: Vec<(&'static ActionInfo, usize)> = Vec::new();
    for (name, keys) in &read.keys {
        let byte = name.span().start;
        let info = ACTIONS
            .iter()
            .find(|info| info.id == name.as_ref())
            .ok_or_else(|| {
                let why = format!(
                    "unknown action {:?}: `ngf-tui config default` lists them",
                    name.as_ref()
                );
                place.wrong(byte, why)
            })?;
        let words = match keys.as_ref() {
            Keys::One(key) => std::slice::from_ref(key),
            Keys::Several(keys) => keys,
        };
        let mut chords = Vec::new();
        for word in words {
            let chord: KeyChord = word
                .parse()
                .map_err(|error| place.wrong(keys.span().start, format!("{}: {error}", info.id)))?;
            chords.push(chord);
        }
        settings.keys.insert(info.id, chords);
        lines.push((info, byte));
    }
    for (info, byte) in &lines {
        if let Some((chord, other)) = conflict(info, &settings.keys) {
            let why = format!(
                "the key {chord} of {} is that of {}, too: give {} another one",
                info.id, other.id, other.id
            );
            return Err(place.wrong(*byte, why));
        }
    }
    Ok(())
}

fn aliases(place: &Place<'_>, read: &File, settings: &mut Settings) -> Result<(), ConfigError> {
    for (alias, command) in &read.aliases {
        let name = alias.as_ref().trim();
        let is_known = LISTS
            .iter()
            .any(|list| list.name == name || list.aliases.contains(&name))
            || ACTIONS.iter().any(|info| info.id == name);
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(place.wrong(
                alias.span().start,
                format!("alias {name:?} is not one word"),
            ));
        }
        if is_known {
            let why = format!("alias {name:?} would hide the command of that name");
            return Err(place.wrong(alias.span().start, why));
        }
        settings
            .aliases
            .push((name.to_owned(), command.as_ref().trim().to_owned()));
    }
    Ok(())
}

fn columns(place: &Place<'_>, read: &File, settings: &mut Settings) -> Result<(), ConfigError> {
    for (name, titles) in &read.columns {
        let list = LISTS
            .iter()
            .find(|list| list.name == name.as_ref())
            .ok_or_else(|| {
                let known: Vec<&str> = LISTS.iter().map(|list| list.name).collect();
                let why = format!(
                    "unknown list {:?}: expected {}",
                    name.as_ref(),
                    known.join(", ")
                );
                place.wrong(name.span().start, why)
            })?;
        let mut columns = Vec::new();
        for title in titles {
            let found = list
                .columns
                .iter()
                .position(|head| head.title.eq_ignore_ascii_case(title.as_ref()));
            let index = found.ok_or_else(|| {
                let known: Vec<&str> = list.columns.iter().map(|head| head.title).collect();
                let why = format!(
                    "unknown column {:?} of {}: expected {}",
                    title.as_ref(),
                    list.name,
                    known.join(", ")
                );
                place.wrong(title.span().start, why)
            })?;
            if !columns.contains(&index) {
                columns.push(index);
            }
        }
        if columns.is_empty() {
            let why = format!("{} has no column left", list.name);
            return Err(place.wrong(name.span().start, why));
        }
        settings.columns.insert(list.id, columns);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::state::ids::ListId;

    fn config(text: &str) -> Result<Config, String> {
        read(Path::new("config.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn an_ignore_file_is_looked_up_in_the_folder_of_the_configuration() {
        let read = |text: &str| {
            let config = read(Path::new("/etc/ngf/config.toml"), text).expect("a configuration");
            config.ignore_file.map(|path| path.display().to_string())
        };
        assert_eq!(
            read("[defaults]\nignore-file = \"ignore.yaml\"\n").as_deref(),
            Some("/etc/ngf/ignore.yaml")
        );
        assert_eq!(
            read("[defaults]\nignore-file = \"/srv/ignore.yaml\"\n").as_deref(),
            Some("/srv/ignore.yaml")
        );
        assert_eq!(read(""), None);
    }

    #[test]
    fn keys_aliases_columns_and_defaults_are_read() {
        let config = config(
            "theme = \"dark\"\nmouse = false\n\n[defaults]\nvia = \"exec\"\nread-only = true\n\n\
             [keys]\nprobe = \"f5\"\nquit = [\"Q\", \"ctrl-c\"]\n\n[aliases]\npay = \"routes payments\"\n\n\
             [columns]\nroutes = [\"ROUTE\", \"state\"]\n",
        )
        .expect("a configuration");
        assert_eq!(config.mouse, Some(false));
        assert_eq!(config.via, Some(Via::Exec));
        assert!(config.read_only && !config.no_probe);
        let f5: KeyChord = "f5".parse().expect("a key");
        assert_eq!(config.settings.keys["probe"], [f5]);
        assert_eq!(config.settings.keys["quit"].len(), 2);
        assert_eq!(
            config.settings.aliases,
            [("pay".to_owned(), "routes payments".to_owned())]
        );
        assert_eq!(config.settings.columns[&ListId::Routes], [1, 0]);
        assert!(
            read(Path::new("c"), "").is_ok(),
            "everything may be left out"
        );
    }

    #[test]
    fn what_is_wrong_has_a_line() {
        for (text, expected) in [
            ("theme = \n", "config.toml:1: "),
            ("\nmouse = 3\n", "config.toml:2: invalid type"),
            ("\n\nmous = true\n", "config.toml:3: unknown field `mous`"),
            (
                "[keys]\n\nprob = \"r\"\n",
                "config.toml:3: unknown action \"prob\"",
            ),
            (
                "[keys]\nprobe = \"hyper-x\"\n",
                "config.toml:2: probe: \"hyper-x\" is not a key",
            ),
            ("[keys]\nprobe = [1]\n", "config.toml:2: "),
            (
                "[keys]\nprobe = \"q\"\n",
                "config.toml:2: the key q of probe is that of quit, too: give quit another one",
            ),
            ("[keys]\nprobe = \"z\"\nfix = \"z\"\n", "the key z of"),
            (
                "[aliases]\nroutes = \"gw\"\n",
                "config.toml:2: alias \"routes\" would hide",
            ),
            (
                "[aliases]\n\"a b\" = \"gw\"\n",
                "config.toml:2: alias \"a b\" is not one word",
            ),
            (
                "[columns]\nroute = [\"STATE\"]\n",
                "config.toml:2: unknown list \"route\": expected gateways, routes",
            ),
            (
                "[columns]\nroutes = [\n  \"STATE\",\n  \"HOST\",\n]\n",
                "config.toml:4: unknown column \"HOST\" of routes: expected STATE, ROUTE, HOSTS",
            ),
            (
                "[columns]\nroutes = []\n",
                "config.toml:2: routes has no column left",
            ),
            (
                "[defaults]\nvia = \"warp\"\n",
                "config.toml:2: unknown transport \"warp\": expected auto",
            ),
        ] {
            let error = config(text).expect_err(text);
            assert!(error.contains(expected), "{text:?}: {error}");
            assert_eq!(error.lines().count(), 1, "one sentence: {error}");
        }
    }

    /// Keys may be exchanged: only what both mean in the end counts.
    #[test]
    fn two_actions_may_exchange_their_keys() {
        let swapped = config("[keys]\nprobe = \"q\"\nquit = \"r\"\n");
        assert!(swapped.is_ok(), "{swapped:?}");
        let taken_away = config("[keys]\nquit = []\nprobe = \"q\"\n");
        assert!(taken_away.is_ok(), "{taken_away:?}");
    }
}
