//! `kubectl-ngf`.

fn main() {}
