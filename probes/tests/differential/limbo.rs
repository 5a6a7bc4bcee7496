//! The x509-limbo vectors: NGINX's answers under libfaketime, compared with the golden ones and with
//! a probe that judges at that same moment.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::PathBuf;

use jiff::Timestamp;
use tokio::runtime::Runtime;

use crate::cases::{self, Answer, Case, ValidationKind};
use crate::mint::Certificate;
use crate::nginx::{Builder, FakeTime};
use crate::rig::Rig;
use crate::scenario::NAME;
use crate::vector::{Backend, Gateway, Identity, ServerBlock, Vector};
use crate::verdict::Verdict;
use crate::{compare, probe};

#[test]
fn slow_limbo_answers_are_nginx_own() {
    if crate::which_nginx::oracle_or_skip().is_none() {
        return;
    }
    let Some(library) = faketime_or_skip() else {
        return;
    };
    let mut answers = HashMap::new();
    let mut by_moment: BTreeMap<Timestamp, Vec<Case>> = BTreeMap::new();
    let all = cases::cases();
    for case in &all {
        match unserved(case) {
            Some(why) => {
                answers.insert(case.id.clone(), Answer::unserved(&case.id, why));
            }
            None => by_moment.entry(case.at()).or_default().push(case.clone()),
        }
    }
    let runtime = Runtime::new().expect("a runtime");
    for (at, cases) in by_moment {
        let time = FakeTime {
            library: library.clone(),
            at,
        };
        for answer in ask(&cases, &time, &runtime) {
            answers.insert(answer.id.clone(), answer);
        }
    }
    let answers: Vec<Answer> = all.iter().map(|case| answers[&case.id].clone()).collect();
    let served = answers
        .iter()
        .filter(|answer| answer.unserved.is_none())
        .count();
    println!("{served} of {} cases served by NGINX", answers.len());
    if std::env::var_os("LIMBO_WRITE").is_some() {
        let lines: Vec<String> = answers
            .iter()
            .map(|answer| serde_json::to_string(answer).expect("an answer is JSON") + "\n")
            .collect();
        std::fs::write(cases::path("nginx.jsonl"), lines.concat()).expect("the file is writable");
    }
    for (golden, answer) in cases::answers().iter().zip(&answers) {
        assert_eq!(
            golden, answer,
            "NGINX answers otherwise than when the golden file was written"
        );
    }
}

/// Serves the cases of one moment, asks NGINX, and compares the probe with it.
fn ask(cases: &[Case], time: &FakeTime, runtime: &Runtime) -> Vec<Answer> {
    let vectors: Vec<Vector> = cases.iter().map(|case| vector(case, time.at)).collect();
    let rig = Rig::start_at(&vectors, Some(time), runtime).expect("the rig starts");
    let nginx = rig.ask_nginx().expect("NGINX answers");
    let probe = runtime.block_on(probe::all(&vectors, &rig.addresses));
    println!("at {}:", time.at);
    compare::assert_equal(&vectors, &nginx, &probe);
    let clients = rig.client_verify_codes();
    let answer = |(number, (case, verdict)): (usize, (&Case, &Verdict))| Answer {
        id: case.id.clone(),
        unserved: None,
        outcome: Some(verdict.outcome),
        verify_code: match case.validation_kind {
            ValidationKind::Server => verdict.verify_code,
            ValidationKind::Client => Some(clients.get(&number).copied().unwrap_or(0)),
        },
        alert: verdict.alert,
        complaints: verdict.complaints.clone(),
    };
    cases.iter().zip(&nginx).enumerate().map(answer).collect()
}

impl Answer {
    fn unserved(id: &str, why: String) -> Self {
        Self {
            id: id.to_owned(),
            unserved: Some(why),
            outcome: None,
            verify_code: None,
            alert: None,
            complaints: Vec::new(),
        }
    }
}

/// Why no server can present this case.
fn unserved(case: &Case) -> Option<String> {
    if case.peer_certificate_key.is_none() {
        return Some("the case has no private key".to_owned());
    }
    let mut builder = Builder::new().expect("a folder");
    add(&mut builder, &vector(case, case.at()));
    builder
        .test()
        .expect("nginx -t runs")
        .map(|line| builder.without_folder(&line))
}

fn add(builder: &mut Builder, vector: &Vector) {
    let Backend::Nginx(servers) = &vector.backend else {
        unreachable!("all are NGINX's")
    };
    let address = builder.backend(0, servers).expect("files are written");
    builder
        .gateway(0, &vector.gateway, address)
        .expect("files are written");
}

fn vector(case: &Case, at: Timestamp) -> Vector {
    let identity = Identity {
        chain: case.presented(),
        key: case
            .peer_certificate_key
            .clone()
            .unwrap_or_default()
            .into_bytes(),
    };
    let (server, mut gateway) = match case.validation_kind {
        ValidationKind::Server => {
            let server = ServerBlock {
                identity: Some(identity),
                directives: vec![
                    "ssl_ciphers DEFAULT:@SECLEVEL=0".to_owned(),
                    "ssl_protocols TLSv1.2 TLSv1.3".to_owned(),
                ],
                ..ServerBlock::default()
            };
            (server, Gateway::new(case.name(), case.trusted()))
        }
        ValidationKind::Client => {
            // Valid at any moment that a case may name.
            let ages = |mut certificate: Certificate| {
                certificate.not_before = -24 * 365 * 50;
                certificate
            };
            let root = ages(Certificate::ca("Root")).self_signed();
            let leaf = ages(Certificate::leaf(NAME)).issued_by(&root);
            let server = ServerBlock {
                identity: Some(Identity::new(&[&leaf])),
                client_ca: Some(case.trusted()),
                directives: vec!["ssl_verify_client on".to_owned()],
                ..ServerBlock::default()
            };
            let mut gateway = Gateway::new(NAME, root.pem());
            if let Some(tls) = &mut gateway.tls {
                tls.identity = Some(identity);
            }
            (server, gateway)
        }
    };
    gateway.at = Some(at);
    Vector::new(&case.id, Backend::Nginx(vec![server]), gateway, None)
}

fn faketime_or_skip() -> Option<PathBuf> {
    let folders = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib",
    ];
    let library = folders
        .iter()
        .map(|folder| PathBuf::from(folder).join("faketime/libfaketimeMT.so.1"))
        .find(|path| path.exists());
    if library.is_none() {
        crate::which_nginx::skip("faketime");
    }
    library
}
