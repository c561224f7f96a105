//! Why a command did not succeed.

/// A command's failure: at most one sentence, and the exit code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    message: Option<String>,
    code: u8,
}

impl Failure {
    /// A failure with exit code 1.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), code: 1 }
    }

    /// The caller asked for something that does not exist: exit code 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), code: 2 }
    }

    /// A program that has already said what was wrong: its exit code is passed on.
    pub(crate) const fn silent(code: u8) -> Self {
        Self { message: None, code }
    }

    pub(crate) fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    pub(crate) const fn code(&self) -> u8 {
        self.code
    }
}

/// The failure to read or write `path`.
pub(crate) fn io(path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}

/// Refuses arguments that a command does not know.
pub(crate) fn no_more(command: &str, args: &[String]) -> Result<(), Failure> {
    match args.first() {
        None => Ok(()),
        Some(arg) => Err(Failure::usage(format!("`{command}` does not know `{arg}`"))),
    }
}
