//! The program as people start it: arguments, output, exit status, terminal.

#[path = "../support/sandbox.rs"]
mod sandbox_support;
#[path = "../support/mod.rs"]
mod support;

mod bundle;
mod check_findings;
mod check_live;
mod check_overlay;
mod check_within;
mod cleanup;
mod command_line;
mod demo;
mod help;
mod html;
mod in_cluster;
mod inspect;
mod journey;
mod journey_ways;
mod kubectl;
mod kubectl_habits;
mod log_files;
mod logging;
mod memory;
mod oidc;
mod panics;
mod pictures;
mod plain;
mod probe_options;
mod schemas;
mod several_contexts;
mod terminal;
