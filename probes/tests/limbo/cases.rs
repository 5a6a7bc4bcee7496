//! Reads `tests/data/x509-limbo`: its README says what is in there.

use std::path::PathBuf;

use jiff::Timestamp;
use ngf_tls::transcript::Outcome;
use serde::{Deserialize, Serialize};

/// A case of x509-limbo, in its own words.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) validation_kind: ValidationKind,
    trusted_certs: Vec<String>,
    untrusted_intermediates: Vec<String>,
    peer_certificate: String,
    pub(crate) peer_certificate_key: Option<String>,
    validation_time: Option<Timestamp>,
    expected_peer_name: Option<PeerName>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum ValidationKind {
    Server,
    Client,
}

#[derive(Debug, Clone, Deserialize)]
struct PeerName {
    value: String,
}

/// NGINX's answer to a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) id: String,
    /// Why it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unserved: Option<String>,
    /// The gateway's outcome; of a CLIENT case: that of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<Outcome>,
    /// The verify code of whoever judges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) verify_code: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alert: Option<u8>,
    /// Depth and code of each complaint that the gateway's verify callback heard.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) complaints: Vec<(u32, i32)>,
}

impl Case {
    /// When it is to be judged, to the second, as OpenSSL counts.
    pub(crate) fn at(&self) -> Timestamp {
        let default = Timestamp::constant(1_767_225_600, 0); // 2026-01-01T00:00:00Z
        let second = self.validation_time.unwrap_or(default).as_second();
        Timestamp::from_second(second).expect("a second of a timestamp is one")
    }

    /// Leaf and intermediates, in PEM.
    pub(crate) fn presented(&self) -> Vec<u8> {
        let mut pem = self.peer_certificate.clone();
        pem.extend(self.untrusted_intermediates.iter().map(String::as_str));
        pem.into_bytes()
    }

    /// Trust anchors, in PEM.
    pub(crate) fn trusted(&self) -> Vec<u8> {
        self.trusted_certs.concat().into_bytes()
    }

    /// The name to ask for; cases that have none are asked for what stands in none of them.
    pub(crate) fn name(&self) -> &str {
        self.expected_peer_name
            .as_ref()
            .map_or("nobody.invalid", |name| &name.value)
    }
}

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    read("vectors.jsonl")
}

/// NGINX's answers, in the order of the cases.
pub(crate) fn answers() -> Vec<Answer> {
    read("nginx.jsonl")
}

/// Where a file of the data lies.
pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/x509-limbo")
        .join(name)
}

fn read<T: for<'a> Deserialize<'a>>(name: &str) -> Vec<T> {
    let path = path(name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
    text.lines()
        .enumerate()
        .map(|(index, line)| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{}, line {}: {error}", path.display(), index + 1))
        })
        .collect()
}
