//! `openapi.yaml` against the server: the same routes, and every example works.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wa_sandbox::{Addresses, ask, control_routes};

use crate::client::{enlisted, post, sandbox};

const OPENAPI: &str = include_str!("../../openapi.yaml");
const LOGIN: &str = "1-10853634039893@interop";

fn document() -> Value {
    serde_yaml_ng::from_str(OPENAPI).unwrap()
}

/// Method, path, and what is said of it.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let each = paths.flat_map(|(path, operations)| {
        let operations = operations.as_object().unwrap().iter();
        operations
            .map(|(method, said)| (method.to_uppercase(), path.clone(), said.clone()))
            .collect::<Vec<_>>()
    });
    each.collect()
}

/// The bodies that are given as examples.
fn examples(operation: &Value) -> Vec<Value> {
    let body = &operation["requestBody"]["content"]["application/json"];
    let named = body["examples"].as_object().into_iter().flatten();
    let named = named.map(|(_, example)| example["value"].clone());
    body.get("example").cloned().into_iter().chain(named).collect()
}

#[test]
fn the_document_has_the_servers_routes_and_no_others() {
    let described: BTreeSet<_> =
        operations(&document()).into_iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    let served: BTreeSet<_> = control_routes().map(|(method, path)| format!("{method} /{path}")).collect();
    assert_eq!(described, served);
}

#[test]
fn every_body_has_an_example_that_names_every_member() {
    let document = document();
    for (method, path, operation) in operations(&document) {
        if operation["requestBody"]["content"].get("application/json").is_none() {
            continue;
        }
        let name =
            operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str().unwrap();
        let name = name.rsplit('/').next().unwrap();
        let members = document["components"]["schemas"][name]["properties"].as_object().unwrap();
        let members: BTreeSet<_> = members.keys().cloned().collect();
        let examples = examples(&operation);
        let named: BTreeSet<_> =
            examples.iter().flat_map(|example| example.as_object().unwrap().keys().cloned()).collect();
        assert_eq!(named, members, "{method} {path}");
    }
}

/// Puts what there is into a path or a body.
fn filled(text: &str, login: &str) -> String {
    let text = text.replace("{login}", login).replace("{number}", "14155551001").replace("{id}", "12");
    text.replace("{version}", "1").replace(LOGIN, login)
}

async fn asked(addresses: &Addresses, method: &str, path: &str, body: Option<String>) -> (u16, String) {
    let url = format!("{}{}", addresses.control, path.trim_start_matches('/'));
    ask(method, &url, None, body).await.unwrap()
}

/// What needs a body that is no JSON, a stream that ends, or something that no example has.
const APART: [&str; 4] = ["/deviations/events", "/events", "/media/files", "/media/view"];

/// What can be asked only while something is there comes before what removes it.
fn is_last(method: &str, path: &str) -> bool {
    method == "DELETE"
        || ["/reset", "/unenlist", "/cut", "/stream-error"].iter().any(|end| path.ends_with(end))
}

#[tokio::test]
async fn every_example_works_and_nothing_else_is_taken() {
    let addresses = sandbox(false, None).await;
    let mut user = enlisted(&addresses, "alice").await;
    let mut line = user.connect(&addresses).await;
    let mut operations = operations(&document());
    operations.sort_by_key(|(method, path, _)| (is_last(method, path), method == "GET"));
    for (method, path, operation) in operations {
        if APART.contains(&&*path) {
            continue;
        }
        if is_last(&method, &path) {
            user = enlisted(&addresses, "alice").await;
            line = user.connect(&addresses).await;
        }
        let mut login = user.login.clone();
        if path.starts_with("/demo/users/") {
            let demo = post(&format!("{}demo/users", addresses.control), json!({ "user": "eve" })).await;
            login = demo["login"].as_str().unwrap().to_owned();
        }
        let path = filled(&path.replace("/stanzas/{number}", "/stanzas/1"), &login);
        let mut bodies: Vec<_> = examples(&operation).into_iter().map(Some).collect();
        if bodies.is_empty() {
            bodies.push(None);
        }
        for body in bodies {
            if let Some(Value::Object(mut wrong)) = body.clone() {
                wrong.insert("nobodys".to_owned(), json!(1));
                let wrong = filled(&Value::Object(wrong).to_string(), &user.login);
                let (status, answer) = asked(&addresses, &method, &path, Some(wrong)).await;
                assert_eq!(status, 400, "{method} {path}: {answer}");
                assert!(answer.contains("urn:wa-sandbox:bad-body"), "{method} {path}: {answer}");
            }
            let body = body.map(|body| filled(&body.to_string(), &user.login));
            let (status, answer) = asked(&addresses, &method, &path, body.clone()).await;
            assert_eq!(status, 200, "{method} {path} {body:?}: {answer}");
        }
    }
    drop(line);
}
