//! A line of nginx's error log: `2026/01/02 03:04:05 [error] 1#1: *7 message, client: …` (`ngx_log.c`).
//!
//! Parts that somebody else writes stand in fixed places: the message is known by how it begins, and the
//! fields behind it are read from the left, so that a path or a Host header with `, upstream: "…` in it
//! names no other backend. A line feed that nginx itself writes out of a decoded path cannot be told
//! from the end of a line: see [`Unbroken`](super::Unbroken).

use jiff::{Timestamp, civil, tz::TimeZone};
use ngf_text::sanitize;

use super::json;
use super::line::{About, Decoded, Level, Meaning, Phase, Upstream, Writer};

/// nginx cuts its lines at 2048 bytes (`NGX_MAX_ERROR_STR`); what is behind was written by no nginx.
const LONGEST: usize = 4 << 10;
/// Characters of text that are kept.
pub(super) const TEXT: usize = 300;

/// What nginx says where an answer is none of HTTP/1.1 or HTTP/2 (`ngx_http_proxy_module.c`,
/// `ngx_http_grpc_module.c`): a TLS alert, for instance, or another protocol's greeting.
const NOT_HTTP: &[&str] = &[
    "upstream sent no valid HTTP/1.0 header",
    "upstream sent too large http2 frame",
];

/// Decodes a line; `None` where it is none of nginx's error log or says nothing that matters.
pub(super) fn decode(line: &str) -> Option<Decoded> {
    let line = super::bounded(line, LONGEST);
    // What `nginx -t` and the agent print has no time.
    if let Some(message) = line.strip_prefix("nginx: [emerg] ") {
        return Some(Decoded {
            at: None,
            writer: Writer::Nginx,
            level: Level::Emerg,
            pid: None,
            connection: None,
            what: refused(message),
            text: sanitize::line(message, TEXT),
            request: About::default(),
        });
    }
    if line.starts_with('{') {
        return json::decode(line);
    }
    let (head, message) = Head::read(line)?;
    let (message, fields) = split(message);
    let what = what(head.level, message)?;
    let request = about(fields);
    Some(Decoded {
        at: head.at,
        writer: Writer::Nginx,
        level: head.level,
        pid: Some(head.pid),
        connection: head.connection,
        what,
        text: sanitize::line(message, TEXT),
        request,
    })
}

/// Whether a line begins as one of nginx's error log does.
pub(super) fn has_head(line: &str) -> bool {
    Head::read(line).is_some()
}

/// What stands before the message.
struct Head {
    at: Option<Timestamp>,
    level: Level,
    pid: u32,
    connection: Option<u64>,
}

impl Head {
    fn read(line: &str) -> Option<(Self, &str)> {
        let (time, rest) = line.split_at_checked(19)?;
        let shape = time.bytes().zip(*b"0000/00/00 00:00:00");
        let is_time = shape.into_iter().all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            other => byte == other,
        });
        if !is_time {
            return None;
        }
        let (level, rest) = rest.strip_prefix(" [")?.split_once("] ")?;
        let level = Level::parse(level)?;
        let (process, rest) = rest.split_once(": ")?;
        let (pid, thread) = process.split_once('#')?;
        let pid = pid.parse().ok()?;
        thread.parse::<u64>().ok()?;
        let numbered = rest.strip_prefix('*').and_then(|rest| {
            let (number, message) = rest.split_once(' ')?;
            Some((number.parse().ok()?, message))
        });
        let (connection, message) = match numbered {
            Some((number, message)) => (Some(number), message),
            None => (None, rest),
        };
        let head = Self {
            at: moment(time),
            level,
            pid,
            connection,
        };
        Some((head, message))
    }
}

fn moment(time: &str) -> Option<Timestamp> {
    let time = civil::DateTime::strptime("%Y/%m/%d %H:%M:%S", time).ok()?;
    let zoned = time.to_zoned(TimeZone::UTC).ok()?;
    Some(zoned.timestamp())
}

/// The message, and the fields behind it. What begins with a peer's own text has no fields that could be
/// trusted, and is not decoded either.
fn split(message: &str) -> (&str, &str) {
    match message.find(", client: ") {
        Some(at) => message.split_at(at),
        None => (message, ""),
    }
}

