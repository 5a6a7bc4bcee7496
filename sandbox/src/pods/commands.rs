//! What can be started in a container: one list of commands, each a function. None is a process of
//! this machine, reads a file of it or opens a connection out of the embedded cluster.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use openssl::sha::Sha256;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use super::shell::Io;
use super::{Place, files, relay, shell};
use crate::metadata::hex;

/// `$PATH` of every container.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Status of a shell for a program that is not there.
pub(super) const NOT_FOUND: i32 = 127;
/// Bytes that are moved at a time.
const CHUNK: usize = 32 << 10;
/// Bytes of a line that `grep` looks at; a longer one is looked at in pieces.
const MAX_LINE: u64 = 64 << 10;
/// Seconds that `sleep` takes at most: a year.
const MAX_SLEEP: f64 = 31_536_000.0;

/// A container's user, as NGF's security context has it, and its group.
const USER: (i64, i64) = (101, 1001);

/// Starts a command; `None` where the container holds no such program. A name in braces of
/// `busybox` is taken as the name itself.
pub(super) async fn start(place: &Place, io: Io, words: &[String]) -> Option<i32> {
    let path = words.first()?;
    if !place.image.holds(path) {
        return None;
    }
    let program = path.rsplit('/').next().unwrap_or(path);
    if program == "busybox" {
        return Some(match words.get(1) {
            None => {
                io.out("BusyBox (the embedded cluster's) multi-call binary.\n")
                    .await;
                0
            }
            Some(applet) if place.image.holds(applet) && applet != "nginx" => {
                run(place, io, applet, &words[1..]).await
            }
            Some(applet) => {
                io.err(format!("{applet}: applet not found")).await;
                NOT_FOUND
            }
        });
    }
    Some(run(place, io, program, words).await)
}

fn run<'a>(place: &'a Place, io: Io, program: &'a str, words: &'a [String]) -> BoxFuture<'a, i32> {
    let arguments: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    async move {
        match program {
            "sh" | "ash" | "bash" => sh(place, io, words).await,
            "nc" => relay::nc(place, io, words).await,
            "ngf-tui" => relay::tool(place, io, words).await,
            "nginx" => nginx(place, &io, &arguments).await,
            "cat" => cat(place, io, &arguments).await,
            "ls" => ls(place, &io, &arguments).await,
            "sleep" => sleep(&io, &arguments).await,
            "grep" => grep(place, &io, &arguments).await,
            "head" | "tail" => ends(place, &io, program, &arguments).await,
            "wc" => wc(place, &io, &arguments).await,
            "sha256sum" => sha256sum(place, &io, &arguments).await,
            "nslookup" => nslookup(place, &io, &arguments).await,
            "test" | "[" => test(place, &arguments),
            "false" => 1,
            _ => {
                io.out(text(place, program, &arguments)).await;
                0
            }
        }
    }
    .boxed()
}

/// Commands that only say something.
fn text(place: &Place, program: &str, arguments: &[&str]) -> String {
    match program {
        "echo" => match arguments {
            ["-n", rest @ ..] => rest.join(" "),
            all => format!("{}\n", all.join(" ")),
        },
        "printf" => arguments
            .first()
            .map(|text| text.replace("\\n", "\n").replace("\\t", "\t"))
            .unwrap_or_default(),
        "hostname" => format!("{}\n", place.live.name),
        "pwd" => "/\n".to_owned(),
        "id" => {
            let (user, group) = user(place);
            format!("uid={user} gid={group} groups={group}\n")
        }
        "whoami" => format!("{}\n", user(place).0),
        "uname" => "Linux\n".to_owned(),
        "date" => format!(
            "{}\n",
            Timestamp::now().strftime("%a %b %e %H:%M:%S UTC %Y")
        ),
        "env" => {
            let mut lines = vec![
                format!("PATH={PATH}"),
                format!("HOSTNAME={}", place.live.name),
                "HOME=/".to_owned(),
            ];
            for variable in place.container["env"].as_array().into_iter().flatten() {
                let name = variable["name"].as_str().unwrap_or_default();
                if let Some(value) = variable["value"].as_str() {
                    lines.push(format!("{name}={value}"));
                }
            }
            format!("{}\n", lines.join("\n"))
        }
        _ => String::new(),
    }
}

