//! `cargo xtask codegen [--check]`: the protobuf types of wa-proto, generated from `/proto`, the sandbox's rules in
//! `docs/SANDBOX.md` and the requirements in `docs/CONFORMANCE.md`, written from themselves.

use std::collections::BTreeMap;
use std::path::Path;

use crate::failure::{Failure, io, no_more};
use crate::program::{Program, root};
use crate::report;

/// Generates; with `--check` generates elsewhere and compares every file both ways.
pub(crate) fn codegen(args: &[String]) -> Result<(), Failure> {
    let (check, rest) = match args.split_first() {
        Some((first, rest)) if first == "--check" => (true, rest),
        _ => (false, args),
    };
    no_more("codegen", rest)?;
    let committed = root().join(GENERATED);
    if !check {
        // First what the programs that print the tables are built with.
        generate(&committed)?;
    }
    TABLES.iter().try_for_each(|table| table.write(check))?;
    if !check {
        return Ok(());
    }
    let fresh = std::env::temp_dir().join(format!("wa-codegen-{}", std::process::id()));
    let compared = generate(&fresh).and_then(|()| compare(&committed, &fresh));
    // Best effort: a leftover in the temporary directory hurts nobody.
    let _ = std::fs::remove_dir_all(&fresh);
    compared
}

/// A part of a document that a program of ours prints.
struct Table {
    document: &'static str,
    /// What stands in the marks around it.
    name: &'static str,
    package: &'static str,
    argument: &'static str,
}

const TABLES: [Table; 2] = [
    Table { document: "docs/SANDBOX.md", name: "rules", package: "wa-sandbox", argument: "rules" },
    Table {
        document: "docs/CONFORMANCE.md",
        name: "catalogue",
        package: "wa-conformance",
        argument: "--catalogue",
    },
];

impl Table {
    /// Writes the table into its document, or compares them.
    fn write(&self, check: bool) -> Result<(), Failure> {
        let Self { document, name, package, argument } = self;
        let path = root().join(document);
        let run = ["run", "--quiet", "-p", package, "--bin", package, "--", argument];
        let table = Program::cargo().with_args(run).output()?;
        let text = std::fs::read_to_string(&path).map_err(|error| io(&path, &error))?;
        let fresh = self.put(&text, &table);
        let fresh = fresh.ok_or_else(|| Failure::new(format!("{document} has no place for the {name}")))?;
        if fresh == text {
            return Ok(());
        }
        if check {
            let why =
                format!("the {name} in {document} are older than {package}'s; run: cargo xtask codegen");
            return Err(Failure::new(why));
        }
        std::fs::write(&path, fresh).map_err(|error| io(&path, &error))
    }

    /// The text with the table between its marks.
    fn put(&self, text: &str, table: &str) -> Option<String> {
        let begin = format!("<!-- {}: written by cargo xtask codegen -->\n", self.name);
        let end = format!("<!-- end of {} -->", self.name);
        let (before, rest) = text.split_once(&begin)?;
        let (_, after) = rest.split_once(&end)?;
        Some(format!("{before}{begin}\n{}\n\n{end}{after}", table.trim_end()))
    }
}

const GENERATED: &str = "crates/wa-proto/src/gen";

fn generate(out: &Path) -> Result<(), Failure> {
    Program::cargo().with_args(["run", "--quiet", "--package", "codegen", "--"]).with_args([out]).run()
}

fn compare(committed: &Path, fresh: &Path) -> Result<(), Failure> {
    let differing = differences(&files(committed)?, &files(fresh)?);
    if differing.is_empty() {
        return Ok(());
    }
    for difference in &differing {
        report::line(difference);
    }
    Err(Failure::new("the generated files are not those of proto/; run: cargo xtask codegen"))
}

/// The files of one directory: name and content.
fn files(directory: &Path) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let entries = std::fs::read_dir(directory).map_err(|error| io(directory, &error))?;
    let mut files = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(|error| io(directory, &error))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        files.insert(name, std::fs::read(&path).map_err(|error| io(&path, &error))?);
    }
    Ok(files)
}

/// One line for each file that one side lacks or that differs.
fn differences(committed: &BTreeMap<String, Vec<u8>>, fresh: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let stale = committed.iter().filter_map(|(name, bytes)| match fresh.get(name) {
        None => Some(format!("{GENERATED}/{name}: is generated no more")),
        Some(other) if other != bytes => Some(format!("{GENERATED}/{name}: differs")),
        Some(_) => None,
    });
    let absent = fresh.keys().filter(|name| !committed.contains_key(*name));
    stale.chain(absent.map(|name| format!("{GENERATED}/{name}: is not there"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_stands_between_its_marks() {
        let [rules, _] = TABLES;
        let text = "a\n<!-- rules: written by cargo xtask codegen -->\nold\n<!-- end of rules -->\nb";
        let fresh = rules.put(text, "| new |\n").unwrap();
        assert_eq!(fresh, text.replace("old\n", "\n| new |\n\n"));
        assert_eq!(rules.put(&fresh, "| new |").as_deref(), Some(fresh.as_str()));
        assert_eq!(rules.put("a", "b"), None);
    }

    #[test]
    fn differences_are_named_both_ways() {
        let side = |files: &[(&str, &str)]| -> BTreeMap<String, Vec<u8>> {
            files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
        };
        let committed = side(&[("a.rs", "1"), ("b.rs", "1"), ("c.rs", "1")]);
        let fresh = side(&[("a.rs", "1"), ("b.rs", "2"), ("d.rs", "1")]);
        assert_eq!(
            differences(&committed, &fresh),
            [
                "crates/wa-proto/src/gen/b.rs: differs",
                "crates/wa-proto/src/gen/c.rs: is generated no more",
                "crates/wa-proto/src/gen/d.rs: is not there",
            ]
        );
        assert_eq!(differences(&committed, &committed), [""; 0]);
    }
}
