//! The same backends, by a real nginx as gateway and by the probe: outcome, verify code, alert
//! number and the client's status must be equal in all of them.
//!
//! Slow, and therefore behind a feature:
//! `cargo test -p ngf-probes --features differential --test differential -- --nocapture`.
//! Every vector is minted by the suite. One nginx serves all backends, another is the gateway in
//! front of them, configured as NGF renders it.

#[macro_use]
#[expect(unreachable_pub, reason = "shared by several test crates")]
mod support;

#[path = "differential/case.rs"]
mod case;
#[path = "differential/chains.rs"]
mod chains;
#[path = "differential/clients.rs"]
mod clients;
#[path = "differential/handshakes.rs"]
mod handshakes;
#[path = "differential/oracle.rs"]
mod oracle;
#[path = "differential/pairs.rs"]
mod pairs;
#[path = "differential/rig.rs"]
mod rig;

use case::Case;
use rig::Rig;

/// The issue asks for at least so many server-side cases.
const FEWEST_SERVER_CASES: usize = 200;

async fn all_equal(cases: Vec<Case>) {
    let rig = Rig::start(cases).await;
    let mut differences = Vec::new();
    let mut surprises = Vec::new();
    for (index, case) in rig.cases.iter().enumerate() {
        let nginx = rig.by_nginx(index).await;
        let probe = rig.by_probe(index).await;
        // What the suite knows of the case guards against a rig in which every case fails alike.
        if let Some(expected) = case.expected
            && nginx.code_or_status() != expected
        {
            surprises.push(format!(
                "{}: expected {expected}, nginx says {nginx:?}",
                case.name
            ));
        }
        if let Some(difference) = nginx.difference(&probe) {
            differences.push(format!("{}: {difference}", case.name));
        }
    }
    let total = rig.cases.len();
    println!("{} of {total} equal", total - differences.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

#[tokio::test]
async fn server_side_cases_are_equal() {
    peer!("nginx");
    let mut cases = chains::cases();
    cases.extend(handshakes::cases());
    cases.extend(pairs::cases());
    assert!(
        cases.len() >= FEWEST_SERVER_CASES,
        "only {} cases",
        cases.len()
    );
    all_equal(cases).await;
}

#[tokio::test]
async fn client_certificates_are_equal() {
    peer!("nginx");
    peer!("openssl");
    let servers = clients::alerting_servers();
    all_equal(clients::cases(&servers)).await;
}
