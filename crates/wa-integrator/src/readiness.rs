//! Whether the server should be sent requests, and if not, why (the admin listener's `/ready`).

use std::{fmt, sync::Arc};

use crate::Drain;

/// A number of checks that a balancer may ask for at any time, and whether the server leaves.
#[derive(Clone)]
pub struct Readiness {
    drain: Drain,
    checks: Vec<Check>,
}

#[derive(Clone)]
struct Check {
    name: &'static str,
    passes: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Readiness {
    /// Ready for as long as the server does not leave.
    #[must_use]
    pub const fn new(drain: Drain) -> Self {
        Self { drain, checks: Vec::new() }
    }

    /// This readiness with a check more, which must answer at once.
    #[must_use]
    pub fn with_check(
        mut self,
        name: &'static str,
        passes: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        self.checks.push(Check { name, passes: Arc::new(passes) });
        self
    }

    /// The names of what fails, `draining` among them; none if it is ready.
    #[must_use]
    pub fn failing(&self) -> Vec<&'static str> {
        let draining = self.drain.is_leaving().then_some("draining");
        let failing = self.checks.iter().filter(|check| !(check.passes)());
        draining.into_iter().chain(failing.map(|check| check.name)).collect()
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness").field("failing", &self.failing()).finish_non_exhaustive()
    }
}
