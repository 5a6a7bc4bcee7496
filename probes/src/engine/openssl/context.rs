//! Everything that NGINX does when it loads its configuration: `ngx_ssl_create`,
//! `ngx_ssl_ciphers`, `ngx_ssl_certificate`, `ngx_ssl_trusted_certificate`. What fails here is an
//! `[emerg]` of NGINX, not a failed handshake.

use std::sync::{Arc, Mutex, PoisonError};

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslSessionCacheMode,
    SslVerifyMode, SslVersion,
};
use openssl::x509::X509;

use super::failure::{queue, suffix};
use crate::capture::Capture;
use crate::spec::{ClientIdentity, Offer, Options, TlsSpec, TlsVersion, Trust};
use ngf_text::sanitize;
use ngf_tls::engine::messages::MessageLog;
use ngf_tls::engine::verify::{MOST_EVENTS, verify_event};
use ngf_tls::engine::{SECURITY_LEVEL, UpstreamName, ffi};
use ngf_tls::transcript::VerifyEvent;

/// A configuration that NGINX would not load.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A certificate, key or CA bundle that OpenSSL does not take.
    #[error("{sentence}; NGINX would refuse its configuration: [emerg] {emerg}")]
    Emerg {
        /// The line that NGINX would write at `[emerg]`, with the origin in place of the file.
        emerg: String,
        /// What is wrong, in words.
        sentence: String,
    },
    /// The system's CA file is not where anybody looks for it.
    #[error("this system has no CA file ({0}): name a CA bundle instead")]
    NoSystemTrust(String),
    /// This OpenSSL cannot offer what it was told to, as a version or cipher that it was built
    /// without.
    #[error("this OpenSSL cannot offer {what}")]
    Offer {
        /// What it was told, in OpenSSL's words.
        what: String,
        /// OpenSSL's reason.
        #[source]
        source: ErrorStack,
    },
    /// OpenSSL itself failed.
    #[error("OpenSSL could not be set up")]
    OpenSsl(#[from] ErrorStack),
}

/// A handshake that is ready to begin.
pub struct Prepared {
    pub(super) ssl: Ssl,
    pub(super) name: UpstreamName,
    pub(super) trace: Arc<Mutex<Vec<VerifyEvent>>>,
    pub(super) log: Arc<MessageLog>,
    pub(super) capture: Option<Capture>,
    /// The trusted certificates.
    pub(crate) roots: Vec<X509>,
    /// Where the trusted certificates came from, in words.
    pub trust_origin: String,
    /// How many there are.
    pub trusted: usize,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("name", &self.name)
            .field("trust_origin", &self.trust_origin)
            .finish_non_exhaustive()
    }
}

impl Prepared {
    /// The name that will be checked and the one that will be sent.
    pub fn name(&self) -> &UpstreamName {
        &self.name
    }

    /// Offers these protocols by ALPN, as `SSL_set_alpn_protos` takes them.
    pub(crate) fn offer_alpn(&mut self, protocols: &[u8]) -> Result<(), ErrorStack> {
        self.ssl.set_alpn_protos(protocols)
    }
}

/// Loads what NGINX would load.
///
/// # Errors
/// [`ConfigError`] where NGINX would refuse to start or to reload.
pub fn prepare(spec: &TlsSpec) -> Result<Prepared, ConfigError> {
    prepare_with(spec, &Options::default())
}

/// The same, with another offer or a capture.
///
/// # Errors
/// As for [`prepare`], and where OpenSSL cannot offer what it should.
pub fn prepare_with(spec: &TlsSpec, options: &Options) -> Result<Prepared, ConfigError> {
    ffi::initialise();
    let mut builder = context_as_nginx()?;
    make_offer(&mut builder, &options.offer)?;
    if let Some(capture) = options.capture.clone() {
        builder.set_keylog_callback(move |_, line| capture.secret(line));
    }
    let chain = match &spec.client_identity {
        Some(identity) => present(&mut builder, identity)?,
        None => Vec::new(),
    };
    let trace = Arc::new(Mutex::new(Vec::new()));
    record_verification(&mut builder, spec.verify_depth, Arc::clone(&trace));
    let (trust_origin, roots) = trust(&mut builder, &spec.trust)?;
    let context: SslContext = builder.build();

    let mut ssl = Ssl::new(&context)?;
    for certificate in chain {
        ssl.add_chain_cert(certificate).map_err(|errors| {
            let origin = spec
                .client_identity
                .as_ref()
                .map_or("", |identity| &identity.origin);
            emerg(
                &format!("SSL_CTX_set0_chain(\"{origin}\") failed"),
                &errors,
                &format!("a certificate in the chain of {origin} is not acceptable"),
            )
        })?;
    }
    if let Some(at) = spec.at {
        ssl.param_mut().set_time(at.as_second());
    }
    let log = Arc::new(MessageLog::default());
    ffi::record_messages(&mut ssl, Arc::clone(&log));
    let mut name = UpstreamName::from_proxy_ssl_name(&spec.server_name);
    if options.offer.without_sni {
        name.sni = None;
    }
    Ok(Prepared {
        ssl,
        name,
        trace,
        log,
        capture: options.capture.clone(),
        trusted: roots.len(),
        roots,
        trust_origin,
    })
}

