//! `cargo xtask soak MINUTES`: very many clients for a long time, and everything that goes wrong meanwhile.

use crate::failure::{Failure, no_more};
use crate::program::Program;
use crate::system;

/// Builds the program and lets it run.
pub(crate) fn soak(args: &[String]) -> Result<(), Failure> {
    let Some((minutes, rest)) = args.split_first() else {
        return Err(Failure::usage("say for how many minutes"));
    };
    no_more("soak", rest)?;
    if !minutes.parse::<u32>().is_ok_and(|minutes| minutes > 0) {
        return Err(Failure::usage(format!("`{minutes}` is not a number of minutes")));
    }
    system::ensure()?;
    // Each client has a socket, in either process.
    Program::new("bash")
        .with_args(["-c", "ulimit -n \"$(ulimit -Hn)\" && exec \"$@\"", "soak"])
        .with_args(["cargo", "run", "--release", "--quiet", "--package", "wa-conformance"])
        .with_args(["--bin", "wa-soak", "--", minutes])
        .run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_minutes_and_nothing_else() {
        for wrong in [&[][..], &["0"], &["ten"], &["1", "2"]] {
            let args = wrong.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
            assert_eq!(soak(&args).unwrap_err().code(), 2, "{wrong:?}");
        }
    }
}
