//! How the interface behaves with ten thousand routes, as ratios to a hundred within the same run:
//! a key and a frame must not depend on the size of the cluster.
//!
//!     cargo bench --bench large_cluster

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use ngf_core::{
    diagnosis::{Diagnosis, Evidence},
    model::snapshot::Snapshot,
};
use ngf_generator::{Cluster, Size};
use ngf_tui::{
    files,
    tui::{
        state::{
            App,
            event::{Diagnosed, Event},
        },
        update::update,
        views::screen,
    },
};
use ngf_ui::Theme;
use ratatui::{buffer::Buffer, layout::Rect};

fn main() {
    let small = Measured::with(100);
    let large = Measured::with(10_000);
    println!(
        "{:<28} {:>12} {:>12} {:>8}",
        "median of", "100 routes", "10000 routes", "ratio"
    );
    for (what, few, many) in [
        ("diagnosis", small.diagnosis, large.diagnosis),
        ("key down, and the frame", small.key, large.key),
        ("a new snapshot taken in", small.snapshot, large.snapshot),
        ("a letter typed as filter", small.filter, large.filter),
    ] {
        let ratio = many.as_secs_f64() / few.as_secs_f64();
        println!("{what:<28} {few:>12.1?} {many:>12.1?} {ratio:>8.1}");
    }
}

struct Measured {
    diagnosis: Duration,
    key: Duration,
    snapshot: Duration,
    filter: Duration,
}

impl Measured {
    fn with(routes: usize) -> Self {
        let snapshot = Arc::new(cluster(routes));
        let now = Timestamp::now();
        let evidence = Evidence::none();
        let diagnosis = median(5, || {
            std::hint::black_box(Diagnosis::of(&snapshot, &evidence, now));
        });
        let mut app = App::new(Theme::plain(), Arc::clone(&snapshot), None, now).expect("an app");
        let mut buffer = Buffer::empty(Rect::new(0, 0, 160, 45));
        let mut take = |app: &mut App| {
            let diagnosis = Diagnosis::of(&snapshot, &evidence, now);
            let event = Event::Diagnosed(Box::new(Diagnosed {
                snapshot: Arc::clone(&snapshot),
                diagnosis,
            }));
            let begun = Instant::now();
            let effects = update(app, event, now);
            screen::draw(app, buffer.area, &mut buffer);
            let elapsed = begun.elapsed();
            // The loop carries them out elsewhere.
            drop(effects);
            elapsed
        };
        let mut takes: Vec<Duration> = (0..5).map(|_| take(&mut app)).collect();
        takes.sort();
        press(&mut app, KeyCode::Char('T'), &mut buffer, now);
        let key = median(200, || press(&mut app, KeyCode::Down, &mut buffer, now));
        press(&mut app, KeyCode::Char('/'), &mut buffer, now);
        let filter = median(5, || press(&mut app, KeyCode::Char('9'), &mut buffer, now));
        Self {
            diagnosis,
            key,
            snapshot: takes[2],
            filter,
        }
    }
}

fn press(app: &mut App, code: KeyCode, buffer: &mut Buffer, now: Timestamp) {
    update(
        app,
        Event::Key(KeyEvent::new(code, KeyModifiers::NONE)),
        now,
    );
    let area = buffer.area;
    screen::draw(app, area, buffer);
}

fn median(runs: usize, mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[runs / 2]
}

/// A cluster with so many routes, as the generator makes it, read from a file.
fn cluster(routes: usize) -> Snapshot {
    let text = Cluster::of(Size::routes(routes)).manifests();
    let folder = std::env::temp_dir().join(format!("ngf-tui-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the manifests");
    let file = folder.join(format!("{routes}.yaml"));
    std::fs::write(&file, text).expect("the manifests can be written");
    let snapshot = files::read(&[file], "default");
    let _ = std::fs::remove_dir_all(&folder);
    assert_eq!(
        snapshot.routes.len(),
        routes,
        "{:?}",
        snapshot.problems.first()
    );
    snapshot
}
