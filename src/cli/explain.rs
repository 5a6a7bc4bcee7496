//! `explain`: what a code, a line of a log, a condition, a message or a number means, or which codes are about a word.
//! Needs no cluster.

use super::{CliError, EXIT_COULD_NOT, EXIT_OK, args::ExplainArgs, output};
use crate::report::explain;
use ngf_core::{
    command::{own, program},
    diagnosis::{Code, lexicon, registry::rule, words::list},
    logs::{self, Answered},
};

/// Runs it.
pub(super) fn run(args: &ExplainArgs) -> Result<u8, CliError> {
    let width = usize::from(output::width());
    let Some(code) = &args.code else {
        output::print(&explain::all(width))?;
        return Ok(EXIT_OK);
    };
    if let Some(rule) = rule(code) {
        output::print(&explain::one(rule, width))?;
        return Ok(EXIT_OK);
    }
    let (_, line) = logs::unwrapped(code.trim());
    if let Some(line) = logs::decode_stamped(&line).1 {
        output::print(&explain::line(&line, width))?;
        return Ok(EXIT_OK);
    }
    if let Some(answered) = logs::answered_with(&line) {
        output::print(&explain::answered(&answered, width))?;
        return Ok(EXIT_OK);
    }
    if let Some(found) = known(&line, width) {
        output::print(&found)?;
        return Ok(EXIT_OK);
    }
    if !is_like_a_code(code)
        && let Some(found) = explain::matching(code, width)
    {
        output::print(&found)?;
        return Ok(EXIT_OK);
    }
    output::say(&format!("{}: {}", program(), unknown(code)));
    Ok(EXIT_COULD_NOT)
}

/// What is known of a condition, a message, a part of a line, a number or a status.
fn known(text: &str, width: usize) -> Option<String> {
    let entries = lexicon::look_up(text);
    if !entries.is_empty() {
        return Some(explain::entries(&entries, width));
    }
    if let Some(part) = logs::fragment(text) {
        return Some(explain::line(&part, width));
    }
    let named = logs::by_name(text);
    if !named.is_empty() {
        let all: Vec<String> = named.iter().map(|one| explain::line(one, width)).collect();
        return Some(all.join("\n"));
    }
    let status = text.trim().to_ascii_lowercase();
    let status = status
        .trim_start_matches("http")
        .trim_start_matches(" status");
    let status: u16 = status.trim().parse().ok()?;
    let answered = Answered {
        request: "a request".to_owned(),
        status,
    };
    if !(400..600).contains(&status) {
        return None;
    }
    let mentioned = explain::matching(&status.to_string(), width);
    let mentioned = mentioned.map_or_else(String::new, |all| format!("\nMentioned by:\n{all}"));
    Some(explain::answered(&answered, width) + &mentioned)
}

/// That nothing is known of it, with what is nearest.
fn unknown(text: &str) -> String {
    let shown: String = text.chars().take(40).collect();
    let mut near: Vec<&str> = Code::nearest(text).into_iter().map(Code::as_str).collect();
    near.extend(lexicon::nearest(text));
    let all = own("explain");
    let hint = match near.as_slice() {
        [] => format!("`{all}` lists all"),
        [one] => format!("the nearest is {one}; `{all}` lists all"),
        several => format!("the nearest are {}; `{all}` lists all", list(several, 3)),
    };
    if is_like_a_code(text) {
        format!("unknown code \"{shown}\": {hint}")
    } else {
        format!("no code mentions \"{shown}\": {hint}")
    }
}

/// Whether it is a letter and a number, as codes are: then a code was meant, although there is none.
fn is_like_a_code(text: &str) -> bool {
    let text = text.trim().to_ascii_uppercase();
    let bare = text.trim_start_matches("NGF").trim_start_matches('-');
    let digits = bare.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    bare.len() - digits.len() == 1
        && !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
}
