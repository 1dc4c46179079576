//! `man`: the manual page.

use super::{DONE, Ended, Failure, Global};

/// Print the manual page
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(global: &Global, _args: &Args, command: clap::Command) -> Ended {
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text).map_err(|e| Failure::failed(e.to_string()))?;
    global.ui().out(String::from_utf8_lossy(&text));
    Ok(DONE)
}
