//! What there is that a document may name.

use std::collections::{BTreeMap, BTreeSet};

use crate::tidy::tree::{File, Tree};

/// The names of the tree, by kind.
pub(super) struct Known<'t> {
    paths: Vec<&'t str>,
    /// What git leaves out, which running something makes.
    ignored: Vec<&'t str>,
    /// The words of each source by its path, without its comments.
    sources: BTreeMap<&'t str, BTreeSet<&'t str>>,
    /// Packages and programs.
    crates: BTreeSet<&'t str>,
    checks: BTreeSet<&'t str>,
    commands: BTreeSet<&'t str>,
    /// The fields of each struct of `wa-profile`, with their types.
    profile: BTreeMap<&'t str, BTreeMap<&'t str, &'t str>>,
}

impl<'t> Known<'t> {
    pub(super) fn of(tree: &'t Tree) -> Self {
        let named = |file: &'t File, form: &'static str| {
            file.text.split(form).skip(1).filter_map(|rest| rest.split('"').next())
        };
        let checks = tree.rust().filter(|file| file.path.starts_with("crates/wa-conformance/src/checks/"));
        let main = tree.files().find(|file| file.path == "xtask/src/main.rs");
        let ignored = tree.files().filter(|file| file.path == ".gitignore");
        let mut crates: BTreeSet<&str> = tree.manifests().map(|(name, _)| name).collect();
        crates
            .extend(tree.rust().filter_map(|file| file.path.split_once("/src/bin/")?.1.strip_suffix(".rs")));
        // Programs that a manifest names.
        crates.extend(tree.manifests().flat_map(|(_, file)| named(file, "name = \"")));
        Self {
            paths: tree.files().map(|file| file.path.as_str()).collect(),
            ignored: ignored.flat_map(|file| file.text.lines()).map(|line| line.trim_matches('/')).collect(),
            sources: tree
                .files()
                .filter(|file| is_code(&file.path))
                .map(|file| (file.path.as_str(), words(file)))
                .collect(),
            crates,
            checks: checks
                .flat_map(|file| file.text.split("check!(").skip(1).filter_map(|rest| rest.split('"').nth(1)))
                .collect(),
            commands: main
                .into_iter()
                .flat_map(|file| file.text.split("\" =>"))
                .filter_map(last_quoted)
                .collect(),
            profile: profile(tree),
        }
    }

    pub(super) fn is_crate(&self, name: &str) -> bool {
        name.starts_with("wa-") && self.crates.contains(name)
    }

    pub(super) fn is_check(&self, name: &str) -> bool {
        self.checks.contains(name)
    }

    /// Why what a document names is not there; nothing if it is, or if it has none of the forms that are looked up.
    pub(super) fn missing(&self, name: &str, within: Option<&str>) -> Option<String> {
        let (is_there, why) = match Form::of(name) {
            Form::Command(command) => (self.is_command(command), "there is no such command"),
            Form::Path => (self.is_path(name, within), "there is no such path"),
            Form::Dotted if !self.is_profiles(name) => return None,
            Form::Dotted => (self.is_field(name) || self.is_setting(name), "the profile has no such field"),
            Form::Program => (self.crates.contains(name), "there is no such crate or program"),
            Form::Item(item) => (self.is_item(item), "no code has this name"),
            Form::Other => return None,
        };
        let place =
            within.filter(|_| matches!(Form::of(name), Form::Path)).map(|within| format!(" in {within}"));
        (!is_there).then(|| format!("{why}{}", place.unwrap_or_default()))
    }

    /// Whether any code has this word.
    pub(super) fn is_in_code(&self, word: &str) -> bool {
        self.sources.values().any(|words| words.contains(word))
    }

    fn is_path(&self, name: &str, within: Option<&str>) -> bool {
        let name = name.trim_end_matches('/');
        if self.ignored.iter().any(|ignored| !ignored.is_empty() && name.starts_with(ignored)) {
            return true;
        }
        let crates = within.map(|within| format!("crates/{within}/"));
        self.paths.iter().filter(|path| crates.as_ref().is_none_or(|root| path.starts_with(root))).any(
            |path| {
                path.match_indices(name).any(|(at, _)| {
                    let (before, behind) = (&path[..at], &path[at + name.len()..]);
                    (before.is_empty() || before.ends_with('/'))
                        && (behind.is_empty() || behind.starts_with('/'))
                })
            },
        )
    }

    /// Whether one file has all parts of an item's path.
    fn is_item(&self, item: &str) -> bool {
        // A header's name is a constant in capitals.
        let holds = |words: &BTreeSet<&str>, part: &str| {
            words.contains(part) || words.contains(part.to_ascii_uppercase().as_str())
        };
        self.sources.values().any(|words| item.split("::").all(|part| holds(words, part)))
    }

    fn is_profiles(&self, name: &str) -> bool {
        let first = name.split('.').next().unwrap_or_default();
        self.profile.get("Profile").is_some_and(|fields| fields.contains_key(first))
    }

