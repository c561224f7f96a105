//! What the operating system asks of the program: to end, to end now, to read the certificate again.

use tokio::signal;

use crate::error::StartError;

/// The signals, listened for from when this is made.
pub(crate) struct Signals {
    pub(crate) stop: Stop,
    pub(crate) reload: Reload,
}

/// The signals to end.
pub(crate) struct Stop {
    #[cfg(unix)]
    interrupt: signal::unix::Signal,
    #[cfg(unix)]
    terminate: signal::unix::Signal,
}

/// The signal to read files again.
pub(crate) struct Reload {
    #[cfg(unix)]
    hangup: signal::unix::Signal,
}

impl Signals {
    /// Registers for the signals.
    #[cfg(unix)]
    pub(crate) fn listen() -> Result<Self, StartError> {
        use signal::unix::SignalKind;
        let listen =
            |kind| signal::unix::signal(kind).map_err(|error| StartError::Signal { reason: (&error).into() });
        let (interrupt, terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        let hangup = listen(SignalKind::hangup())?;
        Ok(Self { stop: Stop { interrupt, terminate }, reload: Reload { hangup } })
    }

    /// Registers for Ctrl-C.
    #[cfg(not(unix))]
    pub(crate) fn listen() -> Result<Self, StartError> {
        Ok(Self { stop: Stop {}, reload: Reload {} })
    }
}

impl Stop {
    /// Ready once the program is asked to end, and again each time it is asked again.
    #[cfg(unix)]
    pub(crate) async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Ready once the program is asked to end.
    #[cfg(not(unix))]
    pub(crate) async fn asked(&mut self) {
        let _ = signal::ctrl_c().await;
    }
}

impl Reload {
    /// Ready each time the program is asked to.
    #[cfg(unix)]
    pub(crate) async fn asked(&mut self) {
        if self.hangup.recv().await.is_none() {
            std::future::pending().await
        }
    }

    /// Never: there is no such signal.
    #[cfg(not(unix))]
    pub(crate) async fn asked(&mut self) {
        std::future::pending().await
    }
}
