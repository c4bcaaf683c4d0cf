//! The `concertina` program: parses, starts the runtime, and turns the outcome into an exit code.

use std::process::ExitCode;

use clap::Parser;
use concertina::cli::Cli;

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let code = runtime.block_on(cli.run());
    // A statement that is still at the server must not keep the process: state is saved, and the lease runs out.
    runtime.shutdown_background();
    Ok(ExitCode::from(code))
}
