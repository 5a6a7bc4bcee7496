//! Lines of logs, as the API server gives them: the input is a log with times, which nginx, the agent,
//! the control plane or an application wrote, and a client had a hand in.
#![no_main]

use std::collections::BTreeSet;

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use ngf_core::logs::{Decoded, Tally, Unbroken, Upstream, decode, decode_stamped};
use ngf_fuzz::{assert_fit_to_show, core::assert_json};

/// The most characters that are kept of what others wrote (`core/src/logs/nginx.rs`), and what is put around them.
const LONGEST: usize = 700;
/// The most different things that are kept of a log (`core/src/logs/tally.rs`).
const KINDS: usize = 400;

fn check(said: &Decoded) {
    let about = &said.request;
    let upstream = about.upstream.as_ref().map(Upstream::to_string);
    let texts = [
        Some(said.means()),
        Some(said.text.clone()),
        about.server.clone(),
        about.request.clone(),
        about.subrequest.clone(),
        about.host.clone(),
        upstream,
    ];
    for text in texts.into_iter().flatten() {
        assert_fit_to_show(&text);
        assert!(text.chars().count() <= LONGEST, "{text}");
    }
    // All else that it holds, as it is given to programs; JSON itself escapes control characters.
    let json = serde_json::to_value(said).expect("it can be written");
    assert_json(&json);
    assert!(json.to_string().len() <= 16 << 10);
}

fuzz_target!(|input: &[u8]| {
    let now = Timestamp::UNIX_EPOCH;
    let text = String::from_utf8_lossy(input);
    let (mut tally, mut unbroken) = (Tally::default(), Unbroken::default());
    let mut said = BTreeSet::new();
    for line in text.lines() {
        decode(line).iter().for_each(check);
        if let (Some(at), Some(decoded)) = decode_stamped(line) {
            assert_eq!(decoded.at, Some(at), "the kubelet's time counts");
        }
        if let Some(decoded) = tally.line(line, &mut unbroken, now) {
            check(&decoded);
            said.insert(decoded.what);
        }
    }
    assert_eq!(tally.lines, text.lines().count() as u64);
    assert!(tally.said.len() <= KINDS);
    let counted: u64 = tally.said.values().map(|counted| counted.count).sum();
    assert!(counted + tally.left_out <= tally.lines);
    assert!(tally.left_out > 0 || tally.said.len() >= said.len());
    for counted in tally.newest_first() {
        assert_fit_to_show(&counted.means);
        assert!(counted.first <= counted.last && counted.last <= now);
    }
});
