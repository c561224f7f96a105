//! What outlives the program, on the disk: the state, the transcript and media beside it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wa_profile::Profile;
use wa_sandbox::{Addresses, Binding, Clock, Sandbox, WorldConfig, ask};

use crate::client::{enlisted, get, post};

/// A directory that is gone when it is dropped.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("wa-sandbox-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("state.json")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn settings(file: &Path) -> (WorldConfig, Binding) {
    let config = WorldConfig {
        profile: Profile::default(),
        integrators: Vec::new(),
        phones: Vec::new(),
        strict: false,
    };
    let state = Some(file.to_owned());
    (config, Binding { demo: true, state, ..Binding::default() })
}

/// Why a sandbox does not begin.
async fn refused(file: &Path) -> String {
    let (config, binding) = settings(file);
    let clock = Clock::default();
    Sandbox::bind_at(config, clock, binding).await.unwrap_err().to_string()
}

/// A sandbox that keeps its state, until it is told to end.
async fn kept(file: &Path) -> (Addresses, oneshot::Sender<()>, JoinHandle<()>) {
    let (config, binding) = settings(file);
    let sandbox = Sandbox::bind_at(config, Clock::default(), binding).await.unwrap();
    let sandbox = sandbox.with_three_phones();
    let addresses = sandbox.addresses().clone();
    let (end, ended) = oneshot::channel();
    let running = tokio::spawn(sandbox.run(async { drop(ended.await) }));
    (addresses, end, running)
}

#[tokio::test]
async fn everything_goes_on_from_a_file() {
    let place = Place::new("goes-on");
    let file = place.file();
    let (first, end, running) = kept(&file).await;
    let user = enlisted(&first, "alice").await;
    post(&format!("{}phones/14155551001/send", first.control), json!({ "to": user.login, "text": "wait" }))
        .await;
    post(&format!("{}phones/14155551001/manners", first.control), json!({ "lively": true })).await;
    let keys = get(&first.jwks).await;
    end.send(()).unwrap();
    running.await.unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let (second, _end, _running) = kept(&file).await;
    assert_eq!((&second.noise_root, get(&second.jwks).await), (&first.noise_root, keys));
    let account = get(&format!("{}accounts/{}", second.control, user.login)).await;
    assert_eq!(
        (&account["user"], &account["mailbox"]),
        (&json!("alice"), &json!(2)),
        "a message, and a word about prekeys"
    );
    assert_eq!(get(&format!("{}phones/14155551001", second.control)).await["manners"]["lively"], true);
}

async fn stanzas(addresses: &Addresses) -> Value {
    get(&format!("{}stanzas", addresses.control)).await["stanzas"].clone()
}

#[tokio::test]
async fn transcript_and_media_are_kept_beside_it() {
    let place = Place::new("beside");
    let (first, end, running) = kept(&place.file()).await;
    let mut user = enlisted(&first, "alice").await;
    drop(user.connect(&first).await);
    let picture = json!({ "class": "image", "length": 1000 });
    let picture = post(&format!("{}media", first.control), picture).await;
    let gone =
        post(&format!("{}media", first.control), json!({ "class": "image", "length": 9, "expired": true }))
            .await;
    let paths =
        [&picture, &gone].map(|it| it["direct_path"].as_str().unwrap().split('?').next().unwrap().to_owned());
    let fetched = async |addresses: &Addresses, path: &str| {
        ask("GET", &format!("{}{path}", addresses.media), None, None).await.unwrap()
    };
    let (before, blob) = (stanzas(&first).await, fetched(&first, &paths[0]).await);
    assert_eq!((blob.0, fetched(&first, &paths[1]).await.0), (200, 410));
    assert!(before.as_array().unwrap().len() > 1, "{before}");
    end.send(()).unwrap();
    running.await.unwrap();
    // The program was ended in the middle of a line.
    let transcript = place.0.join("state.json.transcript");
    let whole = fs::read_to_string(&transcript).unwrap();
    fs::write(&transcript, format!("{whole}{{\"number\":")).unwrap();

    let (second, end, running) = kept(&place.file()).await;
    assert_eq!(stanzas(&second).await, before);
    assert_eq!(fs::read_to_string(&transcript).unwrap(), whole, "half a line is gone");
    assert_eq!(fetched(&second, &paths[0]).await, blob);
    assert_eq!(fetched(&second, &paths[1]).await.0, 410);
    drop(user.connect(&second).await);
    let after = stanzas(&second).await;
    let (before, after) = (before.as_array().unwrap(), after.as_array().unwrap());
    let last = |stanzas: &[Value], name: &str| stanzas.last().unwrap()[name].as_u64().unwrap();
    assert!(last(after, "number") > last(before, "number"), "numbers go on");
    assert!(last(after, "connection") > last(before, "connection"), "and those of connections");
    // A reset forgets both.
    post(&format!("{}reset", second.control), json!({})).await;
    end.send(()).unwrap();
    running.await.unwrap();
    assert_eq!(fs::read_to_string(&transcript).unwrap(), "");
    assert_eq!(fs::read_dir(place.0.join("state.json.media")).unwrap().count(), 0);
}

#[tokio::test]
async fn what_cannot_be_used_is_named() {
    let place = Place::new("unusable");
    let (first, end, running) = kept(&place.file()).await;
    post(&format!("{}media", first.control), json!({ "class": "image", "length": 9 })).await;
    end.send(()).unwrap();
    running.await.unwrap();
    fs::remove_dir_all(place.0.join("state.json.media")).unwrap();
    let error = refused(&place.file()).await;
    assert!(error.contains("state.json.media/") && error.contains("No such file"), "{error}");
    let _ = fs::remove_file(place.file());
    fs::write(place.0.join("state.json.transcript"), "{}\n").unwrap();
    let error = refused(&place.file()).await;
    assert!(error.ends_with("state.json.transcript: line 1 is no stanza"), "{error}");
    fs::write(place.file(), "<state/>").unwrap();
    let error = refused(&place.file()).await;
    assert!(error.contains("state.json: it is not JSON: "), "{error}");
}

/// Written by this program before transcript and media were kept.
#[tokio::test]
async fn a_file_of_the_first_form_is_opened() {
    let place = Place::new("first-form");
    let read = |name| {
        fs::read_to_string(format!("{}/tests/data/state-1/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    fs::write(place.file(), read("state.json")).unwrap();
    let facts: Value = serde_json::from_str(&read("facts.json")).unwrap();
    let login = facts["login"].as_str().unwrap();
    for _ in 0..2 {
        let (addresses, end, running) = kept(&place.file()).await;
        assert_eq!(addresses.noise_root, facts["noise_root"].as_str().unwrap());
        assert_eq!(get(&addresses.jwks).await["keys"][0]["kid"], "sandbox-1");
        let account = get(&format!("{}accounts/{login}", addresses.control)).await;
        assert_eq!((&account["user"], &account["mailbox"]), (&facts["user"], &json!(3)));
        let phone = get(&format!("{}phones/14155551001", addresses.control)).await;
        assert_eq!(phone["received"][0]["text"], facts["texts"][0]);
        end.send(()).unwrap();
        running.await.unwrap();
    }
    let written: Value = serde_json::from_str(&fs::read_to_string(place.file()).unwrap()).unwrap();
    assert_eq!(written["media"], json!([]), "now it is of today's form");
}
