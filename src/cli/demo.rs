//! `demo`: the guide on the embedded cluster, in the terminal interface or in words.

use std::{
    fmt::Write as _,
    io::IsTerminal,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Parser;
use ngf_probes::spec::ClientIdentity;
use ngf_sandbox::{SCENARIOS, Sandbox, SandboxOptions, Scenario, Stage};
use tokio::sync::Mutex;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    CliError, EXIT_OK,
    args::{Cli, Command, DemoArgs, InputArgs},
    check,
    ends::signals,
    kubeconfig_file::KubeconfigFile,
    output, probe,
    tui::{self, Begin, PROBE_TIMEOUT},
};
use crate::config::Config;
use crate::tui::{
    effects::{Live, LiveOptions, Places, Walk, stage_event},
    signals::Watch,
};
use ngf_cluster::{self, Cluster, ClusterOptions, LogOptions, transport::Via};
use ngf_core::{
    command,
    diagnosis::plan::{ProbeTarget, plan},
    model::{kind::Kind, object::ObjectRef, snapshot::Snapshot},
};

mod traffic;

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
    let is_screen = std::io::stdout().is_terminal()
        && std::io::stdin().is_terminal()
        && !ngf_ui::terminal::is_dumb();
    let plain = args.plain || !is_screen;
    if all && !plain {
        return Err("--stage all walks all stages in words: add --plain, or name one stage".into());
    }
    let start = Sandbox::start(SandboxOptions::new(scenario, stage));
    if args.serve {
        return serve(start.await?, scenario, args.kubeconfig_out.as_deref()).await;
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
    let config = Config::load(input.config.as_deref())?;
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
    let cluster_of_traffic = cluster.clone();
    let identity = client_of(&cluster, scenario).await;
    let options = LiveOptions {
        identity: identity.clone(),
        ..LiveOptions::embedded(PROBE_TIMEOUT)
    };
    let places = Places {
        cluster: ClusterOptions {
            kubeconfig_text: Some(sandbox.kubeconfig()),
            all_namespaces: true,
            ..ClusterOptions::default()
        },
        live: options.clone(),
        stages: Some(Arc::new(Walk(Arc::new(Mutex::new(sandbox))))),
    };
    let session = Live::new(cluster, snapshots.clone(), options).with_places(places);
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
        no_probe: args.no_probe,
        look: tui::Look::of(input, config)?,
        ..Begin::default()
    };
    let traffic = traffic::keep_sending(cluster_of_traffic, snapshots.clone(), identity);
    let _traffic = AbortOnDropHandle::new(tokio::spawn(traffic));
    tui::show(Arc::new(session), snapshots, begin, signals).await
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
    Ok(ngf_cluster::connect(&options).await?)
}

/// Prints or writes a kubeconfig and serves until a signal.
async fn serve(sandbox: Sandbox, scenario: &Scenario, file: Option<&Path>) -> Result<u8, CliError> {
    let signals = signals()?;
    let created = file.map(|path| KubeconfigFile::create(path, sandbox.kubeconfig()));
    let (kubeconfig, save, name) = match created.transpose() {
        Ok(Some(file)) => {
            let name = file.path().to_owned();
            (Some(file), "Try: ", name)
        }
        Ok(None) => {
            output::print(&sandbox.kubeconfig())?;
            let save = "Save the text above to a file that only you can read, and: ";
            (None, save, PathBuf::from("FILE"))
        }
        Err(error) => {
            sandbox.shutdown().await;
            return Err(error.into());
        }
    };
    let cluster = connect(&sandbox).await?;
    let identity = client_of(&cluster, scenario).await;
    traffic::send(&cluster, &settled(&cluster).await, identity.as_ref()).await;
    let cancel = CancellationToken::new();
    let _stop = cancel.clone().drop_guard();
    let traffic = traffic::keep_sending(cluster.clone(), cluster.watch(&cancel), identity);
    let _traffic = AbortOnDropHandle::new(tokio::spawn(traffic));
    let kubectl = || command::Command::new("kubectl").kubeconfig(&name);
    let list = kubectl().words(["get", "gateways,httproutes,backendtlspolicies", "-A"]);
    let exec = kubectl().words(["exec", "deployment/gateway-nginx", "--", "nginx", "-T"]);
    for (lead, command) in [
        ("The embedded cluster is served until ctrl-c. ", list),
        (
            "Describe, logs, exec, apply and delete work on it as well: ",
            exec,
        ),
    ] {
        // A file whose name no shell can take has no command.
        let command = command.text().unwrap_or_else(|why| why);
        let save = if lead.ends_with(". ") { save } else { "" };
        output::say(&format!("# {lead}{save}{command}"));
    }
    signals.await;
    drop(kubeconfig);
    sandbox.shutdown().await;
    Ok(EXIT_OK)
}

