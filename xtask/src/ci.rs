//! `cargo xtask ci [--full]`: everything that must hold before a change is merged.

use std::time::{Duration, Instant};

use crate::failure::{Failure, no_more};
use crate::program::Program;
use crate::{
    bindings, codegen, conformance, console, fuzz, guide, image, page, peers, report, sabotage, spelling,
    system, test, tidy, tools, workflows,
};

/// Runs the steps in order, cheap ones first, and stops at the first that fails.
pub(crate) fn ci(args: &[String]) -> Result<(), Failure> {
    let (full, rest) = match args.split_first() {
        Some((first, rest)) if first == "--full" => (true, rest),
        _ => (false, args),
    };
    no_more("ci", rest)?;
    let mut times = Vec::new();
    for step in STEPS.iter().chain(if full { FULL } else { &[] }) {
        report::note(&format!("\n==> {}", step.name));
        let started = now();
        let result = (step.run)();
        times.push((step.name, started.elapsed()));
        if let Err(failure) = result {
            summarise(&times);
            let why = failure.message().map(|message| format!(": {message}")).unwrap_or_default();
            return Err(Failure::new(format!("the step `{}` failed{why}", step.name)));
        }
    }
    summarise(&times);
    report::note("ci: every step passed");
    Ok(())
}

struct Step {
    name: &'static str,
    run: fn() -> Result<(), Failure>,
}

const STEPS: &[Step] = &[
    Step { name: "system libraries", run: system::ensure },
    Step { name: "formatting", run: || cargo(&["fmt", "--all", "--check"]) },
    Step { name: "tidy", run: || tidy::tidy(&[]) },
    Step {
        name: "clippy",
        run: || cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    },
    Step {
        name: "functions of at most 40 lines",
        run: || cargo(&["clippy", "--workspace", "--lib", "--bins", "--", "-D", "clippy::too_many_lines"]),
    },
    Step { name: "test", run: || test::test(&[]) },
    Step {
        name: "agreement by the ladder alone",
        run: || test::test(&["--", "-p", "wa-keys", "--features", "ladder-only"].map(str::to_owned)),
    },
    Step {
        name: "traces",
        run: || {
            test::test(
                &[
                    "--",
                    "-p",
                    "wa-integrator-server",
                    "--features",
                    "otel",
                    "--test",
                    "server",
                    "telemetry::",
                ]
                .map(str::to_owned),
            )
        },
    },
    Step { name: "codegen", run: || codegen::codegen(&["--check".to_owned()]) },
    Step { name: "docs", run: docs },
    Step { name: "the guide", run: || guide::guide(&[]) },
    Step { name: "conformance", run: || conformance::conformance(&[]) },
    Step { name: "conformance, proved by a few", run: || proved("few") },
    Step {
        name: "bad servers and clients, a few",
        run: || peers::peers(&["python", "--bad"].map(str::to_owned)),
    },
    Step { name: "the console in a browser", run: || console::console(&[]) },
    Step { name: "the suite's page in a browser", run: || page::page(&[]) },
];

const FULL: &[Step] = &[
    Step { name: "licences, bans and sources", run: deny },
    Step { name: "workflows", run: || workflows::workflows(&[]) },
    Step { name: "spelling", run: || spelling::spelling(&[]) },
    Step { name: "fuzz targets have their seeds", run: seeds },
    Step { name: "each fuzz target for a moment", run: || fuzz::fuzz(&["smoke".to_owned()]) },
    Step { name: "fewer features", run: fewer_features },
    Step { name: "each feature alone", run: each_feature },
    Step { name: "conformance, proved", run: || proved("own") },
    Step { name: "conformance, each saboteur on each check", run: || proved("all") },
    Step { name: "the sandbox's image", run: || image::image(&[]) },
    Step { name: "bindings", run: || bindings::bindings(&[]) },
    Step { name: "a client in Python", run: || peers::peers(&["python".to_owned()]) },
    Step { name: "sabotage", run: || sabotage::sabotage(&[]) },
    Step { name: "crates build from their packages", run: packages },
];

/// Saboteurs against the checks.
fn proved(which: &str) -> Result<(), Failure> {
    conformance::conformance(&[format!("--prove={which}")])
}

fn cargo(args: &[&str]) -> Result<(), Failure> {
    Program::cargo().with_args(args).run()
}

/// The third party's server without each engine, and the suite without our own servers.
fn fewer_features() -> Result<(), Failure> {
    let server = |features: &[&str]| {
        let lint = ["clippy", "-p", "wa-integrator", "-p", "wa-integrator-server", "--all-targets"];
        let with = ["--no-default-features", "--features", &features.join(",")].map(str::to_owned);
        let lint = Program::cargo().with_args(lint).with_args(&with);
        lint.with_args(["--", "-D", "warnings"]).run()
    };
    for features in [&[][..], &["postgres", "s3"], &["nats", "s3"], &["nats", "postgres"]] {
        server(features)?;
    }
    cargo(&[
        "clippy",
        "-p",
        "wa-conformance",
        "--no-default-features",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])
}

/// Each crate with each of its features and no other, as who depends on it sees it: without what its tests need.
fn each_feature() -> Result<(), Failure> {
    let hack = tools::HACK.command()?.with_args(["check", "--workspace", "--each-feature", "--no-dev-deps"]);
    hack.with_args(["--exclude", "xtask", "--exclude", "codegen"]).run()?;
    let test = ["--", "-p", "wa-chat", "--features", "serde", "json"];
    test::test(&test.map(str::to_owned))
}

fn seeds() -> Result<(), Failure> {
    let seeds =
        ["run", "--quiet", "--manifest-path", "fuzz/Cargo.toml", "--example", "seeds", "--", "--check"];
    cargo(&seeds)
}

fn docs() -> Result<(), Failure> {
    let docs = Program::cargo().with_args(["doc", "--workspace", "--no-deps"]);
    docs.with_env("RUSTDOCFLAGS", "-D warnings").run()
}

/// What is depended on. Advisories change without us: the workflow asks for them each night.
fn deny() -> Result<(), Failure> {
    let deny = tools::DENY.command()?.with_args(["--log-level", "error"]);
    deny.with_args(["check", "licenses", "bans", "sources"]).run()
}

/// Each crate builds from its package alone, beside the packages of the others.
fn packages() -> Result<(), Failure> {
    cargo(&["package", "--workspace", "--allow-dirty"])
}

fn summarise(times: &[(&str, Duration)]) {
    report::note("");
    for (name, time) in times {
        report::note(&format!("{:>8.1} s  {name}", time.as_secs_f64()));
    }
    let sum: Duration = times.iter().map(|(_, time)| *time).sum();
    report::note(&format!("{:>8.1} s  in all", sum.as_secs_f64()));
}

#[expect(clippy::disallowed_methods, reason = "how long a step takes is real time")]
fn now() -> Instant {
    Instant::now()
}
