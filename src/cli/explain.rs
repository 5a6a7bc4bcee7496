//! `explain`: what a code means, or which codes are about a word. Needs no cluster.

use super::{CliError, EXIT_COULD_NOT, EXIT_OK, args::ExplainArgs, output};
use crate::report::explain;
use ngf_core::{
    command::{own, program},
    diagnosis::{Code, registry::rule, words::list},
    logs,
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
    if let Some(part) = logs::fragment(&line) {
        output::print(&explain::line(&part, width))?;
        return Ok(EXIT_OK);
    }
    if !is_like_a_code(code)
        && let Some(found) = explain::matching(code, width)
    {
        output::print(&found)?;
        return Ok(EXIT_OK);
    }
    let shown: String = code.chars().take(40).collect();
    let near = Code::nearest(code);
    let all = own("explain");
    let hint = match near.as_slice() {
        [] => format!("`{all}` lists all"),
        [one] => format!("the nearest is {one}; `{all}` lists all"),
        several => format!("the nearest are {}; `{all}` lists all", list(several, 3)),
    };
    let what = if is_like_a_code(code) {
        format!("unknown code \"{shown}\"")
    } else {
        format!("no code mentions \"{shown}\"")
    };
    output::say(&format!("{}: {what}: {hint}", program()));
    Ok(EXIT_COULD_NOT)
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
