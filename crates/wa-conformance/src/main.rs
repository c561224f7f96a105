//! `wa-conformance`: judges a third party's server and client against the documents, with a local WhatsApp.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use wa_conformance::{
    Catalogue, ChatTarget, Check, ClientSetting, Document, Excuses, Failure, ForeignServer, Judged, News,
    Proof, Reach, Report, Rules, ServerSetting, Setting, Shard, ShimProgram, Suite, Task, UNBREAKABLE, Watch,
    all, attend, prove, saboteurs,
};

/// Judges a third party's server and client, from enlistment to deletion, over loopback sockets.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Arguments {
    /// Print every requirement with its checks, and how many are uncovered
    #[arg(long, exclusive = true)]
    list: bool,

    /// Print everything about a check or a requirement
    #[arg(long, value_name = "ID", exclusive = true)]
    explain: Option<String>,

    /// Print the requirements as tables in Markdown
    #[arg(long, exclusive = true, hide = true)]
    catalogue: bool,

    /// Judge the third party's server at this base URL; --integrator-file says how tokens are had
    #[arg(long, value_name = "URL", requires = "integrator_file")]
    integrator: Option<String>,

    /// How a token, an upload and a wake-up are had of the server at --integrator, in TOML
    #[arg(long, value_name = "FILE", requires = "integrator")]
    integrator_file: Option<PathBuf>,

    /// The port of the local WhatsApp, so that the server at --integrator can be told where its keys are, and a person with
    /// --watch where everything is; chatd has the next one; 0: any
    #[arg(long, value_name = "N", default_value_t = 7400)]
    port: u16,

    /// Judge the client behind this shim: a program that speaks the protocol of docs/SHIM.md on its standard streams
    #[arg(long, value_name = "COMMAND", conflicts_with = "integrator")]
    client: Option<String>,

    /// Without a shim: tell a person what to do with their client, step by step, and judge what arrives
    #[arg(long, conflicts_with_all = ["client", "prove", "chat", "integrator_program", "sandbox_program"])]
    watch: bool,

    /// With --watch, the seconds that each step may take
    #[arg(long, value_name = "N", default_value_t = 600)]
    patience: u64,

    /// Ask a chat server that is really there, and only what harms nobody; --chat-file says as whom
    #[arg(long, value_name = "HOST:PORT", requires = "chat_file", conflicts_with_all = ["client", "prove", "integrator"])]
    chat: Option<String>,

    /// Who logs in at --chat: login, user, Noise key and how a token is had, in TOML that nobody else may read
    #[arg(long, value_name = "FILE", requires = "chat")]
    chat_file: Option<PathBuf>,

    /// Judge this program wa-integrator instead of the same server in this process
    #[arg(long, value_name = "PATH", conflicts_with = "integrator")]
    integrator_program: Option<PathBuf>,

    /// Use this program wa-sandbox instead of the same local WhatsApp in this process
    #[arg(long, value_name = "PATH", conflicts_with = "integrator")]
    sandbox_program: Option<PathBuf>,

    /// Let saboteurs loose on this project's own stack, and see every check turn red that is meant for what they break;
    /// `few`: some of them, `all`: each on all checks
    #[arg(
        long,
        value_name = "WHICH",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "own",
        conflicts_with_all = ["integrator", "client", "integrator_program", "sandbox_program"]
    )]
    prove: Option<Prove>,

    /// With --prove, only the saboteur of this name
    #[arg(long, value_name = "ID", requires = "prove")]
    saboteur: Vec<String>,

    /// With --prove, only one part of the saboteurs, such as 2/4: the second of four, for as many machines
    #[arg(long, value_name = "K/N", requires = "prove")]
    shard: Option<Shard>,

    /// Only under this version of the document
    #[arg(long, value_name = "VERSION", value_parser = Document::ALL.map(Document::name))]
    document: Option<String>,

    /// Under the rules of this TOML file instead of the documents', for the client, the integrator and WhatsApp alike
    #[arg(long, value_name = "FILE", conflicts_with = "document", value_parser = Rules::open)]
    profile: Option<Rules>,

    /// Only checks of this milestone
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=6))]
    milestone: Vec<u8>,

    /// Only checks whose name contains this, or that a requirement of this name is about
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,

    /// Run the checks in the order that comes of this number
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// So many checks at the same time, each with servers of its own; the number of processors
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,

    /// Failures that are accepted, each with its reason, in TOML
    #[arg(long, value_name = "FILE")]
    accepted: Option<PathBuf>,

    /// One JSON object a line instead of text
    #[arg(long)]
    json: bool,

    /// Write the results as JUnit's XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    /// Write the results as one page of HTML
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Only checks whose name contains one of these
    #[arg(value_name = "ID")]
    only: Vec<String>,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  every check passed, was skipped with a reason, or failed as --accepted says
  1  a check failed
  2  the command line or a file named there is wrong
  3  no check ran
  4  a check passed that --accepted says would fail
  5  what is judged could not be started, or a report not be written";

