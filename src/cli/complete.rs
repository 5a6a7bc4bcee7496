//! Completion while kubectl asks: an executable `kubectl_complete-ngf` in `PATH` passes on the words, and gets a candidate
//! a line, with a tab before its description, and at the end `:` with cobra's directive.

use std::{ffi::OsString, fmt::Write as _, time::Duration};

use clap::{CommandFactory, FromArgMatches};
use clap_complete::engine;
use ngf_cluster::kubeconfig_names;
use ngf_core::{diagnosis::registry::RULES, model::kind::Kind};

use super::{
    args::{Cli, InputArgs},
    cluster_options,
};
use crate::report::clean;

/// How long the cluster may take: a person waits for each key.
const SOON: Duration = Duration::from_secs(3);
/// Cobra's directives: no space after the candidate, and no names of files.
const NO_SPACE: u8 = 2;
const NO_FILES: u8 = 4;

/// The types that commands take as targets.
const TYPES: &[&str] = &[
    "gateway",
    "httproute",
    "grpcroute",
    "tlsroute",
    "service",
    "backendtlspolicy",
];

/// A candidate and what it is.
type Candidate = (String, String);

/// What kubectl prints for these words, of which the last is being written.
pub(super) async fn answer(words: &[OsString]) -> String {
    let words = &super::args::with_verbosity_joined(words.iter().cloned());
    let texts: Vec<String> = words
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let (candidates, directive) = match special(&texts).await {
        Some(found) => found,
        None => (by_definition(words), NO_FILES),
    };
    let mut out = String::new();
    for (value, about) in candidates {
        let about = about.split('\n').next().unwrap_or_default();
        let _ = match about {
            "" => writeln!(out, "{}", clean(&value)),
            about => writeln!(out, "{}\t{}", clean(&value), clean(about)),
        };
    }
    let _ = writeln!(out, ":{directive}");
    out
}

/// Options and commands, by the definition of the command line.
fn by_definition(words: &[OsString]) -> Vec<Candidate> {
    let mut args = vec![OsString::from("ngf-tui")];
    args.extend(words.iter().cloned());
    let last = args.len().saturating_sub(1);
    let found = engine::complete(&mut Cli::command(), args, last, None).unwrap_or_default();
    found
        .into_iter()
        .filter(|candidate| !candidate.is_hide_set())
        .map(|candidate| {
            let help = candidate.get_help().map(ToString::to_string);
            let value = candidate.get_value().to_string_lossy().into_owned();
            (value, help.unwrap_or_default())
        })
        .collect()
}

/// What the definition does not know: names, codes, and where files are meant.
async fn special(words: &[String]) -> Option<(Vec<Candidate>, u8)> {
    let (current, before) = words.split_last()?;
    let previous = before.last().map_or("", String::as_str);
    // `--context=x` is one word.
    let (option, value, lead) = match current.split_once('=') {
        Some((option, value)) if option.starts_with("--") => (option, value, format!("{option}=")),
        _ => (previous, current.as_str(), String::new()),
    };
    let named = |names: Vec<String>| {
        let names = names.into_iter().filter(|name| name.starts_with(value));
        let names = names.map(|name| (format!("{lead}{name}"), String::new()));
        Some((names.collect(), NO_FILES))
    };
    let input = input(before);
    let kubeconfig = || kubeconfig_names(&cluster_options(&input, Some(SOON)));
    match option {
        "--context" => return named(kubeconfig().contexts),
        "--cluster" => return named(kubeconfig().clusters),
        "--user" => return named(kubeconfig().users),
        "-n" | "--namespace" => return named(namespaces(&input).await),
        "--only" | "--suppress" => return Some((codes(value, &lead), NO_FILES)),
        "-f"
        | "--filename"
        | "--kubeconfig"
        | "--ca"
        | "--cert"
        | "--key"
        | "--client-ca"
        | "--pcap"
        | "--logs"
        | "--ignore-file"
        | "--certificate-authority"
        | "--client-certificate"
        | "--client-key" => return Some((Vec::new(), 0)),
        _ => {}
    }
    if current.starts_with('-') {
        return None;
    }
    let (command, positional, is_value) = positionals(before)?;
    if is_value {
        return None;
    }
    match (command.as_str(), positional.len()) {
        ("explain" | "fix", 0) => Some((codes(current, ""), NO_FILES)),
        ("check" | "chain" | "probe" | "init" | "logs", _) | ("fix", 1..) => {
            let first = positional.get(usize::from(command == "fix"));
            Some(objects(&input, first.map(String::as_str), current).await)
        }
        _ => None,
    }
}

