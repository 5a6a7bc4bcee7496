//! What the pods behind a Service mount: where their certificates probably come from. Never proof:
//! only a probe shows what a server presents.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ngf_tls::{certificate::CertificateFacts, chain::NGINX_SERVER_DEPTH};

use super::{context::Context, ngf::BackendState, trust};
use crate::model::{
    kind::Kind,
    kinds::{Container, Pod, Service, Volume, Workload},
    object::{Object, ObjectRef},
    references::ROOT_CA,
    snapshot::Snapshot,
    status::Spec,
};
use crate::nginx_config::{Token, Tokens};

/// A Secret or ConfigMap that a Service's pods mount.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mounted {
    /// The Secret or ConfigMap.
    pub source: ObjectRef,
    /// Where it is mounted, in the first container that does.
    pub path: String,
    /// Mounted by subPath, so that it is never updated.
    pub sub_path: bool,
    /// A pod, or the workload whose template says so.
    pub by: ObjectRef,
    /// The keys of it that are mounted; `None` for all.
    pub keys: Option<BTreeSet<String>>,
}

impl Mounted {
    /// Whether a key of it is mounted, if it has that key.
    pub fn has(&self, key: &str) -> bool {
        self.keys.as_ref().is_none_or(|keys| keys.contains(key))
    }
}

/// What of a volume a container sees: its `items`, or the files that are mounted by subPath alone.
fn seen_keys(volume: &Volume, containers: &[Container]) -> Option<BTreeSet<String>> {
    if let Some(keys) = &volume.keys {
        return Some(keys.iter().cloned().collect());
    }
    let mounts = containers
        .iter()
        .flat_map(|container| &container.mounts)
        .filter(|(name, _, _)| *name == volume.name);
    // A path with a variable may be any.
    let key = |path: &Option<String>| path.clone().filter(|path| !path.contains('$'));
    mounts.map(|(_, _, sub_path)| key(sub_path)).collect()
}

/// Pods and workloads by namespace and by each of their labels, so that finding those of a Service
/// does not look at all of them.
pub struct Selectable<'a> {
    pods: ByLabel<'a, Pod>,
    workloads: ByLabel<'a, Workload>,
}

/// By namespace, label and value.
type ByLabel<'a, T> = HashMap<(&'a str, &'a str, &'a str), Vec<&'a Object<T>>>;

fn by_label<'a, T: Spec>(
    objects: impl Iterator<Item = &'a Object<T>>,
    labels: impl Fn(&'a Object<T>) -> &'a BTreeMap<String, String>,
) -> ByLabel<'a, T> {
    let mut found: ByLabel<'a, T> = HashMap::new();
    for object in objects {
        for (name, value) in labels(object) {
            let key = (
                object.reference.namespace.as_str(),
                name.as_str(),
                value.as_str(),
            );
            found.entry(key).or_default().push(object);
        }
    }
    found
}

/// Those that have the selector's rarest label.
fn candidates<'b, 'a, T: Spec>(
    objects: &'b ByLabel<'a, T>,
    service: &'b Object<Service>,
) -> &'b [&'a Object<T>] {
    let namespace = service.reference.namespace.as_str();
    let lists = service.spec.selector.iter().map(|(name, value)| {
        objects
            .get(&(namespace, name.as_str(), value.as_str()))
            .map_or(&[][..], Vec::as_slice)
    });
    lists.min_by_key(|list| list.len()).unwrap_or(&[])
}

impl<'a> Selectable<'a> {
    /// Indexes a snapshot.
    pub fn of(snapshot: &'a Snapshot) -> Self {
        Self {
            pods: by_label(snapshot.pods.values().map(|pod| &**pod), |pod| {
                &pod.meta.labels
            }),
            workloads: by_label(
                snapshot.workloads.values().map(|workload| &**workload),
                |workload| &workload.spec.template.labels,
            ),
        }
    }

