//! `ngf-tui`: finds out why mutual TLS between NGINX Gateway Fabric and a backend breaks.
//!
//! This crate knows what things mean; `ngf_probes` measures and `ngf_ui` draws. Data flows one way:
//! watch → snapshot → diagnosis → view, and key → action → update → effect.

pub mod app;
pub mod beside;
pub mod cli;
pub mod cluster;
pub mod command;
pub mod diagnosis;
pub mod files;
pub mod fix;
pub mod grid;
pub mod init;
pub mod logs;
pub mod model;
pub mod over;
pub mod prober;
pub mod rendered;
pub mod report;
pub mod views;
pub mod world;
