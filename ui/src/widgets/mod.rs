//! The widgets. Each borrows its data and a [`Theme`](crate::Theme), draws at any size without a
//! panic, and says the same in words by `to_text`.
//!
//! Render a reference: `frame.render_widget(&widget, area)`, or with state
//! `frame.render_stateful_widget(&widget, area, &mut state)`.

pub mod bar;
pub mod bars;
pub mod chain;
pub mod entries;
pub mod fields;
pub mod findings;
pub mod help;
pub mod matrix;
pub mod overlay;
pub mod palette;
pub mod panel;
pub mod prompt;
pub mod rows;
pub mod sequence;
pub mod table;
pub mod tabs;
pub mod textview;
pub mod timeline;
pub mod tree;