fn about(fields: &str) -> About {
    let mut rest = fields;
    let mut about = About::default();
    let bare = |rest: &mut &str, name: &str| -> Option<String> {
        let value = rest.strip_prefix(", ")?.strip_prefix(name)?;
        let value = value.strip_prefix(": ")?;
        let end = value.find(", ").unwrap_or(value.len());
        let (value, after) = value.split_at(end);
        *rest = after;
        Some(sanitize::line(value, TEXT))
    };
    let quoted = |rest: &mut &str, name: &str| -> Option<String> {
        let value = rest.strip_prefix(", ")?.strip_prefix(name)?;
        let value = value.strip_prefix(": \"")?;
        // A quote followed by a comma and a space stands in no request line: nginx refuses spaces there.
        let end = value
            .find("\", ")
            .or_else(|| value.strip_suffix('"').map(str::len))
            .unwrap_or(value.len());
        let (value, after) = value.split_at(end);
        *rest = after.strip_prefix('"').unwrap_or(after);
        Some(sanitize::line(value, TEXT))
    };
    about.client = bare(&mut rest, "client").and_then(|client| client.parse().ok());
    about.server = bare(&mut rest, "server").filter(|server| !server.is_empty());
    about.request = quoted(&mut rest, "request");
    about.subrequest = quoted(&mut rest, "subrequest");
    let place = quoted(&mut rest, "upstream");
    about.plain = place.as_deref().is_some_and(is_plain);
    about.upstream = place.map(|text| upstream(&text));
    about.host = quoted(&mut rest, "host");
    about
}

/// `https://10.0.0.1:8443/path`, `grpcs://[fd00::1]:8443`, `https://group/`, `10.0.0.1:8443`,
/// `https://unix:/run/x.sock:/path`.
pub(super) fn upstream(text: &str) -> Upstream {
    let place = text.split_once("://").map_or(text, |(_, place)| place);
    if let Some(path) = place.strip_prefix("unix:") {
        let path = path.split(':').next().unwrap_or(path);
        return Upstream::Socket(path.to_owned());
    }
    let place = place.split('/').next().unwrap_or(place);
    match place.parse::<std::net::SocketAddr>() {
        Ok(address) => Upstream::Address {
            address: address.ip(),
            port: address.port(),
        },
        Err(_) => Upstream::Name(place.to_owned()),
    }
}

/// Whether nginx speaks plain text to an upstream.
pub(super) fn is_plain(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("grpc://")
}

pub(super) fn what(level: Level, message: &str) -> Option<Meaning> {
    match level {
        Level::Debug => None,
        Level::Emerg => Some(refused(message)),
        _ => upstream_failure(message)
            .or_else(|| client_failure(message))
            .or_else(|| process(message)),
    }
}

