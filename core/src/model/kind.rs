//! The kinds of object that the tool reads: one list, from which discovery, watching, file reading
//! and access review derive.

/// A kind that the tool knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the names are Kubernetes' own, and KINDS says the rest
pub enum Kind {
    GatewayClass,
    Gateway,
    ListenerSet,
    HTTPRoute,
    GRPCRoute,
    TLSRoute,
    TCPRoute,
    UDPRoute,
    BackendTLSPolicy,
    ReferenceGrant,
    Service,
    EndpointSlice,
    Pod,
    Deployment,
    DaemonSet,
    NetworkPolicy,
    NginxProxy,
    NginxGateway,
    ClientSettingsPolicy,
    ObservabilityPolicy,
    ProxySettingsPolicy,
    UpstreamSettingsPolicy,
    SnippetsFilter,
    SnippetsPolicy,
    AuthenticationFilter,
    RateLimitPolicy,
    WAFPolicy,
    PayloadProcessor,
    ExternalLoadBalancer,
    ClusterIssuer,
    Issuer,
    Certificate,
    CertificateRequest,
    Secret,
    ConfigMap,
    Event,
}

/// How objects of a kind are read from a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// List and watch.
    Watched,
    /// One `get` for each object that something refers to, then a watch by name. Never a list.
    ByName,
    /// List and watch, keeping only those about objects in the snapshot, the newest first, bounded.
    Recent,
}

/// What is known of a kind beforehand.
#[derive(Debug, Clone, Copy)]
pub struct KindInfo {
    /// Which one.
    pub kind: Kind,
    /// `kind` as manifests write it.
    pub name: &'static str,
    /// API group; empty for core.
    pub group: &'static str,
    /// Versions that the tool can read, the preferred first.
    pub versions: &'static [&'static str],
    /// Resource name in URLs and RBAC.
    pub plural: &'static str,
    /// Short names that kubectl takes.
    pub short: &'static [&'static str],
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// How it is read.
    pub reading: Reading,
}

const GATEWAY_API: &str = "gateway.networking.k8s.io";
const NGF: &str = "gateway.nginx.org";
const CERT_MANAGER: &str = "cert-manager.io";

macro_rules! kind {
    ($kind:ident, $group:expr, $versions:expr, $plural:literal, $short:expr, $namespaced:literal, $reading:ident) => {
        KindInfo {
            kind: Kind::$kind,
            name: stringify!($kind),
            group: $group,
            versions: $versions,
            plural: $plural,
            short: $short,
            namespaced: $namespaced,
            reading: Reading::$reading,
        }
    };
}

