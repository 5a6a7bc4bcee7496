//! The one list of rules.

use super::{
    context::Context,
    engine::Findings,
    finding::Severity,
    rules::{
        cert_manager, client_certificate, condition, expected, expiry, handshake, knowledge,
        policy, route,
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
    condition::C1, condition::C2, client_certificate::C3, condition::C5, condition::C7,
    client_certificate::G1, client_certificate::G2, client_certificate::G3, client_certificate::G4,
    client_certificate::G5, client_certificate::G6, client_certificate::G7, handshake::G8,
    client_certificate::G9, client_certificate::G10, client_certificate::G12,
    policy::P1, policy::P2, policy::P3, policy::P4, policy::P5, policy::P6, policy::P7, policy::P8,
    policy::P9, policy::P10, policy::P12, policy::P13, policy::P14, policy::P15,
    route::R1, route::R2, route::R3, route::R4, route::R5, route::R7, route::R8, route::R9,
    route::R11, route::R16, route::R17, route::N3,
    cert_manager::M1, cert_manager::M2, cert_manager::M3, cert_manager::M4, policy::M6,
    expiry::E1, expiry::E2, expiry::E3,
    condition::D1, condition::D2,
    handshake::T1, handshake::T2, handshake::T3, handshake::T4, handshake::T5, handshake::T6,
    handshake::T7, handshake::T8, handshake::T9, handshake::T10, handshake::T11, handshake::T12,
    handshake::T13, handshake::T14, handshake::T20, handshake::T21,
    handshake::B1, handshake::B2, handshake::B3, handshake::B4, handshake::B7, handshake::B8,
    handshake::B9, handshake::B10, handshake::B11,
    expected::X1,
    condition::S1, condition::S2, condition::S3, condition::S4, condition::S5, condition::S6,
    condition::S7, condition::S8,
    knowledge::K1, route::K2, knowledge::K3, knowledge::K4, handshake::K5, knowledge::K6,
];

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
