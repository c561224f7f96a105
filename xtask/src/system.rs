//! What the machine must have besides Rust and a C compiler: OpenSSL's development files and pkg-config.
//!
//! Only `wa-integrator` needs them (its JOSE library links OpenSSL), so only commands that build it ask.

use std::path::Path;

use crate::failure::Failure;
use crate::program::Program;
use crate::report;

/// Makes sure that the system libraries are there; installs them where that is possible.
///
/// Only Linux is looked at: elsewhere the OpenSSL crate finds its library by other means.
pub(crate) fn ensure() -> Result<(), Failure> {
    if !cfg!(target_os = "linux") || is_named_by_environment() {
        return Ok(());
    }
    let missing = missing_packages(pkg_config_works(), openssl_known(), openssl_headers());
    if missing.is_empty() {
        return Ok(());
    }
    if !may_install() {
        return Err(Failure::new(advice(&missing, has_apt())));
    }
    install(&missing)?;
    if pkg_config_works() && openssl_known() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "apt-get installed {}, but pkg-config does not find openssl",
        missing.join(" ")
    )))
}

/// The Debian packages to install.
///
/// `known`: pkg-config finds OpenSSL; `headers`: they lie where Debian puts them, though nothing can say so yet.
fn missing_packages(pkg_config: bool, known: bool, headers: bool) -> Vec<&'static str> {
    match (pkg_config, known, headers) {
        (true, true, _) => vec![],
        (true, false, _) => vec!["libssl-dev"],
        (false, _, true) => vec!["pkg-config"],
        (false, _, false) => vec!["libssl-dev", "pkg-config"],
    }
}

fn advice(missing: &[&str], apt: bool) -> String {
    if apt {
        return format!("please run: sudo apt-get install -y {}", missing.join(" "));
    }
    "please install pkg-config and OpenSSL's development files (Fedora: pkgconf openssl-devel; Alpine: pkgconf \
     openssl-dev; Arch: pkgconf openssl)"
        .to_owned()
}

/// Installs these Debian packages.
pub(crate) fn install(missing: &[&str]) -> Result<(), Failure> {
    report::note(&format!("xtask: installing {}", missing.join(" ")));
    apt_get(&["update", "-q"])?;
    apt_get(&[&["install", "-y", "-q", "--no-install-recommends"], missing].concat())
}

/// apt-get's own lines belong on stderr: a command's stdout is its result.
fn apt_get(args: &[&str]) -> Result<(), Failure> {
    let output =
        Program::new("apt-get").with_args(args).with_env("DEBIAN_FRONTEND", "noninteractive").output()?;
    output.lines().for_each(report::note);
    Ok(())
}

fn is_named_by_environment() -> bool {
    ["OPENSSL_DIR", "OPENSSL_INCLUDE_DIR"].iter().any(|name| std::env::var_os(name).is_some())
}

fn pkg_config_works() -> bool {
    Program::new("pkg-config").with_args(["--version"]).succeeds()
}

fn openssl_known() -> bool {
    Program::new("pkg-config").with_args(["--exists", "openssl"]).succeeds()
}

fn openssl_headers() -> bool {
    Path::new("/usr/include/openssl/ssl.h").exists()
}

/// Whether this is a Debian or one of its kind.
pub(crate) fn has_apt() -> bool {
    Program::new("apt-get").with_args(["--version"]).succeeds()
}

/// Whether packages may be installed: as root, and on Debian.
pub(crate) fn may_install() -> bool {
    let root = Program::new("id").with_args(["-u"]).output().is_ok_and(|id| id.trim() == "0");
    root && has_apt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_named() {
        assert_eq!(missing_packages(true, true, true), [""; 0]);
        assert_eq!(missing_packages(true, false, false), ["libssl-dev"]);
        assert_eq!(missing_packages(true, false, true), ["libssl-dev"]);
        assert_eq!(missing_packages(false, false, true), ["pkg-config"]);
        assert_eq!(missing_packages(false, false, false), ["libssl-dev", "pkg-config"]);
    }

    #[test]
    fn the_advice_is_one_sentence() {
        assert_eq!(advice(&["libssl-dev"], true), "please run: sudo apt-get install -y libssl-dev");
        assert!(advice(&["libssl-dev"], false).contains("openssl-devel"));
    }
}
