//! The connections over TLS, and every certificate that they and the listeners depend on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use ngf_tls::certificate::CertificateFacts;

use super::{Entry, Part, Renewal, Use, renewal, scope::Scope};
use crate::{
    diagnosis::{
        chain::served,
        context::Context,
        mounted::{self, Mounted},
        ngf::{ClientCertificate, frontend, known},
        plan::{self, Connection, PlannedTls, TrustSource},
        rules::cert_manager::{ca_secret, issuer_name},
        trust::{self, NoCertificates},
        words,
    },
    model::{kind::Kind, object::ObjectRef, snapshot::Source},
};

/// The connections over TLS of the scope that NGF's Gateways open, each Service and port once for each Gateway
/// and way to speak TLS.
pub(super) fn connections(context: &Context<'_>, scope: &Scope) -> Vec<(Connection, PlannedTls)> {
    let mut found: Vec<(Connection, PlannedTls)> = Vec::new();
    let mut seen = BTreeSet::new();
    for target in &scope.targets {
        let all = plan::connections(context.snapshot, context.index, context.topology, target);
        for connection in all.unwrap_or_default() {
            let Some(tls) = connection.tls.clone() else {
                continue;
            };
            let key = (
                connection.gateway.clone(),
                connection.service.clone(),
                connection.port,
                tls.policy.clone(),
                tls.client_certificate.clone(),
            );
            if seen.insert(key) {
                found.push((connection, tls));
            }
        }
    }
    found
}

/// What the backend of a connection presents, as far as it is known: what a probe saw, or what its
/// pods mount, where that is one Secret.
pub(super) enum Presented<'a> {
    /// By a probe.
    Served(Vec<CertificateFacts>),
    /// Mounted, so that it is likely.
    Mounted(ObjectRef, &'a [CertificateFacts]),
    /// Unknown.
    Unknown,
}

impl Presented<'_> {
    pub(super) fn certificates(&self) -> &[CertificateFacts] {
        match self {
            Self::Served(all) => all,
            Self::Mounted(_, all) => all,
            Self::Unknown => &[],
        }
    }
}

pub(super) fn presented<'a>(context: &'a Context<'_>, connection: &Connection) -> Presented<'a> {
    if let Some(chain) = served(context.evidence, connection) {
        return Presented::Served(chain);
    }
    match mounted_with(context, connection, "tls.crt").as_slice() {
        [(mounted, facts)] => Presented::Mounted(mounted.source.clone(), facts),
        _ => Presented::Unknown,
    }
}

/// The CAs by which the backend of a connection probably checks clients, where its pods mount one.
pub(super) fn client_ca<'a>(
    context: &'a Context<'_>,
    connection: &Connection,
) -> Option<(ObjectRef, &'a [CertificateFacts])> {
    match mounted_with(context, connection, "ca.crt").as_slice() {
        [(mounted, facts)] => Some((mounted.source.clone(), facts)),
        _ => None,
    }
}

/// The mounted Secret that holds what a probe saw.
fn mounted_as(
    context: &Context<'_>,
    connection: &Connection,
    served: &[CertificateFacts],
) -> Option<ObjectRef> {
    let leaf = served.first()?;
    mounted_with(context, connection, "tls.crt")
        .into_iter()
        .find(|(_, facts)| {
            let held = facts.iter().map(|facts| &facts.fingerprint_sha256);
            let served = served.iter().map(|facts| &facts.fingerprint_sha256);
            facts.first().map(|facts| &facts.fingerprint_sha256) == Some(&leaf.fingerprint_sha256)
                && held.eq(served)
        })
        .map(|(mounted, _)| mounted.source)
}

fn mounted_with<'a>(
    context: &'a Context<'_>,
    connection: &Connection,
    key: &str,
) -> Vec<(Mounted, &'a [CertificateFacts])> {
    match context.index.service(&connection.service) {
        Some(service) => mounted::with_certificates(context.snapshot, service, key),
        None => Vec::new(),
    }
}

