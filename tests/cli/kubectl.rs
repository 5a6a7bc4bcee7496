//! The conventions of kubectl: its connection flags, its names of objects, its formats, `kubectl ngf` under a real kubectl.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::Path,
    process::{Command, Output},
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{
    sandbox_support::Demo,
    support::{has_peer, ngf_tui},
};

/// The heads of the requests that an API server got; it refuses each.
pub(crate) struct Refusing {
    pub(crate) address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Refusing {
    /// Answers after that time.
    pub(crate) fn start(after: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                std::thread::spawn(move || {
                    let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines();
                    let mut head = String::new();
                    while let Some(Ok(line)) = lines.next() {
                        if line.is_empty() {
                            seen.lock()
                                .expect("no panic")
                                .push(std::mem::take(&mut head));
                            std::thread::sleep(after);
                            let answer = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}";
                            if (&stream).write_all(answer.as_bytes()).is_err() {
                                return;
                            }
                        }
                        head.push_str(&line.to_ascii_lowercase());
                        head.push('\n');
                    }
                });
            }
        });
        Self { address, heads }
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no panic").clone()
    }
}

fn run(args: &[&str]) -> (Output, String) {
    let output = ngf_tui().args(args).output().expect("ngf-tui runs");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!error.contains("panicked"), "{args:?}: {error}");
    (output, error)
}

#[test]
fn the_connection_flags_reach_the_api_server_without_a_kubeconfig() {
    let server = Refusing::start(Duration::ZERO);
    let url = format!("http://{}", server.address);
    let (output, error) = run(&[
        "check",
        "-s",
        &url,
        "--token",
        "secret-token",
        "--as",
        "jane",
        "--as-group",
        "ops",
        "--as-group=dev",
        "--as-uid",
        "7",
        "--cache-dir",
        "/nonexistent",
    ]);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains(&server.address), "{error}");
    assert!(!error.contains("secret-token"), "{error}");
    let heads = server.heads();
    let head = heads.first().expect("a request");
    for line in [
        "authorization: bearer secret-token",
        "impersonate-user: jane",
        "impersonate-group: ops",
        "impersonate-group: dev",
        "impersonate-uid: 7",
    ] {
        assert!(head.lines().any(|known| known == line), "{line}: {head}");
    }
}

#[test]
fn a_request_that_is_not_answered_ends_with_the_request_timeout() {
    let server = Refusing::start(Duration::from_hours(1));
    let url = format!("http://{}", server.address);
    let (output, error) = run(&["check", "-s", &url, "--request-timeout", "1s"]);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(
        error.contains("no answer within 1 s (--request-timeout)"),
        "{error}"
    );
}

#[test]
fn flags_that_lead_nowhere_get_one_clear_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("config");
    let text = "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: [{name: x, context: {cluster: x, user: x}}]\n\
                clusters: [{name: x, cluster: {server: 'http://127.0.0.1:1'}}]\nusers: [{name: x, user: {}}]\n";
    std::fs::write(&kubeconfig, text).expect("a file");
    let kubeconfig = kubeconfig.to_str().expect("UTF-8");
    for (args, says) in [
        (
            &["check", "--cluster", "y"][..],
            "the kubeconfig has no cluster \"y\"",
        ),
        (
            &["check", "--user", "y"],
            "the kubeconfig has no user \"y\"",
        ),
        (
            &["check", "--as-group", "ops"],
            "--as-group and --as-uid need --as",
        ),
        (
            &["check", "--request-timeout", "soon"],
            "invalid duration \"soon\"",
        ),
        (
            &["check", "--certificate-authority", "missing.crt"],
            "missing.crt",
        ),
        (
            &[
                "check",
                "--certificate-authority",
                "a",
                "--insecure-skip-tls-verify",
            ],
            "cannot be used with",
        ),
        (
            &["check", "--client-certificate", "missing.crt"],
            "missing.crt",
        ),
        (
            &["check", "-f", "https://example.com/a.yaml"],
            "manifests are not read from a URL: download them first, or pipe them: curl -fsSL URL | ngf-tui check -f -",
        ),
        (
            &["check", "-k", "overlays/prod"],
            "kubectl kustomize DIR | ngf-tui check -f -",
        ),
        (
            &["check", "gateway/a", "b"],
            "write TYPE/NAME for each object",
        ),
        (&["check", "-l", "a=b=c"], "invalid label selector"),
        (
            &["check", "--over"],
            "--over lays manifests over the cluster: name them with -f",
        ),
        (&["check", "-o", "xml"], "invalid value 'xml'"),
        (
            &["check", "-o", "jsonpath={.a"],
            "invalid template: a brace is not closed",
        ),
        (
            &["logs", "--tail", "many"],
            "invalid number of lines \"many\"",
        ),
        (&["explain", "-f", "x"], "unexpected argument '-f'"),
        (&["-f", "x", "explain"], "this command reads no files"),
    ] {
        let args = [args, &["--kubeconfig", kubeconfig]].concat();
        let (output, error) = run(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(
            error.contains(says),
            "{args:?} should say {says:?}: {error}"
        );
    }
}

