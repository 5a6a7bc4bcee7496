//! HTTP answers, in pieces of the size that the first byte says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ngf_probes::steps::http::body::Body;
use ngf_probes::steps::http::head::{Reading, read};

fuzz_target!(|input: &[u8]| {
    let Some((&first, bytes)) = input.split_first() else {
        return;
    };
    let is_head_request = first & 1 == 1;
    let size = usize::from(first >> 1).max(1);
    let whole = read(bytes, is_head_request);
    // A head that is complete, or wrong, is so however it was cut.
    for cut in (0..bytes.len()).step_by(size) {
        let early = read(&bytes[..cut], is_head_request);
        assert!(early == Reading::More || early == whole, "{early:?} then {whole:?}");
    }
    let Reading::Head(head) = whole else {
        return;
    };
    assert!(head.length <= bytes.len());
    let mut at_once = Body::new(head.body.clone());
    let mut in_pieces = Body::new(head.body);
    let rest = &bytes[head.length..];
    let end = at_once.take(rest);
    let mut end_in_pieces = None;
    for piece in rest.chunks(size) {
        end_in_pieces = in_pieces.take(piece);
        if end_in_pieces.is_some() {
            break;
        }
    }
    assert_eq!(end.is_some(), end_in_pieces.is_some());
    // What follows the end is not asked for in pieces.
    let (more, less) = (at_once.bytes(), in_pieces.bytes());
    assert!(more.starts_with(less) && more.len() <= rest.len());
});
