//! `screenshots`: draws the pictures of the documentation from the embedded cluster, so that they
//! show what the program shows now.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;
use ngf_sandbox::{Sandbox, SandboxOptions, Scenario, Stage};
use ngf_ui::{Theme, svg};
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
    Ok(EXIT_OK)
}

async fn take(picture: &Picture) -> Result<String, CliError> {
    let scenario = Scenario::find(picture.scenario)?;
    let sandbox = Sandbox::start(SandboxOptions::new(scenario, picture.stage)).await?;
    let cluster = demo::connect(&sandbox).await?;
    let snapshot = Arc::new(demo::settled(&cluster).await);
    let (_sender, snapshots) = watch::channel(Arc::clone(&snapshot));
    let walk = Arc::new(Walk(Arc::new(Mutex::new(sandbox))));
    let live = Live::new(cluster, snapshots, LiveOptions::embedded(PROBE_TIMEOUT));
    let session = Arc::new(live.with_stages(walk));
    let stage = (picture.scenario == "guide").then(|| stage_event(scenario, picture.stage));
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
    screen.press(picture.keys).await;
    screen.app.toast = None;
    let (width, height) = picture.size;
    let buffer = screen.draw(width, height);
    Ok(svg::svg(&buffer, &svg::SvgOptions::window(picture.title)))
}
