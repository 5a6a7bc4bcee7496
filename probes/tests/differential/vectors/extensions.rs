//! Extensions: what a certificate is for, by KeyUsage, ExtendedKeyUsage, BasicConstraints and name
//! constraints, and unknown ones.

use crate::mint::{AlternativeName, Extension, der, key_usage, purpose};
use crate::scenario::Scenario;
use crate::vector::{Expected, Vector};

pub(super) fn vectors() -> Vec<Vector> {
    [
        of_the_leaf(),
        of_authorities(),
        unknown_extensions(),
        name_constraints(),
    ]
    .concat()
}

fn of_the_leaf() -> Vec<Vector> {
    vec![
        Scenario::with(|s| {
            s.leaf.basic_constraints = Some((true, None));
            s.leaf.key_usage = Some(vec![key_usage::KEY_CERT_SIGN]);
        })
        .vector(
            "CA:TRUE leaf with KU=keyCertSign only",
            Some(Expected::verify(26)),
        ),
        Scenario::with(|s| s.leaf.key_usage = Some(vec![key_usage::KEY_CERT_SIGN])).vector(
            "CA:FALSE leaf with KU=keyCertSign only",
            Some(Expected::verify(26)),
        ),
        Scenario::with(|s| s.leaf.basic_constraints = Some((true, None)))
            .vector("CA:TRUE leaf", None),
        Scenario::with(|s| s.leaf.key_usage = Some(vec![key_usage::DIGITAL_SIGNATURE]))
            .vector("leaf with KU=digitalSignature only", None),
        Scenario::with(|s| s.leaf.key_usage = Some(vec![key_usage::KEY_ENCIPHERMENT]))
            .vector("leaf with KU=keyEncipherment only", None),
        Scenario::with(|s| s.leaf.key_usage = Some(vec![key_usage::KEY_AGREEMENT]))
            .vector("leaf with KU=keyAgreement only", None),
        Scenario::with(|s| {
            s.leaf.key_usage = None;
            s.leaf.extended_key_usage = None;
        })
        .vector("no EKU and no KU", Some(Expected::OK)),
        Scenario::with(|s| s.leaf.basic_constraints = None)
            .vector("leaf without BasicConstraints", None),
        Scenario::with(|s| s.leaf.version = 1).vector("v1 leaf", Some(Expected::OK)),
        Scenario::with(|s| s.leaf.extended_key_usage = Some(vec![purpose::CLIENT_AUTH]))
            .vector("leaf's EKU client only", Some(Expected::verify(26))),
        Scenario::with(|s| s.leaf.extended_key_usage = Some(vec![purpose::ANY]))
            .vector("leaf's EKU anyEKU only", Some(Expected::verify(26))),
        Scenario::with(|s| s.leaf.extended_key_usage = Some(vec![purpose::CODE_SIGNING]))
            .vector("leaf's EKU codeSigning only", None),
        Scenario::with(|s| {
            s.leaf.extended_key_usage = Some(vec![purpose::SERVER_AUTH, purpose::ANY]);
        })
        .vector("leaf's EKU serverAuth and anyEKU", None),
        Scenario::with(|s| s.leaf.extended_key_usage = Some(Vec::new()))
            .vector("leaf's EKU empty", None),
        Scenario::with(|s| {
            s.leaf.subject_key_id = false;
            s.leaf.authority_key_id = false;
        })
        .vector("leaf without key identifiers", None),
    ]
}

