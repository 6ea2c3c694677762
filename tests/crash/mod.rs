//! kill -9 of the real server under real clients, over and over, judged by the load harness.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A short form of the crash test: enough of everything for a test that runs each time.
const SHORT: [&str; 6] = ["--kills", "4", "--drops", "60", "--deadline-secs", "180"];

#[test]
fn nothing_is_lost_repeated_or_reordered_when_the_server_is_killed_again_and_again() {
    let said = crash(Path::new(env!("CARGO_BIN_EXE_greenroom")), &SHORT);
    // With its seed, which decides what happened.
    println!("{}", said.text);
    assert!(said.passed, "repeat it with --seed:\n{}", said.text);
}

/// What a crash test said.
pub(crate) struct Said {
    pub(crate) passed: bool,
    pub(crate) text: String,
}

impl Said {
    /// The rules that it found broken.
    pub(crate) fn rules(&self) -> Vec<&str> {
        let violations = self.text.lines().filter_map(|line| line.strip_prefix("  "));
        let mut rules: Vec<_> =
            violations.filter_map(|line| line.split([' ', ':']).next()).collect();
        rules.dedup();
        rules
    }
}

/// Plays the crash test against a server's binary.
pub(crate) fn crash(server: &Path, arguments: &[&str]) -> Said {
    play("crash", server, arguments)
}

/// Plays a test of the load harness against a server's binary.
pub(crate) fn play(test: &str, server: &Path, arguments: &[&str]) -> Said {
    let mut command = Command::new(harness());
    command.arg(test).arg("--bin").arg(server).args(arguments);
    // What is kept of a failure lies with the build.
    command.env("TMPDIR", env!("CARGO_TARGET_TMPDIR"));
    let Output { status, stdout, stderr } = command.output().unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    // 2: it could not be carried out.
    assert!(matches!(status.code(), Some(0 | 1)), "{command:?}: {status}\n{stdout}{stderr}");
    Said { passed: status.success(), text: stdout + &stderr }
}

/// The load harness, which cargo leaves beside the server's binary when it builds the workspace.
pub(crate) fn harness() -> PathBuf {
    let folder = Path::new(env!("CARGO_BIN_EXE_greenroom")).parent().unwrap();
    let harness = folder.join(format!("greenroom-loadtest{}", env::consts::EXE_SUFFIX));
    if !harness.exists() {
        let profile = folder.file_name().and_then(|name| name.to_str()).unwrap();
        let profile = if profile == "debug" { "dev" } else { profile };
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "greenroom-loadtest", "--profile", profile]);
        cargo.arg("--target-dir").arg(folder.parent().unwrap());
        assert!(cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap().success());
    }
    harness
}
