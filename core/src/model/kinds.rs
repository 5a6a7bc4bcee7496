//! What the tool understands of each kind's `spec`, or of its own fields where a kind has no spec. Field names are the
//! API's; only what some view, rule or probe needs is here, the rest stays in
//! [`Object::raw`](super::object::Object::raw). [`status`](super::status) holds what controllers wrote.

mod contents;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::object::{Object, ObjectRef};

pub use contents::{ByNgf, ConfigMapFacts, KeyState, PemFacts, SecretFacts};

/// GatewayClass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayClass {
    /// `spec.controllerName`.
    pub controller_name: String,
    /// `spec.parametersRef`.
    pub parameters_ref: Option<LocalRef>,
}

/// A reference as the Gateway API writes them, defaults not filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalRef {
    /// `group`; `None` where left out.
    pub group: Option<String>,
    /// `kind`; `None` where left out.
    pub kind: Option<String>,
    /// `namespace`; `None` where left out or where the type has none.
    pub namespace: Option<String>,
    /// `name`.
    pub name: String,
    /// `sectionName`.
    pub section_name: Option<String>,
    /// `port`.
    pub port: Option<u16>,
}

/// Gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gateway {
    /// `spec.gatewayClassName`.
    pub class: String,
    /// `spec.listeners`.
    pub listeners: Vec<Listener>,
    /// `spec.tls.backend.clientCertificateRef`.
    pub client_certificate_ref: Option<LocalRef>,
    /// `spec.backendTLS.clientCertificateRef`: its place in Gateway API 1.3 (experimental), which
    /// Gateway API 1.4, and NGF since it reads the field at all, no longer look at.
    pub old_client_certificate_ref: Option<LocalRef>,
    /// `spec.tls.frontend`: the default, and each port's own.
    pub frontend: Vec<FrontendTls>,
    /// `spec.infrastructure.parametersRef`.
    pub parameters_ref: Option<LocalRef>,
}

/// What listeners demand of their clients: `spec.tls.frontend.default.validation`, or that of an element of
/// `spec.tls.frontend.perPort`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FrontendTls {
    /// `port`; `None` for the default.
    pub port: Option<u16>,
    /// `validation.caCertificateRefs`.
    pub ca_refs: Vec<LocalRef>,
    /// `validation.mode`: AllowValidOnly where left out, or AllowInsecureFallback.
    pub mode: Option<String>,
}

/// A listener of a Gateway or ListenerSet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listener {
    /// `name`.
    pub name: String,
    /// `hostname`.
    pub hostname: Option<String>,
    /// `port`.
    pub port: u16,
    /// `protocol`: HTTP, HTTPS, TLS, TCP, UDP.
    pub protocol: String,
    /// `tls.mode`.
    pub tls_mode: Option<String>,
    /// `tls.certificateRefs`.
    pub certificate_refs: Vec<LocalRef>,
    /// `allowedRoutes.namespaces.from`.
    pub allowed_from: Option<String>,
}

/// ListenerSet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListenerSet {
    /// `spec.parentRef`.
    pub parent_ref: LocalRef,
    /// `spec.listeners`.
    pub listeners: Vec<Listener>,
}

/// HTTPRoute, GRPCRoute, TLSRoute, TCPRoute, UDPRoute: they differ in what they match, not in how
/// they refer to parents and backends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// `spec.parentRefs`.
    pub parent_refs: Vec<LocalRef>,
    /// `spec.hostnames`.
    pub hostnames: Vec<String>,
    /// `spec.rules`.
    pub rules: Vec<RouteRule>,
    /// Whether the rules have nothing that NGF may ignore or refuse by itself (`checkForUnsupported…Fields`,
    /// `validateFilter`).
    pub is_plain: bool,
    /// Whether it is certain that NGF drops no rule: of a GRPCRoute it takes no match by service or method
    /// alone (`validateGRPCMethodMatch`), and what an extensionRef names may be invalid.
    pub takes_all_rules: bool,
}

/// A rule of a route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteRule {
    /// `name`.
    pub name: Option<String>,
    /// Each match in a few words: `PathPrefix /`, `GET Exact /x`, `method foo.Bar/Baz`.
    pub matches: Vec<String>,
    /// A path that the first match meets; `/` where it names none.
    pub path: String,
    /// `backendRefs`.
    pub backend_refs: Vec<BackendRef>,
    /// Backend refs inside RequestMirror and ExternalAuth filters.
    pub filter_backend_refs: Vec<BackendRef>,
    /// Host name that a URLRewrite filter sets.
    pub rewrite_hostname: Option<String>,
    /// Whether it has the field `filters`.
    pub has_filters: bool,
}

