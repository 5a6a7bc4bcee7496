//! Why a cluster cannot be used: one sentence each, which names the thing and holds no secret.

mod plugins;
mod proxies;

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

use plugins::{credential, exec};

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
