//! `cargo xtask console [--pictures]`: the sandbox's console, walked through in a headless Chromium.
//!
//! `peers/console/walk.mjs` is the walk: what a person does and sees, axe-core in both themes, a hostile text, a page of
//! another origin, 10,000 stanzas. It takes pictures of the page; with `--pictures` those in `docs/console`.

use std::path::{Path, PathBuf};

use crate::conformance::built;
use crate::failure::{Failure, io, no_more};
use crate::program::{Program, root};
use crate::servers;

/// Builds what the walk starts, installs what drives the browser, and walks.
pub(crate) fn console(args: &[String]) -> Result<(), Failure> {
    let (pictures, rest) = pictures(args, "docs/console", "target/console")?;
    no_more("console", rest)?;
    let browser = servers::ensure_browser()?;
    let [sandbox, wa] = built(["wa-sandbox", "wa"])?;
    drive("walk.mjs", &browser)?
        .with_args(["--sandbox".as_ref(), sandbox.as_os_str(), "--wa".as_ref(), wa.as_os_str()])
        .with_args(["--pictures".as_ref(), pictures.as_os_str()])
        .run()
}

/// Where pictures go: with `--pictures` into the documents, else into a place of no account; and what else was said.
pub(crate) fn pictures<'a>(
    args: &'a [String],
    documents: &str,
    elsewhere: &str,
) -> Result<(PathBuf, &'a [String]), Failure> {
    let (place, rest) = match args.split_first() {
        Some((first, rest)) if first == "--pictures" => (documents, rest),
        _ => (elsewhere, args),
    };
    let place = root().join(place);
    std::fs::create_dir_all(&place).map_err(|error| io(&place, &error))?;
    Ok((place, rest))
}

/// Installs what drives the browser; the program that does with it what a script of `peers/console` says.
pub(crate) fn drive(script: &str, browser: &Path) -> Result<Program, Failure> {
    let install = ["install", "--silent", "--no-audit", "--no-fund", "--prefix", "peers/console"];
    Program::new("npm").with_args(install).run()?;
    let script = format!("peers/console/{script}");
    Ok(Program::new("node").with_args([&script, "--browser"]).with_args([browser]))
}
