//! L5 to L9: what a listener presents to its clients. NGF checks that certificate and key are a pair, and nothing
//! else; clients check the rest.

mod chain;
mod names;
mod refused;
mod served;

pub(in crate::diagnosis) use chain::L6;
pub(in crate::diagnosis) use names::L5;
pub(in crate::diagnosis) use refused::L7;
pub(in crate::diagnosis) use served::{L8, L9};

use ngf_tls::certificate::CertificateFacts;

use crate::{
    diagnosis::{
        context::Context,
        finding::Mark,
        ngf::{
            Resolved,
            gateway::grant_allows,
            known,
            resolve::{Fault, resolve_secret},
        },
    },
    model::{
        kind::Kind,
        kinds::{Listener, LocalRef},
        object::ObjectRef,
        snapshot::Lookup,
    },
};

/// A listener that ends TLS.
struct EndsTls<'a> {
    gateway: &'a ObjectRef,
    /// The Gateway or ListenerSet.
    owner: &'a ObjectRef,
    listener: &'a Listener,
    /// What becomes of each of its certificate references, in their order.
    references: Vec<Reference<'a>>,
}

/// What NGF makes of a certificate reference.
enum Reference<'a> {
    /// nginx gets it: the Secret, and its chain, leaf first.
    Used(ObjectRef, &'a [CertificateFacts]),
    /// NGF rejects it.
    Rejected(Why, ObjectRef),
    /// Unknown: the Secret, and why.
    Unknown(ObjectRef, String),
}

/// Why NGF rejects a certificate reference.
enum Why {
    /// It names a kind or group other than Secret: `kind ConfigMap`.
    Kind(String),
    /// No ReferenceGrant allows it.
    NotGranted,
    /// The Secret itself, with NGF's words.
    Secret(Fault, String),
}

impl EndsTls<'_> {
    fn mark(&self) -> Mark {
        Mark::Listener {
            owner: self.owner.clone(),
            name: self.listener.name.clone(),
        }
    }

    /// `listener https of Gateway default/gateway`
    fn label(&self) -> String {
        format!("listener {} of {}", self.listener.name, self.owner)
    }
}

/// The listeners that end TLS and name certificates, of all Gateways and their ListenerSets.
fn listeners<'a>(context: &Context<'a>) -> Vec<EndsTls<'a>> {
    let release = context.running.release;
    let mut all = Vec::new();
    for gateway in context.gateways.keys() {
        for (owner, listener) in context.listeners(gateway) {
            let ends_tls = match listener.protocol.as_str() {
                "HTTPS" => true,
                "TLS" => release.terminates_tls_routes(),
                _ => false,
            };
            // Before 2.6 NGF refuses a listener with several certificates for their number (NGF-S3).
            let too_many = listener.certificate_refs.len() > 1
                && !release.takes_several_listener_certificates();
            let passes_through = listener.tls_mode.as_deref() == Some("Passthrough");
            if !ends_tls || passes_through || too_many {
                continue;
            }
            let references = listener.certificate_refs.iter();
            all.push(EndsTls {
                gateway,
                owner,
                listener,
                references: references
                    .map(|reference| judge(context, owner, reference))
                    .collect(),
            });
        }
    }
    all
}

/// As NGF does it (`createExternalReferencesForTLSSecretsResolver`).
fn judge<'a>(context: &Context<'a>, owner: &ObjectRef, reference: &LocalRef) -> Reference<'a> {
    let (snapshot, release) = (context.snapshot, context.running.release);
    let namespace = reference.namespace.as_deref().unwrap_or(&owner.namespace);
    let secret = ObjectRef::new(Kind::Secret, namespace, &reference.name);
    let kind = reference.kind.as_deref().unwrap_or("Secret");
    let group = reference.group.as_deref().unwrap_or_default();
    if kind != "Secret" {
        return Reference::Rejected(Why::Kind(format!("kind {kind}")), secret);
    }
    if !group.is_empty() {
        return Reference::Rejected(Why::Kind(format!("group {group}")), secret);
    }
    if namespace != owner.namespace {
        match grant_allows(snapshot, owner.kind.name(), &owner.namespace, &secret) {
            Ok(true) => {}
            Ok(false) => return Reference::Rejected(Why::NotGranted, secret),
            Err(why) => return Reference::Unknown(secret, why),
        }
    }
    match resolve_secret(snapshot, release, &secret) {
        Resolved::Refused(fault, words) => Reference::Rejected(Why::Secret(fault, words), secret),
        Resolved::Unknown(why) => Reference::Unknown(secret, why),
        Resolved::Usable => match known::secret(snapshot, &secret) {
            Lookup::Found(found) => Reference::Used(secret, found.spec.certificate.certificates()),
            Lookup::Unknown(why) => Reference::Unknown(secret, why),
            Lookup::Absent => {
                let why = format!("{secret} does not exist any more");
                Reference::Unknown(secret, why)
            }
        },
    }
}
