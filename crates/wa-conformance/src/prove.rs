//! Whether the checks can fail: saboteurs break what is judged, and the checks that are meant for it must turn red.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::str::FromStr;
use std::time::Instant;

use crate::checks::Check;
use crate::report::excuses::Excuses;
use crate::report::failure::Failure;
use crate::report::{Judged, Report, Verdict};
use crate::rules::Rules;
use crate::suite::{Suite, all_of, now};
use crate::target::setting::Setting;

mod device;
mod fault;
mod meddler;
mod stanzas;
mod store;

pub(crate) use self::device::SabotagedDevice;
pub use self::fault::{
    Assumption, ClientFault, Door, Fault, Rewrite, Saboteur, ServerFault, Side, Speaker, Stanzas, StoreFault,
    Struck, WireFault, saboteurs,
};
pub(crate) use self::meddler::Meddler;
pub(crate) use self::stanzas::sabotage;
pub(crate) use self::store::SabotagedStore;

/// Checks that no saboteur can turn red, each with the reason why. They are very few.
pub const UNBREAKABLE: &[(&str, &str)] = &[];

/// Which checks a saboteur is let loose on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// On those that must notice.
    Own,
    /// Each saboteur runs against every check.
    All,
}

/// A part of the saboteurs: of `of` parts the one with this number, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: usize,
    of: usize,
}

/// What became of all saboteurs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// How many there were.
    pub saboteurs: usize,
    /// Saboteurs, each with the checks that did not notice them and must.
    pub unnoticed: Vec<(String, Vec<&'static str>)>,
    /// Checks that somebody turned red who was meant for them, and who that was.
    pub proved: BTreeMap<&'static str, Vec<String>>,
    /// Checks that nobody turned red who was meant for them, and that could be.
    pub unbroken: Vec<&'static str>,
}

impl Shard {
    /// The saboteurs of this part: one in `of`, so that neighbours in the table, which are alike, are shared out.
    pub fn of<T>(self, all: Vec<T>) -> Vec<T> {
        let mine = all.into_iter().enumerate().filter(|(index, _)| index % self.of == self.number - 1);
        mine.map(|(_, saboteur)| saboteur).collect()
    }
}

impl FromStr for Shard {
    type Err = &'static str;

    /// Reads `2/4`, the second of four.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts =
            text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        let shard = parts.map(|(number, of)| Self { number, of });
        let is_one = |it: &Self| it.number >= 1 && it.number <= it.of;
        shard.filter(is_one).ok_or("expected K/N, such as 2/4: the second of four parts")
    }
}

/// What saboteurs at work share.
struct Shared<'a> {
    checks: &'a [Check],
    reach: Reach,
    queue: RefCell<VecDeque<Saboteur>>,
    proof: RefCell<Proof>,
    tell: RefCell<&'a mut dyn FnMut(&str)>,
    began: Instant,
    /// How many are done.
    done: Cell<usize>,
}

/// Lets each saboteur loose, `jobs` at a time, and tells `tell` how it went.
///
/// # Errors
/// What is judged could not be started at all.
pub async fn prove(
    checks: &[Check],
    saboteurs: Vec<Saboteur>,
    reach: Reach,
    jobs: usize,
    tell: &mut dyn FnMut(&str),
) -> Result<Proof, Failure> {
    let proof = Proof { saboteurs: saboteurs.len(), ..Proof::default() };
    let (queue, proof) = (RefCell::new(saboteurs.into()), RefCell::new(proof));
    let (tell, began, done) = (RefCell::new(tell), now(), Cell::new(0));
    let shared = Shared { checks, reach, queue, proof, tell, began, done };
    all_of((0..jobs.max(1)).map(|_| shared.lane()).collect()).await?;
    let mut proof = shared.proof.into_inner();
    let can_break = |id: &&str| !UNBREAKABLE.iter().any(|(name, _)| name == id);
    let is_proved = |id: &&str| proof.proved.contains_key(id);
    proof.unbroken = checks.iter().map(|it| it.id).filter(|id| can_break(id) && !is_proved(id)).collect();
    Ok(proof)
}

/// Runs a suite on a runtime of its own, with which everything ends that it has started: what is broken on purpose may
/// leave clients behind that wait for what does not come.
async fn apart(suite: Suite) -> Result<Report, Failure> {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let report = runtime.block_on(suite.run(&mut |_| {}));
        runtime.shutdown_background();
        report
    };
    tokio::task::spawn_blocking(run).await?
}

