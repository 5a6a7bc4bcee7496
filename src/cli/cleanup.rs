//! `cleanup`: what the tool made in a cluster and did not remove.

use std::io::{self, IsTerminal, Write};

use super::{
    CliError, EXIT_COULD_NOT, EXIT_FOUND, EXIT_OK,
    args::{CleanupArgs, InputArgs},
    connect_to, output,
};
use crate::report::clean;
use ngf_cluster::{
    temporary::READ_ONLY,
    transport::{find_leftovers, remove_leftover},
};
use ngf_core::command::own;

/// Runs it: exit 0 when no debug pod is left, 1 when one was kept because it may be in use, 2 when one
/// could not be removed.
pub(super) async fn run(input: &InputArgs, args: &CleanupArgs) -> Result<u8, CliError> {
    if input.read_only && !args.dry_run {
        return Err(format!("{READ_ONLY}; --dry-run says what would be removed").into());
    }
    let cluster = connect_to(input).await?;
    let namespace = input.namespace.as_deref().filter(|_| !input.all_namespaces);
    let leftovers = match find_leftovers(&cluster, namespace).await {
        // Whoever may not list everywhere may list where their context is.
        Err(why) if namespace.is_none() && !input.all_namespaces => {
            output::say(&format!(
                "{why}; looking in namespace {} only",
                cluster.namespace()
            ));
            find_leftovers(&cluster, Some(cluster.namespace())).await?
        }
        found => found?,
    };
    let mut status = EXIT_OK;
    for leftover in &leftovers {
        let what = clean(&format!("{}: {}", leftover.pod, leftover.words));
        if args.dry_run {
            output::print(&format!("{what}\n"))?;
            continue;
        }
        let asks = leftover.ephemeral.is_none() && leftover.usage.may_be_in_use() && !args.yes;
        if asks && !agreed(&what)? {
            output::print(&format!(
                "{what}: kept; `{}` removes it, and the probe that uses it fails\n",
                own("cleanup --yes")
            ))?;
            status = status.max(EXIT_FOUND);
            continue;
        }
        match remove_leftover(&cluster, leftover).await {
            Ok(()) => output::print(&format!("{what}: removed\n"))?,
            Err(why) => {
                output::print(&format!("{what}: {}\n", clean(&why)))?;
                // An ephemeral container stays, and nobody can help it.
                if leftover.ephemeral.is_none() {
                    status = EXIT_COULD_NOT;
                }
            }
        }
    }
    if leftovers.is_empty() {
        output::print("no debug pods or ephemeral containers of earlier probes found\n")?;
    }
    Ok(status)
}

/// Asks at the terminal; without one the answer is no.
fn agreed(what: &str) -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    write!(io::stderr(), "{what}\nRemove it? [y/N] ")?;
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
