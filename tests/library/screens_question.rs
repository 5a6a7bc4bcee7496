//! Ways that write, on the embedded cluster: nothing is made before somebody was shown it and agreed,
//! and nothing is left afterwards.

use std::{sync::Arc, time::Duration};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::{SignedDuration, Timestamp};
use ngf_cluster::{
    self, Cluster, ClusterOptions,
    transport::{Via, find_leftovers},
};
use ngf_core::model::snapshot::Snapshot;
use ngf_sandbox::{SCENARIOS, Sandbox, SandboxOptions, Stage};
use ngf_tui::tui::{
    effects::{Live, LiveOptions},
    headless::Headless,
    state::{
        App, Overlay,
        event::{Effect, Event},
    },
    update::update,
};
use ngf_ui::{Theme, golden};
use tokio::sync::watch;

const SETTLE: Duration = Duration::from_mins(2);

/// The guide's last stage, and the interface on it with probes by a debug pod.
async fn on_the_guide() -> (Sandbox, Cluster, Headless) {
    let sandbox = Sandbox::start(SandboxOptions::new(&SCENARIOS[0], Stage::Policy))
        .await
        .expect("an embedded cluster");
    let cluster = ngf_cluster::connect(&ClusterOptions {
        kubeconfig_text: Some(sandbox.kubeconfig()),
        all_namespaces: true,
        ..ClusterOptions::default()
    })
    .await
    .expect("a client");
    let snapshot = settled(&cluster).await;
    let (_, snapshots) = watch::channel(Arc::clone(&snapshot));
    let options = LiveOptions::embedded(Duration::from_secs(5));
    let session = Live::new(cluster.clone(), snapshots, options);
    let mut app = App::new(
        Theme::plain(),
        Arc::clone(&snapshot),
        None,
        Timestamp::now(),
    )
    .expect("the key map has no conflicts");
    app.via = Via::Pod;
    let mut screen = Headless::new(app, Arc::new(session));
    screen.snapshot(snapshot).await;
    (sandbox, cluster, screen)
}

/// A snapshot in which the Gateway's data plane runs.
async fn settled(cluster: &Cluster) -> Arc<Snapshot> {
    let until = std::time::Instant::now() + SETTLE;
    loop {
        let snapshot = Arc::new(cluster.snapshot(SETTLE).await);
        let running = snapshot.gateways.keys().any(|gateway| {
            ngf_core::data_plane::data_plane(&snapshot, gateway)
                .is_ok_and(|found| found.usable().is_ok())
        });
        if running || std::time::Instant::now() > until {
            assert!(running, "the embedded cluster has a data plane");
            return snapshot;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn made(cluster: &Cluster) -> usize {
    find_leftovers(cluster, None).await.expect("pods").len()
}

fn key(code: KeyCode) -> Event {
    Event::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_before_somebody_agrees_and_nothing_is_left_afterwards() {
    let (sandbox, cluster, mut screen) = on_the_guide().await;
    screen.press(&["r"]).await;
    screen.app.toast = None;
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("../golden");
    settings.add_filter(r"127\.[0-9.]+", "127.x.y.z");
    settings.add_filter(r"ngf-tui-[0-9a-z]{6}", "ngf-tui-NAME00");
    settings.add_filter(r"secure-app-[0-9a-z]+-([0-9a-z]+|…)", "secure-app-POD");
    settings.add_filter(r"gateway-nginx-[0-9a-z]+-[0-9a-z]+", "gateway-nginx-POD");
    settings.add_filter(r"\b\d+(s|m)\b", "AGE");
    settings.add_filter(r" {2,}", "  ");
    for (width, height) in [(80, 24), (160, 45)] {
        let drawn = golden::screen(&screen.draw(width, height));
        settings.bind(|| insta::assert_snapshot!(format!("question-{width}x{height}"), drawn));
    }
    assert_eq!(made(&cluster).await, 0, "nothing before the answer");

    // Enter that comes with what was pressed before is not an answer.
    let app = &mut screen.app;
    let effects = update(app, key(KeyCode::Enter), app.now);
    assert!(effects.is_empty(), "{effects:?}");
    assert!(matches!(app.overlay, Some(Overlay::Question(_))));

    // No makes nothing.
    screen.press(&["n"]).await;
    assert!(screen.app.overlay.is_none());
    assert_eq!(made(&cluster).await, 0);

    // Yes makes it, probes, and removes it.
    screen.press(&["r"]).await;
    let app = &mut screen.app;
    let later = app.now + SignedDuration::from_secs(1);
    let effects = update(app, key(KeyCode::Enter), later);
    assert!(
        matches!(effects[..], [Effect::Run(_, Some(_))]),
        "{effects:?}"
    );
    // Meanwhile q and ctrl-c ask; escape stays, and the second ctrl-c leaves.
    let app = &mut screen.app;
    let control = Event::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
    assert!(update(app, key(KeyCode::Char('q')), later).is_empty());
    assert!(matches!(app.overlay, Some(Overlay::Quit)));
    assert!(update(app, key(KeyCode::Esc), later).is_empty());
    assert!(app.overlay.is_none());
    assert!(update(app, control, later).is_empty());
    let control = Event::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
    assert!(matches!(update(app, control, later)[..], [Effect::Quit]));
    let keys = app.running.iter().cloned().collect();
    let _ = update(app, Event::ProbesEnded(keys), later);
    assert!(matches!(
        update(app, key(KeyCode::Char('q')), later)[..],
        [Effect::Quit]
    ));
    screen.press(&["r", "y"]).await;
    let shown = screen
        .app
        .shown_probe()
        .expect("a probe, whatever it came to");
    let words = format!("{:?}", shown.probed.result);
    assert!(
        words.contains("ngf-tui-") || shown.way.is_some_and(|way| way.via == "pod"),
        "it went by the pod that was made: {words}"
    );
    assert_eq!(made(&cluster).await, 0, "nothing is left");
    sandbox.shutdown().await;
}