/// Why what the pods of a backend mount does not say what it presents.
fn why_not_mounted(context: &Context<'_>, connection: &Connection) -> String {
    let service = context.index.service(&connection.service);
    let mounted = service.map_or_else(Vec::new, |service| {
        mounted::by_service(context.snapshot, service)
    });
    let denied = |object: &&ObjectRef| context.snapshot.denied.contains(*object);
    let secrets = mounted.iter().map(|mounted| &mounted.source);
    let secrets: Vec<&ObjectRef> = secrets
        .filter(|object| object.kind == Kind::Secret)
        .filter(denied)
        .collect();
    if !secrets.is_empty() {
        return format!(
            "its pods mount {}, which may not be read",
            words::list(secrets, 3)
        );
    }
    let pods = [Kind::Pod, Kind::Deployment, Kind::DaemonSet];
    let unread = pods.iter().find_map(|kind| {
        let snapshot = context.snapshot;
        match snapshot.source {
            Source::Cluster { .. } => known::kind_is_known(snapshot, *kind).err(),
            Source::Files { .. } => None,
        }
    });
    match unread {
        Some(why) if mounted.is_empty() => why,
        _ => "its pods do not mount one Secret with a certificate".to_owned(),
    }
}

/// All certificates of the scope, each once.
pub(super) fn entries(
    context: &Context<'_>,
    scope: &Scope,
    connections: &[(Connection, PlannedTls)],
    now: Timestamp,
    unknown: &mut Vec<String>,
) -> Vec<Entry> {
    let mut collector = Collector {
        context,
        now,
        entries: BTreeMap::new(),
        unknown,
    };
    for (connection, tls) in connections {
        let service = format!("{}:{}", connection.service, connection.port);
        match presented(context, connection) {
            Presented::Served(chain) => match mounted_as(context, connection, &chain) {
                Some(secret) => collector.object(Part::Backend, &service, &secret, "tls.crt"),
                None => collector.served(&chain, &service),
            },
            Presented::Mounted(secret, _) => {
                let of = format!("{service}, which mounts it and was not probed");
                collector.object(Part::Backend, &of, &secret, "tls.crt");
            }
            Presented::Unknown => {
                let why = why_not_mounted(context, connection);
                collector.unknown.push(format!(
                    "what {service} presents is not known: it is not probed, and {why}"
                ));
            }
        }
        match &tls.trust {
            TrustSource::Object { object, .. } => {
                collector.object(Part::PolicyCa, &tls.policy.to_string(), object, "ca.crt");
            }
            TrustSource::System => collector.unknown.push(format!(
                "the CAs of {} are those of the data plane's image, and not known",
                tls.policy
            )),
        }
        if let Some((object, _)) = client_ca(context, connection) {
            collector.object(Part::BackendCa, &service, &object, "ca.crt");
        }
    }
    let gateways = context.gateways.iter();
    for (name, (gateway, certificate)) in gateways.filter(|(name, _)| scope.has_gateway(name)) {
        match certificate {
            ClientCertificate::Presented(secret) => {
                collector.object(Part::Client, &name.to_string(), secret, "tls.crt");
            }
            ClientCertificate::Unknown { secret, why } => collector.unknown.push(format!(
                "the client certificate of {name} in {secret} is not known: {why}"
            )),
            ClientCertificate::None | ClientCertificate::Refused { .. } => {}
        }
        let own = gateway
            .spec
            .listeners
            .iter()
            .map(|listener| (*name, listener));
        let sets = context.snapshot.listener_sets.iter();
        let of_sets = sets
            .filter(|(_, set)| is_for(&set.spec.parent_ref, set.reference.namespace.as_str(), name))
            .flat_map(|(set, object)| object.spec.listeners.iter().map(move |one| (set, one)));
        let of_scope = own
            .chain(of_sets)
            .filter(|(owner, listener)| scope.has_listener(owner, &listener.name));
        for (owner, listener) in of_scope {
            for reference in &listener.certificate_refs {
                let namespace = reference.namespace.as_deref().unwrap_or(&owner.namespace);
                let secret = ObjectRef::new(Kind::Secret, namespace, &reference.name);
                let of = format!("listener {} of {owner}", listener.name);
                collector.object(Part::Listener, &of, &secret, "tls.crt");
            }
            let ends_tls =
                listener.protocol == "HTTPS" && listener.tls_mode.as_deref() != Some("Passthrough");
            let release = context.running.release;
            let demand = frontend::demand(context.snapshot, release, gateway, listener.port);
            for object in demand
                .filter(|demand| ends_tls && !demand.insecure)
                .into_iter()
                .flat_map(|demand| demand.cas)
                .filter_map(|ca| ca.object)
            {
                let of = format!("listener {} of {owner}", listener.name);
                collector.object(Part::ListenerCa, &of, &object, "ca.crt");
            }
        }
    }
    collector.issuers();
    collector.entries.into_values().collect()
}

