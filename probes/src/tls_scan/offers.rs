//! What a matrix offers: each thing alone, as a list that rows, tests and documentation derive from.

use crate::spec::{Offer, TlsVersion};

/// One thing to offer alone.
pub(super) struct Single {
    /// As IANA or the RFC names it.
    pub(super) name: &'static str,
    pub(super) offer: Offer,
    /// Whether the name of a suite or group in a hello is one of these.
    pub(super) is_one: fn(&str) -> bool,
}

pub(super) const VERSIONS: [TlsVersion; 4] = [
    TlsVersion::Tls10,
    TlsVersion::Tls11,
    TlsVersion::Tls12,
    TlsVersion::Tls13,
];

/// Cipher suites of TLS 1.3 one by one, those of TLS 1.2 by key exchange and cipher.
pub(super) fn ciphers() -> Vec<Single> {
    vec![
        suite("TLS_AES_256_GCM_SHA384", |name| {
            name == "TLS_AES_256_GCM_SHA384"
        }),
        suite("TLS_CHACHA20_POLY1305_SHA256", |name| {
            name == "TLS_CHACHA20_POLY1305_SHA256"
        }),
        suite("TLS_AES_128_GCM_SHA256", |name| {
            name == "TLS_AES_128_GCM_SHA256"
        }),
        suite("TLS_AES_128_CCM_SHA256", |name| {
            name == "TLS_AES_128_CCM_SHA256"
        }),
        family("ECDHE with AES-GCM", "ECDHE+AESGCM", |name| {
            name.starts_with("TLS_ECDHE_") && name.contains("_GCM_")
        }),
        family("ECDHE with ChaCha20", "ECDHE+CHACHA20", |name| {
            name.starts_with("TLS_ECDHE_") && name.contains("_CHACHA20_")
        }),
        family("ECDHE with AES-CCM", "ECDHE+AESCCM", |name| {
            name.starts_with("TLS_ECDHE_") && name.contains("_CCM")
        }),
        family("ECDHE with AES-CBC", "ECDHE+AES:!AESGCM:!AESCCM", |name| {
            name.starts_with("TLS_ECDHE_") && name.contains("_CBC_")
        }),
        family("DHE with AES-GCM", "DHE+AESGCM", |name| {
            name.starts_with("TLS_DHE_") && name.contains("_GCM_")
        }),
        family("DHE with AES-CBC", "DHE+AES:!AESGCM:!AESCCM", |name| {
            name.starts_with("TLS_DHE_") && name.contains("_CBC_")
        }),
        family("RSA key exchange with AES-GCM", "kRSA+AESGCM", |name| {
            name.starts_with("TLS_RSA_WITH_") && name.contains("_GCM_")
        }),
        family(
            "RSA key exchange with AES-CBC",
            "kRSA+AES:!AESGCM:!AESCCM",
            |name| name.starts_with("TLS_RSA_WITH_") && name.contains("_CBC_"),
        ),
    ]
}

fn suite(name: &'static str, is_one: fn(&str) -> bool) -> Single {
    Single {
        name,
        offer: Offer {
            version: Some(TlsVersion::Tls13),
            suites: Some(name.to_owned()),
            ..Offer::default()
        },
        is_one,
    }
}

fn family(name: &'static str, ciphers: &str, is_one: fn(&str) -> bool) -> Single {
    Single {
        name,
        offer: Offer {
            version: Some(TlsVersion::Tls12),
            ciphers: Some(ciphers.to_owned()),
            ..Offer::default()
        },
        is_one,
    }
}

/// Key exchange groups, by TLS 1.3 or, for elliptic curves, TLS 1.2.
pub(super) fn groups() -> Vec<Single> {
    let curve = |name, openssl: &str, is_one| Single {
        name,
        offer: Offer {
            groups: Some(openssl.to_owned()),
            // In TLS 1.2 a suite without ECDHE would need no group.
            ciphers: Some("ECDHE".to_owned()),
            ..Offer::default()
        },
        is_one,
    };
    let finite = |name: &'static str, is_one| Single {
        name,
        offer: Offer {
            groups: Some(name.to_owned()),
            version: Some(TlsVersion::Tls13),
            ..Offer::default()
        },
        is_one,
    };
    vec![
        curve("X25519MLKEM768", "X25519MLKEM768", |name| {
            name == "X25519MLKEM768"
        }),
        curve("x25519", "X25519", |name| name == "x25519"),
        curve("secp256r1", "P-256", |name| name == "secp256r1"),
        curve("x448", "X448", |name| name == "x448"),
        curve("secp384r1", "P-384", |name| name == "secp384r1"),
        curve("secp521r1", "P-521", |name| name == "secp521r1"),
        finite("ffdhe2048", |name| name == "ffdhe2048"),
        finite("ffdhe3072", |name| name == "ffdhe3072"),
    ]
}
