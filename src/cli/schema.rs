//! `schema`: the JSON Schema of a stack, for editors.

use super::{DONE, Ended, Failure, Global};

/// Print the JSON Schema of a stack
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(global: &Global, _args: &Args) -> Ended {
    let text = serde_json::to_string_pretty(&crate::stack::schema()).map_err(|e| Failure::failed(e.to_string()))?;
    global.ui().out(text);
    Ok(DONE)
}
