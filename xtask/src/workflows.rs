//! `cargo xtask workflows`: the forge's workflows against their schema, and against what is known to go wrong in them.

use crate::failure::{Failure, no_more};
use crate::program::root;
use crate::tools::reader;

/// The readers work offline.
pub(crate) fn workflows(args: &[String]) -> Result<(), Failure> {
    no_more("workflows", args)?;
    let files = files()?;
    let schema = |name: &str| Ok(reader("check-jsonschema")?.with_args(["--builtin-schema", name]));
    schema("vendor.github-workflows")?.with_args(&files).run()?;
    schema("vendor.github-actions")?.with_args(["action.yml"]).run()?;
    reader("zizmor")?.with_args(["--offline", "--quiet", "--no-progress", ".github", "action.yml"]).run()
}

/// The paths of the workflows.
fn files() -> Result<Vec<String>, Failure> {
    let directory = root().join(".github/workflows");
    let entries = std::fs::read_dir(&directory).map_err(|error| crate::failure::io(&directory, &error))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path().display().to_string()).collect();
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What runs with rights of ours is named by the bytes that it is.
    #[test]
    fn every_action_is_pinned_by_its_digest() {
        for file in files().unwrap() {
            for line in std::fs::read_to_string(&file).unwrap().lines() {
                let Some((_, action)) = line.split_once("uses: ") else { continue };
                let digest = action.split_once('@').unwrap().1.split(' ').next().unwrap();
                let is_digest = digest.len() == 40 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
                assert!(is_digest && action.contains(" # v"), "{file}: {action}");
            }
        }
    }
}
