//! TLS messages and alerts, one after the other through one decoder. The input is a series of
//! records as they are on the wire, each of which holds one message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ngf_fuzz::{assert_field, assert_fit_to_show};
use ngf_tls::messages::Decoder;

/// The most fields that a message may have (`tls/src/messages.rs`).
const MOST_FIELDS: usize = 4 * 200;

fuzz_target!(|input: &[u8]| {
    let mut decoder = Decoder::default();
    let mut rest = input;
    while let [content_type, _, _, high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (body, next) = after.split_at(length);
        let message = decoder.decode(*content_type, body);
        assert_fit_to_show(&message.name);
        assert_fit_to_show(&message.summary);
        assert!(message.summary.chars().count() <= 300);
        assert!(message.fields.len() <= MOST_FIELDS);
        message.fields.iter().for_each(assert_field);
        rest = next;
    }
});
