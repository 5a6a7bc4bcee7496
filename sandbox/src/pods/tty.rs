//! A terminal between a person and a command, as far as people use one here: what is typed is echoed
//! and handed over by the line, lines end with CR LF, ctrl-c and ctrl-d do what they do.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex,
};
use tokio::sync::Mutex;

use super::shell::{Io, Output, PIPE};

/// Bytes of a line that is being typed.
const MAX_LINE: usize = 4096;

/// The streams of a command at a terminal.
pub(super) fn around(typed: DuplexStream, shown: DuplexStream) -> Io {
    let (reader, writer) = duplex(PIPE);
    let shown: Output = Arc::new(Mutex::new(Screen(shown)));
    tokio::spawn(type_lines(typed, writer, Arc::downgrade(&shown)));
    Io {
        stdin: Arc::new(Mutex::new(reader)),
        stdout: shown.clone(),
        stderr: shown,
        depth: 0,
        terminal: true,
    }
}

/// Hands over lines. It ends with what is typed, or with the command.
async fn type_lines(
    mut typed: impl AsyncRead + Unpin,
    mut lines: DuplexStream,
    screen: std::sync::Weak<Mutex<dyn AsyncWrite + Send + Unpin>>,
) {
    let (mut line, mut chunk) = (Vec::new(), [0; 256]);
    while let Ok(count @ 1..) = typed.read(&mut chunk).await {
        let (mut echo, mut ready, mut ended) = (Vec::new(), Vec::new(), false);
        for byte in &chunk[..count] {
            match byte {
                b'\r' | b'\n' => {
                    line.push(b'\n');
                    echo.push(b'\n');
                    ready.append(&mut line);
                }
                // Delete, backspace.
                0x7f | 0x08 if line.is_empty() => {}
                0x7f | 0x08 => {
                    line.pop();
                    echo.extend(b"\x08 \x08");
                }
                // ctrl-c
                0x03 => {
                    line.clear();
                    echo.extend(b"^C\n");
                }
                // ctrl-d at the begin of a line
                0x04 if line.is_empty() => {
                    ended = true;
                    break;
                }
                0x20.. if line.len() < MAX_LINE => {
                    line.push(*byte);
                    echo.push(*byte);
                }
                _ => {}
            }
        }
        let Some(screen) = screen.upgrade() else {
            return;
        };
        // What is typed is seen before its effect. A screen that is gone shows nothing; the command
        // ends by itself.
        let _ = screen.lock().await.write_all(&echo).await;
        drop(screen);
        if lines.write_all(&ready).await.is_err() || ended {
            return;
        }
    }
}

/// Ends lines with CR LF.
struct Screen(DuplexStream);

impl AsyncWrite for Screen {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        // One line end at a time, whole: a pipe takes as much as it has room for.
        let (length, shown): (usize, &[u8]) = match bytes.iter().position(|byte| *byte == b'\n') {
            Some(0) => (1, b"\r\n"),
            Some(at) => (at, &bytes[..at]),
            None => (bytes.len(), bytes),
        };
        let written = std::task::ready!(Pin::new(&mut self.0).poll_write(context, shown))?;
        Poll::Ready(Ok(if length == 1 && shown == b"\r\n" {
            // Where there was room for half of it, the other half is lost with the screen's width.
            usize::from(written > 0)
        } else {
            written
        }))
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_echoed_edited_and_handed_over() {
        let (typed, keys) = duplex(PIPE);
        let (mut screen, shown) = duplex(PIPE);
        let io = around(typed, shown);
        let mut keys = keys;
        keys.write_all(b"lx\x7fs\rab\x03\x04").await.expect("typed");
        let mut read = String::new();
        io.stdin
            .lock()
            .await
            .read_to_string(&mut read)
            .await
            .expect("read");
        assert_eq!(read, "ls\n");
        io.out("done\n").await;
        drop(io);
        let mut seen = String::new();
        screen.read_to_string(&mut seen).await.expect("seen");
        assert_eq!(seen, "lx\u{8} \u{8}s\r\nab^C\r\ndone\r\n");
    }
}
