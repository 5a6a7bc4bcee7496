//! The table of rules.

pub use super::rule::{Need, Rule};
use super::{
    code::Code,
    list::for_every_rule,
    rules::{
        agent_certificates, api_server, cert_manager, client_certificate, condition, csi, expected,
        expiry, handshake, isolated, knowledge, listener, listener_cas, listener_certificate, logs,
        manifest, mounted_pair, nginx_config, overrides, payload_processor, policy, port,
        presented, route, served,
    },
};

macro_rules! table {
    ($($code:ident in $($module:ident)::+;)*) => {
        /// Every rule, in the order in which they are asked, which is that of [`Code`].
        pub static RULES: &[Rule] = &[$($($module)::+::$code),*];

        // The rule that a line of the list names is the one of that code.
        const _: () = {
            $(assert!($($module)::+::$code.code as usize == Code::$code as usize);)*
        };
    };
}

for_every_rule!(table);

/// Families of rules: the letter of their codes, and what they are about.
pub const FAMILIES: &[(char, &str)] = &[
    ('A', "What the API server says of manifests"),
    ('C', "GatewayClass, CRDs, and what the controller sees"),
    ('G', "The Gateway's client certificate"),
    ('L', "Listeners and their clients"),
    ('P', "BackendTLSPolicy"),
    ('R', "Routes and their backends"),
    ('N', "Endpoints and the network"),
    ('M', "cert-manager and trust-manager"),
    ('E', "Expiry"),
    ('D', "The data plane"),
    ('T', "The gateway verifies the backend"),
    ('B', "The backend verifies the gateway"),
    ('X', "What a probe would show"),
    ('S', "What the status says, and what it should say"),
    ('K', "What is not known"),
];

/// The rules of a family, in the order of their numbers.
pub fn family(letter: char) -> Vec<&'static Rule> {
    let mut rules: Vec<&Rule> = RULES
        .iter()
        .filter(|rule| rule.code.family() == letter)
        .collect();
    rules.sort_by_key(|rule| rule.bare_code()[1..].parse::<u32>().unwrap_or(u32::MAX));
    rules
}

impl Code {
    /// The rule of this code.
    pub fn rule(self) -> &'static Rule {
        &RULES[self as usize]
    }
}

impl Rule {
    /// The rules whose findings may be the cause of this one's.
    pub fn caused_by(&self) -> impl Iterator<Item = &'static Rule> {
        RULES.iter().filter(|rule| rule.causes.contains(&self.code))
    }
}

/// Whether no object shows it: what a handshake proves only a handshake shows.
pub fn only_probes_show(code: Code) -> bool {
    code.rule().needs.contains(&Need::Handshake)
}

/// The rule of that code, with or without `NGF-`, whatever the case.
pub fn rule(code: impl AsRef<str>) -> Option<&'static Rule> {
    let code: Code = code.as_ref().parse().ok()?;
    Some(code.rule())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_of_one_family() {
        let listed: usize = FAMILIES
            .iter()
            .map(|(letter, _)| family(*letter).len())
            .sum();
        assert_eq!(listed, RULES.len());
    }

    #[test]
    fn every_code_has_its_rule() {
        for code in Code::ALL {
            assert_eq!(code.rule().code, *code);
        }
    }
}
