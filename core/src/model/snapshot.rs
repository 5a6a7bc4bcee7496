//! Everything that is known of the cluster at one moment; immutable.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    kind::Kind,
    kinds::{
        BackendTLSPolicy, Certificate, CertificateRequest, Challenge, ConfigMapFacts,
        EndpointSlice, Event, Gateway, GatewayClass, Issuer, ListenerSet, NgfResource, Order, Pod,
        ReferenceGrant, Route, SecretFacts, Service, TrustBundle, Workload,
    },
    network::NetworkPolicy,
    object::{Meta, Note, Object, ObjectRef},
    raw::Raw,
    status::Spec,
    table::for_every_table,
};
use crate::{shared::SharedMap, threads};

/// The objects of some kinds, by name.
pub type Table<T> = SharedMap<ObjectRef, Arc<Object<T>>>;

/// The answers to a `get` by name, of some kinds.
pub type Lookups<T> = SharedMap<ObjectRef, Lookup<Arc<Object<T>>>>;

macro_rules! snapshot {
    ($($(#[$doc:meta])* $variant:ident => $field:ident: $spec:ident;)*) => {
/// Everything that is known of the cluster at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Where it comes from.
    pub source: Source,
    /// Which namespaces were read.
    pub scope: Scope,
    /// How many files were read, where the source is files.
    pub files: usize,
    /// What is known of each kind that was asked for.
    /// From files, only those that were found are here, each with the version that it was written in.
    pub kinds: BTreeMap<Kind, KindState>,
    /// Kinds of which the user may read one namespace only, though [`Snapshot::scope`] is wider.
    pub narrowed: BTreeMap<Kind, String>,
    /// Secrets and ConfigMaps that the user may not read; their [`Lookup`] says it in the API server's words.
    pub denied: BTreeSet<ObjectRef>,
    $($(#[$doc])* pub $field: Table<$spec>,)*
    /// Events about objects above, the newest first.
    pub events: Vec<Arc<Object<Event>>>,
    /// Secrets that something refers to.
    pub secrets: Lookups<SecretFacts>,
    /// ConfigMaps that something refers to.
    pub config_maps: Lookups<ConfigMapFacts>,
    /// Secrets and ConfigMaps that are not watched, because too many are referred to, or because the user may not watch
    /// them; and when each was read last. What is known of them is as old as that. No rule asks for it.
    pub unwatched: SharedMap<ObjectRef, Timestamp>,
    /// Objects in files of kinds that the tool does not read, as `apiVersion kind`, counted.
    pub ignored: BTreeMap<String, usize>,
    /// What was wrong with an input as a whole: a file that is not YAML, an object without a name.
    pub problems: Vec<Problem>,
    /// Why the cluster cannot be read at all for now. What was read before may be old.
    pub lost: Option<Lost>,
    /// Objects in files whose fields hold placeholders or encrypted values, with the fields' paths: those
    /// values are unknown until they are rendered or decrypted.
    pub unrendered: SharedMap<ObjectRef, Vec<String>>,
    /// Files and documents that are templates, or encrypted as a whole: they hold manifests once rendered.
    pub templates: Vec<String>,
    /// Files of a directory that hold no Kubernetes object, such as data and configuration.
    pub not_manifests: Vec<String>,
    /// Where each object of files begins.
    pub places: SharedMap<ObjectRef, Place>,
}

/// Where an object of a file begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was given or found.
    pub file: String,
    /// The line on which its document begins, from 1.
    pub line: usize,
}
    };
}

for_every_table!(snapshot);

/// Where a snapshot comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A cluster.
    Cluster {
        /// Context of the kubeconfig; `in-cluster` within a pod.
        context: String,
        /// URL of the API server.
        server: String,
        /// `major.minor` from `/version`, once known.
        version: Option<String>,
    },
    /// Files.
    Files {
        /// As given on the command line.
        paths: Vec<String>,
    },
}

/// Which namespaces are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All.
    AllNamespaces,
    /// One; cluster-scoped kinds are read too, where allowed.
    Namespace(String),
}

/// What is known of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KindState {
    /// Asked for, no answer yet.
    Loading,
    /// Read and watched.
    Live {
        /// `v1`, `v1alpha3`.
        version: String,
    },
    /// Read before; the watch is broken since then, and what is shown may be old.
    Stale {
        /// The version.
        version: String,
        /// Since when.
        since: Timestamp,
        /// Why, in a sentence.
        why: String,
    },
    /// The cluster does not have this kind.
    NotServed,
    /// The cluster has the kind, in versions that the tool does not read.
    UnknownVersions(Vec<String>),
    /// The user may not read it: the API server's words.
    Denied(String),
    /// It could not be read, for another reason.
    Failed(String),
}

/// An API server that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The last moment at which it could.
    pub since: Timestamp,
    /// The cause, in a sentence without a full stop.
    pub why: String,
    /// In which manner.
    pub loss: Loss,
}

/// In which manner an API server cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loss {
    /// It does not answer.
    Silent,
    /// It answers, and can read hardly any kind: its etcd does not answer, for instance.
    Failing,
    /// It does not accept the credentials, or there are none any more.
    Refused {
        /// The user and plugin that the kubeconfig names, in words; empty where it names none.
        who: String,
    },
}

