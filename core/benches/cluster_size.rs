//! What reading and diagnosing a cluster of the generator costs, beside python's `json.load` of the same text, and how
//! it grows with the cluster. All figures are of one run: only their ratios mean something on another machine.
//!
//!     cargo bench -p ngf-core --bench cluster_size
//!     cargo bench -p ngf-core --bench cluster_size -- 1000 10000 50000

use std::{
    fs,
    hint::black_box,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use ngf_core::{
    diagnosis::{Diagnosis, Evidence, incremental::Incremental},
    manifests,
    model::{
        index::Index,
        kind::{KINDS, Kind},
        snapshot::{KindState, Lookup, Snapshot, Source},
        topology::Topology,
    },
};
use ngf_generator::{Cluster, Size};

#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<mimalloc::MiMalloc> =
    zeroizing_alloc::ZeroAlloc(mimalloc::MiMalloc);

/// Names the size in the environment of the process that makes the manifests.
const GENERATE: &str = "NGF_BENCH_GENERATE";

/// The row that changes are compared with.
const WHOLE: &str = "diagnosis of everything, of a cluster";
/// How the rows of changes begin.
const ONE_CHANGE: &str = "  one change";

/// Sizes, where none is given.
const SIZES: [usize; 2] = [1_000, 10_000];
/// Runs, of which the best counts: what others do on the machine only adds to it.
const RUNS: usize = 5;
/// What is measured is repeated for so long: the system counts processor time in steps of some milliseconds.
const LEAST: Duration = Duration::from_millis(100);

fn main() {
    if let Ok(routes) = std::env::var(GENERATE) {
        // In a process of its own, so that its memory does not count.
        let routes = routes.parse().expect("a number of routes");
        print!("{}", Cluster::of(Size::routes(routes)).manifests());
        return;
    }
    let mut sizes: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|word| word.parse().ok())
        .collect();
    if sizes.is_empty() {
        sizes = SIZES.to_vec();
    }
    let mut before: Option<(usize, Vec<Figure>)> = None;
    for routes in sizes {
        let figures = measure(routes);
        println!("\n{routes} HTTPRoutes");
        let whole = figures.iter().find(|(what, _)| *what == WHOLE);
        let whole = whole.map_or(0.0, |(_, took)| took.as_secs_f64());
        for (index, (what, took)) in figures.iter().enumerate() {
            let share = what.starts_with(ONE_CHANGE).then(|| {
                let ratio = whole / took.as_secs_f64().max(1e-9);
                format!("  1/{ratio:.0} of everything")
            });
            let share = share.unwrap_or_default();
            let growth = before.as_ref().map_or_else(String::new, |(less, known)| {
                if known[index].1.is_zero() {
                    return String::new();
                }
                let ratio = took.as_secs_f64() / known[index].1.as_secs_f64();
                let exponent = ratio.ln() / (routes as f64 / *less as f64).ln();
                format!("  grows with the power {exponent:.2}")
            });
            let milliseconds = took.as_secs_f64() * 1e3;
            println!("{what:<44} {milliseconds:>10.2} ms{growth}{share}");
        }
        println!("{:<44} {:>10} MB", "most memory until now", peak() / 1_000);
        before = Some((routes, figures));
    }
}

