//! Why an nginx backend refuses a client certificate that nginx presents: B2 to B6, told apart by what is
//! known of the certificate, of the CAs that the backend asks for, and of the certificates around.

use ngf_tls::{certificate::CertificateFacts, transcript::Transcript};

use super::connection::client_leaf;
use crate::{
    diagnosis::{
        context::Context,
        mounted,
        plan::{ProbePlan, TrustSource},
        rules::expiry,
        trust,
    },
    model::{kind::Kind, object::ObjectRef, snapshot::Lookup},
};

/// Certificates that are followed upwards.
const HIGHEST: usize = 8;

/// The path is as it should be, but for the time: none, X509_V_ERR_CERT_NOT_YET_VALID and
/// X509_V_ERR_CERT_HAS_EXPIRED.
const FOR_TIME: [i32; 3] = [0, 9, 10];

/// Why.
#[derive(Debug, Clone)]
pub(in crate::diagnosis::rules) enum HandshakeRefusal<'a> {
    /// It is not valid now (B3).
    NotValid,
    /// It is not made for clients (B4).
    NotForClients,
    /// These intermediates are missing behind it, the lowest first (B5).
    Incomplete(Vec<Known<'a>>),
    /// The backend trusts another CA than the one that issued both sides' certificates (B6).
    OtherCaInBackend(OtherCa<'a>),
    /// The chain leads to a CA that the backend trusts, and has more intermediates than it follows (B2).
    TooDeep {
        /// How many there are.
        intermediates: usize,
        /// How many the backend follows.
        depth: u32,
    },
    /// What else it may be (B2).
    NotTrusted(Doubt),
}

/// A certificate, and where it stands.
#[derive(Debug, Clone)]
pub(in crate::diagnosis::rules) struct Known<'a> {
    pub(in crate::diagnosis::rules) facts: &'a CertificateFacts,
    /// `None` where only the backend itself sent it.
    pub(in crate::diagnosis::rules) object: Option<(ObjectRef, &'static str)>,
}

/// What speaks for a wrong CA in the backend.
#[derive(Debug, Clone)]
pub(in crate::diagnosis::rules) struct OtherCa<'a> {
    /// The CA that issued both sides' certificates.
    pub(in crate::diagnosis::rules) common: Known<'a>,
    /// Where the backend's pods mount a CA that it asks for.
    pub(in crate::diagnosis::rules) mounted: Option<ObjectRef>,
    /// Where they mount the right one, which it does not use or has not loaded.
    pub(in crate::diagnosis::rules) right: Option<ObjectRef>,
}

/// What cannot be ruled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::diagnosis::rules) enum Doubt {
    /// Nothing: the certificate is from the wrong CA, or the CA was made twice.
    None,
    /// A missing intermediate, and a wrong CA in the backend.
    Either,
}

impl Known<'_> {
    /// `Secret cert-manager/issuing-ca[tls.crt]`.
    pub(in crate::diagnosis::rules) fn place(&self) -> String {
        match &self.object {
            Some((object, key)) => format!("{object}[{key}]"),
            None => "sent by the backend".to_owned(),
        }
    }
}

/// Why, as far as objects and the probe tell; a log alone (no transcript) tells less.
pub(in crate::diagnosis::rules) fn refusal<'a>(
    context: &'a Context<'_>,
    plan: &ProbePlan,
    transcript: Option<&'a Transcript>,
) -> HandshakeRefusal<'a> {
    let Some(leaf) = client_leaf(context, plan) else {
        return HandshakeRefusal::NotTrusted(Doubt::Either);
    };
    if !context.now.is_valid(leaf) {
        return HandshakeRefusal::NotValid;
    }
    if !expiry::may(leaf, "clientAuth") {
        return HandshakeRefusal::NotForClients;
    }
    untrusted(context, plan, transcript)
}

