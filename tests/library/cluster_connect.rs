//! Why a cluster cannot be used: one sentence each, which names the thing and holds no secret.

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    thread,
    time::Duration,
};

use crate::support::hostile_api::{Answer, HostileApi, kubeconfig};
use ngf_cluster::{ClusterError, ClusterOptions, connect};
use ngf_sandbox::{Sandbox, SandboxOptions, Scenario, Stage};

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
            "the kubeconfig FILE is not a kubeconfig: unclosed bracket '[' at line 1, column 4",
        ),
        (
            format!("users:\n- name: x\n  user:\n    token: [{TOKEN}]\n"),
            None,
            "the kubeconfig FILE is not a kubeconfig: expected string scalar at line 4, column 12",
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
            "the context \"prod\" is not usable: the server of cluster \"c\" is not a URL: invalid authority",
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

/// A cluster that answers, and what a request to it had as `Authorization`.
async fn authorization(cluster: &str, user: &str) -> Result<String, String> {
    header("authorization", cluster, user).await
}

/// A cluster that answers, and what a request to it had as this header.
async fn header(name: &str, cluster: &str, user: &str) -> Result<String, String> {
    let (sender, received) = std::sync::mpsc::channel();
    let prefix = format!("{name}: ");
    let api = HostileApi::start(move |request| {
        let mut lines = request.head.lines();
        let line = lines.find_map(|line| line.strip_prefix(&prefix));
        let _ = sender.send(line.unwrap_or("none").to_owned());
        Answer::Ordinary
    });
    let options = ClusterOptions {
        kubeconfig_text: Some(kubeconfig(
            &format!("http://{}", api.address),
            cluster,
            user,
        )),
        limit: Some(Duration::from_secs(20)),
        ..ClusterOptions::default()
    };
    match connect(&options).await {
        Ok(_) => Ok(received.recv().expect("a request")),
        Err(error) => Err(error.to_string()),
    }
}

fn exec(script: &str) -> String {
    let script = serde_json::to_string(script).expect("JSON");
    format!(
        "exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh, args: [-c, {script}]}}"
    )
}

fn credential(status: &str) -> String {
    format!("printf '%s' '{{\"kind\":\"ExecCredential\",\"status\":{{{status}}}}}'")
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_name_the_program_and_its_version() {
    let expected = format!("ngf-tui/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(header("user-agent", "", "token: abc").await, Ok(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_may_have_space_around_it_as_with_kubectl() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "abc\n").expect("a file");
    for (user, expected) in [
        ("token: abc".to_owned(), "Bearer abc"),
        ("token: \"abc\\n\"".to_owned(), "Bearer abc"),
        ("token: \" abc\\r\\n\"".to_owned(), "Bearer abc"),
        ("token: \"\"".to_owned(), "none"),
        (format!("tokenFile: {}", file.display()), "Bearer abc"),
        (exec(&credential(r#""token":"abc\n""#)), "Bearer abc"),
        ("username: a, password: b".to_owned(), "Basic YTpi"),
        (
            "auth-provider: {name: oidc, config: {id-token: \"abc\\n\"}}".to_owned(),
            "Bearer abc",
        ),
    ] {
        assert_eq!(
            authorization("", &user).await.as_deref(),
            Ok(expected),
            "{user}"
        );
    }
}

#[allow(clippy::too_many_lines)] // a table
#[tokio::test(flavor = "multi_thread")]
async fn no_kubeconfig_breaks_the_client() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("empty"), "\n").expect("a file");
    std::fs::write(path("lines"), format!("{TOKEN}\n{TOKEN}\n")).expect("a file");
    std::fs::write(path("large"), vec![b'x'; 2 << 20]).expect("a file");
    let made = std::process::Command::new("mkfifo")
        .arg(path("fifo"))
        .status();
    assert!(made.expect("mkfifo").success());
    let header =
        "holds a character that no HTTP header may hold, such as a line break: write it again";
    for (cluster, user, expected) in [
        ("", format!("token: \"{TOKEN}\\n{TOKEN}\""), format!("its token {header}")),
        (
            "",
            format!("tokenFile: {}", path("lines")),
            format!("the token in {} {header}", path("lines")),
        ),
        (
            "",
            exec(&credential(&format!(r#""token":"{TOKEN}\n{TOKEN}""#))),
            format!("the token of its plugin \"sh\" {header}"),
        ),
        (
            "",
            format!("tokenFile: {}", path("fifo")),
            format!("its token file {} cannot be read: it is not a regular file", path("fifo")),
        ),
        (
            "",
            "tokenFile: /dev/zero".to_owned(),
            "its token file /dev/zero cannot be read: it is not a regular file".to_owned(),
        ),
        (
            "",
            format!("tokenFile: {}", path("large")),
            format!("its token file {} cannot be read: it is larger than 1 MiB", path("large")),
        ),
        (
            "",
            format!("tokenFile: {}", path("empty")),
            format!("its token file {} is empty", path("empty")),
        ),
        (
            "",
            format!("client-certificate: /dev/zero, client-key: {}", path("fifo")),
            "the client certificate of user \"u\": /dev/zero cannot be read: it is not a regular file".to_owned(),
        ),
        (
            ", certificate-authority: /dev/zero",
            String::new(),
            "the certificate authority of cluster \"c\": /dev/zero cannot be read: it is not a regular file".to_owned(),
        ),
        (
            ", certificate-authority-data: \"%%%\"",
            String::new(),
            "the certificate-authority-data of cluster \"c\" is not base64".to_owned(),
        ),
        (
            "",
            "client-certificate-data: \"%\", client-key-data: \"%\"".to_owned(),
            "the client-certificate-data of user \"u\" is not base64".to_owned(),
        ),
        (
            "",
            "client-certificate-data: aGVsbG8K, client-key-data: aGVsbG8K".to_owned(),
            "is not usable".to_owned(),
        ),
        (
            "",
            "as: \"a\\nb\"".to_owned(),
            "its user acts as somebody (as, as-uid, as-groups, as-user-extra) whose name no HTTP header can hold".to_owned(),
        ),
        (
            "",
            "as: a, as-user-extra: {\"a b\": [c]}".to_owned(),
            "whose name no HTTP header can hold".to_owned(),
        ),
        (
            "",
            "auth-provider: {name: gcp, config: {cmd-path: sleep, cmd-args: \"60\"}}".to_owned(),
            "its auth-provider \"gcp\" is not supported, and kubectl no longer supports it: use a plugin (exec)".to_owned(),
        ),
        (
            "",
            "auth-provider: {name: oidc, config: {refresh-token: x}}".to_owned(),
            "its auth-provider \"oidc\" has no id-token: log in with kubectl once, or use kubelogin as a plugin (exec)".to_owned(),
        ),
    ] {
        let said = authorization(cluster, &user).await.expect_err("unusable");
        assert!(said.contains(&expected), "{user}: {said}");
        assert!(!said.contains(TOKEN) && !said.contains('\n'), "{said}");
    }
    for server in [
        "example.com:6443",
        "ftp://example.com",
        "https:///x",
        "/",
        "https://",
    ] {
        let text = config(server, "", "");
        let said = words(&text, None).await;
        assert!(
            said.contains("the address of its API server must have the form https://HOST:PORT")
                || said.contains("is not a URL"),
            "{server}: {said}"
        );
    }
    let fifo = error_of(Path::new(&path("fifo")), None).await.to_string();
    assert!(
        fifo.ends_with("cannot be read: it is not a regular file"),
        "{fifo}"
    );
    let zero = error_of(Path::new("/dev/zero"), None).await.to_string();
    assert!(
        zero.ends_with("cannot be read: it is not a regular file"),
        "{zero}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_is_bounded_and_named() {
    let good = credential(r#""token":"abc""#);
    // What it left behind holds its output, and its answer is there.
    let held = format!("sleep 30 & {good}");
    assert_eq!(
        authorization("", &exec(&held)).await.as_deref(),
        Ok("Bearer abc")
    );
    for (script, limit, expected) in [
        ("sleep 30", 1, "its plugin \"sh\" did not end within 1 s"),
        (
            "sleep 30 & echo",
            20,
            "its plugin \"sh\" ended, left a process behind that holds its output open, and gave no ExecCredential",
        ),
        (
            "cat /dev/zero",
            20,
            "its plugin \"sh\" wrote more than 1 MiB",
        ),
        (
            "printf 'first\\n\\033[31mlog in\\033[0m\\n' >&2; exit 2",
            20,
            "its plugin \"sh\" failed (exit status: 2): [31mlog in[0m",
        ),
        (
            "echo '{\"status\":{}}'",
            20,
            "its plugin \"sh\" answers with neither a token nor a client certificate and its key",
        ),
        (
            "echo '{\"status\":{\"token\":\"a\",\"expirationTimestamp\":\"soon\"}}'",
            20,
            "its plugin \"sh\" answers with an expirationTimestamp that is not a time: \"soon\"",
        ),
    ] {
        let options = ClusterOptions {
            kubeconfig_text: Some(kubeconfig("http://127.0.0.1:1", "", &exec(script))),
            limit: Some(Duration::from_secs(limit)),
            ..ClusterOptions::default()
        };
        let said = connect(&options)
            .await
            .err()
            .expect("no credentials")
            .to_string();
        assert_eq!(
            said,
            format!("no credentials for the context \"prod\": {expected}")
        );
    }
    let always = exec("exit 0").replace("Never", "Always");
    let said = authorization("", &always).await.expect_err("nobody to ask");
    assert!(
        said.ends_with("its plugin \"sh\" has to ask its user (interactiveMode: Always), and standard input is not a terminal"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn once_the_screen_is_drawn_a_plugin_only_leaves_a_message() {
    let folder = tempfile::tempdir().expect("a folder");
    let runs = folder.path().join("runs");
    // Its token ends in this moment, so that it is run again.
    let script = format!(
        "cat >> {runs}; echo run >> {runs}; printf 'old\\n\\033[2Jsession ends soon\\n' >&2; {}",
        credential(r#""token":"abc","expirationTimestamp":"2020-01-01T00:00:00Z""#),
        runs = runs.display()
    );
    let api = HostileApi::start(|_| Answer::Ordinary);
    let options = ClusterOptions {
        kubeconfig_text: Some(kubeconfig(
            &format!("http://{}", api.address),
            "",
            &exec(&script),
        )),
        ..ClusterOptions::default()
    };
    let cluster = connect(&options).await.expect("a connection");
    let mut messages = cluster.screen_is_drawn();
    let cancel = tokio_util::sync::CancellationToken::new();
    let _snapshots = cluster.watch(&cancel);
    let message = tokio::time::timeout(Duration::from_mins(2), messages.recv()).await;
    assert_eq!(
        message.expect("it is run again").as_deref(),
        Some("plugin \"sh\": [2Jsession ends soon")
    );
    cancel.cancel();
    let runs = std::fs::read_to_string(&runs).expect("its runs");
    assert!(runs.lines().count() < 6, "{runs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_and_tokens_of_addresses_are_never_shown() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let closed_address = closed.local_addr().expect("an address").to_string();
    drop(closed);
    for (server, cluster) in [
        (
            format!("https://user:{TOKEN}@{closed_address}"),
            String::new(),
        ),
        (
            format!("http://{closed_address}/?token={TOKEN}"),
            String::new(),
        ),
        (format!("http://{closed_address}/{TOKEN}"), String::new()),
        (format!("https://{TOKEN}@[::1"), String::new()),
        (
            format!("http://{closed_address}"),
            format!(", proxy-url: \"socks5://user:{TOKEN}@{closed_address}\""),
        ),
        (
            format!("https://{closed_address}"),
            format!(", proxy-url: \"http://user:{TOKEN}@{closed_address}\""),
        ),
        (
            format!("https://{closed_address}"),
            format!(", proxy-url: \"ftp://user:{TOKEN}@{closed_address}\""),
        ),
        (
            format!("https://{closed_address}"),
            format!(", proxy-url: \"socks5://user:{TOKEN}@[\""),
        ),
    ] {
        // `words` asserts that the token is not among them.
        let said = words(&config(&server, &cluster, ""), None).await;
        assert!(said.contains("\"prod\""), "{said}");
    }
}

/// A SOCKS5 proxy (RFC 1928) that wants this user and password (RFC 1929), or none.
fn socks5(user: Option<(&'static str, &'static str)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || relayed(stream, user));
        }
    });
    address
}

fn relayed(mut client: std::net::TcpStream, user: Option<(&str, &str)>) -> Option<()> {
    fn take(stream: &mut std::net::TcpStream, count: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; count];
        stream.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }
    let methods = usize::from(take(&mut client, 2)?[1]);
    let methods = take(&mut client, methods)?;
    let method = if user.is_some() { 2 } else { 0 };
    assert!(methods.contains(&method), "{methods:?}");
    client.write_all(&[5, method]).ok()?;
    if let Some((name, password)) = user {
        let length = usize::from(take(&mut client, 2)?[1]);
        let given = take(&mut client, length)?;
        let length = usize::from(take(&mut client, 1)?[0]);
        let secret = take(&mut client, length)?;
        assert_eq!((given, secret), (name.into(), password.into()));
        client.write_all(&[1, 0]).ok()?;
    }
    let host = match take(&mut client, 4)?[3] {
        1 => {
            let bytes = take(&mut client, 4)?;
            std::net::Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).to_string()
        }
        _ => {
            let length = usize::from(take(&mut client, 1)?[0]);
            String::from_utf8(take(&mut client, length)?).ok()?
        }
    };
    let port = take(&mut client, 2)?;
    let port = u16::from_be_bytes([port[0], port[1]]);
    // A name that only the proxy can resolve.
    let host = host.replace("api.inside.example", "127.0.0.1");
    let mut server = std::net::TcpStream::connect((host.as_str(), port)).ok()?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    let (mut back, mut to) = (server.try_clone().ok()?, client.try_clone().ok()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut back, &mut to);
        // An answer without a length ends with its connection.
        to.shutdown(std::net::Shutdown::Write)
    });
    std::io::copy(&mut client, &mut server).ok()?;
    Some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn socks_proxies_lead_to_the_api_server_with_and_without_a_password() {
    let api = HostileApi::start(|_| Answer::Ordinary);
    let (_, port) = api.address.rsplit_once(':').expect("a port");
    for (user, scheme, before) in [
        (None, "socks5", ""),
        (None, "socks5h", ""),
        (Some(("me", "a@b")), "socks5", "me:a%40b@"),
    ] {
        let proxy = socks5(user);
        let options = ClusterOptions {
            kubeconfig_text: Some(kubeconfig(
                &format!("http://api.inside.example:{port}"),
                &format!(", proxy-url: \"{scheme}://{before}{proxy}\""),
                "token: abc",
            )),
            ..ClusterOptions::default()
        };
        let cluster = connect(&options).await.expect("a connection");
        assert_eq!(
            cluster.server(),
            format!("http://api.inside.example:{port}")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connecting_takes_no_longer_than_the_command_may() {
    let api = HostileApi::start(|_| Answer::Silence);
    let options = ClusterOptions {
        kubeconfig_text: Some(api.kubeconfig()),
        limit: Some(Duration::from_secs(2)),
        ..ClusterOptions::default()
    };
    let said = connect(&options)
        .await
        .err()
        .expect("no answer")
        .to_string();
    assert!(
        said.contains("cannot be reached: no answer within 2 s"),
        "{said}"
    );
}
