//! Log events: to standard error for a command, to a file in the state folder for the terminal interface. `-v` and
//! `RUST_LOG` say how much. What is written is bounded, cleaned of control characters, and holds no credentials.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use ngf_core::model::clean::clean_line;
use ngf_text::credentials::redact;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer as _, filter::Targets, fmt::MakeWriter, layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::files::Places;

mod panics;

pub(super) use panics::{install, reports};

/// Bytes of the log of one run, and of the log file before it is put aside.
const MOST: u64 = 4 << 20;
/// Bytes of one line.
const LINE: usize = 4 << 10;
/// Where each request to the API server is reported.
const REQUESTS: &str = "ngf_cluster::request";
/// The crates of this workspace.
const OWN: &[&str] = &["ngf_tui", "ngf_cluster", "ngf_probes", "ngf_core", "ngf_ui"];

/// Where log events go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    /// Standard error, where somebody asked for it.
    StandardError,
    /// The file of the state folder: the screen belongs to the interface.
    File,
}

/// Starts it. Whatever fails leaves the program without a log.
pub(super) fn start(verbosity: Option<u8>, to: To) {
    let asked = std::env::var("RUST_LOG")
        .ok()
        .filter(|text| !text.trim().is_empty());
    let (targets, wrong) = targets(verbosity, asked.as_deref(), to);
    if let Some(why) = wrong {
        super::output::say(&why);
    }
    let Some(targets) = targets else { return };
    let sink = match to {
        To::StandardError => Sink::StandardError,
        To::File => match Places::of_user().log().map(|path| open(&path)) {
            Some(Ok(file)) => Sink::File(file),
            _ => return,
        },
    };
    let writer = Writer(Arc::new(Mutex::new(Bounded { sink, left: MOST })));
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(writer)
        .with_filter(targets);
    // Who came first keeps it.
    let _ = tracing_subscriber::registry().with(layer).try_init();
}

/// What is logged: `None` where nothing is; and what is wrong with `RUST_LOG`.
fn targets(
    verbosity: Option<u8>,
    asked: Option<&str>,
    to: To,
) -> (Option<Targets>, Option<String>) {
    if let Some(asked) = asked {
        return match asked.parse::<Targets>() {
            Ok(targets) => (Some(bounded(&targets)), None),
            Err(_) => {
                let asked = clean_line(asked);
                let why = format!(
                    "RUST_LOG={asked} is ignored: expected levels by target, such as ngf_cluster=debug,kube=info"
                );
                (None, Some(why))
            }
        };
    }
    let own =
        |level: LevelFilter| Targets::new().with_targets(OWN.iter().map(|name| (*name, level)));
    let targets = match (verbosity, to) {
        (None | Some(0), To::StandardError) => return (None, None),
        (None | Some(0), To::File) => {
            own(LevelFilter::WARN).with_target(REQUESTS, LevelFilter::ERROR)
        }
        (Some(1..=5), _) => own(LevelFilter::INFO).with_target(REQUESTS, LevelFilter::WARN),
        (Some(6..=7), _) => own(LevelFilter::INFO),
        (Some(8..=9), _) => own(LevelFilter::DEBUG).with_default(LevelFilter::INFO),
        (Some(_), _) => own(LevelFilter::TRACE).with_default(LevelFilter::DEBUG),
    };
    (Some(targets), None)
}

/// Other crates at `debug` at most: at `trace` some write what passes the connection.
fn bounded(targets: &Targets) -> Targets {
    let is_own = |target: &str| OWN.iter().any(|own| target.starts_with(own));
    let debug = LevelFilter::DEBUG;
    let listed = targets.iter().map(|(target, level)| {
        let most = if is_own(target) {
            level
        } else {
            level.min(debug)
        };
        (target.to_owned(), most)
    });
    let all = Targets::new().with_targets(listed.collect::<Vec<_>>());
    match targets.default_level() {
        Some(level) => {
            let named: Vec<&str> = targets.iter().map(|(target, _)| target).collect();
            let own = OWN.iter().filter(|own| !named.contains(*own));
            all.with_default(level.min(debug))
                .with_targets(own.map(|name| (*name, level)))
        }
        None => all,
    }
}

/// Opens the log to append to it; one that has grown is put aside first.
fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        private_folder(folder)?;
    }
    if fs::metadata(path).is_ok_and(|found| found.len() > MOST) {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    owners_alone(&mut options);
    options.open(path)
}

