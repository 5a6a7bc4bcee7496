//! What NGF renders for the scenarios, as its recorded answers have it (`tests/ngf`), with the files that it writes for
//! the scenarios' objects: given to real nginx, which answers whether it loads, as the findings must say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
};

use jiff::Timestamp;
use ngf_core::diagnosis::{Diagnosis, Evidence};
use serde_json::Value;

use super::{
    Certificates, nginx, support,
    support::scenario::{self, Change, changed},
};

/// Rules that say that nginx refuses what NGF renders for backends with a policy.
const REFUSED: &[&str] = &["NGF-P8", "NGF-P9", "NGF-G12"];

const SECRETS: &str = "/etc/nginx/secrets/";

/// A location that passes requests on: its address and its directives.
type Pass = (String, Vec<String>);

/// What NGF of a release renders, by Gateway; nothing where no answer is recorded.
fn rendered(name: &str, release: &str) -> BTreeMap<String, Vec<Pass>> {
    let file = scenario::root().join(name).join("ngf.txt");
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut found: BTreeMap<String, Vec<Pass>> = BTreeMap::new();
    for line in text.lines() {
        let Some((under, said)) = line.split_once('\t') else {
            continue;
        };
        let of_release = under == "all" || under.split(' ').any(|one| one == release);
        let Some(said) = said.strip_prefix("nginx ").filter(|_| of_release) else {
            continue;
        };
        let (gateway, rest) = said.split_once(' ').expect("a Gateway and an address");
        let (address, directives) = rest.split_once(": ").expect("an address and directives");
        let directives = directives.split("; ").map(str::to_owned).collect();
        let passes = found.entry(gateway.to_owned()).or_default();
        passes.push((address.to_owned(), directives));
    }
    found
}

/// The configuration of one Gateway's nginx: what stands within `http`, and within `stream`.
fn configuration(passes: &[Pass]) -> (String, String) {
    let (mut top, mut http, mut stream) = (BTreeSet::new(), String::new(), String::new());
    for (number, (address, directives)) in passes.iter().enumerate() {
        let (scheme, upstream) = address.split_once("://").expect("a scheme");
        let lines = |inside: bool| -> String {
            let of_top = |line: &&String| line.starts_with("proxy_ssl_certificate");
            let all = directives.iter().filter(|line| of_top(line) != inside);
            all.map(|line| format!("{line};\n")).collect()
        };
        if scheme == "stream" {
            let _ = writeln!(
                stream,
                "upstream u{number} {{ server 127.0.0.1:1; }}
                server {{ listen unix:DIR/{number}.sock; proxy_pass u{number}; {} {} }}",
                lines(false),
                lines(true)
            );
            continue;
        }
        top.insert(lines(false));
        let pass = if scheme == "grpcs" { "grpc" } else { "proxy" };
        let _ = writeln!(
            http,
            "upstream {upstream}_{number} {{ server 127.0.0.1:1; }}
            server {{ listen unix:DIR/{number}.sock; location / {{
                {pass}_pass {scheme}://{upstream}_{number}; {} }} }}",
            lines(true)
        );
    }
    let top: String = top.into_iter().collect();
    (format!("{top} {http}"), stream)
}

/// What NGF writes into a file: of a bundle the key `ca.crt`, of a pair both others.
fn content(name: &str, objects: &[Value], certificates: &Certificates) -> Option<String> {
    let (prefix, ending, keys): (&str, &str, &[&str]) = if name.starts_with("cert_bundle_") {
        ("cert_bundle_", ".crt", &["ca.crt"])
    } else {
        ("ssl_keypair_", ".pem", &["tls.crt", "tls.key"])
    };
    let path = name.strip_prefix(prefix)?.strip_suffix(ending)?;
    let (namespace, object) = path.split_once('_')?;
    let is_meant = |value: &&Value| {
        value["metadata"]["name"] == object
            && value["metadata"]["namespace"].as_str().unwrap_or("default") == namespace
    };
    // A ConfigMap takes the place of a Secret of that name.
    let mut of_kinds = ["ConfigMap", "Secret"].into_iter().filter_map(|kind| {
        objects
            .iter()
            .filter(is_meant)
            .find(|one| one["kind"] == kind)
    });
    let found = of_kinds.next()?;
    let text = |key: &&str| {
        let text = found["stringData"][*key].as_str();
        text.or_else(|| found["data"][*key].as_str()).unwrap_or("")
    };
    let mut content: String = keys.iter().map(text).collect();
    for (name, pair) in certificates {
        content = content
            .replace(&format!("{{{{{name}.crt}}}}"), &pair.certificate_pem())
            .replace(&format!("{{{{{name}.key}}}}"), &pair.key_pem());
    }
    Some(content)
}

#[test]
fn nginx_loads_what_ngf_renders_unless_a_finding_says_that_it_does_not() {
    if !support::has_peer("nginx") || !nginx::has_streams() {
        return;
    }
    let (mut wrong, mut judged, mut refused) = (String::new(), 0, 0);
    for name in scenario::all() {
        let file = scenario::root().join(&name).join("ngf.txt");
        if !file.exists() {
            continue;
        }
        let now = Timestamp::now();
        let (snapshot, certificates) = changed(&name, Change::default(), now);
        let diagnosis = Diagnosis::of(&snapshot, &Evidence::none(), Timestamp::now());
        let objects = scenario::objects_by_name(&name);
        let release = diagnosis.running.release.to_string();
        for (gateway, passes) in rendered(&name, &release) {
            let (http, stream) = configuration(&passes);
            let named = passes.iter().flat_map(|(_, lines)| lines);
            let named = named.filter_map(|line| line.split_once(SECRETS).map(|(_, file)| file));
            // The CAs of the image.
            let mut files = vec![("system.pem", certificates["ca"].certificate_pem())];
            for file in named.collect::<BTreeSet<_>>() {
                if let Some(content) = content(file, &objects, &certificates) {
                    files.push((file, content));
                }
            }
            let said = nginx::tested(&files, &http, &stream);
            judged += 1;
            let loads = !said.contains("[emerg]");
            refused += usize::from(!loads);
            let is_told = diagnosis.findings.iter().any(|found| {
                let of_gateway = gateway.ends_with(&found.subject.name)
                    || found.objects().any(|object| object.path() == gateway)
                    || found.code == "NGF-P8"
                    || found.code == "NGF-P9";
                REFUSED.contains(&found.code.as_str()) && of_gateway
            });
            if loads == is_told {
                let codes: Vec<&str> = diagnosis
                    .findings
                    .iter()
                    .map(|one| one.code.as_str())
                    .collect();
                let _ = writeln!(wrong, "{name} {gateway} {codes:?}: {}", said.trim());
            }
        }
    }
    println!("{judged} configurations, {refused} refused");
    assert!(judged > 150, "only {judged}");
    assert!(refused >= 3, "only {refused}");
    assert!(wrong.is_empty(), "{wrong}");
}
