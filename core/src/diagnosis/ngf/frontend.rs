//! Frontend TLS: what a Gateway's listeners demand of their clients (`state/graph/gateway_listener.go`,
//! `addClientSettingsToSSLServers`). NGF reads `spec.tls.frontend` since 2.6, for listeners that end TLS.

use super::{
    gateway::grant_allows,
    known,
    release::{Release, Running},
    resolve::{Resolved, resolve_config_map, resolve_frontend_secret},
};
use crate::model::{
    kind::Kind,
    kinds::{FrontendTls, Gateway, LocalRef, PemFacts},
    object::{Object, ObjectRef},
    snapshot::{Lookup, Snapshot},
    topology::is_ngf_controller,
};

/// Why NGF does not use a CA for the clients of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaFault {
    /// The reference names no Secret or ConfigMap.
    Kind(String),
    /// No ReferenceGrant allows it.
    NotGranted,
    /// The Secret or ConfigMap cannot be used: NGF's words.
    Unusable(String),
    /// NGF accepts the Opaque Secret, and writes none of its certificates.
    NotWritten,
    /// The same, if the release that runs, which is not known or newer than what was read, still does so.
    PerhapsNotWritten,
}

/// A CA for the clients of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ca {
    /// The Secret or ConfigMap; `None` where the reference names another kind.
    pub object: Option<ObjectRef>,
    /// The reference as it is written.
    pub label: String,
    /// What is wrong with it; an error says why it is unknown.
    pub fault: Result<Option<CaFault>, String>,
}

/// What a port of a Gateway demands of its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// `AllowInsecureFallback`: any client certificate is let in, and none.
    pub insecure: bool,
    /// The CAs.
    pub cas: Vec<Ca>,
}

/// The validation that counts for a port: its own, or else the default; one without a CA counts for nothing.
pub fn validation(gateway: &Gateway, release: Release, port: u16) -> Option<&FrontendTls> {
    if !release.validates_clients() {
        return None;
    }
    let with_ca = || {
        gateway
            .frontend
            .iter()
            .filter(|one| !one.ca_refs.is_empty())
    };
    with_ca()
        .find(|one| one.port == Some(port))
        .or_else(|| with_ca().find(|one| one.port.is_none()))
}

/// What a port of a Gateway demands of its clients; `None` where it demands nothing.
pub fn demand(
    snapshot: &Snapshot,
    release: Release,
    gateway: &Object<Gateway>,
    port: u16,
) -> Option<Demand> {
    let validation = validation(&gateway.spec, release, port)?;
    let cas = validation
        .ca_refs
        .iter()
        .map(|reference| ca(snapshot, release, gateway, reference));
    Some(Demand {
        insecure: validation.mode.as_deref() == Some("AllowInsecureFallback"),
        cas: cas.collect(),
    })
}

/// `validateFrontendTLS`: kind and group, the ReferenceGrant, then the object.
fn ca(
    snapshot: &Snapshot,
    release: Release,
    gateway: &Object<Gateway>,
    reference: &LocalRef,
) -> Ca {
    let own = &gateway.reference.namespace;
    let kind_name = reference.kind.as_deref().unwrap_or_default();
    let namespace = reference.namespace.as_deref().unwrap_or(own);
    let label = match kind_name {
        // Cluster-scoped (certificates.k8s.io).
        "ClusterTrustBundle" => format!("{kind_name} {}", reference.name),
        _ => format!("{kind_name} {namespace}/{}", reference.name),
    };
    let kind = match (kind_name, reference.group.as_deref().unwrap_or_default()) {
        ("Secret", "" | "core") => Kind::Secret,
        ("ConfigMap", "" | "core") => Kind::ConfigMap,
        ("Secret" | "ConfigMap", group) => {
            return Ca {
                object: None,
                label,
                fault: Ok(Some(CaFault::Kind(format!("group {group}")))),
            };
        }
        (kind, _) => {
            return Ca {
                object: None,
                label,
                fault: Ok(Some(CaFault::Kind(format!("kind {kind}")))),
            };
        }
    };
    let object = ObjectRef::new(kind, namespace, &reference.name);
    let fault = fault(snapshot, release, own, &object);
    Ca {
        label: object.to_string(),
        object: Some(object),
        fault,
    }
}

fn fault(
    snapshot: &Snapshot,
    release: Release,
    own: &str,
    object: &ObjectRef,
) -> Result<Option<CaFault>, String> {
    if object.namespace != own && !grant_allows(snapshot, "Gateway", own, object)? {
        return Ok(Some(CaFault::NotGranted));
    }
    let resolved = match object.kind {
        Kind::Secret => resolve_frontend_secret(snapshot, release, object),
        _ => resolve_config_map(snapshot, release, object),
    };
    match resolved {
        Resolved::Unknown(why) => Err(why),
        Resolved::Refused(_, words) => Ok(Some(CaFault::Unusable(words))),
        Resolved::Usable if is_opaque(snapshot, object) => {
            Ok(Some(if Running::of(snapshot).writes_no_opaque_ca() {
                CaFault::NotWritten
            } else {
                CaFault::PerhapsNotWritten
            }))
        }
        Resolved::Usable => Ok(None),
    }
}

