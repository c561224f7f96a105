//! Starting other programs in the workspace's root.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::Failure;

/// One program to start: name, arguments, environment.
pub(crate) struct Program {
    name: String,
    command: Command,
}

impl Program {
    pub(crate) fn new(name: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(name.as_ref());
        command.current_dir(root());
        Self { name: name.as_ref().to_string_lossy().into_owned(), command }
    }

    /// The cargo that started us.
    pub(crate) fn cargo() -> Self {
        let mut program = Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        "cargo".clone_into(&mut program.name);
        program
    }

    pub(crate) fn with_args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        for arg in args {
            self.command.arg(arg.as_ref());
        }
        self
    }

    pub(crate) fn with_env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs there instead of in the workspace's root.
    pub(crate) fn with_directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(root().join(directory));
        self
    }

    /// Runs with our stdout and stderr; the program says itself what was wrong.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        let status = self.command.status().map_err(|error| self.not_started(&error))?;
        if status.success() {
            return Ok(());
        }
        let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
        Err(Failure::silent(code))
    }

    /// Runs and returns what it printed on stdout; stderr is ours.
    pub(crate) fn output(mut self) -> Result<String, Failure> {
        let output = self
            .command
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| Failure::new(format!("cannot start {}: {error}", self.name)))?;
        if !output.status.success() {
            return Err(Failure::new(format!("{} failed", self.described())));
        }
        String::from_utf8(output.stdout)
            .map_err(|_| Failure::new(format!("{} did not print UTF-8", self.described())))
    }

    /// Runs, and says whether it ended well and what it printed on stderr; stdout is shown nowhere.
    pub(crate) fn heard(mut self) -> Result<(bool, String), Failure> {
        let output = self.command.stdin(Stdio::null()).output().map_err(|error| self.not_started(&error))?;
        Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    /// Whether it is there and ends with success; nothing is shown.
    pub(crate) fn succeeds(mut self) -> bool {
        let status = self.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    fn described(&self) -> String {
        let args = self.command.get_args().map(OsStr::to_string_lossy);
        std::iter::once(self.name.as_str().into()).chain(args).collect::<Vec<_>>().join(" ")
    }

    fn not_started(&self, error: &std::io::Error) -> Failure {
        Failure::new(format!("cannot start {}: {error}", self.name))
    }
}

/// The workspace's root directory.
pub(crate) fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.parent().map_or_else(|| here.clone(), Path::to_path_buf)
}

/// Where cargo puts what it builds: it may be told another directory.
pub(crate) fn target() -> PathBuf {
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}
