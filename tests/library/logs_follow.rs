//! Logs as they grow: each line once and at once, whatever happens to connections, containers and pods.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Arc, mpsc as channel},
    thread,
    time::{Duration, Instant},
};

use crate::sandbox_support::{Cluster, peers};
use crate::support::wire::Wire;
use jiff::Timestamp;
use ngf_cluster::{
    self, ClusterOptions, LogCursor, LogFollower, LogNews,
    logs::{Followed, News},
    probe_context,
    temporary::Made,
    transport::Via,
};
use ngf_core::{
    diagnosis::{
        Diagnosis, Evidence,
        plan::{ProbeTarget, plan},
    },
    logs::{self, ClientVerify, Meaning, Role},
    model::{kind::Kind, object::ObjectRef},
};
use ngf_sandbox::{Denied, Sandbox, SandboxOptions, Scenario, Stage};
use ngf_tui::tui::{
    effects::{Live, LiveOptions},
    state::job::{By, Session as _},
};
use tokio::{
    sync::{Semaphore, mpsc::Receiver},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_mins(2);

async fn connect(kubeconfig: String) -> ngf_cluster::Cluster {
    let options = ClusterOptions {
        kubeconfig_text: Some(kubeconfig),
        all_namespaces: true,
        ..ClusterOptions::default()
    };
    ngf_cluster::connect(&options).await.expect("a connection")
}

/// The application's pod, and where it listens.
async fn application(cluster: &ngf_cluster::Cluster) -> (ObjectRef, Ipv4Addr) {
    let snapshot = cluster.snapshot(PATIENCE).await;
    let mut pods = snapshot.pods.values();
    let pod = pods.find(|pod| {
        pod.meta
            .labels
            .get("app")
            .is_some_and(|app| app == "secure-app")
    });
    let pod = pod.expect("the application's pod");
    let address = pod.status.ips[0].parse().expect("an address");
    (pod.reference.clone(), address)
}

/// Asks the application in plain text, so often: it logs one line that means something for each.
fn ask(address: Ipv4Addr, times: usize) {
    for _ in 0..times {
        let mut stream = TcpStream::connect((address, 8443)).expect("a connection");
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.contains("plain HTTP request"), "{answer}");
    }
}

fn is_of_asking(line: &logs::Decoded) -> bool {
    matches!(
        line.what,
        Meaning::ClientVerify {
            verify: ClientVerify::NoTls,
            ..
        }
    )
}

/// The logs of the guide's Gateway, followed from now on.
async fn follow(cluster: &ngf_cluster::Cluster, cancel: &CancellationToken) -> Receiver<Followed> {
    let mut snapshots = cluster.watch(cancel);
    let snapshot = ngf_cluster::Cluster::settled(&mut snapshots, Duration::from_mins(1)).await;
    let gateway = ObjectRef::new(Kind::Gateway, "default", "gateway");
    let (sources, missing) = ngf_core::diagnosis::log_sources::sources(&snapshot, &[gateway]);
    assert_eq!(missing, Vec::<String>::new());
    let read_at = tokio::time::Instant::now();
    let read = ngf_cluster::logs::read_to_follow(
        cluster,
        &sources,
        Duration::from_hours(1).into(),
        Duration::from_mins(1),
    )
    .await;
    let cursors = read.into_iter().map(|(_, cursor)| cursor);
    let begun = sources.into_iter().zip(cursors).collect();
    ngf_cluster::logs::follow(cluster, snapshots, None, begun, read_at, cancel)
}

/// Takes news until so many lines of asking have come, and some moments more: the number of lines, and
/// what else was said.
async fn lines(followed: &mut Receiver<Followed>, wanted: usize) -> (usize, Vec<String>) {
    let (mut count, mut else_said) = (0, Vec::new());
    let until = Instant::now() + PATIENCE;
    loop {
        let patience = if count < wanted {
            until.saturating_duration_since(Instant::now())
        } else {
            Duration::from_millis(300)
        };
        let Ok(news) = timeout(patience, followed.recv()).await else {
            return (count, else_said);
        };
        let Followed { source, news } = news.expect("it continues");
        match news {
            News::Line { line, .. } => count += usize::from(is_of_asking(&line)),
            News::New => else_said.push(format!("new: {:?}", source.role)),
            News::Gone => else_said.push(format!("gone: {:?}", source.role)),
            News::Lost(why) => else_said.push(format!("lost: {:?}: {why}", source.role)),
            News::Back => else_said.push(format!("back: {:?}", source.role)),
        }
    }
}

