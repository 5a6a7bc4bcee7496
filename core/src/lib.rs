//! What things mean: the objects of a cluster, what NGF makes of them, what the evidence says, what is wrong and
//! what repairs it.
//!
//! Pure: no clock, no file, no connection, no terminal. What time it is, is an argument.

pub mod bundle;
pub mod command;
pub mod data_plane;
pub mod diagnosis;
pub mod fix;
pub mod init;
pub mod json_merge;
pub mod logs;
pub mod manifests;
pub mod model;
pub mod nginx_config;
pub mod overlay;
pub mod selector;
pub mod shared;
mod threads;
