//! `config`: where the configuration is, what it may hold, and whether it is right.

use super::{CliError, EXIT_OK, args::ConfigArgs, args::ConfigPart, args::InputArgs, output};
use crate::config::{self, Config};

/// Runs it.
pub(super) fn run(input: &InputArgs, args: &ConfigArgs) -> Result<u8, CliError> {
    match args.part {
        ConfigPart::Default => output::print(&config::commented())?,
        ConfigPart::Theme => output::print(&config::example())?,
        ConfigPart::Schema => output::print(config::SCHEMA)?,
        ConfigPart::Path => {
            let path = match &input.config {
                Some(path) => path.clone(),
                None => config::path()?,
            };
            output::print(&format!("{}\n", path.display()))?;
        }
        ConfigPart::Check => {
            let config = Config::load(input.config.as_deref())?;
            config.appearance(input.theme.as_deref())?;
            let words = match config.file() {
                Some(file) => format!("{}: no errors", file.display()),
                None => "there is no configuration file: the defaults hold".to_owned(),
            };
            output::print(&format!("{words}\n"))?;
        }
    }
    Ok(EXIT_OK)
}
