//! Backends that fail before or beside the certificate: versions, suites, names, plain text, and
//! peers that break off.

use crate::case::{Backend, Case, Then};
use crate::support::pki::{Issued, KeyKind, Template};
use crate::support::{HOST, free_ports};

pub(crate) fn cases() -> Vec<Case> {
    let root = Template::ca("Root").self_signed();
    let leaf = Template::server(HOST).signed_by(&root);
    let rsa = Template::server(HOST)
        .with(|t| t.key = KeyKind::Rsa(2048))
        .signed_by(&root);
    let mut cases = parameters(&root, &leaf, &rsa);
    cases.extend(server_names(&root, &leaf));
    let on = |name: &str, backend| Case::new(name, &leaf, &[], &[&root]).served_by(backend);
    let raw = |bytes: &[u8], then| Backend::Raw(bytes.to_vec(), then);
    cases.extend([
        on("TLS to a plain nginx", Backend::PlainNginx).expecting(502),
        on("refused", Backend::Port(free_ports(1)[0])).expecting(502),
        on("end after the ClientHello", raw(b"", Then::End)).expecting(502),
        on("silence after the ClientHello", raw(b"", Then::Silence)).expecting(504),
        on(
            "half a record, silence",
            raw(&[22, 3, 3, 0, 9, 1], Then::Silence),
        )
        .expecting(504),
        on("half a record, end", raw(&[22, 3, 3, 0, 9, 1], Then::End)).expecting(502),
        on("garbage", raw(&[0xde; 200], Then::End)).expecting(502),
        on("SSH", raw(b"SSH-2.0-OpenSSH_9.2\r\n", Then::End)).expecting(502),
        on("close_notify", raw(&[21, 3, 3, 0, 2, 1, 0], Then::End)).expecting(502),
    ]);
    for alert in [
        10, 20, 40, 42, 47, 48, 50, 70, 71, 80, 86, 109, 112, 116, 120,
    ] {
        let bytes = [21, 3, 3, 0, 2, 2, alert];
        let name = format!("alert {alert} at once");
        cases.push(on(&name, raw(&bytes, Then::End)).expecting(502));
    }
    cases.extend(in_plain_text(&root, &leaf));
    cases
}

/// What both sides can agree upon, or not.
fn parameters(root: &Issued, leaf: &Issued, rsa: &Issued) -> Vec<Case> {
    let with = |name: &str, leaf: &Issued, protocols, directives: &str| {
        Case::new(name, leaf, &[], &[root])
            .speaking(protocols)
            .directives(directives)
    };
    let ciphers = |list: &str| format!("ssl_ciphers {list};");
    vec![
        with("TLSv1 only", leaf, "TLSv1", &ciphers("ALL:@SECLEVEL=0")).expecting(502),
        with("TLSv1.1 only", leaf, "TLSv1.1", &ciphers("ALL:@SECLEVEL=0")).expecting(502),
        with("CBC", rsa, "TLSv1.2", &ciphers("ECDHE-RSA-AES256-SHA384")).expecting(200),
        with("RSA key exchange", rsa, "TLSv1.2", &ciphers("AES128-SHA")).expecting(200),
        with(
            "ChaCha20",
            leaf,
            "TLSv1.2",
            &ciphers("ECDHE-ECDSA-CHACHA20-POLY1305"),
        )
        .expecting(200),
        with(
            "CCM only",
            leaf,
            "TLSv1.2",
            &ciphers("ECDHE-ECDSA-AES128-CCM8"),
        ),
        with("NULL", rsa, "TLSv1.2", &ciphers("NULL-SHA256:@SECLEVEL=0")).expecting(502),
        with(
            "ECDSA suite for an RSA key",
            rsa,
            "TLSv1.2",
            &ciphers("ECDHE-ECDSA-AES128-GCM-SHA256"),
        )
        .expecting(502),
        with(
            "secp256k1",
            leaf,
            "TLSv1.2 TLSv1.3",
            "ssl_ecdh_curve secp256k1;",
        )
        .expecting(502),
        with("P-384 only", leaf, "TLSv1.3", "ssl_ecdh_curve secp384r1;").expecting(200),
        with("P-521 only", leaf, "TLSv1.2", "ssl_ecdh_curve secp521r1;").expecting(200),
    ]
}

fn server_names(root: &Issued, leaf: &Issued) -> Vec<Case> {
    // nginx compares Host and SNI only where the server of the Host verifies clients.
    let mut misdirected = Case::new("another Host", leaf, &[], &[root]).expecting(421);
    if let Backend::Nginx {
        directives, second, ..
    } = &mut misdirected.backend
    {
        let verify = "ssl_verify_client optional_no_ca;";
        *directives = format!("server_name {HOST}; {verify}");
        *second = format!("server_name other.example.com; {verify}");
    }
    "other.example.com".clone_into(&mut misdirected.host);
    let client = Template::client("gateway").signed_by(root);
    let mut with_client = misdirected.clone().presenting(&client, &[]);
    with_client.name.push_str(", with a client certificate");
    let rejecting = Case::new("ssl_reject_handshake", leaf, &[], &[root])
        .directives("ssl_reject_handshake on;")
        .expecting(502);
    let mut cases = misdirected.in_both_versions();
    cases.extend(with_client.in_both_versions());
    cases.extend(rejecting.in_both_versions());
    cases
}

/// `proxy_pass http://`.
fn in_plain_text(root: &Issued, leaf: &Issued) -> Vec<Case> {
    let plain = |name: &str, backend| {
        let mut case = Case::new(name, leaf, &[], &[root]).served_by(backend);
        case.trusted = None;
        case
    };
    let mut to_tls = Case::new("plain HTTP to a TLS port", leaf, &[], &[root]).expecting(400);
    to_tls.trusted = None;
    // Doubled and contradicting lengths are refused only since nginx 1.23: Debian's lets them pass,
    // and the probe follows the newer one (steps/http/head.rs).
    let answers: &[(&str, &str)] = &[
        ("200", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        ("HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nok"),
        ("404", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        ("503", "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"),
        ("no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
        ("line feeds only", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
        (
            "a header with a space",
            "HTTP/1.1 200 OK\r\nbad header: x\r\n\r\n",
        ),
        (
            "a header without a colon",
            "HTTP/1.1 200 OK\r\nodd\r\nContent-Length: 0\r\n\r\n",
        ),
        ("an empty header name", "HTTP/1.1 200 OK\r\n: x\r\n\r\n"),
        (
            "chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ),
        ("no HTTP", "220 mail.example.com ESMTP\r\n"),
        ("nothing", ""),
        ("half a status line", "HTTP/1.1 20"),
        ("half a head", "HTTP/1.1 200 OK\r\nServer"),
        (
            "half a body",
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        ),
    ];
    let mut cases = vec![
        plain("plain HTTP to a plain port", Backend::PlainNginx).expecting(200),
        plain("plain HTTP, silence", Backend::Raw(vec![], Then::Silence)).expecting(504),
        plain("plain HTTP, refused", Backend::Port(free_ports(1)[0])).expecting(502),
        plain("plain HTTP, too big", Backend::Raw(too_big(), Then::End)).expecting(502),
        to_tls,
    ];
    cases.extend(answers.iter().map(|(name, answer)| {
        let backend = Backend::Raw(answer.as_bytes().to_vec(), Then::End);
        plain(&format!("plain HTTP: {name}"), backend)
    }));
    cases
}

fn too_big() -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nX-Big: {}\r\n\r\n", "x".repeat(9_000)).into_bytes()
}
