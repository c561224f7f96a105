//! Rule: dependencies between our crates only point down, and the sandbox stands apart (docs/ARCHITECTURE.md, "Layers").

use crate::tidy::manifest::{Dependency, dependencies};
use crate::tidy::tree::{File, Tree};
use crate::tidy::violation::Violation;

/// Checks the manifests of `crates/*`.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    tree.manifests().flat_map(|(name, manifest)| check_manifest(name, manifest)).collect()
}

/// The crates of L0 to L2 that are there.
pub(crate) fn protocol_crates(tree: &Tree) -> Vec<String> {
    let names = tree.manifests().map(|(name, _)| name);
    names.filter(|name| rank(name).is_some_and(|rank| rank < EDGES)).map(str::to_owned).collect()
}

/// Runtimes and native libraries below a protocol crate, in cargo's listing of what it depends on.
///
/// A crate that uses our HTTP client gets its runtime with it.
pub(crate) fn edges_below(name: &str, dependency_tree: &str) -> Vec<Violation> {
    let mut found: Vec<&str> = dependency_tree.lines().filter_map(|line| line.split(' ').next()).collect();
    found.sort_unstable();
    found.dedup();
    if found.contains(&HTTP) {
        return Vec::new();
    }
    let edges = found.into_iter().filter(|dependency| EDGE_CRATES.contains(dependency));
    edges
        .map(|edge| Violation::new(format!("crates/{name}"), format!("must not reach `{edge}`: {SANS_IO}")))
        .collect()
}

/// What a client that brings its own HTTP must not link, among what [`LIGHT_CLIENT`] lists.
pub(crate) fn heavy(dependency_tree: &str) -> Vec<Violation> {
    let found = dependency_tree.lines().filter_map(|line| line.split(' ').next());
    let heavy = found.filter(|name| HEAVY.iter().any(|heavy| name.starts_with(heavy)));
    let message = |name| {
        format!("without `http` it must not reach `{name}`: the application's own HTTP takes its place")
    };
    heavy.map(|name| Violation::new("crates/wa-interop", message(name))).collect()
}

fn check_manifest(name: &str, manifest: &File) -> Vec<Violation> {
    let Some(own) = rank(name) else {
        let message = "is in no layer: add it to xtask/src/tidy/layers.rs and to docs/ARCHITECTURE.md";
        return vec![Violation::new(&manifest.path, message)];
    };
    let found = dependencies(manifest);
    let found = found.iter().filter_map(|dependency| {
        let message = refusal(name, own, dependency)?;
        Some(Violation::new(&manifest.path, message).with_line(dependency.line))
    });
    found.collect()
}

fn refusal(name: &str, own: u8, dependency: &Dependency) -> Option<String> {
    let other = dependency.name.as_str();
    if name == SANDBOX && FOREIGN_TO_SANDBOX.contains(&other) {
        return Some(format!("wa-sandbox must not depend on {other}: a mistake of ours would be mirrored"));
    }
    if dependency.dev {
        return None;
    }
    if own < EDGES && name != HTTP && EDGE_CRATES.contains(&other) {
        return Some(format!("must not depend on `{other}`: {SANS_IO}"));
    }
    let upward = rank(other).is_some_and(|other| other >= own);
    upward.then(|| format!("{other} is not below {name}: dependencies point down"))
}

/// Where a crate stands: tens are the layer, units order the crates within one.
fn rank(name: &str) -> Option<u8> {
    RANKS.iter().find(|(ranked, _)| *ranked == name).map(|(_, rank)| *rank)
}

const RANKS: [(&str, u8); 22] = [
    // L0 leaves
    ("wa-binary", 0),
    ("wa-proto", 0),
    ("wa-keys", 0),
    ("wa-profile", 0),
    // L1 protocol
    ("wa-noise", 10),
    ("wa-stanza", 10),
    ("wa-signal", 10),
    ("wa-media", 10),
    // L2 machines
    ("wa-chat", 20),
    (HTTP, 20),
    ("wa-enlist", 21),
    // L3 edges
    ("wa-store", EDGES),
    ("wa-jwt", EDGES),
    ("wa-http-server", EDGES),
    ("wa-integrator", 31),
    ("wa-client", 31),
    ("wa-interop", 32),
    // L4 around
    (SANDBOX, 40),
    ("wa-integrator-server", 40),
    ("wa-conformance", 41),
    ("wa-cli", 42),
    ("wa-ffi", 42),
];