async fn sandbox(denied: Vec<Denied>) -> Sandbox {
    let guide = Scenario::find("guide").expect("the guide");
    let mut options = SandboxOptions::new(guide, Stage::Policy);
    options.denied = denied;
    Sandbox::start(options).await.expect("the embedded cluster")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_comes_once_though_the_wire_is_cut_and_the_server_is_away() {
    let sandbox = sandbox(Vec::new()).await;
    let server = sandbox.server_url();
    let address = server.trim_start_matches("https://").parse();
    let mut wire = Wire::to(address.expect("an address")).await;
    let through = format!("https://{}", wire.address);
    let cluster = connect(sandbox.kubeconfig().replace(&server, &through)).await;
    let (_, address) = application(&cluster).await;
    ask(address, 3);
    let cancel = CancellationToken::new();
    let mut followed = follow(&cluster, &cancel).await;
    // What was read before is not said again.
    assert_eq!(lines(&mut followed, 0).await, (0, Vec::new()));

    let began = Instant::now();
    ask(address, 1);
    assert_eq!(lines(&mut followed, 1).await, (1, Vec::new()));
    println!("a line after {:?}", began.elapsed());

    // Cut and repaired at once: nobody need know.
    wire.cut().await;
    ask(address, 5);
    wire.mend().await;
    assert_eq!(lines(&mut followed, 5).await, (5, Vec::new()));

    // Away for longer: said once of each container, and lines are made up for.
    wire.cut().await;
    ask(address, 7);
    tokio::time::sleep(Duration::from_secs(4)).await;
    wire.mend().await;
    ask(address, 2);
    let until = Instant::now() + PATIENCE;
    let (count, mut said) = lines(&mut followed, 9).await;
    assert_eq!(count, 9);
    while said.iter().filter(|said| said.starts_with("back")).count() < 3 {
        let (count, more) = lines(&mut followed, 0).await;
        assert!(count == 0 && Instant::now() < until, "{said:?}");
        said.extend(more);
    }
    for role in [Role::DataPlane, Role::Application, Role::Controller] {
        let of = |what: &str| {
            let begins = format!("{what}: {role:?}");
            said.iter().filter(|said| said.starts_with(&begins)).count()
        };
        assert_eq!((of("lost"), of("back")), (1, 1), "{said:?}");
    }
    assert_eq!(said.len(), 6, "{said:?}");
    cancel.cancel();
    let ended = timeout(PATIENCE, async { while followed.recv().await.is_some() {} });
    ended.await.expect("everything ends");
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_takes_them_lines_wait_and_none_is_lost() {
    let sandbox = sandbox(Vec::new()).await;
    let cluster = connect(sandbox.kubeconfig()).await;
    let (_, address) = application(&cluster).await;
    let cancel = CancellationToken::new();
    let mut followed = follow(&cluster, &cancel).await;
    ask(address, 800);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(followed.len() <= 100);
    assert_eq!(lines(&mut followed, 800).await, (800, Vec::new()));
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_are_replaced_are_followed_and_the_old_ones_are_not() {
    if !peers(&["kubectl"]) {
        return;
    }
    let embedded = Cluster::start("guide", Stage::Policy).await;
    let cluster = connect(embedded.sandbox.kubeconfig()).await;
    let (pod, address) = application(&cluster).await;
    let cancel = CancellationToken::new();
    let mut followed = follow(&cluster, &cancel).await;
    ask(address, 2);
    assert_eq!(lines(&mut followed, 2).await, (2, Vec::new()));
    embedded
        .kubectl(&format!("delete pod {} --wait=false", pod.name))
        .fine();
    let mut said = Vec::new();
    let until = Instant::now() + PATIENCE;
    while said.len() < 2 && Instant::now() < until {
        let (count, more) = lines(&mut followed, 0).await;
        assert_eq!(count, 0);
        said.extend(more);
    }
    said.sort();
    assert_eq!(said, ["gone: Application", "new: Application"]);
    let (new, address) = application(&cluster).await;
    assert_ne!(new, pod);
    ask(address, 3);
    assert_eq!(lines(&mut followed, 3).await, (3, Vec::new()));
    embedded.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_place_for_a_stream_a_log_is_read_and_each_line_comes_once() {
    let sandbox = sandbox(Vec::new()).await;
    let cluster = connect(sandbox.kubeconfig()).await;
    let (pod, address) = application(&cluster).await;
    ask(address, 4);
    let mut follower = LogFollower::new(
        &cluster,
        &pod,
        "secure-app",
        LogCursor::default(),
        Duration::from_mins(1),
        Arc::new(Semaphore::new(0)),
    );
    let mut count = async |wanted: usize| {
        let mut seen = 0;
        while seen < wanted {
            let news = timeout(PATIENCE, follower.next()).await.expect("a line");
            let LogNews::Line(line) = news else {
                panic!("{news:?}");
            };
            let (at, line) = logs::decode_stamped(&line);
            assert!(at.is_some());
            seen += usize::from(line.as_ref().is_some_and(is_of_asking));
        }
        seen
    };
    assert_eq!(count(4).await, 4);
    ask(address, 3);
    // The fourth would be one of those before.
    assert_eq!(count(3).await, 3);
    let more = timeout(Duration::from_millis(500), follower.next()).await;
    assert!(more.is_err(), "{more:?}");
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_may_not_be_read_is_said_once() {
    let denied = Denied {
        verb: "get".to_owned(),
        resource: "pods/log".to_owned(),
    };
    let sandbox = sandbox(vec![denied]).await;
    let cluster = connect(sandbox.kubeconfig()).await;
    let cancel = CancellationToken::new();
    let mut followed = follow(&cluster, &cancel).await;
    let mut said = Vec::new();
    let until = Instant::now() + PATIENCE;
    while said.len() < 3 && Instant::now() < until {
        said.extend(lines(&mut followed, 0).await.1);
    }
    assert!(
        said.iter()
            .all(|said| said.starts_with("lost") && said.contains("pods/log")),
        "{said:?}"
    );
    assert_eq!(lines(&mut followed, 0).await, (0, Vec::new()));
    sandbox.shutdown().await;
}

/// What the interface does in `demo`: the embedded gateway is asked as its client would, its log stands
/// beside the probe's steps, and makes the finding without any probe.
#[tokio::test(flavor = "multi_thread")]
async fn the_demos_gateway_is_asked_and_its_log_is_read_as_on_any_cluster() {
    let scenario = Scenario::find("wrong-ca").expect("the scenario");
    let options = SandboxOptions::new(scenario, Stage::Policy);
    let sandbox = Sandbox::start(options).await.expect("the cluster");
    let cluster = connect(sandbox.kubeconfig()).await;
    let cancel = CancellationToken::new();
    let mut snapshots = cluster.watch(&cancel);
    let snapshot = ngf_cluster::Cluster::settled(&mut snapshots, Duration::from_mins(1)).await;
    let session = Live::new(cluster, snapshots, LiveOptions::embedded(PATIENCE));
    let mut logs = session.logs(&cancel).expect("there are logs");
    let target = ProbeTarget::parse("httproute/secure-app", "default").expect("a target");
    let plan = plan(&snapshot, &target).expect("a plan").remove(0);
    let by = By {
        via: Via::Direct,
        made: Made::new(),
        ..By::default()
    };
    let began = Timestamp::now();
    let seen = session.probe(&plan, &by, &cancel).await.expect("a probe");
    let context = session.probe_context(&plan, &seen, began, &cancel).await;
    let context = context.expect("a context");
    let client = context.client.expect("the gateway's answer");
    assert_eq!(client.status, Some(502), "{client:?}");
    assert!(client.via.starts_with("port-forward"), "{client:?}");
    let mut lines = context.log_lines.iter();
    let of_gateway = lines.find(|line| line.source == probe_context::Source::DataPlane);
    let of_gateway = of_gateway.expect("a line of the data plane");
    assert_eq!(of_gateway.step.as_deref(), Some("verify certificate"));

    let mut evidence = Evidence::none();
    let found = timeout(PATIENCE, async {
        loop {
            evidence.record_log(logs.recv().await.expect("it continues"));
            let diagnosis = Diagnosis::of(&snapshot, &evidence, Timestamp::now());
            let mut findings = diagnosis.findings.into_iter();
            if let Some(finding) = findings.find(|finding| finding.code == "NGF-T1") {
                return finding;
            }
        }
    });
    let finding = found.await.expect("the log alone says it");
    assert!(
        finding.evidence.iter().any(|line| line
            .value
            .contains("(21:unable to verify the first certificate)")),
        "{finding:?}"
    );
    cancel.cancel();
}

/// A program that prints for ever; it ends with this.
struct Printing {
    child: Child,
    lines: channel::Receiver<String>,
}

impl Printing {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let output: ChildStdout = child.stdout.take().expect("its output");
        let (sender, lines) = channel::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The next so many lines that hold this; and then no other for a moment.
    fn just(&self, wanted: usize, text: &str) {
        let mut seen = 0;
        let mut patience = PATIENCE;
        while let Ok(line) = self.lines.recv_timeout(patience) {
            seen += usize::from(line.contains(text));
            if seen >= wanted {
                patience = Duration::from_millis(300);
            }
        }
        assert_eq!(seen, wanted, "{text}");
    }
}

impl Drop for Printing {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_and_kubectl_print_the_same() {
    if !peers(&["kubectl"]) {
        return;
    }
    let embedded = Cluster::start("guide", Stage::Policy).await;
    let cluster = connect(embedded.sandbox.kubeconfig()).await;
    let (pod, address) = application(&cluster).await;
    ask(address, 1);
    let theirs = Printing::start(&mut embedded.kubectl_command(&format!("logs -f {}", pod.name)));
    let mut ours = Command::new(env!("CARGO_BIN_EXE_ngf-tui"));
    ours.args(["logs", "--follow", "-o", "json", "--kubeconfig"])
        .arg(embedded.path("kubeconfig"));
    let ours = Printing::start(&mut ours);
    theirs.just(1, "ssl_client_verify=-");
    // The report of the past is one document.
    ours.just(1, "\"schema\":\"ngf-tui/logs/v1\"");
    let mark = "\"verify\":\"no_tls\"";
    for times in [1, 20] {
        ask(address, times);
        theirs.just(times, "ssl_client_verify=-");
        ours.just(times, mark);
    }
    embedded.sandbox.shutdown().await;
}