/// The same, where it is certain that no path led to a CA that the backend trusts.
pub(in crate::diagnosis::rules) fn untrusted<'a>(
    context: &'a Context<'_>,
    plan: &ProbePlan,
    transcript: Option<&'a Transcript>,
) -> HandshakeRefusal<'a> {
    let Some(sent) = sent(context, plan) else {
        return HandshakeRefusal::NotTrusted(Doubt::Either);
    };
    let asked = transcript.map_or(&[][..], |seen| &seen.client_certificate.acceptable_cas);
    let at_hand = AtHand::of(context, plan, transcript);
    if let Some(deep) = deep(context, plan, sent, asked, &at_hand) {
        return deep;
    }
    let path = at_hand.above(sent);
    let (top, sent_all) = top(sent);
    if let Some(missing) = incomplete(context, plan, &path, top, sent_all, asked) {
        return HandshakeRefusal::Incomplete(missing);
    }
    if asked.is_empty() {
        return HandshakeRefusal::NotTrusted(Doubt::Either);
    }
    let named = |facts: &CertificateFacts| asked.contains(&facts.subject);
    let is_asked = sent.iter().any(|facts| asked.contains(&facts.issuer))
        || path.iter().any(|known| named(known.facts));
    // A CA of that name: made twice, or rotated.
    if is_asked {
        return HandshakeRefusal::NotTrusted(Doubt::None);
    }
    let own = backends_own(context, plan, transcript, &at_hand);
    if own.iter().any(|known| named(known.facts)) {
        return HandshakeRefusal::NotTrusted(Doubt::None);
    }
    let common = path.iter().find(|known| {
        own.iter()
            .any(|other| other.facts.fingerprint_sha256 == known.facts.fingerprint_sha256)
    });
    match common {
        // Whoever issues client certificates by that CA means it.
        Some(common) if !at_hand.issued_by(asked) => {
            let is_it = |facts: &CertificateFacts| {
                facts.fingerprint_sha256 == common.facts.fingerprint_sha256
            };
            let mounted = mounted_with(context, plan);
            let with = |is: &dyn Fn(&CertificateFacts) -> bool| {
                let mut holding = mounted.iter().filter(|(_, facts)| facts.iter().any(is));
                holding.next().map(|(object, _)| object.clone())
            };
            HandshakeRefusal::OtherCaInBackend(OtherCa {
                common: common.clone(),
                mounted: with(&named),
                right: with(&is_it),
            })
        }
        _ => HandshakeRefusal::NotTrusted(Doubt::Either),
    }
}

/// Whether the chain as it is sent would pass, if the backend followed more intermediates.
fn deep<'a>(
    context: &Context<'_>,
    plan: &ProbePlan,
    sent: &[CertificateFacts],
    asked: &[String],
    at_hand: &AtHand<'a>,
) -> Option<HandshakeRefusal<'a>> {
    let service = context.index.service(&plan.service)?;
    let depth = mounted::client_depth(context, service);
    let intermediates = trust::intermediates(sent);
    if intermediates <= depth as usize {
        return None;
    }
    // The CAs that the pods mount, and those that the backend asks for and that are known.
    let mut trusted: Vec<CertificateFacts> = mounted_with(context, plan)
        .into_iter()
        .flat_map(|(_, facts)| facts.iter().cloned())
        .collect();
    let named = at_hand.0.iter().map(|known| known.facts);
    trusted.extend(
        named
            .filter(|facts| is_root(facts) && asked.contains(&facts.subject))
            .cloned(),
    );
    let passes = |depth| {
        let now = context.now.for_validity(sent.iter().chain(&trusted));
        trust::judge_client_to(sent, &trusted, depth, now)
            .is_ok_and(|judged| FOR_TIME.contains(&judged.code))
    };
    (!passes(depth) && passes(100)).then_some(HandshakeRefusal::TooDeep {
        intermediates,
        depth,
    })
}

/// `tls.crt` of the client certificate's Secret, as nginx sends it.
fn sent<'a>(context: &'a Context<'_>, plan: &ProbePlan) -> Option<&'a [CertificateFacts]> {
    let secret = plan.tls.as_ref()?.client_certificate.as_ref()?;
    let all = trust::certificates(context.snapshot, secret, "tls.crt").ok()?;
    (!all.is_empty()).then_some(all)
}

/// The highest certificate that the leaf's path reaches within what is sent, and whether it ends there
/// in a root.
fn top(sent: &[CertificateFacts]) -> (&CertificateFacts, bool) {
    let mut top = &sent[0];
    for _ in 0..HIGHEST {
        let next = sent.iter().find(|facts| {
            facts.fingerprint_sha256 != top.fingerprint_sha256 && trust::signed(top, facts)
        });
        match next {
            Some(next) => top = next,
            None => break,
        }
    }
    (top, is_root(top))
}

fn is_root(facts: &CertificateFacts) -> bool {
    facts.subject == facts.issuer
}

