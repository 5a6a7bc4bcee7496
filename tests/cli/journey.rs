//! A person's way through the demo, in a real terminal at two sizes; the screens are kept.

use crate::support::{has_peer, terminal::Terminal};

/// What differs from run to run, made the same: addresses, times, sizes, keys, ages.
fn filters() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("../golden");
    for (pattern, same) in [
        (r"127\.[0-9.]*", "127.x.y.z"),
        (r"secure-app-[0-9a-z]+-([0-9a-z]+…?|…)", "secure-app-POD"),
        (r"gateway-nginx-[0-9a-z]+-[0-9a-z]+", "gateway-nginx-POD"),
        (r"[─ ]*\d+(\.\d+)? (B|kB) +\d+\.\d+ m?s", " SIZE TIME"),
        (r"[─ ]*[0-9.]+ m?s\b", " TIME"),
        (r"SHA-256 [0-9a-f:…]+", "SHA-256 FINGERPRINT"),
        (r"\b\d+(s|m)\b", "AGE"),
        (r"\d+d( \d+h)? of \d+d left", "VALIDITY"),
        (r"[▓░]+", "BAR"),
        (r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?Z?", "DATE"),
        (r"20\d\d-\d\d-\d\d", "DATE"),
        (r"OpenSSL \d+\.\d+\.\d+ +\d+ \w+ \d+", "OpenSSL VERSION"),
        // Columns move with what stands in them.
        (r" {2,}", "  "),
        (r"─{2,}", "──"),
    ] {
        settings.add_filter(pattern, same);
    }
    settings
}

