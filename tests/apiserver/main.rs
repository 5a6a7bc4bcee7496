//! On a real kube-apiserver with etcd (`go/`), without controllers or kubelet: `make test-apiserver`.

#![allow(clippy::pedantic)] // scripts against a real API server

#[path = "../support/sandbox.rs"]
mod sandbox_support;
#[path = "../support/mod.rs"]
mod support;

mod faults;
mod fix;
mod guide;
mod mirror;
mod objects;
mod reading;
mod releases;
mod rights;
mod same;
mod server;
mod size;
