//! Private keys, made once for each use: a vector names a key, and two vectors that name the same
//! one share it.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use openssl::ec::{Asn1Flag, EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Signer};

use super::der;

/// What kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    P256,
    P384,
    P521,
    /// The curve of Bitcoin, which TLS 1.3 does not have.
    Secp256k1,
    BrainpoolP256,
    /// P-256 with its parameters spelled out instead of named.
    ExplicitP256,
    Rsa1024,
    Rsa2048,
    Rsa3072,
    Ed25519,
    Ed448,
}

/// A key: its kind, and a name that tells it from others of the kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

/// How a certificate is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Digest {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
    /// RSASSA-PSS with SHA-256.
    Pss,
}

impl Key {
    pub(crate) fn new(kind: Kind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
        }
    }

    /// The key itself; the first call makes it.
    pub(crate) fn load(&self) -> PKey<Private> {
        static MADE: LazyLock<Mutex<HashMap<Key, PKey<Private>>>> = LazyLock::new(Mutex::default);
        let mut made = MADE.lock().expect("no test panics while it makes a key");
        made.entry(self.clone())
            .or_insert_with(|| generate(self.kind))
            .clone()
    }
}

fn generate(kind: Kind) -> PKey<Private> {
    match kind {
        Kind::P256 => elliptic(Nid::X9_62_PRIME256V1, Asn1Flag::NAMED_CURVE),
        Kind::P384 => elliptic(Nid::SECP384R1, Asn1Flag::NAMED_CURVE),
        Kind::P521 => elliptic(Nid::SECP521R1, Asn1Flag::NAMED_CURVE),
        Kind::Secp256k1 => elliptic(Nid::SECP256K1, Asn1Flag::NAMED_CURVE),
        Kind::BrainpoolP256 => elliptic(Nid::BRAINPOOL_P256R1, Asn1Flag::NAMED_CURVE),
        Kind::ExplicitP256 => elliptic(Nid::X9_62_PRIME256V1, Asn1Flag::EXPLICIT_CURVE),
        Kind::Rsa1024 => rsa(1024),
        Kind::Rsa2048 => rsa(2048),
        Kind::Rsa3072 => rsa(3072),
        Kind::Ed25519 => PKey::generate_ed25519().expect("an Ed25519 key"),
        Kind::Ed448 => PKey::generate_ed448().expect("an Ed448 key"),
    }
}

fn elliptic(curve: Nid, form: Asn1Flag) -> PKey<Private> {
    let mut group = EcGroup::from_curve_name(curve).expect("a curve that OpenSSL has");
    group.set_asn1_flag(form);
    PKey::from_ec_key(EcKey::generate(&group).expect("an EC key")).expect("an EC key")
}

fn rsa(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).expect("an RSA key")).expect("an RSA key")
}

/// The AlgorithmIdentifier for a signature by this kind of key (RFC 3279, 4055, 5758, 8410).
pub(crate) fn algorithm(kind: Kind, digest: Digest) -> Vec<u8> {
    match kind {
        Kind::Ed25519 => der::sequence(&[der::oid("1.3.101.112")]),
        Kind::Ed448 => der::sequence(&[der::oid("1.3.101.113")]),
        Kind::Rsa1024 | Kind::Rsa2048 | Kind::Rsa3072 => match digest {
            Digest::Md5 => rsa_algorithm("1.2.840.113549.1.1.4"),
            Digest::Sha1 => rsa_algorithm("1.2.840.113549.1.1.5"),
            Digest::Sha256 => rsa_algorithm("1.2.840.113549.1.1.11"),
            Digest::Sha384 => rsa_algorithm("1.2.840.113549.1.1.12"),
            Digest::Sha512 => rsa_algorithm("1.2.840.113549.1.1.13"),
            Digest::Pss => pss_algorithm(),
        },
        _ => der::sequence(&[der::oid(match digest {
            Digest::Sha1 => "1.2.840.10045.4.1",
            Digest::Sha384 => "1.2.840.10045.4.3.3",
            Digest::Sha512 => "1.2.840.10045.4.3.4",
            Digest::Sha256 => "1.2.840.10045.4.3.2",
            Digest::Md5 | Digest::Pss => panic!("ECDSA has no {digest:?}"),
        })]),
    }
}

fn rsa_algorithm(oid: &str) -> Vec<u8> {
    der::sequence(&[der::oid(oid), der::null()])
}

/// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 octets (RFC 4055 §3.1).
fn pss_algorithm() -> Vec<u8> {
    let sha256 = der::sequence(&[der::oid("2.16.840.1.101.3.4.2.1"), der::null()]);
    let mgf1 = der::sequence(&[der::oid("1.2.840.113549.1.1.8"), sha256.clone()]);
    der::sequence(&[
        der::oid("1.2.840.113549.1.1.10"),
        der::sequence(&[
            der::explicit(0, &sha256),
            der::explicit(1, &mgf1),
            der::explicit(2, &der::integer(32)),
        ]),
    ])
}

/// Signs `message`.
pub(crate) fn sign(key: &Key, digest: Digest, message: &[u8]) -> Vec<u8> {
    let private = key.load();
    if matches!(key.kind, Kind::Ed25519 | Kind::Ed448) {
        let mut signer = Signer::new_without_digest(&private).expect("a signer");
        return signer.sign_oneshot_to_vec(message).expect("a signature");
    }
    let hash = match digest {
        Digest::Md5 => MessageDigest::md5(),
        Digest::Sha1 => MessageDigest::sha1(),
        Digest::Sha256 | Digest::Pss => MessageDigest::sha256(),
        Digest::Sha384 => MessageDigest::sha384(),
        Digest::Sha512 => MessageDigest::sha512(),
    };
    let mut signer = Signer::new(hash, &private).expect("a signer");
    if digest == Digest::Pss {
        signer.set_rsa_padding(Padding::PKCS1_PSS).expect("RSA-PSS");
        signer
            .set_rsa_mgf1_md(MessageDigest::sha256())
            .expect("MGF1");
        signer
            .set_rsa_pss_saltlen(RsaPssSaltlen::custom(32))
            .expect("a salt length");
    }
    signer.sign_oneshot_to_vec(message).expect("a signature")
}