/// Who is let loose on what.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Prove {
    /// Some saboteurs, each on the checks that must notice.
    Few,
    /// All saboteurs, each on the checks that must notice.
    Own,
    /// All saboteurs, each on all checks.
    All,
}

/// What a run came to.
#[derive(Clone, Copy)]
enum Code {
    Fine = 0,
    Failed = 1,
    Usage = 2,
    NothingRan = 3,
    NeedlessExcuse = 4,
    Broken = 5,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.printed() {
        Some(text) => text.and_then(|text| print(&text)).map(|()| Code::Fine).map_err(|it| (Code::Usage, it)),
        None => run(arguments).await,
    };
    let code = outcome.unwrap_or_else(|(code, failure)| {
        complain(&failure.to_string());
        code
    });
    ExitCode::from(code as u8)
}

async fn run(arguments: Arguments) -> Result<Code, (Code, Failure)> {
    let broken = |failure: Failure| (Code::Broken, failure);
    let client = match &arguments.client {
        Some(command) => ClientSetting::Shim(ShimProgram::probe(command).await.map_err(broken)?),
        None => ClientSetting::Own,
    };
    let suite = arguments.suite(client).map_err(|failure| (Code::Usage, failure))?;
    let json = arguments.json;
    let mut show = |judged: &Judged| {
        let line = if json { judged.to_json().to_string() } else { judged.to_text() };
        // Nobody reads any more: the exit code still tells.
        let _ = print(&line);
    };
    if let Some(which) = arguments.prove {
        return proved(&arguments, &suite, which).await.map_err(broken);
    }
    let report = match (&arguments.chat, &arguments.chat_file) {
        (Some(address), Some(file)) => {
            let target = ChatTarget::open(address, file).map_err(|failure| (Code::Usage, failure))?;
            target.judge(&arguments.newest_rules(), &mut show).await
        }
        _ if arguments.watch => attend(&arguments.watch(), &mut |news| told(&news, json)).await,
        _ => suite.run(&mut show).await,
    };
    let report = report.map_err(broken)?;
    let last = if json { report.to_json().to_string() } else { format!("\n{}", report.summary()) };
    print(&last).map_err(broken)?;
    arguments.save(&report).map_err(broken)?;
    let needless = suite.excuses.needless(&report);
    for id in &needless {
        complain(&format!("{id} passes: take it out of the accepted failures"));
    }
    let totals = report.totals();
    Ok(match () {
        () if totals.failed > 0 => Code::Failed,
        () if totals.passed + totals.accepted == 0 => Code::NothingRan,
        () if !needless.is_empty() => Code::NeedlessExcuse,
        () => Code::Fine,
    })
}

/// Tells a person what to do, and how it went.
fn told(news: &News<'_>, json: bool) {
    let line = match news {
        News::Ready(addresses) if json => serde_json::json!({ "ready": addresses }).to_string(),
        News::Task(task) if json => {
            let Task { id, milestone, words } = task;
            serde_json::json!({ "task": id, "milestone": milestone, "words": words }).to_string()
        }
        News::Judged(judged) if json => judged.to_json().to_string(),
        News::Ready(addresses) => format!(
            "A local WhatsApp is at {}, its chat server at {}; {} shows what goes on.",
            addresses.media, addresses.chat, addresses.media
        ),
        News::Task(task) => format!("\nMilestone {}: {}", task.milestone, task.words),
        News::Judged(judged) => judged.to_text(),
    };
    // Nobody reads any more: the exit code still tells.
    let _ = print(&line);
}

async fn proved(arguments: &Arguments, suite: &Suite, which: Prove) -> Result<Code, Failure> {
    let is_narrowed = !arguments.filter.is_empty() || !arguments.only.is_empty();
    let mut wanted = saboteurs()?;
    wanted.retain(|it| {
        (which != Prove::Few || it.few)
            && (arguments.saboteur.is_empty() || arguments.saboteur.contains(&it.id))
            && (!is_narrowed || suite.checks.iter().any(|check| it.must_be_noticed_by(check.id)))
    });
    if let Some(shard) = arguments.shard {
        wanted = shard.of(wanted);
    }
    let is_whole = which != Prove::Few && arguments.saboteur.is_empty() && arguments.shard.is_none();
    let reach = if which == Prove::All { Reach::All } else { Reach::Own };
    let mut said = Ok(());
    let mut tell = |line: &str| said = print(line);
    // Let loose on all checks, most wait for what does not come, and the processors with them.
    let each = if which == Prove::All { 12 } else { 4 };
    let jobs = arguments.jobs.unwrap_or_else(|| processors() * each);
    let proof = prove(&suite.checks, wanted, reach, jobs, &mut tell).await?;
    said?;
    conclude(&proof, is_whole)
}

