//! What a person asks to probe.

use std::fmt;

use thiserror::Error;

use crate::diagnosis::{ngf::known, words};
use crate::model::{
    clean::clean_line, kind::Kind, kinds::ServicePort, node_id::NodeId, object::ObjectRef,
    snapshot::Snapshot,
};

/// What to probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeTarget {
    /// Every backend of a route.
    Route(ObjectRef),
    /// A Service, by whatever routes reach it.
    Service {
        /// The Service.
        service: ObjectRef,
        /// One port of it; `None` for all that routes refer to.
        port: Option<u16>,
    },
    /// Every backend behind a Gateway.
    Gateway(ObjectRef),
    /// Every backend that a BackendTLSPolicy takes effect on.
    Policy(ObjectRef),
    /// Every backend at or below a node of the tree; the one above for an endpoint or a policy.
    Node(NodeId),
}

/// A target that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TargetError {
    /// No slash.
    #[error("\"{0}\" names no kind: write httproute/NAME, service/NAME[:PORT] or gateway/NAME")]
    NoKind(String),
    /// Not a kind that this tool knows.
    #[error(
        "unexpected kind \"{0}\": expected gateway, httproute, grpcroute, tlsroute, service or backendtlspolicy"
    )]
    UnknownKind(String),
    /// Nothing after the slash.
    #[error("\"{0}\" names no object: write {0}NAME")]
    NoName(String),
    /// The text after the colon is not a port.
    #[error("invalid port \"{0}\": expected 1 to 65535, or the name of a port of the Service")]
    BadPort(String),
    /// A name of a port, and the Service is not there to look it up.
    #[error(
        "port \"{port}\" of {service} is not known: {service} could not be read; write its number"
    )]
    UnknownService {
        /// The name of the port.
        port: String,
        /// The Service.
        service: ObjectRef,
    },
    /// A name of a port of a Service that does not exist.
    #[error("{0} not found")]
    NoService(ObjectRef),
    /// The Service has no port of that name.
    #[error("{service} has no port \"{port}\": {known}")]
    NoPort {
        /// The name of the port.
        port: String,
        /// The Service.
        service: ObjectRef,
        /// The ports that it has, in words.
        known: String,
    },
}

impl ProbeTarget {
    /// Reads `httproute/NAME`, `svc/NAME:8443`, `svc/NAME:https`, `gateway/NAME`, `btlspolicy/NAME`, with kubectl's
    /// short names. `NAMESPACE/NAME` after the kind overrides `namespace`. The name of a port is looked up in
    /// the snapshot.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to write.
    pub fn parse_in(text: &str, namespace: &str, snapshot: &Snapshot) -> Result<Self, TargetError> {
        Self::parse_with(text, namespace, Some(snapshot))
    }

    /// As [`Self::parse_in`], without objects: no port has a name.
    ///
    /// # Errors
    /// As [`Self::parse_in`].
    pub fn parse(text: &str, namespace: &str) -> Result<Self, TargetError> {
        Self::parse_with(text, namespace, None)
    }

    fn parse_with(
        text: &str,
        namespace: &str,
        snapshot: Option<&Snapshot>,
    ) -> Result<Self, TargetError> {
        let (kind, rest) = text
            .split_once('/')
            .ok_or_else(|| TargetError::NoKind(clean_line(text)))?;
        // kubectl takes `httproute.gateway.networking.k8s.io/NAME`, too.
        let word = kind.split('.').next().unwrap_or(kind);
        let kind = Kind::parse(word).ok_or_else(|| TargetError::UnknownKind(clean_line(kind)))?;
        let (namespace, name) = rest.split_once('/').unwrap_or((namespace, rest));
        let (name, port) = match name.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (name, None),
        };
        if name.is_empty() || namespace.is_empty() {
            return Err(TargetError::NoName(clean_line(text)));
        }
        let object = ObjectRef::new(kind, namespace, name);
        match kind {
            Kind::Service => {
                let port = port
                    .map(|port| port_of(port, &object, snapshot))
                    .transpose()?;
                Ok(Self::Service {
                    service: object,
                    port,
                })
            }
            _ if port.is_some() => Err(TargetError::UnknownKind(clean_line(&format!(
                "{text} (with a port)"
            )))),
            Kind::Gateway => Ok(Self::Gateway(object)),
            Kind::BackendTLSPolicy => Ok(Self::Policy(object)),
            Kind::HTTPRoute
            | Kind::GRPCRoute
            | Kind::TLSRoute
            | Kind::TCPRoute
            | Kind::UDPRoute => Ok(Self::Route(object)),
            _ => Err(TargetError::UnknownKind(clean_line(word))),
        }
    }

    /// The object that is meant; `None` for a node of the tree.
    pub fn object(&self) -> Option<&ObjectRef> {
        match self {
            Self::Route(object) | Self::Gateway(object) | Self::Policy(object) => Some(object),
            Self::Service { service, .. } => Some(service),
            Self::Node(_) => None,
        }
    }
}

