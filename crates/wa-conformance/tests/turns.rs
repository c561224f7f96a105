//! Real processes at one account: the program `wa-chaos` and its children.

use std::process::Command;

#[cfg(unix)]
#[test]
fn two_processes_take_turns_are_killed_and_overtaken() {
    let run = Command::new(env!("CARGO_BIN_EXE_wa-chaos")).args(["turns", "--times", "6"]).output().unwrap();
    let (said, failed) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && said.contains("2 killed and 2 overtaken"), "{said}{failed}");
}
