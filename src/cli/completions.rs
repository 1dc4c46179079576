//! `completions`: what a shell needs to complete our commands.

use clap_complete::Shell;

use super::{DONE, Global};

/// Print completions for a shell
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    shell: Shell,
}

pub(super) fn run(global: &Global, args: &Args, command: &mut clap::Command) -> u8 {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, command, "fruitsinfra", &mut text);
    global.ui().out(String::from_utf8_lossy(&text));
    DONE
}
