//! What the terminal interface knows and shows, and the events that change it.

pub mod action;
mod app;
pub mod changes;
pub mod clock;
mod detail;
pub mod edit;
pub mod elsewhere;
pub mod endpoint_matrix;
pub mod event;
pub mod filter;
pub mod fix;
pub mod history;
pub mod ids;
pub mod job;
pub mod lines;
pub mod list;
mod overlay;
pub mod place;
pub mod recording;
pub mod search;
mod selected;
pub mod settings;
pub mod tree;
mod word;

pub use app::*;
pub use detail::*;
pub use overlay::*;
