//! The x509-limbo vectors, judged offline, against the golden answers of NGINX itself.
//!
//! Quick: no server and no NGINX are needed. The suite that asks NGINX is in
//! `tests/differential/limbo.rs`.

#[path = "../limbo/cases.rs"]
mod cases;

use std::collections::HashSet;
use std::fmt::Write as _;

use ngf_tls::chain::{
    Certificates, ChainQuestion, GATEWAY_DEPTH, NGINX_SERVER_DEPTH, Purpose, judge,
};
use ngf_tls::transcript::Outcome;

use self::cases::{Answer, Case, ValidationKind};

#[test]
fn every_case_has_an_answer_or_a_reason_for_none() {
    let (cases, answers) = (cases::cases(), cases::answers());
    assert_eq!(cases.len(), 194);
    let ids: HashSet<&str> = cases.iter().map(|case| case.id.as_str()).collect();
    assert_eq!(ids.len(), cases.len());
    for (case, answer) in cases.iter().zip(&answers) {
        assert_eq!(case.id, answer.id);
        let served = case.peer_certificate_key.is_some();
        assert_eq!(
            (answer.outcome.is_some(), answer.unserved.is_none()),
            (served, served)
        );
    }
    assert_eq!(cases.len(), answers.len());
}

#[test]
fn offline_judgements_are_nginx_own() {
    let mut table = String::new();
    let mut equal = 0;
    let mut judged = 0;
    for (case, nginx) in cases::cases().iter().zip(cases::answers()) {
        let Some(theirs) = Judgement::of_nginx(case, &nginx) else {
            println!(
                "not judged by NGINX: {} ({:?}, {:?})",
                case.id, nginx.unserved, nginx.outcome
            );
            continue;
        };
        judged += 1;
        let ours = Judgement::ours(case);
        if ours == theirs {
            equal += 1;
        } else {
            let _ = writeln!(table, "{}\n  nginx: {theirs:?}\n  ours:  {ours:?}", case.id);
        }
    }
    println!("{equal} of {judged} equal");
    assert_eq!(equal, judged, "these differ:\n{table}");
}

#[derive(Debug, PartialEq, Eq)]
struct Judgement {
    code: i32,
    /// A backend does not write down more than the code.
    complaints: Option<Vec<(u32, i32)>>,
    /// NGINX asks for the name only where the chain is fine.
    name_matches: Option<bool>,
}

impl Judgement {
    /// `None` where NGINX came to no judgement.
    fn of_nginx(case: &Case, answer: &Answer) -> Option<Self> {
        let code = answer.verify_code?;
        Some(match case.validation_kind {
            ValidationKind::Client => Self {
                code,
                complaints: None,
                name_matches: None,
            },
            ValidationKind::Server => Self {
                code,
                complaints: Some(answer.complaints.clone()),
                name_matches: (code == 0).then(|| answer.outcome != Some(Outcome::NameMismatch)),
            },
        })
    }

    fn ours(case: &Case) -> Self {
        let is_server = case.validation_kind == ValidationKind::Server;
        let question = ChainQuestion {
            presented: Certificates::Pem(case.presented()),
            trusted: Certificates::Pem(case.trusted()),
            purpose: if is_server {
                Purpose::Server
            } else {
                Purpose::Client
            },
            depth: if is_server {
                GATEWAY_DEPTH
            } else {
                NGINX_SERVER_DEPTH
            },
            name: is_server.then(|| case.name().to_owned()),
            at: Some(case.at()),
        };
        let judgement = judge(&question).unwrap_or_else(|error| panic!("{}: {error:?}", case.id));
        let complaints = judgement.trace.iter().filter(|event| event.code != 0);
        Self {
            code: judgement.code,
            complaints: is_server
                .then(|| complaints.map(|event| (event.depth, event.code)).collect()),
            name_matches: judgement.name_matches.filter(|_| judgement.code == 0),
        }
    }
}
