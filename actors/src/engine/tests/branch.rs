//! Forks, rollbacks, differences.

use super::bench::{Bench, Client, OTHER, SESSION, USER, cid};
use crate::run::prompt::Parsed;
use greenroom_protocol::{
    error::Reason,
    event::{Event, Outcome},
    frame::After,
    id::{Seq, SessionId},
    method::{DiffPage, FileChange, FilePage, FileSlice, SessionInfo},
};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

const FORK: SessionId = SessionId::new(Uuid::from_u128(78));
const FORK_OF_FORK: SessionId = SessionId::new(Uuid::from_u128(79));

/// What a model was shown.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    files: BTreeMap<String, String>,
    /// The prompts of earlier turns.
    prompts: Vec<String>,
}

impl Bench {
    /// One turn that writes files; the number of its last entry, and what the model was shown.
    async fn write(
        &mut self,
        client: &mut Client,
        n: u128,
        files: &[(&str, &str)],
    ) -> (Seq, Shown) {
        client.start(n, &format!("turn {n}")).await.unwrap();
        let mut call = self.calls.next().await.unwrap();
        let parsed = Parsed::read(&call.request.messages).unwrap();
        let tag = &parsed.tag;
        call.text(&format!("Answer {n}.\n")).await;
        for (path, text) in files {
            call.text(&format!("@@{tag} write {path}\n{text}\n@@{tag} end\n")).await;
        }
        let all: String = call.request.messages.iter().map(|m| m.content.clone() + "\n").collect();
        let seen = |m: &u128| all.contains(&format!("turn {m}\n")) && *m != n;
        let prompts = (0..n).filter(seen).map(|m| format!("turn {m}")).collect();
        let shown = Shown { files: parsed.files.clone(), prompts };
        call.finish().await;
        let (entries, outcome, error) = client.until_finished().await;
        assert_eq!((outcome, error), (Outcome::Completed, None));
        (entries.last().unwrap().seq, shown)
    }
}

impl Client {
    async fn roll_back(&mut self, n: u128, to: Seq) -> SessionInfo {
        let info = self.call("session.rollback", cid(n), json!({ "to": to })).await.unwrap();
        serde_json::from_value(info).unwrap()
    }

    async fn files(&mut self) -> BTreeMap<String, String> {
        let page = self.call("files.list", cid(0), json!({})).await.unwrap();
        let page: FilePage = serde_json::from_value(page).unwrap();
        let mut files = BTreeMap::new();
        for file in page.files {
            let slice = self.call("files.get", cid(0), json!({ "path": file.path })).await.unwrap();
            files.insert(file.path, serde_json::from_value::<FileSlice>(slice).unwrap().text);
        }
        files
    }
}

fn files(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(path, text)| ((*path).to_owned(), format!("{text}\n"))).collect()
}

