//! HTTP/1 as nginx speaks it: reading a request's head, and the answers, byte for byte.
//! (`ngx_http_parse.c`, `ngx_http_header_filter_module.c`, `ngx_http_special_response.c`.)

use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

/// Bytes of a request line, and of a header line: one of nginx's large buffers.
const MAX_LINE: usize = 8 * 1024;
/// Bytes of a request's head: four of nginx's large buffers.
pub(crate) const MAX_HEAD: usize = 4 * MAX_LINE;

/// A request's head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// The request line as it was sent.
    pub line: String,
    /// `GET`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Minor version of HTTP/1; `None` for HTTP/0.9.
    pub minor: Option<u8>,
    /// Header fields, names in lower case.
    pub fields: Vec<(String, String)>,
}

/// Why a request cannot be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestRefusal {
    /// HTTP status, or one of nginx's own (494 to 497).
    pub status: u16,
    /// What nginx logs at level info.
    pub log: String,
    /// What it was reading.
    pub reading: &'static str,
}

/// What the bytes read so far are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// More bytes are needed.
    Partial,
    /// A head, and how many bytes it took.
    Head(Head, usize),
    /// Nothing that can be served, with what was understood of it.
    Refused(Head, RequestRefusal),
}

impl Head {
    /// The first field of this name (lower case).
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// The host that is asked for: without port, lower case, no trailing dot
    /// (`ngx_http_validate_host`).
    pub(crate) fn host(&self) -> Option<String> {
        let host = self.field("host")?.to_lowercase();
        let end = if host.starts_with('[') {
            host.find(']').map_or(host.len(), |i| i + 1)
        } else {
            host.find(':').unwrap_or(host.len())
        };
        let host = &host[..end];
        Some(host.strip_suffix('.').unwrap_or(host).to_owned())
    }

    /// Whether the client lets the connection be used again.
    pub(crate) fn keeps_alive(&self) -> bool {
        let connection = self.field("connection").unwrap_or_default().to_lowercase();
        match self.minor {
            Some(0) => connection.contains("keep-alive"),
            Some(_) => !connection.contains("close"),
            None => false,
        }
    }
}

const LINE: &str = "client request line";
/// What is read after the request line.
pub(crate) const HEADERS: &str = "client request headers";

fn refused(head: Head, status: u16, log: impl Into<String>) -> Parsed {
    // Without a request line there is nothing but a request line to be read.
    let reading = if head.method.is_empty() {
        LINE
    } else {
        HEADERS
    };
    Parsed::Refused(
        head,
        RequestRefusal {
            status,
            log: log.into(),
            reading,
        },
    )
}

/// Why there is no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// The client has closed the connection, or it broke.
    Closed,
    /// The client said too little in time.
    TimedOut,
}

/// Reads into `buffer` until there is a head, or a reason why there is none.
pub(crate) async fn read_head(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    wait: Duration,
) -> Result<Parsed, Unread> {
    let read = async {
        loop {
            match parse(buffer) {
                Parsed::Partial => {}
                done => return Ok(done),
            }
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return Err(Unread::Closed),
                Ok(count) => buffer.extend_from_slice(&chunk[..count]),
            }
        }
    };
    timeout(wait, read).await.unwrap_or(Err(Unread::TimedOut))
}

/// Reads a request's head from the start of `bytes`.
fn parse(bytes: &[u8]) -> Parsed {
    // Empty lines before a request are passed over.
    let start = bytes
        .iter()
        .position(|b| !b"\r\n".contains(b))
        .unwrap_or(bytes.len());
    let mut at = start;
    let Some((line, next)) = read_line(bytes, at) else {
        return if bytes.len() - start > MAX_LINE {
            refused(Head::default(), 414, "client sent too long URI")
        } else {
            early_refusal(&bytes[start..])
        };
    };
    at = next;
    let mut head = match request_line(line) {
        Ok(head) => head,
        Err(refused) => return Parsed::Refused(refused.0, refused.1),
    };
    if head.minor.is_none() {
        return Parsed::Head(head, at);
    }
    loop {
        let Some((line, next)) = read_line(bytes, at) else {
            return if bytes.len() - start > MAX_HEAD || bytes.len() - at > MAX_LINE {
                refused(head, 494, "client sent too large request")
            } else {
                Parsed::Partial
            };
        };
        at = next;
        if line.is_empty() {
            break;
        }
        if line.len() > MAX_LINE || at - start > MAX_HEAD {
            return refused(head, 494, "client sent too long header line");
        }
        let Some((name, value)) = split_field(line) else {
            let text = String::from_utf8_lossy(line).into_owned();
            return refused(
                head,
                400,
                format!("client sent invalid header line: \"{text}\""),
            );
        };
        head.fields.push((name, value));
    }
    match check_fields(&head) {
        Some((status, log)) => refused(head, status, log),
        None => Parsed::Head(head, at),
    }
}

