//! The embedded secure-app against Debian's nginx with the guide's configuration: the same requests,
//! the same bytes back (the version aside), the same log lines.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::sandbox_support::{Cluster, DebianNginx, free_port, peers, run, run_with};
use ngf_sandbox::Stage;

/// The guide's `app.conf` and `nginx.conf`, for the folder that the test keeps its files in.
fn guide_configuration(port: u16) -> String {
    format!(
        "log_format ssl_log '$remote_addr ssl_client_verify=$ssl_client_verify \
         ssl_client_subject=$ssl_client_s_dn';\n\
         server {{\n listen {port} ssl;\n server_name secure-app.example.com;\n \
         default_type text/plain;\n ssl_protocols TLSv1.2 TLSv1.3;\n \
         ssl_certificate @FOLDER@/app.tls.crt;\n ssl_certificate_key @FOLDER@/app.tls.key;\n \
         ssl_client_certificate @FOLDER@/app.ca.crt;\n ssl_verify_client on;\n \
         access_log @FOLDER@/access.log ssl_log;\n \
         location / {{ return 200 \"hello from pod secure-app\\n\"; }}\n}}"
    )
}

/// Certificates that a client may come with, in `folder`, signed by the cluster's CA or by others.
fn client_certificates(cluster: &Cluster) {
    let folder = cluster.folder.path();
    cluster.save_secret("gateway-presents-this-cert-for-validation", "good");
    cluster.save_secret("app-tls-secret", "app");
    let ca = cluster
        .kubectl("get secret local-ca-secret -n cert-manager -o jsonpath={.data['tls\\.key']}")
        .fine();
    let decoded = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, ca).unwrap();
    std::fs::write(folder.join("ca.key"), decoded).unwrap();
    let script = r#"
        set -e
        self() { openssl req -x509 -newkey rsa:2048 -nodes -keyout $1.tls.key -out $1.tls.crt -days 30 "$@" 2>/dev/null; }
        openssl req -x509 -newkey rsa:2048 -nodes -keyout self.tls.key -out self.tls.crt -days 30 -subj "/CN=other" 2>/dev/null
        signed() { # NAME SUBJECT CA CAKEY DAYS EXTENSIONS
            openssl req -newkey rsa:2048 -nodes -keyout $1.tls.key -out $1.csr -utf8 -subj "$2" 2>/dev/null
            printf "%s" "$6" > $1.ext
            openssl x509 -req -in $1.csr -CA $3 -CAkey $4 -CAcreateserial -days $5 -out $1.tls.crt -extfile $1.ext 2>/dev/null
        }
        signed names '/C=DE/O=Acme, Inc. <x>+"y"/CN= gäteway;#1 ' app.ca.crt ca.key 30 ''
        signed server '/CN=server-only' app.ca.crt ca.key 30 'extendedKeyUsage=serverAuth'
        signed sub '/CN=sub' app.ca.crt ca.key 30 'basicConstraints=critical,CA:TRUE'
        signed deep '/CN=deep' sub.tls.crt sub.tls.key 30 ''
        cp deep.tls.crt missing.tls.crt; cp deep.tls.key missing.tls.key
        cat sub.tls.crt >> deep.tls.crt
        signed sub2 '/CN=sub2' sub.tls.crt sub.tls.key 30 'basicConstraints=critical,CA:TRUE'
        signed deeper '/CN=deeper' sub2.tls.crt sub2.tls.key 30 ''
        cat sub2.tls.crt sub.tls.crt >> deeper.tls.crt
        openssl req -newkey rsa:2048 -nodes -keyout old.tls.key -out old.csr -subj /CN=old 2>/dev/null
        touch index.txt; echo 01 > serial
        printf '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\npolicy=p\ndefault_md=sha256\n[p]\ncommonName=supplied\n' > ca.cnf
        openssl ca -batch -notext -config ca.cnf -cert app.ca.crt -keyfile ca.key -in old.csr -out old.tls.crt -startdate 20200101000000Z -enddate 20210101000000Z 2>/dev/null
    "#;
    run(Command::new("bash")
        .arg("-c")
        .arg(script)
        .current_dir(folder))
    .fine();
}

