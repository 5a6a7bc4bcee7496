//! Which release of NGF runs, and where releases decide differently: one table, [`KNOWN`], with a row a release. Each
//! difference was read off the tags of NGF's repository, from v2.4.0 to v2.6.7 and its main branch after that (2.7).
//! A new release is a variant of [`Release`] and a row of [`KNOWN`], both in this file.

use std::fmt;

use crate::model::{
    kind::Kind,
    kinds::{Container, Workload},
    object::{Object, ObjectRef},
    snapshot::Snapshot,
};

/// A minor release of NGF, as far as this tool tells them apart; older ones count as 2.4, newer ones
/// as 2.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Release {
    /// 2.4.
    V2_4,
    /// 2.5.
    V2_5,
    /// 2.6.
    V2_6,
    /// 2.7.
    #[default]
    V2_7,
}

/// What a release does.
#[derive(Debug, Clone, Copy)]
struct Facts {
    release: Release,
    /// Major and minor number.
    version: (u32, u32),
    /// The bundle of Gateway API CRDs that it was built for (Gateway API's `consts.BundleVersion`).
    gateway_api: &'static str,
    /// `proxy_ssl_verify_depth`, where it renders it (`nginx/config/servers_template.go`).
    verify_depth: Option<u32>,
    /// Connections that nginx keeps open to each upstream where no UpstreamSettingsPolicy says how many
    /// (`processKeepAliveSettings`); `None` where NGF leaves it to nginx.
    keep_alive: Option<u32>,
    /// What it does otherwise than others.
    does: &'static [Does],
    /// The kinds of route that it watches with `--gateway-api-experimental-features` alone (`registerControllers`).
    experimental_routes: &'static [Kind],
    /// The kinds that it watches in version v1 alone (`registerControllers`).
    watches_v1: &'static [Kind],
    /// What it says of a ConfigMap that does not exist, with NAME for its namespace and name.
    no_such_config_map: &'static str,
    /// What it says of a Secret that does not exist, likewise.
    no_such_secret: &'static str,
    /// What it calls the field of a hostname that it does not take (`validateBackendTLSHostname`).
    hostname_field: &'static str,
}

/// What some releases do and others do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    /// An HTTPRoute may use a port with `appProtocol: kubernetes.io/h2c` (`validateRouteBackendRefAppProtocol`).
    ProxyHttp2,
    /// A TLSRoute may be on a listener that terminates TLS, and nginx speak TLS to its backends
    /// (`nginx/config/stream_servers_template.go`).
    TerminateTlsRoutes,
    /// Only a controller that was started with experimental features reads the Gateway's client certificate, and a
    /// fault in it makes the whole Gateway invalid (`validateGateway`).
    ReadClientCertificateAsExperiment,
    /// A `ca.crt` in a TLS Secret that can be read makes NGF forget that the key pair cannot
    /// (`secretResolver.resolve`, `secretEntry.validate`).
    ForgetBrokenPairs,
    /// It reads ListenerSets (`buildListenerSets`).
    ReadListenerSets,
    /// Two listeners of one port, protocol and host name are in conflict (`uniqueListenerConflictResolver`).
    WantUniqueListeners,
    /// An HTTPS listener may have more than one certificate, some of them broken
    /// (`createExternalReferencesForTLSSecretsResolver`).
    TakeSeveralCertificates,
    /// `ResolvedRefs: False` of a valid listener stays, and a conflict is the reason of `Programmed: False` too
    /// (`NewDefaultListenerConditions`, `NewListenerProtocolConflict`).
    KeepUnresolvedRefs,
    /// It knows the filter ExternalAuth of HTTPRoutes.
    AuthenticateExternally,
    /// It knows PayloadProcessors, whose backends may have a BackendTLSPolicy.
    ProcessPayloads,
    /// An NginxProxy or UpstreamSettingsPolicy may ask for the ClusterIP of Services in place of their endpoints
    /// (`useClusterIP`).
    UseClusterIp,
    /// It reads `spec.tls.frontend` of Gateways (`createFrontendTLSCaCertReferenceResolver`).
    ValidateClients,
    /// An invalid parametersRef makes the whole Gateway invalid.
    RejectParameters,
    /// An endpoint of which nothing says that it is ready is (`endpointReady`), as for Kubernetes itself.
    TrustSilentEndpoints,
    /// The Gateway's `ResolvedRefs` is about `spec.tls.backend`, too, and a missing NginxProxy has no reason of its
    /// own there.
    ResolveBackendTls,
    /// A Secret that a listener names as CA of its clients is not judged again where it is named for another use
    /// (`secretEntry.needsRevalidation`).
    JudgeSecretsOnce,
}