/// What `ngx_http_process_request_header` refuses.
fn check_fields(head: &Head) -> Option<(u16, &'static str)> {
    let count = |wanted: &str| {
        head.fields
            .iter()
            .filter(|(name, _)| name == wanted)
            .count()
    };
    if count("host") == 0 && head.minor == Some(1) {
        return Some((400, "client sent HTTP/1.1 request without \"Host\" header"));
    }
    if count("host") > 1 {
        return Some((400, "client sent duplicate header line: \"Host\""));
    }
    let length = head.field("content-length");
    if count("content-length") > 1 || length.is_some_and(|l| l.parse::<i64>().is_err()) {
        return Some((400, "client sent invalid \"Content-Length\" header"));
    }
    match head.field("transfer-encoding") {
        Some(_) if length.is_some() => Some((
            400,
            "client sent \"Content-Length\" and \"Transfer-Encoding\" headers at the same time",
        )),
        Some(coding) if !coding.eq_ignore_ascii_case("chunked") => {
            Some((501, "client sent unknown \"Transfer-Encoding\""))
        }
        _ => None,
    }
}

/// A line without its end, and where the next one starts.
fn read_line(bytes: &[u8], start: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(start..)?;
    let end = rest.iter().position(|b| *b == b'\n')?;
    let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
    Some((line, start + end + 1))
}

/// nginx refuses an impossible method at its first byte, before the line ends: that is how it answers
/// a TLS ClientHello on a port that speaks no TLS.
fn early_refusal(bytes: &[u8]) -> Parsed {
    let method = bytes.split(|b| *b == b' ').next().unwrap_or_default();
    if method.iter().all(|b| method_byte(*b)) {
        Parsed::Partial
    } else {
        let head = Head {
            line: text(bytes),
            ..Head::default()
        };
        refused(head, 400, "client sent invalid method")
    }
}

fn method_byte(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte == b'_' || byte == b'-'
}

fn text(bytes: &[u8]) -> String {
    // One char a byte, so that a log line can write each back as it was sent.
    bytes.iter().take(1024).map(|b| char::from(*b)).collect()
}

fn request_line(line: &[u8]) -> Result<Head, Box<(Head, RequestRefusal)>> {
    // What cannot be read is answered as HTTP/1.
    let head = Head {
        line: text(line),
        minor: Some(0),
        ..Head::default()
    };
    let refuse = |head: &Head, status, log: &str| {
        Err(Box::new((
            head.clone(),
            RequestRefusal {
                status,
                log: log.to_owned(),
                reading: LINE,
            },
        )))
    };
    if line.len() > MAX_LINE {
        return refuse(&head, 414, "client sent too long URI");
    }
    let mut words = line.split(|b| *b == b' ').filter(|w| !w.is_empty());
    let method = words.next().unwrap_or_default();
    if method.is_empty() || !method.iter().all(|b| method_byte(*b)) {
        return refuse(&head, 400, "client sent invalid method");
    }
    let target = words.next().unwrap_or_default();
    let absolute = target.split(|b| *b == b':').next().is_some_and(|scheme| {
        !scheme.is_empty()
            && scheme.iter().all(u8::is_ascii_alphabetic)
            && target[scheme.len()..].starts_with(b"://")
    });
    if !target.starts_with(b"/") && !absolute {
        return refuse(&head, 400, "client sent invalid request");
    }
    let mut head = Head {
        method: text(method),
        target: text(target),
        ..head
    };
    head.minor = match (words.next(), words.next()) {
        (None, _) => None,
        (Some(b"HTTP/1.0"), None) => Some(0),
        (Some(b"HTTP/1.1"), None) => Some(1),
        (Some(version), None) if version.starts_with(b"HTTP/1.") => Some(1),
        (Some(version), None) if version.starts_with(b"HTTP/") => {
            return refuse(&head, 505, "client sent invalid version");
        }
        _ => return refuse(&head, 400, "client sent invalid request"),
    };
    Ok(head)
}

fn split_field(line: &[u8]) -> Option<(String, String)> {
    let colon = line.iter().position(|b| *b == b':')?;
    let name = &line[..colon];
    let fine = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    let value = &line[colon + 1..];
    (fine && !value.contains(&0)).then(|| {
        (
            text(name).to_lowercase(),
            String::from_utf8_lossy(value).trim().to_owned(),
        )
    })
}