/// One request by curl: the answer with its head, but for version and date.
fn ask(folder: &Path, address: &str, port: u16, arguments: &str) -> String {
    let mut command = Command::new("curl");
    command
        .current_dir(folder)
        .args(["-sS", "-i", "--max-time", "10", "--noproxy", "*"]);
    command
        .arg("--connect-to")
        .arg(format!("::{address}:{port}"));
    command
        .args(["--cacert", "app.ca.crt"])
        .args(arguments.split_whitespace());
    let said = run(&mut command);
    let text = format!("{}{}", said.out, if said.ok { "" } else { &said.err });
    normal(&text)
}

/// Without what differs from nginx to nginx and from moment to moment.
fn normal(text: &str) -> String {
    text.lines()
        .filter(|line| !line.to_lowercase().starts_with("date: "))
        .map(|line| {
            line.replace("nginx/1.29.2", "nginx/V")
                .replace("nginx/1.22.1", "nginx/V")
        })
        .collect::<Vec<_>>()
        .join("\n")
}

const URL: &str = "https://secure-app.example.com/";

fn certificate(name: &str) -> String {
    format!("--cert {name}.tls.crt --key {name}.tls.key")
}

fn access_lines(log: &str) -> Vec<String> {
    log.lines()
        .filter(|line| line.contains(" ssl_client_verify="))
        .map(str::to_owned)
        .collect()
}

