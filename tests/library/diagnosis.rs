//! Every scenario under `tests/scenarios` gives the findings that it names, in that order.

mod maskings;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::support::scenario::{self, Base, Decoder, Part, Scenario};
use ngf_core::{
    diagnosis::{
        Diagnosis, Severity,
        context::Context,
        ngf::BackendState,
        registry::{self, RULES},
    },
    model::{index::Index, topology::Topology},
};

use maskings::MASKINGS;

/// Every scenario with its diagnosis, made once for all tests of this file.
fn diagnosed() -> &'static [(Scenario, Diagnosis)] {
    static ALL: OnceLock<Vec<(Scenario, Diagnosis)>> = OnceLock::new();
    ALL.get_or_init(|| {
        in_parallel(&scenario::all(), |name| {
            let scenario = Scenario::load(name);
            let diagnosis = scenario.diagnose();
            (scenario, diagnosis)
        })
    })
}

/// What `one` makes of each, in the same order, by as many threads as there are cores.
fn in_parallel<T: Sync, R: Send>(all: &[T], one: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut made: Vec<(usize, R)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut made = Vec::new();
                    loop {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        let Some(item) = all.get(place) else {
                            return made;
                        };
                        made.push((place, one(item)));
                    }
                })
            })
            .collect();
        let joined = workers.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined.flat_map(|made| made.expect("no panic")).collect()
    });
    made.sort_by_key(|(place, _)| *place);
    made.into_iter().map(|(_, result)| result).collect()
}

/// The diagnosis of one of them.
fn of(name: &str) -> &'static Diagnosis {
    let found = diagnosed().iter().find(|(one, _)| one.name == name);
    &found.expect("a scenario").1
}

