//! The folders of the XDG Base Directory specification that this program uses.

use std::path::PathBuf;

use etcetera::{BaseStrategy as _, base_strategy::Xdg};

/// The name of the program's folder in each.
const NAME: &str = "ngf-tui";

/// Where configuration, state and cache are; each `None` where the user has no home folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// `$XDG_CONFIG_HOME/ngf-tui`: configuration and themes.
    pub config: Option<PathBuf>,
    /// `$XDG_STATE_HOME/ngf-tui`: the log and reports of panics.
    pub state: Option<PathBuf>,
    /// `$XDG_CACHE_HOME/ngf-tui`: nothing is kept there yet.
    pub cache: Option<PathBuf>,
}

impl Places {
    /// Those of this user.
    pub fn of_user() -> Self {
        let Ok(xdg) = Xdg::new() else {
            return Self::default();
        };
        Self {
            config: Some(xdg.config_dir().join(NAME)),
            state: xdg.state_dir().map(|folder| folder.join(NAME)),
            cache: Some(xdg.cache_dir().join(NAME)),
        }
    }

    /// The log of the terminal interface.
    pub fn log(&self) -> Option<PathBuf> {
        self.state.as_ref().map(|folder| folder.join("ngf-tui.log"))
    }
}
