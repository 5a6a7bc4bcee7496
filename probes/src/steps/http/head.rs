//! The head of an HTTP/1 answer, judged by NGINX's own rules (`ngx_http_parse_status_line`,
//! `ngx_http_parse_header_line`, `ngx_http_upstream_process_*` in 1.31): what they refuse is a 502,
//! and what they let through is not, whatever a stricter parser would say.

/// NGINX reads the head into `proxy_buffer_size`, by default one page.
pub const LONGEST_HEAD: usize = 4096;

/// A head that NGINX takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Status code.
    pub status: u16,
    /// Bytes up to the body.
    pub length: usize,
    /// Names and values, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// How long the body is.
    pub body: BodyLength,
}

impl Head {
    /// The first value of a header; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_slice())
    }
}

/// How the end of the body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// `Content-Length`, or 0 where the status has no body.
    Known(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

/// What NGINX makes of the bytes so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// More bytes are needed.
    More,
    /// It is a head.
    Head(Head),
    /// The first line is no status line: NGINX passes the bytes on as HTTP/0.9.
    NoStatusLine,
    /// NGINX refuses it, in these words of its log.
    Invalid(String),
}

/// Reads a head. `is_head_request` is set where no body follows.
pub fn read(bytes: &[u8], is_head_request: bool) -> Reading {
    let mut at = 0;
    loop {
        let (status, http_11, after_line) = match status_line(&bytes[at..]) {
            Line::More => return too_long_or_more(bytes),
            Line::Bad => return Reading::NoStatusLine,
            Line::Done {
                status,
                http_11,
                length,
            } => (status, http_11, at + length),
        };
        if status == 103 && !http_11 {
            return Reading::Invalid("upstream sent HTTP/1.0 response with early hints".to_owned());
        }
        match headers(&bytes[after_line..]) {
            HeaderLines::More => return too_long_or_more(bytes),
            HeaderLines::Bad(words) => return Reading::Invalid(words),
            // Early hints are followed by the answer proper. Other 1xx are an answer to NGINX.
            HeaderLines::Done { length, .. } if status == 103 => at = after_line + length,
            HeaderLines::Done { headers, length } => {
                return match body_length(status, &headers, is_head_request) {
                    Ok(body) => Reading::Head(Head {
                        status,
                        length: after_line + length,
                        headers,
                        body,
                    }),
                    Err(words) => Reading::Invalid(words),
                };
            }
        }
    }
}

fn too_long_or_more(bytes: &[u8]) -> Reading {
    if bytes.len() >= LONGEST_HEAD {
        Reading::Invalid("upstream sent too big header".to_owned())
    } else {
        Reading::More
    }
}

enum Line {
    More,
    Bad,
    Done {
        status: u16,
        http_11: bool,
        length: usize,
    },
}

/// `HTTP/1.1 200 OK` and its line end, byte by byte as `ngx_http_parse_status_line` takes it.
fn status_line(bytes: &[u8]) -> Line {
    #[derive(Clone, Copy)]
    enum At {
        Protocol,
        Major(u32),
        FirstMinor,
        Minor(u32),
        Status(u16, u8),
        AfterStatus,
        Text,
        LineFeed,
    }
    const PROTOCOL: &[u8] = b"HTTP/";
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
    let (mut major, mut minor, mut status) = (0, 0, 0);
    let mut state = At::Protocol;
    for (index, &byte) in bytes.iter().enumerate() {
        state = match (state, byte, digit(byte)) {
            (At::Protocol, _, _) if index < PROTOCOL.len() && byte == PROTOCOL[index] => state,
            (At::Protocol, _, Some(first)) if index == PROTOCOL.len() && first > 0 => {
                At::Major(first)
            }
            (At::Major(value), b'.', _) => {
                major = value;
                At::FirstMinor
            }
            (At::Major(value), _, Some(next)) if value <= 99 => At::Major(value * 10 + next),
            (At::FirstMinor, _, Some(first)) => At::Minor(first),
            (At::Minor(value), b' ', _) => {
                minor = value;
                At::Status(0, 0)
            }
            (At::Minor(value), _, Some(next)) if value <= 99 => At::Minor(value * 10 + next),
            (At::Status(..), b' ', _) => state,
            (At::Status(value, count), _, Some(next)) => {
                status = value * 10 + next as u16;
                if count == 2 {
                    At::AfterStatus
                } else {
                    At::Status(status, count + 1)
                }
            }
            (At::AfterStatus | At::Text, b'\r', _) => At::LineFeed,
            (At::AfterStatus | At::Text | At::LineFeed, b'\n', _) => {
                return Line::Done {
                    status,
                    http_11: (major, minor) >= (1, 1),
                    length: index + 1,
                };
            }
            (At::AfterStatus, b' ' | b'.', _) | (At::Text, _, _) => At::Text,
            _ => return Line::Bad,
        };
    }
    Line::More
}

