//! Holds the specification and the tests together: this crate's, and the engine's.

use std::{collections::BTreeSet, fs, path::Path};

/// What rules are named after.
const TOPICS: [&str; 10] = [
    "resume",
    "command",
    "flow",
    "codec",
    "heartbeat",
    "hello",
    "auth",
    "close",
    "goaway",
    "limits",
];

/// The names of rules in the crate's doc, by whether the server alone can keep them.
fn rules(of_server: bool) -> BTreeSet<String> {
    let mut rules = BTreeSet::new();
    let doc = include_str!("lib.rs").lines().filter_map(|line| line.strip_prefix("//! "));
    let doc = doc.collect::<Vec<_>>().join("\n");
    let (_, list) = doc.split_once("# Rules").expect("a chapter of rules");
    for item in list.split("\n- ").filter(|item| item.starts_with('`')) {
        let (names, owner) = item.split_once(" (").expect("an owner");
        let owner = owner.split(')').next().unwrap();
        assert!(["client", "codec", "flow", "server"].contains(&owner), "{item}");
        if (owner == "server") == of_server {
            rules.extend(names.split('`').skip(1).step_by(2).map(|name| name.replace('-', "_")));
        }
    }
    rules
}

/// The names of all tests below a folder.
fn tests(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(path).unwrap();
            let mut is_test = false;
            for line in source.lines().map(str::trim_start) {
                let line = line.strip_prefix("async ").unwrap_or(line);
                if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                    is_test = true;
                } else if let Some(rest) = line.strip_prefix("fn ") {
                    found.extend(rest.split('(').next().filter(|_| is_test).map(str::to_owned));
                    is_test = false;
                }
            }
        }
    }
}

/// Asserts that the tests below a crate's folder that are named after rules are these.
fn assert_tested(folder: &str, rules: &BTreeSet<String>) {
    let mut all = BTreeSet::new();
    tests(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut all);
    let is_rule =
        |name: &&String| name.split_once('_').is_some_and(|(topic, _)| TOPICS.contains(&topic));
    let named: BTreeSet<_> = all.iter().filter(is_rule).cloned().collect();
    let off: Vec<_> = rules.symmetric_difference(&named).collect();
    assert!(off.is_empty(), "in the doc or in the tests, not in both: {off:#?}");
}

#[test]
fn every_rule_of_the_client_has_a_test_and_every_such_test_is_a_rule() {
    let rules = rules(false);
    assert!(rules.len() > 50, "the doc was read");
    assert_tested("src", &rules);
}

#[test]
fn every_rule_of_the_server_has_a_test_and_every_such_test_is_a_rule() {
    let server = rules(true);
    assert!(server.len() > 25, "the doc was read");
    assert!(server.is_disjoint(&rules(false)));
    assert_tested("../actors/src", &server);
}
