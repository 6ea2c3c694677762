//! One generation, followed by all kinds of clients at once.

use super::{
    bed::{APP, Bed, PHONE, click, ended, entries, files, start, written},
    browser::Page,
    layout::keep_picture,
};
use crate::server::{Followers, Site, Socket, assert_contiguous, assert_told, session};
use greenroom_protocol::{event::Event, frame::Ev, id::Seq};
use serde_json::{Value, json};

#[tokio::test]
async fn all_clients_of_a_generation_end_with_the_same_entries_and_files() {
    // A stream that is cut all the time makes many requests.
    let site = Site::new().paced(300).with("GREENROOM__GATEWAY__LIMITS__REQUESTS_PER_MINUTE", "0");
    let Some(bed) = Bed::new(site).await else { return };
    let mut first = bed.signed_in().await;
    let prompt = "a kanban board for a small team";
    let others = Followers::begin(&bed.site, &bed.server, &bed.user, prompt).await;
    first.go(&format!("/console#{}", others.session)).await;
    let mut second = bed.tab(others.session).await;

    // In mid-stream one tab loses its socket and the other one everything.
    let tabs = async {
        written(&mut first, "index.html", 200).await;
        click(&mut first, "#tab-files").await;
        written(&mut second, "styles.css", 500).await;
        click(&mut first, "#cut").await;
        let resumed = "app.follow.marks.some(({ text }) => text.startsWith('resumed'))";
        first.wait("resume", &format!("{APP} return {resumed};")).await;
        keep_picture(&mut first, "writing").await;
        let running = format!("{APP} return Boolean(app.replica.current);");
        assert!(second.eval::<bool>(&running).await, "it is being written");
        second.call("Page.reload", json!({})).await;
        written(&mut second, "app.js", 200).await;
        ended(&mut first, 1).await;
        ended(&mut second, 1).await;
    };
    let (told, ()) = tokio::join!(others.end(), tabs);

    for page in [&mut first, &mut second] {
        assert_told(&entries(page).await, &told.log);
        assert_eq!(files(page).await, told.files);
        let facts = "document.querySelector('#files .reader .quiet').textContent";
        page.wait("digest", &format!("return {facts}.endsWith('SHA-256 matches');")).await;
        page.assert_clean();
    }
    picture_of_the_page(&mut first).await;
}

/// A picture of what the run has made, on a phone.
async fn picture_of_the_page(page: &mut Page) {
    page.call("Page.bringToFront", json!({})).await;
    page.look(PHONE, "dark").await;
    click(page, "#tab-preview").await;
    page.wait_in_frame("cards", "document.querySelectorAll('.card').length > 2").await;
    page.wait("silence", "return document.getElementById('status').textContent === '';").await;
    keep_picture(page, "phone").await;
}

#[tokio::test]
async fn a_prompt_waits_for_the_one_before_and_can_be_taken_back() {
    let Some(bed) = Bed::new(Site::new().paced(300)).await else { return };
    let mut page = bed.signed_in().await;
    let session = start(&mut page, "a todo app").await;
    written(&mut page, "index.html", 50).await;
    start(&mut page, "make it green").await;
    start(&mut page, "make it blue").await;
    let waiting = "[...document.querySelectorAll('.input')].filter((one) => one.textContent.includes('waits for its turn')).length";
    page.wait("queue", &format!("return {waiting} === 2;")).await;
    click(&mut page, ".input:last-of-type .small").await;
    page.wait("shorter queue", &format!("return {waiting} === 1;")).await;
    click(&mut page, "#cancel").await;
    ended(&mut page, 3).await;

    let outcomes: Vec<String> = page
        .eval(&format!(
            "{APP} return [...app.replica.runs.values()].map(({{ outcome }}) => outcome);"
        ))
        .await;
    assert_eq!(outcomes, ["cancelled", "completed", "cancelled"]);
    let mut socket = Socket::connect(&bed.server, &bed.user).await;
    assert_eq!(files(&mut page).await, socket.files(session, None).await);
    page.assert_clean();
}

