//! Models that misbehave, and users that stop them.

use crate::server::{Model, Script, Site, Socket, command, entries, is_end, outcome, session};
use greenroom_protocol::{
    error::Reason,
    event::{Event, Notice, Outcome},
    method::{FilesGet, Method, RunCancel},
};
use std::time::Duration;

const ESCAPES: &str = "Here it is.\n\
    @@TAG write ../x\nout\n@@TAG end\n\
    @@TAG write /etc/passwd\nroot\n@@TAG end\n\
    @@TAG write .git/config\n[core]\n@@TAG end\n\
    @@TAG write src/../../y\nout\n@@TAG end\n\
    @@TAG write good.txt\nfine\n@@TAG end\n\
    @@TAG move good.txt ../moved.txt\n\
    @@TAG delete ../../etc/hosts\n";

#[tokio::test]
async fn paths_that_escape_are_rejected_aloud_and_never_stored() {
    let model = Model::start(Script::Whole(ESCAPES)).await;
    let site = Site::new().answered_by(&model.base_url());
    let server = site.start().await;
    let user = server.register("ada").await;
    let mut socket = Socket::connect(&server, &user).await;
    let session = session();
    socket.create(session, 1).await;
    socket.start_run(session, "an app").await;
    let run = entries(&socket.take_until_event(is_end).await, 1);

    assert_eq!(outcome(&run), Some(Outcome::Completed));
    let rejected: Vec<_> = run
        .iter()
        .filter_map(|ev| {
            let Event::Notice { notice: Notice::FileRejected, message, .. } = &ev.event else {
                return None;
            };
            Some(message.as_str())
        })
        .collect();
    let bad = ["../x", "/etc/passwd", ".git/config", "src/../../y", "../moved.txt", "etc/hosts"];
    assert_eq!(rejected.len(), bad.len(), "{rejected:?}");
    for (message, path) in rejected.iter().zip(bad) {
        assert!(message.contains(path), "{message}");
    }
    let files = socket.files(session, None).await;
    assert_eq!(files.into_iter().collect::<Vec<_>>(), [("good.txt".into(), b"fine\n".to_vec())]);
    for path in bad {
        let get = FilesGet { path: path.into(), commit: None, offset: 0 };
        let error = socket.call(&Method::FilesGet(session, get)).await.unwrap_err();
        let reason = error.reason;
        assert!(matches!(reason, Reason::BadPath | Reason::FileNotFound), "{path}: {error:?}");
    }
    assert!(!site.data().join("../x").exists() && !site.place("x").exists());
}

#[tokio::test]
async fn a_cancel_closes_the_call_of_the_provider_within_a_second() {
    let script = Script::Unfinished("Let me think about it.\n@@TAG write a.txt\none\n");
    let mut model = Model::start(script).await;
    let site = Site::new().answered_by(&model.base_url());
    let server = site.start().await;
    let user = server.register("ada").await;
    let mut socket = Socket::connect(&server, &user).await;
    let mut other_device = Socket::connect(&server, &user).await;
    let session = session();
    socket.create(session, 1).await;
    let started = socket.start_run(session, "an app").await;
    socket.take_until_event(|event| event.as_delta().is_some()).await;

    let cancel = Method::RunCancel(session, command(), RunCancel::StartCid(started));
    other_device.begin(&cancel).await;
    tokio::time::timeout(Duration::from_secs(1), model.left())
        .await
        .expect("the call is closed within a second");
    let run = entries(&socket.take_until_event(is_end).await, 1);
    assert_eq!(outcome(&run), Some(Outcome::Cancelled));
    assert!(!run.iter().any(|ev| matches!(ev.event, Event::FilesCommitted { .. })), "{run:?}");
    assert!(socket.files(session, None).await.is_empty(), "a truncated file is never committed");
}