/// The command, the words after it that are neither options nor their values, and whether an option takes the next word.
fn positionals(before: &[String]) -> Option<(String, Vec<String>, bool)> {
    let all = Cli::command();
    let mut found: Option<(&clap::Command, Vec<String>)> = None;
    let mut is_value = false;
    for word in before {
        if std::mem::take(&mut is_value) {
            continue;
        }
        if word.starts_with('-') {
            let scope = found.as_ref().map_or(&all, |(command, _)| *command);
            is_value = !word.contains('=') && (takes_value(scope, word) || takes_value(&all, word));
            continue;
        }
        match &mut found {
            None => {
                let command = all.find_subcommand(word)?;
                found = Some((command, Vec::new()));
            }
            Some((_, positional)) => positional.push(word.clone()),
        }
    }
    found.map(|(command, positional)| (command.get_name().to_owned(), positional, is_value))
}

/// Whether an option takes the next word.
fn takes_value(command: &clap::Command, word: &str) -> bool {
    command.get_arguments().any(|arg| {
        let long = word
            .strip_prefix("--")
            .is_some_and(|name| arg.get_long() == Some(name));
        let short = word.strip_prefix('-').is_some_and(|name| {
            let mut chars = name.chars();
            chars.next() == arg.get_short() && arg.get_short().is_some() && chars.next().is_none()
        });
        let needs = arg
            .get_num_args()
            .is_none_or(|number| number.min_values() > 0);
        (long || short) && arg.get_action().takes_values() && needs && !arg.is_require_equals_set()
    })
}

/// The options that say which cluster, as far as they are written.
fn input(before: &[String]) -> InputArgs {
    let args = std::iter::once("ngf-tui".to_owned()).chain(before.iter().cloned());
    let command = Cli::command().ignore_errors(true);
    let matches = command.try_get_matches_from(args).ok();
    let read = matches.and_then(|matches| InputArgs::from_arg_matches(&matches).ok());
    read.unwrap_or_default()
}

/// Codes with their titles.
fn codes(current: &str, lead: &str) -> Vec<Candidate> {
    let wanted = current.to_ascii_uppercase();
    let matching = RULES.iter().filter(|rule| {
        rule.code.as_str().starts_with(&wanted) || rule.code.bare().starts_with(&wanted)
    });
    matching
        .map(|rule| (format!("{lead}{}", rule.code), rule.title.to_owned()))
        .collect()
}

/// `TYPE/`, `TYPE/NAME`, or a name after a type.
async fn objects(input: &InputArgs, first: Option<&str>, current: &str) -> (Vec<Candidate>, u8) {
    let kind_of = |word: &str| Kind::parse(word.split('.').next().unwrap_or(word));
    let (kind, lead, begun) = match (first, current.split_once('/')) {
        (_, Some((word, begun))) => (kind_of(word), format!("{word}/"), begun),
        (Some(word), None) if !word.contains('/') => (kind_of(word), String::new(), current),
        _ => {
            let types = TYPES.iter().filter(|name| name.starts_with(current));
            let types = types.map(|name| (format!("{name}/"), String::new()));
            return (types.collect(), NO_SPACE | NO_FILES);
        }
    };
    let Some(kind) = kind else {
        return (Vec::new(), NO_FILES);
    };
    let Ok(cluster) = ngf_cluster::connect(&cluster_options(input, Some(SOON))).await else {
        return (Vec::new(), NO_FILES);
    };
    let namespace = input.namespace.as_deref().unwrap_or(cluster.namespace());
    let names = cluster.names(kind, namespace, SOON).await.into_iter();
    let names = names.filter(|name| name.starts_with(begun));
    let names = names.map(|name| (format!("{lead}{name}"), String::new()));
    (names.collect(), NO_FILES)
}

async fn namespaces(input: &InputArgs) -> Vec<String> {
    match ngf_cluster::connect(&cluster_options(input, Some(SOON))).await {
        Ok(cluster) => cluster.namespaces(SOON).await,
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_definition_knows_is_completed_without_a_cluster() {
        for (words, candidate) in [
            (&["che"][..], "check"),
            (&["check", "--fail"], "--fail-on"),
            (&["check", "--fail-on", "w"], "warning"),
            (&["check", "-o", "sar"], "sarif"),
            (&["explain", "t1"], "NGF-T1"),
            (&["check", "--only=NGF-M4"], "--only=NGF-M4"),
            (&["check", "gat"], "gateway/"),
            (&["fix", ""], "NGF-T1"),
            (&["completion", "f"], "fish"),
        ] {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            let text = answer(&words).await;
            let found = text
                .lines()
                .any(|line| line.split('\t').next() == Some(candidate));
            assert!(found, "{words:?}: {text}");
            assert!(
                text.lines()
                    .last()
                    .is_some_and(|line| line.starts_with(':')),
                "{text}"
            );
        }
    }

    #[test]
    fn words_after_options_are_no_arguments() {
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let (command, positional, is_value) =
            positionals(&words("-n shop check --within 30d gateway/a --over -l a=b"))
                .expect("a command");
        assert_eq!(
            (command.as_str(), positional),
            ("check", vec!["gateway/a".to_owned()])
        );
        assert!(!is_value);
        assert!(positionals(&words("check --within")).is_some_and(|(.., is_value)| is_value));
        assert!(positionals(&words("nothing")).is_none());
    }
}
