//! Certificates minted for a scenario, so that none of them ever grows old.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use jiff::Timestamp;
use openssl::{
    asn1::Asn1Time,
    bn::{BigNum, MsbOption},
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Rsa,
    x509::{
        X509, X509NameBuilder,
        extension::{
            AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName,
            SubjectKeyIdentifier,
        },
    },
};
use serde::Deserialize;

/// A certificate as a scenario asks for it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Common name.
    pub(crate) cn: String,
    /// DNS names.
    #[serde(default)]
    pub(crate) names: Vec<String>,
    /// It is a CA.
    #[serde(default)]
    pub(crate) ca: bool,
    /// Who signs it; itself where left out.
    pub(crate) by: Option<String>,
    /// Validity in days from the scenario's now.
    pub(crate) days: Option<(i64, i64)>,
    /// Seconds from then that it is still valid, whatever the days say.
    pub(crate) seconds: Option<i64>,
    /// `serverAuth`, `clientAuth`.
    #[serde(default)]
    pub(crate) usage: Vec<String>,
    /// Whose key it has; a fresh one where left out.
    pub(crate) key_of: Option<String>,
    /// RSA bits; P-256 where left out.
    pub(crate) rsa: Option<u32>,
    /// OpenSSL's name of an elliptic curve; P-256 where left out.
    pub(crate) curve: Option<String>,
    /// It is signed with SHA-1.
    #[serde(default)]
    pub(crate) sha1: bool,
}

/// What was minted.
pub(crate) struct Minted {
    pub(crate) certificate: X509,
    pub(crate) key: PKey<Private>,
}

impl Minted {
    pub(crate) fn certificate_pem(&self) -> String {
        String::from_utf8(self.certificate.to_pem().expect("PEM")).expect("PEM is ASCII")
    }

    pub(crate) fn key_pem(&self) -> String {
        String::from_utf8(self.key.private_key_to_pem_pkcs8().expect("PEM")).expect("ASCII")
    }
}

/// Mints all, issuers first.
pub(crate) fn mint(wanted: &BTreeMap<String, Wanted>, now: Timestamp) -> BTreeMap<String, Minted> {
    let mut minted: BTreeMap<String, Minted> = BTreeMap::new();
    while minted.len() < wanted.len() {
        let before = minted.len();
        for (name, wish) in wanted {
            let mut needed = wish.by.iter().chain(&wish.key_of);
            let ready = needed.all(|other| minted.contains_key(other));
            if ready && !minted.contains_key(name) {
                let issuer = wish.by.as_ref().map(|by| &minted[by]);
                let key = wish.key_of.as_ref().map(|of| minted[of].key.clone());
                let one = certificate(wish, issuer, key, now);
                minted.insert(name.clone(), one);
            }
        }
        assert!(
            minted.len() > before,
            "an issuer is missing or issues itself"
        );
    }
    minted
}

/// Mints what is another than it was, or hangs on such a one, and keeps the rest of what was minted.
pub(crate) fn mint_over(
    kept: &BTreeMap<String, Arc<Minted>>,
    before: &BTreeMap<String, Wanted>,
    wanted: &BTreeMap<String, Wanted>,
    now: Timestamp,
) -> BTreeMap<String, Arc<Minted>> {
    let mut minted: BTreeMap<String, Arc<Minted>> = BTreeMap::new();
    while minted.len() < wanted.len() {
        let so_far = minted.len();
        for (name, wish) in wanted {
            let needed: Vec<&String> = wish.by.iter().chain(&wish.key_of).collect();
            let ready = needed.iter().all(|other| minted.contains_key(*other));
            if !ready || minted.contains_key(name) {
                continue;
            }
            let same = before.get(name) == Some(wish)
                && needed.iter().all(|other| {
                    let known = kept.get(*other);
                    known.is_some_and(|known| Arc::ptr_eq(known, &minted[*other]))
                });
            let one = match kept.get(name).filter(|_| same) {
                Some(known) => Arc::clone(known),
                None => {
                    let issuer = wish.by.as_ref().map(|by| &*minted[by]);
                    let key = wish.key_of.as_ref().map(|of| minted[of].key.clone());
                    Arc::new(certificate(wish, issuer, key, now))
                }
            };
            minted.insert(name.clone(), one);
        }
        assert!(
            minted.len() > so_far,
            "an issuer is missing or issues itself"
        );
    }
    minted
}

