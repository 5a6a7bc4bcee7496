//! Relays between standard input and output and a connection: `nc`, `ngf-tui relay`, and the script
//! that ngf-tui starts where there is a shell, which is known by its name and played as a whole:
//! what it says, in which order, with which tool, and its exit status.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, split};
use tokio::time::timeout;

use super::network::{DialError, Stream};
use super::shell::Io;
use super::{Place, commands};
use crate::Quirk;

/// `$0` of the script.
pub(super) const SCRIPT: &str = "ngf-tui-relay";
/// Bytes that are moved at a time.
const CHUNK: usize = 32 << 10;
/// Bytes that [`Quirk::NoisyRelay`] writes to standard error.
const NOISE: usize = 1 << 20;
/// Status of a program that a signal ended.
const TERMINATED: i32 = 143;

/// `nc [-w SECONDS] [-z] [-v] HOST PORT`, `nc -l[l] -p PORT [-e PROGRAM …]`, as busybox has it.
pub(super) async fn nc(place: &Place, io: Io, words: &[String]) -> i32 {
    let (mut wait, mut only_look, mut named) = (None, false, Vec::new());
    let (mut listens, mut own_port, mut program) = (None, None, Vec::new());
    let mut rest = words.iter().skip(1);
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-l" => listens = Some(false),
            "-ll" | "-lk" => listens = Some(true),
            "-p" => own_port = rest.next().and_then(|word| word.parse().ok()),
            "-e" => program = rest.by_ref().cloned().collect(),
            "-w" => wait = rest.next().and_then(|word| word.parse().ok()),
            "-z" => only_look = true,
            "-v" | "-n" | "-vz" | "-zv" => only_look |= word.contains('z'),
            option if option.starts_with('-') => {
                io.err(format!(
                    "nc: unrecognized option: {}",
                    option.trim_start_matches('-')
                ))
                .await;
                return 1;
            }
            word => named.push(word),
        }
    }
    if let (Some(again), Some(port)) = (listens, own_port) {
        return listen(place, io, port, again, &program).await;
    }
    let [host, port] = named.as_slice() else {
        io.err("Usage: nc [OPTIONS] HOST PORT").await;
        return 1;
    };
    let Ok(port) = port.parse() else {
        io.err(format!("nc: bad port '{port}'")).await;
        return 1;
    };
    let wait: Option<u64> = wait;
    let dialled = match wait {
        Some(seconds) => timeout(Duration::from_secs(seconds), place.dial(host, port)).await,
        None => Ok(place.dial(host, port).await),
    };
    match dialled {
        Err(_) => {
            io.err("nc: timed out").await;
            1
        }
        Ok(Err(error)) => {
            io.err(format!("nc: {}", refusal(place, host, error))).await;
            1
        }
        Ok(Ok(_)) if only_look => 0,
        Ok(Ok((_, stream))) => carry(io, stream).await,
    }
}

/// Serves a port: one connection, or one after the other; each by a program of its own, or by what is
/// typed.
async fn listen(place: &Place, io: Io, port: u16, again: bool, program: &[String]) -> i32 {
    let Some(mut listener) = place.live.listen(port) else {
        io.err("nc: bind: Address already in use").await;
        return 1;
    };
    let mut served = FuturesUnordered::new();
    loop {
        let stream = tokio::select! {
            stream = listener.next() => stream,
            Some(()) = served.next() => continue,
        };
        let Some(stream) = stream else { return 1 };
        if program.is_empty() {
            carry(io.clone(), Box::new(stream)).await;
        } else {
            let (from, to) = split(stream);
            let own = Io {
                depth: io.depth + 1,
                ..Io::new(from, to, tokio::io::sink())
            };
            let run = async move {
                let stdout = own.stdout.clone();
                // A program that is not there ends its connection.
                let _ = commands::start(place, own, program).await;
                let _ = stdout.lock().await.shutdown().await;
            };
            if again {
                served.push(run);
                continue;
            }
            run.await;
        }
        if !again {
            return 0;
        }
    }
}

fn refusal(place: &Place, host: &str, error: DialError) -> String {
    match (error, place.address(host)) {
        (DialError::Name, _) | (_, None) => format!("bad address '{host}'"),
        (error, Some(address)) => {
            format!(
                "can't connect to remote host ({address}): {}",
                error.words()
            )
        }
    }
}

