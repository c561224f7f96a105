//! `wa-integrator doctor`: whether everything that the server stands on is as it should be (overview §1.3).
//!
//! Nothing is changed and nothing made; each line says what was found, and what to do if it is wrong.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, header};
use wa_http::HttpClient as _;
use wa_http_server::{SystemError, Tls};
use wa_integrator::{BaseUrl, Clock, MediaStore, Opening, Store, rs256};
use wa_jwt::ForeignKeySet;
use wa_profile::Profile;

use super::{config, print};
use crate::cli;
use crate::data_directory::DataDirectory;
use crate::error::StartError;
use crate::run::{self, backend, key_client};
use crate::settings::Settings;

/// The result of looking at one thing.
struct Finding {
    name: &'static str,
    verdict: Verdict,
    sentence: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    /// It works, and somebody should look.
    Doubtful,
    Bad,
}

/// Looks at everything and says what it found.
///
/// # Errors
/// [`StartError::Unwell`] if anything is bad.
pub(crate) async fn examine(settings: &Settings, json: bool) -> Result<(), StartError> {
    let (profile, clock) = (settings.profile(), Clock::system());
    let mut findings = vec![of_settings(settings), of_disk("data", settings.store.data_dir())];
    findings.extend(of_certificate(settings, clock.now()));
    match store(settings).await {
        Ok(Some((store, media))) => {
            findings.push(good("store", "it answers"));
            findings.push(of_keys(settings, &store, &profile, &clock).await);
            findings.push(of_outbox(&store, &clock).await);
            findings.push(of_media(settings, media, &profile, &clock).await);
            findings.push(of_published(settings, &store, &profile).await);
        }
        Ok(None) => findings.push(doubtful("store", "there is none yet: the first start makes it")),
        Err(error) => findings.push(bad("store", error.to_string())),
    }
    findings.extend(of_whatsapp(settings, &profile, &clock).await);
    show(&findings, json)?;
    if findings.iter().any(|finding| finding.verdict == Verdict::Bad) {
        return Err(StartError::Unwell);
    }
    Ok(())
}

fn of_settings(settings: &Settings) -> Finding {
    if let Some(name) = cli::unknown_variables().into_iter().next() {
        return doubtful("settings", format!("the variable {name} is no setting"));
    }
    match config::examine(settings) {
        Ok(()) => good("settings", "they are sound"),
        Err(error) => bad("settings", error.to_string()),
    }
}

/// The server's own certificate, if it has one.
fn of_certificate(settings: &Settings, now: u64) -> Option<Finding> {
    let name = "certificate";
    let tls = match Tls::open(settings.tls.files().ok()??) {
        Ok(tls) => tls,
        Err(error) => return Some(bad(name, error.to_string())),
    };
    let (begins, ends) = (tls.valid_from(), tls.expires_at());
    let days = now.abs_diff(if now < begins { begins } else { ends }) / DAY;
    Some(if now < begins {
        bad(name, format!("it is not good yet, but in {days} days"))
    } else if now >= ends {
        bad(name, format!("it expired {days} days ago"))
    } else if ends - now < RENEWAL_DAYS * DAY {
        doubtful(name, format!("it expires in {days} days"))
    } else {
        good(name, format!("it is good for {days} days"))
    })
}

/// The store, if it is there.
async fn store(settings: &Settings) -> Result<Option<(Arc<dyn Store>, Arc<dyn MediaStore>)>, StartError> {
    let file = DataDirectory::store_path(settings.store.data_dir());
    if !settings.store.is_shared() && !file.exists() {
        return Ok(None);
    }
    let engines = run::stored_media(settings, Opening::Existing).await?;
    engines.store.check().await?;
    Ok(Some((engines.store, engines.media)))
}

async fn of_keys(settings: &Settings, store: &Arc<dyn Store>, profile: &Profile, clock: &Clock) -> Finding {
    let keeper = match settings.keys.keeper(Arc::clone(store) as _, &profile.token) {
        Ok(keeper) => keeper,
        Err(error) => return bad("keys", error.to_string()),
    };
    match keeper.check(clock.now()).await {
        Ok(0) => doubtful("keys", "there are none yet: the first start makes them"),
        Ok(published) => good("keys", format!("one signs, {published} are published")),
        Err(error) => bad("keys", error.to_string()),
    }
}

async fn of_outbox(store: &Arc<dyn Store>, clock: &Clock) -> Finding {
    let counts = match store.counts().await {
        Ok(counts) => counts,
        Err(error) => return bad("outbox", error.to_string()),
    };
    let late = counts.next_due.map_or(0, |due| clock.now().saturating_sub(due));
    let sentence = format!("{} wait, {} were given up", counts.waiting, counts.dead);
    if late > LATE_SECONDS {
        return doubtful("outbox", format!("{sentence}; the first has been due for {late} seconds"));
    }
    if counts.dead > 0 { doubtful("outbox", sentence) } else { good("outbox", sentence) }
}

async fn of_media(
    settings: &Settings,
    media: Arc<dyn MediaStore>,
    profile: &Profile,
    clock: &Clock,
) -> Finding {
    let answers = match run::media_host(settings, media, profile, clock.clone(), Opening::Existing) {
        Ok(host) => host.answers().await.map_err(StartError::from),
        Err(error) => Err(error),
    };
    match answers {
        Ok(()) => good("media", "files and their index answer"),
        Err(error) => bad("media", error.to_string()),
    }
}

