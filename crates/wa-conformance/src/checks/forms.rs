//! Milestone 1: enlistment as anybody could ask for it, right and wrong in each argument (overview §1.2.2).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use hyper::{Method, StatusCode};
use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use serde_json::{Value, json};
use wa_interop::chat::AccountKeys;
use wa_interop::profile::EnlistmentSpelling;

use crate::checks::Drives::WhatsApp;
use crate::checks::{Check, check};
use crate::report::failure::{Failure, ensure, expect};
use crate::target::environment::Environment;
use crate::target::form::{Form, submit};

pub(super) const CHECKS: &[Check] = &[
    check!("enlist-status", 1, WhatsApp, "answers are HTTP 200 with JSON, success and failure alike", status),
    check!(
        "enlist-sizes",
        1,
        WhatsApp,
        "a key that is a byte longer or shorter, or missing, is refused",
        sizes
    ),
    check!(
        "enlist-encodings",
        1,
        WhatsApp,
        "padding and the other alphabet of base64 are refused",
        encodings
    ),
    check!("enlist-identifier-length", 1, WhatsApp, "identifiers of 1 and of 40 characters enlist", lengths),
    check!("enlist-identifier-bounds", 1, WhatsApp, "an identifier of 0 or 41 characters is refused", bounds),
    check!(
        "enlist-integrator-form",
        1,
        WhatsApp,
        "an integrator_id in another form is refused",
        integrator_form
    ),
    check!(
        "enlist-spellings",
        1,
        WhatsApp,
        "each printed spelling of the prekey's arguments is taken",
        spellings
    ),
    check!(
        "enlist-spellings-differ",
        1,
        WhatsApp,
        "two spellings with two values are refused",
        spellings_differ
    ),
    check!("enlist-method", 1, WhatsApp, "what is no POST of a form is refused", method),
    check!("enlist-no-token", 1, WhatsApp, "a form without a token is refused", no_token),
    check!(
        "enlist-token-size",
        1,
        WhatsApp,
        "a token of 4 KB is taken, one a byte longer refused",
        token_size
    ),
    check!("enlist-regid", 1, WhatsApp, "registration ids of all 32 bits are taken", regid),
    check!("enlist-unique", 1, WhatsApp, "two users get two logins", unique),
];

/// The arguments of exact size: name, bytes, and the rule of the local WhatsApp.
const SIZES: [(&str, usize, &str); 4] = [
    ("authkey", 32, "enlist-authkey"),
    ("e_keytype", 1, "enlist-keytype"),
    ("e_regid", 4, "enlist-regid"),
    ("e_ident", 32, "enlist-ident"),
];

/// The reason that the local WhatsApp gives for an argument in another form.
const ARGUMENTS: &str = "sandbox_bad_arguments";

fn keys() -> AccountKeys {
    AccountKeys::generate(&mut UnwrapErr(SysRng))
}

async fn form(environment: &Environment, name: &str) -> Result<Form, Failure> {
    Ok(Form::of(environment, name, &keys(), &environment.issue(name).await?))
}

async fn status(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["enlist-authkey"]);
    let form = form(environment, "enlist-status").await?;
    form.clone().without("authkey").refused(environment, ARGUMENTS).await?;
    let login = form.accepted(environment).await?;
    ensure(&format!("{login} is no interop login"), login.ends_with("@interop"))
}

async fn sizes(environment: &Environment) -> Result<(), Failure> {
    let form = form(environment, "enlist-sizes").await?;
    let spelling = environment.profile().enlistment.spelling;
    let prekey = [
        (spelling.prekey_id(), 3, "enlist-skey-id"),
        (spelling.prekey_value(), 32, "enlist-skey-val"),
        (spelling.prekey_signature(), 64, "enlist-skey-sig"),
    ];
    for (name, length, rule) in SIZES.into_iter().chain(prekey) {
        environment.provokes(&[rule]);
        for wrong in [length - 1, length + 1] {
            let form = form.clone().with_bytes(name, &vec![5; wrong]);
            form.refused(environment, ARGUMENTS)
                .await
                .map_err(|it| it.of(&format!("{name}, {wrong} bytes")))?;
        }
        let without = form.clone().without(name).refused(environment, ARGUMENTS).await;
        without.map_err(|it| it.of(&format!("without {name}")))?;
    }
    form.clone().with_bytes("e_keytype", &[6]).refused(environment, ARGUMENTS).await?;
    form.clone().with_bytes("authkey", &[0; 32]).refused(environment, ARGUMENTS).await?;
    // It was the sizes.
    form.accepted(environment).await.map(drop)
}

async fn encodings(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["enlist-authkey"]);
    let form = form(environment, "enlist-encodings").await?;
    // Bytes whose letters differ between the two alphabets.
    let key = [0xFB; 32];
    for (what, text) in [("padded", URL_SAFE.encode(key)), ("the other alphabet", STANDARD.encode(key))] {
        let refused = form.clone().with("authkey", &text).refused(environment, ARGUMENTS).await;
        refused.map_err(|it| it.of(what))?;
    }
    form.with_bytes("authkey", &key).accepted(environment).await.map(drop)
}

/// A form for a user whom no server may issue tokens for.
fn signed(environment: &Environment, name: &str) -> Result<Form, Failure> {
    Ok(Form::of(environment, name, &keys(), &environment.dated(name, 0, 600)?))
}

