//! What rustls asks its user in a handshake: is the certificate good, is the signature, which client certificate is
//! to be sent. The answers are written down; in TLS 1.3 nothing else shows these messages.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

use super::ClientAuthentication;
use super::tap::Tap;
use crate::probe::ProbeError;
use crate::recorder::Recorder;
use crate::spec::ClientIdentity;
use ngf_text::sanitize;
use ngf_tls::certificate::{CertificateFacts, name_from_der};
use ngf_tls::messages::{Decoder, Facts, names};
use ngf_tls::transcript::{Direction, Layer, Step, TlsAgreed};

/// More certificates or CA names than this are not kept.
const MOST: usize = 200;

/// What the handshake told.
#[derive(Debug, Clone, Default)]
pub(super) struct Told(Arc<Mutex<HandshakeNotes>>);

#[derive(Debug, Default)]
struct HandshakeNotes {
    chain: Vec<Vec<u8>>,
    chain_at: Option<Instant>,
    scheme: Option<(u16, Instant)>,
    /// The CA names of a CertificateRequest.
    request: Option<(Vec<String>, Instant)>,
    sent: bool,
}

impl Told {
    fn with<T>(&self, look: impl FnOnce(&mut HandshakeNotes) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The certificates that the listener presented.
    pub(super) fn chain(&self) -> Vec<CertificateFacts> {
        self.with(|said| {
            let facts = |der: &Vec<u8>| {
                CertificateFacts::from_der(der)
                    .unwrap_or_else(|error| CertificateFacts::unreadable(der, &error))
            };
            said.chain.iter().map(facts).collect()
        })
    }

    /// The client certificate's part.
    pub(super) fn client_certificate(&self, subject: Option<String>) -> ClientAuthentication {
        self.with(|said| ClientAuthentication {
            requested: said.request.is_some(),
            acceptable_cas: said
                .request
                .iter()
                .flat_map(|(names, _)| names.clone())
                .collect(),
            sent: said.sent,
            subject: subject.filter(|_| said.sent),
        })
    }

    /// Writes the messages down as steps: those that passed in plain text as they were, the others by what rustls
    /// asked.
    pub(super) fn write_down(
        &self,
        tap: &Tap,
        agreed: Option<&TlsAgreed>,
        subject: Option<&str>,
        recorder: &Recorder,
    ) {
        let is_tls12 = agreed.is_some_and(|agreed| agreed.version == "TLSv1.2");
        for (sent, message, length, at) in tap.messages() {
            let is_hello = matches!(
                message.facts,
                Facts::ServerHello { .. } | Facts::HelloRetryRequest
            ) || message.name == "ClientHello";
            if !is_hello && !is_tls12 {
                continue;
            }
            let direction = if sent {
                Direction::Sent
            } else {
                Direction::Received
            };
            let mut step = Step::new(
                &message.name,
                Layer::Tls,
                direction,
                recorder.at_us(at),
                &message.summary,
            )
            .bytes(length as u64);
            step.fields = message.fields;
            recorder.push(step);
        }
        if !is_tls12 {
            self.with(|said| said.write_down(agreed, subject, recorder));
        }
    }
}

impl HandshakeNotes {
    fn write_down(&self, agreed: Option<&TlsAgreed>, subject: Option<&str>, recorder: &Recorder) {
        let received = |name: &str, at: Instant, summary: &str| {
            let at = recorder.at_us(at);
            Step::new(name, Layer::Tls, Direction::Received, at, summary)
        };
        if let Some((names, at)) = &self.request {
            let summary = match names.as_slice() {
                [] => "names no CA".to_owned(),
                names => format!("CAs: {}", ngf_text::words::list(names, 3)),
            };
            let step = received("CertificateRequest", *at, &summary);
            recorder.push(step.field("certificate_authorities", names.join(", ")));
        }
        if let Some(at) = self.chain_at {
            let message = Decoder::default().decode(22, &certificate_message(&self.chain));
            let mut step = received("Certificate", at, &message.summary);
            step.fields = message.fields;
            recorder.push(step);
        }
        let Some((scheme, at)) = self.scheme else {
            return;
        };
        let scheme = names::signature_scheme(scheme);
        recorder.push(received("CertificateVerify", at, &scheme).field("algorithm", &scheme));
        let alpn = agreed.and_then(|agreed| agreed.alpn.as_deref());
        let finished = alpn.map_or_else(String::new, |alpn| format!("ALPN {alpn}"));
        recorder.push(received("Finished", at, &finished));
        let now = recorder.now_us();
        let sent =
            |name: &str, summary: &str| Step::new(name, Layer::Tls, Direction::Sent, now, summary);
        if self.request.is_some() {
            let what = subject.filter(|_| self.sent).unwrap_or("no certificate");
            recorder.push(sent("Certificate", what));
        }
        recorder.push(sent("Finished", "the handshake is complete for the client"));
    }
}

/// A Certificate message with a chain, in TLS 1.2's shape (RFC 5246 §7.4.2), for the one decoder that there is.
fn certificate_message(chain: &[Vec<u8>]) -> Vec<u8> {
    let length = |bytes: usize| {
        let [.., a, b, c] = bytes.to_be_bytes();
        [a, b, c]
    };
    let mut list = Vec::new();
    for der in chain {
        list.extend_from_slice(&length(der.len()));
        list.extend_from_slice(der);
    }
    let mut message = vec![11];
    message.extend_from_slice(&length(list.len() + 3));
    message.extend_from_slice(&length(list.len()));
    message.extend_from_slice(&list);
    message
}

/// Writes down the certificates, and verifies signatures. What the certificates are worth is judged afterwards.
#[derive(Debug)]
pub(super) struct Verifier {
    told: Told,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    pub(super) fn new(told: &Told, provider: Arc<CryptoProvider>) -> Self {
        Self {
            told: told.clone(),
            provider,
        }
    }

