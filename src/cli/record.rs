//! `record`: what is seen of a cluster over time, in one redacted file; `replay` plays it in the terminal interface.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    CliError, EXIT_COULD_NOT, EXIT_OK,
    args::{InputArgs, RecordArgs},
    check::{nothing_could_be_read, tell_problems},
    connect_within,
    ends::signals,
    measure::{Parts, measured},
    output,
};
use crate::{
    recording::{PAUSE, SHARE, Writing},
    report::clean,
};
use ngf_cluster::{Cluster, prober::survey::Extent};
use ngf_core::{
    diagnosis::{Evidence, words::count},
    logs::PodLog,
    model::snapshot::{KindState, Snapshot, Source},
};

/// Tests of all paths that may wait to be taken in.
const WAITING: usize = 4;

/// Runs it.
pub(super) async fn run(input: &InputArgs, args: &RecordArgs) -> Result<u8, CliError> {
    let name = clean(&args.file.to_string_lossy());
    if args.file.exists() {
        return Err(format!("{name} exists and is not overwritten: name another file").into());
    }
    let ended = signals()?;
    tokio::pin!(ended);
    let reading = async {
        let cluster = connect_within(input, args.seen.timeout).await?;
        let cancel = CancellationToken::new();
        let mut snapshots = cluster.watch(&cancel);
        let is_read = |snapshot: &Arc<Snapshot>| {
            let mut states = snapshot.kinds.values();
            !states.any(|state| matches!(state, KindState::Loading))
        };
        // What has not answered by then is unknown in the first moment.
        let _ = tokio::time::timeout(args.seen.timeout, snapshots.wait_for(is_read)).await;
        Ok::<_, CliError>((cluster, cancel, snapshots))
    };
    let (cluster, cancel, snapshots) = tokio::select! {
        read = reading => read?,
        () = &mut ended => return Err("ended before anything was recorded".into()),
    };
    let _stop = cancel.clone().drop_guard();
    let mut writing = Writing::create(&args.file)?;
    let context = match &snapshots.borrow().source {
        Source::Cluster { context, .. } => clean(context),
        Source::Files { .. } => String::new(),
    };
    let until = match args.lasts {
        Some(lasts) => format!("for {} s", lasts.as_secs_f64()),
        None => "until ctrl-c".to_owned(),
    };
    output::say(&format!("Recording context {context} to {name} {until}."));
    let mut seen = Watched::new(&cluster, snapshots, args, &cancel);
    let end = args.lasts.map(|lasts| Instant::now() + lasts);
    let why = loop {
        let began = Instant::now();
        writing = added(writing, seen.snapshot(), seen.evidence.clone()).await?;
        if writing.is_full() {
            break Some(Writing::full());
        }
        let next = Instant::now() + PAUSE.max(began.elapsed() * SHARE);
        let news = async {
            // Until the pause is over and there is something new.
            while Instant::now() < next || !seen.is_new {
                tokio::select! {
                    () = sleep_until(next), if Instant::now() < next => {}
                    continues = seen.news() => if !continues {
                        return false;
                    },
                }
            }
            true
        };
        let over = async {
            match end {
                Some(end) => sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = &mut ended => break None,
            () = over => break None,
            continues = news => if !continues {
                break Some("The cluster is watched no longer.".to_owned());
            },
        }
        seen.is_new = false;
    };
    // What came since the last moment.
    let snapshot = seen.snapshot();
    let writing = added(writing, Arc::clone(&snapshot), seen.evidence.clone()).await?;
    if let Some(why) = why {
        output::say(&why);
    }
    tell_problems(&snapshot);
    output::say(&summary(&writing, &name, &seen.evidence, args));
    Ok(if nothing_could_be_read(&snapshot) {
        EXIT_COULD_NOT
    } else {
        EXIT_OK
    })
}

/// What is seen of a cluster.
struct Watched {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    logs: Option<mpsc::Receiver<PodLog>>,
    tests: mpsc::Receiver<(Evidence, Vec<String>)>,
    _testing: AbortOnDropHandle<()>,
    /// What was measured.
    evidence: Evidence,
    /// Something was seen since the last moment.
    is_new: bool,
    /// What was said already of what could not be measured.
    said: Vec<String>,
}

impl Watched {
    fn new(
        cluster: &Cluster,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        args: &RecordArgs,
        cancel: &CancellationToken,
    ) -> Self {
        let (sender, tests) = mpsc::channel(WAITING);
        let testing = test_again_and_again(cluster.clone(), snapshots.clone(), args, sender);
        let logs = (!args.seen.no_logs)
            .then(|| ngf_cluster::logs::watch(cluster, snapshots.clone(), cancel));
        Self {
            snapshots,
            logs,
            tests,
            _testing: AbortOnDropHandle::new(tokio::spawn(testing)),
            evidence: Evidence::none(),
            is_new: false,
            said: Vec::new(),
        }
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// Waits for something new; `false` where nothing will come any more.
    async fn news(&mut self) -> bool {
        let log = async {
            match &mut self.logs {
                Some(logs) => logs.recv().await,
                None => None,
            }
        };
        tokio::select! {
            changed = self.snapshots.changed() => {
                if changed.is_err() {
                    return false;
                }
                let snapshot = Arc::clone(&self.snapshots.borrow_and_update());
                self.evidence.forget_gone(&snapshot);
            }
            Some(log) = log => self.evidence.record_log(log),
            Some((tested, missing)) = self.tests.recv() => {
                self.evidence.add(tested);
                for why in missing {
                    if !self.said.contains(&why) {
                        output::say(&why);
                        self.said.push(why);
                    }
                }
            }
            else => std::future::pending().await,
        }
        self.is_new = true;
        true
    }
}

/// Tests all paths, and again after each pause.
fn test_again_and_again(
    cluster: Cluster,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    args: &RecordArgs,
    sender: mpsc::Sender<(Evidence, Vec<String>)>,
) -> impl Future<Output = ()> + use<> {
    let parts = Parts {
        probes: !args.seen.no_probe,
        // These are followed.
        logs: false,
        data_plane: !args.seen.no_data_plane,
        within: args.seen.timeout,
        extent: Extent::Sample,
        context: true,
        matrix: args.seen.all,
    };
    let every = args.every;
    async move {
        if !parts.probes && !parts.data_plane {
            return;
        }
        loop {
            let snapshot = Arc::clone(&snapshots.borrow());
            let tested = measured(&cluster, &snapshot, &[], parts).await;
            if sender.send(tested).await.is_err() {
                return;
            }
            tokio::time::sleep(every).await;
        }
    }
}

/// Adds what is seen now, where it holds nobody up.
async fn added(
    mut writing: Writing,
    snapshot: Arc<Snapshot>,
    evidence: Evidence,
) -> Result<Writing, CliError> {
    let add = move || {
        let added = writing.add(&snapshot, &evidence, Timestamp::now());
        added.map(|()| writing)
    };
    match tokio::task::spawn_blocking(add).await {
        Ok(written) => Ok(written?),
        Err(defect) => match defect.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err("the recording was cancelled".into()),
        },
    }
}

fn summary(writing: &Writing, name: &str, evidence: &Evidence, args: &RecordArgs) -> String {
    format!(
        "Wrote {name}: {}, {}, {}. Keys, tokens, values of environment variables and bodies are not \
         in it; names, addresses and certificates are. Read it before you send it. To play it: {}",
        writing.size(),
        count(evidence.probes().count(), "probe"),
        count(evidence.logs().count(), "log"),
        Writing::play(&args.file)
    )
}
