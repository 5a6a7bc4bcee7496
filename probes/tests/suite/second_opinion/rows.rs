//! The table: certificates, what nginx says of them, and whether a strict client takes them.

use crate::support::HOST;
use crate::support::pki::{
    ANY_EKU, Authority, CLIENT_AUTH, CRL_SIGN, KEY_CERT_SIGN, KeyKind, SERVER_AUTH, Template,
};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;

use super::{Case, LOCALHOST};

fn two_roots(wrong_first: bool) -> Case {
    let right = Template::ca("LocalCA").self_signed();
    let wrong = Template::ca("LocalCA").self_signed();
    let leaf = Template::server(HOST)
        .with(|t| t.authority = Authority::None)
        .signed_by(&right);
    let trusted = if wrong_first {
        vec![wrong, right]
    } else {
        vec![wrong]
    };
    Case {
        sent: vec![leaf],
        trusted,
        name: HOST,
    }
}

/// The new root, once as itself and once signed by an old one that has expired, is sent below it.
fn cross_signed() -> Case {
    let new_root = Template::ca("New root").self_signed();
    let old_root = Template::ca("Old root").expired().self_signed();
    let cross = Template::ca("New root")
        .with(|t| t.own_key = Some(new_root.key.clone()))
        .signed_by(&old_root);
    let leaf = Template::server(HOST).signed_by(&new_root);
    Case {
        sent: vec![leaf, cross],
        trusted: vec![new_root],
        name: HOST,
    }
}

