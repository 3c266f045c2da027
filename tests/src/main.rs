//! The `lab` binary; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    lab::cli::run(std::env::args_os())
}
