//! A command in a container, between its streams: what `kubectl exec` starts.

use tokio::io::{DuplexStream, duplex};

use super::io::{Io, PIPE};
use super::{Place, commands};

/// Status of a process that was killed: its container ended.
const KILLED: i32 = 137;

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exit {
    /// With this status.
    Code(i32),
    /// There is no such program: the container runtime's words.
    NoProgram(String),
}

/// The other ends of a command's streams.
pub(crate) struct Ends {
    /// What is written here the command reads; closed when it is dropped.
    pub(crate) stdin: DuplexStream,
    /// What the command writes.
    pub(crate) stdout: DuplexStream,
    /// What it says beside.
    pub(crate) stderr: DuplexStream,
}

/// The command's ends.
pub(crate) struct Streams {
    stdin: DuplexStream,
    stdout: DuplexStream,
    stderr: DuplexStream,
}

/// Both ends of three pipes.
pub(crate) fn pipes() -> (Ends, Streams) {
    let (stdin, to) = duplex(PIPE);
    let (from, stdout) = duplex(PIPE);
    let (errors, stderr) = duplex(PIPE);
    let ends = Ends {
        stdin: to,
        stdout: from,
        stderr: errors,
    };
    let streams = Streams {
        stdin,
        stdout,
        stderr,
    };
    (ends, streams)
}

impl Place {
    /// Starts a command, and waits until it ends or its container does.
    pub(crate) async fn perform(&self, words: &[String], streams: Streams) -> Exit {
        let stop = self.stop();
        let io = Io::new(streams.stdin, streams.stdout, streams.stderr);
        let done = tokio::select! {
            code = commands::start(self, io, words) => code,
            () = stop.cancelled() => Some(KILLED),
        };
        match done {
            Some(code) => Exit::Code(code),
            None => {
                let program = words.first().map_or("", String::as_str);
                let why = if program.starts_with('/') {
                    format!("exec: \"{program}\": stat {program}: no such file or directory")
                } else {
                    format!("exec: \"{program}\": executable file not found in $PATH")
                };
                Exit::NoProgram(format!(
                    "OCI runtime exec failed: exec failed: unable to start container process: {why}: unknown"
                ))
            }
        }
    }
}