/// Every kind that the tool reads, in the order of [`Kind`].
#[rustfmt::skip]
pub static KINDS: &[KindInfo] = &[
    kind!(GatewayClass, GATEWAY_API, &["v1", "v1beta1"], "gatewayclasses", &["gc"], false, Watched),
    kind!(Gateway, GATEWAY_API, &["v1", "v1beta1"], "gateways", &["gtw"], true, Watched),
    kind!(ListenerSet, GATEWAY_API, &["v1", "v1alpha1"], "listenersets", &["lset"], true, Watched),
    kind!(HTTPRoute, GATEWAY_API, &["v1", "v1beta1"], "httproutes", &[], true, Watched),
    kind!(GRPCRoute, GATEWAY_API, &["v1", "v1alpha2"], "grpcroutes", &[], true, Watched),
    kind!(TLSRoute, GATEWAY_API, &["v1", "v1alpha3", "v1alpha2"], "tlsroutes", &[], true, Watched),
    kind!(TCPRoute, GATEWAY_API, &["v1", "v1alpha2"], "tcproutes", &[], true, Watched),
    kind!(UDPRoute, GATEWAY_API, &["v1", "v1alpha2"], "udproutes", &[], true, Watched),
    kind!(BackendTLSPolicy, GATEWAY_API, &["v1", "v1alpha3"], "backendtlspolicies", &["btlspolicy"], true, Watched),
    kind!(ReferenceGrant, GATEWAY_API, &["v1", "v1beta1"], "referencegrants", &["refgrant"], true, Watched),
    kind!(Service, "", &["v1"], "services", &["svc"], true, Watched),
    kind!(EndpointSlice, "discovery.k8s.io", &["v1"], "endpointslices", &[], true, Watched),
    kind!(Pod, "", &["v1"], "pods", &["po"], true, Watched),
    kind!(Deployment, "apps", &["v1"], "deployments", &["deploy"], true, Watched),
    kind!(DaemonSet, "apps", &["v1"], "daemonsets", &["ds"], true, Watched),
    kind!(NetworkPolicy, "networking.k8s.io", &["v1"], "networkpolicies", &["netpol"], true, Watched),
    kind!(NginxProxy, NGF, &["v1alpha2", "v1alpha1"], "nginxproxies", &[], true, Watched),
    kind!(NginxGateway, NGF, &["v1alpha1"], "nginxgateways", &[], true, Watched),
    kind!(ClientSettingsPolicy, NGF, &["v1alpha1"], "clientsettingspolicies", &[], true, Watched),
    kind!(ObservabilityPolicy, NGF, &["v1alpha2", "v1alpha1"], "observabilitypolicies", &[], true, Watched),
    kind!(ProxySettingsPolicy, NGF, &["v1alpha1"], "proxysettingspolicies", &[], true, Watched),
    kind!(UpstreamSettingsPolicy, NGF, &["v1alpha1"], "upstreamsettingspolicies", &[], true, Watched),
    kind!(SnippetsFilter, NGF, &["v1alpha1"], "snippetsfilters", &[], true, Watched),
    kind!(SnippetsPolicy, NGF, &["v1alpha1"], "snippetspolicies", &[], true, Watched),
    kind!(AuthenticationFilter, NGF, &["v1alpha1"], "authenticationfilters", &[], true, Watched),
    kind!(RateLimitPolicy, NGF, &["v1alpha1"], "ratelimitpolicies", &[], true, Watched),
    kind!(WAFPolicy, NGF, &["v1alpha1"], "wafpolicies", &[], true, Watched),
    kind!(PayloadProcessor, NGF, &["v1alpha1"], "payloadprocessors", &[], true, Watched),
    kind!(ExternalLoadBalancer, NGF, &["v1alpha1"], "externalloadbalancers", &[], true, Watched),
    kind!(ClusterIssuer, CERT_MANAGER, &["v1"], "clusterissuers", &["ciss"], false, Watched),
    kind!(Issuer, CERT_MANAGER, &["v1"], "issuers", &["iss"], true, Watched),
    kind!(Certificate, CERT_MANAGER, &["v1"], "certificates", &["cert", "certs"], true, Watched),
    kind!(CertificateRequest, CERT_MANAGER, &["v1"], "certificaterequests", &["cr", "crs"], true, Watched),
    kind!(Secret, "", &["v1"], "secrets", &[], true, ByName),
    kind!(ConfigMap, "", &["v1"], "configmaps", &["cm"], true, ByName),
    kind!(Event, "", &["v1"], "events", &["ev"], true, Recent),
];

impl Kind {
    /// What is known of this kind.
    pub fn info(self) -> &'static KindInfo {
        &KINDS[self as usize]
    }

    /// `kind` as manifests write it.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// The kind that a manifest's `apiVersion` and `kind` name, whatever the version.
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
        KINDS
            .iter()
            .find(|info| info.group == group && info.name == kind)
            .map(|info| info.kind)
    }

    /// The kind that is called so, whatever its group: no two that the tool reads share a name.
    pub fn named(name: &str) -> Option<Self> {
        KINDS
            .iter()
            .find(|info| info.name == name)
            .map(|info| info.kind)
    }

    /// The kind that a person means by `httproute`, `httproutes`, `btlspolicy`, `svc`.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        KINDS
            .iter()
            .find(|info| {
                info.name.eq_ignore_ascii_case(&word)
                    || info.plural == word
                    || info.short.contains(&word.as_str())
            })
            .map(|info| info.kind)
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_the_order_of_the_enum() {
        for (index, info) in KINDS.iter().enumerate() {
            assert_eq!(
                info.kind as usize, index,
                "{} stands in the wrong place",
                info.name
            );
        }
    }

    #[test]
    fn every_name_and_short_name_means_one_kind() {
        for info in KINDS {
            assert_eq!(Kind::parse(info.plural), Some(info.kind));
            assert_eq!(Kind::parse(info.name), Some(info.kind));
            for short in info.short {
                assert_eq!(Kind::parse(short), Some(info.kind), "{short}");
            }
        }
    }
}