/// The value of a variable of the container's environment.
pub(super) fn variable(place: &Place, name: &str) -> String {
    let variables = place.container["env"].as_array();
    variables
        .into_iter()
        .flatten()
        .find(|variable| variable["name"] == name)
        .and_then(|variable| variable["value"].as_str())
        .unwrap_or_default()
        .to_owned()
}

fn user(place: &Place) -> (i64, i64) {
    let id = |field: &str, otherwise| {
        place.container["securityContext"][field]
            .as_i64()
            .or_else(|| place.pod["spec"]["securityContext"][field].as_i64())
            .unwrap_or(otherwise)
    };
    let otherwise = if place.image.holds("nginx") {
        USER
    } else {
        (0, 0)
    };
    (id("runAsUser", otherwise.0), id("runAsGroup", otherwise.1))
}

/// The tool's script that prints the certificates which nginx uses, by the name that it gives to it.
const CERTIFICATES: &str = "ngf-tui-certificates";

/// What that script prints: `FILE SECONDS NAME` and the certificates of each file, never a key.
async fn certificates(place: &Place, io: &Io) -> i32 {
    const FOLDER: &str = "/etc/nginx/secrets/";
    let files = place.files();
    let mut text = String::new();
    for (path, bytes) in &files {
        let Some(name) = path.strip_prefix(FOLDER) else {
            continue;
        };
        text.extend(["FILE 0 ", name, "\n"]);
        let mut inside = false;
        for line in String::from_utf8_lossy(bytes).lines() {
            inside |= line == "-----BEGIN CERTIFICATE-----";
            if inside {
                text.extend([line, "\n"]);
            }
            inside &= line != "-----END CERTIFICATE-----";
        }
    }
    if text.is_empty() {
        let why = format!("sh: cd: can't cd to {FOLDER}: No such file or directory");
        io.err(why).await;
        return 1;
    }
    io.out(text.as_bytes()).await;
    0
}

/// `sh`, `sh -c SCRIPT NAME ARGUMENTS…`; without a script it reads commands.
async fn sh(place: &Place, io: Io, words: &[String]) -> i32 {
    match words.get(1).map(String::as_str) {
        Some("-c") => {
            let script = words.get(2).map_or("", String::as_str);
            let parameters = words.get(3..).unwrap_or_default();
            if parameters.first().is_some_and(|name| name == relay::SCRIPT) {
                return relay::script(place, io, parameters).await;
            }
            if parameters.first().is_some_and(|name| name == CERTIFICATES) {
                return certificates(place, &io).await;
            }
            shell::run(place, io, script, parameters).await.status
        }
        None | Some("-i" | "-l") => {
            let stdin = io.stdin.clone();
            let own = Io {
                stdin: std::sync::Arc::new(tokio::sync::Mutex::new(tokio::io::empty())),
                ..io
            };
            let mut stdin = stdin.lock().await;
            let mut lines = BufReader::new(&mut *stdin);
            let (mut status, mut line) = (0, Vec::new());
            loop {
                if own.terminal {
                    own.out("/ $ ").await;
                }
                line.clear();
                let read = (&mut lines)
                    .take(MAX_LINE)
                    .read_until(b'\n', &mut line)
                    .await;
                if !matches!(read, Ok(1..)) {
                    return status;
                }
                let script = String::from_utf8_lossy(&line);
                if script.trim().is_empty() {
                    continue;
                }
                let ran = shell::run(place, own.clone(), &script, &[]).await;
                status = ran.status;
                if ran.exits {
                    return status;
                }
            }
        }
        Some(other) => {
            io.err(format!(
                "sh: can't open '{other}': No such file or directory"
            ))
            .await;
            NOT_FOUND
        }
    }
}

