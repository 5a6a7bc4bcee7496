//! How to measure: connects to a backend as NGINX Gateway Fabric's nginx would, and writes down
//! every step. Knows nothing of Kubernetes and nothing of terminals.

pub mod certificate;
pub mod spec;
pub mod transcript;
