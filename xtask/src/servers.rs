//! The servers that tests of `wa-integrator` start for themselves: PostgreSQL's and NATS's programs.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::system;

/// Makes sure that the programs are there; installs them where that is possible.
pub(crate) fn ensure() -> Result<(), Failure> {
    let directories = directories();
    let there = |name: &str| directories.iter().any(|directory| directory.join(name).is_file());
    let missing = missing_packages(there);
    if missing.is_empty() || !cfg!(unix) {
        return Ok(());
    }
    if !system::may_install() {
        return Err(Failure::new(advice(&missing, system::has_apt())));
    }
    system::install(&missing)
}

/// Where programs lie: the path, and where Debian puts these.
fn directories() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    directories.push("/usr/sbin".into());
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    directories.extend(versions.map(|version| version.path().join("bin")));
    directories
}

/// The Debian packages to install.
fn missing_packages(there: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let programs = [("initdb", "postgresql"), ("nats-server", "nats-server")];
    programs.into_iter().filter(|(program, _)| !there(program)).map(|(_, package)| package).collect()
}

fn advice(missing: &[&str], apt: bool) -> String {
    let missing = missing.join(" ");
    if apt {
        return format!("tests start servers of their own, please run: sudo apt-get install -y {missing}");
    }
    format!("tests start servers of their own, please install: {missing}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_named() {
        assert_eq!(missing_packages(|_| true), [""; 0]);
        assert_eq!(missing_packages(|name| name == "initdb"), ["nats-server"]);
        assert_eq!(missing_packages(|_| false), ["postgresql", "nats-server"]);
    }

    #[test]
    fn the_advice_is_one_sentence() {
        let expected = "tests start servers of their own, please run: sudo apt-get install -y nats-server";
        assert_eq!(advice(&["nats-server"], true), expected);
        assert!(advice(&["nats-server"], false).ends_with("please install: nats-server"));
    }
}
