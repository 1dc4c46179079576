//! `man`: the manual pages, one on the terminal or all of them in a folder.

use std::path::PathBuf;

use super::{DONE, Ended, Failure, Global};

/// Print the manual page, or write one a command
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write fruitsinfra.1 and a page a command into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(global: &Global, args: &Args, command: clap::Command) -> Ended {
    let failed = |error: std::io::Error| Failure::failed(error.to_string());
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).map_err(failed)?;
        clap_mangen::generate_to(command, folder).map_err(failed)?;
        global.ui().out(format!("Wrote the manual pages into {}.", folder.display()));
        return Ok(DONE);
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text).map_err(failed)?;
    global.ui().out(String::from_utf8_lossy(&text));
    Ok(DONE)
}
