//! This project's own client with a saboteur around it.

use async_trait::async_trait;

use crate::prove::ClientFault as Fault;
use crate::report::failure::Failure;
use crate::target::device::{Answer, Command, Device, Happening, Outcome, OwnDevice, Place};

/// The device, and what is done to it.
#[derive(Debug)]
pub(crate) struct SabotagedDevice {
    device: OwnDevice,
    fault: Fault,
    /// A text that is kept back, or comes again.
    kept: Option<Happening>,
}

impl SabotagedDevice {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { device: OwnDevice::default(), fault, kept: None }
    }

    async fn next(&mut self, within: u64) -> Result<Answer, Failure> {
        if self.fault == Fault::Double
            && let Some(event) = self.kept.take()
        {
            return Ok(told(event));
        }
        loop {
            let answer = self.device.ask(Command::Next { within }).await?;
            let Answer::Ok(Outcome { event: Some(event), .. }) = answer else { return Ok(answer) };
            match (self.fault, &event) {
                (Fault::Deaf, Happening::Text { .. })
                | (Fault::HidesUndecryptable, Happening::Undecryptable { .. })
                | (Fault::HidesDelivered, Happening::Delivered { .. }) => {}
                (Fault::Late, Happening::Text { .. }) => {
                    // The first waits for the second.
                    if let Some(earlier) = self.kept.replace(event) {
                        let later = self.kept.replace(earlier);
                        return Ok(later.map_or_else(ok, told));
                    }
                }
                (Fault::Double, Happening::Text { .. }) => {
                    self.kept = Some(event.clone());
                    return Ok(told(event));
                }
                _ => return Ok(told(event)),
            }
        }
    }

    /// A directory that was used before is emptied.
    fn forget(place: &Place) -> Result<(), Failure> {
        for entry in std::fs::read_dir(&place.state)? {
            std::fs::remove_file(entry?.path())?;
        }
        Ok(())
    }
}

#[async_trait]
impl Device for SabotagedDevice {
    async fn ask(&mut self, command: Command) -> Result<Answer, Failure> {
        match (self.fault, command) {
            (_, Command::Next { within }) => self.next(within).await,
            (Fault::Mute, Command::Send { .. })
            | (Fault::Unconnected, Command::Connect { .. })
            | (Fault::BlocksNobody, Command::Block { .. })
            | (Fault::DeletesNothing, Command::Delete) => Ok(ok()),
            (Fault::Loud, Command::Send { to, id, text }) => {
                self.device.ask(Command::Send { to, id, text: text.to_uppercase() }).await
            }
            (Fault::Trusting, command @ Command::Connect { .. }) => {
                self.device.ask(command).await?;
                Ok(ok())
            }
            (Fault::EnlistsTwice, command @ Command::Enlist { .. }) => {
                self.device.ask(command.clone()).await?;
                self.device.ask(command).await
            }
            (Fault::OtherLogin, command @ Command::Enlist { .. }) => {
                self.device.ask(command).await?;
                let login = Some("999-1@interop".to_owned());
                Ok(Answer::Ok(Outcome { login, ..Outcome::default() }))
            }
            (Fault::OtherFile, Command::Fetch { .. }) => {
                let sha256 = Some("00".repeat(32));
                Ok(Answer::Ok(Outcome { sha256, ..Outcome::default() }))
            }
            (Fault::OtherStanzas | Fault::ReadsAnything, Command::Decode { .. }) => {
                let xml = Some("<other/>".to_owned());
                Ok(Answer::Ok(Outcome { xml, ..Outcome::default() }))
            }
            (Fault::Forgetful, Command::Open(place)) => {
                Self::forget(&place)?;
                self.device.ask(Command::Open(place)).await
            }
            (_, command) => self.device.ask(command).await,
        }
    }

    async fn end(self: Box<Self>) {
        Box::new(self.device).end().await;
    }
}

fn ok() -> Answer {
    Answer::Ok(Outcome::default())
}

fn told(event: Happening) -> Answer {
    Answer::Ok(Outcome { event: Some(event), ..Outcome::default() })
}
