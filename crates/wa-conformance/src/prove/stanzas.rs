//! Somebody between client and local WhatsApp who rewrites stanzas behind the encryption.

use regex::Regex;
use wa_sandbox::{Meddle, Sabotage};

use crate::prove::{Fault, Speaker, Stanzas, Struck};
use crate::report::failure::Failure;

/// What a fault does inside the local WhatsApp.
pub(crate) fn sabotage(fault: Option<&Fault>, struck: &Struck) -> Result<Sabotage, Failure> {
    Ok(match fault {
        Some(Fault::Stanza(stanzas)) => {
            Sabotage { meddle: Some(meddle(stanzas, struck.clone())?), lapse: None }
        }
        Some(Fault::Lapse(lapse)) => Sabotage { meddle: None, lapse: Some(*lapse) },
        _ => Sabotage::default(),
    })
}

fn meddle(stanzas: &Stanzas, struck: Struck) -> Result<Meddle, Failure> {
    let Stanzas { by, from, into } = stanzas.clone();
    let from = Regex::new(&from)?;
    Ok(Box::new(move |from_client, node| {
        if from_client != (by == Speaker::Client) {
            return None;
        }
        let xml = node.to_string();
        if !from.is_match(&xml) {
            return None;
        }
        // What is no stanza any more is left as it was, and the saboteur has found nothing.
        let others: Vec<_> =
            from.replace_all(&xml, &into).lines().map(str::parse).collect::<Result<_, _>>().ok()?;
        struck.note();
        Some(others)
    }))
}
