//! The certificates of the embedded cluster, minted afresh at every start in the shape that
//! cert-manager gives them: RSA 2048, SHA-256, 90 days, a critical key usage and basic constraints,
//! no extended key usage, an authority key identifier that names the CA's subject key identifier, a
//! PKCS#1 key (cert-manager `pkg/util/pki`).

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder, X509Req, X509ReqBuilder};
use zeroize::Zeroizing;

/// cert-manager's default `spec.duration`.
pub(crate) const LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What a certificate is to say.
#[derive(Debug, Clone)]
pub(crate) struct CertificateRequest {
    /// `spec.commonName`.
    pub common_name: String,
    /// `spec.dnsNames`.
    pub dns_names: Vec<String>,
    /// `spec.ipAddresses`.
    pub addresses: Vec<IpAddr>,
    /// `spec.isCA`.
    pub ca: bool,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when it is valid.
    pub not_after: Timestamp,
}

/// A certificate with its key. OpenSSL clears the key's memory when it is freed.
#[derive(Clone)]
pub(crate) struct Pair {
    /// The certificate.
    pub certificate: X509,
    pub(crate) key: PKey<Private>,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair")
            .field("subject", &self.certificate.subject_name())
            .finish_non_exhaustive()
    }
}

impl CertificateRequest {
    /// Valid from now for cert-manager's default lifetime.
    pub(crate) fn new(common_name: &str, dns_names: &[&str], ca: bool, now: Timestamp) -> Self {
        Self {
            common_name: common_name.to_owned(),
            dns_names: dns_names.iter().map(|n| (*n).to_owned()).collect(),
            addresses: Vec::new(),
            ca,
            not_before: now,
            not_after: now.checked_add(LIFETIME).unwrap_or(Timestamp::MAX),
        }
    }
}

impl Pair {
    /// Makes an RSA key and lets `issuer` sign a certificate for it; without an issuer it signs itself.
    pub(crate) fn mint(
        wish: &CertificateRequest,
        issuer: Option<&Self>,
    ) -> Result<Self, ErrorStack> {
        Self::sign(PKey::from_rsa(Rsa::generate(2048)?)?, wish, issuer)
    }

    /// The same with a key on the curve P-256, which is made at once.
    pub(crate) fn mint_on_curve(
        wish: &CertificateRequest,
        issuer: Option<&Self>,
    ) -> Result<Self, ErrorStack> {
        let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        Self::sign(PKey::from_ec_key(EcKey::generate(&curve)?)?, wish, issuer)
    }

    fn sign(
        key: PKey<Private>,
        wish: &CertificateRequest,
        issuer: Option<&Self>,
    ) -> Result<Self, ErrorStack> {
        let mut builder = X509Builder::new()?;
        builder.set_version(2)?;
        let mut serial = BigNum::new()?;
        serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
        let serial = Asn1Integer::from_bn(&serial)?;
        builder.set_serial_number(&serial)?;
        let subject = subject(&wish.common_name)?;
        builder.set_subject_name(&subject)?;
        builder.set_issuer_name(issuer.map_or(&*subject, |i| i.certificate.subject_name()))?;
        let (from, until) = (time(wish.not_before)?, time(wish.not_after)?);
        builder.set_not_before(&from)?;
        builder.set_not_after(&until)?;
        builder.set_pubkey(&key)?;
        let mut usage = KeyUsage::new();
        usage.critical().digital_signature().key_encipherment();
        let mut constraints = BasicConstraints::new();
        constraints.critical();
        if wish.ca {
            usage.key_cert_sign();
            constraints.ca();
        }
        builder.append_extension(usage.build()?)?;
        builder.append_extension(constraints.build()?)?;
        let issuer_certificate = issuer.map(|i| &*i.certificate);
        if wish.ca {
            let context = builder.x509v3_context(issuer_certificate, None);
            let identifier = SubjectKeyIdentifier::new().build(&context)?;
            builder.append_extension(identifier)?;
        }
        if issuer.is_some() {
            let context = builder.x509v3_context(issuer_certificate, None);
            let identifier = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
            builder.append_extension(identifier)?;
        }
        if !wish.dns_names.is_empty() || !wish.addresses.is_empty() {
            let mut names = SubjectAlternativeName::new();
            for name in &wish.dns_names {
                names.dns(name);
            }
            for address in &wish.addresses {
                names.ip(&address.to_string());
            }
            let context = builder.x509v3_context(issuer_certificate, None);
            let names = names.build(&context)?;
            builder.append_extension(names)?;
        }
        builder.sign(issuer.map_or(&key, |i| &i.key), MessageDigest::sha256())?;
        Ok(Self {
            certificate: builder.build(),
            key,
        })
    }