type Figure = (&'static str, Duration);

fn measure(routes: usize) -> Vec<Figure> {
    let text = generated(routes);
    let now = Timestamp::now();
    let evidence = Evidence::none();
    let mut figures = Vec::new();
    if let Some(took) = python(&text) {
        figures.push(("python's json.load of the text", took));
    }
    figures.push((
        "manifests read",
        best(|| drop(black_box(manifests::parse(&text, "default")))),
    ));
    figures.push((
        "  on the wall, in threads",
        on_the_wall(|| drop(black_box(manifests::parse(&text, "default")))),
    ));
    let snapshot = manifests::parse(&text, "default");
    assert_eq!(snapshot.routes.len(), routes, "{:?}", snapshot.problems);
    figures.push(("look-ups", best(|| drop(black_box(Index::of(&snapshot))))));
    let index = Index::of(&snapshot);
    figures.push((
        "topology",
        best(|| drop(black_box(Topology::with(&snapshot, &index)))),
    ));
    figures.push((
        "  on the wall, in threads",
        on_the_wall(|| drop(black_box(Topology::with(&snapshot, &index)))),
    ));
    figures.push((
        "diagnosis of everything, of files",
        best(|| drop(black_box(Diagnosis::of(&snapshot, &evidence, now)))),
    ));
    drop(index);
    let snapshot = of_cluster(snapshot);
    figures.push((
        WHOLE,
        best(|| drop(black_box(Diagnosis::of(&snapshot, &evidence, now)))),
    ));
    figures.push((
        "  on the wall, in threads",
        on_the_wall(|| drop(black_box(Diagnosis::of(&snapshot, &evidence, now)))),
    ));
    figures.push((
        "  one change: the snapshot",
        best(|| new_snapshot(&snapshot)),
    ));
    figures.push((
        "  one change: an EndpointSlice",
        one_change(&snapshot, |changed| {
            let slice = changed.endpoint_slices.values_mut().next();
            let slice = Arc::make_mut(slice.expect("an EndpointSlice"));
            for endpoint in slice.spec.endpoints.iter_mut().skip(1) {
                endpoint.ready = Some(false);
            }
        }),
    ));
    figures.push((
        "  one change: an HTTPRoute",
        one_change(&snapshot, |changed| {
            let route = changed.routes.values_mut().next();
            let route = Arc::make_mut(route.expect("an HTTPRoute"));
            route.spec.rules[0].backend_refs[0].target.port = Some(1);
        }),
    ));
    figures.push((
        "  one change: a Secret",
        one_change(&snapshot, |changed| {
            let secret = changed.secrets.values_mut().next();
            *secret.expect("a Secret") = Lookup::Absent;
        }),
    ));
    figures
}

/// A copy of a snapshot of which the largest table has changed, as the store publishes it.
fn new_snapshot(snapshot: &Snapshot) {
    let mut after = snapshot.clone();
    let route = after.routes.values_mut().next();
    Arc::make_mut(route.expect("an HTTPRoute")).meta.generation += 1;
    drop(black_box(after));
}

/// The diagnosis after one change, of one that is kept up to date: there and back again.
fn one_change(snapshot: &Snapshot, change: impl Fn(&mut Snapshot)) -> Duration {
    let (evidence, now) = (Evidence::none(), Timestamp::now());
    let before = Arc::new(snapshot.clone());
    let mut after = snapshot.clone();
    change(&mut after);
    let after = Arc::new(after);
    let mut kept = Incremental::new();
    let mut update = |snapshot| drop(black_box(kept.update(snapshot, &evidence, now)));
    // The first builds what is kept, the second and third what ties objects together.
    for snapshot in [&before, &after, &before] {
        update(snapshot);
    }
    let mut is_changed = false;
    let took = best(|| {
        is_changed = !is_changed;
        update(if is_changed { &after } else { &before });
    });
    let counts = kept.counts();
    assert_eq!(counts.whole.values().sum::<usize>(), 1, "{counts:?}");
    took
}

/// The same objects as if a cluster had given them, all kinds read: then NGF's statuses count, too.
fn of_cluster(mut snapshot: Snapshot) -> Snapshot {
    snapshot.source = Source::Cluster {
        context: "bench".to_owned(),
        server: "https://bench.invalid".to_owned(),
        version: Some("1.34".to_owned()),
    };
    let live = |kind: &Kind| KindState::Live {
        version: kind.info().versions[0].to_owned(),
    };
    snapshot.kinds = KINDS
        .iter()
        .map(|info| (info.kind, live(&info.kind)))
        .collect();
    snapshot
}

/// The manifests of a cluster with so many routes.
fn generated(routes: usize) -> String {
    let program = std::env::current_exe().expect("this program");
    let told = Command::new(program)
        .env(GENERATE, routes.to_string())
        .output();
    String::from_utf8(told.expect("a child process").stdout).expect("text")
}

/// What python needs to parse the documents, each of which is a line of JSON, and to throw them away.
fn python(text: &str) -> Option<Duration> {
    const PROGRAM: &str = "import json, sys, time\n\
        lines = [line for line in open(sys.argv[1]) if line[0] == '{']\n\
        def once():\n    began = time.process_time()\n    for line in lines: json.loads(line)\n    return time.process_time() - began\n\
        print(min(once() for _ in range(int(sys.argv[2]))))";
    let path = std::env::temp_dir().join(format!("ngf-bench-{}.yaml", std::process::id()));
    fs::write(&path, text).ok()?;
    let told = Command::new("python3")
        .args(["-c", PROGRAM])
        .arg(&path)
        .arg(RUNS.to_string())
        .output();
    let _ = fs::remove_file(&path);
    let told = String::from_utf8(told.ok()?.stdout).ok()?;
    told.trim().parse().ok().map(Duration::from_secs_f64)
}

fn best(mut work: impl FnMut()) -> Duration {
    let times = (0..RUNS).map(|_| {
        let began = Clock::now();
        let mut times = 0;
        loop {
            work();
            times += 1;
            let took = began.elapsed();
            if took >= LEAST {
                return took / times;
            }
        }
    });
    times.min().unwrap_or_default()
}

fn on_the_wall(mut work: impl FnMut()) -> Duration {
    let times = (0..RUNS).map(|_| {
        let began = Instant::now();
        work();
        began.elapsed()
    });
    times.min().unwrap_or_default()
}

/// The processor time of all threads of this process, where the system tells: what others do on the machine does not
/// count. Else the time on the wall.
struct Clock {
    began: Instant,
    used: Option<Duration>,
}

impl Clock {
    fn now() -> Self {
        Self {
            began: Instant::now(),
            used: Self::used(),
        }
    }

    #[cfg(unix)]
    fn used() -> Option<Duration> {
        use rustix::time::{ClockId, clock_gettime};
        clock_gettime(ClockId::ProcessCPUTime).try_into().ok()
    }

    #[cfg(not(unix))]
    fn used() -> Option<Duration> {
        None
    }

    fn elapsed(&self) -> Duration {
        match self.used.zip(Self::used()) {
            Some((before, after)) => after.saturating_sub(before),
            None => self.began.elapsed(),
        }
    }
}

/// The most memory that the process has had until now, in kB; 0 where the system does not tell.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let words = line.and_then(|line| line.split_whitespace().nth(1));
    words.and_then(|word| word.parse().ok()).unwrap_or(0)
}
