//! Certificates that no CA should have issued: extensions that contradict or do not decode, and
//! those that only OpenSSL knows.

use crate::mint::{Certificate, Digest, Extension, Kind, der, key};
use crate::scenario::Scenario;
use crate::vector::Vector;

/// An extension on the leaf: what, OID, critical, content.
type LeafExtension = (&'static str, &'static str, bool, fn() -> Vec<u8>);

const ON_THE_LEAF: &[LeafExtension] = &[
    ("a second BasicConstraints", "2.5.29.19", true, || {
        der::sequence(&[])
    }),
    ("a second SAN", "2.5.29.17", false, || {
        der::sequence(&[der::implicit(2, b"other.ns.svc")])
    }),
    (
        "a proxy certificate's extension",
        "1.3.6.1.5.5.7.1.14",
        true,
        || der::sequence(&[der::sequence(&[der::oid("1.3.6.1.5.5.7.21.1")])]),
    ),
    (
        "IP resources that the root does not have",
        "1.3.6.1.5.5.7.1.7",
        true,
        || der::sequence(&[der::sequence(&[der::octet_string(&[0, 1]), der::null()])]),
    ),
    (
        "Netscape's type for clients",
        "2.16.840.1.113730.1.1",
        false,
        || der::named_bits(&[0]),
    ),
    (
        "Netscape's type for servers",
        "2.16.840.1.113730.1.1",
        false,
        || der::named_bits(&[1]),
    ),
    ("a critical certificate policy", "2.5.29.32", true, || {
        der::sequence(&[der::sequence(&[der::oid("1.3.6.1.4.1.99999.2")])])
    }),
    ("must-staple", "1.3.6.1.5.5.7.1.24", false, || {
        der::sequence(&[der::integer(5)])
    }),
    ("a CRL distribution point", "2.5.29.31", false, || {
        let uri = der::implicit(6, b"http://crl.example.com/a.crl");
        der::sequence(&[der::sequence(&[der::explicit(0, &der::explicit(0, &uri))])])
    }),
    (
        "name constraints on the leaf itself",
        "2.5.29.30",
        true,
        || {
            let base = der::sequence(&[der::implicit(2, b"other.svc")]);
            der::sequence(&[der::value(0xa0, &base)])
        },
    ),
    (
        "name constraints that do not decode",
        "2.5.29.30",
        true,
        || b"what".to_vec(),
    ),
    (
        "certificate policies that do not decode",
        "2.5.29.32",
        false,
        || b"what".to_vec(),
    ),
    (
        "a CRL distribution point that does not decode",
        "2.5.29.31",
        false,
        || b"what".to_vec(),
    ),
    (
        "an empty unknown extension",
        "1.3.6.1.4.1.99999.3",
        false,
        Vec::new,
    ),
];

/// An extension that takes the place of the leaf's own: what, OID, content, and how to make room.
type Replacement = (
    &'static str,
    &'static str,
    &'static [u8],
    fn(&mut Certificate),
);

const IN_PLACE: &[Replacement] = &[
    ("SAN", "2.5.29.17", b"what", |leaf| {
        leaf.alternative_names.clear();
    }),
    ("empty SAN", "2.5.29.17", &[0x30, 0], |leaf| {
        leaf.alternative_names.clear();
    }),
    ("KeyUsage", "2.5.29.15", b"what", |leaf| {
        leaf.key_usage = None;
    }),
    ("empty KeyUsage", "2.5.29.15", &[3, 1, 0], |leaf| {
        leaf.key_usage = None;
    }),
    ("ExtendedKeyUsage", "2.5.29.37", b"what", |leaf| {
        leaf.extended_key_usage = None;
    }),
    ("BasicConstraints", "2.5.29.19", b"what", |leaf| {
        leaf.basic_constraints = None;
    }),
    ("SubjectKeyIdentifier", "2.5.29.14", b"what", |leaf| {
        leaf.subject_key_id = false;
    }),
    ("AuthorityKeyIdentifier", "2.5.29.35", b"what", |leaf| {
        leaf.authority_key_id = false;
    }),
    (
        "empty AuthorityKeyIdentifier",
        "2.5.29.35",
        &[0x30, 0],
        |leaf| {
            leaf.authority_key_id = false;
        },
    ),
    (
        "AuthorityKeyIdentifier of nobody",
        "2.5.29.35",
        &[0x30, 4, 0x80, 2, 1, 2],
        |leaf| {
            leaf.authority_key_id = false;
        },
    ),
    (
        "AuthorityKeyIdentifier with another serial",
        "2.5.29.35",
        &[0x30, 3, 0x82, 1, 9],
        |leaf| {
            leaf.authority_key_id = false;
        },
    ),
];