/// Makes a folder that only its owner can look into.
fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Files that are made can be read by their owner alone.
fn owners_alone(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

/// A line without control characters and without credentials: other crates log, too.
fn safe_line(text: &str) -> String {
    redact(&clean_line(text.trim_end()))
}

enum Sink {
    StandardError,
    File(File),
    #[cfg(test)]
    Memory(Arc<Mutex<Vec<u8>>>),
}

impl Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::StandardError => io::stderr().write_all(bytes),
            Self::File(file) => file.write_all(bytes),
            #[cfg(test)]
            Self::Memory(to) => to
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write_all(bytes),
        }
    }
}

/// A sink and how many bytes it still takes.
struct Bounded {
    sink: Sink,
    left: u64,
}

#[derive(Clone)]
struct Writer(Arc<Mutex<Bounded>>);

impl<'a> MakeWriter<'a> for Writer {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Each call is one event.
impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut to = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if to.left == 0 {
            return Ok(bytes.len());
        }
        let cut = &bytes[..bytes.len().min(LINE)];
        let mut line = safe_line(&String::from_utf8_lossy(cut));
        line.push('\n');
        if line.len() as u64 > to.left {
            to.left = 0;
            line = format!("the log of this run is full: {} MiB\n", MOST >> 20);
        } else {
            to.left -= line.len() as u64;
        }
        // A log that cannot be written is no reason to fail.
        let _ = to.sink.write(line.as_bytes());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(left: u64, events: &[&str]) -> String {
        let memory = Arc::new(Mutex::new(Vec::new()));
        let sink = Sink::Memory(Arc::clone(&memory));
        let mut writer = Writer(Arc::new(Mutex::new(Bounded { sink, left })));
        for event in events {
            let written = writer.write(event.as_bytes()).expect("never fails");
            assert_eq!(written, event.len());
        }
        let bytes = memory.lock().expect("no panic").clone();
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn lines_are_cleaned_and_bounded() {
        let text = logged(MOST, &["a\u{1b}[31m\u{7}b\nc\n"]);
        assert_eq!(text, "a\u{fffd}[31m\u{fffd}b c\n");
        let long = "x".repeat(100_000);
        assert!(logged(MOST, &[&long]).len() <= LINE + 1);
        let text = logged(20, &["first\n", "a line that no longer fits\n", "third\n"]);
        assert_eq!(text, "first\nthe log of this run is full: 4 MiB\n");
    }

    #[test]
    fn verbosity_is_kubectls_and_other_crates_write_no_traces() {
        let shown = |verbosity, asked: Option<&str>, to| {
            let (targets, wrong) = targets(verbosity, asked, to);
            assert!(wrong.is_none(), "{wrong:?}");
            targets.map(|targets| {
                let would = |target: &str, level| targets.would_enable(target, &level);
                [
                    would("ngf_cluster::watcher", tracing::Level::INFO),
                    would(REQUESTS, tracing::Level::INFO),
                    would("kube_client::client", tracing::Level::DEBUG),
                    would("hyper", tracing::Level::TRACE),
                ]
            })
        };
        let stderr = To::StandardError;
        assert_eq!(shown(None, None, stderr), None);
        assert_eq!(shown(None, None, To::File), Some([false; 4]));
        assert_eq!(
            shown(Some(4), None, stderr),
            Some([true, false, false, false])
        );
        assert_eq!(
            shown(Some(6), None, stderr),
            Some([true, true, false, false])
        );
        assert_eq!(
            shown(Some(10), None, stderr),
            Some([true, true, true, false])
        );
        assert_eq!(
            shown(None, Some("trace"), stderr),
            Some([true, true, true, false])
        );
        assert_eq!(
            shown(Some(6), Some("kube=trace,hyper=trace"), stderr),
            Some([false, false, true, false])
        );
        let (none, wrong) = targets(None, Some("ngf=loud=1"), stderr);
        assert!(none.is_none());
        assert!(wrong.is_some_and(|why| why.starts_with("RUST_LOG=ngf=loud=1 is ignored")));
    }

    #[test]
    fn a_log_that_has_grown_is_put_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state/ngf-tui.log");
        open(&path)
            .expect("a log")
            .write_all(b"one\n")
            .expect("written");
        open(&path)
            .expect("a log")
            .write_all(b"two\n")
            .expect("written");
        assert_eq!(fs::read_to_string(&path).expect("a log"), "one\ntwo\n");
        let size = usize::try_from(MOST).expect("small") + 1;
        fs::write(&path, vec![b'x'; size]).expect("written");
        open(&path).expect("a log");
        assert_eq!(fs::read_to_string(&path).expect("a log"), "");
        assert!(path.with_extension("log.1").exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).expect("it").permissions().mode() & 0o777;
            assert_eq!(mode(&path), 0o600);
            assert_eq!(mode(path.parent().expect("a folder")), 0o700);
        }
    }
}
