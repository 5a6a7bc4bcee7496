//! Why a cluster cannot be used: one sentence each, which names the thing and holds no secret.

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    thread,
};

use ngf_sandbox::{Sandbox, SandboxOptions, Scenario, Stage};
use ngf_tui::cluster::{ClusterError, ClusterOptions, connect};

const TOKEN: &str = "TOPSECRETTOKEN";

fn config(server: &str, cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: prod\n\
         contexts:\n- name: prod\n  context: {{cluster: c, user: u}}\n- name: other\n  context: {{cluster: gone, user: u}}\n\
         clusters:\n- name: c\n  cluster: {{server: \"{server}\"{cluster}}}\n\
         users:\n- name: u\n  user: {{{user}}}\n"
    )
}

async fn error_of(kubeconfig: &Path, context: Option<&str>) -> ClusterError {
    let options = ClusterOptions {
        kubeconfig: Some(kubeconfig.to_owned()),
        context: context.map(Into::into),
        ..ClusterOptions::default()
    };
    match connect(&options).await {
        Ok(_) => panic!("this kubeconfig cannot lead anywhere"),
        Err(error) => error,
    }
}

/// The error for a kubeconfig with this text, with its path written as `FILE`.
async fn words(text: &str, context: Option<&str>) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config");
    std::fs::write(&path, text).expect("a file");
    let error = error_of(&path, context).await.to_string();
    assert!(!error.contains(TOKEN), "{error}");
    assert!(!error.contains('\n'), "{error}");
    error.replace(&*path.to_string_lossy(), "FILE")
}

/// A server on loopback that treats each connection so.
fn server(treat: fn(&mut std::net::TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            treat(&mut stream.expect("a connection"));
        }
    });
    address
}

#[tokio::test]
async fn a_kubeconfig_that_cannot_be_used_is_named() {
    let token = format!("token: {TOKEN}");
    let good = config("https://127.0.0.1:1", "", &token);
    for (text, context, expected) in [
        (
            "a: [b".to_owned(),
            None,
            "the kubeconfig FILE is no kubeconfig: unclosed bracket '[' at line 1, column 4",
        ),
        (
            format!("users:\n- name: x\n  user:\n    token: [{TOKEN}]\n"),
            None,
            "the kubeconfig FILE is no kubeconfig: expected string scalar at line 4, column 12",
        ),
        (
            String::new(),
            None,
            "the kubeconfig names no current context; it holds none at all",
        ),
        (
            good.replace("current-context: prod\n", ""),
            None,
            "the kubeconfig names no current context; choose one with --context: prod, other",
        ),
        (
            good.clone(),
            Some("staging"),
            "the kubeconfig has no context \"staging\"; choose one with --context: prod, other",
        ),
        (
            good.clone(),
            Some("other"),
            "the context \"other\" is not usable: the kubeconfig has no cluster \"gone\"",
        ),
        (
            config("::::", "", &token),
            None,
            "the context \"prod\" is not usable: the server of cluster \"c\" is no URL: invalid authority",
        ),
        (
            config(
                "https://127.0.0.1:1",
                ", certificate-authority: /no/ca",
                &token,
            ),
            None,
            "the context \"prod\" is not usable: the certificate authority of cluster \"c\": /no/ca cannot be read: No such file or directory (os error 2)",
        ),
    ] {
        assert_eq!(words(&text, context).await, expected);
    }
    let absent = error_of(Path::new("/no/config"), None).await.to_string();
    assert_eq!(
        absent,
        "the kubeconfig /no/config cannot be read: No such file or directory (os error 2)"
    );
}

#[tokio::test]
async fn a_plugin_that_gives_no_credentials_is_named_and_its_output_is_not_repeated() {
    let exec = |command: &str, script: &str| {
        config(
            "https://127.0.0.1:1",
            "",
            &format!(
                "exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, \
                 installHint: try our site, command: {command}, args: [-c, '{script}']}}"
            ),
        )
    };
    for (text, expected) in [
        (
            exec("no-such-plugin", ""),
            "no credentials for the context \"prod\": its plugin \"no-such-plugin\" does not start: No such file or directory (os error 2); install it or put it in PATH (try our site)".to_owned(),
        ),
        (
            exec("sh", &format!("echo {TOKEN}; echo log in first >&2; exit 3")),
            "no credentials for the context \"prod\": its plugin \"sh\" failed (exit status: 3): log in first".to_owned(),
        ),
        (
            exec("sh", &format!("echo {TOKEN}")),
            "no credentials for the context \"prod\": its plugin \"sh\" does not answer with an ExecCredential".to_owned(),
        ),
    ] {
        assert_eq!(words(&text, None).await, expected);
    }
}

#[tokio::test]
async fn what_is_no_api_server_is_said_to_be_none() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let closed_address = closed.local_addr().expect("an address").to_string();
    drop(closed);
    let web = server(|stream| {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request);
        let _ = stream.write_all(
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 13\r\nConnection: close\r\n\r\n<html></html>",
        );
    });
    let hanging_up = server(|stream| {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request);
    });
    for (server, expected) in [
        (
            format!("https://{closed_address}"),
            "cannot be reached: Connection refused; check the address and the network, or choose another cluster with --context",
        ),
        (
            format!("https://{web}"),
            "and this tool do not agree on TLS: what listens there does not speak TLS",
        ),
        (
            format!("http://{web}"),
            "cannot be used: a web page, where a Kubernetes API was expected",
        ),
        (
            format!("https://{hanging_up}"),
            "cannot be reached: it closed the connection; check the address and the network, or choose another cluster with --context",
        ),
    ] {
        let text = config(&server, "", &format!("token: {TOKEN}"));
        assert_eq!(
            words(&text, None).await,
            format!("the API server {server} of context \"prod\" {expected}")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_is_given_up() {
    let silent = server(|stream| {
        let mut request = [0; 4096];
        while stream.read(&mut request).is_ok_and(|read| read > 0) {}
    });
    let text = |scheme: &str| config(&format!("{scheme}://{silent}"), "", "");
    let (http, https) = (text("http"), text("https"));
    let (http, https) = tokio::join!(words(&http, None), words(&https, None));
    for error in [http, https] {
        assert!(error.contains("cannot be reached: no "), "{error}");
        assert!(error.contains(" within 10 s"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_does_not_know_the_user_or_is_not_known_is_said_to_be_so() {
    let guide = Scenario::find("guide").expect("the guide");
    let sandbox = Sandbox::start(SandboxOptions::new(guide, Stage::Before));
    let sandbox = sandbox.await.expect("the embedded cluster");
    let server = sandbox.server_url();
    let good = sandbox.kubeconfig();
    let line = |key: &str| {
        let line = good.lines().find(|line| line.contains(key));
        line.expect("the line").trim().to_owned()
    };
    let wrong_token = good.replace(&line("token: "), &format!("token: {TOKEN}"));
    let error = words(&wrong_token, None).await;
    assert!(
        error.starts_with(&format!(
            "the API server {server} does not accept the credentials of context \"ngf-demo\""
        )),
        "{error}"
    );
    let no_ca = good.replace(&line("certificate-authority-data"), "");
    assert_eq!(
        words(&no_ca, None).await,
        format!(
            "the API server {server} of context \"ngf-demo\" and this tool do not agree on TLS: its certificate is signed by a CA that the kubeconfig does not name (certificate-authority)"
        )
    );
    sandbox.shutdown().await;
}
