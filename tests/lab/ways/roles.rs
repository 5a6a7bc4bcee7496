//! Each role suffices for what it is for.

use crate::support::lab::{Lab, said};

use super::{IMAGE, ROUTE, json_of};

/// Of the whole cluster, so that the end of a namespace does not take it along.
struct Bound<'l>(&'l Lab, String);

impl Drop for Bound<'_> {
    fn drop(&mut self) {
        self.0.run(&["delete", "clusterrolebinding", &self.1]);
    }
}

/// Lets an account read everywhere: GatewayClasses are in no namespace.
fn reads_everywhere<'l>(lab: &'l Lab, name: &str) -> Bound<'l> {
    let binding = format!("{}-{name}", lab.namespace);
    let account = format!("--serviceaccount={}:{name}", lab.namespace);
    lab.run(&[
        "create",
        "clusterrolebinding",
        &binding,
        "--clusterrole=ngf-tui-reader",
        &account,
    ]);
    Bound(lab, binding)
}

/// A user by the roles that are bound to it in the namespace, whose token is used as a context of the
/// lab.
fn user(lab: &Lab, name: &str, roles: &[&str]) -> std::path::PathBuf {
    lab.run(&["create", "serviceaccount", name]);
    let account = format!("--serviceaccount={}:{name}", lab.namespace);
    for role in roles {
        let binding = format!("{name}-{role}");
        let role = format!("--clusterrole={role}");
        lab.run(&["create", "rolebinding", &binding, &role, &account]);
    }
    let token = lab.run(&["create", "token", name]);
    let path = std::env::temp_dir().join(format!("{}-{name}.kubeconfig", lab.namespace));
    std::fs::copy(&lab.kubeconfig, &path).expect("a copy");
    let kubectl = |arguments: &[&str]| {
        let status = std::process::Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(&path)
            .args(arguments)
            .output()
            .expect("kubectl");
        assert!(status.status.success(), "{status:?}");
    };
    kubectl(&[
        "config",
        "set-credentials",
        name,
        &format!("--token={}", token.trim()),
    ]);
    let namespace = format!("--namespace={}", lab.namespace);
    kubectl(&[
        "config",
        "set-context",
        "user",
        "--cluster=lab",
        &format!("--user={name}"),
        &namespace,
    ]);
    path
}

#[test]
fn each_role_suffices_for_what_it_is_for() {
    let lab = Lab::guide("roles");
    let roles = std::fs::read_to_string("assets/rbac.yaml").expect("the roles");
    lab.apply(&roles);
    let reader = user(&lab, "reader", &[]);
    let prober = user(&lab, "prober", &["ngf-tui-prober"]);
    let _bound = ["reader", "prober"].map(|name| reads_everywhere(&lab, name));
    let run = |kubeconfig: &std::path::Path, arguments: &[&str]| {
        let mut command = lab.ngf_tui_with(kubeconfig, "user", arguments);
        command.output().expect("it runs")
    };
    // The reader sees everything, and says nothing is denied.
    let output = run(&reader, &["check", "-o", "json"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let denied: Vec<_> = text
        .lines()
        .filter(|line| line.contains("forbidden"))
        .collect();
    assert_eq!(denied, Vec::<&str>::new());
    let output = run(&reader, &["probe", ROUTE, "-o", "json"]);
    let report = json_of(&output);
    assert_eq!(report["via"], "direct");
    let why = report["way"]["not_taken"].to_string();
    for rule in [
        "resources: [pods/exec], verbs: [get, create]",
        "resources: [pods/portforward], verbs: [get, create]",
    ] {
        assert!(why.contains(rule), "{why}");
    }
    for way in ["exec", "port-forward", "ephemeral", "pod"] {
        let output = run(
            &reader,
            &["probe", ROUTE, "--via", way, "--image", IMAGE, "--yes"],
        );
        let text = said(&output);
        assert_eq!(output.status.code(), Some(2), "{way}: {text}");
        assert!(text.contains("add to a Role in namespace"), "{way}: {text}");
    }
    for way in ["auto", "exec", "port-forward", "ephemeral", "pod"] {
        let output = run(
            &prober,
            &["probe", ROUTE, "--via", way, "--image", IMAGE, "--yes"],
        );
        assert_eq!(output.status.code(), Some(0), "{way}: {}", said(&output));
    }
    let output = run(&prober, &["probe", "gateway/gateway", "--all"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let output = run(&prober, &["cleanup"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    for path in [reader, prober] {
        std::fs::remove_file(path).expect("it is there");
    }
    lab.run(&["delete", "-f", "assets/rbac.yaml"]);
}
