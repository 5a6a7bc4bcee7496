//! `check` in a pipeline: findings that are chosen or accepted, and formats that name file and line.

use std::{fs, path::Path};

use crate::support::ngf_tui;
use serde_json::Value;

/// A policy whose CA has no ca.crt: NGF-P6 about the ConfigMap, NGF-P15 about the policy because of it.
const MANIFESTS: &str = "\
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: nginx}
spec: {controllerName: gateway.nginx.org/nginx-gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: nginx
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: gateway}]
  rules: [{backendRefs: [{name: shop, port: 8443}]}]
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {ports: [{name: https, port: 8443}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata:
  name: shop-tls
spec:
  targetRefs: [{group: '', kind: Service, name: shop}]
  validation:
    hostname: shop.example.com
    caCertificateRefs: [{group: '', kind: ConfigMap, name: shop-ca}]
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: shop-ca
data: {other: x}
";

/// A folder with the manifests, which may be changed first.
fn folder(change: impl FnOnce(&str) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("deploy")).expect("a folder");
    let path = folder.path().join("deploy/shop.yaml");
    fs::write(path, change(MANIFESTS)).expect("a file");
    folder
}

fn check(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = ngf_tui()
        .current_dir(folder)
        .args(["check", "-f", "deploy"])
        .args(args)
        .output()
        .expect("ngf-tui runs");
    (
        output.status.code(),
        String::from_utf8(output.stdout).expect("UTF-8"),
        String::from_utf8(output.stderr).expect("UTF-8"),
    )
}

fn json(folder: &Path, args: &[&str]) -> Value {
    let (_, out, error) = check(folder, &[args, &["-o", "json"]].concat());
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{error}"))
}

fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn codes(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().expect("findings");
    findings
        .iter()
        .filter_map(|finding| finding["code"].as_str())
        .collect()
}

#[test]
fn a_suppressed_finding_is_counted_and_does_not_fail() {
    let folder = folder(str::to_owned);
    let folder = folder.path();
    let (status, out, _) = check(folder, &[]);
    assert_eq!(status, Some(1), "{out}");
    assert_eq!(codes(&json(folder, &[])), ["NGF-P6", "NGF-P15"]);

    // The effect stays: whoever accepts the cause has not accepted what it does.
    let one = ["--suppress", "P6=configmap/shop-ca"];
    let (status, out, _) = check(folder, &one);
    assert_eq!(status, Some(1), "{out}");
    assert!(
        out.contains("Suppressed: NGF-P6 of ConfigMap default/shop-ca (--suppress)"),
        "{out}"
    );
    let report = json(folder, &one);
    assert_eq!(codes(&report), ["NGF-P15"]);
    assert_eq!(report["findings"][0]["caused_by"], Value::Null);
    assert_eq!(report["filtered"]["suppressed"][0]["code"], "NGF-P6");
    assert_eq!(report["summary"]["errors"], 1);

    let both = ["--suppress", "NGF-P6", "--suppress", "p15"];
    let (status, out, _) = check(folder, &both);
    assert_eq!(status, Some(0), "{out}");
    assert!(out.contains("0 errors, 0 warnings"), "{out}");
    assert_eq!(out.matches("Suppressed: ").count(), 2, "{out}");
    // Nothing gets healthy by it.
    assert_eq!(json(folder, &both)["summary"]["health"], "broken");

    // Of another object it means another finding.
    let (status, out, _) = check(folder, &["--suppress", "P6=configmap/other"]);
    assert_eq!(status, Some(1), "{out}");
    assert!(
        out.contains("Suppression meets no finding: NGF-P6 of ConfigMap other (--suppress)"),
        "{out}"
    );
}

#[test]
fn an_annotation_suppresses_until_its_date_and_gives_a_reason() {
    let annotated = |entry: &str| {
        folder(|text| {
            let name = "metadata:\n  name: shop-ca";
            text.replace(
                name,
                &format!("{name}\n  annotations: {{ngf-tui/suppress: \"{entry}\"}}"),
            )
        })
    };
    let accepted = annotated("NGF-P6 until 9999-12-30: the vendor ships it in May");
    let (_, out, _) = check(accepted.path(), &[]);
    let out = unwrapped(&out);
    let says = "Suppressed: NGF-P6 of ConfigMap default/shop-ca (until 9999-12-30: the vendor ships it in May; \
                annotation ngf-tui/suppress of ConfigMap default/shop-ca)";
    assert!(out.contains(says), "{out}");

    let ended = annotated("NGF-P6 until 2001-01-31: the vendor ships it in May");
    let report = json(ended.path(), &[]);
    assert_eq!(codes(&report), ["NGF-P6", "NGF-P15"]);
    assert_eq!(report["filtered"]["expired"][0]["until"], "2001-01-31");
    let (_, out, _) = check(ended.path(), &[]);
    let out = unwrapped(&out);
    assert!(
        out.contains("Suppression expired on 2001-01-31: NGF-P6 (the vendor ships it in May;"),
        "{out}"
    );

    let wrong = annotated("NGF-P6");
    let report = json(wrong.path(), &[]);
    assert_eq!(codes(&report), ["NGF-P6", "NGF-P15"]);
    let why = report["filtered"]["unreadable"][0]
        .as_str()
        .expect("a sentence");
    assert!(why.contains("gives no reason"), "{why}");
}

#[test]
fn an_ignore_file_suppresses_and_is_refused_where_it_is_wrong() {
    let folder = folder(str::to_owned);
    let file = |text: &str| fs::write(folder.path().join("ignore.yaml"), text).expect("a file");
    let args = ["--ignore-file", "ignore.yaml"];
    file(
        "ignore:\n- code: NGF-P6\n  object: configmap/default/shop-ca\n  reason: ships in May\n  expires: 9999-12-30\n\
         - code: NGF-P15\n  reason: known\n  expires: 2001-01-31\n- code: NGF-T1\n  reason: never met\n",
    );
    let report = json(folder.path(), &args);
    assert_eq!(codes(&report), ["NGF-P15"]);
    let filtered = &report["filtered"];
    assert_eq!(
        filtered["suppressed"][0]["by"]["place"],
        "ignore.yaml, line 2"
    );
    assert_eq!(filtered["expired"][0]["what"], "NGF-P15");
    assert_eq!(filtered["unused"][0]["what"], "NGF-T1");
    let (_, junit, _) = check(folder.path(), &[&args[..], &["-o", "junit"]].concat());
    let document = roxmltree::Document::parse(&junit).expect("XML");
    let suite = document
        .descendants()
        .find(|node| node.attribute("name") == Some("suppressed"))
        .expect("a suite");
    assert_eq!(suite.attribute("tests"), Some("2"), "{junit}");
    assert_eq!(suite.attribute("skipped"), Some("1"), "{junit}");
    let passes = |code: &str| {
        document.descendants().any(|node| {
            node.attribute("classname") == Some(code)
                && !node.children().any(|child| child.is_element())
        })
    };
    assert!(
        passes("NGF-R3") && !passes("NGF-P6"),
        "what is suppressed has not passed: {junit}"
    );

    for (text, says) in [
        (
            "ignore:\n- {code: NGF-P99, reason: x}\n",
            "ignore.yaml, line 2: unknown code \"NGF-P99\"",
        ),
        ("ignore:\n- {code: NGF-P6}\n", "reason"),
        ("nothing", "ignore.yaml: "),
    ] {
        file(text);
        let (status, out, error) = check(folder.path(), &args);
        assert_eq!((status, out.as_str()), (Some(2), ""), "{text}: {error}");
        assert!(error.contains(says), "{text}: {error}");
    }
    let (status, _, error) = check(folder.path(), &["--ignore-file", "missing.yaml"]);
    assert_eq!(status, Some(2), "{error}");
    assert!(
        error.contains("--ignore-file missing.yaml: cannot be read"),
        "{error}"
    );
}

#[test]
fn only_some_codes_are_reported_and_the_others_are_counted() {
    let folder = folder(str::to_owned);
    let (status, out, _) = check(folder.path(), &["--only", "T"]);
    assert_eq!(status, Some(0), "{out}");
    assert!(
        out.contains("2 findings with other codes not shown (--only)"),
        "{out}"
    );
    let report = json(folder.path(), &["--only", "P15,T1"]);
    assert_eq!(codes(&report), ["NGF-P15"]);
    assert_eq!(report["filtered"]["left_out"], 1);
    let (_, junit, _) = check(folder.path(), &["--only", "P15", "-o", "junit"]);
    assert!(
        !junit.contains("NGF-T1"),
        "a rule that was not asked for has not passed: {junit}"
    );
    let (status, _, error) = check(folder.path(), &["--only", "P99"]);
    assert_eq!(status, Some(2), "{error}");
    assert!(
        error.contains("unknown code \"P99\": did you mean NGF-P9?"),
        "{error}"
    );
}

#[test]
fn a_cause_names_its_file_and_line_and_a_misspelt_field_the_one_that_is_meant() {
    let folder = folder(|text| text.replace("hostname: shop", "hostnmae: shop"));
    let (status, out, error) = check(folder.path(), &[]);
    assert_eq!(status, Some(1), "{error}");
    let line_of = |text: &str| {
        let at = MANIFESTS.lines().position(|line| line.contains(text));
        at.expect("a line") + 1
    };
    let misspelt = out
        .split("\n\n")
        .find(|block| block.contains("NGF-K6"))
        .unwrap_or_else(|| panic!("{out}"));
    let place = format!("at deploy/shop.yaml:{}\n", line_of("hostname: shop"));
    assert!(misspelt.contains(&place), "{out}");
    assert!(
        unwrapped(misspelt).contains("did you mean hostname?"),
        "{out}"
    );

    let folder = self::folder(str::to_owned);
    let (_, out, _) = check(folder.path(), &[]);
    let empty = out
        .split("\n\n")
        .find(|block| block.contains("✗ NGF-P6"))
        .unwrap_or_else(|| panic!("{out}"));
    let place = format!("at deploy/shop.yaml:{}\n", line_of("  name: shop-ca"));
    assert!(empty.contains(&place), "{out}");
}

#[test]
fn sarif_and_junit_name_file_line_and_excerpt() {
    let folder = folder(str::to_owned);
    let line_of = |text: &str| {
        let before = MANIFESTS.split(text).next().expect("text");
        before.lines().count() + 1
    };
    let (status, out, error) = check(folder.path(), &["-o", "sarif", "--suppress", "P15"]);
    assert_eq!(status, Some(1), "{error}");
    let log: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "ngf-tui");
    let results = run["results"].as_array().expect("results");
    let result = |code: &str| {
        let found = results.iter().find(|result| result["ruleId"] == code);
        found.unwrap_or_else(|| panic!("{code}: {out}"))
    };
    let finding = result("NGF-P6");
    assert_eq!(finding["level"], "error");
    let place = &finding["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "deploy/shop.yaml");
    assert_eq!(
        place["region"]["startLine"],
        line_of("  name: shop-ca\ndata")
    );
    assert_eq!(place["region"]["snippet"]["text"], "  name: shop-ca");
    let rule = finding["ruleIndex"].as_u64().expect("an index");
    let rule = &run["tool"]["driver"]["rules"][usize::try_from(rule).expect("small")];
    assert_eq!(rule["id"], "NGF-P6");
    assert!(
        rule["helpUri"]
            .as_str()
            .is_some_and(|url| url.ends_with("NGF-P6.md")),
        "{rule}"
    );
    let accepted = result("NGF-P15");
    assert_eq!(
        accepted["suppressions"][0]["status"], "accepted",
        "{accepted}"
    );
    assert!(finding.get("suppressions").is_none());

    let (_, junit, _) = check(folder.path(), &["-o", "junit"]);
    let document = roxmltree::Document::parse(&junit).expect("XML");
    let case = document
        .descendants()
        .find(|node| node.attribute("classname") == Some("NGF-P6") && node.has_attribute("file"))
        .expect("a case");
    assert_eq!(case.attribute("file"), Some("deploy/shop.yaml"));
    let line = line_of("  name: shop-ca\ndata").to_string();
    assert_eq!(case.attribute("line"), Some(line.as_str()));
    let text = case
        .descendants()
        .find_map(|node| node.text().filter(|text| text.contains("shop.yaml:")));
    assert!(
        text.is_some_and(|text| text.contains("    name: shop-ca")),
        "{junit}"
    );
}

#[test]
fn sarif_of_what_cannot_be_read_says_so() {
    let folder = folder(|_| "not: a manifest\napiVersion: v1\n".to_owned());
    let (status, out, error) = check(folder.path(), &["-o", "sarif"]);
    assert_eq!(status, Some(2), "{error}");
    let log: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        log["runs"][0]["invocations"][0]["executionSuccessful"],
        false
    );
    let place = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "deploy/shop.yaml");
    assert_eq!(place["region"]["startLine"], 1);
}