use Does::{
    AuthenticateExternally, ForgetBrokenPairs, JudgeSecretsOnce, KeepUnresolvedRefs,
    ProcessPayloads, ProxyHttp2, ReadClientCertificateAsExperiment, ReadListenerSets,
    RejectParameters, ResolveBackendTls, TakeSeveralCertificates, TerminateTlsRoutes,
    TrustSilentEndpoints, UseClusterIp, ValidateClients, WantUniqueListeners,
};

/// Every release that this tool tells apart, the oldest first.
static KNOWN: [Facts; Release::ALL.len()] = [
    Facts {
        release: Release::V2_4,
        version: (2, 4),
        gateway_api: "v1.4.1",
        verify_depth: None,
        keep_alive: Some(16),
        does: &[ReadClientCertificateAsExperiment, ForgetBrokenPairs],
        experimental_routes: &[Kind::TLSRoute, Kind::TCPRoute, Kind::UDPRoute],
        watches_v1: &[Kind::BackendTLSPolicy],
        no_such_config_map: "ConfigMap does not exist",
        no_such_secret: "secret does not exist",
        hostname_field: "tls.hostname",
    },
    Facts {
        release: Release::V2_5,
        version: (2, 5),
        gateway_api: "v1.5.1",
        verify_depth: None,
        keep_alive: Some(16),
        does: &[ForgetBrokenPairs, ResolveBackendTls],
        experimental_routes: &[Kind::TCPRoute, Kind::UDPRoute],
        watches_v1: &[Kind::BackendTLSPolicy, Kind::TLSRoute],
        no_such_config_map: "ConfigMap NAME does not exist",
        no_such_secret: "Secret NAME does not exist",
        hostname_field: "tls.hostname",
    },
    Facts {
        release: Release::V2_6,
        version: (2, 6),
        gateway_api: "v1.5.1",
        verify_depth: Some(4),
        keep_alive: Some(16),
        does: &[
            ResolveBackendTls,
            ReadListenerSets,
            WantUniqueListeners,
            TakeSeveralCertificates,
            KeepUnresolvedRefs,
            ValidateClients,
            JudgeSecretsOnce,
        ],
        experimental_routes: &[Kind::TCPRoute, Kind::UDPRoute],
        watches_v1: &[Kind::BackendTLSPolicy, Kind::TLSRoute],
        no_such_config_map: "ConfigMap NAME does not exist, or is missing an expected key",
        no_such_secret: "Secret NAME does not exist",
        hostname_field: "tls.hostname",
    },
    Facts {
        release: Release::V2_7,
        version: (2, 7),
        gateway_api: "v1.6.1",
        verify_depth: Some(4),
        keep_alive: None,
        does: &[
            ResolveBackendTls,
            ReadListenerSets,
            WantUniqueListeners,
            TakeSeveralCertificates,
            KeepUnresolvedRefs,
            ValidateClients,
            ProxyHttp2,
            TerminateTlsRoutes,
            AuthenticateExternally,
            ProcessPayloads,
            UseClusterIp,
            RejectParameters,
            TrustSilentEndpoints,
        ],
        experimental_routes: &[],
        watches_v1: &[
            Kind::BackendTLSPolicy,
            Kind::TLSRoute,
            Kind::TCPRoute,
            Kind::UDPRoute,
        ],
        no_such_config_map: "ConfigMap NAME does not exist, or is missing an expected key",
        no_such_secret: "Secret NAME does not exist",
        hostname_field: "validation.hostname",
    },
];

/// nginx's own `proxy_ssl_verify_depth`.
pub(super) const DEPTH_OF_NGINX: u32 = 1;

/// The release that runs, and who says so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Running {
    /// The release; the newest that this tool knows where nothing says.
    pub release: Release,
    /// The workload that says so, and the version as it says it; `None` where nothing does.
    pub said_by: Option<(ObjectRef, String)>,
    /// Whether the controller was started with `--gateway-api-experimental-features`; `None` where its
    /// workload cannot be seen.
    pub experimental: Option<bool>,
}

impl Release {
    /// Every release, the oldest first.
    pub const ALL: [Self; 4] = [Self::V2_4, Self::V2_5, Self::V2_6, Self::V2_7];