    /// What the pods of a Service mount, each source once; where there are no pods (files), what the
    /// templates of workloads say that the Service selects.
    pub fn mounted(&self, service: &Object<Service>) -> Vec<Mounted> {
        let mut found: BTreeMap<ObjectRef, Mounted> = BTreeMap::new();
        let mut take = |by: &ObjectRef, volumes: &[Volume], containers: &[Container]| {
            for volume in volumes {
                let mount = containers
                    .iter()
                    .flat_map(|container| &container.mounts)
                    .find(|(name, _, _)| *name == volume.name);
                // What every pod mounts says nothing of this one.
                let is_root_ca =
                    volume.source.kind == Kind::ConfigMap && volume.source.name == ROOT_CA;
                if let Some((_, path, sub_path)) = mount
                    && !is_root_ca
                {
                    let keys = seen_keys(volume, containers);
                    let known = found.entry(volume.source.clone());
                    let known = known.or_insert_with(|| Mounted {
                        source: volume.source.clone(),
                        path: path.clone(),
                        sub_path: sub_path.is_some(),
                        by: by.clone(),
                        keys: keys.clone(),
                    });
                    match (&mut known.keys, keys) {
                        (Some(known), Some(keys)) => known.extend(keys),
                        (all, _) => *all = None,
                    }
                }
            }
        };
        let mut any = false;
        for pod in candidates(&self.pods, service) {
            if service.spec.selects(&pod.meta.labels) {
                any = true;
                take(&pod.reference, &pod.spec.volumes, &pod.spec.containers);
            }
        }
        if !any {
            for workload in candidates(&self.workloads, service) {
                let template = &workload.spec.template;
                if service.spec.selects(&template.labels) {
                    take(&workload.reference, &template.volumes, &template.containers);
                }
            }
        }
        found.into_values().collect()
    }
}

/// What the pods of one Service mount; for many, [`Context::mounted`] is faster.
pub fn by_service(snapshot: &Snapshot, service: &Object<Service>) -> Vec<Mounted> {
    Selectable::of(snapshot).mounted(service)
}

/// The Secrets, and for `ca.crt` the ConfigMaps, with certificates under this key that the pods of a
/// Service mount.
pub fn with_certificates<'a>(
    snapshot: &'a Snapshot,
    service: &Object<Service>,
    key: &str,
) -> Vec<(Mounted, &'a [CertificateFacts])> {
    by_service(snapshot, service)
        .into_iter()
        .filter(|mounted| key == "ca.crt" || mounted.source.kind == Kind::Secret)
        .filter(|mounted| mounted.has(key))
        .filter_map(|mounted| {
            let facts = trust::certificates(snapshot, &mounted.source, key).ok()?;
            (!facts.is_empty()).then_some((mounted, facts))
        })
        .collect()
}

/// The Secrets that backends with TLS mount, each after the Service;
/// [`Context::secrets_of_backends`] works them out once.
pub(super) fn secrets_of_backends(context: &Context<'_>) -> BTreeSet<(ObjectRef, ObjectRef)> {
    let mut services: Vec<&Object<Service>> = context
        .rules
        .iter()
        .flat_map(|rule| &rule.decision.backends)
        .filter(|backend| matches!(backend.state, BackendState::Tls { .. }))
        .filter_map(|backend| backend.port.map(|(service, _)| service))
        .collect();
    services.sort_unstable_by_key(|service| &service.reference);
    services.dedup_by_key(|service| &service.reference);
    services
        .into_iter()
        .flat_map(|service| {
            let mounted = context.mounted(service).to_vec();
            let sources = mounted.into_iter().map(|mounted| mounted.source);
            let secrets = sources.filter(|source| source.kind == Kind::Secret);
            secrets.map(|secret| (service.reference.clone(), secret))
        })
        .collect()
}

/// `ssl_verify_depth` of the nginx in a Service's pods, read off the configuration that they mount with a
/// ConfigMap; nginx's default where none says otherwise.
pub(super) fn client_depth(context: &Context<'_>, service: &Object<Service>) -> u32 {
    const NAME: &str = "ssl_verify_depth";
    let mounted = context.mounted(service);
    let maps = mounted
        .iter()
        .filter(|mounted| mounted.source.kind == Kind::ConfigMap);
    let mut depths = maps
        .filter_map(|mounted| context.snapshot.raw(&mounted.source))
        .flat_map(|raw| {
            let data = raw.pointer("/data").and_then(serde_json::Value::as_object);
            let texts = data.into_iter().flatten();
            texts
                .filter_map(|(_, value)| value.as_str())
                .flat_map(|text| {
                    let tokens = Tokens::new(text).map_while(Result::ok);
                    let tokens: Vec<Token<'_>> = tokens.map(|(token, _)| token).collect();
                    let depths = tokens.windows(2).filter_map(|pair| match pair {
                        [Token::Word(NAME), Token::Word(depth)] => depth.parse::<u32>().ok(),
                        _ => None,
                    });
                    depths.collect::<Vec<_>>()
                })
                .collect::<Vec<_>>()
        });
    // Several servers may differ; the strictest is what may refuse.
    let first = depths.next();
    first.map_or(NGINX_SERVER_DEPTH, |first| depths.fold(first, u32::min))
}
