//! The types and reasons of conditions: of the Gateway API, of NGF (`state/conditions/conditions.go`), cert-manager and
//! trust-manager.

use super::{Code, Entry, entry};

const TYPE: &str = "type of a condition";
const CLASS: &str = "reason of a condition of a GatewayClass";
const GATEWAY: &str = "reason of a condition of a Gateway";
const LISTENER: &str = "reason of a condition of a listener";
const ROUTE: &str = "reason of a condition of a route";
const POLICY: &str = "reason of a condition of a policy";
const ANY: &str = "reason of conditions of several kinds";
const CERT_MANAGER: &str = "reason of a condition that cert-manager writes";
const TRUST_MANAGER: &str = "reason of a condition that trust-manager writes";

/// The types of conditions that tell of faults.
pub(super) const TYPES: &[Entry] = &[
    entry(
        "Accepted",
        TYPE,
        "False: the controller does not take the object, or not for this parent. The reason says why.",
        &[Code::S1, Code::S2, Code::S4, Code::S5, Code::P2, Code::P6],
    ),
    entry(
        "Programmed",
        TYPE,
        "False: what the object asks for is not in nginx's configuration; nginx may have refused it.",
        &[Code::D1, Code::S2, Code::S3],
    ),
    entry(
        "ResolvedRefs",
        TYPE,
        "False: an object that this one names does not exist, cannot be used or may not be named. The reason says which.",
        &[Code::G3, Code::G7, Code::P6, Code::R3, Code::R4, Code::L7],
    ),
    entry(
        "Conflicted",
        TYPE,
        "True: another listener has the same port with another protocol, or the same port and host name. As a reason of a policy: an older policy has the same target.",
        &[Code::S3, Code::P13, Code::S6],
    ),
    entry(
        "OverlappingTLSConfig",
        TYPE,
        "True: host names or certificates of several listeners overlap, so that HTTP/2 clients may reuse a connection for the wrong one.",
        &[Code::S3, Code::B8],
    ),
    entry(
        "PartiallyInvalid",
        TYPE,
        "True: NGF left some rules of the route out.",
        &[Code::S4],
    ),
    entry(
        "SupportedVersion",
        TYPE,
        "False: the installed CRDs of the Gateway API are of another version than NGF was built for.",
        &[Code::C1, Code::C2],
    ),
    entry(
        "InsecureFrontendValidationMode",
        TYPE,
        "True: a listener asks its clients for a certificate and accepts any (AllowInsecureFallback).",
        &[Code::L3],
    ),
    entry(
        "Ready",
        TYPE,
        "False of a Certificate or an issuer of cert-manager: it issues nothing now. False of a pod: no traffic reaches it.",
        &[Code::M1, Code::M2, Code::N3],
    ),
    entry(
        "Issuing",
        TYPE,
        "True: cert-manager is issuing the Certificate.",
        &[Code::M10, Code::M12],
    ),
    entry(
        "Synced",
        TYPE,
        "False: trust-manager has not written what its Bundle asks for.",
        &[Code::M11],
    ),
];

