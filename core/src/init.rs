//! The manifests that mutual TLS from a Gateway to a Service needs, worked out from what is there:
//! what the guide makes by hand. Pure; for review, never applied.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::diagnosis::code::Code;
use crate::{
    command::own,
    diagnosis::{
        Diagnosis, Evidence,
        finding::ObjectChange,
        grant,
        ngf::{
            policy::hostname_problem,
            release::Running,
            resolve::{Resolved, resolve_config_map, resolve_secret},
        },
        policy_manifest,
    },
    fix::without_servers_fields,
    json_merge,
    model::{
        index::{Index, Targeting},
        kind::Kind,
        kinds::{BackendTLSPolicy, Gateway, Service},
        object::{Object, ObjectRef},
        snapshot::{KindState, Lookup, Snapshot, Source},
        topology::Topology,
    },
};

use target::{gateway, section, service};

mod issuer;
mod target;

/// What `init` is asked to set up.
#[derive(Debug, Clone)]
pub struct SetupRequest {
    /// The Service.
    pub service: ObjectRef,
    /// The name in its certificate.
    pub hostname: String,
    /// The Gateway; `None` for the one whose routes lead there.
    pub gateway: Option<ObjectRef>,
    /// One port of the Service, by number or name; `None` for all.
    pub port: Option<String>,
    /// The ConfigMap or Secret that holds the CA of the backend's certificate.
    pub ca: Option<ObjectRef>,
    /// The Secret that the Gateway presents.
    pub client_secret: Option<ObjectRef>,
    /// cert-manager's issuer, by `KIND/NAME` or name.
    pub issuer: Option<String>,
}

/// A manifest to review.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// A file name: `50-backendtlspolicy.yaml`.
    pub file: String,
    /// What it is for, in one sentence.
    pub why: String,
    /// The object.
    pub object: Value,
}

/// What there is to write, and what remains to be done by hand.
#[derive(Debug, Clone)]
pub struct Manifests {
    /// In the order in which they are applied.
    pub files: Vec<Manifest>,
    /// What a manifest cannot do, a sentence each.
    pub notes: Vec<String>,
}

impl Manifest {
    fn new(file: impl Into<String>, why: impl Into<String>, object: Value) -> Self {
        Self {
            file: file.into(),
            why: why.into(),
            object,
        }
    }

    /// As a file: what it is for, and the object.
    pub fn text(&self) -> String {
        let yaml = serde_saphyr::to_string(&self.object)
            .unwrap_or_else(|error| format!("# cannot be written as YAML: {error}\n"));
        format!("# {}\n{yaml}", crate::model::clean::clean_line(&self.why))
    }
}

/// Works the manifests out.
///
/// # Errors
/// A sentence that says what is missing or wrong, and what to do.
pub fn manifests(
    snapshot: &Snapshot,
    wanted: &SetupRequest,
    now: Timestamp,
) -> Result<Manifests, String> {
    if let Some(problem) = hostname_problem(&wanted.hostname) {
        return Err(format!("--hostname {}: {problem}", wanted.hostname));
    }
    if wanted.hostname.starts_with("*.") {
        return Err(format!(
            "--hostname {}: nginx sends it as server name, so it must be one name, without *",
            wanted.hostname
        ));
    }
    let index = Index::of(snapshot);
    let topology = Topology::with(snapshot, &index);
    let service = service(snapshot, &wanted.service)?;
    let section = section(service, wanted.port.as_deref())?;
    let meets = |claim: &&Targeting<'_>| {
        section.is_none() || claim.section.is_none() || claim.section == section
    };
    let claim = index.claims(&wanted.service).iter().find(meets);
    let gateway = gateway(snapshot, &topology, wanted)?;
    let mut work = Work {
        snapshot,
        wanted,
        service,
        gateway,
        out: Manifests {
            files: Vec::new(),
            notes: Vec::new(),
        },
    };
    match claim {
        None => {
            let ca = work.ca()?;
            work.client_certificate()?;
            work.route_grants(now);
            work.policy(&ca, section)?;
        }
        Some(claim) => work.rest_of(claim.policy, now)?,
    }
    work.out.files.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(work.out)
}

struct Work<'s> {
    snapshot: &'s Snapshot,
    wanted: &'s SetupRequest,
    service: &'s Object<Service>,
    gateway: &'s Object<Gateway>,
    out: Manifests,
}

