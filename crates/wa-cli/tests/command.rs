//! The `wa` command as a shell sees it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};

/// The example of overview §2.1.2, with the right length of its body.
const OVERVIEW: &str = "f80c1311faff8614155551001f0306faff8614155551000f0308fc063132333435360438\
                    18fc036a6f65f801f802ed75fc15426f64792074657874206f66206d6573736167652e";
const OVERVIEW_XML: &str = "<message to=\"14155551001@s.whatsapp.net\" from=\"14155551000@s.whatsapp.net\" id=\"123456\" \
                        type=\"text\" notify=\"joe\"><body>Body text of message.</body></message>\n";
const PING: &str = "<iq id=\"26\" type=\"get\" xmlns=\"w:p\" to=\"s.whatsapp.net\"/>\n";

fn start(args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wa"));
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    pipes.args(args).spawn().unwrap()
}

fn wa(args: &[&str], input: &[u8]) -> Output {
    let mut child = start(args);
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

/// Standard output of a call that is to end well and say nothing else.
fn good(args: &[&str], input: &[u8]) -> String {
    let output = wa(args, input);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    assert_eq!(output.status.code(), Some(0), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Standard error and exit code of a call that is to fail.
fn bad(args: &[&str], input: &[u8]) -> (String, Option<i32>) {
    let output = wa(args, input);
    (String::from_utf8(output.stderr).unwrap(), output.status.code())
}

#[test]
fn decodes_the_overviews_example_from_everywhere() {
    assert_eq!(good(&["decode", OVERVIEW], b""), OVERVIEW_XML);
    assert_eq!(good(&["decode"], OVERVIEW.as_bytes()), OVERVIEW_XML);
    assert_eq!(good(&["decode", "-"], OVERVIEW.to_uppercase().as_bytes()), OVERVIEW_XML);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stanza.bin");
    fs::write(&path, hex::decode(OVERVIEW).unwrap()).unwrap();
    assert_eq!(good(&["decode", "--from", "raw", "--file", path.to_str().unwrap()], b""), OVERVIEW_XML);
    assert_eq!(good(&["decode", "--from", "base64", "+AEC"], b""), "<xmlstreamend/>\n");
}

#[test]
fn encodes_what_it_decoded() {
    let xml = good(&["decode", OVERVIEW], b"");
    assert_eq!(good(&["encode", "--packing", "jids"], xml.as_bytes()), format!("{OVERVIEW}\n"));
    let pretty = good(&["decode", "--pretty", OVERVIEW], b"");
    assert_eq!(pretty.lines().nth(1), Some("  <body>Body text of message.</body>"));
    assert_eq!(good(&["encode", "--packing", "jids", &pretty], b""), format!("{OVERVIEW}\n"));
    let json = good(&["decode", "--json", OVERVIEW], b"");
    assert_eq!(good(&["encode", "--json", "--packing", "jids"], json.as_bytes()), format!("{OVERVIEW}\n"));
}

#[test]
fn json_is_tag_attributes_content() {
    let json = good(&["decode", "--json", "f8091908990429165711fa0003"], b"");
    let to = r#"["to",{"jid":"s.whatsapp.net"}]"#;
    let expected =
        format!(r#"{{"tag":"iq","attrs":[["id","26"],["type","get"],["xmlns","w:p"],{to}],"content":null}}"#);
    assert_eq!(json, expected + "\n");
}

#[test]
fn envelopes_come_off_and_go_on() {
    let framed = good(&["encode", "--packed", "--framed"], PING.as_bytes());
    assert_eq!(framed, "00000e00f8091908990429165711fa0003\n");
    let twice = framed.repeat(2);
    assert_eq!(good(&["decode", "--packed", "--framed"], twice.as_bytes()), PING.repeat(2));
    let raw = wa(&["encode", "--packed", "--compress-above", "3", "--to", "raw"], PING.as_bytes()).stdout;
    assert_eq!(raw.first(), Some(&2));
    assert_eq!(wa(&["decode", "--packed", "--from", "raw"], &raw).stdout, PING.as_bytes());
}

#[test]
fn options_of_encoding() {
    let xml = b"<iq to='1-10853634039893@interop' id='54321'/>";
    assert_eq!(good(&["encode"], xml), "f8051911f5ff07108536340398930000000108ff8354321f\n");
    let suffixed = good(&["encode", "--interop-suffix"], xml);
    assert!(suffixed.contains("fc07696e7465726f70"), "{suffixed}");
    let plain = good(&["encode", "--packing", "nothing"], xml);
    assert!(plain.contains("fc053534333231"), "{plain}");
    for encoded in [suffixed, plain] {
        assert_eq!(good(&["decode"], encoded.as_bytes()).replace('"', "'").trim().as_bytes(), xml);
    }
}

#[test]
fn says_what_is_wrong_and_where() {
    for (args, error, code) in [
        (&["decode", "f8019"][..], "the text ends inside a pair of hexadecimal digits at byte 5", 1),
        (&["decode", "f8 0x"], "the text is not hexadecimal at byte 4", 1),
        (&["decode", "--from", "base64", "+AE!"], "the text is not base64 at byte 3", 1),
        (&["decode", ""], "input ends inside an item at byte 0", 1),
        (&["decode", "f801f0"], "unknown tag 240 at byte 2", 1),
        (&["decode", "f8010200"], "1 byte follows the node at byte 3", 1),
        (
            &["decode", "00f80102"],
            "a node must be a list, not tag 0 (a flag byte? then say --packed) at byte 0",
            1,
        ),
        (&["decode", "--packed", "00f801f0"], "unknown tag 240 at byte 3", 1),
        (&["decode", "--packed", "04f80102"], "unknown flags 0x04 at byte 0", 1),
        (&["decode", "--packed", "02789cfbc1f8000001eb00f2"], "invalid zlib stream at byte 0", 1),
        (&["decode", "--framed", "000003f80102000003f801f0"], "unknown tag 240 at byte 11", 1),
        (&["decode", "--framed", "000003f80102000003f801"], "input ends inside a frame at byte 6", 1),
        (&["encode", "<a>b<c/></a>"], "an element mixes text and elements at byte 8", 1),
        (
            &["encode", "<wa:node wa:tag=''/>"],
            "cannot be written: a tag or attribute name is empty at byte 0",
            1,
        ),
        (&["encode", "{\"tag\":\"a\"}"], "xml is not well-formed (json? then say --json) at byte 0", 1),
        (&["encode", "--json", "{\"tag\":\n1}"], "invalid type: integer `1`, expected a string at byte 8", 1),
        (
            &["decode", "--file", "does/not/exist"],
            "cannot read does/not/exist: No such file or directory (os error 2)",
            3,
        ),
    ] {
        assert_eq!(bad(args, b""), (format!("error: {error}\n"), Some(code)), "{args:?}");
    }
    assert_eq!(
        bad(&["encode", "-"], b"<a>\xff</a>"),
        ("error: the text is not utf-8 at byte 3\n".into(), Some(1))
    );
    assert_eq!(bad(&["decode", "--unknown"], b"").1, Some(2));
    assert_eq!(bad(&[], b"").1, Some(2));
}

#[test]
fn a_bad_line_is_answered_and_the_next_is_read() {
    let output = wa(&["decode", "--lines"], b"f80102\nzz\n\nf801f0\r\nf8011a\nf80319");
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        lines.lines().collect::<Vec<_>>(),
        [
            "<xmlstreamend/>",
            "error: the text is not hexadecimal at byte 0",
            "error: input ends inside an item at byte 0",
            "error: unknown tag 240 at byte 2",
            "<t/>",
            "error: a list of 3 elements is longer than the input at byte 0",
        ]
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr), "error: 4 of 6 lines were malformed\n");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(good(&["encode", "--lines"], b"<t/>\n<iq/>\n"), "f8011a\nf80119\n");
    assert_eq!(good(&["decode", "--lines", "--framed", "000003f8011a000003f80119"], b""), "<t/> <iq/>\n");
}

#[test]
fn a_line_is_answered_before_the_next_is_sent() {
    let mut child = start(&["decode", "--lines", "--json"]);
    let (mut to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut answers = BufReader::new(from).lines();
    for tag in ["t", "iq"] {
        let item = good(&["encode", &format!("<{tag}/>")], b"");
        to.write_all(item.as_bytes()).unwrap();
        let expected = format!(r#"{{"tag":"{tag}","attrs":[],"content":null}}"#);
        assert_eq!(answers.next().unwrap().unwrap(), expected);
    }
    drop(to);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_examples_of_the_help_work() {
    let help = good(&["decode", "--help"], b"");
    let example = help.lines().find_map(|line| line.trim().strip_prefix("wa decode f8")).unwrap();
    assert_eq!(good(&["decode", &format!("f8{example}")], b""), PING);
}

#[test]
fn a_profile_that_is_shown_can_be_given_back() {
    for document in ["overview", "1.0.3"] {
        let shown = good(&["profile", "show", document], b"");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("partner.toml");
        fs::write(&path, &shown).unwrap();
        assert_eq!(good(&["profile", "show", path.to_str().unwrap()], b""), shown, "{document}");
        // A change is taken, and nothing else is changed.
        fs::write(&path, shown.replace("port = 443\n", "port = 5222\n")).unwrap();
        let changed = good(&["profile", "show", path.to_str().unwrap()], b"");
        let differing: Vec<_> = shown.lines().zip(changed.lines()).filter(|(one, two)| one != two).collect();
        assert_eq!(differing, [("port = 443", "port = 5222")]);
    }
}

#[test]
fn what_is_wrong_with_a_profile_is_said_with_file_and_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("partner.toml");
    fs::write(&path, "[chat]\nhost = \"chat.example\"\nprot = 443\n").unwrap();
    let (stderr, code) = bad(&["profile", "show", path.to_str().unwrap()], b"");
    assert_eq!(code, Some(2));
    let expected = format!("{}, line 3, chat.prot: unknown field `prot`, expected one of ", path.display());
    assert!(stderr.contains(&expected), "{stderr}");
    let (stderr, code) = bad(&["profile", "show", "1.0.4"], b"");
    assert_eq!(code, Some(2));
    assert!(stderr.contains("1.0.4 is neither a document (overview, 1.0.3) nor a file"), "{stderr}");
}

#[test]
fn a_recorded_direction_is_opened_with_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    fs::write(&key, format!("{}\n", hex::encode([7; 32]))).unwrap();
    // Sealed by AES-256-GCM with a counter: a ping and the end of the stream, with `openssl`-like plainness.
    let mut sealer = Sealing(0);
    let ping = hex::decode(good(&["encode", "--packed", PING], b"").trim()).unwrap();
    let [first, second] = [sealer.frame(&ping), sealer.frame(&[0, 0xf8, 1, 2])];
    let handshake = [&[b'W', b'A', 6, 3, 0, 0, 2][..], b"hi"].concat();
    let recording = [handshake.clone(), first, second.clone(), vec![0, 0, 90, 1]].concat();
    let key = key.to_str().unwrap();
    let shown = good(&["decode", "--from", "raw", "--key-file", key, "--handshake", "1"], &recording);
    assert_eq!(shown, format!("{PING}<xmlstreamend/>\n"));
    let later = good(&["decode", "--from", "raw", "--key-file", key, "--missing", "1"], &second);
    assert_eq!(later, "<xmlstreamend/>\n");
    let (error, code) = bad(&["decode", "--from", "raw", "--key-file", key], &second);
    let said = "the frame is not of this key, or not the next one (--handshake, --missing), at byte 0";
    assert!(error.contains(said) && code == Some(1), "{error}");
    let (error, code) = bad(&["decode", "--key-file", key, "--lines"], b"");
    assert!(error.contains("cannot be used with") && code == Some(2), "{error}");
}

/// The transport as the Noise specification has it, with the bare cipher.
struct Sealing(u64);

impl Sealing {
    fn frame(&mut self, plain: &[u8]) -> Vec<u8> {
        use aes_gcm::aead::Aead;
        use aes_gcm::{Aes256Gcm, KeyInit};

        let nonce = [&[0; 4][..], &self.0.to_be_bytes()].concat();
        self.0 += 1;
        let nonce: [u8; 12] = nonce.try_into().unwrap();
        let sealed = Aes256Gcm::new(&[7; 32].into()).encrypt(&nonce.into(), plain).unwrap();
        let length = u32::try_from(sealed.len()).unwrap().to_be_bytes();
        [&length[1..], &sealed].concat()
    }
}

#[test]
fn shells_complete_and_manuals_are_written() {
    for shell in ["bash", "zsh", "fish"] {
        let script = good(&["completions", shell], b"");
        assert!(
            script.contains("decode") && script.contains("--packed") || script.contains("packed"),
            "{script}"
        );
    }
    let directory = tempfile::tempdir().unwrap();
    good(&["man", directory.path().to_str().unwrap()], b"");
    let page = fs::read_to_string(directory.path().join("wa-decode.1")).unwrap();
    assert!(page.contains("Bytes to XML or JSON"), "{page}");
    let (error, code) = bad(&["man", "/nowhere/at/all"], b"");
    assert!(error.contains("cannot write /nowhere/at/all") && code == Some(3), "{error}");
}

#[cfg(feature = "chat")]
#[test]
fn a_number_that_is_none_is_a_mistake_on_the_command_line() {
    for number in ["+1415", "1415x", ""] {
        let (error, code) = bad(&["chat", number, "--user", "a", "--sandbox"], b"");
        assert!(error.contains("no phone number in international form") && code == Some(2), "{error}");
    }
}
