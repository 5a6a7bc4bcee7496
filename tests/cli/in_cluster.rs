//! A check that runs inside a cluster: metrics, a stored report, parts of a sweep.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::{
    sandbox_support::{Demo, run, until},
    support::has_peer,
};

struct Listening {
    program: Child,
    address: String,
}

impl Listening {
    fn start(demo: &Demo, arguments: &str) -> Self {
        let mut program = demo
            .ngf_tui(arguments)
            .args(["--listen", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        let said = BufReader::new(program.stderr.take().expect("standard error"));
        let mut lines = said.lines().map_while(Result::ok);
        let line = lines
            .find(|line| line.starts_with("Metrics: http://"))
            .expect("it says where the metrics are");
        // The rest is read away, so that the program never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let address = line
            .split(['/', ' '])
            .find(|word| word.contains("127.0.0.1"));
        let address = address.expect("an address").to_owned();
        Self { program, address }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream
            .set_read_timeout(Some(Duration::from_mins(2)))
            .expect("a bound");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
        )
        .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

#[test]
fn metrics_hold_what_check_found() {
    let demo = Demo::start("--scenario wrong-ca");
    let listening = Listening::start(&demo, "check --every 1h");
    let mut answer = String::new();
    until("the first check has ended", || {
        answer = listening.get("/metrics");
        answer.starts_with("HTTP/1.1 200")
    });
    for line in [
        "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8",
        "ngf_findings{code=\"NGF-T1\",severity=\"error\",verdict=\"fail\"} 1",
        "ngf_paths{state=\"tested\"} 1",
        "ngf_paths{state=\"untested\"} 0",
        "service=\"secure-app\",port=\"8443\",outcome=\"verify_error\"} 1",
        "ngf_certificate_not_after_timestamp_seconds{kind=\"Secret\",namespace=\"default\",name=\"app-tls-secret\"",
        "ngf_check_complete 1",
        "# EOF",
    ] {
        assert!(answer.contains(line), "{line} in\n{answer}");
    }
    assert!(listening.get("/healthz").ends_with("ok\n"));
    assert!(listening.get("/else").starts_with("HTTP/1.1 404"));
}

/// A cluster that is gone is no healthy one: the last findings are not served as if they were new.
#[test]
fn a_check_that_fails_is_not_complete() {
    let demo = Demo::start("--stage policy");
    let listening = Listening::start(&demo, "check --no-probe --timeout 1s --every 1s");
    until("a check has ended", || {
        listening.get("/metrics").contains("ngf_check_complete 1")
    });
    drop(demo);
    until("the cluster is missed", || {
        listening.get("/metrics").contains("ngf_check_complete 0")
    });
    let text = listening.get("/metrics");
    assert!(!text.contains("ngf_paths"), "{text}");
}

#[test]
fn a_report_is_stored_and_replaced() {
    if !has_peer("kubectl") {
        return;
    }
    let demo = Demo::start("--scenario wrong-ca");
    for _ in 0..2 {
        let said = run(&mut demo.ngf_tui("check -o json --store configmap/reports"));
        assert!(
            said.err
                .contains("Stored the report in ConfigMap default/reports."),
            "{said:?}"
        );
        let kept = run(&mut demo.kubectl("get configmap reports -o json")).fine();
        let kept: Value = serde_json::from_str(&kept).expect("JSON");
        let report = kept["data"]["report.json"].as_str().expect("a report");
        assert_eq!(report.trim(), said.out.trim());
    }
    let said = run(&mut demo.ngf_tui("check --store configmap/reports --read-only"));
    assert!(said.err.contains("--read-only writes nothing"), "{said:?}");
}

#[test]
fn the_parts_of_a_sweep_test_each_path_once() {
    let demo = Demo::start("--scenario fleet");
    let tested = |arguments: &str| {
        let said = run(&mut demo.ngf_tui(&format!("check -o json --fail-on never {arguments}")));
        let report: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
        let number = |field: &str| report["summary"][field].as_u64().expect("a number");
        (
            number("paths"),
            number("tested_paths"),
            number("tested_endpoints"),
        )
    };
    let (paths, _, sampled) = tested("");
    let parts: Vec<_> = (0..3)
        .map(|part| tested(&format!("--shard {part}/3")))
        .collect();
    assert_eq!(
        parts.iter().map(|part| part.0).sum::<u64>(),
        paths,
        "{parts:?}"
    );
    assert!(parts.iter().all(|part| part.0 == part.1), "{parts:?}");
    let (_, _, all) = tested("--all-endpoints --timeout 2m");
    assert!(all > sampled, "{all} endpoints, {sampled} in a sample");
}