    fn facts(self) -> &'static Facts {
        &KNOWN[self as usize]
    }

    fn does(self, what: Does) -> bool {
        self.facts().does.contains(&what)
    }

    /// The release of a version: `2.6.7`, `v2.5.1`; `None` where it is no version (`edge`, a digest).
    pub fn of_version(version: &str) -> Option<Self> {
        let mut numbers = version.trim().trim_start_matches('v').split(['.', '-']);
        let mut next = || numbers.next()?.parse::<u32>().ok();
        let version = (next()?, next()?);
        let not_newer = KNOWN.iter().rev().find(|known| known.version <= version);
        Some(not_newer.unwrap_or(&KNOWN[0]).release)
    }

    /// `proxy_ssl_verify_depth`, rendered or by nginx's own default.
    pub fn verify_depth(self) -> u32 {
        self.facts().verify_depth.unwrap_or(DEPTH_OF_NGINX)
    }

    /// Whether NGF renders `proxy_ssl_verify_depth` at all.
    pub fn renders_verify_depth(self) -> bool {
        self.facts().verify_depth.is_some()
    }

    /// Whether an HTTPRoute may use a port with `appProtocol: kubernetes.io/h2c`.
    pub fn proxies_http2(self) -> bool {
        self.does(ProxyHttp2)
    }

    /// Whether a TLSRoute may be on a listener that terminates TLS, and nginx speak TLS to its
    /// backends.
    pub fn terminates_tls_routes(self) -> bool {
        self.does(TerminateTlsRoutes)
    }

    /// Whether only a controller that was started with experimental features reads the Gateway's
    /// client certificate, and a fault in it makes the whole Gateway invalid.
    pub fn client_certificate_is_experimental(self) -> bool {
        self.does(ReadClientCertificateAsExperiment)
    }

    /// Whether a `ca.crt` in a TLS Secret that can be read makes NGF forget that the key pair cannot.
    pub fn ca_hides_broken_pair(self) -> bool {
        self.does(ForgetBrokenPairs)
    }

    /// The bundle of Gateway API CRDs that it was built for.
    pub fn gateway_api(self) -> &'static str {
        self.facts().gateway_api
    }

    /// Whether it reads ListenerSets.
    pub fn knows_listener_sets(self) -> bool {
        self.does(ReadListenerSets)
    }

    /// Whether it watches a kind of route at all; `None` where that depends on experimental features, and
    /// it is unknown whether those are on.
    pub fn watches(self, kind: Kind, experimental: Option<bool>) -> Option<bool> {
        if self.facts().experimental_routes.contains(&kind) {
            experimental
        } else {
            Some(true)
        }
    }

    /// The version of a kind that it watches; `None` for kinds that it watches in each version that this tool reads.
    pub fn watched_version(self, kind: Kind) -> Option<&'static str> {
        self.facts().watches_v1.contains(&kind).then_some("v1")
    }

    /// Whether two listeners of one port, protocol and host name are in conflict.
    pub fn wants_unique_listeners(self) -> bool {
        self.does(WantUniqueListeners)
    }

    /// Whether an HTTPS listener may have more than one certificate, some of them broken.
    pub fn takes_several_listener_certificates(self) -> bool {
        self.does(TakeSeveralCertificates)
    }

    /// Whether `ResolvedRefs: False` of a valid listener stays, and a conflict is the reason of
    /// `Programmed: False` too.
    pub fn keeps_unresolved_listener_refs(self) -> bool {
        self.does(KeepUnresolvedRefs)
    }

    /// Whether it knows the filter ExternalAuth of HTTPRoutes.
    pub fn authenticates_externally(self) -> bool {
        self.does(AuthenticateExternally)
    }

    /// Whether it knows PayloadProcessors, whose backends may have a BackendTLSPolicy.
    pub fn processes_payloads(self) -> bool {
        self.does(ProcessPayloads)
    }

    /// Whether an NginxProxy or UpstreamSettingsPolicy may ask for the ClusterIP of Services in place of their
    /// endpoints.
    pub fn may_use_cluster_ip(self) -> bool {
        self.does(UseClusterIp)
    }

    /// Connections that nginx keeps open to each upstream where no UpstreamSettingsPolicy says how many; `None` where
    /// NGF leaves it to nginx.
    pub fn default_keep_alive(self) -> Option<u32> {
        self.facts().keep_alive
    }

    /// Whether it reads `spec.tls.frontend` of Gateways.
    pub fn validates_clients(self) -> bool {
        self.does(ValidateClients)
    }

    /// Whether an invalid parametersRef makes the whole Gateway invalid.
    pub fn rejects_parameters(self) -> bool {
        self.does(RejectParameters)
    }

    /// Whether an endpoint of which nothing says that it is ready gets requests.
    pub fn trusts_silent_endpoints(self) -> bool {
        self.does(TrustSilentEndpoints)
    }

    /// Whether the Gateway's `ResolvedRefs` is about `spec.tls.backend`, too.
    pub fn resolves_backend_tls(self) -> bool {
        self.does(ResolveBackendTls)
    }

    /// Whether a Secret that a listener names as CA of its clients is not judged again where it is named for another
    /// use.
    pub fn judges_secrets_once(self) -> bool {
        self.does(JudgeSecretsOnce)
    }

    /// What it says of a ConfigMap that does not exist.
    pub fn no_such_config_map(self, map: &ObjectRef) -> String {
        self.facts().no_such_config_map.replace("NAME", &map.path())
    }

    /// What it says of a Secret that does not exist.
    pub fn no_such_secret(self, secret: &ObjectRef) -> String {
        self.facts().no_such_secret.replace("NAME", &secret.path())
    }

    /// What NGF calls the field of a hostname that it does not take.
    pub fn hostname_field(self) -> &'static str {
        self.facts().hostname_field
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = self.facts().version;
        f.pad(&format!("{major}.{minor}"))
    }
}

