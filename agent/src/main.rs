//! The program `marque-agent`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    agent::cli::run(std::env::args_os())
}
