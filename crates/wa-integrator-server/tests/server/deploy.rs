//! What lies in `docs/deploy` speaks of metrics, settings and flags that there are, and each alert has its section.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn read(path: &str) -> String {
    fs::read_to_string(docs().join(path)).unwrap()
}

fn docs() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs"))
}

/// The names of metrics in a text; a histogram's buckets are its own name.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    let ours = words.filter(|word| word.starts_with("wa_integrator_"));
    ours.map(|word| word.strip_suffix("_bucket").unwrap_or(word).to_owned()).collect()
}

#[test]
fn alerts_and_the_dashboard_speak_of_metrics_that_there_are() {
    let documented = metrics(&read("METRICS.md"));
    for path in
        ["deploy/prometheus/rules.yaml", "deploy/prometheus/tests.yaml", "deploy/grafana/wa-integrator.json"]
    {
        let unknown: Vec<_> = metrics(&read(path)).difference(&documented).cloned().collect();
        assert!(unknown.is_empty(), "{path}: {unknown:?}");
    }
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("deploy/grafana/wa-integrator.json")).unwrap();
    assert!(dashboard["panels"].as_array().unwrap().len() > 10);
}

#[test]
fn every_alert_has_a_section_that_says_what_to_do() {
    let rules: serde_json::Value = serde_yaml_ng::from_str(&read("deploy/prometheus/rules.yaml")).unwrap();
    let operations = read("OPERATIONS.md");
    let rules = rules["groups"][0]["rules"].as_array().unwrap().clone();
    assert!(rules.len() > 8);
    for rule in rules {
        let name = rule["alert"].as_str().unwrap();
        assert!(operations.contains(&format!("### {name}\n")), "{name} has no section in OPERATIONS.md");
    }
}

/// What the manifests tell the program it takes, and the programs that read them find no fault, where they are installed.
#[test]
fn the_manifests_are_sound() {
    let manifests = read("deploy/kubernetes/wa-integrator.yaml");
    let settings = manifests.split("settings.toml: |\n").nth(1).unwrap().split("---").next().unwrap();
    let settings: String = settings.lines().map(|line| format!("{}\n", line.trim_start())).collect();
    let directory = tempfile::tempdir().unwrap();
    let mut toml = settings.replace("/run/secrets/wa-integrator", &directory.path().display().to_string());
    toml = toml.replace("/var/lib/wa-integrator", &directory.path().display().to_string());
    for (name, content) in [
        ("postgres", "x".to_owned()),
        ("s3", "x".to_owned()),
        ("master-key", "6b".repeat(32)),
        ("shared-secret", "5a".repeat(32)),
    ] {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    let file = directory.path().join("settings.toml");
    fs::write(&file, toml).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wa-integrator"));
    // As in a cluster, where the service's own variables are set.
    command
        .env_clear()
        .env("WA_INTEGRATOR_SERVICE_HOST", "10.0.0.1")
        .env("WA_INTEGRATOR_PORT_80_TCP_PORT", "80");
    let checked = command.arg("--config").arg(&file).args(["config", "check"]).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));

    for (path, documents) in [
        ("deploy/kubernetes/wa-integrator.yaml", 6),
        ("deploy/kubernetes/upgrade.yaml", 1),
        ("deploy/compose.yaml", 1),
    ] {
        let text = read(path);
        let read = text.split("\n---\n").map(serde_yaml_ng::from_str::<serde_json::Value>);
        assert_eq!(read.filter(Result::is_ok).count(), documents, "{path}");
    }
    let rules = docs().join("deploy/prometheus");
    let promtool = Command::new("promtool").args(["test", "rules", "tests.yaml"]).current_dir(rules).output();
    if let Ok(tested) = promtool {
        assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stdout));
    }
}

/// The variables of the compose file are settings, and sound ones.
#[test]
fn the_compose_file_is_sound() {
    let compose: serde_json::Value = serde_yaml_ng::from_str(&read("deploy/compose.yaml")).unwrap();
    let service = &compose["services"]["integrator"];
    assert_eq!((&service["read_only"], service["healthcheck"].is_object()), (&true.into(), true));
    let directory = tempfile::tempdir().unwrap();
    let mut checking = Command::new(env!("CARGO_BIN_EXE_wa-integrator"));
    checking.env_clear();
    for (name, content) in
        [("postgres", "x".to_owned()), ("master-key", "6b".repeat(32)), ("shared-secret", "5a".repeat(32))]
    {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    let here = directory.path().display().to_string();
    for (name, value) in service["environment"].as_object().unwrap() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        checking.env(name, value.replace("/run/secrets", &here));
    }
    let checked = checking.args(["config", "check"]).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

/// systemd reads the units where it is installed: they name nothing that is unknown, and a socket that outlives the process.
#[cfg(unix)]
#[test]
fn the_units_are_sound() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["wa-integrator.service", "wa-integrator.socket"] {
        let unit = read(&format!("deploy/systemd/{name}"));
        let program = env!("CARGO_BIN_EXE_wa-integrator");
        fs::write(directory.path().join(name), unit.replace("/usr/bin/wa-integrator", program)).unwrap();
    }
    let service = read("deploy/systemd/wa-integrator.service");
    for line in
        ["Requires=wa-integrator.socket", "ExecReload=/bin/kill -HUP $MAINPID", "ProtectSystem=strict"]
    {
        assert!(service.contains(&format!("\n{line}\n")), "{line}");
    }
    let mut systemd = Command::new("systemd-analyze");
    systemd.env("SYSTEMD_UNIT_PATH", format!("{}:", directory.path().display())).arg("verify");
    let verified = systemd.arg(directory.path().join("wa-integrator.service")).output();
    if let Ok(verified) = verified {
        let said = String::from_utf8_lossy(&verified.stderr);
        let about = said.lines().filter(|line| line.contains("wa-integrator.s"));
        assert_eq!(about.count(), 0, "{said}");
    }
}
