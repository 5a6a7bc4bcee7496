//! A panic is a defect of this program: it leaves a report in the state folder, for a bug report.

use std::{
    backtrace::Backtrace,
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::{owners_alone, private_folder, safe_line};
use crate::files::Places;

/// Reports that are kept.
const KEPT: usize = 5;
/// Lines of a backtrace.
const LINES: usize = 200;
/// The beginning of a report's name.
const PREFIX: &str = "panic-";

/// From now on a panic leaves a report, and says where. What was reported before is reported first.
pub(in crate::cli) fn install() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        let text = report(&panic.to_string(), &Backtrace::force_capture().to_string());
        let written = Places::of_user().state.map(|folder| write(&folder, &text));
        if let Some(Ok(path)) = written {
            let path = crate::report::clean(&path.to_string_lossy());
            crate::cli::output::say(&format!(
                "This is a defect of ngf-tui. A report without credentials is in {path}: please send it with what you did."
            ));
        }
    }));
}

fn report(panic: &str, backtrace: &str) -> String {
    let mut text = format!(
        "ngf-tui {} panicked at {}\nsystem: {} {}\n",
        env!("CARGO_PKG_VERSION"),
        Timestamp::now(),
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    for line in panic.lines().take(20) {
        let _ = writeln!(text, "{}", safe_line(line));
    }
    text.push('\n');
    for line in backtrace.lines().take(LINES) {
        let _ = writeln!(text, "{}", safe_line(line));
    }
    text
}

/// Writes a report, and removes the oldest ones.
fn write(folder: &Path, text: &str) -> std::io::Result<PathBuf> {
    private_folder(folder)?;
    let mut old = reports(folder);
    let surplus = (old.len() + 1).saturating_sub(KEPT);
    for path in old.drain(..surplus) {
        // One that stays is no reason to lose the new one.
        let _ = fs::remove_file(path);
    }
    let path = folder.join(format!("{PREFIX}{}.txt", Timestamp::now().as_millisecond()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    owners_alone(&mut options);
    options.open(&path)?.write_all(text.as_bytes())?;
    Ok(path)
}

/// The reports in a state folder, the oldest first.
pub(in crate::cli) fn reports(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().and_then(std::ffi::OsStr::to_str);
            let is_text = path.extension().is_some_and(|end| end == "txt");
            is_text && name.is_some_and(|name| name.starts_with(PREFIX))
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_reports_are_kept_and_hold_no_credentials() {
        let folder = tempfile::tempdir().expect("a folder");
        for number in 0..8 {
            let name = format!("{PREFIX}{number:013}.txt");
            fs::write(folder.path().join(name), "old").expect("a file");
        }
        let text = report("explicit panic: Bearer abc\u{1b}[31m", "0: main");
        assert!(text.contains("Bearer (redacted)\u{fffd}[31m"), "{text}");
        let path = write(folder.path(), &text).expect("a report");
        let left = reports(folder.path());
        assert_eq!(left.len(), KEPT);
        assert_eq!(left.last(), Some(&path));
        assert_eq!(fs::read_to_string(&path).expect("a report"), text);
    }
}
