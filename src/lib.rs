//! `ngf-tui`: finds out why mutual TLS between NGINX Gateway Fabric and a backend breaks.
//!
//! The program that people run: its command line, reports and terminal interface. `ngf_core` knows what things
//! mean, `ngf_cluster` talks to Kubernetes, `ngf_probes` measures and `ngf_ui` draws. Data flows one way:
//! watch → snapshot → diagnosis → view, and key → action → update → effect.

pub mod cli;
pub mod config;
mod defect;
pub mod diagram;
pub mod files;
pub mod recording;
pub mod report;
pub mod tui;
