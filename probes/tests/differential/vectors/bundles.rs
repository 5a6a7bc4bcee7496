//! Trust bundles that hold more, or other things, than a root's certificate.

use crate::mint::{self, Certificate, Issued, bundle, purpose};
use crate::scenario::{Bundler, Scenario};
use crate::vector::Vector;

const SERVER: &[&str] = &[purpose::SERVER_AUTH];
const CLIENT: &[&str] = &[purpose::CLIENT_AUTH];

const BUNDLES: &[(&str, Bundler)] = &[
    ("two unrelated roots and the right one", |chain, _| {
        let other = |name: &str| Certificate::ca(name).self_signed();
        bundle(&[&other("Other Root 1"), &other("Other Root 2"), &chain[0]])
    }),
    ("text around the certificate", |chain, _| {
        [
            &b"# the root\nsubject=CN=Root\n\n"[..],
            &chain[0].pem(),
            b"\nthe end\n",
        ]
        .concat()
    }),
    ("carriage returns", |chain, _| {
        with_carriage_returns(&chain[0].pem())
    }),
    ("no line end at the end", |chain, _| {
        chain[0].pem().trim_ascii_end().to_vec()
    }),
    ("a private key before the certificate", |chain, leaf| {
        [leaf.key_pem(), chain[0].pem()].concat()
    }),
    ("the old label, X509 CERTIFICATE", |chain, _| {
        mint::pem("X509 CERTIFICATE", &chain[0].der)
    }),
    ("root with settings, none", |chain, _| {
        chain[0].pem_with_settings(&[], &[])
    }),
    ("root trusted for servers", |chain, _| {
        chain[0].pem_with_settings(SERVER, &[])
    }),
    ("root trusted for clients only", |chain, _| {
        chain[0].pem_with_settings(CLIENT, &[])
    }),
    ("root trusted for anything", |chain, _| {
        chain[0].pem_with_settings(&[purpose::ANY], &[])
    }),
    ("root rejected for servers", |chain, _| {
        chain[0].pem_with_settings(&[], SERVER)
    }),
    ("root rejected for clients only", |chain, _| {
        chain[0].pem_with_settings(&[], CLIENT)
    }),
    ("intermediate alone, trusted for servers", |chain, _| {
        chain[1].pem_with_settings(SERVER, &[])
    }),
    (
        "intermediate alone, trusted for clients only",
        |chain, _| chain[1].pem_with_settings(CLIENT, &[]),
    ),
    ("intermediate rejected, root trusted", |chain, _| {
        [chain[1].pem_with_settings(&[], SERVER), chain[0].pem()].concat()
    }),
    ("leaf alone, trusted for servers", |_, leaf| {
        leaf.pem_with_settings(SERVER, &[])
    }),
    ("leaf rejected, root trusted", |chain, leaf| {
        [leaf.pem_with_settings(&[], SERVER), chain[0].pem()].concat()
    }),
    ("the same root with a longer life", |chain, _| {
        renewed(&chain[0], 24 * 9000)
    }),
    ("the same root, of an expired issue", |chain, _| {
        renewed(&chain[0], -1)
    }),
    (
        "the same root, of an expired issue, and the right one",
        |chain, _| [renewed(&chain[0], -1), chain[0].pem()].concat(),
    ),
    ("the right root and an expired issue of it", |chain, _| {
        [chain[0].pem(), renewed(&chain[0], -1)].concat()
    }),
];

pub(super) fn vectors() -> Vec<Vector> {
    BUNDLES
        .iter()
        .map(|(name, bundler)| {
            Scenario::deep(|s| s.bundler = Some(*bundler)).vector(&format!("bundle: {name}"), None)
        })
        .collect()
}

/// Issued again for the same key under the same name.
fn renewed(root: &Issued, not_after: i64) -> Vec<u8> {
    Certificate {
        not_before: -24 * 365,
        not_after,
        ..root.certificate.clone()
    }
    .self_signed()
    .pem()
}

fn with_carriage_returns(pem: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(pem)
        .replace('\n', "\r\n")
        .into_bytes()
}
