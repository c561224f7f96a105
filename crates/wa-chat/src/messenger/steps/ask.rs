//! What the application asked WhatsApp: blocklist, report, reachability, deletion (overview §5; RO 1.0.3).

use wa_stanza::{Blocklist, Iq, IqKind};

use crate::messenger::state::draft::Draft;
use crate::messenger::steps::Step;
use crate::{Answer, Ask, Event, NoAnswer, Reach, Ticket};

impl Step<'_> {
    /// The answer, passed on. A confirmed deletion erases every row here, in the transaction that lets it be known.
    pub(super) fn receive_asked(&self, ticket: Ticket, ask: &Ask, iq: &Iq) -> Draft {
        let nobody = self.profile.chat.reachability.as_ref().map(|form| form.nobody);
        let answer = read(ask, iq, nobody);
        let mut draft = Draft::default();
        draft.effects.erase = matches!((ask, &answer), (Ask::DeleteAccount, Ok(_)));
        draft.tell(Event::Answered { ticket, answer });
        draft
    }
}

fn read(ask: &Ask, iq: &Iq, nobody: Option<u16>) -> Result<Answer, NoAnswer> {
    match (&iq.kind, ask) {
        (IqKind::Error(error), Ask::Reach(_)) if Some(error.code) == nobody => {
            Ok(Answer::Reach(Reach::Nobody))
        }
        (IqKind::Error(error), _) => Err(NoAnswer::Refused(error.code)),
        (_, Ask::Blocklist) => Blocklist::try_from(iq)
            .map(|list| Answer::Blocklist(list.blocked))
            .map_err(|_| NoAnswer::Unreadable),
        (_, Ask::Reach(_)) => Ok(Answer::Reach(Reach::Told)),
        (_, _) => Ok(Answer::Done),
    }
}
