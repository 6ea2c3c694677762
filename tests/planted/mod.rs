//! The crash test's own test: a server that plays a defect must not pass it.

use crate::crash::crash;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Chance decides whether a kill meets a defect's window: a second try is allowed, a third is not.
const TRIES: usize = 2;

/// What nearly all defects need. A run that has no end is given up after 15 s.
const MANY_KILLS: &[&str] = &["--kills", "6", "--drops", "100", "--run-timeout-secs", "15"];

/// Fast answers and few kills: the ring is empty after a kill and has to fill up.
const FULL_RING: &[&str] = &["--kills", "2", "--drops", "100", "--rate", "2000"];

/// A defect, how it is met, and the rules of which it must break one.
type Planted = (&'static str, &'static [&'static str], &'static [&'static str]);

const PLANTED: [Planted; 8] = [
    ("deliver_before_commit", MANY_KILLS, &["NoReset", "SameForAll"]),
    ("skip_dedupe", MANY_KILLS, &["OneEffect"]),
    ("replay_off_by_one", MANY_KILLS, &["NoHole"]),
    ("epoch_raised_at_restart", MANY_KILLS, &["OneEpoch", "NoReset"]),
    ("terminal_event_lost", MANY_KILLS, &["OneEnd"]),
    ("truncated_file_committed", MANY_KILLS, &["RightFiles"]),
    (
        "segment_before_durable",
        MANY_KILLS,
        // The log is shorter, or has a hole and its session cannot be woken: no end, no answer.
        &["NoReset", "SameForAll", "Complete", "Durable", "OneEnd"],
    ),
    ("ring_skips_on_wrap", FULL_RING, &["NoHole"]),
];

#[test]
#[ignore = "builds the server with its defects, then takes three minutes"]
fn every_planted_defect_is_found_and_a_server_without_one_passes() {
    let server = server();
    for settings in [MANY_KILLS, FULL_RING] {
        let said = crash(&server, settings);
        assert!(said.passed, "no defect is played:\n{}", said.text);
    }
    for (plant, settings, rules) in PLANTED {
        let found = (0..TRIES).any(|_| {
            let plant = ["--plant", plant, "--expect-violation"];
            let said = crash(&server, &[settings, &plant].concat());
            println!("{} breaks {:?}\n{}", plant[1], said.rules(), said.text);
            said.passed && said.rules().iter().any(|rule| rules.contains(rule))
        });
        assert!(found, "{plant} breaks none of {rules:?} in {TRIES} tries");
    }
}

/// The server with its defects, in a folder of its own: the tests' server stays as it is.
fn server() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = root.join("target/plant");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", "greenroom", "--features", "plant"]);
    cargo.arg("--target-dir").arg(&target);
    assert!(cargo.current_dir(root).status().unwrap().success());
    target.join("debug").join(format!("greenroom{}", std::env::consts::EXE_SUFFIX))
}
