//! Whether the checks can fail: saboteurs break what is judged, and the checks that are meant for it must turn red.

use std::collections::BTreeSet;

use crate::checks::Check;
use crate::environment::Setting;
use crate::excuses::Excuses;
use crate::failure::Failure;
use crate::report::{Judged, Verdict};
use crate::rules::{Document, Rules};
use crate::suite::Suite;

mod device;
mod meddler;
mod saboteurs;

pub(crate) use self::device::SabotagedDevice;
pub(crate) use self::meddler::Meddler;
pub use self::saboteurs::SABOTEURS;

/// Somebody who breaks one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saboteur {
    /// Their name.
    pub id: &'static str,
    /// What they do, to be read after "a server that" or "a client that".
    pub what: &'static str,
    /// Where they do it.
    pub fault: Fault,
    /// The checks that must notice.
    pub noticed_by: &'static [&'static str],
}

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The third party's server, by a proxy in front of it.
    Server(ServerFault),
    /// The enlistment API, by a proxy in front of it.
    Api(ApiFault),
    /// The client, by a shim around it.
    Client(ClientFault),
}

/// What a proxy in front of the third party's server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerFault {
    /// There are no keys.
    NoKeys,
    /// There is no HTTP/2.
    NoHttp2,
    /// The keys are said to be HTML.
    KeysAsHtml,
    /// A private member stands beside each key.
    PrivateMember,
    /// Half of each modulus is missing.
    ShortModulus,
    /// The keys have other names.
    RenamedKeys,
    /// The keys are those of the first time.
    FrozenKeys,
    /// Tokens live two hours longer.
    LongTokens,
    /// Tokens are for somebody else.
    OtherUsersTokens,
    /// Everybody gets a token.
    TokensForAll,
    /// What is below the base URL is below the host as well.
    NoBasePath,
    /// Wake-ups are answered with 200 and forgotten.
    SwallowedPushes,
    /// Wake-ups are answered with 204.
    Pushes204,
    /// Wake-ups are answered with a body.
    PushesWithBody,
    /// Wake-ups with HS256 are taken.
    AnyAlgorithm,
    /// Malformed wake-ups are taken.
    AnyPush,
    /// Files lose their last byte.
    CutFiles,
    /// Files have no content type.
    UntypedFiles,
    /// There is a file wherever one is asked for.
    FilesEverywhere,
}

/// What a proxy in front of the enlistment API does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiFault {
    /// Refusals are HTTP 400.
    Refusals400,
    /// Everything is taken.
    TakesEverything,
    /// Nothing is taken.
    TakesNothing,
    /// Everybody gets the first login.
    OneLogin,
    /// Every method is taken.
    AnyMethod,
}

/// What a shim around the client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientFault {
    /// It sends nothing, and says that it did.
    Mute,
    /// It shows no text.
    Deaf,
    /// It shows each text twice.
    Double,
    /// It shows texts one late.
    Late,
    /// It sends each text in capitals.
    Loud,
    /// It connects never, and says that it did.
    Unconnected,
    /// It says that every login stands.
    Trusting,
    /// It enlists twice.
    EnlistsTwice,
    /// It tells another login.
    OtherLogin,
    /// It blocks nobody, and says that it did.
    BlocksNobody,
    /// It deletes nothing, and says that it did.
    DeletesNothing,
    /// It gives another file.
    OtherFile,
    /// It reads and writes other stanzas.
    OtherStanzas,
    /// It reads bytes that are none.
    ReadsAnything,
    /// It forgets everything when it starts.
    Forgetful,
    /// It does not tell what did not decrypt.
    HidesUndecryptable,
    /// It does not tell what has arrived.
    HidesDelivered,
}

/// What became of all saboteurs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Saboteurs, each with the checks that did not notice them.
    pub unnoticed: Vec<(&'static str, Vec<&'static str>)>,
    /// Checks that somebody turned red.
    pub proved: BTreeSet<&'static str>,
    /// Checks that nobody breaks.
    pub unbroken: Vec<&'static str>,
}

/// Lets each saboteur loose on the checks that must notice, and tells `watch` how it went.
///
/// # Errors
/// What is judged could not be started at all.
pub async fn prove(
    checks: &[Check],
    wanted: &dyn Fn(&Saboteur) -> bool,
    jobs: usize,
    watch: &mut dyn FnMut(&str),
) -> Result<Proof, Failure> {
    let mut proof = Proof::default();
    for saboteur in SABOTEURS.iter().filter(|it| wanted(it)) {
        let judged = attack(checks, saboteur, jobs).await?;
        let is_red = |it: &&Judged| matches!(it.verdict, Verdict::Fail { .. });
        proof.proved.extend(judged.iter().filter(is_red).map(|it| it.id));
        let green: Vec<&str> = judged.iter().filter(|it| !is_red(it)).map(|it| it.id).collect();
        let noticed = judged.len() - green.len();
        watch(&format!(
            "{}: {}: noticed by {noticed} of {} checks",
            saboteur.id,
            saboteur.what,
            judged.len()
        ));
        if !green.is_empty() {
            watch(&format!("    not by {}", green.join(", ")));
            proof.unnoticed.push((saboteur.id, green));
        }
    }
    proof.unbroken = checks.iter().map(|it| it.id).filter(|id| !proof.proved.contains(id)).collect();
    Ok(proof)
}

async fn attack(checks: &[Check], saboteur: &Saboteur, jobs: usize) -> Result<Vec<Judged>, Failure> {
    let checks = checks.iter().filter(|check| saboteur.noticed_by.contains(&check.id)).copied().collect();
    // The overview has arguments that the reference offer has not, and none of the attacked is missing there.
    let rules = vec![Rules::from(Document::Overview)];
    let setting = Setting { fault: Some(saboteur.fault), ..Setting::default() };
    let suite = Suite { setting, rules, checks, jobs, seed: None, excuses: Excuses::default() };
    Ok(suite.run(&mut |_| {}).await?.results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saboteurs_have_names_of_their_own_and_name_checks_that_there_are() {
        let checks = crate::checks::all();
        let ids: BTreeSet<&str> = SABOTEURS.iter().map(|it| it.id).collect();
        assert_eq!(ids.len(), SABOTEURS.len());
        for saboteur in SABOTEURS {
            assert!(!saboteur.noticed_by.is_empty(), "{}", saboteur.id);
            for name in saboteur.noticed_by {
                assert!(checks.iter().any(|check| check.id == *name), "{}: {name}", saboteur.id);
            }
        }
    }

    /// A part of `--prove`: one saboteur of each place, and the check that must turn red.
    #[tokio::test(flavor = "multi_thread")]
    async fn one_saboteur_of_each_place_is_noticed() {
        let some = ["keys-as-html", "takes-everything", "trusting"];
        let checks: Vec<Check> = crate::checks::all()
            .into_iter()
            .filter(|it| ["jwks-type", "enlist-sizes", "login-other-user"].contains(&it.id))
            .collect();
        let proof = prove(&checks, &|it| some.contains(&it.id), 2, &mut |_| {}).await.unwrap();
        assert_eq!((proof.unnoticed, proof.unbroken), (vec![], vec![]));
    }
}
