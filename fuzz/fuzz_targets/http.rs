//! An HTTP answer, however it is cut. The first byte's lowest bit makes the request a HEAD, the
//! others say how many bytes come at a time.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use ngf_fuzz::{Peer, assert_fit_to_show, assert_lines_fit_to_show, assert_step, block_on};
use ngf_probes::Recorder;
use ngf_probes::spec::HttpSpec;
use ngf_probes::steps::http::{Exchange, exchange, request};

/// What must not depend on how the answer was cut: whether it is one, and its status.
#[derive(Debug, PartialEq, Eq)]
enum Gist {
    Answer(u16),
    Closed,
    NoStatusLine,
    InvalidHead(String),
}

fn gist(spec: &HttpSpec, answer: &[u8], at_once: usize) -> Gist {
    let recorder = Recorder::new();
    let request = request(spec).expect("the request can be sent");
    let until = Instant::now() + Duration::from_mins(1);
    let mut peer = Peer::new(answer, at_once);
    let result = block_on(exchange(&mut peer, spec, &request, until, &recorder));
    recorder.steps().iter().for_each(assert_step);
    match result {
        Exchange::Answer(answer) => {
            assert_lines_fit_to_show(&answer.http.body);
            answer
                .http
                .server
                .iter()
                .for_each(|name| assert_fit_to_show(name));
            assert_fit_to_show(&answer.end.to_string());
            Gist::Answer(answer.http.status)
        }
        Exchange::Closed { .. } => Gist::Closed,
        Exchange::NoStatusLine { .. } => Gist::NoStatusLine,
        Exchange::InvalidHead(words) => Gist::InvalidHead(words),
        other => panic!("the peer neither fails nor waits: {other:?}"),
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((how, answer)) = input.split_first() else {
        return;
    };
    let method = if how & 1 == 1 { "HEAD" } else { "GET" };
    let spec = HttpSpec {
        method: method.to_owned(),
        host: "secure-app.example.com".to_owned(),
        path: "/".to_owned(),
    };
    let cut = gist(&spec, answer, usize::from(how >> 1));
    assert_eq!(cut, gist(&spec, answer, usize::MAX));
});
