//! On a real Kubernetes (`tests/support/lab.rs` says what it must hold): `make test-lab`.

#![allow(clippy::pedantic)] // scripts against a real node

#[path = "../support/mod.rs"]
mod support;

mod over_lab;
mod transports;
mod ways;
