//! Whole commands against a server over real sockets.

use super::{
    args::{AttachArgs, CancelArgs, ChatArgs, ExportArgs, GenerateArgs, LsArgs},
    attach, chat,
    fake::{FakeServer, RUN, World},
    generate, sessions,
};
use crate::{cli::args::Output, failure::Failure};
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    event::{Event, Outcome},
    frame::After,
    id::PartId,
};
use std::{fs, path::Path};

/// A world whose run writes two files and a sentence.
fn world(outcome: Outcome, error: Option<ErrorBody>) -> World {
    let mut world = World::default();
    let commit =
        world.files.commit(&[("index.html", "<p>Hello, world</p>\n"), ("src/a.js", "1\n")]);
    let text = |text: &str| Event::TextDelta { part: PartId(1), text: text.into() };
    let file = |text: &str| Event::FileDelta { part: PartId(2), text: text.into() };
    world.answer = vec![
        Event::RunStarted { run: RUN, provider: "fake".into(), model: "m".into() },
        Event::TextStart { part: PartId(1) },
        text("He"),
        text("re."),
        Event::TextEnd { part: PartId(1) },
        Event::FileStart { part: PartId(2), path: "index.html".into() },
        file("<p>Hello, "),
        file("world</p>\n"),
        Event::FileEnd { part: PartId(2), complete: true, bytes: 20, sha256: String::new() },
        Event::FilesCommitted {
            run: RUN,
            commit: commit.to_string(),
            added: 2,
            changed: 0,
            removed: 0,
        },
        Event::RunFinished { run: RUN, outcome, error },
    ];
    world
}

fn args(out: &Path) -> GenerateArgs {
    GenerateArgs {
        prompt: "an app".into(),
        out: out.to_owned(),
        session: None,
        model: None,
        force: false,
        output: Output::Json,
    }
}

#[tokio::test]
async fn a_generation_survives_broken_connections_and_its_files_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("app");
    let mut world = world(Outcome::Completed, None);
    world.cuts = [3, 4].into();
    let server = FakeServer::start(world).await;

    generate::run(server.account(), args(&out)).await.unwrap();

    assert_eq!(fs::read_to_string(out.join("index.html")).unwrap(), "<p>Hello, world</p>\n");
    assert_eq!(fs::read_to_string(out.join("src/a.js")).unwrap(), "1\n");
    assert_eq!(server.count("token-1"), 3, "three sockets");
    assert_eq!(server.world.lock().unwrap().log.len(), 12, "one run");
}

#[tokio::test]
async fn a_second_prompt_goes_on_in_the_same_folder() {
    let folder = tempfile::tempdir().unwrap();
    let server = FakeServer::start(world(Outcome::Completed, None)).await;
    generate::run(server.account(), args(folder.path())).await.unwrap();
    let session = {
        let mut shared = server.world.lock().unwrap();
        let commit = shared.files.commit(&[("src/a.js", "2\n")]).to_string();
        shared.answer = vec![
            Event::FilesCommitted { run: RUN, commit, added: 0, changed: 1, removed: 1 },
            Event::RunFinished { run: RUN, outcome: Outcome::Completed, error: None },
        ];
        shared.session
    };

    let other = generate::run(server.account(), args(folder.path())).await;
    assert!(matches!(other, Err(Failure::Usage(_))), "another session: {other:?}");
    generate::run(server.account(), GenerateArgs { session, ..args(folder.path()) }).await.unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("src/a.js")).unwrap(), "2\n");
    assert!(!folder.path().join("index.html").exists());
}

#[tokio::test]
async fn a_failed_run_is_a_failure_with_its_coded_reason() {
    let folder = tempfile::tempdir().unwrap();
    let error = ErrorBody::new(Code::Unavailable, Reason::ProviderStalled, "nothing came");
    let server = FakeServer::start(world(Outcome::Failed, Some(error))).await;
    let failure = generate::run(server.account(), args(folder.path())).await.unwrap_err();
    assert_eq!(failure.exit_code(), 1);
    assert!(failure.to_string().contains("provider_stalled"), "{failure}");
}

#[tokio::test]
async fn attach_ends_with_the_run_and_ls_cancel_and_export_do_their_work() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("app");
    let server = FakeServer::start(world(Outcome::Completed, None)).await;
    generate::run(server.account(), args(&out)).await.unwrap();
    let session = server.world.lock().unwrap().session.unwrap();

    for json in [false, true] {
        let args = AttachArgs { session, after: After::Start, follow: false, json };
        attach::run(server.account(), args).await.unwrap();
    }
    sessions::list(server.account(), LsArgs { limit: 5, output: Output::Text }).await.unwrap();
    let cancel = CancelArgs { session, output: Output::Text };
    let failure = sessions::cancel(server.account(), cancel).await.unwrap_err();
    assert!(failure.to_string().contains("no run under way"), "{failure}");
    let dir = folder.path().join("app.git");
    let export = ExportArgs { session, dir: dir.clone(), output: Output::Text };
    sessions::export(server.account(), export).await.unwrap();
    assert!(dir.join("refs/heads/main").exists());
}

#[tokio::test]
async fn leaving_waits_until_the_run_is_accepted_and_never_cancels_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = world(Outcome::Completed, None);
    world.answer.truncate(3);
    let server = FakeServer::start(world).await;
    let failure = generate::leave_at_once(server.account(), &args(folder.path())).await;
    assert_eq!(failure.exit_code(), 130);
    assert_eq!(server.count("run.start"), 1);
    assert_eq!(server.count("run.cancel"), 0);
}

#[tokio::test]
async fn a_chat_sends_lines_and_ends_once_all_is_answered() {
    let server = FakeServer::start(world(Outcome::Completed, None)).await;
    let input = b"/files\nhello\n/cancel\n/files\n/nonsense\n".as_slice();
    let args = ChatArgs { session: None, model: None };
    chat::talk(server.account(), args, input).await.unwrap();
    assert_eq!(server.count("run.start"), 1);
    assert_eq!(server.count("files.list"), 1, "before the first prompt there is no session");
}