/// Reads a file as the container's user; an error is a C library's words.
fn read(place: &Place, path: &str) -> Result<zeroize::Zeroizing<Vec<u8>>, &'static str> {
    let path = files::clean(path);
    let mut all = place.files();
    if let Some(bytes) = all.remove(&path) {
        return Ok(bytes);
    }
    let folder = format!("{path}/");
    let is_folder = path == "/"
        || all.keys().any(|file| file.starts_with(&folder))
        || place.folders().contains(&path);
    Err(if is_folder {
        "Is a directory"
    } else {
        "No such file or directory"
    })
}

async fn cat(place: &Place, io: Io, arguments: &[&str]) -> i32 {
    let mut status = 0;
    let names = if arguments.is_empty() {
        &["-"]
    } else {
        arguments
    };
    for name in names {
        if matches!(*name, "-" | "/dev/stdin") {
            let mut stdin = io.stdin.lock().await;
            let mut chunk = vec![0; CHUNK];
            while let Ok(count @ 1..) = stdin.read(&mut chunk).await {
                if !io.out(&chunk[..count]).await {
                    return 1;
                }
            }
            continue;
        }
        match read(place, name) {
            Ok(bytes) => drop(io.out(&bytes[..]).await),
            Err(why) => {
                io.err(format!("cat: can't open '{name}': {why}")).await;
                status = 1;
            }
        }
    }
    status
}

/// `ls [-l] [-a] [-1] [PATH…]`.
async fn ls(place: &Place, io: &Io, arguments: &[&str]) -> i32 {
    let (options, mut names): (Vec<&str>, Vec<&str>) =
        arguments.iter().partition(|word| word.starts_with('-'));
    let long = options.iter().any(|option| option.contains('l'));
    if names.is_empty() {
        names.push("/");
    }
    let all = place.files();
    let folders = place.folders();
    let (user, group) = user(place);
    let line = |name: &str, size: Option<usize>| {
        if !long {
            return format!("{name}\n");
        }
        let time = Timestamp::now().strftime("%b %e %H:%M");
        let (mode, links) = if size.is_some() {
            ("-rw-r-----", 1)
        } else {
            ("drwxrwsrwx", 2)
        };
        let size = size.unwrap_or(4096);
        format!("{mode}    {links} {user:<8} {group:<8} {size:>9} {time} {name}\n")
    };
    let (mut text, mut status) = (String::new(), 0);
    for name in &names {
        let path = files::clean(name);
        if let Some(bytes) = all.get(&path) {
            text += &line(name, Some(bytes.len()));
            continue;
        }
        let folder = if path == "/" {
            path.clone()
        } else {
            format!("{path}/")
        };
        let mut entries: BTreeSet<(String, Option<usize>)> = BTreeSet::new();
        let paths = all.iter().map(|(path, bytes)| (path, Some(bytes.len())));
        for (file, size) in paths.chain(folders.iter().map(|path| (path, None))) {
            let Some(rest) = file.strip_prefix(&folder).filter(|rest| !rest.is_empty()) else {
                continue;
            };
            match rest.split_once('/') {
                Some((inner, _)) => entries.insert((inner.to_owned(), None)),
                None => entries.insert((rest.to_owned(), size)),
            };
        }
        if entries.is_empty() && !folders.contains(&path) && path != "/" {
            io.err(format!("ls: {name}: No such file or directory"))
                .await;
            status = 1;
            continue;
        }
        if names.len() > 1 {
            let _ = writeln!(text, "{name}:");
        }
        if long {
            let _ = writeln!(text, "total {}", entries.len() * 4);
        }
        for (entry, size) in &entries {
            text += &line(entry, *size);
        }
    }
    io.out(&text).await;
    status
}

/// `sleep SECONDS`.
pub(super) async fn sleep(io: &Io, arguments: &[&str]) -> i32 {
    let [text] = arguments else {
        io.err("Usage: sleep N").await;
        return 1;
    };
    let (number, unit) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1.0),
        Some((at, 'm')) => (&text[..at], 60.0),
        Some((at, 'h')) => (&text[..at], 3600.0),
        Some((at, 'd')) => (&text[..at], 86_400.0),
        _ => (*text, 1.0),
    };
    let seconds = if number == "infinity" || number == "inf" {
        Some(MAX_SLEEP)
    } else {
        number.parse::<f64>().ok().filter(|seconds| *seconds >= 0.0)
    };
    let Some(seconds) = seconds else {
        io.err(format!("sleep: invalid number '{text}'")).await;
        return 1;
    };
    tokio::time::sleep(Duration::from_secs_f64((seconds * unit).min(MAX_SLEEP))).await;
    0
}