/// `ngx_ssl_create` with `proxy_ssl_protocols TLSv1.2 TLSv1.3` and `proxy_ssl_ciphers DEFAULT`.
fn context_as_nginx() -> Result<SslContextBuilder, ErrorStack> {
    let mut builder = SslContextBuilder::new(SslMethod::tls())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_max_proto_version(Some(SslVersion::TLS1_3))?;
    builder.set_options(SslOptions::NO_COMPRESSION | SslOptions::IGNORE_UNEXPECTED_EOF);
    // NO_AUTO_CHAIN: the client certificate's chain is what tls.crt holds, and never what the
    // trusted certificates would add.
    builder.set_mode(SslMode::RELEASE_BUFFERS | SslMode::NO_AUTO_CHAIN);
    builder.set_read_ahead(true);
    builder.set_cipher_list("DEFAULT")?;
    builder.set_security_level(SECURITY_LEVEL);
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    Ok(builder)
}

/// Changes NGINX's offer to another.
fn make_offer(builder: &mut SslContextBuilder, offer: &Offer) -> Result<(), ConfigError> {
    let cannot = |what: &str| {
        let what = what.to_owned();
        move |source| ConfigError::Offer { what, source }
    };
    if let Some(version) = offer.version {
        if version < TlsVersion::Tls12 {
            builder.set_security_level(0);
        }
        let (number, name) = (ssl_version(version), version.name());
        builder
            .set_min_proto_version(Some(number))
            .and_then(|()| builder.set_max_proto_version(Some(number)))
            .map_err(cannot(name))?;
    }
    if let Some(ciphers) = &offer.ciphers {
        builder.set_cipher_list(ciphers).map_err(cannot(ciphers))?;
    }
    if let Some(suites) = &offer.suites {
        builder.set_ciphersuites(suites).map_err(cannot(suites))?;
    }
    if let Some(groups) = &offer.groups {
        builder.set_groups_list(groups).map_err(cannot(groups))?;
    }
    Ok(())
}

fn ssl_version(version: TlsVersion) -> SslVersion {
    match version {
        TlsVersion::Tls10 => SslVersion::TLS1,
        TlsVersion::Tls11 => SslVersion::TLS1_1,
        TlsVersion::Tls12 => SslVersion::TLS1_2,
        TlsVersion::Tls13 => SslVersion::TLS1_3,
    }
}

/// `ngx_ssl_certificate`: the certificate, its chain (returned, to be added to the connection) and
/// the key.
fn present(
    builder: &mut SslContextBuilder,
    identity: &ClientIdentity,
) -> Result<Vec<X509>, ConfigError> {
    let origin = &identity.origin;
    let (leaf, chain) = ffi::read_certificate_file(&identity.certificate_pem).map_err(|error| {
        emerg(
            &format!(
                "cannot load certificate \"{origin}\": {}() failed",
                error.call
            ),
            &error.errors,
            &format!("the certificate in {origin} cannot be read"),
        )
    })?;
    builder.set_certificate(&leaf).map_err(|errors| {
        emerg(
            &format!("SSL_CTX_use_certificate(\"{origin}\") failed"),
            &errors,
            &format!("the certificate in {origin} is not acceptable to OpenSSL"),
        )
    })?;
    // A callback that gives no password: OpenSSL's own would ask on the terminal.
    let key = PKey::private_key_from_pem_callback(&identity.key_pem, |_| Ok(0));
    let key = key.map_err(|errors| {
        emerg(
            &format!("cannot load certificate key \"{origin}\": PEM_read_bio_PrivateKey() failed"),
            &errors,
            &format!("the key in {origin} cannot be read"),
        )
    })?;
    builder.set_private_key(&key).map_err(|errors| {
        emerg(
            &format!("SSL_CTX_use_PrivateKey(\"{origin}\") failed"),
            &errors,
            &format!("the key in {origin} does not belong to the certificate in it"),
        )
    })?;
    Ok(chain)
}

