//! Which tab, and which list.

/// A tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs)] // VIEWS says what each is
pub enum ViewId {
    #[default]
    Chain,
    Handshake,
    Findings,
    Logs,
    Conditions,
    Yaml,
    Nginx,
}

/// A list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // LISTS says what each is
pub enum ListId {
    Gateways,
    Routes,
    Policies,
    Certificates,
    Endpoints,
    Conditions,
    Probes,
    Logs,
    Events,
    Changes,
    Nginx,
    Suppressed,
    Contexts,
    Namespaces,
}
