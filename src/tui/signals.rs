//! Signals, watched in a thread of their own: they work while the rest of the program waits for a
//! terminal, a disk or a lock. Whatever happens then, the process ends.

use std::{io, thread, time::Duration};

use ngf_ui::terminal;
use signal_hook::{
    consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGSTOP, SIGTERM, SIGTSTP, SIGWINCH},
    iterator::Signals,
    low_level,
};
use tokio::sync::mpsc;

/// How long the process may take to end after the first signal that asks for it.
const GRACE: Duration = Duration::from_secs(10);
/// And after the second one.
const GRACE_AFTER_SECOND: Duration = Duration::from_secs(1);
/// How long to wait for the removal of temporary resources after a signal, so that the rest of the
/// program ends before [`GRACE`] is over.
const REMOVE_WITHIN: Duration = Duration::from_secs(8);
/// The same where the terminal is gone: the whole program ends within 2 s.
const REMOVE_WITHIN_IF_GONE: Duration = Duration::from_millis(1_500);

/// A signal that asks the program to end, or the end of the terminal, which is taken as SIGHUP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    signal: i32,
}

impl End {
    /// The terminal is gone.
    pub const GONE: Self = Self { signal: SIGHUP };

    /// Whether nobody sees the terminal any more.
    pub fn is_gone(self) -> bool {
        self == Self::GONE
    }

    /// The exit status, as a shell reports a signal: 129 for SIGHUP, 130 for SIGINT, 131 for SIGQUIT,
    /// 143 for SIGTERM.
    pub fn status(self) -> u8 {
        u8::try_from(128 + self.signal).unwrap_or(u8::MAX)
    }

    /// How long to wait for the removal of temporary resources.
    pub(super) fn patience(self) -> Duration {
        if self.is_gone() {
            REMOVE_WITHIN_IF_GONE
        } else {
            REMOVE_WITHIN
        }
    }
}

/// What the terminal and the system report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    /// The program has to end.
    End(End),
    /// The program has to stop until it is continued.
    Suspend,
    /// The program was continued.
    Continue,
    /// The terminal has another size.
    Resized,
    /// The terminal has accepted a frame.
    Written,
}

/// Receives what the terminal and the system report.
pub struct Watch {
    pub(super) sender: mpsc::UnboundedSender<Notice>,
    notices: mpsc::UnboundedReceiver<Notice>,
}

impl Watch {
    /// Starts to watch signals. From now on they do not end the process by themselves: whoever holds
    /// this has to.
    ///
    /// # Errors
    /// Signals cannot be received.
    pub fn start() -> io::Result<Self> {
        let (sender, notices) = mpsc::unbounded_channel();
        let signals = Signals::new([SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH])?;
        let thread = thread::Builder::new().name("signals".to_owned());
        let to_loop = sender.clone();
        thread.spawn(move || watch(signals, &to_loop))?;
        Ok(Self { sender, notices })
    }

    /// The next notice.
    pub(super) async fn next(&mut self) -> Notice {
        match self.notices.recv().await {
            Some(notice) => notice,
            // Not while this holds a sender.
            None => std::future::pending().await,
        }
    }

    /// Runs something before the screen is taken over, unless a signal asks to end.
    ///
    /// # Errors
    /// The signal.
    pub async fn unless_ended<T>(&mut self, work: impl Future<Output = T>) -> Result<T, End> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                notice = self.next() => match notice {
                    Notice::End(end) => return Err(end),
                    Notice::Suspend => stop(),
                    Notice::Continue | Notice::Resized | Notice::Written => {}
                },
            }
        }
    }
}

fn watch(mut signals: Signals, sender: &mpsc::UnboundedSender<Notice>) {
    let mut ending = false;
    for signal in &mut signals {
        let notice = match signal {
            SIGTSTP => Notice::Suspend,
            SIGCONT => Notice::Continue,
            SIGWINCH => Notice::Resized,
            signal => Notice::End(End { signal }),
        };
        if let Notice::End(end) = notice {
            // A terminal that is closed sends SIGHUP more than once: the kernel and the shell both do.
            let impatient = ending && !end.is_gone();
            end_within(if impatient { GRACE_AFTER_SECOND } else { GRACE }, end);
            ending = true;
        }
        // Where nobody listens any more, the program is ending.
        let _ = sender.send(notice);
    }
}

/// Ends the process after this time, if it has not ended by then.
pub(super) fn end_within(grace: Duration, end: End) {
    let force = move || {
        thread::sleep(grace);
        terminal::restore();
        // Not `std::process::exit`, which waits for standard output.
        low_level::exit(i32::from(end.status()));
    };
    // Without a thread the process still ends by itself, unless it is stuck.
    let _ = thread::Builder::new().name("end".to_owned()).spawn(force);
}

/// Stops this process until it is continued, as SIGTSTP does where it is not watched. Nothing happens
/// where no shell could continue it.
pub(super) fn stop() {
    if terminal::has_job_control() {
        let _ = low_level::raise(SIGSTOP);
    }
}

/// Asks the whole job to stop, as ctrl-z does in a terminal that is not in raw mode. Whether there is a
/// shell that can continue it.
pub(super) fn stop_job() -> bool {
    terminal::has_job_control()
        && rustix::process::kill_current_process_group(rustix::process::Signal::TSTP).is_ok()
}
