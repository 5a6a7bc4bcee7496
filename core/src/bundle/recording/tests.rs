use serde_json::json;

use super::*;
use crate::model::{
    decode,
    kind::Kind,
    snapshot::{Scope, Source},
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a moment")
}

fn seen(services: &[(&str, u16)]) -> Snapshot {
    let source = Source::Cluster {
        context: "prod".to_owned(),
        server: "https://api.example.com".to_owned(),
        version: None,
    };
    let mut snapshot = Snapshot::new(source, Scope::AllNamespaces);
    for (name, port) in services {
        let value = json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"namespace": "shop", "name": name}, "spec": {"ports": [{"port": port}]}});
        let incoming = Incoming { value, cut: false };
        snapshot.put(decode::object(Kind::Service, incoming, "default").expect("a Service"));
    }
    snapshot
}

fn recording(moments: &[&[(&str, u16)]]) -> String {
    let mut recorder = Recorder::default();
    let lines = moments.iter().zip(100..).map(|(services, second)| {
        let line = recorder.line(&seen(services), &Evidence::none(), at(second), "test");
        line.expect("JSON").unwrap_or_default()
    });
    lines.collect()
}

fn services(opened: &Opened) -> Vec<(String, u16)> {
    let services = opened.snapshot.services.iter();
    services
        .map(|(name, service)| (name.name.clone(), service.spec.ports[0].port))
        .collect()
}

#[test]
fn each_moment_is_as_it_was_forwards_and_backwards() {
    let moments: [&[(&str, u16)]; 4] = [
        &[("a", 1), ("b", 1)],
        &[("a", 1), ("b", 1)],
        &[("a", 2), ("c", 1)],
        &[],
    ];
    let text = recording(&moments);
    // Nothing is written of a moment that is like the one before.
    assert_eq!(text.lines().count(), 3);
    assert!(!text.contains("api.example.com"), "{text}");
    let second = text.lines().nth(1).expect("a line");
    assert!(second.contains("objects/Service/shop/a") && second.contains("objects/Service/shop/c"));
    assert!(
        second.contains("\"gone\":[\"objects/Service/shop/b\"]"),
        "{second}"
    );
    let recording = Arc::new(Recording::open(text).expect("a recording"));
    assert_eq!(recording.moments(), [at(100), at(102), at(103)]);
    let mut player = Player::new(Arc::clone(&recording));
    let wanted: [&[(&str, u16)]; 3] = [moments[0], moments[2], moments[3]];
    for index in [0, 1, 2, 1, 0, 2] {
        let opened = player.go_to(index).expect("a moment");
        let wanted: Vec<_> = wanted[index]
            .iter()
            .map(|(name, port)| ((*name).to_owned(), *port))
            .collect();
        assert_eq!(services(&opened), wanted, "{index}");
        assert_eq!(opened.at, recording.moments()[index]);
    }
    assert!(player.go_to(3).is_err());
}

/// Of a program that was killed while it wrote, everything but the last line is there.
#[test]
fn a_last_line_that_is_not_whole_is_left_out() {
    let text = recording(&[&[("a", 1)], &[("a", 2)]]);
    for cut in 1..=60 {
        let text = text[..text.len() - cut].to_owned();
        let recording = Recording::open(text).expect("a recording");
        let is_whole = cut == 1;
        assert_eq!(
            recording.moments().len(),
            if is_whole { 2 } else { 1 },
            "{cut}"
        );
        assert_eq!(recording.is_cut(), !is_whole);
    }
}

#[test]
fn a_clock_that_is_set_back_does_not_turn_the_recording_around() {
    let mut recorder = Recorder::default();
    let mut text = String::new();
    for (port, second) in [(1, 100), (2, 50), (3, 100)] {
        let snapshot = seen(&[("a", port)]);
        let line = recorder.line(&snapshot, &Evidence::none(), at(second), "test");
        text.push_str(&line.expect("JSON").expect("a line"));
    }
    assert_eq!(Recording::open(text).expect("it").moments().len(), 3);
}

#[test]
fn what_is_no_recording_is_refused_with_its_line() {
    let good = recording(&[&[("a", 1)]]);
    let deep = format!(
        "{{\"schema\":\"{SCHEMA}\",\"at\":\"2026-01-01T00:00:00Z\",\"set\":{{\"objects/x\":{}{}}},\"gone\":[]}}\n",
        "[".repeat(100),
        "]".repeat(100)
    );
    for (text, says) in [
        (String::new(), "it is empty"),
        ("\n\n".to_owned(), "it is empty"),
        ("[]\n".to_owned(), "line 1:"),
        ("{}\n".to_owned(), "line 1: it has no field schema"),
        (
            format!("{{\"schema\":\"{SCHEMA}\"}}\n"),
            "line 1: it has no field at",
        ),
        (
            "{\"schema\":\"ngf-tui/check/v1\"}\n".to_owned(),
            "it is \"ngf-tui/check/v1\"",
        ),
        (
            format!("{{\n  \"schema\": \"{}\",\n", super::super::SCHEMA),
            "--from opens a bundle",
        ),
        (
            format!("{good}{good}"),
            "line 2: it is not later than the line before",
        ),
        (format!("{good}no JSON\n"), "line 2:"),
    ] {
        let why = Recording::open(text.clone())
            .expect_err("no recording")
            .to_string();
        assert!(why.contains(says), "{text:?}: {why}");
        assert_eq!(why.lines().count(), 1);
    }
    for (text, says) in [
        (deep, "line 1:"),
        (
            format!("{{\"schema\":\"{SCHEMA}\",\"at\":\"2026-01-01T00:00:00Z\"}}\n"),
            "line 1: missing field",
        ),
        (
            format!(
                "{{\"schema\":\"{SCHEMA}\",\"at\":\"2026-01-01T00:00:00Z\",\"set\":{{}},\"gone\":[]}}\n"
            ),
            "line 1: missing field",
        ),
    ] {
        let recording = Recording::open(text).expect("its heads are right");
        let why = Player::new(Arc::new(recording))
            .go_to(0)
            .expect_err("no moment");
        assert!(why.to_string().contains(says), "{why}");
    }
}

/// Names in a recording cannot replace what the recording itself says.
#[test]
fn a_part_of_another_name_changes_nothing() {
    let text = recording(&[&[("a", 1)]]);
    let text = text.replacen(
        "\"set\":{",
        "\"set\":{\"objects\":[1],\"nothing/a\":2,\"other\":3,\"at\":\"x\",",
        1,
    );
    let recording = Arc::new(Recording::open(text).expect("it"));
    let opened = Player::new(recording).go_to(0).expect("a moment");
    assert_eq!((services(&opened).len(), opened.at), (1, at(100)));
}