enum HeaderLines {
    More,
    Bad(String),
    Done {
        headers: Vec<(String, Vec<u8>)>,
        length: usize,
    },
}

/// Header lines up to the empty one.
fn headers(bytes: &[u8]) -> HeaderLines {
    let mut headers = Vec::new();
    let mut at = 0;
    loop {
        match header_line(&bytes[at..]) {
            HeaderLine::More => return HeaderLines::More,
            HeaderLine::Bad { shown, byte } => {
                let shown = String::from_utf8_lossy(shown);
                return HeaderLines::Bad(format!(
                    "upstream sent invalid header: \"{shown}\\x{byte:02x}...\""
                ));
            }
            HeaderLine::Ignored { length } => at += length,
            HeaderLine::End { length } => {
                return HeaderLines::Done {
                    headers,
                    length: at + length,
                };
            }
            HeaderLine::Header {
                name,
                value,
                length,
            } => {
                let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                headers.push((name, value.to_vec()));
                at += length;
            }
        }
    }
}

enum HeaderLine<'a> {
    More,
    Bad {
        shown: &'a [u8],
        byte: u8,
    },
    Ignored {
        length: usize,
    },
    End {
        length: usize,
    },
    Header {
        name: &'a [u8],
        value: &'a [u8],
        length: usize,
    },
}

fn header_line(bytes: &[u8]) -> HeaderLine<'_> {
    match bytes {
        [] | [b'\r'] => return HeaderLine::More,
        [b'\n', ..] => return HeaderLine::End { length: 1 },
        [b'\r', b'\n', ..] => return HeaderLine::End { length: 2 },
        [b'\r', ..] => {
            return HeaderLine::Bad {
                shown: &bytes[..0],
                byte: b'\r',
            };
        }
        [b':', ..] => {
            return HeaderLine::Bad {
                shown: &bytes[..0],
                byte: b':',
            };
        }
        _ => {}
    }
    let Some(name_end) = bytes
        .iter()
        .position(|&b| b <= 0x20 || b == 0x7f || b == b':' || b == b'/')
    else {
        return HeaderLine::More;
    };
    match bytes[name_end] {
        // Some servers send their status line twice.
        b'/' if &bytes[..name_end] == b"HTTP" => {
            return match bytes.iter().position(|&b| b == b'\n') {
                Some(end) => HeaderLine::Ignored { length: end + 1 },
                None => HeaderLine::More,
            };
        }
        b'/' => return header_line_after_slash(bytes, name_end),
        b':' => {}
        b'\r' | b'\n' => return line_end(bytes, name_end, &bytes[..name_end], &[]),
        byte => {
            return HeaderLine::Bad {
                shown: &bytes[..name_end],
                byte,
            };
        }
    }
    value_of(bytes, name_end)
}

