//! The same checks that `cargo xtask conformance` runs, with both servers in this process.

use std::sync::Arc;

use wa_conformance::{Document, Environment, Form, Report, all};

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

#[test]
fn ids_are_unique() {
    let ids: std::collections::BTreeSet<&str> = all().iter().map(|check| check.id).collect();
    assert_eq!(ids.len(), all().len());
}
