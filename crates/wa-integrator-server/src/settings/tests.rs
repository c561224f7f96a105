//! Every setting is in `docs/OPERATIONS.md`, and nothing else; the file in `docs` is one that is taken.

use std::collections::BTreeSet;

use super::*;

const SECTIONS: [&str; 11] =
    ["store", "keys", "listen", "limits", "tls", "admin", "tokens", "push", "media", "trust", "telemetry"];

fn documented() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/OPERATIONS.md");
    std::fs::read_to_string(path).unwrap()
}

/// The columns of the tables of settings, each with its section.
fn rows() -> Vec<(String, [String; 2])> {
    let (text, mut section, mut rows) = (documented(), String::new(), Vec::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("### `[").and_then(|rest| rest.strip_suffix("]`")) {
            name.clone_into(&mut section);
        }
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let quoted = |cell: &str| Some(cell.strip_prefix('`')?.strip_suffix('`')?.to_owned());
        if let [setting, variable, _] = cells[..]
            && let (Some(setting), Some(variable)) = (quoted(setting), quoted(variable))
        {
            rows.push((section.clone(), [setting, variable]));
        }
    }
    rows
}

#[test]
fn every_setting_is_documented_with_its_variable() {
    for section in SECTIONS {
        let refused =
            Settings::from_toml(&format!("[{section}]\nnone-such = 1\n"), "x".as_ref()).unwrap_err();
        let refused = refused.to_string();
        let expected = refused.split_once("expected").unwrap().1;
        let known: BTreeSet<_> = expected.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let written = rows().into_iter().filter(|(name, _)| name == section).map(|(_, [setting, _])| setting);
        assert_eq!(known, written.collect(), "{section}");
    }
    let known = sources::VARIABLES.iter().filter(|(_, key)| key.contains('.'));
    let known: BTreeSet<_> = known.map(|(name, key)| ((*name).to_owned(), (*key).to_owned())).collect();
    let written =
        rows().into_iter().map(|(section, [setting, variable])| (variable, format!("{section}.{setting}")));
    assert_eq!(known, written.collect());
}

#[test]
fn the_example_is_taken() {
    let text = documented();
    let example = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let settings = Settings::from_toml(example, "OPERATIONS.md".as_ref()).unwrap();
    assert!(settings.store.is_shared() && settings.media.is_bucket() && settings.push.has_sink());
}

fn refused(content: &str) -> String {
    Settings::from_toml(content, Path::new("a.toml")).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_is_named_with_what_is_allowed() {
    for (content, sentence) in [
        (
            "\n[listen]\naddress = \"localhost\"\n",
            "a.toml, line 3, listen.address: invalid socket address syntax",
        ),
        ("[limits]\nconnections = 0\n", "a.toml, line 2, limits.connections: 0 is not in 1..=100000"),
        ("[limits]\nconnections = -1\n", "a.toml, line 2, limits.connections: -1 is not in 1..=100000"),
        (
            "[push]\nstrangers = \"ignore\"\n",
            "a.toml, line 2, push.strangers: unknown variant `ignore`, expected one of `deliver`, `drop`, `not-found`",
        ),
        (
            "[push]\npath = \"push\"\n",
            "a.toml, line 2, push.path: a path begins with a slash and has plain segments, such as /push",
        ),
        (
            "[media]\ndays = \"many\"\n",
            "a.toml, line 2, media.days: invalid type: string \"many\", expected an integer",
        ),
        (
            "[trust]\nplain_http = [\"a b\"]\n",
            "a.toml, line 2, trust.plain_http: a host is a name, a dot and the end of names, an address, or a network",
        ),
    ] {
        assert_eq!(refused(content), sentence);
    }
}

#[test]
fn what_is_no_setting_is_refused() {
    let unknown = refused("[store]\ndata_dri = \"x\"\n");
    assert!(
        unknown.starts_with("a.toml, line 2, store.data_dri: unknown field `data_dri`, expected "),
        "{unknown}"
    );
    assert!(unknown.contains("`data_dir`"), "{unknown}");
    let unknown = refused("[stor]\n");
    assert!(
        unknown
            .starts_with("a.toml, line 1, stor: unknown field `stor`, expected one of `profile`, `store`, "),
        "{unknown}"
    );
    let unknown = refused("data_dir = 1\n");
    assert!(unknown.contains("line 1, data_dir: unknown field `data_dir`"), "{unknown}");
}

#[test]
fn a_name_with_an_index_is_no_list_of_that_length() {
    let key = "15[111111111111114]";
    let sentence = format!("a.toml, line 2, {key}: no setting's name has a bracket");
    assert_eq!(refused(&format!("\n'{key}' = 5\n")), sentence);
    let nested = refused(&format!("[store]\n'{key}' = 5\n"));
    assert!(nested.contains("unknown field"), "{nested}");
    let over = sources::read(None, &[given("store[111111111111114]", "5")]).unwrap_err().to_string();
    assert!(over.ends_with("no setting's name has a bracket"), "{over}");
}

#[test]
fn a_file_that_is_no_toml_or_not_there_is_named() {
    assert!(refused("[listen\n").starts_with("a.toml, line 1: "), "{}", refused("[listen\n"));
    assert!(refused("[keys]\ndays = 3\ndays = 4\n").starts_with("a.toml, line 3"), "twice");
    let absent = Settings::read(Some(Path::new("/nowhere/a.toml")), &[]).unwrap_err();
    assert_eq!(absent.to_string(), "/nowhere/a.toml cannot be read: no such file or directory");
}

fn given(key: &str, value: &str) -> Given {
    Given { key: key.to_owned(), origin: format!("{key}'s variable"), value: value.to_owned() }
}

#[test]
fn a_text_is_whatever_the_setting_is_and_its_fault_is_told_where_it_comes_from() {
    let file = "[listen]\ndrain_delay = 1\nbeside = true\n";
    let over = [
        given("listen.drain_delay", "7"),
        given("listen.drain_delay", "9"),
        given("listen.forwarded_for", "10.0.0.0/8,192.0.2.1"),
        given("media.token_required", "true"),
        given("media.s3_access_key_id", "0012"),
        given("push.webhook_format", "standard"),
    ];
    let settings = sources::read(Some((file, Path::new("a.toml"))), &over).unwrap();
    assert_eq!(settings.listen.drain_delay().as_secs(), 9, "the later counts");
    assert!(settings.listen.beside, "the file still counts");
    assert_eq!(settings.push.webhook_format, wa_integrator::WebhookFormat::Standard);
    for (key, value, sentence) in [
        ("limits.connections", "0", "0 is not in 1..=100000"),
        ("limits.connections", "many", "invalid type: string \"many\", expected an integer"),
        ("listen.proxy_protocol", "10.0.0.0/8,x", "is neither an address nor a network, such as 10.0.0.0/8"),
        ("profile", "/nowhere/profile", "/nowhere/profile"),
    ] {
        let refused = sources::read(None, &[given(key, value)]).unwrap_err().to_string();
        assert!(
            refused.starts_with(&format!("{key}'s variable: ")) && refused.contains(sentence),
            "{refused}"
        );
    }
}

#[test]
fn a_fault_in_the_file_is_not_told_of_a_variable_with_a_similar_name() {
    let file = "[media]\ndownloads_per_address = 0\n";
    let over = [given("media.downloads", "5"), given("listen.forwarded_for", "10.0.0.1")];
    let refused = sources::read(Some((file, Path::new("a.toml"))), &over).unwrap_err().to_string();
    assert_eq!(refused, "a.toml, line 2, media.downloads_per_address: 0 is not in 1..=100000");
}
