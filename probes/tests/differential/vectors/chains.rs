//! Chains: who signed whom, who is trusted, and for how long.

use crate::mint::{Certificate, Issued, Key, Kind, bundle};
use crate::scenario::{NAME, Scenario, Trust};
use crate::vector::{Backend, Expected, Gateway, Identity, ServerBlock, Vector};

pub(super) fn vectors() -> Vec<Vector> {
    [
        trust(),
        keys_and_signatures(),
        validity(),
        lengths(),
        crossings(),
    ]
    .concat()
}

fn trust() -> Vec<Vector> {
    vec![
        Scenario::new().vector("sound, with an intermediate", Some(Expected::OK)),
        Scenario::flat().vector("sound, leaf right below the root", Some(Expected::OK)),
        Scenario::with(self_signed_leaf)
            .vector("self-signed leaf in the store", Some(Expected::OK)),
        Scenario::with(|s| {
            self_signed_leaf(s);
            s.leaf.basic_constraints = None;
            s.leaf.key_usage = None;
            s.leaf.extended_key_usage = None;
            s.leaf.subject_key_id = false;
            s.leaf.authority_key_id = false;
        })
        .vector(
            "self-signed leaf in the store, only a SAN",
            Some(Expected::OK),
        ),
        Scenario::with(|s| {
            self_signed_leaf(s);
            s.leaf.version = 1;
        })
        .vector(
            "self-signed leaf in the store, no extensions",
            Some(Expected::OK),
        ),
        Scenario::with(|s| {
            self_signed_leaf(s);
            s.leaf.basic_constraints = Some((true, None));
        })
        .vector("self-signed leaf in the store, CA:TRUE", None),
        Scenario::with(|s| {
            self_signed_leaf(s);
            s.trust = Trust::Root;
        })
        .vector("self-signed, not trusted", Some(Expected::verify(18))),
        Scenario::with(|s| s.trust = Trust::Leaf).vector(
            "leaf pinned in the store, not self-signed",
            Some(Expected::verify(21)),
        ),
        Scenario::deep(|s| s.trust = Trust::Intermediate).vector(
            "only the intermediate in the store",
            Some(Expected::verify(2)),
        ),
        Scenario::deep(|s| {
            s.trust = Trust::Intermediate;
            s.sends_intermediates = false;
        })
        .vector(
            "only the intermediate in the store, and it is not sent",
            None,
        ),
        Scenario::deep(|s| {
            s.trust = Trust::RootAndIntermediates;
            s.sends_intermediates = false;
        })
        .vector(
            "root and intermediate in the store, leaf alone sent",
            Some(Expected::OK),
        ),
        Scenario::deep(|s| s.sends_intermediates = false)
            .vector("intermediate missing", Some(Expected::verify(21))),
        Scenario::deep(|s| s.trust = Trust::Unrelated)
            .vector("unknown root, not sent", Some(Expected::verify(20))),
        Scenario::deep(|s| {
            s.trust = Trust::Unrelated;
            s.sends_root = true;
        })
        .vector("unknown root, sent", Some(Expected::verify(19))),
        Scenario::with(|s| s.trust = Trust::Unrelated)
            .vector("unknown root, leaf alone sent", None),
        Scenario::deep(|s| s.sends_root = true).vector("root sent too", Some(Expected::OK)),
    ]
}

/// Who has signed, by name and by key.
fn keys_and_signatures() -> Vec<Vector> {
    vec![
        Scenario::with(|s| s.trust = Trust::Rekeyed).vector(
            "root re-keyed under one name, with AKI",
            Some(Expected::verify(21)),
        ),
        Scenario::with(|s| {
            s.trust = Trust::Rekeyed;
            s.leaf.authority_key_id = false;
        })
        .vector(
            "root re-keyed under one name, without AKI",
            Some(Expected::verify(7)),
        ),
        Scenario::deep(|s| s.trust = Trust::Rekeyed)
            .vector("root re-keyed, intermediate with AKI", None),
        Scenario::deep(|s| {
            s.trust = Trust::Rekeyed;
            s.intermediate().authority_key_id = false;
        })
        .vector("root re-keyed, intermediate without AKI", None),
        Scenario::with(|s| {
            s.trust = Trust::RekeyedAndRoot;
            s.leaf.authority_key_id = false;
        })
        .vector(
            "two roots of one name, no AKI, the wrong one first",
            Some(Expected::verify(7)),
        ),
        Scenario::with(|s| {
            s.trust = Trust::RootAndRekeyed;
            s.leaf.authority_key_id = false;
        })
        .vector("two roots of one name, no AKI, the right one first", None),
        Scenario::with(|s| s.trust = Trust::RekeyedAndRoot)
            .vector("two roots of one name, with AKI, the wrong one first", None),
        Scenario::with(|s| s.trust = Trust::RootTwice).vector("the root twice in the bundle", None),
        Scenario::deep(|s| s.leaf.broken_signature = true).vector("leaf's signature broken", None),
        Scenario::deep(|s| s.intermediate().broken_signature = true)
            .vector("intermediate's signature broken", None),
        Scenario::deep(|s| s.root.broken_signature = true)
            .vector("root's own signature broken", None),
        Scenario::deep(|s| {
            s.leaf.issuer = Some(named("Somebody"));
        })
        .vector("leaf names an issuer that is not there", None),
    ]
}

pub(super) fn self_signed_leaf(s: &mut Scenario) {
    s.leaf_self_signed = true;
    s.trust = Trust::Leaf;
}

