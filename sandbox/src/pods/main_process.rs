//! Containers whose whole work is a command: `busybox sleep 300`.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, DuplexStream, duplex};
use tokio_util::sync::CancellationToken;

use super::io::{Io, PIPE};
use super::{Entry, Image, Live, Place, Pods, commands};
use crate::logs::Log;
use crate::store::Object;

/// Bytes of a line before it is cut in two.
const MAX_LINE: u64 = 16 << 10;
/// Commands that are what they are in any image.
const PLAIN: &[&str] = &["cat", "nc", "sh", "sleep", "true"];
/// Status of a process that was killed.
const KILLED: i32 = 137;

/// A container's process.
pub(crate) struct Main {
    /// When it was started.
    pub(crate) started: Timestamp,
    /// Ends it.
    pub(crate) stop: CancellationToken,
    ended: OnceLock<Ended>,
}

/// How a container's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Its exit status.
    pub(crate) code: i32,
    /// `Completed`, `Error`, `StartError`.
    pub(crate) reason: &'static str,
    /// When.
    pub(crate) at: Timestamp,
}

impl Ended {
    /// The end of what was killed.
    pub(crate) fn killed(at: Timestamp) -> Self {
        Self {
            code: KILLED,
            reason: "Error",
            at,
        }
    }
}

impl Main {
    /// How it ended; `None` while it runs.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.ended.get().copied()
    }
}

/// The words that a container starts with; `None` where it is only said to run: a server's image, or
/// a program that nothing here knows.
pub(crate) fn words(container: &Value) -> Option<Vec<String>> {
    let list = |field: &str| -> Vec<String> {
        let words = container[field].as_array();
        let words = words.into_iter().flatten();
        words
            .filter_map(|w| w.as_str().map(str::to_owned))
            .collect()
    };
    let image = Image::of(container["image"].as_str().unwrap_or_default());
    let (command, arguments) = (list("command"), list("args"));
    if let Some(program) = command.first() {
        // What a server's image is told to run is its own, but for what is plain to everybody.
        let known = image.entry != Entry::Serves
            || PLAIN.contains(&program.rsplit('/').next().unwrap_or_default());
        return known.then(|| [command, arguments].concat());
    }
    match image.entry {
        Entry::Serves => None,
        Entry::Tool => Some([vec!["ngf-tui".to_owned()], arguments].concat()),
        Entry::Runs(shell) if arguments.is_empty() => Some(vec![shell.to_owned()]),
        Entry::Runs(_) => Some(arguments),
    }
}

impl Pods {
    /// Starts the command of a container, unless it was started already.
    pub(crate) fn start_main(
        self: &Arc<Self>,
        live: &Arc<Live>,
        pod: &Object,
        container: &Value,
        words: Vec<String>,
        runtime: &tokio::runtime::Handle,
    ) -> Arc<Main> {
        let name = container["name"].as_str().unwrap_or_default().to_owned();
        if let Some(main) = live.mains().get(&name) {
            return main.clone();
        }
        let main = Arc::new(Main {
            started: Timestamp::now(),
            stop: live.stop.child_token(),
            ended: OnceLock::new(),
        });
        live.mains().insert(name.clone(), main.clone());
        let place = Place {
            pods: self.clone(),
            live: live.clone(),
            pod: pod.clone(),
            container: container.clone(),
            image: Image::of(container["image"].as_str().unwrap_or_default()),
        };
        let log = self.logs.open(&live.namespace, &live.name, &name);
        runtime.spawn(run(place, main.clone(), log, words));
        main
    }
}

async fn run(place: Place, main: Arc<Main>, log: Arc<Log>, words: Vec<String>) {
    let (errors, stderr) = duplex(PIPE);
    let reader = tokio::spawn(copy(log, errors));
    let io = Io::new(tokio::io::empty(), tokio::io::sink(), stderr);
    let code = tokio::select! {
        code = commands::start(&place, io, &words) => code,
        () = main.stop.cancelled() => Some(KILLED),
    };
    // What was written is read to its end; a reader does not fail.
    let _ = reader.await;
    let (code, reason) = match code {
        Some(0) => (0, "Completed"),
        Some(code) => (code, "Error"),
        None => (128, "StartError"),
    };
    main.ended.get_or_init(|| Ended {
        code,
        reason,
        at: Timestamp::now(),
    });
    place.pods.wake();
}

/// Into the log, line by line.
async fn copy(log: Arc<Log>, reader: DuplexStream) {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while let Ok(1..) = (&mut reader)
        .take(MAX_LINE)
        .read_until(b'\n', &mut line)
        .await
    {
        log.write(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
}
