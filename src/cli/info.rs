//! `info`: where this program keeps what.

use std::{fmt::Write as _, path::Path};

use serde::Serialize;

use super::{CliError, EXIT_OK, args::InfoArgs, logging, output};
use crate::{
    files::Places,
    report::{self, clean},
};

/// The `schema` of every report that this version writes.
pub(super) const SCHEMA: &str = "ngf-tui/info/v1";

/// The locations.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Locations {
    schema: &'static str,
    /// This program's version.
    version: &'static str,
    /// The configuration file.
    config: Location,
    /// The folder of themes.
    themes: Location,
    /// The folder of the log and of reports of panics.
    state: Location,
    /// The log of the terminal interface.
    log: Location,
    /// The folder of what can be made again; nothing is kept there yet.
    cache: Location,
    /// Reports of panics, the oldest first.
    panics: Vec<String>,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Location {
    /// `null` where the user has no home folder.
    path: Option<String>,
    exists: bool,
}

impl Location {
    fn of(path: Option<&Path>) -> Self {
        Self {
            path: path.map(|path| clean(&path.to_string_lossy())),
            exists: path.is_some_and(Path::exists),
        }
    }
}

/// Runs it.
pub(super) fn run(args: &InfoArgs) -> Result<u8, CliError> {
    let places = Places::of_user();
    let in_config = |name: &str| places.config.as_ref().map(|folder| folder.join(name));
    let panics = places.state.as_deref().map(logging::reports);
    let locations = Locations {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION"),
        config: Location::of(in_config("config.toml").as_deref()),
        themes: Location::of(in_config("themes").as_deref()),
        state: Location::of(places.state.as_deref()),
        log: Location::of(places.log().as_deref()),
        cache: Location::of(places.cache.as_deref()),
        panics: panics
            .unwrap_or_default()
            .iter()
            .map(|path| clean(&path.to_string_lossy()))
            .collect(),
    };
    let text = match report::shaped(&locations, &args.output)? {
        Some(text) => text,
        None => locations.text(),
    };
    output::print(&text)?;
    Ok(EXIT_OK)
}

impl Locations {
    fn text(&self) -> String {
        let line = |name: &str, location: &Location| {
            let path = location.path.as_deref().unwrap_or("no home folder");
            let missing = if location.exists {
                ""
            } else {
                " (does not exist)"
            };
            format!("{name:<14} {path}{missing}\n")
        };
        let mut text = format!("ngf-tui {}\n", self.version);
        for (name, location) in [
            ("Configuration", &self.config),
            ("Themes", &self.themes),
            ("State", &self.state),
            ("Log", &self.log),
            ("Cache", &self.cache),
        ] {
            text.push_str(&line(name, location));
        }
        for path in &self.panics {
            let _ = writeln!(text, "{:<14} {path}", "Panic report");
        }
        text
    }
}
