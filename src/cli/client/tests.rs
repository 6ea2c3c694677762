//! Whole commands against a server over real sockets.

use super::{
    args::{AttachArgs, CancelArgs, ChatArgs, ExportArgs, GenerateArgs, LsArgs, RespondArgs},
    attach, chat,
    fake::{FakeServer, LATER, RUN, World},
    generate, respond, sessions,
};
use crate::{cli::args::Output, failure::Failure};
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    event::{Event, Outcome},
    frame::After,
    id::PartId,
    plan::{InputKind, Question},
};
use std::{fs, path::Path};
use tokio::io::AsyncBufRead;

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
        plan: false,
        yes: false,
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

/// A world whose run asks, and whose next one, once it is answered, writes the files.
fn asking(kind: InputKind, questions: Vec<Question>) -> World {
    let mut world = world(Outcome::Completed, None);
    world.later = std::mem::take(&mut world.answer);
    for event in &mut world.later {
        if let Event::RunStarted { run, .. }
        | Event::FilesCommitted { run, .. }
        | Event::RunFinished { run, .. } = event
        {
            *run = LATER;
        }
    }
    let text = "Shall I?".into();
    world.answer = vec![
        Event::RunStarted { run: RUN, provider: "fake".into(), model: "m".into() },
        Event::InputRequested { request: 1, run: RUN, kind, text, questions },
        Event::RunFinished { run: RUN, outcome: Outcome::Completed, error: None },
    ];
    world
}

fn typed(text: &'static str) -> Option<Box<dyn AsyncBufRead + Unpin>> {
    Some(Box::new(text.as_bytes()))
}

#[tokio::test]
async fn a_plan_is_approved_at_the_terminal_or_by_yes_and_its_files_arrive() {
    for (yes, input, said) in [(false, "what?\ny in blue\n", "in blue"), (true, "", "")] {
        let folder = tempfile::tempdir().unwrap();
        let server = FakeServer::start(asking(InputKind::Plan, Vec::new())).await;
        let args = GenerateArgs { plan: true, yes, ..args(folder.path()) };
        generate::build(server.account(), args, typed(input)).await.unwrap();
        assert_eq!(server.world.lock().unwrap().responses, [(true, said.to_owned())]);
        assert!(folder.path().join("index.html").exists());
    }
}

#[tokio::test]
async fn a_declined_plan_builds_nothing_and_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let server = FakeServer::start(asking(InputKind::Plan, Vec::new())).await;
    generate::build(server.account(), args(folder.path()), typed("\n")).await.unwrap();
    assert_eq!(server.world.lock().unwrap().responses, [(false, String::new())]);
    assert!(!folder.path().join("index.html").exists());
}

#[tokio::test]
async fn questions_are_answered_at_the_terminal_and_not_by_yes() {
    let question = |question: &str| {
        let options = vec!["a team".into(), "me".into()];
        Question { question: question.into(), options, ..Question::default() }
    };
    let two = || vec![question("For whom?"), question("How many?")];
    let folder = tempfile::tempdir().unwrap();
    let server = FakeServer::start(asking(InputKind::Question, two())).await;
    let input = typed("2\nfive\n");
    generate::build(server.account(), args(folder.path()), input).await.unwrap();
    let said = "For whom? me\nHow many? five".to_owned();
    assert_eq!(server.world.lock().unwrap().responses, [(true, said)]);
    assert!(folder.path().join("index.html").exists());

    let server = FakeServer::start(asking(InputKind::Question, two())).await;
    let unanswered = GenerateArgs { yes: true, force: true, ..args(folder.path()) };
    let failure = generate::build(server.account(), unanswered, None).await.unwrap_err();
    assert_eq!(failure.exit_code(), 1);
    assert!(failure.to_string().contains("greenroom client respond ses_"), "{failure}");
}

#[tokio::test]
async fn respond_answers_what_waits_and_follows_what_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = FakeServer::start(asking(InputKind::Plan, Vec::new())).await;
    generate::build(server.account(), args(folder.path()), None).await.unwrap_err();
    let session = server.world.lock().unwrap().session.unwrap();
    let text = Some("in blue".into());
    let answer =
        || RespondArgs { session, text: text.clone(), decline: false, output: Output::Text };
    respond::respond(server.account(), answer()).await.unwrap();
    assert_eq!(server.world.lock().unwrap().responses, [(true, "in blue".to_owned())]);
    let failure = respond::respond(server.account(), answer()).await.unwrap_err();
    assert!(failure.to_string().contains("waits for no answer"), "{failure}");
}

#[tokio::test]
async fn a_chat_answers_what_waits_and_other_words_are_a_new_prompt() {
    let folder = tempfile::tempdir().unwrap();
    for (input, responses, starts) in
        [("y in blue\n", vec![(true, "in blue".to_owned())], 1), ("a quiz\n", Vec::new(), 2)]
    {
        let server = FakeServer::start(asking(InputKind::Plan, Vec::new())).await;
        let out = folder.path().join(starts.to_string());
        generate::build(server.account(), args(&out), None).await.unwrap_err();
        let session = {
            let mut world = server.world.lock().unwrap();
            world.answer = world.later.clone();
            world.session
        };
        let args = ChatArgs { session, model: None };
        chat::talk(server.account(), args, input.as_bytes()).await.unwrap();
        assert_eq!(server.world.lock().unwrap().responses, responses);
        assert_eq!(server.count("run.start"), starts);
    }
}
