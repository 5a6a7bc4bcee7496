//! A panic is a defect of this program: it leaves a report in the state folder, for a bug report.

use std::{
    backtrace::Backtrace,
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use ngf_core::model::clean::clean_line;
use ngf_text::credentials::redact;

use super::{owners_alone, private_folder};
use crate::files::Places;

/// Reports that are kept.
const KEPT: usize = 5;
/// Lines of a panic's message.
const MESSAGE: usize = 20;
/// Lines of a backtrace.
const LINES: usize = 200;
/// The beginning of a report's name.
const PREFIX: &str = "panic-";

/// From now on a panic leaves a report, and says where. Rust's own hook would print the message as it is.
pub(in crate::cli) fn install() {
    std::panic::set_hook(Box::new(|panic| {
        let panic = panic.to_string();
        let text = report(&panic, &Backtrace::force_capture().to_string());
        for line in cleaned(&panic).lines().take(MESSAGE) {
            crate::cli::output::say(line);
        }
        let written = Places::of_user().state.map(|folder| write(&folder, &text));
        let end = match written {
            Some(Ok(path)) => {
                let path = crate::report::clean(&path.to_string_lossy());
                format!(
                    "A report without credentials is in {path}: please send it with what you did."
                )
            }
            _ => "Please send the lines above with what you did.".to_owned(),
        };
        crate::cli::output::say(&format!("This is a defect of ngf-tui. {end}"));
    }));
}

/// The lines without control characters and credentials; a private key in PEM takes several.
fn cleaned(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| clean_line(line.trim_end()))
        .collect();
    redact(&lines.join("\n"))
}

fn report(panic: &str, backtrace: &str) -> String {
    let mut text = format!(
        "ngf-tui {} panicked at {}\nsystem: {} {}\n",
        env!("CARGO_PKG_VERSION"),
        Timestamp::now(),
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    for line in cleaned(panic).lines().take(MESSAGE) {
        let _ = writeln!(text, "{line}");
    }
    text.push('\n');
    let (unnamed, named): (Vec<&str>, Vec<&str>) = backtrace
        .lines()
        .partition(|line| line.trim_end().ends_with("<unknown>"));
    for line in cleaned(&named.join("\n")).lines().take(LINES) {
        let _ = writeln!(text, "{line}");
    }
    if !unnamed.is_empty() {
        let _ = writeln!(text, "{} frames without a name", unnamed.len());
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
        let text = report(
            "explicit panic: Bearer abc\u{1b}[31m",
            "0: main\n1: <unknown>\n2: <unknown>",
        );
        assert!(
            text.ends_with("0: main\n2 frames without a name\n"),
            "{text}"
        );
        assert!(text.contains("Bearer (redacted)\u{fffd}[31m"), "{text}");
        let path = write(folder.path(), &text).expect("a report");
        let left = reports(folder.path());
        assert_eq!(left.len(), KEPT);
        assert_eq!(left.last(), Some(&path));
        assert_eq!(fs::read_to_string(&path).expect("a report"), text);
    }
}