fn prompts(all: &[u128]) -> Vec<String> {
    all.iter().map(|n| format!("turn {n}")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_rollback_moves_chat_and_files_together_and_can_be_undone() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    let (first, _) = bench.write(&mut client, 2, &[("a", "one")]).await;
    let (second, _) = bench.write(&mut client, 3, &[("a", "two"), ("b/c", "new")]).await;

    let info = client.roll_back(4, first).await;
    assert_eq!(info.head, second.next());
    assert_eq!(client.files().await, files(&[("a", "one")]));
    let page = client.call("files.list", cid(0), json!({})).await.unwrap();
    assert!(page["object"].as_str().unwrap().contains("parent "), "the history goes on");
    let (_, shown) = bench.write(&mut client, 5, &[("a", "three")]).await;
    assert_eq!(shown, Shown { files: files(&[("a", "one")]), prompts: prompts(&[2]) });

    client.roll_back(6, second).await;
    assert_eq!(client.files().await, files(&[("a", "two"), ("b/c", "new")]));
    let (_, shown) = bench.write(&mut client, 7, &[]).await;
    assert_eq!(shown.prompts, prompts(&[2, 3]), "what the rollback left behind is back");

    client.roll_back(8, Seq(1)).await;
    assert_eq!(client.files().await, BTreeMap::new());
    let (_, shown) = bench.write(&mut client, 9, &[]).await;
    assert_eq!(shown, Shown { files: BTreeMap::new(), prompts: vec![] });
}

#[tokio::test(start_paused = true)]
async fn a_rollback_holds_across_a_crash_and_across_sleep() {
    for sleeps in [false, true] {
        let mut bench = Bench::new().await;
        let mut client = bench.attached().await;
        let (first, _) = bench.write(&mut client, 2, &[("a", "one")]).await;
        bench.write(&mut client, 3, &[("a", "two")]).await;
        client.roll_back(4, first).await;
        if sleeps {
            bench.asleep().await;
        }
        bench = bench.restart().await;
        let mut client = bench.reader().await;
        client.until_caught_up().await;
        let (_, shown) = bench.write(&mut client, 5, &[]).await;
        assert_eq!(shown, Shown { files: files(&[("a", "one")]), prompts: prompts(&[2]) });
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeated_rollback_has_one_effect_and_one_during_a_run_is_refused() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    let (first, _) = bench.write(&mut client, 2, &[("a", "one")]).await;
    bench.write(&mut client, 3, &[("a", "two")]).await;
    let head = client.roll_back(4, first).await.head;
    bench.write(&mut client, 5, &[("a", "three")]).await;
    let again = client.call_again("session.rollback", cid(4), json!({ "to": first })).await;
    let (info, duplicate) = again.unwrap();
    assert!(duplicate && info["head"].as_u64().unwrap() > head.0);
    assert_eq!(client.files().await, files(&[("a", "three")]));
    let other = client.call("session.rollback", cid(4), json!({ "to": 1 })).await.unwrap_err();
    assert_eq!(other.reason, Reason::IdempotencyConflict);

    client.start(6, "talk").await.unwrap();
    let busy = client.call("session.rollback", cid(7), json!({ "to": first })).await.unwrap_err();
    assert_eq!(busy.reason, Reason::RunBusy);
    for nowhere in [0, 10_000] {
        let params = json!({ "to": nowhere });
        let error = client.call("session.rollback", cid(8), params).await.unwrap_err();
        assert_eq!(error.reason, Reason::Malformed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_fork_begins_with_what_its_parent_was_and_goes_its_own_way() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    let (first, _) = bench.write(&mut client, 2, &[("a", "one")]).await;
    bench.write(&mut client, 3, &[("a", "two")]).await;

    let mut fork = bench.client(USER).await;
    fork.session = FORK;
    let params = json!({ "parent": SESSION, "at": first, "title": "another way" });
    let info = fork.call("session.fork", cid(10), params).await.unwrap();
    assert_eq!(info["parent"], json!({ "session": SESSION, "at": first }));
    fork.attach(After::Start).await;
    let begin = fork.entries_until(|event| matches!(event, Event::SessionForked { .. })).await;
    assert_eq!(begin.len(), 2);
    assert_eq!(fork.files().await, files(&[("a", "one")]));
    let (fork_head, shown) = bench.write(&mut fork, 11, &[("b", "fork")]).await;
    assert_eq!(shown, Shown { files: files(&[("a", "one")]), prompts: prompts(&[2]) });
    let (_, shown) = bench.write(&mut client, 12, &[]).await;
    assert_eq!(shown, Shown { files: files(&[("a", "two")]), prompts: prompts(&[2, 3]) });

    let mut grandchild = bench.client(USER).await;
    grandchild.session = FORK_OF_FORK;
    let params = json!({ "parent": FORK, "at": fork_head });
    let info = grandchild.call("session.fork", cid(13), params).await.unwrap();
    assert_eq!(info["title"], json!("another way"));
    bench = bench.restart().await;
    let mut grandchild = bench.client(USER).await;
    grandchild.session = FORK_OF_FORK;
    grandchild.attach(After::Start).await;
    let (_, shown) = bench.write(&mut grandchild, 14, &[]).await;
    let both = files(&[("a", "one"), ("b", "fork")]);
    assert_eq!(shown, Shown { files: both.clone(), prompts: prompts(&[2, 11]) });
    grandchild.roll_back(15, Seq(2)).await;
    assert_eq!(grandchild.files().await, both, "a fork has nothing before its beginning");
}

#[tokio::test(start_paused = true)]
async fn a_repeated_fork_has_one_effect_and_another_users_session_cannot_be_forked() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    let (first, _) = bench.write(&mut client, 2, &[("a", "one")]).await;
    client.session = FORK;
    let params = json!({ "parent": SESSION });
    client.call("session.fork", cid(10), params.clone()).await.unwrap();
    client.session = SESSION;
    bench.write(&mut client, 3, &[("a", "two")]).await;
    client.session = FORK;
    let (info, duplicate) = client.call_again("session.fork", cid(10), params).await.unwrap();
    assert!(duplicate);
    assert_eq!(info["parent"]["at"], json!(first), "the head of then");
    let elsewhere = json!({ "parent": SESSION, "at": 1 });
    let error = client.call("session.fork", cid(10), elsewhere).await.unwrap_err();
    assert_eq!(error.reason, Reason::IdempotencyConflict);

    let mut stranger = bench.client(OTHER).await;
    stranger.session = FORK_OF_FORK;
    let error = stranger.call("session.fork", cid(11), json!({ "parent": SESSION })).await;
    assert_eq!(error.unwrap_err().reason, Reason::SessionNotFound);
    stranger.session = FORK;
    let error = stranger.call("session.rollback", cid(12), json!({ "to": 1 })).await;
    assert_eq!(error.unwrap_err().reason, Reason::SessionNotFound);
}

#[tokio::test(start_paused = true)]
async fn a_diff_names_what_differs_between_two_commits() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    let page = client.call("session.diff", cid(0), json!({})).await.unwrap();
    assert_eq!(page, json!({ "files": [] }));
    bench.write(&mut client, 2, &[("a", "1\n2\n3"), ("gone", "x"), ("same", "y")]).await;
    let page = client.call("session.diff", cid(0), json!({})).await.unwrap();
    let first: DiffPage = serde_json::from_value(page).unwrap();
    assert_eq!(first.from, None);
    assert!(first.files.iter().all(|file| file.change == FileChange::Added));

    client.start(3, "more").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    let tag = Parsed::read(&call.request.messages).unwrap().tag;
    call.text(&format!("@@{tag} write a\n1\ntwo\n3\n@@{tag} end\n@@{tag} delete gone\n")).await;
    call.finish().await;
    client.until_finished().await;
    let page = client.call("session.diff", cid(0), json!({})).await.unwrap();
    let page: DiffPage = serde_json::from_value(page).unwrap();
    let found: Vec<_> = page.files.iter().map(|file| (&*file.path, file.change)).collect();
    assert_eq!(found, [("a", FileChange::Changed), ("gone", FileChange::Removed)]);
    let patch = page.files[0].patch.as_deref().unwrap();
    assert!(patch.ends_with("@@ -1,3 +1,3 @@\n 1\n-2\n+two\n 3\n"), "{patch}");
    let back = json!({ "from": page.to, "to": page.from, "after": "a" });
    let page = client.call("session.diff", cid(0), back).await.unwrap();
    let page: DiffPage = serde_json::from_value(page).unwrap();
    let found: Vec<_> = page.files.iter().map(|file| (&*file.path, file.change)).collect();
    assert_eq!(found, [("gone", FileChange::Added)]);
    let nothing = json!({ "to": "0".repeat(40) });
    let error = client.call("session.diff", cid(0), nothing).await.unwrap_err();
    assert_eq!(error.reason, Reason::FileNotFound);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_is_not_there_is_no_difference_to_nothing() {
    let bench = Bench::new().await;
    let mut client = bench.attached().await;
    let nothing = client.call("session.diff", cid(0), json!({})).await.unwrap();
    assert_eq!(nothing["files"], json!([]));
    for unknown in [json!({ "from": "null" }), json!({ "to": "0".repeat(40) })] {
        let error = client.call("session.diff", cid(0), unknown).await.unwrap_err();
        assert_eq!(error.reason, Reason::FileNotFound);
    }
}
