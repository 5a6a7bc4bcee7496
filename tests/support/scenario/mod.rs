//! Scenarios as data: objects, certificates, changes, what probes saw, and which findings are right.
//! CONTRIBUTING.md says how to write one.

// Each test program uses some of it.
#![allow(unused_imports)]

mod change;
mod cluster;
mod description;
mod evidence;
mod load;
mod names;
mod objects;
mod pairs;

pub(crate) use change::{Change, changed};
pub(crate) use cluster::{as_cluster, cluster_of, set_controller};
pub(crate) use description::Description;
pub(crate) use load::Scenario;
pub(crate) use names::{BROKEN, all, bases, expected, line, moment, near, root};
pub(crate) use objects::{objects, objects_by_name};
pub(crate) use pairs::{Base, Decoder, Part};
