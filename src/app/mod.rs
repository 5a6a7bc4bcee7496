//! The terminal interface's state and how it changes: key → action → update → effect. Pure but for
//! [`run`] and its jobs, which carry the effects out; the clock is part of each event.

pub mod action;
pub mod changes;
pub mod edit;
pub mod event;
pub mod fix;
pub mod headless;
pub mod job;
mod jobs;
pub mod list;
pub mod matrix;
pub mod place;
pub mod run;
mod selected;
pub mod signals;
pub mod state;
pub mod tree;
pub mod update;
