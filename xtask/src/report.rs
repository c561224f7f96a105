//! What a person or a program reads: results on stdout, everything else on stderr.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program speaks here and nowhere else"
)]

/// One line of a command's result.
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// One line about what is being done.
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}
