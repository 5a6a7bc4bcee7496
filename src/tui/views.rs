//! What the screen says: one file a view, each the same on the screen and in words.

pub mod chain;
pub mod conditions;
pub mod diff;
pub mod endpoint_matrix;
pub mod export;
pub mod findings;
pub mod handshake;
mod header;
pub mod linear;
pub mod lists;
pub mod logs;
pub mod nginx;
mod overlays;
pub mod palette;
pub mod problems;
mod problems_detail;
pub mod screen;
pub mod search;
pub mod yaml;

use ngf_ui::Mark;
use ratatui::{buffer::Buffer, layout::Rect};

use crate::tui::state::{App, ids::ViewId};

/// What is known of a tab.
pub struct ViewInfo {
    /// Which one.
    pub id: ViewId,
    /// Its title.
    pub title: &'static str,
    /// Draws it for what is selected.
    pub draw: fn(&mut App, Rect, &mut Buffer),
    /// The same in words.
    pub describe: fn(&App, u16) -> Vec<String>,
    /// The sign of what it shows.
    pub mark: fn(&App) -> Option<Mark>,
}

/// Every tab, in order.
pub static VIEWS: [ViewInfo; 7] = [
    chain::VIEW,
    handshake::VIEW,
    findings::VIEW,
    logs::VIEW,
    conditions::VIEW,
    yaml::VIEW,
    nginx::VIEW,
];

impl ViewId {
    /// Its place in [`VIEWS`].
    pub fn index(self) -> usize {
        VIEWS
            .iter()
            .position(|view| view.id == self)
            .unwrap_or_default()
    }
}
