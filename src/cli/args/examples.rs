//! Examples of each command, at the end of its help. A test runs each.

use std::fmt::Write as _;

/// Examples: the command (empty for the program itself), and for each example what it does and its line. The lines
/// name `ngf-tui`; help shows the name by which the program was called.
pub const EXAMPLES: &[(&str, &[(&str, &str)])] = &[
    (
        "",
        &[
            (
                "open the terminal interface on the current context",
                "ngf-tui",
            ),
            ("check everything, then one route", "ngf-tui check"),
            ("see one handshake", "ngf-tui probe httproute/secure-app"),
        ],
    ),
    (
        "debug",
        &[(
            "connect from nginx's own pod at first",
            "ngf-tui debug --via exec",
        )],
    ),
    (
        "check",
        &[
            ("everything that may be read", "ngf-tui check"),
            (
                "one route, with its backends",
                "ngf-tui check httproute/secure-app",
            ),
            (
                "manifests, without a cluster",
                "ngf-tui check -f manifests.yaml",
            ),
            (
                "what applying them would break",
                "ngf-tui check -f manifests.yaml --over",
            ),
            (
                "fail where less than a third of a certificate's lifetime is left",
                "ngf-tui check --within 33% -o junit",
            ),
            (
                "accept a known finding",
                "ngf-tui check --suppress NGF-T1=backendtlspolicy/backend-tls",
            ),
            (
                "codes and objects, a line each",
                "ngf-tui check -o jsonpath='{range .findings[*]}{.code} {.subject.name}{\"\\n\"}{end}'",
            ),
        ],
    ),
    (
        "probe",
        &[
            (
                "each backend of a route",
                "ngf-tui probe httproute/secure-app",
            ),
            (
                "a port by its name",
                "ngf-tui probe service secure-app:https",
            ),
            (
                "every endpoint from every data-plane pod",
                "ngf-tui probe gateway/gateway --all",
            ),
            (
                "what TLS versions and ciphers the backend accepts",
                "ngf-tui probe httproute/secure-app --tls-scan",
            ),
        ],
    ),
    (
        "chain",
        &[
            ("what expires first", "ngf-tui chain"),
            (
                "what has expired on that day",
                "ngf-tui chain --at 2099-01-01",
            ),
            ("a certificate a line", "ngf-tui chain -o wide"),
            (
                "one Secret as the tool sees it",
                "ngf-tui chain --inspect secret/app-tls-secret",
            ),
        ],
    ),
    (
        "logs",
        &[
            ("the past hour of every Gateway", "ngf-tui logs"),
            (
                "the last lines of one",
                "ngf-tui logs gateway/gateway --since 15m --tail 100",
            ),
        ],
    ),
    (
        "explain",
        &[
            ("a code", "ngf-tui explain NGF-T1"),
            ("codes that mention a word", "ngf-tui explain hostname"),
            (
                "a reason of a condition",
                "ngf-tui explain InvalidCACertificateRef",
            ),
            (
                "a log line",
                "ngf-tui explain '2026/01/31 12:00:00 [info] 7#7: *1 client sent no required SSL certificate'",
            ),
        ],
    ),
    (
        "bundle",
        &[
            ("everything that may be read", "ngf-tui bundle case.json"),
            ("open it", "ngf-tui check --from case.json"),
        ],
    ),
    (
        "record",
        &[
            ("until ctrl-c", "ngf-tui record incident.jsonl"),
            ("for ten minutes", "ngf-tui record incident.jsonl --for 10m"),
        ],
    ),
    (
        "replay",
        &[("in the terminal interface", "ngf-tui replay incident.jsonl")],
    ),
    (
        "fix",
        &[
            ("what can be fixed", "ngf-tui fix"),
            (
                "show a fix and try it, without applying it",
                "ngf-tui fix NGF-T1 --dry-run",
            ),
        ],
    ),
    (
        "init",
        &[(
            "the manifests for mutual TLS to a Service",
            "ngf-tui init service/secure-app --hostname secure-app.example.com",
        )],
    ),
    (
        "cleanup",
        &[(
            "what is left of earlier probes",
            "ngf-tui cleanup --dry-run",
        )],
    ),
    (
        "relay",
        &[("to a port of this machine", "ngf-tui relay 127.0.0.1:8443")],
    ),
    (
        "version",
        &[
            ("of everything", "ngf-tui version"),
            (
                "of this program, for a script",
                "ngf-tui version --client -o json",
            ),
        ],
    ),
    ("options", &[("all of them", "ngf-tui options")]),
    ("schema", &[("of check -o json", "ngf-tui schema check")]),
    (
        "info",
        &[("where configuration and log are", "ngf-tui info")],
    ),
    (
        "config",
        &[
            (
                "a file to begin with",
                "ngf-tui config default > config.toml",
            ),
            ("whether yours has errors", "ngf-tui config check"),
        ],
    ),
    (
        "completion",
        &[
            ("for bash", "ngf-tui completion bash > ngf-tui.bash"),
            ("for fish", "ngf-tui completion fish > ngf-tui.fish"),
        ],
    ),
    (
        "demo",
        &[
            ("the guide", "ngf-tui demo"),
            (
                "something broken, in words",
                "ngf-tui demo --scenario wrong-ca --plain",
            ),
            ("what there is", "ngf-tui demo --list"),
        ],
    ),
];

/// The examples of a command as help shows them.
pub fn text(command: &str, program: &str) -> Option<String> {
    let (_, examples) = EXAMPLES.iter().find(|(name, _)| *name == command)?;
    let mut text = "Examples:".to_owned();
    for (what, line) in *examples {
        let line = line.replacen("ngf-tui", program, 1);
        let _ = write!(text, "\n  # {what}\n  {line}");
    }
    Some(text)
}
