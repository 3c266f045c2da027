//! The program `marque-collector`; everything lives in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    collector::cli::run(std::env::args_os())
}