/// What an answer is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status that is sent.
    pub status: u16,
    /// Content type.
    pub content_type: String,
    /// Body.
    pub body: Vec<u8>,
    /// The connection is closed afterwards whatever the client wants.
    pub close: bool,
}

/// One of nginx's built-in pages, by the name of the server; `status` may be one of nginx's own codes.
pub(crate) fn page(status: u16, server: &str) -> Answer {
    let (wire, title, heading) = match status {
        494 => (
            400,
            "400 Request Header Or Cookie Too Large",
            "400 Bad Request",
        ),
        495 => (400, "400 The SSL certificate error", "400 Bad Request"),
        496 => (
            400,
            "400 No required SSL certificate was sent",
            "400 Bad Request",
        ),
        497 => (
            400,
            "400 The plain HTTP request was sent to HTTPS port",
            "400 Bad Request",
        ),
        other => (other, status_line(other), status_line(other)),
    };
    let explained = title != heading;
    let mut body = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{heading}</h1></center>\r\n"
    );
    if explained {
        body.extend([
            "<center>",
            title.trim_start_matches("400 "),
            "</center>\r\n",
        ]);
    }
    body.extend([
        "<hr><center>",
        server,
        "</center>\r\n</body>\r\n</html>\r\n",
    ]);
    Answer {
        status: wire,
        content_type: "text/html".into(),
        body: body.into_bytes(),
        close: matches!(status, 400 | 413 | 414 | 494..=497 | 500 | 501 | 505),
    }
}

fn status_line(status: u16) -> &'static str {
    match status {
        200 => "200 OK",
        204 => "204 No Content",
        301 => "301 Moved Permanently",
        302 => "302 Moved Temporarily",
        400 => "400 Bad Request",
        403 => "403 Forbidden",
        405 => "405 Not Allowed",
        413 => "413 Request Entity Too Large",
        414 => "414 Request-URI Too Large",
        421 => "421 Misdirected Request",
        500 => "500 Internal Server Error",
        501 => "501 Not Implemented",
        502 => "502 Bad Gateway",
        503 => "503 Service Temporarily Unavailable",
        505 => "505 HTTP Version Not Supported",
        _ => "404 Not Found",
    }
}

/// The bytes on the wire, by the name of the server.
pub(crate) fn write(
    answer: &Answer,
    head: &Head,
    keep_alive: bool,
    server: &str,
    now: Timestamp,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    // HTTP/0.9 has no header; a request that could not be read is answered as HTTP/1.1.
    if head.minor.is_some() || head.method.is_empty() {
        let line = match answer.status {
            400 => "400 Bad Request",
            other => status_line(other),
        };
        let connection = if keep_alive { "keep-alive" } else { "close" };
        bytes.extend(
            format!(
                "HTTP/1.1 {line}\r\nServer: {server}\r\nDate: {}\r\nContent-Type: {}\r\n\
                 Content-Length: {}\r\nConnection: {connection}\r\n\r\n",
                now.strftime("%a, %d %b %Y %H:%M:%S GMT"),
                answer.content_type,
                answer.body.len(),
            )
            .into_bytes(),
        );
    }
    if head.method != "HEAD" {
        bytes.extend(&answer.body);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_and_what_is_none_is_refused_as_nginx_refuses_it() {
        let bytes = b"\r\nGET /a?b HTTP/1.1\r\nHost: App.example.com.:8443\r\nX: y\r\n\r\nrest";
        let Parsed::Head(head, used) = parse(bytes) else {
            panic!("a head");
        };
        assert_eq!(
            (head.method.as_str(), head.target.as_str()),
            ("GET", "/a?b")
        );
        assert_eq!(&bytes[used..], b"rest");
        assert_eq!(head.host().as_deref(), Some("app.example.com"));
        for (bytes, status) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], 400),
            (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            (b"\x16\x03\x01\x02\x00", 400),
            (b"GET / HTTP/2.0\r\n\r\n", 505),
            (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nbroken\r\n\r\n", 400),
        ] {
            match parse(bytes) {
                Parsed::Refused(_, refusal) => assert_eq!(refusal.status, status),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(parse(b"GET / HTT"), Parsed::Partial);
        let long = [b"GET /".as_slice(), &[b'a'; 9000]].concat();
        assert!(matches!(
            parse(&long),
            Parsed::Refused(_, RequestRefusal { status: 414, .. })
        ));
    }
}
