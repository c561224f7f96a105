//! The list of checks, in the order of the milestones (seed §1).

use std::pin::Pin;
use std::sync::Arc;

use crate::environment::Environment;
use crate::failure::Failure;

mod account;
mod channel;
mod content;
mod enlistment;
mod handshake;
mod identity;
mod media;
mod messaging;
mod push;
mod receipts;
mod retries;

/// One check.
#[derive(Clone, Copy)]
pub struct Check {
    /// Its name, stable between versions.
    pub id: &'static str,
    /// The seed's milestone.
    pub milestone: u8,
    /// The seed's section.
    pub section: &'static str,
    /// What is checked.
    pub title: &'static str,
    /// Runs it.
    pub run: fn(Arc<Environment>) -> Outcome,
}

/// A check under way.
pub struct Outcome(Pin<Box<dyn Future<Output = Result<(), Failure>>>>);

impl Future for Outcome {
    type Output = Result<(), Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

/// Every check.
#[must_use]
pub fn all() -> Vec<Check> {
    [
        identity::CHECKS,
        enlistment::CHECKS,
        channel::CHECKS,
        handshake::CHECKS,
        content::CHECKS,
        receipts::CHECKS,
        retries::CHECKS,
        media::CHECKS,
        account::CHECKS,
        push::CHECKS,
        // Last, because it also asks whether any check before has broken a rule.
        messaging::CHECKS,
    ]
    .concat()
}

/// A check from its words and an async function.
macro_rules! check {
    ($id:literal, $milestone:literal, $section:literal, $title:literal, $run:expr) => {
        crate::checks::Check {
            id: $id,
            milestone: $milestone,
            section: $section,
            title: $title,
            run: |environment| crate::checks::Outcome(Box::pin(async move { $run(&environment).await })),
        }
    };
}

pub(crate) use check;

pub(crate) use self::channel::eventually;
