//! What servers tell each other: that the keys have changed, that there are wake-ups (`LISTEN`, `NOTIFY`).
//!
//! Only a hint: it is told after the fact, and lost while there is no connection.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_postgres::AsyncMessage;

use super::{Connections, PostgresAddress, patiently};
use crate::value::Failed;

/// Rung when another server has told something.
#[derive(Default)]
pub(super) struct Bells {
    pub(super) keys: Notify,
    pub(super) outbox: Notify,
    /// There is something to tell the others.
    pub(super) to_tell: Notify,
}

/// Hears the notifications of other servers, and never returns.
pub(super) async fn listen(address: PostgresAddress, replica: i64, bells: Arc<Bells>) {
    let replica = replica.to_string();
    loop {
        if let Err(error) = hear(&address, &replica, &bells).await {
            tracing::debug!(error = %error.0, "not listening to the other servers");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Hears what others tell until the connection ends.
async fn hear(address: &PostgresAddress, replica: &str, bells: &Bells) -> Result<(), Failed> {
    let (client, mut connection) = patiently(address.config().connect(address.tls()?)).await?;
    let heard = async {
        while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
            match message {
                Ok(AsyncMessage::Notification(note)) if note.payload() == replica => {}
                Ok(AsyncMessage::Notification(note)) if note.channel() == KEYS => bells.keys.notify_one(),
                Ok(AsyncMessage::Notification(_)) => bells.outbox.notify_one(),
                Ok(_) => {}
                Err(error) => return Err(Failed::from(error)),
            }
        }
        Ok(())
    };
    let asked = async {
        client.batch_execute(LISTEN).await?;
        // Something may have been told while nobody heard.
        bells.keys.notify_one();
        bells.outbox.notify_one();
        // Held until the connection ends.
        std::future::pending::<Result<(), Failed>>().await
    };
    tokio::select! {
        ended = heard => ended,
        refused = asked => refused,
    }
}

/// Tells the others that there are wake-ups: not with each, since `NOTIFY` lets no two transactions end at once.
pub(super) async fn tell(connections: Connections, replica: i64, bells: Arc<Bells>) {
    let replica = replica.to_string();
    loop {
        bells.to_tell.notified().await;
        if let Ok(client) = connections.take().await {
            let _ = patiently(client.execute(NOTIFY, &[&OUTBOX, &replica])).await;
        }
        tokio::time::sleep(TELL_EVERY).await;
    }
}

pub(super) const NOTIFY: &str = "SELECT pg_notify($1, $2)";
pub(super) const KEYS: &str = "wa_integrator_keys";
const OUTBOX: &str = "wa_integrator_outbox";
const LISTEN: &str = "LISTEN wa_integrator_keys; LISTEN wa_integrator_outbox";
const PAUSE: Duration = Duration::from_secs(1);
const TELL_EVERY: Duration = Duration::from_millis(250);
