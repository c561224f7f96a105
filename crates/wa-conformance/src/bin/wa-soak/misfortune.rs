//! What goes wrong now and then.

use std::time::Duration;

use rand::RngExt;
use serde_json::json;
use wa_conformance::Failure;

use crate::crowd::Crowd;
use crate::server::Server;

/// A misfortune, each in its turn.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Misfortune {
    /// Lines of one in fifty are cut, and of those who wait for an answer: what was lost on a line comes with the next one,
    /// while the phone still knows what it wrote.
    Cuts,
    /// One in a hundred closes its client, and opens it again from its rows.
    Restarts,
    /// Stanzas are lost, doubled, out of order, spoilt.
    Stanzas,
    /// WhatsApp's clock jumps ahead, and back.
    Clock,
    /// WhatsApp has a new static key and the service, the first time, a new signing key; many connect anew under both.
    Keys,
    /// WhatsApp lets nobody log in for a while, and many want to.
    Unavailable,
}

impl Misfortune {
    pub(crate) const ALL: &[Self] =
        &[Self::Restarts, Self::Stanzas, Self::Cuts, Self::Clock, Self::Keys, Self::Unavailable];

    pub(crate) async fn befall(self, crowd: &Crowd, server: &mut Server) -> Result<(), Failure> {
        match self {
            Self::Cuts => server.cut(&[some(crowd, 50), crowd.waiting()].concat()).await,
            Self::Restarts => crowd.restart(crowd.count() / 100 + 1).await,
            Self::Stanzas => {
                let faults = json!({ "drop": 20, "duplicate": 50, "reorder": 50, "corrupt": 10 });
                server.ask("faults", faults).await
            }
            Self::Clock => {
                server.ask("clock", json!({ "offset": 600 })).await?;
                tokio::time::sleep(Duration::from_secs(5)).await;
                server.ask("clock", json!({ "offset": 0 })).await
            }
            Self::Keys => {
                server.ask("noise-key", json!({})).await?;
                server.rotate_keys().await?;
                server.cut(&some(crowd, 100)).await
            }
            Self::Unavailable => {
                server.ask("faults", json!({ "login_failure": 503 })).await?;
                server.cut(&some(crowd, 100)).await?;
                tokio::time::sleep(Duration::from_secs(5)).await;
                server.ask("faults", json!({ "login_failure": null })).await
            }
        }
    }
}

/// The logins of one in so many.
fn some(crowd: &Crowd, of: u64) -> Vec<String> {
    let count = crowd.count();
    let one = |_| crowd.login(rand::rng().random_range(0..count));
    (0..count / of + 1).filter_map(one).collect()
}
