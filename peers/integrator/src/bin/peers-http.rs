//! `cargo xtask peers http`: the running program before other clients, and before load while it is restarted.
//!
//! `h2load` and npm `jose` ask it over HTTP/1.1 and HTTP/2, with TLS and without; then processes follow one another on
//! one socket under load. No request may fail; one over HTTP/2 that the last GOAWAY crossed is asked once more and counted.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use bytes::Bytes;
use http::{Request, header};
use peers_integrator::{Client, KEYS_PATH, Succession, USER, WHATSAPP};
use serde_json::Value;
use wa_http::{HttpClient as _, HttpLimits, HyperClient, PlainHttp};
use wa_integrator::{Clock, SharedSecret, UserIdentifier};

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Requests of one run of `h2load`.
const REQUESTS: &str = "40000";
/// For how long processes follow one another at least, and how many.
const SUCCESSION: Duration = Duration::from_secs(20);
const SUCCESSORS: usize = 6;

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let (program, jose) = (built()?, Client::jose()?);
    let directory = tempfile::tempdir()?;
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let (certificate, key) = (directory.path().join("c.pem"), directory.path().join("k.pem"));
    std::fs::write(&certificate, made.cert.pem())?;
    std::fs::write(&key, made.signing_key.serialize_pem())?;
    let tls = ["--tls-certificate".into(), path(&certificate), "--tls-key".into(), path(&key)];
    for (name, arguments, authority) in
        [("plain", &[][..], None), ("tls", &tls[..], Some(certificate.as_path()))]
    {
        let data_dir = directory.path().join(name);
        let running =
            Running::start(command(&program, &data_dir).args(["--listen", "127.0.0.1:0"]).args(arguments))?;
        for (version, flags) in [("HTTP/1.1", &["--h1"][..]), ("HTTP/2", &[])] {
            println!("h2load, {name}, {version}: {}", h2load(running.url("jwks")?, flags)?);
        }
        verified(&jose, &running, &data_dir, authority, made.cert.der()).await?;
        println!("jose, {name}: our token and no other");
        running.stop()?;
    }
    succession(&program, directory.path()).await
}

/// `h2load`'s own count, if every request was answered 200.
fn h2load(url: &str, flags: &[&str]) -> Result<String, Fault> {
    let mut h2load = Command::new("h2load");
    h2load.args(["-n", REQUESTS, "-c", "32", "-m", "8", "-t", "1"]).args(flags).arg(url);
    let output = h2load.output().map_err(|error| format!("h2load (nghttp2-client): {error}"))?;
    let said = String::from_utf8(output.stdout)?;
    let line = |begin: &str| said.lines().find(|line| line.starts_with(begin)).unwrap_or_default();
    let counted = line("requests: ");
    let all = format!("{REQUESTS} succeeded, 0 failed, 0 errored, 0 timeout");
    let answered = format!("status codes: {REQUESTS} 2xx, 0 3xx, 0 4xx, 0 5xx");
    if !counted.ends_with(&all) || line("status codes: ") != answered {
        return Err(format!("h2load: {said}").into());
    }
    let rate = line("finished in ").split(", ").nth(1).unwrap_or_default();
    Ok(format!("{REQUESTS} of {REQUESTS}, {rate}"))
}

