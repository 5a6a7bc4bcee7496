//! Two faults at once: each pair of a list of faults of the leaf, and each of them below each of a
//! list of faults above it. nginx says what comes of it.

use openssl::hash::MessageDigest;

use crate::case::Case;
use crate::support::HOST;
use crate::support::pki::{CLIENT_AUTH, Issued, KEY_CERT_SIGN, KeyKind, Template};

type Fault = (&'static str, fn(&mut Template));

const OF_THE_LEAF: &[Fault] = &[
    ("expired", |t| {
        (t.not_before, t.not_after) = (-20_000, -10_000);
    }),
    ("not yet valid", |t| {
        (t.not_before, t.not_after) = (10_000, 20_000);
    }),
    ("for clients only", |t| {
        t.extended_key_usage = Some(vec![CLIENT_AUTH]);
    }),
    ("only keyCertSign", |t| {
        t.key_usage = Some(vec![KEY_CERT_SIGN]);
    }),
    ("unknown critical extension", |t| {
        t.unknown_extension = Some(true);
    }),
    ("RSA 1024", |t| t.key = KeyKind::Rsa(1024)),
    ("SHA-1", |t| t.digest = MessageDigest::sha1()),
    ("another name", |t| {
        t.dns = vec!["other.example.com".to_owned()];
    }),
    ("broken signature", |t| t.broken_signature = true),
];

/// How the gateway's trust is wrong.
const OF_THE_TRUST: &[&str] = &[
    "another root",
    "intermediate missing",
    "only the intermediate",
    "root sent, not trusted",
];

const OF_THE_INTERMEDIATE: &[Fault] = &[
    ("expired intermediate", |t| {
        (t.not_before, t.not_after) = (-20_000, -10_000);
    }),
    ("intermediate for clients", |t| {
        t.extended_key_usage = Some(vec![CLIENT_AUTH]);
    }),
    ("intermediate CA:FALSE", |t| {
        t.basic_constraints = Some((false, None));
    }),
    ("intermediate of RSA 1024", |t| t.key = KeyKind::Rsa(1024)),
    ("intermediate of pathlen 0 and name constraints", |t| {
        t.basic_constraints = Some((true, Some(0)));
        t.name_constraints = Some((vec!["other.example".to_owned()], vec![]));
    }),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let root = Template::ca("Root").self_signed();
    let other = Template::ca("Other").self_signed();
    let middle = Template::ca("Middle").signed_by(&root);
    for (index, (first, change)) in OF_THE_LEAF.iter().enumerate() {
        for (second, change_too) in &OF_THE_LEAF[index + 1..] {
            let leaf = Template::server(HOST)
                .with(change)
                .with(change_too)
                .signed_by(&root);
            cases.push(case(
                &format!("{first}, {second}"),
                &leaf,
                &[],
                &[&root],
                cases.len(),
            ));
        }
        for trust in OF_THE_TRUST {
            let leaf = Template::server(HOST).with(change).signed_by(&middle);
            let (sent, trusted): (Vec<&Issued>, &Issued) = match *trust {
                "another root" => (vec![&middle], &other),
                "intermediate missing" => (vec![], &root),
                "only the intermediate" => (vec![&middle], &middle),
                _ => (vec![&middle, &root], &other),
            };
            cases.push(case(
                &format!("{first}, {trust}"),
                &leaf,
                &sent,
                &[trusted],
                cases.len(),
            ));
        }
        for (above, change_above) in OF_THE_INTERMEDIATE {
            let middle = Template::ca("Middle").with(change_above).signed_by(&root);
            let leaf = Template::server(HOST).with(change).signed_by(&middle);
            cases.push(case(
                &format!("{first}, {above}"),
                &leaf,
                &[&middle],
                &[&root],
                cases.len(),
            ));
        }
    }
    cases
}

/// The versions take turns: what is judged does not depend on them.
fn case(name: &str, leaf: &Issued, sent: &[&Issued], trusted: &[&Issued], number: usize) -> Case {
    let version = if number.is_multiple_of(2) {
        "TLSv1.2"
    } else {
        "TLSv1.3"
    };
    Case::new(&format!("pair: {name} ({version})"), leaf, sent, trusted).speaking(version)
}
