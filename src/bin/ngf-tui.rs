//! `ngf-tui`.

use std::{alloc::System, process::ExitCode};

use zeroizing_alloc::ZeroAlloc;

/// Clears what is freed: private keys pass through buffers of HTTP, TLS, JSON and YAML libraries.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    ngf_tui::cli::main()
}