fn longest(environment: &Environment) -> usize {
    environment.profile().token.user_identifier_chars_max
}

async fn lengths(environment: &Environment) -> Result<(), Failure> {
    let longest = longest(environment);
    for name in ["a".to_owned(), "a".repeat(longest), "😀".repeat(longest), "é ".repeat(longest / 2)] {
        let accepted = signed(environment, &name)?.accepted(environment).await;
        accepted.map_err(|it| it.of(&format!("{} characters", name.chars().count())))?;
    }
    Ok(())
}

async fn bounds(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["enlist-identifier"]);
    for name in [String::new(), "a".repeat(longest(environment) + 1), "😀".repeat(longest(environment) + 1)]
    {
        let refused = signed(environment, &name)?.refused(environment, "sandbox_bad_identifier").await;
        refused.map_err(|it| it.of(&format!("{} characters", name.chars().count())))?;
    }
    Ok(())
}

async fn integrator_form(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["enlist-integrator"]);
    let form = form(environment, "enlist-integrator-form").await?;
    for id in ["0", "01", "+1", " 1", "1 ", "1000", "0x1", "one", ""] {
        let refused = form.clone().with("integrator_id", id).refused(environment, "bad_integrator").await;
        refused.map_err(|it| it.of(&format!("integrator_id {id:?}")))?;
    }
    Ok(())
}

/// The form with the prekey's arguments in this spelling only.
fn spelt(form: &Form, from: EnlistmentSpelling, to: EnlistmentSpelling) -> Form {
    let name = |it: EnlistmentSpelling| [it.prekey_id(), it.prekey_value(), it.prekey_signature()];
    let mut spelt = form.clone();
    for (old, new) in name(from).into_iter().zip(name(to)) {
        let value = form.get(old).unwrap_or_default().to_owned();
        spelt = spelt.without(old).with(new, &value);
    }
    spelt
}

async fn spellings(environment: &Environment) -> Result<(), Failure> {
    let (form, own) =
        (form(environment, "enlist-spellings").await?, environment.profile().enlistment.spelling);
    for spelling in EnlistmentSpelling::ALL {
        let accepted = spelt(&form, own, spelling).accepted(environment).await;
        accepted.map_err(|it| it.of(&format!("{spelling:?}")))?;
    }
    let value = form.get(own.prekey_id()).unwrap_or_default();
    form.clone().with("e_key_id", value).with("e_skey_id", value).accepted(environment).await.map(drop)
}

async fn spellings_differ(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["enlist-spellings"]);
    let form = form(environment, "enlist-spellings-differ").await?;
    let form = form.with_bytes("e_skey_id", &[0, 0, 1]).with_bytes("e_key_id", &[0, 0, 2]);
    form.refused(environment, ARGUMENTS).await
}

async fn method(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["enlist-form", "enlist-content-type"]);
    let form = form(environment, "enlist-method").await?;
    for method in [Method::GET, Method::PUT] {
        let (status, answer) = submit(environment, method.clone(), None, form.encode()).await?;
        ensure(&format!("{method} was answered with {status}"), status == StatusCode::METHOD_NOT_ALLOWED)?;
        ensure("somebody was enlisted", answer.get("login").is_none())?;
    }
    let body = json!({ "token": form.get("token") }).to_string();
    let (_, answer) = submit(environment, Method::POST, Some("application/json"), body).await?;
    expect("JSON", answer.get("status").and_then(Value::as_str), Some("fail"))
}

async fn no_token(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["token-missing"]);
    let form = form(environment, "enlist-no-token").await?;
    // Under 1.0.3 the token names the third party as well, so without one neither is known.
    for form in [form.clone().without("token"), form.with("token", "")] {
        form.refused(environment, "sandbox_bad_token").await?;
    }
    Ok(())
}

async fn token_size(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["token-size"]);
    let (issuer, most) = (environment.other_party().await?, environment.profile().token.bytes_max);
    let filled = |more: usize| issuer.sign("token-size", &json!({ "more": "x".repeat(more) }), None);
    // Three bytes are four letters.
    let fits = filled((most - filled(0)?.len()) / 4 * 3)?;
    let form = |token: &str| {
        let form = Form::of(environment, "token-size", &keys(), token);
        if environment.profile().enlistment.identity_arguments {
            form.with("integrator_id", "2")
        } else {
            form
        }
    };
    ensure(&format!("the token has {} bytes", fits.len()), (most - 4..=most).contains(&fits.len()))?;
    form(&fits).accepted(environment).await?;
    // Behind the signature, so that nothing else is wrong with its parts.
    let long = format!("{fits}{}", "A".repeat(most + 1 - fits.len()));
    form(&long).refused(environment, "sandbox_bad_token").await
}

async fn regid(environment: &Environment) -> Result<(), Failure> {
    let form = form(environment, "enlist-regid").await?;
    for number in [0, 1, 0x3FFF, 0x8000_0000, u32::MAX] {
        let accepted = form.clone().with_bytes("e_regid", &number.to_be_bytes()).accepted(environment).await;
        accepted.map_err(|it| it.of(&number.to_string()))?;
    }
    Ok(())
}

async fn unique(environment: &Environment) -> Result<(), Failure> {
    let one = form(environment, "unique-one").await?.accepted(environment).await?;
    let two = form(environment, "unique-two").await?.accepted(environment).await?;
    ensure(&format!("both are {one}"), one != two)
}