fn of_authorities() -> Vec<Vector> {
    vec![
        Scenario::with(|s| s.root.version = 1).vector("v1 root", Some(Expected::OK)),
        Scenario::deep(|s| s.intermediate().version = 1)
            .vector("v1 intermediate", Some(Expected::verify(26))),
        Scenario::deep(|s| s.intermediate().extended_key_usage = Some(vec![purpose::CLIENT_AUTH]))
            .vector("intermediate's EKU client only", Some(Expected::verify(26))),
        Scenario::deep(|s| s.intermediate().extended_key_usage = Some(vec![purpose::SERVER_AUTH]))
            .vector("intermediate's EKU server only", None),
        Scenario::with(|s| s.root.extended_key_usage = Some(vec![purpose::CLIENT_AUTH]))
            .vector("root's EKU client only", None),
        Scenario::with(|s| s.root.key_usage = Some(vec![key_usage::CRL_SIGN]))
            .vector("root's KU lacks certSign", Some(Expected::verify(32))),
        Scenario::deep(|s| s.intermediate().key_usage = Some(vec![key_usage::CRL_SIGN])).vector(
            "intermediate's KU lacks certSign",
            Some(Expected::verify(32)),
        ),
        Scenario::deep(|s| s.intermediate().key_usage = None)
            .vector("intermediate without KU", None),
        Scenario::with(|s| s.root.basic_constraints = None)
            .vector("root without BasicConstraints, KU=keyCertSign", None),
        Scenario::with(|s| {
            s.root.basic_constraints = None;
            s.root.key_usage = None;
        })
        .vector("root without BasicConstraints", Some(Expected::verify(26))),
        Scenario::with(|s| s.root.basic_constraints = Some((false, None)))
            .vector("root with CA:FALSE, KU=keyCertSign", None),
        Scenario::with(|s| {
            s.root.basic_constraints = Some((false, None));
            s.root.key_usage = Some(vec![key_usage::DIGITAL_SIGNATURE]);
        })
        .vector("root with CA:FALSE", Some(Expected::verify(32))),
        Scenario::deep(|s| s.intermediate().basic_constraints = Some((false, None)))
            .vector("intermediate with CA:FALSE", None),
        Scenario::deep(|s| s.intermediate().basic_constraints = None)
            .vector("intermediate without BasicConstraints", None),
        Scenario::deep(|s| s.root.basic_constraints = Some((true, Some(0))))
            .vector("pathlen 0 on the root exceeded", Some(Expected::verify(25))),
        Scenario::deep(|s| s.intermediate().basic_constraints = Some((true, Some(0))))
            .vector("pathlen 0 on the intermediate kept", None),
        Scenario::deep(|s| s.root.basic_constraints = Some((true, Some(1))))
            .vector("pathlen 1 on the root kept", None),
        Scenario::with(|s| s.root.subject_key_id = false)
            .vector("root without SKI, leaf with AKI", None),
    ]
}

/// An unknown extension.
pub(super) fn unknown(critical: bool) -> Extension {
    Extension {
        oid: "1.3.6.1.4.1.99999.1",
        critical,
        content: der::utf8_string("what is this"),
    }
}

fn unknown_extensions() -> Vec<Vector> {
    vec![
        Scenario::with(|s| s.leaf.extensions.push(unknown(true)))
            .vector("unknown critical extension", Some(Expected::verify(34))),
        Scenario::with(|s| s.leaf.extensions.push(unknown(false)))
            .vector("unknown extension that is not critical", None),
        Scenario::deep(|s| s.intermediate().extensions.push(unknown(true)))
            .vector("unknown critical extension on the intermediate", None),
        Scenario::with(|s| s.root.extensions.push(unknown(true)))
            .vector("unknown critical extension on the root", None),
    ]
}

fn name_constraints() -> Vec<Vector> {
    vec![
        Scenario::deep(|s| s.intermediate().extensions.push(permitting("other.svc")))
            .vector("name-constraint violation", Some(Expected::verify(47))),
        Scenario::deep(|s| s.intermediate().extensions.push(permitting("ns.svc")))
            .vector("name constraint kept", None),
        Scenario::deep(|s| s.root.extensions.push(permitting("other.svc")))
            .vector("name-constraint violation, the root's", None),
        Scenario::deep(|s| s.intermediate().extensions.push(excluding("ns.svc")))
            .vector("name excluded by the intermediate", None),
        Scenario::deep(|s| {
            s.intermediate().extensions.push(permitting("other.svc"));
            s.leaf.alternative_names.clear();
        })
        .vector("name-constraint violation by the CN alone", None),
        Scenario::deep(|s| {
            s.intermediate().extensions.push(permitting("ns.svc"));
            s.leaf
                .alternative_names
                .push(AlternativeName::Email("a@example.com".to_owned()));
        })
        .vector("name constraint on another kind of name", None),
    ]
}

fn dns(name: &str) -> Vec<u8> {
    AlternativeName::Dns(name.to_owned()).der()
}

pub(super) fn permitting(name: &str) -> Extension {
    Extension::name_constraints(&[dns(name)], &[])
}

fn excluding(name: &str) -> Extension {
    Extension::name_constraints(&[], &[dns(name)])
}
