//! `cargo xtask image`: what `docs/deploy/Containerfile.sandbox` makes, put together in a directory without a container
//! engine, and looked at: how large it is, which libraries it wants, whether it starts with nothing else around it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::failure::{Failure, io, no_more};
use crate::program::{Program, root, target};
use crate::report;

const CONTAINERFILE: &str = "docs/deploy/Containerfile.sandbox";

/// Most bytes of the program.
const MOST: u64 = 20_000_000;

/// The libraries that debian:bookworm-slim has, of those that a program of Rust wants.
const THERE: [&str; 5] =
    ["libc.so.6", "libgcc_s.so.1", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"];

/// What the file says, as far as it is needed here.
#[derive(Debug, PartialEq, Eq)]
struct Recipe {
    /// The arguments of cargo.
    build: Vec<String>,
    /// What is stripped and copied, below the repository.
    made: String,
    /// Where it lies in the image.
    place: String,
    /// The program with its arguments.
    entry: Vec<String>,
    /// The user's number, who must not be root.
    user: u32,
}

/// Builds, strips, copies, looks, and starts.
pub(crate) fn image(args: &[String]) -> Result<(), Failure> {
    no_more("image", args)?;
    let file = root().join(CONTAINERFILE);
    let text = std::fs::read_to_string(&file).map_err(|error| io(&file, &error))?;
    let recipe = Recipe::read(&text).map_err(|why| Failure::new(format!("{CONTAINERFILE}: {why}")))?;
    Program::cargo().with_args(&recipe.build).run()?;
    let image = root().join("target/image");
    let program = image.join(recipe.place.trim_start_matches('/'));
    let directory = program.parent().unwrap_or(&image);
    std::fs::create_dir_all(directory).map_err(|error| io(directory, &error))?;
    let made = target().join(recipe.made.trim_start_matches("target/"));
    Program::new("strip").with_args(["-o".as_ref(), program.as_os_str(), made.as_os_str()]).run()?;
    let size = std::fs::metadata(&program).map_err(|error| io(&program, &error))?.len();
    let needed = needed(&Program::new("readelf").with_args(["-d"]).with_args([&program]).output()?);
    report::line(&format!("{} bytes, {}", size, linked(&needed)));
    if size > MOST {
        return Err(Failure::new(format!("the program has more than {MOST} bytes")));
    }
    if let Some(missing) = needed.iter().find(|name| !THERE.contains(&name.as_str())) {
        return Err(Failure::new(format!("the image has no {missing}")));
    }
    starts(&program, &recipe)
}

/// Starts it with an empty environment, at any port of loopback, and reads its ready line.
fn starts(program: &Path, recipe: &Recipe) -> Result<(), Failure> {
    // Everything but the address is as in the image.
    let arguments = recipe.entry.iter().skip(1).map(|it| if it == "0.0.0.0" { "127.0.0.1" } else { it });
    let mut child = Command::new(program)
        .args(arguments)
        .args(["--port", "0"])
        .env_clear()
        .env("WA_SANDBOX_TOKEN", "choose-one")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| io(program, &error))?;
    let line = ready(&mut child);
    // It has nothing to lose.
    let _ = child.kill();
    let _ = child.wait();
    if !line.starts_with("{\"enlist\":") {
        return Err(Failure::new(format!("it says {line:?} when it starts")));
    }
    report::line(&format!("it starts with nothing else around it, for the user {}", recipe.user));
    Ok(())
}

fn ready(child: &mut Child) -> String {
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        // What cannot be read is no ready line.
        let _ = BufReader::new(output).read_line(&mut line);
    }
    line
}

impl Recipe {
    fn read(text: &str) -> Result<Self, String> {
        let after = |word: &str| {
            let mut lines = text.lines().filter_map(|line| line.strip_prefix(word));
            lines.next_back().map(str::trim).ok_or_else(|| format!("it has no {}", word.trim()))
        };
        let build = after("RUN cargo ")?;
        let (build, strip) = build.split_once(" && strip ").ok_or("it does not strip the program")?;
        let (made, place) = after("COPY --from=build ")?.split_once(' ').ok_or("it copies nothing")?;
        let made = made.trim_start_matches("/build/");
        if made != strip.trim() {
            return Err(format!("{strip} is stripped, {made} copied"));
        }
        let words = |list: &str| {
            list.split(',').map(|word| word.trim_matches([' ', '[', ']', '"']).to_owned()).collect()
        };
        let entry: Vec<String> = words(after("ENTRYPOINT ")?);
        if entry.first().map(String::as_str) != Some(place) {
            return Err(format!("{place} is copied, {entry:?} started"));
        }
        let user = after("RUN useradd ")?.split_whitespace().skip_while(|word| *word != "--uid").nth(1);
        let user =
            user.and_then(|user| user.parse().ok()).filter(|user| *user != 0 && text.contains("\nUSER "));
        Ok(Self {
            build: build.split_whitespace().map(str::to_owned).collect(),
            made: made.to_owned(),
            place: place.to_owned(),
            entry,
            user: user.ok_or("it runs as root")?,
        })
    }
}

/// The shared libraries that `readelf -d` names.
fn needed(dynamic: &str) -> Vec<String> {
    let lines = dynamic.lines().filter(|line| line.contains("(NEEDED)"));
    lines.filter_map(|line| Some(line.split_once('[')?.1.split_once(']')?.0.to_owned())).collect()
}

fn linked(needed: &[String]) -> String {
    if needed.is_empty() {
        "linked statically".to_owned()
    } else {
        format!("linked to {}", needed.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read() {
        let text = std::fs::read_to_string(root().join(CONTAINERFILE)).unwrap();
        let recipe = Recipe::read(&text).unwrap();
        assert_eq!(recipe.build.join(" "), "build --release --locked -p wa-sandbox --bin wa-sandbox");
        assert_eq!((recipe.place.as_str(), recipe.user), ("/usr/bin/wa-sandbox", 10001));
        assert_eq!(recipe.entry, ["/usr/bin/wa-sandbox", "--listen", "0.0.0.0"]);
        for (from, to, said) in [
            (" && strip target/release/wa-sandbox", "", "does not strip"),
            ("strip target/release/wa-sandbox", "strip target/release/wa", "is stripped"),
            ("[\"/usr/bin/wa-sandbox\"", "[\"/usr/bin/wa\"", "started"),
            ("\nUSER wa-sandbox", "", "runs as root"),
            ("--uid 10001", "--uid 0", "runs as root"),
        ] {
            let error = Recipe::read(&text.replace(from, to)).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn libraries_are_those_that_are_needed() {
        let said = " 0x0001 (NEEDED)             Shared library: [libc.so.6]\n 0x000c (INIT)  0x1000\n";
        assert_eq!(needed(said), ["libc.so.6"]);
        assert_eq!(
            (linked(&needed(said)), linked(&[])),
            ("linked to libc.so.6".to_owned(), "linked statically".to_owned())
        );
    }
}