/// Whether what WhatsApp would fetch is what the store says.
async fn of_published(settings: &Settings, store: &Arc<dyn Store>, profile: &Profile) -> Finding {
    let name = "published";
    let Some(base_url) = &settings.listen.base_url else {
        return doubtful(name, "there is no base url, so nobody else can fetch the keys");
    };
    let ours = match store.keys().await {
        Ok(table) => table.keys,
        Err(error) => return bad(name, error.to_string()),
    };
    let ours = ours.iter().filter(|key| key.entry.is_published());
    let ours: BTreeSet<String> = ours.map(|key| key.entry.public_key.kid().to_owned()).collect();
    let answer = match own_keys(settings, base_url, profile).await {
        Ok(answer) => answer,
        Err(sentence) => return bad(name, sentence),
    };
    let served: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let served = served.get("keys").and_then(|keys| keys.as_array()).cloned().unwrap_or_default();
    let served: BTreeSet<String> =
        served.iter().filter_map(|key| Some(key.get("kid")?.as_str()?.to_owned())).collect();
    if served == ours {
        good(name, format!("{} keys are served at {base_url}", served.len()))
    } else {
        bad(
            name,
            format!("other keys are served at {base_url} than the store has: another server, or a cache"),
        )
    }
}

async fn own_keys(
    settings: &Settings,
    base_url: &BaseUrl,
    profile: &Profile,
) -> Result<Response<Bytes>, String> {
    let trust = settings.trust.trust().map_err(|error| error.to_string())?;
    let url = format!("{base_url}{}", profile.token.jwks_path);
    let uri: Uri = url.parse().map_err(|_| format!("{url} is no url"))?;
    let answer = backend(&trust).send(get(uri)).await.map_err(|error| format!("{url}: {error}"))?;
    if answer.status() == StatusCode::OK {
        return Ok(answer);
    }
    Err(format!("{url} answered {}", answer.status()))
}

/// WhatsApp's keys, and by the time of its answer our clock.
async fn of_whatsapp(settings: &Settings, profile: &Profile, clock: &Clock) -> Vec<Finding> {
    let url = settings.push.whatsapp_jwks_url(profile);
    let asked = match key_client(&url, settings) {
        Ok(client) => client.send(get(url.clone())).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) => return vec![bad("whatsapp", format!("{url}: {error}"))],
    };
    let keys = match ForeignKeySet::parse(answer.body(), rs256) {
        Ok(keys) if answer.status() == StatusCode::OK => {
            good("whatsapp", format!("{} of its keys can be used", keys.len()))
        }
        Ok(_) => bad("whatsapp", format!("{url} answered {}", answer.status())),
        Err(error) => bad("whatsapp", format!("{url}: {error}")),
    };
    vec![keys, of_clock(&answer, clock)]
}

fn of_clock(answer: &Response<Bytes>, clock: &Clock) -> Finding {
    let theirs = answer.headers().get(header::DATE).and_then(|date| date.to_str().ok());
    let Some(theirs) = theirs.and_then(|date| httpdate::parse_http_date(date).ok()) else {
        return doubtful("clock", "nobody said what time it is");
    };
    let theirs = theirs.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    match theirs.abs_diff(clock.now()) {
        apart if apart > CLOCK_SECONDS => bad("clock", format!("it is {apart} seconds from WhatsApp's")),
        _ => good("clock", "it agrees with WhatsApp's"),
    }
}

fn of_disk(name: &'static str, directory: &Path) -> Finding {
    // The nearest that is there: the first start makes the rest.
    let existing = std::path::absolute(directory).ok();
    let existing = existing.as_deref().and_then(|path| path.ancestors().find(|path| path.exists()));
    let free = existing.map(free_bytes).unwrap_or(Err(io::ErrorKind::NotFound.into()));
    match free {
        Err(error) => bad(name, format!("{}: {}", directory.display(), SystemError::from(&error))),
        Ok(free) if free < FREE_BYTES_BAD => bad(name, format!("{} MiB are free", free >> 20)),
        Ok(free) if free < FREE_BYTES_DOUBTFUL => doubtful(name, format!("{} MiB are free", free >> 20)),
        Ok(free) => good(name, format!("{} MiB are free", free >> 20)),
    }
}

#[cfg(unix)]
fn free_bytes(path: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(path: &Path) -> io::Result<u64> {
    std::fs::metadata(path).map(|_| u64::MAX)
}

fn get(uri: Uri) -> Request<Bytes> {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = uri;
    request
}

fn good(name: &'static str, sentence: impl Into<String>) -> Finding {
    Finding { name, verdict: Verdict::Good, sentence: sentence.into() }
}

fn doubtful(name: &'static str, sentence: impl Into<String>) -> Finding {
    Finding { name, verdict: Verdict::Doubtful, sentence: sentence.into() }
}

fn bad(name: &'static str, sentence: impl Into<String>) -> Finding {
    Finding { name, verdict: Verdict::Bad, sentence: sentence.into() }
}

fn show(findings: &[Finding], json: bool) -> Result<(), StartError> {
    let line = |Finding { name, verdict, sentence }: &Finding| {
        let verdict = match verdict {
            Verdict::Good => "good",
            Verdict::Doubtful => "doubtful",
            Verdict::Bad => "bad",
        };
        if json {
            return serde_json::json!({ "name": name, "verdict": verdict, "sentence": sentence }).to_string();
        }
        format!("{verdict:<9} {name:<11} {sentence}")
    };
    print(findings.iter().map(line))
}

/// By how much the clock may differ: as much as tokens are forgiven.
const CLOCK_SECONDS: u64 = 30;
/// How long a wake-up may be due.
const LATE_SECONDS: u64 = 300;
/// How long before its end a certificate must have been renewed.
const RENEWAL_DAYS: u64 = 14;
const DAY: u64 = 24 * 60 * 60;
const FREE_BYTES_BAD: u64 = 256 << 20;
const FREE_BYTES_DOUBTFUL: u64 = 2 << 30;
