//! What the probe says of the backend's side, beside what the backend did: whether it asked for a
//! certificate, whether it got one, and what it makes of it by its own rules.

use std::collections::HashMap;

use ngf_tls::chain::{Certificates, ChainQuestion, NGINX_SERVER_DEPTH, Purpose, judge};
use ngf_tls::transcript::Transcript;

use crate::nginx::Number;
use crate::scenario::client_ca;
use crate::vector::{Backend, Vector};

/// Checks the transcripts of NGINX backends.
pub(crate) fn assert_seen_as_backends_do(
    vectors: &[Vector],
    transcripts: &[&Transcript],
    codes: &HashMap<Number, i32>,
) {
    let (mut asked, mut judged) = (0, 0);
    for (number, (vector, transcript)) in vectors.iter().zip(transcripts).enumerate() {
        let Backend::Nginx(servers) = &vector.backend else {
            continue;
        };
        let Some(demand) = demand(&servers[0].directives) else {
            continue;
        };
        let name = &vector.name;
        let seen = &transcript.client_certificate;
        asked += 1;
        assert_eq!(seen.requested, demand != "off", "{name}: requested");
        let names = if seen.requested {
            vec!["CN=Client CA".to_owned()]
        } else {
            Vec::new()
        };
        assert_eq!(seen.acceptable_cas, names, "{name}: CA names");
        let body = transcript.http.as_ref().map_or("", |http| &http.body);
        let without = ["client=NONE", "No required SSL certificate was sent"];
        let sent = seen.requested && !without.iter().any(|words| body.contains(words));
        assert_eq!(seen.sent, sent, "{name}: sent");
        if demand == "on" && sent {
            judged += 1;
            let theirs = codes.get(&number).copied().unwrap_or(0);
            assert_eq!(
                as_the_backend(vector),
                theirs,
                "{name}: the backend's verify code"
            );
        }
    }
    println!(
        "{asked} of {asked} backends seen as they are, {judged} verify codes of backends equal"
    );
}

/// The value of `ssl_verify_client`.
fn demand(directives: &[String]) -> Option<&str> {
    directives
        .iter()
        .find_map(|directive| directive.strip_prefix("ssl_verify_client "))
}

/// The verify code that the client certificate has by the backend's rules, judged offline.
fn as_the_backend(vector: &Vector) -> i32 {
    let tls = vector.gateway.tls.as_ref().expect("the gateway speaks TLS");
    let identity = tls
        .identity
        .as_ref()
        .expect("the gateway holds a certificate");
    let question = ChainQuestion {
        presented: Certificates::Pem(identity.chain.clone()),
        trusted: Certificates::Pem(client_ca().pem()),
        purpose: Purpose::Client,
        depth: NGINX_SERVER_DEPTH,
        name: None,
        at: None,
    };
    judge(&question)
        .unwrap_or_else(|error| panic!("{}: {error:?}", vector.name))
        .code
}
