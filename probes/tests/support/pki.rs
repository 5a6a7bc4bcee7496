//! Mints certificates of every kind, the wrong ones included: extensions are written in DER, so
//! that nothing stands between a test and what it wants to see refused.

use std::sync::{LazyLock, Mutex};

use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{Asn1Flag, EcGroup, EcKey};
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Rsa;
use openssl::x509::{X509, X509Builder, X509Extension, X509Name};

/// A day in seconds.
pub(crate) const DAY: i64 = 86_400;

/// Kinds of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Ec(Nid),
    EcExplicit,
    Rsa(u32),
    RsaPss(u32),
    Ed25519,
    Ed448,
}

/// The default: quick to make.
pub(crate) const P256: KeyKind = KeyKind::Ec(Nid::X9_62_PRIME256V1);

impl KeyKind {
    pub(crate) fn generate(self) -> PKey<Private> {
        match self {
            Self::Ec(curve) => {
                let mut group = EcGroup::from_curve_name(curve).unwrap();
                group.set_asn1_flag(Asn1Flag::NAMED_CURVE);
                PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
            }
            Self::EcExplicit => {
                let mut group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
                group.set_asn1_flag(Asn1Flag::EXPLICIT_CURVE);
                PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
            }
            Self::Rsa(bits) => rsa(bits),
            Self::RsaPss(bits) => {
                let mut context = PkeyCtx::new_id(Id::RSA_PSS).unwrap();
                context.keygen_init().unwrap();
                context.set_rsa_keygen_bits(bits).unwrap();
                context.keygen().unwrap()
            }
            Self::Ed25519 => PKey::generate_ed25519().unwrap(),
            Self::Ed448 => PKey::generate_ed448().unwrap(),
        }
    }
}

/// RSA keys take long to make: a few of each size are enough for a test run.
fn rsa(bits: u32) -> PKey<Private> {
    type Made = Vec<(u32, PKey<Private>)>;
    static KEYS: LazyLock<Mutex<Made>> = LazyLock::new(Mutex::default);
    const OF_EACH: usize = 3;
    static NEXT: Mutex<usize> = Mutex::new(0);
    let mut keys = KEYS.lock().unwrap();
    let made: Vec<_> = keys
        .iter()
        .filter(|(size, _)| *size == bits)
        .map(|(_, k)| k.clone())
        .collect();
    if made.len() < OF_EACH {
        let key = PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap();
        keys.push((bits, key.clone()));
        return key;
    }
    let mut next = NEXT.lock().unwrap();
    *next += 1;
    made[*next % OF_EACH].clone()
}

/// What an AuthorityKeyIdentifier says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Authority {
    /// The issuer's SubjectKeyIdentifier, where it has one.
    Issuer,
    /// There is none.
    None,
}

/// A certificate to be.
#[derive(Clone)]
pub(crate) struct Template {
    /// Attribute (`CN`, `O`) and value, the most general first.
    pub subject: Vec<(String, String)>,
    /// 1 or 3.
    pub version: u8,
    pub key: KeyKind,
    /// The key to use instead of a fresh one.
    pub own_key: Option<PKey<Private>>,
    pub digest: MessageDigest,
    /// Seconds from now.
    pub not_before: i64,
    /// Seconds from now.
    pub not_after: i64,
    pub dns: Vec<String>,
    pub ips: Vec<std::net::IpAddr>,
    pub uris: Vec<String>,
    /// BasicConstraints: cA and pathLenConstraint.
    pub basic_constraints: Option<(bool, Option<u8>)>,
    /// Bits of RFC 5280 §4.2.1.3, 0 is digitalSignature, 5 keyCertSign.
    pub key_usage: Option<Vec<u8>>,
    /// OIDs.
    pub extended_key_usage: Option<Vec<&'static str>>,
    pub subject_key_id: bool,
    pub authority: Authority,
    /// NameConstraints: permitted and excluded dNSNames.
    pub name_constraints: Option<(Vec<String>, Vec<String>)>,
    /// An unknown extension; true makes it critical.
    pub unknown_extension: Option<bool>,
    /// One bit of the signature is turned over.
    pub broken_signature: bool,
}

pub(crate) const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
pub(crate) const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";
pub(crate) const ANY_EKU: &str = "2.5.29.37.0";
pub(crate) const DIGITAL_SIGNATURE: u8 = 0;
pub(crate) const KEY_ENCIPHERMENT: u8 = 2;
pub(crate) const KEY_CERT_SIGN: u8 = 5;
pub(crate) const CRL_SIGN: u8 = 6;

