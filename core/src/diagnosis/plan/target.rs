//! What a person asks to probe.

use std::fmt;

use thiserror::Error;

use crate::model::{kind::Kind, node_id::NodeId, object::ObjectRef};

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
        "cannot probe kind \"{0}\": expected httproute, grpcroute, tlsroute, service or gateway"
    )]
    UnknownKind(String),
    /// Nothing after the slash.
    #[error("\"{0}\" names no object: write {0}NAME")]
    NoName(String),
    /// The text after the colon is no port.
    #[error("invalid port \"{0}\": expected 1 to 65535")]
    BadPort(String),
}

impl ProbeTarget {
    /// Reads `httproute/NAME`, `svc/NAME:8443`, `gateway/NAME`, with kubectl's short names.
    /// `NAMESPACE/NAME` after the kind overrides `namespace`.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to write.
    pub fn parse(text: &str, namespace: &str) -> Result<Self, TargetError> {
        let (kind, rest) = text
            .split_once('/')
            .ok_or_else(|| TargetError::NoKind(text.to_owned()))?;
        // kubectl takes `httproute.gateway.networking.k8s.io/NAME`, too.
        let word = kind.split('.').next().unwrap_or(kind);
        let kind = Kind::parse(word).ok_or_else(|| TargetError::UnknownKind(kind.to_owned()))?;
        let (namespace, name) = rest.split_once('/').unwrap_or((namespace, rest));
        let (name, port) = match name.split_once(':') {
            Some((name, port)) => {
                let number = port
                    .parse()
                    .ok()
                    .filter(|port| *port != 0)
                    .ok_or_else(|| TargetError::BadPort(port.to_owned()))?;
                (name, Some(number))
            }
            None => (name, None),
        };
        if name.is_empty() || namespace.is_empty() {
            return Err(TargetError::NoName(text.to_owned()));
        }
        let object = ObjectRef::new(kind, namespace, name);
        match kind {
            Kind::Service => Ok(Self::Service {
                service: object,
                port,
            }),
            _ if port.is_some() => Err(TargetError::UnknownKind(format!("{text} (with a port)"))),
            Kind::Gateway => Ok(Self::Gateway(object)),
            Kind::HTTPRoute
            | Kind::GRPCRoute
            | Kind::TLSRoute
            | Kind::TCPRoute
            | Kind::UDPRoute => Ok(Self::Route(object)),
            _ => Err(TargetError::UnknownKind(word.to_owned())),
        }
    }

    /// The object that is meant; `None` for a node of the tree.
    pub fn object(&self) -> Option<&ObjectRef> {
        match self {
            Self::Route(object) | Self::Gateway(object) => Some(object),
            Self::Service { service, .. } => Some(service),
            Self::Node(_) => None,
        }
    }
}

/// `HTTPRoute default/secure-app`, `Service default/secure-app:8443`.
impl fmt::Display for ProbeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Route(object) | Self::Gateway(object) => write!(f, "{object}"),
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
        match ProbeTarget::parse(text, "default") {
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
    fn what_cannot_be_read_is_answered_with_what_to_write() {
        for text in [
            "secure-app",
            "pod/x",
            "nonsense/x",
            "httproute/",
            "svc/x:0",
            "svc/x:http",
            "gateway/x:80",
        ] {
            assert!(parsed(text).starts_with("error: "), "{text}");
        }
    }
}
