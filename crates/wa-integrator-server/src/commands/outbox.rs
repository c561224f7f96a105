//! `wa-integrator outbox`: wake-ups that wait and that were given up, also while a server delivers them.

use wa_integrator::{Clock, DeadLetter, Opening, Selection, UserIdentifier, date};

use super::print;
use crate::cli::{OutboxCommand, WhichWakeUps};
use crate::error::StartError;
use crate::run;
use crate::settings::Settings;

/// How long a wake-up that is tried again is kept.
const KEPT_SECONDS: u64 = 24 * 60 * 60;

/// Does one command.
pub(super) async fn run(command: &OutboxCommand, settings: &Settings) -> Result<(), StartError> {
    let store = run::store(settings, Opening::Existing).await?;
    let now = Clock::system().now();
    match command {
        OutboxCommand::List { which, limit, json } => {
            let letters = store.dead_letters(selection(settings, which)?, *limit).await?;
            print(letters.iter().map(|letter| line(letter, *json)))
        }
        OutboxCommand::Retry { which, all } => {
            let revived = store.revive(some(settings, which, *all)?, now, now + KEPT_SECONDS).await?;
            print([serde_json::json!({ "retried": revived }).to_string()])
        }
        OutboxCommand::Drop { which, all, waiting } => {
            let dropped = store.drop_wake_ups(some(settings, which, *all)?, *waiting).await?;
            print([serde_json::json!({ "dropped": dropped }).to_string()])
        }
    }
}

/// All of them only if somebody says so.
fn some(settings: &Settings, which: &WhichWakeUps, all: bool) -> Result<Selection, StartError> {
    if which.user.is_none() && which.sink.is_none() && !all {
        return Err(StartError::Needed { name: "--user, --sink or --all" });
    }
    selection(settings, which)
}

fn selection(settings: &Settings, which: &WhichWakeUps) -> Result<Selection, StartError> {
    let WhichWakeUps { user, sink } = which;
    Ok(Selection {
        sink: sink.clone(),
        user: user.as_deref().map(|user| user_identifier(settings, user)).transpose()?,
    })
}

/// A user that somebody named on the command line.
///
/// # Errors
/// [`StartError::User`].
pub(super) fn user_identifier(settings: &Settings, text: &str) -> Result<UserIdentifier, StartError> {
    let chars_max = settings.profile().token.user_identifier_chars_max;
    Ok(UserIdentifier::new(text, chars_max)?)
}

fn line(letter: &DeadLetter, json: bool) -> String {
    let DeadLetter { sink, user, count, received_at, attempts, died_at } = letter;
    if json {
        return serde_json::json!({
            "sink": sink, "user": user.as_str(), "count": count, "received_at": received_at, "attempts": attempts,
            "died_at": died_at,
        })
        .to_string();
    }
    let (user, received, died) = (user.as_str(), date(*received_at), date(*died_at));
    format!("{sink}  {user}  pushed {count} times, last {received}  tried {attempts} times, given up {died}")
}
