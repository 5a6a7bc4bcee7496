//! Who signs: the certificate that is there already, or the cert-manager issuer of a new one.

use super::Work;
use crate::{
    diagnosis::{mounted, words::list},
    model::{
        kind::Kind,
        kinds::{Certificate, Issuer},
        object::{Object, ObjectRef},
        snapshot::KindState,
    },
};

impl Work<'_> {
    /// The one Secret with this name in its certificate that the pods mount and a CA issuer fills.
    pub(super) fn mounted(&self) -> Option<ObjectRef> {
        let certificates = &self.snapshot.certificates;
        let mut found = mounted::by_service(self.snapshot, self.service)
            .into_iter()
            .map(|mounted| mounted.source)
            .filter(|source| {
                certificates.values().any(|certificate| {
                    source.kind == Kind::Secret
                        && certificate.reference.namespace == source.namespace
                        && certificate.spec.secret_name == source.name
                        && certificate.spec.dns_names.contains(&self.wanted.hostname)
                        && self.issuer_of(certificate).is_some_and(gives_ca)
                })
            });
        match (found.next(), found.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    }

    fn issuer_of(&self, certificate: &Object<Certificate>) -> Option<&Object<Issuer>> {
        let reference = &certificate.spec.issuer_ref;
        let kind = match reference.kind.as_deref() {
            Some("ClusterIssuer") => Kind::ClusterIssuer,
            _ => Kind::Issuer,
        };
        let name = ObjectRef::new(kind, &certificate.reference.namespace, &reference.name);
        self.snapshot.issuers.get(&name).map(|found| &**found)
    }

    /// The issuer that signs for a namespace; `instead` says what else one could give.
    pub(super) fn issuer(&self, instead: &str, namespace: &str) -> Result<ObjectRef, String> {
        if matches!(
            self.snapshot.kinds.get(&Kind::Certificate),
            Some(KindState::NotServed)
        ) {
            return Err(format!(
                "cert-manager is not installed in this cluster, so nothing can be issued; give {instead}"
            ));
        }
        let unread = [Kind::Issuer, Kind::ClusterIssuer]
            .into_iter()
            .find_map(|kind| match self.snapshot.kinds.get(&kind) {
                Some(KindState::Denied(why) | KindState::Failed(why)) => Some(why.as_str()),
                _ => None,
            });
        let Some(named) = &self.wanted.issuer else {
            if let Some(why) = unread {
                return Err(format!(
                    "which cert-manager issuers there are is not known ({why}); name one with --issuer clusterissuer/NAME, or give {instead}"
                ));
            }
            let mut fit = self.snapshot.issuers.values().filter(|issuer| {
                gives_ca(issuer)
                    && (issuer.reference.namespace.is_empty()
                        || issuer.reference.namespace == namespace)
            });
            return match (fit.next(), fit.next()) {
                (Some(only), None) => Ok(only.reference.clone()),
                (None, _) => Err(format!(
                    "no cert-manager issuer with a CA of its own is there for namespace {namespace}; name one with --issuer, or give {instead}"
                )),
                _ => Err(format!(
                    "several cert-manager issuers could sign; name one with --issuer: {}, or give {instead}",
                    list(
                        self.snapshot
                            .issuers
                            .values()
                            .filter(|issuer| gives_ca(issuer))
                            .map(|issuer| argument(&issuer.reference)),
                        8
                    )
                )),
            };
        };
        let (kind, name) = match named.split_once('/') {
            None => (None, named.as_str()),
            Some((kind, name)) => match Kind::parse(kind) {
                Some(kind @ (Kind::Issuer | Kind::ClusterIssuer)) => (Some(kind), name),
                _ => {
                    return Err(format!(
                        "--issuer {named}: write clusterissuer/NAME or issuer/NAME"
                    ));
                }
            },
        };
        let mut candidates = [Kind::Issuer, Kind::ClusterIssuer]
            .into_iter()
            .filter(|known| kind.is_none_or(|kind| kind == *known))
            .map(|kind| ObjectRef::new(kind, namespace, name));
        let found = candidates.find_map(|name| self.snapshot.issuers.get(&name));
        match found {
            Some(issuer) if gives_ca(issuer) => Ok(issuer.reference.clone()),
            Some(issuer) => Err(format!(
                "{} ({}) gives no CA to check by: its certificates come without a private CA as ca.crt; name a CA issuer, or give {instead}",
                issuer.reference, issuer.spec.issuer_type
            )),
            // Nobody may look, so whoever names it answers for it.
            None if let (Some(kind), Some(_)) = (kind, unread) => {
                Ok(ObjectRef::new(kind, namespace, name))
            }
            None => Err(format!(
                "--issuer {named}: there is no such issuer for namespace {namespace}; there are {}",
                match self.snapshot.issuers.len() {
                    0 => "none".to_owned(),
                    _ => list(self.snapshot.issuers.keys().map(argument), 8),
                }
            )),
        }
    }
}

/// Whether its certificates come with a CA that others of the same issuer are signed by.
fn gives_ca(issuer: &Object<Issuer>) -> bool {
    !matches!(issuer.spec.issuer_type.as_str(), "acme" | "selfSigned")
}

fn argument(issuer: &ObjectRef) -> String {
    format!(
        "{}/{}",
        issuer.kind.name().to_ascii_lowercase(),
        issuer.name
    )
}
