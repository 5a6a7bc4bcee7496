//! Names: what the certificate says, what `proxy_ssl_name` asks, and what goes out as SNI.

use std::net::IpAddr;

use crate::mint::AlternativeName;
use crate::scenario::{NAME, Scenario};
use crate::vector::{Expected, Vector};

pub(super) fn vectors() -> Vec<Vector> {
    [table(), ip_vectors(), long_names(), extra()].concat()
}

/// What the certificate holds, what is asked for, what NGINX says.
struct Row {
    common_name: &'static str,
    dns_names: &'static [&'static str],
    asked: &'static str,
    expected: Option<Expected>,
}

const fn row(
    common_name: &'static str,
    dns_names: &'static [&'static str],
    asked: &'static str,
    expected: Option<Expected>,
) -> Row {
    Row {
        common_name,
        dns_names,
        asked,
        expected,
    }
}

const OK: Option<Expected> = Some(Expected::OK);
const MISMATCH: Option<Expected> = Some(Expected::MISMATCH);

const ROWS: &[Row] = &[
    row("app.ns.svc", &[], NAME, OK),
    row("*.ns.svc", &[], NAME, OK),
    row("app.ns.svc", &["other.ns.svc"], NAME, MISMATCH),
    row("other.ns.svc", &["app.ns.svc"], NAME, OK),
    row("other.ns.svc", &[], NAME, MISMATCH),
    row("x", &["other.ns.svc"], NAME, None),
    row("x", &["other.ns.svc", "app.ns.svc"], NAME, None),
    row("x", &["*.ns.svc"], NAME, None),
    row("x", &["a*.ns.svc"], NAME, OK),
    row("x", &["*p.ns.svc"], NAME, OK),
    row("x", &["a*p.ns.svc"], NAME, None),
    row("x", &["app*.ns.svc"], NAME, None),
    row("x", &["**.ns.svc"], NAME, None),
    row("x", &["*.svc"], NAME, MISMATCH),
    row("x", &["app.*.svc"], NAME, MISMATCH),
    row("x", &["*.*.svc"], NAME, None),
    row("x", &["*"], NAME, None),
    row("x", &["*"], "app", None),
    row("x", &["*.ns.svc"], "ns.svc", None),
    row("x", &["*.ns.svc"], "a.b.ns.svc", None),
    row("x", &["*.example.com"], "foo.example.com", None),
    row("x", &["*.com"], "example.com", None),
    row("x", &["xn--*.ns.svc"], "xn--a.ns.svc", None),
    row("x", &["*.ns.svc"], "xn--bliss-1b3c148a.ns.svc", None),
    row("x", &[".ns.svc"], NAME, None),
    row("x", &["app.ns.svc"], "app.ns.svc.", MISMATCH),
    row("x", &["app.ns.svc."], "app.ns.svc.", OK),
    row("x", &["app.ns.svc."], NAME, None),
    row("x", &["a_b.ns.svc"], "a_b.ns.svc", OK),
    row("x", &["*.ns.svc"], "a_b.ns.svc", None),
    row("x", &["APP.ns.SVC"], NAME, OK),
    row("x", &["app.ns.svc"], "APP.NS.SVC", OK),
    row("x", &["app"], "app", OK),
    row("app", &[], "app", None),
    row("x", &["app.ns.svc"], "app.ns.svc:8443", None),
    row("x", &["app.ns.svc:8443"], "app.ns.svc:8443", None),
    row("x", &["app.ns.svc"], "app.ns.svc:", None),
    row("x", &["127.0.0.1"], "127.0.0.1", OK),
    row("127.0.0.1", &[], "127.0.0.1", OK),
    row("x", &["127.0.0.1"], "127.0.0.1:8443", None),
    row("x", &["::1"], "::1", None),
    row("x", &["[::1]"], "[::1]", None),
    row("x", &["[::1]"], "[::1]:443", None),
    row("x", &["1.2.3"], "1.2.3", None),
    row("x", &["fd00"], "fd00::1", None),
    row("x", &["1...2"], "1...2", None),
    row("x", &["256.0.0.1"], "256.0.0.1", None),
    row("x", &["255.255.255.255"], "255.255.255.255", None),
    row("x", &["[broken"], "[broken:1", None),
    row("x", &[""], ":443", None),
    row("", &[], NAME, None),
    row("app.ns.svc ", &[], NAME, None),
    row("app.ns.svc\0.evil", &[], NAME, None),
    row("x", &["app.ns.svc\0.evil"], NAME, None),
    row("x", &["b\u{fc}cher.svc"], "xn--bcher-kva.svc", None),
    row("x", &["-app.ns.svc"], "-app.ns.svc", None),
    row("x", &["app..svc"], "app..svc", None),
    row("x", &[""], NAME, None),
];

