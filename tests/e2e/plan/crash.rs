//! kill -9 of the server while a run is planned, waits, and is built.

use super::{
    PROMPT,
    chat::{Chat, asked, ended, names, paid, quote_of, spec_of, used},
};
use crate::server::{Server, Site, User, assert_contiguous, is_end, outcome, story};
use greenroom_protocol::{
    error::Reason,
    event::{Event, Outcome, StepName, Stream},
    frame::Status,
    id::{Seq, SessionId},
    plan::InputKind,
};

/// Kills the server and starts it again at another pace; the session from its start.
async fn kill(
    server: Server,
    site: Site,
    tokens_per_second: u32,
    (user, session): (&User, SessionId),
) -> (Site, Server, Chat) {
    server.kill().await;
    let site = site.paced(tokens_per_second);
    let server = site.start().await;
    let chat = Chat::again(&server, user, session).await;
    (site, server, chat)
}

#[tokio::test]
async fn kills_in_every_state_lose_and_repeat_nothing_that_was_asked_or_paid() {
    let site = Site::new().paced(20);
    let server = site.start().await;
    let user = server.register("ada").await;
    let mut chat = Chat::new(&server, &user).await;
    let before = chat.credits().await.balance;
    chat.start(PROMPT, Some(true)).await;
    let is_planning =
        |event: &Event| matches!(event, Event::StepStarted { name: StepName::Planning });
    chat.until(is_planning).await;

    // While it plans: it plans again.
    let of = (&user, chat.session);
    let (site, server, mut chat) = kill(server, site, 0, of).await;
    let planned = chat.until(is_end).await;
    assert_contiguous(&planned, Seq::START);
    assert_eq!(outcome(&planned), Some(Outcome::Completed));
    let planned = story(&planned);
    assert!(names(&planned).contains(&"run.recovering".to_owned()), "it was killed in the middle");
    assert_eq!(names(&planned).iter().filter(|name| *name == "input.requested").count(), 1);
    assert_eq!(chat.credits().await.balance, before);

    // While it waits: it waits.
    let (site, server, mut chat) = kill(server, site, 600, of).await;
    let info = chat.info().await;
    assert_eq!((info.status, info.request), (Status::Waiting, Some(1)));
    assert_eq!(chat.credits().await.balance, before);

    // While it builds: it goes on with the plan.
    chat.respond(1, true, "in green").await.unwrap();
    let is_content =
        |event: &Event| event.as_delta().is_some_and(|(_, stream, _)| stream == Stream::File);
    chat.until(is_content).await;
    let (site, server, mut chat) = kill(server, site, 0, of).await;
    let is_paid_end = |event: &Event| matches!(event, Event::CreditsSettled { .. });
    let mut all = chat.until(is_paid_end).await;
    all.extend(chat.until(is_end).await);
    assert_contiguous(&all, Seq::START);
    let all = story(&all);
    let recovered = names(&all).iter().filter(|name| *name == "run.recovering").count();
    assert_eq!(recovered, 2, "it was killed in the middle again");
    assert_eq!(ended(&all), Some(Outcome::Completed));
    let (price, ..) = quote_of(&all);
    assert_eq!(paid(&all), Some(price.cost(&used(&all))));
    let after = chat.credits().await.balance;
    assert_eq!(after.available, before.available - paid(&all).unwrap());
    assert_eq!(after.held, 0);

    // Done: it is done.
    let (_site, server, mut chat) = kill(server, site, 0, of).await;
    let info = chat.info().await;
    assert_eq!((info.status, info.request), (Status::Idle, None));
    assert_eq!(chat.respond(1, true, "").await.unwrap_err().reason, Reason::RequestNotFound);
    let files = chat.socket.files(chat.session, None).await;
    let mut uncrashed = Chat::new(&server, &user).await;
    uncrashed.plan(PROMPT).await;
    uncrashed.respond(1, true, "in green").await.unwrap();
    uncrashed.end().await;
    assert_eq!(uncrashed.socket.files(uncrashed.session, None).await, files);
}

#[tokio::test]
async fn a_question_outlives_a_kill_and_is_answered_after_it() {
    let site = Site::new();
    let server = site.start().await;
    let user = server.register("ada").await;
    let mut chat = Chat::new(&server, &user).await;
    let unclear = chat.plan("make something").await;
    let of = (&user, chat.session);
    let (_site, _server, mut chat) = kill(server, site, 0, of).await;
    let again = story(&chat.until(is_end).await);
    assert_eq!(asked(&again), asked(&unclear));
    chat.respond(1, true, "a quiz about rivers").await.unwrap();
    let planned = chat.end().await;
    assert_eq!(asked(&planned), Some((2, InputKind::Plan, Vec::new())));
    assert!(spec_of(&planned).overview.starts_with("A quiz"));
}