impl Object<Route> {
    /// `filters` of a rule, as they are written. Most rules have none: their text need not be parsed for that.
    pub fn filters(&self, rule: usize) -> &[Value] {
        let known = self.spec.rules.get(rule);
        if !known.is_some_and(|known| known.has_filters) {
            return &[];
        }
        let filters = self.raw.pointer(&format!("/spec/rules/{rule}/filters"));
        filters.and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

/// A backend of a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackendRef {
    /// What it refers to.
    pub target: LocalRef,
    /// `weight`; 1 where left out.
    pub weight: i64,
    /// The place among the rule's filters of the one that it is in, from 0.
    pub filter: Option<usize>,
}

/// BackendTLSPolicy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackendTLSPolicy {
    /// Whether it has the fields of v1alpha2, which later versions do not have.
    pub is_of_old_shape: bool,
    /// `spec.targetRefs`.
    pub target_refs: Vec<LocalRef>,
    /// `spec.validation.caCertificateRefs`.
    pub ca_certificate_refs: Vec<LocalRef>,
    /// `spec.validation.wellKnownCACertificates`.
    pub well_known_ca_certificates: Option<String>,
    /// `spec.validation.hostname`.
    pub hostname: String,
    /// `spec.validation.subjectAltNames`, as `type:value`.
    pub subject_alt_names: Vec<String>,
    /// `spec.options`.
    pub options: BTreeMap<String, String>,
}

/// ReferenceGrant.
#[derive(Debug, Clone, Default)]
pub struct ReferenceGrant {
    /// `spec.from`: group, kind, namespace (in `namespace`).
    pub from: Vec<LocalRef>,
    /// `spec.to`: group, kind, and name where given (else empty).
    pub to: Vec<LocalRef>,
}

/// Service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// `spec.type`.
    pub service_type: String,
    /// `spec.clusterIP`.
    pub cluster_ip: Option<String>,
    /// `spec.externalName`.
    pub external_name: Option<String>,
    /// `spec.selector`.
    pub selector: BTreeMap<String, String>,
    /// `spec.ports`.
    pub ports: Vec<ServicePort>,
}

impl Service {
    /// Whether the selector meets these labels. An empty selector meets none: such a Service has
    /// endpoints that somebody else writes.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        !self.selector.is_empty()
            && self
                .selector
                .iter()
                .all(|(name, value)| labels.get(name) == Some(value))
    }
}

/// A port of a Service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServicePort {
    /// `name`; empty where left out.
    pub name: String,
    /// `port`.
    pub port: u16,
    /// `targetPort`, as written.
    pub target_port: Option<String>,
    /// `appProtocol`.
    pub app_protocol: Option<String>,
    /// `protocol`.
    pub protocol: String,
}

/// EndpointSlice.
#[derive(Debug, Clone, Default)]
pub struct EndpointSlice {
    /// Label `kubernetes.io/service-name`.
    pub service: Option<String>,
    /// `addressType`.
    pub address_type: String,
    /// `ports`: name (empty where left out) and number.
    pub ports: Vec<(String, Option<u16>)>,
    /// `endpoints`.
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint of a slice.
#[derive(Debug, Clone, Default)]
pub struct Endpoint {
    /// `addresses`.
    pub addresses: Vec<String>,
    /// `conditions.ready`; `None` counts as ready.
    pub ready: Option<bool>,
    /// `conditions.terminating`.
    pub terminating: Option<bool>,
    /// `targetRef`, where it is a Pod.
    pub pod: Option<ObjectRef>,
    /// `nodeName`.
    pub node: Option<String>,
}

/// Pod.
#[derive(Debug, Clone, Default)]
pub struct Pod {
    /// `spec.nodeName`.
    pub node: Option<String>,
    /// `spec.containers[]`, after the sidecars among `spec.initContainers[]` (`restartPolicy:
    /// Always`).
    pub containers: Vec<Container>,
    /// `spec.volumes[]` that come from Secrets or ConfigMaps.
    pub volumes: Vec<Volume>,
    /// `spec.volumes[]` that cert-manager's CSI driver fills.
    pub csi_certificates: Vec<CsiCertificate>,
}

/// A container of a pod: its state is in the pod's status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// `name`.
    pub name: String,
    /// `image`.
    pub image: String,
    /// `command` and `args`.
    pub args: Vec<String>,
    /// Volumes mounted, as (volume name, mount path, `subPath` or `subPathExpr`).
    pub mounts: Vec<(String, String, Option<String>)>,
}

/// A volume that is filled from a Secret or ConfigMap (projected sources included).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// `name`.
    pub name: String,
    /// The Secret or ConfigMap.
    pub source: ObjectRef,
    /// The keys of it that the volume holds (`items`); `None` for all.
    pub keys: Option<Vec<String>>,
}

/// Deployment or DaemonSet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workload {
    /// `spec.selector.matchLabels`.
    pub selector: BTreeMap<String, String>,
    /// Wanted pods.
    pub desired: i64,
    /// `spec.template`.
    pub template: PodTemplate,
}