/// Says what became of all saboteurs.
fn conclude(proof: &Proof, is_whole: bool) -> Result<Code, Failure> {
    let Proof { saboteurs, unnoticed, proved, unbroken } = proof;
    print(&format!(
        "\n{saboteurs} saboteurs, {} of them not noticed by a check that must; {} checks were turned red",
        unnoticed.len(),
        proved.len()
    ))?;
    for (id, green) in unnoticed {
        print(&format!("NOT NOTICED: {id}, by {}", green.join(", ")))?;
    }
    for (id, reason) in UNBREAKABLE {
        print(&format!("cannot be broken: {id}: {reason}"))?;
    }
    if is_whole && !unbroken.is_empty() {
        print(&format!("NOT BROKEN by anybody: {}", unbroken.join(", ")))?;
    }
    let is_fine = unnoticed.is_empty() && (!is_whole || unbroken.is_empty());
    Ok(match () {
        () if *saboteurs == 0 => Code::NothingRan,
        () if is_fine => Code::Fine,
        () => Code::Failed,
    })
}

impl Arguments {
    /// Writes the report in the forms that are asked for.
    fn save(&self, report: &Report) -> Result<(), Failure> {
        for (path, text) in [(&self.junit, Report::to_junit as fn(&_) -> _), (&self.html, Report::to_html)] {
            if let Some(path) = path {
                write(path, &text(report))?;
            }
        }
        Ok(())
    }

    /// What is to be printed instead of a run.
    fn printed(&self) -> Option<Result<String, Failure>> {
        let with =
            |text: &dyn Fn(&Catalogue) -> Result<String, Failure>| Catalogue::open().and_then(|it| text(&it));
        if self.list {
            return Some(with(&|it| Ok(format!("{}{} checks", it.to_text(), all().len()))));
        }
        if self.catalogue {
            return Some(with(&|it| Ok(it.to_markdown())));
        }
        self.explain.as_ref().map(|name| with(&|it| it.explain(name, &all())))
    }

    fn suite(&self, client: ClientSetting) -> Result<Suite, Failure> {
        let server = match (&self.integrator, &self.integrator_file, &self.integrator_program) {
            (Some(url), Some(file), _) => ServerSetting::Foreign(Box::new(foreign(url, file)?)),
            (_, _, Some(program)) => ServerSetting::Program(program.clone()),
            _ => ServerSetting::InProcess,
        };
        let is_foreign = matches!(server, ServerSetting::Foreign(_));
        let port = if is_foreign { self.port } else { 0 };
        let setting =
            Setting { server, client, sandbox: self.sandbox_program.clone(), port, ..Setting::default() };
        let excuses = match &self.accepted {
            Some(path) => Excuses::open(path, &all())?,
            None => Excuses::default(),
        };
        // One port serves one local WhatsApp at a time.
        let most = if port == 0 { usize::MAX } else { 1 };
        let jobs = self.jobs.unwrap_or_else(processors).clamp(1, most);
        let checks = self.checks(&setting)?;
        Ok(Suite { setting, rules: self.rules(), checks, jobs, seed: self.seed, excuses })
    }

    fn watch(&self) -> Watch {
        Watch {
            rules: self.newest_rules(),
            port: self.port,
            integrator: self.integrator.clone(),
            patience: Duration::from_secs(self.patience),
            milestones: self.milestone.clone(),
        }
    }

    /// Of several documents, the newest.
    fn newest_rules(&self) -> Rules {
        self.rules().pop().unwrap_or_else(|| Rules::from(Document::ReferenceOffer))
    }

    fn rules(&self) -> Vec<Rules> {
        let is_wanted =
            |document: &Document| self.document.as_ref().is_none_or(|name| name == document.name());
        match &self.profile {
            Some(profile) => vec![profile.clone()],
            None => Document::ALL.into_iter().filter(is_wanted).map(Rules::from).collect(),
        }
    }

    fn checks(&self, setting: &Setting) -> Result<Vec<Check>, Failure> {
        let catalogue = Catalogue::open()?;
        let texts: Vec<&String> = self.filter.iter().chain(&self.only).collect();
        let is_about = |check: &Check, text: &str| {
            check.id.contains(text) || catalogue.of_check(check.id).any(|it| it.id.eq_ignore_ascii_case(text))
        };
        let mut checks = all();
        checks.retain(|check| {
            setting.concerns(check)
                && (self.milestone.is_empty() || self.milestone.contains(&check.milestone))
                && (texts.is_empty() || texts.iter().any(|text| is_about(check, text)))
        });
        Ok(checks)
    }
}

fn foreign(url: &str, file: &Path) -> Result<ForeignServer, Failure> {
    let named = |why: String| Failure(format!("{}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| named(error.to_string()))?;
    ForeignServer::parse(url, &text).map_err(|Failure(why)| named(why))
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure(format!("{}: {error}", path.display())))
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

#[expect(clippy::print_stderr, reason = "a command-line program speaks on stderr")]
fn complain(text: &str) {
    eprintln!("wa-conformance: {text}");
}