#[test]
fn every_scenario_gives_what_it_names_in_that_order() {
    let mut wrong = Vec::new();
    for (scenario, diagnosis) in diagnosed() {
        let name = &scenario.name;
        let found: Vec<String> = diagnosis
            .findings
            .iter()
            .map(|finding| scenario::line(finding, &diagnosis.findings))
            .collect();
        if found != scenario.description.expect {
            let titles: Vec<String> = diagnosis
                .findings
                .iter()
                .map(|finding| format!("      {} {}", finding.code, finding.title))
                .collect();
            wrong.push(format!(
                "{name}: {}\n  expected {:?}\n  found    {found:?}\n{}",
                scenario.description.about,
                scenario.description.expect,
                titles.join("\n")
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} scenarios:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn findings_say_what_their_scenario_wants_said() {
    let mut checked = 0;
    for (scenario, diagnosis) in diagnosed() {
        for (code, wanted) in &scenario.description.words {
            let of_code = diagnosis.findings.iter();
            let of_code = of_code.filter(|finding| finding.code.as_str() == code);
            let text: Vec<String> = of_code
                .flat_map(|finding| {
                    let lines = [&finding.title].into_iter();
                    let lines = lines.chain(&finding.detail).chain(&finding.effects);
                    lines.cloned().collect::<Vec<_>>()
                })
                .collect();
            for words in wanted {
                assert!(
                    text.iter().any(|line| line.contains(words.as_str())),
                    "{}: {code} does not say {words:?}: {text:#?}",
                    scenario.name
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 4, "{checked}");
}

/// The codes that a scenario names, with those of its near misses left out.
fn codes_that_fire() -> BTreeSet<String> {
    scenario::all()
        .iter()
        .flat_map(|name| scenario::expected(name))
        .filter_map(|line| line.split(' ').next().map(str::to_owned))
        .collect()
}

#[test]
fn every_rule_has_a_code_of_its_own_words_and_a_scenario_that_fires_it() {
    let fired = codes_that_fire();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for rule in RULES {
        if !seen.insert(rule.code) {
            wrong.push(format!("{} is there twice", rule.code));
        }
        if !fired.contains(rule.code.as_str()) {
            wrong.push(format!("{} fires in no scenario", rule.code));
        }
        for (what, text) in [
            ("title", rule.title),
            ("explanation", rule.explanation),
            ("remedy", rule.remedy),
        ] {
            if text.trim().is_empty() {
                wrong.push(format!("{} has no {what}", rule.code));
            }
        }
        for effect in rule.causes {
            if registry::rule(effect).is_none() {
                wrong.push(format!("{} causes {effect}, which is no rule", rule.code));
            }
        }
    }
    for code in &fired {
        if registry::rule(code).is_none() {
            wrong.push(format!("{code} is expected somewhere, and is no rule"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Codes that a scenario expects.
fn fires(name: &str) -> BTreeSet<String> {
    scenario::expected(name)
        .iter()
        .filter_map(|line| line.split(' ').next().map(str::to_owned))
        .collect()
}

/// A near miss is a neighbour of a scenario in which the rule fires: both change the same set, and
/// only one of them fires the rule.
#[test]
fn every_rule_has_a_near_miss() {
    let names = scenario::all();
    let firing: Vec<(BTreeSet<String>, BTreeSet<String>)> = names
        .iter()
        .map(|name| (fires(name), scenario::bases(name).into_iter().collect()))
        .collect();
    let mut wrong = Vec::new();
    let mut missed = BTreeSet::new();
    for name in &names {
        let near = scenario::near(name);
        let found: BTreeSet<&str> = if near.is_empty() {
            BTreeSet::new()
        } else {
            of(name)
                .findings
                .iter()
                .map(|found| found.code.as_str())
                .collect()
        };
        for code in near {
            if found.contains(code.as_str()) {
                wrong.push(format!(
                    "{name} is named a near miss of {code}, which fires"
                ));
            }
            let bases = scenario::bases(name);
            let neighbour = firing.iter().any(|(codes, others)| {
                codes.contains(&code) && bases.iter().any(|base| others.contains(base))
            });
            if !neighbour {
                wrong.push(format!(
                    "{name} shares no base with a scenario that fires {code}"
                ));
            }
            missed.insert(code);
        }
    }
    for rule in RULES
        .iter()
        .filter(|rule| !missed.contains(rule.code.as_str()))
    {
        wrong.push(format!("{} has no near miss", rule.code));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a fault depends on: where the other fault changes that, the one may be gone for good (a CA
/// that no policy in use names breaks nothing), or be seen as another.
#[derive(Clone, Copy)]
enum Ground {
    /// The Gateway names a client certificate, and NGF takes it or not.
    ClientCertificate,
    /// Which policies take effect, which CA they name, and how nginx speaks to each backend.
    Backends,
    /// Both: what a probe showed is of one connection.
    Connection,
}

impl Ground {
    const ALL: [Self; 3] = [Self::ClientCertificate, Self::Backends, Self::Connection];
}

/// Of each code the ground on which its scenario stands.
fn ground(code: &str) -> Ground {
    match code.trim_start_matches("NGF-") {
        "G1" | "G2" | "G3" | "G4" | "G5" | "G6" | "G7" | "G12" | "M2" | "M10" | "C3" | "C6"
        | "E3" => Ground::ClientCertificate,
        code if code.starts_with(['T', 'B']) => Ground::Connection,
        "E1" | "M4" | "G9" | "G10" | "G11" | "R9" | "P11" => Ground::Connection,
        _ => Ground::Backends,
    }
}

/// What holds in a set, as text to compare.
fn standing(scenario: &Scenario, ground: Ground) -> String {
    let index = Index::of(&scenario.snapshot);
    let topology = Topology::with(&scenario.snapshot, &index);
    let context = Context::new(
        &scenario.snapshot,
        &scenario.evidence,
        scenario.now,
        &index,
        &topology,
    );
    let certificates: Vec<String> = context
        .gateways
        .values()
        .map(|(_, certificate)| format!("{certificate:?}"))
        .collect();
    let backends: Vec<String> = context
        .rules
        .iter()
        .flat_map(|rule| &rule.decision.backends)
        .map(|backend| {
            let how = match &backend.state {
                BackendState::Plain => "plain".to_owned(),
                BackendState::Tls { policy, trust, .. } => {
                    format!("{} {} {trust}", policy.reference, policy.spec.hostname)
                }
                BackendState::Invalid(fault) => fault.message.clone(),
                BackendState::Unknown(why) => why.clone(),
            };
            format!("{} {how}", backend.label())
        })
        .collect();
    match ground {
        Ground::ClientCertificate => certificates.join("\n"),
        Ground::Backends => backends.join("\n"),
        Ground::Connection => format!("{}\n{}", certificates.join("\n"), backends.join("\n")),
    }
}

/// The codes of the findings that nothing else causes, and that say that something is wrong.
fn causes(diagnosis: &Diagnosis) -> BTreeSet<&'static str> {
    diagnosis
        .findings
        .iter()
        .filter(|finding| finding.caused_by.is_none() && finding.severity != Severity::Info)
        .map(|finding| finding.code.as_str())
        .collect()
}

/// One scenario for each code that is the only cause in it, merged with every other one.
#[test]
fn two_faults_at_once_give_two_causes_each_once() {
    let base = Base::known("guide", scenario::moment());
    let mut parts: BTreeMap<&'static str, Part> = BTreeMap::new();
    for name in scenario::all() {
        let Some(part) = Part::of(&name, &base) else {
            continue;
        };
        let causes = causes(of(&name));
        if let (1, Some(code)) = (causes.len(), causes.first()) {
            parts.entry(code).or_insert(part);
        }
    }
    let parts: Vec<(&str, Part)> = parts.into_iter().collect();
    let standings: Vec<[String; 3]> = parts
        .iter()
        .map(|(_, part)| {
            let all = diagnosed().iter();
            let scenario = all.map(|(one, _)| one).find(|one| one.name == part.name);
            let scenario = scenario.expect("a scenario");
            Ground::ALL.map(|ground| standing(scenario, ground))
        })
        .collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let results: Vec<(usize, Vec<String>)> = std::thread::scope(|scope| {
        let (parts, standings) = (&parts, &standings);
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                scope.spawn(move || {
                    let (mut tried, mut wrong) = (0, Vec::new());
                    let mut known = Decoder::default();
                    for first in (worker..parts.len()).step_by(threads) {
                        for second in first + 1..parts.len() {
                            tried += usize::from(try_pair(
                                parts,
                                standings,
                                [first, second],
                                &mut known,
                                &mut wrong,
                            ));
                        }
                    }
                    (tried, wrong)
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("no panic"))
            .collect()
    });
    let tried: usize = results.iter().map(|(tried, _)| tried).sum();
    let wrong: Vec<String> = results.into_iter().flat_map(|(_, wrong)| wrong).collect();
    println!("{tried} pairs of {} causes", parts.len());
    assert!(tried > 1000, "only {tried} pairs");
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Whether the two can be merged; what is lost or told twice goes to `wrong`.
fn try_pair(
    parts: &[(&str, Part)],
    standings: &[[String; 3]],
    pair: [usize; 2],
    known: &mut Decoder,
    wrong: &mut Vec<String>,
) -> bool {
    let [first, second] = pair.map(|place| &parts[place]);
    let Some(both) = Scenario::merged(&first.1, &second.1, known) else {
        return false;
    };
    let diagnosis = both.diagnose();
    let found = causes(&diagnosis);
    for (place, lost, by) in [(pair[0], first.0, second.0), (pair[1], second.0, first.0)] {
        let is_told = MASKINGS.iter().any(|(masked, masking, _)| {
            let means = |pattern: &str, code: &str| match pattern.strip_suffix('*') {
                Some(family) => code.starts_with(family),
                None => pattern == code,
            };
            means(masked, lost) && means(masking, by)
        });
        // A symptom may have found a cause.
        let as_effect = diagnosis
            .findings
            .iter()
            .any(|finding| finding.code == lost);
        if found.contains(lost) || is_told || as_effect {
            continue;
        }
        let ground = ground(lost);
        if standings[place][ground as usize] == standing(&both, ground) {
            let all: Vec<String> = diagnosis
                .findings
                .iter()
                .map(|finding| scenario::line(finding, &diagnosis.findings))
                .collect();
            wrong.push(format!("{}: {lost} is lost: {all:?}", both.name));
        }
    }
    for (place, finding) in diagnosis.findings.iter().enumerate() {
        let twice = diagnosis.findings[..place].iter().any(|earlier| {
            earlier.code == finding.code
                && earlier.subject == finding.subject
                && earlier.title == finding.title
        });
        if twice {
            wrong.push(format!("{}: {} is told twice", both.name, finding.title));
        }
    }
    true
}

#[test]
fn every_finding_says_what_to_do_and_points_at_a_cause_before_it() {
    for (scenario, diagnosis) in diagnosed() {
        let name = &scenario.name;
        for (index, finding) in diagnosis.findings.iter().enumerate() {
            assert!(finding.remedy.is_some(), "{name}: {}", finding.code);
            assert!(!finding.title.is_empty(), "{name}: {}", finding.code);
            assert!(
                finding.caused_by.is_none_or(|cause| cause < index),
                "{name}: {} stands before its cause",
                finding.code
            );
        }
    }
}

/// The shapes that people have: no finding at all, and no status that NGF would not write.
#[test]
fn an_older_ca_on_the_disk_is_not_blamed_on_the_secret() {
    let diagnosis = of("d3-renewed-and-backend-restarted");
    let mut all = diagnosis.findings.iter();
    let found = all.find(|finding| finding.code == "NGF-T1");
    let finding = found.expect("NGF-T1");
    assert_eq!(
        finding.title,
        "nginx goes by an older CA than Secret default/backend-cert[ca.crt], which signed what Service default/secure-app:8443 presents"
    );
    let remedy = format!("{:?}", finding.remedy);
    assert!(!remedy.contains("caCertificateRefs"), "{remedy}");
    assert!(remedy.contains("it verifies this certificate"), "{remedy}");
}

#[test]
fn what_all_pods_say_is_told_once() {
    let diagnosis = of("r8-two-pods-refuse-their-configuration");
    let mut all = diagnosis.findings.iter();
    let found = all.find(|finding| finding.code == "NGF-R8");
    let finding = found.expect("NGF-R8");
    for text in ["does not start", "has no key ca.crt"] {
        let told = finding.detail.iter().filter(|told| told.contains(text));
        assert_eq!(told.count(), 1, "{:?}", finding.detail);
    }
    let logged = finding
        .evidence
        .iter()
        .filter(|one| format!("{one:?}").contains("logged"));
    assert_eq!(logged.count(), 2, "{:?}", finding.evidence);
}

#[test]
fn healthy_sets_give_no_finding() {
    let healthy: Vec<String> = scenario::all()
        .into_iter()
        .filter(|name| name.starts_with("healthy-"))
        .collect();
    assert!(healthy.len() >= 10, "{healthy:?}");
    for name in healthy {
        let diagnosis = of(&name);
        let titles: Vec<&String> = diagnosis
            .findings
            .iter()
            .map(|found| &found.title)
            .collect();
        assert!(titles.is_empty(), "{name}: {titles:#?}");
        assert!(
            diagnosis.differences.is_empty(),
            "{name}: {:#?}",
            diagnosis.differences
        );
    }
}
