//! The configuration file: keys, theme, columns, aliases and defaults of the terminal interface. What is wrong in it
//! is an error with the file and the line.

mod default;
mod read;
mod theme;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::Spanned;

pub use default::commented;
use theme::appearance;
pub use theme::{Appearance, example};

use crate::{files::Places, tui::state::settings::Settings};
use ngf_cluster::transport::Via;
use ngf_text::sanitize;

/// The JSON schema of the file, for editors.
pub const SCHEMA: &str = include_str!("../assets/schema/config.json");
/// Nobody writes a larger file by hand.
const MOST: u64 = 1 << 20;

/// What the file may hold. Everything may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(title = "Configuration of ngf-tui")
)]
struct File {
    /// How it looks: auto (asks the terminal), dark, light, high-contrast, none (no colours), or the name of a file
    /// in the folder themes beside this one, without .toml.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    theme: Option<Spanned<String>>,
    /// Whether clicks and the wheel are used; text is then selected with shift held.
    mouse: Option<bool>,
    /// Signs in ASCII, whatever the locale says.
    ascii: Option<bool>,
    /// What is used where the command line does not say otherwise.
    #[cfg_attr(test, schemars(with = "Defaults"))]
    defaults: Defaults,
    /// The keys of actions, by the action's name; an empty list takes them away.
    #[cfg_attr(test, schemars(with = "BTreeMap<String, Keys>"))]
    keys: BTreeMap<Spanned<String>, Spanned<Keys>>,
    /// Words after `:`, and the commands that they stand for.
    #[cfg_attr(test, schemars(with = "BTreeMap<String, String>"))]
    aliases: BTreeMap<Spanned<String>, Spanned<String>>,
    /// The columns of lists, by the list's name, from left to right.
    #[cfg_attr(test, schemars(with = "BTreeMap<String, Vec<String>>"))]
    columns: BTreeMap<Spanned<String>, Vec<Spanned<String>>>,
}

/// Defaults of the terminal interface's own options.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Defaults {
    /// As --context.
    context: Option<String>,
    /// As --namespace.
    namespace: Option<String>,
    /// As --via.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    via: Option<Spanned<String>>,
    /// As --read-only.
    read_only: bool,
    /// As --no-probe.
    no_probe: bool,
    /// As --ignore-file; a relative path begins in this file's folder.
    ignore_file: Option<PathBuf>,
}

/// One key or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum Keys {
    /// One key: `r`, `ctrl-r`, `f5`.
    One(String),
    /// Several; the first one is shown in the footer.
    Several(Vec<String>),
}

/// What a configuration file says.
#[derive(Debug, Default)]
pub struct Config {
    /// Keys, columns and aliases.
    pub settings: Settings,
    /// The theme, by its name, and the line that names it.
    theme: Option<(String, usize)>,
    /// Whether the mouse is used.
    pub mouse: Option<bool>,
    /// Signs in ASCII.
    pub ascii: bool,
    /// As `--context`.
    pub context: Option<String>,
    /// As `--namespace`.
    pub namespace: Option<String>,
    /// As `--via`.
    pub via: Option<Via>,
    /// As `--read-only`.
    pub read_only: bool,
    /// As `--no-probe`.
    pub no_probe: bool,
    /// As `--ignore-file`.
    pub ignore_file: Option<PathBuf>,
    /// The file, where there is one.
    file: Option<PathBuf>,
}

/// What is wrong with a configuration file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no folder for configuration: `$HOME` is not set.
    #[error("cannot find the folder for configuration: HOME is not set")]
    NoFolder,
    /// The file cannot be read.
    #[error("cannot read {}: {why}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// There is no such theme.
    #[error("{0}")]
    Theme(String),
    /// Something in it is wrong.
    #[error("{}:{line}: {why}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
}

/// Where the file is, unless somebody says otherwise: `$XDG_CONFIG_HOME/ngf-tui/config.toml`, or
/// `~/.config/ngf-tui/config.toml`.
///
/// # Errors
/// Where there is no home.
pub fn path() -> Result<PathBuf, ConfigError> {
    let folder = Places::of_user().config.ok_or(ConfigError::NoFolder)?;
    Ok(folder.join("config.toml"))
}

impl Config {
    /// Reads the file that somebody named, or else the one in its usual place, where there is one.
    ///
    /// # Errors
    /// With the file and the line, where something in it is wrong.
    pub fn load(named: Option<&Path>) -> Result<Self, ConfigError> {
        let file = match named {
            Some(file) => file.to_owned(),
            None => match path() {
                Ok(file) if file.exists() => file,
                // Who has no home has no configuration.
                _ => return Ok(Self::default()),
            },
        };
        let text = read_file(&file)?;
        read::read(&file, &text)
    }

    /// The file, where there is one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// How the terminal interface looks; `named` is what the command line says.
    ///
    /// # Errors
    /// Where there is no such theme, or its file is wrong.
    pub fn appearance(&self, named: Option<&str>) -> Result<Appearance, ConfigError> {
        appearance(self, named)
    }
}

fn read_file(file: &Path) -> Result<String, ConfigError> {
    use std::io::Read;
    let failed = |why: String| ConfigError::Read {
        file: file.to_owned(),
        why,
    };
    let open = std::fs::File::open(file).map_err(|error| failed(error.to_string()))?;
    let mut text = String::new();
    let read = open.take(MOST + 1).read_to_string(&mut text);
    read.map_err(|error| failed(error.to_string()))?;
    if text.len() as u64 > MOST {
        return Err(failed("it is larger than 1 MiB".to_owned()));
    }
    Ok(text)
}

/// An error at a byte of a file.
fn at(file: &Path, text: &str, byte: usize, why: impl AsRef<str>) -> ConfigError {
    let before = text.get(..byte).unwrap_or(text);
    ConfigError::Line {
        file: file.to_owned(),
        line: 1 + before.matches('\n').count(),
        why: sanitize::line(why.as_ref(), 400),
    }
}

/// What TOML itself finds wrong.
fn syntax(file: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let byte = error.span().map_or(0, |span| span.start);
    at(file, text, byte, error.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The schema in assets/schema is that of the file. `UPDATE_DOCS=1 cargo test --lib config` writes it.
    #[test]
    fn the_schema_is_that_of_the_file() {
        let schema = schemars::schema_for!(File);
        let text = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
        if std::env::var_os("UPDATE_DOCS").is_some() {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/schema/config.json");
            std::fs::write(path, &text).expect("written");
            return;
        }
        assert!(
            text == SCHEMA,
            "assets/schema/config.json is out of date: UPDATE_DOCS=1 cargo test --lib config"
        );
    }
}
