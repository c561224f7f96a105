//! What was said while a check ran: HTTP requests of the suite, stanzas, and what the local WhatsApp recorded as wrong.

use std::cell::RefCell;

use serde::{Deserialize, Serialize};

/// Bytes of a body that are kept.
const MAX_BODY: usize = 4096;

/// Stanzas and requests that are kept of a check, the newest ones.
const MAX_KEPT: usize = 60;

/// What was said while a check ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// What the local WhatsApp recorded as a deviation.
    pub deviations: Vec<Deviation>,
    /// The stanzas between clients and the local WhatsApp, oldest first.
    pub stanzas: Vec<Stanza>,
    /// The HTTP requests of the suite and their answers, oldest first.
    pub requests: Vec<Exchange>,
}

/// Something that the local WhatsApp did not take, or took and noted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Deviation {
    /// Counts from 1.
    pub number: u64,
    /// `deviation` or `note`.
    pub class: String,
    /// Where: in a stanza, at enlistment, in a token and so on.
    pub place: String,
    /// The rule's name.
    pub rule: String,
    /// What is the matter.
    pub what: String,
    /// The stanza with the part at fault between `⟦` and `⟧`.
    pub marked: Option<String>,
    /// Where the rule is written.
    pub source: String,
    /// How to mend it.
    pub mend: String,
    /// How it was answered.
    pub answer: String,
}

/// A stanza on its way.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Stanza {
    /// The login whose connection it was on.
    #[serde(default)]
    pub login: Option<String>,
    /// `client` or `server`.
    pub by: String,
    /// The stanza as XML.
    pub xml: String,
}

/// An HTTP request of the suite and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exchange {
    /// Method, URL, header fields and the beginning of the body. Credentials are left out.
    pub request: String,
    /// Status, header fields and the beginning of the body, or what went wrong.
    pub answer: String,
}

tokio::task_local! {
    static REQUESTS: RefCell<Vec<Exchange>>;
}

impl Evidence {
    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.deviations.is_empty() && self.stanzas.is_empty() && self.requests.is_empty()
    }
}

/// Runs a check and gives the requests that it made, besides its outcome.
pub(crate) async fn recording<T>(check: impl Future<Output = T>) -> (T, Vec<Exchange>) {
    let both = async {
        let outcome = check.await;
        (outcome, REQUESTS.with(RefCell::take))
    };
    REQUESTS.scope(RefCell::default(), both).await
}

/// Keeps a request of the check that runs.
pub(crate) fn record(exchange: Exchange) {
    // Outside of a check, nobody wants to know.
    let _ = REQUESTS.try_with(|requests| {
        let mut requests = requests.borrow_mut();
        if requests.len() == MAX_KEPT {
            requests.remove(0);
        }
        requests.push(exchange);
    });
}

/// The beginning of a body, as text.
pub(crate) fn shown(body: &[u8]) -> String {
    let mut kept = body.get(..MAX_BODY).unwrap_or(body);
    if let Err(error) = std::str::from_utf8(kept)
        && kept.len() < body.len()
        && error.error_len().is_none()
    {
        // The cut is in the middle of a character.
        kept = kept.get(..error.valid_up_to()).unwrap_or(kept);
    }
    let more = if kept.len() < body.len() { format!("… ({} bytes)", body.len()) } else { String::new() };
    match std::str::from_utf8(kept) {
        Ok(text) => format!("{text}{more}"),
        Err(_) => format!("{} (in hexadecimal){more}", hex::encode(kept.get(..64).unwrap_or(kept))),
    }
}

/// The newest stanzas of these logins.
pub(crate) fn of_logins(lines: &str, logins: &[String]) -> Vec<Stanza> {
    let stanzas = lines.lines().filter_map(|line| serde_json::from_str::<Stanza>(line).ok());
    let theirs = stanzas.filter(|it| it.login.as_ref().is_some_and(|login| logins.contains(login)));
    let theirs: Vec<Stanza> = theirs.collect();
    let skipped = theirs.len().saturating_sub(MAX_KEPT);
    theirs.into_iter().skip(skipped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_cut_and_shown() {
        assert_eq!(shown(b"a"), "a");
        assert_eq!(shown(&[0xFF, 1]), "ff01 (in hexadecimal)");
        let long = "a".repeat(MAX_BODY + 1);
        assert_eq!(shown(long.as_bytes()), format!("{}… (4097 bytes)", "a".repeat(MAX_BODY)));
        // The cut is in the middle of a character.
        let long = format!("a{}", "é".repeat(MAX_BODY));
        assert_eq!(shown(long.as_bytes()), format!("a{}… (8193 bytes)", "é".repeat(2047)));
    }

    #[test]
    fn only_the_newest_stanzas_of_these_logins_are_kept() {
        let line = |login: &str, xml: usize| {
            format!("{{\"login\":\"{login}\",\"by\":\"client\",\"xml\":\"{xml}\"}}\n")
        };
        let lines: String = (0..100).flat_map(|number| [line("a", number), line("b", number)]).collect();
        let kept = of_logins(&lines, &["a".to_owned()]);
        assert_eq!((kept.len(), kept[0].xml.as_str()), (MAX_KEPT, "40"));
        assert_eq!(of_logins(&lines, &[]), []);
    }
}
