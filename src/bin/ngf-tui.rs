//! `ngf-tui`.

fn main() {}