impl Running {
    /// Reads it off the controller's image or version label, or else off the data plane's image.
    pub fn of(snapshot: &Snapshot) -> Self {
        let workloads = || snapshot.workloads.values();
        let found = workloads()
            .find_map(|workload| controller(workload))
            .or_else(|| workloads().find_map(|workload| data_plane(workload)));
        Self {
            experimental: workloads().find_map(|workload| experimental(workload)),
            ..found.unwrap_or_default()
        }
    }
}

impl Running {
    /// Whether it is certain to accept an Opaque Secret as CA of a listener's clients and to write none of its
    /// certificates: 2.6.0 to 2.6.7 were read, issue 5872 tells of 2.7.0, and its fix (5913) came after 2.7.1. Of
    /// those of pre-releases and of builds without a version are unknown.
    pub fn writes_no_opaque_ca(&self) -> bool {
        let Some((_, version)) = &self.said_by else {
            return false;
        };
        let version = version.trim().trim_start_matches('v');
        let (numbers, suffix) = version.split_once('-').unwrap_or((version, ""));
        let is_release = matches!(suffix, "" | "ubi" | "alpine");
        let numbers: Vec<u32> = numbers.split('.').filter_map(|n| n.parse().ok()).collect();
        is_release && matches!(numbers.as_slice(), [2, 6, 0..=7] | [2, 7, 0..=1])
    }
}

/// `ghcr.io/nginx/nginx-gateway-fabric:2.6.7` in a container `nginx-gateway`.
fn controller(workload: &Object<Workload>) -> Option<Running> {
    let container = container(workload, "nginx-gateway")?;
    let labels = &workload.meta.labels;
    let label = labels.get("app.kubernetes.io/version").filter(|_| {
        labels.get("app.kubernetes.io/name").map(String::as_str) == Some("nginx-gateway-fabric")
    });
    said(workload, tag(&container.image)).or_else(|| said(workload, label.map(String::as_str)))
}

/// `ghcr.io/nginx/nginx-gateway-fabric/nginx:2.6.7` in a container `nginx`.
fn data_plane(workload: &Object<Workload>) -> Option<Running> {
    let container = container(workload, "nginx")?;
    let ours = container.image.contains("nginx-gateway-fabric/nginx");
    said(workload, tag(&container.image).filter(|_| ours))
}

fn container<'a>(workload: &'a Object<Workload>, name: &str) -> Option<&'a Container> {
    let containers = &workload.spec.template.containers;
    containers.iter().find(|container| container.name == name)
}

fn said(workload: &Object<Workload>, version: Option<&str>) -> Option<Running> {
    let version = version?;
    Some(Running {
        release: Release::of_version(version)?,
        said_by: Some((workload.reference.clone(), version.to_owned())),
        experimental: None,
    })
}

/// Whether a controller's workload gives it the flag (`cmd/gateway/commands.go`).
fn experimental(workload: &Object<Workload>) -> Option<bool> {
    const FLAG: &str = "--gateway-api-experimental-features";
    let given = &container(workload, "nginx-gateway")?.args;
    let last = given.iter().rev().find_map(|arg| arg.strip_prefix(FLAG));
    Some(matches!(
        last,
        Some("" | "=true" | "=1" | "=t" | "=T" | "=TRUE" | "=True")
    ))
}

/// The tag of an image; what follows `@` is a digest.
fn tag(image: &str) -> Option<&str> {
    let name = image.split('@').next()?;
    let (_, tag) = name.rsplit('/').next()?.split_once(':')?;
    Some(tag)
}

#[cfg(test)]
mod tests;
