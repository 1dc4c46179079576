//! Parse, run, exit code.

use std::process::ExitCode;

/// What reads many stacks allocates much: a quarter of its time went there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    fruitsinfra::cli::main()
}
