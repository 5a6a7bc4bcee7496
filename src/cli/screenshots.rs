//! `screenshots`: draws the pictures and the asciicast of the documentation from the embedded cluster, so that they
//! show what the program shows now.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;
use ngf_sandbox::{Sandbox, SandboxOptions, Scenario, Stage};
use ngf_ui::{Theme, cast, svg};
use tokio::sync::{Mutex, watch};

use super::{CliError, EXIT_OK, demo, output, tui::PROBE_TIMEOUT};
use crate::tui::{
    effects::{Live, LiveOptions, Walk, stage_event},
    headless::Headless,
    state::App,
};
use ngf_cluster::transport::Via;

/// One picture.
struct Picture {
    /// Its file, without `.svg`.
    name: &'static str,
    /// The title of its window.
    title: &'static str,
    /// The scenario; `guide` for the healthy one.
    scenario: &'static str,
    /// The guide's stage.
    stage: Stage,
    /// What is pressed before it is taken.
    keys: &'static [&'static str],
    /// Columns and lines.
    size: (u16, u16),
}

/// Every picture.
#[rustfmt::skip]
const PICTURES: &[Picture] = &[
    Picture { name: "problems", title: "ngf-tui demo --scenario wrong-ca", scenario: "wrong-ca", stage: Stage::Policy, keys: &["enter", "r", "h"], size: (120, 34) },
    Picture { name: "chain", title: "ngf-tui demo --scenario wrong-ca", scenario: "wrong-ca", stage: Stage::Policy, keys: &["enter", "r", "1", "space"], size: (172, 42) },
    Picture { name: "handshake", title: "ngf-tui demo", scenario: "guide", stage: Stage::Policy, keys: &["enter", "r"], size: (132, 30) },
    Picture { name: "wire", title: "ngf-tui demo", scenario: "guide", stage: Stage::Policy, keys: &["enter", "r", "z"], size: (132, 48) },
    Picture { name: "fix", title: "ngf-tui demo --scenario no-client-certificate", scenario: "no-client-certificate", stage: Stage::Policy, keys: &["enter", "r", "h", "f"], size: (120, 34) },
    Picture { name: "ways", title: "ngf-tui demo", scenario: "guide", stage: Stage::Policy, keys: &["P", "v"], size: (120, 30) },
    Picture { name: "before", title: "ngf-tui demo", scenario: "guide", stage: Stage::Before, keys: &["enter", "r"], size: (132, 30) },
];

/// Runs it.
pub(super) async fn run(folder: &Path) -> Result<u8, CliError> {
    std::fs::create_dir_all(folder)?;
    for picture in PICTURES {
        let path = folder.join(format!("{}.svg", picture.name));
        std::fs::write(&path, take(picture).await?)?;
        output::say(&format!("wrote {}", path.display()));
    }
    let path = folder.join("demo.cast");
    std::fs::write(&path, film().await?)?;
    output::say(&format!("wrote {}", path.display()));
    Ok(EXIT_OK)
}

async fn take(picture: &Picture) -> Result<String, CliError> {
    let mut screen = on(picture.scenario, picture.stage).await?;
    screen.press(picture.keys).await;
    screen.app.toast = None;
    let (width, height) = picture.size;
    let buffer = screen.draw(width, height);
    Ok(svg::svg(&buffer, &svg::SvgOptions::window(picture.title)))
}

/// What is pressed in the asciicast, and for how many seconds what comes of it is shown.
#[rustfmt::skip]
const FILM: &[(&[&str], f64)] = &[
    (&[], 2.0),
    (&["enter", "r", "h"], 4.0),
    (&["enter"], 3.5),
    (&["enter"], 2.0),
    (&["."], 0.7), (&["."], 0.7), (&["."], 0.7), (&["."], 0.7), (&["."], 0.7), (&["."], 0.7), (&["."], 0.7), (&["."], 2.0),
    (&["enter"], 3.5),
    (&["h", "f"], 4.0),
    (&["y"], 3.0),
];
/// Columns and lines of the asciicast.
const FILMED: (u16, u16) = (100, 28);

/// From the problem to the bytes and to the fix, as an asciicast. Its times are those of a person who reads, not those
/// of this machine.
async fn film() -> Result<String, CliError> {
    let mut screen = on("wrong-ca", Stage::Policy).await?;
    let (width, height) = FILMED;
    let (mut at, mut frames) = (0.0, Vec::new());
    for (keys, seconds) in FILM {
        screen.press(keys).await;
        screen.app.toast = None;
        frames.push((at, screen.draw(width, height)));
        at += seconds;
    }
    if let Some((_, last)) = frames.last() {
        let last = last.clone();
        frames.push((at, last));
    }
    Ok(cast::cast("ngf-tui demo --scenario wrong-ca", &frames))
}

/// The interface on a scenario of the embedded cluster.
async fn on(scenario: &str, stage: Stage) -> Result<Headless, CliError> {
    let is_guide = scenario == "guide";
    let scenario = Scenario::find(scenario)?;
    let sandbox = Sandbox::start(SandboxOptions::new(scenario, stage)).await?;
    let cluster = demo::connect(&sandbox).await?;
    let snapshot = Arc::new(demo::settled(&cluster).await);
    let (_sender, snapshots) = watch::channel(Arc::clone(&snapshot));
    let walk = Arc::new(Walk(Arc::new(Mutex::new(sandbox))));
    let live = Live::new(cluster, snapshots, LiveOptions::embedded(PROBE_TIMEOUT));
    let session = Arc::new(live.with_stages(walk));
    let stage = is_guide.then(|| stage_event(scenario, stage));
    let mut app = App::new(
        Theme::picture(),
        Arc::clone(&snapshot),
        stage,
        Timestamp::now(),
    )?;
    // The embedded cluster's addresses are this machine's own.
    app.via = Via::Direct;
    let mut screen = Headless::new(app, session);
    screen.snapshot(snapshot).await;
    Ok(screen)
}
