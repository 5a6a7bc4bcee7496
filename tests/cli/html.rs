//! `-o html`: one page that loads nothing, holds no secret, and that a browser shows.

use std::{fs, process::Command};

use super::demo::Served;
use crate::support::{has_peer, ngf_tui};

/// Checks what every page keeps to.
fn keeps_to_itself(page: &str) {
    assert!(page.starts_with("<!doctype html>"), "{page}");
    for forbidden in [
        "<script",
        "src=",
        "@import",
        "url(",
        "<link",
        "<img",
        "<iframe",
        "javascript:",
        "onload=",
        "PRIVATE KEY",
    ] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    for wanted in [
        "name=\"viewport\"",
        "prefers-color-scheme: dark",
        "default-src &#39;none&#39;",
        "charset=\"utf-8\"",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    // Every element that is opened is closed.
    for element in [
        "div", "section", "ul", "ol", "li", "table", "tr", "td", "pre", "details", "main", "h3",
    ] {
        let opened = page.matches(&format!("<{element}>")).count()
            + page.matches(&format!("<{element} ")).count();
        let closed = page.matches(&format!("</{element}>")).count();
        assert_eq!(opened, closed, "{element}");
    }
}

#[test]
fn check_and_probe_write_a_page_that_loads_nothing() {
    let served = Served::start("wrong-ca");
    let page = |args: &[&str]| {
        let output = ngf_tui()
            .args(args)
            .args([
                "-o",
                "html",
                "--timeout",
                "60s",
                "--kubeconfig",
                served.kubeconfig(),
            ])
            .output()
            .expect("ngf-tui runs");
        assert_eq!(
            output.status.code(),
            Some(1),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let check = page(&["check"]);
    keeps_to_itself(&check);
    for part in [
        "NGF-M4",
        "NGF-T1",
        "docs/codes/NGF-T1.md",
        "<strong>Fix:</strong>",
        "<h2>Certificates</h2>",
        "<h2>Chains</h2>",
        "secure-app",
    ] {
        assert!(check.contains(part), "{part}");
    }
    let probe = page(&["probe", "httproute/secure-app"]);
    keeps_to_itself(&probe);
    for part in [
        "ClientHello",
        "verify certificate",
        "nginx would log:",
        "The gateway&#39;s client gets 502.",
    ] {
        assert!(probe.contains(part), "{part}");
    }
    let chromium = "chromium";
    if !has_peer(chromium) {
        return;
    }
    // A browser reads it as it is meant: the text is there, and the page is not wider than a phone.
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("check.html");
    fs::write(&file, &check).expect("a file");
    let output = Command::new(chromium)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--window-size=360,800",
            "--dump-dom",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("chromium runs");
    let dom = String::from_utf8_lossy(&output.stdout);
    assert!(dom.contains("did not sign the certificate"), "{dom}");
}

#[test]
fn hostile_names_are_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let manifests = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: \"<script>alert(1)</script>\"}\n\
                     spec: {gatewayClassName: \"<img src=x onload=alert(2)>\"}\n";
    fs::write(folder.path().join("a.yaml"), manifests).expect("a file");
    let output = ngf_tui()
        .current_dir(folder.path())
        .args(["check", "-f", "a.yaml", "-o", "html"])
        .output()
        .expect("ngf-tui runs");
    let page = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        !page.contains("<script") && !page.contains("<img"),
        "{page}"
    );
    assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
}
