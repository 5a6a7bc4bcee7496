use super::*;

fn body_of(text: &str) -> BodyLength {
    match read(text.as_bytes(), false) {
        Reading::Head(head) => head.body,
        other => panic!("{text:?}: {other:?}"),
    }
}

#[test]
fn heads_that_nginx_takes() {
    for (text, status, body) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
            200,
            BodyLength::Known(3),
        ),
        ("HTTP/1.0 404\n\n", 404, BodyLength::UntilClose),
        ("HTTP/1.1 403.7 Odd\r\n\r\n", 403, BodyLength::UntilClose),
        ("HTTP/1.1   200 OK\r\n\r\n", 200, BodyLength::UntilClose),
        (
            "HTTP/1.1 204 None\r\nContent-Length: 9\r\n\r\n",
            204,
            BodyLength::Known(0),
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding:Chunked\r\n\r\n",
            200,
            BodyLength::Chunked,
        ),
        (
            "HTTP/1.1 200 OK\r\nno-colon\r\n\r\n",
            200,
            BodyLength::UntilClose,
        ),
        (
            "HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\n\r\n",
            200,
            BodyLength::UntilClose,
        ),
        (
            "HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 201 Made\r\n\r\n",
            201,
            BodyLength::UntilClose,
        ),
    ] {
        assert_eq!(body_of(text), body, "{text:?}");
        assert!(
            matches!(read(text.as_bytes(), false), Reading::Head(head) if head.status == status)
        );
    }
}

/// The last four are refused since nginx 1.23 (`ngx_http_upstream_process_content_length`,
/// `…_transfer_encoding`).
#[test]
fn heads_that_nginx_refuses_in_its_words() {
    for (text, words) in [
        (
            "HTTP/1.1 200 OK\r\nbad header: x\r\n\r\n",
            "upstream sent invalid header: \"bad\\x20...\"",
        ),
        (
            "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
            "upstream sent invalid header: \"\\x3a...\"",
        ),
        (
            "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
            "upstream sent invalid header: \"A: b\\x00...\"",
        ),
        (
            "HTTP/1.0 103 Early\r\n\r\n",
            "upstream sent HTTP/1.0 response with early hints",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "upstream sent duplicate header line: \"Content-Length: 1\", previous value: \"Content-Length: 1\"",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n",
            "upstream sent invalid \"Content-Length\" header: \"Content-Length: two\"",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "upstream sent unknown \"Transfer-Encoding\": \"gzip\"",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            CONTENT_LENGTH_AND_CHUNKED,
        ),
    ] {
        assert_eq!(
            read(text.as_bytes(), false),
            Reading::Invalid(words.to_owned()),
            "{text:?}"
        );
    }
}

#[test]
fn what_does_not_begin_with_a_status_line_is_no_http() {
    for text in [
        "SSH-2.0",
        "HTTP/x",
        "HTTP/0.9 200",
        "http/1.1 200",
        "HTTP/1.1 2x0",
        "\x15\x03\x03",
    ] {
        assert_eq!(
            read(text.as_bytes(), false),
            Reading::NoStatusLine,
            "{text:?}"
        );
    }
    for text in ["", "HTT", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\nA: b\r\n"] {
        assert_eq!(read(text.as_bytes(), false), Reading::More, "{text:?}");
    }
}