/// A certificate that cert-manager's CSI driver (`csi.cert-manager.io`) requests when a pod starts, and mounts: no
/// Secret holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CsiCertificate {
    /// The volume's name.
    pub volume: String,
    /// `csi.cert-manager.io/dns-names`.
    pub dns_names: Vec<String>,
    /// `csi.cert-manager.io/common-name`.
    pub common_name: Option<String>,
    /// `csi.cert-manager.io/issuer-name`, with `issuer-kind` where it is given.
    pub issuer: String,
}

/// `spec.template` of a workload: what its pods will be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodTemplate {
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `spec.containers[]`.
    pub containers: Vec<Container>,
    /// `spec.volumes[]` that come from Secrets or ConfigMaps.
    pub volumes: Vec<Volume>,
    /// `spec.volumes[]` that cert-manager's CSI driver fills.
    pub csi_certificates: Vec<CsiCertificate>,
}

/// NginxProxy and NGF's other kinds: only where they attach.
#[derive(Debug, Clone, Default)]
pub struct NgfResource {
    /// `spec.targetRef` and `spec.targetRefs`.
    pub target_refs: Vec<LocalRef>,
}

/// Issuer and ClusterIssuer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Issuer {
    /// What issues: `ca`, `selfSigned`, `acme`, `vault`, `venafi`, or an external one's name.
    pub issuer_type: String,
    /// `spec.ca.secretName`.
    pub ca_secret: Option<String>,
}

/// cert-manager's Certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificate {
    /// `spec.secretName`.
    pub secret_name: String,
    /// `spec.issuerRef`.
    pub issuer_ref: LocalRef,
    /// `spec.commonName`.
    pub common_name: Option<String>,
    /// `spec.dnsNames`.
    pub dns_names: Vec<String>,
    /// `spec.isCA`.
    pub is_ca: bool,
    /// `spec.usages`.
    pub usages: Vec<String>,
}

/// CertificateRequest.
#[derive(Debug, Clone, Default)]
pub struct CertificateRequest {
    /// `spec.issuerRef`.
    pub issuer_ref: LocalRef,
}

/// cert-manager's Order: what it asks an ACME server for, to meet a CertificateRequest.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// `spec.issuerRef`.
    pub issuer_ref: LocalRef,
    /// `spec.dnsNames`.
    pub dns_names: Vec<String>,
}

/// cert-manager's Challenge: how an ACME server makes sure who owns a name of an Order.
#[derive(Debug, Clone, Default)]
pub struct Challenge {
    /// `spec.issuerRef`.
    pub issuer_ref: LocalRef,
    /// `spec.dnsName`.
    pub dns_name: String,
    /// `spec.type`: HTTP-01 or DNS-01.
    pub challenge_type: String,
}

/// trust-manager's Bundle or ClusterBundle: CAs that it writes into a ConfigMap or Secret of its own name in each
/// namespace that it selects. Or a ClusterTrustBundle, whose CAs the kubelet writes into volumes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustBundle {
    /// What it takes the CAs from.
    pub sources: Vec<BundleSource>,
    /// `spec.trustBundle` of a ClusterTrustBundle.
    pub own: PemFacts,
    /// `spec.signerName` of a ClusterTrustBundle.
    pub signer: Option<String>,
    /// The PEM keys that it writes into ConfigMaps; `None` where it writes none.
    pub config_map_keys: Option<Vec<String>>,
    /// The PEM keys that it writes into Secrets; `None` where it writes none.
    pub secret_keys: Option<Vec<String>>,
    /// `target.namespaceSelector` in words; `None` where all namespaces are selected.
    pub selector: Option<String>,
}

/// What trust-manager takes CAs from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleSource {
    /// In words: `Secret root-ca[ca.crt]`, `inline`, `the default CAs`.
    pub label: String,
    /// Where the CAs stand.
    pub held: SourceOf,
}

/// Where the CAs of a source stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceOf {
    /// In the Bundle itself.
    Inline(PemFacts),
    /// Under one key of a Secret or ConfigMap of trust-manager's namespace.
    Key {
        /// Secret or ConfigMap.
        kind: super::kind::Kind,
        /// Its name.
        name: String,
        /// The key.
        key: String,
    },
    /// In objects that are selected by labels, under patterns of keys, or in trust-manager's image: not known.
    Elsewhere,
}

/// Event.
#[derive(Debug, Clone, Default)]
pub struct Event {
    /// `involvedObject` or `regarding`: kind, namespace, name as text, since any kind may be meant.
    pub about_kind: String,
    /// Namespace of it.
    pub about_namespace: String,
    /// Name of it.
    pub about_name: String,
    /// `Normal`, `Warning`.
    pub event_type: String,
    /// `reason`.
    pub reason: String,
    /// `message` or `note`.
    pub message: String,
    /// `count` or `series.count`.
    pub count: i64,
    /// The last time.
    pub last_seen: Option<Timestamp>,
}
