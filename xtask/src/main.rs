//! The project's own commands: `cargo xtask COMMAND`.
//!
//! A light driver without dependencies: it checks the machine, starts cargo and the project's own programs and says
//! what failed. Whatever a command prints as its result goes to stdout, everything else to stderr.

mod bench;
mod bindings;
mod chaos;
mod ci;
mod codegen;
mod conformance;
mod console;
mod failure;
mod fuzz;
mod guide;
mod image;
mod mutants;
mod page;
mod peers;
mod program;
mod report;
mod sabotage;
mod servers;
mod soak;
mod spelling;
mod system;
mod test;
mod tidy;
mod tools;
mod workflows;

use std::process::ExitCode;

use crate::failure::Failure;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = failure.message() {
                report::note(&format!("xtask: {message}"));
            }
            ExitCode::from(failure.code())
        }
    }
}

fn run(args: &[String]) -> Result<(), Failure> {
    let Some((command, rest)) = args.split_first() else {
        report::line(HELP);
        return Ok(());
    };
    if let [flag] = rest
        && is_help(flag)
        && !HELP_THEMSELVES.contains(&command.as_str())
        && let Some(help) = help_of(command)
    {
        report::line(&help);
        return Ok(());
    }
    match command.as_str() {
        "bench" => bench::bench(rest),
        "bindings" => bindings::bindings(rest),
        "chaos" => chaos::chaos(rest),
        "chat" => conformance::chat(rest),
        "ci" => ci::ci(rest),
        "codegen" => codegen::codegen(rest),
        "conformance" => conformance::conformance(rest),
        "console" => console::console(rest),
        "fuzz" => fuzz::fuzz(rest),
        "guide" => guide::guide(rest),
        "image" => image::image(rest),
        "mutants" => mutants::mutants(rest),
        "page" => page::page(rest),
        "peers" => peers::peers(rest),
        "sabotage" => sabotage::sabotage(rest),
        "sandbox" => conformance::sandbox(rest),
        "soak" => soak::soak(rest),
        "test" => test::test(rest),
        "tidy" => tidy::tidy(rest),
        "spelling" => spelling::spelling(rest),
        "workflows" => workflows::workflows(rest),
        word if word == "help" || is_help(word) => {
            report::line(HELP);
            Ok(())
        }
        _ => Err(Failure::usage(format!("there is no command `{command}`; `cargo xtask` lists them"))),
    }
}

/// Commands that hand `--help` to the program that they start.
const HELP_THEMSELVES: [&str; 3] = ["chat", "conformance", "sandbox"];

fn is_help(argument: &str) -> bool {
    matches!(argument, "--help" | "-h")
}

/// The lines of the help that are about one command.
fn help_of(command: &str) -> Option<String> {
    let mut lines = HELP.lines().skip_while(|line| !line.starts_with(&format!("  {command} ")));
    let first = lines.next()?;
    let more = lines.take_while(|line| line.starts_with("     "));
    Some(format!("cargo xtask{}", std::iter::once(&first[1..]).chain(more).collect::<Vec<_>>().join("\n")))
}

const HELP: &str = "\
cargo xtask COMMAND

To begin:
  conformance [ARGS]           build the integrator and the sandbox, start both, and run every check against them
                               over real sockets; --list shows the requirements, --html FILE writes a page,
                               --integrator URL judges somebody else's server (docs/CONFORMANCE.md)
  chat [--profile FILE]        chat in the terminal with a phone of a local WhatsApp that this starts
  sandbox [ARGS]               run a local WhatsApp with a demonstration integrator and three phones (docs/SANDBOX.md)
  test [-- ARGS]               run all tests and the examples in the documentation; ARGS go to the test runner
                               (for example `-- -p wa-binary`) and leave the examples out