impl Template {
    /// No extension but the key identifiers.
    pub(crate) fn bare(common_name: &str) -> Self {
        Self {
            subject: vec![("CN".to_owned(), common_name.to_owned())],
            version: 3,
            key: P256,
            own_key: None,
            digest: MessageDigest::sha256(),
            not_before: -DAY,
            not_after: 365 * DAY,
            dns: Vec::new(),
            ips: Vec::new(),
            uris: Vec::new(),
            basic_constraints: None,
            key_usage: None,
            extended_key_usage: None,
            subject_key_id: true,
            authority: Authority::Issuer,
            name_constraints: None,
            unknown_extension: None,
            broken_signature: false,
        }
    }

    /// A CA, as cert-manager makes them.
    pub(crate) fn ca(common_name: &str) -> Self {
        Self {
            basic_constraints: Some((true, None)),
            key_usage: Some(vec![DIGITAL_SIGNATURE, KEY_ENCIPHERMENT, KEY_CERT_SIGN]),
            ..Self::bare(common_name)
        }
    }

    /// A server's certificate for one DNS name.
    pub(crate) fn server(name: &str) -> Self {
        Self {
            dns: vec![name.to_owned()],
            basic_constraints: Some((false, None)),
            key_usage: Some(vec![DIGITAL_SIGNATURE, KEY_ENCIPHERMENT]),
            extended_key_usage: Some(vec![SERVER_AUTH, CLIENT_AUTH]),
            ..Self::bare(name)
        }
    }

    /// A client's certificate.
    pub(crate) fn client(common_name: &str) -> Self {
        Self {
            dns: Vec::new(),
            ..Self::server(common_name)
        }
    }

    /// Changed as the test wants it.
    #[must_use]
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    #[must_use]
    pub(crate) fn expired(self) -> Self {
        self.with(|t| (t.not_before, t.not_after) = (-10 * DAY, -DAY))
    }

    #[must_use]
    pub(crate) fn not_yet_valid(self) -> Self {
        self.with(|t| (t.not_before, t.not_after) = (10 * DAY, 20 * DAY))
    }

    pub(crate) fn self_signed(&self) -> Issued {
        self.issue(None)
    }

    pub(crate) fn signed_by(&self, issuer: &Issued) -> Issued {
        self.issue(Some(issuer))
    }

    fn issue(&self, issuer: Option<&Issued>) -> Issued {
        let key = self.own_key.clone().unwrap_or_else(|| self.key.generate());
        let mut builder = X509Builder::new().unwrap();
        builder.set_version(i32::from(self.version) - 1).unwrap();
        let mut serial = BigNum::new().unwrap();
        serial.rand(120, MsbOption::MAYBE_ZERO, false).unwrap();
        builder
            .set_serial_number(&serial.to_asn1_integer().unwrap())
            .unwrap();
        let subject = self.subject_name();
        builder.set_subject_name(&subject).unwrap();
        builder
            .set_issuer_name(issuer.map_or(&subject, |i| i.certificate.subject_name()))
            .unwrap();
        let now = jiff::Timestamp::now().as_second();
        builder
            .set_not_before(&Asn1Time::from_unix(now + self.not_before).unwrap())
            .unwrap();
        builder
            .set_not_after(&Asn1Time::from_unix(now + self.not_after).unwrap())
            .unwrap();
        builder.set_pubkey(&key).unwrap();
        let own_id = key_id(&key);
        let issuer_id = match issuer {
            Some(issuer) => issuer
                .certificate
                .subject_key_id()
                .map(|id| id.as_slice().to_vec()),
            None => self.subject_key_id.then(|| own_id.clone()),
        };
        if self.version == 3 {
            for extension in self.extensions(&own_id, issuer_id) {
                builder.append_extension(extension).unwrap();
            }
        }
        let signer = issuer.map_or(&key, |issuer| &issuer.key);
        let digest = match signer.id() {
            Id::ED25519 | Id::ED448 => MessageDigest::null(),
            _ => self.digest,
        };
        builder.sign(signer, digest).unwrap();
        let certificate = builder.build();
        let certificate = if self.broken_signature {
            break_signature(&certificate)
        } else {
            certificate
        };
        Issued { certificate, key }
    }

    fn subject_name(&self) -> X509Name {
        let mut name = X509Name::builder().unwrap();
        for (kind, value) in &self.subject {
            name.append_entry_by_text(kind, value).unwrap();
        }
        name.build()
    }