fn certificate(
    wish: &Wanted,
    issuer: Option<&Minted>,
    key: Option<PKey<Private>>,
    now: Timestamp,
) -> Minted {
    let key = match (key, wish.rsa) {
        (Some(key), _) => key,
        (None, Some(bits)) => PKey::from_rsa(Rsa::generate(bits).expect("RSA key")).expect("key"),
        (None, None) => {
            let curve = match wish.curve.as_deref() {
                None => Nid::X9_62_PRIME256V1,
                Some("brainpoolP256r1") => Nid::BRAINPOOL_P256R1,
                Some("secp256k1") => Nid::SECP256K1,
                Some(other) => panic!("no curve {other} is known here"),
            };
            let group = EcGroup::from_curve_name(curve).expect("a curve");
            PKey::from_ec_key(EcKey::generate(&group).expect("EC key")).expect("key")
        }
    };
    let mut name = X509NameBuilder::new().expect("name");
    name.append_entry_by_text("CN", &wish.cn).expect("CN");
    let name = name.build();
    let mut serial = BigNum::new().expect("number");
    serial
        .rand(127, MsbOption::MAYBE_ZERO, false)
        .expect("random");
    let (from, to) = wish.days.unwrap_or((-30, 335));
    let at = |days: i64| Asn1Time::from_unix(now.as_second() + days * 86_400).expect("time");

    let mut builder = X509::builder().expect("builder");
    builder.set_version(2).expect("version");
    builder
        .set_serial_number(&serial.to_asn1_integer().expect("serial"))
        .expect("serial");
    builder.set_subject_name(&name).expect("subject");
    builder
        .set_issuer_name(issuer.map_or(&name, |issuer| issuer.certificate.subject_name()))
        .expect("issuer");
    builder.set_pubkey(&key).expect("key");
    builder.set_not_before(&at(from)).expect("not before");
    let until = match wish.seconds {
        Some(seconds) => Asn1Time::from_unix(now.as_second() + seconds).expect("time"),
        None => at(to),
    };
    builder.set_not_after(&until).expect("not after");
    if wish.ca {
        let extension = BasicConstraints::new().critical().ca().build().expect("CA");
        builder.append_extension(extension).expect("extension");
    }
    if !wish.names.is_empty() {
        let mut names = SubjectAlternativeName::new();
        for name in &wish.names {
            if name.parse::<IpAddr>().is_ok() {
                names.ip(name);
            } else {
                names.dns(name);
            }
        }
        let context = builder.x509v3_context(None, None);
        let extension = names.build(&context).expect("SAN");
        builder.append_extension(extension).expect("extension");
    }
    if !wish.usage.is_empty() {
        let mut usage = ExtendedKeyUsage::new();
        for one in &wish.usage {
            usage.other(one);
        }
        builder
            .append_extension(usage.build().expect("EKU"))
            .expect("extension");
    }
    // As cert-manager does; without them OpenSSL tells a rotated CA by another code.
    let context = builder.x509v3_context(issuer.map(|issuer| &*issuer.certificate), None);
    let subject_key = SubjectKeyIdentifier::new().build(&context).expect("SKI");
    builder.append_extension(subject_key).expect("extension");
    if let Some(issuer) = issuer {
        let context = builder.x509v3_context(Some(&issuer.certificate), None);
        let authority = AuthorityKeyIdentifier::new()
            .keyid(true)
            .build(&context)
            .expect("AKI");
        builder.append_extension(authority).expect("extension");
    }
    let signer = issuer.map_or(&key, |issuer| &issuer.key);
    builder
        .sign(
            signer,
            if wish.sha1 {
                MessageDigest::sha1()
            } else {
                MessageDigest::sha256()
            },
        )
        .expect("signature");
    Minted {
        certificate: builder.build(),
        key,
    }
}
