//! Certificates judged without a connection, by the engine and the settings of the handshake: for
//! the chain view, for rules, and for another moment than now.

use jiff::Timestamp;
use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509StoreContext};

use crate::certificate::CertificateFacts;
use crate::engine::ffi::{self, ChainSettings};
use crate::engine::{SECURITY_LEVEL, UpstreamName};
use crate::pem::{self, PemError};
use crate::transcript::VerifyEvent;

/// `proxy_ssl_verify_depth` as NGF renders it.
pub const GATEWAY_DEPTH: u32 = 4;
/// `ssl_verify_depth` of a backend that says nothing else.
pub const NGINX_SERVER_DEPTH: u32 = 1;

/// OpenSSL's words for a verify code (`X509_V_ERR_…`), as nginx logs them.
pub fn words(code: i32) -> &'static str {
    ffi::verify_words(code)
}

/// Whose certificate is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A server's, as the gateway judges the backend.
    Server,
    /// A client's, as the backend judges the gateway.
    Client,
}

/// Certificates in one of the two forms in which they come.
#[derive(Debug, Clone)]
pub enum Certificates {
    /// PEM text with any number of blocks.
    Pem(Vec<u8>),
    /// DER, one certificate each.
    Der(Vec<Vec<u8>>),
}

/// Is this chain fine for that purpose?
#[derive(Debug, Clone)]
pub struct ChainQuestion {
    /// What is presented: the leaf first, then what is sent with it.
    pub presented: Certificates,
    /// Whom the judge trusts.
    pub trusted: Certificates,
    /// Whose certificate it is.
    pub purpose: Purpose,
    /// The most intermediates between leaf and root: [`GATEWAY_DEPTH`] for the gateway,
    /// [`NGINX_SERVER_DEPTH`] for an nginx backend.
    pub depth: u32,
    /// `proxy_ssl_name`, raw, where a name is to be checked as well.
    pub name: Option<String>,
    /// Judge validity at this moment instead of now.
    pub at: Option<Timestamp>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainJudgement {
    /// Each call of the verify callback, in order.
    pub trace: Vec<VerifyEvent>,
    /// The last error, which is the one that NGINX acts on; 0 is X509_V_OK.
    pub code: i32,
    /// OpenSSL's words for it.
    pub text: String,
    /// Whether the leaf is for the name that was asked for. NGINX asks only where `code` is 0.
    pub name_matches: Option<bool>,
    /// The path that OpenSSL built, leaf first; it ends early where it found no issuer.
    pub path: Vec<CertificateFacts>,
}

impl ChainJudgement {
    /// NGINX would go on: the chain is fine, and the name, where one was asked for, is right.
    pub fn is_fine(&self) -> bool {
        self.code == 0 && self.name_matches != Some(false)
    }
}

/// A question that has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// What is presented cannot be read.
    #[error("the certificate cannot be read")]
    Presented(#[source] PemError),
    /// The trusted certificates cannot be read: NGINX would not load its configuration.
    #[error("the trusted certificates cannot be read")]
    Trusted(#[source] PemError),
    /// OpenSSL itself failed.
    #[error("OpenSSL could not judge the chain")]
    OpenSsl(#[from] ErrorStack),
}

/// Judges a chain as libssl does in a handshake of NGINX's.
///
/// # Errors
/// [`ChainError`] where there is nothing to judge, or nobody to judge it by.
pub fn judge(question: &ChainQuestion) -> Result<ChainJudgement, ChainError> {
    ffi::initialise();
    let presented = read(&question.presented).map_err(ChainError::Presented)?;
    let trusted = read(&question.trusted).map_err(ChainError::Trusted)?;
    let mut presented = presented.into_iter();
    let leaf = presented
        .next()
        .ok_or(ChainError::Presented(PemError::Empty))?;
    // libssl passes the leaf as one of the untrusted certificates, too.
    let mut untrusted = Stack::new()?;
    untrusted.push(leaf.clone())?;
    for certificate in presented {
        untrusted.push(certificate)?;
    }
    let mut store = X509StoreBuilder::new()?;
    for certificate in trusted {
        store.add_cert(certificate)?;
    }
    let settings = ChainSettings {
        defaults: match question.purpose {
            Purpose::Server => c"ssl_server",
            Purpose::Client => c"ssl_client",
        },
        depth: question.depth,
        level: SECURITY_LEVEL,
        at: question.at.map(Timestamp::as_second),
    };
    let mut context = X509StoreContext::new()?;
    let mut judgement = context.init(&store.build(), &leaf, &untrusted, |context| {
        let trace = ffi::verify_chain(context, &settings)?;
        let result = context.error();
        let path = context
            .chain()
            .map_or_else(Vec::new, |chain| chain.iter().map(facts).collect());
        Ok(ChainJudgement {
            trace,
            code: result.as_raw(),
            text: result.error_string().to_owned(),
            name_matches: None,
            path,
        })
    })?;
    judgement.name_matches = question
        .name
        .as_deref()
        .map(|raw| ffi::check_host(&leaf, &UpstreamName::from_proxy_ssl_name(raw).checked));
    Ok(judgement)
}

/// Whether the key of `issuer` really made the signature on `certificate`, both in DER, whatever
/// their names say. `false` where one of them cannot be read.
pub fn signed_by(certificate: &[u8], issuer: &[u8]) -> bool {
    ffi::initialise();
    let verify = || {
        let key = X509::from_der(issuer)?.public_key()?;
        X509::from_der(certificate)?.verify(&key)
    };
    let result: Result<bool, ErrorStack> = verify();
    result.unwrap_or(false)
}

fn read(certificates: &Certificates) -> Result<Vec<X509>, PemError> {
    match certificates {
        Certificates::Pem(text) => pem::certificates(text),
        Certificates::Der(all) => all
            .iter()
            .enumerate()
            .map(|(index, der)| {
                X509::from_der(der).map_err(|errors| PemError::NotDer {
                    number: index + 1,
                    reason: pem::reason(&errors),
                })
            })
            .collect(),
    }
}

fn facts(certificate: &openssl::x509::X509Ref) -> CertificateFacts {
    let der = certificate.to_der().unwrap_or_default();
    CertificateFacts::from_der(&der)
        .unwrap_or_else(|error| CertificateFacts::unreadable(&der, &error))
}
