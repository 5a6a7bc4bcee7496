//! `chain`: what expires first, and what breaks then.

use super::{
    CliError, EXIT_OK,
    args::{ChainArgs, InputArgs},
};

/// Runs it.
pub(super) async fn run(_: &InputArgs, _: &ChainArgs) -> Result<u8, CliError> {
    Ok(EXIT_OK)
}