/// What a command is to read: files, or standard input. Bounded: it is held in memory.
async fn input(place: &Place, io: &Io, names: &[&str]) -> Result<Vec<u8>, String> {
    const MOST: u64 = 16 << 20;
    let mut bytes = Vec::new();
    if names.is_empty() {
        let mut stdin = io.stdin.lock().await;
        // What was read before an error is what there is.
        let _ = (&mut *stdin).take(MOST).read_to_end(&mut bytes).await;
    }
    for name in names {
        let read = read(place, name).map_err(|why| format!("{name}: {why}"))?;
        bytes.extend_from_slice(&read);
    }
    Ok(bytes)
}

/// `grep [-i] [-v] [-n] [-c] [-q] TEXT [FILE…]`: the text itself, no regular expression.
async fn grep(place: &Place, io: &Io, arguments: &[&str]) -> i32 {
    let (options, names): (Vec<&str>, Vec<&str>) =
        arguments.iter().partition(|word| word.starts_with('-'));
    let has = |letter| options.iter().any(|option| option.contains(letter));
    let [pattern, files @ ..] = names.as_slice() else {
        io.err("Usage: grep [-HhnlLoqvsrRiwFE] PATTERN [FILE]...")
            .await;
        return 2;
    };
    let bytes = match input(place, io, files).await {
        Ok(bytes) => bytes,
        Err(why) => {
            io.err(format!("grep: {why}")).await;
            return 2;
        }
    };
    let fold = |text: &str| {
        if has('i') {
            text.to_lowercase()
        } else {
            text.to_owned()
        }
    };
    let pattern = fold(pattern);
    let (mut count, mut out) = (0, String::new());
    for (number, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
        if fold(line).contains(&pattern) != has('v') {
            count += 1;
            if has('n') {
                let _ = write!(out, "{}:", number + 1);
            }
            out += line;
            out.push('\n');
        }
    }
    if has('c') {
        out = format!("{count}\n");
    }
    if !has('q') {
        io.out(&out).await;
    }
    i32::from(count == 0)
}

/// `head` and `tail`, `-n N`, `-N`, `-c N`.
async fn ends(place: &Place, io: &Io, program: &str, arguments: &[&str]) -> i32 {
    let (mut most, mut in_bytes, mut names) = (10, false, Vec::new());
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        match *word {
            "-n" => most = rest.next().and_then(|n| n.parse().ok()).unwrap_or(10),
            "-c" => {
                in_bytes = true;
                most = rest.next().and_then(|n| n.parse().ok()).unwrap_or(10);
            }
            word => match word.strip_prefix('-').map(str::parse) {
                Some(Ok(number)) => most = number,
                _ => names.push(word),
            },
        }
    }
    let bytes = match input(place, io, &names).await {
        Ok(bytes) => bytes,
        Err(why) => {
            io.err(format!("{program}: {why}")).await;
            return 1;
        }
    };
    let pieces: Vec<&[u8]> = if in_bytes {
        bytes.chunks(1).collect()
    } else {
        bytes.split_inclusive(|byte| *byte == b'\n').collect()
    };
    let kept = if program == "head" {
        &pieces[..most.min(pieces.len())]
    } else {
        &pieces[pieces.len().saturating_sub(most)..]
    };
    io.out(kept.concat()).await;
    0
}

async fn wc(place: &Place, io: &Io, arguments: &[&str]) -> i32 {
    let (options, names): (Vec<&str>, Vec<&str>) =
        arguments.iter().partition(|word| word.starts_with('-'));
    let bytes = match input(place, io, &names).await {
        Ok(bytes) => bytes,
        Err(why) => {
            io.err(format!("wc: {why}")).await;
            return 1;
        }
    };
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.matches('\n').count();
    let words = text.split_whitespace().count();
    let text = match options.first() {
        Some(&"-l") => format!("{lines}\n"),
        Some(&"-c") => format!("{}\n", bytes.len()),
        Some(&"-w") => format!("{words}\n"),
        _ => format!("{lines:>9} {words:>9} {:>9}\n", bytes.len()),
    };
    io.out(&text).await;
    0
}