/// The intermediates between what is sent and a CA that the backend trusts; `None` where that is not
/// what is missing, or they are unknown.
fn incomplete<'a>(
    context: &Context<'_>,
    plan: &ProbePlan,
    path: &[Known<'a>],
    top: &CertificateFacts,
    ends_in_root: bool,
    asked: &[String],
) -> Option<Vec<Known<'a>>> {
    if ends_in_root || asked.contains(&top.issuer) {
        return None;
    }
    let missing: Vec<Known<'a>> = path
        .iter()
        .filter(|known| !is_root(known.facts))
        .cloned()
        .collect();
    if missing.is_empty() {
        return None;
    }
    if !asked.is_empty() {
        let end = missing
            .iter()
            .position(|known| asked.contains(&known.facts.issuer))?;
        return Some(missing[..=end].to_vec());
    }
    // Without names, what the pods mount: with the intermediates it would hold, without it does not.
    let sent = sent(context, plan)?;
    let mut whole = sent.to_vec();
    whole.extend(missing.iter().map(|known| known.facts.clone()));
    let holds = |chain: &[CertificateFacts], trusted: &[CertificateFacts]| {
        let now = context.now.for_validity(chain.iter().chain(trusted));
        trust::judge_client(chain, trusted, now).is_ok_and(|judged| FOR_TIME.contains(&judged.code))
    };
    let mut mounted = mounted_with(context, plan).into_iter();
    mounted
        .any(|(_, trusted)| !holds(sent, trusted) && holds(&whole, trusted))
        .then_some(missing)
}

/// The CAs that the backend's own certificate is from, and those that its pods mount.
fn backends_own<'a>(
    context: &'a Context<'_>,
    plan: &ProbePlan,
    transcript: Option<&'a Transcript>,
    at_hand: &AtHand<'a>,
) -> Vec<Known<'a>> {
    let mut own = Vec::new();
    if let Some(served) = transcript.map(|seen| seen.server_chain.as_slice())
        && !served.is_empty()
    {
        own.extend(at_hand.above(served));
    }
    for (object, facts) in mounted_with(context, plan) {
        own.extend(facts.iter().map(|facts| Known {
            facts,
            object: Some((object.clone(), "ca.crt")),
        }));
    }
    own
}

fn mounted_with<'a>(
    context: &'a Context<'_>,
    plan: &ProbePlan,
) -> Vec<(ObjectRef, &'a [CertificateFacts])> {
    let Some(service) = context.index.service(&plan.service) else {
        return Vec::new();
    };
    context
        .mounted(service)
        .iter()
        .filter_map(|mounted| {
            let facts = trust::certificates(context.snapshot, &mounted.source, "ca.crt").ok()?;
            Some((mounted.source.clone(), facts))
        })
        .collect()
}

/// Every certificate that is known, each once.
struct AtHand<'a>(Vec<Known<'a>>);

impl<'a> AtHand<'a> {
    fn of(context: &'a Context<'_>, plan: &ProbePlan, transcript: Option<&'a Transcript>) -> Self {
        let mut all: Vec<Known<'a>> = Vec::new();
        let mut add = |object: Option<(&ObjectRef, &'static str)>,
                       facts: &'a [CertificateFacts]| {
            all.extend(facts.iter().map(|facts| Known {
                facts,
                object: object.map(|(object, key)| (object.clone(), key)),
            }));
        };
        let cluster = context.cluster(&[Kind::Secret, Kind::ConfigMap]);
        for (name, lookup) in &cluster.secrets {
            if let Lookup::Found(secret) = lookup {
                add(
                    Some((name, "tls.crt")),
                    secret.spec.certificate.certificates(),
                );
                add(Some((name, "ca.crt")), secret.spec.ca.certificates());
            }
        }
        for (name, lookup) in &cluster.config_maps {
            if let Lookup::Found(map) = lookup {
                add(Some((name, "ca.crt")), map.spec.ca.certificates());
            }
        }
        if let Some(seen) = transcript {
            add(None, &seen.server_chain);
        }
        // What is nearest to the connection is told as its place.
        if let Some(TrustSource::Object { object, .. }) = plan.tls.as_ref().map(|tls| &tls.trust) {
            all.sort_by_key(|known| {
                known
                    .object
                    .as_ref()
                    .is_none_or(|(place, _)| place != object)
            });
        }
        Self(all)
    }

    /// The certificates above the first of a chain, by signature: those of the chain that are part of
    /// it left out unless they are roots.
    fn above(&self, chain: &[CertificateFacts]) -> Vec<Known<'a>> {
        let mut path: Vec<Known<'a>> = Vec::new();
        let (mut current, _) = top(chain);
        while path.len() < HIGHEST && !is_root(current) {
            let next = self.0.iter().find(|known| {
                known.facts.subject == current.issuer && trust::signed(current, known.facts)
            });
            let Some(next) = next else { break };
            current = next.facts;
            path.push(next.clone());
        }
        path
    }

    /// Whether a known Secret holds a certificate for clients that a CA of one of these names issued.
    fn issued_by(&self, names: &[String]) -> bool {
        self.0.iter().any(|known| {
            let is_leaf =
                matches!(&known.object, Some((object, "tls.crt")) if object.kind == Kind::Secret);
            is_leaf
                && !is_root(known.facts)
                && names.contains(&known.facts.issuer)
                && expiry::may(known.facts, "clientAuth")
        })
    }
}
