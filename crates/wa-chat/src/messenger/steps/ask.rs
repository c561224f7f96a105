//! What the application asked WhatsApp: blocklist, report, reachability, deletion (seed §5; RO 1.0.3).

use wa_stanza::{Blocklist, Iq, IqKind};

use crate::messenger::state::draft::Draft;
use crate::messenger::steps::Step;
use crate::{Answer, Ask, Event, NoAnswer, Ticket};

impl Step<'_> {
    /// The answer, passed on. A confirmed deletion erases every row here, in the transaction that lets it be known.
    pub(super) fn receive_asked(&self, ticket: Ticket, ask: &Ask, iq: &Iq) -> Draft {
        let answer = read(ask, iq);
        let mut draft = Draft::default();
        draft.effects.erase = matches!((ask, &answer), (Ask::DeleteAccount, Ok(_)));
        draft.tell(Event::Answered { ticket, answer });
        draft
    }
}

fn read(ask: &Ask, iq: &Iq) -> Result<Answer, NoAnswer> {
    match (&iq.kind, ask) {
        (IqKind::Error(error), _) => Err(NoAnswer::Refused(error.code)),
        (_, Ask::Blocklist) => Blocklist::try_from(iq)
            .map(|list| Answer::Blocklist(list.blocked))
            .map_err(|_| NoAnswer::Unreadable),
        (_, _) => Ok(Answer::Done),
    }
}
