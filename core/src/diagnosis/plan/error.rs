//! Why there is nothing to probe.

use thiserror::Error;

use crate::diagnosis::code::Code;
use crate::diagnosis::ngf::Answer;

/// Why there is nothing to probe, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    /// The target does not exist.
    #[error("{0} not found")]
    NoSuchObject(String),
    /// The target is not known.
    #[error("{0}")]
    NotKnown(String),
    /// The node is gone from the tree.
    #[error("{0} is no longer there")]
    NodeGone(String),
    /// No listener takes the route.
    #[error("no listener takes {route}: {why}; clients get 404")]
    NotAttached {
        /// The route.
        route: String,
        /// Why.
        why: String,
    },
    /// The target has no backend below it.
    #[error("{0} has no backends: there is nothing that nginx would connect to")]
    NoBackends(String),
    /// No route refers to the Service.
    #[error("no route refers to {0}: nginx never connects to it")]
    Unrouted(String),
    /// The Gateway is another controller's.
    #[error("{gateway} is not NGINX Gateway Fabric's: {why}")]
    NotNgf {
        /// The Gateway.
        gateway: String,
        /// Whose it is.
        why: String,
    },
    /// NGF refuses the backend.
    #[error("nginx would not connect to {service}: {answer}, because {message} ({code})")]
    Refused {
        /// What clients get.
        answer: Box<Answer>,
        /// The Service and port.
        service: String,
        /// NGF's words.
        message: String,
        /// The finding's code.
        code: Code,
    },
    /// nginx cannot load the configuration.
    #[error("nginx never gets that far: {0}")]
    NeverLoaded(String),
    /// No endpoint.
    #[error("nginx has nowhere to connect to for {service}: {why}; {effect}")]
    NoEndpoints {
        /// The Service and port.
        service: String,
        /// Why.
        why: String,
        /// What clients get: 503, or 502 where TLS is spoken, or nothing from a stream.
        effect: &'static str,
    },
    /// nginx does not speak to the backend in HTTP or TLS.
    #[error("{0}")]
    NotSpoken(String),
}
