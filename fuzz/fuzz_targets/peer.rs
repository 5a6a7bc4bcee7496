//! A whole probe of a peer that answers the `ClientHello` with the input: alerts above all, records
//! that are cut off, and what is no TLS at all. The first byte says how many bytes come at a time.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use libfuzzer_sys::fuzz_target;
use ngf_fuzz::{
    Peer, assert_certificate, assert_fit_to_show, assert_lines_fit_to_show, assert_step, block_on,
};
use ngf_probes::Recorder;
use ngf_probes::dial::{Dial, DialError, Dialled, Fault, Target};
use ngf_probes::spec::{HttpSpec, ProbeSpec, TlsSpec, Trust};
use ngf_tls::protocol::Protocol;
use ngf_tls::transcript::Transcript;
use tokio_util::sync::CancellationToken;

/// Leads to a peer that says this.
struct ToPeer<'a>(&'a [u8], usize);

impl Dial for ToPeer<'_> {
    fn via(&self) -> &'static str {
        "fuzz"
    }

    fn dial<'a>(
        &'a self,
        _: &'a Target,
        _: &'a Recorder,
    ) -> BoxFuture<'a, Result<Dialled, DialError>> {
        let stream = Box::new(Peer::new(self.0, self.1));
        let address = None;
        async {
            Ok(Dialled {
                stream,
                address,
                fault: Fault::default(),
            })
        }
        .boxed()
    }
}

static SPEC: LazyLock<ProbeSpec> = LazyLock::new(|| {
    let host = "secure-app.example.com".to_owned();
    ProbeSpec {
        host: "10.0.3.7".to_owned(),
        port: 8443,
        tls: Some(TlsSpec {
            server_name: host.clone(),
            trust: Trust::Bundle {
                pem: include_bytes!("../seeds/certificates/ca.pem").to_vec(),
                origin: "Secret app/backend-cert[ca.crt]".to_owned(),
            },
            client_identity: None,
            verify_depth: 4,
            at: None,
        }),
        http: HttpSpec {
            method: "GET".to_owned(),
            host,
            path: "/".to_owned(),
        },
        protocol: Protocol::Http1,
        timeout: Duration::from_secs(5),
    }
});

fn check(transcript: &Transcript) {
    transcript.steps.iter().for_each(assert_step);
    transcript.server_chain.iter().for_each(assert_certificate);
    assert!(transcript.steps.len() <= 2_000 && transcript.records.len() <= 8_000);
    assert!(!transcript.nginx.sentence.is_empty());
    assert_fit_to_show(&transcript.nginx.sentence);
    transcript
        .nginx
        .log_line
        .iter()
        .for_each(|line| assert_fit_to_show(line));
    assert_fit_to_show(&transcript.client_certificate.sentence);
    for name in &transcript.client_certificate.acceptable_cas {
        assert_fit_to_show(name);
    }
    if let Some(http) = &transcript.http {
        assert_lines_fit_to_show(&http.body);
    }
    // Nobody here has the key of a certificate that the probe trusts.
    assert_ne!(
        transcript.nginx.client_status,
        Some(200),
        "{}",
        transcript.nginx.sentence
    );
}

fuzz_target!(|input: &[u8]| {
    let Some((at_once, answer)) = input.split_first() else {
        return;
    };
    let dial = ToPeer(answer, usize::from(*at_once));
    let result = block_on(ngf_probes::probe(&SPEC, &dial, &CancellationToken::new()));
    // Whatever a backend does ends in a transcript.
    check(&result.expect("a probe that can be run ends in a transcript"));
});