    /// Whether the third party's server has this setting: `section.key`.
    fn is_setting(&self, name: &str) -> bool {
        let Some((section, key)) = name.split_once('.') else { return false };
        let file = format!("/settings/{section}.rs");
        self.sources.iter().any(|(path, words)| path.ends_with(&file) && words.contains(key))
    }

    fn is_command(&self, command: &str) -> bool {
        let mut words = command.split(' ');
        let (name, argument) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let is_named = argument.starts_with(|c: char| c.is_ascii_lowercase());
        let file = match name {
            _ if !is_named => return self.commands.contains(name),
            "fuzz" => format!("fuzz_targets/{argument}.rs"),
            "peers" if self.is_path(&format!("peers/{argument}/walk.py"), None) => return true,
            "bench" | "peers" => format!("bin/{name}-{argument}.rs"),
            _ => return self.commands.contains(name),
        };
        self.commands.contains(name) && self.is_path(&file, None)
    }

    fn is_field(&self, path: &str) -> bool {
        let mut owner = "Profile";
        path.split('.').all(|part| match self.profile.get(owner).and_then(|fields| fields.get(part)) {
            Some(kind) => {
                owner = kind;
                true
            }
            None => false,
        })
    }
}

/// What a name looks like.
enum Form<'n> {
    /// `cargo xtask` and this.
    Command(&'n str),
    /// A file or directory, whole or its end.
    Path,
    /// `a.b`.
    Dotted,
    /// `wa-x`.
    Program,
    /// A type, a function, a constant, or a path of them.
    Item(&'n str),
    /// A value, a word of the protocol, a piece of text.
    Other,
}

impl<'n> Form<'n> {
    fn of(name: &'n str) -> Self {
        if let Some(command) = name.strip_prefix("cargo xtask ") {
            return Self::Command(command);
        }
        let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "_-./:()!".contains(c));
        if !is_plain || name.starts_with(['/', '.', '-', ':']) || name.contains("://") {
            return Self::Other;
        }
        let item = name.trim_end_matches("()").trim_end_matches('!');
        let is_kebab = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        let is_file = EXTENSIONS.iter().any(|extension| name.ends_with(extension));
        let is_below = DIRECTORIES.iter().any(|directory| name.starts_with(directory));
        if is_file || is_below || name.ends_with('/') {
            Self::Path
        } else if name.contains('/') || MADE.iter().any(|extension| name.ends_with(extension)) {
            Self::Other
        } else if name.contains('.') {
            Self::Dotted
        } else if name.starts_with("wa-") && is_kebab {
            Self::Program
        } else if item.split("::").all(is_identifier) && item.split("::").any(is_telling) {
            Self::Item(item)
        } else {
            Self::Other
        }
    }
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a word is an item's and not one of the language or the protocol.
fn is_telling(word: &str) -> bool {
    let is_type =
        word.starts_with(|c: char| c.is_ascii_uppercase()) && word.contains(|c: char| c.is_ascii_lowercase());
    word.len() > 2 && (is_type || word.contains('_'))
}

/// What a path from the root, or one within a crate, begins with. Other names with slashes are media types and the like.
const DIRECTORIES: [&str; 9] =
    ["crates/", "data/", "docs/", "fuzz/", "peers/", "proto/", "src/", "tests/", "xtask/"];

/// Files that a running program makes.
const MADE: [&str; 3] = [".db", ".pem", ".sqlite"];

const EXTENSIONS: [&str; 10] =
    [".rs", ".md", ".toml", ".proto", ".tsv", ".json", ".sql", ".service", ".yaml", ".mjs"];

fn is_code(path: &str) -> bool {
    [".rs", ".toml", ".proto", ".sql", ".mjs", ".py"].iter().any(|extension| path.ends_with(extension))
        && !path.starts_with("xtask/src/tidy")
}

/// The words of a source, without its comments.
fn words(file: &File) -> BTreeSet<&str> {
    let code = file.text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code));
    code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter(|it| it.len() > 1)
        .collect()
}

fn last_quoted(before: &str) -> Option<&str> {
    before.rsplit('"').next()
}

fn profile(tree: &Tree) -> BTreeMap<&str, BTreeMap<&str, &str>> {
    let mut structs: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for file in tree.rust().filter(|file| file.path.starts_with("crates/wa-profile/src/")) {
        let mut owner = "";
        for line in file.text.lines() {
            if let Some(name) = line.strip_prefix("pub struct ") {
                owner = name.split([' ', ';', '(']).next().unwrap_or_default();
            } else if let Some((field, kind)) =
                line.trim_start().strip_prefix("pub ").and_then(|it| it.split_once(": "))
            {
                let kind = kind.trim_end_matches(',').trim_start_matches("Option<").trim_end_matches('>');
                structs.entry(owner).or_default().insert(field, kind);
            }
        }
    }
    structs
}
