//! Manifests: the input is a file of YAML or JSON, as somebody gives it with `-f`.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use ngf_core::manifests::Reader;
use ngf_fuzz::core::assert_diagnosis;

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    for is_json in [false, true] {
        let mut reading = Reader::new(vec!["given".to_owned()], "default");
        reading.file("given", is_json, true, &text);
        let (snapshot, _) = reading.finish();
        assert_diagnosis(&snapshot, Timestamp::UNIX_EPOCH);
    }
});
