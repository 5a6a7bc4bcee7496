//! `demo`: the guide on the embedded cluster, in the terminal interface or in words.

use std::{
    fmt::Write as _,
    io::IsTerminal,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use ngf_sandbox::{SCENARIOS, Sandbox, SandboxOptions, Scenario, Stage};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{
    CliError, EXIT_OK,
    args::{CheckOutput, DemoArgs, InputArgs},
    check,
    kubeconfig_file::KubeconfigFile,
    output, probe,
    tui::{self, Begin, PROBE_TIMEOUT},
};
use crate::{
    app::signals::Watch,
    cluster::{self, Cluster, ClusterOptions, LogOptions, transport::Via},
    command::Command,
    diagnosis::{
        Diagnosis, Evidence,
        evidence::Probed,
        plan::{ProbeTarget, plan},
    },
    model::{kind::Kind, object::ObjectRef, snapshot::Snapshot},
    report::{FailOn, probe::Reports},
    world::{Live, LiveOptions, Walk, stage_event},
};

/// How long the embedded cluster may take to show what was done to it.
const SETTLE: Duration = Duration::from_secs(15);

/// Runs it.
pub(super) async fn run(input: &InputArgs, args: &DemoArgs) -> Result<u8, CliError> {
    if args.list {
        return list();
    }
    let scenario = match &args.scenario {
        Some(name) => Scenario::find(name)?,
        None => &SCENARIOS[0],
    };
    let all = args.stage.as_deref() == Some("all");
    let stage = match &args.stage {
        Some(name) if !all => name.parse()?,
        None if args.scenario.is_some() => Stage::Policy,
        _ => Stage::Before,
    };
    let plain = args.plain || !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal();
    if all && !plain {
        return Err("--stage all walks all stages in words: add --plain, or name one stage".into());
    }
    let start = Sandbox::start(SandboxOptions::new(scenario, stage));
    if args.serve {
        return serve(start.await?, args.kubeconfig_out.as_deref()).await;
    }
    if plain {
        let sandbox = start.await?;
        let cluster = connect(&sandbox).await?;
        // Without a terminal, and without a wish, the whole guide is walked.
        let every = all || (args.stage.is_none() && args.scenario.is_none());
        let stages = if every {
            Stage::ALL.to_vec()
        } else {
            vec![stage]
        };
        return walk(sandbox, &cluster, scenario, &stages).await;
    }
    let mut signals = Watch::start()?;
    let started = signals.unless_ended(async {
        let sandbox = start.await?;
        let cluster = connect(&sandbox).await?;
        Ok::<_, CliError>((sandbox, cluster))
    });
    let (sandbox, cluster) = match started.await {
        Ok(started) => started?,
        Err(end) => return Ok(end.status()),
    };
    let cancel = CancellationToken::new();
    let _stop = cancel.clone().drop_guard();
    let snapshots = cluster.watch(&cancel);
    let options = LiveOptions::embedded(PROBE_TIMEOUT);
    let world = Live::new(cluster, snapshots.clone(), options)
        .with_stages(Arc::new(Walk(Arc::new(Mutex::new(sandbox)))));
    let begin = Begin {
        stage: Some(stage_event(scenario, stage)),
        // The embedded cluster's addresses are this machine's own.
        via: args.via.unwrap_or(if scenario.is_about_data_planes() {
            Via::Auto
        } else {
            Via::Direct
        }),
        read_only: input.read_only,
        tick: input.tick,
        ..Begin::default()
    };
    tui::show(Arc::new(world), snapshots, begin, signals).await
}

fn list() -> Result<u8, CliError> {
    let mut text = String::new();
    for scenario in SCENARIOS {
        let _ = writeln!(
            text,
            "{}\n  {}\n  shows: {}",
            scenario.name, scenario.title, scenario.shows
        );
    }
    output::print(&text)?;
    Ok(EXIT_OK)
}

/// A client of the embedded cluster: the same as of any cluster.
pub(super) async fn connect(sandbox: &Sandbox) -> Result<Cluster, CliError> {
    let options = ClusterOptions {
        kubeconfig_text: Some(sandbox.kubeconfig()),
        all_namespaces: true,
        ..ClusterOptions::default()
    };
    Ok(cluster::connect(&options).await?)
}

/// Prints or writes a kubeconfig and serves until a signal.
async fn serve(sandbox: Sandbox, file: Option<&Path>) -> Result<u8, CliError> {
    let signals = signals()?;
    let created = file.map(|path| KubeconfigFile::create(path, sandbox.kubeconfig()));
    let (kubeconfig, save, name) = match created.transpose() {
        Ok(Some(file)) => {
            let name = file.path().display().to_string();
            (Some(file), "Try: ", name)
        }
        Ok(None) => {
            output::print(&sandbox.kubeconfig())?;
            let save = "Save the text above to a file that only you can read, and: ";
            (None, save, "FILE".to_owned())
        }
        Err(error) => {
            sandbox.shutdown().await;
            return Err(error.into());
        }
    };
    output::say(&format!(
        "# The embedded cluster is served until ctrl-c. {save}kubectl --kubeconfig {name} get gateways,httproutes,backendtlspolicies -A",
    ));
    output::say(&format!(
        "# Exec, port-forward and debug work on it as well: kubectl --kubeconfig {name} exec deployment/gateway-nginx -- nginx -T",
    ));
    signals.await;
    drop(kubeconfig);
    sandbox.shutdown().await;
    Ok(EXIT_OK)
}

/// Ends with the first signal that asks for an end. Signals count from the call on.
#[cfg(unix)]
fn signals() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn signals() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async { drop(tokio::signal::ctrl_c().await) })
}

