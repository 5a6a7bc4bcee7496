//! `ngf-tui`.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use zeroizing_alloc::ZeroAlloc;

/// Clears what is freed: private keys pass through buffers of HTTP, TLS, JSON and YAML libraries.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

fn main() -> ExitCode {
    ngf_tui::cli::main()
}