    /// The pair in a TLS Secret, where certificate and key belong together.
    pub(crate) fn from_pem(certificate: &[u8], key: &[u8]) -> Option<Self> {
        let certificate = X509::from_pem(certificate).ok()?;
        // Never ask the terminal for a passphrase.
        let key = PKey::private_key_from_pem_callback(key, |_| Ok(0)).ok()?;
        let fits = certificate
            .public_key()
            .is_ok_and(|public| public.public_eq(&key));
        fits.then_some(Self { certificate, key })
    }

    /// `tls.crt`.
    pub(crate) fn certificate_pem(&self) -> Result<Vec<u8>, ErrorStack> {
        self.certificate.to_pem()
    }

    /// `tls.key`: PKCS#1, cert-manager's default encoding.
    pub(crate) fn key_pem(&self) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
        Ok(Zeroizing::new(self.key.rsa()?.private_key_to_pem()?))
    }

    /// A CertificateRequest's `spec.request` for this key.
    pub(crate) fn request_pem(&self, wish: &CertificateRequest) -> Result<Vec<u8>, ErrorStack> {
        let mut builder = X509ReqBuilder::new()?;
        builder.set_subject_name(&*subject(&wish.common_name)?)?;
        builder.set_pubkey(&self.key)?;
        builder.sign(&self.key, MessageDigest::sha256())?;
        let request: X509Req = builder.build();
        request.to_pem()
    }
}

fn subject(common_name: &str) -> Result<X509Name, ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    if !common_name.is_empty() {
        name.append_entry_by_text("CN", common_name)?;
    }
    Ok(name.build())
}

fn time(time: Timestamp) -> Result<Asn1Time, ErrorStack> {
    Asn1Time::from_unix(time.as_second())
}

/// A CA of the name that the guide's CA has, and another key: what is left in a `ca.crt` when the CA
/// was rotated and the Secret was not.
pub(crate) fn other_ca(now: Timestamp) -> Result<Pair, ErrorStack> {
    Pair::mint(&CertificateRequest::new("LocalCA", &[], true, now), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(certificate: &X509) -> String {
        String::from_utf8(certificate.to_text().unwrap()).unwrap()
    }

    #[test]
    fn certificates_have_cert_managers_shape() {
        let now = Timestamp::now();
        let ca = other_ca(now).unwrap();
        let wish = CertificateRequest::new(
            "secure-app.example.com",
            &["secure-app.example.com"],
            false,
            now,
        );
        let leaf = Pair::mint(&wish, Some(&ca)).unwrap();
        let (ca_text, text) = (text(&ca.certificate), text(&leaf.certificate));
        for part in [
            "X509v3 Key Usage: critical\n                Digital Signature, Key Encipherment, Certificate Sign\n",
            "X509v3 Basic Constraints: critical\n                CA:TRUE",
            "X509v3 Subject Key Identifier",
        ] {
            assert!(ca_text.contains(part), "{part}\n{ca_text}");
        }
        for part in [
            "Public-Key: (2048 bit)",
            "Signature Algorithm: sha256WithRSAEncryption",
            "X509v3 Key Usage: critical\n                Digital Signature, Key Encipherment\n",
            "X509v3 Basic Constraints: critical\n                CA:FALSE",
            "X509v3 Authority Key Identifier",
            "DNS:secure-app.example.com",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("Extended Key Usage"), "{text}");
        assert_eq!(
            ca.certificate.issued(&leaf.certificate),
            openssl::x509::X509VerifyResult::OK
        );
        assert!(
            leaf.key_pem()
                .unwrap()
                .starts_with(b"-----BEGIN RSA PRIVATE KEY-----")
        );
        assert!(!format!("{leaf:?}").contains("PRIVATE"));
    }
}
