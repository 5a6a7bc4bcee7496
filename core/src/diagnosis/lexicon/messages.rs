//! What NGF writes into conditions, and what other programs report of certificates and handshakes.

use super::{Code, Entry, entry};

const NGF: &str = "message that NGF writes";
const GO: &str = "error of a program in Go";
const CLIENT: &str = "error of a client such as curl";

/// What tells messages from each other; the longer of two that match stands first.
pub(super) const MESSAGES: &[Entry] = &[
    entry(
        "not permitted by any ReferenceGrant",
        NGF,
        "The reference leads to another namespace, and no ReferenceGrant there permits it.",
        &[Code::G7, Code::L7, Code::L1, Code::R4],
    ),
    entry(
        "unsupported secret type",
        NGF,
        "The Secret must be of type kubernetes.io/tls.",
        &[Code::G4, Code::P7, Code::L7],
    ),
    entry(
        "tls secret is invalid",
        NGF,
        "The certificate and the key of the Secret are not a pair that Go can load.",
        &[Code::G5, Code::L7],
    ),
    entry(
        "private key does not match public key",
        GO,
        "The key does not belong to the certificate.",
        &[Code::G5, Code::L7, Code::R8],
    ),
    entry(
        "the data field \"ca.crt\" must hold a valid CERTIFICATE PEM block",
        NGF,
        "The first block in ca.crt is no certificate.",
        &[Code::P6, Code::G6],
    ),
    entry(
        "is missing an expected key",
        NGF,
        "The ConfigMap does not exist, or has no ca.crt.",
        &[Code::P6, Code::L1],
    ),
    entry(
        "does not have the data or binaryData field ca.crt",
        NGF,
        "The ConfigMap has no ca.crt.",
        &[Code::P6, Code::L1],
    ),
    entry(
        "No valid CACertificateRef found",
        NGF,
        "None of the policy's CA references can be used.",
        &[Code::P6, Code::P5, Code::P7],
    ),
    entry(
        "CACertificateRefs and WellKnownCACertificates are mutually exclusive",
        NGF,
        "The policy names both CA references and well-known CAs.",
        &[Code::P3],
    ),
    entry(
        "Either CACertificateRefs or WellKnownCACertificates must be specified",
        NGF,
        "The policy names neither CA references nor well-known CAs.",
        &[Code::P3],
    ),
    entry(
        "Invalid hostname: validation.hostname",
        NGF,
        "The hostname of the policy is not an RFC 1123 name.",
        &[Code::P2],
    ),
    entry(
        "Conflicts with another BackendTLSPolicy",
        NGF,
        "An older BackendTLSPolicy targets the same Service port.",
        &[Code::P13],
    ),
    entry(
        "The BackendTLSPolicy is invalid",
        NGF,
        "A backend of the route has an invalid BackendTLSPolicy.",
        &[Code::P15],
    ),
    entry(
        "Backend TLS policies do not match for all backends",
        NGF,
        "The backends of one rule have different TLS policies.",
        &[Code::R1],
    ),
    entry(
        "does not support service port appProtocol",
        NGF,
        "The appProtocol of the Service's port does not go with this kind of route.",
        &[Code::R5],
    ),
    entry(
        "No matching port for Service",
        NGF,
        "The Service has no such port.",
        &[Code::R3],
    ),
    entry(
        "ExternalName service requires DNS resolver configuration",
        NGF,
        "The Gateway's NginxProxy names no DNS resolver.",
        &[Code::R7],
    ),
    entry(
        "All frontend TLS CA certificate refs are invalid",
        NGF,
        "None of the CAs for the listener's clients can be used.",
        &[Code::L1],
    ),
    entry(
        "failure to reload nginx with the configuration",
        NGF,
        "nginx refuses the Gateway's configuration and keeps the old one.",
        &[Code::D1],
    ),
    entry(
        "ancestor status list has reached the maximum size",
        NGF,
        "A policy has more Gateways than its status can list.",
        &[Code::P14],
    ),
    entry(
        "conflicting GatewayClass resource",
        NGF,
        "NGF manages another class.",
        &[Code::C5],
    ),
    entry(
        "certificate signed by unknown authority",
        GO,
        "The peer's certificate does not lead to a CA that the program trusts.",
        &[Code::L9, Code::B2, Code::T1, Code::D6],
    ),
    entry(
        "certificate has expired or is not yet valid",
        GO,
        "The peer's certificate is expired or not valid yet, by the program's clock.",
        &[Code::E1, Code::E2, Code::L9, Code::B3],
    ),
    entry(
        "certificate relies on legacy Common Name field",
        GO,
        "The certificate has no subject alternative names. Go does not read the common name; nginx does.",
        &[Code::L5, Code::L9],
    ),
    entry(
        "certificate specifies an incompatible key usage",
        GO,
        "The certificate is not made for this side: clientAuth for clients, serverAuth for servers.",
        &[Code::G9, Code::L6, Code::T7],
    ),
    entry(
        "x509: certificate is valid for",
        GO,
        "The certificate is for other names than the one that was asked for.",
        &[Code::L5, Code::T8],
    ),
    entry(
        "http: server gave HTTP response to HTTPS client",
        GO,
        "TLS was spoken to a port that speaks plain HTTP.",
        &[Code::T12],
    ),
    entry(
        "client sent an HTTP request to an HTTPS server",
        GO,
        "Plain HTTP was spoken to a port that speaks TLS.",
        &[Code::B9],
    ),
    entry(
        "remote error: tls: certificate required",
        GO,
        "The server demands a client certificate, and none was sent.",
        &[Code::B11, Code::G8],
    ),
    entry(
        "remote error: tls: unknown certificate authority",
        GO,
        "The peer does not trust the CA of the certificate that it was shown.",
        &[Code::B10, Code::B11, Code::L9],
    ),
    entry(
        "remote error: tls: bad certificate",
        GO,
        "The peer refuses the certificate that it was shown.",
        &[Code::B10, Code::B11, Code::L9],
    ),
    entry(
        "client didn't provide a certificate",
        GO,
        "The server demands a client certificate, and nginx presented none.",
        &[Code::B11, Code::G8],
    ),
    entry(
        "No required SSL certificate was sent",
        "answer of nginx with status 400",
        "The server demands a client certificate, and none was sent.",
        &[Code::B1, Code::G8],
    ),
    entry(
        "The SSL certificate error",
        "answer of nginx with status 400",
        "The server does not accept the client certificate.",
        &[Code::B2, Code::B3, Code::B4, Code::B5, Code::B6],
    ),
    entry(
        "The plain HTTP request was sent to HTTPS port",
        "answer of nginx with status 400",
        "Plain HTTP was spoken to a port that speaks TLS.",
        &[Code::B9, Code::P1],
    ),
    entry(
        "Misdirected Request",
        "answer with status 421",
        "The Host of the request belongs to another server than the name in the handshake.",
        &[Code::B8],
    ),
    entry(
        "Empty reply from server",
        CLIENT,
        "The listener closed the connection without an answer: it does not accept the client's certificate, or got none.",
        &[Code::L4],
    ),
    entry(
        "no alternative certificate subject name matches",
        CLIENT,
        "The listener's certificate is for other names.",
        &[Code::L5],
    ),
    entry(
        "SSL certificate problem",
        CLIENT,
        "The client does not accept the listener's certificate.",
        &[Code::L9, Code::L6],
    ),
];