/// `jose` accepts our token by our keys, and no changed one.
async fn verified(
    jose: &Client,
    running: &Running,
    data_dir: &Path,
    authority: Option<&Path>,
    certificate: &[u8],
) -> Result<(), Fault> {
    let client = HyperClient::new(HttpLimits::default().with_total(Duration::from_secs(10)))
        .with_plain_http(PlainHttp::Http1)
        .with_roots(&[Bytes::copy_from_slice(certificate)])?;
    let secret = std::fs::read_to_string(data_dir.join("shared-secret"))?;
    let secret: [u8; 32] = hex::decode(secret.trim_end())?.try_into().map_err(|_| "another secret")?;
    let user = UserIdentifier::new(USER, 40)?;
    let credential = SharedSecret::new(secret, 40).credential(&user, Clock::system().now() + 60);
    let request = Request::post(running.url("token")?)
        .header(header::AUTHORIZATION, format!("Bearer {credential}"))
        .body(Bytes::new())?;
    let answer: Value = serde_json::from_slice(client.send(request).await?.body())?;
    let token = answer["token"].as_str().ok_or("no token")?;
    let claims = token.split('.').nth(1).ok_or("no claims")?;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims)?;
    let claims: Value = serde_json::from_slice(&claims)?;
    let issuer = claims["iss"].as_str().ok_or("no issuer")?;
    let verify = |token: &str| jose.verify([running.url("jwks")?, token, issuer, WHATSAPP], authority);
    let verify = |token: &str| -> Result<Option<Value>, Fault> { Ok(verify(token)?) };
    let read = verify(token)?.ok_or("jose refuses our token")?;
    if read["claims"]["sub"] != USER {
        return Err(format!("jose reads another token: {read}").into());
    }
    let changed = format!("{}A", token.get(..token.len() - 8).ok_or("no signature")?);
    if verify(&changed)?.is_some() { Err("jose accepts a changed token".into()) } else { Ok(()) }
}

/// Processes that follow one another on one socket, under load.
async fn succession(program: &Path, directory: &Path) -> Result<(), Fault> {
    let socket = TcpListener::bind("127.0.0.1:0")?;
    let target: SocketAddr = socket.local_addr()?;
    let process = |number: usize| {
        Running::start(&mut inheriting(command(program, &directory.join(number.to_string())), &socket)?)
    };
    let mut current = process(0)?;
    let begun = Instant::now();
    let load = Succession::begin(target, KEYS_PATH);
    let mut successors = 0;
    while successors < SUCCESSORS || begun.elapsed() < SUCCESSION {
        tokio::time::sleep(SUCCESSION / 10).await;
        successors += 1;
        // Ready before the one before it is asked to end.
        let next = tokio::task::block_in_place(|| process(successors))?;
        let previous = std::mem::replace(&mut current, next);
        tokio::task::block_in_place(|| previous.stop())?;
    }
    let asked = load.end().await;
    current.stop()?;
    println!(
        "{successors} restarts in {:.0} s: HTTP/1.1 {} requests on connections that stay, {} on one each, HTTP/2 {}, \
         {} of them asked twice; {} failed",
        begun.elapsed().as_secs_f64(),
        asked.keeping,
        asked.opening,
        asked.http2,
        asked.again,
        asked.failed
    );
    match asked.failure {
        Some(failure) => Err(failure.into()),
        None if [asked.keeping, asked.opening, asked.http2].contains(&0) => Err("nothing was asked".into()),
        None => Ok(()),
    }
}

/// The program as a process.
struct Running {
    child: Child,
    ready: Value,
}

impl Running {
    fn start(command: &mut Command) -> Result<Self, Fault> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().ok_or("no output")?).read_line(&mut line)?;
        Ok(Self { ready: serde_json::from_str(&line)?, child })
    }

    fn url(&self, name: &str) -> Result<&str, std::io::Error> {
        self.ready[name].as_str().ok_or_else(|| std::io::Error::other("no such address"))
    }

    /// Ends it as a service manager does.
    fn stop(mut self) -> Result<(), Fault> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the program ended with {status}").into()) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(program: &Path, data_dir: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WA_INTEGRATOR_") {
            command.env_remove(name);
        }
    }
    command.env("WA_INTEGRATOR_LOG", "warn").arg("--data-dir").arg(data_dir);
    command
}

/// This command with the socket, as a service manager passes it on.
fn inheriting(program: Command, socket: &TcpListener) -> Result<Command, Fault> {
    let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.env("WA_INTEGRATOR_DRAIN_DELAY", "1").stdin(Stdio::from(OwnedFd::from(socket.try_clone()?)));
    Ok(shell)
}

/// Builds the program, and where it is then.
fn built() -> Result<PathBuf, Fault> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--quiet", "-p", "wa-integrator-server", "--bin", "wa-integrator"])
        .args(["--message-format", "json-render-diagnostics", "--manifest-path"])
        .arg(manifest)
        .stderr(Stdio::inherit())
        .output()?;
    let messages = String::from_utf8(output.stdout)?;
    let executables = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut paths = executables.filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
    Ok(paths.next_back().ok_or("the program was not built")?)
}

fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
