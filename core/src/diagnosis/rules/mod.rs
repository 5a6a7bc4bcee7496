//! The rules, by family.

pub(super) mod agent_certificates;
pub(super) mod api_server;
pub(super) mod cert_manager;
pub(crate) mod change;
pub(super) mod client_certificate;
pub(super) mod condition;
pub(super) mod expected;
pub(super) mod expiry;
pub(super) mod handshake;
pub(super) mod isolated;
pub(super) mod knowledge;
pub(super) mod listener;
pub(super) mod listener_certificate;
pub(super) mod logs;
pub(super) mod manifest;
pub(super) mod nginx_config;
pub(super) mod overrides;
pub(super) mod payload_processor;
pub(super) mod policy;
pub(super) mod port;
pub(super) mod presented;
pub(super) mod rights;
pub(super) mod route;
pub(super) mod served;
pub(crate) mod shared;
pub(super) mod snippets;
