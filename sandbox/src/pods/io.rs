//! The streams of a command in a container.

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

/// Bytes in a pipe.
pub(super) const PIPE: usize = 64 << 10;

/// What a command reads and writes.
pub(super) struct Io {
    pub(super) stdin: Box<dyn AsyncRead + Send + Unpin>,
    pub(super) stdout: Box<dyn AsyncWrite + Send + Unpin>,
    pub(super) stderr: Box<dyn AsyncWrite + Send + Unpin>,
}

impl Io {
    /// Streams of these ends.
    pub(super) fn new(
        stdin: impl AsyncRead + Send + Unpin + 'static,
        stdout: impl AsyncWrite + Send + Unpin + 'static,
        stderr: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        Self {
            stdin: Box::new(stdin),
            stdout: Box::new(stdout),
            stderr: Box::new(stderr),
        }
    }

    /// Writes to standard output; false where nobody reads any more.
    pub(super) async fn out(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stdout.write_all(bytes.as_ref()).await.is_ok() && self.stdout.flush().await.is_ok()
    }

    /// Writes a line to standard error; whoever no longer reads it misses it.
    pub(super) async fn err(&mut self, line: impl AsRef<str>) {
        let line = format!("{}\n", line.as_ref());
        let _ = self.stderr.write_all(line.as_bytes()).await;
        let _ = self.stderr.flush().await;
    }
}
