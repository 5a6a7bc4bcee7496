//! What NGF's configuration says of TLS towards backends. NGF's templates put one directive on a line.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// A line for each way in which the nginx of a Gateway passes requests on to Services over TLS.
pub(super) fn passes(gateway: &str, files: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (file, text) in files.as_object().into_iter().flatten() {
        if file.ends_with("/http.conf") || file.ends_with("/stream.conf") {
            let text = text.as_str().expect("text");
            all.extend(
                of_file(text)
                    .into_iter()
                    .map(|line| format!("nginx {gateway} {line}")),
            );
        }
    }
    all
}

fn of_file(text: &str) -> BTreeSet<String> {
    let groups = groups(text);
    // What stands outside of any block is the client certificate, which counts for all.
    let mut client = Vec::new();
    let mut blocks: Vec<Vec<String>> = vec![Vec::new()];
    let mut all = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        if line.ends_with('{') {
            blocks.push(Vec::new());
        } else if line == "}" {
            let block = blocks.pop().expect("a block");
            all.extend(over_tls(&block, &client, &groups));
        } else if let Some(directive) = line.strip_suffix(';') {
            let name = directive.split(' ').next().unwrap_or_default();
            let about_tls = ["proxy_ssl", "grpc_ssl"]
                .iter()
                .any(|start| name.starts_with(start));
            if about_tls && blocks.len() == 1 {
                client.push(directive.to_owned());
            } else if about_tls || matches!(name, "proxy_pass" | "grpc_pass") {
                blocks
                    .last_mut()
                    .expect("a block")
                    .push(directive.to_owned());
            }
        }
    }
    all
}

/// The upstreams that the variable of a `split_clients` block stands for.
fn groups(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut open = None;
    for line in text.lines().map(str::trim) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["split_clients", _, variable, "{"] => open = Some(*variable),
            ["}"] => open = None,
            [_, upstream] if let Some(variable) = open => {
                found
                    .entry(variable)
                    .or_default()
                    .push(upstream.trim_end_matches(';'));
            }
            _ => {}
        }
    }
    found
}

/// A line for each upstream that a block passes to over TLS.
fn over_tls(
    block: &[String],
    client: &[String],
    groups: &BTreeMap<&str, Vec<&str>>,
) -> Vec<String> {
    let pass = block.iter().find_map(|directive| {
        let (name, value) = directive.split_once(' ')?;
        name.ends_with("_pass").then_some(value)
    });
    let mut directives: Vec<&str> = block
        .iter()
        .map(String::as_str)
        .filter(|directive| !directive.contains("_pass "))
        .collect();
    let Some(pass) = pass.filter(|_| !directives.is_empty()) else {
        return Vec::new();
    };
    let (scheme, upstream) = pass.split_once("://").unwrap_or(("stream", pass));
    let upstream = upstream.trim_end_matches("$request_uri");
    // The certificate outside of blocks is of the proxy module alone.
    if directives
        .iter()
        .all(|directive| directive.starts_with("proxy_"))
    {
        directives.extend(client.iter().map(String::as_str));
    }
    let upstreams = match groups.get(upstream) {
        Some(several) => several.clone(),
        None => vec![upstream],
    };
    let ours = upstreams
        .iter()
        .filter(|name| !name.starts_with("invalid-"));
    ours.map(|upstream| format!("{scheme}://{upstream}: {}", directives.join("; ")))
        .collect()
}
