//! `wa-integrator users`: forgetting one, also while the server runs.

use wa_integrator::{Clock, Opening};

use super::outbox::user_identifier;
use super::print;
use crate::cli::UserCommand;
use crate::error::StartError;
use crate::run;
use crate::settings::Settings;

/// Does one command.
pub(super) async fn run(command: &UserCommand, settings: &Settings) -> Result<(), StartError> {
    let UserCommand::Forget { user } = command;
    let user = user_identifier(settings, user)?;
    let engines = run::stored_media(settings, Opening::Existing).await?;
    let (profile, clock) = (settings.profile(), Clock::system());
    let host = run::media_host(settings, engines.media, &profile, clock, Opening::Existing)?;
    let files = host.forget_user(&user).await?;
    let known = engines.store.forget_user(user).await?;
    print([serde_json::json!({ "known": known, "files": files }).to_string()])
}
