//! The proof that the probe's verdict is NGINX's own: every vector is served, proxied by Debian's
//! NGINX as NGF configures it, and probed; outcome, verify code, alert, client status and log line
//! must be equal in all of them.

#[path = "differential/log.rs"]
mod log;
#[path = "differential/mint/mod.rs"]
mod mint;
#[path = "differential/nginx.rs"]
mod nginx;
#[path = "differential/peer.rs"]
mod peer;
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

use crate::rig::Rig;
use crate::vector::{Expected, Vector};
use crate::verdict::Verdict;

#[test]
fn slow_nginx_answers_as_the_facts_say() {
    let vectors = vectors::all();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let rig = Rig::start(&vectors, &runtime).expect("the rig starts");
    let verdicts = rig.ask_nginx().expect("NGINX answers");
    for (vector, verdict) in vectors.iter().zip(&verdicts) {
        let mark = if as_expected(vector, verdict) {
            ' '
        } else {
            '!'
        };
        println!("{mark} {:60} {verdict}", vector.name);
    }
    println!("{} vectors", vectors.len());
}

fn as_expected(vector: &Vector, verdict: &Verdict) -> bool {
    let Some(Expected {
        outcome,
        verify_code,
        alert,
        client_status,
    }) = vector.expected
    else {
        return true;
    };
    outcome == verdict.outcome
        && verify_code.is_none_or(|code| verdict.verify_code == Some(code))
        && alert.is_none_or(|alert| verdict.alert == Some(alert))
        && client_status.is_none_or(|status| verdict.client_status == Some(status))
}
