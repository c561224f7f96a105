//! A run of the suite: which checks, under which rules, how many at the same time.
//!
//! Each lane has its own integrator and its own local WhatsApp, and runs one check after the other there. So a check may
//! count, move time and order faults without disturbing another. After a check that failed, or that changed its
//! servers for good, the lane begins afresh.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::checks::Check;
use crate::checks::catalogue::Catalogue;
use crate::checks::patience::hurried;
use crate::report::evidence::{Evidence, recording};
use crate::report::excuses::Excuses;
use crate::report::failure::Failure;
use crate::report::{About, Judged, Report, Verdict, milliseconds};
use crate::rules::Rules;
use crate::target::environment::Environment;
use crate::target::setting::Setting;
use crate::target::tokens::unix_now;

/// How long one check may take.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// A run that has not begun.
#[derive(Clone, Debug)]
pub struct Suite {
    /// What is judged, and how it is started.
    pub setting: Setting,
    /// The documents or profiles whose rules apply, one after the other.
    pub rules: Vec<Rules>,
    /// The checks that run.
    pub checks: Vec<Check>,
    /// How many checks run at the same time; 0 is 1.
    pub jobs: usize,
    /// The number from which another order of the checks comes; without one they run in the order of the list.
    pub seed: Option<u64>,
    /// Failures that are accepted.
    pub excuses: Excuses,
}

/// A check to run: the place of its rules and its own place in the lists.
type Job = (usize, usize);

/// What lanes share.
struct Shared<'a> {
    suite: &'a Suite,
    catalogue: &'a Catalogue,
    queue: RefCell<VecDeque<Job>>,
    done: RefCell<Vec<(Job, Judged)>>,
}

impl Suite {
    /// Runs every check under every set of rules and hands each result to `watch` as it comes.
    ///
    /// # Errors
    /// What is judged could not be started.
    pub async fn run(&self, watch: &mut dyn FnMut(&Judged)) -> Result<Report, Failure> {
        let (began, start) = (unix_now(), now());
        let catalogue = Catalogue::open()?;
        let mut queue: Vec<Job> = (0..self.rules.len())
            .flat_map(|rules| (0..self.checks.len()).map(move |check| (rules, check)))
            .collect();
        if let Some(seed) = self.seed {
            queue.shuffle(&mut StdRng::seed_from_u64(seed));
        }
        let queue = RefCell::new(queue.into());
        let shared = Shared { suite: self, catalogue: &catalogue, queue, done: RefCell::default() };
        let watch = RefCell::new(watch);
        let lanes = (0..self.jobs.max(1)).map(|_| lane(&shared, &watch)).collect();
        all_of(lanes).await?;
        let mut done = shared.done.into_inner();
        done.sort_by_key(|(job, _)| *job);
        let about = About {
            target: self.setting.to_string(),
            version: env!("CARGO_PKG_VERSION"),
            rules: self.rules.iter().map(|rules| rules.name().to_owned()).collect(),
            seed: self.seed,
            jobs: self.jobs.max(1),
            began,
            ms: milliseconds(start.elapsed()),
        };
        Ok(Report { about, results: done.into_iter().map(|(_, judged)| judged).collect() })
    }
}

/// Takes jobs until there are none.
async fn lane(shared: &Shared<'_>, watch: &RefCell<&mut dyn FnMut(&Judged)>) -> Result<(), Failure> {
    let suite = shared.suite;
    let mut environments: BTreeMap<usize, Arc<Environment>> = BTreeMap::new();
    loop {
        let Some(job) = shared.queue.borrow_mut().pop_front() else { return Ok(()) };
        let (Some(rules), Some(check)) = (suite.rules.get(job.0), suite.checks.get(job.1)) else { continue };
        let judged = match suite.setting.lacks(check) {
            Some(reason) => shared.judged(check, rules, Verdict::Skip { reason }, 0, Evidence::default()),
            None => {
                let environment = match environments.remove(&job.0) {
                    Some(environment) => environment,
                    None => {
                        if suite.setting.port != 0 {
                            // There is one port, for one of them.
                            environments.clear();
                        }
                        Arc::new(Environment::start(&suite.setting, rules.clone()).await?)
                    }
                };
                let judged = shared.judge(check, &environment).await;
                if judged.verdict == Verdict::Pass && !environment.is_spent() {
                    environments.insert(job.0, environment);
                }
                judged
            }
        };
        (watch.borrow_mut())(&judged);
        shared.done.borrow_mut().push((job, judged));
    }
}

