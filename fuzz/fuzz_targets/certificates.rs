//! Certificates in DER, CA bundles and keys in PEM. The input is each of them: the second and the
//! third in one text, as a tls.crt with its key would be.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ngf_fuzz::{assert_certificate, assert_fit_to_show};
use ngf_tls::certificate::CertificateFacts;
use ngf_tls::pem::{key_facts, key_fits, read_bundle};

fuzz_target!(|input: &[u8]| {
    match CertificateFacts::from_der(input) {
        Ok(facts) => assert_certificate(&facts),
        Err(error) => {
            assert_fit_to_show(&error.to_string());
            assert_certificate(&CertificateFacts::unreadable(input, &error));
        }
    }
    let bundle = read_bundle(input);
    match &bundle {
        Ok(certificates) => {
            assert!(!certificates.is_empty(), "a bundle of none is no bundle");
            certificates.iter().for_each(assert_certificate);
        }
        Err(error) => assert_fit_to_show(&error.to_string()),
    }
    let key = key_facts(input);
    match &key {
        Ok(key) => {
            assert_eq!(key.kind.is_none(), key.encrypted);
            key.kind.iter().for_each(|kind| assert_fit_to_show(kind));
        }
        Err(error) => assert_fit_to_show(&error.to_string()),
    }
    match key_fits(input, input) {
        Ok(_) => assert!(bundle.is_ok() && key.is_ok_and(|key| !key.encrypted)),
        Err(error) => assert_fit_to_show(&error.to_string()),
    }
});
