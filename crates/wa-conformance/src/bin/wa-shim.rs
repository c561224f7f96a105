//! `wa-shim`: this project's own client behind the protocol of shims, to be driven by `wa-conformance --client wa-shim`.

use std::process::ExitCode;

use tokio::io::{BufReader, stdin, stdout};

#[tokio::main]
#[expect(clippy::print_stderr, reason = "a command-line program speaks on stderr")]
async fn main() -> ExitCode {
    match wa_conformance::serve_shim(BufReader::new(stdin()), stdout()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("wa-shim: {failure}");
            ExitCode::FAILURE
        }
    }
}
