//! `greenroom edits` as an operator calls it.

use crate::server::{Site, files_below, output};
use serde_json::Value;
use std::{fs, path::Path};

const ANSWER: &str = "Here.\n@@k3x7qa write new.txt\nnew\n@@k3x7qa end\n@@k3x7qa edit a.txt\n\
    <<<<<<< SEARCH\ntwo\n=======\n2\n>>>>>>> REPLACE\n@@k3x7qa end\n";

fn folder(site: &Site) -> String {
    let folder = site.place("app");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("a.txt"), "one\n  two\nthree\n").unwrap();
    folder.to_str().unwrap().to_owned()
}

fn file(site: &Site, name: &str, text: &str) -> String {
    let place = site.place(name);
    fs::write(&place, text).unwrap();
    place.to_str().unwrap().to_owned()
}

/// Runs `greenroom edits`: exit code, stdout, stderr.
async fn edits(site: &Site, args: &[&str]) -> (Option<i32>, String, String) {
    let run = output(&mut site.command(&[&["edits"], args].concat())).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (run.status.code(), text(run.stdout), text(run.stderr))
}

fn text(folder: &str, path: &str) -> Option<String> {
    let files = files_below(Path::new(folder));
    files.get(path).map(|bytes| String::from_utf8(bytes.clone()).unwrap())
}

#[tokio::test]
async fn an_answer_is_applied_to_a_folder_and_says_where() {
    let site = Site::new();
    let (folder, answer) = (folder(&site), file(&site, "answer.txt", ANSWER));

    let (code, out, _) = edits(&site, &["apply", "--dry-run", &answer, &folder]).await;
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("a.txt\n  block 1   indentation      line 2\n"), "{out}");
    assert!(out.contains("new.txt\n  written, 4 bytes\n"), "{out}");
    assert!(out.ends_with("all of it applies; nothing was written\n"), "{out}");
    assert_eq!(text(&folder, "new.txt"), None);

    let (code, out, _) = edits(&site, &["apply", &answer, &folder]).await;
    assert_eq!(code, Some(0), "{out}");
    assert!(out.ends_with("2 files written, 0 removed\n"), "{out}");
    assert_eq!(text(&folder, "a.txt").unwrap(), "one\n  2\nthree\n");
    assert_eq!(text(&folder, "new.txt").unwrap(), "new\n");
}

#[tokio::test]
async fn an_edit_that_does_not_apply_shows_the_nearest_lines_and_writes_nothing() {
    let site = Site::new();
    let folder = folder(&site);
    let answer = file(&site, "answer.txt", &ANSWER.replace("two\n", "two\nfour\n"));

    let (code, out, error) = edits(&site, &["apply", &answer, &folder]).await;
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("block 1   not_found"), "{out}");
    assert!(
        out.contains("    nearest: lines 1 to 3 (50 % alike)\n    | one\n    |   two\n"),
        "{out}"
    );
    assert!(error.contains("1 edits do not apply; nothing was written"), "{error}");
    assert_eq!(text(&folder, "new.txt"), None);

    let args = ["apply", "--output", "json", &answer, &folder];
    let (code, out, _) = edits(&site, &args).await;
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["applies"]), (Some(1), &Value::Bool(false)));
    let block = &report["edits"][0]["blocks"][0];
    assert_eq!((&block["result"], &block["nearest"]["line"]), (&"not_found".into(), &1.into()));
}

#[tokio::test]
async fn aiders_format_is_listed_and_applied() {
    let site = Site::new();
    let folder = folder(&site);
    let block = "<<<<<<< SEARCH\none\n=======\n1\n>>>>>>> REPLACE\n";
    let answer = file(&site, "answer.md", &format!("Sure:\n\na.txt\n```\n{block}```\n"));

    let (code, out, _) = edits(&site, &["extract", "--format", "aider", &answer]).await;
    assert_eq!(code, Some(0));
    assert!(out.contains("\n@@@ SEARCH: a.txt @@@@@@@@@@@@@@@@@@@@\none\n@@@@"), "{out}");
    let (code, out, _) = edits(&site, &["apply", "--format", "aider", &answer, &folder]).await;
    assert_eq!(code, Some(0), "{out}");
    assert_eq!(text(&folder, "a.txt").unwrap(), "1\n  two\nthree\n");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_as_usage() {
    let site = Site::new();
    let folder = folder(&site);
    let prose = file(&site, "prose.txt", "no edits here\n");
    for args in [
        &["extract", "missing.txt"][..],
        &["extract", &prose],
        &["apply", &prose, &folder],
        &["apply", &prose, "missing"],
    ] {
        let (code, out, error) = edits(&site, args).await;
        assert_eq!((code, out.as_str()), (Some(2), ""), "{args:?}: {error}");
    }
    let outside = file(&site, "outside.txt", "@@k3x7qa edit ../a\n<<<<<<< SEARCH\n");
    let (code, out, _) = edits(&site, &["apply", &outside, &folder]).await;
    assert!(code == Some(0) && out.contains("\"../a\" was left out"), "{out}");
}
