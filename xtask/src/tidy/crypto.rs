//! Rule: one generation of every cryptography crate beneath L0 to L2.

use std::collections::{BTreeMap, BTreeSet};

use crate::tidy::violation::Violation;

/// Two versions of one cryptography crate in cargo's listing (`name vVERSION`, one a line).
pub(crate) fn one_generation(dependency_tree: &str) -> Vec<Violation> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in dependency_tree.lines() {
        let mut words = line.split(' ');
        if let (Some(name), Some(version)) = (words.next(), words.next())
            && CRATES.contains(&name)
        {
            versions.entry(name).or_default().insert(version);
        }
    }
    let doubled = versions.into_iter().filter(|(_, versions)| versions.len() > 1);
    doubled.map(|(name, versions)| violation(name, &versions)).collect()
}

fn violation(name: &str, versions: &BTreeSet<&str>) -> Violation {
    let versions: Vec<&str> = versions.iter().copied().collect();
    let message =
        format!("{name} is there {} times beneath L0 to L2: {}", versions.len(), versions.join(", "));
    Violation::new("Cargo.lock", message)
}

const CRATES: [&str; 24] = [
    "aead",
    "aes",
    "aes-gcm",
    "block-buffer",
    "block-padding",
    "cbc",
    "cipher",
    "crypto-common",
    "ctr",
    "curve25519-dalek",
    "digest",
    "ed25519-dalek",
    "ghash",
    "hkdf",
    "hmac",
    "inout",
    "polyval",
    "rand_core",
    "sha2",
    "snow",
    "subtle",
    "universal-hash",
    "x25519-dalek",
    "zeroize",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_generations_are_named_with_their_versions() {
        let tree = "wa-noise v0.1.0\nsha2 v0.11.0\nsha2 v0.11.0 (*)\nsnow v0.10.0\nsha2 v0.10.9\n";
        let found: Vec<String> = one_generation(tree).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["Cargo.lock: sha2 is there 2 times beneath L0 to L2: v0.10.9, v0.11.0"]);
    }

    #[test]
    fn one_generation_passes_and_other_crates_are_not_looked_at() {
        let tree = "sha2 v0.11.0\n\nsha2 v0.11.0 (*)\nsyn v1.0.0\nsyn v2.0.0\n";
        assert_eq!(one_generation(tree), []);
    }
}