#[tokio::test]
async fn a_prompt_without_an_answer_survives_a_reload_and_is_run_once() {
    let Some(bed) = Bed::new(Site::new()).await else { return };
    let mut page = bed.signed_in().await;
    let session = start(&mut page, "a todo app").await;
    ended(&mut page, 1).await;
    // Sent while the socket is down, and the page is gone before it is back.
    let hasty = "app.cut(); app.start('make it green'); location.reload(); return null;";
    page.eval::<Value>(&format!("{APP} {hasty}")).await;
    ended(&mut page, 2).await;

    let inputs = |entries: &[Ev]| -> Vec<String> {
        let text = |ev: &Ev| {
            let Event::InputUser { text, .. } = &ev.event else { return None };
            Some(text.clone())
        };
        entries.iter().filter_map(text).collect()
    };
    assert_eq!(inputs(&entries(&mut page).await), ["a todo app", "make it green"]);
    page.wait(
        "an empty outbox",
        "return !Object.keys(localStorage).some((key) => key.startsWith('greenroom.commands'));",
    )
    .await;
    let mut socket = Socket::connect(&bed.server, &bed.user).await;
    assert_eq!(files(&mut page).await, socket.files(session, None).await);
}

#[tokio::test]
async fn the_files_of_an_earlier_commit_are_the_server_s() {
    let Some(bed) = Bed::new(Site::new()).await else { return };
    let mut page = bed.signed_in().await;
    let session = start(&mut page, "a todo app").await;
    ended(&mut page, 1).await;
    start(&mut page, "make it green").await;
    ended(&mut page, 2).await;
    let commits: Vec<String> = page
        .eval(&format!("{APP} return app.replica.commits.map(({{ commit }}) => commit);"))
        .await;
    let mut socket = Socket::connect(&bed.server, &bed.user).await;
    let now = socket.files(session, None).await;
    let first = socket.files(session, Some(&commits[0])).await;
    assert_ne!(now, first);

    click(&mut page, "#tab-versions").await;
    page.wait("versions", "return document.querySelectorAll('#versions li').length === 2;").await;
    click(&mut page, &format!("#show-{}", commits[0])).await;
    page.wait("version", &format!("{APP} return Boolean(app.version);")).await;
    assert_eq!(files(&mut page).await, first);
    click(&mut page, ".version-bar button").await;
    page.wait("present", &format!("{APP} return !app.version;")).await;
    assert_eq!(files(&mut page).await, now);
    page.assert_clean();
}

#[tokio::test]
async fn a_server_that_is_killed_is_waited_for_and_the_run_goes_on() {
    let Some(mut bed) = Bed::new(Site::new().paced(400)).await else { return };
    let mut page = bed.signed_in().await;
    let session = start(&mut page, "a quiz about rivers").await;
    written(&mut page, "styles.css", 300).await;
    bed.server.kill().await;
    page.wait("loss", &format!("{APP} return app.client.state === 'backoff';")).await;
    bed.server = bed.site.start().await;
    ended(&mut page, 1).await;

    let seen = entries(&mut page).await;
    assert_contiguous(&seen, Seq::START);
    let recovered = |ev: &&Ev| matches!(ev.event, Event::RunRecovering { .. });
    assert_eq!(seen.iter().filter(recovered).count(), 1);
    let mut socket = Socket::connect(&bed.server, &bed.user).await;
    assert_eq!(files(&mut page).await, socket.files(session, None).await);
}

#[tokio::test]
async fn another_user_s_session_is_not_found() {
    let Some(bed) = Bed::new(Site::new()).await else { return };
    let eve = bed.server.register("eve").await;
    let mut socket = Socket::connect(&bed.server, &eve).await;
    let session = session();
    socket.create(session, 1).await;
    let mut page = bed.signed_in().await;
    page.go(&format!("/console#{session}")).await;
    let text = "document.querySelector('.story').textContent";
    page.wait("refusal", &format!("return {text}.includes('There is no such session');")).await;
    page.assert_clean();
}
