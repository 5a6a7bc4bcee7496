//! Every fault has one code, and every code a fault.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::connection::{Case, Claim, May, ShownBy, all, candidates, classify};
use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        evidence::Evidence,
        fault::Fault,
        joined::Joined,
        plan::{PlannedEndpoint, PlannedTls, ProbePlan, TrustSource},
        registry::Need,
    },
    logs::{self, Phase},
    model::{
        index::Index,
        kind::Kind,
        object::ObjectRef,
        snapshot::{Scope, Snapshot, Source},
        topology::Topology,
    },
};

fn object(kind: Kind) -> ObjectRef {
    ObjectRef::new(kind, "default", "x")
}

/// A connection over TLS for a name, with or without a client certificate; without a name in plain text.
fn plan(hostname: Option<&str>, has_client_certificate: bool) -> ProbePlan {
    ProbePlan {
        gateway: object(Kind::Gateway),
        listener: None,
        https: false,
        route: object(Kind::HTTPRoute),
        rule: 0,
        service: object(Kind::Service),
        port: 8443,
        endpoint: PlannedEndpoint {
            address: "10.0.0.1".to_owned(),
            port: 8443,
            pod: None,
        },
        tls: hostname.map(|hostname| PlannedTls {
            hostname: hostname.to_owned(),
            policy: object(Kind::BackendTLSPolicy),
            trust: TrustSource::System,
            verify_depth: 4,
            client_certificate: has_client_certificate.then(|| object(Kind::Secret)),
        }),
        protocol: ngf_tls::protocol::Protocol::default(),
        host: "example.com".to_owned(),
        path: "/".to_owned(),
        because: Vec::new(),
    }
}

/// Faults of every kind, with every value that makes a difference.
fn faults() -> Vec<Fault> {
    let mut all = vec![
        Fault::Demanded,
        Fault::NothingInCommon,
        Fault::NotTls,
        Fault::Handshake,
        Fault::Unreachable,
        Fault::NotHttp,
        Fault::NoClientCertificate,
        Fault::Misdirected,
        Fault::PlainToTls,
        Fault::NotMutual,
    ];
    let codes = (0..100).map(Some).chain([None]);
    all.extend(codes.clone().map(|code| Fault::Verify { code }));
    all.extend(codes.map(|code| Fault::ClientRefused { code }));
    for name in ["example.com", "other.example.com", "10.0.0.1", "10.0.0.2"] {
        let name = name.to_owned();
        all.push(Fault::Name { name });
    }
    for phase in [
        Phase::Connecting,
        Phase::Handshaking,
        Phase::Sending,
        Phase::ReadingHeader,
        Phase::Reading,
    ] {
        all.push(Fault::TimedOut { phase });
    }
    for after in [false, true] {
        all.push(Fault::NotHttp2 { is_tls: after });
        for asked in [None, Some(false), Some(true)] {
            all.push(Fault::Closed { after, asked });
            let numbers = 0..=u8::MAX;
            all.extend(numbers.map(|number| Fault::Alert {
                number,
                after,
                asked,
            }));
        }
    }
    all
}

/// Asks about every fault on every kind of connection.
fn each(mut ask: impl FnMut(&Case<'_, '_>)) {
    let source = Source::Files { paths: Vec::new() };
    let snapshot = Snapshot::new(source, Scope::AllNamespaces);
    let evidence = Evidence::none();
    let index = Index::of(&snapshot);
    let topology = Topology::with(&snapshot, &index);
    let now = Timestamp::UNIX_EPOCH;
    let context = Context::new(&snapshot, &evidence, now, &index, &topology);
    let line = "1970/01/01 00:00:00 [error] 1#1: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.9";
    let log = logs::parse_file("a.log", line, false, now);
    let counted = log.tally.said.values().next().expect("the line");
    let joined = Joined {
        log: &log,
        counted,
        plans: Vec::new(),
        instead: Vec::new(),
    };
    for plan in [
        plan(None, false),
        plan(Some("example.com"), false),
        plan(Some("example.com"), true),
        plan(Some("10.0.0.1"), true),
    ] {
        for fault in faults() {
            ask(&Case {
                context: &context,
                plan: &plan,
                fault,
                seen: ShownBy::Line {
                    joined: &joined,
                    now: None,
                },
            });
        }
    }
}

#[test]
fn a_fault_is_of_one_code() {
    each(|case| {
        for otherwise in [false, true] {
            let claim: Vec<Code> = all()
                .filter(|one| {
                    let may = (one.means)(&case.fault);
                    may != May::No && (may == May::Otherwise) == otherwise
                })
                .filter(|one| (one.is)(case) != Claim::No)
                .map(|one| one.code)
                .collect();
            let (fault, tls) = (&case.fault, &case.plan.tls);
            assert!(claim.len() <= 1, "{fault:?} is {claim:?} with {tls:?}");
        }
        let found = classify(case).map(|(code, _)| code);
        let claimed: Vec<Code> = all()
            .filter(|one| one.claims(case) != Claim::No)
            .map(|one| one.code)
            .collect();
        assert_eq!(claimed, found.into_iter().collect::<Vec<_>>());
    });
}

#[test]
fn a_fault_over_tls_has_a_code_that_its_line_alone_can_mean() {
    each(|case| {
        if case.plan.tls.is_none() {
            return;
        }
        let Some((code, _)) = classify(case) else {
            assert_eq!(case.fault, Fault::NotHttp, "it has no code");
            return;
        };
        let can_be = candidates(&case.fault);
        // A name that is an address is the policy's, unless the policy has another one now.
        let is_older_name = code == Code::T8;
        assert!(
            can_be.contains(&code) || is_older_name,
            "{:?} is {code} and not of {can_be:?}",
            case.fault
        );
    });
}

#[test]
fn each_code_of_a_handshake_has_a_fault_and_words() {
    let mut reached = BTreeSet::new();
    each(|case| {
        reached.extend(candidates(&case.fault));
        if let Some((code, _)) = classify(case) {
            reached.insert(code);
        }
    });
    let mut seen = BTreeSet::new();
    for connection in all() {
        let code = connection.code;
        assert!(reached.contains(&code), "no fault is {code}");
        assert!(seen.insert(code), "{code} is there twice");
        let rule = code.rule();
        assert_eq!(rule.code, code);
        assert!(rule.needs.contains(&Need::Handshake), "{code}");
    }
    // The rest of both families is about several connections, or about what a probe presents.
    let rest: Vec<Code> = Code::ALL
        .iter()
        .copied()
        .filter(|code| code.is_of_handshake() && !seen.contains(code))
        .collect();
    assert_eq!(
        rest,
        [
            "NGF-B13", "NGF-T15", "NGF-T16", "NGF-T17", "NGF-T18", "NGF-B12"
        ]
    );
}
