//! PEM texts and DER, as they come from Secrets, files and peers.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use ngf_probes::certificate::CertificateFacts;
use ngf_probes::chain::{Certificates, ChainQuestion, GATEWAY_DEPTH, Purpose, judge, signed_by};
use ngf_probes::engine::second_opinion::{StrictQuestion, ask};
use ngf_probes::pem::{key_facts, key_fits, read_bundle};

fuzz_target!(|input: &[u8]| {
    if let Err(error) = read_bundle(input) {
        assert!(!error.to_string().chars().any(char::is_control), "{error}");
    }
    drop(key_facts(input));
    drop(key_fits(input, input));
    let presented = match CertificateFacts::from_der(input) {
        Ok(facts) => vec![facts],
        Err(_) => read_bundle(input).unwrap_or_default(),
    };
    let Some(leaf) = presented.first() else {
        return;
    };
    for text in [&leaf.subject, &leaf.issuer, &leaf.key, &leaf.signature] {
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    let der: Vec<Vec<u8>> = presented.iter().map(|facts| facts.der.clone()).collect();
    signed_by(&der[0], &der[der.len() - 1]);
    drop(judge(&ChainQuestion {
        presented: Certificates::Der(der.clone()),
        trusted: Certificates::Der(der.clone()),
        purpose: Purpose::Server,
        depth: GATEWAY_DEPTH,
        name: Some("secure-app.example.com".to_owned()),
        at: None,
    }));
    let opinion = ask(&StrictQuestion {
        presented: &presented,
        roots: &der,
        trust_origin: "the input",
        name: "secure-app.example.com",
        at: Timestamp::UNIX_EPOCH,
        agreed: None,
    });
    let reason = opinion.expect("there is a certificate").reason;
    assert!(!reason.is_empty() && !reason.chars().any(char::is_control), "{reason:?}");
});
