//! `cleanup`: what the tool made in a cluster and did not remove.

use super::{
    CliError, EXIT_COULD_NOT, EXIT_OK,
    args::{CleanupArgs, InputArgs},
    connect_to, output,
};
use crate::{
    cluster::transport::{find_leftovers, remove_leftover},
    report::clean,
    world::making::READ_ONLY,
};

/// Runs it: exit 0 when nothing is left that could be removed.
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
        output::print("nothing is left of earlier probes\n")?;
    }
    Ok(status)
}