To work on the project:
  ci [--full]                  everything that must hold before a change is merged; --full adds the slow rest
  tidy                         check the taste that the compiler cannot: sockets, layers, crypto crates, words, files
  codegen [--check]            generate the protobuf types from proto/, the rules in docs/SANDBOX.md and the
                               requirements in docs/CONFORMANCE.md; --check only compares
  bench AREA [--json|--plot]   compare with other implementations (see docs/BENCHMARKS.md); --plot also draws the picture in
                               docs/benchmarks
  bindings [LANGUAGE|size|cost|stubs]
                               make the client's packages for Python, Kotlin and Swift below target/bindings, and try them out:
                               a conversation, the samples of docs/MOBILE.md, the suite through Python; `size` prints what the
                               library weighs, `cost` what calls cost through Python, `stubs` writes the types of Python
  peers AREA [ARGS]            agree with other implementations, asked live (for example `signal --conversations 3000`);
                               `peers python` walks a client in Python through the five milestones at a sandbox and has the suite
                               judge it, and a third party's server in Python
  chaos [--seeds N]            client and WhatsApp under crashes and a bad line, N times (10,000); `chaos crash` adds a
                               death at every edge and SQLite, `chaos kill` kills a real process, `chaos sync` watches it,
                               `chaos drain` empties full mailboxes on busy processors, `chaos digest` is one SHA-256 over
                               what the client lets out, equal as long as code only moves;
                               `chaos replicas` kills two third party's servers on one database by turns
  soak MINUTES                 ten thousand clients (or as many as there is memory for) write and are answered, while lines are
                               cut, clients restart, keys change, stanzas are lost and clocks jump; each minute says what both
                               processes hold; fails if a text is lost or comes twice, or if memory grows
  image                        put together what docs/deploy/Containerfile.sandbox makes, without a container engine: its size,
                               the libraries that it wants, and whether it starts with nothing else around it
  page [--pictures]            look at the page of HTML that the suite writes in a headless Chromium, with axe-core; --pictures
                               writes those in docs/conformance
  console [--pictures]         walk through the sandbox's console in a headless Chromium, with axe-core; --pictures writes those
                               in docs/console
  guide                        do what docs/BEGIN.md says, and compare what it says is printed
  sabotage [NAME…]             break each gate of the store contract in a copy of the tree, and see a test notice
  mutants [CRATE | keyring | messenger] [--shard K/N]
                               break code in one place after the other, and see the crate's own tests notice nine in ten
                               (docs/MUTANTS.md)
  workflows                    read the forge's workflows with their schema and with zizmor
  spelling                     read the words of code and documents with typos
  fuzz TARGET [SECONDS]        run a fuzz target for so many seconds of processor time (60; docs/FUZZING.md);
                               `fuzz smoke [SECONDS]` runs each for a moment (5) and says what was reached

`test`, `conformance` and `ci` look for OpenSSL's development files first. On Debian and Ubuntu, as root, they install
what is missing; elsewhere they say what to install. `test` and `ci` do the same for the servers that the tests of
`wa-integrator` start for themselves: PostgreSQL and NATS; `console` and `ci` for Chromium and npm.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_the_help() {
        for command in [
            "bench",
            "bindings",
            "chaos",
            "chat",
            "ci",
            "codegen",
            "conformance",
            "console",
            "fuzz",
            "guide",
            "mutants",
            "peers",
            "sandbox",
            "soak",
            "test",
            "tidy",
            "spelling",
            "workflows",
        ] {
            assert!(HELP.lines().any(|line| line.starts_with(&format!("  {command} "))), "{command}");
        }
    }

    #[test]
    fn a_command_says_what_it_does() {
        let help = help_of("guide").unwrap();
        assert!(help.starts_with("cargo xtask guide ") && help.lines().count() < 4, "{help}");
        assert!(help_of("bench").unwrap().contains("AREA"));
        assert_eq!(help_of("frobnicate"), None);
    }

    #[test]
    fn an_unknown_command_is_a_usage_error() {
        let failure = run(&["frobnicate".to_owned()]).unwrap_err();
        assert_eq!(failure.code(), 2);
        assert_eq!(failure.message(), Some("there is no command `frobnicate`; `cargo xtask` lists them"));
    }
}
