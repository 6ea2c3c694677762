//! A provider's faults and limits against the real server, judged by the load harness; and what an
//! operator asks about providers.

mod command;

use crate::crash::play;
use std::path::Path;

/// A short form: enough of everything for a test that runs each time.
const SHORT: [&str; 4] = ["--count", "60", "--sessions", "60"];

#[test]
fn every_fault_alone_and_some_mixtures_end_runs_as_they_should_and_leak_nothing() {
    faults("openai", &SHORT);
}

#[test]
fn every_fault_of_ollamas_own_api_ends_runs_as_it_should_and_leaks_nothing() {
    faults("ollama", &SHORT);
}

#[test]
#[ignore = "two minutes"]
fn a_thousand_mixtures_of_faults_end_runs_as_they_should_and_leak_nothing() {
    for api in ["openai", "ollama"] {
        faults(api, &["--count", "1000"]);
    }
}

#[test]
fn keys_are_used_as_their_accounts_allow() {
    let said = play("keypool", Path::new(env!("CARGO_BIN_EXE_greenroom")), &[]);
    println!("{}", said.text);
    assert!(said.passed, "{}", said.text);
}

fn faults(api: &str, arguments: &[&str]) {
    let arguments = [&["--api", api], arguments].concat();
    let said = play("faults", Path::new(env!("CARGO_BIN_EXE_greenroom")), &arguments);
    // With its seed, which decides what happened.
    println!("{}", said.text);
    assert!(said.passed, "repeat it with --seed:\n{}", said.text);
}
