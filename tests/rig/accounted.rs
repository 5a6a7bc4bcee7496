//! Every rule of the families that TLS breaks by: broken for real in the rig, or the reason why not.

use std::collections::BTreeSet;

use ngf_core::diagnosis::registry::RULES;

use super::{case::Case, cases, frontend, refused, snippets, stories};

/// The families of rules whose faults nginx and a backend can have between them.
const FAMILIES: &str = "GPRDTBL";

/// Rules that the rig does not break, each with the reason.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "NGF-P2",
        "NGF sends its requests to a server of its own that answers 500: nginx opens no connection that could break",
    ),
    (
        "NGF-P3",
        "NGF sends its requests to a server of its own that answers 500: nginx opens no connection that could break",
    ),
    (
        "NGF-P4",
        "NGF sends its requests to a server of its own that answers 500: nginx opens no connection that could break",
    ),
    (
        "NGF-P5",
        "NGF sends its requests to a server of its own that answers 500: nginx opens no connection that could break",
    ),
    (
        "NGF-P6",
        "NGF sends its requests to a server of its own that answers 500: nginx opens no connection that could break",
    ),
    (
        "NGF-P7",
        "NGF sends its requests to a server of its own that answers 500: nginx opens no connection that could break",
    ),
    (
        "NGF-R4",
        "NGF sends its requests to a server of its own that answers 500: nginx opens no connection that could break",
    ),
    (
        "NGF-R17",
        "NGF sends its requests to a server of its own that answers 500: nginx opens no connection that could break",
    ),
    (
        "NGF-R20",
        "NGF sends its requests to a server of its own that answers 500: nginx opens no connection to the backend; what a policy makes of it is broken for real for NGF-R5",
    ),
    (
        "NGF-L7",
        "NGF refuses the listener, and nginx never hears of it",
    ),
    (
        "NGF-R6",
        "it says what happens, HTTP/2 over TLS, and nothing breaks by it; Debian's nginx cannot speak HTTP/2 by proxy_pass",
    ),
    (
        "NGF-R10",
        "nginx speaks plain HTTP to an InferencePool's endpoints by the endpoint picker's choice: there is no such picker here",
    ),
    (
        "NGF-R11",
        "nginx passes bytes on and takes no part in the TLS",
    ),
    (
        "NGF-R12",
        "NGF refuses the listener: nginx never hears of it; with a release that takes it, the rig's streams break by T and B",
    ),
    (
        "NGF-R13",
        "nginx passes bytes on and takes no part in the TLS",
    ),
    (
        "NGF-R16",
        "NGF attaches the route to nothing: nginx answers 404 and opens no connection",
    ),
    ("NGF-D2", "there is no nginx at all"),
    (
        "NGF-D6",
        "it is about NGF's agent, which is no part of Debian",
    ),
    (
        "NGF-D8",
        "what nginx refuses there is what it refuses of NGF-G12's certificate, in the directives of a listener instead of a backend",
    ),
    (
        "NGF-L1",
        "NGF leaves out the CA, or the whole listener: nginx never hears of it",
    ),
    (
        "NGF-L3",
        "it says what nginx lets in, and nothing breaks by it",
    ),
    (
        "NGF-R19",
        "NGF renders 500 for the rule: nginx opens no connection",
    ),
    (
        "NGF-R18",
        "NGF renders nothing of the route: nginx opens no connection",
    ),
    (
        "NGF-R21",
        "NGF renders nothing of the PayloadProcessor: nginx opens no connection",
    ),
    (
        "NGF-R22",
        "nginx asks the backend by NGF's own module, which is no part of Debian",
    ),
    (
        "NGF-R23",
        "NGF refuses the route, and renders nothing of it: nginx opens no connection",
    ),
    (
        "NGF-L10",
        "nginx does not load the configuration with such a file: nobody can connect",
    ),
    (
        "NGF-L11",
        "the port has no listener that ends TLS: nobody can connect to it",
    ),
    ("NGF-D12", "it is about what NGF does not send: nginx waits"),
    (
        "NGF-D10",
        "it is between NGF's control plane and its agent: nginx takes no part in it",
    ),
    (
        "NGF-D9",
        "it says what was not compared, and nothing breaks by it",
    ),
    (
        "NGF-B15",
        "Debian's nginx logs the code as any other one of a client certificate (NGF-B2); the code's meaning is OpenSSL's",
    ),
    (
        "NGF-P20",
        "it is judged from the objects before anybody connects; in a handshake the fault is NGF-T1",
    ),
    (
        "NGF-T20",
        "it is for the verify errors that have no code of their own, and the certificates of the rig bring about none of these",
    ),
    (
        "NGF-T22",
        "TLS is well there: its line is nginx's for any upstream that answers late (tests/logs)",
    ),
    (
        "NGF-B12",
        "it needs a backend of nginx 1.27.4 to 1.29.1, which no Debian has: CI would have to build it from nginx's source",
    ),
];

#[test]
fn every_rule_about_connections_is_broken_for_real_or_says_why_not() {
    let cases = cases::all();
    let mut broken: BTreeSet<&str> = cases.iter().flat_map(Case::codes).collect();
    broken.extend(stories::TOLD.iter().map(|(code, _)| *code));
    broken.extend(refused::codes());
    broken.extend(frontend::TOLD);
    broken.extend(snippets::TOLD);
    let mut wrong = Vec::new();
    for rule in RULES {
        if !FAMILIES.contains(&rule.bare_code()[..1]) {
            continue;
        }
        let reasons = ELSEWHERE.iter().filter(|(code, _)| *code == rule.code);
        match (broken.contains(rule.code.as_str()), reasons.count()) {
            (true, 0) | (false, 1) => {}
            (true, _) => wrong.push(format!("{} is broken here, and excused", rule.code)),
            (false, _) => wrong.push(format!("{} is neither broken nor excused", rule.code)),
        }
    }
    for (code, _) in ELSEWHERE {
        if !RULES.iter().any(|rule| rule.code == *code) {
            wrong.push(format!("{code} is excused, and no rule"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
