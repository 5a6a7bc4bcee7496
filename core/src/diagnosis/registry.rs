//! The one list of rules.

use super::{
    context::Context,
    engine::Findings,
    finding::Severity,
    rules::{
        api_server, cert_manager, client_certificate, condition, expected, expiry, handshake,
        isolated, knowledge, listener, logs, manifest, nginx_config, policy, port, presented,
        route, served,
    },
};

/// A rule: what it is called, what it looks for, and how.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Stable code: `NGF-` and the catalogue's letter and number.
    pub code: &'static str,
    /// How bad it is where it fires; a single finding may say less.
    pub severity: Severity,
    /// What is wrong, in one sentence without names.
    pub title: &'static str,
    /// What is behind it: what NGF and nginx do, and how it shows.
    pub explanation: &'static str,
    /// What to do about it, in general.
    pub remedy: &'static str,
    /// Codes of findings that are mere effects of this one where both are about one object.
    pub causes: &'static [&'static str],
    /// Looks for it.
    pub check: fn(&Context<'_>, &mut Findings),
}

/// Every rule, in the order in which they are asked. A rule that explains a condition stands before
/// those that only repeat it.
#[rustfmt::skip]
pub static RULES: &[Rule] = &[
    api_server::A1, api_server::A2, api_server::A3, api_server::A4,
    condition::class::C1, condition::class::C2, client_certificate::presence::C3, condition::blind::C4, condition::class::C5, condition::blind::C6, condition::class::C7, condition::controller::C8,
    client_certificate::G1, client_certificate::G2, client_certificate::G3, client_certificate::G4,
    client_certificate::G5, client_certificate::G6, client_certificate::G7, handshake::demanded::G8,
    client_certificate::fitness::G9, client_certificate::presence::G10, handshake::one_certificate::G11, client_certificate::fitness::G12,
    listener::L1, listener::L2, listener::L3, listener::L4,
    policy::unused::P1, policy::invalid::P2, policy::invalid::P3, policy::invalid::P4, policy::invalid::P5, policy::invalid::P6, policy::invalid::P7, policy::bundle::P8,
    policy::bundle::P9, policy::bundle::P10, policy::P12, policy::P13, policy::P14, policy::invalid::P15,
    route::R1, route::R2, route::backend::R3, route::backend::R4, route::backend::R5, route::protocol::R6, route::backend::R7, route::endpoints::R8, route::R9,
    route::protocol::R10, route::R11, route::protocol::R12, route::R13, route::R16, route::R18, route::refused::R19, route::weight::R20, route::backend::R17, route::endpoints::N3,
    cert_manager::M1, cert_manager::M2, cert_manager::M3, cert_manager::M4, cert_manager::written::M5, policy::bundle::M6,
    cert_manager::written::M7, cert_manager::written::M8, cert_manager::written::M9, cert_manager::written::M10,
    expiry::E1, expiry::E2, expiry::E3,
    condition::data_plane::D1, condition::data_plane::D2, client_certificate::fitness::D8, nginx_config::D3, nginx_config::D4, nginx_config::D5, nginx_config::D9, logs::D6, logs::D7,
    served::P11, served::B13,
    handshake::T1, handshake::T2, handshake::T3, handshake::T4, handshake::T5, handshake::T6,
    handshake::T7, handshake::T8, handshake::T9, handshake::T10, handshake::T11, handshake::T12,
    handshake::T13, handshake::T14, handshake::upstream::T15, handshake::upstream::T16,
    handshake::upstream::T17, handshake::upstream::T18, handshake::T20, handshake::T21, handshake::T22,
    handshake::B1, handshake::B2, handshake::B3, handshake::B4, handshake::B5, handshake::B6, handshake::B7, handshake::B8,
    handshake::B9, handshake::B10, handshake::B11, handshake::one_certificate::B12, handshake::B15, handshake::B16,
    logs::R14, logs::N1, logs::N2, isolated::N4,
    presented::X1, presented::P20, expected::X2, port::X3, port::X4,
    condition::S1, condition::S2, condition::S3, condition::S4, condition::S5, condition::S6,
    condition::silence::S7, condition::silence::S8, condition::silence::S9,
    knowledge::K8, knowledge::K1, route::backend::K2, knowledge::K3, knowledge::K4, handshake::demanded::K5, knowledge::K6, logs::K7, manifest::K9, manifest::K10, manifest::K11,
];

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
        .filter(|rule| rule.bare_code().starts_with(letter))
        .collect();
    rules.sort_by_key(|rule| rule.bare_code()[1..].parse::<u32>().unwrap_or(u32::MAX));
    rules
}

impl Rule {
    /// Its code without `NGF-`: `T1`.
    pub fn bare_code(&self) -> &'static str {
        self.code.trim_start_matches("NGF-")
    }

    /// The rules whose findings may be the cause of this one's.
    pub fn caused_by(&self) -> impl Iterator<Item = &'static Rule> {
        RULES.iter().filter(|rule| rule.causes.contains(&self.code))
    }
}

/// Whether no object shows it: what a handshake proves only a handshake shows.
pub fn only_probes_show(code: &str) -> bool {
    code.starts_with("NGF-T") || code.starts_with("NGF-B") || matches!(code, "NGF-G8" | "NGF-P11")
}

/// Bytes of a text that may be a code with a slip.
const LONGEST: usize = 16;

/// The codes nearest to what somebody wrote, the nearest first.
pub fn nearest(written: &str) -> Vec<&'static str> {
    let written = written.trim().to_ascii_uppercase();
    let bare = written.trim_start_matches("NGF-").trim_start_matches("NGF");
    if bare.len() > LONGEST {
        return Vec::new();
    }
    let mut near: Vec<(usize, &Rule)> = RULES
        .iter()
        .map(|rule| (strsim::levenshtein(bare, rule.bare_code()), rule))
        .filter(|(distance, _)| *distance <= 1)
        .collect();
    near.sort_by_key(|(distance, rule)| {
        let other_family = rule.bare_code().chars().next() != bare.chars().next();
        (*distance, other_family)
    });
    near.into_iter()
        .take(3)
        .map(|(_, rule)| rule.code)
        .collect()
}

/// The rule of that code, with or without `NGF-`, whatever the case.
pub fn rule(code: &str) -> Option<&'static Rule> {
    let wanted = code.trim();
    let bare = |text: &str| {
        text.to_ascii_uppercase()
            .trim_start_matches("NGF-")
            .to_owned()
    };
    RULES.iter().find(|rule| bare(rule.code) == bare(wanted))
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
    fn what_is_misspelt_is_near_something() {
        for (written, expected) in [
            ("T99", &["NGF-T9"][..]),
            ("ngf-g33", &["NGF-G3"]),
            ("z1", &["NGF-A1", "NGF-C1", "NGF-G1"]),
            ("what is this", &[]),
            ("", &[]),
        ] {
            assert_eq!(nearest(written), expected, "{written}");
        }
    }
}
