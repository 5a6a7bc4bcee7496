//! The certificates that a Service's pods may present, and how likely it is.

use std::collections::{BTreeSet, HashMap};

use ngf_tls::certificate::CertificateFacts;

use crate::{
    diagnosis::{context::Context, mounted::Mounted, trust},
    model::{
        kind::Kind,
        kinds::{Certificate, Service},
        object::{Object, ObjectRef},
        snapshot::Lookup,
    },
};

/// A certificate that a backend may present.
pub(super) struct Candidate<'a> {
    /// The Secret that holds it, or will.
    pub(super) secret: ObjectRef,
    /// Where it is known from.
    pub(super) from: From<'a>,
    /// What it is.
    pub(super) is: Is<'a>,
}

pub(super) enum From<'a> {
    /// The pods of the Service mount it.
    Mounted(Mounted),
    /// It is for the Service's own name.
    Named(&'a ObjectRef),
}

pub(super) enum Is<'a> {
    /// The certificate, with what is sent behind it.
    Chain(&'a [CertificateFacts]),
    /// What cert-manager was asked for; the Secret is not there, or may not be read.
    Requested(&'a Object<Certificate>),
}

impl Candidate<'_> {
    pub(super) fn names(&self) -> &[String] {
        match &self.is {
            Is::Chain(chain) => chain.first().map_or(&[], |leaf| &leaf.dns_names),
            Is::Requested(certificate) => &certificate.spec.dns_names,
        }
    }

    /// Whether one of its names is the Service's own.
    pub(super) fn is_for(&self, service: &ObjectRef) -> bool {
        self.names()
            .iter()
            .any(|name| name.split('.').next() == Some(service.name.as_str()))
    }

    /// Whether one of its names is of a Service in the namespace, so that it is a server's there.
    pub(super) fn is_of_namespace(&self, context: &Context<'_>, service: &ObjectRef) -> bool {
        let namespace = &service.namespace;
        self.names().iter().any(|name| {
            let mut labels = name.split('.');
            let first = labels.next().unwrap_or_default();
            let within = labels.next() == Some(namespace);
            let other = ObjectRef::new(Kind::Service, namespace.as_str(), first);
            within || context.index.service(&other).is_some()
        })
    }

    /// Whether it can be a server's at all.
    fn may_serve(&self) -> bool {
        match &self.is {
            Is::Chain(chain) => chain.first().is_some_and(|leaf| {
                let usages = &leaf.extended_key_usage;
                usages.is_empty() || !usages.iter().all(|usage| usage == "clientAuth")
            }),
            Is::Requested(certificate) => {
                let usages = &certificate.spec.usages;
                let is = |word: &str| usages.iter().any(|usage| usage == word);
                !certificate.spec.is_ca && (!is("client auth") || is("server auth"))
            }
        }
    }

    /// Whether it is a certificate with the Service's own name, though it is made for clients alone.
    fn was_issued_for(&self, service: &ObjectRef) -> bool {
        matches!(self.is, Is::Chain(_)) && self.is_for(service)
    }

    /// Whether it says of itself that it is a server's.
    pub(super) fn says_server(&self) -> bool {
        match &self.is {
            Is::Chain(chain) => chain.first().is_some_and(|leaf| {
                leaf.extended_key_usage
                    .iter()
                    .any(|usage| usage == "serverAuth")
            }),
            Is::Requested(certificate) => certificate
                .spec
                .usages
                .iter()
                .any(|usage| usage == "server auth"),
        }
    }
}

/// The certificates that the pods of a Service may present: those that they mount, or else those that are
/// made for the Service's name in its namespace.
pub(super) fn candidates<'a>(
    context: &'a Context<'_>,
    service: &Object<Service>,
) -> Vec<Candidate<'a>> {
    // Whoever answers behind a name elsewhere, no pod of this cluster is known to.
    if service.spec.external_name.is_some() {
        return Vec::new();
    }
    let mounted = context.mounted(service);
    let of_pods: Vec<Candidate<'a>> = mounted
        .iter()
        .filter(|mounted| mounted.source.kind == Kind::Secret && mounted.has("tls.crt"))
        .filter_map(|mounted| {
            Some(Candidate {
                secret: mounted.source.clone(),
                is: what(context, &mounted.source)?,
                from: From::Mounted(mounted.clone()),
            })
        })
        .filter(|candidate| candidate.may_serve() || candidate.was_issued_for(&service.reference))
        .collect();
    let mounts_any = mounted
        .iter()
        .any(|mounted| mounted.source.kind == Kind::Secret);
    if mounts_any || !of_pods.is_empty() {
        return of_pods;
    }
    let service = &service.reference;
    let named = context.serving.get_or_init(|| serving(context));
    let secrets = named.get(&(service.namespace.clone(), service.name.clone()));
    let secrets = secrets.into_iter().flatten();
    secrets
        .filter_map(|secret| candidate_of(context, secret))
        .collect()
}

/// What a Secret holds for a server, or will hold.
pub(super) fn what<'a>(context: &Context<'a>, secret: &ObjectRef) -> Option<Is<'a>> {
    let snapshot = context.snapshot;
    match trust::certificates(snapshot, secret, "tls.crt") {
        Ok(chain) => Some(Is::Chain(chain)),
        // Of a Secret that can be read, what it holds counts, not what was asked for.
        Err(_) if matches!(snapshot.secrets.get(secret), Some(Lookup::Found(_))) => None,
        Err(_) => context
            .writer(secret)
            .and_then(|writer| snapshot.certificates.get(writer))
            .map(|certificate| Is::Requested(certificate)),
    }
}

fn candidate_of<'a>(context: &Context<'a>, secret: &ObjectRef) -> Option<Candidate<'a>> {
    let is = what(context, secret)?;
    let from = match &is {
        Is::Requested(certificate) => From::Named(&certificate.reference),
        Is::Chain(_) => From::Named(context.snapshot.secrets.get_key_value(secret)?.0),
    };
    let secret = secret.clone();
    Some(Candidate { secret, from, is }).filter(Candidate::may_serve)
}

/// The Secrets that may be a server's, by their namespace and the first label of each of their names: that of the
/// Service that they are for. In the order of their names.
fn serving(context: &Context<'_>) -> HashMap<(String, String), Vec<ObjectRef>> {
    let snapshot = context.snapshot;
    let written = snapshot.certificates.values().map(|certificate| {
        ObjectRef::new(
            Kind::Secret,
            &certificate.reference.namespace,
            &certificate.spec.secret_name,
        )
    });
    let all: BTreeSet<ObjectRef> = snapshot.secrets.keys().cloned().chain(written).collect();
    let mut found: HashMap<_, Vec<ObjectRef>> = HashMap::new();
    for secret in all {
        let Some(candidate) = candidate_of(context, &secret) else {
            continue;
        };
        let labels: BTreeSet<&str> = candidate
            .names()
            .iter()
            .filter_map(|name| name.split('.').next())
            .collect();
        for label in labels {
            let key = (secret.namespace.clone(), label.to_owned());
            found.entry(key).or_default().push(secret.clone());
        }
    }
    found
}
