//! What is drawn, written to standard output in a thread of its own. A terminal that takes nothing (a
//! stopped tmux pane, a hung ssh connection) blocks that thread and nobody else.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// What happened to something that was written: to be told to whoever draws.
pub type Tell = Box<dyn Fn(io::Result<()>) + Send>;

/// One piece for the thread: bytes, and whether somebody waits until they are written.
type Piece = (Vec<u8>, Option<mpsc::SyncSender<()>>);

/// The way to the thread that writes. Clones lead to the same thread.
#[derive(Clone)]
pub(crate) struct Output {
    pieces: mpsc::Sender<Piece>,
    waiting: Arc<AtomicUsize>,
}

impl Output {
    /// Starts the thread. It calls `tell` after each piece.
    pub(crate) fn start(tell: Tell) -> io::Result<Self> {
        let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let (pieces, received) = mpsc::channel::<Piece>();
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&waiting);
        let writer = move || {
            for (bytes, done) in received {
                let written = write_all(&mut out, &bytes);
                left.fetch_sub(1, Ordering::SeqCst);
                drop(done);
                tell(written);
            }
        };
        let thread = thread::Builder::new().name("terminal output".to_owned());
        thread.spawn(writer)?;
        Ok(Self { pieces, waiting })
    }

    /// Whether something has not been written yet.
    pub(crate) fn is_busy(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// Hands bytes over.
    pub(crate) fn send(&self, bytes: Vec<u8>) {
        self.hand_over((bytes, None));
    }

    /// Hands bytes over, and waits until they are written, but not for longer than this.
    pub(crate) fn send_and_wait(&self, bytes: Vec<u8>, within: Duration) {
        let (done, written) = mpsc::sync_channel(0);
        self.hand_over((bytes, Some(done)));
        // The thread drops its end once it has written, or has failed to.
        let _ = written.recv_timeout(within);
    }

    fn hand_over(&self, piece: Piece) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        // The thread ends only with the last of these, so there is always one to receive it.
        let _ = self.pieces.send(piece);
    }
}

/// As [`Write::write_all`], also where somebody who shares the terminal made it non-blocking.
fn write_all(out: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut ready = [PollFd::new(out, PollFlags::OUT)];
                match poll(&mut ready, None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What a frame is drawn into before it is handed over as a whole. Clones share the bytes.
#[derive(Clone, Default)]
pub(crate) struct Frame(Arc<Mutex<Vec<u8>>>);

impl Frame {
    /// The bytes so far, which are then gone from here.
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Frame {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
