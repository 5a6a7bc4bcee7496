//! A recording that is being written, by `record` and by the terminal interface: a new file that its owner alone can
//! read, bounded, and redacted by the code of bundles.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    time::Duration,
};

use jiff::Timestamp;

use ngf_core::{
    bundle::{
        MAX_BYTES,
        recording::{MAX_MOMENTS, Recorder},
    },
    command::Command,
    diagnosis::{
        Evidence,
        words::{count, span},
    },
    model::snapshot::Snapshot,
};
use ngf_text::sanitize;

/// Between two moments there is at least this time.
pub const PAUSE: Duration = Duration::from_secs(1);
/// Making a moment of a large cluster takes a while: it takes a tenth of the time at most.
pub const SHARE: u32 = 9;

/// A new file that its owner alone can read.
///
/// # Errors
/// Where it exists or cannot be made.
pub fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The file, and how far it is.
#[derive(Debug)]
pub struct Writing {
    recorder: Recorder,
    file: File,
    bytes: u64,
    moments: usize,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    is_full: bool,
}

impl Writing {
    /// A new recording in a file that does not exist yet.
    ///
    /// # Errors
    /// In one sentence that names the file.
    pub fn create(path: &Path) -> Result<Self, String> {
        let name = sanitize::line(&path.to_string_lossy(), 256);
        let file = create(path).map_err(|why| match why.kind() {
            std::io::ErrorKind::AlreadyExists => {
                format!("{name} exists and is not overwritten: name another file")
            }
            _ => format!("{name}: cannot be written: {why}"),
        })?;
        Ok(Self {
            recorder: Recorder::default(),
            file,
            bytes: 0,
            moments: 0,
            first: None,
            last: None,
            is_full: false,
        })
    }

    /// Adds what is seen now, where it is different from what was seen before.
    ///
    /// # Errors
    /// In one sentence, where the file cannot be written.
    pub fn add(
        &mut self,
        snapshot: &Snapshot,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Result<(), String> {
        if self.is_full {
            return Ok(());
        }
        let line = self
            .recorder
            .line(snapshot, evidence, now, env!("CARGO_PKG_VERSION"))
            .map_err(|why| why.to_string())?;
        let Some(line) = line else {
            return Ok(());
        };
        // Half of a line would be of no use.
        self.is_full = self.bytes + line.len() as u64 > MAX_BYTES;
        if self.is_full {
            return Ok(());
        }
        self.file
            .write_all(line.as_bytes())
            .map_err(|why| format!("the recording cannot be continued: {why}"))?;
        self.bytes += line.len() as u64;
        self.moments += 1;
        self.first = self.first.or(Some(now));
        self.last = Some(now);
        self.is_full = self.moments >= MAX_MOMENTS;
        Ok(())
    }

    /// No further moment fits.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Why a recording ends that is full.
    pub fn full() -> String {
        format!(
            "The recording has reached {} MiB or {MAX_MOMENTS} moments, and ends.",
            MAX_BYTES >> 20
        )
    }

    /// Moments that are written.
    pub fn moments(&self) -> usize {
        self.moments
    }

    /// `12 moments in 3m, 48 KiB`.
    pub fn size(&self) -> String {
        let lasted = match (self.first, self.last) {
            (Some(first), Some(last)) => span(last.as_second() - first.as_second()),
            _ => span(0),
        };
        format!(
            "{} in {lasted}, {} KiB",
            count(self.moments, "moment"),
            self.bytes.div_ceil(1024)
        )
    }

    /// The command that plays it.
    pub fn play(path: &Path) -> String {
        let play = Command::own().words(["replay"]).argument(path);
        play.text().unwrap_or_else(|why| why)
    }
}
