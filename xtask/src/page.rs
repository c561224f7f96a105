//! `cargo xtask page [--pictures]`: the page that the suite writes, looked at in a headless Chromium.
//!
//! The suite judges a client in Python that paints its acks blue, so that there is something to show. `peers/console/page.mjs`
//! then looks at the page: milestones, the failing exchange with the part at fault, no script, nothing that is asked of
//! anybody, axe-core in both themes. It takes pictures; with `--pictures` those in `docs/conformance`.

use crate::conformance::built;
use crate::console::{drive, pictures};
use crate::failure::{Failure, no_more};
use crate::peers;
use crate::program::{Program, root};
use crate::servers;

/// The checks that are shown; those of [`FAILED`] fail.
const CHECKS: [&str; 5] = ["enlist-ok", "handshake", "keys-fetched", FAILED, "block"];
const FAILED: &str = "text-in";

/// Has a client judged that fails, and looks at the page.
pub(crate) fn page(args: &[String]) -> Result<(), Failure> {
    let (pictures, rest) = pictures(args, "docs/conformance", "target/page")?;
    no_more("page", rest)?;
    let browser = servers::ensure_browser()?;
    let [suite] = built(["wa-conformance"])?;
    let python = peers::environment()?;
    let page = root().join("target/page.html");
    let client = format!("{} peers/python/bad_shim.py coloured", python.display());
    let judged = Program::new(suite).with_args(["--client", &client, "--document", "1.0.3", "--seed", "7"]);
    let judged = judged.with_args(["--html".as_ref(), page.as_os_str()]).with_args(CHECKS);
    if judged.succeeds() {
        return Err(Failure::new("a client that paints its acks blue was found sound"));
    }
    drive("page.mjs", &browser)?
        .with_args(["--page".as_ref(), page.as_os_str(), "--pictures".as_ref(), pictures.as_os_str()])
        .with_args(["--failed", FAILED])
        .run()
}