impl Shared<'_> {
    /// Runs one check, and looks at what the local WhatsApp recorded meanwhile.
    async fn judge(&self, check: &Check, environment: &Arc<Environment>) -> Judged {
        let start = now();
        let run = async {
            environment.begin().await?;
            let run = tokio::time::timeout(TIME_LIMIT, (check.run)(Arc::clone(environment))).await;
            run.unwrap_or_else(|_| Err(Failure::new("took too long")))
        };
        let (outcome, requests) = hurried(self.suite.setting.is_hurried, recording(run)).await;
        let recorded = environment.recorded().await;
        let outcome = outcome.and_then(|()| match &recorded {
            Ok(deviations) => environment.judge(deviations),
            Err(failure) => Err(failure.clone().of("what the local WhatsApp recorded cannot be read")),
        });
        let deviations = recorded.unwrap_or_default();
        let ms = milliseconds(start.elapsed());
        let Err(failure) = outcome else {
            return self.judged(check, environment.rules(), Verdict::Pass, ms, Evidence::default());
        };
        let stanzas = environment.stanzas().await.unwrap_or_default();
        let verdict = self.suite.excuses.judge(check.id, failure.0);
        let evidence = Evidence { deviations, stanzas, requests };
        self.judged(check, environment.rules(), verdict, ms, evidence)
    }

    fn judged(&self, check: &Check, rules: &Rules, verdict: Verdict, ms: u64, evidence: Evidence) -> Judged {
        Judged {
            id: check.id,
            document: rules.name().to_owned(),
            milestone: check.milestone,
            title: check.title,
            requirements: self.catalogue.of_check(check.id).cloned().collect(),
            verdict,
            ms,
            evidence,
        }
    }
}

/// Runs futures side by side in this task, and ends with the first error.
pub(crate) async fn all_of(futures: Vec<impl Future<Output = Result<(), Failure>>>) -> Result<(), Failure> {
    let mut running: Vec<_> = futures.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|context| {
        let mut index = 0;
        while let Some(future) = running.get_mut(index) {
            match future.as_mut().poll(context) {
                Poll::Pending => index += 1,
                Poll::Ready(Ok(())) => drop(running.swap_remove(index)),
                Poll::Ready(failed) => return Poll::Ready(failed),
            }
        }
        if running.is_empty() { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

#[expect(clippy::disallowed_methods, reason = "measures how long checks take")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[cfg(all(test, feature = "own-stack"))]
mod tests {
    use http_body_util::Full;
    use hyper::Request;

    use super::*;
    use crate::checks::{Drives, check};
    use crate::prove::Fault;
    use crate::rules::Document;
    use crate::target::exchange::{Http, send};

    /// Enlists without a form, and says nothing of it.
    async fn silent(environment: &Environment) -> Result<(), Failure> {
        let form = Request::post(&environment.sandbox.enlist).body(Full::from("no form"))?;
        send(Http::One, form).await.map(drop)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_check_whose_deviations_cannot_be_read_does_not_pass() {
        let unread = "at = 'whatsapp'\non = 'GET .*deviations .*'\nsaid = '\"rule\"'\nstatus = 500";
        for fault in [None, Some(Fault::Http(Box::new(toml::from_str(unread).unwrap())))] {
            let setting = Setting { fault, ..Setting::default() };
            let rules = vec![Rules::from(Document::ReferenceOffer)];
            let checks = vec![check!("silent", 1, Drives::Own, "nothing is recorded", silent)];
            let suite = Suite { setting, rules, checks, jobs: 1, seed: None, excuses: Excuses::default() };
            let report = suite.run(&mut |_| {}).await.unwrap();
            assert!(report.results[0].is_red(), "{:?}", report.results);
        }
    }
}