fn table() -> Vec<Vector> {
    ROWS.iter()
        .map(|row| {
            let names = if row.dns_names.is_empty() {
                "no SAN".to_owned()
            } else {
                format!("SAN {}", row.dns_names.join(" "))
            };
            let name = format!("CN {:?}, {names:?}, asked {}", row.common_name, row.asked);
            Scenario::with(|s| {
                s.leaf.common_name(row.common_name);
                if row.common_name.is_empty() {
                    s.leaf.subject.clear();
                }
                s.leaf.dns_names(row.dns_names);
                row.asked.clone_into(&mut s.server_name);
            })
            .vector(&name, row.expected)
        })
        .collect()
}

fn ip_vectors() -> Vec<Vector> {
    let ip = |text: &str| -> AlternativeName {
        AlternativeName::Ip(text.parse::<IpAddr>().expect("an address"))
    };
    vec![
        Scenario::with(|s| s.leaf.alternative_names = vec![ip("10.0.0.1")])
            .vector("CN plus only IP SANs", OK),
        Scenario::with(|s| {
            s.leaf.common_name("x");
            s.leaf.alternative_names = vec![ip("127.0.0.1")];
            "127.0.0.1".clone_into(&mut s.server_name);
        })
        .vector("IP SAN with an IP as name", MISMATCH),
        Scenario::with(|s| {
            s.leaf.common_name("x");
            s.leaf.alternative_names = vec![ip("::1")];
            "[::1]".clone_into(&mut s.server_name);
        })
        .vector("IPv6 SAN with an IPv6 address as name", None),
        Scenario::with(|s| {
            s.leaf.common_name("127.0.0.1");
            s.leaf.alternative_names = vec![ip("127.0.0.1")];
            "127.0.0.1".clone_into(&mut s.server_name);
        })
        .vector("IP SAN and IP text in the CN", None),
    ]
}

/// The longest name that OpenSSL sends as SNI is one of 255 characters.
fn long_names() -> Vec<Vector> {
    [195, 253, 255, 256, 300]
        .into_iter()
        .map(|length| {
            let long: String = "abcdefghi."
                .chars()
                .cycle()
                .take(length - 1)
                .chain(['x'])
                .collect();
            Scenario::with(|s| {
                s.leaf.common_name("x");
                s.leaf.dns_names(&[&long]);
                s.server_name = long;
            })
            .vector(&format!("a name of {length} characters"), None)
        })
        .collect()
}

fn extra() -> Vec<Vector> {
    let mut many: Vec<String> = (0..200).map(|n| format!("app-{n}.ns.svc")).collect();
    many.push(NAME.to_owned());
    let many: Vec<AlternativeName> = many.into_iter().map(AlternativeName::Dns).collect();
    vec![
        Scenario::with(|s| s.leaf.alternative_names.clone_from(&many))
            .vector("201 SANs, the last matches", None),
        Scenario::with(|s| {
            s.leaf.alternative_names = vec![AlternativeName::Email("a@b.example".to_owned())];
        })
        .vector("CN plus only an email SAN", None),
        Scenario::with(|s| {
            s.leaf.alternative_names = vec![AlternativeName::Uri(
                "spiffe://cluster.local/ns/ns/sa/app".to_owned(),
            )];
        })
        .vector("CN plus only a URI SAN", None),
        Scenario::with(|s| {
            s.leaf.subject = vec![
                (crate::mint::COMMON_NAME, "other".to_owned()),
                (crate::mint::COMMON_NAME, NAME.to_owned()),
            ];
            s.leaf.alternative_names.clear();
        })
        .vector("two CNs, the second matches", None),
        Scenario::with(|s| {
            s.leaf.subject.clear();
        })
        .vector("no subject, SAN matches", None),
    ]
}
