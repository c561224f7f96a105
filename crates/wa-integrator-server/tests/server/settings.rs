//! Where the program takes its settings from: flags before the environment before the file.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::fixture::program::{Program, command};

fn file(directory: &Path, content: &str) -> String {
    let path = directory.join("settings.toml");
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What `config check` says with this file and these variables and flags.
fn check(content: &str, variables: &[(&str, &str)], flags: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let mut command = command(&directory.path().join("data"));
    command.envs(variables.iter().copied()).env("WA_INTEGRATOR_CONFIG", file(directory.path(), content));
    let output = command.args(flags).args(["config", "check"]).output().unwrap();
    assert!(!directory.path().join("data").exists(), "nothing is made");
    output
}

fn refusal(content: &str, variables: &[(&str, &str)], flags: &[&str]) -> String {
    let output = check(content, variables, flags);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{content}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn flags_come_before_the_environment_before_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let content = "[listen]\naddress = \"127.0.0.1:0\"\nbase_url = \"https://file.example\"\n";
    let path = file(directory.path(), content);
    for (variable, flag, expected) in [
        (None, None, "https://file.example"),
        (Some("https://variable.example"), None, "https://variable.example"),
        (Some("https://variable.example"), Some("https://flag.example"), "https://flag.example"),
        (None, Some("https://flag.example"), "https://flag.example"),
    ] {
        let mut command = command(&directory.path().join("data"));
        command.args(["--config", &path]).envs(variable.map(|it| ("WA_INTEGRATOR_BASE_URL", it)));
        command.args(flag.into_iter().flat_map(|it| ["--base-url", it]));
        let program = Program::of(&mut command);
        assert_eq!(program.ready["token"], format!("{expected}/token"));
        program.stop();
    }
}

#[test]
fn a_check_says_what_a_start_would() {
    let sound = check("[media]\ntoken_required = true\n[push]\nallow_private = false\n", &[], &[]);
    assert!(sound.status.success(), "{}", String::from_utf8_lossy(&sound.stderr));
    assert_eq!(sound.stdout, b"the settings are sound\n");
    for (content, sentence) in [
        ("[tokens]\nlifetime = 0\n", "the token must live between 1 and 3600 seconds"),
        ("[tokens]\nauthenticator = \"proxy\"\n", "tokens.proxy is needed with this authenticator"),
        ("[tokens]\nauthenticator = \"oidc\"\n", "tokens.oidc_issuer is needed with this authenticator"),
        (
            "[listen]\naddress = \"0.0.0.0:80\"\n",
            "a base url is needed (--base-url), because 0.0.0.0:80 is not a loopback address",
        ),
        (
            "[push]\nwebhook = \"http://backend.example/\"\n",
            "push.webhook is neither https, nor http to a loopback host or one of trust.plain_http",
        ),
        ("[keys]\nmaster_key_file = \"/nowhere\"\n", "/nowhere cannot be used: no such file or directory"),
    ] {
        assert_eq!(refusal(content, &[], &[]), format!("wa-integrator: {sentence}\n"), "{content}");
    }
    let traces = "[telemetry]\notlp_endpoint = \"http://collector.example\"\n";
    let error = refusal(traces, &[], &[]);
    assert!(error.contains("telemetry.otlp_endpoint: must be https, or http on a loopback host"), "{error}");
    #[cfg(not(feature = "otel"))]
    {
        let error = refusal(&traces.replace("http:", "https:"), &[], &[]);
        assert_eq!(error, "wa-integrator: this program was built without opentelemetry\n");
    }
    let overridden = check("[tokens]\nlifetime = 0\n", &[], &["--set", "tokens.lifetime=60"]);
    assert!(overridden.status.success());
}

#[test]
fn what_is_no_setting_is_refused_wherever_it_stands() {
    let error = refusal("[tokens]\nlifetime = 60\nlifetme = 60\n", &[], &[]);
    assert!(error.contains("settings.toml, line 3, tokens.lifetme: unknown field `lifetme`, "), "{error}");
    let error = refusal("", &[("WA_INTEGRATOR_LISTN", "127.0.0.1:1")], &[]);
    assert_eq!(error, "wa-integrator: WA_INTEGRATOR_LISTN is no setting\n");
    let error = refusal("", &[("WA_INTEGRATOR_CONFIG_", "")], &[]);
    assert_eq!(error, "wa-integrator: WA_INTEGRATOR_CONFIG_ is no setting\n");
}