/// `kubectl ngf` with arguments that hold no spaces, under the real kubectl.
pub(crate) fn kubectl_ngf(demo: &Demo, arguments: &[&str]) -> (Option<i32>, String, String) {
    let programs = Path::new(env!("CARGO_BIN_EXE_kubectl-ngf"));
    let folder = programs.parent().expect("a folder").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("kubectl")
        .arg("ngf")
        .args(arguments)
        .env("PATH", format!("{folder}:{path}"))
        .env("KUBECONFIG", demo.kubeconfig())
        .env("NO_COLOR", "1")
        .output()
        .expect("kubectl runs");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn as_a_plugin_of_kubectl_it_names_objects_and_prints_formats_as_kubectl_does() {
    if !has_peer("kubectl") {
        return;
    }
    let demo = Demo::start("--scenario wrong-ca");
    let policy = "backendtlspolicy.gateway.networking.k8s.io/backend-tls";
    for target in [
        &["httproute/secure-app"][..],
        &["httproute", "secure-app"],
        &["httproutes.gateway.networking.k8s.io", "secure-app"],
        &["svc/secure-app:https"],
        &["svc", "secure-app:8443"],
        &["btlspolicy/backend-tls"],
        &["gtw", "gateway"],
        &["gateways,httproutes"],
    ] {
        let args = [&["check", "-o", "name"], target].concat();
        let (status, out, error) = kubectl_ngf(&demo, &args);
        assert_eq!(status, Some(1), "{target:?}: {error}");
        assert!(out.lines().any(|line| line == policy), "{target:?}: {out}");
    }
    let (_, json, _) = kubectl_ngf(&demo, &["check", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let (_, yaml, _) = kubectl_ngf(&demo, &["check", "-o", "yaml"]);
    assert!(yaml.starts_with("schema: ngf-tui/check/v"), "{yaml}");
    let template = "-o=jsonpath={range .findings[*]}{.code}{\" \"}{.subject.name}{\"\\n\"}{end}";
    let (_, found, _) = kubectl_ngf(&demo, &["check", template]);
    let expected: Vec<String> = json["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|finding| {
            let name = finding["subject"]["name"].as_str().unwrap_or_default();
            format!("{} {name}", finding["code"].as_str().unwrap_or_default())
        })
        .collect();
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
    let (_, wide, _) = kubectl_ngf(&demo, &["check", "-o", "wide"]);
    assert_eq!(wide.lines().count(), expected.len() + 1, "{wide}");
    assert!(wide.starts_with("CODE "), "{wide}");

    let (status, out, error) = kubectl_ngf(&demo, &["check", "service", "-l", "team=none"]);
    assert_eq!((status, out.as_str()), (Some(2), ""), "{error}");
    assert_eq!(
        error,
        "kubectl ngf: no service with labels team=none found\n"
    );
    let labels = "app.kubernetes.io/name=gateway-nginx";
    let (status, out, error) = kubectl_ngf(&demo, &["check", "svc", "-l", labels, "-o", "name"]);
    assert_eq!((status, out.as_str()), (Some(2), ""), "{error}");
    assert_eq!(
        error,
        "Not checked: no route leads to Service default/gateway-nginx.\n"
    );
    let (_, _, error) = kubectl_ngf(&demo, &["check", "svc/secure-app:grpc"]);
    assert!(
        error.contains("Service default/secure-app has no port \"grpc\": it has 8443 (https)"),
        "{error}"
    );

    let (status, out, error) = kubectl_ngf(&demo, &["chain", "-o", "wide"]);
    assert!(out.starts_with("EXPIRES IN "), "{status:?}: {out}{error}");
    let (_, out, _) = kubectl_ngf(&demo, &["chain", "-o", "name"]);
    assert!(
        out.lines().any(|line| line == "secret/backend-cert"),
        "{out}"
    );

    let (status, out, error) = kubectl_ngf(&demo, &["version"]);
    assert_eq!(status, Some(0), "{error}");
    for line in [
        "ngf-tui ",
        "Kubernetes ",
        "Gateway API ",
        "NGINX Gateway Fabric ",
    ] {
        assert!(
            out.lines().any(|known| known.starts_with(line)),
            "{line}: {out}"
        );
    }
    let (status, out, error) = kubectl_ngf(&demo, &["version", "--client", "-o", "json"]);
    assert_eq!(status, Some(0), "{error}");
    assert!(out.contains("ngf-tui/version/v1"), "{out}");

    // What nginx logged is wrong now, whatever the objects let foresee, and whenever one asks.
    for args in [
        &["logs", "gateway", "gateway", "--tail", "5"][..],
        &["logs", "gateway/gateway"],
        &["logs", "gateway/gateway"],
    ] {
        let (status, out, error) = kubectl_ngf(&demo, args);
        assert_eq!(status, Some(1), "{args:?}: {out}{error}");
        assert!(out.contains("NGF-T1"), "{args:?}: {out}");
    }
    let (status, _, error) = kubectl_ngf(&demo, &["logs", "gateway/gateway", "-p"]);
    assert_eq!(status, Some(0), "no container was started again: {error}");
    assert!(!error.contains("unexpected"), "{error}");
    let (status, out, error) =
        kubectl_ngf(&demo, &["probe", "httproute", "secure-app", "-o", "yaml"]);
    assert_eq!(status, Some(1), "{out}{error}");
    assert!(out.starts_with("schema: "), "{out}");
}

#[test]
fn hints_name_the_program_as_the_user_called_it() {
    if !has_peer("kubectl") {
        return;
    }
    let demo = Demo::start("--scenario wrong-ca");
    let alone = |args: &[&str]| {
        let mut command = demo.ngf_tui("");
        let output = command.args(args).output().expect("it runs");
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    for (args, hint) in [
        (
            &["check", "--no-probe", "--no-logs"][..],
            "check httproute/default/secure-app",
        ),
        (&["fix"], "fix NGF-T1"),
        (&["fix", "T99"], "fix` lists what can be fixed"),
        (&["explain", "T99"], "explain` lists all"),
        (&["check", "pod/x"], ": unexpected kind"),
        (&["options"], ":"),
        (&["--help"], "options` lists"),
        (&["check", "--help"], "check [OPTIONS]"),
        (&["check", "-k", "x"], "check -f -"),
    ] {
        let [out, error] = alone(args);
        let own = format!("{out}{error}");
        let (_, out, error) = kubectl_ngf(&demo, args);
        let plugin = format!("{out}{error}");
        let wanted = |name: &str| {
            let joined = if hint.starts_with(':') { "" } else { " " };
            format!("{name}{joined}{hint}")
        };
        let unwrapped = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            unwrapped(&own).contains(&wanted("ngf-tui")),
            "{args:?}: {own}"
        );
        assert!(
            unwrapped(&plugin).contains(&wanted("kubectl ngf")),
            "{args:?}: {plugin}"
        );
    }
}
