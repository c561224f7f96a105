//! `wa-sandbox`: a local WhatsApp as a program. Prints one JSON line with its addresses when it is ready.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use wa_sandbox::program;

/// A local WhatsApp for testing interoperability.
#[derive(Debug, Parser)]
#[command(name = "wa-sandbox", version)]
struct Line {
    #[command(flatten)]
    arguments: program::Arguments,
}

/// A quarter of what a message costs was the system's allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    program::run(Line::parse().arguments).await
}
