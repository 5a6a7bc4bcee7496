//! Who trusts whom, judged by OpenSSL with nginx's settings, never by names: what chain picture and
//! rules share.

use jiff::Timestamp;
use ngf_tls::{
    certificate::CertificateFacts,
    chain::{
        Certificates, ChainJudgement, ChainQuestion, NGINX_SERVER_DEPTH, Purpose, judge, signed_by,
    },
};

use super::{ngf::known, plan::TrustSource};
use crate::model::{
    kind::Kind,
    kinds::PemFacts,
    object::ObjectRef,
    snapshot::{Lookup, Snapshot},
};

/// Why there are no certificates to judge by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoCertificates {
    /// It is certain that there are none: why, in a sentence.
    Wrong(String),
    /// Unknown: why.
    Unknown(String),
}

impl NoCertificates {
    /// The sentence.
    pub fn why(&self) -> &str {
        match self {
            Self::Wrong(why) | Self::Unknown(why) => why,
        }
    }
}

/// Certificates of a Secret's or ConfigMap's key, or why there are none.
pub fn certificates<'a>(
    snapshot: &'a Snapshot,
    object: &ObjectRef,
    key: &str,
) -> Result<&'a [CertificateFacts], NoCertificates> {
    use NoCertificates::{Unknown, Wrong};
    let facts = if object.kind == Kind::ClusterTrustBundle {
        match snapshot.trust_bundles.get(object) {
            Some(bundle) => &bundle.spec.own,
            None => {
                known::absence_is_proven(snapshot, object).map_err(Unknown)?;
                return Err(Wrong(format!("{object} does not exist")));
            }
        }
    } else if object.kind == Kind::Secret {
        match known::secret(snapshot, object) {
            Lookup::Found(secret) if key == "ca.crt" => &secret.spec.ca,
            Lookup::Found(secret) => &secret.spec.certificate,
            Lookup::Absent => return Err(Wrong(format!("{object} does not exist"))),
            Lookup::Unknown(why) => return Err(Unknown(why)),
        }
    } else {
        match known::config_map(snapshot, object) {
            Lookup::Found(map) => &map.spec.ca,
            Lookup::Absent => return Err(Wrong(format!("{object} does not exist"))),
            Lookup::Unknown(why) => return Err(Unknown(why)),
        }
    };
    match facts {
        PemFacts::Missing => Err(Wrong(format!("{object} has no {key}"))),
        PemFacts::Empty => Err(Wrong(format!("the {key} in {object} is empty"))),
        PemFacts::Broken(why) => Err(Wrong(format!(
            "the {key} in {object} cannot be read: {why}"
        ))),
        PemFacts::Certificates { certificates, .. } => Ok(certificates),
    }
}

/// The CAs that a policy names.
pub fn trusted<'a>(
    snapshot: &'a Snapshot,
    trust: &TrustSource,
) -> Result<&'a [CertificateFacts], NoCertificates> {
    match trust {
        TrustSource::Object { object, key } => certificates(snapshot, object, key),
        TrustSource::System => Err(NoCertificates::Unknown(
            "what the CA file of the data plane's image holds is not known".to_owned(),
        )),
    }
}

/// What nginx would say of a backend's chain, which it follows to that depth.
pub fn judge_backend(
    presented: &[CertificateFacts],
    trusted: &[CertificateFacts],
    hostname: &str,
    depth: u32,
    now: Timestamp,
) -> Result<ChainJudgement, String> {
    ask(&ChainQuestion {
        presented: der(presented),
        trusted: der(trusted),
        purpose: Purpose::Server,
        depth,
        name: Some(hostname.to_owned()),
        at: Some(now),
    })
}

/// What an nginx backend with its default depth would say of the gateway's chain.
pub fn judge_client(
    presented: &[CertificateFacts],
    trusted: &[CertificateFacts],
    now: Timestamp,
) -> Result<ChainJudgement, String> {
    judge_client_to(presented, trusted, NGINX_SERVER_DEPTH, now)
}

/// The same for a backend that follows the chain to that depth (`ssl_verify_depth`).
pub fn judge_client_to(
    presented: &[CertificateFacts],
    trusted: &[CertificateFacts],
    depth: u32,
    now: Timestamp,
) -> Result<ChainJudgement, String> {
    ask(&ChainQuestion {
        presented: der(presented),
        trusted: der(trusted),
        purpose: Purpose::Client,
        depth,
        name: None,
        at: Some(now),
    })
}

fn ask(question: &ChainQuestion) -> Result<ChainJudgement, String> {
    let any = |certificates: &Certificates| match certificates {
        Certificates::Pem(text) => !text.is_empty(),
        Certificates::Der(all) => !all.is_empty() && all.iter().all(|der| !der.is_empty()),
    };
    if !any(&question.presented) || !any(&question.trusted) {
        return Err("the certificates themselves are not at hand".to_owned());
    }
    judge(question).map_err(|error| {
        let cause = std::error::Error::source(&error)
            .map_or_else(String::new, |cause| format!(": {cause}"));
        format!("{error}{cause}")
    })
}

fn der(certificates: &[CertificateFacts]) -> Certificates {
    Certificates::Der(certificates.iter().map(|facts| facts.der.clone()).collect())
}

/// How many intermediates stand behind the leaf: a root does not count.
pub fn intermediates(chain: &[CertificateFacts]) -> usize {
    let behind = chain.iter().skip(1);
    behind.filter(|facts| facts.subject != facts.issuer).count()
}

/// Whether the key in `ca` signed the certificate, whatever their names.
pub fn signed(certificate: &CertificateFacts, ca: &CertificateFacts) -> bool {
    !certificate.der.is_empty() && !ca.der.is_empty() && signed_by(&certificate.der, &ca.der)
}

/// `(21:unable to verify the first certificate)`, as nginx logs it; `None` where nginx would go on.
pub fn complaint(judgement: &ChainJudgement, hostname: &str) -> Option<String> {
    if judgement.code != 0 {
        Some(format!("({}:{})", judgement.code, judgement.text))
    } else if judgement.name_matches == Some(false) {
        Some(format!("the certificate does not match \"{hostname}\""))
    } else {
        None
    }
}

/// A certificate somewhere in the snapshot whose key signed this one: where it stands and itself.
pub fn issuer_in<'a>(
    snapshot: &'a Snapshot,
    certificate: &CertificateFacts,
) -> Option<(String, &'a CertificateFacts)> {
    let secrets = snapshot
        .secrets
        .iter()
        .filter_map(|(name, lookup)| match lookup {
            Lookup::Found(secret) => Some((name, secret)),
            _ => None,
        });
    let candidates = secrets.flat_map(|(name, secret)| {
        let of = move |key: &'static str, facts: &'a PemFacts| {
            facts
                .certificates()
                .iter()
                .map(move |facts| (name, key, facts))
        };
        of("ca.crt", &secret.spec.ca).chain(of("tls.crt", &secret.spec.certificate))
    });
    candidates
        .filter(|(_, _, facts)| facts.subject == certificate.issuer)
        .find(|(_, _, facts)| signed(certificate, facts))
        .map(|(name, key, facts)| (format!("{name}[{key}]"), facts))
}