/// The answer to a `get` by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<T> {
    /// Here it is.
    Found(T),
    /// It does not exist.
    Absent,
    /// Unknown: why.
    Unknown(String),
}

/// Something wrong with an input as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: a file and document, a kind, an object.
    pub place: String,
    /// What is wrong and what to do, in a sentence.
    pub message: String,
    /// Details, where an object is meant.
    pub notes: Vec<Note>,
}

/// Routes and Services for each thread. For fewer, a thread costs more time than it saves.
const FEW: usize = 500;

impl Snapshot {
    /// How many kinds have not been listed yet. Events are not counted: no rule reads them, and they may be as many as
    /// everything else.
    pub fn loading(&self) -> usize {
        let is_loading = |(kind, state): &(&Kind, &KindState)| {
            **state == KindState::Loading && **kind != Kind::Event
        };
        self.kinds.iter().filter(is_loading).count()
    }

    /// The number of threads that work on all objects; 1 where the cluster is small.
    pub(crate) fn threads(&self) -> usize {
        threads::worth((self.routes.len() + self.services.len()) / FEW)
    }

    /// `make` of each object, in their order. Several threads do it where the cluster is large.
    pub(crate) fn in_threads<'p, T: Sync, R: Send>(
        &self,
        objects: &'p [T],
        make: impl Fn(&'p T) -> R + Sync,
    ) -> Vec<R> {
        threads::map_in(self.threads(), threads::CHUNK, objects, make)
    }

    /// Why a field of an object is unknown: it holds a placeholder or an encrypted value. The path may be
    /// that of an object or list above the field.
    pub fn unrendered(&self, object: &ObjectRef, path: &str) -> Option<String> {
        let paths = self.unrendered.get(object)?;
        let found = paths.iter().find(|found| {
            found
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })?;
        Some(format!(
            "{found} of {object} is unknown until it is rendered or decrypted"
        ))
    }

    /// An object as the API server gave it; of a Secret only what is no secret.
    pub fn raw(&self, object: &ObjectRef) -> Option<Arc<Raw>> {
        self.look(object).map(|common| Arc::clone(common.raw))
    }

    /// An annotation of an object.
    pub fn annotation(&self, object: &ObjectRef, name: &str) -> Option<&str> {
        let annotations = &self.look(object)?.meta.annotations;
        annotations.get(name).map(String::as_str)
    }

    /// The labels of an object; `None` where it was not read.
    pub fn labels(&self, object: &ObjectRef) -> Option<&BTreeMap<String, String>> {
        Some(&self.look(object)?.meta.labels)
    }

    /// What the tool did not understand in an object.
    pub fn notes_of(&self, object: &ObjectRef) -> &[Note] {
        self.look(object).map_or(&[], |common| common.notes)
    }

    fn look(&self, object: &ObjectRef) -> Option<Common<'_>> {
        fn found<T: Spec>(object: &Object<T>) -> Common<'_> {
            Common {
                meta: &object.meta,
                raw: &object.raw,
                notes: &object.notes,
            }
        }
        fn table<'a, T: Spec>(table: &'a Table<T>, object: &ObjectRef) -> Option<Common<'a>> {
            table.get(object).map(|object| found(object))
        }
        match object.kind {
            Kind::GatewayClass => table(&self.gateway_classes, object),
            Kind::Gateway => table(&self.gateways, object),
            Kind::ListenerSet => table(&self.listener_sets, object),
            Kind::HTTPRoute
            | Kind::GRPCRoute
            | Kind::TLSRoute
            | Kind::TCPRoute
            | Kind::UDPRoute => table(&self.routes, object),
            Kind::BackendTLSPolicy => table(&self.policies, object),
            Kind::ReferenceGrant => table(&self.grants, object),
            Kind::Service => table(&self.services, object),
            Kind::EndpointSlice => table(&self.endpoint_slices, object),
            Kind::Pod => table(&self.pods, object),
            Kind::Deployment | Kind::DaemonSet => table(&self.workloads, object),
            Kind::NetworkPolicy => table(&self.network_policies, object),
            Kind::ClusterIssuer | Kind::Issuer => table(&self.issuers, object),
            Kind::Certificate => table(&self.certificates, object),
            Kind::CertificateRequest => table(&self.certificate_requests, object),
            Kind::Order => table(&self.orders, object),
            Kind::Challenge => table(&self.challenges, object),
            Kind::Bundle | Kind::ClusterBundle | Kind::ClusterTrustBundle => {
                table(&self.trust_bundles, object)
            }
            Kind::Secret => match self.secrets.get(object)? {
                Lookup::Found(secret) => Some(found(secret)),
                Lookup::Absent | Lookup::Unknown(_) => None,
            },
            Kind::ConfigMap => match self.config_maps.get(object)? {
                Lookup::Found(map) => Some(found(map)),
                Lookup::Absent | Lookup::Unknown(_) => None,
            },
            Kind::Event => {
                let event = self
                    .events
                    .iter()
                    .find(|event| event.reference == *object)?;
                Some(found(event))
            }
            _ => table(&self.ngf, object),
        }
    }
}

/// What objects of all kinds have.
struct Common<'a> {
    meta: &'a Meta,
    raw: &'a Arc<Raw>,
    notes: &'a [Note],
}