impl Work<'_> {
    fn add(&mut self, file: impl Into<String>, why: impl Into<String>, object: Value) {
        self.out.files.push(Manifest::new(file, why, object));
    }

    /// The object that holds the CA of the backend's certificate: the one that is named, the one
    /// whose Secret the pods mount already, or a new Certificate's.
    fn ca(&mut self) -> Result<ObjectRef, String> {
        let service = &self.service.reference;
        if let Some(ca) = &self.wanted.ca {
            usable(self.snapshot, ca, "--ca")?;
            return Ok(ca.clone());
        }
        if let Some(secret) = self.mounted() {
            return Ok(secret);
        }
        let issuer = self.issuer("--ca configmap/NAME", &service.namespace)?;
        let name = format!("{}-tls", service.name);
        let secret = ObjectRef::new(Kind::Secret, &service.namespace, &name);
        self.free(&ObjectRef::new(
            Kind::Certificate,
            &service.namespace,
            &name,
        ))?;
        self.free(&secret)?;
        let hostname = &self.wanted.hostname;
        let certificate = certificate(
            &name,
            &service.namespace,
            &issuer,
            &json!({"commonName": common_name(hostname), "dnsNames": [hostname], "usages": ["digital signature", "key encipherment", "server auth"]}),
        );
        let why = format!("The certificate that the pods of {service} present for {hostname}.");
        self.out.notes.push(format!(
            "Mount {secret} in the pods of {service}: tls.crt and tls.key to serve with, ca.crt to check the Gateway's certificate by."
        ));
        self.add("10-backend-certificate.yaml", why, certificate);
        Ok(secret)
    }

    /// What is missing where a policy targets the Service already.
    fn rest_of(&mut self, policy: &Object<BackendTLSPolicy>, now: Timestamp) -> Result<(), String> {
        let (name, service) = (&policy.reference, &self.service.reference);
        let hostname = &policy.spec.hostname;
        if *hostname != self.wanted.hostname {
            return Err(format!(
                "--hostname {}: {name} targets {service} already, with hostname {hostname}; change that one, or give --hostname {hostname}",
                self.wanted.hostname
            ));
        }
        self.out.notes.push(format!(
            "{name} targets {service} already, and stays as it is."
        ));
        self.client_certificate()?;
        self.route_grants(now);
        if self.out.files.is_empty() {
            return Err(format!(
                "{name} targets {service} already, and {} has a client certificate: nothing is missing. To see what is wrong with them: {}",
                self.gateway.reference,
                own("check")
            ));
        }
        Ok(())
    }

    /// What the Gateway presents: what is named, what it names already, or a new Certificate's.
    fn client_certificate(&mut self) -> Result<(), String> {
        let gateway = &self.gateway.reference;
        let named = self.gateway.spec.client_certificate_ref.as_ref();
        let secret = match (&self.wanted.client_secret, named) {
            (Some(secret), _) => {
                usable(self.snapshot, secret, "--client-secret")?;
                secret.clone()
            }
            (None, Some(reference)) => {
                self.out.notes.push(format!(
                    "{gateway} presents Secret {}/{} already, and stays as it is.",
                    reference.namespace.as_deref().unwrap_or(&gateway.namespace),
                    reference.name
                ));
                return Ok(());
            }
            (None, None) => self.new_client_certificate()?,
        };
        if secret.namespace != gateway.namespace {
            let grant = grant(
                "Gateway",
                &gateway.namespace,
                "Secret",
                &secret.namespace,
                &secret.name,
            );
            let why = format!("Lets {gateway} use {secret}.");
            self.grant("30-referencegrant-client.yaml", why, grant)?;
        }
        let mut reference = json!({"group": "", "kind": "Secret", "name": secret.name});
        if secret.namespace != gateway.namespace {
            reference["namespace"] = json!(secret.namespace);
        }
        let patch = json!({"spec": {"tls": {"backend": {"clientCertificateRef": reference}}}});
        let mut object = json_merge::merged(&self.gateway.raw, &patch);
        without_servers_fields(&mut object);
        let why = format!(
            "{gateway} as it is, with the client certificate that it presents to every backend over TLS (spec.tls.backend)."
        );
        self.add("40-gateway.yaml", why, object);
        Ok(())
    }

    fn new_client_certificate(&mut self) -> Result<ObjectRef, String> {
        let gateway = &self.gateway.reference;
        let issuer = self.issuer("--client-secret NAME", &gateway.namespace)?;
        let name = format!("{}-client-tls", gateway.name);
        let secret = ObjectRef::new(Kind::Secret, &gateway.namespace, &name);
        self.free(&ObjectRef::new(
            Kind::Certificate,
            &gateway.namespace,
            &name,
        ))?;
        self.free(&secret)?;
        let certificate = certificate(
            &name,
            &gateway.namespace,
            &issuer,
            &json!({"commonName": common_name(&gateway.name), "usages": ["digital signature", "key encipherment", "client auth"]}),
        );
        let why = format!("The certificate by which {gateway} proves itself to backends.");
        self.add("20-client-certificate.yaml", why, certificate);
        self.out.notes.push(format!(
            "Let the backend demand a client certificate and trust the CA of {issuer} for it."
        ));
        Ok(secret)
    }

    /// Routes of other namespaces need a grant for the Service.
    fn route_grants(&mut self, now: Timestamp) {
        let diagnosis = Diagnosis::of(self.snapshot, &Evidence::none(), now);
        let wanted = diagnosis
            .findings
            .iter()
            .filter(|finding| finding.code == Code::R4)
            .filter(|finding| {
                finding
                    .objects()
                    .any(|about| *about == self.service.reference)
            });
        let mut number = 0;
        for finding in wanted {
            let changes = finding.remedy.iter().flat_map(|remedy| &remedy.changes);
            for change in changes {
                if let ObjectChange::Create(manifest) = change {
                    number += 1;
                    let file = match number {
                        1 => "31-referencegrant-route.yaml".to_owned(),
                        more => format!("31-referencegrant-route-{more}.yaml"),
                    };
                    let mut manifest = manifest.clone();
                    if self.serve(Kind::ReferenceGrant, &mut manifest).is_ok() {
                        self.add(file, finding.title.clone() + ": this lets it.", manifest);
                    }
                }
            }
        }
    }

    fn grant(&mut self, file: &str, why: String, mut grant: Value) -> Result<(), String> {
        self.serve(Kind::ReferenceGrant, &mut grant)?;
        self.add(file, why, grant);
        Ok(())
    }

    fn policy(&mut self, ca: &ObjectRef, section: Option<&str>) -> Result<(), String> {
        let service = &self.service.reference;
        self.free(&ObjectRef::new(
            Kind::BackendTLSPolicy,
            &service.namespace,
            &service.name,
        ))?;
        let reference = json!({"group": "", "kind": ca.kind.name(), "name": ca.name});
        let mut policy = policy_manifest(service, &reference, &self.wanted.hostname);
        if let Some(section) = section {
            policy["spec"]["targetRefs"][0]["sectionName"] = json!(section);
        }
        self.serve(Kind::BackendTLSPolicy, &mut policy)?;
        let why = format!(
            "Lets nginx speak TLS to {service}, check its certificate by the ca.crt in {ca}, and expect the name {}.",
            self.wanted.hostname
        );
        self.add("50-backendtlspolicy.yaml", why, policy);
        Ok(())
    }

    /// The version that the cluster serves.
    fn serve(&self, kind: Kind, manifest: &mut Value) -> Result<(), String> {
        let info = kind.info();
        match self.snapshot.kinds.get(&kind) {
            Some(KindState::Live { version } | KindState::Stale { version, .. }) => {
                manifest["apiVersion"] = json!(format!("{}/{version}", info.group));
                Ok(())
            }
            _ if matches!(self.snapshot.source, Source::Files { .. }) => Ok(()),
            Some(KindState::NotServed) => Err(format!(
                "the cluster has no {}; install the Gateway API's CRDs first",
                info.name
            )),
            _ => Err(format!(
                "in which version the cluster serves {} is not known: it may not be read, or does not answer",
                info.name
            )),
        }
    }

    fn free(&self, object: &ObjectRef) -> Result<(), String> {
        if self.snapshot.raw(object).is_none() {
            return Ok(());
        }
        Err(format!(
            "{object} is there already; use it (--ca, --client-secret), or rename it"
        ))
    }
}

