//! What somebody in the middle does, and what the server neglects: for those who test whether their tests can fail.

use std::fmt;

use wa_binary::Node;

/// Changes a stanza on its way. The first argument says whether it comes from the client; nothing: the stanza goes on as
/// it is; otherwise these go on in its place.
pub type Meddle = Box<dyn Fn(bool, &Node) -> Option<Vec<Node>> + Send + Sync>;

/// Something that the server neglects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lapse {
    /// A first message that resumes counts as the client, before anything sealed has come.
    TrustsReplays,
    /// Third parties are woken for those who are connected, too.
    WakesEverybody,
}

/// All that is wrong with a server on purpose.
#[derive(Default)]
pub struct Sabotage {
    /// Stands between server and clients, behind the encryption.
    pub meddle: Option<Meddle>,
    /// What the server neglects.
    pub lapse: Option<Lapse>,
}

impl Sabotage {
    /// What goes on in place of a stanza.
    pub(crate) fn instead(&self, from_client: bool, node: &Node) -> Option<Vec<Node>> {
        self.meddle.as_ref().and_then(|meddle| meddle(from_client, node))
    }

    /// Whether the server neglects this.
    pub(crate) fn neglects(&self, lapse: Lapse) -> bool {
        self.lapse == Some(lapse)
    }
}

impl fmt::Debug for Sabotage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sabotage").field("lapse", &self.lapse).finish_non_exhaustive()
    }
}
