use jiff::Timestamp;
use ngf_generator::{Cluster, Size};

use super::*;
use crate::{
    manifests,
    model::{
        kind::KINDS,
        snapshot::{KindState, Source},
    },
    threads::tests::forced,
};

/// A cluster of which every tenth Service is broken, as if it had been read from an API server.
fn broken() -> Snapshot {
    let size = Size {
        broken_per_mille: 100,
        ..Size::routes(400)
    };
    let mut snapshot = manifests::parse(&Cluster::of(size).manifests(), "default");
    snapshot.source = Source::Cluster {
        context: "test".to_owned(),
        server: "https://test.invalid".to_owned(),
        version: None,
    };
    let live = |version: &str| KindState::Live {
        version: version.to_owned(),
    };
    let kinds = KINDS.iter();
    snapshot.kinds = kinds
        .map(|info| (info.kind, live(info.versions[0])))
        .collect();
    snapshot
}

#[test]
fn several_threads_say_what_one_says() {
    let snapshot = broken();
    let evidence = Evidence::none();
    let diagnose = |threads| {
        forced(threads, || {
            Diagnosis::judged(&snapshot, &evidence, Timestamp::UNIX_EPOCH)
        })
    };
    let (one, judged_by_one) = diagnose(1);
    let by_one = judged_by_one.expect("a diagnosis");
    assert!(one.findings.len() > 10, "{}", one.findings.len());
    for threads in [2, 3, 8] {
        let (several, judged) = diagnose(threads);
        let by_several = judged.expect("a diagnosis");
        assert_eq!(several.findings, one.findings);
        assert_eq!(several.differences, one.differences);
        assert_eq!(several.coverage, one.coverage);
        assert_eq!(several.own, one.own);
        assert_eq!(several.worst, one.worst);
        assert_eq!(by_several.findings, by_one.findings);
        assert_eq!(by_several.asked, by_one.asked);
        let ids = |diagnosis: &Diagnosis| -> Vec<_> {
            let nodes = diagnosis.topology.iter();
            nodes
                .map(|(place, node)| (place, node.id.clone()))
                .collect()
        };
        assert_eq!(ids(&several), ids(&one));
    }
}
