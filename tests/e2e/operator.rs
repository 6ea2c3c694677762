//! What an operator does to sessions, by the internal port.

use crate::server::{Server, Site, Socket, is_end, output, session};
use greenroom_actors::{LiveSessions, NodeInfo};
use greenroom_protocol::{
    event::{Event, Outcome},
    frame::{Entry, ServerFrame},
    id::SessionId,
};
use std::process::Output;

struct Operator<'a> {
    site: &'a Site,
    port: String,
}

impl<'a> Operator<'a> {
    fn of(site: &'a Site, server: &Server) -> Self {
        Self { site, port: server.internal.port().to_string() }
    }

    async fn run(&self, args: &[&str]) -> Output {
        let mut command = self.site.command(args);
        output(command.env("GREENROOM__SERVER__INTERNAL_PORT", &self.port)).await
    }

    async fn session(&self, args: &[&str]) -> Output {
        self.run(&[&["session"], args].concat()).await
    }

    /// What a command prints that succeeds.
    async fn says(&self, args: &[&str]) -> String {
        let said = self.session(args).await;
        assert!(said.status.success(), "{said:?}");
        String::from_utf8(said.stdout).unwrap()
    }

    async fn entries(&self, session: SessionId) -> Vec<Entry> {
        let tail = ["tail", &session.to_string(), "--after", "start", "--output", "json"];
        let tail = self.says(&tail).await;
        tail.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[tokio::test]
async fn a_session_is_listed_followed_and_killed_and_its_run_goes_on_from_the_log() {
    let site = Site::new().paced(300);
    let server = site.start().await;
    let operator = Operator::of(&site, &server);
    assert_eq!(operator.says(&["ls"]).await, "no session is awake or watched\n");
    let user = server.register("ada").await;
    let mut socket = Socket::connect(&server, &user).await;
    let session = session();
    socket.create(session, 1).await;
    socket.start_run(session, "a todo app").await;
    socket.take_until_event(|event| matches!(event, Event::FileDelta { .. })).await;

    let listed = operator.says(&["ls", "--output", "json"]).await;
    let listed: LiveSessions = serde_json::from_str(&listed).unwrap();
    let [live] = &*listed.sessions else { panic!("{listed:?}") };
    assert_eq!((live.session, live.watchers, live.awake), (session, 1, true));
    assert!(operator.says(&["ls"]).await.contains("running"));
    assert!(operator.says(&["tail", &session.to_string()]).await.contains("file.delta"));

    operator.says(&["kill", &session.to_string()]).await;
    socket.take_until_event(is_end).await;
    // Only the session's own actor failed; nothing of what was said is lost or said twice.
    let entries = operator.entries(session).await;
    let seqs: Vec<u64> = entries.iter().map(|entry| entry.seq.0).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    assert!(entries.iter().any(|entry| matches!(entry.event, Event::RunRecovering { .. })));
    let end = entries.iter().find(|entry| is_end(&entry.event)).unwrap();
    let is_whole = matches!(end.event, Event::RunFinished { outcome: Outcome::Completed, .. });
    assert!(is_whole, "{end:?}");
}

#[tokio::test]
async fn an_operator_who_names_no_session_or_no_server_is_told_so() {
    let site = Site::new();
    let server = site.start().await;
    let mut operator = Operator::of(&site, &server);
    let nobody = SessionId::new(uuid::Uuid::from_u128(7)).to_string();
    for (args, words) in [
        (&["kill", &*nobody][..], "not awake"),
        (&["tail", &nobody][..], "session"),
        (&["tail", &nobody, "--after", "yesterday"][..], "cursor"),
    ] {
        let refused = operator.session(args).await;
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
    operator.port = "1".to_owned();
    let refused = operator.session(&["ls"]).await;
    assert_eq!(refused.status.code(), Some(69));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("server.internal_port"));
}

#[tokio::test]
async fn a_node_is_listed_and_drained() {
    let site = Site::new();
    let mut server = site.start().await;
    let operator = Operator::of(&site, &server);
    let listed = operator.run(&["node", "ls", "--output", "json"]).await;
    let listed: Vec<NodeInfo> = serde_json::from_slice(&listed.stdout).unwrap();
    assert!(listed.iter().any(|node| node.this && !node.sealed), "{listed:?}");

    let user = server.register("ada").await;
    let mut socket = Socket::connect(&server, &user).await;
    // As a page of another origin could send it.
    let form = format!("http://{}/admin/drain", server.internal);
    let form = reqwest::Client::new().post(form).body("a=b").send().await.unwrap();
    assert!(form.status().is_client_error(), "{form:?}");
    assert!(operator.run(&["node", "drain"]).await.status.success());
    let told = socket.take_until(|frame| matches!(frame, ServerFrame::GoAway(_))).await;
    assert!(!told.is_empty());
    drop(socket);
    assert_eq!(server.exit().await, Some(0));
}
