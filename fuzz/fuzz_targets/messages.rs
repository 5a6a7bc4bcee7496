//! The messages of one connection: each is a content type, a length of two bytes, and the bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ngf_probes::messages::{Decoder, Message};

fuzz_target!(|input: &[u8]| {
    let mut decoder = Decoder::default();
    let mut rest = input;
    while let [content_type, high, low, body @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(body.len());
        let (message, next) = body.split_at(length);
        check(&decoder.decode(*content_type, message));
        rest = next;
    }
});

/// Bounded, and fit to be shown.
fn check(message: &Message) {
    assert_shown(&message.name, 100);
    assert_shown(&message.summary, 300);
    assert!(message.fields.len() <= 4_000);
    for field in &message.fields {
        assert_shown(&field.name, 120);
        assert_shown(&field.value, 4_000);
    }
}

fn assert_shown(text: &str, most: usize) {
    assert!(text.chars().count() <= most, "{} characters", text.chars().count());
    assert!(!text.chars().any(char::is_control), "{text:?}");
}