/// The reasons of conditions.
pub(super) const REASONS: &[Entry] = &[
    entry(
        "InvalidCACertificateRef",
        ANY,
        "A CA that a BackendTLSPolicy or a listener's client validation names does not exist, has no usable ca.crt, or is in a Secret of another type.",
        &[Code::P6, Code::P7, Code::L1, Code::L2],
    ),
    entry(
        "NoValidCACertificate",
        ANY,
        "None of the CA references can be used. The condition ResolvedRefs of the same object says what is wrong with each.",
        &[Code::P6, Code::P5, Code::P7, Code::L1],
    ),
    entry(
        "InvalidCACertificateKind",
        LISTENER,
        "A CA reference of a listener's client validation names a kind other than ConfigMap and Secret.",
        &[Code::L1],
    ),
    entry(
        "InvalidKind",
        ANY,
        "A reference names a kind that NGF does not take: of a CA in a BackendTLSPolicy, or of a backend in a route.",
        &[Code::P5, Code::R17],
    ),
    entry(
        "InvalidClientCertificateRef",
        GATEWAY,
        "NGF cannot use the client certificate that the Gateway names in spec.tls.backend; nginx presents none.",
        &[Code::G3, Code::G4, Code::G5, Code::G6, Code::G1, Code::G2],
    ),
    entry(
        "InvalidCertificateRef",
        LISTENER,
        "NGF cannot use the certificate that the listener names.",
        &[Code::L7],
    ),
    entry(
        "RefNotPermitted",
        ANY,
        "The reference leads to another namespace, and no ReferenceGrant there permits it: from a Gateway to a client certificate, a listener's certificate or a CA for clients, or from a route to a Service.",
        &[Code::G7, Code::L7, Code::L1, Code::R4],
    ),
    entry(
        "BackendNotFound",
        ROUTE,
        "The Service that a rule names does not exist, or has no such port.",
        &[Code::R3, Code::R7],
    ),
    entry(
        "UnsupportedProtocol",
        ANY,
        "Of a route: the appProtocol of the Service's port does not go with this kind of route. Of a listener: NGF does not take its protocol.",
        &[Code::R5, Code::S3],
    ),
    entry(
        "UnsupportedValue",
        ANY,
        "A value is valid for the API and not for NGF: different TLS policies in one rule, an invalid BackendTLSPolicy of a backend, or a field of a route.",
        &[Code::R1, Code::P15, Code::R18, Code::S4],
    ),
    entry(
        "InvalidFilter",
        ROUTE,
        "A filter of a rule does not exist or is invalid; NGF refuses the rule, and clients get 500.",
        &[Code::R19, Code::S4],
    ),
    entry(
        "NoMatchingListenerHostname",
        ROUTE,
        "No listener that the route may attach to has a host name in common with it.",
        &[Code::R16],
    ),
    entry(
        "NotAllowedByListeners",
        ROUTE,
        "The listeners' allowedRoutes do not admit the route's namespace or kind.",
        &[Code::R16],
    ),
    entry(
        "NoMatchingParent",
        ROUTE,
        "The parent that the route names has no such listener or port.",
        &[Code::R16],
    ),
    entry(
        "InvalidListener",
        ROUTE,
        "The listener that the route attaches to is invalid.",
        &[Code::S3, Code::R16],
    ),
    entry(
        "UnsupportedConfiguration",
        ROUTE,
        "The route is valid for the API, and this Gateway cannot serve it.",
        &[Code::R23, Code::R12, Code::S4],
    ),
    entry(
        "InvalidParameters",
        ANY,
        "The NginxProxy in parametersRef does not exist or is invalid; NGF continues without it.",
        &[Code::C7],
    ),
    entry(
        "ParametersRefInvalid",
        ANY,
        "The NginxProxy in parametersRef does not exist or is invalid.",
        &[Code::C7],
    ),
    entry(
        "ParametersRefNotFound",
        ANY,
        "The NginxProxy in parametersRef does not exist.",
        &[Code::C7],
    ),
    entry(
        "UnsupportedVersion",
        CLASS,
        "The installed CRDs of the Gateway API are of another version than NGF was built for.",
        &[Code::C1, Code::C2],
    ),
    entry(
        "GatewayClassConflict",
        CLASS,
        "NGF manages another class, and ignores this one with its Gateways.",
        &[Code::C5],
    ),
    entry(
        "UnsupportedField",
        ANY,
        "NGF ignores a field that the object sets; the object itself is accepted.",
        &[Code::P12, Code::S4],
    ),
    entry(
        "InvalidGateway",
        ROUTE,
        "The Gateway that the route names is invalid.",
        &[Code::S2, Code::C7],
    ),
    entry(
        "InvalidListenerSet",
        ROUTE,
        "The ListenerSet that the route names is invalid.",
        &[Code::S3, Code::R16],
    ),
    entry(
        "MultipleRoutesOnListener",
        ROUTE,
        "Another TCPRoute or UDPRoute already has the listener.",
        &[Code::S4],
    ),
    entry(
        "InvalidInferencePool",
        ROUTE,
        "The InferencePool that a rule names is invalid.",
        &[Code::S4, Code::R10],
    ),
    entry(
        "TargetConflict",
        POLICY,
        "Another policy of the same kind covers a part of the target.",
        &[Code::S6],
    ),
    entry(
        "InvalidRef",
        POLICY,
        "An object that the policy names does not exist or cannot be used.",
        &[Code::S6],
    ),
    entry(
        "ParentNotProgrammed",
        LISTENER,
        "The Gateway of the ListenerSet is not programmed.",
        &[Code::D1, Code::S2],
    ),
    entry(
        "ListenersNotValid",
        GATEWAY,
        "Some or all listeners of the Gateway are invalid; their own conditions say why.",
        &[Code::S3, Code::L7, Code::S2],
    ),
    entry(
        "ListenersNotResolved",
        GATEWAY,
        "A listener names something that cannot be used; its own condition ResolvedRefs says what.",
        &[Code::L7, Code::L1],
    ),
    entry(
        "HostnameConflict",
        LISTENER,
        "Another listener has the same port, protocol and host name.",
        &[Code::S3],
    ),
    entry(
        "ProtocolConflict",
        LISTENER,
        "Another listener has the same port with a protocol that cannot share it.",
        &[Code::S3],
    ),
    entry(
        "PortUnavailable",
        LISTENER,
        "NGF cannot use the port.",
        &[Code::S3],
    ),
    entry(
        "InvalidRouteKinds",
        LISTENER,
        "allowedRoutes names a kind of route that the listener's protocol does not take.",
        &[Code::S3, Code::R16],
    ),
    entry(
        "OverlappingHostnames",
        LISTENER,
        "Host names of several listeners of one port overlap.",
        &[Code::S3],
    ),
    entry(
        "OverlappingCertificates",
        LISTENER,
        "A certificate of one listener is also for the host name of another one.",
        &[Code::S3, Code::L5],
    ),
    entry(
        "ConfigurationChanged",
        GATEWAY,
        "A listener changed to accepting any client certificate (AllowInsecureFallback).",
        &[Code::L3],
    ),
    entry(
        "AncestorLimitReached",
        GATEWAY,
        "A policy has more Gateways than the 16 that its status can list; nginx speaks plain HTTP for the rest.",
        &[Code::P14],
    ),
    entry(
        "TargetNotFound",
        POLICY,
        "What the policy targets does not exist in its namespace.",
        &[Code::P1, Code::S6],
    ),
    entry(
        "Invalid",
        ANY,
        "The object is invalid. Of a Gateway with Programmed False: nginx did not load its configuration.",
        &[Code::P2, Code::P3, Code::P4, Code::D1],
    ),
    entry(
        "Pending",
        ANY,
        "The controller has not acted upon the object yet.",
        &[Code::S8, Code::C8, Code::C5],
    ),
    entry(
        "AddressNotAssigned",
        GATEWAY,
        "The Service of the data plane has no address yet.",
        &[Code::D2, Code::S2],
    ),
    entry(
        "AddressNotUsable",
        GATEWAY,
        "The address that the Gateway asks for cannot be used.",
        &[Code::S2],
    ),
    entry(
        "UnsupportedAddress",
        GATEWAY,
        "NGF does not take this type of address.",
        &[Code::S2],
    ),
    entry(
        "NoResources",
        GATEWAY,
        "The data plane of the Gateway could not be created.",
        &[Code::D2],
    ),
    entry(
        "NginxProxyConfigNotSet",
        POLICY,
        "The policy needs a setting in the Gateway's NginxProxy that is not there.",
        &[Code::S6, Code::C7],
    ),
    entry(
        "DoesNotExist",
        CERT_MANAGER,
        "The Certificate's Secret does not exist yet.",
        &[Code::M10, Code::M1],
    ),
    entry(
        "MissingData",
        CERT_MANAGER,
        "The Certificate's Secret has no tls.crt or tls.key.",
        &[Code::M1],
    ),
    entry(
        "InvalidKeyPair",
        CERT_MANAGER,
        "The key in the Certificate's Secret does not belong to its certificate.",
        &[Code::M1, Code::G5, Code::L7],
    ),
    entry(
        "InvalidCertificate",
        CERT_MANAGER,
        "What is in the Certificate's Secret is not a certificate.",
        &[Code::M1],
    ),
    entry(
        "SecretMismatch",
        CERT_MANAGER,
        "The certificate in the Secret does not have what the Certificate asks for.",
        &[Code::M1],
    ),
    entry(
        "IncorrectIssuer",
        CERT_MANAGER,
        "Another issuer than the Certificate names has signed what is in the Secret.",
        &[Code::M1],
    ),
    entry(
        "IncorrectCertificate",
        CERT_MANAGER,
        "Another Certificate owns the Secret.",
        &[Code::M3],
    ),
    entry(
        "RequestChanged",
        CERT_MANAGER,
        "The Certificate has changed since the certificate in the Secret was requested.",
        &[Code::M1],
    ),
    entry(
        "Renewing",
        CERT_MANAGER,
        "The time to renew has come.",
        &[Code::M1, Code::E3],
    ),
    entry(
        "Expired",
        CERT_MANAGER,
        "The certificate in the Secret has expired.",
        &[Code::E1, Code::M1],
    ),
    entry(
        "ErrGetKeyPair",
        CERT_MANAGER,
        "A CA issuer cannot read its own CA's Secret.",
        &[Code::M2],
    ),
    entry(
        "ErrInvalidKeyPair",
        CERT_MANAGER,
        "The Secret of a CA issuer does not hold a CA with its key.",
        &[Code::M2],
    ),
    entry(
        "ErrRegisterACMEAccount",
        CERT_MANAGER,
        "An ACME server does not register the issuer's account.",
        &[Code::M2, Code::M12],
    ),
    entry(
        "SourceNotFound",
        TRUST_MANAGER,
        "A source of the Bundle does not exist in trust-manager's namespace.",
        &[Code::M11],
    ),
    entry(
        "SecretTargetsDisabled",
        TRUST_MANAGER,
        "trust-manager may not write Secrets, which the Bundle's target asks for.",
        &[Code::M11],
    ),
];
