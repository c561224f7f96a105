//! `cargo xtask spelling`: the words of code and documents, as `typos.toml` says.

use crate::failure::{Failure, no_more};
use crate::tools::reader;

/// Reads every file that git would take.
pub(crate) fn spelling(args: &[String]) -> Result<(), Failure> {
    no_more("spelling", args)?;
    reader("typos")?.with_args(["--format", "brief"]).run()
}