/// A dialog without what is beside it on the screen: how much of a pod's name shows there differs from run to run.
fn dialog(screen: &str) -> String {
    let lines = screen.lines().filter_map(|line| {
        let from = line.find(['╭', '│', '╰'])?;
        let (to, last) = line.char_indices().rfind(|(_, c)| "╮│╯".contains(*c))?;
        line.get(from..to + last.len_utf8())
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn journey(columns: u16, lines: u16) {
    if !has_peer("tmux") {
        return;
    }
    let settings = filters();
    let keep = |name: &str, screen: String| {
        settings.bind(|| insta::assert_snapshot!(format!("{name}-{columns}x{lines}"), screen));
    };
    let terminal = Terminal::open(&format!("journey-{columns}"), columns, lines);
    // Step by step, as a person does it; what is tested without a key press is tested below.
    terminal.run(&format!(
        "NO_COLOR=1 {} demo --no-probe; echo ended with $?",
        env!("CARGO_BIN_EXE_ngf-tui")
    ));

    terminal.wait_for(&["live", "1 path untested", "guide 1 of 3"]);
    keep("1-start", terminal.settled());

    terminal.press(&["Enter", "r"]);
    // The gateway is asked, and the logs are read as well.
    terminal.wait_for(&["Handshake", "TCP connected", "gateway says 400"]);
    keep("2-before", terminal.settled());

    terminal.press(&["}"]);
    terminal.wait_for(&["guide 2 of 3"]);
    terminal.press(&["}"]);
    terminal.wait_for(&["guide 3 of 3"]);
    // The stage is reached before its policy has been seen.
    terminal.press(&["T"]);
    terminal.wait_for(&["← backend-tls"]);
    terminal.press(&["Enter", "2"]);
    terminal.settled();
    terminal.press_until("r", &["ClientHello", "gateway says 200, probe says 200"]);
    keep("3-handshake", terminal.settled());

    terminal.press(&["Home", "Down", "Down", "Down", "Enter"]);
    terminal.wait_for(&["step 4"]);
    keep("4-step", terminal.settled());

    terminal.press(&["Escape", "z"]);
    terminal.wait_for(&["ServerHello"]);
    keep("5-wire", terminal.settled());

    terminal.press(&["1"]);
    terminal.wait_for(&["proves itself to secure-app"]);
    keep("6-chain", terminal.settled());

    terminal.press(&["P"]);
    terminal.wait_for(&["1 served"]);
    keep("8-matrix", terminal.settled());

    terminal.press(&["v"]);
    terminal.wait_for(&["what it proves"]);
    keep("9-way", terminal.settled());
    terminal.press(&["Escape"]);

    terminal.press(&["?"]);
    terminal.wait_for(&["Keys", "Move"]);
    keep("7-help", dialog(&terminal.settled()));

    terminal.press(&["Escape", "q"]);
    let after = terminal.wait_for(&["ended with 0"]);
    assert!(
        !after.contains("Problems"),
        "the terminal is given back:\n{after}"
    );
}

#[test]
fn a_person_walks_the_guide_at_80x24() {
    journey(80, 24);
}

#[test]
fn a_person_walks_the_guide_at_160x45() {
    journey(160, 45);
}

/// Whatever ends the program, the shell's screen and its line editing are back.
#[test]
fn the_terminal_is_given_back_after_every_end() {
    if !has_peer("tmux") {
        return;
    }
    for end in ["key q", "key ctrl-c", "TERM", "HUP"] {
        let terminal = Terminal::open(&format!("end-{}", end.replace(' ', "-")), 80, 24);
        terminal.run(&format!(
            "{} demo; echo ended with $?",
            env!("CARGO_BIN_EXE_ngf-tui")
        ));
        terminal.wait_for(&["live", "Problems"]);
        match end {
            "key q" => terminal.press(&["q"]),
            "key ctrl-c" => terminal.press(&["C-c"]),
            signal => {
                let pid = terminal.pid_of("demo");
                std::process::Command::new("kill")
                    .args([&format!("-{signal}"), &pid])
                    .status()
                    .expect("kill runs");
            }
        }
        let status = match end {
            "TERM" => 143,
            "HUP" => 129,
            _ => 0,
        };
        terminal.wait_for(&[&format!("ended with {status}")]);
        terminal.run("stty -a | grep -c -- '-icanon'; echo ty''ped");
        let screen = terminal.wait_for(&["typed"]);
        assert!(
            !screen.contains("Problems"),
            "{end}: the screen is given back:\n{screen}"
        );
        assert!(
            screen.contains("\n0\n"),
            "{end}: the line discipline is back:\n{screen}"
        );
    }
}

/// At 80x24 the first screen names the cause of every scenario, and nobody has pressed a key.
#[test]
fn the_first_screen_names_the_cause_of_every_scenario() {
    if !has_peer("tmux") {
        return;
    }
    let causes: &[(&str, &str)] = &[
        ("guide", "no problems"),
        ("wrong-hostname", "NGF-T8"),
        ("expired-backend-certificate", "NGF-T5"),
        ("wrong-ca", "NGF-M4"),
        ("no-client-certificate", "NGF-G8"),
        ("client-certificate-from-another-ca", "NGF-M4"),
        ("secret-without-ca-crt", "NGF-P8"),
        ("policy-on-wrong-service", "NGF-P1"),
        ("opaque-secret", "NGF-P7"),
        ("plain-backend", "NGF-T12"),
        ("two-endpoints-one-expired", "NGF-T5"),
        ("fleet", "NGF-D3"),
        ("expired-client-certificate", "NGF-G9"),
        ("sni-mismatch-421", "NGF-B8"),
        ("frontend-mtls", "NGF-L4"),
    ];
    let known: Vec<&str> = ngf_sandbox::SCENARIOS.iter().map(|s| s.name).collect();
    let named: Vec<&str> = causes.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, known, "each scenario has a line in this table");
    for (scenario, cause) in causes {
        let terminal = Terminal::open(&format!("first-{scenario}"), 80, 24);
        terminal.run(&format!(
            "NO_COLOR=1 {} demo --scenario {scenario}",
            env!("CARGO_BIN_EXE_ngf-tui")
        ));
        terminal.wait_for(&["live", cause]);
        // Every path is tested, and the cause stays on the screen.
        let screen = terminal.wait_until_gone("untested");
        assert!(screen.contains(cause), "{scenario}:\n{screen}");
    }
}

/// Without the first handshakes the header says what is not known, and shows no tick.
#[test]
fn what_was_not_tested_is_counted_in_the_header() {
    if !has_peer("tmux") {
        return;
    }
    for options in ["--no-probe", "--read-only"] {
        let name = format!("untested{options}");
        let terminal = Terminal::open(&name, 80, 24);
        terminal.run(&format!(
            "NO_COLOR=1 {} demo --scenario guide {options}",
            env!("CARGO_BIN_EXE_ngf-tui")
        ));
        let screen = terminal.wait_for(&["live", "? 1 untested"]);
        assert!(!screen.contains("no problems"), "{screen}");
        terminal.press(&["r"]);
        terminal.wait_for(&["no problems found: 1 of 1 path"]);
    }
}

/// From the first screen three keys lead to the bytes of the step that fails; where no handshake was run
/// because the objects alone are at fault, to the field that is.
#[test]
fn three_keys_lead_from_the_start_to_the_bytes() {
    if !has_peer("tmux") {
        return;
    }
    // What stands on the place that the keys lead to: the decoded fields of the step, or the field at fault. Of
    // the fleet only a handshake from one of five data-plane pods fails; where none was made from there, it is
    // the file on that pod's disk that is at fault.
    let bytes: &[(&str, &[&[&str]])] = &[
        (
            "wrong-hostname",
            &[&["step 8", "proxy_ssl_name", "backend.example.com"]],
        ),
        (
            "expired-backend-certificate",
            &[&["step 8", "10: certificate has expired"]],
        ),
        (
            "wrong-ca",
            &[&["step 8", "21: unable to verify the first certificate"]],
        ),
        ("no-client-certificate", &[&["step 6", "HTTP response"]]),
        (
            "client-certificate-from-another-ca",
            &[&["step 6", "HTTP response"]],
        ),
        (
            "secret-without-ca-crt",
            &[&["[YAML]", "data:   ✗ the field at fault"]],
        ),
        ("policy-on-wrong-service", &[&["step 10", "HTTP response"]]),
        (
            "opaque-secret",
            &[&["[YAML]", "type: Opaque   ✗ the field at fault"]],
        ),
        ("plain-backend", &[&["step 3", "cipher_suites"]]),
        (
            "two-endpoints-one-expired",
            &[&["step 8", "10: certificate has expired"]],
        ),
        (
            "fleet",
            &[
                &["step 8", "verify_result"],
                &["Findings]", "in the cluster: CN=LocalCA"],
            ],
        ),
        (
            "expired-client-certificate",
            &[&["step 6", "HTTP response"]],
        ),
        ("sni-mismatch-421", &[&["step 10", "HTTP response"]]),
        (
            "frontend-mtls",
            &[&["client sent no required SSL certificate", "gateway-nginx"]],
        ),
    ];
    let known: Vec<&str> = ngf_sandbox::SCENARIOS[1..].iter().map(|s| s.name).collect();
    let named: Vec<&str> = bytes.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, known, "each scenario has a line in this table");
    for (scenario, expected) in bytes {
        let terminal = Terminal::open(&format!("bytes-{scenario}"), 80, 24);
        terminal.run(&format!(
            "NO_COLOR=1 {} demo --scenario {scenario}",
            env!("CARGO_BIN_EXE_ngf-tui")
        ));
        terminal.wait_for(&["live", " NGF-"]);
        // Every path is tested, and the logs are read.
        terminal.wait_until_gone("testing ");
        terminal.wait_until_gone("untested");
        terminal.settled();
        let is_there = |screen: &str| {
            let all = |texts: &&[&str]| texts.iter().all(|text| screen.contains(text));
            expected.iter().any(all)
        };
        let mut keys = keys_until(&terminal, &is_there);
        // Each handshake of the fleet leaves from another pod, and one that is made between two keys shows another side.
        if keys.is_none() && *scenario == "fleet" {
            while terminal.screen().contains("Problems ›") {
                let before = terminal.screen();
                terminal.press(&["Escape"]);
                terminal.wait_until_changed(&before);
                terminal.settled();
            }
            keys = keys_until(&terminal, &is_there);
        }
        let keys = keys.unwrap_or_else(|| {
            panic!(
                "{scenario}: three keys, and not {expected:?}:\n{}",
                terminal.screen()
            )
        });
        println!("{scenario}: {keys} keys");
    }
}

/// How often Enter is pressed until the screen is as wanted: three times at most.
fn keys_until(terminal: &Terminal, is_there: &impl Fn(&str) -> bool) -> Option<usize> {
    for keys in 0..=3 {
        let before = terminal.screen();
        if is_there(&before) {
            return Some(keys);
        }
        if keys < 3 {
            terminal.press(&["Enter"]);
            terminal.wait_until_changed(&before);
            terminal.wait_until_gone("A handshake is running");
            terminal.wait_until_gone("running; ctrl-x");
            terminal.settled();
        }
    }
    None
}
