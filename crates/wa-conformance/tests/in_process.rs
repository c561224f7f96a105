//! The same checks that `cargo xtask conformance` runs, with both servers in this process.

use std::collections::BTreeMap;

use wa_conformance::{Document, Excuses, Rules, Setting, Suite, Verdict, all};
use wa_profile::Profile;

const PARTNER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/partner.toml");

/// Runs every check in this process and gives the lines of those that did not pass.
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
async fn not_passed(rules: Vec<Rules>) -> Vec<String> {
    let (setting, excuses) = (Setting::default(), Excuses::default());
    let suite = Suite { setting, rules, checks: all(), jobs: 2, seed: None, excuses };
    let report = suite.run(&mut |_| {}).await.unwrap();
    assert_eq!(report.results.len(), suite.rules.len() * all().len());
    report.results.iter().filter(|it| it.verdict != Verdict::Pass).map(|it| it.to_text()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_passes_under_both_documents() {
    assert_eq!(not_passed(Document::ALL.map(Rules::from).to_vec()).await, [""; 0]);
}

/// A partner's profile in which every field has another value than a document: client, integrator and WhatsApp follow it,
/// so that no field is one that nobody reads.
#[tokio::test(flavor = "multi_thread")]
async fn every_check_passes_under_a_partners_profile() {
    assert_eq!(not_passed(vec![Rules::open(PARTNER).unwrap()]).await, [""; 0]);
}

/// What the checks put in WhatsApp's place anyway, and what only says how strict a server is.
const LEFT_AS_THEY_ARE: [&str; 6] = [
    "enlistment.url",
    "chat.host",
    "chat.port",
    "media.whatsapp_origin",
    "media.fetch_auth",
    "push.whatsapp_jwks_url",
];

#[test]
fn the_partners_profile_changes_every_field() {
    let partner = fields(&Profile::open(PARTNER).unwrap());
    let documents = Document::ALL.map(|document| fields(&document.profile()));
    for (field, value) in &partner {
        let is_changed = documents.iter().any(|document| document.get(field) != Some(value));
        assert_ne!(is_changed, LEFT_AS_THEY_ARE.contains(&field.as_str()), "{field}");
    }
}

/// The fields of a profile by their full names, as they stand in a file.
fn fields(profile: &Profile) -> BTreeMap<String, String> {
    let (mut fields, mut table) = (BTreeMap::new(), String::new());
    for line in profile.to_toml().lines() {
        if let Some(name) = line.strip_prefix('[') {
            table = name.replace(']', ".");
        } else if let Some((key, value)) = line.split_once(" = ") {
            fields.insert(format!("{table}{key}"), value.to_owned());
        }
    }
    fields
}

#[test]
fn ids_are_unique() {
    let ids: std::collections::BTreeSet<&str> = all().iter().map(|check| check.id).collect();
    assert_eq!(ids.len(), all().len());
}