    fn extensions(&self, own_id: &[u8], issuer_id: Option<Vec<u8>>) -> Vec<X509Extension> {
        let mut all = Vec::new();
        if let Some((is_ca, path_len)) = self.basic_constraints {
            let mut inner = Vec::new();
            if is_ca {
                inner.extend(tlv(0x01, &[0xff]));
            }
            if let Some(path_len) = path_len {
                inner.extend(tlv(0x02, &[path_len]));
            }
            all.push(extension("2.5.29.19", true, &tlv(0x30, &inner)));
        }
        if let Some(bits) = &self.key_usage {
            all.push(extension("2.5.29.15", true, &bit_string(bits)));
        }
        if let Some(oids) = &self.extended_key_usage {
            let inner: Vec<u8> = oids.iter().flat_map(|oid| object(oid)).collect();
            all.push(extension("2.5.29.37", false, &tlv(0x30, &inner)));
        }
        if self.subject_key_id {
            all.push(extension("2.5.29.14", false, &tlv(0x04, own_id)));
        }
        let authority = match &self.authority {
            Authority::Issuer => issuer_id,
            Authority::None => None,
        };
        if let Some(id) = authority {
            all.push(extension("2.5.29.35", false, &tlv(0x30, &tlv(0x80, &id))));
        }
        let names = self.general_names();
        if !names.is_empty() {
            all.push(extension("2.5.29.17", false, &tlv(0x30, &names)));
        }
        if let Some((permitted, excluded)) = &self.name_constraints {
            let subtrees = |tag, names: &[String]| {
                let inner: Vec<u8> = names
                    .iter()
                    .flat_map(|n| tlv(0x30, &tlv(0x82, n.as_bytes())))
                    .collect();
                if names.is_empty() {
                    Vec::new()
                } else {
                    tlv(tag, &inner)
                }
            };
            let inner = [subtrees(0xa0, permitted), subtrees(0xa1, excluded)].concat();
            all.push(extension("2.5.29.30", true, &tlv(0x30, &inner)));
        }
        if let Some(critical) = self.unknown_extension {
            all.push(extension("1.3.6.1.4.1.99999.1", critical, &tlv(0x05, &[])));
        }
        all
    }

    fn general_names(&self) -> Vec<u8> {
        let dns = self.dns.iter().map(|name| tlv(0x82, name.as_bytes()));
        let uris = self.uris.iter().map(|uri| tlv(0x86, uri.as_bytes()));
        let ips = self.ips.iter().map(|ip| match ip {
            std::net::IpAddr::V4(v4) => tlv(0x87, &v4.octets()),
            std::net::IpAddr::V6(v6) => tlv(0x87, &v6.octets()),
        });
        dns.chain(uris).chain(ips).flatten().collect()
    }
}

/// A certificate with its key.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub certificate: X509,
    pub key: PKey<Private>,
}

impl Issued {
    pub(crate) fn pem(&self) -> Vec<u8> {
        self.certificate.to_pem().unwrap()
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        self.certificate.to_der().unwrap()
    }

    pub(crate) fn key_pem(&self) -> Vec<u8> {
        self.key.private_key_to_pem_pkcs8().unwrap()
    }
}

/// Several certificates in one PEM text.
pub(crate) fn bundle(all: &[&Issued]) -> Vec<u8> {
    all.iter().flat_map(|issued| issued.pem()).collect()
}

fn key_id(key: &PKey<Private>) -> Vec<u8> {
    hash(MessageDigest::sha1(), &key.public_key_to_der().unwrap())
        .unwrap()
        .to_vec()
}

fn break_signature(certificate: &X509) -> X509 {
    let mut der = certificate.to_der().unwrap();
    let last = der.len() - 3;
    der[last] ^= 1;
    X509::from_der(&der).unwrap()
}

fn extension(oid: &str, critical: bool, der: &[u8]) -> X509Extension {
    let oid = Asn1Object::from_str(oid).unwrap();
    let value = Asn1OctetString::new_from_bytes(der).unwrap();
    X509Extension::new_from_der(&oid, critical, &value).unwrap()
}

/// Tag, length, value.
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match value.len() {
        length @ 0..=127 => out.push(length as u8),
        length @ 128..=255 => out.extend([0x81, length as u8]),
        length => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend(value);
    out
}

fn object(oid: &str) -> Vec<u8> {
    let text = Asn1Object::from_str(oid).unwrap();
    tlv(0x06, text.as_slice())
}

fn bit_string(bits: &[u8]) -> Vec<u8> {
    let mut bytes = [0_u8; 2];
    for &bit in bits {
        bytes[usize::from(bit / 8)] |= 0x80 >> (bit % 8);
    }
    let used = if bytes[1] == 0 { 1 } else { 2 };
    let unused = bytes[used - 1].trailing_zeros().min(7) as u8;
    let mut value = vec![unused];
    value.extend(&bytes[..used]);
    tlv(0x03, &value)
}
