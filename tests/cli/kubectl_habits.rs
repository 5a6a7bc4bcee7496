//! What hands that know kubectl type, under a real kubectl: each row is a habit, its exit status, and what is printed.

use crate::{
    kubectl::kubectl_ngf,
    sandbox_support::{Demo, until},
    support::has_peer,
};

/// Arguments, exit status, and a part of what is printed.
type Row<'a> = (&'a [&'a str], i32, &'a str);

fn holds(demo: &Demo, rows: &[Row<'_>]) {
    for (args, status, part) in rows {
        let (found, out, error) = kubectl_ngf(demo, args);
        let all = format!("{out}{error}");
        assert_eq!(found, Some(*status), "{args:?}: {all}");
        let unwrapped = all.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(unwrapped.contains(part), "{args:?}: {part:?}: {all}");
        assert!(!error.contains("panicked"), "{args:?}: {all}");
    }
}

#[test]
fn what_kubectl_accepts_is_accepted() {
    if !has_peer("kubectl") {
        return;
    }
    let demo = Demo::start("--scenario wrong-ca");
    let kubeconfig = std::fs::read_to_string(demo.kubeconfig()).expect("a kubeconfig");
    let field = |name: &str| {
        let mut lines = kubeconfig.lines().map(str::trim);
        let value = lines.find_map(|line| line.trim_start_matches("- ").strip_prefix(name));
        value
            .expect("a field")
            .trim()
            .trim_matches(['"', '\''])
            .to_owned()
    };
    let (server, token) = (field("server:"), field("token:"));
    let alone = [
        "version",
        "--kubeconfig=/dev/null",
        "--server",
        &server,
        "--token",
        &token,
        "--insecure-skip-tls-verify",
    ];
    let policy = "backendtlspolicy.gateway.networking.k8s.io/backend-tls";
    holds(
        &demo,
        &[
            // Each form of -v.
            (&["version", "-v", "6"], 0, "path=\"/version\" status=200"),
            (&["version", "-v6"], 0, "path=\"/version\" status=200"),
            (&["version", "-v"], 0, "path=\"/version\" status=200"),
            (
                &["version", "--v=8"],
                0,
                "request method=GET path=\"/version\"",
            ),
            (&["version", "-v=99"], 0, "status=200"),
            (
                &["version", "-v=x"],
                2,
                "invalid log level \"x\": expected 0 to 10",
            ),
            // An empty kubeconfig, and options that name the server.
            (&alone, 0, "Context command line"),
            (
                &["version", "--kubeconfig", "/dev/null"],
                2,
                "the kubeconfig names no current context",
            ),
            // Help as a command.
            (&["help"], 0, "Usage: kubectl ngf [OPTIONS] [COMMAND]"),
            (&["help", "check"], 0, "Usage: kubectl ngf check [OPTIONS]"),
            (&["options"], 0, "--as-uid <UID>"),
            (&["completion", "fish"], 0, "complete -c"),
            // A type and a name, wherever objects are named.
            (
                &["chain", "--inspect", "secret", "app-tls-secret"],
                0,
                "Secret default/app-tls-secret (kubernetes.io/tls)",
            ),
            (
                &["chain", "httproute", "secure-app", "-o", "name"],
                0,
                "secret/backend-cert",
            ),
            (
                &["chain", "gtw/gateway", "-o", "name"],
                0,
                "secret/backend-cert",
            ),
            (
                &[
                    "check",
                    "svc/secure-app:https",
                    "--request-timeout",
                    "30s",
                    "-o",
                    "name",
                ],
                1,
                policy,
            ),
            (
                &[
                    "check",
                    "httproute/secure-app",
                    "--as",
                    "jane",
                    "--as-uid",
                    "7",
                    "-o",
                    "name",
                ],
                1,
                policy,
            ),
        ],
    );
}

#[test]
fn what_is_not_there_is_not_found_in_the_same_words() {
    if !has_peer("kubectl") {
        return;
    }
    let demo = Demo::start("--stage policy");
    let gateway = "kubectl ngf: gateway \"nope\" not found in namespace \"default\"";
    holds(
        &demo,
        &[
            (
                &["check", "httproute/nope"],
                2,
                "kubectl ngf: httproute \"nope\" not found in namespace \"default\"",
            ),
            (&["chain", "gateway", "nope"], 2, gateway),
            (&["logs", "gateway/nope"], 2, gateway),
            (
                &["chain", "--inspect", "secret/nope"],
                2,
                "kubectl ngf: secret \"nope\" not found in namespace \"default\"",
            ),
            (
                &["probe", "svc/nope:https"],
                2,
                "kubectl ngf: Service default/nope not found",
            ),
            (
                &["probe", "gateway/nope"],
                2,
                "kubectl ngf: Gateway default/nope not found",
            ),
            (
                &["check", "-n", "nope"],
                2,
                "kubectl ngf: namespace \"nope\" not found",
            ),
            (
                &["check", "-l", "a=b"],
                2,
                "no object with labels a=b found",
            ),
            (
                &["check", "pod/x"],
                2,
                "unexpected kind \"pod\": expected gateway, httproute,",
            ),
            (
                &["logs", "httproute/secure-app"],
                2,
                "unexpected object \"httproute/secure-app\": expected gateway/NAME or a log file",
            ),
            (
                &["explain", "zzzz"],
                2,
                "no code mentions \"zzzz\": `kubectl ngf explain` lists all",
            ),
        ],
    );
}

/// A selection limits everything that is reported, and not the findings alone.
#[test]
fn a_selection_limits_expiry_and_overlay_too() {
    if !has_peer("kubectl") {
        return;
    }
    let demo = Demo::start("--stage policy");
    let second = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: plain, namespace: default}
spec:
  parentRefs: [{name: gateway}]
  hostnames: [plain.example.com]
  rules: [{backendRefs: [{name: nowhere, port: 80}]}]
";
    let file = demo.folder.path().join("plain.yaml");
    std::fs::write(&file, second).expect("a file");
    let file = file.to_str().expect("UTF-8");
    let over = ["check", "-f", file, "--over", "--fail-on", "never"];
    for (target, has_it) in [
        (None, true),
        (Some("httproute/plain"), true),
        (Some("httproute/secure-app"), false),
    ] {
        let args: Vec<&str> = over.iter().copied().chain(target).collect();
        let (status, out, error) = kubectl_ngf(&demo, &args);
        assert_eq!(status, Some(0), "{target:?}: {out}{error}");
        assert_eq!(out.contains("NGF-R3"), has_it, "{target:?}: {out}");
    }

    let applied = demo.kubectl(&format!("apply -f {file}")).output();
    assert!(applied.expect("kubectl runs").status.success());
    let chain = ["chain", "-o", "name", "httproute/plain"];
    until("the new route is there", || {
        kubectl_ngf(&demo, &chain).0 == Some(0)
    });
    // Certificates of 90 days: all end within 99 days, and the backend's is of the other route alone.
    let check = ["check", "--within", "99d", "-o", "name", "httproute/plain"];
    let backend = "secret/app-tls-secret";
    for args in [&chain[..], &check] {
        let (_, limited, error) = kubectl_ngf(&demo, args);
        assert!(!limited.contains(backend), "{args:?}: {limited}{error}");
        let (_, whole, error) = kubectl_ngf(&demo, &args[..args.len() - 1]);
        assert!(whole.contains(backend), "{args:?}: {whole}{error}");
    }
}
