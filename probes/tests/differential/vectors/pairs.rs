//! Two faults at once: every pair of faults that do not touch the same thing.

use crate::mint::{Digest, Kind, key_usage, purpose};
use crate::scenario::{Client, ClientDemand, Scenario, Trust};
use crate::vector::Vector;

/// A fault, and what it touches: two that touch the same do not combine.
struct Fault {
    touches: &'static str,
    name: &'static str,
    inflict: fn(&mut Scenario),
}

const fn fault(touches: &'static str, name: &'static str, inflict: fn(&mut Scenario)) -> Fault {
    Fault {
        touches,
        name,
        inflict,
    }
}

const FAULTS: &[Fault] = &[
    fault("leaf's validity", "leaf expired", |s| s.leaf.expired()),
    fault("leaf's validity", "leaf not yet valid", |s| {
        s.leaf.not_yet_valid();
    }),
    fault("leaf's purpose", "leaf for clients only", |s| {
        s.leaf.extended_key_usage = Some(vec![purpose::CLIENT_AUTH]);
    }),
    fault("leaf's usage", "leaf's KU=keyCertSign", |s| {
        s.leaf.key_usage = Some(vec![key_usage::KEY_CERT_SIGN]);
    }),
    fault("leaf's names", "another name", |s| {
        s.leaf.dns_names(&["other.ns.svc"]);
    }),
    fault("leaf's names", "CN only", |s| {
        s.leaf.alternative_names.clear();
    }),
    fault("leaf's extensions", "unknown critical extension", |s| {
        s.leaf.extensions.push(super::extensions::unknown(true));
    }),
    fault("leaf's key", "RSA-1024 leaf", |s| {
        super::keys::set_key(&mut s.leaf, Kind::Rsa1024);
    }),
    fault("leaf's signature", "SHA-1 on the leaf", |s| {
        s.leaf.digest = Digest::Sha1;
    }),
    fault("leaf's signature", "leaf's signature broken", |s| {
        s.leaf.broken_signature = true;
    }),
    fault("sent", "intermediate missing", |s| {
        s.sends_intermediates = false;
    }),
    fault("sent", "root sent", |s| s.sends_root = true),
    fault("trust", "unknown root", |s| s.trust = Trust::Unrelated),
    fault("trust", "root re-keyed", |s| s.trust = Trust::Rekeyed),
    fault("trust", "only the intermediate trusted", |s| {
        s.trust = Trust::Intermediate;
    }),
    fault("intermediate's validity", "intermediate expired", |s| {
        s.intermediate().expired();
    }),
    fault("intermediate's constraints", "intermediate CA:FALSE", |s| {
        s.intermediate().basic_constraints = Some((false, None));
    }),
    fault(
        "intermediate's usage",
        "intermediate's KU lacks certSign",
        |s| {
            s.intermediate().key_usage = Some(vec![key_usage::CRL_SIGN]);
        },
    ),
    fault(
        "intermediate's purpose",
        "intermediate for clients only",
        |s| {
            s.intermediate().extended_key_usage = Some(vec![purpose::CLIENT_AUTH]);
        },
    ),
    fault("intermediate's extensions", "name constraint broken", |s| {
        s.intermediate()
            .extensions
            .push(super::extensions::permitting("other.svc"));
    }),
    fault("root's validity", "root expired", |s| s.root.expired()),
    fault("root's constraints", "pathlen 0 on the root", |s| {
        s.root.basic_constraints = Some((true, Some(0)));
    }),
    fault("root's key", "RSA-1024 root", |s| {
        super::keys::set_key(&mut s.root, Kind::Rsa1024);
    }),
    fault("asks", "client certificate required, none held", |s| {
        s.asks = ClientDemand::Required;
    }),
    fault("asks", "client certificate of another CA", |s| {
        (s.asks, s.client) = (ClientDemand::Required, Client::Stranger);
    }),
    fault("protocols", "TLS 1.1 only", |s| {
        s.directive("ssl_protocols TLSv1.1");
    }),
    fault("name", "trailing dot", |s| s.server_name.push('.')),
];

pub(super) fn vectors() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for (index, first) in FAULTS.iter().enumerate() {
        for second in FAULTS[index + 1..]
            .iter()
            .filter(|other| other.touches != first.touches)
        {
            let mut scenario = Scenario::new();
            (first.inflict)(&mut scenario);
            (second.inflict)(&mut scenario);
            // Both versions get their share.
            if scenario.directives.is_empty() {
                let version = if vectors.len() % 2 == 0 {
                    "TLSv1.2"
                } else {
                    "TLSv1.3"
                };
                scenario.directive(&format!("ssl_protocols {version}"));
            }
            let name = format!("{} + {}", first.name, second.name);
            vectors.push(scenario.vector(&name, None));
        }
    }
    vectors
}