fn validity() -> Vec<Vector> {
    vec![
        Scenario::deep(|s| s.leaf.expired()).vector("expired leaf", Some(Expected::verify(10))),
        Scenario::deep(|s| s.intermediate().expired())
            .vector("expired intermediate", Some(Expected::verify(10))),
        Scenario::deep(|s| s.root.expired())
            .vector("expired root in the store", Some(Expected::verify(10))),
        Scenario::deep(|s| s.leaf.not_yet_valid())
            .vector("leaf not yet valid", Some(Expected::verify(9))),
        Scenario::deep(|s| s.intermediate().not_yet_valid())
            .vector("intermediate not yet valid", None),
        Scenario::deep(|s| s.root.not_yet_valid()).vector("root not yet valid", None),
        Scenario::deep(|s| s.leaf.not_after = 24 * 365 * 60).vector("leaf valid beyond 2050", None),
        Scenario::deep(|s| s.leaf.not_before = -24 * 365 * 70)
            .vector("leaf valid since before 1970", None),
        Scenario::deep(|s| {
            s.leaf.not_before = 48;
            s.leaf.not_after = -48;
        })
        .vector("leaf that ends before it begins", None),
        Scenario::deep(|s| s.intermediate().not_after = 24)
            .vector("intermediate ends before the leaf", None),
    ]
}

fn lengths() -> Vec<Vector> {
    let with_intermediates = |count: usize, sends_root: bool| {
        Scenario::with(|s| {
            s.intermediates = (1..=count)
                .map(|n| Certificate::ca(&format!("Intermediate {n}")))
                .collect();
            s.sends_root = sends_root;
        })
    };
    vec![
        with_intermediates(2, false).vector("2 intermediates", None),
        with_intermediates(3, false).vector("3 intermediates", None),
        with_intermediates(4, false).vector("4 intermediates", Some(Expected::OK)),
        with_intermediates(4, true).vector("4 intermediates, root sent", None),
        with_intermediates(5, false).vector("5 intermediates", Some(Expected::verify(20))),
        with_intermediates(5, true).vector("5 intermediates, root sent", None),
        with_intermediates(6, false).vector("6 intermediates", None),
        with_intermediates(12, false).vector("12 intermediates", None),
    ]
}

/// Chains that are no line: cross-signed, shuffled, with strangers among them.
fn crossings() -> Vec<Vector> {
    let old_root = |expired: bool| {
        let mut old = Certificate::ca("Old Root");
        if expired {
            old.expired();
        }
        old.self_signed()
    };
    let new_root = Certificate::ca("New Root").self_signed();
    let leaf = Certificate::leaf(NAME).issued_by(&new_root);
    let cross = Certificate::ca("New Root").issued_by(&old_root(false));
    let stranger = Certificate::leaf("stranger").issued_by(&old_root(false));
    let first = Certificate::ca("Intermediate 1").issued_by(&new_root);
    let second = Certificate::ca("Intermediate 2").issued_by(&first);
    let below = Certificate::leaf(NAME).issued_by(&second);
    let looping = {
        let a = Certificate {
            issuer: Some(named("Loop B")),
            ..Certificate::ca("Loop A")
        };
        let b = Certificate {
            issuer: Some(named("Loop A")),
            ..Certificate::ca("Loop B")
        };
        let signer = |name: &str| Certificate::ca(name).self_signed();
        [
            Certificate::leaf(NAME).issued_by(&signer("Loop A")),
            a.issued_by(&signer("Loop B")),
            b.issued_by(&signer("Loop A")),
        ]
    };
    let same_key = Certificate {
        key: Key::new(Kind::P256, "New Root"),
        ..Certificate::leaf(NAME)
    };
    let case = |name: &str, sent: &[&Issued], trusted: &[&Issued], expected| {
        let server = ServerBlock {
            identity: Some(Identity::new(sent)),
            directives: vec!["ssl_protocols TLSv1.2 TLSv1.3".to_owned()],
            ..ServerBlock::default()
        };
        let gateway = Gateway::new(NAME, bundle(trusted));
        Vector::new(name, Backend::Nginx(vec![server]), gateway, expected)
    };
    vec![
        case(
            "cross-signed by an expired root, new root trusted",
            &[&leaf, &cross, &old_root(true)],
            &[&new_root],
            Some(Expected::OK),
        ),
        case(
            "cross-signed by an expired root, old root trusted",
            &[&leaf, &cross],
            &[&old_root(true)],
            None,
        ),
        case(
            "cross-signed by an expired root, both roots trusted",
            &[&leaf, &cross],
            &[&old_root(true), &new_root],
            None,
        ),
        case(
            "cross-signed, old root trusted",
            &[&leaf, &cross],
            &[&old_root(false)],
            None,
        ),
        case(
            "intermediates in the wrong order",
            &[&below, &first, &second],
            &[&new_root],
            None,
        ),
        case(
            "a stranger in the chain",
            &[&below, &stranger, &second, &first],
            &[&new_root],
            None,
        ),
        case("the leaf sent twice", &[&leaf, &leaf], &[&new_root], None),
        case(
            "leaf and CA on one key",
            &[&same_key.issued_by(&new_root)],
            &[&new_root],
            None,
        ),
        case(
            "two CAs that sign each other",
            &looping.each_ref(),
            &[&new_root],
            None,
        ),
        case(
            "a cross certificate as trust anchor",
            &[&leaf],
            &[&cross],
            None,
        ),
    ]
}

fn named(name: &str) -> Vec<(&'static str, String)> {
    vec![(crate::mint::COMMON_NAME, name.to_owned())]
}
