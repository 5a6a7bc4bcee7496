//! The proof that the probe's verdict is NGINX's own: every vector is served, proxied by Debian's
//! NGINX as NGF configures it, and probed; outcome, verify code, alert, client status and log line
//! must be equal in all of them.

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

use tokio::runtime::Runtime;

use crate::rig::Rig;
use crate::vector::Vector;

#[test]
fn slow_server_side_verdicts_are_nginx_own() {
    compare(vectors::all());
}

#[test]
fn slow_client_certificate_verdicts_are_nginx_own() {
    compare(vectors::clients::vectors());
}

fn compare(vectors: Vec<Vector>) {
    let Some(oracle) = which_nginx::oracle_or_skip() else {
        return;
    };
    let (vectors, newer): (Vec<Vector>, Vec<Vector>) = vectors
        .into_iter()
        .partition(|vector| vector.since.is_none_or(|since| oracle.version >= since));
    for vector in newer {
        println!(
            "left out, since this NGINX is older than NGF's and answers otherwise: {}",
            vector.name
        );
    }
    let runtime = Runtime::new().expect("a runtime");
    let rig = Rig::start(&vectors, &runtime).expect("the rig starts");
    let nginx = rig.ask_nginx().expect("NGINX answers");
    let probe = runtime.block_on(probe::all(&vectors, &rig.addresses));
    compare::assert_as_the_facts_say(&vectors, &nginx);
    compare::assert_equal(&vectors, &nginx, &probe);
}
