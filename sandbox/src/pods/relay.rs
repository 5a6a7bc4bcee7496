//! Relays between standard input and output and a connection: `ngf-tui relay`, and the script that
//! ngf-tui starts where there is a shell, which is known by its name and played as a whole: what it
//! says, in which order, with which tool, and its exit status. And an echo server.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, split};
use tokio::time::timeout;

use super::io::Io;
use super::{Place, commands};
use crate::dial::{Dial as _, DialError, Stream};
use crate::scenarios::Quirk;

/// `$0` of the script.
pub(super) const SCRIPT: &str = "ngf-tui-relay";
/// Bytes that are moved at a time.
const CHUNK: usize = 32 << 10;
/// Bytes that [`Quirk::NoisyRelay`] writes to standard error.
const NOISE: usize = 1 << 20;
/// Status of a program that a signal ended.
const TERMINATED: i32 = 143;

/// `nc -ll -p PORT -e cat`: an echo server.
pub(super) async fn nc(place: &Place, mut io: Io, arguments: &[&str]) -> i32 {
    let port = match arguments {
        ["-ll", "-p", port, "-e", "cat"] => port.parse().ok(),
        _ => None,
    };
    let Some(port) = port else {
        io.err("nc: the sandbox plays only `nc -ll -p PORT -e cat`")
            .await;
        return 1;
    };
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
        served.push(async move {
            let (mut from, mut to) = split(stream);
            // A client that has gone hears nothing more.
            let _ = tokio::io::copy(&mut from, &mut to).await;
            let _ = to.shutdown().await;
        });
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
pub(super) async fn script(place: &Place, mut io: Io, parameters: &[String]) -> i32 {
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
    let wanted = RelayRequest {
        tool,
        host,
        port,
        patience: seconds(3).unwrap_or(10),
        life: seconds(4).unwrap_or(60),
    };
    relay(place, io, &wanted).await
}

/// `ngf-tui relay HOST:PORT --timeout SECONDS --life SECONDS`, `ngf-tui sleep SECONDS`.
pub(super) async fn tool(place: &Place, mut io: Io, words: &[&str]) -> i32 {
    let option = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1)?.parse().ok()
    };
    match words {
        ["sleep", seconds] => commands::sleep(&mut io, &[seconds]).await,
        ["relay", address, ..] => {
            let parts = address.rsplit_once(':');
            let Some((host, Ok(port))) = parts.map(|(host, port)| (host, port.parse())) else {
                io.err(format!("relay {address}: write HOST:PORT")).await;
                return 2;
            };
            let wanted = RelayRequest {
                tool: "ngf-tui",
                host,
                port,
                patience: option("--timeout").unwrap_or(10),
                life: option("--life").unwrap_or(600),
            };
            relay(place, io, &wanted).await
        }
        _ => {
            io.err("the sandbox plays only `ngf-tui relay` and `ngf-tui sleep`")
                .await;
            2
        }
    }
}

struct RelayRequest<'a> {
    tool: &'static str,
    host: &'a str,
    port: u16,
    patience: u64,
    life: u64,
}

async fn relay(place: &Place, mut io: Io, wanted: &RelayRequest<'_>) -> i32 {
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
    let Io {
        mut stdin,
        mut stdout,
        ..
    } = io;
    let up = async {
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
            let written = stdout.write_all(&chunk[..count]).await;
            if written.is_err() || stdout.flush().await.is_err() {
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
