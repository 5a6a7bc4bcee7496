//! Keeps private keys out of core dumps and out of freed memory. What Rust frees is cleared by the
//! program's allocator (`src/bin/ngf-tui.rs`).

use super::output;

/// Call it first: OpenSSL clears what it frees only where it has not allocated anything yet.
pub(super) fn protect() {
    disable_core_dumps();
    if !ngf_tls::engine::clear_freed_memory() {
        output::say(
            "ngf-tui: OpenSSL was in use before the program started, so it frees keys without clearing them",
        );
    }
}

/// The limit of zero, which child processes inherit; on Linux also for a core pattern that is a pipe,
/// which ignores the limit.
#[cfg(unix)]
fn disable_core_dumps() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: getrlimit(Resource::Core).maximum,
    };
    let limited = setrlimit(Resource::Core, none).is_ok();
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let limited = {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok() && limited
    };
    if !limited {
        output::say("ngf-tui: cannot disable core dumps: a crash may write private keys to disk");
    }
}

#[cfg(not(unix))]
fn disable_core_dumps() {}