/// A `/` elsewhere in a name is a strange character like others, which NGINX lets pass.
fn header_line_after_slash(bytes: &[u8], slash: usize) -> HeaderLine<'_> {
    let rest = &bytes[slash + 1..];
    let Some(end) = rest
        .iter()
        .position(|&b| b <= 0x20 || b == 0x7f || b == b':')
    else {
        return HeaderLine::More;
    };
    let end = slash + 1 + end;
    match bytes[end] {
        b':' => value_of(bytes, end),
        b'\r' | b'\n' => line_end(bytes, end, &bytes[..end], &[]),
        byte => HeaderLine::Bad {
            shown: &bytes[..end],
            byte,
        },
    }
}

fn value_of(bytes: &[u8], name_end: usize) -> HeaderLine<'_> {
    let start = name_end
        + 1
        + bytes[name_end + 1..]
            .iter()
            .take_while(|&&b| b == b' ')
            .count();
    let Some(end) = bytes[start..]
        .iter()
        .position(|&b| matches!(b, b'\r' | b'\n' | 0))
    else {
        return HeaderLine::More;
    };
    let end = start + end;
    if bytes[end] == 0 {
        return HeaderLine::Bad {
            shown: &bytes[..end],
            byte: 0,
        };
    }
    let trailing = bytes[start..end]
        .iter()
        .rev()
        .take_while(|&&b| b == b' ')
        .count();
    line_end(
        bytes,
        end,
        &bytes[..name_end],
        &bytes[start..end - trailing],
    )
}

fn line_end<'a>(bytes: &'a [u8], at: usize, name: &'a [u8], value: &'a [u8]) -> HeaderLine<'a> {
    let returns = bytes[at..].iter().take_while(|&&b| b == b'\r').count();
    match bytes.get(at + returns) {
        None => HeaderLine::More,
        Some(b'\n') => HeaderLine::Header {
            name,
            value,
            length: at + returns + 1,
        },
        Some(&byte) => HeaderLine::Bad {
            shown: &bytes[..at],
            byte,
        },
    }
}

/// What `ngx_http_upstream_process_content_length` and its like make of the lengths.
fn body_length(
    status: u16,
    headers: &[(String, Vec<u8>)],
    is_head_request: bool,
) -> Result<BodyLength, String> {
    let show = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let mut length = None;
    let mut chunked = false;
    for (name, value) in headers {
        match name.as_str() {
            "content-length" => {
                if let Some(first) = &length {
                    return Err(format!(
                        "upstream sent duplicate header line: \"Content-Length: {}\", previous value: \"Content-Length: {first}\"",
                        show(value)
                    ));
                }
                if chunked {
                    return Err(CONTENT_LENGTH_AND_CHUNKED.to_owned());
                }
                length = Some(show(value));
            }
            "transfer-encoding" => {
                if chunked {
                    return Err(format!(
                        "upstream sent duplicate header line: \"Transfer-Encoding: {}\", previous value: \"Transfer-Encoding: chunked\"",
                        show(value)
                    ));
                }
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(format!(
                        "upstream sent unknown \"Transfer-Encoding\": \"{}\"",
                        show(value)
                    ));
                }
                if length.is_some() {
                    return Err(CONTENT_LENGTH_AND_CHUNKED.to_owned());
                }
                chunked = true;
            }
            _ => {}
        }
    }
    let length = match length {
        None => None,
        Some(text) => match text.parse::<u64>() {
            Ok(length) if text.bytes().all(|b| b.is_ascii_digit()) => Some(length),
            _ => {
                return Err(format!(
                    "upstream sent invalid \"Content-Length\" header: \"Content-Length: {text}\""
                ));
            }
        },
    };
    Ok(
        if is_head_request || matches!(status, 100..=199 | 204 | 304) {
            BodyLength::Known(0)
        } else if chunked {
            BodyLength::Chunked
        } else {
            length.map_or(BodyLength::UntilClose, BodyLength::Known)
        },
    )
}

const CONTENT_LENGTH_AND_CHUNKED: &str =
    "upstream sent \"Content-Length\" and \"Transfer-Encoding\" headers at the same time";

#[cfg(test)]
mod tests;