/// `ngx_http_upstream.c`, `ngx_stream_proxy_module.c`, `ngx_event_openssl.c`,
/// `ngx_http_auth_request_module.c`.
fn upstream_failure(message: &str) -> Option<Meaning> {
    if let Some(rest) = message.strip_prefix("upstream SSL certificate verify error: ") {
        let (code, words) = numbered(rest)?;
        return Some(Meaning::VerifyError { code, words });
    }
    if let Some(rest) = message.strip_prefix("upstream SSL certificate does not match \"") {
        let end = rest.rfind("\" while ").or_else(|| rest.rfind('"'))?;
        let name = sanitize::line(&rest[..end], 256);
        return Some(Meaning::NameMismatch { name });
    }
    if let Some(rest) = message.strip_prefix("auth request unexpected status: ") {
        let status = leading_number(rest)?;
        return Some(Meaning::AuthRequest { status });
    }
    if message.starts_with("no live upstreams") {
        return Some(Meaning::NoLiveUpstreams);
    }
    if message.starts_with("upstream server temporarily disabled") {
        return Some(Meaning::Disabled);
    }
    if let Some((name, rest)) = message.split_once(" could not be resolved (")
        && !name.contains(' ')
    {
        let words = rest.split_once(')').map_or(rest, |(words, _)| words);
        return Some(Meaning::HostNotFound {
            name: sanitize::line(name, 256),
            words: sanitize::line(words, 80),
        });
    }
    if let Some(rest) = message.strip_prefix("no resolver defined to resolve ") {
        let name = rest.split(' ').next().unwrap_or(rest);
        return Some(Meaning::HostNotFound {
            name: sanitize::line(name, 256),
            words: "no resolver is defined".to_owned(),
        });
    }
    if NOT_HTTP.iter().any(|begins| message.starts_with(begins)) {
        return Some(Meaning::NotHttp);
    }
    let phase = phase(message)?;
    if message.starts_with("upstream timed out") {
        return Some(Meaning::TimedOut { phase });
    }
    let reset = message.contains("(104: ");
    if message.starts_with("upstream prematurely closed connection")
        || message.starts_with("peer closed connection in SSL handshake")
    {
        return Some(Meaning::Closed { phase, reset });
    }
    if message.starts_with("connect()") {
        return Some(connect(message));
    }
    if let Some((call, rest)) = message.split_once(" failed")
        && matches!(
            call,
            // What fails at the goodbye, SSL_shutdown(), failed before, or nowhere: in a stream it is
            // the client's connection as often as not.
            "SSL_do_handshake()" | "SSL_read()" | "SSL_write()"
        )
    {
        return Some(openssl(rest, phase));
    }
    let calls = ["recv()", "readv()", "send()", "writev()"];
    let is_io = calls.iter().any(|call| {
        let after = message.strip_prefix(call);
        after.is_some_and(|after| after.starts_with(" failed"))
    });
    is_io.then_some(Meaning::Closed { phase, reset })
}

fn phase(message: &str) -> Option<Phase> {
    let at = message.rfind(" while ")?;
    let action = &message[at + " while ".len()..];
    Some(match action {
        "connecting to upstream" => Phase::Connecting,
        "SSL handshaking to upstream" => Phase::Handshaking,
        "sending request to upstream" | "sending to upstream" => Phase::Sending,
        "reading response header from upstream" => Phase::ReadingHeader,
        "reading upstream"
        | "proxying connection"
        | "proxying and reading from upstream"
        | "proxying and sending to upstream"
        | "proxying upgraded connection" => Phase::Reading,
        _ => return None,
    })
}

fn connect(message: &str) -> Meaning {
    let errno = message
        .split_once(" failed (")
        .and_then(|(_, rest)| leading_number(rest));
    let words = message
        .split_once(" failed (")
        .and_then(|(_, rest)| rest.split_once(')'))
        .map_or("", |(words, _)| words);
    match errno {
        Some(111) => Meaning::ConnectRefused,
        errno => Meaning::ConnectFailed {
            errno,
            words: sanitize::line(words, 80),
        },
    }
}

/// ` (SSL: error:0A000412:SSL routines::ssl/tls alert bad certificate:SSL alert number 42) while …`.
/// OpenSSL 1.1 has a function between the colons, 3.0 `sslv3 alert` for `ssl/tls alert`.
fn openssl(text: &str, phase: Phase) -> Meaning {
    let reset = text.contains("(104: ");
    let Some((_, errors)) = text.split_once("(SSL: ") else {
        return Meaning::Closed { phase, reset };
    };
    if let Some((_, number)) = errors.split_once(":SSL alert number ")
        && let Some(number) = leading_number::<u8>(number)
    {
        return Meaning::Alert {
            number,
            name: ngf_tls::messages::names::alert(number),
            phase,
        };
    }
    let end = errors
        .rfind(") while ")
        .or_else(|| errors.rfind(')'))
        .unwrap_or(errors.len());
    let errors = &errors[..end];
    // error:CODE:LIBRARY:FUNCTION:REASON[:data], and the next error after a space
    let reason = errors.split(':').nth(4).unwrap_or(errors);
    let reason = reason.strip_suffix(" error").unwrap_or(reason);
    let is_no_tls = match reason {
        "wrong version number" | "http request" | "https proxy request" => true,
        // OpenSSL 3.2 to 3.5 look at the length of a record before its version: `HTTP/` has one of 20,527.
        "packet length too long" => phase == Phase::Handshaking,
        _ => false,
    };
    if is_no_tls {
        return Meaning::NotTls;
    }
    if reason == "unexpected eof while reading" {
        return Meaning::Closed { phase, reset };
    }
    Meaning::TlsFailed {
        reason: sanitize::line(reason, 120),
        phase,
    }
}

