//! What can be started in a container: what ngf-tui starts there, `cat` and `nginx -T`, and an
//! echo server. Each is a function: none is a process of this machine, reads a file of it or opens a
//! connection out of the embedded cluster.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;

use super::io::Io;
use super::{Place, files, relay};
use crate::pem;

/// Status of a shell for a program that is not there.
pub(super) const NOT_FOUND: i32 = 127;
/// Bytes that are moved at a time.
const CHUNK: usize = 32 << 10;
/// Seconds that `sleep` takes at most: a year.
const MAX_SLEEP: f64 = 31_536_000.0;

/// Starts a command; `None` where the container holds no such program.
pub(super) async fn start(place: &Place, mut io: Io, words: &[String]) -> Option<i32> {
    let path = words.first()?;
    if !place.image.holds(path) {
        return None;
    }
    let program = path.rsplit('/').next().unwrap_or(path);
    let arguments: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    Some(match program {
        "sh" => sh(place, io, words).await,
        "nc" => relay::nc(place, io, &arguments).await,
        "ngf-tui" => relay::tool(place, io, &arguments).await,
        "nginx" => nginx(place, io, &arguments).await,
        "cat" => cat(place, io, &arguments).await,
        "sleep" => sleep(&mut io, &arguments).await,
        "true" => 0,
        other => {
            io.err(format!("{other}: the sandbox does not play this program"))
                .await;
            NOT_FOUND
        }
    })
}

/// The tool's script that prints the certificates which nginx uses, by the name that it gives to it.
const CERTIFICATES: &str = "ngf-tui-certificates";

/// `sh -c SCRIPT NAME ARGUMENTS…` of ngf-tui's own scripts, which are known by their names, and a shell
/// that has nothing to read.
async fn sh(place: &Place, mut io: Io, words: &[String]) -> i32 {
    match words {
        [_, option, _, parameters @ ..] if option == "-c" => {
            match parameters.first().map(String::as_str) {
                Some(relay::SCRIPT) => return relay::script(place, io, parameters).await,
                Some(CERTIFICATES) => return certificates(place, io).await,
                _ => {}
            }
        }
        [_] => return 0,
        _ => {}
    }
    io.err("sh: the sandbox runs only ngf-tui's own scripts; start a program such as cat or nginx directly")
        .await;
    NOT_FOUND
}

/// What that script prints: `FILE SECONDS NAME` and the certificates of each file, never a key. NGF gives its
/// pods the folder; without certificates it is empty.
async fn certificates(place: &Place, mut io: Io) -> i32 {
    const FOLDER: &str = "/etc/nginx/secrets/";
    let files = place.files();
    let mut text = String::new();
    for (path, bytes) in &files {
        let Some(name) = path.strip_prefix(FOLDER) else {
            continue;
        };
        text.extend(["FILE 0 ", name, "\n"]);
        for (kind, block) in pem::blocks(bytes) {
            if kind == "CERTIFICATE" {
                text.extend([&block, "\n"]);
            }
        }
    }
    io.out(text).await;
    0
}

/// `cat [FILE…]`, as the container's user.
async fn cat(place: &Place, mut io: Io, names: &[&str]) -> i32 {
    if names.is_empty() {
        let mut chunk = vec![0; CHUNK];
        while let Ok(count @ 1..) = io.stdin.read(&mut chunk).await {
            if !io.out(&chunk[..count]).await {
                return 1;
            }
        }
        return 0;
    }
    let mut status = 0;
    let files = place.files();
    for name in names {
        if let Some(bytes) = files.get(&files::clean(name)) {
            io.out(&bytes[..]).await;
        } else {
            io.err(format!(
                "cat: can't open '{name}': No such file or directory"
            ))
            .await;
            status = 1;
        }
    }
    status
}

/// `sleep SECONDS`.
pub(super) async fn sleep(io: &mut Io, arguments: &[&str]) -> i32 {
    let [text] = arguments else {
        io.err("Usage: sleep N").await;
        return 1;
    };
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds >= 0.0);
    let Some(seconds) = seconds else {
        io.err(format!("sleep: invalid number '{text}'")).await;
        return 1;
    };
    tokio::time::sleep(Duration::from_secs_f64(seconds.min(MAX_SLEEP))).await;
    0
}

/// `nginx -t` and `-T`: what it prints of a configuration is what its `include`s name, each file once.
async fn nginx(place: &Place, mut io: Io, arguments: &[&str]) -> i32 {
    let ["-t" | "-T"] = arguments else {
        io.err("nginx: the sandbox plays only -t and -T").await;
        return 1;
    };
    let main = crate::nginx::config::MAIN;
    let files = place.files();
    let read = match crate::nginx::config::dump(&files) {
        Ok(read) => read,
        Err(why) => {
            let failed = format!("nginx: configuration file {main} test failed");
            io.err(format!("nginx: [emerg] {why}\n{failed}")).await;
            return 1;
        }
    };
    io.err(format!("nginx: the configuration file {main} syntax is ok"))
        .await;
    io.err(format!(
        "nginx: configuration file {main} test is successful"
    ))
    .await;
    if arguments == ["-T"] {
        for path in read {
            io.out(format!("# configuration file {path}:\n")).await;
            io.out(files.get(&path).map_or(&[][..], |bytes| &bytes[..]))
                .await;
            io.out("\n").await;
        }
    }
    0
}
