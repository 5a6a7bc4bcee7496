//! The home screen of a cluster that is still being read.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ngf_core::{
    manifests::parse,
    model::{
        kind::Kind,
        object::ObjectRef,
        snapshot::{KindState, Snapshot, Source},
    },
};
use ngf_tui::tui::{
    effects::Files,
    headless::Headless,
    state::{
        App,
        ids::ViewId,
        place::{Place, Subject},
    },
};
use ngf_ui::{Theme, golden};

/// Two Gateways, of which NGF has programmed one.
const GATEWAYS: &str = r#"---
{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "a-well"},
 "spec": {"gatewayClassName": "nginx", "listeners": [{"name": "https", "port": 443, "protocol": "HTTPS"}]},
 "status": {"conditions": [{"type": "Programmed", "status": "True", "reason": "Programmed"}]}}
---
{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "b-bad"},
 "spec": {"gatewayClassName": "nginx", "listeners": []},
 "status": {"conditions": [{"type": "Programmed", "status": "False", "reason": "Invalid"}]}}
"#;

fn moment() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().expect("a moment")
}

fn cluster() -> Snapshot {
    let mut snapshot = parse(GATEWAYS, "shop");
    snapshot.source = Source::Cluster {
        context: "prod".to_owned(),
        server: "https://prod.invalid".to_owned(),
        version: None,
    };
    snapshot.kinds.insert(Kind::HTTPRoute, KindState::Loading);
    snapshot.kinds.insert(Kind::Event, KindState::Loading);
    snapshot
}

async fn screen_of(snapshot: Snapshot) -> Headless {
    let snapshot = Arc::new(snapshot);
    let app = App::new(Theme::plain(), Arc::clone(&snapshot), None, moment());
    let mut screen = Headless::new(app.expect("no conflict"), Arc::new(Files)).at(moment());
    screen.snapshot(snapshot).await;
    screen
}

async fn home_of(snapshot: Snapshot) -> String {
    golden::screen(&screen_of(snapshot).await.draw(120, 30))
}

/// Gateways that are not programmed come first. Nothing is called well or broken before the rules were asked.
#[tokio::test]
async fn gateways_are_shown_with_their_status_while_other_kinds_are_read() {
    let home = home_of(cluster()).await;
    let place = |text: &str| {
        home.find(text)
            .unwrap_or_else(|| panic!("no {text:?} in\n{home}"))
    };
    place("Reading: 1 kind to come. Problems are shown when all kinds have been read.");
    let bad = place("Gateway shop/b-bad: Programmed is False (Invalid), 0 listeners");
    let well = place("Gateway shop/a-well: Programmed is True, 1 listener");
    assert!(bad < well, "{home}");
    for word in ["no problems", "untested", "NGF-"] {
        assert!(!home.contains(word), "{word} in\n{home}");
    }
}

/// Of many Gateways some are named, and the rest is counted.
#[tokio::test]
async fn many_gateways_are_counted() {
    let mut snapshot = cluster();
    let gateways = snapshot.gateways.clone();
    let (_, gateway) = gateways.last_key_value().expect("a Gateway");
    for number in 0..20 {
        let name = ObjectRef::new(Kind::Gateway, "shop", format!("more-{number}"));
        snapshot.gateways.insert(name, Arc::clone(gateway));
    }
    let home = home_of(snapshot).await;
    assert!(
        home.contains("14 Gateways more; :gateways lists all"),
        "{home}"
    );
}

/// What rests on a Secret that is not watched is as old as its last read: the header and the Secret's page say so.
#[tokio::test]
async fn the_age_of_a_secret_that_is_not_watched_is_told() {
    let mut snapshot = parse(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: cert}\n",
        "shop",
    );
    snapshot.source = cluster().source;
    let secret = ObjectRef::new(Kind::Secret, "shop", "cert");
    let read_at = moment() - SignedDuration::from_mins(12);
    snapshot.unwatched.insert(secret.clone(), read_at);
    let mut screen = screen_of(snapshot).await;
    let app = &mut screen.app;
    let subject = Subject::object(&app.diagnosis.topology, &secret);
    app.places.open(Place::Page(subject), &mut app.detail);
    app.detail.view = ViewId::Conditions;
    let page = golden::screen(&screen.draw(120, 30));
    for words in [
        "live, Secrets up to 12m old",
        "read      12m ago; it is not watched, and read again every 15 minutes at the latest",
    ] {
        assert!(page.contains(words), "no {words:?} in\n{page}");
    }
}
