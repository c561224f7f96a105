//! The programs that tests of `wa-integrator` start for themselves: PostgreSQL's and NATS's servers, `curl`, `ps` and `kill`.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::system;

/// Makes sure that what tests start is there; installs it where that is possible.
pub(crate) fn ensure() -> Result<(), Failure> {
    ensure_programs(&TESTS)
}

/// The same for what `cargo xtask peers http` starts.
pub(crate) fn ensure_load() -> Result<(), Failure> {
    ensure_programs(&LOAD)
}

/// Programs, each with the Debian package that has it.
const TESTS: [(&str, &str); 4] =
    [("initdb", "postgresql"), ("nats-server", "nats-server"), ("curl", "curl"), ("ps", "procps")];
const CONSOLE: [(&str, &str); 3] = [("chromium", "chromium"), ("node", "nodejs"), ("npm", "npm")];
const LOAD: [(&str, &str); 2] = [("h2load", "nghttp2-client"), ("npm", "npm")];

/// Java's calls into native libraries, as Debian has them.
pub(crate) const JNA: &str = "/usr/share/java/jna.jar";
const JAVA: [(&str, &str); 2] = [("java", "default-jre-headless"), (JNA, "libjna-java")];

/// The same for what runs Kotlin.
pub(crate) fn ensure_java() -> Result<(), Failure> {
    ensure_programs(&JAVA)
}

/// Chromium, and what drives it: where it lies. On Debian as root it is installed, like all the others.
pub(crate) fn ensure_browser() -> Result<PathBuf, Failure> {
    ensure_programs(&CONSOLE)?;
    let there = directories().into_iter().map(|directory| directory.join("chromium")).find(|it| it.is_file());
    there.ok_or_else(|| Failure::new(advice(&["chromium"], system::has_apt())))
}

fn ensure_programs(programs: &[(&str, &'static str)]) -> Result<(), Failure> {
    let directories = directories();
    let there = |name: &str| directories.iter().any(|directory| directory.join(name).is_file());
    let missing = missing_packages(programs, there);
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
fn missing_packages(programs: &[(&str, &'static str)], there: impl Fn(&str) -> bool) -> Vec<&'static str> {
    programs.iter().filter(|(program, _)| !there(program)).map(|(_, package)| *package).collect()
}

fn advice(missing: &[&str], apt: bool) -> String {
    let missing = missing.join(" ");
    if apt {
        return format!("other programs are started, please run: sudo apt-get install -y {missing}");
    }
    format!("other programs are started, please install: {missing}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_named() {
        assert_eq!(missing_packages(&TESTS, |_| true), [""; 0]);
        assert_eq!(missing_packages(&TESTS, |name| name == "initdb"), ["nats-server", "curl", "procps"]);
        assert_eq!(missing_packages(&TESTS, |_| false), ["postgresql", "nats-server", "curl", "procps"]);
        assert_eq!(missing_packages(&LOAD, |name| name == "npm"), ["nghttp2-client"]);
    }

    #[test]
    fn the_advice_is_one_sentence() {
        let expected = "other programs are started, please run: sudo apt-get install -y nats-server";
        assert_eq!(advice(&["nats-server"], true), expected);
        assert!(advice(&["nats-server"], false).ends_with("please install: nats-server"));
    }
}