/// The script of ngf-tui: `HOST PORT PATIENCE LIFE`.
pub(super) async fn script(place: &Place, io: Io, parameters: &[String]) -> i32 {
    let tool = ["nc", "busybox", "ncat", "bash"]
        .into_iter()
        .find(|tool| place.image.holds(tool));
    let Some(tool) = tool else {
        io.err("ngf-tui: no relay").await;
        return commands::NOT_FOUND;
    };
    let (Some(host), Some(Ok(port))) = (parameters.get(1), parameters.get(2).map(|p| p.parse()))
    else {
        io.err("sh: bad parameters").await;
        return 2;
    };
    let seconds = |index: usize| parameters.get(index).and_then(|text| text.parse().ok());
    let wanted = Wanted {
        tool,
        host,
        port,
        patience: seconds(3).unwrap_or(10),
        life: seconds(4).unwrap_or(60),
    };
    relay(place, io, &wanted).await
}

/// `ngf-tui relay HOST:PORT --timeout SECONDS --life SECONDS`, `ngf-tui sleep SECONDS`.
pub(super) async fn tool(place: &Place, io: Io, words: &[String]) -> i32 {
    let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    let option = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1)?.parse().ok()
    };
    match words.as_slice() {
        ["sleep", seconds] => commands::sleep(&io, &[seconds]).await,
        ["relay", address, ..] => {
            let parts = address.rsplit_once(':');
            let Some((host, Ok(port))) = parts.map(|(host, port)| (host, port.parse())) else {
                io.err(format!("relay {address}: write HOST:PORT")).await;
                return 2;
            };
            let wanted = Wanted {
                tool: "ngf-tui",
                host,
                port,
                patience: option("--timeout").unwrap_or(10),
                life: option("--life").unwrap_or(600),
            };
            relay(place, io, &wanted).await
        }
        _ => {
            io.err("the embedded cluster plays `ngf-tui relay` and `ngf-tui sleep` only")
                .await;
            2
        }
    }
}

struct Wanted<'a> {
    tool: &'static str,
    host: &'a str,
    port: u16,
    patience: u64,
    life: u64,
}

async fn relay(place: &Place, io: Io, wanted: &Wanted<'_>) -> i32 {
    io.err(format!("ngf-tui: by {}", wanted.tool)).await;
    let patience = Duration::from_secs(wanted.patience);
    match timeout(patience, place.dial(wanted.host, wanted.port)).await {
        Err(_) => {
            io.err("ngf-tui: timed out").await;
            TERMINATED
        }
        Ok(Err(error)) => {
            let words = refusal(place, wanted.host, error);
            io.err(match wanted.tool {
                "ngf-tui" => words,
                "bash" => format!("bash: connect: {}", error.words()),
                tool => format!("{tool}: {words}"),
            })
            .await;
            1
        }
        Ok(Ok((_, stream))) => {
            io.err("ngf-tui: connected").await;
            if place.pods.has(Quirk::NoisyRelay) {
                let warning = "warning: something is not as it was\n".repeat(100);
                for _ in 0..=NOISE / warning.len() {
                    io.err(&warning).await;
                }
            }
            let life = Duration::from_secs(wanted.life);
            timeout(life, carry(io, stream)).await.unwrap_or(TERMINATED)
        }
    }
}

/// Moves bytes both ways, until the other side is done. As nc does: the end of what is typed is passed
/// on, and a reset looks like an end.
async fn carry(io: Io, stream: Stream) -> i32 {
    let (mut from, mut to) = split(stream);
    let up = async {
        let mut stdin = io.stdin.lock().await;
        let mut chunk = vec![0; CHUNK];
        while let Ok(count @ 1..) = stdin.read(&mut chunk).await {
            if to.write_all(&chunk[..count]).await.is_err() || to.flush().await.is_err() {
                break;
            }
        }
        // The other side may have gone already.
        let _ = to.shutdown().await;
        std::future::pending::<()>().await;
    };
    let down = async {
        let mut chunk = vec![0; CHUNK];
        while let Ok(count @ 1..) = from.read(&mut chunk).await {
            if !io.out(&chunk[..count]).await {
                break;
            }
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
    0
}
