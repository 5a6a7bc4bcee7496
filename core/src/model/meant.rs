//! What a Service's port is meant for, by its appProtocol, its name and its number.

use super::kinds::ServicePort;

/// What a port is meant for, by what its Service says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meant {
    /// TLS.
    Tls,
    /// Plain text.
    Plain,
    /// Nothing says it.
    Nothing,
}

/// `https`, `https-web`, `web-https`, `tls`, `grpcs`.
fn names_tls(name: &str) -> bool {
    name.split(['-', '.', '_'])
        .any(|part| matches!(part, "https" | "tls" | "ssl" | "grpcs" | "wss" | "mtls"))
}

/// `http`, `http-web`, `h2c`.
fn names_plain(name: &str) -> bool {
    name.split(['-', '.', '_'])
        .any(|part| matches!(part, "http" | "h2c" | "http2" | "plain" | "ws"))
}

/// Returns what a port is meant for, and why. The appProtocol counts before the name, the name before the number. Each is a word of whoever wrote
/// the Service, and none is proof.
pub fn meant(port: &ServicePort) -> (Meant, String) {
    if let Some(protocol) = port.app_protocol.as_deref() {
        let word = protocol.rsplit('/').next().unwrap_or(protocol);
        let word = word.to_ascii_lowercase();
        let why = format!("its appProtocol is {protocol}");
        if matches!(word.as_str(), "https" | "tls" | "grpcs" | "wss" | "ssl") {
            return (Meant::Tls, why);
        }
        if matches!(word.as_str(), "http" | "h2c" | "ws") {
            return (Meant::Plain, why);
        }
    }
    let name = port.name.to_ascii_lowercase();
    let why = format!("it is named {}", port.name);
    if names_tls(&name) {
        return (Meant::Tls, why);
    }
    if names_plain(&name) {
        return (Meant::Plain, why);
    }
    let target = port.target_port.as_deref().unwrap_or_default();
    let why = format!("it is port {}", port.port);
    match port.port {
        443 | 8443 => (Meant::Tls, why),
        80 => (Meant::Plain, why),
        _ if names_tls(target) => (Meant::Tls, format!("its targetPort is {target}")),
        _ => (Meant::Nothing, String::new()),
    }
}
