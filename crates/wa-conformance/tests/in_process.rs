//! The same checks that `cargo xtask conformance` runs, with both servers in this process.

use std::collections::BTreeMap;
use std::sync::Arc;

use wa_conformance::{Document, Environment, Form, Report, Rules, all};
use wa_profile::Profile;

const PARTNER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/partner.toml");

#[tokio::test(flavor = "multi_thread")]
async fn every_check_passes_under_both_documents() {
    let mut environments = Vec::new();
    for document in Document::ALL {
        environments.push(Arc::new(Environment::in_process(document).await.unwrap()));
    }
    let mut lines = Vec::new();
    let report = Report::run(&environments, &all(), Form::Text, &mut lines).await.unwrap();
    let lines = String::from_utf8(lines).unwrap();
    assert_eq!((report.failed, 2 * all().len()), (0, usize::try_from(report.passed).unwrap()), "{lines}");
}

/// A partner's profile in which every field has another value than a document: client, integrator and WhatsApp follow it,
/// so that no field is one that nobody reads.
#[tokio::test(flavor = "multi_thread")]
async fn every_check_passes_under_a_partners_profile() {
    let rules = Rules::open(PARTNER).unwrap();
    let environments = [Arc::new(Environment::in_process(rules).await.unwrap())];
    let mut lines = Vec::new();
    let report = Report::run(&environments, &all(), Form::Text, &mut lines).await.unwrap();
    let lines = String::from_utf8(lines).unwrap();
    assert_eq!((report.failed, all().len()), (0, usize::try_from(report.passed).unwrap()), "{lines}");
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