/// Lists what a client with a store depends on, which brings its own HTTP.
pub(crate) const LIGHT_CLIENT: [&str; 10] = [
    "tree",
    "--package",
    "wa-interop",
    "--no-default-features",
    "--features",
    "enlist,media,store",
    "--edges",
    "normal",
    "--prefix",
    "none",
];

const HEAVY: [&str; 6] = ["hyper", "rustls", "aws-lc", "openssl", "native-tls", "josekit"];

const EDGES: u8 = 30;
const HTTP: &str = "wa-http";
const SANDBOX: &str = "wa-sandbox";

/// The sandbox judges raw nodes by its own rules: it shares nothing above codec, keys, handshake and ratchet.
const FOREIGN_TO_SANDBOX: [&str; 9] = [
    "wa-stanza",
    "wa-chat",
    "wa-client",
    "wa-enlist",
    "wa-integrator",
    "wa-integrator-server",
    "wa-interop",
    "wa-jwt",
    "josekit",
];

const EDGE_CRATES: [&str; 6] = ["tokio", "hyper", "hyper-util", "openssl", "openssl-sys", "josekit"];

const SANS_IO: &str = "the crates of L0 to L2 do no I/O, except wa-http";

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(path: &str, manifest: &str) -> Vec<String> {
        check(&Tree::of(&[(path, manifest)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn upward_and_sideways_dependencies_are_refused() {
        let upward = "[dependencies]\nwa-chat.workspace = true\nwa-stanza.workspace = true\nwa-keys.workspace = true\n";
        assert_eq!(
            violations("crates/wa-noise/Cargo.toml", upward),
            [
                "crates/wa-noise/Cargo.toml:2: wa-chat is not below wa-noise: dependencies point down",
                "crates/wa-noise/Cargo.toml:3: wa-stanza is not below wa-noise: dependencies point down"
            ]
        );
    }

    #[test]
    fn dependencies_of_tests_may_point_up_but_not_from_the_sandbox() {
        let dev = "[dev-dependencies]\nwa-stanza.workspace = true\n";
        assert_eq!(violations("crates/wa-noise/Cargo.toml", dev), [""; 0]);
        assert_eq!(
            violations("crates/wa-sandbox/Cargo.toml", dev),
            [
                "crates/wa-sandbox/Cargo.toml:2: wa-sandbox must not depend on wa-stanza: a mistake of ours would be mirrored"
            ]
        );
    }

    #[test]
    fn protocol_crates_do_no_io() {
        let tokio = "[dependencies]\ntokio.workspace = true\n";
        assert_eq!(
            violations("crates/wa-chat/Cargo.toml", tokio),
            [
                "crates/wa-chat/Cargo.toml:2: must not depend on `tokio`: the crates of L0 to L2 do no I/O, except wa-http"
            ]
        );
        assert_eq!(violations("crates/wa-http/Cargo.toml", tokio), [""; 0]);
        assert_eq!(violations("crates/wa-integrator/Cargo.toml", tokio), [""; 0]);
    }

    #[test]
    fn edges_are_also_found_below_other_crates() {
        let tree = "wa-chat v0.1.0\nbytes v1.0.0\ntokio v1.0.0\ntokio v1.0.0 (*)\n";
        let found: Vec<String> = edges_below("wa-chat", tree).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            ["crates/wa-chat: must not reach `tokio`: the crates of L0 to L2 do no I/O, except wa-http"]
        );
        assert_eq!(edges_below("wa-enlist", "wa-enlist v0.1.0\nwa-http v0.1.0\ntokio v1.0.0\n"), []);
        assert_eq!(edges_below("wa-chat", "wa-chat v0.1.0\nbytes v1.0.0\n"), []);
    }

    #[test]
    fn a_crate_without_a_layer_is_named() {
        assert_eq!(
            violations("crates/wa-new/Cargo.toml", ""),
            [
                "crates/wa-new/Cargo.toml: is in no layer: add it to xtask/src/tidy/layers.rs and to docs/ARCHITECTURE.md"
            ]
        );
    }

    #[test]
    fn a_client_without_http_links_no_tls() {
        let found = heavy("wa-interop v0.1.0\nhyper-util v0.1.20\nsha2 v0.11.0 (*)\n");
        let expected = "crates/wa-interop: without `http` it must not reach `hyper-util`: the application's own HTTP takes its place";
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    }
}
