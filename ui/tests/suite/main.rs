//! What the widgets draw, how they behave, and what the terminal is left in.

#[path = "../samples/mod.rs"]
mod samples;

mod behaviour;
mod golden;
mod sizes;
#[cfg(unix)]
mod terminal;