/// Case, NGINX's code and name, and whether rustls accepts: facts/tls.md, row by row.
#[expect(clippy::too_many_lines, reason = "one line for each row of the table")]
pub(super) fn rows() -> Vec<(&'static str, Case, (i32, bool), bool)> {
    let dns = |names: &'static [&'static str]| {
        move |t: &mut Template| t.dns = names.iter().map(|n| (*n).to_owned()).collect()
    };
    let common_name = |name: &'static str| {
        move |t: &mut Template| {
            t.dns.clear();
            t.subject = vec![("CN".to_owned(), name.to_owned())];
        }
    };
    let leaf_key = |key: KeyKind| Case::leaf(|t| t.key = key);
    let usage = |bits: &'static [u8]| move |t: &mut Template| t.key_usage = Some(bits.to_vec());
    let purposes = |oids: &'static [&'static str]| {
        move |t: &mut Template| t.extended_key_usage = Some(oids.to_vec())
    };
    let unrelated = || vec![Template::ca("Unrelated").self_signed()];
    let ok = (0, true);
    let mismatch = (0, false);
    let mut intermediate_only = Case::deep(1, |_| {});
    intermediate_only.trusted = vec![intermediate_only.sent[1].clone()];
    let mut intermediate_missing = Case::deep(1, |_| {});
    intermediate_missing.sent.truncate(1);
    let mut pinned = Case::leaf(|_| {});
    pinned.trusted.clone_from(&pinned.sent);
    let mut unknown_root_sent = Case::deep(1, |_| {});
    unknown_root_sent
        .sent
        .push(unknown_root_sent.trusted[0].clone());
    vec![
        ("sound", Case::leaf(|_| {}), ok, true),
        ("CN only", Case::leaf(common_name(HOST)), ok, false),
        (
            "CN plus only IP SANs",
            Case::leaf(|t| {
                t.dns.clear();
                t.ips = vec![LOCALHOST];
            }),
            ok,
            false,
        ),
        (
            "CN is a wildcard",
            Case::leaf(common_name("*.example.com")),
            ok,
            false,
        ),
        (
            "CN matches, another DNS SAN present",
            Case::leaf(dns(&["other.example.com"])),
            mismatch,
            false,
        ),
        (
            "self-signed leaf in the store, CA:FALSE",
            Case::self_signed(|_| {}),
            ok,
            true,
        ),
        (
            "self-signed leaf in the store, no extensions but the name",
            Case::self_signed(|t| {
                t.basic_constraints = None;
                t.key_usage = None;
                t.extended_key_usage = None;
            }),
            ok,
            true,
        ),
        (
            "CA:TRUE leaf with KU=keyCertSign only",
            Case::leaf(|t| {
                t.basic_constraints = Some((true, None));
                t.key_usage = Some(vec![KEY_CERT_SIGN]);
            }),
            (26, true),
            false,
        ),
        (
            "CA:FALSE leaf with KU=keyCertSign only",
            Case::leaf(usage(&[KEY_CERT_SIGN])),
            (26, true),
            true,
        ),
        (
            "self-signed, not trusted",
            Case::self_signed(|_| {}).trusting(unrelated()),
            (18, true),
            false,
        ),
        ("leaf pinned, not self-signed", pinned, (21, true), false),
        (
            "only the intermediate in the store",
            intermediate_only,
            (2, true),
            true,
        ),
        (
            "intermediate missing",
            intermediate_missing,
            (21, true),
            false,
        ),
        (
            "unknown root not sent",
            Case::deep(1, |_| {}).trusting(unrelated()),
            (20, true),
            false,
        ),
        (
            "unknown root sent",
            unknown_root_sent.trusting(unrelated()),
            (19, true),
            false,
        ),
        (
            "root re-keyed under one name, with AKI",
            Case::leaf(|_| {}).trusting(vec![Template::ca("LocalCA").self_signed()]),
            (21, true),
            false,
        ),
        (
            "root re-keyed under one name, without AKI",
            two_roots(false),
            (7, true),
            false,
        ),
        (
            "two roots of one name, the wrong one first",
            two_roots(true),
            (7, true),
            true,
        ),
        (
            "v1 root",
            Case::below(&Template::ca("LocalCA").with(|t| t.version = 1), |_| {}),
            ok,
            true,
        ),
        (
            "v1 intermediate",
            Case::deep(1, |t| t.version = 1),
            (26, true),
            false,
        ),
        ("v1 leaf", Case::leaf(|t| t.version = 1), ok, false),
        (
            "no EKU and no KU",
            Case::leaf(|t| {
                t.key_usage = None;
                t.extended_key_usage = None;
            }),
            ok,
            true,
        ),
        (
            "EKU client only",
            Case::leaf(purposes(&[CLIENT_AUTH])),
            (26, true),
            false,
        ),
        (
            "anyEKU only",
            Case::leaf(purposes(&[ANY_EKU])),
            (26, true),
            false,
        ),
        (
            "intermediate with EKU client",
            Case::deep(1, purposes(&[CLIENT_AUTH])),
            (26, true),
            false,
        ),
        (
            "EKU server only",
            Case::leaf(purposes(&[SERVER_AUTH])),
            ok,
            true,
        ),
        (
            "CA's KU lacks certSign",
            Case::below(&Template::ca("LocalCA").with(usage(&[CRL_SIGN])), |_| {}),
            (32, true),
            true,
        ),
        (
            "root without BasicConstraints",
            Case::below(
                &Template::ca("LocalCA").with(|t| {
                    t.basic_constraints = None;
                    t.key_usage = None;
                }),
                |_| {},
            ),
            (26, true),
            true,
        ),
        (
            "root CA:FALSE",
            Case::below(
                &Template::ca("LocalCA").with(|t| {
                    t.basic_constraints = Some((false, None));
                    t.key_usage = Some(vec![CRL_SIGN]);
                }),
                |_| {},
            ),
            (32, true),
            true,
        ),
        (
            "unknown critical extension",
            Case::leaf(|t| t.unknown_extension = Some(true)),
            (34, true),
            false,
        ),
        (
            "partial wildcard a*",
            Case::leaf(dns(&["s*.example.com"])),
            ok,
            false,
        ),
        (
            "partial wildcard *p",
            Case::leaf(dns(&["*p.example.com"])),
            ok,
            false,
        ),
        (
            "wildcard two labels up",
            Case::leaf(dns(&["*.com"])),
            mismatch,
            false,
        ),
        (
            "wildcard in the middle",
            Case::leaf(dns(&["secure-app.*.com"])),
            mismatch,
            false,
        ),
        (
            "IP SAN with an IP as name",
            Case::leaf(|t| t.ips = vec![LOCALHOST]).named("127.0.0.1"),
            mismatch,
            true,
        ),
        (
            "IP text in CN",
            Case::leaf(common_name("127.0.0.1")).named("127.0.0.1"),
            ok,
            false,
        ),
        (
            "IP text in a DNS SAN",
            Case::leaf(dns(&["127.0.0.1"])).named("127.0.0.1"),
            ok,
            false,
        ),
        (
            "trailing dot in the name only",
            Case::leaf(|_| {}).named("secure-app.example.com."),
            mismatch,
            true,
        ),
        (
            "trailing dot in both",
            Case::leaf(dns(&["secure-app.example.com."])).named("secure-app.example.com."),
            ok,
            false,
        ),
        (
            "underscore",
            Case::leaf(dns(&["a_b.svc"])).named("a_b.svc"),
            ok,
            true,
        ),
        (
            "uppercase",
            Case::leaf(dns(&["APP.Example.com"])).named("app.example.com"),
            ok,
            true,
        ),
        (
            "single label",
            Case::leaf(dns(&["app"])).named("app"),
            ok,
            true,
        ),
        (
            "name-constraint violation",
            Case::below(
                &Template::ca("LocalCA")
                    .with(|t| t.name_constraints = Some((vec!["allowed.test".to_owned()], vec![]))),
                |_| {},
            ),
            (47, true),
            false,
        ),
        (
            "expired leaf",
            Case::leaf(|t| (t.not_before, t.not_after) = (-20_000, -10_000)),
            (10, true),
            false,
        ),
        (
            "expired intermediate",
            Case::deep(1, |t| (t.not_before, t.not_after) = (-20_000, -10_000)),
            (10, true),
            false,
        ),
        (
            "expired root in the store",
            Case::below(&Template::ca("LocalCA").expired(), |_| {}),
            (10, true),
            true,
        ),
        (
            "cross-signed by an expired root, new root trusted",
            cross_signed(),
            ok,
            true,
        ),
        ("4 intermediates", Case::deep(4, |_| {}), ok, true),
        ("5 intermediates", Case::deep(5, |_| {}), (20, true), true),
        (
            "RSA-1024 leaf",
            leaf_key(KeyKind::Rsa(1024)),
            (66, true),
            false,
        ),
        (
            "RSA-1024 CA",
            Case::below(
                &Template::ca("LocalCA").with(|t| t.key = KeyKind::Rsa(1024)),
                |_| {},
            ),
            (67, true),
            false,
        ),
        (
            "SHA-1 signature on the leaf",
            Case::leaf(|t| t.digest = MessageDigest::sha1()),
            (68, true),
            false,
        ),
        (
            "SHA-1 signature only on the root",
            Case::below(
                &Template::ca("LocalCA").with(|t| t.digest = MessageDigest::sha1()),
                |_| {},
            ),
            ok,
            true,
        ),
        ("Ed25519", leaf_key(KeyKind::Ed25519), ok, true),
        ("P-384", leaf_key(KeyKind::Ec(Nid::SECP384R1)), ok, true),
        ("Ed448", leaf_key(KeyKind::Ed448), ok, false),
        ("P-521", leaf_key(KeyKind::Ec(Nid::SECP521R1)), ok, false),
        ("RSA-PSS", leaf_key(KeyKind::RsaPss(2048)), ok, false),
        (
            "explicit EC parameters",
            leaf_key(KeyKind::EcExplicit),
            (94, true),
            false,
        ),
    ]
}