impl Shared<'_> {
    /// Lets one saboteur loose after the other.
    async fn lane(&self) -> Result<(), Failure> {
        loop {
            let Some(saboteur) = self.queue.borrow_mut().pop_front() else { return Ok(()) };
            let (mut judged, mut is_idle) = self.attack(&saboteur).await?;
            if is_idle {
                // A check on a busy machine may have ended before it came to what they break.
                (judged, is_idle) = self.attack(&saboteur).await?;
            }
            let progress = self.progress();
            if is_idle {
                // Whatever turned red, it was not that.
                self.tell.borrow_mut()(&format!("{progress} {}: has found NOTHING to break", saboteur.id));
                let own = judged.iter().filter(|it| saboteur.must_be_noticed_by(it.id)).map(|it| it.id);
                let own = own.collect();
                self.proof.borrow_mut().unnoticed.push((saboteur.id, own));
            } else {
                self.account(&progress, &saboteur, &judged);
            }
        }
    }

    /// One more is done: how many of how many, after how long.
    fn progress(&self) -> String {
        self.done.set(self.done.get() + 1);
        let seconds = self.began.elapsed().as_secs();
        let (done, all) = (self.done.get(), self.proof.borrow().saboteurs);
        format!("[{done}/{all}, {}:{:02}]", seconds / 60, seconds % 60)
    }

    /// How the checks went, and whether the saboteur has found nothing to break.
    async fn attack(&self, saboteur: &Saboteur) -> Result<(Vec<Judged>, bool), Failure> {
        let is_meant = |check: &&Check| self.reach == Reach::All || saboteur.must_be_noticed_by(check.id);
        let checks = self.checks.iter().filter(is_meant).copied().collect();
        let rules = vec![Rules::from(saboteur.document)];
        let named = |failure: Failure| failure.of(&saboteur.id);
        for side in [Side::Client, Side::Server, Side::Whatsapp] {
            Fault::profile_of(Some(&saboteur.fault), side, &saboteur.document.profile()).map_err(named)?;
        }
        let struck = Struck::default();
        let setting = Setting {
            fault: Some(saboteur.fault.clone()),
            struck: struck.clone(),
            is_hurried: self.reach == Reach::All,
            ..Setting::default()
        };
        let suite = Suite { setting, rules, checks, jobs: 1, seed: None, excuses: Excuses::default() };
        let report = apart(suite).await.map_err(named)?;
        Ok((report.results, saboteur.fault.shows() && !struck.has()))
    }

    /// Writes down who noticed.
    fn account(&self, progress: &str, saboteur: &Saboteur, judged: &[Judged]) {
        let (mut proof, mut tell) = (self.proof.borrow_mut(), self.tell.borrow_mut());
        let (own, others): (Vec<&Judged>, Vec<&Judged>) =
            judged.iter().partition(|it| saboteur.must_be_noticed_by(it.id));
        let (red, green): (Vec<&Judged>, Vec<&Judged>) = own.iter().partition(|it| it.is_red());
        tell(&format!(
            "{progress} {}: as if this were {}: noticed by {} of {}",
            saboteur.id,
            saboteur.what,
            red.len(),
            own.len()
        ));
        for it in &red {
            let Verdict::Fail { failure } = &it.verdict else { continue };
            tell(&format!("    {}: {}", it.id, failure.chars().take(160).collect::<String>()));
            proof.proved.entry(it.id).or_default().push(saboteur.id.clone());
        }
        let also: BTreeSet<&str> = others.iter().filter(|it| it.is_red()).map(|it| it.id).collect();
        if !also.is_empty() {
            tell(&format!("    and by {}: {}", also.len(), also.into_iter().collect::<Vec<_>>().join(", ")));
        }
        if !green.is_empty() {
            let green: Vec<&str> = green.iter().map(|it| it.id).collect();
            tell(&format!("    NOT by {}", green.join(", ")));
            proof.unnoticed.push((saboteur.id.clone(), green));
        }
    }
}

impl Saboteur {
    /// Whether a check is meant for this.
    #[must_use]
    pub fn must_be_noticed_by(&self, check: &str) -> bool {
        self.noticed_by.iter().any(|it| it == check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saboteurs_have_names_of_their_own_and_name_checks_that_there_are() {
        let (checks, saboteurs) = (crate::checks::all(), saboteurs().unwrap());
        let ids: BTreeSet<&str> = saboteurs.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids.len(), saboteurs.len());
        for saboteur in &saboteurs {
            assert!(!saboteur.noticed_by.is_empty(), "{}", saboteur.id);
            for name in &saboteur.noticed_by {
                assert!(checks.iter().any(|check| check.id == name), "{}: {name}", saboteur.id);
            }
        }
    }

    #[test]
    fn shards_share_all_saboteurs_out() {
        let shard = |text: &str| text.parse::<Shard>();
        let parts = ["1/3", "2/3", "3/3"].map(|text| shard(text).unwrap().of((0..8).collect()));
        assert_eq!(parts, [vec![0, 3, 6], vec![1, 4, 7], vec![2, 5]]);
        for text in ["", "1", "0/3", "4/3", "1/0", "a/b", "-1/3", "1/3/5"] {
            assert!(shard(text).is_err(), "{text}");
        }
    }

    /// No check goes without a saboteur, or is said to be unbreakable and is not.
    #[test]
    fn each_check_has_a_saboteur_or_a_reason() {
        let saboteurs = saboteurs().unwrap();
        for check in crate::checks::all() {
            let is_meant = saboteurs.iter().any(|it| it.must_be_noticed_by(check.id));
            let is_excused = UNBREAKABLE.iter().any(|(id, _)| *id == check.id);
            assert!(is_meant != is_excused, "{}", check.id);
        }
    }

    /// A part of `--prove`: one saboteur of each place, and the check that must turn red.
    #[tokio::test(flavor = "multi_thread")]
    async fn one_saboteur_of_each_place_is_noticed() {
        let some = ["keys-as-html", "takes-everything", "trusting", "takes-every-request"];
        let saboteurs =
            saboteurs().unwrap().into_iter().filter(|it| some.contains(&it.id.as_str())).collect();
        let checks: Vec<Check> = crate::checks::all()
            .into_iter()
            .filter(|it| ["jwks-type", "enlist-sizes", "login-other-user", "iq-unknown"].contains(&it.id))
            .collect();
        let proof = prove(&checks, saboteurs, Reach::Own, 2, &mut |_| {}).await.unwrap();
        assert_eq!((proof.saboteurs, proof.unnoticed, proof.unbroken), (4, vec![], vec![]));
    }
}
