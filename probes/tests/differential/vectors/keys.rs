//! Keys, curves and signatures.

use crate::mint::{Certificate, Digest, Key, Kind};
use crate::scenario::Scenario;
use crate::vector::{Expected, Vector};

pub(super) fn vectors() -> Vec<Vector> {
    [keys(), signatures()].concat()
}

fn leaf_key(kind: Kind) -> Scenario {
    Scenario::with(|s| s.leaf.key = Key::new(kind, "leaf"))
}

fn root_key(kind: Kind) -> Scenario {
    Scenario::with(|s| set_key(&mut s.root, kind))
}

pub(super) fn set_key(certificate: &mut Certificate, kind: Kind) {
    certificate.key = Key::new(kind, &certificate.key.name);
}

fn keys() -> Vec<Vector> {
    let ok = Some(Expected::OK);
    let mut vectors = vec![
        leaf_key(Kind::Rsa1024).vector("RSA-1024 leaf", Some(Expected::verify(66))),
        root_key(Kind::Rsa1024).vector("RSA-1024 CA", Some(Expected::verify(67))),
        Scenario::deep(|s| set_key(s.intermediate(), Kind::Rsa1024))
            .vector("RSA-1024 intermediate", Some(Expected::verify(67))),
        leaf_key(Kind::ExplicitP256)
            .vector("explicit EC parameters, leaf", Some(Expected::verify(94))),
        root_key(Kind::ExplicitP256).vector("explicit EC parameters, CA", None),
        Scenario::deep(|s| set_key(s.intermediate(), Kind::ExplicitP256))
            .vector("explicit EC parameters, intermediate", None),
    ];
    for (kind, words, expected) in [
        (Kind::P384, "P-384", ok),
        (Kind::P521, "P-521", ok),
        (Kind::Ed25519, "Ed25519", ok),
        (Kind::Ed448, "Ed448", ok),
        (Kind::Rsa2048, "RSA-2048", ok),
        (Kind::Rsa3072, "RSA-3072", ok),
        (Kind::Secp256k1, "secp256k1", None),
        (Kind::BrainpoolP256, "brainpoolP256r1", None),
    ] {
        vectors.push(root_key(kind).vector(&format!("{words} CA"), expected));
        for version in ["TLSv1.2", "TLSv1.3"] {
            let mut scenario = leaf_key(kind);
            scenario.directive(&format!("ssl_protocols {version}"));
            vectors.push(scenario.vector(&format!("{words} leaf, {version}"), expected));
        }
    }
    vectors
}

fn signatures() -> Vec<Vector> {
    let rsa_root = |change: &dyn Fn(&mut Scenario)| {
        Scenario::with(|s| {
            set_key(&mut s.root, Kind::Rsa2048);
            change(s);
        })
    };
    let rsa_chain = |change: &dyn Fn(&mut Scenario)| {
        Scenario::deep(|s| {
            set_key(&mut s.root, Kind::Rsa2048);
            change(s);
        })
    };
    let weak = Some(Expected::verify(68));
    let ok = Some(Expected::OK);
    vec![
        rsa_root(&|s| s.leaf.digest = Digest::Sha1).vector("SHA-1 signature on the leaf", weak),
        rsa_root(&|s| s.leaf.digest = Digest::Md5).vector("MD5 signature on the leaf", weak),
        Scenario::with(|s| s.leaf.digest = Digest::Sha1)
            .vector("ECDSA with SHA-1 on the leaf", weak),
        rsa_root(&|s| s.root.digest = Digest::Sha1).vector("SHA-1 signature on the root only", ok),
        rsa_root(&|s| s.root.digest = Digest::Md5).vector("MD5 signature on the root only", ok),
        rsa_chain(&|s| s.intermediate().digest = Digest::Sha1)
            .vector("SHA-1 signature on the intermediate", None),
        rsa_root(&|s| s.leaf.digest = Digest::Sha384).vector("SHA-384 signature", ok),
        rsa_root(&|s| s.leaf.digest = Digest::Sha512).vector("SHA-512 signature", ok),
        rsa_root(&|s| s.leaf.digest = Digest::Pss).vector("RSA-PSS signature on the leaf", ok),
        rsa_root(&|s| {
            s.root.digest = Digest::Pss;
            s.leaf.digest = Digest::Pss;
        })
        .vector("RSA-PSS signatures throughout", ok),
        Scenario::with(|s| {
            super::chains::self_signed_leaf(s);
            set_key(&mut s.leaf, Kind::Rsa2048);
            s.leaf.digest = Digest::Sha1;
        })
        .vector("SHA-1 on a self-signed leaf in the store", None),
    ]
}
