//! What the screen says: one file a view, each the same on the screen and in words.

pub mod causes;
pub mod chain;
pub mod conditions;
pub mod findings;
pub mod handshake;
pub mod matrix;
mod overlays;
pub mod screen;
pub mod yaml;

use ngf_ui::Mark;
use ratatui::{buffer::Buffer, layout::Rect};

use crate::app::state::App;

/// A tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs)] // VIEWS says what each is
pub enum ViewId {
    #[default]
    Conditions,
    Chain,
    Handshake,
    Findings,
    Yaml,
    Matrix,
}

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
    /// How that is which it shows.
    pub mark: fn(&App) -> Option<Mark>,
}

/// Every tab, in order.
pub static VIEWS: [ViewInfo; 6] = [
    conditions::VIEW,
    chain::VIEW,
    handshake::VIEW,
    findings::VIEW,
    yaml::VIEW,
    matrix::VIEW,
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
