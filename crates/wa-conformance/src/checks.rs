//! The list of checks, in the order of the milestones (overview §1).

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use crate::report::failure::Failure;
use crate::target::device::Verb;
use crate::target::environment::Environment;
use crate::target::server::Facility;

mod account;
pub(crate) mod catalogue;
mod channel;
mod content;
mod enlistment;
mod forms;
mod handshake;
mod identity;
mod letters;
mod media;
mod messaging;
mod mishaps;
mod parties;
pub(crate) mod patience;
mod push;
mod receipts;
mod retries;
mod stanzas;
mod time;
mod tls;

/// One check of the suite.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Its name, stable between versions.
    pub id: &'static str,
    /// The milestone of the documents.
    pub milestone: u8,
    /// What it needs of what it judges.
    pub drives: Drives,
    /// What is checked.
    pub title: &'static str,
    /// Runs the check in an environment of its own.
    pub run: fn(Arc<Environment>) -> Outcome,
}

/// What a check drives, and so whose it can judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drives {
    /// Any third party's server, which must be able to do this beside what the documents say.
    Server(&'static [Facility]),
    /// Any third party's client, which must be able to do this beside what every client must.
    Client(&'static [Verb]),
    /// The local WhatsApp, with requests that the suite makes itself.
    WhatsApp,
    /// This project's own programs, some of them from inside.
    Own,
}

impl fmt::Display for Drives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server(_) => "drives any third party's server",
            Self::Client(_) => "drives any third party's client",
            Self::WhatsApp => "drives the local WhatsApp alone",
            Self::Own => "drives this project's own programs",
        })
    }
}

/// A check under way.
pub struct Outcome(pub(crate) Pin<Box<dyn Future<Output = Result<(), Failure>>>>);

impl Future for Outcome {
    type Output = Result<(), Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

/// Every check of the suite, in the order of the milestones.
#[must_use]
pub fn all() -> Vec<Check> {
    [
        identity::CHECKS,
        enlistment::CHECKS,
        forms::CHECKS,
        parties::CHECKS,
        channel::CHECKS,
        stanzas::CHECKS,
        mishaps::CHECKS,
        letters::CHECKS,
        handshake::CHECKS,
        messaging::CHECKS,
        content::CHECKS,
        receipts::CHECKS,
        retries::CHECKS,
        media::CHECKS,
        account::CHECKS,
        push::CHECKS,
        time::CHECKS,
        tls::CHECKS,
    ]
    .concat()
}

/// A check from its words and an async function.
macro_rules! check {
    ($id:literal, $milestone:literal, $drives:expr, $title:literal, $run:expr) => {
        crate::checks::Check {
            id: $id,
            milestone: $milestone,
            drives: $drives,
            title: $title,
            run: |environment| crate::checks::Outcome(Box::pin(async move { $run(&environment).await })),
        }
    };
}

pub(crate) use check;

pub(crate) use self::channel::eventually;