pub(super) fn vectors() -> Vec<Vector> {
    [extensions(), times_and_algorithms(), big()].concat()
}

fn extensions() -> Vec<Vector> {
    let on_the_leaf = ON_THE_LEAF.iter().map(|&(name, oid, critical, content)| {
        Scenario::deep(|s| {
            s.leaf.extensions.push(Extension {
                oid,
                critical,
                content: content(),
            });
        })
        .vector(&format!("leaf with {name}"), None)
    });
    let in_place = IN_PLACE
        .iter()
        .flat_map(|&(name, oid, content, make_room)| {
            let odd = Extension {
                oid,
                critical: false,
                content: content.to_vec(),
            };
            let of_leaf = Scenario::deep(|s| {
                make_room(&mut s.leaf);
                s.leaf.extensions.push(odd.clone());
            });
            let of_intermediate = Scenario::deep(|s| {
                make_room(s.intermediate());
                s.intermediate().extensions.push(odd.clone());
            });
            [
                of_leaf.vector(&format!("leaf with odd {name}"), None),
                of_intermediate.vector(&format!("intermediate with odd {name}"), None),
            ]
        });
    on_the_leaf.chain(in_place).collect()
}

/// A notBefore that is no time at all is left out: OpenSSL 3.0 calls it code 13, and 3.6 does not even
/// decode such a certificate, so that no server of that version presents one.
fn times_and_algorithms() -> Vec<Vector> {
    let time = |tag: u8, text: &str| Some(der::value(tag, text.as_bytes()));
    let sha384 = || Some(key::algorithm(Kind::P256, Digest::Sha384));
    vec![
        Scenario::deep(|s| s.leaf.raw_not_before = time(0x17, "250101000000+0100"))
            .vector("notBefore with a zone", None),
        Scenario::deep(|s| s.leaf.raw_not_before = time(0x18, "20250101000000.5Z"))
            .vector("notBefore with a fraction", None),
        Scenario::deep(|s| s.leaf.raw_not_before = time(0x18, "20250101000000Z"))
            .vector("notBefore as GeneralizedTime before 2050", None),
        Scenario::deep(|s| s.leaf.raw_not_before = time(0x17, "251301000000Z"))
            .vector("notBefore in the thirteenth month", None),
        Scenario::deep(|s| s.leaf.outer_algorithm = sha384())
            .vector("two signature algorithms on the leaf", None),
        Scenario::deep(|s| s.intermediate().outer_algorithm = sha384())
            .vector("two signature algorithms on the intermediate", None),
        Scenario::deep(|s| {
            s.leaf.subject.clear();
            s.leaf.alternative_names.clear();
        })
        .vector("neither subject nor SAN", None),
        Scenario::deep(|s| s.leaf.version = 2).vector("version 2 with extensions", None),
        Scenario::deep(|s| s.leaf.version = 4).vector("version 4", None),
    ]
}

/// OpenSSL takes no more than 100 kB of certificates from a server.
fn big() -> Vec<Vector> {
    let padding = |size: usize| Extension {
        oid: "1.3.6.1.4.1.99999.4",
        critical: false,
        content: vec![0; size],
    };
    [60_000, 100_000, 110_000, 300_000]
        .into_iter()
        .map(|size| {
            Scenario::deep(|s| s.leaf.extensions.push(padding(size)))
                .vector(&format!("a leaf of {size} bytes"), None)
        })
        .collect()
}