/// The number of a Service's port that is written as a number or a name.
fn port_of(
    port: &str,
    service: &ObjectRef,
    snapshot: Option<&Snapshot>,
) -> Result<u16, TargetError> {
    if let Ok(number) = port.parse::<u16>()
        && number != 0
    {
        let ports = snapshot
            .and_then(|snapshot| snapshot.services.get(service))
            .map_or(&[][..], |found| &found.spec.ports);
        if ports.is_empty() || ports.iter().any(|known| known.port == number) {
            return Ok(number);
        }
        return Err(no_port(port, service, ports));
    }
    // As in Kubernetes, a name of a port has a letter (IANA service name, RFC 6335).
    let is_name = port.len() <= 15
        && port.bytes().any(|b| b.is_ascii_alphabetic())
        && port.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !is_name {
        return Err(TargetError::BadPort(clean_line(port)));
    }
    let port = port.to_owned();
    let Some(found) = snapshot.and_then(|snapshot| snapshot.services.get(service)) else {
        let service = service.clone();
        let is_absent =
            snapshot.is_some_and(|snapshot| known::absence_is_proven(snapshot, &service).is_ok());
        return Err(if is_absent {
            TargetError::NoService(service)
        } else {
            TargetError::UnknownService { port, service }
        });
    };
    let ports = &found.spec.ports;
    if let Some(known) = ports.iter().find(|known| known.name == port) {
        return Ok(known.port);
    }
    Err(no_port(&port, service, ports))
}

fn no_port(port: &str, service: &ObjectRef, ports: &[ServicePort]) -> TargetError {
    let known = ports.iter().map(|known| match known.name.as_str() {
        "" => known.port.to_string(),
        name => format!("{} ({name})", known.port),
    });
    let known = match ports.len() {
        0 => "it has none".to_owned(),
        _ => format!("it has {}", words::list(known, 10)),
    };
    TargetError::NoPort {
        port: port.to_owned(),
        service: service.clone(),
        known,
    }
}

/// `HTTPRoute default/secure-app`, `Service default/secure-app:8443`.
impl fmt::Display for ProbeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Route(object) | Self::Gateway(object) | Self::Policy(object) => {
                write!(f, "{object}")
            }
            Self::Service {
                service,
                port: Some(port),
            } => write!(f, "{service}:{port}"),
            Self::Service {
                service,
                port: None,
            } => write!(f, "{service}"),
            Self::Node(node) => write!(f, "{node}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        let services = r"{apiVersion: v1, kind: Service, metadata: {name: secure-app}, spec: {ports: [
            {name: http, port: 8080}, {name: https, port: 8443}]}}";
        let snapshot = crate::manifests::parse(services, "default");
        match ProbeTarget::parse_in(text, "default", &snapshot) {
            Ok(target) => target.to_string(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn targets_are_read_as_kubectl_reads_them() {
        let cases = [
            ("httproute/secure-app", "HTTPRoute default/secure-app"),
            ("HTTPRoutes/secure-app", "HTTPRoute default/secure-app"),
            ("svc/secure-app:8443", "Service default/secure-app:8443"),
            ("svc/secure-app:https", "Service default/secure-app:8443"),
            ("btlspolicy/tls", "BackendTLSPolicy default/tls"),
            ("service/shop/cart", "Service shop/cart"),
            ("gtw/gateway", "Gateway default/gateway"),
            (
                "httproute.gateway.networking.k8s.io/a",
                "HTTPRoute default/a",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(parsed(text), expected);
        }
    }

    #[test]
    fn a_number_that_the_service_has_no_port_of_is_answered_with_its_ports() {
        assert_eq!(
            parsed("svc/secure-app:9"),
            "error: Service default/secure-app has no port \"9\": it has 8080 (http) and 8443 (https)"
        );
    }

    #[test]
    fn what_cannot_be_read_is_answered_with_what_to_write() {
        for text in [
            "secure-app",
            "pod/x",
            "nonsense/x",
            "httproute/",
            "svc/x:0",
            "svc/x:http",
            "svc/x:65536",
            "svc/x:a_b",
            "gateway/x:80",
        ] {
            assert!(parsed(text).starts_with("error: "), "{text}");
        }
    }

    #[test]
    fn a_port_that_a_service_lacks_is_answered_with_those_that_it_has() {
        assert_eq!(
            parsed("svc/secure-app:grpc"),
            "error: Service default/secure-app has no port \"grpc\": it has 8080 (http) and 8443 (https)"
        );
    }
}