    fn signed(&self, signature: &DigitallySignedStruct) {
        let scheme = u16::from(signature.scheme);
        self.told
            .with(|said| said.scheme = Some((scheme, Instant::now())));
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let all = std::iter::once(leaf).chain(others);
        self.told.with(|said| {
            said.chain = all.take(MOST).map(|der| der.to_vec()).collect();
            said.chain_at = Some(Instant::now());
        });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(signature);
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(signature);
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

/// Presents the client certificate, where there is one.
#[derive(Debug)]
pub(super) struct Resolver {
    told: Told,
    identity: Option<Arc<CertifiedKey>>,
}

impl Resolver {
    pub(super) fn new(told: &Told, identity: Option<Arc<CertifiedKey>>) -> Self {
        Self {
            told: told.clone(),
            identity,
        }
    }
}

impl ResolvesClientCert for Resolver {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let names = hints.iter().take(MOST).filter_map(|der| name_from_der(der));
        let names: Vec<String> = names.collect();
        // As curl does, it is sent whatever CAs the listener names.
        let identity = self.identity.clone();
        let identity = identity.filter(|identity| identity.key.choose_scheme(schemes).is_some());
        self.told.with(|said| {
            said.request = Some((names, Instant::now()));
            said.sent = identity.is_some();
        });
        identity
    }

    fn has_certs(&self) -> bool {
        // rustls asks for one only where this is true, and a CertificateRequest is to be seen in any case.
        true
    }
}

/// The client certificate as rustls takes it. No error holds anything of the key.
pub(super) fn identity(
    identity: &ClientIdentity,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, ProbeError> {
    let origin = sanitize::line(&identity.origin, 200);
    let fails =
        |what: &str| ProbeError::Client(format!("the client certificate of {origin} {what}"));
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_slice_iter(&identity.certificate_pem).collect();
    let chain = chain.map_err(|_| fails("is not PEM"))?;
    if chain.is_empty() {
        return Err(fails("holds no certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(&identity.key_pem)
        .map_err(|_| fails("has a key that is not PEM, or is encrypted"))?;
    let found = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        Error::InconsistentKeys(_) => fails("has the key of another certificate"),
        _ => fails("has a key of a type that rustls does not use"),
    })?;
    Ok(Arc::new(found))
}

/// The subject of the client certificate.
pub(super) fn subject(identity: &ClientIdentity) -> String {
    CertificateDer::from_pem_slice(&identity.certificate_pem).map_or_else(
        |_| String::new(),
        |leaf| ngf_tls::certificate::subject_of(&leaf),
    )
}