/// Whether NGF takes what is named. What nobody can read may be right.
fn usable(snapshot: &Snapshot, object: &ObjectRef, option: &str) -> Result<(), String> {
    let absent = match object.kind {
        Kind::Secret => matches!(snapshot.secrets.get(object), Some(Lookup::Absent)),
        _ => matches!(snapshot.config_maps.get(object), Some(Lookup::Absent)),
    };
    if absent {
        return Err(format!("{option}: {object} does not exist"));
    }
    let resolved = match object.kind {
        Kind::Secret => resolve_secret(snapshot, Running::of(snapshot).release, object),
        _ => resolve_config_map(snapshot, Running::of(snapshot).release, object),
    };
    match resolved {
        Resolved::Refused(_, why) => Err(format!("{option}: NGF does not take {object}: {why}")),
        Resolved::Usable | Resolved::Unknown(_) => Ok(()),
    }
}

/// A common name, where it is not too long for one (RFC 5280, appendix A.1: 64 characters).
fn common_name(name: &str) -> Option<&str> {
    (name.len() <= 64).then_some(name)
}

fn certificate(name: &str, namespace: &str, issuer: &ObjectRef, more: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"secretName": name},
    });
    json_patch::merge(&mut object["spec"], more);
    object["spec"]["issuerRef"] = json!({
        "group": "cert-manager.io",
        "kind": issuer.kind.name(),
        "name": issuer.name,
    });
    object
}
