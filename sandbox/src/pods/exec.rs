//! A command in a container, between its streams: what `kubectl exec` and `kubectl attach` start.

use tokio::io::{DuplexStream, duplex};

use super::shell::{Io, PIPE};
use super::{Place, commands, main_process, tty};

/// Status of a process that was killed: its container ended.
const KILLED: i32 = 137;

/// What to do in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Task {
    /// Start this.
    Exec(Vec<String>),
    /// Join its process.
    Attach,
}

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
    /// Does it, until it ends or the container does.
    pub(crate) async fn perform(&self, task: Task, terminal: bool, streams: Streams) -> Exit {
        let stop = self.stop();
        let Streams {
            stdin,
            stdout,
            stderr,
        } = streams;
        let words = match task {
            Task::Attach => {
                let code = main_process::attach(self, stdin, stdout, stderr).await;
                return Exit::Code(code);
            }
            Task::Exec(words) => words,
        };
        let io = if terminal {
            tty::around(stdin, stdout)
        } else {
            Io::new(stdin, stdout, stderr)
        };
        let done = tokio::select! {
            code = commands::start(self, io, &words) => code,
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