/// Walks stages in words: what was done, what the check says, what the probe saw, what the
/// application logged.
async fn walk(
    sandbox: Sandbox,
    cluster: &Cluster,
    scenario: &Scenario,
    stages: &[Stage],
) -> Result<u8, CliError> {
    for stage in stages {
        sandbox.set_stage(*stage).await?;
        let snapshot = settled(cluster).await;
        let reports = probe_route(cluster, &snapshot).await?;
        let mut text = String::new();
        let _ = writeln!(text, "═══ {} ═══", heading(scenario, *stage));
        let _ = writeln!(text, "{}\n", explanation(scenario, *stage));
        let evidence = evidence_of(&reports);
        let diagnosis = Diagnosis::of(&snapshot, &evidence, Timestamp::now());
        let _ = writeln!(
            text,
            "$ ngf-tui check\n{}",
            check::render(&diagnosis, CheckOutput::Text, FailOn::default())?
        );
        let _ = writeln!(text, "$ ngf-tui probe httproute/secure-app");
        for report in &reports.probes {
            let _ = writeln!(text, "{}", report.text());
        }
        for why in &reports.not_run {
            let _ = writeln!(text, "not probed: {why}");
        }
        for line in logs(cluster, &snapshot).await {
            let _ = writeln!(text, "{line}");
        }
        text.push('\n');
        output::print(&text)?;
    }
    sandbox.shutdown().await;
    Ok(EXIT_OK)
}

fn explanation(scenario: &Scenario, stage: Stage) -> String {
    if scenario.name == SCENARIOS[0].name {
        stage.text().to_owned()
    } else {
        format!(
            "As the guide's last stage, but: {}. Shows: {}.",
            scenario.differs, scenario.shows
        )
    }
}

fn heading(scenario: &Scenario, stage: Stage) -> String {
    if scenario.name == SCENARIOS[0].name {
        format!("{}: {}", stage.name(), stage.title())
    } else {
        format!("{}: {}", scenario.name, scenario.title)
    }
}

/// A snapshot in which the route has an endpoint; the last one if that takes too long.
pub(super) async fn settled(cluster: &Cluster) -> Snapshot {
    let begun = Instant::now();
    loop {
        let snapshot = cluster.snapshot(SETTLE).await;
        let is_settled = plan(&snapshot, &ProbeTarget::Route(guide_route())).is_ok();
        if is_settled || begun.elapsed() > SETTLE {
            return snapshot;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn guide_route() -> ObjectRef {
    ObjectRef::new(Kind::HTTPRoute, "default", "secure-app")
}

async fn probe_route(cluster: &Cluster, snapshot: &Snapshot) -> Result<Reports, CliError> {
    let cancel = CancellationToken::new();
    match plan(snapshot, &ProbeTarget::Route(guide_route())) {
        Ok(plans) => Ok(probe::run_plans(cluster, plans, PROBE_TIMEOUT, &cancel).await),
        Err(why) => Ok(Reports {
            schema: crate::report::probe::LIST_SCHEMA,
            probes: Vec::new(),
            not_run: vec![why.to_string()],
        }),
    }
}

fn evidence_of(reports: &Reports) -> Evidence {
    let mut evidence = Evidence::none();
    for report in &reports.probes {
        if let Some(plan) = &report.plan {
            evidence.record(Probed {
                plan: Arc::new(plan.clone()),
                at: Timestamp::now(),
                result: Ok(Arc::new(report.transcript.clone())),
            });
        }
    }
    evidence
}

/// The last line that each pod of the application logged, as `kubectl logs --tail=1` prints it.
async fn logs(cluster: &Cluster, snapshot: &Snapshot) -> Vec<String> {
    let mut lines = Vec::new();
    for (reference, pod) in &snapshot.pods {
        if pod.meta.labels.get("app").map(String::as_str) != Some("secure-app") {
            continue;
        }
        let command = Command::new("kubectl")
            .words(["logs"])
            .name(reference.kind, &reference.name)
            .words(["--tail=1"]);
        lines.extend(command.text().map(|command| format!("$ {command}")));
        let container = pod
            .spec
            .containers
            .first()
            .map_or("", |container| container.name.as_str());
        let last = LogOptions {
            tail: Some(1),
            ..LogOptions::default()
        };
        match cluster
            .pod_log(&reference.namespace, &reference.name, container, &last)
            .await
        {
            Ok(log) => lines.extend(log.lines().map(crate::report::clean)),
            Err(error) => lines.push(crate::world::in_words(&error)),
        }
    }
    lines
}
