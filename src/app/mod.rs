//! The terminal interface's state and how it changes: key → action → update → effect. Pure but for
//! [`run`], which carries the effects out; the clock is part of each event.

pub mod action;
pub mod edit;
pub mod event;
pub mod headless;
pub mod run;
pub mod state;
pub mod tree;
pub mod update;
