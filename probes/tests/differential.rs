//! The proof that the probe's verdict is NGINX's own: every vector is served, proxied by Debian's
//! NGINX as NGF configures it, and probed; outcome, verify code, alert, client status, log line, SNI
//! and the verify callback's complaints must be equal in all of them.
//!
//! `cargo test -p ngf-probes --features slow-tests --test differential -- --nocapture`
//!
//! One process of NGINX is all NGINX backends and the gateway: `nginx.rs` writes its configuration,
//! `log.rs` reads its verdict. A new vector is one line in a file of `vectors/`. With
//! `same-openssl.sh` the oracle has the probe's own OpenSSL, and then not one
//! word of a log line may differ.

#[path = "differential/backends.rs"]
mod backends;
#[path = "limbo/cases.rs"]
mod cases;
#[path = "differential/compare.rs"]
mod compare;
#[path = "differential/limbo.rs"]
mod limbo;
#[path = "differential/load.rs"]
mod load;
#[path = "differential/log.rs"]
mod log;
#[path = "differential/mint/mod.rs"]
mod mint;
#[path = "differential/nginx.rs"]
mod nginx;
#[path = "differential/peer.rs"]
mod peer;
#[path = "differential/probe.rs"]
mod probe;
#[path = "differential/rig.rs"]
mod rig;
#[path = "differential/s_server.rs"]
mod s_server;
#[path = "differential/scenario.rs"]
mod scenario;
#[path = "differential/vector.rs"]
mod vector;
#[path = "differential/vectors/mod.rs"]
mod vectors;
#[path = "differential/verdict.rs"]
mod verdict;
#[path = "differential/which_nginx.rs"]
mod which_nginx;

use ngf_probes::ProbeError;
use ngf_tls::transcript::Transcript;
use tokio::runtime::Runtime;

use crate::rig::Rig;
use crate::scenario::Scenario;
use crate::vector::{Backend, Vector};
use crate::verdict::Verdict;

#[test]
fn slow_server_side_verdicts_are_nginx_own() {
    let Some(run) = Run::of(vectors::all()) else {
        return;
    };
    assert!(
        run.vectors.len() >= 200,
        "the issue asks for at least so many"
    );
    run.assert_equal();
}

#[test]
fn slow_client_certificate_verdicts_are_nginx_own() {
    let Some(run) = Run::of(vectors::clients::vectors()) else {
        return;
    };
    run.assert_equal();
    let transcripts: Vec<&Transcript> = run.probe.iter().flatten().collect();
    let codes = run.rig.client_verify_codes();
    backends::assert_seen_as_backends_do(&run.vectors, &transcripts, &codes);
}

/// The suites above would be worth nothing if they could not fail.
#[test]
fn slow_a_probe_with_other_settings_than_nginx_is_found_out() {
    let deep = Scenario::with(|s| {
        let names = ["A", "B", "C", "D", "E"];
        s.intermediates = names
            .iter()
            .map(|name| mint::Certificate::ca(name))
            .collect();
    });
    let vectors = vec![
        Scenario::new().vector("sound", None),
        deep.vector("too deep", None),
    ];
    let Some(mut run) = Run::of(vectors) else {
        return;
    };
    run.assert_equal();
    let runtime = Runtime::new().expect("a runtime");
    run.probe = runtime.block_on(probe::all_with(&run.vectors, &run.rig.addresses, |spec| {
        spec.tls.iter_mut().for_each(|tls| tls.verify_depth = 9);
    }));
    assert_eq!(
        compare::differing(&run.vectors, &run.nginx, &run.probe),
        ["too deep"]
    );
}

/// Vectors, and what both make of them.
struct Run {
    vectors: Vec<Vector>,
    nginx: Vec<Verdict>,
    probe: Vec<Result<Transcript, ProbeError>>,
    rig: Rig,
    /// The suite's own peers live as long as this.
    _runtime: Runtime,
}

impl Run {
    /// `None` where there is no NGINX.
    fn of(vectors: Vec<Vector>) -> Option<Self> {
        let oracle = which_nginx::oracle_or_skip()?;
        let (vectors, newer): (Vec<Vector>, Vec<Vector>) = vectors
            .into_iter()
            .partition(|vector| vector.since.is_none_or(|since| oracle.version >= since));
        for vector in newer {
            println!(
                "left out, this NGINX is older than NGF's and answers otherwise: {}",
                vector.name
            );
        }
        let needs_openssl = |vector: &Vector| matches!(vector.backend, Backend::Openssl(_));
        let mut vectors = vectors;
        if vectors.iter().any(needs_openssl) && !which_nginx::openssl_or_skip() {
            vectors.retain(|vector| !needs_openssl(vector));
        }
        let runtime = Runtime::new().expect("a runtime");
        let rig = Rig::start(&vectors, &runtime).expect("the rig starts");
        let nginx = rig.ask_nginx().expect("NGINX answers");
        let probe = runtime.block_on(probe::all(&vectors, &rig.addresses));
        Some(Self {
            vectors,
            nginx,
            probe,
            rig,
            _runtime: runtime,
        })
    }

    fn assert_equal(&self) {
        compare::assert_as_the_facts_say(&self.vectors, &self.nginx);
        compare::assert_equal(&self.vectors, &self.nginx, &self.probe);
    }
}