/// Whether a Gateway of NGF's has a listener that names an Opaque Secret as CA of its clients, and may do so. NGF judges
/// listeners before policies (`BuildGraph`).
pub fn judges_first(snapshot: &Snapshot, release: Release, secret: &ObjectRef) -> bool {
    let named = |gateway: &Object<Gateway>, port: u16| {
        let demand = demand(snapshot, release, gateway, port);
        demand.is_some_and(|demand| {
            demand.cas.iter().any(|ca| {
                ca.object.as_ref() == Some(secret)
                    && matches!(
                        ca.fault,
                        Ok(Some(CaFault::NotWritten | CaFault::PerhapsNotWritten))
                    )
            })
        })
    };
    let gateways = snapshot.gateways.values();
    let mut ours = gateways.filter(|gateway| {
        let class = ObjectRef::new(Kind::GatewayClass, "", &gateway.spec.class);
        let class = snapshot.gateway_classes.get(&class);
        class.is_some_and(|class| is_ngf_controller(&class.spec.controller_name))
    });
    ours.any(|gateway| {
        let listeners = gateway.spec.listeners.iter();
        let mut https = listeners.filter(|listener| listener.protocol == "HTTPS");
        https.any(|listener| named(gateway, listener.port))
    })
}

/// NGF makes bundles of TLS Secrets and ConfigMaps only (`secretEntry.validate`; NGF issue 5872).
pub fn is_opaque(snapshot: &Snapshot, object: &ObjectRef) -> bool {
    object.kind == Kind::Secret
        && matches!(
            known::secret(snapshot, object),
            Lookup::Found(secret) if secret.spec.secret_type == "Opaque"
        )
}

impl CaFault {
    /// Whether NGF refuses the CA.
    pub fn is_refused(&self) -> bool {
        !matches!(self, Self::NotWritten | Self::PerhapsNotWritten)
    }
}

impl Demand {
    /// Whether NGF refuses the listener, because none of its CAs can be used; `None` where it is unknown.
    pub fn refuses_listener(&self) -> Option<bool> {
        let refused = |ca: &Ca| match &ca.fault {
            Ok(None | Some(CaFault::NotWritten)) => Some(false),
            Err(_) | Ok(Some(CaFault::PerhapsNotWritten)) => None,
            Ok(Some(_)) => Some(true),
        };
        let verdicts: Vec<Option<bool>> = self.cas.iter().map(refused).collect();
        if verdicts.contains(&Some(false)) {
            return Some(false);
        }
        verdicts
            .into_iter()
            .collect::<Option<Vec<bool>>>()
            .map(|all| !all.is_empty())
    }

    /// Whether the listener's configuration names a CA file that NGF does not write.
    pub fn lacks_file(&self) -> bool {
        let not_written = |ca: &Ca| ca.fault == Ok(Some(CaFault::NotWritten));
        let written = |ca: &Ca| {
            matches!(
                ca.fault,
                Ok(None | Some(CaFault::PerhapsNotWritten)) | Err(_)
            )
        };
        !self.insecure && self.cas.iter().any(not_written) && !self.cas.iter().any(written)
    }
}

/// Why nginx cannot load the file with the CAs of a listener's clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unloadable {
    /// A ca.crt has a block that OpenSSL does not read: what is wrong with it.
    Block(String),
    /// A ca.crt does not end its last line, and NGF appends the one of this object to it.
    Joined(ObjectRef),
}

impl Demand {
    /// The CA that keeps nginx from loading the file with the CAs of a listener's clients. NGF writes what each TLS
    /// Secret and ConfigMap holds under ca.crt one after the other, also of those that it refuses, and adds no end of
    /// line (`getFrontendTLSCertBundles`, `getCertRefBundleData`).
    pub fn unloadable(&self, snapshot: &Snapshot) -> Option<(ObjectRef, Unloadable)> {
        if self.insecure || self.refuses_listener() == Some(true) {
            return None;
        }
        let written = |ca: &&Ca| {
            !matches!(
                ca.fault,
                Err(_)
                    | Ok(Some(
                        CaFault::Kind(_)
                            | CaFault::NotGranted
                            | CaFault::NotWritten
                            | CaFault::PerhapsNotWritten
                    ))
            )
        };
        let cas = self.cas.iter().filter(written);
        let parts: Vec<(&ObjectRef, &PemFacts)> = cas
            .filter_map(|ca| {
                let object = ca.object.as_ref()?;
                Some((object, known::ca(snapshot, object)?))
            })
            .collect();
        let block = parts.iter().find_map(|(object, facts)| {
            let why = facts.spoils_file()?;
            Some(((*object).clone(), Unloadable::Block(why.to_owned())))
        });
        block.or_else(|| {
            let holds_text =
                |facts: &PemFacts| !matches!(facts, PemFacts::Missing | PemFacts::Empty);
            let mut pairs = parts.iter().enumerate();
            pairs.find_map(|(at, (object, facts))| {
                let is_open = matches!(facts, PemFacts::Certificates { open_end: true, .. });
                let next = parts[at + 1..].iter().find(|(_, next)| holds_text(next));
                let (next, _) = next.filter(|_| is_open)?;
                Some(((*object).clone(), Unloadable::Joined((*next).clone())))
            })
        })
    }
}

/// Where NGF writes the CAs of a port's clients.
pub fn frontend_bundle_file(gateway: &ObjectRef, port: u16) -> String {
    super::bundle_file(&gateway.namespace, &format!("{}_{port}", gateway.name))
}