/// Whether a ListenerSet's parent is that Gateway.
fn is_for(parent: &crate::model::kinds::LocalRef, namespace: &str, gateway: &ObjectRef) -> bool {
    parent.name == gateway.name
        && parent.namespace.as_deref().unwrap_or(namespace) == gateway.namespace
}

struct Collector<'a, 'b> {
    context: &'b Context<'a>,
    now: Timestamp,
    /// By fingerprint.
    entries: BTreeMap<String, Entry>,
    unknown: &'b mut Vec<String>,
}

impl Collector<'_, '_> {
    /// Every certificate under a key of an object.
    fn object(&mut self, part: Part, of: &str, object: &ObjectRef, key: &'static str) {
        match trust::certificates(self.context.snapshot, object, key) {
            Ok(all) => {
                for facts in all {
                    let renewal = renewal::of(self.context, object, key, facts, self.now);
                    self.add(
                        facts,
                        Use {
                            part,
                            of: of.to_owned(),
                            object: Some(object.clone()),
                            key,
                            renewal,
                        },
                    );
                }
            }
            Err(NoCertificates::Unknown(why) | NoCertificates::Wrong(why)) => {
                let phrase = part.phrase();
                self.unknown.push(format!("{phrase} {of}: {why}"));
            }
        }
    }

    fn served(&mut self, chain: &[CertificateFacts], service: &str) {
        for facts in chain {
            self.add(
                facts,
                Use {
                    part: Part::Backend,
                    of: service.to_owned(),
                    object: None,
                    key: "",
                    renewal: Renewal::not_known(),
                },
            );
        }
    }

    fn add(&mut self, facts: &CertificateFacts, used: Use) {
        let entry = self
            .entries
            .entry(facts.fingerprint_sha256.clone())
            .or_insert_with(|| Entry {
                facts: facts.clone(),
                uses: Vec::new(),
                breaks: Vec::new(),
            });
        if !entry.uses.contains(&used) {
            entry.uses.push(used);
        }
    }

    /// The CAs of the issuers behind what was found, and of theirs.
    fn issuers(&mut self) {
        let context = self.context;
        let mut open: Vec<ObjectRef> = self
            .entries
            .values()
            .flat_map(|entry| &entry.uses)
            .filter_map(|used| used.renewal.by.clone())
            .collect();
        let mut seen = BTreeSet::new();
        while let Some(name) = open.pop() {
            let Some(certificate) = context.snapshot.certificates.get(&name) else {
                continue;
            };
            let Some(issuer) =
                issuer_name(certificate).filter(|issuer| seen.insert(issuer.clone()))
            else {
                continue;
            };
            let secret = context
                .snapshot
                .issuers
                .get(&issuer)
                .and_then(|issuer| ca_secret(issuer));
            if let Some(secret) = secret {
                self.object(Part::Issuer, &issuer.to_string(), &secret, "tls.crt");
                let writers = context.snapshot.certificates.values();
                open.extend(
                    writers
                        .filter(|writer| {
                            writer.reference.namespace == secret.namespace
                                && writer.spec.secret_name == secret.name
                        })
                        .map(|writer| writer.reference.clone()),
                );
            }
        }
    }
}
