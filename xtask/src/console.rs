//! `cargo xtask console [--pictures]`: the sandbox's console, walked through in a headless Chromium.
//!
//! `peers/console/walk.mjs` is the walk: what a person does and sees, axe-core in both themes, a hostile text, a page of
//! another origin, 10,000 stanzas. It takes pictures of the page; with `--pictures` those in `docs/console`.

use crate::conformance::built;
use crate::failure::{Failure, io, no_more};
use crate::program::{Program, root};
use crate::servers;

/// Builds what the walk starts, installs what drives the browser, and walks.
pub(crate) fn console(args: &[String]) -> Result<(), Failure> {
    let (pictures, rest) = match args.split_first() {
        Some((first, rest)) if first == "--pictures" => ("docs/console", rest),
        _ => ("target/console", args),
    };
    no_more("console", rest)?;
    let browser = servers::ensure_browser()?;
    let [sandbox, wa] = built(["wa-sandbox", "wa"])?;
    let pictures = root().join(pictures);
    std::fs::create_dir_all(&pictures).map_err(|error| io(&pictures, &error))?;
    let install = ["install", "--silent", "--no-audit", "--no-fund", "--prefix", "peers/console"];
    Program::new("npm").with_args(install).run()?;
    Program::new("node")
        .with_args(["peers/console/walk.mjs", "--browser"])
        .with_args([browser])
        .with_args(["--sandbox".as_ref(), sandbox.as_os_str(), "--wa".as_ref(), wa.as_os_str()])
        .with_args(["--pictures".as_ref(), pictures.as_os_str()])
        .run()
}
