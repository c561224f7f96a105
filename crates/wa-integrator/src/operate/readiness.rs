//! Whether requests should be sent to this server rather than to another (the admin listener's `/ready`).

use std::fmt;
use std::sync::Arc;

use wa_http_server::Drain;

use crate::operate::Dependencies;

/// Checks of this replica that a balancer may ask for at any time: whether it leaves, and what another replica might do
/// better.
#[derive(Clone)]
pub struct Readiness {
    drain: Drain,
    checks: Vec<Check>,
    dependencies: Dependencies,
}

#[derive(Clone)]
struct Check {
    name: &'static str,
    passes: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Readiness {
    /// Ready for as long as the server does not leave.
    #[must_use]
    pub fn new(drain: Drain) -> Self {
        Self { drain, checks: Vec::new(), dependencies: Dependencies::new() }
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

    /// This readiness, telling too which of these are away; that changes nothing about being ready.
    #[must_use]
    pub fn with_dependencies(mut self, dependencies: Dependencies) -> Self {
        self.dependencies = dependencies;
        self
    }

    /// The names of what fails, `draining` among them; none if it is ready.
    #[must_use]
    pub fn failing(&self) -> Vec<&'static str> {
        let draining = self.drain.is_leaving().then_some("draining");
        let failing = self.checks.iter().filter(|check| !(check.passes)());
        draining.into_iter().chain(failing.map(|check| check.name)).collect()
    }

    /// The names of what is away for all replicas.
    #[must_use]
    pub fn degraded(&self) -> Vec<&'static str> {
        self.dependencies.away()
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness").field("failing", &self.failing()).finish_non_exhaustive()
    }
}