/// Walks stages in words: what was done, what `check` and `probe` print, what the application logged.
async fn walk(
    sandbox: Sandbox,
    cluster: &Cluster,
    scenario: &Scenario,
    stages: &[Stage],
) -> Result<u8, CliError> {
    // The commands themselves, as they are typed.
    let parsed = |words: &[&str]| Cli::try_parse_from(words).map(|cli| cli.command);
    let (Some(Command::Check(check)), Some(Command::Probe(probe))) = (
        parsed(&["ngf-tui", "check"])?,
        parsed(&["ngf-tui", "probe", "httproute/secure-app"])?,
    ) else {
        return Err("the commands of the demo cannot be parsed".into());
    };
    let input = InputArgs {
        kubeconfig_text: Some(sandbox.kubeconfig()),
        ..InputArgs::default()
    };
    for stage in stages {
        sandbox.set_stage(*stage).await?;
        let snapshot = settled(cluster).await;
        let identity = client_of(cluster, scenario).await;
        traffic::send(cluster, &snapshot, identity.as_ref()).await;
        output::print(&format!(
            "═══ {} ═══\n{}\n\n$ ngf-tui check\n",
            heading(scenario, *stage),
            explanation(scenario, *stage)
        ))?;
        check::run(&input, &check).await?;
        output::print("\n$ ngf-tui probe httproute/secure-app\n")?;
        tell(probe::run(&input, &probe).await)?;
        if let Some(identity) = identity {
            output::print(
                "\n$ ngf-tui probe httproute/secure-app --gateway-client-cert alice.crt --gateway-client-key alice.key\n",
            )?;
            let mut probe = probe.clone();
            probe.way.client_identity = Some(identity);
            tell(probe::run(&input, &probe).await)?;
        }
        let mut text = String::new();
        for line in logs(cluster, &snapshot).await {
            let _ = writeln!(text, "{line}");
        }
        text.push('\n');
        output::print(&text)?;
    }
    sandbox.shutdown().await;
    Ok(EXIT_OK)
}

/// What a command failed with, on standard output, where the rest is.
fn tell(result: Result<u8, CliError>) -> Result<(), CliError> {
    match result {
        Ok(_) => Ok(()),
        Err(why) => Ok(output::print(&format!(
            "ngf-tui: {}\n",
            crate::report::clean(&ngf_text::in_words(why.as_ref()))
        ))?),
    }
}

/// The certificate of the client that the scenario's Gateway lets in, once it is issued.
async fn client_of(cluster: &Cluster, scenario: &Scenario) -> Option<ClientIdentity> {
    let secret = ObjectRef::new(Kind::Secret, "default", scenario.client_secret()?);
    let begun = Instant::now();
    loop {
        match cluster.load_identity(&secret).await {
            Ok(identity) => return Some(identity),
            Err(_) if begun.elapsed() > SETTLE => return None,
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

fn explanation(scenario: &Scenario, stage: Stage) -> String {
    if scenario.name == SCENARIOS[0].name {
        stage.text().to_owned()
    } else {
        format!(
            "As the guide's last stage, with a difference. {}. Shows: {}.",
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

/// The last line that each pod of the application logged, as `kubectl logs --tail=1` prints it.
async fn logs(cluster: &Cluster, snapshot: &Snapshot) -> Vec<String> {
    let mut lines = Vec::new();
    for (reference, pod) in &snapshot.pods {
        if pod.meta.labels.get("app").map(String::as_str) != Some("secure-app") {
            continue;
        }
        let command = command::Command::new("kubectl")
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
            Err(error) => lines.push(ngf_text::in_words(&error)),
        }
    }
    lines
}