/// Error lines without time, process, connection and what else differs.
fn error_lines(log: &str) -> Vec<String> {
    log.lines()
        .filter(|line| line.contains("] "))
        .filter_map(|line| line.split_once(": *"))
        .filter_map(|(_, rest)| rest.split_once(' '))
        .map(|(_, message)| message.to_owned())
        .filter(|message| message.contains("while reading client request"))
        // What becomes of the socket afterwards depends on who closes it first.
        .filter(|message| message.starts_with("client "))
        .map(|message| match message.split_once(", host:") {
            Some((before, _)) => before.to_owned(),
            None => message,
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_and_log_lines_equal_those_of_debians_nginx() {
    if !peers(&["kubectl", "curl", "openssl", "nginx", "bash"]) {
        return;
    }
    let cluster = Cluster::start("guide", Stage::Policy).await;
    client_certificates(&cluster);
    let folder = cluster.folder.path();
    let port = free_port();
    let files = tempfile::tempdir().unwrap();
    for file in ["app.tls.crt", "app.tls.key", "app.ca.crt"] {
        std::fs::copy(folder.join(file), files.path().join(file)).unwrap();
    }
    let nginx = DebianNginx::start_in(files, &guide_configuration(port), port);
    let (address, pod_port) = cluster.endpoints("secure-app").remove(0);

    let mut cases = vec![
        URL.to_owned(),
        "http://secure-app.example.com/".to_owned(),
        format!("{URL} -I"),
        format!("{} {URL} -I", certificate("good")),
        format!("{} {URL} --http1.0", certificate("good")),
        format!("{} {URL}a.html?b=c", certificate("good")),
        format!("{} {URL} -d some=data", certificate("good")),
        format!("{} {URL} -X OPTIONS", certificate("good")),
        format!("{} {URL} -H Connection:close", certificate("good")),
        format!("{} {URL} -H Host:other.example.com", certificate("good")),
        format!("{} {URL} -H Host:", certificate("good")),
        format!("{URL} -H Host:"),
        format!("{} {URL} -X get", certificate("good")),
        format!("{} {URL} {URL} {URL}b", certificate("good")),
    ];
    for name in [
        "good", "self", "names", "server", "deep", "missing", "deeper", "old",
    ] {
        for version in ["--tls-max 1.2", "--tlsv1.3"] {
            cases.push(format!("{} {version} {URL}", certificate(name)));
        }
    }
    for case in &cases {
        let ours = ask(folder, &address, pod_port, case);
        let theirs = ask(folder, "127.0.0.1", port, case);
        assert_eq!(ours, theirs, "curl {case}");
    }
    // One case asks three times.
    let (ours, theirs) = logs(&cluster, &nginx, cases.len() + 2);
    assert_eq!(access_lines(&theirs).len(), cases.len() + 2);
    assert_same_lines(&access_lines(&ours), &access_lines(&theirs));
    assert_same_lines(&error_lines(&ours), &error_lines(&theirs));
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_by_hand_is_answered_as_debians_nginx_answers_it() {
    if !peers(&["kubectl", "openssl", "nginx", "bash", "curl"]) {
        return;
    }
    let cluster = Cluster::start("guide", Stage::Policy).await;
    cluster.save_secret("gateway-presents-this-cert-for-validation", "good");
    cluster.save_secret("app-tls-secret", "app");
    let folder = cluster.folder.path();
    let port = free_port();
    let files = tempfile::tempdir().unwrap();
    for file in ["app.tls.crt", "app.tls.key", "app.ca.crt"] {
        std::fs::copy(folder.join(file), files.path().join(file)).unwrap();
    }
    let _nginx = DebianNginx::start_in(files, &guide_configuration(port), port);
    let (address, pod_port) = cluster.endpoints("secure-app").remove(0);
    let mut different = Vec::new();
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(9000));
    let large = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "x".repeat(9000)
    );
    for sent in [
        "GET / HTTP/1.0\r\n\r\n",
        "GET /\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nbroken header\r\nHost: a\r\nConnection: close\r\n\r\n",
        "nonsense\r\n\r\n",
        "GET  /  HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET http://secure-app.example.com/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET nohost HTTP/1.1\r\nHost: a\r\n\r\n",
        &long,
        &large,
    ] {
        let say = |address: &str, port: u16| {
            let mut command = Command::new("timeout");
            command.current_dir(folder).args([
                "10",
                "openssl",
                "s_client",
                "-quiet",
                "-no_ign_eof",
            ]);
            command.args([
                "-CAfile",
                "app.ca.crt",
                "-cert",
                "good.tls.crt",
                "-key",
                "good.tls.key",
            ]);
            command.args(["-servername", "secure-app.example.com", "-ign_eof"]);
            command.arg("-connect").arg(format!("{address}:{port}"));
            normal(&run_with(&mut command, sent.as_bytes()).out)
        };
        let (ours, theirs) = (say(&address, pod_port), say("127.0.0.1", port));
        if ours != theirs {
            different.push(format!(
                "{:.90}\nours:\n{ours}\nnginx:\n{theirs}",
                sent.escape_debug()
            ));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n\n"));
    cluster.sandbox.shutdown().await;
}

/// The logs of both once both have `count` lines: a server logs after it has answered.
fn logs(cluster: &Cluster, nginx: &DebianNginx, count: usize) -> (String, String) {
    let started = Instant::now();
    loop {
        let ours = cluster.kubectl("logs -l app=secure-app --tail=-1").fine();
        let theirs = format!("{}{}", nginx.log("error.log"), nginx.log("access.log"));
        let done = [&ours, &theirs]
            .iter()
            .all(|log| access_lines(log).len() >= count);
        if done || started.elapsed() > Duration::from_secs(5) {
            return (ours, theirs);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[track_caller]
fn assert_same_lines(ours: &[String], theirs: &[String]) {
    for (number, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert_eq!(ours, theirs, "line {number}");
    }
    assert_eq!(ours.len(), theirs.len());
}

/// Two servers with different rules on one port, as a ConfigMap's `app.conf` and as nginx's.
fn two_servers(listen: &str, at: &str) -> String {
    let server = |name: &str, verify: &str, text: &str, more: &str| {
        format!(
            "server {{\n  listen {listen} ssl;\n  server_name {name};\n  default_type text/plain;\n  \
             ssl_protocols TLSv1.2 TLSv1.3;\n  ssl_certificate {at}tls.crt;\n  \
             ssl_certificate_key {at}tls.key;\n  ssl_client_certificate {at}ca.crt;\n  \
             ssl_verify_client {verify};\n  {more}\n  access_log /LOG/access.log ssl_log;\n  \
             location / {{\n    return 200 \"{text} says hello\\n\";\n  }}\n}}\n"
        )
    };
    [
        server("first.example.com", "on", "first", ""),
        server(
            "second.example.com alias.example.com",
            "on",
            "second",
            "ssl_verify_depth 3;",
        ),
        server("*.wild.example.com", "optional", "wild", ""),
        server("any.example.com", "optional_no_ca", "any", ""),
        server("open.example.com", "off", "open", ""),
    ]
    .concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_are_chosen_by_sni_and_host_as_nginx_chooses_them() {
    if !peers(&["kubectl", "curl", "openssl", "nginx", "bash"]) {
        return;
    }
    let cluster = Cluster::start("guide", Stage::Policy).await;
    client_certificates(&cluster);
    let folder = cluster.folder.path();
    let port = free_port();
    let files = tempfile::tempdir().unwrap();
    for file in ["app.tls.crt", "app.tls.key", "app.ca.crt"] {
        std::fs::copy(folder.join(file), files.path().join(file)).unwrap();
    }
    let format = "log_format ssl_log '$remote_addr ssl_client_verify=$ssl_client_verify \
                  ssl_client_subject=$ssl_client_s_dn';\n";
    let theirs = two_servers(&port.to_string(), "@FOLDER@/app.").replace("/LOG/", "@FOLDER@/");
    let nginx = DebianNginx::start_in(files, &format!("{format}{theirs}"), port);
    let ours = two_servers("8443", "/etc/nginx/ssl/secret/").replace("/LOG/", "/var/log/nginx/");
    let map = serde_json::json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "secure-config"},
        "data": {"app.conf": ours},
    });
    cluster.kubectl_with("apply -f -", &map.to_string()).fine();
    let old = cluster.kubectl("get pod -l app=secure-app -o name").fine();
    cluster.kubectl(&format!("delete {}", old.trim())).fine();
    cluster.kubectl_until(
        "get deploy secure-app -o jsonpath={.status.readyReplicas}",
        "1",
    );
    cluster.kubectl_until("get endpointslices", "8443");
    let (address, pod_port) = cluster.endpoints("secure-app").remove(0);
    let names = [
        "first", "second", "alias", "a.wild", "any", "open", "nobody",
    ];
    let mut count = 0;
    for sni in names {
        for host in names {
            for client in ["", "good", "self", "deeper"] {
                let client = if client.is_empty() {
                    String::new()
                } else {
                    certificate(client)
                };
                let case =
                    format!("-k {client} https://{sni}.example.com/ -H Host:{host}.example.com");
                let ours = ask(folder, &address, pod_port, &case);
                let theirs = ask(folder, "127.0.0.1", port, &case);
                assert_eq!(ours, theirs, "curl {case}");
                count += 1;
            }
        }
    }
    let (ours, theirs) = logs(&cluster, &nginx, count);
    assert_eq!(access_lines(&theirs).len(), count);
    assert_same_lines(&access_lines(&ours), &access_lines(&theirs));
    assert_same_lines(&error_lines(&ours), &error_lines(&theirs));
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_hang_or_talk_nonsense_hold_nobody_up() {
    if !peers(&["kubectl", "curl"]) {
        return;
    }
    let cluster = Cluster::start("guide", Stage::Policy).await;
    cluster.save_secret("gateway-presents-this-cert-for-validation", "good");
    cluster.save_secret("app-tls-secret", "app");
    let (address, port) = cluster.endpoints("secure-app").remove(0);
    let hello = b"\x16\x03\x01\x00\xff\x01\x00\x00\xfb\x03\x03";
    let mut held = Vec::new();
    for number in 0..200 {
        let mut stream = std::net::TcpStream::connect((address.as_str(), port)).unwrap();
        let sent: &[u8] = [&b""[..], &hello[..], &b"GET / HT"[..], &[0x80; 300][..]][number % 4];
        stream.write_all(sent).unwrap();
        held.push(stream);
    }
    let case = format!("{} {URL}", certificate("good"));
    let started = Instant::now();
    let answer = ask(cluster.folder.path(), &address, port, &case);
    assert!(answer.ends_with("hello from pod secure-app"), "{answer}");
    assert!(started.elapsed() < Duration::from_secs(5));
    drop(held);
    cluster.sandbox.shutdown().await;
}
