//! Reads manifests from files, directories and standard input.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use ngf_core::{
    manifests::{Manifests, Reader},
    model::{clean::clean_line, sensitive, snapshot::Snapshot},
};
use zeroize::{Zeroize, Zeroizing};

mod excerpt;
mod log;
mod places;
mod walk;

pub use excerpt::excerpt;
pub use log::read_log;
pub use places::Places;

/// Bytes read of one file.
const MAX_FILE: u64 = 64 << 20;
/// Bytes read of all files together.
const MAX_TOTAL: u64 = 512 << 20;
/// The path that means standard input.
const STANDARD_INPUT: &str = "-";

/// Bytes of a file that an option names and that holds no manifests.
const SMALL: u64 = 1 << 20;

/// The text of a small file that an option names, and its name as it is shown.
///
/// # Errors
/// In one sentence that names option and file.
pub fn read_small(option: &str, path: &Path) -> Result<(String, String), String> {
    let name = shown(path);
    let failed = |why: &dyn std::fmt::Display| format!("{option} {name}: cannot be read: {why}");
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|why| failed(&why))?;
    let mut file = file.take(SMALL + 1);
    file.read_to_string(&mut text).map_err(|why| failed(&why))?;
    if text.len() as u64 > SMALL {
        return Err(failed(&"it is larger than 1 MiB"));
    }
    Ok((text, name))
}

/// Reads files, directories (recursively; `*.yaml`, `*.yml` and `*.json`) and `-`, standard input.
/// An object that names no namespace is in `default_namespace`.
pub fn read(paths: &[PathBuf], default_namespace: &str) -> Snapshot {
    read_all(paths, Reader::new(all_shown(paths), default_namespace)).0
}

/// As [`read`], with the manifests as they are written.
pub fn read_manifests(paths: &[PathBuf], default_namespace: &str) -> (Snapshot, Manifests) {
    let reader = Reader::new(all_shown(paths), default_namespace);
    read_all(paths, reader.keeping_manifests())
}

fn read_all(paths: &[PathBuf], reader: Reader<'_>) -> (Snapshot, Manifests) {
    let mut reading = Reading {
        reader,
        left: MAX_TOTAL,
    };
    for path in paths {
        reading.path(path);
    }
    reading.reader.finish()
}

struct Reading<'n> {
    reader: Reader<'n>,
    /// Bytes that may still be read.
    left: u64,
}

impl Reading<'_> {
    fn path(&mut self, path: &Path) {
        if path.as_os_str() == STANDARD_INPUT {
            let text = self.text(&mut io::stdin().lock(), 0);
            return self.take("standard input", false, false, text);
        }
        if !path.is_dir() {
            return self.open(path, false);
        }
        let (files, problems) = walk::files(path);
        for (place, message) in problems {
            self.reader.problem(&shown(&place), message);
        }
        if files.is_empty() {
            let message = "holds no .yaml, .yml or .json file".to_owned();
            self.reader.problem(&shown(path), message);
        }
        for file in files {
            self.open(&file, true);
        }
    }

    fn open(&mut self, path: &Path, found: bool) {
        let is_json = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let text = fs::File::open(path).and_then(|mut file| {
            let length = file.metadata().map_or(0, |found| found.len());
            self.text(&mut file, length)
        });
        self.take(&shown(path), is_json, found, text);
    }

    fn take(
        &mut self,
        place: &str,
        is_json: bool,
        found: bool,
        text: io::Result<Zeroizing<String>>,
    ) {
        match text {
            Ok(text) => self.reader.file(place, is_json, found, &text),
            Err(error) => self.reader.unreadable(place, &error.to_string()),
        }
    }

    /// All of a file as text, within the bounds. A Secret may be in it, so it is cleared when dropped. `length` is
    /// what the file is said to hold.
    fn text(&mut self, input: &mut dyn Read, length: u64) -> io::Result<Zeroizing<String>> {
        let limit = MAX_FILE.min(self.left);
        let expected = usize::try_from(length.min(limit)).unwrap_or(0);
        let mut bytes = sensitive::read_to_end(&mut input.take(limit + 1), expected)?;
        let read = bytes.len() as u64;
        if read > limit {
            return Err(io::Error::other(format!(
                "it is too large: {} MiB are read of a file and {} MiB in all; give smaller parts",
                MAX_FILE >> 20,
                MAX_TOTAL >> 20
            )));
        }
        self.left -= read;
        match String::from_utf8(std::mem::take(&mut *bytes)) {
            Ok(text) => Ok(Zeroizing::new(text)),
            Err(error) => {
                error.into_bytes().zeroize();
                Err(io::Error::other("it is not UTF-8 text"))
            }
        }
    }
}

fn all_shown(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| shown(path)).collect()
}

fn shown(path: &Path) -> String {
    clean_line(&path.to_string_lossy())
}
