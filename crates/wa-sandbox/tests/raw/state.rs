//! What outlives the program: a world that goes on from another's state is the same to its clients.

use serde_json::{Value, json};
use wa_keys::PrivateKey;
use wa_profile::Profile;

use crate::kit::{Bench, PHONE};
use crate::user::jwks;

#[test]
fn a_client_finds_its_account_its_mail_and_its_sessions_again() {
    let mut first = Bench::new();
    let mut user = first.stocked("alice");
    let mut line = first.connect(&mut user);
    let text = first.text(&mut user, &mut line, "A", "before");
    first.send(&mut line, &text);
    let answers = first.read(&mut line);
    user.decrypt(answers.last().unwrap()).unwrap();
    first.world.disconnect(line.id);
    let ask = json!({ "to": user.login(), "text": "while you were away" });
    first.post(&format!("phones/{PHONE}/send"), ask);
    let state: Value = serde_json::from_str(&first.world.save(7).to_string()).unwrap();

    let mut second = Bench::seeded(Profile::default(), false, 9);
    assert_ne!(second.world.noise_root(), first.world.noise_root());
    assert_eq!(second.world.load(state.clone()).unwrap(), 7);
    assert_eq!(second.world.noise_root(), first.world.noise_root());
    assert_eq!(second.world.save(7), state, "nothing is lost on the way");
    let now = second.now();
    second.world.handle_keys(1, Ok(&jwks("key")), now);
    // Its known server is the same, so it may even resume.
    let (mut line, _) = second.resume(&user);
    let nodes = second.ask(&mut line, r#"<ib><offline_batch count="9"/></ib>"#);
    let waiting = nodes.iter().filter(|node| node.is("message")).collect::<Vec<_>>();
    let texts: Vec<_> = waiting.iter().filter_map(|it| user.decrypt(it)?.conversation).collect();
    assert_eq!(texts.last().map(String::as_str), Some("while you were away"), "{texts:?}");
    let text = second.text(&mut user, &mut line, "B", "after");
    assert_eq!(text.child("enc").unwrap().attr_str("type"), Some("msg"), "the session goes on");
    second.send(&mut line, &text);
    let received = second.at_phone();
    assert_eq!(received[0], ("A".to_owned(), Some("before".to_owned())));
    assert_eq!(received[1], ("B".to_owned(), Some("after".to_owned())));
}

#[test]
fn what_is_no_state_is_refused_and_changes_nothing() {
    let mut bench = Bench::new();
    let user = bench.stocked("alice");
    let good = bench.world.save(0);
    let changed = |path: &str, value: Value| {
        let mut state = good.clone();
        *state.pointer_mut(path).unwrap() = value;
        state
    };
    for (state, said) in [
        (json!({}), "it has version 0, this program reads 1"),
        (changed("/version", json!(2)), "it has version 2"),
        (changed("/noise_key", json!("00")), "a private key is no valid value"),
        (changed("/accounts/0/login", json!("x")), "a login is no valid value"),
        (changed("/accounts/0/identity", json!("zz")), "a public key is no valid value"),
        (changed("/accounts/0/messages", json!(-1)), "accounts[0].messages: invalid value"),
        (changed("/phones/0/2/devices/0/identity", json!("")), "a phone is no valid value"),
    ] {
        let error = bench.world.load(state).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    assert_eq!(bench.world.save(0), good);
    assert_eq!(bench.get("accounts")["accounts"][0]["login"], user.login());
}

/// Everything that a client knows, with the file of a program that kept neither transcript nor media.
#[test]
fn a_client_goes_on_where_an_older_program_ended() {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let facts = read(include_str!("../data/state-1/facts.json"));
    let mut state = read(include_str!("../data/state-1/state.json"));
    state.as_object_mut().unwrap().remove("pushes");
    let mut bench = Bench::seeded(Profile::default(), false, 9);
    assert_eq!(bench.world.load(state).unwrap(), 7);
    let key = |value: &Value| PrivateKey::from_slice(&hex::decode(value.as_str().unwrap()).unwrap()).unwrap();
    let mut user = bench.user("alice");
    user.noise = key(&facts["noise"]);
    user.local.key = key(&facts["identity"]);
    user.signed_key = key(&facts["signed"]);
    let one_time = facts["one_time"].as_object().unwrap().iter();
    user.one_time = one_time.map(|(id, it)| (id.parse().unwrap(), key(it))).collect();
    user.login = Some(facts["login"].as_str().unwrap().parse().unwrap());
    let now = bench.now();
    bench.world.handle_keys(1, Ok(&jwks("key")), now);
    let mut line = bench.connect(&mut user);
    let nodes = bench.ask(&mut line, r#"<ib><offline_batch count="9"/></ib>"#);
    let texts: Vec<_> = nodes.iter().filter_map(|it| user.decrypt(it)?.conversation).collect();
    assert_eq!(texts, [facts["texts"][1].as_str().unwrap()], "the session that the phone began");
    let text = bench.text(&mut user, &mut line, "B", "after");
    assert_eq!(text.child("enc").unwrap().attr_str("type"), Some("msg"));
    bench.send(&mut line, &text);
    let received: Vec<_> = bench.at_phone().into_iter().filter_map(|(_, text)| text).collect();
    assert_eq!(received, ["before", "after"]);
}
