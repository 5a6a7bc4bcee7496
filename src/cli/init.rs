//! `init`.
use super::{
    CliError,
    args::{InitArgs, InputArgs},
};
pub(super) async fn run(_: &InputArgs, _: &InitArgs) -> Result<u8, CliError> {
    Ok(2)
}
