//! What `nginx -T` prints, and the certificates that come with it: the input is both.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ngf_core::nginx_config::{NginxConfig, of_snippet};
use ngf_fuzz::{assert_fit_to_show, core::assert_json};

fuzz_target!(|input: &[u8]| {
    let middle = input
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(input.len());
    let (configuration, certificates) = input.split_at(middle);
    match NginxConfig::parse(configuration, certificates) {
        Ok(read) => assert_json(&serde_json::to_value(&read).expect("it can be written")),
        Err(why) => assert_fit_to_show(&why),
    }
    for directive in of_snippet(&String::from_utf8_lossy(input)) {
        assert_fit_to_show(&directive.to_string());
    }
});
