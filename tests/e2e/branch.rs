//! Forks, rollbacks and differences through the command line and REST, with git as the judge.

use super::client::Bed;
use crate::server::{Site, Socket, files_below, git, output};
use greenroom_protocol::id::SessionId;
use serde_json::{Value, json};

impl Bed {
    /// What a command of the client prints.
    async fn client(&self, args: &[&str]) -> String {
        let run = output(&mut self.site.client(&self.user, args)).await;
        assert!(run.status.success(), "{args:?}: {}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    }

    /// The places that `client turns` lists.
    async fn turns(&self, session: &str) -> Vec<Value> {
        serde_json::from_str(&self.client(&["turns", session, "--output", "json"]).await).unwrap()
    }
}

#[tokio::test]
async fn a_rollback_and_a_fork_hold_across_a_kill_and_leave_the_past_in_git() {
    let bed = Bed::new(Site::new()).await;
    let report = bed.generate("a todo app", &[]).await;
    let session = report["session"].as_str().unwrap();
    let first = files_below(&bed.site.place("out"));
    bed.generate("make it dark", &["--session", session]).await;
    let second = files_below(&bed.site.place("out"));
    let turns = bed.turns(session).await;
    assert_eq!(turns.len(), 2, "{turns:?}");
    let place = |n: usize| turns[n]["seq"].to_string();

    let fork = bed.client(&["fork", session, "--at", &place(0), "--output", "json"]).await;
    let fork: Value = serde_json::from_str(&fork).unwrap();
    assert_eq!(fork["commit"], turns[0]["commit"]);
    let fork: SessionId = fork["session"].as_str().unwrap().parse().unwrap();
    bed.client(&["rollback", session, "--to", &place(0)]).await;
    bed.server.kill().await;
    let server = bed.site.start().await;
    let bed = Bed { site: bed.site, server, user: bed.user };

    let mut socket = Socket::connect(&bed.server, &bed.user).await;
    assert_eq!(socket.files(fork, None).await, first);
    assert_eq!(socket.files(session.parse().unwrap(), None).await, first);
    let out = bed.site.place("then");
    bed.client(&["replay", session, "--at", &place(1), "--out", out.to_str().unwrap()]).await;
    assert_eq!(files_below(&out), second, "what was left behind can still be seen");
    if bed.export(session, "rolled-back", 3).await {
        let clone = bed.site.place("rolled-back");
        assert_eq!(files_below(&clone), first);
        git(&["-C", clone.to_str().unwrap(), "checkout", "-q", "HEAD~1"]).await.unwrap();
        assert_eq!(files_below(&clone), second);
    }
    bed.client(&["rollback", session, "--to", &place(1)]).await;
    assert_eq!(socket.files(session.parse().unwrap(), None).await, second);
    bed.export(&fork.to_string(), "fork", 1).await;
}

#[tokio::test]
async fn a_difference_turns_one_commit_into_the_other_when_git_applies_it() {
    let bed = Bed::new(Site::new()).await;
    let report = bed.generate("a kanban board", &[]).await;
    let session = report["session"].as_str().unwrap();
    bed.generate("make it dark and green", &["--session", session]).await;
    let second = files_below(&bed.site.place("out"));
    let patch = bed.site.place("a.patch");
    let path = patch.to_str().unwrap();
    if bed.export(session, "clone", 2).await {
        let clone = bed.site.place("clone");
        let clone = clone.to_str().unwrap();
        git(&["-C", clone, "checkout", "-q", "HEAD~1"]).await.unwrap();
        std::fs::write(&patch, bed.client(&["diff", session]).await).unwrap();
        git(&["-C", clone, "apply", path]).await.unwrap();
        assert_eq!(files_below(clone.as_ref()), second);
    }

    let turns = bed.turns(session).await;
    let commit = |n: usize| turns[n]["commit"].as_str().unwrap().to_owned();
    let back = format!("/sessions/{session}/diff?from={}&to={}", commit(1), commit(0));
    let page = bed.server.get(&bed.user, &back).await;
    assert_eq!((&page["from"], &page["to"]), (&json!(commit(1)), &json!(commit(0))));
    let all: String = page["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|file| file["patch"].as_str())
        .collect();
    assert!(all.contains("\n+++ b/styles.css\n"), "{all}");
}

#[tokio::test]
async fn rest_forks_and_rolls_back_with_one_effect_a_key() {
    let bed = Bed::new(Site::new()).await;
    let report = bed.generate("a quiz", &[]).await;
    let session = report["session"].as_str().unwrap();
    let end = bed.turns(session).await[0]["seq"].clone();
    let post = |what: &str, body: Value| {
        let path = format!("/sessions/{session}/{what}");
        let ask = bed.server.rest("POST", &path).by(&bed.user).json(&body);
        ask.header("idempotency-key", what).send()
    };
    let fork = post("fork", json!({ "at": end })).await;
    let again = post("fork", json!({ "at": end })).await;
    assert_eq!(fork.with(201)["session"], again.with(201)["session"]);
    assert_eq!(fork.with(201)["parent"], json!({ "session": session, "at": end }));
    let back = post("rollback", json!({ "to": 1 })).await;
    assert!(back.with(200)["head"].as_u64() > end.as_u64());
    assert_eq!(post("rollback", json!({ "to": 1 })).await.header("idempotency-replayed"), "true");
    let (status, code) = post("rollback", json!({ "to": 2 })).await.problem();
    assert_eq!((status, &*code), (422, "idempotency_conflict"));
}