async fn sha256sum(place: &Place, io: &Io, names: &[&str]) -> i32 {
    let mut sum = Sha256::new();
    if names.is_empty() {
        let mut stdin = io.stdin.lock().await;
        let mut chunk = vec![0; CHUNK];
        while let Ok(count @ 1..) = stdin.read(&mut chunk).await {
            sum.update(&chunk[..count]);
        }
        io.out(format!("{}  -\n", hex(&sum.finish()))).await;
        return 0;
    }
    for name in names {
        match read(place, name) {
            Ok(bytes) => {
                let sum = openssl::sha::sha256(&bytes);
                io.out(format!("{}  {name}\n", hex(&sum))).await;
            }
            Err(why) => {
                io.err(format!("sha256sum: can't open '{name}': {why}"))
                    .await;
                return 1;
            }
        }
    }
    0
}

async fn nslookup(place: &Place, io: &Io, arguments: &[&str]) -> i32 {
    let [name, ..] = arguments else {
        io.err("Usage: nslookup HOST").await;
        return 1;
    };
    let dns = super::network::DNS;
    let mut text = format!("Server:\t\t{dns}\nAddress:\t{dns}:53\n\n");
    let status = match place.address(name) {
        Some(address) => {
            let _ = write!(text, "Name:\t{name}\nAddress: {address}\n");
            0
        }
        None => {
            let _ = writeln!(text, "** server can't find {name}: NXDOMAIN");
            1
        }
    };
    io.out(&text).await;
    status
}

/// `test -e FILE`, `-f`, `-r`, `-s`, `-n TEXT`, `-z TEXT`, `A = B`, `A != B`.
fn test(place: &Place, arguments: &[&str]) -> i32 {
    let arguments = arguments.strip_suffix(&["]"]).unwrap_or(arguments);
    let holds = match arguments {
        ["-e" | "-r", path] => !matches!(read(place, path), Err("No such file or directory")),
        ["-f" | "-s", path] => read(place, path).is_ok(),
        ["-d", path] => matches!(read(place, path), Err("Is a directory")),
        ["-n", text] => !text.is_empty(),
        ["-z", text] => text.is_empty(),
        [a, "=" | "==", b] => a == b,
        [a, "!=", b] => a != b,
        [text] => !text.is_empty(),
        _ => false,
    };
    i32::from(!holds)
}

/// `nginx -v`, `-V`, `-t`, `-T`: what it prints of a configuration is what its `include`s name, each
/// file once.
async fn nginx(place: &Place, io: &Io, arguments: &[&str]) -> i32 {
    let version = format!("nginx version: {}", crate::data_plane::VERSION);
    match arguments {
        ["-v" | "-V"] => {
            io.err(version).await;
            0
        }
        ["-t" | "-T"] | ["-T", "-q"] | ["-q", "-T"] => {
            let files = place.files();
            let read = crate::secure_app::config::dump(&files);
            let main = crate::secure_app::config::MAIN;
            match read {
                Err(why) => {
                    io.err(format!(
                        "nginx: [emerg] {why}\nnginx: configuration file {main} test failed"
                    ))
                    .await;
                    1
                }
                Ok(read) => {
                    io.err(format!(
                        "nginx: the configuration file {main} syntax is ok\n\
                         nginx: configuration file {main} test is successful"
                    ))
                    .await;
                    if arguments.contains(&"-T") {
                        for path in read {
                            io.out(format!("# configuration file {path}:\n")).await;
                            io.out(files.get(&path).map_or(&[][..], |bytes| &bytes[..]))
                                .await;
                            io.out("\n").await;
                        }
                    }
                    0
                }
            }
        }
        _ => {
            io.err("nginx: the embedded cluster plays -v, -V, -t and -T only")
                .await;
            1
        }
    }
}
