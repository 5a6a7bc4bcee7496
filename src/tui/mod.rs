//! The terminal interface: key → action → update → effect, and state → view. `update` is pure; [`run`] and its
//! jobs carry the effects out; the clock is part of each event.
//!
//! `state` knows no view and no key's meaning, `views` draws it, `update` changes it, `run` puts them together.

pub mod effects;
pub mod headless;
mod jobs;
mod recorder;
pub mod run;
pub mod signals;
pub mod state;
pub mod update;
pub mod views;