/// What a backend that is nginx says of its client (`ngx_http_request.c`), at level `info`.
fn client_failure(message: &str) -> Option<Meaning> {
    if let Some(rest) = message.strip_prefix("client SSL certificate verify error: ") {
        let (code, words) = numbered(rest)?;
        let code = Some(code);
        return Some(Meaning::ClientRefused { code, words });
    }
    if message.starts_with("client sent no required SSL certificate") {
        return Some(Meaning::NoClientCertificate);
    }
    if message.starts_with("client sent plain HTTP request to HTTPS port") {
        return Some(Meaning::PlainToTls);
    }
    if message.starts_with("client attempted to request the server name different from") {
        return Some(Meaning::Misdirected);
    }
    // The header is the peer's bytes, of which a ClientHello has line feeds; health checks that only
    // connect leave it empty.
    if message.starts_with("broken header: \"") && !message.starts_with("broken header: \"\"") {
        return Some(Meaning::ProxyProtocol);
    }
    if !message.ends_with(" while SSL handshaking") {
        return None;
    }
    if let Some((_, number)) = message.split_once(":SSL alert number ")
        && message.starts_with("SSL_do_handshake() failed")
        && let Some(number) = leading_number::<u8>(number)
    {
        let name = ngf_tls::messages::names::alert(number);
        return Some(Meaning::ClientAlert { number, name });
    }
    let reason = match message.split_once("(SSL: ") {
        Some((_, errors)) => {
            let errors = errors.split_once(") while ").map_or(errors, |(e, _)| e);
            errors.split(':').skip(4).collect::<Vec<_>>().join(":")
        }
        None => message
            .strip_suffix(" while SSL handshaking")
            .filter(|text| *text == "handshake rejected")?
            .to_owned(),
    };
    Some(Meaning::HandshakeRefused {
        reason: sanitize::line(&reason, 120),
    })
}

/// `ngx_process_cycle.c`, `ngx_process.c`.
fn process(message: &str) -> Option<Meaning> {
    // A plain `reconfiguring` follows SIGHUP; what does not load ends in `[emerg]` before the workers are new.
    if message == "reconfiguring" {
        return None;
    }
    if message == "start worker processes" {
        return Some(Meaning::Reloaded);
    }
    let rest = message.strip_prefix("worker process ")?;
    let (pid, how) = rest.split_once(' ')?;
    pid.parse::<u32>().ok()?;
    let died = how.starts_with("exited on signal") || how.starts_with("exited with fatal code");
    died.then(|| Meaning::WorkerDied {
        how: sanitize::line(how, 80),
    })
}

/// `SSL_CTX_load_verify_locations("/etc/…") failed (SSL: …)`, `unknown directive "x" in FILE:LINE`.
pub(super) fn refused(message: &str) -> Meaning {
    let quoted = message
        .split('"')
        .nth(1)
        .filter(|text| text.starts_with('/'));
    let placed = || {
        let (_, place) = message.rsplit_once(" in ")?;
        let (file, line) = place.rsplit_once(':')?;
        (file.starts_with('/') && leading_number::<u32>(line).is_some()).then_some(file)
    };
    Meaning::ConfigurationRefused {
        file: quoted.or_else(placed).map(|file| sanitize::line(file, 256)),
        reason: sanitize::line(message, TEXT),
    }
}

/// `(21:unable to verify the first certificate) while …`.
fn numbered(text: &str) -> Option<(i32, String)> {
    let (code, rest) = text.strip_prefix('(')?.split_once(':')?;
    let words = rest.split_once(')').map_or(rest, |(words, _)| words);
    Some((code.parse().ok()?, sanitize::line(words, 120)))
}

fn leading_number<N: std::str::FromStr>(text: &str) -> Option<N> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text[..end].parse().ok()
}
