//! The recording that is being made of what is on the screen.

use std::path::{Path, PathBuf};

use crate::recording::Writing;
use ngf_text::sanitize;

/// A recording that is being made.
#[derive(Debug)]
pub struct Recording {
    /// The file.
    pub path: PathBuf,
    /// Moments that are written.
    pub moments: usize,
}

/// News of it.
#[derive(Debug)]
pub enum RecordingNews {
    /// A moment was written, or nothing was different from the one before.
    Added {
        /// Moments in all.
        moments: usize,
    },
    /// It is over: where it is and what it holds, or why it could not be written.
    Ended(Result<String, String>),
}

/// Where a recording is, what it holds, and how to play it: one line.
pub fn ended(path: &Path, writing: &Writing) -> String {
    let name = sanitize::line(&path.to_string_lossy(), 256);
    let full = if writing.is_full() {
        format!(" {}", Writing::full())
    } else {
        String::new()
    };
    format!(
        "Wrote {name}: {}, without keys and tokens. To play it: {}.{full}",
        writing.size(),
        Writing::play(path)
    )
}
