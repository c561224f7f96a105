//! Every setting is in `docs/OPERATIONS.md`, and nothing else; the file in `docs` is one that is taken.

use std::collections::BTreeSet;

use clap::CommandFactory as _;

use super::*;
use crate::cli::Arguments;

const SECTIONS: [&str; 11] =
    ["store", "keys", "listen", "limits", "tls", "admin", "tokens", "push", "media", "trust", "telemetry"];

fn documented() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/OPERATIONS.md");
    std::fs::read_to_string(path).unwrap()
}

/// The columns of the tables of settings, each with its section.
fn rows() -> Vec<(String, [String; 3])> {
    let (text, mut section, mut rows) = (documented(), String::new(), Vec::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("### `[").and_then(|rest| rest.strip_suffix("]`")) {
            name.clone_into(&mut section);
        }
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let quoted = |cell: &str| Some(cell.strip_prefix('`')?.strip_suffix('`')?.to_owned());
        if let [setting, flag, variable, _] = cells[..]
            && let (Some(setting), Some(flag), Some(variable)) =
                (quoted(setting), quoted(flag), quoted(variable))
        {
            rows.push((section.clone(), [setting, flag, variable]));
        }
    }
    rows
}

#[test]
fn every_setting_of_the_file_is_documented() {
    for section in SECTIONS {
        let refused = file::parse(&format!("[{section}]\nnone-such = 1\n"), "x".as_ref()).unwrap_err();
        let refused = refused.to_string();
        let expected = refused.split_once("expected").unwrap().1;
        let known: BTreeSet<_> = expected.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let written =
            rows().into_iter().filter(|(name, _)| name == section).map(|(_, [setting, ..])| setting);
        assert_eq!(known, written.collect(), "{section}");
    }
}

#[test]
fn every_flag_and_variable_is_documented() {
    let command = Arguments::command();
    let settings =
        command.get_arguments().filter(|argument| !["path", "profile"].contains(&argument.get_id().as_str()));
    let known: BTreeSet<_> = settings
        .filter_map(|argument| {
            let variable = argument.get_env()?.to_str()?.to_owned();
            Some((format!("--{}", argument.get_long()?), variable))
        })
        .collect();
    let written = rows().into_iter().map(|(_, [_, flag, variable])| (flag, variable)).collect();
    assert_eq!(known, written);
}

#[test]
fn the_example_is_taken() {
    let text = documented();
    let example = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let settings = file::parse(example, "OPERATIONS.md".as_ref()).unwrap();
    assert!(settings.store.is_shared() && settings.media.is_bucket() && settings.push.has_sink());
}
