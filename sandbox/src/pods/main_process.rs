//! Containers whose whole work is a command: `busybox sleep 300`, a shell that somebody attaches to.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::{Mutex as AsyncMutex, broadcast, watch};
use tokio_util::sync::CancellationToken;

use super::shell::{Io, PIPE};
use super::{Entry, Image, Live, Place, Pods, commands, tty};
use crate::logs::Log;
use crate::store::Object;

/// Pieces of output that a slow reader may be behind before it misses some.
const BEHIND: usize = 256;
/// Bytes of a line before it is cut in two.
const MAX_LINE: usize = 16 << 10;
/// Commands that are what they are in any image.
const PLAIN: &[&str] = &["cat", "echo", "false", "nc", "sh", "sleep", "true"];
/// Status of a process that was killed.
const KILLED: i32 = 137;

/// A container's process.
pub(crate) struct Main {
    /// When it was started.
    pub(crate) started: Timestamp,
    /// Ends it.
    pub(crate) stop: CancellationToken,
    ended: watch::Sender<Option<Ended>>,
    /// What it writes from now on; the flag is for standard error.
    pub(super) output: broadcast::Sender<(bool, Vec<u8>)>,
    /// What it reads; gone where the container has no standard input, or its end was passed on.
    pub(super) input: AsyncMutex<Option<DuplexStream>>,
    /// Said by the log too.
    reason: Mutex<Option<&'static str>>,
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
        *self.ended.borrow()
    }

    /// Waits until it has ended.
    pub(super) async fn end(&self) -> Option<Ended> {
        let mut ended = self.ended.subscribe();
        let found = ended.wait_for(Option::is_some).await;
        found.ok().and_then(|ended| *ended)
    }

    /// Ends it, for this reason.
    pub(crate) fn kill(&self, reason: &'static str) {
        let mut known = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        known.get_or_insert(reason);
        drop(known);
        self.stop.cancel();
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
        let (reader, writer) = duplex(PIPE);
        let main = Arc::new(Main {
            started: Timestamp::now(),
            stop: live.stop.child_token(),
            ended: watch::channel(None).0,
            output: broadcast::channel(BEHIND).0,
            input: AsyncMutex::new((container["stdin"] == true).then_some(writer)),
            reason: Mutex::default(),
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
        runtime.spawn(run(place, main.clone(), log, reader, words));
        main
    }
}

async fn run(
    place: Place,
    main: Arc<Main>,
    log: Arc<Log>,
    stdin: DuplexStream,
    words: Vec<String>,
) {
    let (out, stdout) = duplex(PIPE);
    let (err, stderr) = duplex(PIPE);
    let terminal = place.container["tty"] == true;
    let readers = [(false, out), (true, err)]
        .map(|(is_error, reader)| tokio::spawn(copy(main.clone(), log.clone(), is_error, reader)));
    let io = if terminal {
        tty::around(stdin, stdout)
    } else {
        Io::new(stdin, stdout, stderr)
    };
    let code = tokio::select! {
        code = commands::start(&place, io, &words) => code,
        () = main.stop.cancelled() => Some(KILLED),
    };
    for reader in readers {
        // What was written is read to its end; a reader does not fail.
        let _ = reader.await;
    }
    let reason = *main.reason.lock().unwrap_or_else(PoisonError::into_inner);
    let (code, reason) = match (code, reason) {
        (Some(code), Some(reason)) => (code, reason),
        (Some(0), None) => (0, "Completed"),
        (Some(code), None) => (code, "Error"),
        (None, _) => (128, "StartError"),
    };
    main.ended.send_replace(Some(Ended {
        code,
        reason,
        at: Timestamp::now(),
    }));
    place.pods.wake();
}

/// Into the log, line by line, and to whoever is attached.
async fn copy(main: Arc<Main>, log: Arc<Log>, is_error: bool, mut reader: DuplexStream) {
    let mut line: Vec<u8> = Vec::new();
    let mut chunk = vec![0; PIPE];
    while let Ok(count @ 1..) = reader.read(&mut chunk).await {
        // Nobody need be attached.
        let _ = main.output.send((is_error, chunk[..count].to_vec()));
        for byte in &chunk[..count] {
            if *byte == b'\n' || line.len() >= MAX_LINE {
                log.write(String::from_utf8_lossy(&line).into_owned());
                line.clear();
            }
            if *byte != b'\n' {
                line.push(*byte);
            }
        }
    }
    if !line.is_empty() {
        log.write(String::from_utf8_lossy(&line).into_owned());
    }
}

impl Place {
    /// The process of this container, where its work is a command.
    pub(crate) fn main(&self) -> Option<Arc<Main>> {
        self.live.mains().get(self.name()).cloned()
    }
}

/// Attaches to a container's process: what it writes from now on, and what it reads.
pub(super) async fn attach(
    place: &Place,
    mut stdin: impl tokio::io::AsyncRead + Unpin,
    mut stdout: impl tokio::io::AsyncWrite + Unpin,
    mut stderr: impl tokio::io::AsyncWrite + Unpin,
) -> i32 {
    let Some(main) = place.main() else {
        // A server writes to its log, and reads nothing.
        place.stop().cancelled().await;
        return KILLED;
    };
    let mut output = main.output.subscribe();
    let feed = async {
        let mut chunk = vec![0; PIPE];
        loop {
            let count = stdin.read(&mut chunk).await.unwrap_or(0);
            let mut input = main.input.lock().await;
            let Some(writer) = input.as_mut() else { break };
            if count == 0 {
                if place.container["stdinOnce"] == true {
                    input.take();
                }
                break;
            }
            if writer.write_all(&chunk[..count]).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let show = async {
        loop {
            match output.recv().await {
                Ok((false, bytes)) if stdout.write_all(&bytes).await.is_err() => break,
                Ok((true, bytes)) if stderr.write_all(&bytes).await.is_err() => break,
                // Who is too slow misses some.
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => break,
            }
        }
    };
    let finish = async {
        let ended = main.end().await;
        // What it wrote last is still on its way.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        ended.map_or(KILLED, |ended| ended.code)
    };
    tokio::select! {
        code = finish => code,
        () = feed => 0,
        () = show => main.ended().map_or(0, |ended| ended.code),
    }
}
