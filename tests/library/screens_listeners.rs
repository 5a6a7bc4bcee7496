//! `r` makes a handshake with the listener of the path, too; and logs are shown line by line.

use std::sync::Arc;

use crate::support::scenario::Scenario;
use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use ngf_core::{
    diagnosis::{
        code::Code,
        evidence::{Meeting, Met},
        plan::ProbePlan,
    },
    model::object::ObjectRef,
};
use ngf_tui::tui::{
    effects::Files,
    headless::Headless,
    state::{
        App,
        event::Event,
        job::{By, ListenerSeen, ProbeResult, Session},
        lines::Read,
    },
};
use ngf_ui::{Theme, golden};
use tokio_util::sync::CancellationToken;

const AT: &str = "2026-01-01T00:00:00Z";

/// Every listener presents a certificate that a strict client refuses; each container has three lines.
struct Script;

impl Session for Script {
    fn probe<'a>(
        &'a self,
        _: &'a ProbePlan,
        _: &'a By,
        _: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<ProbeResult, String>> {
        futures::future::ready(Err("no probe here".to_owned())).boxed()
    }

    fn listeners<'a>(
        &'a self,
        plans: &'a [ProbePlan],
        _: &'a CancellationToken,
    ) -> BoxFuture<'a, Vec<ListenerSeen>> {
        let at: Timestamp = AT.parse().expect("a moment");
        let seen = plans.iter().filter_map(|plan| {
            let (owner, listener) = plan.listener.clone()?;
            let meeting = Meeting {
                gateway: plan.gateway.clone(),
                owner,
                listener,
                server_name: plan.host.clone(),
            };
            let met = Met {
                via: "port-forward to gateway-nginx-1".to_owned(),
                accepted: Some(false),
                verdict: "a strict client refuses CN=web: it is expired".to_owned(),
                ..Met::default()
            };
            Some((meeting, at, Ok(met)))
        });
        futures::future::ready(seen.collect()).boxed()
    }

    fn lines(&self, of: Vec<(ObjectRef, String)>) -> BoxFuture<'_, Read> {
        let text = "2026-01-01T00:00:01Z one\n2026-01-01T00:00:02Z two \u{1b}[31mred\n";
        let read = of.into_iter();
        let read = read.map(|(pod, container)| (pod, container, Ok(text.to_owned())));
        futures::future::ready(read.collect()).boxed()
    }
}

async fn on(name: &str, session: Arc<dyn Session>) -> Headless {
    let scenario = Scenario::load(name);
    let mut snapshot = scenario.snapshot;
    snapshot.source = ngf_core::model::snapshot::Source::Cluster {
        context: "prod".to_owned(),
        server: String::new(),
        version: None,
    };
    let snapshot = Arc::new(snapshot);
    let mut app = App::new(Theme::plain(), Arc::clone(&snapshot), None, scenario.now)
        .expect("the key map has no conflicts");
    app.take_evidence(scenario.evidence.clone());
    let mut screen = Headless::new(app, session).at(scenario.now);
    screen.snapshot(snapshot).await;
    // The pods of its logs are not among its objects.
    screen.app.take_evidence(scenario.evidence);
    screen
}

fn text(screen: &mut Headless) -> String {
    golden::screen(&screen.draw(120, 50))
}

#[tokio::test]
async fn r_makes_a_handshake_with_the_listener_of_the_path() {
    let mut screen = on("t1-wrong-ca", Arc::new(Script)).await;
    // On the Gateway, on the listener, and on the path.
    for keys in [
        &["T", "home", "down", "r"][..],
        &["h", "r"],
        &["h", "enter", "r"],
    ] {
        screen.app.evidence = Scenario::load("t1-wrong-ca").evidence;
        screen.press(keys).await;
        assert_eq!(screen.app.evidence.meetings().count(), 1, "{keys:?}");
    }
    screen.press(&["2"]).await;
    let drawn = text(&mut screen);
    assert!(drawn.contains("a strict client refuses CN=web"), "{drawn}");
    for key in ":probes".chars() {
        screen.press(&[&key.to_string()]).await;
    }
    screen.press(&["enter"]).await;
    let drawn = text(&mut screen);
    let row = drawn.lines().find(|line| line.contains("listener http"));
    assert!(row.is_some_and(|row| row.contains('!')), "{drawn}");
}

/// What a handshake with a listener showed is over once its Secret holds another certificate.
#[tokio::test]
async fn a_handshake_with_a_listener_is_forgotten_once_its_certificate_changes() {
    let mut screen = on("l8-older-certificate-served", Arc::new(Script)).await;
    let has_l8 = |screen: &Headless| {
        let mut findings = screen.app.diagnosis.findings.iter();
        findings.any(|finding| finding.code == Code::L8)
    };
    assert!(has_l8(&screen));
    let same = Arc::new((*screen.app.latest).clone());
    screen.happen(Event::Snapshot(same)).await;
    assert!(has_l8(&screen), "nothing has changed");
    let mut changed = (*screen.app.latest).clone();
    changed.secrets.clear();
    screen.happen(Event::Snapshot(Arc::new(changed))).await;
    assert_eq!(screen.app.evidence.meetings().count(), 0);
    assert!(!has_l8(&screen));
}

#[tokio::test]
async fn z_shows_the_lines_of_the_logs_as_they_were_written() {
    let mut screen = on("t1-log-beside-probe", Arc::new(Script)).await;
    screen.press(&["enter", "l"]).await;
    let decoded = text(&mut screen);
    screen.press(&["z"]).await;
    let drawn = text(&mut screen);
    let (two, one) = (drawn.find("two"), drawn.find(" one"));
    assert!(two.is_some() && two < one, "the newest first:\n{drawn}");
    assert!(
        drawn.contains("00:00:02") && !drawn.contains('\u{1b}'),
        "{drawn}"
    );
    screen.press(&["/", "r", "e", "d", "enter"]).await;
    let drawn = text(&mut screen);
    assert!(drawn.contains("two") && !drawn.contains(" one"), "{drawn}");
    screen.press(&["esc", "z"]).await;
    assert_eq!(text(&mut screen), decoded);
    // Files have no lines.
    let mut screen = on("t1-log-beside-probe", Arc::new(Files)).await;
    screen.app.clock = ngf_tui::tui::state::clock::Clock::At(screen.app.now);
    screen.press(&["enter", "l", "z"]).await;
    let drawn = text(&mut screen);
    assert!(drawn.contains("here is what they mean"), "{drawn}");
}
