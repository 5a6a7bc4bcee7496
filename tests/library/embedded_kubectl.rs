//! `kubectl exec`, `port-forward`, `debug`, `run` and `attach` on the embedded cluster, as people use
//! them: the client is the real one.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::sandbox_support::{Demo, peers, pod, run, run_with, until};
use openssl::sha::sha256;

const MUCH: usize = 10_000_000;

/// A kubectl with arguments of which the last may hold spaces.
fn kubectl(demo: &Demo, arguments: &str, last: &str) -> Command {
    let mut command = demo.kubectl(arguments);
    command.arg(last);
    command
}

fn gateway(demo: &Demo) -> String {
    pod(
        &run(&mut demo.kubectl("get pods -o name")).fine(),
        "gateway-nginx-",
    )
}

fn status(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.stdin(Stdio::null()).output().expect("kubectl runs");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn exec_runs_commands_of_the_image_and_ends_with_their_status() {
    if !peers(&["kubectl"]) {
        return;
    }
    let demo = Demo::start("--stage policy");
    let name = gateway(&demo);
    let exec = format!("exec {name} -c nginx --");
    let keys =
        "/etc/nginx/secrets/ssl_keypair_default_gateway-presents-this-cert-for-validation.pem";
    for (script, code, out, err) in [
        (
            "cat /etc/nginx/secrets/cert_bundle_default_backend-cert.crt",
            0,
            "BEGIN CERTIFICATE",
            "",
        ),
        (
            "ls -l /etc/nginx/secrets",
            0,
            "ssl_keypair_default_gateway-presents",
            "",
        ),
        (
            "nginx -T 2>/dev/null | grep proxy_ssl_name",
            0,
            "proxy_ssl_name secure-app.example.com;",
            "",
        ),
        ("nginx -t", 0, "", "test is successful"),
        ("nginx -v", 0, "", "nginx version: nginx/1."),
        (
            "cat /etc/resolv.conf",
            0,
            "search default.svc.cluster.local svc.cluster.local",
            "",
        ),
        ("nslookup secure-app", 0, "10.96.", ""),
        ("nc -z -w 2 secure-app 8443 && echo open", 0, "open\n", ""),
        ("nc secure-app 22", 1, "", "Connection refused"),
        ("nc nobody 22", 1, "", "bad address 'nobody'"),
        (
            "echo \"$0 $1\" >&2; false || exit 7",
            7,
            "",
            "name argument\n",
        ),
        ("nosuch", 127, "", "sh: nosuch: not found"),
        ("for i in 1 2; do echo $i; done", 2, "", "knows no `for`"),
    ] {
        let mut command = kubectl(&demo, &format!("{exec} sh -c"), script);
        let (status, stdout, stderr) = status(command.args(["name", "argument"]));
        let context = format!("{script}: {status:?} {stdout} {stderr}");
        assert_eq!(status, Some(code), "{context}");
        assert!(stdout.contains(out) && stderr.contains(err), "{context}");
    }
    // The key is where nginx needs it: whoever may exec may read it, here as anywhere.
    let (code, out, _) = status(&mut kubectl(&demo, &format!("{exec} cat"), keys));
    assert!(code == Some(0) && out.contains("PRIVATE KEY"));
    let (code, _, err) = status(&mut kubectl(&demo, &exec, "nosuch"));
    assert_eq!(code, Some(127), "{err}");
    assert!(
        err.contains("exec: \"nosuch\": executable file not found in $PATH"),
        "{err}"
    );
    let (code, _, err) = status(&mut demo.kubectl("exec nobody -- true"));
    assert_eq!(code, Some(1));
    assert!(err.contains("pods \"nobody\" not found"), "{err}");
    let (code, _, err) = status(&mut demo.kubectl(&format!("exec {name} -c init -- true")));
    assert_eq!(code, Some(1));
    assert!(err.contains("container not found (\"init\")"), "{err}");
}

#[test]
fn what_is_typed_comes_back_byte_for_byte() {
    if !peers(&["kubectl"]) {
        return;
    }
    let demo = Demo::start("--stage policy");
    let name = gateway(&demo);
    let mut much = vec![0; MUCH];
    openssl::rand::rand_bytes(&mut much).expect("randomness");
    let mut child = demo
        .kubectl(&format!("exec -i {name} -c nginx -- cat"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("kubectl runs");
    let mut stdin = child.stdin.take().expect("its input");
    let sent = much.clone();
    // Its end ends cat: the fifth version of the protocol can say it.
    let writer = std::thread::spawn(move || stdin.write_all(&sent));
    let mut back = Vec::new();
    child
        .stdout
        .take()
        .expect("its output")
        .read_to_end(&mut back)
        .expect("read");
    writer.join().expect("no panic").expect("written");
    assert!(child.wait().expect("it ends").success());
    assert!(back == much, "{} bytes came back", back.len());
    let said = run_with(
        &mut demo.kubectl(&format!("exec -i {name} -c nginx -- sha256sum")),
        &much,
    );
    let sum: String = sha256(&much)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(said.fine(), format!("{sum}  -\n"));
}

/// A `kubectl port-forward`, ended when dropped.
struct Forward {
    child: Child,
    port: u16,
}

impl Forward {
    fn start(demo: &Demo, what: &str, port: u16) -> Self {
        let mut child = demo
            .kubectl(&format!("port-forward --address 127.0.0.1 {what} :{port}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("kubectl runs");
        let mut line = String::new();
        let mut lines = BufReader::new(child.stdout.take().expect("its output"));
        lines.read_line(&mut line).expect("a line");
        // Forwarding from 127.0.0.1:PORT -> 80
        let port = line
            .split("127.0.0.1:")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        let port = port
            .and_then(|port| port.parse().ok())
            .unwrap_or_else(|| panic!("{line:?}"));
        std::thread::spawn(move || {
            let mut rest = String::new();
            // What it says later is of no interest, and must not fill the pipe.
            let _ = lines.read_to_string(&mut rest);
        });
        Self { child, port }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connected");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("set");
        stream
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(stream: &mut TcpStream, host: &str) -> String {
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn port_forward_carries_the_gateways_traffic_and_its_faults() {
    if !peers(&["kubectl"]) {
        return;
    }
    for (arguments, status, logged) in [
        ("--stage policy", "200", "\"GET / HTTP/1.1\" 200"),
        (
            "--scenario expired-backend-certificate",
            "502",
            "upstream SSL certificate verify error: (10:certificate has expired) while SSL handshaking",
        ),
        (
            "--scenario wrong-hostname",
            "502",
            "upstream SSL certificate does not match \"backend.example.com\" while SSL handshaking",
        ),
        (
            "--scenario plain-backend",
            "502",
            "SSL_do_handshake() failed (SSL: error:0A0000C6:SSL routines::packet length too long",
        ),
        (
            "--scenario no-client-certificate",
            "400",
            "\"GET / HTTP/1.1\" 400",
        ),
        ("--scenario opaque-secret", "500", "\"GET / HTTP/1.1\" 500"),
    ] {
        let demo = Demo::start(arguments);
        let forward = Forward::start(&demo, "deployment/gateway-nginx", 80);
        let answer = get(&mut forward.connect(), "secure-app.example.com");
        let line = answer.lines().next().unwrap_or_default();
        assert!(
            line.starts_with(&format!("HTTP/1.1 {status} ")),
            "{arguments}: {answer}"
        );
        let log = run(&mut demo.kubectl("logs deployment/gateway-nginx -c nginx")).fine();
        assert!(
            log.contains(logged)
                || status == "502"
                    && logged.contains("packet")
                    && log.contains("wrong version number"),
            "{arguments}: {log}"
        );
        let answer = get(&mut forward.connect(), "nobody.example.com");
        assert!(answer.starts_with("HTTP/1.1 404 "), "{arguments}: {answer}");
    }
}

#[test]
fn port_forward_is_byte_exact_and_says_what_nobody_listens_at() {
    if !peers(&["kubectl"]) {
        return;
    }
    let demo = Demo::start("--stage policy");
    run(&mut demo.kubectl("run echo --image=busybox --restart=Never -- nc -ll -p 7000 -e cat"))
        .fine();
    until("echo runs", || {
        run(&mut demo.kubectl("get pod echo -o jsonpath={.status.phase}")).out == "Running"
    });
    let forward = Forward::start(&demo, "pod/echo", 7000);
    let mut much = vec![0; MUCH];
    openssl::rand::rand_bytes(&mut much).expect("randomness");
    // More than one at a time: each has its streams.
    let connections: Vec<_> = much
        .chunks(MUCH / 4)
        .map(|part| {
            let (mut reader, part) = (forward.connect(), part.to_vec());
            let mut writer = reader.try_clone().expect("a clone");
            std::thread::spawn(move || {
                let sent = part.clone();
                let writing = std::thread::spawn(move || {
                    writer.write_all(&sent).expect("written");
                    writer
                        .shutdown(std::net::Shutdown::Write)
                        .expect("shut down");
                });
                let mut back = Vec::new();
                reader.read_to_end(&mut back).expect("read");
                writing.join().expect("no panic");
                back == part
            })
        })
        .collect();
    for connection in connections {
        assert!(connection.join().expect("no panic"), "bytes were changed");
    }
    let (forward, mut back) = (Forward::start(&demo, "pod/echo", 7001), Vec::new());
    // Nobody listens: the connection is taken, and ends at once.
    let read = forward.connect().read_to_end(&mut back);
    assert!(read.is_err() || back.is_empty(), "{back:?}");
}

#[test]
fn debug_containers_start_log_end_and_stay() {
    if !peers(&["kubectl"]) {
        return;
    }
    let demo = Demo::start("--stage policy");
    let name = gateway(&demo);
    let debug = format!("debug {name} --image=busybox --profile=general");
    let interactive = format!("{debug} -i -c first -- sh");
    let said = run_with(
        &mut demo.kubectl(&interactive),
        b"cat /etc/hostname\nnc -z secure-app 8443 && echo reached\ncat /etc/nginx/nginx.conf\nexit 3\n",
    );
    assert!(said.out.contains(&format!("{name}\nreached\n")), "{said:?}");
    assert!(
        said.err.contains("can't open '/etc/nginx/nginx.conf'"),
        "not nginx's files: {said:?}"
    );
    run(&mut kubectl(
        &demo,
        &format!("{debug} -c second --target=nginx -- sh -c"),
        "echo written; sleep 0.2",
    ))
    .fine();
    let state = |container: &str, path: &str| {
        let filter = format!(
            "jsonpath={{.status.ephemeralContainerStatuses[?(@.name==\"{container}\")].state.{path}}}"
        );
        run(&mut kubectl(&demo, &format!("get pod {name} -o"), &filter)).out
    };
    until("the second has ended", || {
        state("second", "terminated.exitCode") == "0"
    });
    assert_eq!(state("first", "terminated.exitCode"), "3");
    let log = run(&mut demo.kubectl(&format!("logs {name} -c second"))).fine();
    assert_eq!(log, "written\n");
    // Nothing else of the pod has changed, and what was added is not taken away.
    let ready = run(&mut demo.kubectl(&format!("get pod {name} --no-headers"))).fine();
    assert!(
        ready.contains("1/1") && ready.contains("Running"),
        "{ready}"
    );
    let again = run(&mut demo.kubectl(&format!("{debug} -c second -- true")));
    assert!(again.refused().contains("second"));

    let said = run_with(
        &mut demo.kubectl("run once -i --rm --image=busybox --restart=Never --command -- sh"),
        b"hostname\n",
    );
    assert!(said.out.starts_with("once\n"), "{said:?}");
    run(&mut demo.kubectl("run no-image --image=registry.invalid/busybox --restart=Never")).fine();
    until("the image is not there", || {
        run(&mut demo.kubectl("get pod no-image --no-headers"))
            .out
            .contains("ImagePullBackOff")
    });
    let words = run(&mut demo.kubectl("describe pod no-image")).fine();
    assert!(
        words.contains("lookup registry.invalid: no such host"),
        "{words}"
    );
    let limited = "run late --image=busybox --restart=Never --overrides={\"spec\":{\"activeDeadlineSeconds\":1}} -- sleep 60";
    run(&mut demo.kubectl(limited)).fine();
    until("its deadline has passed", || {
        run(&mut demo.kubectl("get pod late -o jsonpath={.status.phase}/{.status.reason}")).out
            == "Failed/DeadlineExceeded"
    });
}
