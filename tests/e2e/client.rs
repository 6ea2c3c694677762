//! What `greenroom client` writes is what the server has.

use crate::server::{GREETING, Model, PLANS, Server, Site, Socket, User, files_below, git, output};
use greenroom_protocol::{
    event::{Event, Stream},
    id::SessionId,
};
use serde_json::Value;

pub(super) struct Bed {
    pub(super) site: Site,
    pub(super) server: Server,
    pub(super) user: User,
}

impl Bed {
    pub(super) async fn new(site: Site) -> Self {
        let server = site.start().await;
        let user = server.register("ada").await;
        Self { site, server, user }
    }

    /// `client generate`: its report.
    pub(super) async fn generate(&self, prompt: &str, more: &[&str]) -> Value {
        let out = self.site.place("out");
        let args = ["generate", prompt, "--output", "json", "--out", out.to_str().unwrap()];
        let run = output(&mut self.site.client(&self.user, &[&args, more].concat())).await;
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let report: Value = serde_json::from_slice(&run.stdout).unwrap();
        assert_eq!(report["outcome"], "completed", "{report}");
        report
    }

    /// `client export`: checked by git and cloned. False where there is no git.
    pub(super) async fn export(&self, session: &str, name: &str, commits: usize) -> bool {
        let bare = self.site.place(&format!("{name}.git"));
        let bare = bare.to_str().unwrap();
        let run = output(&mut self.site.client(&self.user, &["export", session, bare])).await;
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let Some(found) = git(&["-C", bare, "fsck", "--strict", "--no-dangling"]).await else {
            return false;
        };
        assert_eq!(found, "");
        let clone = self.site.place(name);
        git(&["clone", "-q", bare, clone.to_str().unwrap()]).await.unwrap();
        let log = git(&["-C", bare, "log", "--format=%H"]).await.unwrap();
        assert_eq!(log.lines().count(), commits);
        true
    }
}

#[tokio::test]
async fn generated_files_are_byte_identical_in_the_folder_over_the_socket_and_in_git() {
    let bed = Bed::new(Site::new()).await;
    let report = bed.generate("a todo app", &[]).await;
    let session = report["session"].as_str().unwrap();
    let id: SessionId = session.parse().unwrap();
    let first_commit = report["commit"].as_str().unwrap();
    let first = files_below(&bed.site.place("out"));
    assert!(first.len() >= 3 && first.contains_key("index.html"), "{:?}", first.keys());

    let mut socket = Socket::connect(&bed.server, &bed.user).await;
    assert_eq!(socket.files(id, None).await, first);
    if bed.export(session, "first", 1).await {
        assert_eq!(files_below(&bed.site.place("first")), first);
    }

    let report = bed.generate("make it dark", &["--session", session]).await;
    assert_ne!(report["commit"].as_str().unwrap(), first_commit);
    let second = files_below(&bed.site.place("out"));
    assert_ne!(second, first, "the follow-up changes something");
    assert_eq!(socket.files(id, None).await, second);
    assert_eq!(socket.files(id, Some(first_commit)).await, first, "the past stays");
    if bed.export(session, "second", 2).await {
        let clone = bed.site.place("second");
        assert_eq!(files_below(&clone), second);
        git(&["-C", clone.to_str().unwrap(), "checkout", "-q", "HEAD~1"]).await.unwrap();
        assert_eq!(files_below(&clone), first);
    }
}

#[tokio::test]
async fn a_client_that_is_closed_in_the_middle_misses_nothing_when_it_attaches_again() {
    let bed = Bed::new(Site::new().paced(1200)).await;
    let (mut generate, session) = bed.site.generate(&bed.user, "a kanban board").await;
    let mut socket = Socket::connect(&bed.server, &bed.user).await;
    socket.attach_soon(session, 1).await;
    let is_content =
        |event: &Event| event.as_delta().is_some_and(|(_, stream, _)| stream == Stream::File);
    socket.take_until_event(is_content).await;
    generate.kill().await.unwrap();

    let args = ["attach", &session.to_string(), "--json"];
    let run = output(&mut bed.site.client(&bed.user, &args)).await;
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let lines = String::from_utf8(run.stdout).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.iter().fold(0, |last, line| {
        let first = line["from"].as_u64().or_else(|| line["seq"].as_u64()).unwrap();
        assert_eq!(first, last + 1, "{line}");
        assert_eq!(line["epoch"], lines[0]["epoch"]);
        line["seq"].as_u64().unwrap()
    });
    assert!(last > 10, "{last}");
    let end = lines.iter().find(|line| line["event"]["type"] == "run.finished").unwrap();
    assert_eq!(end["event"]["outcome"], "completed");
    let committed = lines.iter().find(|line| line["event"]["type"] == "files.committed");
    assert!(committed.is_some());
}

#[tokio::test]
async fn a_plan_is_approved_by_yes_or_later_by_respond() {
    let model = Model::start(PLANS).await;
    let bed = Bed::new(Site::new().answered_by(&model.base_url())).await;
    let out = bed.site.place("out");
    let out = out.to_str().unwrap();
    let args = ["generate", "a greeting", "--plan", "--out", out];
    let run = output(&mut bed.site.client(&bed.user, &args)).await;
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(1), "{said}");
    for part in ["plan: A page that greets.", "  + index.html  the page", " credits", "answer: "] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let command = said.lines().find_map(|line| line.strip_prefix("answer:  greenroom client "));
    let session = command.unwrap().split(' ').nth(1).unwrap().to_owned();
    let ls = output(&mut bed.site.client(&bed.user, &["ls"])).await;
    assert!(String::from_utf8_lossy(&ls.stdout).contains("waiting"), "{ls:?}");

    let answered = output(&mut bed.site.client(&bed.user, &["respond", &session, "be kind"])).await;
    let followed = String::from_utf8_lossy(&answered.stdout).into_owned();
    assert!(answered.status.success(), "{answered:?}");
    assert!(
        followed.contains("> be kind\n") && followed.ends_with("=== completed\n"),
        "{followed}"
    );
    let mut socket = Socket::connect(&bed.server, &bed.user).await;
    let files = socket.files(session.parse().unwrap(), None).await;
    assert_eq!(files["index.html"], GREETING.as_bytes());
    let late = output(&mut bed.site.client(&bed.user, &["respond", &session])).await;
    assert!(String::from_utf8_lossy(&late.stderr).contains("waits for no answer"), "{late:?}");

    let other = Model::start(PLANS).await;
    let bed = Bed::new(Site::new().answered_by(&other.base_url())).await;
    bed.generate("a greeting", &["--plan", "--yes"]).await;
    let built = files_below(&bed.site.place("out"));
    assert_eq!(built["index.html"], GREETING.as_bytes());
}