/// `SSL_VERIFY_NONE` with a callback that continues, as NGINX has it for upstreams: the handshake
/// never ends because of the certificate, and the last error stays in the result.
fn record_verification(
    builder: &mut SslContextBuilder,
    depth: u32,
    trace: Arc<Mutex<Vec<VerifyEvent>>>,
) {
    builder.set_verify_callback(SslVerifyMode::NONE, move |ok, context| {
        let mut trace = trace.lock().unwrap_or_else(PoisonError::into_inner);
        if trace.len() < MOST_EVENTS {
            trace.push(verify_event(ok, context));
        }
        true
    });
    builder.set_verify_depth(depth);
}

/// `ngx_ssl_trusted_certificate`.
fn trust(
    builder: &mut SslContextBuilder,
    trust: &Trust,
) -> Result<(String, Vec<X509>), ConfigError> {
    let (origin, certificates) = roots(trust)?;
    for certificate in &certificates {
        builder
            .cert_store_mut()
            .add_cert(certificate.clone())
            .map_err(|errors| {
                emerg(
                    &format!("X509_STORE_add_cert(\"{origin}\") failed"),
                    &errors,
                    &format!("a certificate in {origin} cannot be trusted"),
                )
            })?;
    }
    Ok((origin, certificates))
}

/// The certificates of whom is trusted, and where they come from.
pub(crate) fn roots(trust: &Trust) -> Result<(String, Vec<X509>), ConfigError> {
    let (pem, origin) = match trust {
        Trust::Bundle { pem, origin } => (pem.clone(), sanitize::line(origin, 200)),
        Trust::Certificates { der, origin } => {
            let certificates = der.iter().map(|der| X509::from_der(der));
            let certificates = certificates.collect::<Result<_, _>>()?;
            return Ok((sanitize::line(origin, 200), certificates));
        }
        Trust::System => system_bundle()?,
    };
    let certificates = ffi::read_ca_certificates(&pem).map_err(|errors| {
        emerg(
            &format!("cannot load certificate \"{origin}\": PEM_read_bio_X509_AUX() failed"),
            &errors,
            &format!("{origin} holds no CA certificate that can be read"),
        )
    })?;
    Ok((origin, certificates))
}

/// Bytes of the system's CA file; it has some 200 KiB.
const MAX_BUNDLE: u64 = 16 << 20;

/// The CA file of this system, as NGF's data plane uses `/etc/ssl/cert.pem` of its own.
fn system_bundle() -> Result<(Vec<u8>, String), ConfigError> {
    let found = openssl_probe::probe().cert_file;
    let path = found.ok_or_else(|| ConfigError::NoSystemTrust("none was found".to_owned()))?;
    match read_bundle(&path) {
        Ok(pem) => Ok((pem, format!("this system's CA file {}", path.display()))),
        Err(error) => Err(ConfigError::NoSystemTrust(format!(
            "{}: {error}",
            path.display()
        ))),
    }
}

/// Reads a bundle; the environment may name a file without an end.
fn read_bundle(path: &std::path::Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut pem = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(MAX_BUNDLE + 1).read_to_end(&mut pem)?;
    if pem.len() as u64 > MAX_BUNDLE {
        let why = format!("it is larger than {} MiB", MAX_BUNDLE >> 20);
        return Err(std::io::Error::other(why));
    }
    Ok(pem)
}

fn emerg(message: &str, errors: &ErrorStack, sentence: &str) -> ConfigError {
    let errors = queue(errors);
    let reason = errors
        .last()
        .map_or_else(String::new, |error| format!(" ({})", error.reason));
    ConfigError::Emerg {
        emerg: sanitize::line(&format!("{message}{}", suffix(&errors)), 1_000),
        sentence: sanitize::line(&format!("{sentence}{reason}"), 500),
    }
}
