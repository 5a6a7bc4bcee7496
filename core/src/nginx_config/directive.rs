//! A directive, of a configuration that is there or of one that NGF would render.

use serde::Serialize;

/// A directive of nginx's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Directive {
    /// `proxy_ssl_name`.
    pub name: String,
    /// Its value, without the semicolon.
    pub value: String,
}

impl std::fmt::Display for Directive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {};", self.name, self.value)
    }
}
